use super::{server::Server, *};

/// The names that a look-up of `name` tries when there is none of them.
fn tried(name: &str, search: &[&str], ndots: u32) -> Vec<String> {
    let server = Server::start(|question| question.no_name());
    let config = reading(resolv(&[server.address], search, ndots), 1);
    let answer = ask_once(&config, name, Families::V4);
    assert_eq!(answer, Err(LookupFailure::NotFound));
    server.names()
}

#[test]
fn order_of_names_for_each_ndots() {
    let search = ["one.test", "two.test"];
    for ndots in 0..=5 {
        for dots in 0..=4 {
            let name = ["a"; 5][..=dots].join(".");
            let mut expected = vec![format!("{name}.one.test"), format!("{name}.two.test")];
            let at = if dots >= ndots as usize { 0 } else { 2 };
            expected.insert(at, name.clone());
            assert_eq!(tried(&name, &search, ndots), expected, "ndots {ndots}");
            assert_eq!(tried(&format!("{name}."), &search, ndots), [name]);
        }
    }
}

#[test]
fn root_in_the_search_list_takes_the_place_of_the_last_try() {
    assert_eq!(tried("a", &[".", "x.test"], 1), ["a", "a.x.test"]);
    assert_eq!(tried("a", &["x.test", "."], 1), ["a.x.test", "a"]);
    assert_eq!(tried("a", &[], 1), ["a"]);
    assert_eq!(
        tried("a", &[".x.test", "y.test."], 1),
        ["a.x.test", "a.y.test", "a"]
    );
}

/// What a look-up comes to when the servers say these codes, by the first label of the search domain ("" is the name alone),
/// and which names were asked for.
fn failure(name: &str, ndots: u32, says: &[(&str, ResponseCode)]) -> (Answer, Vec<String>) {
    let says: Vec<(String, ResponseCode)> = says.iter().map(|(it, c)| ((*it).into(), *c)).collect();
    let host = name.to_owned();
    let server = Server::start(move |question| {
        let rest = question.name.strip_prefix(&host)?.trim_start_matches('.');
        let (_, code) = says.iter().find(|(domain, _)| domain == rest)?;
        question.code(*code)
    });
    let search = ["x", "y", "z"];
    let mut resolv = resolv(&[server.address], &search, ndots);
    resolv.attempts = 1;
    resolv.timeout = Duration::from_secs(1);
    let answer = ask_once(&reading(resolv, 1), name, Families::Both);
    (answer, server.names())
}

#[test]
fn which_failure_counts() {
    use LookupFailure::*;
    use ResponseCode::{NXDomain as NX, NoError as ND, Refused, ServFail as SF};

    let all = |code| [("x", code), ("y", code), ("z", code), ("", code)];
    assert_eq!(failure("a", 1, &all(NX)).0, Err(NotFound));
    assert_eq!(failure("a", 1, &all(ND)).0, Err(NoData));
    assert_eq!(failure("a", 1, &all(SF)).0, Err(TryAgain));
    // "No data" beats "no such name", wherever it was; a server's failure beats it only when alone.
    let (answer, names) = failure("a", 1, &[("x", NX), ("y", ND), ("z", NX), ("", NX)]);
    assert_eq!(answer, Err(NoData));
    assert_eq!(names, ["a.x", "a.y", "a.z", "a"]);
    let (answer, names) = failure("a", 1, &[("x", SF), ("y", NX), ("z", NX), ("", NX)]);
    assert_eq!(answer, Err(TryAgain));
    assert_eq!(names, ["a.x", "a.y", "a.z", "a"]);
    let (answer, _) = failure("a", 1, &[("x", SF), ("y", ND), ("z", NX), ("", NX)]);
    assert_eq!(answer, Err(NoData));
    // Other failures end the list, but not the look-up.
    let (answer, names) = failure("a", 1, &[("x", NX), ("y", Refused), ("z", ND), ("", NX)]);
    assert_eq!(answer, Err(NotFound));
    assert_eq!(names, ["a.x", "a.y", "a"]);
    // The name as it is, tried first, has the last word.
    let (answer, names) = failure("a.b", 1, &[("x", ND), ("y", ND), ("z", ND), ("", NX)]);
    assert_eq!(answer, Err(NotFound));
    assert_eq!(names, ["a.b", "a.b.x", "a.b.y", "a.b.z"]);
}

#[test]
fn silence_ends_the_list() {
    let (answer, names) = failure("a", 1, &[("y", ResponseCode::NXDomain)]);
    assert_eq!(answer, Err(LookupFailure::TryAgain));
    assert_eq!(names, ["a.x", "a"]);
}

#[test]
fn nobody_to_ask_ends_the_search() {
    let config = reading(resolv(&[server::closed()], &["x", "y"], 1), 1);
    let answer = ask_once(&config, "a", Families::Both);
    assert_eq!(answer, Err(LookupFailure::TryAgain));
}

#[test]
fn a_name_is_found_if_either_family_is() {
    let server = Server::start(
        |question| match (question.name.as_str(), question.record_type) {
            ("a.x", RecordType::AAAA) => question.address(1),
            ("a.x", _) => question.no_data(),
            _ => question.address(9),
        },
    );
    let config = reading(resolv(&[server.address], &["x"], 1), 1);
    let found = Ok(host("a.x", &[], &["2001:db8::1"]));
    assert_eq!(ask_once(&config, "a", Families::Both), found);
    assert_eq!(server.names(), ["a.x"]);
    // For IPv4 alone the search goes on.
    let found = Ok(host("a", &[], &["192.0.2.9"]));
    assert_eq!(ask_once(&config, "a", Families::V4), found);
}

#[test]
fn names_too_long_for_the_search_list_are_left_to_libc() {
    let server = Server::start(|question| question.no_name());
    let long = ["a"; 122].join(".");
    let config = reading(resolv(&[server.address], &["example.test"], 200), 1);
    let answer = ask_once(&config, &long, Families::V4);
    assert!(
        matches!(answer, Err(LookupFailure::AskLibc(_))),
        "{answer:?}"
    );
}
