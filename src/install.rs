//! How an interpreter gets the sockets.

use std::{io, time::Duration};

use rustpython_vm::{InterpreterBuilder, py_freeze};

#[cfg(feature = "tls")]
use crate::tls_module;
use crate::{dns::Resolver, reactor, reactor_module, signal_module, socket_module};

/// Puts the reactor's sockets into an interpreter.
pub trait ReactorSockets {
    /// Replaces `_socket` and `socket` by the reactor's, and adds `reactor`; with the feature `tls`, `ssl` works over these
    /// sockets, if the standard library has it. Call it after the standard library's modules are added.
    #[must_use]
    fn with_reactor_sockets(self) -> Self;

    /// [`Self::with_reactor_sockets`] for an interpreter that looks names up with `resolver`, as do all its threads and
    /// forked children: on the application's runtime, say, or with
    /// [`Resolver::without_names`](crate::dns::Resolver::without_names).
    #[must_use]
    fn with_reactor_sockets_and(self, resolver: Resolver) -> Self;

    /// Sets how long a wait polls at most before it sleeps, up to a second; zero: not at all. For the whole process, whatever
    /// `REACTOR_BUSY_POLL_US` says; Python code may change it (`reactor.set_busy_poll`). The same as
    /// [`set_busy_poll`](crate::reactor::set_busy_poll).
    #[must_use]
    fn with_busy_poll(self, budget: Duration) -> Self;
}

impl ReactorSockets for InterpreterBuilder {
    fn with_reactor_sockets(self) -> Self {
        install(self, None)
    }

    fn with_reactor_sockets_and(self, resolver: Resolver) -> Self {
        install(self, Some(resolver))
    }

    fn with_busy_poll(self, budget: Duration) -> Self {
        reactor::set_busy_poll(budget);
        self
    }
}

/// Has Cargo notice changes of the frozen modules, whose macro does not tell it what it reads.
const _: [&str; 3] = [
    include_str!("../pylib/socket.py"),
    include_str!("../pylib/reactor.py"),
    include_str!("../pylib/_reactor_asyncio.py"),
];

fn install(builder: InterpreterBuilder, resolver: Option<Resolver>) -> InterpreterBuilder {
    let native = socket_module::module_def(&builder.ctx);
    let module = reactor_module::module_def(&builder.ctx);
    // Reads the environment while the application has few threads that could change it.
    let _ = reactor::busy_poll();
    builder
        .add_native_module(module)
        .init_hook(move |vm| {
            socket_module::stock::replace(vm, native);
            socket_module::resolvers::choose(vm, resolver);
            signal_module::extend(vm);
            #[cfg(feature = "tls")]
            tls_module::extend(vm);
        })
        .add_frozen_modules(py_freeze!(
            file = "../pylib/socket.py",
            module_name = "socket"
        ))
        .add_frozen_modules(py_freeze!(
            file = "../pylib/reactor.py",
            module_name = "reactor"
        ))
        .add_frozen_modules(py_freeze!(
            file = "../pylib/_reactor_asyncio.py",
            module_name = "_reactor_asyncio"
        ))
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
