//! For calls whose work has several parts, some of which wait and some do not: those of TLS.

use std::{future::Future, io, os::fd::BorrowedFd};

use super::{Call, Failure, signals, wait};

impl Call<'_> {
    /// One attempt, without a wait: `None` where it would have to.
    pub(crate) fn run_now<R>(
        &self,
        attempt: impl FnOnce(BorrowedFd<'_>) -> io::Result<R>,
    ) -> Result<Option<R>, Failure> {
        match self.source.with_fd(attempt) {
            Some(Ok(result)) => Ok(Some(result)),
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Some(Err(error)) => Err(error.into()),
            None => Err(Failure::Errno(libc::EBADF)),
        }
    }

    /// Waits for something else than the socket, under the same deadline.
    pub(crate) fn wait_for<F: Future>(&mut self, future: F) -> Result<F::Output, Failure> {
        self.begin_waiting(libc::EAGAIN)?;
        wait(self.vm, future, || self.deadline())
    }

    /// Between the parts of a call's work, for which it may not have had to wait: a peer that always has something to say must
    /// not keep it for ever.
    pub(crate) fn next_part(&mut self) -> Result<(), Failure> {
        signals::run_handlers(self.vm)?;
        if self.clock.is_none() {
            self.check_deadline()?;
            if !self.timeout.is_timeout() {
                return Ok(());
            }
            self.begin_waiting(libc::EAGAIN)?;
        }
        self.time_left()
    }
}
