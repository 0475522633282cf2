//! Floor 2: `pthread_kill`, which the stock module `_signal` lacks: how one thread ends the wait of another.

use rustpython_vm::{
    VirtualMachine,
    builtins::{PyModuleDef, PyModuleSlots},
    common::rc::PyRc,
};

/// Adds it to the module, before anybody has imported that.
///
/// # Panics
///
/// If it is not called by an initialisation hook: only those may change the VM's table of modules.
pub(crate) fn extend(vm: &mut VirtualMachine) {
    let state = PyRc::get_mut(&mut vm.state).expect("a hook has the VM's state to itself");
    let Some(stock) = state.module_defs.get("_signal").copied() else {
        return;
    };
    if stock
        .methods
        .iter()
        .any(|known| known.name == "pthread_kill")
    {
        return;
    }
    let methods = [stock.methods, functions::METHOD_DEFS].concat();
    // Definitions live as long as the process. There is one more for each interpreter that is built.
    let extended = Box::leak(Box::new(PyModuleDef {
        name: stock.name,
        doc: stock.doc,
        methods: methods.leak(),
        slots: PyModuleSlots {
            create: stock.slots.create,
            exec: stock.slots.exec,
        },
    }));
    state.module_defs.insert(extended.name.as_str(), extended);
}

#[rustpython_vm::pymodule(sub, name = "_signal")]
mod functions {
    use rustpython_vm::{PyResult, VirtualMachine};

    use crate::errors;

    /// Send a signal to a thread of this interpreter. Any other number is `ProcessLookupError`.
    #[pyfunction]
    fn pthread_kill(thread_id: u64, signalnum: i32, vm: &VirtualMachine) -> PyResult<()> {
        vm.audit("signal.pthread_kill", || (thread_id, signalnum))?;
        let result = {
            // Held meanwhile: a thread takes itself out of the registry before it ends.
            let threads = vm.state.thread_frames.lock();
            if threads.contains_key(&thread_id) {
                // SAFETY: the registry has the numbers of live threads only, and they are `pthread_self`'s. The number of
                // the signal is checked by the call.
                unsafe { libc::pthread_kill(thread_id as libc::pthread_t, signalnum) }
            } else {
                libc::ESRCH
            }
        };
        if result != 0 {
            return Err(errors::from_errno(vm, result));
        }
        vm.check_signals()
    }
}
