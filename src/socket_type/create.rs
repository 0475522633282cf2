//! Sockets from nothing, from a descriptor, and from a connection.

use std::{
    os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd},
    sync::{Arc, atomic::Ordering},
};

use rustpython_vm::{
    AsObject, Py, PyObject, PyObjectRef, PyPayload, PyRef, PyResult, TryFromBorrowedObject,
    VirtualMachine,
    builtins::{PyType, PyTypeRef},
};
use socket2::{SockRef, Socket};

use super::{PySocket, arguments::InitArgs, default_timeout, face};
use crate::{
    blocking_bridge::{Failure, Timeout},
    reactor::{Source, with_more_descriptors},
    socket_module::integers::CInt,
};

/// What a descriptor is: the three attributes of every socket.
#[derive(Clone, Copy)]
struct Attributes {
    family: i32,
    kind: i32,
    proto: i32,
}

impl Attributes {
    /// With a TCP socket's for those that are not given, which are -1.
    fn or_default(self) -> Self {
        let or = |value: i32, default| if value == -1 { default } else { value };
        Self {
            family: or(self.family, libc::AF_INET),
            kind: or(self.kind, libc::SOCK_STREAM),
            proto: or(self.proto, 0),
        }
    }
}

/// `socket.__init__`. A socket initialised anew closes what it had.
pub(super) fn init(
    socket: &Py<PySocket>,
    args: &InitArgs,
    vm: &VirtualMachine,
) -> Result<(), Failure> {
    let wanted = Attributes {
        family: args.family.0,
        kind: args.r#type.0,
        proto: args.proto.0,
    };
    let fileno = args.fileno.as_ref().filter(|fileno| !vm.is_none(fileno));
    audit(vm, socket, || {
        // On CPython the Python class is what fills in the defaults.
        if fileno.is_none() && face::is_derived(socket, vm) {
            wanted.or_default()
        } else {
            wanted
        }
    })?;
    let (fd, attributes) = match fileno {
        Some(fileno) => adopt(descriptor_argument(fileno, vm)?, wanted)?,
        None => open(wanted.or_default())?,
    };
    settle(socket, fd, &attributes, vm)?;
    // What `makefile` made before belongs to the descriptor that is gone.
    socket.io_refs.store(0, Ordering::Relaxed);
    socket.closed.store(false, Ordering::Relaxed);
    Ok(())
}

/// Raises the audit event of a new socket object.
fn audit(
    vm: &VirtualMachine,
    socket: &Py<PySocket>,
    attributes: impl FnOnce() -> Attributes,
) -> PyResult<()> {
    vm.audit("socket.__new__", || {
        let Attributes {
            family,
            kind,
            proto,
        } = attributes();
        (socket.as_object().to_owned(), family, kind, proto)
    })
}

/// The descriptor that Python code hands over. Whatever else goes wrong later, it stays the caller's until adopted.
fn descriptor_argument(fileno: &PyObject, vm: &VirtualMachine) -> Result<RawFd, Failure> {
    let CInt(fd) = CInt::try_from_borrowed_object(vm, fileno)?;
    if fd < 0 {
        return Err(vm.new_value_error("negative file descriptor").into());
    }
    Ok(fd)
}

fn adopt(fd: RawFd, wanted: Attributes) -> Result<(OwnedFd, Attributes), Failure> {
    // SAFETY: Python code hands the descriptor over by contract (PEP 3151's `fileno=`); on error it is given back.
    let socket = unsafe { Socket::from_raw_fd(fd) };
    match attributes_of(&socket, wanted) {
        Ok(attributes) => Ok((socket.into(), attributes)),
        Err(failure) => {
            let _ = socket.into_raw_fd();
            Err(failure)
        }
    }
}

fn attributes_of(socket: &Socket, wanted: Attributes) -> Result<Attributes, Failure> {
    let Attributes {
        mut family,
        mut kind,
        mut proto,
    } = wanted;
    match socket.local_addr() {
        Ok(address) if family == -1 => family = i32::from(address.family()),
        Ok(_) => {}
        // A socket of a family that knows no local address is taken at the caller's word.
        Err(error)
            if family == -1
                || matches!(error.raw_os_error(), Some(libc::EBADF | libc::ENOTSOCK)) =>
        {
            return Err(error.into());
        }
        Err(_) => {}
    }
    let fd = SockRef::from(socket);
    if kind == -1 {
        kind = fd.r#type()?.into();
    }
    if proto == -1 {
        proto = fd.protocol()?.map_or(0, Into::into);
    }
    Ok(Attributes {
        family,
        kind,
        proto,
    })
}

fn open(attributes: Attributes) -> Result<(OwnedFd, Attributes), Failure> {
    let open = || {
        let proto = (attributes.proto != 0).then(|| attributes.proto.into());
        // Not inheritable (PEP 446): socket2 sets SOCK_CLOEXEC.
        Socket::new(attributes.family.into(), attributes.kind.into(), proto)
    };
    let socket = with_more_descriptors(open)?;
    Ok((socket.into(), attributes))
}

fn settle(
    socket: &PySocket,
    fd: OwnedFd,
    attributes: &Attributes,
    vm: &VirtualMachine,
) -> Result<(), Failure> {
    let source = Arc::new(Source::new(fd));
    let timeout = if attributes.kind & libc::SOCK_NONBLOCK != 0 {
        0
    } else {
        default_timeout::get(vm)
    };
    if timeout != Timeout::NONE {
        source.set_nonblocking(true).transpose()?;
    }
    socket.family.store(attributes.family, Ordering::Relaxed);
    socket.kind.store(
        attributes.kind & !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC),
        Ordering::Relaxed,
    );
    socket.proto.store(attributes.proto, Ordering::Relaxed);
    socket.timeout.set(timeout);
    // What an initialised socket had is closed as by `close`: calls blocked on it end.
    if let Some(old) = socket.source.replace(source) {
        socket.forget_peers();
        let _ = old.close();
    }
    Ok(())
}

/// `socketpair(family, type, proto)`: two objects of the native class.
pub(crate) fn pair(
    family: i32,
    kind: i32,
    proto: i32,
    vm: &VirtualMachine,
) -> Result<(PyRef<PySocket>, PyRef<PySocket>), Failure> {
    let attributes = Attributes {
        family,
        kind,
        proto,
    };
    let (one, other) = open_pair(&attributes)?;
    let settled = |fd: OwnedFd| {
        let socket = PySocket::default();
        settle(&socket, fd, &attributes, vm)?;
        Ok::<_, Failure>(socket.into_ref(&vm.ctx))
    };
    Ok((settled(one)?, settled(other)?))
}

/// socketpair(2). The descriptors are not inheritable (PEP 446).
fn open_pair(attributes: &Attributes) -> Result<(OwnedFd, OwnedFd), Failure> {
    let (family, kind) = (attributes.family.into(), attributes.kind.into());
    let proto = (attributes.proto != 0).then(|| attributes.proto.into());
    let (one, other) = with_more_descriptors(|| Socket::pair(family, kind, proto))?;
    Ok((one.into(), other.into()))
}

/// The pair that `socket.socketpair` returns, of the Python class.
pub(crate) fn pair_of(
    class: &PyObject,
    family: i32,
    kind: i32,
    proto: i32,
    vm: &VirtualMachine,
) -> Result<(PyObjectRef, PyObjectRef), Failure> {
    let attributes = Attributes {
        family,
        kind,
        proto,
    };
    let (one, other) = open_pair(&attributes)?;
    let native = class
        .downcast_ref::<PyType>()
        .filter(|class| face::is_native_when_made(class));
    let made = |fd: OwnedFd| -> Result<PyObjectRef, Failure> {
        match native {
            Some(class) => Ok(object_of(class.to_owned(), fd, &attributes, vm)?.into()),
            // A program has put something of its own in the class's place, or an `__init__`.
            None => Ok(class.call((family, kind, proto, fd.into_raw_fd()), vm)?),
        }
    };
    Ok((made(one)?, made(other)?))
}

/// The socket object of a connection that `listener` has accepted: of the Python class that the listener's derives from.
pub(super) fn accepted(
    listener: &Py<PySocket>,
    fd: OwnedFd,
    vm: &VirtualMachine,
) -> Result<PyObjectRef, Failure> {
    let attributes = Attributes {
        family: listener.family(),
        kind: listener.kind.load(Ordering::Relaxed),
        proto: listener.proto(),
    };
    // As on CPython: without a default timeout, the connection of a listener with a timeout starts in blocking mode. It does
    // so of itself, as O_NONBLOCK is not inherited on Linux.
    let socket = object_of(face::class_of(listener), fd, &attributes, vm)?;
    face::share_members(listener, &socket);
    Ok(socket.into())
}

/// A socket object for a descriptor that nobody else has, without a call of the class.
fn object_of(
    class: PyTypeRef,
    fd: OwnedFd,
    attributes: &Attributes,
    vm: &VirtualMachine,
) -> Result<PyRef<PySocket>, Failure> {
    let socket = PySocket::default().into_ref_with_type(vm, class)?;
    audit(vm, &socket, || *attributes)?;
    settle(&socket, fd, attributes, vm)?;
    Ok(socket)
}
