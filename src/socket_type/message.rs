//! `sendmsg`, `recvmsg` and `recvmsg_into`: several buffers, ancillary data, flags, address.

use std::{
    io::{self, IoSlice},
    os::fd::BorrowedFd,
};

use rustpython_vm::{
    AsObject, PyObject, PyObjectRef, PyResult, TryFromObject, VirtualMachine, builtins::PyTupleRef,
    common::borrow::BorrowedValue,
};
use socket2::SockAddr;

use super::{
    PySocket, address, ancillary, receive, send,
    send::Data,
    system::{self, Received},
};
use crate::{
    blocking_bridge::Failure,
    control_message::{self, ControlBuffer},
    memory::WriteMemory,
    reactor::Direction,
};

/// `UIO_MAXIOV`, readv(2): with more buffers the kernel refuses a message.
const MOST_BUFFERS: usize = 1024;

/// One buffer of a message.
struct Piece {
    /// Kept for the length of the call also where there is a copy: the object must not be resized meanwhile, as on CPython.
    data: Data,
    /// What is sent of memory that can be read only under a lock: several locks at once could be the same one.
    copy: Option<Vec<u8>>,
}

impl Piece {
    fn new(vm: &VirtualMachine, object: PyObjectRef) -> PyResult<Self> {
        let data = Data::new(vm, object)?;
        let copy = match &data {
            Data::Bytes(_) => None,
            Data::Buffer(memory) => memory.copy_if_locked(vm)?,
        };
        Ok(Self { data, copy })
    }

    fn bytes(&self) -> BorrowedValue<'_, [u8]> {
        match (&self.copy, &self.data) {
            (Some(copy), _) => BorrowedValue::Ref(copy),
            (None, Data::Bytes(bytes)) => BorrowedValue::Ref(bytes.as_bytes()),
            (None, Data::Buffer(memory)) => memory.borrow(),
        }
    }
}

/// A message to send.
pub(super) struct Outgoing {
    pieces: Vec<Piece>,
    length: usize,
    control: Option<ControlBuffer>,
}

impl Outgoing {
    pub(super) fn new(
        vm: &VirtualMachine,
        buffers: &PyObject,
        ancdata: Option<&PyObjectRef>,
    ) -> PyResult<Self> {
        let mut message = Self::with_control(vm, Some(buffers), None)?;
        if let Some(ancdata) = ancdata {
            message.control = ancillary::to_control(vm, ancdata)?;
        }
        Ok(message)
    }

    /// A message with this control buffer, and with no data where there are no buffers.
    pub(super) fn with_control(
        vm: &VirtualMachine,
        buffers: Option<&PyObject>,
        control: Option<ControlBuffer>,
    ) -> PyResult<Self> {
        let buffers = match buffers {
            Some(buffers) => elements(vm, buffers, "sendmsg() argument 1 must be an iterable")?,
            None => Vec::new(),
        };
        let pieces = buffers
            .into_iter()
            .map(|buffer| Piece::new(vm, buffer))
            .collect::<PyResult<Vec<_>>>()?;
        let length = pieces.iter().fold(0_usize, |sum, piece| {
            sum.saturating_add(piece.bytes().len())
        });
        Ok(Self {
            pieces,
            length,
            control,
        })
    }

    /// Runs one system call on what is left of the buffers after the first `sent` bytes.
    fn with_rest<R>(&self, mut sent: usize, f: impl FnOnce(&[IoSlice<'_>]) -> R) -> R {
        let borrowed: Vec<BorrowedValue<'_, [u8]>> = self.pieces.iter().map(Piece::bytes).collect();
        let mut slices = Vec::with_capacity(borrowed.len());
        for bytes in &borrowed {
            let skipped = sent.min(bytes.len());
            sent -= skipped;
            let rest = bytes.get(skipped..).unwrap_or_default();
            if skipped == 0 || !rest.is_empty() {
                slices.push(IoSlice::new(rest));
            }
        }
        f(&slices)
    }
}

/// The elements of an iterable argument; TypeError with this message if it is none.
pub(super) fn elements(
    vm: &VirtualMachine,
    iterable: &PyObject,
    message: &'static str,
) -> PyResult<Vec<PyObjectRef>> {
    vm.extract_elements_with(iterable, Ok).map_err(|error| {
        if error.fast_isinstance(vm.ctx.exceptions.type_error) {
            vm.new_type_error(message)
        } else {
            error
        }
    })
}

/// `sendmsg`. Ancillary data and address go with the first part only.
pub(super) fn send(
    socket: &PySocket,
    message: &Outgoing,
    flags: i32,
    address: Option<&SockAddr>,
    vm: &VirtualMachine,
) -> Result<usize, Failure> {
    let control = message
        .control
        .as_ref()
        .map_or(&[][..], |control| control.received(control.len()));
    socket.blocking(vm, flags, |call, source| {
        let sent = send::first_part(socket, call, source, address.is_some(), |fd| {
            message.with_rest(0, |buffers| {
                system::send_message(fd, buffers, control, flags, address)
            })
        })?;
        if flags & libc::MSG_DONTWAIT != 0 || !socket.completes_partial_work() {
            return Ok(sent);
        }
        send::complete(call, source, sent, message.length, |fd, sent| {
            message.with_rest(sent, |buffers| {
                system::send_message(fd, buffers, &[], flags, None)
            })
        })
    })
}

/// `recvmsg`.
pub(super) fn receive(
    socket: &PySocket,
    size: usize,
    control_bytes: isize,
    flags: i32,
    vm: &VirtualMachine,
) -> Result<PyTupleRef, Failure> {
    let mut control = ancillary::room(vm, control_bytes)?;
    let (mut data, received) = receive_bytes(socket, size, &mut control, flags, vm)?;
    data.shrink_to_fit();
    let data = vm.ctx.new_bytes(data).into();
    result(socket, data, &received, &control, vm)
}

fn receive_bytes(
    socket: &PySocket,
    size: usize,
    control: &mut ControlBuffer,
    flags: i32,
    vm: &VirtualMachine,
) -> Result<(Vec<u8>, Received), Failure> {
    let mut data = Vec::new();
    data.try_reserve_exact(size)
        .map_err(|_| vm.no_memory_error())?;
    let space = data.spare_capacity_mut();
    let received = receive_parts(socket, size, control, flags, vm, |fd, from, control| {
        let rest = space.get_mut(from..size).unwrap_or_default();
        system::receive_message(fd, rest, control, flags)
    })?;
    // SAFETY: the kernel has written that many bytes of the capacity; with MSG_TRUNC it counts also those it had to cut.
    unsafe { data.set_len(received.length.min(size)) };
    Ok((data, received))
}

/// `recvmsg_into`.
pub(super) fn receive_into(
    socket: &PySocket,
    buffers: &PyObject,
    control_bytes: isize,
    flags: i32,
    vm: &VirtualMachine,
) -> Result<PyTupleRef, Failure> {
    let buffers = elements(vm, buffers, "recvmsg_into() argument 1 must be an iterable")?
        .into_iter()
        .map(|buffer| buffer_to_fill(vm, buffer))
        .collect::<PyResult<Vec<_>>>()?;
    let mut control = ancillary::room(vm, control_bytes)?;
    if buffers.len() > MOST_BUFFERS {
        return socket.on_open(|_| Err(Failure::Errno(libc::EMSGSIZE)));
    }
    let size = buffers
        .iter()
        .fold(0_usize, |size, buffer| size.saturating_add(buffer.len()));
    let received = if let [buffer] = &buffers[..] {
        receive_parts(
            socket,
            size,
            &mut control,
            flags,
            vm,
            |fd, from, control| {
                let mut memory = buffer.borrow();
                let rest = memory.get_mut(from..).unwrap_or_default();
                system::receive_message(fd, receive::as_uninit(rest), control, flags)
            },
        )?
    } else {
        // Two of the buffers may be views of one object, which can be borrowed only once at a time.
        let (data, received) = receive_bytes(socket, size, &mut control, flags, vm)?;
        scatter(&data, &buffers);
        received
    };
    let length = vm.ctx.new_int(received.length).into();
    result(socket, length, &received, &control, vm)
}

/// One message for whatever an object is not, as CPython has it; what ends the program goes on.
fn buffer_to_fill(vm: &VirtualMachine, object: PyObjectRef) -> PyResult<WriteMemory> {
    WriteMemory::try_from_object(vm, object).map_err(|error| {
        if error.fast_isinstance(vm.ctx.exceptions.exception_type) {
            vm.new_type_error(
                "recvmsg_into() argument 1 must be an iterable of single-segment read-write buffers",
            )
        } else {
            error
        }
    })
}

fn scatter(mut data: &[u8], buffers: &[WriteMemory]) {
    for buffer in buffers {
        let mut memory = buffer.borrow();
        let (part, rest) = data.split_at(data.len().min(memory.len()));
        for (to, from) in memory.iter_mut().zip(part) {
            *to = *from;
        }
        data = rest;
    }
}

/// Receives a message, behind as many bytes as `attempt` is told; with `MSG_WAITALL` on a blocking stream, all of `size`.
///
/// A Unix stream ends a message behind what ancillary data came with.
fn receive_parts(
    socket: &PySocket,
    size: usize,
    control: &mut ControlBuffer,
    flags: i32,
    vm: &VirtualMachine,
    mut attempt: impl FnMut(BorrowedFd<'_>, usize, &mut ControlBuffer) -> io::Result<Received>,
) -> Result<Received, Failure> {
    if !socket.waits_for_all(flags) {
        return socket.blocking(vm, flags, |call, _| {
            call.run(Direction::Read, |fd| attempt(fd, 0, control))
        });
    }
    let mut message: Option<Received> = None;
    let total = receive::wait_for_all(socket, size, flags, vm, |fd, from, _| {
        let ended =
            |message: &Received| message.control_length > 0 && socket.family() == libc::AF_UNIX;
        if message.as_ref().is_some_and(ended) {
            return Ok((0, ()));
        }
        let part = attempt(fd, from, control)?;
        let length = part.length;
        message = Some(match message.take() {
            None => part,
            Some(first) => Received {
                control_length: part.control_length,
                flags: first.flags | part.flags,
                ..first
            },
        });
        Ok((length, ()))
    });
    match (total, message) {
        (Ok((length, ())), Some(message)) => Ok(Received { length, ..message }),
        // Not without a message: an attempt has succeeded.
        (Ok(_), None) => Err(Failure::Errno(libc::EIO)),
        (Err(failure), message) => {
            let length = message.map_or(0, |message| message.control_length);
            // SAFETY: as the kernel has filled it in for this call, which hands nothing on.
            unsafe { control_message::close_descriptors(control.received(length)) };
            Err(failure)
        }
    }
}

/// The tuple that Python gets. If it cannot be made, received descriptors are closed: nobody else knows of them.
fn result(
    socket: &PySocket,
    data: PyObjectRef,
    received: &Received,
    control: &ControlBuffer,
    vm: &VirtualMachine,
) -> Result<PyTupleRef, Failure> {
    let control = control.received(received.control_length);
    let rest = || {
        Ok((
            ancillary::from_control(vm, control)?,
            address::from_kernel(vm, socket, &received.address)?,
        ))
    };
    let (items, address) = rest().inspect_err(|_: &Failure| {
        // SAFETY: as the kernel has just filled it in, and no object of the descriptors' numbers is left.
        unsafe { control_message::close_descriptors(control) };
    })?;
    Ok(vm.ctx.new_tuple(vec![
        data,
        items,
        vm.ctx.new_int(received.flags).into(),
        address,
    ]))
}
