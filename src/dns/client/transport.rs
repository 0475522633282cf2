//! One question to one name server, over UDP or TCP, with hickory's streams on sockets of our own making.
//!
//! Nothing here is spawned: the caller polls what it waits for, and dropping that closes the sockets. A UDP socket made by a
//! thread that blocks in the question is watched by that thread's own driver, any other by the runtime.

use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd},
    pin::{Pin, pin},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use futures_util::{
    StreamExt,
    future::{Either, select},
    stream::FusedStream,
};
use hickory_resolver::{
    net::{
        DnsMultiplexer, NetError,
        runtime::{DnsUdpSocket, RuntimeProvider, Spawn, Time, TokioRuntimeProvider},
        tcp::TcpClientStream,
        udp::UdpClientStream,
        xfer::{DnsRequestSender, FirstAnswer},
    },
    proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Query, ResponseCode},
};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{Interest, unix::AsyncFd};

use crate::{
    dns::timer::Timer,
    reactor::{self, Readiness, Source},
};

/// What glibc offers to receive in one datagram under `edns0`: `RESOLV_EDNS_BUFFER_SIZE`.
const EDNS_PAYLOAD: u16 = 1200;

/// Longer than any try: the question is repeated by the loop over the servers, at its times.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a try brought no reply.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    TimedOut,
    /// Nobody is there, says the network.
    Unreachable,
    /// The server refused with a bare header.
    Refused(ResponseCode),
    /// This process has no descriptors or no memory for it.
    NoSocket(Option<i32>),
    Undecodable,
}

impl From<NetError> for Failure {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Timeout => Self::TimedOut,
            NetError::Io(error) => {
                let inner = error.get_ref();
                if let Some(bare) = inner.and_then(|inner| inner.downcast_ref::<BareHeader>()) {
                    return Self::Refused(bare.0);
                }
                if let Some(none) = inner.and_then(|inner| inner.downcast_ref::<NoSocket>()) {
                    return Self::NoSocket(none.0.raw_os_error());
                }
                Self::Unreachable
            }
            _ => Self::Undecodable,
        }
    }
}

fn request(query: Query, edns: bool) -> DnsRequest {
    let mut options = DnsRequestOptions::default();
    options.use_edns = edns;
    options.edns_payload_len = EDNS_PAYLOAD;
    options.recursion_desired = true;
    options.case_randomization = false;
    options.retry_interval = NEVER;
    DnsRequest::from_query(query, options)
}

/// Asks once over UDP, on a socket of its own.
pub(super) async fn udp(
    server: SocketAddr,
    query: Query,
    edns: bool,
    timeout: Duration,
) -> Result<DnsResponse, Failure> {
    let mut stream = UdpClientStream::builder(server, Provider)
        .with_timeout(Some(timeout))
        .with_os_port_selection(true)
        .with_max_retries(1)
        .build();
    let answer = stream.send_message(request(query, edns)).first_answer();
    answer.await.map_err(Failure::from)
}

/// Asks all questions over one TCP connection, in the runtime's context. The replies are in the order of the questions.
pub(super) async fn tcp(
    server: SocketAddr,
    queries: Vec<Query>,
    edns: bool,
    timeout: Duration,
) -> Result<Vec<DnsResponse>, Failure> {
    let (connecting, sender) = TcpClientStream::new(server, None, Some(timeout), Provider);
    let mut connection = DnsMultiplexer::new(connecting.await?, sender).with_timeout(timeout);
    let mut streams: Vec<_> = queries
        .into_iter()
        .map(|query| connection.send_message(request(query, edns)).fuse())
        .collect();
    let mut replies: Vec<Option<DnsResponse>> = streams.iter().map(|_| None).collect();
    poll_fn(|context| {
        // The connection moves only when it is polled. Its end is told to the streams.
        let _ = connection.poll_next_unpin(context);
        for (stream, reply) in streams.iter_mut().zip(&mut replies) {
            if reply.is_some() {
                continue;
            }
            match stream.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(response))) => *reply = Some(response),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(Failure::from(error))),
                Poll::Ready(None) => return Poll::Ready(Err(Failure::TimedOut)),
                Poll::Pending => debug_assert!(!stream.is_terminated()),
            }
        }
        if replies.iter().all(Option::is_some) {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    })
    .await?;
    Ok(replies.into_iter().flatten().collect())
}

/// Makes hickory's sockets.
#[derive(Clone)]
struct Provider;

/// Times by [`Timer`].
struct LookupTime;

fn after(duration: Duration) -> Timer {
    let now = Instant::now();
    Timer::until(now.checked_add(duration).unwrap_or(now + NEVER))
}

impl Time for LookupTime {
    // As the trait's macro writes it.
    fn delay_for<'future>(duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'future>>
    where
        Self: 'future,
    {
        Box::pin(after(duration))
    }

    fn timeout<'future, F>(
        duration: Duration,
        future: F,
    ) -> Pin<Box<dyn Future<Output = io::Result<F::Output>> + Send + 'future>>
    where
        F: Future + Send + 'static + 'future,
        Self: 'future,
    {
        Box::pin(async move {
            match select(pin!(future), after(duration)).await {
                Either::Left((output, _)) => Ok(output),
                Either::Right(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        })
    }
}

/// No background tasks are used, so none are started.
#[derive(Clone)]
struct NoTasks;

impl Spawn for NoTasks {
    fn spawn_bg(&mut self, _: impl Future<Output = ()> + Send + 'static) {}
}

impl RuntimeProvider for Provider {
    type Handle = NoTasks;
    type Timer = LookupTime;
    type Udp = ConnectedUdp;
    type Tcp = <TokioRuntimeProvider as RuntimeProvider>::Tcp;

    fn create_handle(&self) -> NoTasks {
        NoTasks
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        local: Option<SocketAddr>,
        timeout: Option<Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Tcp>>>> {
        TokioRuntimeProvider::new().connect_tcp(server, local, timeout)
    }

    fn bind_udp(
        &self,
        _: SocketAddr,
        server: SocketAddr,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<ConnectedUdp>>>> {
        Box::pin(std::future::ready(ConnectedUdp::new(server)))
    }
}

/// A UDP socket connected to its server, on a port of the kernel's choice. The kernel takes only the server's datagrams, and
/// tells of a server that is not there, which an unconnected socket would wait for until the timeout.
///
/// Watched for reading only: a fresh UDP socket can always send, and being told so would wake somebody for nothing.
struct ConnectedUdp {
    socket: Watched,
    server: SocketAddr,
    /// Of the question sent, in the order of the wire.
    id: AtomicU16,
}

/// A socket, and who watches it.
enum Watched {
    /// The driver of the thread that blocks.
    Reactor {
        /// The wait under way. The first one comes before anything is received: there is nothing in a fresh socket.
        waiting: Mutex<Option<Readiness>>,
        source: Source,
    },
    Runtime(AsyncFd<Socket>),
}

impl Watched {
    fn new(socket: Socket) -> io::Result<Self> {
        if reactor::is_polling() {
            let source = Source::new(socket.into());
            let waiting = Mutex::new(Some(source.readable()));
            return Ok(Self::Reactor { waiting, source });
        }
        // SAFETY: the socket keeps its descriptor open and the same for as long as it lives, and nothing takes it out of the
        // `AsyncFd`.
        let registered = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
        Ok(Self::Runtime(registered?))
    }

    fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        match self {
            Self::Reactor { source, .. } => source
                .with_fd(|fd| SockRef::from(&fd).send(datagram))
                .unwrap_or_else(|| Err(closed())),
            Self::Runtime(socket) => socket.get_ref().send(datagram),
        }
    }

    fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Reactor { waiting, source } => {
                let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                loop {
                    if let Some(readiness) = &mut *waiting {
                        ready!(Pin::new(readiness).poll(context))
                            .map_err(|error| io::Error::other(NoSocket(error)))?;
                    }
                    // Made before the try, so that it ends with what comes after it.
                    let next = source.readable();
                    let received = source.with_fd(|fd| reactor::recv(fd, buffer, 0));
                    match received.unwrap_or_else(|| Err(closed())) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            *waiting = Some(next);
                        }
                        received => {
                            *waiting = None;
                            return Poll::Ready(received);
                        }
                    }
                }
            }
            Self::Runtime(socket) => loop {
                let mut ready = ready!(socket.poll_read_ready(context))?;
                let receive = |socket: &AsyncFd<Socket>| reactor::recv(socket.as_fd(), buffer, 0);
                if let Ok(received) = ready.try_io(receive) {
                    return Poll::Ready(received);
                }
            },
        }
    }

    /// Unlike the polling above, this is woken by an error that no datagram comes with, on the runtime too.
    async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Reactor { .. } => poll_fn(|context| self.poll_receive(context, buffer)).await,
            Self::Runtime(socket) => {
                let interest = Interest::READABLE | Interest::ERROR;
                let receive = |socket: &Socket| reactor::recv(socket.as_fd(), buffer, 0);
                socket.async_io(interest, receive).await
            }
        }
    }
}

fn closed() -> io::Error {
    io::Error::from_raw_os_error(libc::EBADF)
}

impl ConnectedUdp {
    fn new(server: SocketAddr) -> io::Result<Self> {
        let domain = Domain::for_address(server);
        let kind = Type::DGRAM.nonblocking().cloexec();
        let new = || Socket::new(domain, kind, Some(Protocol::UDP));
        let socket = reactor::with_more_descriptors(new)
            .map_err(|error| io::Error::other(NoSocket(error)))?;
        report_icmp(&socket, server)?;
        socket.connect(&server.into())?;
        let socket = Watched::new(socket).map_err(|error| io::Error::other(NoSocket(error)))?;
        Ok(Self {
            socket,
            server,
            id: AtomicU16::new(0),
        })
    }
}

impl ConnectedUdp {
    fn received(&self, datagram: &[u8]) -> io::Result<(usize, SocketAddr)> {
        match bare_refusal(datagram, self.id.load(Ordering::Relaxed)) {
            Some(code) => Err(io::Error::other(BareHeader(code))),
            None => Ok((datagram.len(), self.server)),
        }
    }
}

/// Asks for all ICMP errors, the temporary ones such as "no route to host" too: `IP_RECVERR`, `ip(7)`.
fn report_icmp(socket: &Socket, server: SocketAddr) -> io::Result<()> {
    let (level, name) = match server {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_RECVERR),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    };
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open for the length of the call, and setsockopt(2) reads an int of the size given.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

impl DnsUdpSocket for ConnectedUdp {
    type Time = LookupTime;

    fn poll_recv_from(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let received = ready!(self.socket.poll_receive(context, buffer));
        Poll::Ready(received.and_then(|len| self.received(&buffer[..len])))
    }

    // As the trait's macro writes it.
    fn recv_from<'socket, 'buffer, 'future>(
        &'socket self,
        buffer: &'buffer mut [u8],
    ) -> Pin<Box<dyn Future<Output = io::Result<(usize, SocketAddr)>> + Send + 'future>>
    where
        'socket: 'future,
        'buffer: 'future,
        Self: 'future,
    {
        Box::pin(async move {
            let len = self.socket.receive(buffer).await?;
            self.received(&buffer[..len])
        })
    }

    fn poll_send_to(
        &self,
        _: &mut Context<'_>,
        datagram: &[u8],
        _: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        if let Some(id) = datagram.first_chunk() {
            self.id.store(u16::from_be_bytes(*id), Ordering::Relaxed);
        }
        Poll::Ready(self.socket.send(datagram))
    }
}

/// Some servers refuse without repeating the question. hickory takes such a datagram for a forgery and waits on.
fn bare_refusal(datagram: &[u8], id: u16) -> Option<ResponseCode> {
    let header: &[u8; 12] = datagram.try_into().ok()?;
    let questions = u16::from_be_bytes([header[4], header[5]]);
    if header[..2] != id.to_be_bytes() || questions != 0 {
        return None;
    }
    let code = ResponseCode::from(0, header[3] & 0xf);
    matches!(
        code,
        ResponseCode::ServFail | ResponseCode::NotImp | ResponseCode::Refused
    )
    .then_some(code)
}

#[derive(Debug)]
struct BareHeader(ResponseCode);

impl fmt::Display for BareHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused without the question: {}", self.0)
    }
}

impl Error for BareHeader {}

#[derive(Debug)]
struct NoSocket(io::Error);

impl fmt::Display for NoSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no socket: {}", self.0)
    }
}

impl Error for NoSocket {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
