//! `host.conf(5)`, as far as it changes answers.

use super::{is_space, skip_space};

/// What the C library takes from host.conf and the environment, once in the life of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HostConf {
    /// All lines of the hosts file that have a name count, not only the first.
    pub(super) multi: bool,
    /// Addresses of a network that the machine is on come first.
    pub(super) reorder: bool,
    /// Domains are cut off the names found.
    pub(super) trim: bool,
}

/// Reads the file's text with the environment's changes. Lines that the C library complains of change nothing here
/// either; `order` has been without meaning for long.
pub(super) fn parse(text: &[u8], variable: impl Fn(&str) -> Option<Vec<u8>>) -> HostConf {
    let mut found = HostConf::default();
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        // The C library reads into 256 bytes, one of them for the end: the rest of a longer line is a line of its own.
        for piece in line.chunks(255) {
            let end = piece.iter().position(|&byte| byte == 0 || byte == b'\n');
            directive(&piece[..end.unwrap_or(piece.len())], &mut found);
        }
    }
    if let Some(value) = variable("RESOLV_MULTI") {
        switch(&value, &mut found.multi);
    }
    if let Some(value) = variable("RESOLV_REORDER") {
        switch(&value, &mut found.reorder);
    }
    for name in ["RESOLV_ADD_TRIM_DOMAINS", "RESOLV_OVERRIDE_TRIM_DOMAINS"] {
        found.trim |= variable(name).is_some();
    }
    found
}

fn directive(line: &[u8], found: &mut HostConf) {
    let line = skip_space(line);
    let end = line
        .iter()
        .position(|&byte| is_space(byte) || byte == b'#' || byte == b',');
    let (word, rest) = line.split_at(end.unwrap_or(line.len()));
    let value = skip_space(rest);
    if word.eq_ignore_ascii_case(b"multi") {
        switch(value, &mut found.multi);
    } else if word.eq_ignore_ascii_case(b"reorder") {
        switch(value, &mut found.reorder);
    } else if word.eq_ignore_ascii_case(b"trim") {
        found.trim = true;
    }
}

/// Only the beginning of the value counts.
fn switch(value: &[u8], setting: &mut bool) {
    let starts = |word: &[u8]| {
        value
            .get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    if starts(b"on") {
        *setting = true;
    } else if starts(b"off") {
        *setting = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn multi(text: &str) -> bool {
        parse(text.as_bytes(), |_| None).multi
    }

    #[test]
    fn multi_is_off_until_it_is_said() {
        assert!(!multi(""));
        assert!(multi("multi on"));
        assert!(multi("order hosts,bind\n  MULTI\tOn # yes\n"));
        assert!(multi("multi only"));
        assert!(!multi("multi on\nmulti off\n"));
        assert!(multi("multi on\nmulti maybe\n"));
        assert!(!multi(
            "#multi on\nmulti#on\nmulti,on\nmultiple on\nmult on\n"
        ));
        assert!(multi(&format!("{:255}multi on", "#")));
        assert!(!multi(&format!("{:254}multi on", "#")));
    }

    #[test]
    fn the_environment_has_the_last_word() {
        let with = |name: &'static str, value: &'static str| {
            parse(b"multi on", move |asked| {
                (asked == name).then(|| value.as_bytes().to_vec())
            })
        };
        assert!(!with("RESOLV_MULTI", "off").multi);
        assert!(with("RESOLV_REORDER", "on").reorder);
        assert!(with("RESOLV_ADD_TRIM_DOMAINS", ".example").trim);
        assert!(with("RESOLV_OVERRIDE_TRIM_DOMAINS", "").trim);
    }

    #[test]
    fn what_changes_answers_is_told() {
        let usual = parse(b"order hosts\nnospoof on\nspoof warn\nnonsense\n", |_| None);
        assert_eq!(usual, HostConf::default());
        assert!(parse(b"trim .example\n", |_| None).trim);
        assert!(parse(b"reorder on\n", |_| None).reorder);
    }
}
