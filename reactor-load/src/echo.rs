//! Messages that have to come back as they were sent.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    sync::{Notify, Semaphore},
    time::timeout,
};

use crate::{
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
        let (mut offset, mut answer) = (0, vec![0; size]);
        loop {
            while self.under_way.borrow().is_empty() {
                if self.all_sent.get() {
                    return Ok(());
                }
                self.sent.notified().await;
            }
            timeout(self.echo.timeout, reader.read_exact(&mut answer))
                .await
                .map_err(|_| Failure::TimedOut)??;
            if answer != self.echo.pattern.at(self.number, offset, size) {
                return Err(Failure::WrongBytes);
            }
            offset += size as u64;
            if let Some(operation) = self.under_way.borrow_mut().pop_front() {
                operation.complete(size as u64, size as u64);
            }
            self.window.add_permits(1);
        }
    }
}
