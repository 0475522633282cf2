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

#[cfg(all(test, feature = "cli"))]
mod tests {
    use rustpython_vm::{AsObject, PyPayload, TryFromBorrowedObject, builtins::PyByteArray};

    use super::{ReadMemory, WriteMemory};
    use crate::test_interpreter::with_vm;

    /// What a resize does that another thread had begun before the memory was lent.
    #[test]
    fn memory_that_shrinks_while_lent_is_as_short_as_it_is() {
        with_vm(|vm| {
            let array = PyByteArray::from(b"0123456789".to_vec()).into_ref(&vm.ctx);
            let object = array.as_object();
            let read = ReadMemory::try_from_borrowed_object(vm, object).expect("bytes-like");
            let written = WriteMemory::try_from_borrowed_object(vm, object).expect("bytes-like");
            let scope = vm.new_scope_with_builtins();
            let named = scope.globals.set_item("array", object.to_owned(), vm);
            let part = named.and_then(|()| vm.run_block_expr(scope, "memoryview(array)[5:]"));
            let part = part.expect("a view of a part");
            let behind = ReadMemory::try_from_borrowed_object(vm, &part).expect("bytes-like");
            array.borrow_buf_mut().truncate(3);
            assert_eq!(&*read.borrow(), b"012");
            assert_eq!(read.copy(vm).expect("memory"), b"012");
            assert_eq!(&*behind.borrow(), b"");
            written.borrow().fill(b'x');
            assert_eq!(&*array.borrow_buf(), b"xxx");
        });
    }
}
