//! How an interpreter gets the sockets.

use std::io;

use rustpython_vm::InterpreterBuilder;

use crate::{reactor_module, socket_module};

/// Puts the reactor's sockets into an interpreter.
pub trait ReactorSockets {
    /// Replaces `_socket` and `socket` by the reactor's, and adds `reactor`. Call it after the standard library's modules are added.
    #[must_use]
    fn with_reactor_sockets(self) -> Self;
}

impl ReactorSockets for InterpreterBuilder {
    fn with_reactor_sockets(self) -> Self {
        let native = socket_module::module_def(&self.ctx);
        let reactor = reactor_module::module_def(&self.ctx);
        self.add_native_module(reactor)
            .init_hook(move |vm| socket_module::stock::replace(vm, native))
            .add_frozen_modules(rustpython_vm::py_freeze!(
                file = "../pylib/socket.py",
                module_name = "socket"
            ))
            .add_frozen_modules(rustpython_vm::py_freeze!(
                file = "../pylib/reactor.py",
                module_name = "reactor"
            ))
    }
}

/// Raises this process's soft limit of open descriptors (`RLIMIT_NOFILE`) to the hard one.
///
/// # Errors
///
/// Those of getrlimit(2) and setrlimit(2).
pub fn raise_descriptor_limit() -> io::Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: fills in a valid structure.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: reads a valid structure.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
