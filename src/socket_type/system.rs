//! The system calls that `socket2` does not offer in the form that Python needs, one function a call. None of them waits.

use std::{
    ffi::{CStr, OsString},
    io::{self, IoSlice},
    mem::{self, MaybeUninit},
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::ffi::OsStringExt,
    },
    ptr,
};

use socket2::{SockAddr, SockAddrStorage, SockRef};

use crate::{
    control_message::ControlBuffer,
    sockaddr::{CAPACITY, Room},
};

/// `recv(2)` with `MSG_DONTWAIT`.
pub(super) fn receive(
    fd: BorrowedFd<'_>,
    buffer: &mut [MaybeUninit<u8>],
    flags: i32,
) -> io::Result<usize> {
    SockRef::from(&fd).recv_with_flags(buffer, flags | libc::MSG_DONTWAIT)
}

/// `recvfrom(2)` with `MSG_DONTWAIT`.
pub(super) fn receive_from(
    fd: BorrowedFd<'_>,
    buffer: &mut [MaybeUninit<u8>],
    flags: i32,
    sender: &mut Room,
) -> io::Result<usize> {
    let mut length = CAPACITY as libc::socklen_t;
    // SAFETY: the kernel writes at most as many bytes to the buffer and to the room as they have.
    let received = unsafe {
        libc::recvfrom(
            fd.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            flags | libc::MSG_DONTWAIT,
            sender.as_mut_ptr(),
            &mut length,
        )
    };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    sender.set_length(length);
    Ok(received)
}

/// `send(2)` with `MSG_DONTWAIT`; `sendto(2)` to an address in the kernel's form.
pub(super) fn send(
    fd: BorrowedFd<'_>,
    data: &[u8],
    flags: i32,
    address: Option<&[u8]>,
) -> io::Result<usize> {
    let (address, length) = match address {
        Some(address) => (address.as_ptr().cast(), socklen(address.len())?),
        None => (ptr::null(), 0),
    };
    // SAFETY: the kernel only reads the data and the address, which are as long as it is told. It takes a null pointer for no
    // address.
    let sent = unsafe {
        libc::sendto(
            fd.as_raw_fd(),
            data.as_ptr().cast(),
            data.len(),
            flags | libc::MSG_DONTWAIT,
            address,
            length,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// `sendfile(2)` from `offset` of the file `source`, whatever that number means: the kernel checks it.
pub(super) fn send_file(
    fd: BorrowedFd<'_>,
    source: RawFd,
    mut offset: i64,
    count: usize,
) -> io::Result<usize> {
    // SAFETY: the offset is valid for the call, which the kernel reads and writes.
    let sent = unsafe { libc::sendfile(fd.as_raw_fd(), source, &mut offset, count) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// `shutdown(2)`, with any number that Python was given.
pub(super) fn shutdown(fd: BorrowedFd<'_>, how: i32) -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::shutdown(fd.as_raw_fd(), how) })
}

/// `accept4(2)` without asking for the peer's address. The descriptor is not inheritable (PEP 446).
pub(super) fn accept_nameless(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let nowhere = ptr::null_mut::<libc::socklen_t>();
    // SAFETY: accept4(2) takes null pointers for an address that nobody wants.
    let connection =
        unsafe { libc::accept4(fd.as_raw_fd(), nowhere.cast(), nowhere, libc::SOCK_CLOEXEC) };
    if connection < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just opened it, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(connection) })
}

/// The index of the interface of this name in the socket's network namespace: `SIOCGIFINDEX`, netdevice(7).
pub(super) fn interface_index(fd: BorrowedFd<'_>, name: &CStr) -> io::Result<i32> {
    let mut request = empty_interface_request();
    for (to, from) in request.ifr_name.iter_mut().zip(name.to_bytes_with_nul()) {
        *to = *from as libc::c_char;
    }
    // SAFETY: the request is valid for reading and writing during the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCGIFINDEX as _, &mut request) })?;
    // SAFETY: the kernel has filled in this member; any bytes are an integer.
    Ok(unsafe { request.ifr_ifru.ifru_ifindex })
}

/// The name of the interface with this index in the socket's network namespace: `SIOCGIFNAME`, netdevice(7).
pub(super) fn interface_name(fd: BorrowedFd<'_>, index: i32) -> io::Result<OsString> {
    let mut request = empty_interface_request();
    request.ifr_ifru.ifru_ifindex = index;
    // SAFETY: the request is valid for reading and writing during the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCGIFNAME as _, &mut request) })?;
    let name = request.ifr_name.iter().map(|&byte| byte as u8);
    Ok(OsString::from_vec(
        name.take_while(|&byte| byte != 0).collect(),
    ))
}

fn empty_interface_request() -> libc::ifreq {
    // SAFETY: a plain C structure, for which all zeroes is a request without name and value.
    unsafe { mem::zeroed() }
}

/// `getsockopt(2)` of an option that is one `int`.
pub(super) fn get_option_int(fd: BorrowedFd<'_>, level: i32, option: i32) -> io::Result<i32> {
    let mut value = 0_i32;
    let mut length = mem::size_of::<i32>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `value`, which has as many.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            level,
            option,
            ptr::from_mut(&mut value).cast(),
            &mut length,
        )
    })?;
    Ok(value)
}

/// `getsockopt(2)` of an option's bytes: as many as the kernel has, up to the buffer's length.
pub(super) fn get_option(
    fd: BorrowedFd<'_>,
    level: i32,
    option: i32,
    buffer: &mut [u8],
) -> io::Result<usize> {
    let mut length = socklen(buffer.len())?;
    // SAFETY: the kernel writes at most `length` bytes to the buffer, which has as many.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            level,
            option,
            buffer.as_mut_ptr().cast(),
            &mut length,
        )
    })?;
    Ok((length as usize).min(buffer.len()))
}

/// `setsockopt(2)` with an option's bytes.
pub(super) fn set_option(
    fd: BorrowedFd<'_>,
    level: i32,
    option: i32,
    value: &[u8],
) -> io::Result<()> {
    let length = socklen(value.len())?;
    // SAFETY: the kernel reads at most `length` bytes of the value, which has as many.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, value.as_ptr().cast(), length) })
}

/// `setsockopt(2)` with a null pointer, which some options take together with a length.
pub(super) fn set_option_null(
    fd: BorrowedFd<'_>,
    level: i32,
    option: i32,
    length: u32,
) -> io::Result<()> {
    // SAFETY: the kernel answers a null pointer with EFAULT, unless the option expects one.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, ptr::null(), length) })
}

/// What `recvmsg(2)` gave beside the data.
pub(super) struct Received {
    pub(super) length: usize,
    pub(super) address: SockAddr,
    /// Bytes of the control buffer that are filled in.
    pub(super) control_length: usize,
    pub(super) flags: i32,
}

/// `recvmsg(2)` with `MSG_DONTWAIT`. Received descriptors are inheritable unless the flags have `MSG_CMSG_CLOEXEC`.
pub(super) fn receive_message(
    fd: BorrowedFd<'_>,
    buffer: &mut [MaybeUninit<u8>],
    control: &mut ControlBuffer,
    flags: i32,
) -> io::Result<Received> {
    let mut storage = SockAddrStorage::zeroed();
    let capacity = storage.size_of();
    let mut vector = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let mut message = empty_message();
    message.msg_name = ptr::from_mut(&mut storage).cast();
    message.msg_namelen = capacity;
    message.msg_iov = &mut vector;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr();
    message.msg_controllen = control.len();
    // SAFETY: the header's pointers are to live buffers of the lengths beside them, borrowed mutably for the call.
    let length = unsafe { libc::recvmsg(fd.as_raw_fd(), &mut message, flags | libc::MSG_DONTWAIT) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    Ok(Received {
        length,
        // SAFETY: the kernel filled in an address of this length, cut to the storage's size.
        address: unsafe { SockAddr::new(storage, message.msg_namelen.min(capacity)) },
        control_length: message.msg_controllen.min(control.len()),
        flags: message.msg_flags,
    })
}

/// `sendmsg(2)` with `MSG_DONTWAIT`.
pub(super) fn send_message(
    fd: BorrowedFd<'_>,
    buffers: &[IoSlice<'_>],
    control: &[u8],
    flags: i32,
    address: Option<&SockAddr>,
) -> io::Result<usize> {
    let mut message = empty_message();
    if let Some(address) = address {
        message.msg_name = address.as_ptr().cast_mut().cast();
        message.msg_namelen = address.len();
    }
    message.msg_iov = buffers.as_ptr().cast_mut().cast();
    message.msg_iovlen = buffers.len();
    if !control.is_empty() {
        message.msg_control = control.as_ptr().cast_mut().cast();
        message.msg_controllen = control.len();
    }
    // SAFETY: the header's pointers are to live buffers of the lengths beside them, which the kernel only reads; an `IoSlice` has the
    // layout of an `iovec`, as std promises.
    let sent = unsafe { libc::sendmsg(fd.as_raw_fd(), &message, flags | libc::MSG_DONTWAIT) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

fn empty_message() -> libc::msghdr {
    // SAFETY: a plain C structure, for which all zeroes is a message without anything.
    unsafe { mem::zeroed() }
}

fn socklen(length: usize) -> io::Result<libc::socklen_t> {
    libc::socklen_t::try_from(length).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
