//! Looks for commits of other processes, while somebody waits for news and at no other time.
//!
//! The kernel tells when a file in the journal's directory is written (inotify), which costs nothing while nothing happens. It
//! tells before the commit can be seen, so for a moment after that the journal is looked at often, and else once in a while.
//! Where the kernel cannot be asked, it is looked at often all the time; and so it is at first, because to stop asking takes
//! the kernel some milliseconds, which a command that is over by then should not wait for.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use journal::JournalError;
use journal::watch::Watch;
use rusqlite::Connection;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify;

use crate::connection;
use crate::error::{from_io, from_sqlite};
use crate::limits::{LIVELY, POLL_INTERVAL, QUIET_INTERVAL, UNASKED};

/// The shortest pause between two looks, right after a write.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// What the thread is told by, whatever it waits for.
struct Bell {
    /// The thread knows that somebody waits.
    wanted: AtomicBool,
    stop: AtomicBool,
    rung: OwnedFd,
}

impl Bell {
    fn ring(&self) {
        // it cannot fail but by having been rung 2^64 times
        let _ = rustix::io::write(&self.rung, &1_u64.to_ne_bytes());
    }

    fn answer(&self) {
        let _ = rustix::io::read(&self.rung, &mut [0; 8]);
    }
}

/// The thread that looks, asleep until wanted.
pub(crate) struct Poller {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Poller {
    pub(crate) fn start(path: PathBuf, watch: Arc<Watch>) -> Result<Self, JournalError> {
        let failed = |error: std::io::Error| from_io("cannot start the journal's poller", &error);
        let rung = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let rung = rung.map_err(|error| failed(error.into()))?;
        let bell = Arc::new(Bell { wanted: AtomicBool::new(false), stop: AtomicBool::new(false), rung });
        let shared = bell.clone();
        let connection = connection::open_reader(&path)?;
        let thread = std::thread::Builder::new()
            .name("journal-poller".to_owned())
            .spawn(move || run(&connection, &path, &watch, &shared))
            .map_err(failed)?;
        Ok(Self { bell, thread: Some(thread) })
    }

    /// Somebody waits.
    pub(crate) fn wake(&self) {
        if !self.bell.wanted.swap(true, Ordering::SeqCst) {
            self.bell.ring();
        }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.bell.stop.store(true, Ordering::SeqCst);
        self.bell.ring();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn run(connection: &Connection, path: &Path, watch: &Watch, bell: &Bell) {
    let mut writes = Writes::unasked();
    let mut seen = None;
    while !bell.stop.load(Ordering::SeqCst) {
        // in this order: whoever waits from here on is seen by the next line, or rings
        bell.wanted.store(false, Ordering::SeqCst);
        if !watch.is_awaited() {
            wait(&[&bell.rung], None);
            bell.answer();
            continue;
        }
        bell.wanted.store(true, Ordering::SeqCst);
        match position_if_changed(connection, &mut seen) {
            Ok(Some(position)) => watch.publish(position),
            Ok(None) => {}
            Err(error) => watch.fail(&from_sqlite(path, "cannot read", &error)),
        }
        writes.wait(bell, path);
        bell.answer();
    }
}

/// Waits until one of them can be read, or the time is over.
fn wait(on: &[&OwnedFd], most: Option<Duration>) {
    let mut on: Vec<_> = on.iter().map(|one| PollFd::new(*one, PollFlags::IN)).collect();
    let most = most
        .map(|most| Timespec { tv_sec: most.as_secs().cast_signed(), tv_nsec: most.subsec_nanos().into() });
    // interrupted is as good as over: whoever waits looks again
    let _ = poll(&mut on, most.as_ref());
}

/// What is known of writes to the journal's directory.
struct Writes {
    told: Told,
    /// How long to wait for the next look, and until when looks follow each other. `None`: nothing happens.
    lively: Option<(Duration, Instant)>,
}

/// Whether the kernel tells of them.
enum Told {
    /// It is asked when somebody still waits then.
    Later(Instant),
    By(OwnedFd),
    /// It cannot be asked.
    Never,
}

impl Told {
    fn beside(path: &Path) -> Option<OwnedFd> {
        // the write-ahead log lies beside the file itself, not beside a link to it
        let file = path.canonicalize().ok()?;
        let told = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).ok()?;
        inotify::add_watch(&told, file.parent()?, inotify::WatchFlags::MODIFY).ok()?;
        Some(told)
    }
}

impl Writes {
    fn unasked() -> Self {
        let until = Instant::now() + UNASKED;
        Self { told: Told::Later(until), lively: Some((FIRST_PAUSE, until)) }
    }

    /// Waits until it is time to look again.
    fn wait(&mut self, bell: &Bell, path: &Path) {
        match (&self.told, self.lively) {
            (Told::Later(then), _) if Instant::now() >= *then => {
                // what was written before it was asked can be seen in a moment
                self.told = Told::beside(path).map_or(Told::Never, Told::By);
                self.lively = Some((FIRST_PAUSE, Instant::now() + LIVELY));
                return;
            }
            // not on what is told: a busy journal would be looked at with every write
            (_, Some((pause, _))) => wait(&[&bell.rung], Some(pause)),
            (Told::By(told), None) => wait(&[&bell.rung, told], Some(QUIET_INTERVAL)),
            (Told::Later(_) | Told::Never, None) => wait(&[&bell.rung], Some(POLL_INTERVAL)),
        }
        let now = Instant::now();
        let written = self.drain();
        self.lively = match self.lively {
            None if written => Some((FIRST_PAUSE, now + LIVELY)),
            None => None,
            Some((pause, until)) => {
                let until = if written { now + LIVELY } else { until };
                (now < until).then_some(((pause * 2).min(POLL_INTERVAL), until))
            }
        };
    }

    /// Whether something was told since the last time.
    fn drain(&self) -> bool {
        let Told::By(told) = &self.told else { return false };
        let mut any = false;
        let mut buffer = [0; 4096];
        while matches!(rustix::io::read(told.as_fd(), &mut buffer), Ok(1..)) {
            any = true;
        }
        any
    }
}

/// The last position, if any other connection has committed since the last look.
fn position_if_changed(connection: &Connection, seen: &mut Option<i64>) -> rusqlite::Result<Option<u64>> {
    let version =
        connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get::<_, i64>(0))?;
    if *seen == Some(version) {
        return Ok(None);
    }
    let position: i64 = connection
        .prepare_cached("SELECT ifnull(max(position), 0) FROM records")?
        .query_row([], |row| row.get(0))?;
    *seen = Some(version);
    Ok(Some(position.cast_unsigned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bell() -> Bell {
        let rung = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).unwrap();
        Bell { wanted: AtomicBool::new(false), stop: AtomicBool::new(false), rung }
    }

    #[test]
    fn a_write_beside_the_journal_makes_it_lively_and_silence_ends_that() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        std::fs::write(&path, "").unwrap();
        let bell = bell();
        let mut writes = Writes { told: Told::Later(Instant::now()), lively: None };
        writes.wait(&bell, &path);
        assert!(matches!((&writes.told, writes.lively), (Told::By(_), Some(_))), "looked at for a moment");
        writes.lively = None;
        // somebody rings: that alone is no write
        bell.ring();
        writes.wait(&bell, &path);
        bell.answer();
        assert_eq!(writes.lively, None);
        std::fs::write(directory.path().join("journal.db-wal"), "frames").unwrap();
        writes.wait(&bell, &path);
        assert!(writes.lively.is_some());
        let mut looks = 0;
        while writes.lively.is_some() {
            writes.wait(&bell, &path);
            looks += 1;
        }
        assert!((5..=60).contains(&looks), "{looks} looks");
    }

    #[test]
    fn the_kernel_is_asked_of_what_somebody_waits_for_long() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        std::fs::write(&path, "").unwrap();
        let (bell, mut writes) = (bell(), Writes::unasked());
        for _ in 0..3 {
            writes.wait(&bell, &path);
            assert!(matches!((&writes.told, writes.lively), (Told::Later(_), Some(_))));
        }
        writes.told = Told::Later(Instant::now());
        writes.wait(&bell, &path);
        assert!(matches!(writes.told, Told::By(_)));
    }

    #[test]
    fn a_journal_that_is_not_there_cannot_be_watched() {
        let mut writes = Writes { told: Told::Later(Instant::now()), lively: None };
        writes.wait(&bell(), Path::new("/nowhere/journal.db"));
        assert!(matches!(writes.told, Told::Never));
    }
}
