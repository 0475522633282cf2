//! Memory that Python objects lend: what the buffer protocol calls bytes-like objects.
//!
//! An object that lends its memory must not be resized. The VM's `bytearray` looks whether it is lent before it takes the lock
//! that a resize needs, so one that another thread is about to shrink may do so just after it was lent, and the VM's own
//! `ArgBytesLike` and `ArgMemoryBuffer` panic where the memory is shorter than was said. Here it is as short as it has become.

use rustpython_vm::{
    PyObject, PyResult, TryFromBorrowedObject, VirtualMachine,
    common::borrow::{BorrowedValue, BorrowedValueMut},
    function::{ArgBytesLike, ArgMemoryBuffer},
    protocol::PyBuffer,
};

/// Memory to read, in one piece.
#[derive(Debug)]
pub struct ReadMemory(PyBuffer);

impl ReadMemory {
    /// Borrows the bytes, which may lock their object: not to be kept while waiting for anything.
    pub fn borrow(&self) -> BorrowedValue<'_, [u8]> {
        let range = self.0.desc.contiguous_range();
        BorrowedValue::map(self.0.obj_bytes(), |bytes| {
            let end = range.end.min(bytes.len());
            bytes.get(range.start..end).unwrap_or_default()
        })
    }

    /// A copy of the bytes.
    pub fn copy(&self, vm: &VirtualMachine) -> PyResult<Vec<u8>> {
        copy(&self.borrow(), vm)
    }

    /// A copy of the bytes, if they are borrowed under a lock.
    pub fn copy_if_locked(&self, vm: &VirtualMachine) -> PyResult<Option<Vec<u8>>> {
        let borrowed = self.borrow();
        if !borrowed.is_locked() {
            return Ok(None);
        }
        copy(&borrowed, vm).map(Some)
    }
}

impl<'a> TryFromBorrowedObject<'a> for ReadMemory {
    fn try_from_borrowed_object(vm: &VirtualMachine, object: &'a PyObject) -> PyResult<Self> {
        ArgBytesLike::try_from_borrowed_object(vm, object).map(|lent| Self(lent.into()))
    }
}

fn copy(bytes: &[u8], vm: &VirtualMachine) -> PyResult<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())
        .map_err(|_| vm.no_memory_error())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// Memory to read and write, in one piece.
#[derive(Debug)]
pub struct WriteMemory(PyBuffer);

impl WriteMemory {
    /// Borrows the bytes, which may lock their object: not to be kept while waiting for anything.
    pub fn borrow(&self) -> BorrowedValueMut<'_, [u8]> {
        let range = self.0.desc.contiguous_range();
        BorrowedValueMut::map(self.0.obj_bytes_mut(), |bytes| {
            let end = range.end.min(bytes.len());
            bytes.get_mut(range.start..end).unwrap_or_default()
        })
    }

    /// How many bytes were lent.
    pub fn len(&self) -> usize {
        self.0.desc.len
    }
}

impl<'a> TryFromBorrowedObject<'a> for WriteMemory {
    fn try_from_borrowed_object(vm: &VirtualMachine, object: &'a PyObject) -> PyResult<Self> {
        ArgMemoryBuffer::try_from_borrowed_object(vm, object).map(|lent| Self(lent.into()))
    }
}
