//! Lines of text in bytes: where they end, and how much of the bytes can be decoded, for encodings in which a line's end is
//! the same byte everywhere and no part of another character.

/// What ends a line, and what the end is shown as: the argument `newline` of Python's `open`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newline {
    /// `\n`, `\r` or `\r\n`, shown as `\n`: None in Python.
    Universal,
    /// The same, shown as it is: `''`.
    Untranslated,
    /// `\n`.
    Lf,
    /// `\r`.
    Cr,
    /// `\r\n`.
    CrLf,
}

/// The search for the end of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// The line is that long, its end included.
    Ends(usize),
    /// Not in these bytes; the search goes on from there when there are more.
    Open(usize),
}

impl Newline {
    /// The argument as Python gives it; an unknown one is no newline.
    pub fn parse(argument: Option<&str>) -> Option<Self> {
        Some(match argument {
            None => Self::Universal,
            Some("") => Self::Untranslated,
            Some("\n") => Self::Lf,
            Some("\r") => Self::Cr,
            Some("\r\n") => Self::CrLf,
            Some(_) => return None,
        })
    }

    /// Whether all three ends are known.
    pub fn is_universal(self) -> bool {
        matches!(self, Self::Universal | Self::Untranslated)
    }

    /// What is written for `\n`.
    pub fn written(self) -> &'static str {
        match self {
            Self::Cr => "\r",
            Self::CrLf => "\r\n",
            Self::Universal | Self::Untranslated | Self::Lf => "\n",
        }
    }

    /// Looks for the end of the first line from `searched` on. `is_last`: there are no more bytes to come.
    #[inline]
    pub fn find(self, bytes: &[u8], searched: usize, is_last: bool) -> Line {
        let rest = bytes.get(searched..).unwrap_or_default();
        let ends = |found: Option<usize>| match found {
            Some(at) => Line::Ends(searched + at + 1),
            None => Line::Open(bytes.len()),
        };
        match self {
            Self::Lf => ends(memchr::memchr(b'\n', rest)),
            Self::Cr => ends(memchr::memchr(b'\r', rest)),
            Self::CrLf => match memchr::memmem::find(rest, b"\r\n") {
                Some(at) => Line::Ends(searched + at + 2),
                // The `\r` may be there already.
                None => Line::Open(bytes.len().saturating_sub(1).max(searched)),
            },
            Self::Universal | Self::Untranslated => match memchr::memchr2(b'\n', b'\r', rest) {
                None => Line::Open(bytes.len()),
                Some(at) if rest.get(at) == Some(&b'\n') => Line::Ends(searched + at + 1),
                Some(at) => match rest.get(at + 1) {
                    Some(b'\n') => Line::Ends(searched + at + 2),
                    Some(_) => Line::Ends(searched + at + 1),
                    None if is_last => Line::Ends(searched + at + 1),
                    // Whether a `\n` follows is not known yet.
                    None => Line::Open(searched + at),
                },
            },
        }
    }

    /// Gives one line the end that is shown. Returns the end that it had.
    #[inline]
    pub fn end_line(self, line: &mut Vec<u8>) -> Ends {
        if !self.is_universal() {
            return Ends::NONE;
        }
        let (end, length) = match line.as_slice() {
            [.., b'\r', b'\n'] => (Ends::CRLF, 2),
            [.., b'\n'] => return Ends::LF,
            [.., b'\r'] => (Ends::CR, 1),
            _ => return Ends::NONE,
        };
        if self == Self::Universal {
            line.truncate(line.len() - length);
            line.push(b'\n');
        }
        end
    }

    /// Gives all lines in the bytes the end that is shown. Returns the ends that they had.
    pub fn end_lines(self, bytes: Vec<u8>) -> (Vec<u8>, Ends) {
        if !self.is_universal() {
            return (bytes, Ends::NONE);
        }
        if memchr::memchr(b'\r', &bytes).is_none() {
            let ends = match memchr::memchr(b'\n', &bytes) {
                Some(_) => Ends::LF,
                None => Ends::NONE,
            };
            return (bytes, ends);
        }
        let mut shown = Vec::with_capacity(bytes.len());
        let mut ends = Ends::NONE;
        let mut rest = bytes.as_slice();
        while let Line::Ends(length) = self.find(rest, 0, true) {
            let (line, others) = rest.split_at(length);
            let mut line = line.to_vec();
            ends = ends.with(self.end_line(&mut line));
            shown.extend_from_slice(&line);
            rest = others;
        }
        shown.extend_from_slice(rest);
        (shown, ends)
    }
}

/// A set of ends of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends(pub u8);

impl Ends {
    pub const NONE: Self = Self(0);
    pub const CR: Self = Self(1);
    pub const LF: Self = Self(2);
    pub const CRLF: Self = Self(4);

    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those in the set, in the order of Python's attribute `newlines`.
    pub fn names(self) -> Vec<&'static str> {
        let all = [(Self::CR, "\r"), (Self::LF, "\n"), (Self::CRLF, "\r\n")];
        let known = all.into_iter().filter(|(end, _)| self.0 & end.0 != 0);
        known.map(|(_, name)| name).collect()
    }
}

/// An encoding of which ASCII is a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Ascii,
    Latin1,
}

impl Encoding {
    /// The encoding of one of the names that Python knows it by.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase().replace(['_', ' '], "-");
        Some(match name.as_str() {
            "utf-8" | "utf8" | "u8" | "utf" => Self::Utf8,
            "ascii" | "us-ascii" | "646" => Self::Ascii,
            "latin-1" | "latin1" | "latin" | "iso-8859-1" | "iso8859-1" | "8859" | "cp819"
            | "l1" => Self::Latin1,
            _ => return None,
        })
    }

    /// How many of the bytes can be decoded before there are more: not the first bytes of a character, nor a `\r` that may be the
    /// first half of a line's end.
    pub fn complete(self, bytes: &[u8], newline: Newline) -> usize {
        let length = match self {
            Self::Utf8 => bytes.len() - incomplete_tail(bytes),
            Self::Ascii | Self::Latin1 => bytes.len(),
        };
        match bytes.get(..length) {
            Some([.., b'\r']) if newline.is_universal() => length - 1,
            _ => length,
        }
    }

    /// The text, if the bytes are valid; else they come back.
    #[inline]
    pub fn decode(self, bytes: Vec<u8>) -> Result<String, Vec<u8>> {
        let valid =
            |bytes| String::from_utf8(bytes).map_err(std::string::FromUtf8Error::into_bytes);
        match self {
            Self::Utf8 => valid(bytes),
            Self::Ascii if bytes.is_ascii() => valid(bytes),
            Self::Ascii => Err(bytes),
            Self::Latin1 if bytes.is_ascii() => valid(bytes),
            Self::Latin1 => Ok(bytes.into_iter().map(char::from).collect()),
        }
    }
}

/// How many bytes at the end are the beginning of a character whose other bytes are not there (RFC 3629).
fn incomplete_tail(bytes: &[u8]) -> usize {
    for (back, &byte) in bytes.iter().rev().take(3).enumerate() {
        let length = match byte {
            0x80..=0xBF => continue,
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => 0,
        };
        let there = back + 1;
        if length <= there {
            return 0;
        }
        let tail = bytes.get(bytes.len() - there..).unwrap_or_default();
        // Not if what is there can be no beginning: that is decoded, as an error, now.
        return match std::str::from_utf8(tail) {
            Err(error) if error.error_len().is_none() => there,
            _ => 0,
        };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_newline_ends_lines_where_it_says() {
        for (newline, bytes, line) in [
            (Newline::Lf, b"a\r\nb".as_slice(), Line::Ends(3)),
            (Newline::Lf, b"a\rb", Line::Open(3)),
            (Newline::Cr, b"a\r\nb", Line::Ends(2)),
            (Newline::CrLf, b"a\rb\nc\r\nd", Line::Ends(7)),
            (Newline::CrLf, b"ab\r", Line::Open(2)),
            (Newline::CrLf, b"", Line::Open(0)),
            (Newline::Universal, b"a\r\nb", Line::Ends(3)),
            (Newline::Universal, b"a\rb", Line::Ends(2)),
            (Newline::Universal, b"a\nb\r", Line::Ends(2)),
            (Newline::Universal, b"ab\r", Line::Open(2)),
            (Newline::Untranslated, b"ab", Line::Open(2)),
        ] {
            assert_eq!(newline.find(bytes, 0, false), line, "{newline:?} {bytes:?}");
        }
        assert_eq!(Newline::Universal.find(b"ab\r", 0, true), Line::Ends(3));
        assert_eq!(Newline::CrLf.find(b"ab\r", 0, true), Line::Open(2));
    }

    #[test]
    fn a_search_goes_on_where_the_last_one_ended() {
        for newline in [
            Newline::Universal,
            Newline::Untranslated,
            Newline::Lf,
            Newline::Cr,
            Newline::CrLf,
        ] {
            let bytes = b"some\rbytes\nand\r\nmore\n\r";
            let at_once = newline.find(bytes, 0, true);
            let mut searched = 0;
            let mut piecemeal = Line::Open(0);
            for end in 0..=bytes.len() {
                piecemeal = newline.find(&bytes[..end], searched, end == bytes.len());
                match piecemeal {
                    Line::Open(so_far) => searched = so_far,
                    Line::Ends(_) => break,
                }
            }
            assert_eq!(piecemeal, at_once, "{newline:?}");
        }
    }

    #[test]
    fn ends_are_shown_and_remembered() {
        for (newline, line, shown, end) in [
            (Newline::Universal, "a\r\n", "a\n", Ends::CRLF),
            (Newline::Universal, "a\r", "a\n", Ends::CR),
            (Newline::Universal, "a\n", "a\n", Ends::LF),
            (Newline::Universal, "a", "a", Ends::NONE),
            (Newline::Untranslated, "a\r\n", "a\r\n", Ends::CRLF),
            (Newline::Cr, "a\r", "a\r", Ends::NONE),
        ] {
            let mut bytes = line.as_bytes().to_vec();
            assert_eq!(newline.end_line(&mut bytes), end);
            assert_eq!(bytes, shown.as_bytes());
            assert_eq!(newline.end_lines(line.into()), (shown.into(), end));
        }
        let (shown, ends) = Newline::Universal.end_lines(b"a\r\nb\rc\nd".to_vec());
        assert_eq!(shown, b"a\nb\nc\nd");
        assert_eq!(ends.names(), ["\r", "\n", "\r\n"]);
    }

    #[test]
    fn only_whole_characters_are_decoded() {
        let complete = |bytes: &[u8]| Encoding::Utf8.complete(bytes, Newline::Lf);
        let text = "aé€😀".as_bytes();
        let starts = [0, 1, 3, 6, 10];
        for end in 0..=text.len() {
            let whole = starts
                .into_iter()
                .filter(|&start| start <= end)
                .max()
                .unwrap();
            assert_eq!(complete(&text[..end]), whole, "{end}");
        }
        // What can be no character is not waited for.
        assert_eq!(complete(b"a\xff"), 2);
        assert_eq!(complete(b"a\xed\xa0"), 3);
        assert_eq!(complete(b"a\x80\x80\x80"), 4);
        assert_eq!(complete(b"a\xe2("), 3);
    }

    #[test]
    fn half_an_end_is_not_decoded() {
        assert_eq!(Encoding::Ascii.complete(b"a\r", Newline::Universal), 1);
        assert_eq!(Encoding::Ascii.complete(b"a\r", Newline::Lf), 2);
        assert_eq!(Encoding::Utf8.complete(b"\r", Newline::Untranslated), 0);
    }

    #[test]
    fn valid_bytes_become_text() {
        assert_eq!(Encoding::Utf8.decode("é".into()).unwrap(), "é");
        assert_eq!(Encoding::Latin1.decode(vec![0xe9]).unwrap(), "é");
        assert_eq!(Encoding::Ascii.decode(vec![b'e']).unwrap(), "e");
        assert_eq!(Encoding::Ascii.decode("é".into()), Err("é".into()));
        assert_eq!(Encoding::Utf8.decode(vec![0xe9]), Err(vec![0xe9]));
    }

    #[test]
    fn names_of_encodings() {
        assert_eq!(Encoding::parse("UTF_8"), Some(Encoding::Utf8));
        assert_eq!(Encoding::parse("ISO8859-1"), Some(Encoding::Latin1));
        assert_eq!(Encoding::parse("us-ascii"), Some(Encoding::Ascii));
        assert_eq!(Encoding::parse("utf-16"), None);
    }
}
