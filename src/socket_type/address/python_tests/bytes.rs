//! The bytes of addresses, against those of CPython.

use super::{eval, socket, with_vm};
use crate::{
    sockaddr::{as_bytes, bluetooth, qipcrtr},
    socket_type::address::parse,
};

/// Family, protocol, address, and the bytes that CPython 3.14 passes to sendto(2) for it, in hexadecimal. `lo` has the
/// index 1 in every network namespace.
const BYTES_OF_CPYTHON: [(i32, i32, &str, &str); 28] = [
    (libc::AF_NETLINK, 0, "(7, 3)", "100000000700000003000000"),
    (
        libc::AF_NETLINK,
        0,
        "(-1, (1 << 40) + 5)",
        "10000000ffffffff05000000",
    ),
    (
        qipcrtr::AF_QIPCRTR,
        0,
        "(0x01020304, 0x05060708)",
        "2a0000000403020108070605",
    ),
    (
        libc::AF_VSOCK,
        0,
        "(0x01020304, 0x05060708)",
        "28000000080706050403020100000000",
    ),
    (
        libc::AF_RDS,
        0,
        "('127.0.0.1', 18634)",
        "020048ca7f0000010000000000000000",
    ),
    (
        libc::AF_PACKET,
        0,
        "('lo', 0x88b5)",
        "110088b501000000000000000000000000000000",
    ),
    (
        libc::AF_PACKET,
        0,
        "('lo', 3, 300, 70000, b'12345678')",
        "110000030100000070112c083132333435363738",
    ),
    (
        libc::AF_PACKET,
        0,
        "('lo', 3, -1, -2, bytearray(b'12'))",
        "1100000301000000feffff023132000000000000",
    ),
    (
        libc::AF_CAN,
        libc::CAN_RAW,
        "('',)",
        "1d0000000000000000000000000000000000000000000000",
    ),
    (
        libc::AF_CAN,
        libc::CAN_BCM,
        "('lo',)",
        "1d0000000100000000000000000000000000000000000000",
    ),
    (
        libc::AF_CAN,
        libc::CAN_ISOTP,
        "('lo', 0x123, 0x456)",
        "1d0000000100000023010000560400000000000000000000",
    ),
    (
        libc::AF_CAN,
        libc::CAN_ISOTP,
        "('', -1, (1 << 70) + 3)",
        "1d00000000000000ffffffff030000000000000000000000",
    ),
    (
        libc::AF_CAN,
        libc::CAN_J1939,
        "('lo', 0x0102030405060708, 0x3ffff, 0xfe)",
        "1d000000010000000807060504030201ffff0300fe000000",
    ),
    (
        libc::AF_CAN,
        libc::CAN_J1939,
        "('lo', -1, -2, -3)",
        "1d00000001000000fffffffffffffffffefffffffd000000",
    ),
    (
        libc::AF_ALG,
        0,
        "('skcipher', 'cbc(aes)', 1, 2)",
        "2600736b636970686572000000000000010000000200000063626328616573290000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    ),
    (
        libc::AF_ALG,
        0,
        "('a' * 13, 'b' * 63, -1, 1 << 20)",
        "26006161616161616161616161616100ffff00000000000062626262626262626262626262626262626262626262626262626262626262626262626262626262626262626262626262626262626262626262626262626200",
    ),
    (
        libc::AF_TIPC,
        0,
        "(1, 2, 3, 4, 5)",
        "1e000105020000000300000004000000",
    ),
    (
        libc::AF_TIPC,
        0,
        "(2, 2, 3, 4)",
        "1e000202020000000300000000000000",
    ),
    (
        libc::AF_TIPC,
        0,
        "(3, 2, 3, 4, 3)",
        "1e000303030000000200000000000000",
    ),
    (
        libc::AF_TIPC,
        0,
        "(1, -1, 1 << 40, 0, -1)",
        "1e0001ffffffffff0000000000000000",
    ),
    (
        libc::AF_TIPC,
        0,
        "(2, 1, 2, 3, 300)",
        "1e00022c010000000200000000000000",
    ),
    (
        libc::AF_BLUETOOTH,
        bluetooth::BTPROTO_L2CAP,
        "('01:23:45:67:89:AB', 0x1001)",
        "1f000110ab896745230100000000",
    ),
    (
        libc::AF_BLUETOOTH,
        bluetooth::BTPROTO_L2CAP,
        "('01:23:45:67:89:AB', 0, 4, 2)",
        "1f000000ab896745230104000200",
    ),
    (
        libc::AF_BLUETOOTH,
        bluetooth::BTPROTO_L2CAP,
        "('1:2:3:4:5:6', -1, 70000, 257)",
        "1f00ffff06050403020170110100",
    ),
    (
        libc::AF_BLUETOOTH,
        bluetooth::BTPROTO_RFCOMM,
        "('01:23:45:67:89:AB', 257)",
        "1f00ab89674523010100",
    ),
    (
        libc::AF_BLUETOOTH,
        bluetooth::BTPROTO_HCI,
        "70000",
        "1f0070110000",
    ),
    (
        libc::AF_BLUETOOTH,
        bluetooth::BTPROTO_HCI,
        "(1, 2)",
        "1f0001000200",
    ),
    (
        libc::AF_BLUETOOTH,
        bluetooth::BTPROTO_SCO,
        "'01:23:45:67:89:AB'",
        "1f00ab8967452301",
    ),
];

#[test]
fn bytes_are_those_of_cpython() {
    with_vm(|vm| {
        for (family, proto, source, expected) in BYTES_OF_CPYTHON {
            let address = eval(vm, source);
            let parsed = parse(vm, &socket(family, proto), &address, "sendto");
            let parsed = parsed.unwrap_or_else(|_| panic!("{source} raises"));
            let bytes = as_bytes(&parsed).iter();
            let bytes: String = bytes.map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(bytes, expected, "{source}");
        }
    });
}
