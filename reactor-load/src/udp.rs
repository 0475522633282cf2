//! Datagrams that have to come back as they were sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    process,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{
    net::UdpSocket,
    time::{Sleep, sleep, timeout},
};

use crate::{
    cli::Load,
    pace::{Due, Pace},
    pattern::Pattern,
    record::{Failure, Kind, Pending},
    sources::Sources,
    target::{Place, Target},
    workers::{Backoff, Worker},
};

/// Sizes of a datagram: from the header to the most that UDP over IPv4 carries.
const SIZES: std::ops::RangeInclusive<u32> = HEADER as u32..=65_507;

/// The run, the connection, and the number of the datagram.
const HEADER: usize = 4 + 4 + 8;

/// Datagrams given up whose answer may still come, of each socket.
const REMEMBERED: usize = 1024;

/// How long an answer to the first datagram is waited for. None is no reason to give up: it may be lost.
const PROBE: Duration = Duration::from_millis(500);

/// What all sockets of a udp load share.
pub struct Udp {
    to: SocketAddr,
    sources: Sources,
    /// Of this run: an answer to an earlier one, from the same port, is none to this one.
    run: u32,
    pattern: Pattern,
    size: usize,
    pipeline: usize,
    timeout: Duration,
    pace: Pace,
    strange: Strange,
}

/// Answers that are none.
#[derive(Debug, Default)]
struct Strange {
    late: AtomicU64,
    again: AtomicU64,
    foreign: AtomicU64,
}

/// # Errors
///
/// What cannot be with datagrams, in words.
pub fn check(load: &Load) -> Result<(), String> {
    let to_unix = load.target.as_deref();
    if load.tls {
        return Err("--tls: there is none on datagrams".into());
    }
    if load.unix || to_unix.is_some_and(|target| target.starts_with("unix:")) {
        return Err("udp goes to an address and a port, not to a Unix socket".into());
    }
    if !SIZES.contains(&load.size) {
        let (least, most) = SIZES.into_inner();
        return Err(format!("--size: a datagram has {least} to {most} bytes"));
    }
    Ok(())
}

impl Udp {
    /// # Errors
    ///
    /// If the target is no address.
    pub fn new(load: &Load, target: &Target) -> Result<Self, String> {
        let Place::Inet(to) = target.place else {
            return Err(format!("{}: no address for datagrams", target.place));
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(Self {
            to,
            sources: Sources::new(&load.sources, to),
            run: now.unwrap_or_default().subsec_nanos() ^ process::id().rotate_left(16),
            pattern: Pattern::new(load.size as usize),
            size: load.size as usize,
            pipeline: load.pipeline as usize,
            timeout: load.timeout,
            pace: Pace::new(load.rate, load.connections),
            strange: Strange::default(),
        })
    }

    /// Sends one datagram.
    ///
    /// # Errors
    ///
    /// If nobody listens, as far as that is told.
    pub async fn probe(&self) -> Result<(), Failure> {
        let socket = self.socket()?;
        let mut message = vec![0; self.size];
        // Of no connection: an answer that is late is none to the run's.
        self.write(&mut message, u32::MAX, 0);
        socket.send(&message).await?;
        match timeout(PROBE.min(self.timeout), socket.recv(&mut message)).await {
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }

    /// Sentences on answers that were none.
    pub fn notes(&self) -> Vec<String> {
        let Strange {
            late,
            again,
            foreign,
        } = &self.strange;
        [
            (late, "came after their datagram was given up"),
            (again, "came more than once"),
            (foreign, "were to no datagram of their socket"),
        ]
        .into_iter()
        .map(|(count, what)| (count.load(Ordering::Relaxed), what))
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} answers {what}"))
        .collect()
    }

    fn socket(&self) -> Result<UdpSocket, Failure> {
        let socket = self.sources.connect_datagrams(self.to)?;
        Ok(UdpSocket::from_std(socket.into())?)
    }

    fn write(&self, message: &mut [u8], number: u32, sequence: u64) {
        let header = header(self.run, number, sequence);
        if let Some((place, rest)) = message.split_first_chunk_mut() {
            *place = header;
            rest.copy_from_slice(self.body(number, sequence, rest.len()));
        }
    }

    fn body(&self, number: u32, sequence: u64, length: usize) -> &[u8] {
        // A datagram's number, as the place of a stream, changes each byte of the body.
        self.pattern.at(number, sequence, length)
    }

    /// The number of the datagram that it answers, and whether its bytes are right. `None` when it is to another socket or run.
    fn read(&self, answer: &[u8], number: u32) -> Option<(u64, bool)> {
        let (start, body) = answer.split_first_chunk::<HEADER>()?;
        let (_, sequence) = start.split_last_chunk::<8>()?;
        let sequence = u64::from_be_bytes(*sequence);
        if *start != header(self.run, number, sequence) {
            return None;
        }
        let right = answer.len() == self.size && body == self.body(number, sequence, body.len());
        Some((sequence, right))
    }
}

fn header(run: u32, number: u32, sequence: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let parts = [
        &run.to_be_bytes()[..],
        &number.to_be_bytes(),
        &sequence.to_be_bytes(),
    ];
    for (place, byte) in header.iter_mut().zip(parts.concat()) {
        *place = byte;
    }
    header
}

/// One socket, made again only if it could not be had, until the run is over.
pub async fn connection(udp: Arc<Udp>, worker: Rc<Worker>, number: u32) {
    let mut backoff = Backoff::new();
    let due = udp.pace.of(&worker, number);
    while !worker.is_over() {
        let opening = worker.begin_lasting(Kind::Connection);
        match udp.socket() {
            Ok(socket) => {
                opening.complete(0, 0);
                let _open = worker.opened();
                let talk = Talk {
                    udp: &udp,
                    worker: &worker,
                    number,
                    socket,
                    message: vec![0; udp.size],
                    next: 0,
                    under_way: BTreeMap::new(),
                    given_up: BTreeSet::new(),
                };
                talk.run(due).await;
                return;
            }
            Err(failure) => {
                opening.fail(&failure);
                if !backoff.pause(&worker).await {
                    return;
                }
            }
        }
    }
}

/// A datagram that has no answer yet.
struct Sent<'a> {
    operation: Pending<'a>,
    given_up_at: Instant,
}

struct Talk<'a> {
    udp: &'a Udp,
    worker: &'a Worker,
    number: u32,
    socket: UdpSocket,
    message: Vec<u8>,
    /// The number of the next datagram.
    next: u64,
    /// By number.
    under_way: BTreeMap<u64, Sent<'a>>,
    /// The last ones that had no answer in time.
    given_up: BTreeSet<u64>,
}

impl Talk<'_> {
    /// Until the run is over, and nothing is under way.
    async fn run(mut self, mut due: Due) {
        let mut backoff = Backoff::new();
        // One byte more than is sent, to see an answer that is longer.
        let mut answer = vec![0; self.udp.size + 1];
        let mut timer = pin!(sleep(Duration::ZERO));
        let mut all_sent = false;
        while !all_sent || !self.under_way.is_empty() {
            let may_send = !all_sent && self.under_way.len() < self.udp.pipeline;
            self.set(timer.as_mut());
            let failed = tokio::select! {
                received = self.socket.recv(&mut answer) => match received {
                    Ok(length) => {
                        self.received(answer.get(..length).unwrap_or_default());
                        backoff.reset();
                        None
                    }
                    Err(error) => Some(error),
                },
                due = due.next(), if may_send => match due {
                    Some(due) => self.send(due).await.err(),
                    None => {
                        all_sent = true;
                        None
                    }
                },
                () = &mut timer, if !self.under_way.is_empty() => {
                    self.give_up_late();
                    None
                }
            };
            if let Some(error) = failed {
                // Of which datagram, the kernel does not tell.
                self.give_up_all(&error.into());
                // A rate is kept: what fails is part of it.
                if self.udp.pace.is_closed() && !backoff.pause(self.worker).await {
                    return;
                }
            }
        }
    }

    /// To the moment at which the oldest is given up. It is left where it is when that one was answered: most are, and a timer costs
    /// more than to be woken once in vain.
    fn set(&self, timer: Pin<&mut Sleep>) {
        if timer.is_elapsed()
            && let Some((_, oldest)) = self.under_way.first_key_value()
        {
            timer.reset(oldest.given_up_at.into());
        }
    }

    async fn send(&mut self, due: Instant) -> io::Result<()> {
        let sequence = self.next;
        self.next += 1;
        self.udp.write(&mut self.message, self.number, sequence);
        let sent = Sent {
            operation: self.worker.begin(Kind::Operation, due),
            given_up_at: Instant::now() + self.udp.timeout,
        };
        self.under_way.insert(sequence, sent);
        self.socket.send(&self.message).await.map(|_| ())
    }

    fn received(&mut self, answer: &[u8]) {
        let strange = &self.udp.strange;
        let Some((sequence, right)) = self.udp.read(answer, self.number) else {
            strange.foreign.fetch_add(1, Ordering::Relaxed);
            return;
        };
        match self.under_way.remove(&sequence) {
            Some(Sent { operation, .. }) if right => {
                let size = self.udp.size as u64;
                operation.complete(size, size);
            }
            Some(Sent { operation, .. }) => operation.fail(&Failure::WrongBytes),
            None => {
                let count = if self.given_up.remove(&sequence) {
                    &strange.late
                } else if sequence < self.next {
                    &strange.again
                } else {
                    &strange.foreign
                };
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn give_up_late(&mut self) {
        let now = Instant::now();
        while let Some(oldest) = self.under_way.first_entry()
            && oldest.get().given_up_at <= now
        {
            let (sequence, sent) = oldest.remove_entry();
            sent.operation.fail(&Failure::TimedOut);
            self.remember(sequence);
        }
    }

    fn give_up_all(&mut self, failure: &Failure) {
        while let Some((sequence, sent)) = self.under_way.pop_first() {
            sent.operation.fail(failure);
            self.remember(sequence);
        }
    }

    fn remember(&mut self, sequence: u64) {
        self.given_up.insert(sequence);
        if self.given_up.len() > REMEMBERED {
            self.given_up.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net, thread};

    use super::*;
    use crate::{execute::Failed, testing};

    /// Answers each datagram with those that `answers` makes of it.
    fn serve(mut answers: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
        let socket = net::UdpSocket::bind(("127.0.0.1", 0)).expect("a port");
        let address = socket.local_addr().expect("an address");
        thread::spawn(move || {
            let mut datagram = vec![0; 65_536];
            while let Ok((length, from)) = socket.recv_from(&mut datagram) {
                for answer in answers(&datagram[..length]) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        address
    }

    #[tokio::test]
    async fn datagrams_come_back() {
        let server = serve(|datagram| vec![datagram.to_vec()]);
        for arguments in [
            "-c 3",
            "-c 3 --pipeline 8 --size 16",
            "-c 2 --size 65507",
            "-c 2 --rate 100",
        ] {
            let arguments = format!("udp {arguments}");
            let (finished, notes) = testing::load(&arguments, server, 100).await.expect("a run");
            let operations = finished.total.operations;
            assert!(operations.completed > 0, "{operations:?}");
            assert_eq!(operations.failures(), 0, "{operations:?}");
            assert!(notes.is_empty(), "{notes:?}");
        }
    }

    #[tokio::test]
    async fn odd_answers_are_told_apart() {
        // Of each four: none, two, one of other bytes, one of another socket.
        let mut count = 0;
        let server = serve(move |datagram| {
            count += 1;
            let mut answer = datagram.to_vec();
            match count % 4 {
                0 => vec![],
                1 => vec![answer.clone(), answer],
                2 => {
                    *answer.last_mut().expect("a byte") ^= 1;
                    vec![answer]
                }
                _ => {
                    answer[7] ^= 1;
                    vec![answer, b"?".to_vec()]
                }
            }
        });
        let arguments = "udp -c 1 --timeout 10ms";
        let (finished, notes) = testing::load(arguments, server, 800).await.expect("a run");
        let operations = finished.total.operations;
        for reason in ["timed out", "wrong bytes"] {
            assert!(operations.failed[reason] > 0, "{operations:?}");
        }
        assert!(operations.completed > 0, "{operations:?}");
        for what in ["more than once", "no datagram of their socket"] {
            assert!(notes.iter().any(|note| note.contains(what)), "{notes:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_may_come_late() {
        let mut before = Vec::new();
        let server = serve(move |datagram| vec![std::mem::replace(&mut before, datagram.to_vec())]);
        let arguments = "udp -c 1 --timeout 10ms";
        let (finished, notes) = testing::load(arguments, server, 200).await.expect("a run");
        assert_eq!(finished.total.operations.completed, 0);
        assert!(
            notes.iter().any(|note| note.contains("given up")),
            "{notes:?}"
        );
    }

    #[tokio::test]
    async fn nobody_listens() {
        let gone = net::UdpSocket::bind(("127.0.0.1", 0)).expect("a port");
        let address = gone.local_addr().expect("an address");
        drop(gone);
        let outcome = testing::load("udp", address, 100).await;
        assert!(
            matches!(&outcome, Err(Failed::Begin(reason)) if reason.ends_with("refused")),
            "{outcome:?}"
        );
    }

    #[tokio::test]
    async fn a_server_that_goes_refuses() {
        let socket = net::UdpSocket::bind(("127.0.0.1", 0)).expect("a port");
        let address = socket.local_addr().expect("an address");
        thread::spawn(move || {
            let mut datagram = [0; 100];
            for _ in 0..10 {
                if let Ok((length, from)) = socket.recv_from(&mut datagram) {
                    let _ = socket.send_to(&datagram[..length], from);
                }
            }
        });
        let (finished, _) = testing::load("udp -c 2", address, 200)
            .await
            .expect("a run");
        let operations = finished.total.operations;
        assert_eq!(operations.completed, 9, "{operations:?}");
        assert!(
            operations.failed["connection refused"] > 0,
            "{operations:?}"
        );
    }

    #[test]
    fn what_cannot_be() {
        for arguments in ["--size 15", "--size 65508", "--tls"] {
            let words = ["reactor-load", "udp", "127.0.0.1:1"].into_iter();
            let words = words.chain(arguments.split(' '));
            let command = <crate::cli::Cli as clap::Parser>::parse_from(words).command;
            let crate::cli::Command::Udp(load) = command else {
                panic!("{arguments}");
            };
            assert!(check(&load).is_err(), "{arguments}");
        }
    }
}
