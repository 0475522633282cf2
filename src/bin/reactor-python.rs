//! `reactor-python`: a Python 3.14 interpreter whose sockets stand on the reactor.

use std::process::ExitCode;

use rustpython::{InterpreterBuilder, InterpreterBuilderExt};
use rustpython_reactor::ReactorSockets;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A descriptor a connection and one a waiting thread: take what the system allows. A failure leaves the limit as it is.
    let _ = rustpython_reactor::raise_descriptor_limit();
    rustpython::run(
        InterpreterBuilder::new()
            .init_stdlib()
            .with_reactor_sockets(),
    )
}
