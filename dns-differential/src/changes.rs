//! Files and answers that change: what was right a moment ago must not be said again.

use std::{
    ffi::CString,
    fs, io,
    path::Path,
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use rustpython_reactor::dns::Hints;
use tokio::runtime::Handle;

use crate::{
    compare::{self, Counts},
    odd_names::EPOCH,
    query::{Ask, Query},
};

fn resolve(host: &str, family: i32) -> Query {
    Query {
        ask: Ask::Resolve {
            host: CString::new(host).ok(),
            service: None,
            hints: Hints {
                family,
                socktype: libc::SOCK_STREAM,
                flags: libc::AI_CANONNAME,
                ..Hints::default()
            },
        },
        on_tokio: false,
        crate_first: true,
    }
}

struct Changes<'a> {
    configuration: &'a str,
    runtime: &'a Handle,
    counts: Counts,
    step: usize,
}

impl Changes<'_> {
    fn queries(host: &str) -> Vec<Query> {
        let mut queries: Vec<_> = [0, libc::AF_INET, libc::AF_INET6]
            .into_iter()
            .map(|family| resolve(host, family))
            .collect();
        queries.push(Query {
            on_tokio: true,
            crate_first: false,
            ..queries[0].clone()
        });
        if let Ok(host) = CString::new(host) {
            let ask = Ask::HostByName {
                host,
                family: libc::AF_INET,
            };
            queries.push(Query {
                ask,
                ..queries[0].clone()
            });
        }
        queries
    }

    /// The same question by every call, after the change that `what` names.
    fn ask(&mut self, what: &str, host: &str) {
        self.step += 1;
        let label = format!("{}, step {}: {what}", self.configuration, self.step);
        for query in Self::queries(host) {
            self.counts
                .add(&compare::compare(&label, &query, self.runtime));
        }
    }

    fn by_address(&mut self, what: &str, address: &str) -> io::Result<()> {
        let address = address.parse().map_err(io::Error::other)?;
        let ask = Ask::HostByAddress { address };
        let query = Query {
            ask,
            on_tokio: false,
            crate_first: true,
        };
        let label = format!("{}: {what}", self.configuration);
        self.counts
            .add(&compare::compare(&label, &query, self.runtime));
        Ok(())
    }

    /// Asks until both sides agree or `patience` is over, and then compares as always.
    ///
    /// For answers with a time to live: until it is over, the crate may say what it remembers.
    fn ask_until_equal(&mut self, what: &str, host: &str, patience: Duration) {
        let give_up = Instant::now() + patience;
        for query in Self::queries(host) {
            while Instant::now() < give_up {
                let (theirs, ours) = compare::ask_both(&query, self.runtime);
                if theirs == ours {
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        self.ask(what, host);
    }
}

/// As careful administrators and most programs write: nobody sees half a file.
fn replace(path: &str, content: &[u8]) -> io::Result<()> {
    let new = format!("{path}.new");
    fs::write(&new, content)?;
    fs::rename(new, Path::new(path))
}

pub fn run(configuration: &str, runtime: &Handle) -> io::Result<Counts> {
    let mut changes = Changes {
        configuration,
        runtime,
        counts: Counts::default(),
        step: 0,
    };
    hosts(&mut changes)?;
    resolv_conf(&mut changes)?;
    nsswitch(&mut changes)?;
    answers(&mut changes);
    Ok(changes.counts)
}

fn hosts(changes: &mut Changes<'_>) -> io::Result<()> {
    const HOSTS: &str = "/etc/hosts";
    changes.ask("hosts as it was", "moving.test");
    for round in 0..10 {
        // Equal lengths, so that the size does not tell.
        let content = format!(
            "192.0.2.{} moving.test\n2001:db8::{} moving.test\n",
            200 + round,
            200 + round
        );
        replace(HOSTS, content.as_bytes())?;
        changes.ask("hosts replaced", "moving.test");
    }
    for round in 0..30 {
        let content = format!("192.0.2.{} moving.test\n", 200 + round);
        fs::write(HOSTS, content)?;
        changes.ask("hosts written in place", "moving.test");
    }
    changes.by_address("hosts, by address", "192.0.2.229")?;
    fs::remove_file(HOSTS)?;
    changes.ask("hosts removed", "moving.test");
    changes.by_address("hosts removed, by address", "192.0.2.229")?;
    fs::write(HOSTS, "192.0.2.210 www.example\n")?;
    changes.ask("hosts takes a name of the servers over", "www.example");
    fs::write(HOSTS, "")?;
    changes.ask("hosts gives it back", "www.example");
    // A link, as some machines have it, to a file that changes.
    fs::write("/etc/hosts.target", "192.0.2.211 moving.test\n")?;
    fs::remove_file(HOSTS)?;
    std::os::unix::fs::symlink("/etc/hosts.target", HOSTS)?;
    changes.ask("hosts is a link", "moving.test");
    replace("/etc/hosts.target", b"192.0.2.212 moving.test\n")?;
    changes.ask("the file behind the link replaced", "moving.test");
    fs::remove_file(HOSTS)?;
    fs::write(HOSTS, "127.0.0.1 localhost\n")
}

fn resolv_conf(changes: &mut Changes<'_>) -> io::Result<()> {
    const RESOLV: &str = "/etc/resolv.conf";
    let server = "which.odd.example";
    for (what, content, host) in [
        (
            "first server",
            "nameserver 127.0.0.1\nsearch corp.example\n",
            server,
        ),
        (
            "second server",
            "nameserver 127.0.0.2\nsearch corp.example\n",
            server,
        ),
        (
            "first server again",
            "nameserver 127.0.0.1\nsearch corp.example\n",
            server,
        ),
        (
            "search corp",
            "nameserver 127.0.0.1\nsearch corp.example\n",
            "host",
        ),
        (
            "search lab",
            "nameserver 127.0.0.1\nsearch lab.example\n",
            "host",
        ),
        ("search gone", "nameserver 127.0.0.1\n", "host"),
        (
            "ndots",
            "nameserver 127.0.0.1\nsearch corp.example\noptions ndots:4\n",
            "a.b",
        ),
        (
            "ndots gone",
            "nameserver 127.0.0.1\nsearch corp.example\n",
            "a.b",
        ),
        ("closed server", "nameserver 127.0.0.9\n", "www.example"),
        ("refusing server", "nameserver 127.0.0.3\n", "www.example"),
        ("server back", "nameserver 127.0.0.1\n", "www.example"),
        (
            "no-aaaa",
            "nameserver 127.0.0.1\noptions no-aaaa\n",
            "www.example",
        ),
        ("AAAA back", "nameserver 127.0.0.1\n", "www.example"),
    ] {
        replace(RESOLV, content.as_bytes())?;
        changes.ask(what, host);
    }
    fs::remove_file(RESOLV)?;
    changes.ask("no resolv.conf", server);
    fs::write(RESOLV, "nameserver 127.0.0.1\nsearch corp.example\n")?;
    changes.ask("resolv.conf is back", server);
    fs::write(
        RESOLV,
        "nameserver 127.0.0.2\nsearch lab.example corp.example\n",
    )?;
    changes.ask("resolv.conf written in place", server);
    changes.ask("resolv.conf written in place, search", "host");
    replace(RESOLV, b"nameserver 127.0.0.1\nsearch corp.example\n")
}

fn nsswitch(changes: &mut Changes<'_>) -> io::Result<()> {
    const NSSWITCH: &str = "/etc/nsswitch.conf";
    fs::write("/etc/hosts", "192.0.2.215 www.example\n")?;
    for order in [
        "files dns",
        "dns files",
        "files",
        "dns",
        "nosuchmodule",
        "dns [NOTFOUND=return] files",
    ] {
        replace(NSSWITCH, format!("hosts: {order}\n").as_bytes())?;
        changes.ask(&format!("nsswitch {order}"), "www.example");
        changes.ask(&format!("nsswitch {order}, another name"), "v4.example");
    }
    fs::remove_file(NSSWITCH)?;
    changes.ask("no nsswitch.conf", "www.example");
    replace(NSSWITCH, b"hosts: files dns\n")?;
    changes.ask("nsswitch.conf is back", "www.example");
    fs::write("/etc/hosts", "127.0.0.1 localhost\n")
}

/// Records that change at the server.
fn answers(changes: &mut Changes<'_>) {
    for _ in 0..6 {
        changes.ask("an answer that may not be kept", "epoch0.odd.example");
        EPOCH.fetch_add(1, Ordering::SeqCst);
        changes.ask(
            "an answer that may not be kept has changed",
            "epoch0.odd.example",
        );
    }
    for _ in 0..3 {
        // Two changes: the name that comes and goes is back where it was after both.
        for host in ["epoch1.odd.example", "born.odd.example"] {
            changes.ask_until_equal(
                "an answer with a second to live",
                host,
                Duration::from_secs(3),
            );
            EPOCH.fetch_add(1, Ordering::SeqCst);
            changes.ask_until_equal(
                "an answer has outlived its time",
                host,
                Duration::from_secs(3),
            );
        }
    }
}

/// Files that the C library reads at the first look-up of the process, and not again.
pub fn run_once_read(configuration: &str, runtime: &Handle) -> io::Result<Counts> {
    let mut changes = Changes {
        configuration,
        runtime,
        counts: Counts::default(),
        step: 0,
    };
    for host in ["multi.example", "www.example"] {
        changes.ask("before", host);
    }
    replace("/etc/gai.conf", b"precedence ::ffff:0:0/96 100\n")?;
    for host in ["multi.example", "www.example"] {
        changes.ask("gai.conf appears", host);
    }
    replace(
        "/etc/gai.conf",
        b"reload yes\nprecedence ::ffff:0:0/96 100\n",
    )?;
    for host in ["multi.example", "www.example"] {
        changes.ask("gai.conf says reload", host);
    }
    fs::remove_file("/etc/gai.conf")?;
    changes.ask("gai.conf is gone", "multi.example");
    let several = "192.0.2.1 many.test\n192.0.2.2 many.test\n2001:db8::1 many.test\n";
    fs::write("/etc/hosts", several)?;
    changes.ask("multi on", "many.test");
    replace("/etc/host.conf", b"multi off\n")?;
    changes.ask("multi off comes late", "many.test");
    fs::remove_file("/etc/host.conf")?;
    changes.ask("host.conf is gone", "many.test");
    Ok(changes.counts)
}
