//! What the server writes: read for ever, so that it never waits for us, and only the end of it is kept.

use std::{
    io::{self, PipeReader, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

/// Bytes that are kept.
const KEPT: usize = 8 << 10;

/// Lines that are shown of them.
const LINES: usize = 20;

/// The end of a pipe's content.
pub struct Tail {
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Tail {
    /// Reads the pipe in a thread of its own: the one that counts may be busy.
    pub fn of(mut pipe: PipeReader) -> io::Result<Self> {
        let text = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&text);
        let read = move || {
            let mut buffer = vec![0; KEPT];
            loop {
                match pipe.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(count) => keep(&mut lock(&shared), buffer.get(..count).unwrap_or_default()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return,
                }
            }
        };
        let reader = thread::Builder::new()
            .name("server-output".into())
            .spawn(read)?;
        Ok(Self { text, reader })
    }

    /// Whether nothing more will come.
    pub fn is_whole(&self) -> bool {
        self.reader.is_finished()
    }

    pub fn lines(&self) -> Vec<String> {
        last_lines(&lock(&self.text))
    }
}

fn lock(text: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(text: &mut Vec<u8>, more: &[u8]) {
    text.extend_from_slice(more);
    let surplus = text.len().saturating_sub(KEPT);
    text.drain(..surplus);
}

/// For a terminal, which is not to obey what a server writes.
fn last_lines(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let shown = lines.get(lines.len().saturating_sub(LINES)..);
    let clean = |line: &&str| {
        let visible = |c: char| if c.is_control() { ' ' } else { c };
        line.trim_end().chars().map(visible).collect()
    };
    shown.unwrap_or_default().iter().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept() {
        let mut text = Vec::new();
        for number in 0..10_000 {
            keep(&mut text, format!("line {number}\n").as_bytes());
            assert!(text.len() <= KEPT);
        }
        let lines = last_lines(&text);
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines.last().map(String::as_str), Some("line 9999"));
        keep(&mut text, &[b'x'; 3 * KEPT]);
        assert_eq!(text, [b'x'; KEPT]);
    }

    #[test]
    fn lines_do_not_command_the_terminal() {
        assert_eq!(
            last_lines(b"a\x1b[2Jb\r\n\n  \n\xffc"),
            ["a [2Jb", "\u{fffd}c"]
        );
        assert!(last_lines(b"").is_empty());
    }
}
