//! AF_QIPCRTR (Qualcomm's IPC router), linux/qrtr.h: `struct sockaddr_qrtr`.

use std::mem::offset_of;

use socket2::SockAddr;

use super::{Layout, u32_at};

/// linux/socket.h; `libc` lacks it.
pub const AF_QIPCRTR: i32 = 42;

/// The header's structure.
#[repr(C)]
struct SockaddrQrtr {
    family: u16,
    node: u32,
    port: u32,
}

const SIZE: usize = size_of::<SockaddrQrtr>();
const NODE: usize = offset_of!(SockaddrQrtr, node);
const PORT: usize = offset_of!(SockaddrQrtr, port);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    pub node: u32,
    pub port: u32,
}

pub fn encode(Fields { node, port }: Fields) -> SockAddr {
    Layout::<SIZE>::new(AF_QIPCRTR)
        .put(NODE, &node.to_ne_bytes())
        .put(PORT, &port.to_ne_bytes())
        .address()
}

pub fn decode(bytes: &[u8]) -> Option<Fields> {
    Some(Fields {
        node: u32_at(bytes, NODE)?,
        port: u32_at(bytes, PORT)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Fields, decode, encode};
    use crate::sockaddr::as_bytes;

    /// By the offsets of linux/qrtr.h: 4 `sq_node`, 8 `sq_port`.
    #[test]
    #[cfg(target_endian = "little")]
    fn the_layout_is_the_kernels() {
        let fields = Fields {
            node: 0x0102_0304,
            port: 0x0506_0708,
        };
        let bytes = b"\x2a\0\0\0\x04\x03\x02\x01\x08\x07\x06\x05";
        assert_eq!(as_bytes(&encode(fields)), bytes);
        assert_eq!(decode(bytes), Some(fields));
    }
}
