//! Which resolver an interpreter looks names up with.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;
use rustpython_vm::{VirtualMachine, vm::runtime};

use crate::dns::Resolver;

/// The choice for one interpreter, which its sub-interpreters share: they must not be a way around it.
struct Choice {
    /// The number of the top-level interpreter; the VM gives none out twice.
    root: i64,
    resolver: Resolver,
    /// It has been in the VM's list of interpreters: once it is no longer, it is gone, and not about to come.
    was_listed: AtomicBool,
}

/// A list without a lock, which a forked child can read whatever the parent's threads were doing: the child keeps its
/// application's choice.
static CHOSEN: LazyLock<ArcSwap<Vec<Arc<Choice>>>> = LazyLock::new(ArcSwap::default);

/// The top-level interpreters that live, and those whose sub-interpreters do.
fn listed() -> Vec<i64> {
    let states = runtime::live_interpreter_states();
    states.iter().map(|state| state.runtime_root_id).collect()
}

/// Decides for an interpreter, before its first look-up. `None` is the process's resolver.
///
/// The resolvers of interpreters that are gone are let go.
pub(crate) fn choose(vm: &VirtualMachine, resolver: Option<Resolver>) {
    let root = vm.state.runtime_root_id;
    let own = resolver.map(|resolver| {
        Arc::new(Choice {
            root,
            resolver,
            was_listed: AtomicBool::new(false),
        })
    });
    let listed = listed();
    CHOSEN.rcu(|before| {
        let is_kept = |choice: &&Arc<Choice>| {
            let is_gone =
                choice.was_listed.load(Ordering::Relaxed) && !listed.contains(&choice.root);
            choice.root != root && !is_gone
        };
        let mut chosen: Vec<_> = before.iter().filter(is_kept).cloned().collect();
        chosen.extend(own.clone());
        Arc::new(chosen)
    });
}

/// Notices that an interpreter has been started. Not part of [`of`]: the VM's list has a lock, which look-ups in forked
/// children should do without.
pub(crate) fn started(vm: &VirtualMachine) {
    let root = vm.state.runtime_root_id;
    if let Some(choice) = CHOSEN.load().iter().find(|choice| choice.root == root)
        && listed().contains(&root)
    {
        choice.was_listed.store(true, Ordering::Relaxed);
    }
}

pub(crate) fn of(vm: &VirtualMachine) -> Resolver {
    let root = vm.state.runtime_root_id;
    let chosen = CHOSEN.load();
    let own = chosen.iter().find(|choice| choice.root == root);
    own.map_or_else(Resolver::system, |choice| choice.resolver.clone())
}
