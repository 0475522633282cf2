//! The Python side of the address codec: exceptions and objects, in a VM.
//!
//! The VM has the standard library, without which it does not start. Hosts are numeric here, so that no test needs a
//! resolver. The expected texts are those of CPython.

use rustpython::{InterpreterBuilder, InterpreterBuilderExt};
use rustpython_vm::{AsObject, PyObjectRef, VirtualMachine};

use super::{from_bytes, parse, to_python};

fn with_vm(test: impl FnOnce(&VirtualMachine)) {
    InterpreterBuilder::new().init_stdlib().build().enter(test);
}

/// The value of a Python expression.
fn eval(vm: &VirtualMachine, source: &str) -> PyObjectRef {
    vm.run_block_expr(vm.new_scope_with_builtins(), source)
        .unwrap_or_else(|_| panic!("{source} raises"))
}

fn repr(vm: &VirtualMachine, object: &PyObjectRef) -> String {
    let text = object.repr(vm).expect("the repr of plain data");
    text.to_string_lossy().into_owned()
}

/// `parse` and then `to_python`; an exception becomes `Class: text`.
fn round_trip(vm: &VirtualMachine, family: i32, source: &str) -> String {
    let address = eval(vm, source);
    let parsed = parse(vm, family, 0, &address, "connect");
    match parsed.and_then(|address| to_python(vm, &address, 0)) {
        Ok(object) => repr(vm, &object),
        Err(error) => {
            let text = error.as_object().str(vm).expect("the text of an exception");
            format!("{}: {}", error.class().name(), text.to_string_lossy())
        }
    }
}

fn check(family: i32, cases: &[(&str, &str)]) {
    with_vm(|vm| {
        for (source, expected) in cases {
            assert_eq!(round_trip(vm, family, source), *expected, "{source}");
        }
    });
}

#[test]
fn inet() {
    let pair = "TypeError: AF_INET address must be a pair (host, port)";
    let range = "OverflowError: connect(): port must be 0-65535.";
    check(
        libc::AF_INET,
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
        let text = round_trip(vm, libc::AF_UNIX, "memoryview(b'abcd')[::2]");
        assert!(text.starts_with("BufferError: "), "{text}");
    });
}

#[test]
fn other_families() {
    check(0, &[("('127.0.0.1', 1)", "OSError: connect(): bad family")]);
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
        ] {
            let object = to_python(vm, &from_bytes(bytes), 0);
            let object = object.expect("a form for every address");
            assert_eq!(repr(vm, &object), expected, "{bytes:?}");
        }
    });
}
