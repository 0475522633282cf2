//! What the README tells a newcomer to type works.

#![cfg(feature = "cli")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

const PYTHON: &str = env!("CARGO_BIN_EXE_reactor-python");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The `cargo ...` commands of the README: lines of their own, and code within a line.
fn commands() -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let joined = readme.replace('\n', " ");
    let inline = joined.split('`').skip(1).step_by(2).map(str::to_owned);
    let blocks = readme.lines().map(str::to_owned);
    let mut all: Vec<String> = inline
        .chain(blocks)
        .filter(|code| code.starts_with("cargo "))
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Runs the interpreter; its output, after success.
fn python(arguments: &[&str]) -> String {
    let output = Command::new(PYTHON)
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("reactor-python starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{arguments:?}: {}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

#[test]
fn every_command_is_known_here() {
    let known = [
        "cargo load echo --server 'cargo py examples/servers/thread_echo.py' --connections 100 --duration 5s",
        "cargo py",
        "cargo py -c 'import socket; print(socket.gethostname())'",
        "cargo py -m http.server",
        "cargo py examples/hello_sockets.py",
        "cargo verify",
    ];
    assert_eq!(
        commands(),
        known,
        "a new command of the README needs a test in this file"
    );
}

#[test]
fn the_aliases_exist() {
    let config = fs::read_to_string(root().join(".cargo/config.toml")).expect("the configuration");
    for alias in ["py", "verify"] {
        let line = config
            .lines()
            .find(|line| line.starts_with(&format!("{alias} = ")))
            .expect("an alias");
        assert!(
            line.contains("--release") && line.contains("--ignore-rust-version"),
            "{line}"
        );
    }
}

#[test]
fn hello_sockets() {
    let text = python(&["examples/hello_sockets.py"]);
    for step in ["TCP", "UDP", "Unix", "Time-out", "Names", "Close", "Done"] {
        assert!(
            text.lines().any(|line| line.starts_with(step)),
            "no line of {step}\n{text}"
        );
    }
}

#[test]
fn one_line() {
    let name = python(&["-c", "import socket; print(socket.gethostname())"]);
    assert!(!name.trim().is_empty());
}

#[test]
fn the_prompt() {
    let mut child = Command::new(PYTHON)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("reactor-python starts");
    let mut prompt = child.stdin.take().expect("a pipe");
    prompt
        .write_all(b"import socket\nprint(socket.socketpair()[0].family.name)\n")
        .expect("it reads");
    drop(prompt);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("AF_UNIX"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The README's command, for a shorter time; `cargo py` is the interpreter that is tested.
#[test]
fn the_load_test() {
    let server = format!("'{PYTHON}' examples/servers/thread_echo.py");
    let output = Command::new(env!("CARGO"))
        .args(["load", "echo", "--server", &server])
        .args(["--connections", "100", "--duration", "1s"])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("Latency"),
        "{}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A server under the interpreter, ended with the test.
struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    port: String,
}

impl Server {
    /// Starts it, and waits until its first line says on which port it serves.
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(PYTHON)
            .arg("-u")
            .args(arguments)
            .current_dir(root())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("reactor-python starts");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        output
            .read_line(&mut line)
            .expect("it says where it serves");
        let rest = line.split("port ").nth(1).expect("a port");
        let port = rest.chars().take_while(char::is_ascii_digit).collect();
        Self {
            child,
            output,
            port,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn http_server() -> Server {
    Server::start(&["-m", "http.server", "0", "--bind", "127.0.0.1"])
}

#[test]
fn the_http_server() {
    let page = fetch(&http_server().port, "/LICENSE");
    assert!(page.contains("MIT License"), "{page}");
}

#[test]
fn the_example_that_fetches() {
    let server = http_server();
    let url = format!("http://127.0.0.1:{}/LICENSE", server.port);
    let page = python(&["examples/fetch.py", &url, "--timeout", "30"]);
    assert!(page.contains("MIT License"), "{page}");
}

#[test]
#[cfg(feature = "tls")]
fn the_example_that_fetches_over_tls() {
    let certificates = "tests/python/certificates";
    let certificate = format!("{certificates}/server.pem");
    let arguments = ["-m", "http.server", "0", "--bind", "127.0.0.1"];
    let server = Server::start(&[&arguments[..], &["--tls-cert", &certificate]].concat());
    let url = format!("https://127.0.0.1:{}/LICENSE", server.port);
    let authority = format!("{certificates}/authority.pem");
    let page = python(&[
        "examples/fetch.py",
        &url,
        "--timeout",
        "30",
        "--cafile",
        &authority,
    ]);
    assert!(page.contains("MIT License"), "{page}");
}

#[test]
fn the_example_that_resolves() {
    let text = python(&["examples/resolve.py", "127.0.0.1", "::1"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].ends_with("numeric  127.0.0.1  127.0.0.1"),
        "{text}"
    );
    assert!(lines[1].ends_with("numeric  ::1  ::1"), "{text}");
}

#[test]
fn the_example_that_asks_the_kernel() {
    let text = python(&["examples/interfaces.py"]);
    let loopback = text.lines().find(|line| line.contains(" lo "));
    assert!(
        loopback.is_some_and(|line| line.contains("127.0.0.1/8")),
        "{text}"
    );
}

#[test]
fn the_example_that_echoes() {
    let mut server = Server::start(&["examples/echo_server.py", "--port", "0"]);
    let mut client = TcpStream::connect(format!("127.0.0.1:{}", server.port)).expect("it listens");
    client
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    client.write_all(b"hello").expect("it reads");
    let mut back = [0; 5];
    client.read_exact(&mut back).expect("it answers");
    assert_eq!(&back, b"hello");
    // Ctrl-C, with a client that is still there.
    let pid = libc::pid_t::try_from(server.child.id()).expect("a process id");
    // SAFETY: takes no pointers; the process is our child, not waited for yet.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0);
    let mut rest = String::new();
    server.output.read_to_string(&mut rest).expect("it ends");
    assert!(rest.contains("good-bye"), "{rest}");
    assert!(server.child.wait().expect("it ends").success());
}

fn fetch(port: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").expect("it reads");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("it answers");
    page
}

#[test]
fn the_interpreter_behaves_as_one() {
    assert!(python(&["-V"]).contains("3.14"));
    assert_eq!(
        python(&["-c", "import sys; print(sys.argv)", "a", "b"]).trim(),
        "['-c', 'a', 'b']"
    );
    let exit = |code: &str| {
        Command::new(PYTHON)
            .args(["-c", code])
            .stderr(Stdio::null())
            .status()
            .expect("it starts")
            .code()
    };
    assert_eq!(exit("raise SystemExit(7)"), Some(7));
    assert_eq!(exit("1/0"), Some(1));
}
