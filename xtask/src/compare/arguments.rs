//! The command line.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

pub const USAGE: &str = "usage: cargo bench-compare [option...]
  --ours PATH          the interpreter to judge; without it, reactor-python is built, with the profile `dist`
  --cpython PATH       without it, one that is found, the newest first
  --stock PATH         without it, `rustpython` on PATH
  --install-stock DIR  install the stock interpreter below DIR first
  --sleeping           also compare with ours without busy-poll (REACTOR_BUSY_POLL_US=0)
  --rounds N           5 without it
  --only REGEX         cases whose name has a match
  --limit SECONDS      when a case counts as hanging; 120 without it
  --json FILE          write all figures there
  --quick              only whether the cases run: the figures mean nothing
  --list               name the cases";

/// Paths are absolute, as the program changes its folder.
#[derive(Debug, PartialEq)]
pub struct Arguments {
    pub ours: Option<PathBuf>,
    pub cpython: Option<PathBuf>,
    pub stock: Option<PathBuf>,
    pub install_stock: Option<PathBuf>,
    pub sleeping: bool,
    pub rounds: u32,
    pub only: String,
    pub limit: Duration,
    pub json: Option<PathBuf>,
    pub quick: bool,
    pub list: bool,
}

impl Arguments {
    pub fn parse(words: &[&str]) -> Result<Self, String> {
        let here = env::current_dir().map_err(|error| error.to_string())?;
        Self::parse_in(&here, words)
    }

    /// Of Cargo, to build what is judged: the one for programs that are handed out, as the stock interpreter comes with an
    /// optimisation over all crates too. Where no figure counts, the one that is built anyway.
    pub fn profile(&self) -> &'static str {
        if self.quick || self.list {
            "release"
        } else {
            "dist"
        }
    }

    fn parse_in(folder: &Path, words: &[&str]) -> Result<Self, String> {
        let mut arguments = Self {
            ours: None,
            cpython: None,
            stock: None,
            install_stock: None,
            sleeping: false,
            rounds: 5,
            only: String::new(),
            limit: Duration::from_secs(120),
            json: None,
            quick: false,
            list: false,
        };
        let mut words = words.iter();
        while let Some(&option) = words.next() {
            let mut value = || {
                words
                    .next()
                    .copied()
                    .ok_or_else(|| format!("{option} needs a value"))
            };
            match option {
                "--sleeping" => arguments.sleeping = true,
                "--quick" => arguments.quick = true,
                "--list" => arguments.list = true,
                "--ours" => arguments.ours = Some(folder.join(value()?)),
                "--cpython" => arguments.cpython = Some(folder.join(value()?)),
                "--stock" => arguments.stock = Some(folder.join(value()?)),
                "--install-stock" => arguments.install_stock = Some(folder.join(value()?)),
                "--json" => arguments.json = Some(folder.join(value()?)),
                "--only" => arguments.only = value()?.to_owned(),
                "--rounds" => arguments.rounds = positive(option, value()?)?,
                "--limit" => {
                    arguments.limit = Duration::from_secs(positive(option, value()?)?.into());
                }
                _ => return Err(format!("unknown option {option}\n{USAGE}")),
            }
        }
        Ok(arguments)
    }
}

fn positive(option: &str, value: &str) -> Result<u32, String> {
    value
        .parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("{option} needs a positive number, not {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, String> {
        Arguments::parse_in(Path::new("/here"), words)
    }

    #[test]
    fn paths_are_the_callers() {
        let arguments = parse(&["--ours", "a/b", "--json", "/c"]).unwrap();
        assert_eq!(arguments.ours, Some("/here/a/b".into()));
        assert_eq!(arguments.json, Some("/c".into()));
        assert_eq!(arguments.rounds, 5);
    }

    #[test]
    fn bad_options_are_named() {
        for words in [
            &["--rounds", "0"][..],
            &["--rounds", "x"],
            &["--only"],
            &["--frobnicate"],
        ] {
            let error = parse(words).unwrap_err();
            assert!(error.contains(words[0]), "{error}");
        }
    }
}
