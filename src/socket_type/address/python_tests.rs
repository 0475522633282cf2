//! The Python side of the address codec: exceptions and objects, in a VM.
//!
//! The VM has the standard library, without which it does not start. Hosts are numeric here, so that no test needs a
//! resolver. The expected texts are those of CPython.

use std::{
    net::UdpSocket,
    sync::{Arc, atomic::Ordering},
};

use rustpython_vm::{AsObject, PyObjectRef, VirtualMachine};

use super::{from_kernel, of_sender, parse, parse_receiver};
use crate::{
    reactor::Source,
    sockaddr::{as_bytes, bluetooth, from_bytes, inet6, qipcrtr},
    socket_type::PySocket,
    test_interpreter::with_vm,
};

/// A socket that Python takes for one of this family and protocol, whatever the kernel has loaded.
fn socket(family: i32, proto: i32) -> PySocket {
    let any = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket on loopback");
    let socket = PySocket::default();
    socket.family.store(family, Ordering::Relaxed);
    socket.proto.store(proto, Ordering::Relaxed);
    let source = Source::new(any.into());
    let _ = socket.source.replace(Arc::new(source));
    socket
}

#[cfg(target_endian = "little")]
mod bytes;

/// The value of a Python expression.
fn eval(vm: &VirtualMachine, source: &str) -> PyObjectRef {
    vm.run_block_expr(vm.new_scope_with_builtins(), source)
        .unwrap_or_else(|_| panic!("{source} raises"))
}

fn repr(vm: &VirtualMachine, object: &PyObjectRef) -> String {
    let text = object.repr(vm).expect("the repr of plain data");
    text.to_string_lossy().into_owned()
}

/// `parse` and then `from_kernel`; an exception becomes `Class: text`.
fn round_trip(vm: &VirtualMachine, socket: &PySocket, source: &str) -> String {
    let address = eval(vm, source);
    let parsed = parse(vm, socket, &address, "connect");
    match parsed.and_then(|address| from_kernel(vm, socket, &address)) {
        Ok(object) => repr(vm, &object),
        Err(error) => {
            let text = error.as_object().str(vm).expect("the text of an exception");
            format!("{}: {}", error.class().name(), text.to_string_lossy())
        }
    }
}

fn check(family: i32, proto: i32, cases: &[(&str, &str)]) {
    let socket = socket(family, proto);
    with_vm(|vm| {
        for (source, expected) in cases {
            assert_eq!(round_trip(vm, &socket, source), *expected, "{source}");
        }
    });
}

#[test]
fn inet() {
    let pair = "TypeError: AF_INET address must be a pair (host, port)";
    let range = "OverflowError: connect(): port must be 0-65535.";
    check(
        libc::AF_INET,
        0,
        &[
            ("('192.0.2.1', 80)", "('192.0.2.1', 80)"),
            ("('0.0.0.0', True)", "('0.0.0.0', 1)"),
            ("('255.255.255.255', 65535)", "('255.255.255.255', 65535)"),
            (
                "type('T', (tuple,), {})(('127.0.0.1', 1))",
                "('127.0.0.1', 1)",
            ),
            (
                "('1.2.3.4', type('I', (), {'__index__': lambda s: 7})())",
                "('1.2.3.4', 7)",
            ),
            (
                "5",
                "TypeError: connect(): AF_INET address must be tuple, not int",
            ),
            (
                "None",
                "TypeError: connect(): AF_INET address must be tuple, not NoneType",
            ),
            (
                "['127.0.0.1', 1]",
                "TypeError: connect(): AF_INET address must be tuple, not list",
            ),
            ("()", pair),
            ("('127.0.0.1',)", pair),
            ("('127.0.0.1', 1, 2)", pair),
            ("('127.0.0.1', -1)", range),
            ("('127.0.0.1', 65536)", range),
            ("('127.0.0.1', 1 << 31)", range),
            ("('127.0.0.1', 1 << 70)", range),
            (
                "('127.0.0.1', '1')",
                "TypeError: 'str' object cannot be interpreted as an integer",
            ),
            (
                "('127.0.0.1', 1.0)",
                "TypeError: 'float' object cannot be interpreted as an integer",
            ),
            (
                "('127.0.0.1', type('I', (), {'__index__': lambda s: 1 // 0})())",
                "ZeroDivisionError: division by zero",
            ),
        ],
    );
}

#[test]
fn inet6() {
    let form = "TypeError: AF_INET6 address must be a tuple (host, port[, flowinfo[, scopeid]])";
    let port = "OverflowError: connect(): port must be 0-65535.";
    let flow = "OverflowError: connect(): flowinfo must be 0-1048575.";
    check(
        libc::AF_INET6,
        0,
        &[
            ("('::1', 80)", "('::1', 80, 0, 0)"),
            (
                "('2001:db8::1', 80, 1048575)",
                "('2001:db8::1', 80, 1048575, 0)",
            ),
            ("('fe80::1', 80, 1, 2)", "('fe80::1', 80, 1, 2)"),
            ("('::ffff:1.2.3.4', 1)", "('::ffff:1.2.3.4', 1, 0, 0)"),
            ("('::1', 1, 1 << 32, -1)", "('::1', 1, 0, 4294967295)"),
            (
                "5",
                "TypeError: connect(): AF_INET6 address must be tuple, not int",
            ),
            ("('::1',)", form),
            ("('::1', 1, 2, 3, 4)", form),
            ("('::1', -1)", port),
            ("('::1', 65536, -1)", port),
            ("('::1', 1 << 70)", port),
            ("('::1', 1, -1)", flow),
            ("('::1', 1, 1048576)", flow),
            (
                "('::1', 1, 'x')",
                "TypeError: 'str' object cannot be interpreted as an integer",
            ),
            (
                "('::1', 1, 1, 'x')",
                "TypeError: 'str' object cannot be interpreted as an integer",
            ),
        ],
    );
}

#[test]
fn unix() {
    let long = "OSError: AF_UNIX path too long";
    check(
        libc::AF_UNIX,
        0,
        &[
            ("'/tmp/s'", "'/tmp/s'"),
            ("b'/tmp/s'", "'/tmp/s'"),
            ("bytearray(b'/tmp/s')", "'/tmp/s'"),
            ("memoryview(b'/tmp/s')", "'/tmp/s'"),
            ("'\\u00e9'", "'\u{e9}'"),
            ("b'\\xff\\xfe'", "'\\udcff\\udcfe'"),
            ("'\\udcff'", "'\\udcff'"),
            ("'\\0a\\0b'", "b'\\x00a\\x00b'"),
            ("b'\\0'", "b'\\x00'"),
            ("''", "''"),
            ("b''", "''"),
            ("'a\\0b'", "'a'"),
            ("'a' * 108", long),
            ("'\\u00e9' * 54", long),
            ("b'\\0' * 109", long),
            ("5", "TypeError: a bytes-like object is required, not 'int'"),
            (
                "None",
                "TypeError: a bytes-like object is required, not 'NoneType'",
            ),
            (
                "('a', 1)",
                "TypeError: a bytes-like object is required, not 'tuple'",
            ),
            (
                "'\\ud800'",
                "UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud800' in position 0: \
                 surrogates not allowed",
            ),
        ],
    );
}

#[test]
fn a_buffer_must_be_contiguous() {
    with_vm(|vm| {
        let text = round_trip(vm, &socket(libc::AF_UNIX, 0), "memoryview(b'abcd')[::2]");
        assert!(text.starts_with("BufferError: "), "{text}");
    });
}

#[test]
fn netlink() {
    let pair = "TypeError: AF_NETLINK address must be a pair (pid, groups)";
    check(
        libc::AF_NETLINK,
        0,
        &[
            ("(7, 3)", "(7, 3)"),
            ("(True, 0)", "(1, 0)"),
            ("(-1, (1 << 40) + 5)", "(4294967295, 5)"),
            (
                "5",
                "TypeError: connect(): AF_NETLINK address must be tuple, not int",
            ),
            ("(1,)", pair),
            ("(1, 2, 3)", pair),
            (
                "('a', 1)",
                "TypeError: 'str' object cannot be interpreted as an integer",
            ),
        ],
    );
}

#[test]
fn vsock_and_qipcrtr() {
    for (family, name) in [
        (libc::AF_VSOCK, "AF_VSOCK"),
        (qipcrtr::AF_QIPCRTR, "AF_QIPCRTR"),
    ] {
        let tuple = format!("TypeError: getsockaddrarg: {name} address must be tuple, not list");
        check(
            family,
            0,
            &[
                ("(3, 1234)", "(3, 1234)"),
                ("(-1, (1 << 40) + 5)", "(4294967295, 5)"),
                ("[1, 2]", &tuple),
                (
                    "(1,)",
                    "TypeError: getsockaddrarg() takes exactly 2 arguments (1 given)",
                ),
                (
                    "(1, 2.5)",
                    "TypeError: 'float' object cannot be interpreted as an integer",
                ),
            ],
        );
    }
}

#[test]
fn rds_has_the_addresses_of_inet() {
    check(
        libc::AF_RDS,
        0,
        &[
            ("('127.0.0.1', 18634)", "('127.0.0.1', 18634)"),
            (
                "5",
                "TypeError: connect(): AF_INET address must be tuple, not int",
            ),
        ],
    );
}

#[test]
fn packet() {
    let form = "TypeError: AF_PACKET address must be a tuple of two to five elements";
    let range = "OverflowError: connect(): address argument out of range";
    let proto = "OverflowError: connect(): proto must be 0-65535.";
    let long = "ValueError: Hardware address must be 8 bytes or less";
    let device = "OSError: [Errno 19] No such device";
    check(
        libc::AF_PACKET,
        0,
        &[
            ("('lo', 0x806)", "('lo', 2054, 0, 0, b'')"),
            ("('lo', 65535, 4)", "('lo', 65535, 4, 0, b'')"),
            (
                "('lo', 3, 300, 70000, b'12345678')",
                "('lo', 3, 44, 4464, b'12345678')",
            ),
            (
                "('lo', 3, -1, -2, bytearray(b'1'))",
                "('lo', 3, 255, 65534, b'1')",
            ),
            (
                "'lo'",
                "TypeError: connect(): AF_PACKET address must be tuple, not str",
            ),
            ("('lo',)", form),
            ("('lo', 1, 2, 3, b'', 5)", form),
            ("(b'lo', 1)", form),
            ("('lo\\0', 1)", "ValueError: embedded null character"),
            ("('lo', 1 << 40)", range),
            ("('lo', 1, 1 << 31)", range),
            ("('lo', -1)", proto),
            ("('lo', 65536)", proto),
            ("('lo', 1, 1, 1, b'123456789')", long),
            ("('lo', -1, 1, 1, b'123456789')", long),
            ("('no such device', -1, 1, 1, b'123456789')", device),
            ("('', 1)", device),
            ("('x' * 300, 1)", device),
            (
                "('lo', 1, 1, 1, 'x')",
                "TypeError: a bytes-like object is required, not 'str'",
            ),
        ],
    );
}

#[test]
fn can() {
    let tuple = "TypeError: connect(): AF_CAN address must be tuple, not int";
    let long = "OSError: AF_CAN interface name too long";
    let device = "OSError: [Errno 19] No such device";
    for proto in [libc::CAN_RAW, libc::CAN_BCM] {
        check(
            libc::AF_CAN,
            proto,
            &[
                ("('lo',)", "('lo',)"),
                ("(b'lo',)", "('lo',)"),
                ("('',)", "('',)"),
                ("5", tuple),
                (
                    "('lo', 1)",
                    "TypeError: AF_CAN address must be a tuple (interface, )",
                ),
                (
                    "(5,)",
                    "TypeError: expected str, bytes or os.PathLike object, not int",
                ),
                ("('l\\0',)", "ValueError: embedded null byte"),
                ("('x' * 15,)", device),
                ("('x' * 16,)", long),
            ],
        );
    }
    let no_tuple = "SystemError: new style getargs format but argument is not a tuple";
    check(
        libc::AF_CAN,
        libc::CAN_ISOTP,
        &[
            ("('lo', 0x123, 0x456)", "('lo', 291, 1110)"),
            ("('', -1, (1 << 70) + 3)", "('', 4294967295, 3)"),
            ("'lo'", no_tuple),
            (
                "('lo', 1)",
                "TypeError: function takes exactly 3 arguments (2 given)",
            ),
            (
                "('lo', 1, None)",
                "TypeError: argument 3 must be int, not None",
            ),
            ("('x' * 16, 1, 2)", long),
        ],
    );
    check(
        libc::AF_CAN,
        libc::CAN_J1939,
        &[
            (
                "('lo', 1 << 63, 0x3ffff, 0xfe)",
                "('lo', 9223372036854775808, 262143, 254)",
            ),
            (
                "('', -1, -2, -3)",
                "('', 18446744073709551615, 4294967294, 253)",
            ),
            ("5", no_tuple),
            (
                "('lo',)",
                "TypeError: function takes exactly 4 arguments (1 given)",
            ),
            (
                "('lo', 'a', 2, 3)",
                "TypeError: argument 2 must be int, not str",
            ),
            (
                "('lo', 1, 'a', 3)",
                "TypeError: 'str' object cannot be interpreted as an integer",
            ),
            ("('nope', 1, 2, 3)", device),
        ],
    );
    check(
        libc::AF_CAN,
        99,
        &[("('lo',)", "OSError: connect(): unsupported CAN protocol")],
    );
}

#[test]
fn alg() {
    let form = "TypeError: AF_ALG address must be a tuple (type, name[, feat[, mask]])";
    check(
        libc::AF_ALG,
        0,
        &[
            ("('hash', 'sha256')", "('hash', 'sha256', 0, 0)"),
            ("('rng', '\u{e9}', 1, -1)", "('rng', '\u{e9}', 1, 65535)"),
            (
                "('a' * 13, 'b' * 63)",
                &format!("('{}', '{}', 0, 0)", "a".repeat(13), "b".repeat(63)),
            ),
            ("('a' * 14, 'b' * 64)", "ValueError: AF_ALG type too long."),
            ("('a', 'b' * 64)", "ValueError: AF_ALG name too long."),
            (
                "5",
                "TypeError: connect(): AF_ALG address must be tuple, not int",
            ),
            ("('a',)", form),
            ("(b'a', 'b')", form),
            ("('a', 'b', 1, 2, 3)", form),
            ("('a', 'b\\0')", "ValueError: embedded null character"),
        ],
    );
}

#[test]
fn tipc() {
    let form = "TypeError: AF_TIPC address must be a tuple (addr_type, v1, v2, v3[, scope])";
    check(
        libc::AF_TIPC,
        0,
        &[
            ("(1, 2, 3, 4)", "(1, 2, 3, 4, 2)"),
            ("(2, 2, 3, 4, 3)", "(2, 2, 3, 3, 3)"),
            ("(3, 2, 3, 4, -1)", "(3, 2, 3, 0, 4294967295)"),
            ("(0, 1, 2, 3)", "TypeError: Invalid address type"),
            ("(257, 1, 2, 3)", "TypeError: Invalid address type"),
            (
                "5",
                "TypeError: connect(): AF_TIPC address must be tuple, not int",
            ),
            ("(1, 2, 3)", form),
            ("(1, 2, 3, 4, 5, 6)", form),
        ],
    );
    with_vm(|vm| {
        let address = from_bytes(&[30, 0, 9, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
        let error = from_kernel(vm, &socket(libc::AF_TIPC, 0), &address);
        let error = error.expect_err("kind 9 is unknown");
        assert!(error.fast_isinstance(vm.ctx.exceptions.value_error));
    });
}

#[test]
fn bluetooth() {
    let format = "OSError: connect(): wrong format";
    let device = "OSError: bad bluetooth address";
    let zero_division = "type('I', (), {'__index__': lambda s: 1 // 0})()";
    check(
        libc::AF_BLUETOOTH,
        bluetooth::BTPROTO_L2CAP,
        &[
            ("('01:23:45:67:89:ab', 1)", "('01:23:45:67:89:AB', 1)"),
            ("('1:2:3:4:5:6', 1, 0)", "('01:02:03:04:05:06', 1)"),
            ("('1:2:3:4:5:6', 0, 4)", "('01:02:03:04:05:06', 0, 4)"),
            ("('1:2:3:4:5:6', 0, 4, 2)", "('01:02:03:04:05:06', 0, 4, 2)"),
            ("('1:2:3:4:5:6', 9, 0, 1)", "('01:02:03:04:05:06', 9, 0, 1)"),
            (
                "('1:2:3:4:5:6', -1, 70000, 257)",
                "('01:02:03:04:05:06', 65535, 4464, 1)",
            ),
            ("5", format),
            ("('1:2:3:4:5:6',)", format),
            ("('1:2:3:4:5:6', 1, 2, 3, 4)", format),
            ("(b'1:2:3:4:5:6', 1)", format),
            ("('1:2:3:4:5:6\\0', 1)", format),
            (&format!("('1:2:3:4:5:6', {zero_division})"), format),
            ("('1:2:3:4:5', 1)", device),
        ],
    );
    check(
        libc::AF_BLUETOOTH,
        bluetooth::BTPROTO_RFCOMM,
        &[
            ("('1:2:3:4:5:6', 257)", "('01:02:03:04:05:06', 1)"),
            ("('1:2:3:4:5:6',)", format),
            ("('1:2:3:4:5:6', 1, 1)", format),
            ("('x', 1)", device),
        ],
    );
    check(
        libc::AF_BLUETOOTH,
        bluetooth::BTPROTO_HCI,
        &[
            ("5", "5"),
            ("(5,)", "5"),
            ("(5, 0)", "5"),
            ("(65536 + 3, -1)", "(3, 65535)"),
            ("'x'", format),
            ("()", format),
            ("(1, 2, 3)", format),
            ("(1.5,)", format),
            (&format!("({zero_division},)"), format),
            (zero_division, "ZeroDivisionError: division by zero"),
        ],
    );
    check(
        libc::AF_BLUETOOTH,
        bluetooth::BTPROTO_SCO,
        &[
            ("'1:2:3:4:5:6'", "'01:02:03:04:05:06'"),
            ("b'1:2:3:4:5:6'", "'01:02:03:04:05:06'"),
            ("bytearray(b'1:2:3:4:5:6')", format),
            ("('1:2:3:4:5:6',)", format),
            ("b'\\xff'", device),
            ("''", device),
            ("'1:2:3:4:5:6\\0'", "ValueError: embedded null character"),
            ("b'1:2:3:4:5:6\\0'", "ValueError: embedded null byte"),
        ],
    );
    check(
        libc::AF_BLUETOOTH,
        99,
        &[("5", "OSError: connect(): unknown Bluetooth protocol")],
    );
}

#[test]
fn interfaces_need_an_open_socket_and_an_interface() {
    with_vm(|vm| {
        let closed = PySocket::default();
        closed.family.store(libc::AF_PACKET, Ordering::Relaxed);
        let text = round_trip(vm, &closed, "('lo', 0)");
        assert_eq!(text, "OSError: [Errno 9] Bad file descriptor");
        // The index of no interface, on an open socket and on a closed one.
        let mut bytes = [0; 20];
        bytes[0] = 17;
        bytes[4..8].copy_from_slice(&i32::MAX.to_ne_bytes());
        for socket in [closed, socket(libc::AF_PACKET, 0)] {
            let object = from_kernel(vm, &socket, &from_bytes(&bytes));
            let object = object.expect("a form for every address");
            assert_eq!(repr(vm, &object), "('', 0, 0, 0, b'')");
        }
    });
}

#[test]
fn other_families() {
    for family in [0, 99] {
        let bad = "OSError: connect(): bad family";
        check(family, 0, &[("('127.0.0.1', 1)", bad)]);
    }
    with_vm(|vm| {
        for (bytes, expected) in [
            (&[][..], "None"),
            (&[7], "None"),
            (&[7, 0], "(7, b'')"),
            (&[0, 1, 2, 3], "(256, b'\\x02\\x03')"),
            // Cut short of what their families need.
            (&[2, 0, 0, 80, 1], "(2, b'\\x00P\\x01')"),
            (&[10, 0, 0, 80], "(10, b'\\x00P')"),
            (&[1, 0], "''"),
            (&[1], "None"),
            (&[29, 0, 1, 2], "(29, b'\\x01\\x02')"),
            // A Bluetooth protocol without a form.
            (&[31, 0, 1, 2], "(31, b'\\x01\\x02')"),
        ] {
            let object = from_kernel(vm, &socket(libc::AF_BLUETOOTH, 4), &from_bytes(bytes));
            let object = object.expect("a form for every address");
            assert_eq!(repr(vm, &object), expected, "{bytes:?}");
        }
    });
}

/// The kernel gives no flow with a datagram today; the traffic class that would come with it is refused by `sendto`.
#[test]
fn a_sender_that_cannot_be_sent_to_stays_so() {
    with_vm(|vm| {
        let socket = socket(libc::AF_INET6, 0);
        for flowinfo in [0x0200_0000, 0xf_ffff] {
            let address = inet6::encode(inet6::Fields {
                ip: std::net::Ipv6Addr::LOCALHOST,
                port: 7,
                flowinfo,
                scope_id: 0,
            });
            for _ in 0..2 {
                let sender = of_sender(vm, &socket, as_bytes(&address)).expect("an address");
                let expected = format!("('::1', 7, {flowinfo}, 0)");
                assert_eq!(repr(vm, &sender), expected);
                match parse_receiver(vm, &socket, &sender) {
                    Ok(receiver) => assert_eq!(receiver.bytes(), as_bytes(&address)),
                    Err(error) => assert!(
                        flowinfo > 0xf_ffff
                            && error.fast_isinstance(vm.ctx.exceptions.overflow_error)
                    ),
                }
            }
        }
    });
}
