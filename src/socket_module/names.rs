//! Host names: how they are given, what they resolve to, and the look-up functions of `_socket`.

use std::{
    ffi::{CStr, CString},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use rustpython_vm::{
    AsObject, PyObject, PyResult, VirtualMachine,
    builtins::{PyBaseExceptionRef, PyByteArray, PyBytes, PyStr, PyStrRef},
};
use socket2::SockAddr;

use super::{name_errors, resolvers};
use crate::{
    blocking_bridge::block_on,
    dns::{self, AddrInfo, EaiError, Hints, numeric},
};

/// The host of a socket address: str, bytes or bytearray.
///
/// As in CPython an ASCII str is taken as it is, and every other str through the `idna` codec.
pub(crate) fn host_argument(vm: &VirtualMachine, object: &PyObject) -> PyResult<CString> {
    let bytes = if let Some(text) = object.downcast_ref::<PyStr>() {
        if text.kind().is_ascii() {
            text.as_bytes().to_vec()
        } else {
            encode_idna(vm, text.to_owned()).map_err(|error| {
                // Whatever was wrong with the name; an interrupt stays one.
                if error.fast_isinstance(vm.ctx.exceptions.exception_type) {
                    vm.new_type_error("encoding of hostname failed")
                } else {
                    error
                }
            })?
        }
    } else if let Some(bytes) = binary(object) {
        bytes
    } else {
        let class = object.class().name().to_string();
        let text = format!("str, bytes or bytearray expected, not {class}");
        return Err(vm.new_type_error(text));
    };
    CString::new(bytes).map_err(|_| vm.new_type_error("host name must not contain null character"))
}

fn binary(object: &PyObject) -> Option<Vec<u8>> {
    if let Some(bytes) = object.downcast_ref::<PyBytes>() {
        Some(bytes.as_bytes().to_vec())
    } else {
        let array = object.downcast_ref::<PyByteArray>()?;
        Some(array.borrow_buf().to_vec())
    }
}

/// A host name in the `idna` encoding.
///
/// The codec leaves ASCII as it is, if every label has 1 to 63 bytes (the last may be empty), so such a name, which is
/// nearly every one, does without it: the codec is Python code.
pub(super) fn encode_idna(vm: &VirtualMachine, text: PyStrRef) -> PyResult<Vec<u8>> {
    if text.kind().is_ascii() {
        let name = text.as_bytes();
        let relative = name.strip_suffix(b".").unwrap_or(name);
        let plain = |label: &[u8]| (1..64).contains(&label.len());
        if name.is_empty() || relative.split(|byte| *byte == b'.').all(plain) {
            return Ok(name.to_vec());
        }
    }
    let codecs = &vm.state.codec_registry;
    let encoded = codecs.encode_text(text, "idna", None, vm)?;
    Ok(encoded.as_bytes().to_vec())
}

/// The host argument of a look-up function; every str goes by the rules of the `idna` codec.
fn lookup_argument(vm: &VirtualMachine, object: &PyObject, function: &str) -> PyResult<CString> {
    let wrong = |expected: &str| {
        let class = if vm.is_none(object) {
            "None".to_owned()
        } else {
            object.class().name().to_string()
        };
        vm.new_type_error(format!(
            "{function}() argument 1 must be {expected}, not {class}"
        ))
    };
    let bytes = match object.downcast_ref::<PyStr>() {
        Some(text) => encode_idna(vm, text.to_owned())?,
        None => binary(object).ok_or_else(|| wrong("str, bytes or bytearray"))?,
    };
    CString::new(bytes).map_err(|_| wrong("encoded string without null bytes"))
}

/// A str argument as a C string; `what` begins the TypeError for anything else.
pub(super) fn c_string(vm: &VirtualMachine, object: &PyObject, what: &str) -> PyResult<CString> {
    let Some(text) = object.downcast_ref::<PyStr>() else {
        let class = if vm.is_none(object) {
            "None".to_owned()
        } else {
            object.class().name().to_string()
        };
        return Err(vm.new_type_error(format!("{what} must be str, not {class}")));
    };
    let text = text.try_as_utf8(vm)?.as_str();
    CString::new(text).map_err(|_| vm.new_value_error("embedded null character"))
}

/// The address of a host for a socket of `family`, with port 0: `''` is any address, `'<broadcast>'` the broadcast
/// address, a numeric address itself, and everything else is looked up. Of several answers it is the first.
pub(crate) fn resolve_host(vm: &VirtualMachine, host: &CStr, family: i32) -> PyResult<SockAddr> {
    let inet = matches!(family, libc::AF_UNSPEC | libc::AF_INET);
    let inet6 = matches!(family, libc::AF_UNSPEC | libc::AF_INET6);
    let at = |address: IpAddr| SockAddr::from(SocketAddr::new(address, 0));
    match host.to_bytes() {
        b"" => {
            return match family {
                libc::AF_INET => Ok(at(Ipv4Addr::UNSPECIFIED.into())),
                libc::AF_INET6 => Ok(at(Ipv6Addr::UNSPECIFIED.into())),
                libc::AF_UNSPEC => Err(vm.new_os_error("wildcard resolved to multiple address")),
                _ => Err(name_errors::gaierror(vm, &EaiError::new(libc::EAI_FAMILY))),
            };
        }
        b"255.255.255.255" | b"<broadcast>" => {
            if !inet {
                return Err(vm.new_os_error("address family mismatched"));
            }
            return Ok(at(Ipv4Addr::BROADCAST.into()));
        }
        _ => {}
    }
    if inet && let Ok(Some(address)) = numeric::parse(libc::AF_INET, host) {
        return Ok(at(address));
    }
    // A scoped address is none to this parser, and needs the interface's index from the resolver.
    if inet6 && let Ok(Some(address)) = numeric::parse(libc::AF_INET6, host) {
        return Ok(at(address));
    }
    let hints = Hints {
        family,
        ..Hints::default()
    };
    let answers = resolve(vm, Some(host.to_owned()), None, hints)?;
    let first = answers.into_iter().next();
    let address = first.map(|info| info.address);
    match address {
        Some(address) if address.is_ipv4() || address.is_ipv6() => Ok(address),
        _ => Err(vm.new_os_error("unknown address family")),
    }
}

/// [`dns::Resolver::resolve`] for the calling Python thread.
fn resolve(
    vm: &VirtualMachine,
    host: Option<CString>,
    service: Option<CString>,
    hints: Hints,
) -> PyResult<Vec<AddrInfo>> {
    // A numeric host is not worth the way through the bridge.
    let answer = match dns::resolve_numeric(host.as_deref(), service.as_deref(), hints) {
        Some(answer) => answer,
        None => {
            let resolver = resolvers::of(vm);
            block_on(vm, resolver.resolve(host, service, hints, None), None)?
        }
    };
    answer.map_err(|error| name_errors::gaierror(vm, &error))
}

pub(super) fn eai(vm: &VirtualMachine, code: i32) -> PyBaseExceptionRef {
    name_errors::gaierror(vm, &EaiError::new(code))
}

#[rustpython_vm::pymodule(sub, name = "_socket")]
pub(crate) mod functions {
    use std::{ffi::CString, net::SocketAddr, pin::pin};

    use futures_util::FutureExt;
    use rustpython_vm::{
        FromArgs, PyObjectRef, PyResult, TryFromObject, VirtualMachine,
        builtins::{PyDictRef, PyStr, PyStrRef, PyTuple, PyTypeRef},
        function::OptionalArg,
    };
    use socket2::SockAddr;

    use super::{
        super::{
            addrinfo::{GetAddrInfoArgs, Members, answer_tuples, decode},
            integers::{CInt, Masked},
            name_errors, resolvers,
        },
        c_string, eai, lookup_argument, numeric, resolve, resolve_host,
    };
    use crate::{
        blocking_bridge::block_on,
        dns::{self, AddrInfo, Hints, HostEntry, HostError},
        errors,
    };

    #[pyattr]
    fn gaierror(vm: &VirtualMachine) -> PyTypeRef {
        name_errors::gaierror_type(vm)
    }

    #[pyattr]
    fn herror(vm: &VirtualMachine) -> PyTypeRef {
        name_errors::herror_type(vm)
    }

    #[pyfunction]
    fn getaddrinfo(args: GetAddrInfoArgs, vm: &VirtualMachine) -> PyResult<Vec<PyObjectRef>> {
        answer_tuples(vm, answers(args, vm)?, None)
    }

    /// `getaddrinfo` with members of enumerations, which it takes from these two dictionaries.
    #[pyfunction]
    fn _getaddrinfo(
        families: PyDictRef,
        kinds: PyDictRef,
        args: GetAddrInfoArgs,
        vm: &VirtualMachine,
    ) -> PyResult<Vec<PyObjectRef>> {
        let members = Members { families, kinds };
        answer_tuples(vm, answers(args, vm)?, Some(&members))
    }

    fn answers(args: GetAddrInfoArgs, vm: &VirtualMachine) -> PyResult<Vec<AddrInfo>> {
        let question = args.question(vm)?;
        question.audit(vm)?;
        resolve(vm, question.host, question.service, question.hints)
    }

    #[pyfunction]
    fn getnameinfo(
        sockaddr: PyObjectRef,
        flags: CInt,
        vm: &VirtualMachine,
    ) -> PyResult<(PyStrRef, PyStrRef)> {
        let Some(tuple) = sockaddr.downcast_ref::<PyTuple>() else {
            return Err(vm.new_type_error("getnameinfo() argument 1 must be a tuple"));
        };
        let items = tuple.as_slice();
        let illegal = || vm.new_type_error("getnameinfo(): illegal sockaddr argument");
        let [host, port, rest @ ..] = items else {
            return Err(illegal());
        };
        if rest.len() > 2 {
            return Err(illegal());
        }
        if host.downcast_ref::<PyStr>().is_none() {
            return Err(illegal());
        }
        let host = c_string(vm, host, "getnameinfo(): host")?;
        let port = CInt::try_from_object(vm, port.clone())?.0;
        let masked = |item: Option<&PyObjectRef>| match item {
            Some(item) => Masked::try_from_object(vm, item.clone()).map(|masked| masked.0),
            None => Ok(0),
        };
        let flowinfo = masked(rest.first())?;
        let scope_id = masked(rest.get(1))?;
        // The flow label has 20 bits (RFC 8200).
        if flowinfo > 0xf_ffff {
            return Err(vm.new_overflow_error("getnameinfo(): flowinfo must be 0-1048575."));
        }
        vm.audit("socket.getnameinfo", || (sockaddr.clone(),))?;

        let service = CString::new(port.to_string()).map_err(|_| eai(vm, libc::EAI_SERVICE))?;
        let hints = Hints {
            flags: libc::AI_NUMERICHOST,
            // One kind of socket, for one answer.
            socktype: libc::SOCK_DGRAM,
            ..Hints::default()
        };
        let answers = resolve(vm, Some(host), Some(service), hints)?;
        let address = match &answers[..] {
            [only] => match only.address.as_socket() {
                Some(SocketAddr::V4(_)) if items.len() != 2 => {
                    return Err(vm.new_os_error("IPv4 sockaddr must be 2 tuple"));
                }
                Some(SocketAddr::V6(mut address)) => {
                    address.set_flowinfo(flowinfo.to_be());
                    address.set_scope_id(scope_id);
                    SockAddr::from(address)
                }
                _ => only.address.clone(),
            },
            _ => return Err(vm.new_os_error("sockaddr resolved to multiple addresses")),
        };
        let resolver = resolvers::of(vm);
        let mut answer = pin!(resolver.getnameinfo(address, flags.0));
        // Nobody is asked for figures, so a deadline that has passed must not matter.
        let at_once = (flags.0 & libc::NI_NUMERICHOST != 0)
            .then(|| answer.as_mut().now_or_never())
            .flatten();
        let info = match at_once {
            Some(info) => info,
            None => block_on(vm, answer, None)?,
        };
        let info = info.map_err(|error| name_errors::gaierror(vm, &error))?;
        Ok((decode(vm, info.host)?, decode(vm, info.service)?))
    }

    #[pyfunction]
    fn gethostbyname(host: PyObjectRef, vm: &VirtualMachine) -> PyResult<String> {
        let name = lookup_argument(vm, &host, "gethostbyname")?;
        vm.audit("socket.gethostbyname", || (host,))?;
        let address = resolve_host(vm, &name, libc::AF_INET)?;
        match address.as_socket_ipv4() {
            Some(v4) => Ok(v4.ip().to_string()),
            None => Err(vm.new_os_error("unknown address family")),
        }
    }

    #[pyfunction]
    fn gethostbyname_ex(host: PyObjectRef, vm: &VirtualMachine) -> PyResult<PyObjectRef> {
        let name = lookup_argument(vm, &host, "gethostbyname_ex")?;
        vm.audit("socket.gethostbyname", || (host,))?;
        // A name that does not resolve is a gaierror, not an herror.
        resolve_host(vm, &name, libc::AF_INET)?;
        let entry = block_on(
            vm,
            resolvers::of(vm).gethostbyname(name, libc::AF_INET),
            None,
        )?;
        host_tuple(vm, entry, libc::AF_INET)
    }

    #[pyfunction]
    fn gethostbyaddr(host: PyObjectRef, vm: &VirtualMachine) -> PyResult<PyObjectRef> {
        let name = lookup_argument(vm, &host, "gethostbyaddr")?;
        vm.audit("socket.gethostbyaddr", || (host,))?;
        let address = resolve_host(vm, &name, libc::AF_UNSPEC)?;
        let Some(socket) = address.as_socket() else {
            return Err(vm.new_os_error("unsupported address family"));
        };
        let entry = block_on(vm, resolvers::of(vm).gethostbyaddr(socket.ip()), None)?;
        host_tuple(vm, entry, i32::from(address.family()))
    }

    /// `(name, aliases, addresses)`.
    fn host_tuple(
        vm: &VirtualMachine,
        entry: Result<HostEntry, HostError>,
        family: i32,
    ) -> PyResult<PyObjectRef> {
        let entry = entry.map_err(|error| name_errors::herror(vm, &error))?;
        if entry.family != family {
            return Err(errors::from_errno(vm, libc::EAFNOSUPPORT));
        }
        let name = decode(vm, entry.name)?;
        let mut aliases = Vec::new();
        for alias in entry.aliases {
            aliases.push(decode(vm, alias)?.into());
        }
        let spelled = |address| vm.ctx.new_str(numeric::format(address)).into();
        let addresses = entry.addresses.into_iter().map(spelled).collect();
        let items = vec![
            name.into(),
            vm.ctx.new_list(aliases).into(),
            vm.ctx.new_list(addresses).into(),
        ];
        Ok(vm.ctx.new_tuple(items).into())
    }

    #[derive(FromArgs)]
    struct Protocol {
        // No Python value stands for its absence.
        #[pyarg(positional, optional, py_default = "...")]
        protocolname: OptionalArg<PyObjectRef>,
    }

    impl Protocol {
        fn name(self, vm: &VirtualMachine, what: &str) -> PyResult<Option<CString>> {
            self.protocolname
                .into_option()
                .map(|name| c_string(vm, &name, what))
                .transpose()
        }
    }

    /// A C string as an argument of an audit event.
    fn audited(vm: &VirtualMachine, text: Option<&CString>) -> PyObjectRef {
        match text {
            Some(text) => vm.ctx.new_str(text.to_string_lossy().into_owned()).into(),
            None => vm.ctx.none(),
        }
    }

    #[pyfunction]
    fn getservbyname(
        servicename: PyObjectRef,
        protocol: Protocol,
        vm: &VirtualMachine,
    ) -> PyResult<u16> {
        let name = c_string(vm, &servicename, "getservbyname() argument 1")?;
        let protocol = protocol.name(vm, "getservbyname() argument 2")?;
        vm.audit("socket.getservbyname", || {
            (audited(vm, Some(&name)), audited(vm, protocol.as_ref()))
        })?;
        vm.allow_threads(|| dns::getservbyname(&name, protocol.as_deref()))
            .ok_or_else(|| vm.new_os_error("service/proto not found"))
    }

    #[pyfunction]
    fn getservbyport(port: CInt, protocol: Protocol, vm: &VirtualMachine) -> PyResult<PyStrRef> {
        let protocol = protocol.name(vm, "getservbyport() argument 2")?;
        let port = u16::try_from(port.0)
            .map_err(|_| vm.new_overflow_error("getservbyport: port must be 0-65535."))?;
        vm.audit("socket.getservbyport", || {
            (port, audited(vm, protocol.as_ref()))
        })?;
        let name = vm.allow_threads(|| dns::getservbyport(port, protocol.as_deref()));
        match name {
            Some(name) => decode(vm, name),
            None => Err(vm.new_os_error("port/proto not found")),
        }
    }

    #[pyfunction]
    fn getprotobyname(name: PyObjectRef, vm: &VirtualMachine) -> PyResult<i32> {
        let name = c_string(vm, &name, "getprotobyname() argument 1")?;
        vm.allow_threads(|| dns::getprotobyname(&name))
            .ok_or_else(|| vm.new_os_error("protocol not found"))
    }
}
