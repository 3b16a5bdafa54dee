//! Finds out which process holds the write lock of a store, and whether a process lives.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use model::code;

use journal::JournalError;

/// Byte of the shared-memory file that a writer locks (SQLite's WAL-index format, `WAL_WRITE_LOCK`).
const WRITE_LOCK_BYTE: u64 = 120;

/// The error for a store that stayed locked, naming who locks it where the system tells.
pub(crate) fn locked(path: &Path, waited: std::time::Duration) -> JournalError {
    let who = writer_of(path).map_or_else(
        || "another process".to_owned(),
        |pid| match command_of(pid) {
            Some(command) => format!("process {pid} ({command})"),
            None => format!("process {pid}"),
        },
    );
    JournalError::Storage {
        code: code::journal::LOCKED,
        what: format!("{} has been locked by {who} for more than {} s", path.display(), waited.as_secs()),
        hint: Some("aedile doctor".to_owned()),
    }
}

/// The process that holds the write lock, from the kernel's list of locks. The lock files themselves must not be opened
/// here: closing them would drop this process's own locks on them.
fn writer_of(path: &Path) -> Option<u32> {
    let mut shared = path.as_os_str().to_owned();
    shared.push("-shm");
    let metadata = fs_err::metadata(&shared).ok()?;
    let device = metadata.dev();
    let file =
        format!("{:02x}:{:02x}:{}", rustix::fs::major(device), rustix::fs::minor(device), metadata.ino());
    let locks = fs_err::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "POSIX", _, "WRITE", pid, locked, first, last] = words[..] else { return None };
        let range = first.parse::<u64>().ok()?..=last.parse::<u64>().unwrap_or(u64::MAX);
        (locked == file && range.contains(&WRITE_LOCK_BYTE)).then(|| pid.parse().ok())?
    })
}

fn command_of(pid: u32) -> Option<String> {
    // the name only: arguments may hold what does not belong into an error
    let name = fs_err::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// What tells one process from every other that ever had its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: u32,
    /// The host's name.
    pub(crate) host: String,
    /// The host's boot and the process's namespace; empty where the system has no such thing.
    pub(crate) boot: String,
    /// When it started, in the kernel's own ticks; 0 where the system does not tell.
    pub(crate) started: u64,
}

impl Process {
    /// This process.
    pub(crate) fn current() -> Self {
        let pid = std::process::id();
        Self {
            pid,
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            boot: boot(),
            started: started(pid).unwrap_or(0),
        }
    }

    /// Whether it certainly lives no more. `false` where that cannot be told.
    pub(crate) fn is_dead(&self, current: &Self) -> bool {
        if self.host != current.host || self.boot.is_empty() || current.boot.is_empty() {
            return false;
        }
        let (boot, namespace) = self.boot.split_once('/').unwrap_or((&self.boot, ""));
        let (boot_now, namespace_now) = current.boot.split_once('/').unwrap_or((&current.boot, ""));
        if boot != boot_now {
            return true;
        }
        namespace == namespace_now && started(self.pid) != Some(self.started)
    }
}

fn boot() -> String {
    let id = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs_err::read_link("/proc/self/ns/pid").unwrap_or_default();
    if id.is_empty() { String::new() } else { format!("{}/{}", id.trim_end(), namespace.display()) }
}

/// Field 22 of `/proc/PID/stat`, counted after the command's closing parenthesis (proc(5)); a zombie counts as gone.
fn started(pid: u32) -> Option<u64> {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_an_impostor_does_not() {
        let this = Process::current();
        assert!(!this.is_dead(&this));
        if this.boot.is_empty() {
            return;
        }
        assert!(Process { started: this.started + 1, ..this.clone() }.is_dead(&this), "a reused number");
        assert!(Process { boot: "another boot".to_owned(), ..this.clone() }.is_dead(&this), "a reboot");
        assert!(!Process { host: "elsewhere".to_owned(), ..this.clone() }.is_dead(&this), "cannot be told");
    }
}
