use std::{
    ffi::{CStr, c_char, c_int, c_ulong, c_void},
    mem,
    net::{Ipv4Addr, SocketAddrV6},
};

use super::*;

fn folder(name: &str) -> (&'static str, PathBuf) {
    let folder = env::temp_dir().join(format!("reactor-config-{}-{name}", std::process::id()));
    fs::create_dir_all(folder.join("etc")).unwrap();
    let leaked = String::leak(folder.to_str().unwrap().to_owned());
    (leaked, folder.join("etc"))
}

#[test]
fn a_change_of_any_file_is_a_new_generation() {
    let (root, etc) = folder("change");
    let reader = Reader::new(root);
    let empty = reader.current();
    assert_eq!(
        empty.resolv.servers,
        [SocketAddr::from(([127, 0, 0, 1], 53))]
    );
    assert!(!empty.multi);
    assert_eq!(reader.current().generation, empty.generation);

    fs::write(etc.join("resolv.conf"), "nameserver 10.0.0.1\n").unwrap();
    let server = reader.current();
    assert_ne!(server.generation, empty.generation);
    assert_eq!(
        server.resolv.servers,
        [SocketAddr::from(([10, 0, 0, 1], 53))]
    );
    // Of the same length, within one tick of the file system's clock.
    fs::write(etc.join("resolv.conf"), "nameserver 10.0.0.2\n").unwrap();
    let other = reader.current();
    assert_ne!(other.generation, server.generation);
    // Read again, with the same outcome.
    fs::write(etc.join("resolv.conf"), "nameserver 10.0.0.2 \n").unwrap();
    assert_eq!(reader.current().generation, other.generation);

    fs::write(etc.join("nsswitch.conf"), "hosts: dns\n").unwrap();
    let switched = reader.current();
    assert_ne!(switched.generation, other.generation);
    assert_eq!(switched.hosts, HostSources::Plain(vec![HostSource::Dns]));
    fs::remove_file(etc.join("nsswitch.conf")).unwrap();
    assert_ne!(reader.current().generation, switched.generation);

    let socket = Path::new(root).join("run/nscd/socket");
    fs::create_dir_all(socket.parent().unwrap()).unwrap();
    fs::write(socket, "").unwrap();
    assert!(reader.current().environment_unusual.is_some());
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn host_conf_is_read_once() {
    let (root, etc) = folder("once");
    let reader = Reader::new(root);
    fs::write(etc.join("host.conf"), "multi on\n").unwrap();
    assert!(reader.current().multi);
    fs::write(etc.join("host.conf"), "multi off\n").unwrap();
    assert!(reader.current().multi);
    let later = Reader::new(root);
    assert!(!later.current().multi);
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn files_that_cannot_be_read_are_unusual() {
    let (root, etc) = folder("unreadable");
    for name in ["resolv.conf", "nsswitch.conf", "host.conf"] {
        fs::create_dir(etc.join(name)).unwrap();
    }
    let found = Reader::new(root).current();
    assert!(found.resolv.unusual.is_some());
    assert!(matches!(found.hosts, HostSources::Unusual(_)));
    assert!(found.host_conf_unusual.is_some());
    fs::remove_dir_all(root).unwrap();
}

/// `struct __res_state` of the GNU C library on 64-bit machines, as `resolv.h` has it.
#[repr(C)]
struct ResState {
    timeout: c_int,
    attempts: c_int,
    options: c_ulong,
    servers: c_int,
    v4: [libc::sockaddr_in; 3],
    id: u16,
    search: [*const c_char; 7],
    default_domain: [c_char; 256],
    _code: c_ulong,
    /// The number of dots in the lowest four bits, the length of the sort list above them.
    bits: u32,
    _sort_list: [u32; 20],
    _unused: [*const c_void; 2],
    _errno: [c_int; 3],
    _reserved: [u16; 12],
    v6: [*const libc::sockaddr_in6; 3],
    _more: [u64; 8],
}

const RES_USE_EDNS0: c_ulong = 0x0010_0000;
/// Those that this crate leaves to the C library: rotate, single-request and its other form, no-tld-query, no-reload, use-vc,
/// no-aaaa.
const UNUSUAL: c_ulong =
    0x4000 | 0x0020_0000 | 0x0040_0000 | 0x0100_0000 | 0x0200_0000 | 0x0000_0008 | 0x0800_0000;

unsafe extern "C" {
    fn __res_ninit(state: *mut ResState) -> c_int;
    fn __res_nclose(state: *mut ResState);
}

/// The C library's reading of resolv.conf.
fn c_library() -> (Vec<SocketAddr>, Vec<String>, [u32; 3], c_ulong, bool) {
    // SAFETY: the structure is plain data, for which zeros stand for nothing.
    let mut state: ResState = unsafe { mem::zeroed() };
    // SAFETY: `state` has the library's layout, and lives until after the close below.
    assert_eq!(unsafe { __res_ninit(&mut state) }, 0);
    let server = |at: usize| {
        let v4 = state.v4[at];
        if v4.sin_family != 0 {
            let address = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            return SocketAddr::from((address, u16::from_be(v4.sin_port)));
        }
        // SAFETY: a server that is none of IPv4 has an entry here.
        let v6 = unsafe { *state.v6[at] };
        let port = u16::from_be(v6.sin6_port);
        SocketAddrV6::new(v6.sin6_addr.s6_addr.into(), port, 0, v6.sin6_scope_id).into()
    };
    let servers = (0..state.servers as usize).map(server).collect();
    let search = state.search.iter().take_while(|domain| !domain.is_null());
    let search = search.map(|&domain| {
        // SAFETY: the list's entries are strings that end in NUL.
        let domain = unsafe { CStr::from_ptr(domain) };
        domain.to_str().unwrap().to_owned()
    });
    let search = search.collect();
    let numbers = [state.bits & 15, state.timeout as u32, state.attempts as u32];
    let (options, sorted) = (state.options, state.bits >> 4 & 15 != 0);
    // SAFETY: opened above.
    unsafe { __res_nclose(&mut state) };
    (servers, search, numbers, options, sorted)
}

#[test]
fn resolv_conf_as_the_c_library_reads_it() {
    const NAME: &str = "dns::config::tests::resolv_conf_as_the_c_library_reads_it";
    if !private_etc::inside() {
        private_etc::run(NAME, &[], &[]);
        private_etc::run(NAME, &[], &[("RES_OPTIONS", "ndots:7 attempts:4")]);
        private_etc::run(
            NAME,
            &[],
            &[("LOCALDOMAIN", "one two"), ("RES_OPTIONS", "x edns0")],
        );
        private_etc::run(
            NAME,
            &[],
            &[("LOCALDOMAIN", ""), ("RES_OPTIONS", ""), ("A", "")],
        );
        return;
    }
    let mut random = Random(7);
    let (mut usual, mut unusual) = (0, 0);
    for round in 0..1500 {
        // The C library takes a file of the same length, inode and time for the same file.
        let mut text = format!("#{}\n", "x".repeat(round)).into_bytes();
        for _ in 0..random.below(9) {
            text.extend(line(&mut random));
        }
        fs::write("/etc/resolv.conf", &text).unwrap();
        let shown = String::from_utf8_lossy(&text[round + 2..]).into_owned();
        let (servers, search, numbers, options, sorted) = c_library();
        let ours = current();
        let ours = &ours.resolv;
        if ours.unusual.is_some() {
            unusual += 1;
            continue;
        }
        usual += 1;
        assert_eq!(ours.servers, servers, "{shown:?}");
        // The old structure shows no more than six, and spells the root as the file does.
        let listed: Vec<&str> = search
            .iter()
            .map(|domain| domain.strip_prefix('.').unwrap_or(domain))
            .map(|domain| if domain.is_empty() { "." } else { domain })
            .collect();
        assert_eq!(ours.search[..ours.search.len().min(6)], listed, "{shown:?}");
        let timeout = u32::try_from(ours.timeout.as_secs()).unwrap();
        assert_eq!([ours.ndots, timeout, ours.attempts], numbers, "{shown:?}");
        assert_eq!(options & RES_USE_EDNS0 != 0, ours.edns0, "{shown:?}");
        assert_eq!(options & UNUSUAL, 0, "{shown:?}");
        assert!(!sorted, "{shown:?}");
    }
    assert!(usual > 300 && unusual > 100, "{usual} {unusual}");
    fs::remove_file("/etc/resolv.conf").unwrap();
    assert_eq!(current().resolv.servers, c_library().0);
}

#[test]
fn the_environment_counts_when_the_file_is_read() {
    const NAME: &str = "dns::config::tests::the_environment_counts_when_the_file_is_read";
    if !private_etc::inside() {
        return private_etc::run(NAME, &[("resolv.conf", "options ndots:2\n")], &[]);
    }
    let ndots = || (current().resolv.ndots, c_library().2[0]);
    assert_eq!(ndots(), (2, 2));
    // SAFETY: the only other thread of this process waits for this one.
    unsafe { env::set_var("RES_OPTIONS", "ndots:5") };
    assert_eq!(ndots(), (2, 2));
    fs::write("/etc/resolv.conf", "options ndots:3 \n").unwrap();
    assert_eq!(ndots(), (5, 5));
}

/// xorshift, because any numbers will do and they should be the same at each run.
pub(in crate::dns) struct Random(pub(in crate::dns) u64);

impl Random {
    pub(in crate::dns) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    pub(in crate::dns) fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

fn line(random: &mut Random) -> Vec<u8> {
    let mut line = Vec::new();
    if random.below(12) == 0 {
        line.extend(random.pick(&[" ", "#", ";", "\0", "\t"]).as_bytes());
    }
    let keyword = random.pick(&[
        "nameserver",
        "nameserver",
        "search",
        "domain",
        "options",
        "options",
        "options",
        "sortlist",
        "Search",
        "nameserver:",
        "lookup",
    ]);
    line.extend(keyword.as_bytes());
    // The C library reads for ever in a sort list with white space of another kind.
    let blanks: &[&str] = match keyword {
        "sortlist" => &[" ", "\t"],
        _ => &[" ", " ", " ", "\t", "  ", "", "\x0b"],
    };
    for _ in 0..random.below(5) {
        line.extend(random.pick(blanks).as_bytes());
        let words: &[&str] = match keyword {
            "nameserver" | "nameserver:" => &[
                "10.0.0.1",
                "127.1",
                "0x7f.1",
                "010.1.1.1",
                "256.1.1.1",
                "::1",
                "fe80::1%lo",
                "fe80::1%1",
                "fe80::1%nosuch",
                "fe80::1%",
                "ff02::1%lo",
                "ff01::1%lo",
                "ff05::1%lo",
                "2001:db8::1%lo",
                "2001:db8::1%12",
                "2001:db8::1%+12",
                "2001:db8::1%4294967296",
                "::ffff:10.0.0.1",
                "1.2.3.4.",
                "1.2.3.4#53",
                "10.0.0.1\r",
                "#",
                "host",
                "1::2::3",
            ],
            "options" => &[
                "ndots:0",
                "ndots:2",
                "ndots:15",
                "ndots:16",
                "ndots:+3",
                "ndots:-0",
                "ndots: 4",
                "ndots:5x",
                "ndots:99999999999999999999",
                "ndots:-1",
                "ndots",
                "timeout:1",
                "timeout:31",
                "timeout:0",
                "timeout:x",
                "attempts:1",
                "attempts:6",
                "attempts:0",
                "attempts:-3",
                "edns0",
                "edns0x",
                "EDNS0",
                "trust-ad",
                "rotate",
                "rotated",
                "single-request",
                "no-tld-query",
                "no_tld_query",
                "no-reload",
                "use-vc",
                "no-aaaa",
                "no-check-names",
                "inet6",
                "debug",
                "#",
                "\0",
            ],
            "sortlist" => &["10.0.0.0", "10.0.0.0/255.0.0.0", "x"],
            _ => &[
                "a.example",
                "b",
                "c.d.",
                ".",
                ".e",
                "_f-g",
                "#",
                ";",
                "h\0i",
                "a..b",
                "j\r",
            ],
        };
        line.extend(random.pick(words).as_bytes());
    }
    let ends: &[&str] = match keyword {
        "sortlist" => &["\n"],
        _ => &["\n", "\n", "\n", "\n", " \n", "\r\n", ""],
    };
    line.extend(random.pick(ends).as_bytes());
    line
}

#[test]
fn a_call_without_news_costs_a_few_looks() {
    let (root, etc) = folder("cost");
    for name in ["resolv.conf", "nsswitch.conf"] {
        fs::write(etc.join(name), "").unwrap();
    }
    let reader = Reader::new(root);
    // The time to settle cannot be set, so the reading is told that it has passed.
    reader.current();
    let mut state = reader.state.lock();
    let kept = state.take().and_then(Arc::into_inner);
    *state = kept.map(|mut kept| {
        kept.resolv.watched.settle();
        kept.nsswitch.settle();
        Arc::new(kept)
    });
    drop(state);
    let first = reader.current();
    let start = std::time::Instant::now();
    for _ in 0..1000 {
        assert!(Arc::ptr_eq(&first, &reader.current()));
    }
    println!("{:?} a call", start.elapsed() / 1000);
    fs::remove_dir_all(root).unwrap();
}
