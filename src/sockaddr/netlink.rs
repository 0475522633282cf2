//! AF_NETLINK, netlink(7): `struct sockaddr_nl`.

use std::mem::offset_of;

use socket2::SockAddr;

use super::{Layout, u32_at};

const SIZE: usize = size_of::<libc::sockaddr_nl>();
const PID: usize = offset_of!(libc::sockaddr_nl, nl_pid);
const GROUPS: usize = offset_of!(libc::sockaddr_nl, nl_groups);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// The port; 0 is the kernel.
    pub pid: u32,
    /// A bit for each multicast group.
    pub groups: u32,
}

pub fn encode(Fields { pid, groups }: Fields) -> SockAddr {
    Layout::<SIZE>::new(libc::AF_NETLINK)
        .put(PID, &pid.to_ne_bytes())
        .put(GROUPS, &groups.to_ne_bytes())
        .address()
}

pub fn decode(bytes: &[u8]) -> Option<Fields> {
    Some(Fields {
        pid: u32_at(bytes, PID)?,
        groups: u32_at(bytes, GROUPS)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Fields, decode, encode};
    use crate::sockaddr::{as_bytes, tests::bytes_of};

    #[test]
    fn the_layout_is_the_kernels() {
        let fields = Fields {
            pid: 0x0102_0304,
            groups: 0x0506_0708,
        };
        let bytes = bytes_of::<libc::sockaddr_nl>(|address| {
            address.nl_family = 16;
            address.nl_pid = 0x0102_0304;
            address.nl_groups = 0x0506_0708;
        });
        assert_eq!(as_bytes(&encode(fields)), bytes);
        assert_eq!(decode(&bytes), Some(fields));
    }
}
