//! Python sockets for RustPython on an event-loop reactor.

pub mod dns;
pub mod reactor;

#[cfg(feature = "python")]
pub mod blocking_bridge;
#[cfg(feature = "python")]
mod constants;
#[cfg(feature = "python")]
mod errors;
#[cfg(feature = "python")]
mod socket_module;
#[cfg(feature = "python")]
mod socket_type;
