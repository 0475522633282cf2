//! The stock module `_socket`, whose place ours takes, and which the stock `_ssl` still knows.
//!
//! `_ssl` waits on the stock class only and casts each socket to it. `tls_module` gives it none; but without the feature, or by
//! way of its base class, Python code can. The VM panics at a cast to a class that was never made, which ends the process; once
//! the class is made, a socket of another class is refused with TypeError. So it is made with `_ssl`, which most programs never
//! import; without the feature, nobody of ours sees that, and it is made with `_socket`.

use std::sync::OnceLock;

use rustpython_vm::{AsObject, PyResult, VirtualMachine, builtins::PyModuleDef, common::rc::PyRc};

/// The stock module's definition, if some interpreter of this process has the stock standard library.
static REPLACED: OnceLock<&'static PyModuleDef> = OnceLock::new();

/// Puts `native` in the place of the stock module, and remembers that one.
///
/// # Panics
///
/// If it is not called by an initialisation hook: only those may change the VM's table of modules.
pub(crate) fn replace(vm: &mut VirtualMachine, native: &'static PyModuleDef) {
    let state = PyRc::get_mut(&mut vm.state).expect("a hook has the VM's state to itself");
    if let Some(replaced) = state.module_defs.insert(native.name.as_str(), native) {
        // One definition does for all interpreters: the class is the process's.
        let _ = REPLACED.set(replaced);
    }
}

/// Makes the stock module's class, in a module that nobody else sees.
pub(crate) fn make_class(vm: &VirtualMachine) -> PyResult<()> {
    let Some(stock) = REPLACED.get() else {
        return Ok(());
    };
    let module = stock.create_module(vm)?;
    stock.exec_module(vm, &module)?;
    let class = module.get_attr("socket", vm)?;
    // Nor the class, which connects to names by the C library, whatever resolver the application has chosen.
    vm.ctx.types.object_type.subclasses.write().retain(|known| {
        known
            .upgrade()
            .is_some_and(|known| !known.as_object().is(&class))
    });
    Ok(())
}
