//! The time at which a run begins: `--start-at`, so that several machines begin together.

use std::time::{Duration, SystemTime};

use tokio::time;

use crate::{execute::Failed, interrupt};

/// Whoever names a later time has most likely the wrong day.
const FURTHEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How often the clock is looked at: it may be set meanwhile, and a sleep does not follow it.
const LOOK: Duration = Duration::from_secs(1);

/// RFC 3339; without a zone, or with `Z`, it is UTC.
///
/// # Errors
///
/// If it is no time, is in the past, or more than a day ahead.
pub fn parse(text: &str) -> Result<SystemTime, String> {
    parse_at(text, SystemTime::now())
}

fn parse_at(text: &str, now: SystemTime) -> Result<SystemTime, String> {
    let time = humantime::parse_rfc3339_weak(text).map_err(|error| error.to_string())?;
    let shown = humantime::format_rfc3339_seconds(now);
    match time.duration_since(now) {
        Err(_) => Err(format!("is in the past: it is {shown}")),
        Ok(ahead) if ahead > FURTHEST => Err(format!("is more than a day ahead: it is {shown}")),
        Ok(_) => Ok(time),
    }
}

/// Waits until then, and says so.
///
/// # Errors
///
/// If Ctrl-C comes first.
pub async fn wait(time: SystemTime) -> Result<(), Failed> {
    let ahead = time.duration_since(SystemTime::now()).unwrap_or_default();
    eprintln!(
        "reactor-load: begins at {}, in {}",
        humantime::format_rfc3339_seconds(time),
        humantime::format_duration(Duration::from_secs(ahead.as_secs()))
    );
    tokio::select! {
        () = passed(time) => Ok(()),
        () = interrupt::come() => Err(Failed::Interrupted),
    }
}

async fn passed(time: SystemTime) {
    while let Ok(ahead) = time.duration_since(SystemTime::now())
        && !ahead.is_zero()
    {
        time::sleep(ahead.min(LOOK)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let now = humantime::parse_rfc3339("2026-11-22T10:00:00Z").expect("a time");
        for (text, ahead) in [
            ("2026-11-22T10:00:05Z", 5),
            ("2026-11-22 10:01:00", 60),
            ("2026-11-23T10:00:00Z", 24 * 60 * 60),
        ] {
            let expected = now + Duration::from_secs(ahead);
            assert_eq!(parse_at(text, now), Ok(expected), "{text}");
        }
        for (text, reason) in [
            ("2026-11-22T09:59:59Z", "in the past"),
            ("2026-11-23T10:00:01Z", "more than a day"),
            ("10:00", ""),
            ("", ""),
        ] {
            let error = parse_at(text, now).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[tokio::test]
    async fn it_waits_and_never_ends_early() {
        let time = SystemTime::now() + Duration::from_millis(50);
        assert!(wait(time).await.is_ok());
        assert!(SystemTime::now() >= time);
    }
}
