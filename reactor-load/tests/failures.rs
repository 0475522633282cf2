//! Servers that fail, and limits of this machine: a clear reason, counts that add up, an exit code.

mod common;

use std::{
    env,
    io::{Read, Write},
    net::TcpListener,
    process::Command,
    sync::OnceLock,
    thread,
};

use common::{
    DEADLINE, Ended, PROGRAM, Running, quick,
    server::{Seen, echo, echo_messages, echo_server, reset_at_close, serve},
    skip,
};

#[test]
fn nobody_listens() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        listener.local_addr().expect("an address").to_string()
    };
    let ended = quick("echo", &address, &[]);
    ended.assert_code(3);
    assert!(ended.err.contains(&address), "{ended:#?}");
    assert!(ended.err.contains("connection refused"), "{ended:#?}");
    assert!(!ended.has_report());
}

#[test]
fn no_such_unix_socket() {
    let path = common::scratch("nothing");
    let ended = quick("echo", &format!("unix:{}", path.display()), &[]);
    ended.assert_code(3);
    assert!(ended.err.contains("nothing"), "{ended:#?}");
}

#[test]
fn no_such_host() {
    let ended = quick("echo", "no-such-host.invalid:80", &[]);
    ended.assert_code(2);
    assert!(ended.err.contains("no-such-host.invalid"), "{ended:#?}");
}

#[test]
fn connections_are_reset() {
    let server = serve(|mut stream, _, seen| {
        let mut message = [0; 64];
        for _ in 0..3 {
            stream.read_exact(&mut message)?;
            seen.message();
            stream.write_all(&message)?;
        }
        stream.read_exact(&mut message)?;
        reset_at_close(&stream)?;
        // The shutdown of the server's end would say good-bye first.
        // SAFETY: connects to nowhere, which resets: connect(2); the address is valid for the call.
        unsafe {
            let nowhere: libc::sockaddr = std::mem::zeroed();
            let size = size_of_val(&nowhere) as libc::socklen_t;
            libc::connect(
                std::os::fd::AsRawFd::as_raw_fd(&stream),
                &raw const nowhere,
                size,
            );
        }
        Ok(())
    });
    let ended = quick("echo", &server.target, &[]);
    ended.assert_code(1);
    assert!(ended.failed("connection reset") > 0, "{ended:#?}");
    // It goes on with new connections meanwhile.
    assert!(ended.completed() > 12, "{ended:#?}");
    assert!(ended.count("/connections/completed") > 4, "{ended:#?}");
}

#[test]
fn connections_are_closed_early() {
    let server = serve(|mut stream, _, _| {
        let mut message = [0; 64];
        stream.read_exact(&mut message)?;
        // A part of the answer.
        stream.write_all(&message[..10])
    });
    let ended = quick("echo", &server.target, &[]);
    ended.assert_code(1);
    assert!(ended.failed("closed before the answer") > 0, "{ended:#?}");
    assert_eq!(ended.completed(), 0);
}

#[test]
fn connections_are_closed_at_once() {
    let server = serve(|_, _, _| Ok(()));
    let ended = quick("echo", &server.target, &[]);
    ended.assert_code(1);
    assert_eq!(ended.completed(), 0);
    assert!(
        ended.failed("closed before the answer") + ended.failed("connection reset") > 0,
        "{ended:#?}"
    );
}

fn stalling() -> common::server::Server {
    serve(|mut stream, _, seen| {
        let mut message = [0; 64];
        loop {
            stream.read_exact(&mut message)?;
            seen.message();
        }
    })
}

#[test]
fn a_server_that_stalls_is_unfinished_business() {
    let server = stalling();
    let ended = quick("echo", &server.target, &[]);
    ended.assert_code(1);
    assert_eq!(ended.completed(), 0);
    assert_eq!(ended.count("/operations/unfinished"), 4, "{ended:#?}");
    assert_eq!(server.seen.messages(), 4);
}

#[test]
fn a_server_that_stalls_times_out() {
    let ended = quick("echo", &stalling().target, &["--timeout", "200ms"]);
    ended.assert_code(1);
    assert!(ended.failed("timed out") >= 4, "{ended:#?}");
    assert_eq!(ended.completed(), 0);
}

/// Reads nothing and answers nothing: what is sent fills the buffers.
#[test]
fn a_server_that_does_not_read() {
    let server = serve(|_stream, _, _| {
        thread::sleep(DEADLINE);
        Ok(())
    });
    let more = ["--size", "1000000", "--pipeline", "64"];
    let ended = quick("echo", &server.target, &more);
    ended.assert_code(1);
    assert!(ended.count("/operations/unfinished") >= 4, "{ended:#?}");
    let timed = ["--timeout", "200ms"];
    let ended = quick("echo", &server.target, &[&more[..], &timed].concat());
    ended.assert_code(1);
    assert!(ended.failed("timed out") >= 4, "{ended:#?}");
}

#[test]
fn one_wrong_byte() {
    // The first, one in the middle, the last.
    for wrong in [0, 31, 63] {
        let server = echo_messages(64, move |message, number, _| {
            if number == 20 {
                message[wrong] ^= 1;
            }
            Ok(())
        });
        let ended = quick("echo", &server.target, &[]);
        ended.assert_code(1);
        assert_eq!(ended.failed("wrong bytes"), 1, "{ended:#?}");
        assert!(ended.completed() >= 19, "{ended:#?}");
    }
}

/// Right bytes in the wrong place.
#[test]
fn a_byte_too_many() {
    let server = serve(|mut stream, _, seen| {
        let mut message = [0; 64];
        loop {
            stream.read_exact(&mut message)?;
            stream.write_all(&message)?;
            if seen.message() == 20 {
                stream.write_all(&message[..1])?;
            }
        }
    });
    let ended = quick("echo", &server.target, &[]);
    ended.assert_code(1);
    assert!(ended.failed("wrong bytes") >= 1, "{ended:#?}");
}

/// The first answer of one connection is given to all.
#[test]
fn answers_that_are_mixed_up() {
    let first: OnceLock<[u8; 64]> = OnceLock::new();
    let server = serve(move |mut stream, _, _| {
        let mut message = [0; 64];
        stream.read_exact(&mut message)?;
        stream.write_all(first.get_or_init(|| message))?;
        loop {
            stream.read_exact(&mut message)?;
            stream.write_all(&message)?;
        }
    });
    let ended = quick("echo", &server.target, &[]);
    ended.assert_code(1);
    // Of four connections, and of those made again.
    assert!(ended.failed("wrong bytes") >= 3, "{ended:#?}");
}

#[test]
fn the_server_dies() {
    let server = echo_messages(64, |_, number, seen: &Seen| {
        if number == 100 {
            seen.die();
        }
        Ok(())
    });
    let ended = quick("echo", &server.target, &[]);
    ended.assert_code(1);
    assert!(ended.completed() >= 90, "{ended:#?}");
    assert!(ended.failed("connection refused") > 0, "{ended:#?}");
    assert!(
        ended.failed("closed before the answer") + ended.failed("connection reset") > 0,
        "{ended:#?}"
    );
}

/// Its attempts to connect again are bounded: a server that is gone is not hammered.
#[test]
fn a_dead_server_is_left_alone() {
    let server = echo_messages(64, |_, number, seen: &Seen| {
        if number == 0 {
            seen.die();
        }
        Ok(())
    });
    let ended = quick("echo", &server.target, &["--connections", "10"]);
    ended.assert_code(1);
    // 50, 100, 200, 400, 800 ms.
    assert!(ended.failed("connection refused") <= 60, "{ended:#?}");
}

#[test]
fn too_few_descriptors() {
    let server = echo_server();
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 50 && exec \"$0\" \"$@\"", PROGRAM])
        .args(["echo", &server.target, "--connections", "100"]);
    let ended = Running::start_as(command).end();
    ended.assert_code(3);
    for part in ["100 connections", "50", "ulimit"] {
        assert!(ended.err.contains(part), "{ended:#?}");
    }
    assert_eq!(server.seen.accepted(), 0, "nothing is done by halves");
}

#[test]
fn the_soft_limit_of_descriptors_is_raised() {
    let server = echo_server();
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -S -n 50 && exec \"$0\" \"$@\"", PROGRAM])
        .args(["echo", &server.target, "--connections", "100", "--quiet"])
        .args(["--duration", "1s", "--warmup", "0s"]);
    let ended = Running::start_as(command).end();
    ended.assert_well();
    assert_eq!(ended.count("/connections/completed"), 100);
}

/// Set for the tests that run in a namespace: without it they would change the machine.
const IN_NAMESPACE: &str = "REACTOR_LOAD_TEST_IN_NAMESPACE";

/// So many local ports has the namespace.
const PORTS: &str = "40000 40009";

/// Runs a test of this file again in a network namespace with few local ports. Its output; none where that is not allowed.
fn with_few_ports(test: &str) {
    let program = env::current_exe().expect("this program");
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--net"])
        .arg(program)
        .args([test, "--exact", "--ignored", "--nocapture"])
        .env(IN_NAMESPACE, "1");
    let probe = Command::new("unshare")
        .args(["--map-root-user", "--net", "true"])
        .output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        return skip("ports cannot be used up: no network namespace is allowed here");
    }
    let output = command.output().expect("it starts");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// In a namespace of its own, where nothing is set up.
fn limit_ports() {
    assert!(
        env::var_os(IN_NAMESPACE).is_some(),
        "only as another test runs it"
    );
    use std::os::fd::AsRawFd;
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).expect("a socket");
    // SAFETY: a plain C structure.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: the request names an interface and has its flags: netdevice(7).
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw mut request) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", PORTS).expect("a namespace of ours");
}

fn on_few_ports(more: &[&str]) -> (Ended, usize) {
    use std::{collections::HashSet, sync::Arc, sync::Mutex};
    limit_ports();
    let sources: Arc<Mutex<HashSet<std::net::IpAddr>>> = Arc::default();
    let seen = Arc::clone(&sources);
    // On a port of its own choice, which is none of the few.
    let server = common::server::serve_at("127.0.0.1:8000", move |stream, _, counts| {
        let source = stream.peer_addr()?.ip();
        seen.lock().expect("no panic").insert(source);
        echo(stream, counts)
    });
    let ended = quick(
        "echo",
        &server.target,
        &[&["--connections", "40"], more].concat(),
    );
    let number = sources.lock().expect("no panic").len();
    (ended, number)
}

#[test]
fn ports_are_used_up() {
    with_few_ports("inner_ports_are_used_up");
}

#[test]
#[ignore = "run by ports_are_used_up"]
fn inner_ports_are_used_up() {
    let (ended, sources) = on_few_ports(&["--source", "127.0.0.1"]);
    ended.assert_code(1);
    assert!(ended.failed("out of local ports") > 0, "{ended:#?}");
    assert!(ended.completed() > 0, "{ended:#?}");
    assert!(ended.count("/connections/completed") <= 10, "{ended:#?}");
    assert_eq!(sources, 1);
}

#[test]
fn connections_come_from_several_addresses() {
    with_few_ports("inner_connections_come_from_several_addresses");
}

#[test]
#[ignore = "run by connections_come_from_several_addresses"]
fn inner_connections_come_from_several_addresses() {
    let (ended, sources) = on_few_ports(&[]);
    ended.assert_well();
    assert_eq!(ended.count("/connections/completed"), 40, "{ended:#?}");
    assert!(sources >= 4, "{sources}");
}

/// A server that listens, and never accepts.
#[test]
fn a_full_queue() {
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    listener
        .bind(
            &"127.0.0.1:0"
                .parse::<std::net::SocketAddr>()
                .expect("one")
                .into(),
        )
        .expect("loopback");
    listener.listen(1).expect("it listens");
    let address = listener.local_addr().expect("an address");
    let address = address.as_socket().expect("an address").to_string();
    let ended = quick("echo", &address, &["--timeout", "300ms"]);
    assert!(matches!(ended.code, Some(1 | 3)), "{ended:#?}");
    if ended.has_report() {
        assert_eq!(ended.completed(), 0);
        assert!(ended.failed("timed out") > 0, "{ended:#?}");
    }
}
