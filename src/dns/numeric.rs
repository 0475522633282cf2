//! Numeric addresses as the C library reads and writes them: `inet(3)`, `inet_pton(3)`, `inet_ntop(3)`.
//!
//! Not the standard library's parsers: these differ in what counts as an address (`127.1`) and in how one is written
//! (`::1.2.3.4`), and Python promises the C library's forms.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// "Address family for hostname not supported": a GNU extension that the `libc` crate lacks.
pub const EAI_ADDRFAMILY: i32 = -9;

unsafe extern "C" {
    fn inet_aton(text: *const c_char, address: *mut libc::in_addr) -> c_int;
    fn inet_pton(family: c_int, text: *const c_char, address: *mut c_void) -> c_int;
    fn inet_ntop(
        family: c_int,
        address: *const c_void,
        text: *mut c_char,
        size: libc::socklen_t,
    ) -> *const c_char;
}

/// The IPv4 address of any of the traditional spellings: one to four parts, decimal, octal or hexadecimal.
pub fn parse_loose_ipv4(text: &CStr) -> Option<Ipv4Addr> {
    let mut address = libc::in_addr { s_addr: 0 };
    // SAFETY: `text` ends in NUL, `address` may be written, and inet_aton(3) keeps neither.
    let valid = unsafe { inet_aton(text.as_ptr(), &mut address) };
    (valid != 0).then(|| Ipv4Addr::from(address.s_addr.to_ne_bytes()))
}

/// The address of the standard spelling of `family`; `None`: not an address. Another family than `AF_INET` and
/// `AF_INET6` is the error EAFNOSUPPORT.
pub fn parse(family: i32, text: &CStr) -> io::Result<Option<IpAddr>> {
    // Room for the largest address of any family the call may know.
    let mut packed = [0u8; 16];
    // SAFETY: `text` ends in NUL; inet_pton(3) writes 4 bytes for AF_INET, 16 for AF_INET6, and nothing for others.
    let outcome = unsafe { inet_pton(family, text.as_ptr(), packed.as_mut_ptr().cast()) };
    match outcome {
        1 if family == libc::AF_INET => {
            let [a, b, c, d, ..] = packed;
            Ok(Some(Ipv4Addr::new(a, b, c, d).into()))
        }
        1 => Ok(Some(Ipv6Addr::from(packed).into())),
        0 => Ok(None),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The standard spelling of an address.
pub fn format(address: IpAddr) -> String {
    let IpAddr::V6(v6) = address else {
        return address.to_string();
    };
    // INET6_ADDRSTRLEN of netinet/in.h.
    const ROOM: usize = 46;
    let packed = v6.octets();
    let mut text = [0u8; ROOM];
    // SAFETY: `packed` has the 16 bytes of an AF_INET6 address, `text` has the room that is stated.
    let written = unsafe {
        inet_ntop(
            libc::AF_INET6,
            packed.as_ptr().cast(),
            text.as_mut_ptr().cast(),
            ROOM as libc::socklen_t,
        )
    };
    let spelled = CStr::from_bytes_until_nul(&text).ok();
    match spelled.filter(|_| !written.is_null()) {
        Some(spelled) => spelled.to_string_lossy().into_owned(),
        None => address.to_string(),
    }
}
