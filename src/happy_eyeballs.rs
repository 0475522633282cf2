//! Floor 0: connects to whichever of a host's addresses answers first (RFC 8305, "Happy Eyeballs"). Knows no Python.
//!
//! The attempts begin in the order of the addresses, as the resolver has sorted them: the next one when the latest has failed,
//! or has gone on for the delay between attempts. The first that is connected wins.
//!
//! A [`Race`] says what happens and has no timer: whoever waits for it waits no longer than [`Race::due`] and asks again. That is
//! how a thread waits under a deadline anyway, and it costs no descriptor. [`connect`] does it on the calling thread.

use std::{
    error::Error,
    fmt,
    future::Future,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use socket2::{SockAddr, Socket, Type};

use crate::reactor::{Direction, Readiness, Source, Step, connect as attempts, poll_or_park};

/// What comes next in a [`Race`].
#[derive(Debug)]
pub enum Event {
    /// It is the turn of the address of this index: make a socket and call [`Race::begin`]. Without that it counts as failed.
    Due(usize),
    /// The attempt of this index has won. Drop the race: what is left in it has lost.
    Connected(usize),
    /// The attempt of this index has failed.
    Failed(usize, io::Error),
    /// Every attempt has failed.
    Lost,
}

/// An attempt that has begun and not ended.
#[derive(Debug)]
struct Attempt {
    index: usize,
    source: Arc<Source>,
    address: SockAddr,
    ready: Readiness,
}

impl Attempt {
    /// Ready when the attempt is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match Pin::new(&mut self.ready).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {}
            }
            let seen = self.source.tick(Direction::Write);
            match attempts::is_over(&self.source, &self.address) {
                Ok(true) => return Poll::Ready(Ok(())),
                Ok(false) => self.ready = self.source.ready_since(Direction::Write, seen),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// Attempts to connect, of which the first that succeeds wins. May be dropped at any time.
#[derive(Debug)]
pub struct Race {
    delay: Duration,
    /// How many addresses there are.
    count: usize,
    /// The first of them that has not had its turn.
    next: usize,
    /// When that comes; `None`: now.
    due: Option<Instant>,
    /// In the order of their begin.
    under_way: Vec<Attempt>,
}

impl Race {
    /// A race of `count` addresses, with at least `delay` between the begin of an attempt that goes on and the next.
    #[must_use]
    pub fn new(count: usize, delay: Duration) -> Self {
        Self {
            delay,
            count,
            next: 0,
            due: None,
            under_way: Vec::new(),
        }
    }

    /// When to poll [`Self::event`] again at the latest; `None`: it is woken when there is something.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.due.filter(|_| self.next < self.count)
    }

    /// Begins an attempt, after [`Event::Due`]; true if it has won at once.
    ///
    /// # Errors
    ///
    /// Those of connect(2); the attempt has failed.
    pub fn begin(
        &mut self,
        index: usize,
        source: Arc<Source>,
        address: SockAddr,
    ) -> io::Result<bool> {
        let ready = source.writable();
        if attempts::begin(&source, &address)? {
            return Ok(true);
        }
        self.due = Instant::now().checked_add(self.delay);
        self.under_way.push(Attempt {
            index,
            source,
            address,
            ready,
        });
        Ok(false)
    }

    /// What comes next. Ready at [`Self::due`] too, but does not wake anybody then.
    pub fn event(&mut self) -> impl Future<Output = Event> {
        std::future::poll_fn(|cx| self.poll_next(cx))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let ended = self
            .under_way
            .iter_mut()
            .enumerate()
            .find_map(|(position, attempt)| match attempt.poll(cx) {
                Poll::Ready(result) => Some((position, result)),
                Poll::Pending => None,
            });
        if let Some((position, result)) = ended {
            let Attempt { index, .. } = self.under_way.remove(position);
            return Poll::Ready(match result {
                Ok(()) => Event::Connected(index),
                Err(error) => {
                    if position == self.under_way.len() {
                        // It was the latest: nothing is left to give time to.
                        self.due = None;
                    }
                    Event::Failed(index, error)
                }
            });
        }
        if self.next < self.count {
            if self.due.is_some_and(|due| Instant::now() < due) {
                return Poll::Pending;
            }
            let index = self.next;
            self.next += 1;
            // Stays so unless the attempt begins.
            self.due = None;
            return Poll::Ready(Event::Due(index));
        }
        if self.under_way.is_empty() {
            return Poll::Ready(Event::Lost);
        }
        Poll::Pending
    }
}

/// Why [`connect`] has no connection.
#[derive(Debug)]
pub enum NotConnected {
    /// The deadline passed first.
    TimedOut,
    /// Every attempt has failed, for these reasons in the order of time; none if there was no address.
    Failed(Vec<io::Error>),
}

impl fmt::Display for NotConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("timed out"),
            Self::Failed(errors) => match errors.last() {
                Some(last) => write!(f, "no address could be connected to: {last}"),
                None => f.write_str("no address to connect to"),
            },
        }
    }
}

impl Error for NotConnected {}

/// Connects a stream to whichever address answers first, on this thread: the connection, and which address it is to.
///
/// `prepare` gets each new socket before its attempt begins, to bind it, say; its error is the attempt's.
///
/// # Errors
///
/// [`NotConnected::TimedOut`], never early, when the deadline passes; else what the attempts failed for. Whatever comes, every
/// other socket is closed.
pub fn connect(
    addresses: &[SockAddr],
    delay: Duration,
    mut prepare: impl FnMut(usize, &Socket) -> io::Result<()>,
    deadline: Option<Instant>,
) -> Result<(Arc<Source>, usize), NotConnected> {
    let mut race = Race::new(addresses.len(), delay);
    let mut errors = Vec::new();
    let mut sources: Vec<Option<Arc<Source>>> = vec![None; addresses.len()];
    loop {
        let passed = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if passed() {
            return Err(NotConnected::TimedOut);
        }
        let due = race.due();
        let until = [due, deadline].into_iter().flatten().min();
        let event = match poll_or_park(pin!(race.event()), until) {
            Step::Ready(event) => event,
            Step::TimedOut | Step::Woken => continue,
        };
        let connected = match event {
            Event::Connected(index) => Some(index),
            Event::Lost => return Err(NotConnected::Failed(errors)),
            Event::Failed(index, error) => {
                failed(&mut sources, index);
                errors.push(error);
                None
            }
            Event::Due(index) => {
                let begun = addresses.get(index).map(|address| {
                    let socket = Socket::new(address.domain(), Type::STREAM, None)?;
                    prepare(index, &socket)?;
                    let source = Arc::new(Source::new(socket.into()));
                    if let Some(place) = sources.get_mut(index) {
                        *place = Some(Arc::clone(&source));
                    }
                    race.begin(index, source, address.clone())
                });
                match begun {
                    Some(Ok(true)) => Some(index),
                    Some(Ok(false)) | None => None,
                    Some(Err(error)) => {
                        failed(&mut sources, index);
                        errors.push(error);
                        None
                    }
                }
            }
        };
        if let Some((source, index)) = connected.and_then(|index| {
            let source = sources.get_mut(index)?.take()?;
            Some((source, index))
        }) {
            return Ok((source, index));
        }
    }
}

/// Closes the socket of an attempt.
fn failed(sources: &mut [Option<Arc<Source>>], index: usize) {
    if let Some(source) = sources.get_mut(index) {
        *source = None;
    }
}

#[cfg(test)]
mod tests;
