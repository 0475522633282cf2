//! The reactor on real sockets. Nothing sleeps to synchronise: a test that must see a thread blocked looks at the wait lists or at
//! `/proc`, and one that would hang is ended by [`finish`], [`child`] or [`alone`].

mod alarms;
mod busy_poll;
mod close;
mod descriptors;
mod executors;
mod fork;
mod readiness;
mod signals;
mod timeouts;

use std::{
    env, fs, io,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::{fs::FileExt, net::UnixStream},
    },
    panic::{AssertUnwindSafe, catch_unwind},
    process::Command,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use super::{Direction, Source, TimedOut, block_on, recv};

/// What no test takes, however busy the machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A source and the other end of its connection.
fn pair() -> (Arc<Source>, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");
    (Arc::new(Source::new(ours.into())), theirs)
}

/// Two connected sources.
fn sources() -> (Arc<Source>, Arc<Source>) {
    let (ours, theirs) = pair();
    (ours, Arc::new(Source::new(theirs.into())))
}

/// `send(2)` that never blocks.
fn send(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: `send` reads at most `len` bytes of the buffer.
    let sent = unsafe {
        libc::send(
            fd.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

fn timed_out(_: TimedOut) -> io::Error {
    io::ErrorKind::TimedOut.into()
}

/// The loop of every blocking call: try, wait for an event since, try again.
fn call<R>(
    source: &Source,
    direction: Direction,
    deadline: Option<Instant>,
    mut attempt: impl FnMut(BorrowedFd<'_>) -> io::Result<R>,
) -> io::Result<R> {
    loop {
        let seen = source.tick(direction);
        match source.with_fd(&mut attempt) {
            None => return Err(io::Error::from_raw_os_error(libc::EBADF)),
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                block_on(source.ready_since(direction, seen), deadline).map_err(timed_out)??;
            }
            Some(result) => return result,
        }
    }
}

fn receive(source: &Source, deadline: Option<Instant>) -> io::Result<u8> {
    let mut byte = [0];
    match call(source, Direction::Read, deadline, |fd| {
        recv(fd, &mut byte, 0)
    })? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(byte[0]),
    }
}

fn transmit(source: &Source, byte: u8) -> io::Result<()> {
    call(source, Direction::Write, None, |fd| send(fd, &[byte])).map(drop)
}

/// One byte there and back, `rounds` times, between two threads.
fn ping_pong(rounds: usize) {
    let (ours, theirs) = sources();
    let echo = thread::spawn(move || {
        while let Ok(byte) = receive(&theirs, None) {
            transmit(&theirs, byte).expect("echo");
        }
    });
    for round in 0..rounds {
        transmit(&ours, round as u8).expect("ping");
        assert_eq!(receive(&ours, None).expect("pong"), round as u8);
    }
    ours.close().expect("close");
    echo.join().expect("echo thread");
}

/// Spins until this many waits are entered at the source.
fn until_waiting(source: &Source, count: usize) {
    while source.waiting() != count {
        thread::yield_now();
    }
}

fn thread_id() -> libc::pid_t {
    // SAFETY: takes nothing.
    unsafe { libc::gettid() }
}

/// A thread of this process, to be seen in a system call.
struct Watched {
    id: libc::pid_t,
    state: fs::File,
}

impl Watched {
    fn new(id: libc::pid_t) -> Self {
        Self {
            id,
            state: fs::File::open(format!("/proc/self/task/{id}/syscall")).expect("/proc"),
        }
    }

    /// Spins until the thread sleeps in this system call.
    fn until_in(&self, call: libc::c_long) {
        let mut text = [0; 64];
        loop {
            let length = self.state.read_at(&mut text, 0).unwrap_or_default();
            let number = text[..length]
                .split(|byte| *byte == b' ')
                .next()
                .unwrap_or_default();
            if number == call.to_string().as_bytes() {
                return;
            }
            thread::yield_now();
        }
    }
}

/// Runs `test` on a thread of its own, and fails instead of hanging.
fn finish(test: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        let _done: mpsc::Sender<()> = done;
        test();
    });
    match ended.recv_timeout(LIMIT) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("still blocked after {LIMIT:?}"),
        _ => thread.join().expect("the test's thread"),
    }
}

/// Runs `test` in a forked child, which has this thread only, and returns the child. A child that hangs is killed by SIGALRM.
fn start_child(test: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child runs reactor code and the allocator, which glibc makes usable after `fork`, and never returns from here.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: takes no pointers.
            unsafe { libc::alarm(LIMIT.as_secs() as u32) };
            let passed = catch_unwind(AssertUnwindSafe(test)).is_ok();
            // SAFETY: ends the child without the destructors of the parent's threads and of the test harness.
            unsafe { libc::_exit(i32::from(!passed)) }
        }
        child => {
            assert!(child > 0, "fork: {}", io::Error::last_os_error());
            child
        }
    }
}

fn assert_passed(child: libc::pid_t) {
    let mut status = 0;
    // SAFETY: `status` is valid for the call.
    let waited = unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(
        (waited, status),
        (child, 0),
        "the child's wait status (14: it hung)"
    );
}

/// Runs `test` in a forked child, and fails if it fails there.
///
/// If `test` starts threads, only from a process that starts none meanwhile ([`alone`]): std has a lock there, and a child
/// that was forked while another thread held it hangs.
fn child(test: impl FnOnce()) {
    assert_passed(start_child(test));
}

/// Runs `test` in a process of its own: this test program again, with only the test of this name.
///
/// For what a whole process has one of: limits, signal handlers, descriptor numbers.
fn alone(module: &str, test_name: &str, test: impl FnOnce()) {
    const MARK: &str = "REACTOR_TEST_ALONE";
    if env::var_os(MARK).is_some() {
        // SAFETY: takes no pointers.
        unsafe { libc::alarm(LIMIT.as_secs() as u32) };
        return test();
    }
    let name = format!(
        "{}::{test_name}",
        module.split_once("::").expect("a module of the crate").1
    );
    let output = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", &name, "--nocapture"])
        .env(MARK, "1")
        .output()
        .expect("this program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{name}: {}\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What `/proc/self/fd` says of each open descriptor.
fn descriptors() -> Vec<(i32, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/fd").expect("/proc").flatten() {
        let number = entry
            .file_name()
            .to_string_lossy()
            .parse()
            .expect("a number");
        if let Ok(target) = fs::read_link(entry.path()) {
            found.push((number, target.to_string_lossy().into_owned()));
        }
    }
    found
}

fn epoll_sets() -> usize {
    descriptors()
        .iter()
        .filter(|(_, target)| target.contains("eventpoll"))
        .count()
}

/// Sets the soft limit of open descriptors.
fn limit_descriptors(soft: u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for both calls.
    let set = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = soft.min(limit.rlim_max);
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit)
    };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}

/// A second descriptor of the same open file description.
fn duplicate(source: &Source) -> OwnedFd {
    // SAFETY: the kernel checks the number.
    let fd = unsafe { libc::fcntl(source.fd().expect("open"), libc::F_DUPFD_CLOEXEC, 0) };
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: new, and nobody else's.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
