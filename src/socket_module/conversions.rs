//! The functions of `_socket` that only convert: byte order, address spellings, sizes of ancillary data.

#[rustpython_vm::pymodule(sub, name = "_socket")]
pub(crate) mod functions {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine, builtins::PyBytesRef};

    use super::super::{
        integers::{CInt, CSize, Unsigned},
        names::c_string,
    };
    use crate::{control_message, dns::numeric, errors, memory::ReadMemory};

    #[pyfunction]
    fn htons(integer: Unsigned<u16>) -> u16 {
        integer.0.to_be()
    }

    #[pyfunction]
    fn htonl(integer: Unsigned<u32>) -> u32 {
        integer.0.to_be()
    }

    #[pyfunction]
    fn ntohs(integer: Unsigned<u16>) -> u16 {
        u16::from_be(integer.0)
    }

    #[pyfunction]
    fn ntohl(integer: Unsigned<u32>) -> u32 {
        u32::from_be(integer.0)
    }

    #[pyfunction]
    fn inet_aton(ip_addr: PyObjectRef, vm: &VirtualMachine) -> PyResult<PyBytesRef> {
        let text = c_string(vm, &ip_addr, "inet_aton() argument")?;
        match numeric::parse_loose_ipv4(&text) {
            Some(address) => Ok(vm.ctx.new_bytes(address.octets().to_vec())),
            None => Err(vm.new_os_error("illegal IP address string passed to inet_aton")),
        }
    }

    #[pyfunction]
    fn inet_ntoa(packed_ip: ReadMemory, vm: &VirtualMachine) -> PyResult<String> {
        match <[u8; 4]>::try_from(&*packed_ip.borrow()) {
            Ok(packed) => Ok(Ipv4Addr::from(packed).to_string()),
            Err(_) => Err(vm.new_os_error("packed IP wrong length for inet_ntoa")),
        }
    }

    #[pyfunction]
    fn inet_pton(af: CInt, ip: PyObjectRef, vm: &VirtualMachine) -> PyResult<PyBytesRef> {
        let text = c_string(vm, &ip, "inet_pton() argument 2")?;
        let packed = match numeric::parse(af.0, &text) {
            Ok(Some(IpAddr::V4(address))) => address.octets().to_vec(),
            Ok(Some(IpAddr::V6(address))) => address.octets().to_vec(),
            Ok(None) => {
                return Err(vm.new_os_error("illegal IP address string passed to inet_pton"));
            }
            Err(error) => return Err(errors::from_io(vm, &error)),
        };
        Ok(vm.ctx.new_bytes(packed))
    }

    #[pyfunction]
    fn inet_ntop(af: CInt, packed_ip: ReadMemory, vm: &VirtualMachine) -> PyResult<String> {
        let packed = &*packed_ip.borrow();
        let address = match af.0 {
            libc::AF_INET => <[u8; 4]>::try_from(packed).map(|v4| Ipv4Addr::from(v4).into()),
            libc::AF_INET6 => <[u8; 16]>::try_from(packed).map(|v6| Ipv6Addr::from(v6).into()),
            family => {
                return Err(vm.new_value_error(format!("unknown address family {family}")));
            }
        };
        match address {
            Ok(address) => Ok(numeric::format(address)),
            Err(_) => Err(vm.new_value_error("invalid length of packed IP address string")),
        }
    }

    #[pyfunction(name = "CMSG_LEN")]
    fn cmsg_len(length: CSize, vm: &VirtualMachine) -> PyResult<usize> {
        usize::try_from(length.0)
            .ok()
            .and_then(control_message::cmsg_len)
            .ok_or_else(|| vm.new_overflow_error("CMSG_LEN() argument out of range"))
    }

    #[pyfunction(name = "CMSG_SPACE")]
    fn cmsg_space(length: CSize, vm: &VirtualMachine) -> PyResult<usize> {
        usize::try_from(length.0)
            .ok()
            .and_then(control_message::cmsg_space)
            .ok_or_else(|| vm.new_overflow_error("CMSG_SPACE() argument out of range"))
    }
}
