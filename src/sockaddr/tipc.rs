//! AF_TIPC, linux/tipc.h: `struct sockaddr_tipc`.

use std::mem::offset_of;

use socket2::SockAddr;

use super::{Layout, field, u32_at};

/// `TIPC_SERVICE_RANGE`, of old `TIPC_ADDR_NAMESEQ`: service type, lower and upper instance.
pub const SERVICE_RANGE: u8 = 1;
/// `TIPC_SERVICE_ADDR`, of old `TIPC_ADDR_NAME`: service type, instance, and the domain to look in.
pub const SERVICE_ADDRESS: u8 = 2;
/// `TIPC_SOCKET_ADDR`, of old `TIPC_ADDR_ID`: reference, and the node.
pub const SOCKET_ADDRESS: u8 = 3;

/// The header's structure; `words` is the union, of three words or two.
#[repr(C)]
struct SockaddrTipc {
    family: u16,
    addrtype: u8,
    scope: i8,
    words: [u32; 3],
}

const SIZE: usize = size_of::<SockaddrTipc>();
const KIND: usize = offset_of!(SockaddrTipc, addrtype);
const SCOPE: usize = offset_of!(SockaddrTipc, scope);
const WORDS: usize = offset_of!(SockaddrTipc, words);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// What the words are: [`SERVICE_RANGE`], [`SERVICE_ADDRESS`], [`SOCKET_ADDRESS`] or unknown.
    pub kind: u8,
    /// `TIPC_ZONE_SCOPE`, `TIPC_CLUSTER_SCOPE`, `TIPC_NODE_SCOPE`, ...
    pub scope: i8,
    pub words: [u32; 3],
}

pub fn encode(fields: Fields) -> SockAddr {
    let [first, second, third] = fields.words;
    Layout::<SIZE>::new(libc::AF_TIPC)
        .put(KIND, &[fields.kind])
        .put(SCOPE, &fields.scope.to_ne_bytes())
        .put(WORDS, &first.to_ne_bytes())
        .put(WORDS + 4, &second.to_ne_bytes())
        .put(WORDS + 8, &third.to_ne_bytes())
        .address()
}

pub fn decode(bytes: &[u8]) -> Option<Fields> {
    Some(Fields {
        kind: field::<1>(bytes, KIND)?[0],
        scope: i8::from_ne_bytes(field(bytes, SCOPE)?),
        words: [
            u32_at(bytes, WORDS)?,
            u32_at(bytes, WORDS + 4)?,
            u32_at(bytes, WORDS + 8)?,
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::{Fields, SERVICE_ADDRESS, SERVICE_RANGE, SOCKET_ADDRESS, decode, encode};
    use crate::sockaddr::as_bytes;

    /// By the offsets of linux/tipc.h: 2 `addrtype`, 3 `scope`, then from 4 `nameseq` (type, lower, upper), `name.name`
    /// (type, instance) or `id` (ref, node). The bytes are what CPython 3.14 passes to sendto(2) for the tuples beside.
    #[test]
    #[cfg(target_endian = "little")]
    fn the_layout_is_the_kernels() {
        for (kind, scope, words, bytes) in [
            // (1, 2, 3, 4, 5)
            (
                SERVICE_RANGE,
                5,
                [2, 3, 4],
                b"\x1e\0\x01\x05\x02\0\0\0\x03\0\0\0\x04\0\0\0",
            ),
            // (2, 2, 3, 4)
            (
                SERVICE_ADDRESS,
                2,
                [2, 3, 0],
                b"\x1e\0\x02\x02\x02\0\0\0\x03\0\0\0\0\0\0\0",
            ),
            // (3, 2, 3, 4, 3)
            (
                SOCKET_ADDRESS,
                3,
                [3, 2, 0],
                b"\x1e\0\x03\x03\x03\0\0\0\x02\0\0\0\0\0\0\0",
            ),
            // (1, -1, 1 << 40, 0, -1)
            (
                SERVICE_RANGE,
                -1,
                [u32::MAX, 0, 0],
                b"\x1e\0\x01\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0",
            ),
        ] {
            let fields = Fields { kind, scope, words };
            assert_eq!(as_bytes(&encode(fields)), bytes);
            assert_eq!(decode(bytes), Some(fields));
        }
    }
}
