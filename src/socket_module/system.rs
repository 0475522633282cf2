//! The functions of `_socket` about this machine: its name, its network interfaces, descriptors by number.

#[rustpython_vm::pymodule(sub, name = "_socket")]
pub(crate) mod functions {
    use std::{
        ffi::{CStr, CString, OsString},
        io,
        os::unix::ffi::{OsStrExt, OsStringExt},
    };

    use rustpython_vm::{
        AsObject, PyObjectRef, PyResult, VirtualMachine,
        builtins::{PyBytes, PyBytesRef, PyStrRef},
        function::FsPath,
        host_env::socket as host_socket,
    };

    use super::super::integers::{Unsigned, c_long};
    use crate::{errors, reactor};

    #[pyfunction]
    fn gethostname(vm: &VirtualMachine) -> PyResult<PyStrRef> {
        vm.audit("socket.gethostname", || ())?;
        Ok(vm.fsdecode(host_socket::hostname()))
    }

    #[pyfunction]
    fn sethostname(name: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
        let name = match name.downcast::<PyBytes>() {
            Ok(bytes) => bytes,
            Err(other) => file_system_bytes(vm, other)?,
        };
        vm.audit("socket.sethostname", || (name.clone(),))?;
        host_socket::sethostname(name.as_bytes()).map_err(|error| errors::from_io(vm, &error))
    }

    /// A str, bytes or path-like object, in the encoding of the file system.
    fn file_system_bytes(vm: &VirtualMachine, object: PyObjectRef) -> PyResult<PyBytesRef> {
        match FsPath::try_from_path_like(object, true, vm)? {
            FsPath::Str(text) => {
                let encoded = vm.fsencode(&text)?.as_bytes().to_vec();
                Ok(vm.ctx.new_bytes(encoded))
            }
            FsPath::Bytes(bytes) => Ok(bytes),
        }
    }

    #[pyfunction]
    fn if_nameindex(vm: &VirtualMachine) -> PyResult<Vec<PyObjectRef>> {
        let mut found = Vec::new();
        for (index, name) in interfaces().map_err(|error| errors::from_io(vm, &error))? {
            let name = vm.fsdecode(OsString::from_vec(name));
            let pair = vec![vm.ctx.new_int(index).into(), name.into()];
            found.push(vm.ctx.new_tuple(pair).into());
        }
        Ok(found)
    }

    fn interfaces() -> io::Result<Vec<(u32, Vec<u8>)>> {
        // SAFETY: if_nameindex(3) takes nothing and returns null or a list to free.
        let list = unsafe { libc::if_nameindex() };
        if list.is_null() {
            return Err(io::Error::last_os_error());
        }
        let mut found = Vec::new();
        for at in 0.. {
            // SAFETY: the list ends with an entry of index 0 and a null name, and no entry before this one was that.
            let entry = unsafe { &*list.add(at) };
            if entry.if_index == 0 || entry.if_name.is_null() {
                break;
            }
            // SAFETY: the name ends in NUL.
            let name = unsafe { CStr::from_ptr(entry.if_name) };
            found.push((entry.if_index, name.to_bytes().to_vec()));
        }
        // SAFETY: `list` came from if_nameindex(3) and is freed once.
        unsafe { libc::if_freenameindex(list) };
        Ok(found)
    }

    #[pyfunction]
    fn if_nametoindex(oname: PyObjectRef, vm: &VirtualMachine) -> PyResult<u32> {
        let name = file_system_bytes(vm, oname)?;
        let name =
            CString::new(name.as_bytes()).map_err(|_| vm.new_value_error("embedded null byte"))?;
        // SAFETY: `name` ends in NUL.
        match unsafe { libc::if_nametoindex(name.as_ptr()) } {
            0 => Err(errors::from_io(vm, &io::Error::last_os_error())),
            index => Ok(index),
        }
    }

    #[pyfunction]
    fn if_indextoname(if_index: Unsigned<u32>, vm: &VirtualMachine) -> PyResult<PyStrRef> {
        let mut name = [0u8; libc::IF_NAMESIZE];
        // SAFETY: `name` has the IF_NAMESIZE bytes that if_indextoname(3) may write.
        let written = unsafe { libc::if_indextoname(if_index.0, name.as_mut_ptr().cast()) };
        if written.is_null() {
            return Err(errors::from_io(vm, &io::Error::last_os_error()));
        }
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(vm.fsdecode(OsString::from_vec(name.to_vec())))
    }

    /// A descriptor number; one that no descriptor can have is EBADF.
    fn descriptor(vm: &VirtualMachine, object: &PyObjectRef) -> PyResult<i32> {
        // CPython cuts the number to a C int here and may meet another descriptor.
        i32::try_from(c_long(vm, object.as_object())?)
            .map_err(|_| errors::from_errno(vm, libc::EBADF))
    }

    #[pyfunction]
    fn close(fd: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
        let fd = descriptor(vm, &fd)?;
        vm.allow_threads(|| host_socket::close_socket_ignore_connreset(fd))
            .map_err(|error| errors::from_io(vm, &error))
    }

    #[pyfunction]
    fn dup(fd: PyObjectRef, vm: &VirtualMachine) -> PyResult<i32> {
        let fd = descriptor(vm, &fd)?;
        let duplicate = || {
            // SAFETY: fcntl(2) judges the number itself; the new descriptor belongs to the caller.
            match unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) } {
                -1 => Err(io::Error::last_os_error()),
                duplicate => Ok(duplicate),
            }
        };
        reactor::with_more_descriptors(duplicate).map_err(|error| errors::from_io(vm, &error))
    }
}
