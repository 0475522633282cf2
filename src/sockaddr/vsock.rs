//! AF_VSOCK, vsock(7): `struct sockaddr_vm`.

use std::mem::offset_of;

use socket2::SockAddr;

use super::{Layout, u32_at};

const SIZE: usize = size_of::<libc::sockaddr_vm>();
const PORT: usize = offset_of!(libc::sockaddr_vm, svm_port);
const CID: usize = offset_of!(libc::sockaddr_vm, svm_cid);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// Which virtual machine.
    pub cid: u32,
    pub port: u32,
}

pub fn encode(Fields { cid, port }: Fields) -> SockAddr {
    Layout::<SIZE>::new(libc::AF_VSOCK)
        .put(CID, &cid.to_ne_bytes())
        .put(PORT, &port.to_ne_bytes())
        .address()
}

pub fn decode(bytes: &[u8]) -> Option<Fields> {
    Some(Fields {
        cid: u32_at(bytes, CID)?,
        port: u32_at(bytes, PORT)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Fields, decode, encode};
    use crate::sockaddr::{as_bytes, tests::bytes_of};

    #[test]
    fn the_layout_is_the_kernels() {
        let fields = Fields {
            cid: 0x0102_0304,
            port: 0x0506_0708,
        };
        let bytes = bytes_of::<libc::sockaddr_vm>(|address| {
            address.svm_family = 40;
            address.svm_cid = 0x0102_0304;
            address.svm_port = 0x0506_0708;
        });
        assert_eq!(as_bytes(&encode(fields)), bytes);
        assert_eq!(decode(&bytes), Some(fields));
    }
}
