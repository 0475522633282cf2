//! The loads: what each needs before it begins, and how it runs.

use std::{rc::Rc, sync::Arc};

use crate::{
    cli::{Command, Load},
    connect::{self, Churn},
    echo::{self, Echo},
    execute::Failed,
    hold::{self, Hold},
    http::{self, Http},
    record::Failure,
    run::{self, Finished, Observer},
    stream::Connector,
    target::Target,
    udp::{self, Udp},
    workers::{Schedule, Worker},
};

/// Arguments that make no sense for a load, as far as that shows without its target.
///
/// # Errors
///
/// What is wrong, in words.
pub fn check(command: &Command) -> Result<(), String> {
    match command {
        Command::Connect(connect) => no_pipeline(command, &connect.load),
        Command::Hold(hold) if hold.load.rate.is_some() => {
            Err("--rate: hold has --echo-every, of each connection".into())
        }
        Command::Hold(hold) => no_pipeline(command, &hold.load),
        Command::Http(http) => {
            no_pipeline(command, &http.load)?;
            http::headers(&http.headers).map(|_| ())
        }
        Command::Udp(load) => udp::check(load),
        Command::Echo(_) | Command::Compare(_) | Command::Merge(_) => Ok(()),
    }
}

fn no_pipeline(command: &Command, load: &Load) -> Result<(), String> {
    if load.pipeline > 1 {
        let name = command.name();
        return Err(format!(
            "--pipeline: {name} has one operation at a time on a connection"
        ));
    }
    Ok(())
}

/// A load that may begin.
pub enum Prepared {
    Connect(Arc<Churn>),
    Echo(Arc<Echo>),
    Hold(Arc<Hold>),
    Http(Arc<Http>),
    Udp(Arc<Udp>),
}

impl Prepared {
    /// Makes one connection, so that a target that nobody can reach is no run.
    ///
    /// # Errors
    ///
    /// If arguments do not fit, or the target cannot be reached.
    pub async fn new(command: &Command, target: &Target) -> Result<Self, Failed> {
        Ok(match command {
            Command::Connect(connect) => {
                let connector = connector(target, &connect.load).await?;
                Self::Connect(Arc::new(Churn::new(connect, connector)))
            }
            Command::Echo(load) => {
                let connector = connector(target, load).await?;
                Self::Echo(Arc::new(Echo::new(load, connector)))
            }
            Command::Hold(hold) => {
                let connector = connector(target, &hold.load).await?;
                Self::Hold(Arc::new(Hold::new(hold, connector)))
            }
            Command::Http(http) => {
                let connector = connector(target, &http.load).await?;
                let http = Http::new(http, target, connector);
                Self::Http(Arc::new(http.map_err(Failed::Arguments)?))
            }
            Command::Udp(load) => {
                let udp = Udp::new(load, target).map_err(Failed::Arguments)?;
                udp.probe()
                    .await
                    .map_err(|failure| unreachable(target, &failure))?;
                Self::Udp(Arc::new(udp))
            }
            Command::Compare(_) | Command::Merge(_) => {
                return Err(Failed::Arguments(format!("{}: no load", command.name())));
            }
        })
    }

    /// What was counted, and sentences that its reader has to know.
    ///
    /// # Errors
    ///
    /// If the threads of the load cannot be had.
    pub async fn run(
        self,
        threads: usize,
        connections: u32,
        schedule: Schedule,
        observer: &mut dyn Observer,
    ) -> Result<(Finished, Vec<String>), String> {
        /// A function of a load's shared state, of the thread, and of the connection's number.
        macro_rules! run {
            ($shared:expr, $connection:path) => {{
                let shared = Arc::clone(&$shared);
                let connection = move |worker: Rc<Worker>, number| {
                    $connection(Arc::clone(&shared), worker, number)
                };
                run::run(threads, connections, schedule, observer, connection).await?
            }};
        }
        let finished = match self {
            Self::Connect(churn) => run!(churn, connect::connection),
            Self::Echo(echo) => run!(echo, echo::connection),
            Self::Hold(hold) => run!(hold, hold::connection),
            Self::Http(http) => run!(http, http::connection),
            Self::Udp(udp) => {
                let finished = run!(udp, udp::connection);
                return Ok((finished, udp.notes()));
            }
        };
        Ok((finished, Vec::new()))
    }
}

async fn connector(target: &Target, load: &Load) -> Result<Connector, Failed> {
    let connector = Connector::new(target, load).map_err(Failed::Arguments)?;
    match connector.connect().await {
        Ok(_) => Ok(connector),
        Err(failure) => Err(unreachable(target, &failure)),
    }
}

fn unreachable(target: &Target, failure: &Failure) -> Failed {
    Failed::Begin(format!("{}: {failure}", target.place))
}
