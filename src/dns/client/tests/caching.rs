use super::{
    answer::Reply,
    server::{Server, cname, until, v4, with_soa},
    *,
};

fn cached(client: &Client, config: &Arc<Config>, name: &str) -> Option<Answer> {
    client.cached_addresses(config, name, Families::Both)
}

#[test]
fn answers_hold() {
    let server = Server::start(|question| question.address(1));
    let (client, config) = (client(16), config(&[server.address]));
    assert_eq!(cached(&client, &config, "a.test"), None);
    let fresh = look_up(&client, &config, "a.test", Families::Both);
    assert!(fresh.is_ok());
    assert_eq!(cached(&client, &config, "a.test"), Some(fresh.clone()));
    assert_eq!(look_up(&client, &config, "a.test", Families::Both), fresh);
    assert_eq!(server.asked().len(), 2);
    client.clear_cache();
    assert_eq!(cached(&client, &config, "a.test"), None);
}

#[test]
fn the_shortest_time_of_the_chain_counts() {
    let server = Server::start(|question| match question.name.as_str() {
        "none.test" => {
            question.records(&[("none.test", 60, cname("b.test")), ("b.test", 0, v4(1))])
        }
        _ => question.records(&[("a.test", 1, cname("b.test")), ("b.test", 60, v4(1))]),
    });
    let (client, config) = (client(16), config(&[server.address]));
    let cached = |name| client.cached_addresses(&config, name, Families::V4);
    assert!(look_up(&client, &config, "none.test", Families::V4).is_ok());
    assert_eq!(cached("none.test"), None);
    let start = Instant::now();
    assert!(look_up(&client, &config, "a.test", Families::V4).is_ok());
    let held = cached("a.test").is_some();
    assert!(held || start.elapsed() >= Duration::from_secs(1));
    until("it ends", || cached("a.test").is_none());
    assert!(start.elapsed() >= Duration::from_secs(1), "too early");
}

#[test]
fn failures_hold_for_the_zones_time() {
    let server = Server::start(|question| match question.name.as_str() {
        "a.test" => with_soa(question.no_name(), 60, 60),
        "b.test" => with_soa(question.no_data(), 60, 60),
        "minimum.test" => with_soa(question.no_name(), 60, 0),
        "ttl.test" => with_soa(question.no_name(), 0, 60),
        _ => question.no_name(),
    });
    let (client, config) = (client(16), config(&[server.address]));
    for (name, failure, held) in [
        ("a.test", LookupFailure::NotFound, true),
        ("b.test", LookupFailure::NoData, true),
        ("minimum.test", LookupFailure::NotFound, false),
        ("ttl.test", LookupFailure::NotFound, false),
        ("bare.test", LookupFailure::NotFound, false),
    ] {
        let fresh = look_up(&client, &config, name, Families::Both);
        assert_eq!(fresh, Err(failure), "{name}");
        assert_eq!(
            cached(&client, &config, name),
            held.then_some(fresh),
            "{name}"
        );
    }
}

#[test]
fn the_search_is_answered_from_the_cache_too() {
    let server = Server::start(|question| match question.name.as_str() {
        "a.y.test" => question.address(1),
        _ => with_soa(question.no_name(), 60, 60),
    });
    let config = reading(resolv(&[server.address], &["x.test", "y.test"], 1), 1);
    let client = client(16);
    let fresh = look_up(&client, &config, "a", Families::Both);
    assert_eq!(fresh.as_ref().unwrap().canonical, b"a.y.test");
    assert_eq!(cached(&client, &config, "a"), Some(fresh));
    assert_eq!(server.asked().len(), 4);
}

#[test]
fn a_new_configuration_empties_it() {
    let server = Server::start(|question| question.address(1));
    let client = client(16);
    let (old, new) = (
        reading(resolv(&[server.address], &[], 1), 1),
        reading(resolv(&[server.address], &[], 1), 2),
    );
    assert!(look_up(&client, &old, "a.test", Families::Both).is_ok());
    assert!(cached(&client, &old, "a.test").is_some());
    assert_eq!(cached(&client, &new, "a.test"), None);
    assert!(look_up(&client, &new, "b.test", Families::Both).is_ok());
    assert_eq!(cached(&client, &new, "a.test"), None);
    assert!(cached(&client, &new, "b.test").is_some());
}

#[test]
fn the_least_recently_used_goes_first() {
    let mut cache = Cache::new(2);
    let now = Instant::now();
    let question = |name: &str| (Arc::<str>::from(name), RecordType::A);
    let reply = Arc::new(Reply {
        found: Found::NoName,
        asked: Vec::new(),
        chain: Vec::new(),
        ttl: 10,
    });
    cache.put(question("a"), reply.clone(), now);
    cache.put(question("b"), reply.clone(), now);
    assert!(cache.get(&question("a"), now).is_some());
    cache.put(question("c"), reply.clone(), now);
    assert!(cache.get(&question("b"), now).is_none());
    assert!(cache.get(&question("a"), now).is_some());
    let late = now + Duration::from_secs(10);
    assert!(
        cache
            .get(&question("c"), late - Duration::from_nanos(1))
            .is_some()
    );
    assert!(cache.get(&question("c"), late).is_none());
}
