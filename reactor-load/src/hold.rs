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
    answer, cli,
    pace::Due,
    pattern::Pattern,
    record::{Failure, Kind, Pending},
    stream::{Connector, Stream},
    workers::{Backoff, Worker},
};

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
        let mut room = answer::room(message.len());
        answer::expect(reader, message, &mut room).await
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

#[cfg(test)]
mod tests {
    use std::{io::Write, sync::mpsc, time::Duration};

    use crate::testing::{echo, listen_only, load, reset, serve};

    #[tokio::test]
    async fn connections_stay() {
        let server = serve(|stream| echo(&stream, usize::MAX, |_| ()));
        let (finished, _) = load("hold -c 20", server, 100).await.expect("a run");
        assert_eq!(finished.total.connections.completed, 20);
        assert_eq!(finished.total.operations.started, 0);
        assert_eq!(finished.intervals.last().map(|last| last.open), Some(20));
        let arguments = "hold -c 5 --echo-every 100ms --size 70000";
        let (finished, _) = load(arguments, server, 300).await.expect("a run");
        let (connections, operations) = (finished.total.connections, finished.total.operations);
        assert!(connections.all_well(), "{connections:?}");
        assert_eq!(operations.failures(), 0, "{operations:?}");
        assert!(operations.completed >= 5, "{operations:?}");
        assert_eq!(operations.bytes_received, 70_000 * operations.completed);
    }

    #[tokio::test]
    async fn what_is_lost_is_not_replaced() {
        // The first connection sees whether anybody is there.
        for (how, reason) in [
            ("close", "closed by the server"),
            ("reset", "connection reset"),
        ] {
            let (lost, losses) = mpsc::channel();
            let server = serve(move |mut stream| {
                let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
                let _ = stream.write_all(b"hello");
                listen_only(&stream);
                if how == "reset" {
                    reset(&stream);
                }
                let _ = lost.send(());
            });
            let (finished, _) = load("hold -c 5", server, 300).await.expect("a run");
            let connections = finished.total.connections;
            assert_eq!(connections.failed[reason], 5, "{connections:?}");
            assert_eq!(connections.started, 5, "{connections:?}");
            assert_eq!(losses.iter().take(6).count(), 6);
        }
    }

    #[tokio::test]
    async fn a_message_that_does_not_come_back_is_a_lost_connection() {
        let stall = serve(|stream| listen_only(&stream));
        let wrong = serve(|stream| echo(&stream, usize::MAX, |bytes| bytes[0] ^= 1));
        let unasked = serve(|mut stream| {
            let _ = stream.write_all(b"hello");
            listen_only(&stream);
        });
        for (server, reason, operations) in [
            (stall, "timed out", 3..=3),
            (wrong, "wrong bytes", 3..=3),
            // The first message may already be on its way.
            (unasked, "wrong bytes", 0..=3),
        ] {
            let arguments = "hold -c 3 --echo-every 300ms --timeout 200ms";
            let (finished, _) = load(arguments, server, 1500).await.expect("a run");
            let connections = finished.total.connections;
            assert_eq!(connections.failed[reason], 3, "{connections:?}");
            let failed = finished.total.operations.failures();
            assert!(operations.contains(&failed), "{reason}: {failed}");
        }
    }
}
