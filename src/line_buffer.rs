//! Bytes that have been received and not yet read: appended at the end, taken from the front, in lines or by number.

use std::{collections::TryReserveError, mem};

/// Where a search for the end of a line has got to.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// The line is that long, its end included.
    Ends(usize),
    /// There is no end in the bytes that there are.
    Open,
}

/// A queue of bytes. Empty, it holds no memory: most file objects wait for their peer most of the time.
#[derive(Debug, Default)]
pub struct LineBuffer {
    memory: Vec<u8>,
    /// Where the bytes begin that are not yet read.
    start: usize,
}

impl LineBuffer {
    pub fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..).unwrap_or_default()
    }

    pub fn len(&self) -> usize {
        self.memory.len() - self.start
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Looks for the end of the first line, where the first `searched` bytes are known to have none. A line of `limit` bytes
    /// ends there in any case.
    pub fn find_line(&self, searched: usize, limit: usize) -> Line {
        let bytes = self.bytes();
        let seen = bytes.get(..limit).unwrap_or(bytes);
        let rest = seen.get(searched..).unwrap_or_default();
        match memchr::memchr(b'\n', rest) {
            Some(end) => Line::Ends(searched + end + 1),
            None if seen.len() == limit => Line::Ends(limit),
            None => Line::Open,
        }
    }

    /// Takes the first line, if it is complete.
    #[inline]
    pub fn take_line(&mut self, limit: usize) -> Option<Vec<u8>> {
        match self.find_line(0, limit) {
            Line::Ends(length) => Some(self.take(length)),
            Line::Open => None,
        }
    }

    /// Takes the first `length` bytes, or all if there are fewer.
    pub fn take(&mut self, length: usize) -> Vec<u8> {
        if length >= self.len()
            && self.start == 0
            && self.memory.len() >= self.memory.capacity() / 2
        {
            return mem::take(&mut self.memory);
        }
        let bytes = self.bytes();
        let taken = bytes.get(..length).unwrap_or(bytes).to_vec();
        self.consume(taken.len());
        taken
    }

    /// Copies as many bytes as there are and as fit, and takes them. Returns how many.
    pub fn take_into(&mut self, memory: &mut [u8]) -> usize {
        let length = self.len().min(memory.len());
        for (to, from) in memory.iter_mut().zip(self.bytes()) {
            *to = *from;
        }
        self.consume(length);
        length
    }

    /// Drops the first `length` bytes.
    pub fn consume(&mut self, length: usize) {
        self.start += length.min(self.len());
        self.settle();
    }

    /// The memory with room for `more` bytes behind those that there are, to receive into. To be [settled](Self::settle).
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn reserve(&mut self, more: usize) -> Result<&mut Vec<u8>, TryReserveError> {
        // What has been read gives its room to what comes.
        if self.start > 0 && self.memory.capacity() - self.memory.len() < more {
            self.memory.drain(..self.start);
            self.start = 0;
        }
        self.memory.try_reserve(more)?;
        Ok(&mut self.memory)
    }

    /// Gives the memory back if nothing was received.
    pub fn settle(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    pub fn append(&mut self, bytes: &[u8]) {
        self.memory.extend_from_slice(bytes);
    }

    /// Puts bytes back that were taken last.
    pub fn put_back(&mut self, bytes: &[u8]) {
        let mut memory = bytes.to_vec();
        memory.extend_from_slice(self.bytes());
        self.memory = memory;
        self.start = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(bytes: &[u8]) -> LineBuffer {
        let mut buffer = LineBuffer::default();
        buffer.reserve(100).unwrap().extend_from_slice(bytes);
        buffer
    }

    #[test]
    fn lines_come_out_one_by_one_and_the_rest_stays() {
        let mut buffer = holding(b"one\n\ntwo\nrest");
        assert_eq!(buffer.take_line(usize::MAX).unwrap(), b"one\n");
        assert_eq!(buffer.take_line(usize::MAX).unwrap(), b"\n");
        assert_eq!(buffer.take_line(usize::MAX).unwrap(), b"two\n");
        assert_eq!(buffer.take_line(usize::MAX), None);
        assert_eq!(buffer.bytes(), b"rest");
    }

    #[test]
    fn a_limit_ends_a_line_before_its_end() {
        let mut buffer = holding(b"abcd\n");
        assert_eq!(buffer.take_line(0).unwrap(), b"");
        assert_eq!(buffer.take_line(2).unwrap(), b"ab");
        assert_eq!(buffer.take_line(3).unwrap(), b"cd\n");
        assert_eq!(holding(b"ab").find_line(0, 3), Line::Open);
        assert_eq!(holding(b"ab").find_line(0, 2), Line::Ends(2));
    }

    #[test]
    fn a_search_goes_on_where_the_last_one_ended() {
        let mut buffer = holding(b"ab");
        assert_eq!(buffer.find_line(0, usize::MAX), Line::Open);
        buffer.append(b"c\nd");
        assert_eq!(buffer.find_line(2, usize::MAX), Line::Ends(4));
        assert_eq!(buffer.find_line(4, usize::MAX), Line::Open);
        assert_eq!(buffer.find_line(3, 3), Line::Ends(3));
    }

    #[test]
    fn emptied_it_holds_no_memory() {
        let mut buffer = holding(b"a\nb");
        buffer.take(2);
        assert_ne!(buffer.memory.capacity(), 0);
        assert_eq!(buffer.take(5), b"b");
        assert_eq!(buffer.memory.capacity(), 0);
        buffer.reserve(1000).unwrap();
        buffer.settle();
        assert_eq!(buffer.memory.capacity(), 0);
    }

    #[test]
    fn bytes_that_were_read_give_their_room() {
        let mut buffer = LineBuffer::default();
        buffer.reserve(100).unwrap().extend_from_slice(&[b'x'; 100]);
        let capacity = buffer.memory.capacity();
        buffer.take(90);
        assert_eq!(buffer.reserve(capacity - 10).unwrap().capacity(), capacity);
        assert_eq!(buffer.bytes(), [b'x'; 10]);
        buffer.take(1);
        buffer.settle();
        assert_eq!(buffer.len(), 9);
    }

    #[test]
    fn all_of_a_full_buffer_is_handed_out_without_a_copy() {
        let mut buffer = LineBuffer::default();
        buffer.reserve(64).unwrap().extend_from_slice(&[b'x'; 64]);
        let memory = buffer.bytes().as_ptr();
        let taken = buffer.take(64);
        assert_eq!(taken.as_ptr(), memory);
        // But nobody keeps much memory for a few bytes.
        let mut buffer = LineBuffer::default();
        buffer.reserve(1000).unwrap().push(b'x');
        assert!(buffer.take(1).capacity() < 500);
    }

    #[test]
    fn memory_is_filled_as_far_as_it_goes() {
        let mut buffer = holding(b"abcdef");
        let mut memory = [0; 4];
        assert_eq!(buffer.take_into(&mut memory), 4);
        assert_eq!(&memory, b"abcd");
        assert_eq!(buffer.take_into(&mut memory), 2);
        assert_eq!(&memory, b"efcd");
        assert_eq!(buffer.take_into(&mut memory), 0);
    }

    #[test]
    fn what_is_put_back_comes_first() {
        let mut buffer = holding(b"abcd");
        let taken = buffer.take(2);
        buffer.put_back(&taken);
        assert_eq!(buffer.bytes(), b"abcd");
        let taken = buffer.take(4);
        buffer.put_back(&taken);
        assert_eq!(buffer.take(9), b"abcd");
    }

    #[test]
    fn too_much_memory_is_an_error() {
        let mut buffer = holding(b"abc");
        assert!(buffer.reserve(usize::MAX / 2).is_err());
        assert_eq!(buffer.bytes(), b"abc");
    }
}
