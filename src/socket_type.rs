//! Floor 2: the Python class `_socket.socket`.
//!
//! The methods here check their arguments and raise audit events; the work is done by the files beside: each call is one
//! short loop of a system call and a wait.

pub(crate) mod address;
mod afalg;
mod ancillary;
mod connect;
mod create;
mod face;
mod message;
mod options;
mod race;
mod receive;
mod send;
mod system;

use std::{
    io,
    os::fd::{BorrowedFd, IntoRawFd},
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use rustpython_vm::{
    AsObject, Py, PyObjectRef, PyPayload, PyResult, VirtualMachine,
    builtins::{PyBytesRef, PyTupleRef, PyTypeRef},
    class::PyClassImpl,
    convert::{IntoPyException, ToPyObject},
    function::{ArgMemoryBuffer, FuncArgs, OptionalArg},
    pyclass,
    types::{Constructor, DefaultConstructor, Destructor, Initializer, Representable},
    warn,
};

use crate::{
    blocking_bridge::{Call, Failure, Timeout},
    reactor::Source,
    socket_module::integers::{CInt, CSize},
};

/// The default timeout of new sockets, in nanoseconds as in [`Timeout`].
static DEFAULT_TIMEOUT: AtomicI64 = AtomicI64::new(Timeout::NONE);

/// `_socket.socket`: an open socket, or a closed or never opened one.
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
    source: ArcSwapOption<Source>,
    /// The file objects that `makefile` has made and that keep the socket open.
    io_refs: AtomicI64,
    /// Whether the Python class has been closed; the descriptor may live on for its file objects.
    closed: AtomicBool,
    family_member: OnceLock<PyObjectRef>,
    type_member: OnceLock<PyObjectRef>,
}

impl std::fmt::Debug for PySocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PySocket")
            .field("source", &self.source.load())
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
            source: ArcSwapOption::empty(),
            io_refs: AtomicI64::new(0),
            closed: AtomicBool::new(false),
            family_member: OnceLock::new(),
            type_member: OnceLock::new(),
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
        match &*self.source.load() {
            Some(source) if !source.is_closed() => f(source),
            _ => Err(Failure::Errno(libc::EBADF)),
        }
    }

    /// Runs one system call that does not block.
    fn with_fd<R>(&self, f: impl FnOnce(BorrowedFd<'_>) -> io::Result<R>) -> Result<R, Failure> {
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
    fn blocking<R>(
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
            .as_ref()
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
}

impl DefaultConstructor for PySocket {}

#[derive(rustpython_vm::FromArgs)]
pub(crate) struct InitArgs {
    #[pyarg(any, default = -1)]
    family: i32,
    #[pyarg(any, default = -1)]
    r#type: i32,
    #[pyarg(any, default = -1)]
    proto: i32,
    #[pyarg(any, default)]
    fileno: Option<PyObjectRef>,
}

impl Initializer for PySocket {
    type Args = InitArgs;

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
            let text = match zelf.as_object().repr(vm) {
                Ok(repr) => format!("unclosed {repr}"),
                Err(_) => "unclosed <socket>".to_owned(),
            };
            let category = vm.ctx.exceptions.resource_warning.to_owned();
            let source = Some(zelf.as_object().to_owned());
            let warned = warn::warn(vm.ctx.new_str(text).into(), Some(category), 1, source, vm);
            // A finaliser has nobody to raise to; a warning turned into an error is reported, as elsewhere.
            if let Err(exception) = warned {
                vm.run_unraisable(exception, None, zelf.as_object().to_owned());
            }
        }
        let _ = zelf.close_source(vm);
        Ok(())
    }
}

impl PySocket {
    fn close_source(&self, vm: &VirtualMachine) -> Result<(), Failure> {
        let source = self.source.load();
        let Some(source) = &*source else {
            return Ok(());
        };
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
    /// _accept() -> (integer, address info)
    ///
    /// Wait for an incoming connection. Return a new descriptor of the connection, and the address of the client.
    #[pymethod]
    fn _accept(zelf: &Py<Self>, vm: &VirtualMachine) -> Result<(i32, PyObjectRef), Failure> {
        let (fd, address) = connect::accept(zelf, vm)?;
        let address = address::from_kernel(vm, zelf, &address)?;
        Ok((fd.into_raw_fd(), address))
    }

    /// Wait for an incoming connection. Return a new socket object of it, and the address of the client.
    #[pymethod]
    fn _accept_socket(
        zelf: &Py<Self>,
        vm: &VirtualMachine,
    ) -> Result<(PyObjectRef, PyObjectRef), Failure> {
        let (fd, address) = connect::accept(zelf, vm)?;
        let address = address::from_kernel(vm, zelf, &address)?;
        Ok((create::accepted(zelf, fd, vm)?, address))
    }

    /// bind(address)
    ///
    /// Bind the socket to a local address.
    #[pymethod]
    fn bind(zelf: &Py<Self>, address: PyObjectRef, vm: &VirtualMachine) -> Result<(), Failure> {
        let parsed = address::parse(vm, zelf, &address, "bind")?;
        vm.audit("socket.bind", || {
            (zelf.as_object().to_owned(), address.clone())
        })?;
        zelf.with_fd(|fd| socket2::SockRef::from(&fd).bind(&parsed))
    }

    /// close()
    ///
    /// Close the socket. It cannot be used after this call; calls blocked in other threads end with OSError.
    #[pymethod]
    fn close(zelf: &Py<Self>, vm: &VirtualMachine) -> Result<(), Failure> {
        zelf.close_source(vm)
    }

    /// connect(address)
    ///
    /// Connect the socket to a remote address.
    #[pymethod]
    fn connect(zelf: &Py<Self>, address: PyObjectRef, vm: &VirtualMachine) -> Result<(), Failure> {
        let parsed = address::parse(vm, zelf, &address, "connect")?;
        vm.audit("socket.connect", || {
            (zelf.as_object().to_owned(), address.clone())
        })?;
        connect::connect(zelf, &parsed, vm)
    }

    /// connect_ex(address) -> errno
    ///
    /// This is like connect(address), but returns an error code (the errno value) instead of raising an exception when
    /// an error occurs.
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

    /// detach()
    ///
    /// Close the socket object without closing the underlying descriptor, which is returned.
    #[pymethod]
    fn detach(zelf: &Py<Self>) -> i32 {
        let detached = zelf
            .source
            .load()
            .as_ref()
            .and_then(|source| source.detach());
        detached.map_or(-1, IntoRawFd::into_raw_fd)
    }

    /// fileno() -> integer
    ///
    /// Return the descriptor of the socket, or -1 when it is closed.
    #[pymethod]
    fn fileno(zelf: &Py<Self>) -> i32 {
        zelf.number()
    }

    /// getpeername() -> address info
    ///
    /// Return the address of the remote endpoint.
    #[pymethod]
    fn getpeername(zelf: &Py<Self>, vm: &VirtualMachine) -> Result<PyObjectRef, Failure> {
        let address = zelf.with_fd(|fd| socket2::SockRef::from(&fd).peer_addr())?;
        Ok(address::from_kernel(vm, zelf, &address)?)
    }

    /// getsockname() -> address info
    ///
    /// Return the address of the local endpoint.
    #[pymethod]
    fn getsockname(zelf: &Py<Self>, vm: &VirtualMachine) -> Result<PyObjectRef, Failure> {
        let address = zelf.with_fd(|fd| socket2::SockRef::from(&fd).local_addr())?;
        Ok(address::from_kernel(vm, zelf, &address)?)
    }

    /// getsockopt(level, option[, buffersize]) -> value
    ///
    /// Get a socket option as an integer or, with a nonzero buffersize, as that many bytes at most.
    #[pymethod]
    fn getsockopt(
        zelf: &Py<Self>,
        level: i32,
        option: i32,
        buffersize: OptionalArg<i32>,
        vm: &VirtualMachine,
    ) -> Result<PyObjectRef, Failure> {
        options::get(zelf, level, option, buffersize.unwrap_or(0), vm)
    }

    /// setsockopt(level, option, value: int)
    /// setsockopt(level, option, value: buffer)
    /// setsockopt(level, option, None, optlen: int)
    ///
    /// Set a socket option. The value is an integer, a bytes-like object, or None with the length of a null pointer's.
    #[pymethod]
    fn setsockopt(
        zelf: &Py<Self>,
        level: i32,
        option: i32,
        value: PyObjectRef,
        optlen: OptionalArg<PyObjectRef>,
        vm: &VirtualMachine,
    ) -> Result<(), Failure> {
        options::set(
            zelf,
            level,
            option,
            &value,
            optlen.into_option().as_ref(),
            vm,
        )
    }

    /// listen([backlog])
    ///
    /// Enable a server to accept connections. The backlog is at least 0; by default it is a reasonable value.
    #[pymethod]
    fn listen(zelf: &Py<Self>, backlog: OptionalArg<i32>) -> Result<(), Failure> {
        let backlog = backlog.unwrap_or(libc::SOMAXCONN.min(128)).max(0);
        zelf.with_fd(|fd| socket2::SockRef::from(&fd).listen(backlog))
    }

    /// shutdown(flag)
    ///
    /// Shut down the reading side (SHUT_RD), the writing side (SHUT_WR) or both (SHUT_RDWR) of the connection.
    #[pymethod]
    fn shutdown(zelf: &Py<Self>, flag: i32) -> Result<(), Failure> {
        zelf.with_fd(|fd| system::shutdown(fd, flag))
    }

    /// recv(buffersize[, flags]) -> data
    ///
    /// Receive up to buffersize bytes. When no data is available, block until at least one byte is there or the remote end
    /// is closed; when that is closed and all data is read, return the empty bytes.
    #[pymethod]
    fn recv(
        zelf: &Py<Self>,
        buffersize: isize,
        flags: OptionalArg<i32>,
        vm: &VirtualMachine,
    ) -> Result<PyBytesRef, Failure> {
        let size = size_argument(vm, buffersize, "recv")?;
        Ok(vm
            .ctx
            .new_bytes(receive::receive(zelf, size, flags.unwrap_or(0), vm)?))
    }

    /// recv_into(buffer[, nbytes[, flags]]) -> nbytes_read
    ///
    /// A version of recv() that stores its data into a buffer, up to nbytes of it or, if that is 0, all.
    #[pymethod]
    fn recv_into(zelf: &Py<Self>, args: IntoArgs, vm: &VirtualMachine) -> Result<usize, Failure> {
        let (limit, flags) = args.check(vm, "recv_into")?;
        receive::receive_into(zelf, &args.buffer, limit, flags, vm)
    }

    /// recvfrom(buffersize[, flags]) -> (data, address info)
    ///
    /// Like recv(buffersize, flags) but also return the sender's address info.
    #[pymethod]
    fn recvfrom(
        zelf: &Py<Self>,
        buffersize: isize,
        flags: OptionalArg<i32>,
        vm: &VirtualMachine,
    ) -> Result<(PyBytesRef, PyObjectRef), Failure> {
        let size = size_argument(vm, buffersize, "recvfrom")?;
        let (data, address) = receive::receive_from(zelf, size, flags.unwrap_or(0), vm)?;
        Ok((
            vm.ctx.new_bytes(data),
            address::from_kernel(vm, zelf, &address)?,
        ))
    }

    /// recvfrom_into(buffer[, nbytes[, flags]]) -> (nbytes, address info)
    ///
    /// Like recv_into(buffer, nbytes, flags) but also return the sender's address info.
    #[pymethod]
    fn recvfrom_into(
        zelf: &Py<Self>,
        args: IntoArgs,
        vm: &VirtualMachine,
    ) -> Result<(usize, PyObjectRef), Failure> {
        let (limit, flags) = args.check(vm, "recvfrom_into")?;
        let (received, address) = receive::receive_from_into(zelf, &args.buffer, limit, flags, vm)?;
        Ok((received, address::from_kernel(vm, zelf, &address)?))
    }

    /// recvmsg(bufsize[, ancbufsize[, flags]]) -> (data, ancdata, msg_flags, address)
    ///
    /// Receive up to bufsize bytes of data and up to ancbufsize bytes of ancillary data (a buffer of that size is
    /// offered to the kernel: see CMSG_SPACE).
    #[pymethod]
    fn recvmsg(
        zelf: &Py<Self>,
        bufsize: CSize,
        ancbufsize: OptionalArg<CSize>,
        flags: OptionalArg<CInt>,
        vm: &VirtualMachine,
    ) -> Result<PyTupleRef, Failure> {
        let Ok(size) = usize::try_from(bufsize.0) else {
            return Err(vm
                .new_value_error("negative buffer size in recvmsg()")
                .into());
        };
        let ancbufsize = ancbufsize.unwrap_or_default().0;
        message::receive(zelf, size, ancbufsize, flags.unwrap_or_default().0, vm)
    }

    /// recvmsg_into(buffers[, ancbufsize[, flags]]) -> (nbytes, ancdata, msg_flags, address)
    ///
    /// Like recvmsg(), but scatter the data into a series of buffers.
    #[pymethod]
    fn recvmsg_into(
        zelf: &Py<Self>,
        buffers: PyObjectRef,
        ancbufsize: OptionalArg<CSize>,
        flags: OptionalArg<CInt>,
        vm: &VirtualMachine,
    ) -> Result<PyTupleRef, Failure> {
        let ancbufsize = ancbufsize.unwrap_or_default().0;
        message::receive_into(zelf, &buffers, ancbufsize, flags.unwrap_or_default().0, vm)
    }

    /// send(data[, flags]) -> count
    ///
    /// Send data, and return the number of bytes sent: in non-blocking and in timeout mode maybe fewer than there are.
    #[pymethod]
    fn send(
        zelf: &Py<Self>,
        data: PyObjectRef,
        flags: OptionalArg<i32>,
        vm: &VirtualMachine,
    ) -> Result<usize, Failure> {
        let data = send::Data::new(vm, data)?;
        send::send(zelf, &data, flags.unwrap_or(0), None, vm)
    }

    /// sendall(data[, flags])
    ///
    /// Send all of data. If an error occurs, it is impossible to tell how much data has been sent.
    #[pymethod]
    fn sendall(
        zelf: &Py<Self>,
        data: PyObjectRef,
        flags: OptionalArg<i32>,
        vm: &VirtualMachine,
    ) -> Result<(), Failure> {
        let data = send::Data::new(vm, data)?;
        send::send_all(zelf, &data, flags.unwrap_or(0), vm)
    }

    /// sendto(data[, flags], address) -> count
    ///
    /// Like send(data, flags) but to an address, for a socket that is not connected.
    #[pymethod]
    fn sendto(zelf: &Py<Self>, args: FuncArgs, vm: &VirtualMachine) -> Result<usize, Failure> {
        let (data, flags, address) = send::sendto_arguments(&args, vm)?;
        let data = send::Data::new(vm, data)?;
        let parsed = address::parse(vm, zelf, &address, "sendto")?;
        vm.audit("socket.sendto", || {
            (zelf.as_object().to_owned(), address.clone())
        })?;
        send::send(zelf, &data, flags, Some(&parsed), vm)
    }

    /// sendmsg(buffers[, ancdata[, flags[, address]]]) -> count
    ///
    /// Send the concatenation of the buffers as one message, with ancillary data: an iterable of (level, type, data).
    #[pymethod]
    fn sendmsg(
        zelf: &Py<Self>,
        buffers: PyObjectRef,
        ancdata: OptionalArg<PyObjectRef>,
        flags: OptionalArg<CInt>,
        address: OptionalArg<PyObjectRef>,
        vm: &VirtualMachine,
    ) -> Result<usize, Failure> {
        let address = address.into_option().filter(|address| !vm.is_none(address));
        let parsed = match &address {
            Some(address) => Some(address::parse(vm, zelf, address, "sendmsg")?),
            None => None,
        };
        vm.audit("socket.sendmsg", || {
            (zelf.as_object().to_owned(), address.clone().to_pyobject(vm))
        })?;
        let message = message::Outgoing::new(vm, &buffers, ancdata.into_option().as_ref())?;
        let flags = flags.unwrap_or_default().0;
        message::send(zelf, &message, flags, parsed.as_ref(), vm)
    }

    /// sendmsg_afalg([msg], *, op[, iv[, assoclen[, flags]]]) -> count
    ///
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

    /// setblocking(flag)
    ///
    /// Set the socket to blocking (true) or non-blocking mode: settimeout(None) or settimeout(0.0).
    #[pymethod]
    fn setblocking(zelf: &Py<Self>, flag: PyObjectRef, vm: &VirtualMachine) -> Result<(), Failure> {
        let blocking = flag.try_to_bool(vm)?;
        options::set_timeout(zelf, if blocking { Timeout::NONE } else { 0 })
    }

    /// getblocking() -> whether the socket is in blocking or in timeout mode
    #[pymethod]
    fn getblocking(zelf: &Py<Self>) -> bool {
        !zelf.timeout.is_nonblocking()
    }

    /// settimeout(timeout)
    ///
    /// Set a timeout in seconds on blocking operations, of calls already blocked too: a number, or None for no timeout.
    /// 0.0 makes the socket non-blocking.
    #[pymethod]
    fn settimeout(
        zelf: &Py<Self>,
        timeout: PyObjectRef,
        vm: &VirtualMachine,
    ) -> Result<(), Failure> {
        options::set_timeout(zelf, options::timeout_argument(vm, &timeout)?)
    }

    /// gettimeout() -> timeout
    ///
    /// Return the timeout in seconds (float) of blocking operations, None when there is none.
    #[pymethod]
    fn gettimeout(zelf: &Py<Self>) -> Option<f64> {
        options::timeout_seconds(zelf.timeout.get())
    }

    /// the socket timeout
    #[pygetset(name = "timeout")]
    fn timeout_attribute(zelf: &Py<Self>) -> Option<f64> {
        Self::gettimeout(zelf)
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
    create::pair,
    face::register as register_face,
    options::{default_timeout, set_default_timeout},
    race::{Plan, Target, race},
};

/// The class, for the module.
pub(crate) fn class() -> PyTypeRef {
    PySocket::make_static_type()
}

fn size_argument(vm: &VirtualMachine, size: isize, caller: &str) -> Result<usize, Failure> {
    usize::try_from(size).map_err(|_| {
        vm.new_value_error(format!("negative buffersize in {caller}"))
            .into()
    })
}

/// The arguments of the calls that receive into one buffer.
#[derive(rustpython_vm::FromArgs)]
struct IntoArgs {
    #[pyarg(any)]
    buffer: ArgMemoryBuffer,
    #[pyarg(any, default = 0)]
    nbytes: isize,
    #[pyarg(any, default = 0)]
    flags: i32,
}

impl IntoArgs {
    /// How many bytes to receive at most, and the flags.
    fn check(&self, vm: &VirtualMachine, caller: &str) -> Result<(usize, i32), Failure> {
        let size = size_argument(vm, self.nbytes, caller)?;
        match size {
            0 => Ok((self.buffer.len(), self.flags)),
            size if size > self.buffer.len() => Err(vm
                .new_value_error("nbytes is greater than the length of the buffer")
                .into()),
            size => Ok((size, self.flags)),
        }
    }
}
