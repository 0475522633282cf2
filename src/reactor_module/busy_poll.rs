//! `set_busy_poll` and `get_busy_poll`.

#[rustpython_vm::pymodule(sub, name = "_reactor")]
pub(crate) mod functions {
    use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine};

    use crate::{
        reactor::{LONGEST_BUSY_POLL, busy_poll, set_busy_poll as set},
        reactor_module::deadlines::seconds_argument,
    };

    /// Set for how many seconds a socket call of any thread polls at most before it sleeps.
    ///
    /// The default is 50 microseconds; 0 turns it off, and a second is the most. A thread polls only while that shortens
    /// its waits, and never where it has a single processor.
    #[pyfunction]
    fn set_busy_poll(seconds: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
        if vm.is_none(&seconds) {
            return Err(vm.new_type_error("busy poll must be a number of seconds, not NoneType"));
        }
        match seconds_argument(vm, &seconds, "busy poll")? {
            Some(budget) if budget <= LONGEST_BUSY_POLL => {
                set(budget);
                Ok(())
            }
            _ => Err(vm.new_value_error("busy poll must not be longer than a second")),
        }
    }

    /// Return for how many seconds a socket call polls at most before it sleeps.
    #[pyfunction]
    fn get_busy_poll() -> f64 {
        busy_poll().as_secs_f64()
    }
}
