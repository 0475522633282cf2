//! Which CPython on this machine lends its suites, and is asked the same questions.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

/// The oldest version whose suites fit a 3.14 interpreter well enough.
const OLDEST: (u32, u32) = (3, 12);

/// What each candidate is asked. A program that is no CPython answers something else, or nothing.
const QUESTION: &str = "
import json, platform, sys
try:
    import test
    folder = list(test.__path__)[0]
except ImportError:
    folder = None
print(json.dumps({'implementation': platform.python_implementation(), 'version': sys.version_info[:2], 'folder': folder}))
";

#[derive(Deserialize)]
struct Answer {
    implementation: String,
    version: (u32, u32),
    folder: Option<PathBuf>,
}

/// The suites to run.
pub struct Suites {
    /// The folder of the package `test`.
    pub folder: PathBuf,
    /// Of the suites, such as `3.13`.
    pub version: String,
    /// Their CPython, to compare with. None if `CPYTHON_TESTS` names a package that no CPython here has as its own.
    pub cpython: Option<PathBuf>,
}

/// Files of a folder whose names `fits` accepts, the highest name first.
fn files(folder: &Path, fits: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(&fits))
        .map(|entry| entry.path())
        .collect();
    names.sort_by(|one, other| other.cmp(one));
    names
}

/// Whether a name is `python3.` and a number.
fn names_a_version(name: &str) -> bool {
    name.strip_prefix("python3.").is_some_and(|minor| {
        !minor.is_empty() && minor.bytes().all(|letter| letter.is_ascii_digit())
    })
}

/// Programs that may be a fitting CPython: the one that `REACTOR_TEST_CPYTHON` names, else all that are found.
pub(crate) fn candidates() -> Vec<PathBuf> {
    if let Some(named) = env::var_os("REACTOR_TEST_CPYTHON").filter(|named| !named.is_empty()) {
        return vec![named.into()];
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = env::split_paths(&path).collect();
    // `python3` may be an older CPython, or a version manager's start script that fails: each is asked.
    let mut found: Vec<PathBuf> = [
        "python3.14",
        "python3.13",
        "python3.12",
        "python3",
        "python",
    ]
    .iter()
    .flat_map(|name| on_path.iter().map(move |folder| folder.join(name)))
    .filter(|program| program.is_file())
    .collect();
    // Where pyenv and `make install` put versions that PATH does not show.
    if let Some(home) = env::var_os("HOME") {
        let versions = Path::new(&home).join(".pyenv/versions");
        found.extend(
            files(&versions, |name| name.starts_with("3."))
                .iter()
                .map(|version| version.join("bin/python3")),
        );
    }
    found.extend(files(Path::new("/usr/local/bin"), names_a_version));
    for version in files(Path::new("/opt/python"), |name| name.starts_with("3.")) {
        found.push(version.join("bin/python3"));
    }
    found
}

fn ask(program: &Path) -> Option<Answer> {
    let output = Command::new(program)
        // No packages of the user's, and no folder of ours, that might be called `test`.
        .args(["-sP", "-c", QUESTION])
        .env_remove("PYTHONPATH")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let answer: Answer = serde_json::from_slice(&output.stdout).ok()?;
    (answer.implementation == "CPython" && answer.version >= OLDEST).then_some(answer)
}

/// Whether a folder is the whole package. Distributions may leave most of it out.
fn is_whole(folder: &Path) -> bool {
    folder.join("test_socket.py").is_file() && folder.join("support/__init__.py").is_file()
}

fn version_text((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}

/// The suites that this machine has, or why there are none.
pub fn find() -> Result<Suites, String> {
    let named = match env::var_os("CPYTHON_TESTS").filter(|named| !named.is_empty()) {
        Some(named) => Some(
            fs::canonicalize(&named)
                .map_err(|error| format!("CPYTHON_TESTS={}: {error}", named.display()))?,
        ),
        None => None,
    };
    let mut best: Option<((u32, u32), Suites)> = None;
    for program in candidates() {
        let Some(answer) = ask(&program) else {
            continue;
        };
        let Some(folder) = answer.folder.filter(|folder| is_whole(folder)) else {
            continue;
        };
        let fits = match &named {
            Some(named) => fs::canonicalize(&folder).is_ok_and(|folder| folder == *named),
            // The closest to the VM's own version.
            None => best
                .as_ref()
                .is_none_or(|(version, _)| answer.version > *version),
        };
        if fits {
            let suites = Suites {
                folder,
                version: version_text(answer.version),
                cpython: Some(program),
            };
            if named.is_some() {
                return Ok(suites);
            }
            best = Some((answer.version, suites));
        }
    }
    match (named, best) {
        (Some(folder), _) if !is_whole(&folder) => Err(format!(
            "CPYTHON_TESTS={}: no `test` package with CPython's suites",
            folder.display()
        )),
        (Some(folder), _) => Ok(Suites {
            version: version_of(&folder).ok_or_else(|| {
                format!(
                    "CPYTHON_TESTS={}: its version is unknown (not in a folder python3.N)",
                    folder.display()
                )
            })?,
            folder,
            cpython: None,
        }),
        (None, Some((_, suites))) => Ok(suites),
        (None, None) => Err(format!(
            "no CPython >= {} with its `test` package was found",
            version_text(OLDEST)
        )),
    }
}

/// The version that the standard library's folder is named after.
fn version_of(folder: &Path) -> Option<String> {
    let name = folder.parent()?.file_name()?.to_str()?;
    names_a_version(name).then(|| name.trim_start_matches("python").to_owned())
}
