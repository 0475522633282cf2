use super::*;

fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

#[test]
fn nothing_valid_leaves_the_defaults() {
    for text in [
        "",
        "\n\n# label ::1/128 9\n",
        "label",
        "label\n",
        "label 10.0.0.0/8 1",
        "label ::1/129 1",
        "label ::1/128 x",
        "label ::1/-1 1",
        "label ::1/128 2147483648",
        "label ::1/99999999999999999999 1",
        "label ::1/128 -",
        "precedences ::1/128 1",
        "PRECEDENCE ::1/128 1",
        "scopev4 2001:db8::/96 1",
        "scopev4 10.0.0.0/33 1",
        "scopev4 ::ffff:10.0.0.0/8 1",
        "label\0 ::1/128 9",
    ] {
        assert_eq!(parse(text.as_bytes()), GaiConf::default(), "{text:?}");
    }
}

#[test]
fn a_table_is_replaced_but_for_its_last_line() {
    let conf = parse(
        b"label 2001:db8::/32 7\nlabel ::1/128 8 and more\nlabel 2001::/32 9\nlabel 0::/32 6",
    );
    let expected = [
        Prefix::new(address("::1"), 128, 8),
        Prefix::new(address("2001:db8::"), 32, 7),
        Prefix::new(address("2001::"), 32, 9),
        Prefix::new(address("::"), 32, 6),
        DEFAULT_LABEL,
    ];
    assert_eq!(conf.policy.labels, expected);
    assert_eq!(conf.policy.precedences, Policy::default().precedences);
    let conf = parse(b"precedence ::/0 -18446744073709551611");
    assert_eq!(conf.policy.precedences, [Prefix::new(address("::"), 0, 5)]);
    let conf = parse(b"scopev4 10.0.0.0/8 5\nscopev4 ::ffff:10.1.0.0/112 6");
    let expected = [
        Prefix::new(address("::ffff:10.1.0.0"), 112, 6),
        Prefix::new(address("::ffff:10.0.0.0"), 104, 5),
        DEFAULT_SCOPE,
    ];
    assert_eq!(conf.policy.scopes, expected);
}

#[test]
fn an_address_without_a_length_is_for_the_c_library() {
    for text in ["label ::1 1", "precedence ::1 1", "scopev4 10.0.0.0 1"] {
        assert_eq!(parse(text.as_bytes()).unusual, Some(NO_LENGTH), "{text}");
    }
}

#[test]
fn the_file_is_read_again_only_where_it_says_so() {
    let path = std::env::temp_dir().join(format!("reactor-gai-conf-{}", std::process::id()));
    let write = |text: &str, seconds| {
        std::fs::write(&path, text).unwrap();
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(time).unwrap();
    };
    let store = Store::new(None);
    let label = || at(&store, &path).policy.labels[0].value;

    assert_eq!(label(), 0, "there is no file");
    write("label ::1/128 5", 1);
    assert_eq!(label(), 0, "what was found first stays");

    let store = Store::new(None);
    let label = || at(&store, &path).policy.labels[0].value;
    write("reload yes\nlabel ::1/128 5", 2);
    assert_eq!(label(), 5);
    write("label ::1/128 6", 2);
    assert_eq!(label(), 5, "the time is the same");
    write("label ::1/128 6", 3);
    assert_eq!(label(), 6);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(label(), 0);
    write("label ::1/128 7\nreload no", 4);
    assert_eq!(label(), 7, "the earlier `reload` still held");
    write("label ::1/128 8", 5);
    assert_eq!(label(), 7);
    std::fs::remove_file(&path).unwrap();
}
