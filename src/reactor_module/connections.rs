//! `create_connection`: the part of it that is not Python.

#[rustpython_vm::pymodule(sub, name = "_reactor")]
pub(crate) mod functions {
    use std::time::Duration;

    use rustpython_vm::{
        PyObject, PyObjectRef, PyResult, VirtualMachine, builtins::PyTupleRef,
        function::OptionalArg,
    };

    use super::super::deadlines::seconds_argument;
    use crate::socket_type::{self, Plan, Target};

    /// RFC 8305, section 5, "Connection Attempt Delay": the least that is allowed, and the most that is advised.
    const SHORTEST_DELAY: Duration = Duration::from_millis(10);
    const LONGEST_DELAY: Duration = Duration::from_secs(2);

    /// _race(class, found, source_address, attempt_delay[, timeout]) -> (socket or None, exceptions)
    ///
    /// Connect a socket of the class to whichever answers first of the addresses that getaddrinfo() has found. Return it, and
    /// why the other attempts failed; when the thread's deadline passes, the last of the exceptions says that.
    #[pyfunction]
    fn _race(
        class: PyObjectRef,
        found: PyObjectRef,
        source_address: PyObjectRef,
        attempt_delay: PyObjectRef,
        timeout: OptionalArg<PyObjectRef>,
        vm: &VirtualMachine,
    ) -> PyResult<PyTupleRef> {
        let delay = seconds_argument(vm, &attempt_delay, "attempt_delay")?
            .filter(|delay| (SHORTEST_DELAY..=LONGEST_DELAY).contains(delay))
            .ok_or_else(|| {
                vm.new_value_error("attempt_delay must be between 0.01 and 2 seconds")
            })?;
        let plan = Plan {
            class,
            timeout: timeout.into_option(),
            source_address: source_address
                .clone()
                .try_to_bool(vm)?
                .then_some(source_address),
            delay,
        };
        let targets = vm.extract_elements_with(&found, |found| target(vm, &found))?;
        let (winner, failures) = socket_type::race(vm, &targets, &plan)?;
        let failures = failures.into_iter().map(Into::into).collect();
        Ok(vm.ctx.new_tuple(vec![
            winner.unwrap_or_else(|| vm.ctx.none()),
            vm.ctx.new_list(failures).into(),
        ]))
    }

    fn target(vm: &VirtualMachine, found: &PyObject) -> PyResult<Target> {
        let fields = vm.extract_elements_with(found, Ok)?;
        match <[PyObjectRef; 5]>::try_from(fields) {
            Ok([family, kind, proto, _, address]) => Ok(Target {
                family,
                kind,
                proto,
                address,
            }),
            Err(_) => Err(vm.new_value_error("getaddrinfo() has to find tuples of five")),
        }
    }
}
