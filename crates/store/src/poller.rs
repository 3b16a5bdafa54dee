//! Looks for commits of other processes, while somebody waits for news and at no other time.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use journal::JournalError;
use journal::watch::Watch;
use rusqlite::Connection;

use crate::connection;
use crate::error::from_sqlite;
use crate::limits::POLL_INTERVAL;

#[derive(Default)]
struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default, Clone, Copy)]
struct State {
    wanted: bool,
    stop: bool,
}

/// The thread that looks, asleep until wanted.
pub(crate) struct Poller {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

impl Poller {
    pub(crate) fn start(path: PathBuf, watch: Arc<Watch>) -> Result<Self, JournalError> {
        let signal = Arc::new(Signal::default());
        let shared = signal.clone();
        let connection = connection::open_reader(&path)?;
        let thread = std::thread::Builder::new()
            .name("journal-poller".to_owned())
            .spawn(move || run(&connection, &path, &watch, &shared))
            .map_err(|error| crate::error::from_io("cannot start the journal's poller", &error))?;
        Ok(Self { signal, thread: Some(thread) })
    }

    /// Somebody waits.
    pub(crate) fn wake(&self) {
        let mut state = self.signal.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.wanted {
            state.wanted = true;
            drop(state);
            self.signal.changed.notify_one();
        }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.signal.state.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
        self.signal.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn run(connection: &Connection, path: &std::path::Path, watch: &Watch, signal: &Signal) {
    let mut seen = None;
    loop {
        let state = signal.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = signal
            .changed
            .wait_while(state, |state| !state.wanted && !state.stop)
            .unwrap_or_else(PoisonError::into_inner);
        if state.stop {
            return;
        }
        // whoever comes after this sets it again
        state.wanted = false;
        drop(state);
        while watch.is_awaited() {
            match position_if_changed(connection, &mut seen) {
                Ok(Some(position)) => watch.publish(position),
                Ok(None) => {}
                Err(error) => watch.fail(&from_sqlite(path, "cannot read", &error)),
            }
            let state = signal.state.lock().unwrap_or_else(PoisonError::into_inner);
            let (state, _) = signal
                .changed
                .wait_timeout_while(state, POLL_INTERVAL, |state| !state.stop)
                .unwrap_or_else(PoisonError::into_inner);
            if state.stop {
                return;
            }
        }
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
