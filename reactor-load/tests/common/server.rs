//! Servers of the tests: a thread for each connection, which runs what the test wants of it. Their threads end with the program.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::{fd::AsRawFd, unix::net::UnixListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use super::scratch;

/// A server of TCP, and what it has seen.
pub struct Server {
    /// As the command line has it.
    pub target: String,
    pub seen: Arc<Seen>,
}

#[derive(Default)]
pub struct Seen {
    pub accepted: AtomicU64,
    pub messages: AtomicU64,
    pub bytes: AtomicU64,
    listener: Mutex<Option<TcpListener>>,
    /// Those that are served, by their numbers.
    streams: Mutex<BTreeMap<u64, TcpStream>>,
    dead: AtomicBool,
}

impl Seen {
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    pub fn messages(&self) -> u64 {
        self.messages.load(Ordering::SeqCst)
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    /// One more; how many there were before.
    pub fn message(&self) -> u64 {
        self.messages.fetch_add(1, Ordering::SeqCst)
    }

    /// Closes everything, as the end of a process does.
    pub fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
        if let Some(listener) = self.listener.lock().expect("no panic").take() {
            // SAFETY: takes no pointers; the descriptor is open until the end of the block. It ends the thread's `accept`.
            unsafe { libc::shutdown(listener.as_raw_fd(), libc::SHUT_RDWR) };
        }
        for stream in self.streams.lock().expect("no panic").values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Serves each connection with `handle`, which gets the connection and its number.
pub fn serve_at<F>(address: &str, handle: F) -> Server
where
    F: Fn(TcpStream, u64, &Seen) -> io::Result<()> + Send + Sync + 'static,
{
    let listener = TcpListener::bind(address).expect("loopback");
    let target = listener.local_addr().expect("an address").to_string();
    let seen = Arc::new(Seen::default());
    *seen.listener.lock().expect("no panic") = Some(listener.try_clone().expect("a descriptor"));
    let (ours, handle) = (Arc::clone(&seen), Arc::new(handle));
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let number = ours.accepted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.set_nodelay(true);
            let mut streams = ours.streams.lock().expect("no panic");
            streams.extend(stream.try_clone().map(|stream| (number, stream)));
            drop(streams);
            if ours.dead.load(Ordering::SeqCst) {
                ours.die();
                break;
            }
            let (seen, handle) = (Arc::clone(&ours), Arc::clone(&handle));
            thread::spawn(move || {
                // A client that goes ends it; who serves wrongly says so by what the client reports.
                let _ = handle(stream, number, &seen);
                seen.streams.lock().expect("no panic").remove(&number);
            });
        }
    });
    Server { target, seen }
}

/// On 127.0.0.1. A connection ends with `handle`.
pub fn serve<F>(handle: F) -> Server
where
    F: Fn(TcpStream, u64, &Seen) -> io::Result<()> + Send + Sync + 'static,
{
    serve_at("127.0.0.1:0", move |stream, number, seen| {
        let end = stream.try_clone()?;
        let result = handle(stream, number, seen);
        // `Seen` has the descriptor too: dropped, it would stay open.
        let _ = end.shutdown(Shutdown::Both);
        result
    })
}

/// Sends back what comes, until the other side ends.
pub fn echo(mut stream: impl Read + Write, seen: &Seen) -> io::Result<()> {
    let mut buffer = vec![0; 65536];
    loop {
        let received = stream.read(&mut buffer)?;
        if received == 0 {
            return Ok(());
        }
        seen.bytes.fetch_add(received as u64, Ordering::SeqCst);
        seen.message();
        stream.write_all(&buffer[..received])?;
    }
}

pub fn echo_server() -> Server {
    serve(|stream, _, seen| echo(stream, seen))
}

/// Sends messages of `size` bytes back, each after `before` had a look at it, and at its number over all connections.
pub fn echo_messages<F>(size: usize, before: F) -> Server
where
    F: Fn(&mut [u8], u64, &Seen) -> io::Result<()> + Send + Sync + 'static,
{
    serve(move |mut stream, _, seen| {
        let mut message = vec![0; size];
        loop {
            stream.read_exact(&mut message)?;
            before(&mut message, seen.message(), seen)?;
            stream.write_all(&message)?;
        }
    })
}

/// An echo server on a Unix socket.
pub fn unix_echo_server() -> Server {
    let path = scratch("socket");
    let listener = UnixListener::bind(&path).expect("a path that is short enough");
    let seen = Arc::new(Seen::default());
    let ours = Arc::clone(&seen);
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            ours.accepted.fetch_add(1, Ordering::SeqCst);
            let seen = Arc::clone(&ours);
            thread::spawn(move || {
                let _ = echo(stream, &seen);
            });
        }
    });
    Server {
        target: format!("unix:{}", path.display()),
        seen,
    }
}

/// The next close sends a reset, and throws away what is on its way.
pub fn reset_at_close(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO))
}
