//! Host and port of an Internet address.

use std::ffi::CString;

use num_traits::FromPrimitive;
use rustpython_vm::{
    PyObject, PyResult, VirtualMachine,
    builtins::{PyBaseExceptionRef, PyInt, PyStr},
};

use crate::{
    sockaddr::{self, as_bytes},
    socket_module::names,
};

/// The host part of an Internet address, its type checked and its name not yet looked up.
pub(super) enum Host<A> {
    Address(A),
    Name(CString),
}

impl<A> Host<A> {
    /// Takes `host` apart; `numeric` knows the addresses that need no look-up.
    ///
    /// # Errors
    ///
    /// TypeError for what is not a str, bytes or bytearray, contains NUL or cannot be encoded.
    pub(super) fn new(
        vm: &VirtualMachine,
        host: &PyObject,
        numeric: fn(&str) -> Option<A>,
    ) -> PyResult<Self> {
        // Most hosts are numeric, and this way they are neither encoded nor copied.
        if let Some(address) = constant_host(vm, host, numeric) {
            return Ok(Self::Address(address));
        }
        names::host_argument(vm, host).map(Self::Name)
    }

    /// The address; a name is looked up. `decode` reads it out of a `sockaddr` of the family.
    pub(super) fn address(
        self,
        vm: &VirtualMachine,
        family: i32,
        decode: fn(&[u8]) -> Option<A>,
    ) -> PyResult<A> {
        match self {
            Self::Address(address) => Ok(address),
            Self::Name(name) => {
                let found = names::resolve_host(vm, &name, family)?;
                let bytes = as_bytes(&found);
                let fits = sockaddr::family(bytes) == Some(family);
                fits.then(|| decode(bytes))
                    .flatten()
                    .ok_or_else(|| vm.new_os_error("address family mismatched".to_owned()))
            }
        }
    }
}

/// A host that needs no look-up, and is of the class `str` itself.
pub(super) fn constant_host<A>(
    vm: &VirtualMachine,
    host: &PyObject,
    numeric: fn(&str) -> Option<A>,
) -> Option<A> {
    let text = host.downcast_ref_if_exact::<PyStr>(vm)?;
    text.to_str().and_then(numeric)
}

/// A number in its range, of the class `int` itself.
pub(super) fn constant_number<N: FromPrimitive>(
    vm: &VirtualMachine,
    number: &PyObject,
) -> Option<N> {
    let number = number.downcast_ref_if_exact::<PyInt>(vm)?;
    N::from_i64(i64::try_from(number.as_bigint()).ok()?)
}

/// A port as a C `int`, its range not yet checked: CPython looks the host up in between.
pub(super) fn port_argument(vm: &VirtualMachine, port: &PyObject, caller: &str) -> PyResult<i32> {
    let port = port.try_index(vm)?;
    i32::try_from(port.as_bigint()).map_err(|_| bad_port(vm, caller))
}

pub(super) fn checked_port(vm: &VirtualMachine, port: i32, caller: &str) -> PyResult<u16> {
    u16::try_from(port).map_err(|_| bad_port(vm, caller))
}

fn bad_port(vm: &VirtualMachine, caller: &str) -> PyBaseExceptionRef {
    vm.new_overflow_error(format!("{caller}(): port must be 0-65535."))
}
