//! Which tests of CPython's are run.

use std::{fs, path::Path};

/// One module of the package `test`.
#[derive(Clone)]
pub struct Module {
    /// Below `test`, such as `test_asyncio.test_events`.
    pub name: String,
    /// Patterns of the tests to take, of their names below the module.
    pub take: &'static [&'static str],
    /// What regrtest calls resources, such as `network`. It grants none unless told, and so do we.
    pub resources: &'static [&'static str],
}

const ALL: &[&str] = &["*"];

/// Modules that are all about sockets, or about what waits for them.
const WHOLE: &[&str] = &[
    "test_socket",
    "test_select",
    "test_selectors",
    "test_poll",
    "test_epoll",
    "test_httplib",
    "test_httpservers",
    "test_urllib2_localnet",
    "test_ftplib",
    "test_smtplib",
    "test_poplib",
    "test_imaplib",
    "test_xmlrpc",
    "test_docxmlrpc",
    "test_wsgiref",
    "test_fork1",
];

/// Modules with the resources that tests on loopback stand behind. `network` opens no way out of the namespace; `walltime` is for
/// tests that regrtest finds slow.
const WITH_RESOURCES: &[(&str, &[&str])] = &[
    ("test_ssl", &["walltime"]),
    ("test_timeout", &["network"]),
    ("test_socketserver", &["network"]),
];

/// Modules that use sockets in some classes only.
const PARTS: &[(&str, &[&str])] = &[
    // What test_eintr runs, in a process of its own.
    ("_test_eintr", &["SocketEINTRTest.*", "SelectEINTRTest.*"]),
    ("test_os", &["TestSendfile.*"]),
    (
        "test_logging",
        &[
            "*SocketHandlerTest.*",
            "*DatagramHandlerTest.*",
            "*SysLogHandlerTest.*",
            "HTTPHandlerTest.*",
            "SMTPHandlerTest.*",
            "ConfigDictTest.test_listen_*",
        ],
    ),
];

const MULTIPROCESSING: [&str; 3] = ["spawn", "fork", "forkserver"];

/// Those of `multiprocessing.connection`, of its listeners, and of what passes connections on.
const CONNECTIONS: &[&str] = &[
    "*TestConnection.*",
    "*TestListener.*",
    "*TestListenerClient.*",
    "*TestPoll.*",
    "*TestPollEintr.*",
    "*TestPicklingConnections.*",
    "*TestRemoteManager.*",
    "TestWait.*",
    "TestInvalidFamily.*",
    "TestInvalidHandle.*",
    "OtherTest.*",
    "ChallengeResponseTest.*",
];

/// Names of the test modules in a folder.
fn modules_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let name = name.strip_suffix(".py")?;
            name.starts_with("test_").then(|| name.to_owned())
        })
        .collect();
    names.sort();
    names
}

/// All modules to run, of the package in `folder`.
pub fn all(folder: &Path) -> Vec<Module> {
    let module = |name: String, take, resources| Module {
        name,
        take,
        resources,
    };
    let mut all = Vec::new();
    for name in WHOLE {
        all.push(module((*name).into(), ALL, &[]));
    }
    for (name, resources) in WITH_RESOURCES {
        all.push(module((*name).into(), ALL, resources));
    }
    for (name, take) in PARTS {
        all.push(module((*name).into(), take, &[]));
    }
    for name in modules_in(&folder.join("test_asyncio")) {
        all.push(module(format!("test_asyncio.{name}"), ALL, &[]));
    }
    for method in MULTIPROCESSING {
        let package = format!("test_multiprocessing_{method}");
        for name in modules_in(&folder.join(&package)) {
            all.push(module(format!("{package}.{name}"), CONNECTIONS, &[]));
        }
    }
    all
}

/// Those of `modules` that an argument names: a module, or a package with all its modules.
pub fn named(modules: Vec<Module>, arguments: &[&str]) -> Result<Vec<Module>, String> {
    let names = |module: &Module, argument: &str| {
        let argument = argument.strip_prefix("test.").unwrap_or(argument);
        module
            .name
            .strip_prefix(argument)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    for argument in arguments {
        if !modules.iter().any(|module| names(module, argument)) {
            return Err(format!("no module {argument} among those to run"));
        }
    }
    Ok(modules
        .into_iter()
        .filter(|module| {
            arguments.is_empty() || arguments.iter().any(|argument| names(module, argument))
        })
        .collect())
}
