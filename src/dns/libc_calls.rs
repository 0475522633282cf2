//! The C library's look-ups with owned results. Every function here blocks for as long as the C library does.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    io, mem,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ptr,
};

use libc::{hostent, protoent, servent, size_t, socklen_t};
use socket2::{SockAddr, SockAddrStorage};

use super::{AddrInfo, EaiError, Hints, HostEntry, HostError, NameInfo};

// What the `libc` crate lacks on Linux.
unsafe extern "C" {
    fn getnameinfo(
        address: *const libc::sockaddr,
        address_len: socklen_t,
        host: *mut c_char,
        host_len: socklen_t,
        service: *mut c_char,
        service_len: socklen_t,
        flags: c_int,
    ) -> c_int;
    fn gethostbyname2_r(
        name: *const c_char,
        family: c_int,
        entry: *mut hostent,
        buffer: *mut c_char,
        buffer_len: size_t,
        result: *mut *mut hostent,
        h_errno: *mut c_int,
    ) -> c_int;
    fn gethostbyaddr_r(
        address: *const c_void,
        address_len: socklen_t,
        family: c_int,
        entry: *mut hostent,
        buffer: *mut c_char,
        buffer_len: size_t,
        result: *mut *mut hostent,
        h_errno: *mut c_int,
    ) -> c_int;
    fn getservbyname_r(
        name: *const c_char,
        protocol: *const c_char,
        entry: *mut servent,
        buffer: *mut c_char,
        buffer_len: size_t,
        result: *mut *mut servent,
    ) -> c_int;
    fn getservbyport_r(
        port: c_int,
        protocol: *const c_char,
        entry: *mut servent,
        buffer: *mut c_char,
        buffer_len: size_t,
        result: *mut *mut servent,
    ) -> c_int;
    fn getprotobyname_r(
        name: *const c_char,
        entry: *mut protoent,
        buffer: *mut c_char,
        buffer_len: size_t,
        result: *mut *mut protoent,
    ) -> c_int;
}

/// `NI_MAXSERV` of `netdb.h`.
const MAX_SERVICE: usize = 32;
const MAX_HOST: usize = libc::NI_MAXHOST as usize;

fn pointer(text: Option<&CStr>) -> *const c_char {
    text.map_or(ptr::null(), CStr::as_ptr)
}

fn eai_error(code: i32) -> EaiError {
    let errno = (code == libc::EAI_SYSTEM).then(|| io::Error::last_os_error().raw_os_error());
    EaiError {
        code,
        errno: errno.flatten(),
    }
}

pub(super) fn gai_strerror(code: i32) -> String {
    // SAFETY: gai_strerror(3) returns a constant text for every number.
    text_or_empty(unsafe { libc::gai_strerror(code) })
}

pub(super) fn hstrerror(code: i32) -> String {
    // SAFETY: hstrerror(3) returns a constant text for every number.
    text_or_empty(unsafe { libc::hstrerror(code) })
}

fn text_or_empty(text: *const c_char) -> String {
    // SAFETY: the callers' texts are constants of the C library.
    unsafe { owned(text) }.map_or_else(String::new, |text| {
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// A copy of a C string; `None` for a null pointer.
///
/// # Safety
/// `text` is null, or ends in NUL and is not changed during the call.
unsafe fn owned(text: *const c_char) -> Option<Vec<u8>> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { CStr::from_ptr(text) }.to_bytes().to_vec())
}

/// Frees a list that getaddrinfo(3) handed out.
struct AddrInfoList(*mut libc::addrinfo);

impl Drop for AddrInfoList {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the list came from getaddrinfo(3) and is freed once.
            unsafe { libc::freeaddrinfo(self.0) };
        }
    }
}

/// Whether getaddrinfo(3) takes `host` for an address of figures, of any family.
pub(super) fn is_numeric(host: &CStr) -> bool {
    let hints = Hints {
        flags: libc::AI_NUMERICHOST,
        socktype: libc::SOCK_STREAM,
        ..Hints::default()
    };
    getaddrinfo(Some(host), None, hints).is_ok()
}

pub(super) fn getaddrinfo(
    host: Option<&CStr>,
    service: Option<&CStr>,
    hints: Hints,
) -> Result<Vec<AddrInfo>, EaiError> {
    // SAFETY: an addrinfo is plain old data, and all zeros means "no hint".
    let mut request: libc::addrinfo = unsafe { mem::zeroed() };
    request.ai_flags = hints.flags;
    request.ai_family = hints.family;
    request.ai_socktype = hints.socktype;
    request.ai_protocol = hints.protocol;
    let mut list = AddrInfoList(ptr::null_mut());
    // SAFETY: the strings end in NUL or are null, `request` is initialised, `list` may be written.
    let code = unsafe { libc::getaddrinfo(pointer(host), pointer(service), &request, &mut list.0) };
    if code != 0 {
        return Err(eai_error(code));
    }
    let mut answers = Vec::new();
    let mut next = list.0;
    // SAFETY: getaddrinfo(3) promises a chain of entries that ends in null and lives until it is freed, at the end of
    // this function.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ai_next;
        // SAFETY: `ai_addr` has `ai_addrlen` bytes.
        let Some(address) = (unsafe { socket_address(entry.ai_addr, entry.ai_addrlen) }) else {
            continue;
        };
        answers.push(AddrInfo {
            family: entry.ai_family,
            socktype: entry.ai_socktype,
            protocol: entry.ai_protocol,
            // SAFETY: null or a string of this entry.
            canonical_name: unsafe { owned(entry.ai_canonname) },
            address,
        });
    }
    Ok(answers)
}

/// # Safety
/// `address` is null, or a socket address of `len` bytes.
unsafe fn socket_address(address: *const libc::sockaddr, len: socklen_t) -> Option<SockAddr> {
    let mut storage = SockAddrStorage::zeroed();
    if address.is_null() || len > storage.size_of() {
        return None;
    }
    // SAFETY: the caller promises `len` bytes at `address`, and they fit. They are a socket address, so family and length
    // are its own.
    unsafe {
        ptr::copy_nonoverlapping(
            address.cast::<u8>(),
            (&raw mut storage).cast::<u8>(),
            len as usize,
        );
        Some(SockAddr::new(storage, len))
    }
}

pub(super) fn getnameinfo_of(address: &SockAddr, flags: i32) -> Result<NameInfo, EaiError> {
    let mut host = [0u8; MAX_HOST];
    let mut service = [0u8; MAX_SERVICE];
    // SAFETY: `address` has the length it states, and both buffers the room that is stated.
    let code = unsafe {
        getnameinfo(
            address.as_ptr().cast(),
            address.len(),
            host.as_mut_ptr().cast(),
            MAX_HOST as socklen_t,
            service.as_mut_ptr().cast(),
            MAX_SERVICE as socklen_t,
            flags,
        )
    };
    if code != 0 {
        return Err(eai_error(code));
    }
    let until_nul = |buffer: &[u8]| {
        let text = buffer.split(|byte| *byte == 0).next();
        text.unwrap_or_default().to_vec()
    };
    Ok(NameInfo {
        host: until_nul(&host),
        service: until_nul(&service),
    })
}

/// Calls a look-up that writes its strings into a buffer, with a larger buffer as long as it answers ERANGE. The call
/// is given the buffer and its size in bytes; `None` means that no answer fits into any sensible buffer.
fn with_buffer<T>(mut call: impl FnMut(*mut c_char, size_t) -> (c_int, T)) -> Option<T> {
    const FIRST: usize = 8 * 1024;
    const LARGEST: usize = 4 * 1024 * 1024;
    let mut size = FIRST;
    while size <= LARGEST {
        // Words, because the entries in it are pointers.
        let mut buffer = vec![0u64; size / mem::size_of::<u64>()];
        match call(buffer.as_mut_ptr().cast(), size) {
            (libc::ERANGE, _) => size *= 4,
            (_, answer) => return Some(answer),
        }
    }
    None
}

const TOO_LARGE: HostError = HostError {
    code: HostError::INTERNAL,
    errno: Some(libc::ERANGE),
};

/// What a `gethost..._r` call left behind.
///
/// # Safety
/// `result` is null, or an entry whose pointers are valid.
unsafe fn host_answer(
    status: c_int,
    result: *const hostent,
    h_errno: c_int,
) -> Result<HostEntry, HostError> {
    // SAFETY: the caller's promise.
    match unsafe { result.as_ref() } {
        // SAFETY: the caller's promise.
        Some(entry) => Ok(unsafe { host_entry(entry) }),
        None => Err(HostError {
            code: h_errno,
            errno: (h_errno == HostError::INTERNAL).then_some(status),
        }),
    }
}

/// # Safety
/// The pointers of `entry` are those of a `struct hostent` that a look-up has filled in.
unsafe fn host_entry(entry: &hostent) -> HostEntry {
    // SAFETY: h_name is a string.
    let name = unsafe { owned(entry.h_name) }.unwrap_or_default();
    // SAFETY: h_aliases is null or a list of strings that ends in null.
    let aliases = unsafe { pointers(entry.h_aliases) }.into_iter();
    // SAFETY: as above.
    let aliases = aliases.filter_map(|alias| unsafe { owned(alias) });
    // SAFETY: h_addr_list is a list of addresses that ends in null.
    let addresses = unsafe { pointers(entry.h_addr_list) };
    let addresses = addresses.into_iter().filter_map(|address| {
        match (entry.h_addrtype, entry.h_length) {
            // SAFETY: each address of the list has h_length bytes.
            (libc::AF_INET, 4) => Some(IpAddr::from(Ipv4Addr::from(unsafe {
                address.cast::<[u8; 4]>().read_unaligned()
            }))),
            // SAFETY: as above.
            (libc::AF_INET6, 16) => Some(IpAddr::from(Ipv6Addr::from(unsafe {
                address.cast::<[u8; 16]>().read_unaligned()
            }))),
            _ => None,
        }
    });
    HostEntry {
        name,
        aliases: aliases.collect(),
        family: entry.h_addrtype,
        addresses: addresses.collect(),
    }
}

/// # Safety
/// `list` is null, or a list of pointers that ends in null.
unsafe fn pointers(list: *mut *mut c_char) -> Vec<*mut c_char> {
    let mut found = Vec::new();
    if list.is_null() {
        return found;
    }
    for at in 0.. {
        // SAFETY: no entry before this one was null, so the list goes on to here. Some C libraries do not align it.
        let entry = unsafe { list.add(at).read_unaligned() };
        if entry.is_null() {
            break;
        }
        found.push(entry);
    }
    found
}

pub(super) fn gethostbyname(host: &CStr, family: i32) -> Result<HostEntry, HostError> {
    let answer = with_buffer(|buffer, size| {
        // SAFETY: a hostent is plain old data that the call writes before it is read.
        let mut entry: hostent = unsafe { mem::zeroed() };
        let mut result = ptr::null_mut();
        let mut h_errno = 0;
        // SAFETY: `host` ends in NUL, `buffer` has `size` bytes, the rest may be written. What `result` points to lies in
        // `entry` and `buffer`, which outlive its use here.
        unsafe {
            let status = gethostbyname2_r(
                host.as_ptr(),
                family,
                &mut entry,
                buffer,
                size,
                &mut result,
                &mut h_errno,
            );
            (status, host_answer(status, result, h_errno))
        }
    });
    answer.unwrap_or(Err(TOO_LARGE))
}

pub(super) fn gethostbyaddr(address: IpAddr) -> Result<HostEntry, HostError> {
    let (family, packed) = match address {
        IpAddr::V4(v4) => (libc::AF_INET, v4.octets().to_vec()),
        IpAddr::V6(v6) => (libc::AF_INET6, v6.octets().to_vec()),
    };
    let answer = with_buffer(|buffer, size| {
        // SAFETY: a hostent is plain old data that the call writes before it is read.
        let mut entry: hostent = unsafe { mem::zeroed() };
        let mut result = ptr::null_mut();
        let mut h_errno = 0;
        // SAFETY: `packed` is an address of `family` and has the length that is stated; the rest as for a name.
        unsafe {
            let status = gethostbyaddr_r(
                packed.as_ptr().cast(),
                packed.len() as socklen_t,
                family,
                &mut entry,
                buffer,
                size,
                &mut result,
                &mut h_errno,
            );
            (status, host_answer(status, result, h_errno))
        }
    });
    answer.unwrap_or(Err(TOO_LARGE))
}

pub(super) fn getservbyname(name: &CStr, protocol: Option<&CStr>) -> Option<u16> {
    with_buffer(|buffer, size| {
        // SAFETY: a servent is plain old data that the call writes before it is read.
        let mut entry: servent = unsafe { mem::zeroed() };
        let mut result = ptr::null_mut();
        // SAFETY: the strings end in NUL or are null, `buffer` has `size` bytes, the rest may be written; `result` is null
        // or `entry`.
        unsafe {
            let status = getservbyname_r(
                name.as_ptr(),
                pointer(protocol),
                &mut entry,
                buffer,
                size,
                &mut result,
            );
            // The port lies in the low 16 bits, in network byte order.
            let port = result
                .as_ref()
                .map(|found| u16::from_be(found.s_port as u16));
            (status, port)
        }
    })
    .flatten()
}

pub(super) fn getservbyport(port: u16, protocol: Option<&CStr>) -> Option<Vec<u8>> {
    with_buffer(|buffer, size| {
        // SAFETY: a servent is plain old data that the call writes before it is read.
        let mut entry: servent = unsafe { mem::zeroed() };
        let mut result = ptr::null_mut();
        // SAFETY: as for a name; the strings of `result` lie in `buffer`.
        unsafe {
            let status = getservbyport_r(
                c_int::from(port.to_be()),
                pointer(protocol),
                &mut entry,
                buffer,
                size,
                &mut result,
            );
            let name = result.as_ref().and_then(|found| owned(found.s_name));
            (status, name)
        }
    })
    .flatten()
}

pub(super) fn getprotobyname(name: &CStr) -> Option<i32> {
    with_buffer(|buffer, size| {
        // SAFETY: a protoent is plain old data that the call writes before it is read.
        let mut entry: protoent = unsafe { mem::zeroed() };
        let mut result = ptr::null_mut();
        // SAFETY: `name` ends in NUL, `buffer` has `size` bytes, the rest may be written; `result` is null or `entry`.
        unsafe {
            let status = getprotobyname_r(name.as_ptr(), &mut entry, buffer, size, &mut result);
            let number = result.as_ref().map(|found| found.p_proto);
            (status, number)
        }
    })
    .flatten()
}
