//! What `getaddrinfo` is asked and what it answers, between Python and [`dns`](crate::dns).

use std::{ffi::CString, net::SocketAddr};

use rustpython_vm::{
    AsObject, FromArgs, Py, PyObject, PyObjectRef, PyResult, VirtualMachine,
    builtins::{PyBytes, PyDict, PyDictRef, PyStr, PyStrRef},
};
use socket2::SockAddr;

use super::{
    integers::CInt,
    names::{eai, encode_idna},
};
use crate::{
    dns::{AddrInfo, Hints, numeric},
    sockaddr::inet::Quad,
};

/// The arguments of `getaddrinfo`.
#[derive(FromArgs)]
pub(crate) struct GetAddrInfoArgs {
    #[pyarg(any)]
    host: PyObjectRef,
    #[pyarg(any)]
    port: PyObjectRef,
    #[pyarg(any, default, py_default = "0")]
    family: CInt,
    #[pyarg(any, name = "type", default, py_default = "0")]
    socktype: CInt,
    #[pyarg(any, default, py_default = "0")]
    proto: CInt,
    #[pyarg(any, default, py_default = "0")]
    flags: CInt,
}

/// What is asked with them.
pub(crate) struct Question {
    pub(crate) host: Option<CString>,
    pub(crate) service: Option<CString>,
    pub(crate) hints: Hints,
    /// The arguments as they were given.
    given: (PyObjectRef, PyObjectRef),
}

impl GetAddrInfoArgs {
    pub(crate) fn question(self, vm: &VirtualMachine) -> PyResult<Question> {
        let host = getaddrinfo_host(vm, &self.host)?;
        let service = getaddrinfo_service(vm, &self.port)?;
        Ok(Question {
            // CPython cuts both at a NUL and asks for what stands before it: another host than the one that was named.
            host: c_text(host).map_err(|_| eai(vm, libc::EAI_NONAME))?,
            service: c_text(service).map_err(|_| eai(vm, libc::EAI_SERVICE))?,
            hints: Hints {
                flags: self.flags.0,
                family: self.family.0,
                socktype: self.socktype.0,
                protocol: self.proto.0,
            },
            given: (self.host, self.port),
        })
    }
}

impl Question {
    /// Raises the audit event that every look-up begins with.
    pub(crate) fn audit(&self, vm: &VirtualMachine) -> PyResult<()> {
        vm.audit("socket.getaddrinfo", || {
            let (host, port) = self.given.clone();
            let hints = &self.hints;
            (host, port, hints.family, hints.socktype, hints.protocol)
        })
    }
}

fn c_text(text: Option<Vec<u8>>) -> Result<Option<CString>, std::ffi::NulError> {
    text.map(CString::new).transpose()
}

fn getaddrinfo_host(vm: &VirtualMachine, host: &PyObject) -> PyResult<Option<Vec<u8>>> {
    if vm.is_none(host) {
        Ok(None)
    } else if let Some(text) = host.downcast_ref::<PyStr>() {
        encode_idna(vm, text.to_owned()).map(Some)
    } else if let Some(bytes) = host.downcast_ref::<PyBytes>() {
        Ok(Some(bytes.as_bytes().to_vec()))
    } else {
        Err(vm.new_type_error("getaddrinfo() argument 1 must be string or None"))
    }
}

fn getaddrinfo_service(vm: &VirtualMachine, port: &PyObject) -> PyResult<Option<Vec<u8>>> {
    if let Some(number) = port.try_index_opt(vm) {
        let number = number?;
        Ok(Some(match i64::try_from(number.as_bigint()) {
            Ok(number) => number.to_string().into_bytes(),
            // Whatever its size: the range is the resolver's to judge.
            Err(_) => number.as_object().str(vm)?.as_bytes().to_vec(),
        }))
    } else if let Some(text) = port.downcast_ref::<PyStr>() {
        Ok(Some(text.try_as_utf8(vm)?.as_str().into()))
    } else if let Some(bytes) = port.downcast_ref::<PyBytes>() {
        Ok(Some(bytes.as_bytes().to_vec()))
    } else if vm.is_none(port) {
        Ok(None)
    } else {
        Err(vm.new_os_error("Int or String expected"))
    }
}

/// The members of the enumerations `AddressFamily` and `SocketKind`, by their numbers.
pub(crate) struct Members {
    pub(crate) families: PyDictRef,
    pub(crate) kinds: PyDictRef,
}

impl Members {
    fn of(members: &Py<PyDict>, number: i32, vm: &VirtualMachine) -> PyResult {
        let number: PyObjectRef = vm.ctx.new_int(number).into();
        let member = members.get_item_opt(&*number, vm)?;
        Ok(member.unwrap_or(number))
    }
}

/// The list that `getaddrinfo` returns, with plain numbers for families and types if there are no `members`.
pub(crate) fn answer_tuples(
    vm: &VirtualMachine,
    answers: Vec<AddrInfo>,
    members: Option<&Members>,
) -> PyResult<Vec<PyObjectRef>> {
    // One address comes with each type of socket, one after the other.
    let mut last: Option<(SockAddr, PyObjectRef)> = None;
    let mut tuples = Vec::with_capacity(answers.len());
    for info in answers {
        let address = match &last {
            Some((address, tuple)) if *address == info.address => tuple.clone(),
            _ => {
                let tuple = address_tuple(vm, &info.address);
                last = Some((info.address, tuple.clone()));
                tuple
            }
        };
        let (family, kind) = match members {
            Some(Members { families, kinds }) => (
                Members::of(families, info.family, vm)?,
                Members::of(kinds, info.socktype, vm)?,
            ),
            None => (
                vm.ctx.new_int(info.family).into(),
                vm.ctx.new_int(info.socktype).into(),
            ),
        };
        let name = match info.canonical_name {
            Some(name) => decode(vm, name)?.into(),
            None => vm.ctx.empty_str.to_owned().into(),
        };
        let protocol = vm.ctx.new_int(info.protocol).into();
        let items = vec![family, kind, protocol, name, address];
        tuples.push(vm.ctx.new_tuple(items).into());
    }
    Ok(tuples)
}

/// Text of the C library, which CPython takes for UTF-8.
pub(super) fn decode(vm: &VirtualMachine, bytes: Vec<u8>) -> PyResult<PyStrRef> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(vm.ctx.new_str(text)),
        Err(error) => {
            let bytes = vm.ctx.new_bytes(error.into_bytes());
            let codecs = &vm.state.codec_registry;
            codecs.decode_text(bytes.into(), "utf-8", None, vm)
        }
    }
}

/// `(host, port)` or `(host, port, flowinfo, scope_id)`.
fn address_tuple(vm: &VirtualMachine, address: &SockAddr) -> PyObjectRef {
    let ctx = &vm.ctx;
    let items = match address.as_socket() {
        Some(SocketAddr::V4(v4)) => vec![
            ctx.new_str(Quad::new(*v4.ip()).as_str()).into(),
            ctx.new_int(v4.port()).into(),
        ],
        Some(SocketAddr::V6(v6)) => vec![
            ctx.new_str(numeric::format((*v6.ip()).into())).into(),
            ctx.new_int(v6.port()).into(),
            // The kernel and the C library keep it in network byte order.
            ctx.new_int(u32::from_be(v6.flowinfo())).into(),
            ctx.new_int(v6.scope_id()).into(),
        ],
        // getaddrinfo(3) knows no other families.
        None => vec![],
    };
    ctx.new_tuple(items).into()
}
