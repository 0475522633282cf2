//! Connecting to whichever of a host's addresses answers first, with a Python socket for each attempt.

use std::{sync::atomic::Ordering, time::Duration};

use rustpython_vm::{
    AsObject, PyObject, PyObjectRef, PyRef, PyResult, VirtualMachine, builtins::PyBaseExceptionRef,
    convert::IntoPyException,
};

use super::{PySocket, address};
use crate::{
    blocking_bridge::{Failure, deadline, wait_until},
    errors,
    happy_eyeballs::{Event, Race},
};

/// An address, as `getaddrinfo` gives it: the first three are the socket's.
pub(crate) struct Target {
    pub(crate) family: PyObjectRef,
    pub(crate) kind: PyObjectRef,
    pub(crate) proto: PyObjectRef,
    pub(crate) address: PyObjectRef,
}

/// What the sockets of a race have in common.
pub(crate) struct Plan {
    /// What is called for a new socket: a class that derives from `_socket.socket`.
    pub(crate) class: PyObjectRef,
    /// What each socket's timeout is set to.
    pub(crate) timeout: Option<PyObjectRef>,
    /// What each socket is bound to.
    pub(crate) source_address: Option<PyObjectRef>,
    /// Between the begin of an attempt that goes on and the next.
    pub(crate) delay: Duration,
}

/// An attempt's socket. Closed when dropped, unless it has won.
struct Contender {
    index: usize,
    socket: Option<PyRef<PySocket>>,
}

impl Drop for Contender {
    fn drop(&mut self) {
        let Some(socket) = self.socket.take() else {
            return;
        };
        // An audit hook may have kept the object.
        socket.closed.store(true, Ordering::Relaxed);
        if let Some(source) = socket.source.load().get() {
            let _ = source.close();
        }
    }
}

/// The socket that has won, if one has, and why the other attempts failed, in the order of time.
///
/// When the thread's deadline passes, that is the last failure. All other sockets are closed.
///
/// # Errors
///
/// What ends it early: an exception of a signal handler, and what is no OSError of an audit hook or an argument.
pub(crate) fn race(
    vm: &VirtualMachine,
    targets: &[Target],
    plan: &Plan,
) -> PyResult<(Option<PyObjectRef>, Vec<PyBaseExceptionRef>)> {
    let deadline = deadline::nearest();
    let mut race = Race::new(targets.len(), plan.delay);
    let mut contenders: Vec<Contender> = Vec::new();
    let mut failures = Vec::new();
    loop {
        let due = race.due();
        let event = match wait_until(vm, race.event(), due, deadline) {
            Ok(Some(event)) => event,
            Ok(None) => continue,
            Err(Failure::TimedOut) => {
                failures.push(errors::timed_out(vm));
                return Ok((None, failures));
            }
            Err(failure) => return Err(failure.into_pyexception(vm)),
        };
        let failed = match event {
            Event::Lost => return Ok((None, failures)),
            Event::Connected(index) => return Ok((winner(&mut contenders, index), failures)),
            Event::Failed(index, error) => Some((index, errors::from_io(vm, &error))),
            Event::Due(index) => match targets.get(index) {
                Some(target) => match begin(vm, &mut race, &mut contenders, index, target, plan) {
                    Ok(true) => return Ok((winner(&mut contenders, index), failures)),
                    Ok(false) => None,
                    Err(failure) => Some((index, failure.into_pyexception(vm))),
                },
                None => None,
            },
        };
        if let Some((index, exception)) = failed {
            contenders.retain(|contender| contender.index != index);
            if !exception.fast_isinstance(vm.ctx.exceptions.os_error) {
                return Err(exception);
            }
            failures.push(exception);
        }
    }
}

fn winner(contenders: &mut [Contender], index: usize) -> Option<PyObjectRef> {
    let winner = contenders
        .iter_mut()
        .find(|contender| contender.index == index)?;
    winner.socket.take().map(Into::into)
}

/// Makes a socket and begins its attempt; true if that has won at once.
fn begin(
    vm: &VirtualMachine,
    race: &mut Race,
    contenders: &mut Vec<Contender>,
    index: usize,
    target: &Target,
    plan: &Plan,
) -> Result<bool, Failure> {
    let arguments = (
        target.family.clone(),
        target.kind.clone(),
        target.proto.clone(),
    );
    let made = plan.class.call(arguments, vm)?;
    let Ok(socket) = made.downcast::<PySocket>() else {
        let text = "sockets have to be of a class that derives from socket.socket";
        return Err(vm.new_type_error(text).into());
    };
    contenders.push(Contender {
        index,
        socket: Some(socket.clone()),
    });
    let object: &PyObject = socket.as_object();
    if let Some(timeout) = &plan.timeout {
        vm.call_method(object, "settimeout", (timeout.clone(),))?;
    }
    if let Some(source_address) = &plan.source_address {
        vm.call_method(object, "bind", (source_address.clone(),))?;
    }
    let parsed = address::parse(vm, &socket, &target.address, "connect")?;
    vm.audit("socket.connect", || {
        (object.to_owned(), target.address.clone())
    })?;
    let source = socket.source.load().get().cloned();
    let source = source.ok_or(Failure::Errno(libc::EBADF))?;
    Ok(race.begin(index, source, parsed)?)
}
