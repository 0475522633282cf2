//! Python sockets for RustPython on an event-loop reactor.
//!
//! An application that embeds RustPython gives its interpreter these sockets with one call:
//!
//! ```
//! # #[cfg(feature = "cli")] {
//! use rustpython::{InterpreterBuilder, InterpreterBuilderExt};
//! use rustpython_reactor::ReactorSockets;
//!
//! let interpreter = InterpreterBuilder::new().init_stdlib().with_reactor_sockets().build();
//! interpreter.enter(|vm| {
//!     let scope = vm.new_scope_with_builtins();
//!     vm.run_string(scope, "import socket; a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'", "<doc>")
//!         .map_err(|error| vm.print_exception(&error))
//!         .expect("the sockets talk");
//! });
//! # }
//! ```
//!
//! Any thread may then call into Python and block there, a tokio worker's included: a thread that waits turns an epoll set of
//! its own.

// Public, as `sockaddr` is, for the fuzz targets: see `fuzz/`.
#[doc(hidden)]
pub mod control_message;
#[cfg(not(loom))]
pub mod dns;
#[cfg(not(loom))]
pub mod happy_eyeballs;
#[doc(hidden)]
pub mod line_buffer;
pub mod reactor;
#[doc(hidden)]
pub mod sockaddr;
#[doc(hidden)]
pub mod text_lines;

#[cfg(feature = "python")]
pub mod blocking_bridge;
#[cfg(feature = "python")]
mod constants;
#[cfg(feature = "python")]
mod errors;
#[cfg(feature = "python")]
mod install;
#[cfg(feature = "python")]
mod memory;
#[cfg(feature = "python")]
mod reactor_module;
#[cfg(feature = "python")]
mod signal_module;
#[cfg(feature = "python")]
mod socket_module;
#[cfg(feature = "python")]
mod socket_type;
#[cfg(all(test, feature = "cli"))]
mod test_interpreter;
#[cfg(feature = "tls")]
mod tls_module;

#[cfg(feature = "python")]
pub use install::{ReactorSockets, raise_descriptor_limit};

/// Compiles the README's example.
#[cfg(all(doctest, feature = "cli"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles the examples.
#[cfg(all(doctest, feature = "cli"))]
#[doc = include_str!("../docs/names.md")]
struct Names;
