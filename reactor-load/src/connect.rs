//! Connections that are made and closed, again and again.

use std::{io, rc::Rc, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{
    cli::{self, Close},
    pace::Pace,
    record::{Failure, Kind},
    stream::{Connector, Stream},
    workers::{Backoff, Worker},
};

/// What all connections of a churn share.
pub struct Churn {
    connector: Connector,
    close: Close,
    timeout: Duration,
    pace: Pace,
}

impl Churn {
    pub fn new(connect: &cli::Connect, connector: Connector) -> Self {
        let load = &connect.load;
        Self {
            connector,
            close: connect.close,
            timeout: load.timeout,
            pace: Pace::new(load.rate, load.connections),
        }
    }

    /// One connection, from its begin to its end. How many bytes the server sent unasked.
    async fn operation(&self, worker: &Worker) -> Result<u64, Failure> {
        let mut stream = self.connector.connect().await?;
        let _open = worker.opened();
        match self.close {
            Close::Wait => timeout(self.timeout, closed_by_both(&mut stream))
                .await
                .unwrap_or(Err(Failure::TimedOut)),
            Close::Fin => Ok(0),
            Close::Reset => {
                stream.reset_on_close()?;
                Ok(0)
            }
        }
    }
}

/// The kernel has taken the connection, which says nothing of the server: that it closes says that it has seen it.
async fn closed_by_both(stream: &mut Stream) -> Result<u64, Failure> {
    stream.shutdown().await?;
    let (mut greeting, mut received) = ([0; 1024], 0);
    loop {
        match stream.read(&mut greeting).await {
            Ok(0) => return Ok(received),
            Ok(length) => received += length as u64,
            // TLS without a last word. There is no answer that could have been cut off.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(received),
            Err(error) => return Err(error.into()),
        }
    }
}

/// One connection after the other, until the run is over.
pub async fn connection(churn: Arc<Churn>, worker: Rc<Worker>, number: u32) {
    let mut backoff = Backoff::new();
    let mut due = churn.pace.of(&worker, number);
    while let Some(due) = due.next().await {
        let operation = worker.begin(Kind::Operation, due);
        match churn.operation(&worker).await {
            Ok(received) => {
                operation.complete(0, received);
                backoff.reset();
            }
            Err(failure) => {
                operation.fail(&failure);
                // A rate is kept: what fails is part of it.
                if churn.pace.is_closed() && !backoff.pause(&worker).await {
                    return;
                }
            }
        }
    }
}
