//! The list of expected failures, `tests/conformance/expected.toml`.

use std::{fs, path::Path};

use serde::Deserialize;

/// What is expected of a test that CPython passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It fails, or is not there because its module or class does not come so far.
    #[default]
    Fails,
    /// It does not end, and is not run.
    Hangs,
    /// It is skipped.
    Skips,
}

/// One entry: some tests, and why they cannot pass yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// A pattern of module names.
    pub module: String,
    /// A pattern of test names below the module.
    pub test: String,
    /// Lies outside the socket layer.
    pub reason: String,
    #[serde(default)]
    pub kind: Kind,
    /// The suites' versions that it is about; all, if none is named.
    #[serde(default)]
    pub versions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    expected: Vec<Entry>,
}

impl Entry {
    pub fn is_about(&self, module: &str, version: &str) -> bool {
        (self.versions.is_empty() || self.versions.iter().any(|known| known == version))
            && matches(&self.module, module)
    }

    pub fn names(&self, test: &str) -> bool {
        matches(&self.test, test)
    }
}

/// Reads the list.
pub fn read(path: &Path) -> Result<Vec<Entry>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let list: List =
        toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    if let Some(entry) = list
        .expected
        .iter()
        .find(|entry| entry.reason.trim().is_empty())
    {
        return Err(format!(
            "{}: {} {}: no reason",
            path.display(),
            entry.module,
            entry.test
        ));
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
