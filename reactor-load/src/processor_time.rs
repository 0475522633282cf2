//! Processor time: getrusage(2), proc_stat(5).

use std::time::Duration;

use procfs::{CurrentSI, KernelStats};

/// That the calling thread has used.
pub fn of_thread() -> Duration {
    of(libc::RUSAGE_THREAD)
}

fn of(whom: libc::c_int) -> Duration {
    // SAFETY: a plain C structure of numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is valid for the call, which cannot fail for the caller itself.
    unsafe { libc::getrusage(whom, &raw mut usage) };
    let duration = |time: libc::timeval| {
        Duration::new(
            time.tv_sec.try_into().unwrap_or_default(),
            u32::try_from(time.tv_usec).unwrap_or_default() * 1000,
        )
    };
    duration(usage.ru_utime) + duration(usage.ru_stime)
}

/// That all processors of this machine together had left since it started. Nothing where the kernel does not tell.
pub fn idle() -> Option<Duration> {
    let statistics = KernelStats::current().ok()?;
    let waits = statistics.total.iowait_duration().unwrap_or_default();
    Some(statistics.total.idle_duration() + waits)
}
