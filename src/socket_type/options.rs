//! Socket options and timeouts.

use std::{io, os::fd::BorrowedFd};

use num_traits::ToPrimitive;
use rustpython_vm::{
    PyObject, PyObjectRef, PyResult, TryFromBorrowedObject, VirtualMachine,
    builtins::{PyFloat, PyInt},
};

use super::{PySocket, address, default_timeout, system};
use crate::{
    blocking_bridge::{Failure, Timeout},
    memory::ReadMemory,
    socket_module::integers::CInt,
};

/// The longest option that `getsockopt` returns, as on CPython.
const LONGEST_OPTION: usize = 1024;

pub(super) fn get(
    socket: &PySocket,
    level: i32,
    option: i32,
    size: i32,
    vm: &VirtualMachine,
) -> Result<PyObjectRef, Failure> {
    let wide = has_wide_options(socket);
    if size == 0 && wide {
        let value = socket.with_fd(|fd| get_wide(fd, level, option))?;
        return Ok(vm.ctx.new_int(value).into());
    }
    if size == 0 {
        let value = socket.with_fd(|fd| system::get_option_int(fd, level, option))?;
        return Ok(vm.ctx.new_int(value).into());
    }
    if wide {
        let text = "getsockopt string buffer not allowed";
        return Err(vm.new_os_error(text).into());
    }
    let mut value = match usize::try_from(size) {
        Ok(size) if size <= LONGEST_OPTION => vec![0; size],
        _ => return Err(vm.new_os_error("getsockopt buflen out of range").into()),
    };
    let length = socket.with_fd(|fd| system::get_option(fd, level, option, &mut value))?;
    value.truncate(length);
    Ok(vm.ctx.new_bytes(value).into())
}

/// AF_VSOCK's options are numbers of 64 bits (linux/vm_sockets.h), and CPython knows no others for its sockets.
fn has_wide_options(socket: &PySocket) -> bool {
    socket.family() == libc::AF_VSOCK
}

/// An option of 64 bits; those of all sockets have fewer, which the kernel says.
fn get_wide(fd: BorrowedFd<'_>, level: i32, option: i32) -> io::Result<u64> {
    let mut value = [0; size_of::<u64>()];
    let length = system::get_option(fd, level, option, &mut value)?;
    Ok(match value.first_chunk() {
        Some(half) if length == half.len() => u32::from_ne_bytes(*half).into(),
        _ => u64::from_ne_bytes(value),
    })
}

pub(super) fn set(
    socket: &PySocket,
    level: i32,
    option: i32,
    value: &PyObject,
    length: Option<&PyObjectRef>,
    vm: &VirtualMachine,
) -> Result<(), Failure> {
    if has_wide_options(socket) {
        return set_wide(socket, level, option, value, length, vm);
    }
    if let Some(length) = length {
        // Of the arguments that are none of the three forms, CPython complains as of too many.
        let length = vm.is_none(value).then(|| null_length(vm, length)).flatten();
        let Some(length) = length else {
            return Err(vm
                .new_type_error("setsockopt() takes exactly 3 arguments (4 given)")
                .into());
        };
        return socket.with_fd(|fd| system::set_option_null(fd, level, option, length));
    }
    if let Some(CInt(value)) = int_value(vm, value) {
        return socket.with_fd(|fd| system::set_option(fd, level, option, &value.to_ne_bytes()));
    }
    let value = ReadMemory::try_from_borrowed_object(vm, value)?;
    let value = value.borrow();
    socket.with_fd(|fd| system::set_option(fd, level, option, &value))
}

/// The length of a null pointer's option, as CPython takes an unsigned C int: without a check of its range.
fn null_length(vm: &VirtualMachine, length: &PyObject) -> Option<u32> {
    length.try_index(vm).ok().map(|length| length.as_u32_mask())
}

/// An option's value as an integer; None for what has to be a buffer, as CPython has it: integers out of range, too.
fn int_value(vm: &VirtualMachine, value: &PyObject) -> Option<CInt> {
    if value.downcast_ref::<PyInt>().is_none() && value.check_buffer() {
        return None;
    }
    CInt::try_from_borrowed_object(vm, value).ok()
}

fn set_wide(
    socket: &PySocket,
    level: i32,
    option: i32,
    value: &PyObject,
    length: Option<&PyObjectRef>,
    vm: &VirtualMachine,
) -> Result<(), Failure> {
    if length.is_some() {
        let text = "setsockopt() takes exactly 3 arguments (4 given)";
        return Err(vm.new_type_error(text).into());
    }
    let value = address::unsigned_long(vm, "setsockopt() argument 3", value)?;
    socket.with_fd(|fd| system::set_option(fd, level, option, &value.to_ne_bytes()))
}

/// A timeout in nanoseconds from Python's seconds, rounded up: never early (as CPython's `_PyTime_ROUND_TIMEOUT`).
pub(super) fn timeout_argument(vm: &VirtualMachine, timeout: &PyObject) -> PyResult<i64> {
    if vm.is_none(timeout) {
        return Ok(Timeout::NONE);
    }
    let too_large = || vm.new_overflow_error("timestamp out of range for C PyTime_t");
    let nanoseconds = if let Some(seconds) = timeout.downcast_ref::<PyFloat>() {
        let seconds = seconds.to_f64();
        if seconds.is_nan() {
            return Err(vm.new_value_error("Invalid value NaN (not a number)"));
        }
        let nanoseconds = seconds * 1e9;
        let rounded = if nanoseconds >= 0.0 {
            nanoseconds.ceil()
        } else {
            nanoseconds.floor()
        };
        rounded.to_i64().ok_or_else(too_large)?
    } else {
        let Some(seconds) = timeout.try_index_opt(vm) else {
            return Err(vm.new_type_error(format!(
                "'{}' object cannot be interpreted as an integer or float",
                timeout.class().name()
            )));
        };
        seconds?
            .as_bigint()
            .to_i64()
            .and_then(|seconds| seconds.checked_mul(1_000_000_000))
            .ok_or_else(too_large)?
    };
    if nanoseconds < 0 {
        return Err(vm.new_value_error("Timeout value out of range"));
    }
    Ok(nanoseconds)
}

pub(super) fn timeout_seconds(nanoseconds: i64) -> Option<f64> {
    (nanoseconds >= 0).then(|| nanoseconds as f64 / 1e9)
}

/// Sets the timeout and the descriptor's mode, and lets the calls that wait already look again.
pub(super) fn set_timeout(socket: &PySocket, nanoseconds: i64) -> Result<(), Failure> {
    socket.timeout.set(nanoseconds);
    socket.on_open(|source| {
        source
            .set_nonblocking(nanoseconds != Timeout::NONE)
            .transpose()?;
        source.wake_waiters();
        Ok(())
    })
}

/// `getdefaulttimeout()`.
pub(crate) fn default_timeout_seconds(vm: &VirtualMachine) -> Option<f64> {
    timeout_seconds(default_timeout::get(vm))
}

/// `setdefaulttimeout()`.
pub(crate) fn set_default_timeout(vm: &VirtualMachine, timeout: &PyObject) -> PyResult<()> {
    default_timeout::set(vm, timeout_argument(vm, timeout)?);
    Ok(())
}
