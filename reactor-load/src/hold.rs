//! Connections that are opened and kept, with a message on each now and then if wanted.

use std::{
    io,
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    time::timeout,
};

use crate::{
    cli,
    pace::Due,
    pattern::Pattern,
    record::{Failure, Kind, Pending},
    stream::{Connector, Stream},
    workers::{Backoff, Worker},
};

/// As much of an answer as is read at once.
const LONGEST_PIECE: usize = 64 * 1024;

/// What all connections that are kept share.
pub struct Hold {
    connector: Connector,
    echo: Option<EchoNowAndThen>,
    connections: u32,
}

struct EchoNowAndThen {
    every: Duration,
    pattern: Pattern,
    size: usize,
    timeout: Duration,
}

impl Hold {
    pub fn new(hold: &cli::Hold, connector: Connector) -> Self {
        let load = &hold.load;
        let echo = hold.echo_every.map(|every| EchoNowAndThen {
            every,
            pattern: Pattern::new(load.size as usize),
            size: load.size as usize,
            timeout: load.timeout,
        });
        Self {
            connector,
            echo,
            connections: load.connections,
        }
    }
}

/// Opens one connection, tries again until that succeeds, and keeps it. One that is lost is not replaced: it counts as failed.
pub async fn connection(hold: Arc<Hold>, worker: Rc<Worker>, number: u32) {
    let mut backoff = Backoff::new();
    while !worker.is_over() {
        let kept = worker.begin_lasting(Kind::Connection);
        let opened = {
            let _turn = worker.turn_to_connect().await;
            hold.connector.connect().await
        };
        match opened {
            Err(failure) => {
                kept.fail(&failure);
                if !backoff.pause(&worker).await {
                    return;
                }
            }
            Ok(stream) => {
                let _open = worker.opened();
                keep(&hold, &worker, number, stream, kept).await;
                return;
            }
        }
    }
}

/// Until the run is over, or the connection is lost.
async fn keep(hold: &Hold, worker: &Rc<Worker>, number: u32, stream: Stream, kept: Pending<'_>) {
    let (mut reader, writer) = split(stream);
    let talk = async {
        match &hold.echo {
            None => Err(silence(&mut reader, true).await),
            Some(echo) => {
                // Each at another moment: all at once would be a load of its own kind.
                let share = f64::from(number) / f64::from(hold.connections.max(1));
                let first = Instant::now() + echo.every.mul_f64(share);
                let mut due = Due::every(worker, first, echo.every);
                echo.talk(worker, number, reader, writer, &mut due).await
            }
        }
    };
    let mut talk = pin!(talk);
    tokio::select! {
        // What is lost at the last moment is lost.
        biased;
        outcome = &mut talk => match outcome {
            Ok(()) => kept.complete(0, 0),
            Err(failure) => kept.fail(&failure),
        },
        () = worker.over() => {
            kept.complete(0, 0);
            if hold.echo.is_some() {
                // The last answer. What it fails with is counted for its message.
                let _ = talk.await;
            }
        }
    }
}

impl EchoNowAndThen {
    /// Until the run is over.
    async fn talk(
        &self,
        worker: &Worker,
        number: u32,
        mut reader: ReadHalf<Stream>,
        mut writer: WriteHalf<Stream>,
        due: &mut Due,
    ) -> Result<(), Failure> {
        let mut offset = 0;
        loop {
            let due = tokio::select! {
                failure = silence(&mut reader, false) => return Err(failure),
                due = due.next() => due,
            };
            let Some(due) = due else {
                return Ok(());
            };
            let operation = worker.begin(Kind::Operation, due);
            let message = self.pattern.at(number, offset, self.size);
            offset += message.len() as u64;
            let exchange = timeout(self.timeout, exchange(&mut reader, &mut writer, message));
            if let Err(failure) = exchange.await.unwrap_or(Err(Failure::TimedOut)) {
                operation.fail(&failure);
                return Err(failure);
            }
            operation.complete(message.len() as u64, message.len() as u64);
        }
    }
}

/// Sends a message, and checks that it comes back.
async fn exchange(
    reader: &mut ReadHalf<Stream>,
    writer: &mut WriteHalf<Stream>,
    message: &[u8],
) -> Result<(), Failure> {
    let send = async {
        writer.write_all(message).await?;
        writer.flush().await?;
        Ok(())
    };
    let receive = async {
        // Not kept between messages: there are many connections.
        let mut answer = vec![0; message.len().min(LONGEST_PIECE)];
        for expected in message.chunks(LONGEST_PIECE) {
            let answer = answer.get_mut(..expected.len()).unwrap_or_default();
            reader.read_exact(answer).await?;
            if answer != expected {
                return Err(Failure::WrongBytes);
            }
        }
        Ok(())
    };
    tokio::try_join!(send, receive).map(|_| ())
}

/// Ends when the server ends it, or says something where it may not.
async fn silence(reader: &mut ReadHalf<Stream>, may_speak: bool) -> Failure {
    let mut unasked = [0; 64];
    loop {
        match reader.read(&mut unasked).await {
            Ok(0) => return Failure::Closed,
            Ok(_) if may_speak => {}
            Ok(_) => return Failure::WrongBytes,
            // TLS without a last word.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Failure::Closed,
            Err(error) => return error.into(),
        }
    }
}
