//! What this process may have.

use std::io;

use libc::rlim_t;

/// Descriptors for what is no connection: standard streams, runtimes, files of reports, a server's pipes.
const RESERVE: u64 = 64;

/// Raises the limit of descriptors as far as it goes, and checks that it suffices for so many connections.
///
/// # Errors
///
/// How many there may be, in words.
pub fn allow_descriptors(connections: u32) -> Result<(), String> {
    let limit =
        raise_descriptor_limit().map_err(|error| format!("limit of descriptors: {error}"))?;
    let needed = u64::from(connections) + RESERVE;
    if needed > limit {
        return Err(format!(
            "{connections} connections need {needed} descriptors, and this process may have {limit}: `ulimit -n` \
             shows the limit, the administrator can raise it"
        ));
    }
    Ok(())
}

/// To the hard limit: setrlimit(2). What it is then.
fn raise_descriptor_limit() -> io::Result<rlim_t> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } < 0 {
        return Err(io::Error::last_os_error());
    }
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: `limit` is valid for the call.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(limit.rlim_cur)
}
