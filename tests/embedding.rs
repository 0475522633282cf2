//! Applications that embed the VM: blocking Python calls on threads of the application's own, and on a tokio runtime's.

#![cfg(feature = "cli")]

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::Duration,
};

use rustpython::{InterpreterBuilder, InterpreterBuilderExt};
use rustpython_reactor::ReactorSockets;
use rustpython_vm::{
    Interpreter, VirtualMachine, scope::Scope, vm::thread::ThreadedVirtualMachine,
};

fn interpreter() -> Interpreter {
    InterpreterBuilder::new()
        .init_stdlib()
        .with_reactor_sockets()
        .build()
}

fn run_in(vm: &VirtualMachine, scope: &Scope, source: &str) {
    if let Err(error) = vm.run_string(scope.clone(), source, "<embedding>") {
        let mut text = String::new();
        vm.write_exception(&mut text, &error)
            .expect("an exception prints");
        panic!("{text}");
    }
}

fn run(vm: &VirtualMachine, source: &str) {
    run_in(vm, &vm.new_scope_with_builtins(), source);
}

fn thread_of(interpreter: &Interpreter) -> ThreadedVirtualMachine {
    interpreter.enter(|vm| vm.new_thread())
}

/// A client that sends what it receives back, one line; its port.
fn echo_once() -> (u16, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut line = [0; 5];
        stream.read_exact(&mut line).expect("five bytes");
        // The client is in `recv` by now or will be; it waits either way.
        stream.write_all(&line).expect("a reader");
    });
    (port, server)
}

fn blocking_client(port: u16) -> String {
    format!(
        "
import socket
with socket.create_connection(('127.0.0.1', {port}), timeout=30) as s:
    s.sendall(b'hello')
    s.settimeout(None)
    got = b''
    while len(got) < 5:
        got += s.recv(5)
    assert got == b'hello', got
a, b = socket.socketpair()
a.settimeout(0.05)
try:
    a.recv(1)
except TimeoutError as error:
    assert error.args == ('timed out',), error.args
else:
    raise AssertionError('no data, and no timeout')
assert socket.getaddrinfo('127.0.0.1', 80)[0][4] == ('127.0.0.1', 80)
"
    )
}

#[test]
fn the_application_sets_how_long_a_wait_polls() {
    let interpreter = InterpreterBuilder::new()
        .init_stdlib()
        .with_busy_poll(Duration::from_micros(250))
        .with_reactor_sockets()
        .build();
    interpreter.enter(|vm| {
        run(
            vm,
            "import reactor; assert reactor.get_busy_poll() == 0.00025; reactor.set_busy_poll(0.000125)",
        );
    });
    assert_eq!(
        rustpython_reactor::reactor::busy_poll(),
        Duration::from_micros(125)
    );
}

#[test]
fn a_thread_of_the_application_blocks_in_python() {
    let interpreter = interpreter();
    let (port, server) = echo_once();
    let python = thread_of(&interpreter);
    thread::spawn(move || python.run(|vm| run(vm, &blocking_client(port))))
        .join()
        .expect("Python ran");
    server.join().expect("the server ran");
}

#[test]
fn a_tokio_worker_blocks_in_python() {
    let interpreter = interpreter();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let (port, server) = echo_once();
    let python = thread_of(&interpreter);
    // On the worker itself: `Runtime::block_on` or `Handle::block_on` would panic here.
    let task = runtime.spawn(async move { python.run(|vm| run(vm, &blocking_client(port))) });
    runtime.block_on(task).expect("Python ran on the worker");
    server.join().expect("the server ran");
}

#[test]
fn a_blocking_thread_of_tokio_blocks_in_python() {
    let interpreter = interpreter();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let (port, server) = echo_once();
    let python = thread_of(&interpreter);
    let task = runtime.spawn_blocking(move || python.run(|vm| run(vm, &blocking_client(port))));
    runtime
        .block_on(task)
        .expect("Python ran on the blocking thread");
    server.join().expect("the server ran");
}

#[test]
fn close_on_one_thread_ends_a_wait_on_another_of_the_application() {
    let interpreter = interpreter();
    let scope = interpreter.enter(|vm| {
        let scope = vm.new_scope_with_builtins();
        run_in(
            vm,
            &scope,
            "import socket, errno\na, b = socket.socketpair()\nresult = None",
        );
        scope
    });
    let (reader, closer) = (thread_of(&interpreter), thread_of(&interpreter));
    let (reading, closing) = (scope.clone(), scope.clone());
    let reader = thread::spawn(move || {
        reader.run(|vm| {
            run_in(
                vm,
                &reading,
                "try:\n    a.recv(1)\nexcept OSError as error:\n    result = error.errno",
            );
        });
    });
    // Right whether the reader waits already or not: a closed socket raises the same.
    thread::spawn(move || closer.run(|vm| run_in(vm, &closing, "a.close()")))
        .join()
        .expect("closed");
    reader.join().expect("the reader ended");
    interpreter.enter(|vm| run_in(vm, &scope, "assert result == errno.EBADF, result"));
}

#[test]
fn a_peer_that_stalls_does_not_stall_the_runtime_or_other_threads() {
    let interpreter = interpreter();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let stalled = thread_of(&interpreter);
    let waiting = thread::spawn(move || {
        stalled.run(|vm| {
            run(
                vm,
                &format!(
                    "import socket\nwith socket.create_connection(('127.0.0.1', {port})) as s:\n    assert s.recv(1) == b''"
                ),
            );
        });
    });
    let (peer, _) = listener.accept().expect("the stalled client");
    let (other_port, server) = echo_once();
    let other = thread_of(&interpreter);
    thread::spawn(move || other.run(|vm| run(vm, &blocking_client(other_port))))
        .join()
        .expect("the other ran");
    server.join().expect("the server ran");
    drop(peer);
    waiting.join().expect("the stalled client saw the end");
}

#[test]
fn each_interpreter_has_its_own_default_timeout() {
    let (one, other) = (interpreter(), interpreter());
    one.enter(|vm| run(vm, "import socket\nsocket.setdefaulttimeout(2.5)"));
    let unset = "
import socket
assert socket.getdefaulttimeout() is None, socket.getdefaulttimeout()
assert [sock.gettimeout() for sock in socket.socketpair()] == [None, None]
";
    other.enter(|vm| run(vm, unset));
    other.enter(|vm| run(vm, "import socket\nsocket.setdefaulttimeout(0)"));
    let set = "
import socket
assert socket.getdefaulttimeout() == 2.5, socket.getdefaulttimeout()
with socket.create_server(('127.0.0.1', 0)) as listener:
    with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as server:
        assert [listener.gettimeout(), client.gettimeout(), server.gettimeout()] == [2.5, 2.5, 2.5]
";
    one.enter(|vm| run(vm, set));
    // Its threads share it; a sub-interpreter does not.
    let thread = thread_of(&one);
    thread::spawn(move || thread.run(|vm| run(vm, set)))
        .join()
        .expect("Python ran");
    let new = one.create_subinterpreter();
    new.enter(|vm| run(vm, unset));
    drop((new, other));
    one.enter(|vm| run(vm, set));
    one.enter(|vm| run(vm, "import socket\nsocket.setdefaulttimeout(None)"));
    one.enter(|vm| run(vm, unset));
}
