//! The ciphertext of one connection on its way between the socket and the TLS state machine. Knows no Python.
//!
//! Bytes are taken off the socket one record at a time, so that what is still in the kernel says the truth to select(2). A
//! record that is whole is read at once by whoever has it come, and half of one is of no use to anybody.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    mem::{self, MaybeUninit},
};

/// RFC 8446, section 5.1: type, version, length.
const HEADER: usize = 5;

/// RFC 5246, section 6.2.3: the longest encrypted body. TLS 1.3 has a lower limit.
const LONGEST_BODY: usize = (1 << 14) + 2048;

/// RFC 8446, section 5.1: the type of a record with application data, and in TLS 1.3 of every encrypted one.
const APPLICATION_DATA: u8 = 23;

/// Behind a body from this length on, the next record's header is read in the same system call.
///
/// That much is never a `close_notify`, behind which the connection may go on without TLS. And select(2) stays right: a record
/// has a body, which is still in the kernel, or still to come.
const READ_AHEAD_FROM: usize = 4096;

/// So much is reserved for a header, as most bodies are short.
const SHORT_RECORD: usize = 256;

/// What has come from the peer. An idle connection keeps no memory for it.
#[derive(Debug, Default)]
pub(super) struct Incoming(Option<Box<Received>>);

#[derive(Debug, Default)]
struct Received {
    /// The record, and maybe the next one's header.
    data: Vec<u8>,
    /// How much of the record the state machine has taken.
    taken: usize,
    /// The peer has closed its side of the connection below.
    ended: bool,
    /// What the next try to receive has to fail with.
    error: Option<i32>,
}

impl Incoming {
    /// Receives until a record is whole or the connection has ended.
    ///
    /// # Errors
    ///
    /// Those of `receive`, which keep what came before them; `ENOMEM`.
    pub(super) fn fill(
        &mut self,
        receive: impl FnMut(&mut [MaybeUninit<u8>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let filled = self.0.get_or_insert_default().fill(receive);
        if filled.is_err() {
            self.tidy();
        }
        filled
    }

    /// Whether the peer has ended the connection below, and all that came before was taken.
    pub(super) fn has_ended(&self) -> bool {
        let received = self.0.as_ref();
        received.is_some_and(|received| received.ended && received.data.is_empty())
    }

    /// At most how many bytes the record at hand says to a program; 0 without one.
    pub(super) fn body(&self) -> usize {
        self.0.as_ref().map_or(0, |received| received.body())
    }

    /// The length of a long body of application data, once its header was read ahead.
    pub(super) fn announced(&self) -> Option<usize> {
        self.0.as_ref()?.announced()
    }

    /// Keeps an error that the kernel tells only once.
    pub(super) fn fail_later(&mut self, errno: i32) {
        self.0.get_or_insert_default().error = Some(errno);
    }

    /// Up to `size` bytes of the record: nothing before it is whole.
    pub(super) fn take(&mut self, size: usize) -> Vec<u8> {
        let taken = self.0.as_mut().map(|received| received.take(size));
        taken.unwrap_or_default()
    }

    /// Gives back what it needs no more. Not done for each record, as another one follows as a rule; nothing to receive is an idle
    /// connection.
    pub(super) fn tidy(&mut self) {
        if self.0.as_ref().is_some_and(|received| received.is_idle()) {
            self.0 = None;
        }
    }
}

impl Received {
    fn fill(
        &mut self,
        mut receive: impl FnMut(&mut [MaybeUninit<u8>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        while !self.ended && !self.is_whole() {
            if let Some(errno) = self.error.take() {
                return Err(io::Error::from_raw_os_error(errno));
            }
            let wanted = match self.end() {
                None => HEADER,
                Some(end) if end >= HEADER + READ_AHEAD_FROM => end + HEADER,
                Some(end) => end,
            };
            let room = wanted - self.data.len();
            self.data
                .try_reserve_exact(room.max(SHORT_RECORD))
                .map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
            let received = receive(&mut self.data.spare_capacity_mut()[..room])?;
            if received == 0 {
                self.ended = true;
                // Half a record can never be read.
                self.data = Vec::new();
            }
            let length = self.data.len() + received.min(room);
            // SAFETY: `receive` says how many bytes it has written behind the others, as recv(2) does.
            unsafe { self.data.set_len(length) };
        }
        Ok(())
    }

    fn is_idle(&self) -> bool {
        self.data.is_empty() && !self.ended && self.error.is_none()
    }

    fn body(&self) -> usize {
        match self.end() {
            Some(end) if self.is_whole() => end.saturating_sub(HEADER.max(self.taken)),
            _ => 0,
        }
    }

    fn announced(&self) -> Option<usize> {
        let body = self.end()?.checked_sub(HEADER)?;
        let is_data = self.data.first() == Some(&APPLICATION_DATA);
        (self.taken == 0 && is_data && body >= READ_AHEAD_FROM).then_some(body)
    }

    fn take(&mut self, size: usize) -> Vec<u8> {
        let end = match self.end() {
            Some(end) if self.is_whole() => end,
            _ => return Vec::new(),
        };
        let to = end.min(self.taken.saturating_add(size));
        if self.taken == 0 && to == end {
            // As it is, without a copy.
            let behind = self.data.split_off(end);
            return mem::replace(&mut self.data, behind);
        }
        let part = self.data.get(self.taken..to).unwrap_or_default().to_vec();
        self.taken = to;
        if to == end {
            self.taken = 0;
            self.data = self.data.split_off(end);
        }
        part
    }

    fn is_whole(&self) -> bool {
        self.end().is_some_and(|end| self.data.len() >= end)
    }

    /// Where the record ends, once its header is there. What is no record ends at once: the state machine is to say so, and not
    /// to wait for a body that never comes.
    fn end(&self) -> Option<usize> {
        let header = self.data.first_chunk::<HEADER>()?;
        let body = usize::from(u16::from_be_bytes([header[3], header[4]]));
        let is_record = (20..=24).contains(&header[0]) && header[1] == 3 && body <= LONGEST_BODY;
        Some(HEADER + if is_record { body } else { 0 })
    }
}

/// So many parts go in one system call: their list is on the stack.
const PARTS: usize = 32;

/// What is to go to the peer, in the parts that the state machine has made. An idle connection keeps no memory for it.
#[derive(Debug)]
pub(super) struct Outgoing<T>(Option<Box<Parts<T>>>);

#[derive(Debug)]
struct Parts<T> {
    /// Mostly the only one.
    first: Option<T>,
    others: VecDeque<T>,
    /// How much of the first one is sent.
    sent: usize,
    left: usize,
}

impl<T> Default for Outgoing<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Default for Parts<T> {
    fn default() -> Self {
        Self {
            first: None,
            others: VecDeque::new(),
            sent: 0,
            left: 0,
        }
    }
}

impl<T: AsRef<[u8]>> Outgoing<T> {
    pub(super) fn push(&mut self, part: T) {
        self.0.get_or_insert_default().push(part);
    }

    /// How many bytes are to be sent.
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |parts| parts.left)
    }

    /// Sends until nothing is left.
    ///
    /// # Errors
    ///
    /// Those of `send`; what it has sent before does not come again.
    pub(super) fn flush(
        &mut self,
        send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        if let Some(parts) = &mut self.0 {
            parts.flush(send)?;
            self.0 = None;
        }
        Ok(())
    }
}

impl<T: AsRef<[u8]>> Parts<T> {
    fn push(&mut self, part: T) {
        self.left += part.as_ref().len();
        match &self.first {
            None => self.first = Some(part),
            Some(_) => self.others.push_back(part),
        }
    }

    fn flush(
        &mut self,
        mut send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        while self.left > 0 {
            let mut slices = [IoSlice::new(&[]); PARTS];
            let mut from = self.sent;
            let mut count = 0;
            let parts = self.first.iter().chain(&self.others);
            for (slice, part) in slices.iter_mut().zip(parts) {
                *slice = IoSlice::new(part.as_ref().get(from..).unwrap_or_default());
                from = 0;
                count += 1;
            }
            let sent = send(slices.get(..count).unwrap_or_default())?;
            self.advance(sent);
        }
        Ok(())
    }

    fn advance(&mut self, sent: usize) {
        self.left = self.left.saturating_sub(sent);
        self.sent += sent;
        while let Some(first) = &self.first
            && self.sent >= first.as_ref().len()
        {
            self.sent -= first.as_ref().len();
            self.first = self.others.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
