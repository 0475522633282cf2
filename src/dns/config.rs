//! What the machine's files and the environment say about names: one consistent reading of all of them.
//!
//! Read when the C library would read it: resolv.conf, with the environment's changes to it and the host's name, and
//! nsswitch.conf when the files have changed, host.conf once. What cannot be read as the C library does is unusual.

mod host_conf;
mod nsswitch;
#[cfg(test)]
pub(super) mod private_etc;
mod resolv_conf;
#[cfg(test)]
pub(super) mod tests;
pub(super) mod watch;

use std::{
    env, fs,
    net::SocketAddr,
    os::unix::{ffi::OsStringExt, fs::MetadataExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::reactor::fork_mutex::ForkMutex;
use host_conf::HostConf;
use nsswitch::NsSwitch;
use resolv_conf::Surroundings;
use watch::{Contents, Watched};

/// One reading. Compared by [`Config::generation`].
#[derive(Clone, Debug)]
pub(super) struct Config {
    /// Changes whenever anything that may change an answer has changed since the reading before. Never the same for two
    /// different readings of this process and of those it forked from.
    pub(super) generation: u64,
    pub(super) hosts: HostSources,
    /// `services:` in nsswitch.conf names nothing but local files (`files`, `db`).
    pub(super) services_are_local: bool,
    pub(super) resolv: Arc<ResolvConf>,
    /// `multi on` in host.conf: every line of the hosts file that has a name counts.
    pub(super) multi: bool,
    /// host.conf says something that is not known to leave answers as they are (the reason to ask the C library).
    pub(super) host_conf_unusual: Option<&'static str>,
    /// A reason in the environment or in running daemons (HOSTALIASES, nscd's socket) to ask the C library.
    pub(super) environment_unusual: Option<&'static str>,
}

impl Config {
    fn says_the_same(&self, other: &Self) -> bool {
        let Self {
            generation: _,
            hosts,
            services_are_local,
            resolv,
            multi,
            host_conf_unusual,
            environment_unusual,
        } = self;
        *hosts == other.hosts
            && *services_are_local == other.services_are_local
            && *resolv == other.resolv
            && *multi == other.multi
            && *host_conf_unusual == other.host_conf_unusual
            && *environment_unusual == other.environment_unusual
    }
}

/// `hosts:` in nsswitch.conf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostSources {
    /// In this order, with the default actions.
    Plain(Vec<HostSource>),
    /// Other sources, or actions in brackets: why, for `explain`.
    Unusual(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostSource {
    Files,
    Dns,
}

/// resolv.conf(5) with `LOCALDOMAIN` and `RES_OPTIONS` applied, and the C library's defaults where it is silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResolvConf {
    /// At most MAXNS (3), at least one.
    pub(super) servers: Vec<SocketAddr>,
    /// Domains to append, as written but for a dot in front; "." means the root.
    pub(super) search: Vec<String>,
    pub(super) ndots: u32,
    pub(super) timeout: Duration,
    pub(super) attempts: u32,
    pub(super) edns0: bool,
    /// Set options under which the C library is asked instead, such as `rotate`.
    pub(super) unusual: Option<String>,
}

/// The reading that holds now. A few system calls if nothing has changed; never waits for anything but local files.
pub(super) fn current() -> Arc<Config> {
    SYSTEM.current()
}

static SYSTEM: Reader = Reader::new("/");

/// No configuration that makes sense is larger.
const LARGEST: u64 = 1 << 20;

/// The readings of the files below one folder.
struct Reader {
    root: &'static str,
    state: ForkMutex<Option<Arc<State>>>,
    /// [`HOST_CONF_READ`] and what was read. Not in `state`, because the C library keeps it even in forked children.
    host_conf: AtomicU32,
}

const HOST_CONF_READ: u32 = 1;
const MULTI: u32 = 2;
const REORDER: u32 = 4;
const TRIM: u32 = 8;

struct State {
    config: Arc<Config>,
    resolv: ResolvReading,
    nsswitch: Watched,
    /// Device and inode number of the root folder.
    root: Option<(u64, u64)>,
}

#[derive(Clone)]
struct ResolvReading {
    watched: Watched,
    contents: Arc<Contents>,
}

impl Reader {
    const fn new(root: &'static str) -> Self {
        Self {
            root,
            state: ForkMutex::new(None),
            host_conf: AtomicU32::new(0),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.root).join(name)
    }

    fn current(&self) -> Arc<Config> {
        let known = self.state.lock().clone();
        let environment = self.environment_unusual();
        if let Some(known) = &known
            && known.config.environment_unusual == environment
            && known.resolv.watched.unchanged()
            && known.nsswitch.unchanged()
            && (self.host_conf.load(Ordering::Relaxed) & HOST_CONF_READ != 0)
        {
            return Arc::clone(&known.config);
        }
        self.read(known.as_deref(), environment)
    }

    fn read(&self, known: Option<&State>, environment: Option<&'static str>) -> Arc<Config> {
        let (host_conf, host_conf_unusual) = self.host_conf();
        let (resolv_conf, resolv) = self.resolv_conf(known);
        let (contents, nsswitch) = Watched::read(self.path("etc/nsswitch.conf"), LARGEST);
        let root = fs::metadata(self.root).ok();
        let root = root.map(|root| (root.dev(), root.ino()));
        let mut switch = match contents {
            Contents::Text(text) => nsswitch::parse(&text),
            Contents::Absent => nsswitch::parse(&[]),
            Contents::Unusual(why) => NsSwitch {
                hosts: HostSources::Unusual(format!("nsswitch.conf is {why}")),
                services_are_local: false,
            },
        };
        let first_root = known.and_then(|known| known.root);
        if first_root.is_some() && first_root != root {
            // The C library reads no nsswitch.conf but that of its first root folder.
            switch.hosts =
                HostSources::Unusual("the root folder is another than before".to_owned());
            switch.services_are_local = false;
        }
        let config = Config {
            generation: 0,
            hosts: switch.hosts,
            services_are_local: switch.services_are_local,
            resolv: resolv_conf,
            multi: host_conf.multi,
            host_conf_unusual,
            environment_unusual: environment,
        };
        self.keep(config, resolv, nsswitch, first_root.or(root))
    }

    fn resolv_conf(&self, known: Option<&State>) -> (Arc<ResolvConf>, ResolvReading) {
        let (contents, watched) = Watched::read(self.path("etc/resolv.conf"), LARGEST);
        // The environment's part of it holds for as long as the file does.
        if let Some(known) = known
            && known.resolv.watched.looked_like(&watched)
            && *known.resolv.contents == contents
        {
            let contents = Arc::clone(&known.resolv.contents);
            let reading = ResolvReading { watched, contents };
            return (Arc::clone(&known.config.resolv), reading);
        }
        let surroundings = Surroundings {
            local_domain: variable("LOCALDOMAIN"),
            options: variable("RES_OPTIONS"),
            host_name: host_name(),
        };
        let found = match &contents {
            Contents::Text(text) => resolv_conf::parse(text, &surroundings),
            Contents::Absent => resolv_conf::parse(&[], &surroundings),
            Contents::Unusual(why) => ResolvConf {
                unusual: Some(format!("resolv.conf is {why}")),
                ..resolv_conf::parse(&[], &surroundings)
            },
        };
        let found = match known {
            Some(known) if *known.config.resolv == found => Arc::clone(&known.config.resolv),
            _ => Arc::new(found),
        };
        let contents = Arc::new(contents);
        (found, ResolvReading { watched, contents })
    }

    /// Stores a reading, under a new generation if it says anything new.
    fn keep(
        &self,
        mut config: Config,
        resolv: ResolvReading,
        nsswitch: Watched,
        root: Option<(u64, u64)>,
    ) -> Arc<Config> {
        // Never set back, not even in a forked child.
        static GENERATION: AtomicU64 = AtomicU64::new(1);
        config.generation = GENERATION.fetch_add(1, Ordering::Relaxed);
        let mut config = Arc::new(config);
        let known = self.state.lock().clone();
        if let Some(known) = known
            && known.config.says_the_same(&config)
        {
            config = Arc::clone(&known.config);
        }
        let state = Arc::new(State {
            config: Arc::clone(&config),
            resolv,
            nsswitch,
            root,
        });
        // A slower thread may put an older reading over a newer one: the files then differ from it, and the next call sees
        // that. The one that is replaced is dropped after the lock.
        let replaced = self.state.lock().replace(state);
        drop(replaced);
        config
    }

    /// The same for the life of the process, as in the C library.
    fn host_conf(&self) -> (HostConf, Option<&'static str>) {
        let mut bits = self.host_conf.load(Ordering::Relaxed);
        if bits & HOST_CONF_READ == 0 {
            let path = match variable("RESOLV_HOST_CONF") {
                Some(path) => PathBuf::from(std::ffi::OsString::from_vec(path)),
                None => self.path("etc/host.conf"),
            };
            let text = match Watched::read(path, LARGEST).0 {
                Contents::Text(text) => text,
                Contents::Absent => Vec::new(),
                Contents::Unusual(why) => return (HostConf::default(), Some(why)),
            };
            let found = host_conf::parse(&text, variable);
            let read = HOST_CONF_READ
                | if found.multi { MULTI } else { 0 }
                | if found.reorder { REORDER } else { 0 }
                | if found.trim { TRIM } else { 0 };
            let first =
                self.host_conf
                    .compare_exchange(0, read, Ordering::Relaxed, Ordering::Relaxed);
            bits = first.err().unwrap_or(read);
        }
        let found = HostConf {
            multi: bits & MULTI != 0,
            reorder: bits & REORDER != 0,
            trim: bits & TRIM != 0,
        };
        let unusual = if found.trim {
            Some("trim in host.conf")
        } else if found.reorder {
            Some("reorder in host.conf")
        } else {
            None
        };
        (found, unusual)
    }

    fn environment_unusual(&self) -> Option<&'static str> {
        if env::var_os("HOSTALIASES").is_some() {
            return Some("HOSTALIASES is set");
        }
        let sockets = ["var/run/nscd/socket", "run/nscd/socket"];
        let daemon = sockets
            .into_iter()
            .any(|socket| fs::symlink_metadata(self.path(socket)).is_ok());
        daemon.then_some("nscd's socket exists")
    }
}

fn variable(name: &str) -> Option<Vec<u8>> {
    env::var_os(name).map(OsStringExt::into_vec)
}

fn host_name() -> Vec<u8> {
    let mut name = [0u8; 256];
    // SAFETY: `name` has the room that is stated, and gethostname(2) keeps nothing.
    let status = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    let end = name.iter().position(|&byte| byte == 0);
    match end {
        Some(end) if status == 0 => name[..end].to_vec(),
        _ => Vec::new(),
    }
}

/// `isspace(3)` of the C locale.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

pub(super) fn skip_space(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|&byte| !is_space(byte));
    &text[start.unwrap_or(text.len())..]
}
