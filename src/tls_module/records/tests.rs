use std::collections::VecDeque;

use super::*;

/// A stream that comes in pieces, with `EAGAIN` behind each, and ends behind the last.
struct Stream {
    pieces: VecDeque<Vec<u8>>,
    calls: usize,
}

impl Stream {
    fn new(pieces: &[&[u8]]) -> Self {
        Self {
            pieces: pieces.iter().map(|piece| piece.to_vec()).collect(),
            calls: 0,
        }
    }

    fn receive(&mut self, memory: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        self.calls += 1;
        let Some(piece) = self.pieces.front_mut() else {
            return Ok(0);
        };
        if piece.is_empty() {
            self.pieces.pop_front();
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let part: Vec<u8> = piece.drain(..memory.len().min(piece.len())).collect();
        for (to, from) in memory.iter_mut().zip(&part) {
            to.write(*from);
        }
        Ok(part.len())
    }

    fn left(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum()
    }
}

fn record(kind: u8, length: usize) -> Vec<u8> {
    let mut record = vec![kind, 3, 3];
    record.extend(u16::try_from(length).unwrap().to_be_bytes());
    record.extend((0..length).map(|at| at as u8));
    record
}

#[test]
fn nothing_is_given_before_a_record_is_whole() {
    let whole = record(23, 40);
    let (one, rest) = whole.split_at(3);
    let (two, three) = rest.split_at(20);
    let mut stream = Stream::new(&[one, two, three]);
    let mut incoming = Incoming::default();
    for _ in 0..2 {
        let error = incoming.fill(|memory| stream.receive(memory)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(incoming.take(100).is_empty());
        assert_eq!(incoming.body(), 0);
    }
    incoming.fill(|memory| stream.receive(memory)).unwrap();
    assert_eq!(incoming.body(), 40);
    assert_eq!(incoming.take(100), whole);
    assert_eq!(incoming.body(), 0);
}

#[test]
fn a_record_is_given_in_parts() {
    let whole = record(22, 10);
    let mut stream = Stream::new(&[&whole]);
    let mut incoming = Incoming::default();
    incoming.fill(|memory| stream.receive(memory)).unwrap();
    assert_eq!(incoming.take(5), whole[..5]);
    assert_eq!(incoming.body(), 10);
    assert_eq!(incoming.take(4), whole[5..9]);
    assert_eq!(incoming.body(), 6);
    assert_eq!(incoming.take(100), whole[9..]);
    assert!(incoming.take(100).is_empty());
}

#[test]
fn what_is_behind_a_record_stays_in_the_kernel() {
    for length in [0, 1, 19, READ_AHEAD_FROM - 1] {
        let pieces = [record(23, length), record(21, 2), b"no TLS".to_vec()].concat();
        let mut stream = Stream::new(&[&pieces]);
        let mut incoming = Incoming::default();
        incoming.fill(|memory| stream.receive(memory)).unwrap();
        assert_eq!(incoming.take(usize::MAX), record(23, length));
        assert_eq!(stream.left(), 7 + 6);
        incoming.fill(|memory| stream.receive(memory)).unwrap();
        assert_eq!(incoming.take(usize::MAX), record(21, 2));
        assert_eq!(stream.left(), 6);
    }
}

#[test]
fn long_records_take_one_call_each() {
    let pieces = [
        record(23, 16401),
        record(23, 16401),
        record(23, READ_AHEAD_FROM),
        record(23, 1),
    ];
    let mut stream = Stream::new(&[&pieces.concat()]);
    let mut incoming = Incoming::default();
    for (expected, calls) in pieces.iter().zip([2, 1, 1, 1]) {
        stream.calls = 0;
        incoming.fill(|memory| stream.receive(memory)).unwrap();
        assert_eq!(stream.calls, calls);
        assert_eq!(&incoming.take(usize::MAX), expected);
        // select(2) shows the next record, if there is one.
        let next = expected.len() > 6;
        assert_eq!(stream.left() > 0, next);
    }
    assert_eq!(
        incoming
            .0
            .as_ref()
            .map_or(0, |received| received.data.capacity()),
        0,
        "an idle connection keeps memory"
    );
}

#[test]
fn the_end_comes_behind_the_last_record() {
    let whole = record(23, 4096);
    let mut stream = Stream::new(&[&whole]);
    let mut incoming = Incoming::default();
    // With the header behind it, which does not come.
    let _ = incoming.fill(|memory| stream.receive(memory));
    assert!(!incoming.has_ended());
    assert_eq!(incoming.take(usize::MAX), whole);
    let mut fill = || incoming.fill(|memory| stream.receive(memory));
    if fill().is_err() {
        fill().unwrap();
    }
    assert!(incoming.has_ended());
    assert!(incoming.take(1).is_empty());
}

#[test]
fn half_a_record_at_the_end_is_dropped() {
    let whole = record(23, 100);
    let mut stream = Stream::new(&[&whole[..50]]);
    let mut incoming = Incoming::default();
    assert!(incoming.fill(|memory| stream.receive(memory)).is_err());
    incoming.fill(|memory| stream.receive(memory)).unwrap();
    assert!(incoming.has_ended());
    assert!(incoming.take(usize::MAX).is_empty());
}

#[test]
fn what_is_no_record_is_given_at_once() {
    for garbage in [
        &b"GET / HTTP/1.1"[..],
        b"\x17\x02\x03\x00\x05",
        b"\x13\x03\x03\x00\x05",
        b"\x17\x03\x03\x48\x01",
    ] {
        let mut stream = Stream::new(&[garbage]);
        let mut incoming = Incoming::default();
        incoming.fill(|memory| stream.receive(memory)).unwrap();
        assert_eq!(incoming.take(usize::MAX), garbage[..5]);
    }
    // The longest that is one.
    let mut stream = Stream::new(&[b"\x17\x03\x03\x48\x00"]);
    assert!(
        Incoming::default()
            .fill(|memory| stream.receive(memory))
            .is_err()
    );
}

#[test]
fn what_was_sent_is_not_sent_again() {
    let mut outgoing = Outgoing::default();
    outgoing.push(&b"abc"[..]);
    outgoing.push(b"");
    outgoing.push(b"defgh");
    let mut wire = Vec::new();
    let mut room = 2;
    let mut send = |parts: &[IoSlice<'_>]| {
        if room == 0 {
            room = 5;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let data: Vec<u8> = parts.iter().flat_map(|part| part.to_vec()).collect();
        let sent = data.len().min(room);
        room -= sent;
        wire.extend_from_slice(&data[..sent]);
        Ok(sent)
    };
    assert!(outgoing.flush(&mut send).is_err());
    assert_eq!(outgoing.len(), 6);
    assert!(outgoing.flush(&mut send).is_err());
    outgoing.push(b"i");
    outgoing.flush(&mut send).unwrap();
    assert_eq!(outgoing.len(), 0);
    assert_eq!(wire, b"abcdefghi");
}

#[test]
fn many_parts_are_sent_in_order() {
    let mut outgoing = Outgoing::default();
    let parts: Vec<[u8; 2]> = (0..100).map(|at| [at, at]).collect();
    for part in &parts {
        outgoing.push(part);
    }
    let mut wire = Vec::new();
    let mut send = |parts: &[IoSlice<'_>]| {
        let before = wire.len();
        for part in parts {
            wire.extend_from_slice(part);
        }
        wire.truncate(wire.len() - 1);
        Ok(wire.len() - before)
    };
    // The last byte alone is never sent by it: nothing sent is the end here.
    let mut last = 0;
    let sent = outgoing.flush(|parts| match send(parts) {
        Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
        sent => {
            last += 1;
            sent
        }
    });
    assert!(sent.is_err() && last > 3);
    assert_eq!(outgoing.len(), 1);
    assert_eq!(wire, parts.concat()[..199]);
}

#[test]
fn idle_ends_keep_no_memory() {
    let mut stream = Stream::new(&[&record(23, 5)]);
    let mut incoming = Incoming::default();
    incoming.fill(|memory| stream.receive(memory)).unwrap();
    incoming.tidy();
    assert_eq!(incoming.take(10).len(), 10);
    assert!(incoming.0.is_some());
    assert!(incoming.fill(|memory| stream.receive(memory)).is_err());
    assert!(incoming.0.is_none());
    // What is to be known later is no idleness.
    incoming.fail_later(libc::ECONNRESET);
    incoming.tidy();
    let error = incoming.fill(|memory| stream.receive(memory)).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
    incoming.fill(|memory| stream.receive(memory)).unwrap();
    incoming.tidy();
    assert!(incoming.has_ended());
    let mut outgoing = Outgoing::default();
    outgoing.push(&b"abc"[..]);
    outgoing.flush(|parts| Ok(parts[0].len())).unwrap();
    assert!(outgoing.0.is_none());
}
