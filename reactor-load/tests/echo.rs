//! Echo against servers that do their work.

mod common;

use std::{
    io::{Read, Write},
    sync::{
        RwLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use common::{
    quick,
    server::{echo, echo_messages, echo_server, serve_at, unix_echo_server},
    skip,
};

/// The server has seen exactly what the report tells.
fn check_echo(server: &common::server::Server, more: &[&str]) {
    let ended = quick("echo", &server.target, more);
    ended.assert_well();
    let bytes = ended.count("/operations/bytes_sent");
    assert_eq!(bytes, ended.count("/operations/bytes_received"));
    assert_eq!(bytes, server.seen.bytes(), "{more:?}");
    let connections = ended.count("/connections/completed");
    assert_eq!(
        connections,
        ended.count("/settings/connections"),
        "{more:?}"
    );
    // One more looks first whether anybody is there.
    assert_eq!(server.seen.accepted(), connections + 1, "{more:?}");
}

#[test]
fn over_tcp() {
    check_echo(&echo_server(), &[]);
}

#[test]
fn over_ipv6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return skip("no IPv6 on this machine");
    }
    check_echo(
        &serve_at("[::1]:0", |stream, _, seen| echo(stream, seen)),
        &[],
    );
}

#[test]
fn over_a_unix_socket() {
    check_echo(&unix_echo_server(), &[]);
}

#[test]
fn messages_of_any_size() {
    for size in ["1", "2", "63", "4096", "65521", "65536", "1000000"] {
        check_echo(&echo_server(), &["--size", size]);
    }
}

#[test]
fn several_messages_on_their_way() {
    for (size, pipeline) in [("1", "1024"), ("64", "16"), ("100000", "32")] {
        check_echo(&echo_server(), &["--size", size, "--pipeline", pipeline]);
    }
}

/// A server that answers sixteen messages at once, when it has all of them.
#[test]
fn as_many_as_asked_for_are_on_their_way() {
    let server = serve_at("127.0.0.1:0", |mut stream, _, _| {
        let mut messages = [0; 16 * 64];
        loop {
            stream.read_exact(&mut messages)?;
            stream.write_all(&messages)?;
        }
    });
    // The last ones of the run may be fewer, and stay without an answer.
    let ended = quick("echo", &server.target, &["--pipeline", "16"]);
    assert!(ended.completed() >= 16, "{ended:#?}");
    assert_eq!(ended.count("/operations/failed"), 0);
    let ended = quick("echo", &server.target, &["--pipeline", "15"]);
    assert_eq!(ended.completed(), 0);
    assert_eq!(ended.count("/operations/unfinished"), 4 * 15, "{ended:#?}");
}

#[test]
fn more_connections_than_processors() {
    check_echo(&echo_server(), &["--connections", "200"]);
    check_echo(&echo_server(), &["--connections", "200", "--threads", "1"]);
}

#[test]
fn warm_up_is_not_counted() {
    let server = echo_server();
    let ended = quick("echo", &server.target, &["--warmup", "500ms"]);
    ended.assert_well();
    assert!(ended.count("/operations/bytes_sent") < server.seen.bytes());
    assert!(ended.number("/measured") >= 1.0);
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let server = echo_server();
    let ended = quick(
        "echo",
        &server.target,
        &["--rate", "300", "--connections", "7", "--duration", "2s"],
    );
    ended.assert_well();
    let due = ended.count("/operations/started") + ended.count("/operations/not_sent");
    assert!((600 - 7..=600 + 7).contains(&due), "{ended:#?}");
    assert!(ended.completed() <= 600 + 7, "{ended:#?}");
    assert_eq!(ended.number("/settings/rate"), 300.0);
}

#[test]
fn an_open_loop_slower_than_its_run() {
    let server = echo_server();
    // One in 10 seconds on each of 4 connections: the first is due at once.
    let ended = quick("echo", &server.target, &["--rate", "0.4"]);
    ended.assert_well();
    assert_eq!(ended.completed(), 1, "{ended:#?}");
}

/// A pause of the server is in the latency of all messages that were due meanwhile, not only of those it had ("coordinated omission").
#[test]
fn a_pause_of_the_server_is_seen() {
    const PAUSE: Duration = Duration::from_millis(300);
    static OPEN: RwLock<()> = RwLock::new(());
    static PAUSED: AtomicBool = AtomicBool::new(false);
    let server = echo_messages(64, |_, number, _| {
        if number > 200 && !PAUSED.swap(true, Ordering::SeqCst) {
            let _closed = OPEN.write().expect("no panic");
            thread::sleep(PAUSE);
        }
        drop(OPEN.read().expect("no panic"));
        Ok(())
    });
    let ended = quick(
        "echo",
        &server.target,
        &["--rate", "500", "--duration", "2s"],
    );
    ended.assert_well();
    assert!(PAUSED.load(Ordering::SeqCst));
    // 150 of 1,000 were due in it, each 2 ms after the one before: the hundredth part of all waited 280 ms and more.
    let microseconds = |name: &str| ended.number(&format!("/latency/{name}"));
    assert!(microseconds("max") >= 290_000.0, "{ended:#?}");
    assert!(microseconds("p99") >= 250_000.0, "{ended:#?}");
    assert!(microseconds("p90") >= 50_000.0, "{ended:#?}");
}

/// A server that is too slow for the rate: what it had no time for is told.
#[test]
fn a_rate_beyond_the_server() {
    let server = echo_messages(64, |_, _, _| {
        thread::sleep(Duration::from_millis(20));
        Ok(())
    });
    // 4 connections with one message each: 200 a second at most.
    let ended = quick("echo", &server.target, &["--rate", "2000"]);
    ended.assert_code(1);
    assert!(ended.completed() <= 210, "{ended:#?}");
    let due = ended.count("/operations/started") + ended.count("/operations/not_sent");
    assert!((2000 - 4..=2000 + 4).contains(&due), "{ended:#?}");
}
