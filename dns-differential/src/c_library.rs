//! The C library's side, called directly. Each function blocks.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    io, mem,
    net::IpAddr,
    ptr,
};

use libc::{hostent, size_t, socklen_t};
use rustpython_reactor::dns::Hints;
use socket2::SockAddr;

use crate::outcome::{self, Entry, Outcome};

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
}

fn eai(code: c_int) -> Outcome {
    let errno = io::Error::last_os_error().raw_os_error();
    outcome::eai(code, errno.filter(|_| code == libc::EAI_SYSTEM))
}

pub fn resolve(host: Option<&CString>, service: Option<&CString>, hints: Hints) -> Outcome {
    let pointer = |text: Option<&CString>| text.map_or(ptr::null(), |text| text.as_ptr());
    // SAFETY: an addrinfo is plain old data.
    let mut request: libc::addrinfo = unsafe { mem::zeroed() };
    request.ai_flags = hints.flags;
    request.ai_family = hints.family;
    request.ai_socktype = hints.socktype;
    request.ai_protocol = hints.protocol;
    let mut list = ptr::null_mut();
    // SAFETY: null or strings that end in NUL, an initialised request, a pointer that may be written.
    let code = unsafe { libc::getaddrinfo(pointer(host), pointer(service), &request, &mut list) };
    if code != 0 {
        return eai(code);
    }
    let mut next = list;
    let answers = std::iter::from_fn(|| {
        // SAFETY: the list ends in null and lives until it is freed below.
        let entry = unsafe { next.as_ref() }?;
        next = entry.ai_next;
        Some(Entry {
            family: entry.ai_family,
            socktype: entry.ai_socktype,
            protocol: entry.ai_protocol,
            // SAFETY: null or a string of the list.
            canonical: (!entry.ai_canonname.is_null())
                .then(|| unsafe { CStr::from_ptr(entry.ai_canonname) }.to_bytes()),
            // SAFETY: an address has `ai_addrlen` bytes.
            address: unsafe {
                std::slice::from_raw_parts(entry.ai_addr.cast(), entry.ai_addrlen as usize)
            },
        })
    });
    let text = outcome::entries(answers);
    // SAFETY: the list is the C library's, and not used any more.
    unsafe { libc::freeaddrinfo(list) };
    text
}

pub fn names(address: &SockAddr, flags: i32) -> Outcome {
    // NI_MAXHOST and NI_MAXSERV of netdb.h.
    let mut host = [0u8; 1025];
    let mut service = [0u8; 32];
    // SAFETY: the address has the length it states, the buffers the room that is stated.
    let code = unsafe {
        getnameinfo(
            address.as_ptr().cast(),
            address.len(),
            host.as_mut_ptr().cast(),
            host.len() as socklen_t,
            service.as_mut_ptr().cast(),
            service.len() as socklen_t,
            flags,
        )
    };
    if code != 0 {
        return eai(code);
    }
    let text =
        |buffer: &[u8]| CStr::from_bytes_until_nul(buffer).map(|text| text.to_bytes().to_vec());
    outcome::names(
        &text(&host).unwrap_or_default(),
        &text(&service).unwrap_or_default(),
    )
}

/// What `call` (buffer, size, entry, result, h_errno) says of a host, with ever larger buffers.
fn host(
    call: impl Fn(*mut c_char, size_t, *mut hostent, *mut *mut hostent, *mut c_int) -> c_int,
) -> Outcome {
    let mut size = 1 << 16;
    loop {
        let mut buffer = vec![0u64; size / 8];
        // SAFETY: a hostent is plain old data.
        let mut entry: hostent = unsafe { mem::zeroed() };
        let mut result = ptr::null_mut();
        let mut h_errno = 0;
        let status = call(
            buffer.as_mut_ptr().cast(),
            size,
            &mut entry,
            &mut result,
            &mut h_errno,
        );
        if status == libc::ERANGE && size < 1 << 22 {
            size *= 4;
            continue;
        }
        // NETDB_INTERNAL is -1.
        if result.is_null() {
            return outcome::host_error(h_errno, (h_errno == -1).then_some(status));
        }
        // SAFETY: the call filled the entry in; its strings and lists lie in `buffer`.
        return unsafe { host_text(&entry) };
    }
}

/// # Safety
/// `entry` was filled in by the C library, and its buffer lives.
unsafe fn host_text(entry: &hostent) -> Outcome {
    // SAFETY: the lists of an entry end in null.
    let list = |list: *mut *mut c_char| unsafe {
        let mut found = Vec::new();
        let mut at = list;
        while !at.is_null() && !at.read_unaligned().is_null() {
            found.push(at.read_unaligned());
            at = at.add(1);
        }
        found
    };
    // SAFETY: names are strings.
    let text = |name: *mut c_char| unsafe { CStr::from_ptr(name) }.to_bytes().to_vec();
    let aliases: Vec<_> = list(entry.h_aliases).into_iter().map(text).collect();
    let addresses = list(entry.h_addr_list)
        .into_iter()
        .map(|address| match entry.h_length {
            // SAFETY: an address has `h_length` bytes.
            4 => IpAddr::from(unsafe { address.cast::<[u8; 4]>().read_unaligned() }),
            // SAFETY: as above; an entry has no other length than 4 and 16.
            _ => IpAddr::from(unsafe { address.cast::<[u8; 16]>().read_unaligned() }),
        });
    let addresses: Vec<_> = addresses.collect();
    outcome::host(&text(entry.h_name), &aliases, entry.h_addrtype, &addresses)
}

pub fn host_by_name(name: &CStr, family: i32) -> Outcome {
    // SAFETY: the name ends in NUL; the rest is what `host` says.
    host(|buffer, size, entry, result, h_errno| unsafe {
        gethostbyname2_r(name.as_ptr(), family, entry, buffer, size, result, h_errno)
    })
}

pub fn host_by_address(address: IpAddr) -> Outcome {
    let (packed, family) = match address {
        IpAddr::V4(address) => (address.octets().to_vec(), libc::AF_INET),
        IpAddr::V6(address) => (address.octets().to_vec(), libc::AF_INET6),
    };
    // SAFETY: the address has the length that is stated; the rest is what `host` says.
    host(|buffer, size, entry, result, h_errno| unsafe {
        gethostbyaddr_r(
            packed.as_ptr().cast(),
            packed.len() as socklen_t,
            family,
            entry,
            buffer,
            size,
            result,
            h_errno,
        )
    })
}
