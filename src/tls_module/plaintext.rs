//! What a program writes, on its way into the state machine, which takes little at a time.

use rustpython_vm::{PyObjectRef, PyResult, TryFromObject, VirtualMachine};

use super::stock::{self, Said, Stock};
use crate::memory::ReadMemory;

/// A record's plaintext: RFC 8446, section 5.1.
pub(super) const LONGEST_PLAINTEXT: usize = 1 << 14;

pub(super) struct Plaintext {
    object: PyObjectRef,
    bytes: ReadMemory,
}

impl Plaintext {
    pub(super) fn new(object: PyObjectRef, vm: &VirtualMachine) -> PyResult<Self> {
        let bytes = ReadMemory::try_from_object(vm, object.clone())?;
        Ok(Self { object, bytes })
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.borrow().len()
    }

    /// The bytes behind `from`, at most `size` of them, as an object.
    fn piece(&self, from: usize, size: usize, vm: &VirtualMachine) -> PyObjectRef {
        let bytes = self.bytes.borrow();
        // Locked, it may be shrinking yet: see `crate::memory`.
        if from == 0 && bytes.len() <= size && !bytes.is_locked() {
            return self.object.clone();
        }
        let end = bytes.len().min(from.saturating_add(size));
        let piece = bytes.get(from..end).unwrap_or_default();
        vm.ctx.new_bytes(piece.to_vec()).into()
    }

    /// Has it encrypted from `encrypted` on, which moves forward, while there is room.
    pub(super) fn encrypt(
        &self,
        encrypted: &mut usize,
        write: impl Fn(PyObjectRef) -> PyResult<Said>,
        has_room: impl Fn() -> bool,
        vm: &VirtualMachine,
    ) -> PyResult<Said> {
        // As much as the state machine takes at once, as it turns out.
        let mut size = LONGEST_PLAINTEXT;
        while *encrypted < self.len() && has_room() {
            let piece = self.piece(*encrypted, size, vm);
            match write(piece)? {
                Said::Done(taken) => {
                    let taken: usize = taken.try_to_value(vm)?;
                    *encrypted += taken;
                    size = taken.max(1);
                }
                wants => return Ok(wants),
            }
        }
        Ok(Said::Done(vm.ctx.none()))
    }

    /// Has all of it encrypted by a state machine over memory. What one that wants something else has taken before counts.
    pub(super) fn write_to(&self, machine: &PyObjectRef, vm: &VirtualMachine) -> PyResult<usize> {
        let stock: &Stock = stock::get(vm)?;
        let write = |piece| stock.step(&stock.write, vec![machine.clone(), piece], vm);
        let mut encrypted = 0;
        match self.encrypt(&mut encrypted, write, || true, vm)? {
            Said::WantsRead if encrypted == 0 && self.len() > 0 => Err(stock.new_want_read(vm)),
            Said::WantsWrite if encrypted == 0 && self.len() > 0 => Err(stock.new_want_write(vm)),
            _ => Ok(encrypted),
        }
    }
}

/// A write that has not come to its end, and that the program has to repeat with the same bytes.
#[derive(Debug)]
pub(super) struct Unfinished {
    /// So many of them are encrypted, and may be on their way already.
    pub(super) encrypted: usize,
    /// The last of those, to know another write by.
    last: Vec<u8>,
}

/// How many bytes a repeated write is known by.
const KNOWN_BY: usize = 64;

impl Unfinished {
    pub(super) fn new(data: &Plaintext, encrypted: usize) -> Self {
        let data = data.bytes.borrow();
        let last = data.get(encrypted.saturating_sub(KNOWN_BY)..encrypted);
        Self {
            encrypted,
            last: last.unwrap_or_default().to_vec(),
        }
    }

    pub(super) fn is_of(&self, data: &Plaintext) -> bool {
        let data = data.bytes.borrow();
        data.get(..self.encrypted)
            .is_some_and(|data| data.ends_with(&self.last))
    }
}
