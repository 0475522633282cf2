//! Messages that have to come back as they were sent.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncWriteExt, ReadHalf, WriteHalf, split},
    sync::{Notify, Semaphore},
    time::timeout,
};

use crate::{
    answer,
    cli::Load,
    pace::{Due, Pace},
    pattern::Pattern,
    record::{Failure, Kind, Pending},
    stream::{Connector, Stream},
    workers::{Backoff, Worker},
};

/// What all connections of an echo load share.
pub struct Echo {
    connector: Connector,
    pattern: Pattern,
    size: usize,
    pipeline: usize,
    timeout: Duration,
    pace: Pace,
}

impl Echo {
    pub fn new(load: &Load, connector: Connector) -> Self {
        Self {
            connector,
            pattern: Pattern::new(load.size as usize),
            size: load.size as usize,
            pipeline: load.pipeline as usize,
            timeout: load.timeout,
            pace: Pace::new(load.rate, load.connections),
        }
    }
}

/// One connection, made again whenever it fails, until the run is over.
pub async fn connection(echo: Arc<Echo>, worker: Rc<Worker>, number: u32) {
    let mut backoff = Backoff::new();
    let mut due = echo.pace.of(&worker, number);
    while !worker.is_over() {
        let opening = worker.begin_lasting(Kind::Connection);
        let opened = {
            let _turn = worker.turn_to_connect().await;
            echo.connector.connect().await
        };
        match opened {
            Err(failure) => {
                opening.fail(&failure);
                if !backoff.pause(&worker).await {
                    return;
                }
            }
            Ok(stream) => {
                opening.complete(0, 0);
                let _open = worker.opened();
                backoff.reset();
                talk(&echo, &worker, number, stream, &mut due).await;
            }
        }
    }
}

/// Until the run is over, or the connection fails.
async fn talk(echo: &Echo, worker: &Worker, number: u32, stream: Stream, due: &mut Due) {
    let (reader, writer) = split(stream);
    let talk = Talk {
        echo,
        worker,
        number,
        window: Semaphore::new(echo.pipeline),
        under_way: RefCell::default(),
        sent: Notify::new(),
        all_sent: Cell::new(false),
    };
    let outcome = tokio::try_join!(talk.send(writer, due), talk.receive(reader));
    if let Err(failure) = outcome {
        for operation in talk.under_way.take() {
            operation.fail(&failure);
        }
    }
}

/// Two futures of one connection: a server that echoes while it receives would block for ever on one that does not receive while it
/// sends.
struct Talk<'a> {
    echo: &'a Echo,
    worker: &'a Worker,
    number: u32,
    /// A permit for each message that may be on its way.
    window: Semaphore,
    under_way: RefCell<VecDeque<Pending<'a>>>,
    /// A message has gone into `under_way`, or the last one has.
    sent: Notify,
    all_sent: Cell<bool>,
}

impl Talk<'_> {
    async fn send(&self, mut writer: WriteHalf<Stream>, due: &mut Due) -> Result<(), Failure> {
        let mut offset = 0;
        loop {
            // Cannot fail: nobody closes it.
            let Ok(permit) = self.window.acquire().await else {
                break;
            };
            permit.forget();
            let Some(due) = due.next().await else {
                break;
            };
            let message = self.echo.pattern.at(self.number, offset, self.echo.size);
            offset += message.len() as u64;
            let operation = self.worker.begin(Kind::Operation, due);
            self.under_way.borrow_mut().push_back(operation);
            self.sent.notify_one();
            writer.write_all(message).await?;
            writer.flush().await?;
        }
        self.all_sent.set(true);
        self.sent.notify_one();
        Ok(())
    }

    async fn receive(&self, mut reader: ReadHalf<Stream>) -> Result<(), Failure> {
        let size = self.echo.size;
        let (mut offset, mut room) = (0, answer::room(size));
        loop {
            while self.under_way.borrow().is_empty() {
                if self.all_sent.get() {
                    return Ok(());
                }
                self.sent.notified().await;
            }
            let expected = self.echo.pattern.at(self.number, offset, size);
            let answer = answer::expect(&mut reader, expected, &mut room);
            timeout(self.echo.timeout, answer)
                .await
                .map_err(|_| Failure::TimedOut)??;
            offset += size as u64;
            if let Some(operation) = self.under_way.borrow_mut().pop_front() {
                operation.complete(size as u64, size as u64);
            }
            self.window.add_permits(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use crate::testing::{echo, listen_only, load, reset, serve};

    #[tokio::test]
    async fn every_byte_comes_back() {
        let server = serve(|stream| echo(&stream, usize::MAX, |_| ()));
        for arguments in [
            "-c 3",
            "-c 3 --pipeline 64 --size 1",
            "-c 1 --size 1000000 --pipeline 8",
            "-c 3 --rate 100",
        ] {
            let arguments = format!("echo {arguments}");
            let (finished, _) = load(&arguments, server, 150).await.expect("a run");
            let (operations, connections) = (finished.total.operations, finished.total.connections);
            assert!(operations.completed > 0, "{arguments}: {operations:?}");
            assert_eq!(operations.failures(), 0, "{arguments}: {operations:?}");
            assert_eq!(operations.bytes_sent, operations.bytes_received);
            assert!(connections.all_well() && connections.started <= 3);
        }
    }

    #[tokio::test]
    async fn each_failure_is_counted_once() {
        let wrong = serve(|stream| {
            // A byte only: the rest is not waited for.
            echo(&stream, 1, |bytes| bytes[0] ^= 1);
            listen_only(&stream);
        });
        let early = serve(|mut stream| {
            let mut message = [0; 64];
            if stream.read_exact(&mut message).is_ok() {
                let _ = stream.write_all(&message[..10]);
            }
        });
        let stall = serve(|stream| listen_only(&stream));
        let reset = serve(|stream| {
            echo(&stream, 100, |_| ());
            reset(&stream);
        });
        for (server, reason, completed) in [
            (wrong, "wrong bytes", 0),
            (early, "closed before the answer", 0),
            (stall, "timed out", 0),
            (reset, "connection reset", 1),
        ] {
            let arguments = "echo -c 2 --timeout 40ms";
            let (finished, _) = load(arguments, server, 200).await.expect(reason);
            let (operations, connections) = (finished.total.operations, finished.total.connections);
            let failures = operations.failures();
            assert!(operations.failed[reason] > 0, "{operations:?}");
            assert!(failures > 2, "made again: {operations:?}");
            assert_eq!(failures, operations.failed[reason], "{operations:?}");
            assert!(failures <= connections.completed, "{operations:?}");
            assert!(
                operations.completed <= completed * connections.completed,
                "{reason}: {operations:?}"
            );
        }
    }
}
