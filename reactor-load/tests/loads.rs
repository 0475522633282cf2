//! The other loads, and TLS.

mod common;

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, UdpSocket},
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use common::{
    quick, root,
    server::{echo, echo_server, serve},
    skip,
};

#[test]
fn connections_come_and_go() {
    let server = serve(|mut stream, _, _| {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).map(drop)
    });
    let ended = quick("connect", &server.target, &[]);
    ended.assert_well();
    // One more looks first whether anybody is there.
    assert_eq!(
        server.seen.accepted(),
        ended.count("/operations/started") + 1
    );
}

#[test]
fn connections_at_a_rate() {
    let server = echo_server();
    let ended = quick(
        "connect",
        &server.target,
        &["--rate", "50", "--duration", "2s"],
    );
    ended.assert_well();
    assert!((96..=104).contains(&ended.completed()), "{ended:#?}");
}

#[test]
fn a_server_that_does_not_close() {
    let server = serve(|_stream, _, _| {
        thread::sleep(common::DEADLINE);
        Ok(())
    });
    let ended = quick("connect", &server.target, &["--timeout", "200ms"]);
    ended.assert_code(1);
    assert!(ended.failed("timed out") >= 4, "{ended:#?}");
    assert_eq!(ended.completed(), 0);
}

#[test]
fn connections_are_kept() {
    let server = echo_server();
    let ended = quick("hold", &server.target, &["--connections", "100"]);
    ended.assert_code(0);
    assert_eq!(ended.count("/connections/completed"), 100);
    assert_eq!(server.seen.accepted(), 101);
    assert_eq!(server.seen.bytes(), 0);
    assert_eq!(ended.count("/intervals/0/open"), 100, "{ended:#?}");
}

#[test]
fn connections_that_are_lost_are_told() {
    let server = serve(|mut stream, number, _| {
        let mut byte = [0];
        // Number 0 only looked whether anybody is there.
        if (1..=3).contains(&number) {
            return Ok(());
        }
        stream.read(&mut byte).map(drop)
    });
    let ended = quick("hold", &server.target, &["--connections", "100"]);
    ended.assert_code(1);
    assert_eq!(ended.count("/connections/started"), 100, "{ended:#?}");
    assert_eq!(ended.count("/connections/completed"), 97, "{ended:#?}");
    assert_eq!(server.seen.accepted(), 101, "none is replaced");
}

#[test]
fn kept_connections_are_alive() {
    let server = echo_server();
    let more = ["--connections", "20", "--echo-every", "200ms"];
    let ended = quick("hold", &server.target, &more);
    ended.assert_well();
    assert_eq!(ended.count("/connections/completed"), 20);
    assert!((60..=120).contains(&ended.completed()), "{ended:#?}");
}

/// Answers each request with `answer` of its number, method and body, until that is nothing.
fn http_server<F>(answer: F) -> common::server::Server
where
    F: Fn(u64, &str, &[u8]) -> Option<Vec<u8>> + Send + Sync + 'static,
{
    serve(move |stream, _, seen| {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut writer = stream;
        loop {
            let mut first = String::new();
            if reader.read_line(&mut first)? == 0 {
                return Ok(());
            }
            let mut headers = HashMap::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line)?;
                let Some((name, value)) = line.split_once(':') else {
                    break;
                };
                headers.insert(name.to_lowercase(), value.trim().to_owned());
            }
            let length = headers.get("content-length");
            let mut body = vec![0; length.and_then(|text| text.parse().ok()).unwrap_or(0)];
            reader.read_exact(&mut body)?;
            let method = first.split(' ').next().unwrap_or_default();
            let Some(answer) = answer(seen.message(), method, &body) else {
                return Ok(());
            };
            writer.write_all(&answer)?;
        }
    })
}

fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[test]
fn http_requests() {
    let server = http_server(|_, method, body| {
        let fitting =
            (method == "GET" && body.is_empty()) || (method == "POST" && body.len() == 64);
        fitting.then(|| ok(b"hello"))
    });
    for method in ["get", "post"] {
        let ended = quick("http", &server.target, &["--method", method]);
        ended.assert_well();
        assert_eq!(
            ended.count("/operations/bytes_received"),
            5 * ended.completed()
        );
    }
    let url = format!("http://{}/a?b=c", server.target);
    quick("http", &url, &["--header", "X-Test: yes"]).assert_well();
}

#[test]
fn http_that_fails() {
    // Every tenth.
    let unwell = |bad: &'static [u8]| {
        http_server(move |number, _, _| {
            Some(if number % 10 == 9 {
                bad.to_vec()
            } else {
                ok(b"hello")
            })
        })
    };
    let server = unwell(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    let ended = quick("http", &server.target, &[]);
    ended.assert_code(1);
    assert!(ended.failed("status 503") > 0, "{ended:#?}");
    assert!(ended.completed() > 0);
    let server = unwell(b"this is no HTTP\r\n\r\n");
    quick("http", &server.target, &[]).assert_code(1);
    // Closed between two answers, and in the middle of one.
    let server = http_server(|number, _, _| (number % 10 != 9).then(|| ok(b"hello")));
    quick("http", &server.target, &[]).assert_code(1);
    let server = unwell(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    let ended = quick("http", &server.target, &["--timeout", "300ms"]);
    ended.assert_code(1);
    assert!(ended.completed() > 0);
}

/// Sends back all datagrams but those that `keep` does not want. Its address, and how many came.
fn udp_server(keep: impl Fn(u64, &mut [u8]) -> bool + Send + 'static) -> (String, Arc<AtomicU64>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let target = socket.local_addr().expect("an address").to_string();
    let count: Arc<AtomicU64> = Arc::default();
    let ours = Arc::clone(&count);
    thread::spawn(move || {
        let mut buffer = vec![0; 65536];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let datagram = &mut buffer[..length];
            if keep(ours.fetch_add(1, Ordering::SeqCst), datagram) {
                let _ = socket.send_to(datagram, from);
            }
        }
    });
    (target, count)
}

#[test]
fn datagrams() {
    for size in ["16", "64", "1400", "60000"] {
        let (target, count) = udp_server(|_, _| true);
        // Two of the largest fit into the receive buffer that is the kernel's default.
        let ended = quick("udp", &target, &["--size", size, "--connections", "2"]);
        ended.assert_well();
        assert!(ended.completed() <= count.load(Ordering::SeqCst));
    }
}

#[test]
fn datagrams_that_are_lost() {
    // Not the first, by which is looked whether anybody is there.
    let (target, _) = udp_server(|number, _| number % 10 != 9);
    let ended = quick("udp", &target, &["--timeout", "100ms"]);
    ended.assert_code(1);
    assert!(ended.completed() > 0, "{ended:#?}");
    let failed: u64 = ended.report()["operations"]["failed"]
        .as_object()
        .expect("reasons")
        .values()
        .filter_map(serde_json::Value::as_u64)
        .sum();
    assert!(failed >= 4, "{ended:#?}");
}

#[test]
fn datagrams_that_are_wrong() {
    let (target, _) = udp_server(|number, datagram| {
        if number == 50
            && let Some(last) = datagram.last_mut()
        {
            *last ^= 1;
        }
        true
    });
    let ended = quick("udp", &target, &["--timeout", "200ms"]);
    ended.assert_code(1);
    assert_eq!(ended.failed("wrong bytes"), 1, "{ended:#?}");
    assert!(ended.completed() > 0, "{ended:#?}");
}

fn certificate(name: &str) -> PathBuf {
    root().join("tests/python/certificates").join(name)
}

/// `tls_echo.py` under a Python, as this package has no TLS server.
fn tls(more: &[&str]) -> Option<common::Ended> {
    let python = python()?;
    let server = format!(
        "CERTIFICATE='{}' exec {python} '{}'",
        certificate("server.pem").display(),
        root().join("examples/servers/tls_echo.py").display(),
    );
    let always = ["echo", "--server", &server, "--quiet", "--duration", "1s"];
    let others = ["--warmup", "0s", "--connections", "4", "--tls"];
    Some(common::load(&[&always[..], &others, more].concat()))
}

/// The Python to run servers with: REACTOR_PYTHON, else `python3`.
fn python() -> Option<String> {
    let named = std::env::var("REACTOR_PYTHON").unwrap_or_else(|_| "python3".into());
    let probe = Command::new(&named)
        .args(["-c", "import socket, ssl"])
        .output();
    if probe.is_ok_and(|probe| probe.status.success()) {
        return Some(named);
    }
    skip(&format!(
        "no {named} with sockets and TLS (REACTOR_PYTHON names one)"
    ));
    None
}

#[test]
fn echo_over_tls() {
    let authority = certificate("authority.pem").display().to_string();
    let Some(ended) = tls(&["--ca", &authority, "--server-name", "localhost"]) else {
        return;
    };
    ended.assert_well();
    assert_eq!(ended.report()["settings"]["tls"], true);
    let ended = tls(&["--insecure"]).expect("it was there");
    ended.assert_well();
}

#[test]
fn tls_that_is_not_trusted() {
    let other = certificate("other.pem").display().to_string();
    let Some(ended) = tls(&["--ca", &other, "--server-name", "localhost"]) else {
        return;
    };
    ended.assert_code(3);
    assert!(ended.err.contains("TLS: "), "{ended:#?}");
    let authority = certificate("authority.pem").display().to_string();
    let ended = tls(&["--ca", &authority, "--server-name", "example.com"]).expect("it was there");
    ended.assert_code(3);
    assert!(ended.err.contains("TLS: "), "{ended:#?}");
}

/// No TLS at the other side, and none here.
#[test]
fn tls_with_one_side_only() {
    let server = echo_server();
    let ended = quick("echo", &server.target, &["--tls", "--insecure"]);
    ended.assert_code(3);
}

/// Each of `examples/servers/`, with the load it is for.
#[test]
fn the_servers_of_the_examples() {
    let Some(python) = python() else {
        return;
    };
    let folder = root().join("examples/servers");
    let mut seen = 0;
    for file in std::fs::read_dir(&folder).expect("examples") {
        let path = file.expect("a file").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let load = match name.as_str() {
            // With a certificate: above.
            "tls_echo" => continue,
            "uvloop_echo" => {
                let probe = Command::new(&python).args(["-c", "import uvloop"]).output();
                if !probe.is_ok_and(|probe| probe.status.success()) {
                    skip("uvloop_echo.py: no uvloop");
                    continue;
                }
                "echo"
            }
            "http_server" => "http",
            "udp_echo" => "udp",
            _ if path.extension().is_some_and(|kind| kind == "py") => "echo",
            _ => continue,
        };
        seen += 1;
        let server = format!("{python} '{}'", path.display());
        let always = [load, "--server", &server, "--quiet", "--duration", "1s"];
        let more: &[&str] = if load == "udp" { &[] } else { &["--unix"] };
        for place in [&[][..], more] {
            let all = [&always[..], &["--warmup", "0s", "-c", "4"], place].concat();
            let ended = common::load(&all);
            ended.assert_well();
            assert_eq!(
                ended.report()["server"]["ended"],
                "stopped (SIGTERM)",
                "{name}"
            );
            if load == "udp" {
                break;
            }
        }
    }
    assert!(seen >= 7, "{seen}");
}

/// Ends when the client closes its side, and says a last word first.
#[test]
fn a_half_closed_connection_is_none_that_failed() {
    let spoken = Arc::new(AtomicBool::new(false));
    let ours = Arc::clone(&spoken);
    let server = serve(move |mut stream, _, seen| {
        echo(&stream, seen)?;
        ours.store(true, Ordering::SeqCst);
        stream.write_all(b"good-bye")?;
        stream.shutdown(Shutdown::Write)
    });
    quick("connect", &server.target, &[]).assert_well();
    assert!(spoken.load(Ordering::SeqCst));
}
