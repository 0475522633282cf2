//! One configuration: the process that enters the namespaces, serves names there and asks.

use std::{
    env, fs, io,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::runtime::{Builder, Handle};

use crate::{
    changes,
    compare::{self, Counts},
    configurations::{self, Configuration, Task},
    namespace,
    query::Generator,
    server,
};

/// Waiting for one silent server must not hold all others up; more threads than this only wait for the processor.
const ASKING_THREADS: usize = 4;

/// "Namespaces are not to be had here"; other failures have other codes.
pub const SKIPPED: u8 = 77;

/// What the last line of a child that got to its end starts with.
pub const RESULT: &str = "RESULT ";

pub fn run(index: usize, seed: u64) -> ExitCode {
    let list = configurations::all();
    let Some(configuration) = list.get(index) else {
        eprintln!("no configuration {index}");
        return ExitCode::FAILURE;
    };
    // Before any thread: a user namespace takes processes of one thread only.
    if let Err(error) = namespace::enter() {
        println!("no namespaces: {error}");
        return ExitCode::from(SKIPPED);
    }
    match ask_all(configuration, index, seed) {
        Ok(counts) => {
            println!("{RESULT}{counts}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("[{}] {error}", configuration.name);
            ExitCode::FAILURE
        }
    }
}

fn ask_all(configuration: &Configuration, index: usize, seed: u64) -> io::Result<Counts> {
    namespace::replace_etc()?;
    write_files(configuration)?;
    if let Some(missing) = namespace::set_up_network(configuration.network)? {
        println!("NOTE [{}] {missing}", configuration.name);
    }
    let with_ipv6 = std::net::UdpSocket::bind("[::1]:0").is_ok();
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let _servers = runtime.block_on(server::start(with_ipv6))?;
    let handle = runtime.handle();
    match configuration.task {
        Task::Changes => changes::run(&configuration.name, handle),
        Task::OnceReadFiles => changes::run_once_read(&configuration.name, handle),
        Task::Queries => Ok(ask_queries(
            configuration,
            seed.wrapping_add(index as u64),
            handle,
        )),
    }
}

fn write_files(configuration: &Configuration) -> io::Result<()> {
    let write = |name: &str, content: Option<&[u8]>| match content {
        Some(content) => fs::write(format!("/etc/{name}"), content),
        None => Ok(()),
    };
    let bytes = |content: &'_ Option<String>| content.clone().map(String::into_bytes);
    write("resolv.conf", bytes(&configuration.resolv).as_deref())?;
    write("hosts", configuration.hosts.as_deref())?;
    write("nsswitch.conf", bytes(&configuration.nsswitch).as_deref())?;
    write("gai.conf", bytes(&configuration.gai).as_deref())?;
    write("host.conf", bytes(&configuration.host_conf).as_deref())?;
    write(
        "aliases-of-hosts",
        Some(b"nick www.example\nhost v4.example\n"),
    )
}

fn ask_queries(configuration: &Configuration, seed: u64, runtime: &Handle) -> Counts {
    let mut queries = Generator::new(seed, configuration).all();
    if let Ok(wanted) = env::var("ASK") {
        queries.retain(|query| query.text().contains(&wanted));
    }
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Counts::default());
    thread::scope(|scope| {
        for _ in 0..ASKING_THREADS {
            scope.spawn(|| {
                while let Some(query) = queries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let counts = compare::compare(&configuration.name, query, runtime);
                    total
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .add(&counts);
                }
            });
        }
    });
    total.into_inner().unwrap_or_else(PoisonError::into_inner)
}
