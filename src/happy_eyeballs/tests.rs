//! Races on loopback: an address where nobody listens refuses, and a listener whose queue is full says nothing.

use std::{
    collections::BTreeSet,
    fs,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd,
    sync::{Mutex, MutexGuard, PoisonError},
};

use socket2::Domain;

use super::*;

const DELAY: Duration = Duration::from_millis(50);

/// Far more than anything here takes.
const LIMIT: Duration = Duration::from_secs(30);

/// Descriptors are counted: one race at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn limit() -> Option<Instant> {
    Instant::now().checked_add(LIMIT)
}

fn nothing(_: usize, _: &Socket) -> io::Result<()> {
    Ok(())
}

fn listener() -> (TcpListener, SockAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let address = listener.local_addr().expect("its address");
    (listener, address.into())
}

/// Where nobody listens. The socket keeps others from the port.
fn refusing() -> (Socket, SockAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any.into()).expect("bound");
    let address = socket.local_addr().expect("its address");
    (socket, address)
}

/// A listener that leaves attempts in progress: its queue, of one place, is taken.
fn mute() -> (Socket, TcpStream, SockAddr) {
    let (socket, address) = refusing();
    socket.listen(0).expect("listens");
    let filler = TcpStream::connect(address.as_socket().expect("inet")).expect("the one place");
    (socket, filler, address)
}

/// The open sockets of this process: other tests open and close other descriptors meanwhile.
fn own_sockets(seen: &Mutex<BTreeSet<u64>>) -> Vec<u64> {
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let open: BTreeSet<u64> = fs::read_dir("/proc/self/fd")
        .expect("/proc")
        .flatten()
        .filter_map(|entry| inode(&fs::read_link(entry.path()).ok()?.to_string_lossy()))
        .collect();
    seen.intersection(&open).copied().collect()
}

fn inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

/// Notes each socket of a race, to look for it afterwards.
fn noting(seen: &Mutex<BTreeSet<u64>>) -> impl FnMut(usize, &Socket) -> io::Result<()> {
    |_, socket| {
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd()))?;
        let number = inode(&link.to_string_lossy()).ok_or(io::ErrorKind::NotFound)?;
        seen.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number);
        Ok(())
    }
}

fn failures(result: Result<(Arc<Source>, usize), NotConnected>) -> Vec<Option<i32>> {
    match result {
        Err(NotConnected::Failed(errors)) => errors.iter().map(io::Error::raw_os_error).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_that_listens_wins_at_once() {
    let _alone = alone();
    let ((one, first), (_other, second)) = (listener(), listener());
    let mut begun = Vec::new();
    let prepare = |index, _: &Socket| {
        begun.push(index);
        Ok(())
    };
    let (source, index) = connect(&[first, second], DELAY, prepare, limit()).expect("connected");
    assert_eq!((index, begun), (0, vec![0]));
    let (_, peer) = one.accept().expect("accepted");
    let local = source.with_fd(|fd| socket2::SockRef::from(&fd).local_addr());
    let local = local.expect("open").expect("bound");
    assert_eq!(local.as_socket(), Some(peer));
    assert!(!source.is_nonblocking(), "the mode was borrowed");
}

#[test]
fn a_refusal_begins_the_next_without_a_delay() {
    let _alone = alone();
    let ((_refuses, refused), (_listener, address)) = (refusing(), listener());
    let addresses = [refused.clone(), refused, address];
    // A delay that would be over only after the deadline.
    let seen = Mutex::default();
    let mut note = noting(&seen);
    let prepare = |index, socket: &Socket| {
        assert_eq!(own_sockets(&seen).len(), 0, "closed as soon as refused");
        note(index, socket)
    };
    let result = connect(&addresses, LIMIT * 2, prepare, limit());
    assert_eq!(result.expect("connected").1, 2);
}

#[test]
fn silence_begins_the_next_after_the_delay() {
    let _alone = alone();
    let ((_mute, _filler, silent), (_listener, address)) = (mute(), listener());
    let seen = Mutex::default();
    let mut moments = Vec::new();
    let mut note = noting(&seen);
    let prepare = |index, socket: &Socket| {
        moments.push(Instant::now());
        note(index, socket)
    };
    let addresses = [silent.clone(), silent, address];
    let (source, index) = connect(&addresses, DELAY, prepare, limit()).expect("connected");
    assert_eq!(index, 2);
    for pair in moments.windows(2) {
        assert!(pair[1] - pair[0] >= DELAY, "early: {moments:?}");
    }
    assert_eq!(own_sockets(&seen).len(), 1, "the losers are closed");
    drop(source);
    assert_eq!(own_sockets(&seen).len(), 0);
}

#[test]
fn an_earlier_attempt_may_still_win() {
    let _alone = alone();
    let ((late, filler, silent), (_other, _filler, other)) = (mute(), mute());
    let addresses = [silent, other];
    let mut room = Some(filler);
    let prepare = |index, _: &Socket| {
        if index == 1 {
            // Room for the first attempt, whose next SYN gets an answer.
            late.accept().map(drop)?;
            room.take();
        }
        Ok(())
    };
    let (_source, index) = connect(&addresses, DELAY, prepare, limit()).expect("connected");
    assert_eq!(index, 0);
}

#[test]
fn an_old_failure_does_not_hurry_the_next() {
    let mut race = Race::new(3, LIMIT);
    let (_mute, _filler, silent) = mute();
    let mut sources = Vec::new();
    for index in 0..2 {
        race.due = None;
        assert!(matches!(step(&mut race), Some(Event::Due(due)) if due == index));
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let source = Arc::new(Source::new(socket.into()));
        sources.push(Arc::clone(&source));
        assert!(!race.begin(index, source, silent.clone()).expect("begun"));
    }
    // Closed from outside, an attempt fails.
    sources[0].close().expect("closed");
    assert!(matches!(step(&mut race), Some(Event::Failed(0, _))));
    assert!(race.due().is_some());
    assert!(step(&mut race).is_none(), "the second goes on");
    sources[1].close().expect("closed");
    assert!(matches!(step(&mut race), Some(Event::Failed(1, _))));
    assert!(race.due().is_none());
    assert!(matches!(step(&mut race), Some(Event::Due(2))));
    // Not begun: failed.
    assert!(matches!(step(&mut race), Some(Event::Lost)));
}

#[test]
fn a_late_refusal_begins_the_next_without_a_delay() {
    let _alone = alone();
    let (mute, filler, silent) = mute();
    let mut race = Race::new(2, LIMIT * 2);
    assert!(matches!(step(&mut race), Some(Event::Due(0))));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let source = Arc::new(Source::new(socket.into()));
    assert!(!race.begin(0, source, silent).expect("begun"));
    assert!(race.due().is_some());
    // The kernel asks again after a second, and is refused.
    drop((mute, filler));
    let refused = crate::reactor::block_on(race.event(), limit()).expect("in time");
    assert!(
        matches!(&refused, Event::Failed(0, error) if error.kind() == io::ErrorKind::ConnectionRefused),
        "{refused:?}"
    );
    assert!(matches!(step(&mut race), Some(Event::Due(1))));
}

/// What there is now.
fn step(race: &mut Race) -> Option<Event> {
    match poll_or_park(pin!(race.event()), Some(Instant::now())) {
        Step::Ready(event) => Some(event),
        Step::TimedOut | Step::Woken => None,
    }
}

#[test]
fn all_fail() {
    let _alone = alone();
    let seen = Mutex::default();
    let (_refuses, refused) = refusing();
    let addresses = [refused.clone(), refused];
    let result = connect(&addresses, DELAY, noting(&seen), limit());
    assert_eq!(failures(result), [Some(libc::ECONNREFUSED); 2]);
    assert_eq!(own_sockets(&seen).len(), 0);
    assert!(failures(connect(&[], DELAY, nothing, limit())).is_empty());
}

#[test]
fn a_socket_that_cannot_be_had_or_bound_is_a_failed_attempt() {
    let _alone = alone();
    let (_listener, address) = listener();
    // SAFETY: an address of a family that the kernel does not have: all of it is plain data.
    let strange = unsafe {
        SockAddr::try_init(|storage, length| {
            (*storage.cast::<libc::sockaddr>()).sa_family = 250;
            *length = 16;
            Ok(())
        })
    };
    let strange = strange.expect("an address").1;
    let result = connect(&[strange.clone(), address.clone()], DELAY, nothing, limit());
    assert_eq!(result.expect("connected").1, 1);
    assert_eq!(
        failures(connect(&[strange], DELAY, nothing, limit())),
        [Some(libc::EAFNOSUPPORT)]
    );
    let prepare = |_, _: &Socket| Err(io::Error::from_raw_os_error(libc::EMFILE));
    assert_eq!(
        failures(connect(
            &[address.clone(), address],
            DELAY,
            prepare,
            limit()
        )),
        [Some(libc::EMFILE); 2]
    );
}

#[test]
fn both_families() {
    let _alone = alone();
    let (_v4, address) = listener();
    let Ok(v6) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
        // No IPv6 here.
        return;
    };
    let v6 = v6.local_addr().expect("its address").into();
    let (_source, index) = connect(&[v6, address], DELAY, nothing, limit()).expect("connected");
    assert_eq!(index, 0);
}

#[test]
fn the_deadline_ends_it_never_early() {
    let _alone = alone();
    let seen = Mutex::default();
    let (_mute, _filler, silent) = mute();
    let addresses = vec![silent; 3];
    for length in [0, 1, 30, 80, 200] {
        let deadline = Instant::now() + Duration::from_millis(length);
        let result = connect(&addresses, DELAY, noting(&seen), Some(deadline));
        assert!(matches!(result, Err(NotConnected::TimedOut)), "{result:?}");
        assert!(Instant::now() >= deadline);
        assert_eq!(own_sockets(&seen).len(), 0);
    }
}

#[test]
fn dropped_in_the_middle() {
    let _alone = alone();
    let seen = Mutex::default();
    let mut note = noting(&seen);
    let (_mute, _filler, silent) = mute();
    let mut race = Race::new(1, DELAY);
    assert!(matches!(step(&mut race), Some(Event::Due(0))));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    note(0, &socket).expect("noted");
    let source = Arc::new(Source::new(socket.into()));
    assert!(!race.begin(0, source, silent).expect("begun"));
    assert!(step(&mut race).is_none());
    assert_eq!(own_sockets(&seen).len(), 1);
    drop(race);
    assert_eq!(own_sockets(&seen).len(), 0);
}
