//! The timeout that new sockets start with: one for each interpreter of the process.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwapOption;
use rustpython_vm::{VirtualMachine, vm::runtime};

use crate::blocking_bridge::Timeout;

#[derive(Clone, Copy)]
struct Default {
    /// The VM gives no number out twice.
    interpreter: i64,
    /// As in [`Timeout`], but never [`Timeout::NONE`].
    nanoseconds: i64,
}

/// The interpreters that have a default. Every new socket looks here, so reading takes no lock; nor could a forked child wait for
/// one.
static DEFAULTS: ArcSwapOption<Vec<Default>> = ArcSwapOption::const_empty();

/// Whether any interpreter has ever had one: nearly none has.
static ANY: AtomicBool = AtomicBool::new(false);

/// The default of the calling interpreter, in nanoseconds as in [`Timeout`].
pub(super) fn get(vm: &VirtualMachine) -> i64 {
    if !ANY.load(Ordering::Acquire) {
        return Timeout::NONE;
    }
    let defaults = DEFAULTS.load();
    let Some(defaults) = &*defaults else {
        return Timeout::NONE;
    };
    let own = defaults
        .iter()
        .find(|default| default.interpreter == vm.state.interpreter_id);
    own.map_or(Timeout::NONE, |default| default.nanoseconds)
}

/// Sets the default of the calling interpreter, and forgets those of interpreters that are gone.
pub(super) fn set(vm: &VirtualMachine, nanoseconds: i64) {
    let own = vm.state.interpreter_id;
    let live: Vec<i64> = runtime::live_interpreter_states()
        .iter()
        .map(|state| state.interpreter_id)
        .collect();
    DEFAULTS.rcu(|before| {
        let mut defaults: Vec<Default> = before
            .iter()
            .flat_map(|defaults| defaults.iter().copied())
            .filter(|other| other.interpreter != own && live.contains(&other.interpreter))
            .collect();
        if nanoseconds != Timeout::NONE {
            defaults.push(Default {
                interpreter: own,
                nanoseconds,
            });
        }
        (!defaults.is_empty()).then(|| Arc::new(defaults))
    });
    ANY.store(true, Ordering::Release);
}
