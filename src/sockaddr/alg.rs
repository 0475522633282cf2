//! AF_ALG, the kernel's Documentation/crypto/userspace-if.rst: `struct sockaddr_alg`.

use std::mem::offset_of;

use socket2::SockAddr;

use super::{Layout, u32_at, until_nul};

const SIZE: usize = size_of::<libc::sockaddr_alg>();
const KIND: usize = offset_of!(libc::sockaddr_alg, salg_type);
const FEATURES: usize = offset_of!(libc::sockaddr_alg, salg_feat);
const MASK: usize = offset_of!(libc::sockaddr_alg, salg_mask);
const NAME: usize = offset_of!(libc::sockaddr_alg, salg_name);

/// The longest type: an array of 14 bytes with a NUL at its end.
pub const KIND_MAX: usize = 14 - 1;

/// The longest name, likewise.
pub const NAME_MAX: usize = SIZE - NAME - 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields<'a> {
    /// `hash`, `skcipher`, `aead`, `rng`; without a NUL.
    pub kind: &'a [u8],
    /// The algorithm's name, such as `sha256`; without a NUL.
    pub name: &'a [u8],
    pub features: u32,
    pub mask: u32,
}

/// None if type or name are too long, or have a NUL inside.
pub fn encode(fields: Fields<'_>) -> Option<SockAddr> {
    let fits = |text: &[u8], max| text.len() <= max && !text.contains(&0);
    if !fits(fields.kind, KIND_MAX) || !fits(fields.name, NAME_MAX) {
        return None;
    }
    let address = Layout::<SIZE>::new(libc::AF_ALG)
        .put(KIND, fields.kind)
        .put(FEATURES, &fields.features.to_ne_bytes())
        .put(MASK, &fields.mask.to_ne_bytes())
        .put(NAME, fields.name)
        .address();
    Some(address)
}

/// The name may end with the bytes: the kernel takes shorter and longer ones than the structure has room for.
pub fn decode(bytes: &[u8]) -> Option<Fields<'_>> {
    Some(Fields {
        kind: until_nul(bytes.get(KIND..=KIND + KIND_MAX)?),
        name: until_nul(bytes.get(NAME..)?),
        features: u32_at(bytes, FEATURES)?,
        mask: u32_at(bytes, MASK)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Fields, KIND_MAX, NAME_MAX, decode, encode};
    use crate::sockaddr::{as_bytes, tests::bytes_of};

    const FIELDS: Fields<'_> = Fields {
        kind: b"skcipher",
        name: b"cbc(aes)",
        features: 0x0102_0304,
        mask: 0x0506_0708,
    };

    fn structure() -> Vec<u8> {
        bytes_of::<libc::sockaddr_alg>(|address| {
            address.salg_family = 38;
            address.salg_type[..8].copy_from_slice(b"skcipher");
            address.salg_feat = 0x0102_0304;
            address.salg_mask = 0x0506_0708;
            address.salg_name[..8].copy_from_slice(b"cbc(aes)");
        })
    }

    #[test]
    fn the_layout_is_the_kernels() {
        let encoded = encode(FIELDS).expect("short names fit");
        assert_eq!(as_bytes(&encoded), structure());
        assert_eq!(decode(&structure()), Some(FIELDS));
    }

    #[test]
    fn the_limits_are_those_of_the_arrays() {
        bytes_of::<libc::sockaddr_alg>(|address| {
            assert_eq!(address.salg_type.len(), KIND_MAX + 1);
            assert_eq!(address.salg_name.len(), NAME_MAX + 1);
        });
    }

    #[test]
    fn texts_end_at_their_array_or_with_the_bytes() {
        let mut bytes = structure();
        bytes[2..16].fill(b'k');
        let kind = |bytes: &[u8]| decode(bytes).map(|fields| fields.kind.to_vec());
        assert_eq!(kind(&bytes), Some(vec![b'k'; 14]));
        let name = |bytes: &[u8]| decode(bytes).map(|fields| fields.name.to_vec());
        assert_eq!(name(&bytes[..27]), Some(b"cbc".to_vec()));
        assert_eq!(name(&bytes[..24]), Some(vec![]));
        assert_eq!(name(&bytes[..23]), None);
    }
}
