//! Addresses: between the objects that Python programs pass and the `sockaddr` structures of the kernel.
//!
//! A family has a file of its own. The part that lays out bytes needs no VM and is tested alone; the part that takes a
//! Python object apart or builds one stands beside it. A new family is a file, one arm in [`parse`] and one in [`to_python`].

use std::{ffi::CString, slice};

use rustpython_vm::{
    PyObject, PyObjectRef, PyResult, VirtualMachine,
    builtins::{PyBaseExceptionRef, PyStr, PyTuple},
};
use socket2::{SockAddr, SockAddrStorage};

use crate::socket_module::names;

mod inet;
mod inet6;
#[cfg(all(test, feature = "cli"))]
mod python_tests;
mod unix;

/// The most bytes that an address of any family takes: `sizeof(struct sockaddr_storage)`.
const CAPACITY: usize = size_of::<SockAddrStorage>();

/// Bytes of `sa_family`, with which every address on Linux begins.
const FAMILY_SIZE: usize = size_of::<libc::sa_family_t>();

/// The socket address that `address` stands for in a socket of this family and protocol.
///
/// `caller` is the method's name, for messages. A host name is resolved, which can block and run signal handlers.
///
/// # Errors
///
/// CPython's: TypeError for a wrong type, OverflowError for a number out of range, OSError for a path that is too long
/// and for a family without an address form, and `gaierror` for a host that does not resolve.
pub(crate) fn parse(
    vm: &VirtualMachine,
    family: i32,
    _proto: i32,
    address: &PyObject,
    caller: &str,
) -> PyResult<SockAddr> {
    match family {
        libc::AF_INET => inet::parse(vm, address, caller),
        libc::AF_INET6 => inet6::parse(vm, address, caller),
        libc::AF_UNIX => unix::parse(vm, address),
        _ => Err(vm.new_os_error(format!("{caller}(): bad family"))),
    }
}

/// The Python form of an address that the kernel filled in.
///
/// An empty address, such as the sender's on a connected stream, is None. A family without a form of its own, and an
/// address too short for its family, become `(family, bytes after the family)`.
pub(crate) fn to_python(vm: &VirtualMachine, address: &SockAddr, _proto: i32) -> PyResult {
    let bytes = as_bytes(address);
    let Some(family) = family(bytes) else {
        return Ok(vm.ctx.none());
    };
    let known = match family {
        libc::AF_INET => inet::to_python(vm, bytes),
        libc::AF_INET6 => inet6::to_python(vm, bytes),
        libc::AF_UNIX => Some(unix::to_python(vm, bytes)),
        _ => None,
    };
    Ok(known.unwrap_or_else(|| {
        let data = bytes.get(FAMILY_SIZE..).unwrap_or_default().to_vec();
        let parts: Vec<PyObjectRef> =
            vec![vm.ctx.new_int(family).into(), vm.ctx.new_bytes(data).into()];
        vm.ctx.new_tuple(parts).into()
    }))
}

/// The bytes of an address, as many as its length says and its storage holds.
pub(crate) fn as_bytes(address: &SockAddr) -> &[u8] {
    // The kernel reports an address's full length even when it had to cut the address to fit.
    let len = usize::try_from(address.len()).map_or(CAPACITY, |len| len.min(CAPACITY));
    // SAFETY: the storage is `CAPACITY` bytes long and plain data, wholly initialised: `SockAddr` is only ever made
    // from a zeroed storage. It lives as long as `address`.
    unsafe { slice::from_raw_parts(address.as_ptr().cast::<u8>(), len) }
}

/// The address with these bytes; those beyond the largest address that there is are dropped.
fn from_bytes(bytes: &[u8]) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    let len = bytes.len().min(CAPACITY);
    // SAFETY: both are valid for `len` bytes, and a new local variable overlaps nothing. Any bytes are a valid
    // `sockaddr_storage`.
    unsafe {
        (&raw mut storage)
            .cast::<u8>()
            .copy_from_nonoverlapping(bytes.as_ptr(), len)
    };
    // SAFETY: the first `len` bytes of the storage are set, the others zero. That the bytes make sense for their
    // family is not needed for soundness: nothing here or in the kernel relies on it.
    unsafe { SockAddr::new(storage, len as libc::socklen_t) }
}

/// The family that an address begins with; None if it is too short to have one.
fn family(bytes: &[u8]) -> Option<i32> {
    bytes
        .first_chunk()
        .map(|family| i32::from(libc::sa_family_t::from_ne_bytes(*family)))
}

/// A big-endian port at its place in `sockaddr_in` and `sockaddr_in6`, which is the same.
fn port(bytes: &[u8]) -> Option<u16> {
    let bytes = bytes.get(FAMILY_SIZE..)?.first_chunk()?;
    Some(u16::from_be_bytes(*bytes))
}

/// The host part of an Internet address, its type checked and its name not yet looked up.
enum Host<A> {
    Address(A),
    Name(CString),
}

impl<A> Host<A> {
    /// Takes `host` apart; `numeric` knows the addresses that need no look-up.
    ///
    /// # Errors
    ///
    /// TypeError for what is not a str, bytes or bytearray, contains NUL or cannot be encoded.
    fn new(vm: &VirtualMachine, host: &PyObject, numeric: fn(&str) -> Option<A>) -> PyResult<Self> {
        // Most hosts are numeric, and this way they are neither encoded nor copied.
        if let Some(text) = host.downcast_ref_if_exact::<PyStr>(vm)
            && let Some(address) = text.to_str().and_then(numeric)
        {
            return Ok(Self::Address(address));
        }
        names::host_argument(vm, host).map(Self::Name)
    }

    /// The address; a name is looked up. `decode` reads it out of a `sockaddr` of the family.
    fn address(
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
                let fits = self::family(bytes) == Some(family);
                fits.then(|| decode(bytes))
                    .flatten()
                    .ok_or_else(|| vm.new_os_error("address family mismatched".to_owned()))
            }
        }
    }
}

/// The elements of an Internet address's tuple.
fn tuple<'a>(
    vm: &VirtualMachine,
    address: &'a PyObject,
    caller: &str,
    family: &str,
) -> PyResult<&'a [PyObjectRef]> {
    match address.downcast_ref::<PyTuple>() {
        Some(tuple) => Ok(tuple.as_slice()),
        None => Err(vm.new_type_error(format!(
            "{caller}(): {family} address must be tuple, not {}",
            address.class().slot_name()
        ))),
    }
}

/// A port as a C `int`, its range not yet checked: CPython looks the host up in between.
fn port_argument(vm: &VirtualMachine, port: &PyObject, caller: &str) -> PyResult<i32> {
    let port = port.try_index(vm)?;
    i32::try_from(port.as_bigint()).map_err(|_| bad_port(vm, caller))
}

fn checked_port(vm: &VirtualMachine, port: i32, caller: &str) -> PyResult<u16> {
    u16::try_from(port).map_err(|_| bad_port(vm, caller))
}

fn bad_port(vm: &VirtualMachine, caller: &str) -> PyBaseExceptionRef {
    vm.new_overflow_error(format!("{caller}(): port must be 0-65535."))
}

#[cfg(test)]
mod tests {
    use super::{CAPACITY, as_bytes, family, from_bytes, inet, inet6, port, unix};

    /// Marsaglia's xorshift64: bytes without a pattern, the same ones at every run.
    struct Bytes(u64);

    impl Bytes {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        fn take(&mut self, len: usize) -> Vec<u8> {
            (0..len).map(|_| self.next() as u8).collect()
        }
    }

    #[test]
    fn any_bytes_are_an_address() {
        let mut bytes = Bytes(0x9e37_79b9_7f4a_7c15);
        for round in 0..20_000_usize {
            let mut data = bytes.take(round % (CAPACITY + 40));
            if let Some(start) = data.first_chunk_mut::<2>() {
                let known = [libc::AF_INET, libc::AF_INET6, libc::AF_UNIX, 0];
                *start = (known[round % 4] as u16).to_ne_bytes();
            }
            let address = from_bytes(&data);
            let kept = as_bytes(&address);
            assert_eq!(kept, &data[..data.len().min(CAPACITY)]);
            assert_eq!(family(kept).is_some(), kept.len() >= 2);
            assert_eq!(port(kept).is_some(), kept.len() >= 4);
            assert_eq!(inet::decode(kept).is_some(), kept.len() >= 8);
            assert_eq!(inet6::decode(kept).is_some(), kept.len() >= 24);
            match unix::decode(kept) {
                unix::Name::Path(path) => {
                    assert!(!path.contains(&0));
                    assert!(path.len() <= kept.len().saturating_sub(2));
                }
                unix::Name::Abstract(name) => {
                    assert_eq!(name, &kept[2..]);
                    assert_eq!(name[0], 0);
                }
            }
        }
    }

    #[test]
    fn a_length_beyond_the_storage_is_cut() {
        let mut address = from_bytes(&[1; CAPACITY]);
        // SAFETY: `as_bytes`, the only reader here, cuts the length down again.
        unsafe { address.set_length(CAPACITY as u32 + 1000) };
        assert_eq!(as_bytes(&address).len(), CAPACITY);
    }

    #[test]
    fn an_empty_address_has_no_family() {
        assert_eq!(family(as_bytes(&from_bytes(&[]))), None);
        assert_eq!(family(&[7]), None);
        assert_eq!(family(&libc::AF_UNIX.to_ne_bytes()), Some(libc::AF_UNIX));
    }
}
