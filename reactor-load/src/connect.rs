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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use crate::testing::{listen_only, load, reset, serve};

    #[tokio::test]
    async fn connections_come_and_go() {
        let server = serve(|stream| listen_only(&stream));
        for how in ["", "--close fin", "--close reset", "--rate 100"] {
            let arguments = format!("connect -c 3 {how}");
            let (finished, _) = load(&arguments, server, 100).await.expect(how);
            let operations = finished.total.operations;
            assert!(operations.completed > 1, "{how}: {operations:?}");
            assert_eq!(operations.failures(), 0, "{how}: {operations:?}");
            assert_eq!(finished.total.connections.started, 0, "{how}");
        }
    }

    #[tokio::test]
    async fn a_server_that_does_not_accept_is_seen() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let server = listener.local_addr().expect("an address");
        let arguments = "connect -c 2 --timeout 20ms";
        let (finished, _) = load(arguments, server, 200).await.expect("a run");
        let operations = finished.total.operations;
        assert_eq!(operations.completed, 0);
        assert!(operations.failed["timed out"] > 2, "{operations:?}");
        let arguments = "connect -c 2 --close reset";
        let (finished, _) = load(arguments, server, 100).await.expect("a run");
        assert!(finished.total.operations.completed > 2);
    }

    #[tokio::test]
    async fn a_reset_is_a_failure() {
        let server = serve(|stream| reset(&stream));
        let (finished, _) = load("connect -c 2", server, 200).await.expect("a run");
        let operations = finished.total.operations;
        assert!(operations.failed["connection reset"] > 0, "{operations:?}");
    }
}
