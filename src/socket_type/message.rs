//! `sendmsg`, `recvmsg` and `recvmsg_into`: several buffers, ancillary data, flags, address.

use std::{
    io::{self, IoSlice},
    os::fd::BorrowedFd,
};

use rustpython_vm::{
    AsObject, PyObject, PyObjectRef, PyResult, TryFromObject, VirtualMachine,
    builtins::{PyBaseExceptionRef, PyTuple, PyTupleRef},
    common::borrow::BorrowedValue,
    function::{ArgBytesLike, ArgMemoryBuffer},
    warn,
};
use socket2::SockAddr;

use super::{
    PySocket, address, receive, send,
    send::Data,
    system::{self, Received},
};
use crate::{
    blocking_bridge::Failure,
    control_message::{self, BufferError, ControlBuffer, Item, Items},
    reactor::Direction,
};

/// One buffer of a message.
enum Piece {
    /// Memory that needs no lock to read.
    Shared(Data),
    /// A copy of memory that does: several locks at once could be the same one.
    Copied(Vec<u8>),
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
    ) -> Result<Self, Failure> {
        let mut pieces = Vec::new();
        let mut length = 0_usize;
        for buffer in elements(vm, buffers, "sendmsg() argument 1 must be an iterable")? {
            let data = Data::new(vm, buffer)?;
            length = length.saturating_add(data.len());
            pieces.push(match &data {
                Data::Buffer(buffer) if buffer.borrow_buf().is_locked() => {
                    Piece::Copied(buffer.borrow_buf().to_vec())
                }
                _ => Piece::Shared(data),
            });
        }
        let control = match ancdata {
            Some(ancdata) => control_argument(vm, ancdata)?,
            None => None,
        };
        Ok(Self {
            pieces,
            length,
            control,
        })
    }

    /// Runs one system call on what is left of the buffers after the first `sent` bytes.
    fn with_rest<R>(&self, mut sent: usize, f: impl FnOnce(&[IoSlice<'_>]) -> R) -> R {
        let borrowed: Vec<BorrowedValue<'_, [u8]>> = self
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Shared(Data::Bytes(bytes)) => BorrowedValue::Ref(bytes.as_bytes()),
                Piece::Shared(Data::Buffer(buffer)) => buffer.borrow_buf(),
                Piece::Copied(bytes) => BorrowedValue::Ref(bytes.as_slice()),
            })
            .collect();
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

fn elements(
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

fn control_argument(
    vm: &VirtualMachine,
    ancdata: &PyObject,
) -> Result<Option<ControlBuffer>, Failure> {
    let mut items = Vec::new();
    for item in elements(vm, ancdata, "sendmsg() argument 2 must be an iterable")? {
        let shape = || {
            vm.new_type_error(
                "[sendmsg() ancillary data items] must be (int, int, bytes-like) tuples",
            )
        };
        let fields = item.downcast_ref::<PyTuple>().ok_or_else(shape)?.as_slice();
        let [level, kind, data] = fields else {
            return Err(shape().into());
        };
        items.push((
            i32::try_from_object(vm, level.clone())?,
            i32::try_from_object(vm, kind.clone())?,
            ArgBytesLike::try_from_object(vm, data.clone())?
                .borrow_buf()
                .to_vec(),
        ));
    }
    if items.is_empty() {
        return Ok(None);
    }
    let items: Vec<_> = items
        .iter()
        .map(|(level, kind, data)| Item {
            level: *level,
            kind: *kind,
            data,
        })
        .collect();
    Ok(Some(
        ControlBuffer::from_items(&items).map_err(|error| control_error(vm, error))?,
    ))
}

fn control_error(vm: &VirtualMachine, error: BufferError) -> PyBaseExceptionRef {
    match error {
        BufferError::ItemTooLarge => vm.new_os_error("ancillary data item too large"),
        BufferError::TooMuch => vm.new_os_error("too much ancillary data"),
        BufferError::NoMemory => vm.no_memory_error(),
    }
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
        let sent = send::first_part(socket, call, source, address, |fd| {
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

fn control_space(vm: &VirtualMachine, size: isize) -> Result<ControlBuffer, Failure> {
    let size = usize::try_from(size)
        .ok()
        .filter(|size| *size <= control_message::LENGTH_MAX);
    let size = size.ok_or_else(|| vm.new_value_error("invalid ancillary data buffer length"))?;
    Ok(ControlBuffer::zeroed(size).map_err(|error| control_error(vm, error))?)
}

/// `recvmsg`.
pub(super) fn receive(
    socket: &PySocket,
    size: usize,
    control_bytes: isize,
    flags: i32,
    vm: &VirtualMachine,
) -> Result<PyTupleRef, Failure> {
    let mut control = control_space(vm, control_bytes)?;
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
    let mut control = control_space(vm, control_bytes)?;
    let buffers = elements(vm, buffers, "recvmsg_into() argument 1 must be an iterable")?
        .into_iter()
        .map(|buffer| ArgMemoryBuffer::try_from_object(vm, buffer))
        .collect::<PyResult<Vec<_>>>()?;
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
                let mut memory = buffer.borrow_buf_mut();
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

fn scatter(mut data: &[u8], buffers: &[ArgMemoryBuffer]) {
    for buffer in buffers {
        let mut memory = buffer.borrow_buf_mut();
        let (part, rest) = data.split_at(data.len().min(memory.len()));
        for (to, from) in memory.iter_mut().zip(part) {
            *to = *from;
        }
        data = rest;
    }
}

/// Receives a message, behind as many bytes as `attempt` is told; with `MSG_WAITALL` on a blocking stream, all of `size`. Not so
/// where ancillary data is wanted: the kernel ends a message where that changes.
fn receive_parts(
    socket: &PySocket,
    size: usize,
    control: &mut ControlBuffer,
    flags: i32,
    vm: &VirtualMachine,
    mut attempt: impl FnMut(BorrowedFd<'_>, usize, &mut ControlBuffer) -> io::Result<Received>,
) -> Result<Received, Failure> {
    if control.len() == 0 && flags & libc::MSG_WAITALL != 0 && socket.completes_partial_work() {
        let (length, received) = receive::wait_for_all(socket, size, flags, vm, |fd, from, _| {
            let received = attempt(fd, from, control)?;
            Ok((received.length, received))
        })?;
        return Ok(Received { length, ..received });
    }
    socket.blocking(vm, flags, |call, _| {
        call.run(Direction::Read, |fd| attempt(fd, 0, control))
    })
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
        let mut items = Items::new(control);
        let tuples = items.by_ref().map(|Item { level, kind, data }| {
            let data = vm.ctx.new_bytes(data.to_vec()).into();
            vm.ctx
                .new_tuple(vec![
                    vm.ctx.new_int(level).into(),
                    vm.ctx.new_int(kind).into(),
                    data,
                ])
                .into()
        });
        let list = vm.ctx.new_list(tuples.collect()).into();
        if items.is_malformed() {
            let text = vm
                .ctx
                .new_str("received malformed or improperly-truncated ancillary data");
            let category = vm.ctx.exceptions.runtime_warning.to_owned();
            warn::warn(text.into(), Some(category), 1, None, vm)?;
        }
        Ok((
            list,
            address::to_python(vm, &received.address, socket.proto())?,
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
