//! Floor 2: the Python module `_socket`: its functions, its constants and the class of sockets.

pub(crate) mod addrinfo;
mod conversions;
mod enumerations;
pub(crate) mod integers;
pub(crate) mod name_errors;
pub(crate) mod names;
pub(crate) mod resolvers;
pub(crate) mod stock;
mod system;

pub(crate) use _socket::module_def;

#[rustpython_vm::pymodule(
    name = "_socket",
    with(
        names::functions,
        conversions::functions,
        enumerations::functions,
        system::functions
    )
)]
pub(crate) mod _socket {
    use rustpython_vm::{
        FromArgs, Py, PyObjectRef, PyResult, VirtualMachine,
        builtins::{PyModule, PyTypeRef},
    };

    use super::integers::CInt;
    use crate::{
        blocking_bridge::{self, Failure},
        constants, socket_type,
    };

    pub(crate) fn module_exec(vm: &VirtualMachine, module: &Py<PyModule>) -> PyResult<()> {
        #[cfg(not(feature = "tls"))]
        super::stock::make_class(vm)?;
        super::resolvers::started(vm);
        __module_exec(vm, module);
        constants::add_to(vm, module)?;
        let class = socket_type::class();
        module.set_attr("socket", class.clone(), vm)?;
        module.set_attr("SocketType", class, vm)?;
        socket_type::file_objects::add_to(vm, module)?;
        // PEP 3151 and Python 3.10: the module's old names of two built-in classes.
        module.set_attr("error", vm.ctx.exceptions.os_error.to_owned(), vm)?;
        module.set_attr("timeout", vm.ctx.exceptions.timeout_error.to_owned(), vm)?;
        blocking_bridge::install_signal_wakeup(vm)
    }

    /// Return the default timeout in seconds (float) of new socket objects, None when they have none.
    #[pyfunction]
    fn getdefaulttimeout(vm: &VirtualMachine) -> Option<f64> {
        socket_type::default_timeout_seconds(vm)
    }

    /// Set the default timeout in seconds (float) of new socket objects; None means that they have none.
    #[pyfunction]
    fn setdefaulttimeout(timeout: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
        socket_type::set_default_timeout(vm, &timeout)
    }

    #[derive(FromArgs)]
    struct PairArgs {
        #[pyarg(positional, default = CInt(libc::AF_UNIX), py_default = "AF_UNIX")]
        family: CInt,
        #[pyarg(positional, default = CInt(libc::SOCK_STREAM), py_default = "SOCK_STREAM")]
        r#type: CInt,
        #[pyarg(positional, default, py_default = "0")]
        proto: CInt,
    }

    /// Create a pair of socket objects that are connected to each other; a Unix stream pair by default.
    #[pyfunction]
    fn socketpair(
        PairArgs {
            family,
            r#type,
            proto,
        }: PairArgs,
        vm: &VirtualMachine,
    ) -> Result<(PyObjectRef, PyObjectRef), Failure> {
        let (one, other) = socket_type::pair(family.0, r#type.0, proto.0, vm)?;
        Ok((one.into(), other.into()))
    }

    /// socketpair() of objects of this class, which derives from the native one; family may be None.
    #[pyfunction]
    fn _socketpair(
        class: PyObjectRef,
        family: Option<CInt>,
        r#type: CInt,
        proto: CInt,
        vm: &VirtualMachine,
    ) -> Result<(PyObjectRef, PyObjectRef), Failure> {
        let family = family.map_or(libc::AF_UNIX, |family| family.0);
        socket_type::pair_of(&class, family, r#type.0, proto.0, vm)
    }

    /// Tell the native class which Python class derives from it, and its enumerations of families and types.
    #[pyfunction]
    fn _register_face(
        class: PyTypeRef,
        families: PyObjectRef,
        kinds: PyObjectRef,
        close: PyObjectRef,
        vm: &VirtualMachine,
    ) -> PyResult<()> {
        socket_type::register_face(&class, [families, kinds, close], vm)
    }
}
