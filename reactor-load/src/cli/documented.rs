//! Every command of the documentation can be typed.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use clap::Parser;

use super::{Cli, Command};

/// How the program is called; a space, so that files of that name are none.
const NAMES: [&str; 2] = ["cargo load ", "reactor-load "];

/// What ends a command in a shell.
const ENDS: [&str; 8] = [">", "2>", ">>", "<", "|", "||", "&&", "&"];

/// What the file's blocks of code call, as arguments.
fn commands(file: &str) -> Vec<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join(file)).expect(file);
    let mut inside = false;
    let mut code = String::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            code.push_str(line);
            code.push('\n');
        }
    }
    assert!(!inside, "{file}: a block without an end");
    let later = humantime::format_rfc3339_seconds(SystemTime::now() + Duration::from_secs(60));
    let mut code = code.replace("\\\n", " ");
    for name in ["\"$START\"", "$START", "{{ start_at }}", "${START_AT}"] {
        code = code.replace(name, &later.to_string());
    }
    code.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| {
            let (at, name) = NAMES
                .iter()
                .filter_map(|name| Some((line.find(name)?, name)))
                .min()?;
            // Not the end of another word: `.../reactor-load `.
            let before = line[..at].chars().next_back();
            before.is_none_or(char::is_whitespace).then_some(())?;
            // Of a command in quotes for another shell, its end is of no matter.
            let rest = line[at + name.len()..].split(" > ").next()?;
            let words = shlex::split(rest).unwrap_or_else(|| panic!("{file}: {line}"));
            let words = words.into_iter();
            Some(words.take_while(|word| !ENDS.contains(&&**word)).collect())
        })
        .collect()
}

fn parse(arguments: &[String]) -> Cli {
    let program = "reactor-load".to_owned();
    Cli::try_parse_from([&program].into_iter().chain(arguments))
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

fn check(file: &str) -> BTreeSet<&'static str> {
    let commands = commands(file);
    let parsed = commands.iter().map(|arguments| {
        let command = parse(arguments).command;
        if let Command::Compare(compare) = &command {
            parse(&compare.load);
        }
        command.name()
    });
    parsed.collect()
}

#[test]
fn the_guide() {
    let all = ["compare", "connect", "echo", "hold", "http", "merge", "udp"];
    assert_eq!(check("docs/load-testing.md"), all.into());
    assert!(commands("docs/load-testing.md").len() >= 20);
}

#[test]
fn the_readme() {
    assert!(!check("README.md").is_empty());
}
