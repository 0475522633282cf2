//! `reactor-load`: many connections to a socket server, and how it does under them.

mod answer;
mod bottleneck;
mod cli;
mod compare;
mod connect;
mod echo;
mod execute;
mod hold;
mod http;
mod interrupt;
mod limits;
mod loads;
mod output;
mod pace;
mod pattern;
mod processor_time;
mod record;
mod report;
mod run;
mod sampling;
mod server;
mod sources;
mod start_at;
mod stream;
mod target;
#[cfg(test)]
mod testing;
mod udp;
mod workers;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::{Cli, Command, Load},
    execute::{Failed, execute},
};

/// See [`cli::EXIT_CODES`].
mod exit {
    pub const NOT_WELL: u8 = 1;
    pub const ARGUMENTS: u8 = 2;
    pub const NOT_BEGUN: u8 = 3;
    pub const INTERRUPTED: u8 = 130;
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let code = match &cli.command {
        Command::Echo(load) | Command::Udp(load) => run(&cli.command, load),
        Command::Connect(connect) => run(&cli.command, &connect.load),
        Command::Hold(hold) => run(&cli.command, &hold.load),
        Command::Http(http) => run(&cli.command, &http.load),
        Command::Compare(compare) => compare::compare(compare),
        Command::Merge(merge) => match output::merge::merge(merge) {
            Ok(true) => Ok(ExitCode::SUCCESS),
            Ok(false) => Ok(ExitCode::from(exit::NOT_WELL)),
            Err(reason) => Err(Failed::Arguments(reason)),
        },
    };
    match code {
        Ok(code) => code,
        Err(Failed::Arguments(reason)) => fail(&reason, exit::ARGUMENTS),
        Err(Failed::Begin(reason)) => fail(&reason, exit::NOT_BEGUN),
        Err(Failed::Interrupted) => fail(
            "interrupted before there was anything to report",
            exit::INTERRUPTED,
        ),
    }
}

fn fail(reason: &str, code: u8) -> ExitCode {
    eprintln!("reactor-load: {reason}");
    ExitCode::from(code)
}

fn run(command: &Command, load: &Load) -> Result<ExitCode, Failed> {
    output::check_files(load).map_err(Failed::Arguments)?;
    interrupt::listen().map_err(Failed::Begin)?;
    let outcome = execute(command, load)?;
    if let Err(reason) = output::write(load, &outcome) {
        return Ok(fail(&reason, exit::NOT_WELL));
    }
    Ok(if outcome.report.interrupted {
        ExitCode::from(exit::INTERRUPTED)
    } else if outcome.report.all_well() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::NOT_WELL)
    })
}
