//! AF_UNIX, unix(7): `struct sockaddr_un`, of any length up to the whole.

use std::mem::offset_of;

use socket2::SockAddr;

use super::{from_bytes, until_nul};

/// Where `sun_path` begins.
const PATH: usize = offset_of!(libc::sockaddr_un, sun_path);

/// Bytes of `sun_path`: the most that an abstract name takes, and a path with the NUL that ends it.
const PATH_SIZE: usize = size_of::<libc::sockaddr_un>() - PATH;

/// What an address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name<'a> {
    /// Without a NUL; empty for a socket without a name.
    Path(&'a [u8]),
    /// With the NUL that it begins with.
    Abstract(&'a [u8]),
}

impl<'a> Name<'a> {
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Path(bytes) | Self::Abstract(bytes) => bytes,
        }
    }

    /// None if the name is too long, and for bytes that would be another name: a path with a NUL, an abstract name
    /// without it.
    pub fn encode(self) -> Option<SockAddr> {
        let says_itself = match self {
            Self::Path(path) => !path.contains(&0),
            Self::Abstract(name) => name.first() == Some(&0),
        };
        says_itself.then(|| encode(self.bytes())).flatten()
    }
}

/// The address of a path or abstract name; None if it is too long.
///
/// The empty name lets bind(2) choose an abstract one. A NUL inside a path ends it, in the kernel, and is let through as
/// by CPython.
pub fn encode(name: &[u8]) -> Option<SockAddr> {
    // The NUL that ends a path counts; the length alone ends an abstract name.
    let is_path = name.first().is_some_and(|&first| first != 0);
    let end = usize::from(is_path);
    if name.len() > PATH_SIZE - end {
        return None;
    }
    let mut bytes = [0; PATH + PATH_SIZE];
    let (family, path) = bytes.split_at_mut(PATH);
    family.copy_from_slice(&(libc::AF_UNIX as libc::sa_family_t).to_ne_bytes());
    path.get_mut(..name.len())?.copy_from_slice(name);
    bytes.get(..PATH + name.len() + end).map(from_bytes)
}

/// Any bytes are a name: too few are none.
pub fn decode(bytes: &[u8]) -> Name<'_> {
    let name = bytes.get(PATH..).unwrap_or_default();
    if name.first() == Some(&0) {
        return Name::Abstract(name);
    }
    // A path that fills `sun_path` has no NUL; others, and longer ones than Linux allows us to bind, may.
    Name::Path(until_nul(name))
}

#[cfg(test)]
mod tests {
    use super::{Name, decode, encode};
    use crate::sockaddr::as_bytes;

    fn bytes(name: &[u8]) -> Option<Vec<u8>> {
        encode(name).map(|address| as_bytes(&address).to_vec())
    }

    fn expected(name: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = (libc::AF_UNIX as u16).to_ne_bytes().to_vec();
        bytes.extend(name);
        Some(bytes)
    }

    #[test]
    fn the_layout_is_the_kernels() {
        assert_eq!(bytes(b"/tmp/s"), expected(b"/tmp/s\0"));
        assert_eq!(bytes(b"\0name"), expected(b"\0name"));
        assert_eq!(bytes(b"\0a\0b"), expected(b"\0a\0b"));
        assert_eq!(bytes(b"\0"), expected(b"\0"));
        assert_eq!(bytes(b""), expected(b""));
    }

    #[test]
    fn limits_are_those_of_sun_path() {
        assert_eq!(bytes(&[b'a'; 107]).map(|bytes| bytes.len()), Some(110));
        assert_eq!(bytes(&[b'a'; 108]), None);
        assert_eq!(bytes(&[0; 108]), expected(&[0; 108]));
        assert_eq!(bytes(&[0; 109]), None);
        assert_eq!(bytes(&[b'a'; 4096]), None);
    }

    #[test]
    fn names_come_back() {
        for name in [&b"/tmp/s"[..], b"x", &[b'a'; 107], b"\xff\xfe"] {
            assert_eq!(decode(&bytes(name).unwrap_or_default()), Name::Path(name));
        }
        for name in [&b"\0"[..], b"\0name", b"\0a\0b", &[0; 108]] {
            assert_eq!(
                decode(&bytes(name).unwrap_or_default()),
                Name::Abstract(name)
            );
        }
        assert_eq!(decode(&bytes(b"").unwrap_or_default()), Name::Path(b""));
        assert_eq!(
            decode(&bytes(b"a\0b").unwrap_or_default()),
            Name::Path(b"a")
        );
    }

    #[test]
    fn a_path_may_end_without_nul() {
        let mut address = vec![1, 0];
        address.extend([b'a'; 108]);
        assert_eq!(decode(&address), Name::Path(&[b'a'; 108]));
        assert_eq!(decode(&[]), Name::Path(b""));
        assert_eq!(decode(&[1]), Name::Path(b""));
    }
}
