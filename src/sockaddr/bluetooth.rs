//! AF_BLUETOOTH, the kernel's include/net/bluetooth: `struct sockaddr_l2`, `sockaddr_hci`, `sockaddr_sco` and
//! `sockaddr_rc`. The protocol alone tells which of them an address is.

use std::{fmt, mem::offset_of, str::FromStr};

use socket2::SockAddr;

use super::{Layout, field, u16_at};

/// The protocols of AF_BLUETOOTH, net/bluetooth/bluetooth.h.
pub const BTPROTO_L2CAP: i32 = 0;
pub const BTPROTO_HCI: i32 = 1;
pub const BTPROTO_SCO: i32 = 2;
pub const BTPROTO_RFCOMM: i32 = 3;

/// `HCI_CHANNEL_RAW` of net/bluetooth/hci_sock.h.
pub const HCI_CHANNEL_RAW: u16 = 0;

/// `BDADDR_BREDR` of net/bluetooth/bluetooth.h: an address of classic Bluetooth, not of Low Energy.
pub const BDADDR_BREDR: u8 = 0;

/// `bdaddr_t`: a device's address, last byte first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceAddress(pub [u8; 6]);

/// As `01:23:45:67:89:AB`.
impl fmt::Display for DeviceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [last, b1, b2, b3, b4, first] = self.0;
        write!(
            f,
            "{first:02X}:{b4:02X}:{b3:02X}:{b2:02X}:{b1:02X}:{last:02X}"
        )
    }
}

/// The text is none of an address.
#[derive(Debug, PartialEq, Eq)]
pub struct NotAnAddress;

/// Six hexadecimal numbers from 0 to 255 with colons between, in the spellings of sscanf(3)'s `%X`, which CPython lets
/// through: white space, a sign and `0x` may stand before a number.
impl FromStr for DeviceAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in bytes.iter_mut().rev() {
            let number = parts.next().and_then(scan_hexadecimal);
            *byte = number
                .and_then(|number| u8::try_from(number).ok())
                .ok_or(NotAnAddress)?;
        }
        match parts.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(NotAnAddress),
        }
    }
}

/// The number that sscanf(3)'s `%X` stores: the low half of strtoul(3)'s.
fn scan_hexadecimal(text: &str) -> Option<u32> {
    let is_space = |char: char| matches!(char, ' ' | '\t'..='\r');
    let text = text.trim_start_matches(is_space);
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let digits = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
        .unwrap_or(digits);
    if digits.is_empty() {
        return None;
    }
    let mut number = Some(0_u64);
    for digit in digits.chars() {
        let digit = u64::from(digit.to_digit(16)?);
        number = number
            .and_then(|number| number.checked_mul(16))
            .and_then(|number| number.checked_add(digit));
    }
    let number = match number {
        Some(number) if negative => number.wrapping_neg(),
        Some(number) => number,
        None => u64::MAX,
    };
    Some(number as u32)
}

/// The headers' structures.
#[repr(C)]
struct SockaddrL2 {
    family: u16,
    psm: u16,
    device: [u8; 6],
    cid: u16,
    device_kind: u8,
}

#[repr(C)]
struct SockaddrHci {
    family: u16,
    device: u16,
    channel: u16,
}

#[repr(C)]
struct SockaddrSco {
    family: u16,
    device: [u8; 6],
}

/// The channel's place is behind an array of bytes, so that only the family aligns the structure.
#[repr(C)]
struct SockaddrRc {
    family: u16,
    device: [u8; 6],
    channel: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fields {
    /// A device, and one of protocol/service multiplexer and channel identifier.
    L2cap {
        device: DeviceAddress,
        psm: u16,
        cid: u16,
        /// `BDADDR_BREDR`, `BDADDR_LE_PUBLIC` or `BDADDR_LE_RANDOM`.
        device_kind: u8,
    },
    /// An adapter of this machine by its number.
    Hci {
        adapter: u16,
        channel: u16,
    },
    Sco {
        device: DeviceAddress,
    },
    Rfcomm {
        device: DeviceAddress,
        channel: u8,
    },
}

impl Fields {
    /// The protocol that has such addresses.
    pub fn protocol(&self) -> i32 {
        match self {
            Self::L2cap { .. } => BTPROTO_L2CAP,
            Self::Hci { .. } => BTPROTO_HCI,
            Self::Sco { .. } => BTPROTO_SCO,
            Self::Rfcomm { .. } => BTPROTO_RFCOMM,
        }
    }
}

pub fn encode(fields: Fields) -> SockAddr {
    match fields {
        // Multiplexer and channel are little-endian whatever the machine is, adapter and channel of HCI are not.
        Fields::L2cap {
            device,
            psm,
            cid,
            device_kind,
        } => Layout::<{ size_of::<SockaddrL2>() }>::new(libc::AF_BLUETOOTH)
            .put(offset_of!(SockaddrL2, psm), &psm.to_le_bytes())
            .put(offset_of!(SockaddrL2, device), &device.0)
            .put(offset_of!(SockaddrL2, cid), &cid.to_le_bytes())
            .put(offset_of!(SockaddrL2, device_kind), &[device_kind])
            .address(),
        Fields::Hci { adapter, channel } => {
            Layout::<{ size_of::<SockaddrHci>() }>::new(libc::AF_BLUETOOTH)
                .put(offset_of!(SockaddrHci, device), &adapter.to_ne_bytes())
                .put(offset_of!(SockaddrHci, channel), &channel.to_ne_bytes())
                .address()
        }
        Fields::Sco { device } => Layout::<{ size_of::<SockaddrSco>() }>::new(libc::AF_BLUETOOTH)
            .put(offset_of!(SockaddrSco, device), &device.0)
            .address(),
        Fields::Rfcomm { device, channel } => {
            Layout::<{ size_of::<SockaddrRc>() }>::new(libc::AF_BLUETOOTH)
                .put(offset_of!(SockaddrRc, device), &device.0)
                .put(offset_of!(SockaddrRc, channel), &[channel])
                .address()
        }
    }
}

/// None also for another protocol.
pub fn decode(bytes: &[u8], protocol: i32) -> Option<Fields> {
    match protocol {
        BTPROTO_L2CAP => Some(Fields::L2cap {
            device: DeviceAddress(field(bytes, offset_of!(SockaddrL2, device))?),
            psm: u16::from_le_bytes(field(bytes, offset_of!(SockaddrL2, psm))?),
            cid: u16::from_le_bytes(field(bytes, offset_of!(SockaddrL2, cid))?),
            device_kind: field::<1>(bytes, offset_of!(SockaddrL2, device_kind))?[0],
        }),
        BTPROTO_HCI => Some(Fields::Hci {
            adapter: u16_at(bytes, offset_of!(SockaddrHci, device))?,
            channel: u16_at(bytes, offset_of!(SockaddrHci, channel))?,
        }),
        BTPROTO_SCO => Some(Fields::Sco {
            device: DeviceAddress(field(bytes, offset_of!(SockaddrSco, device))?),
        }),
        BTPROTO_RFCOMM => Some(Fields::Rfcomm {
            device: DeviceAddress(field(bytes, offset_of!(SockaddrRc, device))?),
            channel: field::<1>(bytes, offset_of!(SockaddrRc, channel))?[0],
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        BTPROTO_HCI, BTPROTO_L2CAP, BTPROTO_RFCOMM, BTPROTO_SCO, DeviceAddress, Fields,
        NotAnAddress, decode, encode,
    };
    use crate::sockaddr::as_bytes;

    const DEVICE: DeviceAddress = DeviceAddress([6, 5, 4, 3, 2, 1]);

    /// The bytes are what CPython 3.14 passes to sendto(2) for the addresses beside.
    #[test]
    #[cfg(target_endian = "little")]
    fn the_layouts_are_the_kernels() {
        let cases: [(i32, Fields, &[u8]); 5] = [
            // ('01:02:03:04:05:06', -1, 70000, 257)
            (
                BTPROTO_L2CAP,
                Fields::L2cap {
                    device: DEVICE,
                    psm: 0xffff,
                    cid: 0x1170,
                    device_kind: 1,
                },
                b"\x1f\0\xff\xff\x06\x05\x04\x03\x02\x01\x70\x11\x01\0",
            ),
            // 70000
            (
                BTPROTO_HCI,
                Fields::Hci {
                    adapter: 0x1170,
                    channel: 0,
                },
                b"\x1f\0\x70\x11\0\0",
            ),
            // (1, 2)
            (
                BTPROTO_HCI,
                Fields::Hci {
                    adapter: 1,
                    channel: 2,
                },
                b"\x1f\0\x01\0\x02\0",
            ),
            // '01:02:03:04:05:06'
            (
                BTPROTO_SCO,
                Fields::Sco { device: DEVICE },
                b"\x1f\0\x06\x05\x04\x03\x02\x01",
            ),
            // ('01:02:03:04:05:06', 257)
            (
                BTPROTO_RFCOMM,
                Fields::Rfcomm {
                    device: DEVICE,
                    channel: 1,
                },
                b"\x1f\0\x06\x05\x04\x03\x02\x01\x01\0",
            ),
        ];
        for (protocol, fields, bytes) in cases {
            assert_eq!(as_bytes(&encode(fields)), bytes);
            assert_eq!(decode(bytes, protocol), Some(fields));
            assert_eq!(fields.protocol(), protocol);
        }
    }

    #[test]
    fn devices_as_text() {
        assert_eq!(DEVICE.to_string(), "01:02:03:04:05:06");
        let bytes = [0xab, 0, 0xff, 0x9a, 0, 0x0f];
        assert_eq!(DeviceAddress(bytes).to_string(), "0F:00:9A:FF:00:AB");
        for text in [
            "0F:00:9A:FF:00:AB",
            "f:0:9a:ff:0:ab",
            "0x0F:00:0X9A:+fF:-0:\n\t 00ab",
        ] {
            assert_eq!(text.parse(), Ok(DeviceAddress(bytes)), "{text}");
        }
    }

    /// What CPython 3.14 says to each.
    #[test]
    fn texts_that_are_no_device() {
        for text in [
            "",
            "x",
            "01:02:03:04:05",
            "01:02:03:04:05:06:",
            "01:02:03:04:05:06:07",
            "01:02:03:04:05:06 ",
            "01 :02:03:04:05:06",
            "100:02:03:04:05:06",
            "-1:02:03:04:05:06",
            "0x:02:03:04:05:06",
            ":02:03:04:05:06",
            "gg:02:03:04:05:06",
            "+ 1:02:03:04:05:06",
            "--1:02:03:04:05:06",
            "ffffffffffffffffff:2:3:4:5:6",
            "-ffffffffffffffffff:2:3:4:5:6",
            "1ffffff01:02:03:04:05:06",
            "\u{661}:02:03:04:05:06",
        ] {
            assert_eq!(text.parse::<DeviceAddress>(), Err(NotAnAddress), "{text}");
        }
        // Only the low 32 bits of a number are looked at.
        let device: Result<DeviceAddress, _> = "-ffffffff:100000002:3:4:5:6".parse();
        assert_eq!(device, Ok(DEVICE));
    }
}
