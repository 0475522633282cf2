//! CPython's own network suites under `reactor-python`, held against CPython itself. For users: `docs/conformance.md`.

pub(crate) mod cpython;
mod expected;
mod process;
mod suites;
mod verdict;

use std::{
    env, fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use expected::{Entry, Kind};
use process::{Enclosure, Interpreter, Run};
use suites::Module;
use verdict::Verdict;

const LIST: &str = "tests/conformance/expected.toml";
const DRIVER: &str = "tests/conformance/run_module.py";

/// How many modules run at a time, of either interpreter. Many tests sleep, so one more than the processors of CI.
const WORKERS: usize = 3;

/// Modules that take longest: they begin first, so that none of them is left at the end.
const LONG: [&str; 7] = [
    "test_socket",
    "test_ssl",
    "test_imaplib",
    "test_asyncio.test_events",
    "test_asyncio.test_ssl",
    "test_asyncio.test_subprocess",
    "test_asyncio.test_tasks",
];

/// Runs the suites that `arguments` name, all without any. `target` is Cargo's folder, with the interpreter in it.
pub fn check(target: &Path, arguments: &[&str]) -> Result<(), String> {
    let suites = match cpython::find() {
        Ok(suites) => suites,
        Err(reason) if env::var_os("CPYTHON_TESTS").is_none() => {
            eprintln!(
                "conformance: SKIPPED: {reason}. Install one, or name a `test` package in CPYTHON_TESTS."
            );
            return Ok(());
        }
        Err(reason) => return Err(reason),
    };
    let list = expected::read(Path::new(LIST))?;
    let modules = suites::named(suites::all(&suites.folder), arguments)?;
    println!(
        "conformance: {} modules of CPython {} ({}), compared with {}",
        modules.len(),
        suites.version,
        suites.folder.display(),
        suites
            .cpython
            .as_ref()
            .map_or("no CPython".into(), |program| program.display().to_string()),
    );
    let begin = Instant::now();
    let folder = target.join("conformance").join(&suites.version);
    let runner = Runner::new(target, &folder, &suites).map_err(|error| error.to_string())?;
    let runs = runner.run_all(&modules, &list, &suites.version);
    let good = report(
        &modules,
        &runs,
        &list,
        &suites.version,
        arguments.is_empty(),
    );
    println!(
        "conformance: {:.0} s, output in {}",
        begin.elapsed().as_secs_f32(),
        folder.display()
    );
    if good {
        Ok(())
    } else {
        Err("the suites show differences that the list does not expect".into())
    }
}

/// Whose run of a module.
#[derive(Clone, Copy)]
enum Side {
    Ours,
    Theirs,
}

/// A module's run, ours and theirs.
type Pair = (Option<io::Result<Run>>, Option<io::Result<Run>>);

struct Runner {
    ours: Interpreter,
    theirs: Option<Interpreter>,
}

impl Runner {
    fn new(target: &Path, folder: &Path, suites: &cpython::Suites) -> io::Result<Self> {
        // Of an earlier run.
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        let in_folder = |name: &str| -> io::Result<PathBuf> {
            let place = folder.join(name);
            fs::create_dir_all(&place)?;
            fs::canonicalize(place)
        };
        // Nothing but the suites: the rest of the standard library is the interpreter's own.
        let packages = in_folder("packages")?;
        symlink(&suites.folder, packages.join("test"))?;
        let driver = fs::canonicalize(DRIVER)?;
        let enclosure = Enclosure::new();
        let interpreter = |program, test_folder, name| -> io::Result<Interpreter> {
            Ok(Interpreter {
                program,
                test_folder,
                folder: in_folder(name)?,
                driver: driver.clone(),
                version: suites.version.clone(),
                enclosure: enclosure.clone(),
            })
        };
        let ours = fs::canonicalize(target.join("release/reactor-python"))?;
        Ok(Self {
            ours: interpreter(ours, Some(packages), "ours")?,
            theirs: match &suites.cpython {
                Some(program) => Some(interpreter(program.clone(), None, "cpython")?),
                None => None,
            },
        })
    }

    fn run_all(&self, modules: &[Module], list: &[Entry], version: &str) -> Vec<Pair> {
        let runs: Vec<Mutex<Pair>> = modules.iter().map(|_| Mutex::default()).collect();
        let (long, short): (Vec<_>, Vec<_>) = modules
            .iter()
            .zip(&runs)
            .partition(|(module, _)| LONG.contains(&module.name.as_str()));
        let jobs: Vec<(&Module, &Mutex<Pair>, Side)> = long
            .into_iter()
            .chain(short)
            .flat_map(|(module, run)| [(module, run, Side::Ours), (module, run, Side::Theirs)])
            .collect();
        let next = AtomicUsize::new(0);
        let worker = || {
            while let Some((module, run, side)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let result = match side {
                    Side::Ours => {
                        let patterns = expected::about(list, &module.name, version);
                        let hanging: Vec<&str> = patterns
                            .iter()
                            .filter(|pattern| pattern.kind == Kind::Hangs)
                            .map(|pattern| pattern.test)
                            .collect();
                        Some(self.ours.run(module, &hanging))
                    }
                    Side::Theirs => self.theirs.as_ref().map(|theirs| theirs.run(module, &[])),
                };
                let mut run = run.lock().unwrap_or_else(PoisonError::into_inner);
                match side {
                    Side::Ours => run.0 = result,
                    Side::Theirs => run.1 = result,
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(worker);
            }
        });
        runs.into_iter()
            .map(|run| run.into_inner().unwrap_or_else(PoisonError::into_inner))
            .collect()
    }
}

/// Prints a line a module and all that is wrong. Whether nothing is.
fn report(
    modules: &[Module],
    runs: &[Pair],
    list: &[Entry],
    version: &str,
    is_whole: bool,
) -> bool {
    println!(
        "\n{:<44} {:>6} {:>7} {:>8} {:>11} {:>8}",
        "module", "passed", "skipped", "expected", "fails alike", "seconds"
    );
    let mut problems = Vec::new();
    let mut total = Verdict::default();
    for (module, (ours, theirs)) in modules.iter().zip(runs) {
        let patterns = expected::about(list, &module.name, version);
        let (ours, theirs) = match (ours, theirs) {
            (Some(Ok(ours)), Some(Ok(theirs))) => (ours, Some(theirs)),
            (Some(Ok(ours)), None) => (ours, None),
            (Some(Err(error)), _) | (_, Some(Err(error))) => {
                problems.push(format!("{}: cannot be run: {error}", module.name));
                continue;
            }
            (None, _) => continue,
        };
        let verdict = verdict::judge(ours, theirs, &patterns);
        println!(
            "{:<44} {:>6} {:>7} {:>8} {:>11} {:>8.0}",
            module.name,
            verdict.passed,
            verdict.skipped,
            verdict.expected,
            verdict.shared.len(),
            ours.elapsed.as_secs_f32()
        );
        for test in &verdict.shared {
            total.shared.push(format!("{} {test}", module.name));
        }
        for problem in &verdict.problems {
            problems.push(format!("{} {problem}", module.name));
        }
        total.passed += verdict.passed;
        total.skipped += verdict.skipped;
        total.expected += verdict.expected;
    }
    println!(
        "{:<44} {:>6} {:>7} {:>8} {:>11}",
        "all",
        total.passed,
        total.skipped,
        total.expected,
        total.shared.len()
    );
    if is_whole {
        for name in expected::unknown_modules(list, version, modules) {
            problems.push(format!("{name}: LISTED, but no module to run"));
        }
    }
    if !total.shared.is_empty() {
        println!("\nfail under CPython {version} here as well:");
        for test in &total.shared {
            println!("  {test}");
        }
    }
    if !problems.is_empty() {
        println!("\nPROBLEMS ({}):", problems.len());
        for problem in &problems {
            println!("  {problem}");
        }
    }
    println!();
    problems.is_empty()
}
