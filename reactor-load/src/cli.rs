//! The command line.

use std::{
    net::IpAddr,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::start_at;

/// The longest run, so that one that was forgotten ends.
const LONGEST_RUN: Duration = Duration::from_secs(60 * 60);

/// Loads a socket server with many connections, and tells how it does.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// For scripts.
pub const EXIT_CODES: &str = "Exit codes: 0 all went well; 1 something failed, was lost or wrong; 2 bad arguments; \
    3 the run could not begin; 130 ended by Ctrl-C.";

const CONNECT: &str = "Connect and close, again and again: --connections at a time, or so many a second with --rate.\n\n\
    The kernel takes a connection before the server knows of it. So an operation ends when the server has closed it too: after \
    connecting (and the TLS handshake), the sending side is closed, and the server's end of the stream is waited for. --close \
    has other ways.\n\n\
    Who closes first keeps the port for a minute (TIME_WAIT), on loopback for a second. On 127.0.0.1, addresses of 127.0.0.0/8 \
    are taken in turn when ports run out; ::1 has no others, and a target elsewhere needs --source.";

const HOLD: &str = "Open connections and keep them until the run is over.\n\n\
    An attempt that fails is counted as failed, and made again after a pause. A connection that is lost later is counted as \
    failed, and not replaced. --duration begins after --ramp and --warmup; a listener whose queue is short opens thousands of \
    connections faster with a --ramp, as the kernel tries again after a second only.";

#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Connect and close, again and again
    #[command(long_about = CONNECT)]
    Connect(Connect),
    /// Send bytes, and check that the same come back
    Echo(Load),
    /// Open connections and keep them
    #[command(long_about = HOLD)]
    Hold(Hold),
    /// HTTP/1.1 requests on connections that are kept alive
    Http(Http),
    /// Datagrams, and check that the same come back
    Udp(Load),
    /// The same load against several servers in turn, and their ratios
    Compare(Compare),
    /// Add up the logs of many machines
    Merge(Merge),
}

impl Command {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Echo(_) => "echo",
            Self::Hold(_) => "hold",
            Self::Http(_) => "http",
            Self::Udp(_) => "udp",
            Self::Compare(_) => "compare",
            Self::Merge(_) => "merge",
        }
    }
}

#[derive(Clone, Debug, Args)]
pub struct Compare {
    /// A shell command that starts a server; the first is what the others are compared with
    #[arg(long = "server", value_name = "COMMAND", required = true)]
    pub servers: Vec<String>,
    /// A name for each --server, in their order
    #[arg(long = "label", value_name = "NAME")]
    pub labels: Vec<String>,
    /// How often each server is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub rounds: u16,
    /// All figures, as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// The load, as without `compare`: `echo --connections 100`
    #[arg(last = true, required = true)]
    pub load: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub struct Merge {
    /// Logs of --hdr-log
    #[arg(required = true)]
    pub logs: Vec<PathBuf>,
    /// The sum, as one log
    #[arg(long, value_name = "FILE")]
    pub hdr_log: Option<PathBuf>,
    /// The figures, as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub struct Connect {
    #[command(flatten)]
    pub load: Load,
    /// How an operation ends
    #[arg(long, value_enum, default_value_t = Close::Wait)]
    pub close: Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Close {
    /// Close the sending side, and wait until the server closes
    Wait,
    /// Close at once: the server may not even have accepted
    Fin,
    /// Reset at once (SO_LINGER 0): no port is kept, and the server sees an error
    Reset,
}

#[derive(Clone, Debug, Args)]
pub struct Hold {
    #[command(flatten)]
    pub load: Load,
    /// Echo a message on each connection this often, to see that it is alive
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub echo_every: Option<Duration>,
}

#[derive(Clone, Debug, Args)]
pub struct Http {
    #[command(flatten)]
    pub load: Load,
    #[arg(long, value_enum, default_value_t = Method::Get)]
    pub method: Method,
    /// Of the request, where the target is no URL
    #[arg(long, default_value = "/")]
    pub path: String,
    /// A header of the request, as `Name: value`; may be repeated
    #[arg(long = "header", value_name = "HEADER")]
    pub headers: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    Get,
    /// With `--size` bytes
    Post,
}

/// What all loads have.
#[derive(Clone, Debug, Args)]
pub struct Load {
    /// HOST:PORT, [IPV6]:PORT, unix:PATH, or a URL for http. Without it, where --server listens
    pub target: Option<String>,
    /// Start this shell command as the server, and stop it at the end; it finds HOST and PORT (or SOCKET_PATH) in its environment
    #[arg(long, value_name = "COMMAND")]
    pub server: Option<String>,
    /// Have --server listen on a Unix socket
    #[arg(long, requires = "server")]
    pub unix: bool,
    /// How long --server may take until it listens
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = positive_duration, requires = "server")]
    pub start_timeout: Duration,
    /// How many at the same time
    #[arg(long, short, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections: u32,
    /// How long to measure
    #[arg(long, short, value_name = "TIME", default_value = "10s", value_parser = run_length)]
    pub duration: Duration,
    /// Load that is not measured, before
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = length)]
    pub warmup: Duration,
    /// Spread the opening of the connections over this time
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = length)]
    pub ramp: Duration,
    /// Bytes of a message
    #[arg(long, short, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=16 << 20))]
    pub size: u32,
    /// Messages that may be on their way on each connection
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub pipeline: u32,
    /// Operations a second, whatever the answers do (an open loop): latency counts from when each was due
    #[arg(long, value_name = "PER_SECOND", value_parser = positive)]
    pub rate: Option<f64>,
    /// When an operation counts as failed
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive_duration)]
    pub timeout: Duration,
    /// TLS on the connections
    #[arg(long)]
    pub tls: bool,
    /// Trust these certificates (PEM) instead of the system's
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub ca: Option<PathBuf>,
    /// Check no certificate
    #[arg(long, requires = "tls", conflicts_with = "ca")]
    pub insecure: bool,
    /// The name in the server's certificate, if it is not the target's host
    #[arg(long, value_name = "NAME", requires = "tls")]
    pub server_name: Option<String>,
    /// Addresses to connect from, where the ports of one do not suffice; on IPv4 loopback some are found
    #[arg(long = "source", value_name = "ADDRESS")]
    pub sources: Vec<IpAddr>,
    /// Threads of this program; one a processor without it
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Begin at this time (RFC 3339, UTC: 2026-11-22T10:00:00Z), together with others; a day ahead at most
    #[arg(long, value_name = "TIME", value_parser = start_at::parse)]
    pub start_at: Option<SystemTime>,
    /// All figures, as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Latencies of each second, in HdrHistogram's log format
    #[arg(long, value_name = "FILE")]
    pub hdr_log: Option<PathBuf>,
    /// A page with charts
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// No progress, no table
    #[arg(long, short)]
    pub quiet: bool,
    /// The target is another machine, and you may load it
    #[arg(long)]
    pub i_own_this_target: bool,
}

fn length(text: &str) -> Result<Duration, String> {
    let length = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if length > LONGEST_RUN {
        return Err(format!(
            "longer than {}",
            humantime::format_duration(LONGEST_RUN)
        ));
    }
    Ok(length)
}

fn positive_duration(text: &str) -> Result<Duration, String> {
    let length = length(text)?;
    if length.is_zero() {
        return Err("has to be more than nothing".into());
    }
    Ok(length)
}

/// A second at least: that is how often is counted.
fn run_length(text: &str) -> Result<Duration, String> {
    let length = length(text)?;
    if length < Duration::from_secs(1) {
        return Err("has to be a second at least".into());
    }
    Ok(length)
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "is no number".to_owned())?;
    if number.is_finite() && number > 0.0 && number <= 1e9 {
        Ok(number)
    } else {
        Err("has to be above 0, and 1000000000 at most".into())
    }
}

#[cfg(test)]
mod documented;
