//! Reads logs in the format of HdrHistogram: of this program or of any other that writes nanoseconds.

use std::{fs, io::Read, path::Path, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::read::ZlibDecoder;
use hdrhistogram::{
    Histogram,
    serialization::{
        Deserializer,
        interval_log::{IntervalLogHistogram, IntervalLogIterator, LogEntry},
    },
};

use crate::{
    output::hdr_log::{SUMMARY, Summary},
    record::Counts,
};

/// Above any log of an hour; what is larger is no log.
const LARGEST_FILE: u64 = 256 << 20;

/// Above any histogram: five digits, and a counter of nine bytes for each value.
const LARGEST_HISTOGRAM: u64 = 160 << 20;

/// More operations than any log has, and few enough that sums of them fit.
const MOST: u64 = 1 << 50;

/// What the encodings in a log begin with: V2, and V2 with DEFLATE.
const V2: u32 = 0x1c84_9313;
const V2_DEFLATE: u32 = 0x1c84_9314;
/// Bytes before the counts of a V2 histogram.
const V2_HEADER: usize = 40;

/// Timestamps that are so much before a log's start are relative to it, as HdrHistogram's own reader has it.
const YEAR: f64 = 365.0 * 24.0 * 3600.0;

/// A log, read and checked.
#[derive(Debug)]
pub struct Log {
    pub name: String,
    /// Only in our own.
    pub summary: Option<Summary>,
    pub entries: Vec<Entry>,
    /// Any line has a tag: a log of several kinds of operations, which are not told apart here.
    pub tagged: bool,
}

#[derive(Debug)]
pub struct Entry {
    /// Seconds since the epoch; in logs without a start time, since whatever they count from.
    pub from: f64,
    /// Seconds.
    pub length: f64,
    /// Nanoseconds.
    pub latency: Histogram<u64>,
}

impl Log {
    /// # Errors
    ///
    /// A sentence with the file, and the line where there is one.
    pub fn read(path: &Path) -> Result<Self, String> {
        let name = path.display().to_string();
        Self::parse(
            &name,
            &contents(path).map_err(|error| format!("{name}: {error}"))?,
        )
    }

    /// # Errors
    ///
    /// As [`Log::read`].
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, String> {
        let mut log = Self {
            name: name.to_owned(),
            summary: None,
            entries: Vec::new(),
            tagged: false,
        };
        let mut times = Times::default();
        let mut deserializer = Deserializer::new();
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(format!("{name}: is empty"));
        }
        for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            let cut = if line.ends_with(b"\n") {
                ""
            } else {
                " (the last line: cut off?)"
            };
            log.line(line.trim_ascii_end(), &mut times, &mut deserializer)
                .map_err(|reason| format!("{name}, line {number}: {reason}{cut}"))?;
        }
        if log.entries.is_empty() && log.summary.is_none() {
            return Err(format!("{name}: no histogram in it"));
        }
        Ok(log)
    }

    fn line(
        &mut self,
        line: &[u8],
        times: &mut Times,
        deserializer: &mut Deserializer,
    ) -> Result<(), String> {
        if let Some(json) = line.strip_prefix(format!("#{SUMMARY}").as_bytes()) {
            let summary: Summary = serde_json::from_slice(json)
                .map_err(|error| format!("a summary that cannot be read: {error}"))?;
            if !adds_up(&summary.operations) || !adds_up(&summary.connections) {
                return Err("a summary whose counts do not add up".into());
            }
            if self.summary.replace(summary).is_some() {
                return Err("a second summary: two logs in one file?".into());
            }
            return Ok(());
        }
        if line.is_empty() {
            return Ok(());
        }
        let mut terminated = line.to_vec();
        terminated.push(b'\n');
        match IntervalLogIterator::new(&terminated).next() {
            // A comment, or the names of the columns.
            None => {}
            Some(Ok(LogEntry::StartTime(time))) => times.start = Some(time.as_secs_f64()),
            Some(Ok(LogEntry::BaseTime(time))) => times.base = Some(time.as_secs_f64()),
            Some(Ok(LogEntry::Interval(interval))) => {
                self.tagged |= interval.tag().is_some();
                let latency = histogram(&interval, deserializer)?;
                if latency.len() > MOST {
                    return Err("a histogram with more than can be".into());
                }
                let length = interval.duration().as_secs_f64();
                self.entries.push(Entry {
                    from: times.absolute(interval.start_timestamp()),
                    length,
                    latency,
                });
            }
            Some(Err(_)) => return Err("no line of a HdrHistogram log".into()),
        }
        Ok(())
    }

    /// When its first line begins and its last one ends; none of an empty one.
    pub fn span(&self) -> Option<(f64, f64)> {
        let from = self.entries.iter().map(|entry| entry.from);
        let to = self.entries.iter().map(|entry| entry.from + entry.length);
        Some((from.reduce(f64::min)?, to.reduce(f64::max)?))
    }
}

/// What a log counts its times from.
#[derive(Default)]
struct Times {
    start: Option<f64>,
    base: Option<f64>,
}

impl Times {
    fn absolute(&self, stamp: Duration) -> f64 {
        let stamp = stamp.as_secs_f64();
        match (self.base, self.start) {
            (Some(base), _) => base + stamp,
            (None, Some(start)) if stamp < start - YEAR => start + stamp,
            _ => stamp,
        }
    }
}

fn adds_up(counts: &Counts) -> bool {
    let ends = counts
        .failed
        .values()
        .chain([&counts.completed, &counts.unfinished]);
    let ended = ends.copied().try_fold(0, u64::checked_add);
    ended == Some(counts.started)
        && [
            counts.started,
            counts.not_sent,
            counts.bytes_sent >> 10,
            counts.bytes_received >> 10,
        ]
        .iter()
        .all(|number| *number <= MOST)
}

fn contents(path: &Path) -> Result<Vec<u8>, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let is_directory = file.metadata().is_ok_and(|metadata| metadata.is_dir());
    if is_directory {
        return Err("is a directory".into());
    }
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err("too large for a log".into());
    }
    Ok(bytes)
}

/// The sizes in it are checked against what is there before anything is allocated for them.
fn histogram(
    interval: &IntervalLogHistogram<'_>,
    deserializer: &mut Deserializer,
) -> Result<Histogram<u64>, String> {
    let encoded = STANDARD
        .decode(interval.encoded_histogram().trim())
        .map_err(|error| format!("a histogram that is no base64: {error}"))?;
    let plain = match (word(&encoded, 0), encoded.get(8..)) {
        (Some(V2_DEFLATE), Some(deflated)) => {
            let mut plain = Vec::new();
            ZlibDecoder::new(deflated)
                .take(LARGEST_HISTOGRAM)
                .read_to_end(&mut plain)
                .map_err(|error| format!("a histogram that cannot be unpacked: {error}"))?;
            plain
        }
        (Some(V2), _) => encoded,
        _ => return Err("a histogram in another encoding than V2".into()),
    };
    let counts = plain.len().checked_sub(V2_HEADER);
    let wanted = word(&plain, 4).and_then(|length| usize::try_from(length).ok());
    if word(&plain, 0) != Some(V2) || counts.is_none() || counts < wanted {
        return Err("a histogram that is cut off".into());
    }
    deserializer
        .deserialize(&mut plain.as_slice())
        .map_err(|error| format!("a histogram that cannot be read: {error}"))
}

/// A big-endian number.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{hdr_log, merge::Merged, sample};

    fn text() -> String {
        let (report, finished) = sample::run(3);
        hdr_log::of_run(&report, &finished).unwrap()
    }

    #[test]
    fn times_are_absolute_whatever_they_count_from() {
        let text = text();
        let line = text.lines().last().unwrap();
        let histogram = line.rsplit(',').next().unwrap();
        for (head, from) in [
            ("", 7.5),
            (
                "#[BaseTime: 1700000000.250 (seconds since epoch)]\n",
                1_700_000_007.75,
            ),
            (
                "#[StartTime: 1700000000.000 (seconds since epoch)]\n",
                1_700_000_007.5,
            ),
        ] {
            let text =
                format!("{head}\"StartTimestamp\",\"x\"\nTag=a,7.500,1.000,3.0,{histogram}\r\n");
            let log = Log::parse("it", text.as_bytes()).unwrap();
            assert!((log.entries[0].from - from).abs() < 1e-6, "{head}");
            assert!(log.tagged);
        }
        let head = "#[StartTime: 1700000000.000 (seconds since epoch)]\n";
        let text = format!("{head}1700000001.000,1.000,3.0,{histogram}\n");
        let log = Log::parse("it", text.as_bytes()).unwrap();
        assert!((log.entries[0].from - 1_700_000_001.0).abs() < 1e-6);
    }

    #[test]
    fn what_is_no_log_is_refused_with_its_place() {
        let whole = text();
        let cut = &whole[..whole.len() - 30];
        let before = whole.lines().count() - 1;
        for (text, words) in [
            ("", "it: is empty".into()),
            (" \n\n", "it: is empty".into()),
            ("#only a comment\n", "it: no histogram in it".into()),
            ("hello\n", "it, line 1: no line of".into()),
            (
                "#x\n1.0,1.0,1.0,%%%\n",
                "it, line 2: a histogram that is no base64".into(),
            ),
            (
                "1.0,1.0,1.0,AAAAAAAAAAAA\n",
                "it, line 1: a histogram in another".into(),
            ),
            (
                &whole.replacen("\"completed\":", "\"completed\":9", 1),
                "it, line 3: a summary whose counts".into(),
            ),
            ("#reactor-load: {}\n", "it, line 1: a summary that".into()),
            (cut, format!("it, line {}: a histogram that", before + 1)),
        ] {
            let error = Log::parse("it", text.as_bytes()).unwrap_err();
            assert!(error.starts_with(&words), "{error:?} is not {words:?}");
        }
        let error = Log::parse("it", cut.as_bytes()).unwrap_err();
        assert!(error.contains("cut off?"), "{error}");
    }

    #[test]
    fn a_last_line_needs_no_end() {
        let whole = text();
        let log = Log::parse("it", whole.trim_end().as_bytes()).unwrap();
        assert_eq!(log.entries.len(), 3);
    }

    #[test]
    fn a_histogram_that_claims_to_be_huge_is_refused() {
        let mut plain = vec![0; V2_HEADER];
        plain[..4].copy_from_slice(&V2.to_be_bytes());
        plain[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
        let text = format!("1.0,1.0,1.0,{}\n", STANDARD.encode(&plain));
        let error = Log::parse("it", text.as_bytes()).unwrap_err();
        assert!(error.contains("cut off"), "{error}");
    }

    /// A file is whatever somebody hands over: no bytes end the program.
    #[test]
    fn no_bytes_panic() {
        let whole = text().into_bytes();
        let mut random = sample::Random::new(7);
        let mut read = 0;
        for _ in 0..3000 {
            let mut bytes = whole.clone();
            for _ in 0..=random.below(4) {
                mutate(&mut bytes, &mut random);
            }
            if let Ok(log) = Log::parse("it", &bytes) {
                read += 1;
                let _ = Merged::of(&[log], Vec::new());
            }
        }
        // Some are harmless: else only the first check would be tested.
        assert!(read > 30, "{read}");
    }

    /// The same, below base64 and DEFLATE.
    #[test]
    fn no_histogram_panics() {
        let whole = text();
        let line = whole.lines().last().unwrap();
        let encoded = STANDARD.decode(line.rsplit(',').next().unwrap()).unwrap();
        let mut plain = Vec::new();
        ZlibDecoder::new(&encoded[8..])
            .read_to_end(&mut plain)
            .unwrap();
        let mut random = sample::Random::new(8);
        let mut sum = crate::record::new_histogram();
        let mut read = 0;
        for _ in 0..3000 {
            let mut bytes = plain.clone();
            for _ in 0..=random.below(3) {
                mutate(&mut bytes, &mut random);
            }
            let text = format!("1.0,1.0,1.0,{}\n", STANDARD.encode(&bytes));
            if let Ok(log) = Log::parse("it", text.as_bytes()) {
                read += 1;
                for entry in &log.entries {
                    let _ = sum.add(&entry.latency);
                    let _ = crate::report::Latency::of(&entry.latency);
                }
            }
        }
        assert!(read > 100, "{read}");
    }

    fn mutate(bytes: &mut Vec<u8>, random: &mut sample::Random) {
        if bytes.is_empty() {
            return;
        }
        let at = random.below(bytes.len());
        match random.below(5) {
            0 => bytes[at] = random.below(256) as u8,
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, random.below(256) as u8),
            _ => drop(bytes.drain(at..(at + random.below(20)).min(bytes.len()))),
        }
    }
}
