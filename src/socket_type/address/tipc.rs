//! AF_TIPC, linux/tipc.h: `(address type, v1, v2, v3[, scope])`.
//!
//! The three values are type, lower and upper instance of a service range; type and instance of a service; node and
//! reference of a socket.

use rustpython_vm::{PyObject, PyObjectRef, PyResult, VirtualMachine};
use socket2::SockAddr;

use super::arguments::{self, unsigned_int};
use crate::sockaddr::tipc::{Fields, SERVICE_ADDRESS, SERVICE_RANGE, SOCKET_ADDRESS, encode};

/// `TIPC_CLUSTER_SCOPE`.
const DEFAULT_SCOPE: u32 = 2;

pub(super) fn parse(vm: &VirtualMachine, address: &PyObject, caller: &str) -> PyResult<SockAddr> {
    let what = format_args!("{caller}(): AF_TIPC");
    let (values, scope) = match arguments::tuple(vm, address, what)? {
        [values @ .., scope] if values.len() == 4 => (values, Some(scope)),
        values if values.len() == 4 => (values, None),
        _ => {
            return Err(vm.new_type_error(
                "AF_TIPC address must be a tuple (addr_type, v1, v2, v3[, scope])",
            ));
        }
    };
    let mut numbers = [0; 4];
    for (number, value) in numbers.iter_mut().zip(values) {
        *number = unsigned_int(vm, value)?;
    }
    let scope = scope.map_or(Ok(DEFAULT_SCOPE), |scope| unsigned_int(vm, scope))?;
    let [kind, first, second, third] = numbers;
    let kind = u8::try_from(kind).unwrap_or(0);
    let words = match kind {
        SERVICE_RANGE => [first, second, third],
        SERVICE_ADDRESS => [first, second, 0],
        SOCKET_ADDRESS => [second, first, 0],
        _ => return Err(vm.new_type_error("Invalid address type")),
    };
    Ok(encode(Fields {
        kind,
        // As in CPython, without a check of its range.
        scope: scope as i8,
        words,
    }))
}

/// `(address type, v1, v2, v3, scope)`; of a service, the instance is `v2` and `v3`, and a negative scope has the value
/// of C's `unsigned int`.
pub(super) fn to_python(vm: &VirtualMachine, fields: Fields) -> PyResult {
    let [first, second, third] = fields.words;
    let (v1, v2, v3) = match fields.kind {
        SERVICE_RANGE => (first, second, third),
        SERVICE_ADDRESS => (first, second, second),
        SOCKET_ADDRESS => (second, first, 0),
        _ => return Err(vm.new_value_error("Invalid address type")),
    };
    let scope = i32::from(fields.scope) as u32;
    let address: PyObjectRef = vm.new_tuple((fields.kind, v1, v2, v3, scope)).into();
    Ok(address)
}
