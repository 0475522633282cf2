//! Which resolver an interpreter looks names up with.

use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use rustpython_vm::{VirtualMachine, common::rc::PyRc, vm::PyGlobalState};

use crate::dns::Resolver;

/// The interpreters with a resolver of their own, by the address of the state that all their threads share.
///
/// A list without a lock, which a forked child can read whatever the parent's threads were doing: the child keeps its
/// application's choice.
static CHOSEN: LazyLock<ArcSwap<Vec<(usize, Resolver)>>> = LazyLock::new(ArcSwap::default);

fn key(vm: &VirtualMachine) -> usize {
    let state: *const PyGlobalState = PyRc::as_ptr(&vm.state);
    state.addr()
}

/// Decides for an interpreter, before its first look-up. `None` is the process's resolver.
pub(crate) fn choose(vm: &VirtualMachine, resolver: Option<Resolver>) {
    let key = key(vm);
    CHOSEN.rcu(|before| {
        // An interpreter that is gone may have had this address.
        let mut chosen: Vec<_> = before
            .iter()
            .filter(|(of, _)| *of != key)
            .cloned()
            .collect();
        chosen.extend(resolver.clone().map(|resolver| (key, resolver)));
        Arc::new(chosen)
    });
}

pub(crate) fn of(vm: &VirtualMachine) -> Resolver {
    let key = key(vm);
    let chosen = CHOSEN.load();
    let own = chosen.iter().find(|(of, _)| *of == key);
    own.map_or_else(Resolver::system, |(_, resolver)| resolver.clone())
}
