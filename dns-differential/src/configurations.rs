//! The machines that the queries are asked on.

use crate::namespace::Network;

/// What one child process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    Queries,
    /// Files and answers that change between the questions.
    Changes,
    /// gai.conf and host.conf that change: the C library reads them once.
    OnceReadFiles,
}

#[derive(Clone, Debug)]
pub struct Configuration {
    pub name: String,
    pub task: Task,
    /// Files of `/etc`; `None`: there is none.
    pub resolv: Option<String>,
    pub hosts: Option<Vec<u8>>,
    pub nsswitch: Option<String>,
    pub gai: Option<String>,
    pub host_conf: Option<String>,
    pub environment: Vec<(&'static str, &'static str)>,
    pub network: Network,
    pub queries: usize,
    /// How many queries may be for names that nobody answers for.
    pub silent: usize,
    /// The servers are asked in a known order, so names that they answer differently have one answer.
    pub by_server: bool,
}

const PLAIN_HOSTS: &str = "127.0.0.1 localhost
::1 localhost ip6-localhost
192.0.2.130 filehost.example filehost FileAlias
192.0.2.131 several.example
2001:db8::131 several.example sev
192.0.2.132 several.example other-alias
192.0.2.133 www.example
192.0.2.134 only4.test
2001:db8::134 only6.test
";

fn odd_hosts() -> Vec<u8> {
    let mut file = b"# comment
 192.0.2.140 leading.test
192.0.2.141\ttabs.test\talias.tabs.test # comment alias-in-comment
garbage line
192.0.2.999 badaddr.test
fe80::140%lo scoped.test
fe80::141%99 scoped99.test
192.0.2.142
127.1 short.test
0x7f.1 hex.test
::ffff:192.0.2.143 mapped.test
192.0.2.144 UPPER.Test upper-alias
192.0.2.145 dotted.test.
192.0.2.146 crlf.test crlf2.test\r
192.0.2.147 hash.test#glued comment
127.0.0.1 loop4.test
::1 loop6.test
127.0.0.5 loop5.test
::ffff:127.0.0.1 loopmapped.test
192.0.2.148 dup.test dup.test
192.0.2.148 dup.test
2001:db8::148 dup.test
2001:db8::148 dup.test
192.0.2.149 canon1.test shared.test
192.0.2.150 canon2.test shared.test
2001:db8::150 canon3.test shared.test
192.0.2.151 comma.test,other.test
192.0.2.152 b\xc3\xbccher.test
192.0.2.153 under_score.test -lead.test
192.0.2.154 127.0.0.77
192.0.2.155 nul.te\0st after-nul.test
10.0.0.1 wide.test
192.0.2.156 wide.test
2001:db8:1::2 wide.test
fe80::9 wide.test
192.0.2.157 printer.local
192.0.2.158 host
\x0b192.0.2.159 any.test
"
    .to_vec();
    file.extend(b"192.0.2.160 longline.test");
    for alias in 0..40 {
        file.extend(format!(" alias{alias}.test").bytes());
    }
    file.extend(b"\n192.0.2.161 last.test");
    file
}

/// Timeouts are long, so that a busy machine changes no answer, and the search list is set, so that its name does not.
const RESOLV: &str = "nameserver 127.0.0.1\nsearch corp.example\n";

fn base(name: &str) -> Configuration {
    Configuration {
        name: name.to_string(),
        task: Task::Queries,
        resolv: Some(RESOLV.to_string()),
        hosts: Some(PLAIN_HOSTS.as_bytes().to_vec()),
        nsswitch: Some("hosts: files dns\nservices: db files\nprotocols: db files\n".to_string()),
        gai: None,
        host_conf: Some("multi on\n".to_string()),
        environment: Vec::new(),
        network: Network::Both,
        queries: 200,
        silent: 0,
        by_server: true,
    }
}

fn resolv(name: &str, content: &str) -> Configuration {
    Configuration {
        resolv: Some(content.to_string()),
        ..base(&format!("resolv.conf {name}"))
    }
}

/// With the first server and one more line.
fn option(line: &str) -> Configuration {
    resolv(line, &format!("{RESOLV}{line}\n"))
}

fn hosts_order(line: &str) -> Configuration {
    Configuration {
        nsswitch: Some(format!("hosts: {line}\n")),
        ..base(&format!("nsswitch hosts: {line}"))
    }
}

fn environment(name: &'static str, value: &'static str) -> Configuration {
    Configuration {
        environment: vec![(name, value)],
        ..base(&format!("{name}={value}"))
    }
}

fn network(network: Network) -> Configuration {
    Configuration {
        network,
        ..base(&format!("network {network:?}"))
    }
}

/// gai.conf shows in the order of answers, so on a network with many addresses.
fn gai(name: &str, content: &str) -> Configuration {
    Configuration {
        gai: Some(content.to_string()),
        network: Network::Rich,
        queries: 150,
        ..base(&format!("gai.conf {name}"))
    }
}

fn hosts(name: &str, content: Vec<u8>) -> Configuration {
    Configuration {
        hosts: Some(content),
        ..base(&format!("hosts {name}"))
    }
}

pub fn all() -> Vec<Configuration> {
    let mut list = vec![
        Configuration {
            queries: 800,
            ..base("plain")
        },
        Configuration {
            resolv: None,
            by_server: false,
            ..base("no resolv.conf")
        },
        Configuration {
            hosts: None,
            ..base("no hosts")
        },
        Configuration {
            nsswitch: None,
            ..base("no nsswitch.conf")
        },
        Configuration {
            host_conf: None,
            ..base("no host.conf")
        },
        Configuration {
            nsswitch: Some("passwd: files\n".into()),
            ..base("nsswitch without hosts:")
        },
        hosts("odd", odd_hosts()),
        Configuration {
            host_conf: Some("multi off\n".into()),
            ..hosts("odd, multi off", odd_hosts())
        },
        Configuration {
            host_conf: None,
            ..hosts("odd, no host.conf", odd_hosts())
        },
        Configuration {
            network: Network::Rich,
            ..hosts("odd, many interfaces", odd_hosts())
        },
        Configuration {
            hosts: Some(Vec::new()),
            ..base("hosts empty")
        },
        Configuration {
            host_conf: Some("multi on\nreorder on\ntrim .example\n".into()),
            ..base("host.conf reorder, trim")
        },
        Configuration {
            host_conf: Some(
                "# comment\n multi on\nnospoof on\nspoof warn\norder hosts,bind\n".into(),
            ),
            ..base("host.conf old words")
        },
    ];
    for line in [
        "dns files",
        "files",
        "dns",
        "files [NOTFOUND=return] dns",
        "dns [NOTFOUND=return] files",
        "dns [!UNAVAIL=return] files",
        "files [SUCCESS=merge] dns",
        "files [SUCCESS=continue] dns",
        "nosuchmodule files dns",
        "files nosuchmodule dns",
        "files dns nosuchmodule",
        "files myhostname dns",
        "FILES DNS",
        "nosuchmodule",
        // Not an empty list: glibc 2.36 reads past its end then, and crashes or not (`get_nss_addresses`).
    ] {
        list.push(hosts_order(line));
    }
    let two_hosts = "hosts: dns\nhosts: files\n";
    list.push(Configuration {
        nsswitch: Some(two_hosts.into()),
        ..base("nsswitch two hosts: lines")
    });
    for ndots in 0..=5 {
        list.push(resolv(
            &format!("ndots:{ndots}"),
            &format!(
                "nameserver 127.0.0.1\nsearch corp.example lab.example\noptions ndots:{ndots}\n"
            ),
        ));
    }
    list.extend([
        resolv("no search", "nameserver 127.0.0.1\n"),
        resolv("search .", "nameserver 127.0.0.1\nsearch .\n"),
        resolv("search with dots and case", "nameserver 127.0.0.1\nsearch LAB.example. . corp.example\n"),
        resolv(
            "many searches",
            "nameserver 127.0.0.1\nsearch a.test b.test c.test d.test e.test f.test g.test corp.example\n",
        ),
        resolv("search of odd names", "nameserver 127.0.0.1\nsearch servfail.odd.example corp.example\n"),
        resolv("search refused, then good", "nameserver 127.0.0.1\nsearch odd.example corp.example example\n"),
        resolv("domain", "domain lab.example\nnameserver 127.0.0.1\n"),
        resolv("domain, then search", "domain lab.example\nsearch corp.example\nnameserver 127.0.0.1\n"),
        resolv("search, then domain", "search corp.example\ndomain lab.example\nnameserver 127.0.0.1\n"),
        resolv("closed first", "nameserver 127.0.0.9\nnameserver 127.0.0.1\nsearch corp.example\n"),
        resolv("two servers", "nameserver 127.0.0.1\nnameserver 127.0.0.2\nsearch corp.example\n"),
        resolv("refusing first", "nameserver 127.0.0.3\nnameserver 127.0.0.2\nsearch corp.example\n"),
        resolv("only closed", "nameserver 127.0.0.9\nsearch corp.example\n"),
        resolv("only refusing", "nameserver 127.0.0.3\nsearch corp.example\n"),
        resolv("mapped server", "nameserver ::ffff:127.0.0.1\nsearch corp.example\n"),
        resolv("server by a loose number", "nameserver 127.1\nsearch corp.example\n"),
        resolv("server 0.0.0.0", "nameserver 0.0.0.0\nsearch corp.example\n"),
        resolv("scoped server", "nameserver ::1%lo\nnameserver fe80::1%99\nsearch corp.example\n"),
        resolv("IPv6 server", "nameserver ::1\nsearch corp.example\n"),
        resolv(
            "four servers",
            "nameserver 127.0.0.9\nnameserver 127.0.0.9\nnameserver 127.0.0.9\nnameserver 127.0.0.1\nsearch corp.example\n",
        ),
        resolv("odd lines", "; comment\n# comment\nnameserver bogus\nnameserver 127.0.0.1 trailing\n  nameserver 127.0.0.2\nsortlist 192.0.2.0/24\nnosuchword\noptions nosuchoption ndots:2\nsearch\tcorp.example\tlab.example ; comment\n"),
        resolv("several options lines", "nameserver 127.0.0.1\noptions ndots:3\noptions ndots:x attempts:99 timeout:99\nsearch corp.example lab.example"),
        resolv("empty", ""),
    ]);
    // Short timeouts, for what nobody answers.
    for (name, servers) in [
        ("silent names", "nameserver 127.0.0.1\n"),
        (
            "silent names, two servers",
            "nameserver 127.0.0.1\nnameserver 127.0.0.2\n",
        ),
    ] {
        let content = format!("{servers}search corp.example\noptions timeout:1 attempts:1\n");
        list.push(Configuration {
            silent: 8,
            queries: 60,
            ..resolv(name, &content)
        });
    }
    list.push(Configuration {
        silent: 3,
        queries: 40,
        ..resolv(
            "silent names, two attempts",
            "nameserver 127.0.0.1\nsearch corp.example\noptions timeout:1 attempts:2\n",
        )
    });
    list.push(Configuration {
        queries: 14,
        ..resolv("silent first", "nameserver 127.0.0.4\nnameserver 127.0.0.1\nsearch corp.example\noptions timeout:1 attempts:1\n")
    });
    list.push(Configuration {
        queries: 8,
        ..resolv(
            "only silent",
            "nameserver 127.0.0.4\nsearch corp.example\noptions timeout:1 attempts:1\n",
        )
    });
    for line in [
        "options use-vc",
        "options single-request",
        "options single-request-reopen",
        "options no-aaaa",
        "options edns0",
        "options trust-ad",
        "options no-tld-query",
        "options inet6",
        "options no-check-names debug",
        "options no-reload",
        "options attempts:1",
        "options timeout:30 attempts:5 edns0",
    ] {
        list.push(Configuration {
            queries: 130,
            ..option(line)
        });
    }
    list.push(Configuration {
        by_server: false,
        ..resolv(
            "rotate",
            "nameserver 127.0.0.1\nnameserver 127.0.0.2\nsearch corp.example\noptions rotate\n",
        )
    });
    list.push(environment("LOCALDOMAIN", "lab.example example"));
    list.push(environment("LOCALDOMAIN", ""));
    list.push(environment("RES_OPTIONS", "ndots:4"));
    list.push(environment("RES_OPTIONS", "no-aaaa edns0"));
    list.push(environment("RES_OPTIONS", "attempts:x ndots: bogus"));
    for (name, value) in [("RESOLV_MULTI", "off"), ("RESOLV_REORDER", "on")] {
        let environment = vec![(name, value)];
        let name = format!("odd, {name}={value}");
        list.push(Configuration {
            environment,
            ..hosts(&name, odd_hosts())
        });
    }
    list.push(environment("HOSTALIASES", "/etc/aliases-of-hosts"));
    for kind in [
        Network::OnlyV4,
        Network::OnlyV6,
        Network::OnlyLoopback,
        Network::Rich,
        Network::RichV4,
    ] {
        list.push(network(kind));
    }
    list.extend([
        gai("prefers IPv4", "precedence ::ffff:0:0/96 100\n"),
        gai("labels", "label ::1/128 0\nlabel ::/0 1\nlabel 2001:db8:1::/48 9\nlabel ::ffff:0:0/96 9\n"),
        gai("scopes", "scopev4 ::ffff:169.254.0.0/112 2\nscopev4 ::ffff:127.0.0.0/104 2\nscopev4 ::ffff:192.0.2.0/120 5\nscopev4 ::ffff:0.0.0.0/96 14\n"),
        gai("odd lines", "# comment\nreload yes\nprecedence bogus 3\nprecedence ::/0\nlabel ::1/999 1\nnosuch word\nprecedence 2001:db8::/32 5 # comment\n"),
        gai("all precedences", "precedence ::1/128 50\nprecedence ::/0 10\nprecedence ::ffff:192.0.2.0/120 60\nprecedence ::ffff:0:0/96 20\nprecedence fd00::/8 70\n"),
        gai("empty", ""),
        Configuration { task: Task::Changes, ..base("changed files and answers") },
        Configuration { task: Task::OnceReadFiles, network: Network::Rich, ..base("changed gai.conf and host.conf") },
    ]);
    list
}
