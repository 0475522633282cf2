//! The arguments of the methods that programs call most, bound in a short way.
//!
//! The VM's own way takes one argument after another off the front of a vector, which costs more than the rest of a small
//! method. Here those of the usual calls, all by position and neither too few nor too many, are taken at once. Every other call goes
//! the VM's way, and gets its errors.

use std::{marker::PhantomData, mem};

use rustpython_vm::{
    PyObjectRef, PyRef, PyResult, VirtualMachine,
    function::{ArgumentError, Callee, FromArgs, FuncArgs, Param},
};

use super::PySocket;

/// All that a method was called with, the object first.
pub(crate) struct Given(FuncArgs);

impl FromArgs for Given {
    fn from_args(_vm: &VirtualMachine, args: &mut FuncArgs) -> Result<Self, ArgumentError> {
        Ok(Self(mem::take(args)))
    }
}

/// Takes no argument. It shows to `inspect.signature` which ones [`Given`] is bound to.
pub(crate) struct Shows<P>(PhantomData<P>);

impl<P: FromArgs> FromArgs for Shows<P> {
    const PARAMS: Option<&'static [Param]> = P::PARAMS;

    fn from_args(_vm: &VirtualMachine, _args: &mut FuncArgs) -> Result<Self, ArgumentError> {
        Ok(Self(PhantomData))
    }
}

/// Arguments that can be taken in the short way.
pub(crate) trait Positional: FromArgs {
    /// Takes what is behind the object off the vector. `None` where that is not as many as the method takes: then all is left.
    fn take(args: &mut Vec<PyObjectRef>, vm: &VirtualMachine) -> Option<PyResult<Self>>;
}

impl Given {
    /// The object and the arguments, for the method of this name.
    #[inline]
    pub(super) fn bind<P: Positional>(
        mut self,
        name: &'static str,
        vm: &VirtualMachine,
    ) -> PyResult<(PyRef<PySocket>, P)> {
        let args = &mut self.0.args;
        let is_socket = |object: &PyObjectRef| object.downcastable::<PySocket>();
        if self.0.kwargs.is_empty()
            && args.first().is_some_and(is_socket)
            && let Some(taken) = P::take(args, vm)
        {
            let taken = taken?;
            if let Some(Ok(socket)) = args.pop().map(PyObjectRef::downcast) {
                return Ok((socket, taken));
            }
        }
        self.bind_slowly(name, vm)
    }

    #[cold]
    fn bind_slowly<P: FromArgs>(
        self,
        name: &'static str,
        vm: &VirtualMachine,
    ) -> PyResult<(PyRef<PySocket>, P)> {
        let callee = Callee::named(name).with_instance_arg(true);
        self.0.bind_for(vm, callee)
    }

    /// The object, for the method of this name, which takes no arguments.
    #[inline]
    pub(super) fn object(
        self,
        name: &'static str,
        vm: &VirtualMachine,
    ) -> PyResult<PyRef<PySocket>> {
        let (socket, Nothing) = self.bind(name, vm)?;
        Ok(socket)
    }
}

struct Nothing;

impl FromArgs for Nothing {
    fn from_args(_vm: &VirtualMachine, _args: &mut FuncArgs) -> Result<Self, ArgumentError> {
        Ok(Self)
    }
}

impl Positional for Nothing {
    #[inline]
    fn take(args: &mut Vec<PyObjectRef>, _vm: &VirtualMachine) -> Option<PyResult<Self>> {
        (args.len() == 1).then_some(Ok(Self))
    }
}
