//! The decisions, with times that are made up.

use super::*;

const SOON: Duration = Duration::from_micros(1);

fn at(milliseconds: u64) -> Duration {
    Duration::from_secs(1000) + Duration::from_millis(milliseconds)
}

/// Misses at this time until the policy has had enough; how many it took.
fn misses_until_off(policy: &mut Policy, now: Duration) -> u32 {
    let mut misses = 0;
    while policy.allows(now) {
        policy.missed(now);
        misses += 1;
        assert!(misses < 100, "never turned off");
    }
    misses
}

#[test]
fn a_new_thread_sleeps_first() {
    let mut policy = Policy::NEW;
    assert!(!policy.allows(at(0)));
    assert!(!policy.allows(at(0) + FIRST_PAUSE - SOON));
    assert!(policy.allows(at(0) + FIRST_PAUSE));
}

#[test]
fn one_miss_is_enough_for_a_thread_without_success() {
    let mut policy = Policy::NEW;
    policy.allows(at(0));
    assert_eq!(misses_until_off(&mut policy, at(10)), 1);
}

#[test]
fn a_few_misses_turn_it_off_after_success() {
    let mut policy = Policy::NEW;
    policy.allows(at(0));
    policy.hit();
    assert_eq!(misses_until_off(&mut policy, at(10)), u32::from(FORGIVEN));
}

#[test]
fn misses_with_success_between_do_not() {
    let mut policy = Policy::NEW;
    policy.allows(at(0));
    for _ in 0..100 {
        policy.hit();
        for _ in 1..FORGIVEN {
            policy.missed(at(10));
        }
        assert!(policy.allows(at(10)));
    }
}

#[test]
fn pauses_double_up_to_the_longest_and_begin_anew_after_success() {
    let mut policy = Policy::NEW;
    policy.slept_shortly();
    policy.hit();
    let mut now = at(0);
    for _ in 0..FORGIVEN {
        policy.missed(now);
    }
    let mut expected = FIRST_PAUSE;
    for _ in 0..12 {
        assert!(!policy.allows(now + expected - SOON));
        now += expected;
        assert!(policy.allows(now));
        policy.missed(now);
        expected = (expected * 2).min(LONGEST_PAUSE);
    }
    assert_eq!(expected, LONGEST_PAUSE);
    policy.hit();
    assert_eq!(misses_until_off(&mut policy, now + LONGEST_PAUSE), 3);
    assert_eq!(policy.pause, FIRST_PAUSE);
}

#[test]
fn a_short_sleep_turns_it_on() {
    let mut policy = Policy::NEW;
    assert!(!policy.allows(at(0)));
    policy.slept_shortly();
    assert!(policy.allows(at(0)));
    // One miss turns it off again: that was luck.
    assert_eq!(misses_until_off(&mut policy, at(0)), 1);
}

#[test]
fn a_lost_processor_stops_everybody_longer_each_time() {
    let contention = Contention::new();
    assert!(contention.allows(at(0)));
    let mut now = at(0);
    let mut expected = SHORT_CONTENTION;
    for _ in 0..12 {
        contention.lost(now);
        assert!(!contention.allows(now + expected - SOON));
        now += expected;
        assert!(contention.allows(now));
        expected = (expected * 2).min(LONG_CONTENTION);
    }
    // It has not been calm for as long as that.
    contention.not_lost(now);
    contention.lost(now);
    assert!(!contention.allows(now + LONG_CONTENTION - SOON));
    // Not for want of trying.
    now += LONG_CONTENTION * 3;
    contention.lost(now);
    assert!(!contention.allows(now + LONG_CONTENTION - SOON));
    // Calm for long enough: begin anew.
    now += LONG_CONTENTION * 2;
    contention.not_lost(now);
    contention.lost(now);
    assert!(!contention.allows(now + SHORT_CONTENTION - SOON));
    assert!(contention.allows(now + SHORT_CONTENTION));
}

#[test]
fn settings_of_the_environment() {
    for (text, meant) in [
        ("0", Some(Duration::ZERO)),
        (" 50 ", Some(Duration::from_micros(50))),
        ("1000000", Some(LONGEST_BUSY_POLL)),
        ("1000001", None),
        ("99999999999999999999999", None),
        ("-1", None),
        ("0.5", None),
        ("", None),
        ("off", None),
    ] {
        assert_eq!(parse(text), meant, "{text:?}");
    }
}

#[test]
fn a_source_needs_others_that_have_worked_for_its_last_answer() {
    let new = || Source::new(system::eventfd(0).expect("eventfd"));
    let (source, other) = (new(), new());
    for (took, answered, needed) in [
        (AT_WORK, true, true),
        (Duration::ZERO, true, false),
        (AT_WORK, true, true),
        (AT_WORK, false, false),
    ] {
        Yielded(took).has_answered(&source, answered);
        assert_eq!(needs_others(&source), needed);
        assert!(!needs_others(&other));
    }
}
