//! The list of expected failures, `tests/conformance/expected.toml`.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;

use super::suites::Module;

/// What is expected of a test that CPython passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It fails, or is not there because its module or class does not come so far.
    #[default]
    Fails,
    /// It may not end. It is run apart from the others, with a short limit.
    Hangs,
    /// It is skipped.
    Skips,
    /// It passes or fails, by what comes first.
    Varies,
}

/// One entry: tests that have one reason in common why they cannot pass yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Lies outside the socket layer.
    pub reason: String,
    #[serde(default)]
    pub kind: Kind,
    /// The suites' versions that it is about; all, if none is named.
    #[serde(default)]
    pub versions: Vec<String>,
    /// For each module, patterns of the names of its tests.
    pub tests: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    expected: Vec<Entry>,
}

/// A pattern of the list, for one module.
#[derive(Clone, Copy, Debug)]
pub struct Pattern<'a> {
    pub test: &'a str,
    pub kind: Kind,
}

impl Pattern<'_> {
    pub fn names(&self, test: &str) -> bool {
        matches(self.test, test)
    }
}

/// The patterns that are about a module of the suites of `version`.
pub fn about<'a>(list: &'a [Entry], module: &str, version: &str) -> Vec<Pattern<'a>> {
    list.iter()
        .filter(|entry| {
            entry.versions.is_empty() || entry.versions.iter().any(|known| known == version)
        })
        .filter_map(|entry| Some((entry, entry.tests.get(module)?)))
        .flat_map(|(entry, tests)| {
            tests.iter().map(|test| Pattern {
                test,
                kind: entry.kind,
            })
        })
        .collect()
}

/// Modules that the list names and that are not among `modules`.
pub fn unknown_modules<'a>(list: &'a [Entry], version: &str, modules: &[Module]) -> Vec<&'a str> {
    list.iter()
        .filter(|entry| {
            entry.versions.is_empty() || entry.versions.iter().any(|known| known == version)
        })
        .flat_map(|entry| entry.tests.keys())
        .map(String::as_str)
        .filter(|name| !modules.iter().any(|module| module.name == *name))
        .collect()
}

/// Reads the list.
pub fn read(path: &Path) -> Result<Vec<Entry>, String> {
    let fail = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let text = fs::read_to_string(path).map_err(|error| fail(&error))?;
    let list: List = toml::from_str(&text).map_err(|error| fail(&error))?;
    for entry in &list.expected {
        let tests = entry.tests.keys();
        if entry.reason.trim().is_empty() {
            return Err(fail(&format!("no reason for {tests:?}")));
        }
        if entry.tests.values().any(Vec::is_empty) {
            return Err(fail(&format!("no tests in one of {tests:?}")));
        }
    }
    Ok(list.expected)
}

/// Whether `text` fits `pattern`, in which `*` stands for any characters and all others for themselves.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        let Some(place) = text.find(part) else {
            return false;
        };
        text = &text[place + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_is_any_characters_and_all_else_is_literal() {
        assert!(matches("*", ""));
        assert!(matches("a.*", "a.b"));
        assert!(matches("*SSL*.test_*_b", "XSSLTests.test_a_b"));
        assert!(matches("a*a", "aa"));
        assert!(!matches("a*a", "a"));
        assert!(!matches("a", "ab"));
        assert!(!matches("a.b", "axb"));
        assert!(!matches("*b*", "acd"));
    }
}
