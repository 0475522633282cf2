//! The server's processes, none of which outlives this one.

use std::{
    collections::HashSet,
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{self, Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use procfs::process::{Process, Stat, all_processes};

/// A shell that leads the group and waits for the end of its input, which comes when this program ends, however it does: SIGKILL
/// included. `PR_SET_PDEATHSIG` would reach the server's first process only, and leave the rest of a pipeline or the workers of a
/// server that forks.
///
/// As it belongs to the group, `kill 0` needs no number that another group may have by then. What asks the group to end is not for it.
const GUARD: &str =
    "trap '' HUP INT QUIT TERM; read -r _; [ -z \"$1\" ] || rm -rf -- \"$1\"; kill -KILL 0";

/// How long SIGKILL may take: processes in the middle of a system call that cannot be ended take longer, and are given up.
const KILL_TIME: Duration = Duration::from_secs(2);

/// A process group with a guard in it.
pub struct Group {
    guard: Child,
    /// The guard's input.
    leash: Option<ChildStdin>,
    id: i32,
}

/// One of the server's processes.
pub struct Member {
    pub process: Process,
    pub stat: Stat,
}

impl Member {
    pub fn is_zombie(&self) -> bool {
        matches!(self.stat.state, 'Z' | 'X')
    }
}

impl Group {
    /// Empty, but for the guard. `directory` is removed when the group ends.
    pub fn new(directory: Option<&Path>) -> io::Result<Self> {
        adopt_orphans()?;
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "reactor-load-guard"]);
        if let Some(directory) = directory {
            guard.arg(directory);
        }
        guard
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let mut guard = guard.spawn()?;
        let id = i32::try_from(guard.id()).map_err(io::Error::other)?;
        let leash = guard.stdin.take();
        Ok(Self { guard, leash, id })
    }

    /// For [`CommandExt::process_group`]. Stays reserved as long as this lives, since the guard is waited for at its end only.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// The server's processes, zombies included: all of the group, their descendants, and those that lost their parents.
    pub fn members(&self) -> Vec<Member> {
        let Ok(all) = all_processes() else {
            return Vec::new();
        };
        // One that is gone meanwhile is none.
        let mut all: Vec<Member> = all
            .filter_map(|process| {
                let process = process.ok()?;
                let stat = process.stat().ok()?;
                Some(Member { process, stat })
            })
            .collect();
        let relations: Vec<Relation> = all
            .iter()
            .map(|member| Relation::of(&member.stat))
            .collect();
        let us = i32::try_from(process::id()).unwrap_or_default();
        let ours = belonging(&relations, self.id, us);
        all.retain(|member| ours.contains(&member.stat.pid));
        all
    }

    /// Asks all of them to end.
    pub fn terminate(&self) {
        send(-self.id, libc::SIGTERM);
        for member in self.members() {
            if member.stat.pgrp != self.id {
                send(member.stat.pid, libc::SIGTERM);
            }
        }
    }

    /// Whether none runs any more.
    pub fn has_ended(&self) -> bool {
        self.members().iter().all(Member::is_zombie)
    }

    fn kill(&self) {
        let until = Instant::now() + KILL_TIME;
        // Again, as a process may fork while the others are looked for.
        loop {
            let members = self.members();
            let running = members.iter().filter(|member| !member.is_zombie());
            let running: Vec<i32> = running.map(|member| member.stat.pid).collect();
            if running.is_empty() || Instant::now() > until {
                return members.iter().for_each(|member| reap(member.stat.pid));
            }
            for process in running {
                send(process, libc::SIGKILL);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        drop(self.leash.take());
        let _ = self.guard.wait();
    }
}

/// How a process is related to others.
#[derive(Clone, Copy, Debug)]
struct Relation {
    process: i32,
    parent: i32,
    group: i32,
}

impl Relation {
    fn of(stat: &Stat) -> Self {
        Self {
            process: stat.pid,
            parent: stat.ppid,
            group: stat.pgrp,
        }
    }
}

/// Which processes are of the group that `guard` leads, or descend from one of them, or from us: all children that we have, but for the
/// guard, are the server or orphans of it.
fn belonging(all: &[Relation], guard: i32, us: i32) -> HashSet<i32> {
    let mut found = HashSet::new();
    loop {
        let before = found.len();
        for one in all {
            let related = one.group == guard || one.parent == us || found.contains(&one.parent);
            if related && one.process != guard {
                found.insert(one.process);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// A process that has left its group and lost its parent becomes our child, not init's, so that it is still found: prctl(2).
fn adopt_orphans() -> io::Result<()> {
    // SAFETY: this operation takes a number and touches no memory of ours.
    if unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1 as libc::c_ulong) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Takes a child's status, so that it does not stay a zombie. Nothing happens if it is none of ours, or runs.
pub fn reap(process: i32) {
    // SAFETY: a null status is allowed, and nothing is touched.
    unsafe { libc::waitpid(process, std::ptr::null_mut(), libc::WNOHANG) };
}

/// To a process, or to a group if it is negative. One that is gone already is fine.
fn send(to: i32, signal: libc::c_int) {
    // SAFETY: touches no memory.
    unsafe { libc::kill(to, signal) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(process: i32, parent: i32, group: i32) -> Relation {
        Relation {
            process,
            parent,
            group,
        }
    }

    #[test]
    fn children_orphans_and_those_of_the_group_belong() {
        let (us, guard) = (10, 20);
        let all = [
            // Before its parent, as numbers begin anew after the highest.
            relation(5, 22, 5),
            relation(1, 0, 1),
            relation(us, 1, us),
            relation(guard, us, guard),
            relation(21, us, guard),
            relation(22, 21, guard),
            // Lost its parent to init, and is still of the group.
            relation(23, 1, guard),
            // Has left the group, and lost its parent to us.
            relation(24, us, 24),
            relation(30, 1, 30),
            relation(31, 30, us),
        ];
        let mut found: Vec<i32> = belonging(&all, guard, us).into_iter().collect();
        found.sort_unstable();
        assert_eq!(found, [5, 21, 22, 23, 24]);
    }
}
