//! AF_ALG, the kernel's Documentation/crypto/userspace-if.rst: `(type, name[, features[, mask]])`.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use rustpython_vm::{PyObject, PyObjectRef, PyResult, VirtualMachine};
use socket2::SockAddr;

use super::arguments::{self, unsigned_short};
use crate::sockaddr::alg::{Fields, KIND_MAX, encode};

pub(super) fn parse(vm: &VirtualMachine, address: &PyObject, caller: &str) -> PyResult<SockAddr> {
    let what = format_args!("{caller}(): AF_ALG");
    let form = || vm.new_type_error("AF_ALG address must be a tuple (type, name[, feat[, mask]])");
    let elements = arguments::tuple(vm, address, what)?;
    let ([kind, name], rest) = elements
        .split_first_chunk()
        .filter(|(_, rest)| rest.len() <= 2)
        .ok_or_else(form)?;
    let kind = arguments::text(vm, kind)?.ok_or_else(form)?;
    let name = arguments::text(vm, name)?.ok_or_else(form)?;
    let number = |at: usize| {
        rest.get(at)
            .map_or(Ok(0), |object| unsigned_short(vm, object))
    };
    let fields = Fields {
        kind: kind.as_bytes(),
        name: name.as_bytes(),
        features: number(0)?.into(),
        mask: number(1)?.into(),
    };
    encode(fields).ok_or_else(|| {
        let long = if kind.len() > KIND_MAX {
            "type"
        } else {
            "name"
        };
        vm.new_value_error(format!("AF_ALG {long} too long."))
    })
}

/// `(type, name, features, mask)`. The kernel gives no such address out.
pub(super) fn to_python(vm: &VirtualMachine, fields: Fields<'_>) -> PyObjectRef {
    let text = |bytes| vm.fsdecode(OsStr::from_bytes(bytes));
    vm.new_tuple((
        text(fields.kind),
        text(fields.name),
        fields.features,
        fields.mask,
    ))
    .into()
}
