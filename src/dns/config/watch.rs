//! Reading small files of the system, and noticing cheaply that they have changed since.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Time stamps of files come from a clock that ticks every few milliseconds, on some file systems every second or
/// two. A file that was changed less than this ago may change again without a new time stamp.
const GRANULE: Duration = Duration::from_secs(2);

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// Seconds and nanoseconds; unlike `modified` nobody can set it.
    changed: (i64, i64),
    mode: u32,
}

impl Stamp {
    fn new(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            mode: metadata.mode(),
        }
    }

    /// Any later change will show, for a reading that began at `now` (since the epoch).
    fn settled(&self, now: Duration) -> bool {
        let age = |(seconds, nanoseconds): (i64, i64)| {
            let now = i128::try_from(now.as_nanos()).unwrap_or(i128::MAX);
            now - i128::from(seconds) * 1_000_000_000 - i128::from(nanoseconds)
        };
        let granule = GRANULE.as_nanos() as i128;
        // A change time ahead of the clock means that the clock was set back, and is no news of the file's age. A
        // modification time far ahead is somebody's wish, and says nothing.
        age(self.changed) > granule
            && (age(self.modified) > granule || age(self.modified) < -granule)
    }
}

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dns) enum Contents {
    Text(Vec<u8>),
    /// There is no such file, or this process may not read it: the C library takes that for an empty file.
    Absent,
    /// It cannot be read, or should not be, for the reason given.
    Unusual(&'static str),
}

/// A file as it was read.
#[derive(Clone, Debug)]
pub(in crate::dns) struct Watched {
    path: PathBuf,
    /// The error number if there was none.
    seen: Result<Stamp, i32>,
    settled: bool,
}

impl Watched {
    /// Reads a regular file of at most `limit` bytes.
    pub(in crate::dns) fn read(path: PathBuf, limit: u64) -> (Contents, Self) {
        // Before the file is looked at: a change after this moment must count as young.
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        match read(&path, limit) {
            Ok((contents, stamp)) => {
                let settled = stamp.settled(now) && regular(stamp.mode);
                let seen = Ok(stamp);
                (
                    contents,
                    Self {
                        path,
                        seen,
                        settled,
                    },
                )
            }
            Err(error) => {
                let code = error.raw_os_error().unwrap_or(libc::EIO);
                // Judged by the name, not the descriptor, so that a later look can compare.
                let seen = look(&path);
                let persistent = [
                    libc::EACCES,
                    libc::EISDIR,
                    libc::ELOOP,
                    libc::ENOENT,
                    libc::ENOTDIR,
                    libc::EPERM,
                ]
                .contains(&code);
                let settled = persistent
                    && match seen {
                        Ok(stamp) => stamp.settled(now) && code != libc::ENOENT,
                        Err(later) => later == code,
                    };
                let contents = if persistent {
                    Contents::Absent
                } else {
                    Contents::Unusual("a file that cannot be read")
                };
                (
                    contents,
                    Self {
                        path,
                        seen,
                        settled,
                    },
                )
            }
        }
    }

    /// Nothing showed a change between the two readings.
    pub(in crate::dns) fn looked_like(&self, later: &Self) -> bool {
        self.path == later.path && self.seen == later.seen
    }

    #[cfg(test)]
    pub(in crate::dns) fn settle(&mut self) {
        self.settled = true;
    }

    /// The file still says what it said.
    pub(in crate::dns) fn unchanged(&self) -> bool {
        self.settled && look(&self.path) == self.seen
    }
}

fn regular(mode: u32) -> bool {
    mode & libc::S_IFMT == libc::S_IFREG
}

fn look(path: &Path) -> Result<Stamp, i32> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Stamp::new(&metadata)),
        Err(error) => Err(error.raw_os_error().unwrap_or(libc::EIO)),
    }
}

fn read(path: &Path, limit: u64) -> io::Result<(Contents, Stamp)> {
    const SPECIAL: Contents = Contents::Unusual("a file that is not a regular one");
    const LARGE: Contents = Contents::Unusual("a file that is too large");

    // Looked at before it is opened: to open a device may do something, and to open a pipe waits.
    let stamp = Stamp::new(&fs::metadata(path)?);
    if !regular(stamp.mode) {
        return Ok((SPECIAL, stamp));
    }
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    let stamp = Stamp::new(&file.metadata()?);
    if !regular(stamp.mode) {
        return Ok((SPECIAL, stamp));
    }
    if stamp.size > limit {
        return Ok((LARGE, stamp));
    }
    let mut text = Vec::with_capacity(usize::try_from(stamp.size).unwrap_or(0));
    // It may grow while it is read.
    file.take(limit + 1).read_to_end(&mut text)?;
    if text.len() as u64 > limit {
        return Ok((LARGE, stamp));
    }
    Ok((Contents::Text(text), stamp))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn folder() -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "reactor-watch-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn stamp(seconds: i64) -> Stamp {
        Stamp {
            device: 1,
            inode: 1,
            size: 1,
            modified: (seconds, 0),
            changed: (seconds, 0),
            mode: libc::S_IFREG,
        }
    }

    #[test]
    fn a_young_file_is_not_settled() {
        let now = Duration::from_secs(1000);
        assert!(stamp(900).settled(now));
        assert!(!stamp(998).settled(now));
        assert!(!stamp(1000).settled(now));
        assert!(!stamp(1001).settled(now));
        let (young, old, ahead) = ((999, 0), (900, 0), (5000, 0));
        let with = |modified, changed| Stamp {
            modified,
            changed,
            ..stamp(0)
        };
        assert!(!with(old, young).settled(now));
        assert!(!with(young, old).settled(now));
        assert!(with(ahead, old).settled(now));
        assert!(!with(old, ahead).settled(now));
    }

    #[test]
    fn a_change_without_a_new_size_shows() {
        let folder = folder();
        let path = folder.join("file");
        fs::write(&path, "one").unwrap();
        let (contents, watched) = Watched::read(path.clone(), 100);
        assert_eq!(contents, Contents::Text(b"one".to_vec()));
        fs::write(&path, "two").unwrap();
        assert!(!watched.unchanged());
        // As if the file had been old.
        let (_, mut watched) = Watched::read(path.clone(), 100);
        watched.settled = true;
        assert!(watched.unchanged());
        fs::write(path.with_extension("new"), "two").unwrap();
        fs::rename(path.with_extension("new"), &path).unwrap();
        assert!(!watched.unchanged());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn absence_is_settled_until_the_file_appears() {
        let folder = folder();
        let path = folder.join("file");
        let (contents, watched) = Watched::read(path.clone(), 100);
        assert_eq!(contents, Contents::Absent);
        assert!(watched.unchanged());
        fs::write(&path, "").unwrap();
        assert!(!watched.unchanged());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_not_a_small_regular_file_is_unusual() {
        let folder = folder();
        let (contents, watched) = Watched::read(folder.clone(), 100);
        assert!(matches!(contents, Contents::Unusual(_)));
        assert!(!watched.unchanged());
        let (contents, _) = Watched::read("/dev/zero".into(), 100);
        assert!(matches!(contents, Contents::Unusual(_)));
        let path = folder.join("large");
        fs::write(&path, [b'#'; 101]).unwrap();
        let (contents, _) = Watched::read(path, 100);
        assert!(matches!(contents, Contents::Unusual(_)));
        fs::remove_dir_all(folder).unwrap();
    }
}
