//! Floor 0: sockets on an event-loop reactor. Knows no Python.
//!
//! A [`Source`] owns one open descriptor. System calls go through [`Source::with_fd`], which holds a reference for the
//! length of the call, so that the number cannot be closed and reused under it. When a call would block, the caller
//! awaits a [`Readiness`] future and tries again:
//!
//! ```
//! # use std::{io::{self, Write}, os::unix::net::UnixStream, os::fd::AsRawFd};
//! use rustpython_reactor::reactor::{Direction, Source, block_on};
//!
//! let (ours, mut theirs) = UnixStream::pair()?;
//! ours.set_nonblocking(true)?;
//! let source = Source::new(ours.into());
//! let mut byte = [0_u8];
//! theirs.write_all(b"!")?;
//! loop {
//!     let seen = source.tick(Direction::Read);
//!     let received = source.with_fd(|fd| rustpython_reactor::reactor::recv(fd, &mut byte, 0));
//!     match received {
//!         Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
//!             block_on(source.ready_since(Direction::Read, seen), None).expect("no deadline")?;
//!         }
//!         Some(result) => break assert_eq!(result?, 1),
//!         None => unreachable!("nobody closes it"),
//!     }
//! }
//! # io::Result::Ok(())
//! ```
//!
//! The pieces, lowest first:
//!
//! * [`process`]: notices `fork`; everything below survives it.
//! * [`fork_mutex`]: a lock whose contents start afresh in a forked child.
//! * [`ref_word`]: references and the closed mark of a descriptor, in one atomic word.
//! * [`parking`]: the hand-shake between a thread about to sleep and those that wake it.
//! * [`busy_poll`]: whether a thread polls for a while before it sleeps; [`spinners`]: how many do.
//! * [`driver`]: one epoll set, and the threads' own drivers.
//! * [`wait_list`]: who waits for one source, on which driver; the event ticks.
//! * [`source`]: a descriptor and its readiness futures.
//! * [`connect`]: the begin and the end of a connection attempt.
//! * [`background`]: the driver that serves futures polled by a foreign executor.
//! * [`alarm`]: when the thread that blocks is to poll again by itself.
//! * [`park`]: `block_on`, on the calling thread's own driver.

// Under loom only the parts without system calls are built, and only its tests use them.
#![cfg_attr(loom, allow(dead_code))]

#[cfg(not(loom))]
mod alarm;
#[cfg(not(loom))]
mod background;
#[cfg(not(loom))]
mod busy_poll;
#[cfg(not(loom))]
pub(crate) mod connect;
#[cfg(not(loom))]
mod driver;
pub(crate) mod fork_mutex;
#[cfg(not(loom))]
mod park;
mod parking;
#[cfg(not(loom))]
pub(crate) mod process;
mod ref_word;
#[cfg(not(loom))]
mod source;
mod spinners;
mod sync;
#[cfg(not(loom))]
mod system;
mod wait_list;

#[cfg(not(loom))]
pub(crate) use self::{
    alarm::Alarm,
    driver::{blocking_thread, is_polling, not_polling, with_more_descriptors},
};
#[cfg(not(loom))]
pub use self::{
    busy_poll::{DEFAULT_BUSY_POLL, LONGEST_BUSY_POLL, busy_poll, set_busy_poll},
    driver::reclaim_idle_drivers,
    park::{Step, TimedOut, block_on, poll_or_park},
    source::{Readiness, Source},
    system::{has_events, recv},
};
#[cfg(all(not(loom), feature = "python"))]
pub(crate) use self::{
    busy_poll::{Yielded, let_others_run, needs_others},
    driver::poke_signal_target,
    park::poll_or_park_for_signals,
    system::eventfd,
};
pub use wait_list::Direction;

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom_tests;
