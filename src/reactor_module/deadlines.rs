//! `deadline`: a time limit over a block of Python code.

use std::{
    mem::MaybeUninit,
    sync::LazyLock,
    time::{Duration, Instant},
};

use num_traits::{Signed, ToPrimitive};
use rustpython_vm::{PyObject, PyResult, VirtualMachine, builtins::PyFloat};

/// A length of time from Python's seconds, rounded up to nanoseconds: never early. `None`: unlimited, for Python's None and
/// for what is longer than any machine runs (centuries).
pub(super) fn seconds_argument(
    vm: &VirtualMachine,
    seconds: &PyObject,
    what: &str,
) -> PyResult<Option<Duration>> {
    if vm.is_none(seconds) {
        return Ok(None);
    }
    let negative = || vm.new_value_error(format!("{what} must not be negative"));
    if let Some(seconds) = seconds.downcast_ref::<PyFloat>() {
        let seconds = seconds.to_f64();
        if seconds.is_nan() {
            return Err(vm.new_value_error(format!("{what} must not be NaN (not a number)")));
        }
        if seconds < 0.0 {
            return Err(negative());
        }
        let nanoseconds = (seconds * 1e9).ceil();
        return Ok(nanoseconds.to_u64().map(Duration::from_nanos));
    }
    let Some(seconds) = seconds.try_index_opt(vm) else {
        let class = seconds.class().name().to_string();
        let text = format!("{what} must be a number of seconds or None, not {class}");
        return Err(vm.new_type_error(text));
    };
    let seconds = seconds?;
    if seconds.as_bigint().is_negative() {
        return Err(negative());
    }
    Ok(seconds.as_bigint().to_u64().map(Duration::from_secs))
}

/// The clock of `time.monotonic()`.
fn monotonic() -> Duration {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: clock_gettime(2) writes the structure, and cannot fail with this clock.
    let time = unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, time.as_mut_ptr());
        time.assume_init()
    };
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// A moment on the scale of `time.monotonic()`; always the same for the same one.
fn on_monotonic_scale(moment: Instant) -> Duration {
    // In this order: rounded down by what passes between the two, so that nothing ends before it.
    static ZERO: LazyLock<(Duration, Instant)> = LazyLock::new(|| (monotonic(), Instant::now()));
    let (monotonic, zero) = *ZERO;
    match moment.checked_duration_since(zero) {
        Some(later) => monotonic.saturating_add(later),
        None => monotonic.saturating_sub(zero.saturating_duration_since(moment)),
    }
}

#[rustpython_vm::pymodule(sub, name = "_reactor")]
pub(crate) mod classes {
    use std::time::{Duration, Instant};

    use rustpython_vm::{
        Py, PyObjectRef, PyPayload, PyResult, VirtualMachine,
        builtins::PyType,
        function::FuncArgs,
        pyclass,
        types::{Constructor, Representable},
    };

    use super::{on_monotonic_scale, seconds_argument};
    use crate::blocking_bridge::deadline;

    /// deadline(seconds)
    ///
    /// A context manager: every socket call and name look-up that this thread makes inside the block ends with TimeoutError when
    /// the seconds, counted from where the block is entered, are over. None means no limit.
    #[pyattr]
    #[pyclass(name = "deadline", module = "reactor")]
    #[derive(Debug, PyPayload)]
    pub(crate) struct PyDeadline {
        seconds: PyObjectRef,
        /// `None`: unlimited.
        length: Option<Duration>,
        owner: deadline::Owner,
    }

    impl Constructor for PyDeadline {
        type Args = (PyObjectRef,);

        fn py_new(
            _class: &Py<PyType>,
            (seconds,): Self::Args,
            vm: &VirtualMachine,
        ) -> PyResult<Self> {
            let length = seconds_argument(vm, &seconds, "deadline")?;
            Ok(Self {
                seconds,
                length,
                owner: deadline::Owner::default(),
            })
        }
    }

    impl Representable for PyDeadline {
        fn repr_str(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<String> {
            let seconds = zelf.seconds.repr(vm)?;
            Ok(format!("reactor.deadline({seconds})"))
        }
    }

    #[pyclass(with(Constructor, Representable))]
    impl PyDeadline {
        /// Put this thread under the deadline, counted from now. Return a Deadline, which tells how much time is left.
        #[pymethod]
        fn __enter__(zelf: &Py<Self>) -> RunningDeadline {
            // What an embedder's machine cannot count up to never comes.
            let own = zelf
                .length
                .and_then(|length| Instant::now().checked_add(length));
            let until = deadline::earlier(own, deadline::nearest());
            let running = RunningDeadline {
                until,
                expires_at: until.map(on_monotonic_scale),
            };
            zelf.owner.enter(own);
            running
        }

        /// End the deadline that this thread has entered last by this object.
        #[pymethod]
        fn __exit__(zelf: &Py<Self>, _exception: FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
            if zelf.owner.leave() {
                Ok(())
            } else {
                Err(vm.new_runtime_error("this thread has not entered the deadline"))
            }
        }
    }

    /// What a `with reactor.deadline(...)` statement binds: when the block's calls have to end.
    ///
    /// It is the nearest one of the deadline itself and of those that the thread was under already.
    #[pyattr]
    #[pyclass(name = "Deadline", module = "reactor")]
    #[derive(Debug, PyPayload)]
    pub(crate) struct RunningDeadline {
        until: Option<Instant>,
        expires_at: Option<Duration>,
    }

    impl Representable for RunningDeadline {
        fn repr_str(zelf: &Py<Self>, _vm: &VirtualMachine) -> PyResult<String> {
            Ok(match Self::remaining(zelf) {
                Some(seconds) => format!("<reactor.Deadline, {seconds:.3} s left>"),
                None => "<reactor.Deadline, unlimited>".to_owned(),
            })
        }
    }

    #[pyclass(with(Representable), flags(DISALLOW_INSTANTIATION))]
    impl RunningDeadline {
        /// remaining() -> seconds
        ///
        /// How much time is left (float): 0.0 once the deadline has passed, None if there is no limit.
        #[pymethod]
        fn remaining(zelf: &Py<Self>) -> Option<f64> {
            let left = zelf.until?.saturating_duration_since(Instant::now());
            Some(left.as_secs_f64())
        }

        /// Whether the deadline has passed.
        #[pygetset]
        fn expired(zelf: &Py<Self>) -> bool {
            deadline::has_passed(zelf.until)
        }

        /// When the deadline passes, on the scale of time.monotonic() (float); None if there is no limit.
        #[pygetset]
        fn expires_at(zelf: &Py<Self>) -> Option<f64> {
            zelf.expires_at.map(|moment| moment.as_secs_f64())
        }
    }
}
