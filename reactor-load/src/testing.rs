//! Short loads against servers that behave oddly.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;

use crate::{
    cli::{Cli, Command},
    execute::Failed,
    loads::{self, Prepared},
    record::Counts,
    run::{Finished, Interval, Observer},
    target::Target,
    workers::Schedule,
};

struct Nobody;

impl Observer for Nobody {
    fn look(&mut self, _open: u64) {}

    fn warming(&mut self, _: u64) {}

    fn second(&mut self, _: &Interval) {}

    fn is_in_vain(&mut self) -> bool {
        false
    }
}

/// What a load of `milliseconds` finds, in two threads; its counts add up.
pub async fn load(
    arguments: &str,
    to: SocketAddr,
    milliseconds: u64,
) -> Result<(Finished, Vec<String>), Failed> {
    let to = to.to_string();
    let words = arguments.split(' ').filter(|word| !word.is_empty());
    let words = ["reactor-load"]
        .into_iter()
        .chain(words)
        .chain([to.as_str()]);
    let command = Cli::parse_from(words).command;
    let load = match &command {
        Command::Connect(connect) => &connect.load,
        Command::Echo(load) | Command::Udp(load) => load,
        Command::Hold(hold) => &hold.load,
        Command::Http(http) => &http.load,
        Command::Compare(_) | Command::Merge(_) => panic!("no load"),
    };
    loads::check(&command).map_err(Failed::Arguments)?;
    let target = Target::parse(&to).map_err(Failed::Arguments)?;
    let prepared = Prepared::new(&command, &target).await?;
    let duration = Duration::from_millis(milliseconds);
    let schedule = Schedule::new(Instant::now(), load.ramp, Duration::ZERO, duration);
    let (finished, notes) = prepared
        .run(2, load.connections, schedule, &mut Nobody)
        .await
        .map_err(Failed::Begin)?;
    add_up(&finished.total.operations);
    add_up(&finished.total.connections);
    Ok((finished, notes))
}

fn add_up(counts: &Counts) {
    let ended = counts.completed + counts.failures() + counts.unfinished;
    assert_eq!(counts.started, ended, "{counts:?}");
}

/// A server that has a thread for each connection, for as long as the tests run.
pub fn serve(connection: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = connection.clone();
            thread::spawn(move || connection(stream));
        }
    });
    address
}

/// Sends back what comes, so many bytes of it, changed by `change`.
pub fn echo(mut stream: &TcpStream, most: usize, change: impl Fn(&mut [u8])) {
    let (mut buffer, mut left) = ([0; 4096], most);
    while left > 0 {
        let most = left.min(buffer.len());
        let Ok(length @ 1..) = stream.read(&mut buffer[..most]) else {
            return;
        };
        change(&mut buffer[..length]);
        if stream.write_all(&buffer[..length]).is_err() {
            return;
        }
        left -= length;
    }
}

/// Reads until the client ends it.
pub fn listen_only(mut stream: &TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(1..) = stream.read(&mut buffer) {}
}

/// Closes with a reset.
pub fn reset(stream: &TcpStream) {
    let stream = socket2::SockRef::from(stream);
    let _ = stream.set_linger(Some(Duration::ZERO));
}
