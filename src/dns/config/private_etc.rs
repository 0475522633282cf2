//! Runs a test of this program again in a process of its own that sees another /etc, so that the C library can be
//! asked about files that the test writes.

use std::{
    env,
    ffi::CString,
    fs, io,
    os::unix::{ffi::OsStrExt, process::CommandExt},
    path::Path,
    process::Command,
    ptr,
};

const MARKER: &str = "/etc/private-to-a-test";

/// In the process that [`run`] has started.
pub(in crate::dns) fn inside() -> bool {
    Path::new(MARKER).exists()
}

/// Runs the test of this (full) name with `files` as the whole of /etc. Skips, loudly, where the system lets nobody have
/// an /etc of his own.
pub(in crate::dns) fn run(test: &str, files: &[(&str, &str)], variables: &[(&str, &str)]) {
    let id = format!(
        "reactor-etc-{}-{test}-{}",
        std::process::id(),
        variables.len()
    );
    let folder = env::temp_dir().join(id.replace(':', "-"));
    fs::create_dir_all(&folder).unwrap();
    let marker = Path::new(MARKER).file_name().unwrap();
    fs::write(folder.join(marker), "").unwrap();
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    let source = CString::new(folder.as_os_str().as_bytes()).unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "--test-threads=1", test]);
    command.envs(variables.iter().copied());
    // SAFETY: between fork and exec the closure makes system calls only.
    unsafe {
        command.pre_exec(move || {
            if libc::unshare(libc::CLONE_NEWNS) != 0 {
                done(libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS))?;
            }
            let root = c"/".as_ptr();
            let private = libc::MS_REC | libc::MS_PRIVATE;
            done(libc::mount(
                ptr::null(),
                root,
                ptr::null(),
                private,
                ptr::null(),
            ))?;
            let etc = c"/etc".as_ptr();
            done(libc::mount(
                source.as_ptr(),
                etc,
                ptr::null(),
                libc::MS_BIND,
                ptr::null(),
            ))
        });
    }
    let outcome = command.output();
    fs::remove_dir_all(&folder).unwrap();
    match outcome {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{text}\n{errors}");
            assert!(text.contains("1 passed"), "{text}");
        }
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            eprintln!("SKIPPED {test}: this user may have no /etc of its own");
        }
        Err(error) => panic!("{error}"),
    }
}

fn done(status: libc::c_int) -> io::Result<()> {
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
