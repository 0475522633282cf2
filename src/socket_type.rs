//! Floor 2: the Python class `_socket.socket`.
//!
//! The methods here check their arguments and raise audit events; the work is done by the files beside: each call is one
//! short loop of a system call and a wait.

pub(crate) mod address;
mod afalg;
mod ancillary;
mod arguments;
mod connect;
mod create;
mod default_timeout;
mod face;
pub(crate) mod file_objects;
mod given;
mod message;
mod options;
mod peer_cache;
mod race;
mod receive;
mod send;
mod source_cell;
mod system;

use std::{
    io,
    os::fd::{BorrowedFd, IntoRawFd},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering},
    },
};

use rustpython_vm::{
    AsObject, Py, PyObject, PyObjectRef, PyPayload, PyResult, VirtualMachine,
    builtins::{PyBytesRef, PyTupleRef, PyTypeRef},
    class::PyClassImpl,
    convert::{IntoPyException, ToPyObject},
    function::{Callee, FuncArgs},
    pyclass,
    types::{Constructor, DefaultConstructor, Destructor, Initializer, Representable},
    warn,
};

use self::{
    arguments::{
        Ancillary, Backlog, InitArgs, OptionLength, OptionSize, Receive, Seconds, SendData,
        SendMessage, SendTo,
    },
    given::{Given, Shows},
    source_cell::SourceCell,
};
use crate::{
    blocking_bridge::{Call, Failure, Timeout},
    reactor::Source,
    sockaddr::Room,
    socket_module::integers::{CInt, CSize},
};

/// One end of a network conversation: an open socket, or a closed or never opened one.
///
/// With fileno, the object takes over an open descriptor, and asks the kernel for whichever of the other three is -1.
#[pyclass(module = "_socket", name = "socket")]
#[derive(PyPayload)]
pub(crate) struct PySocket {
    #[pymember]
    family: AtomicI32,
    #[pymember(name = "type")]
    kind: AtomicI32,
    #[pymember]
    proto: AtomicI32,
    timeout: Timeout,
    source: SourceCell,
    /// The file objects that `makefile` has made and that keep the socket open.
    io_refs: AtomicI64,
    /// Whether the Python class has been closed; the descriptor may live on for its file objects.
    closed: AtomicBool,
    /// Shared with the connections that the socket accepts.
    members: OnceLock<Arc<face::Members>>,
}

/// With the object's header 128 bytes, which is what the allocator gives for it. The next size is a quarter more.
const _: () = assert!(size_of::<PySocket>() <= 80);

impl std::fmt::Debug for PySocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PySocket")
            .field("source", &self.source.load().get())
            .finish_non_exhaustive()
    }
}

impl Default for PySocket {
    fn default() -> Self {
        Self {
            family: AtomicI32::new(0),
            kind: AtomicI32::new(0),
            proto: AtomicI32::new(0),
            timeout: Timeout::new(Timeout::NONE),
            source: SourceCell::default(),
            io_refs: AtomicI64::new(0),
            closed: AtomicBool::new(false),
            members: OnceLock::new(),
        }
    }
}

impl PySocket {
    /// Runs `f` on the open source.
    ///
    /// # Errors
    ///
    /// `EBADF` when the socket is closed.
    fn on_open<R>(&self, f: impl FnOnce(&Source) -> Result<R, Failure>) -> Result<R, Failure> {
        match self.source.load().get() {
            Some(source) if !source.is_closed() => f(source),
            _ => Err(Failure::Errno(libc::EBADF)),
        }
    }

    /// Runs one system call that does not block.
    pub(crate) fn with_fd<R>(
        &self,
        f: impl FnOnce(BorrowedFd<'_>) -> io::Result<R>,
    ) -> Result<R, Failure> {
        self.on_open(|source| match source.with_fd(f) {
            Some(result) => Ok(result?),
            None => Err(Failure::Errno(libc::EBADF)),
        })
    }

    /// Runs a call that may wait, with these `MSG_*` flags.
    ///
    /// # Errors
    ///
    /// Those of the call; the time-out, where the thread's deadline has passed before.
    pub(crate) fn blocking<R>(
        &self,
        vm: &VirtualMachine,
        flags: i32,
        f: impl FnOnce(&mut Call<'_>, &Source) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        self.on_open(|source| {
            let mut call = Call::new(vm, source, &self.timeout, flags);
            call.check_deadline()?;
            f(&mut call, source)
        })
    }

    /// The descriptor's number, -1 when closed.
    fn number(&self) -> i32 {
        self.source
            .load()
            .get()
            .and_then(|source| source.fd())
            .unwrap_or(-1)
    }

    fn family(&self) -> i32 {
        self.family.load(Ordering::Relaxed)
    }

    fn proto(&self) -> i32 {
        self.proto.load(Ordering::Relaxed)
    }

    /// Whether a blocking call that has done part of its work goes on with the rest, as in the kernel.
    fn completes_partial_work(&self) -> bool {
        self.timeout.is_none() && self.kind.load(Ordering::Relaxed) == libc::SOCK_STREAM
    }

    /// Whether a call with these flags waits for all that it asks for, as in the kernel; a Unix stream is only peeked at once.
    fn waits_for_all(&self, flags: i32) -> bool {
        let peeks_once = flags & libc::MSG_PEEK != 0 && self.family() == libc::AF_UNIX;
        flags & libc::MSG_WAITALL != 0 && !peeks_once && self.completes_partial_work()
    }
}

impl DefaultConstructor for PySocket {}

impl Initializer for PySocket {
    type Args = InitArgs;

    fn slot_init(zelf: &PyObject, args: FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
        let socket = zelf.try_to_ref::<Self>(vm)?;
        let args = if args.is_empty() {
            InitArgs::default()
        } else {
            args.bind_for(vm, Callee::of::<Self>(vm))?
        };
        Self::init(socket, args, vm)
    }

    fn init(zelf: &Py<Self>, args: Self::Args, vm: &VirtualMachine) -> PyResult<()> {
        create::init(zelf, &args, vm).map_err(|failure| failure.into_pyexception(vm))
    }
}

impl Representable for PySocket {
    fn repr_str(zelf: &Py<Self>, _vm: &VirtualMachine) -> PyResult<String> {
        Ok(format!(
            "<socket object, fd={}, family={}, type={}, proto={}>",
            zelf.number(),
            zelf.family(),
            zelf.kind.load(Ordering::Relaxed),
            zelf.proto(),
        ))
    }
}

impl Destructor for PySocket {
    fn del(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<()> {
        if zelf.number() >= 0 {
            let repr = match zelf.as_object().repr(vm) {
                Ok(repr) => repr.to_string_lossy().into_owned(),
                Err(_) => "<socket>".to_owned(),
            };
            let text = vm.ctx.new_str(format!("unclosed {repr}"));
            let category = vm.ctx.exceptions.resource_warning.to_owned();
            let source = Some(zelf.as_object().to_owned());
            let warned = warn::warn(text.into(), Some(category), 1, source, vm);
            // A finaliser has nobody to raise to; a warning turned into an error is reported, as elsewhere.
            if let Err(exception) = warned {
                let doing = format!("Exception ignored while finalizing socket {repr}");
                vm.run_unraisable(exception, Some(doing), vm.ctx.none());
            }
        }
        let _ = zelf.close_source(vm);
        Ok(())
    }
}

impl PySocket {
    /// Forgets the addresses that a datagram socket keeps.
    fn forget_peers(&self) {
        if let Some(peers) = self.source.known_peers() {
            peers.clear();
        }
    }

    fn close_source(&self, vm: &VirtualMachine) -> Result<(), Failure> {
        let source = self.source.load();
        let Some(source) = source.get() else {
            return Ok(());
        };
        // Also what finalises a closed socket comes here.
        if source.is_closed() {
            return Ok(());
        }
        self.forget_peers();
        // Detached: with SO_LINGER, close(2) waits for the peer.
        match vm.allow_threads(|| source.close()) {
            // The connection was reset: it is closed all the same.
            Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => Ok(()),
            result => Ok(result?),
        }
    }
}

#[pyclass(
    with(Constructor, Initializer, Representable, Destructor),
    flags(BASETYPE, HEAPTYPE)
)]
impl PySocket {
    /// Wait for an incoming connection. Return a new descriptor of the connection, and the address of the client.
    #[pymethod]
    fn _accept(zelf: &Py<Self>, vm: &VirtualMachine) -> Result<(i32, PyObjectRef), Failure> {
        let (fd, address) = connect::accept(zelf, vm)?;
        let address = address::from_kernel(vm, zelf, &address)?;
        Ok((fd.into_raw_fd(), address))
    }

    /// Wait for an incoming connection. Return a new socket object of it, and the address of the client.
    #[pymethod]
    fn accept(given: Given, vm: &VirtualMachine) -> Result<(PyObjectRef, PyObjectRef), Failure> {
        let zelf = given.object("accept", vm)?;
        let (fd, address) = connect::accept(&zelf, vm)?;
        let address = address::from_kernel(vm, &zelf, &address)?;
        Ok((create::accepted(&zelf, fd, vm)?, address))
    }

    /// Bind the socket to a local address.
    #[pymethod]
    fn bind(zelf: &Py<Self>, address: PyObjectRef, vm: &VirtualMachine) -> Result<(), Failure> {
        let parsed = address::parse(vm, zelf, &address, "bind")?;
        vm.audit("socket.bind", || {
            (zelf.as_object().to_owned(), address.clone())
        })?;
        zelf.with_fd(|fd| socket2::SockRef::from(&fd).bind(&parsed))
    }

    /// Close the socket. It cannot be used after this call; calls blocked in other threads end with OSError.
    #[pymethod]
    fn close(zelf: &Py<Self>, vm: &VirtualMachine) -> Result<(), Failure> {
        zelf.close_source(vm)
    }

    /// Connect the socket to a remote address.
    #[pymethod]
    fn connect(zelf: &Py<Self>, address: PyObjectRef, vm: &VirtualMachine) -> Result<(), Failure> {
        let parsed = address::parse(vm, zelf, &address, "connect")?;
        vm.audit("socket.connect", || {
            (zelf.as_object().to_owned(), address.clone())
        })?;
        connect::connect(zelf, &parsed, vm)
    }

    /// Like connect(address), but return the errno of a failure instead of raising it; 0 on success.
    #[pymethod]
    fn connect_ex(
        zelf: &Py<Self>,
        address: PyObjectRef,
        vm: &VirtualMachine,
    ) -> Result<i32, Failure> {
        let parsed = address::parse(vm, zelf, &address, "connect_ex")?;
        vm.audit("socket.connect", || {
            (zelf.as_object().to_owned(), address.clone())
        })?;
        match connect::connect(zelf, &parsed, vm) {
            Ok(()) => Ok(0),
            Err(Failure::Errno(errno)) => Ok(errno),
            Err(Failure::TimedOut) => Ok(libc::EAGAIN),
            Err(raised) => Err(raised),
        }
    }

    /// Close the socket object without closing the underlying descriptor, which is returned.
    #[pymethod]
    fn detach(zelf: &Py<Self>) -> i32 {
        zelf.forget_peers();
        let detached = zelf.source.load().get().and_then(|source| source.detach());
        detached.map_or(-1, IntoRawFd::into_raw_fd)
    }

    /// Return the descriptor of the socket, or -1 when it is closed.
    #[pymethod]
    fn fileno(given: Given, vm: &VirtualMachine) -> PyResult<i32> {
        Ok(given.object("fileno", vm)?.number())
    }

    /// Return the address of the remote endpoint.
    #[pymethod]
    fn getpeername(given: Given, vm: &VirtualMachine) -> Result<PyObjectRef, Failure> {
        let zelf = given.object("getpeername", vm)?;
        let address = zelf.with_fd(|fd| socket2::SockRef::from(&fd).peer_addr())?;
        Ok(address::from_kernel(vm, &zelf, &address)?)
    }

    /// Return the address of the local endpoint.
    #[pymethod]
    fn getsockname(given: Given, vm: &VirtualMachine) -> Result<PyObjectRef, Failure> {
        let zelf = given.object("getsockname", vm)?;
        let address = zelf.with_fd(|fd| socket2::SockRef::from(&fd).local_addr())?;
        Ok(address::from_kernel(vm, &zelf, &address)?)
    }

    /// Get a socket option as an integer or, with a nonzero buffersize, as that many bytes at most.
    #[pymethod]
    fn getsockopt(
        zelf: &Py<Self>,
        level: CInt,
        option: CInt,
        OptionSize { buffersize }: OptionSize,
        vm: &VirtualMachine,
    ) -> Result<PyObjectRef, Failure> {
        options::get(zelf, level.0, option.0, buffersize.0, vm)
    }

    /// Set a socket option. The value is an integer, a bytes-like object, or None together with optlen: then the kernel
    /// gets a null pointer and that length.
    #[pymethod]
    fn setsockopt(
        zelf: &Py<Self>,
        level: CInt,
        option: CInt,
        value: PyObjectRef,
        OptionLength { optlen }: OptionLength,
        vm: &VirtualMachine,
    ) -> Result<(), Failure> {
        options::set(
            zelf,
            level.0,
            option.0,
            &value,
            optlen.into_option().as_ref(),
            vm,
        )
    }

    /// Enable a server to accept connections. The backlog bounds those that wait to be accepted; it is at least 0.
    #[pymethod]
    fn listen(zelf: &Py<Self>, Backlog { backlog }: Backlog) -> Result<(), Failure> {
        zelf.with_fd(|fd| socket2::SockRef::from(&fd).listen(backlog.0.max(0)))
    }

    /// Shut down the reading side (SHUT_RD), the writing side (SHUT_WR) or both (SHUT_RDWR) of the connection.
    #[pymethod]
    fn shutdown(zelf: &Py<Self>, flag: CInt) -> Result<(), Failure> {
        zelf.with_fd(|fd| system::shutdown(fd, flag.0))
    }

    /// Receive up to buffersize bytes. When no data is available, block until at least one byte is there or the remote end
    /// is closed; when that is closed and all data is read, return the empty bytes.
    #[pymethod]
    fn recv(given: Given, _: Shows<Receive>, vm: &VirtualMachine) -> Result<PyBytesRef, Failure> {
        let (zelf, Receive { buffersize, flags }) = given.bind("recv", vm)?;
        let size = arguments::size(vm, buffersize, "recv")?;
        let data = receive::receive(&zelf, size, flags.0, vm)?;
        Ok(vm.ctx.new_bytes(data))
    }

    /// Receive into a buffer: up to nbytes or, if that is 0, as many as it holds. Return the number of bytes received.
    #[pymethod]
    fn recv_into(
        given: Given,
        _: Shows<arguments::Into>,
        vm: &VirtualMachine,
    ) -> Result<usize, Failure> {
        let (zelf, args) = given.bind::<arguments::Into>("recv_into", vm)?;
        let (buffer, limit, flags) =
            args.check(vm, "recv_into", "buffer too small for requested bytes")?;
        receive::receive_into(&zelf, &buffer, limit, flags, vm)
    }

    /// Like recv(buffersize, flags), but return the data and the sender's address.
    #[pymethod]
    fn recvfrom(
        given: Given,
        _: Shows<Receive>,
        vm: &VirtualMachine,
    ) -> Result<(PyBytesRef, PyObjectRef), Failure> {
        let (zelf, Receive { buffersize, flags }) = given.bind("recvfrom", vm)?;
        let size = arguments::size(vm, buffersize, "recvfrom")?;
        let mut sender = Room::new();
        let data = receive::receive_from(&zelf, size, flags.0, &mut sender, vm)?;
        let address = address::of_sender(vm, &zelf, sender.bytes())?;
        Ok((vm.ctx.new_bytes(data), address))
    }

    /// Like recv_into(buffer, nbytes, flags), but return the number of bytes and the sender's address.
    #[pymethod]
    fn recvfrom_into(
        given: Given,
        _: Shows<arguments::Into>,
        vm: &VirtualMachine,
    ) -> Result<(usize, PyObjectRef), Failure> {
        let (zelf, args) = given.bind::<arguments::Into>("recvfrom_into", vm)?;
        let too_small = "nbytes is greater than the length of the buffer";
        let (buffer, limit, flags) = args.check(vm, "recvfrom_into", too_small)?;
        let mut sender = Room::new();
        let received = receive::receive_from_into(&zelf, &buffer, limit, flags, &mut sender, vm)?;
        Ok((received, address::of_sender(vm, &zelf, sender.bytes())?))
    }

    /// Receive up to bufsize bytes of data and up to ancbufsize bytes of ancillary data (a buffer of that size is
    /// offered to the kernel: see CMSG_SPACE). Return the data, a list of (level, type, data), the MSG_* flags of the
    /// message, and the sender's address.
    #[pymethod]
    fn recvmsg(
        zelf: &Py<Self>,
        bufsize: CSize,
        Ancillary { ancbufsize, flags }: Ancillary,
        vm: &VirtualMachine,
    ) -> Result<PyTupleRef, Failure> {
        let Ok(size) = usize::try_from(bufsize.0) else {
            return Err(vm
                .new_value_error("negative buffer size in recvmsg()")
                .into());
        };
        message::receive(zelf, size, ancbufsize.0, flags.0, vm)
    }

    /// Like recvmsg(), but scatter the data into a series of buffers, and return the number of bytes in place of the data.
    #[pymethod]
    fn recvmsg_into(
        zelf: &Py<Self>,
        buffers: PyObjectRef,
        Ancillary { ancbufsize, flags }: Ancillary,
        vm: &VirtualMachine,
    ) -> Result<PyTupleRef, Failure> {
        message::receive_into(zelf, &buffers, ancbufsize.0, flags.0, vm)
    }

    /// Send data, and return the number of bytes sent: in non-blocking and in timeout mode maybe fewer than there are.
    #[pymethod]
    fn send(given: Given, _: Shows<SendData>, vm: &VirtualMachine) -> Result<usize, Failure> {
        let (zelf, SendData { data, flags }) = given.bind("send", vm)?;
        let data = send::Data::new(vm, data)?;
        send::send(&zelf, &data, flags.0, None, vm)
    }

    /// Send all of data. If an error occurs, it is impossible to tell how much data has been sent.
    #[pymethod]
    fn sendall(given: Given, _: Shows<SendData>, vm: &VirtualMachine) -> Result<(), Failure> {
        let (zelf, SendData { data, flags }) = given.bind("sendall", vm)?;
        let data = send::Data::new(vm, data)?;
        send::send_all(&zelf, &data, flags.0, vm)
    }

    /// sendto(data, address) or sendto(data, flags, address): like send(), for a socket that is not connected. Return the
    /// number of bytes sent.
    #[pymethod]
    fn sendto(given: Given, _: Shows<SendTo>, vm: &VirtualMachine) -> Result<usize, Failure> {
        let (
            zelf,
            SendTo {
                data,
                flags,
                address,
            },
        ) = given.bind("sendto", vm)?;
        let data = send::Data::new(vm, data)?;
        let receiver = address::parse_receiver(vm, &zelf, &address)?;
        vm.audit("socket.sendto", || {
            (zelf.as_object().to_owned(), address.clone())
        })?;
        send::send(&zelf, &data, flags.0, Some(receiver.bytes()), vm)
    }

    /// Send the concatenation of the buffers as one message, with ancillary data: an iterable of (level, type, data).
    /// Return the number of bytes sent.
    #[pymethod]
    fn sendmsg(
        zelf: &Py<Self>,
        buffers: PyObjectRef,
        SendMessage {
            ancdata,
            flags,
            address,
        }: SendMessage,
        vm: &VirtualMachine,
    ) -> Result<usize, Failure> {
        let address = address.filter(|address| !vm.is_none(address));
        let parsed = match &address {
            Some(address) => Some(address::parse(vm, zelf, address, "sendmsg")?),
            None => None,
        };
        vm.audit("socket.sendmsg", || {
            (zelf.as_object().to_owned(), address.clone().to_pyobject(vm))
        })?;
        let message = message::Outgoing::new(vm, &buffers, ancdata.into_option().as_ref())?;
        message::send(zelf, &message, flags.0, parsed.as_ref(), vm)
    }

    /// Send buffers to an AF_ALG operation socket, with the operation, the initialisation vector and the length of the
    /// associated data. flags may be MSG_MORE.
    #[pymethod]
    fn sendmsg_afalg(
        zelf: &Py<Self>,
        args: FuncArgs,
        vm: &VirtualMachine,
    ) -> Result<usize, Failure> {
        afalg::send(zelf, args, vm)
    }

    /// Set the socket to blocking (true) or non-blocking mode: settimeout(None) or settimeout(0.0).
    #[pymethod]
    fn setblocking(zelf: &Py<Self>, flag: PyObjectRef, vm: &VirtualMachine) -> Result<(), Failure> {
        let blocking = flag.try_to_bool(vm)?;
        options::set_timeout(zelf, if blocking { Timeout::NONE } else { 0 })
    }

    /// Return False in non-blocking mode; True in blocking and in timeout mode.
    #[pymethod]
    fn getblocking(zelf: &Py<Self>) -> bool {
        !zelf.timeout.is_nonblocking()
    }

    /// Set a timeout in seconds on blocking operations, of calls already blocked too: a number, or None for no timeout.
    /// 0.0 makes the socket non-blocking.
    #[pymethod]
    fn settimeout(given: Given, _: Shows<Seconds>, vm: &VirtualMachine) -> Result<(), Failure> {
        let (zelf, Seconds { timeout }) = given.bind("settimeout", vm)?;
        options::set_timeout(&zelf, options::timeout_argument(vm, &timeout)?)
    }

    /// Return the timeout in seconds (float) of blocking operations, None when there is none.
    #[pymethod]
    fn gettimeout(given: Given, vm: &VirtualMachine) -> PyResult<Option<f64>> {
        let zelf = given.object("gettimeout", vm)?;
        Ok(options::timeout_seconds(zelf.timeout.get()))
    }

    /// The timeout in seconds, as gettimeout() returns it.
    #[pygetset(name = "timeout")]
    fn timeout_attribute(zelf: &Py<Self>) -> Option<f64> {
        options::timeout_seconds(zelf.timeout.get())
    }

    /// Send a piece of an open file: at most count bytes from offset on. Return how many; 0 at the end of the file.
    #[pymethod]
    fn _sendfile(
        zelf: &Py<Self>,
        file: i32,
        offset: i64,
        count: usize,
        vm: &VirtualMachine,
    ) -> Result<usize, Failure> {
        send::send_file(zelf, file, offset, count, vm)
    }

    #[pygetset]
    fn _io_refs(zelf: &Py<Self>) -> i64 {
        zelf.io_refs.load(Ordering::Relaxed)
    }

    #[pygetset(setter)]
    fn set__io_refs(zelf: &Py<Self>, count: i64) {
        zelf.io_refs.store(count, Ordering::Relaxed);
    }

    #[pygetset]
    fn _closed(zelf: &Py<Self>) -> bool {
        zelf.closed.load(Ordering::Relaxed)
    }

    #[pygetset(setter)]
    fn set__closed(zelf: &Py<Self>, closed: bool) {
        zelf.closed.store(closed, Ordering::Relaxed);
    }

    /// End the use of this socket. The descriptor is closed as soon as no file object from makefile() is open any more. Closing
    /// twice does nothing.
    #[pymethod]
    fn _close(given: Given, vm: &VirtualMachine) -> Result<(), Failure> {
        let zelf = given.object("close", vm)?;
        zelf.closed.store(true, Ordering::Relaxed);
        if zelf.io_refs.load(Ordering::Relaxed) > 0 {
            return Ok(());
        }
        if face::has_own_close(&zelf, vm) {
            vm.call_method(zelf.as_object(), "_real_close", ())?;
            return Ok(());
        }
        zelf.close_source(vm)
    }

    /// The family as a member of the enumeration of the Python class, or as an integer.
    #[pygetset]
    fn _family_member(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        face::member(zelf, face::Kind::Family, vm)
    }

    /// The type as a member of the enumeration of the Python class, or as an integer.
    #[pygetset]
    fn _type_member(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        face::member(zelf, face::Kind::Type, vm)
    }
}

pub(crate) use self::{
    create::{pair, pair_of},
    face::register as register_face,
    options::{default_timeout_seconds, set_default_timeout},
    race::{Plan, Target, race},
};

/// The class, for the module.
pub(crate) fn class() -> PyTypeRef {
    PySocket::make_static_type()
}
