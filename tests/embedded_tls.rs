//! TLS in applications that embed the VM: the call that installs the sockets is enough.

#![cfg(all(feature = "cli", feature = "tls"))]

use rustpython::{InterpreterBuilder, InterpreterBuilderExt};
use rustpython_reactor::ReactorSockets;
use rustpython_vm::Interpreter;

/// A TLS server and a client, on two threads of the interpreter.
const TALK: &str = r#"
import ssl, socket, threading

server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(certificates + "/server.pem")
client = ssl.create_default_context(cafile=certificates + "/authority.pem")
listener = socket.create_server(("127.0.0.1", 0))

def serve():
    peer, _ = listener.accept()
    with server.wrap_socket(peer, server_side=True) as peer:
        while data := peer.recv(1000):
            peer.sendall(data)

thread = threading.Thread(target=serve)
thread.start()
raw = socket.create_connection(listener.getsockname(), timeout=30)
with client.wrap_socket(raw, server_hostname="localhost") as connection:
    connection.sendall(b"x" * 100_000)
    received = b""
    while len(received) < 100_000:
        received += connection.recv(100_000)
    assert received == b"x" * 100_000
    machine = type(connection._sslobj)
thread.join()
listener.close()
"#;

fn run(interpreter: &Interpreter, source: &str) {
    interpreter.enter(|vm| {
        let scope = vm.new_scope_with_builtins();
        let certificates = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/certificates");
        scope
            .globals
            .set_item("certificates", vm.ctx.new_str(certificates).into(), vm)
            .expect("a variable");
        if let Err(error) = vm.run_string(scope, source, "<embedding>") {
            let mut text = String::new();
            vm.write_exception(&mut text, &error)
                .expect("an exception prints");
            panic!("{text}");
        }
    });
}

fn stock() -> Interpreter {
    InterpreterBuilder::new().init_stdlib().build()
}

fn ours() -> Interpreter {
    InterpreterBuilder::new()
        .init_stdlib()
        .with_reactor_sockets()
        .build()
}

#[test]
fn interpreters_with_and_without_these_sockets_live_in_one_process() {
    let stock_before = stock();
    let first = ours();
    let second = ours();
    let stock_after = stock();
    for interpreter in [&first, &stock_after, &second, &stock_before, &first] {
        run(interpreter, TALK);
    }
    // Each its own class: ours has the stock one below it, whose wait is not the reactor's.
    run(
        &first,
        "import ssl; assert len(ssl.SSLContext.__mro__) == 4, ssl.SSLContext.__mro__",
    );
    run(
        &stock_before,
        "import ssl; assert len(ssl.SSLContext.__mro__) == 3, ssl.SSLContext.__mro__",
    );
}

#[test]
fn an_interpreter_without_the_standard_librarys_ssl_has_the_sockets() {
    let interpreter = InterpreterBuilder::new()
        .init_stdlib()
        .init_hook(|vm| {
            let state = rustpython_vm::common::rc::PyRc::get_mut(&mut vm.state).expect("a hook");
            state.module_defs.remove("_ssl");
        })
        .with_reactor_sockets()
        .build();
    run(
        &interpreter,
        "
import socket
a, b = socket.socketpair()
a.send(b'x')
assert b.recv(1) == b'x'
try:
    import ssl
except ImportError:
    pass
else:
    raise AssertionError('ssl without _ssl')
",
    );
}
