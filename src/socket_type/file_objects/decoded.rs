//! Text that has been decoded and not yet read.

use rustpython_vm::common::wtf8::{Wtf8, Wtf8Buf};

use crate::text_lines::{Line, Newline};

/// A queue of characters.
#[derive(Default)]
pub(super) struct Decoded {
    text: Wtf8Buf,
    /// Where the text begins that is not yet read, in bytes.
    start: usize,
}

impl Decoded {
    fn rest(&self) -> &Wtf8 {
        self.text.get(self.start..).unwrap_or(Wtf8::new(""))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start >= self.text.len()
    }

    pub(super) fn append(&mut self, text: &Wtf8) {
        if self.start > 0 {
            self.text = self.rest().to_wtf8_buf();
            self.start = 0;
        }
        self.text.push_wtf8(text);
    }

    /// Whether there are so many characters.
    pub(super) fn has(&self, characters: usize) -> bool {
        characters <= self.rest().len() && characters <= self.rest().code_points().count()
    }

    /// Takes so many characters, or all if there are fewer.
    pub(super) fn take(&mut self, characters: usize) -> Wtf8Buf {
        let rest = self.rest();
        let end = rest
            .code_point_indices()
            .nth(characters)
            .map_or(rest.len(), |(index, _)| index);
        self.take_bytes(end)
    }

    /// Takes the first line if it is complete, or so many characters of it if it has more.
    pub(super) fn take_line(&mut self, newline: Newline, limit: usize) -> Option<Wtf8Buf> {
        // What would be shown as another end is gone already.
        let newline = match newline {
            Newline::Universal => Newline::Lf,
            other => other,
        };
        match newline.find(self.rest().as_bytes(), 0, true) {
            // So few bytes have no more characters either.
            Line::Ends(length) if length <= limit => Some(self.take_bytes(length)),
            Line::Ends(length) => {
                let rest = self.rest();
                let bound = rest.code_point_indices().nth(limit);
                let bound = bound.map_or(length, |(index, _)| index.min(length));
                Some(self.take_bytes(bound))
            }
            Line::Open(_) if self.has(limit) => Some(self.take(limit)),
            Line::Open(_) => None,
        }
    }

    fn take_bytes(&mut self, length: usize) -> Wtf8Buf {
        let taken = self
            .rest()
            .get(..length)
            .unwrap_or(Wtf8::new(""))
            .to_wtf8_buf();
        self.start += taken.len();
        if self.is_empty() {
            *self = Self::default();
        }
        taken
    }
}
