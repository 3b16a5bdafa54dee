//! What the threads of one command share: its time limit, whether it was cancelled, its input, its process group.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::limits::WINDOW;
use crate::protocol::{Fault, FaultCode};

/// A mutex that a panicking thread left behind still holds the truth: every change under it is a single step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct State {
    started: Option<Instant>,
    cancelled: bool,
    ended: bool,
    group: Option<Pid>,
    chunks: VecDeque<Vec<u8>>,
    buffered: u64,
    last: bool,
}

/// One command under way.
pub(crate) struct Control {
    state: Mutex<State>,
    changed: Condvar,
    timeout: Duration,
}

/// What a command's input had next.
pub(crate) enum Chunk {
    Bytes(Vec<u8>),
    End,
}

impl Control {
    pub(crate) fn new(timeout: Duration, first: Vec<u8>, streamed: bool) -> Self {
        let mut state = State { last: !streamed, buffered: first.len() as u64, ..State::default() };
        if !first.is_empty() {
            state.chunks.push_back(first);
        }
        Self { state: Mutex::new(state), changed: Condvar::new(), timeout }
    }

    /// The time limit counts from here.
    pub(crate) fn start(&self) {
        lock(&self.state).started = Some(Instant::now());
    }

    /// Since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        lock(&self.state).started.map_or(Duration::ZERO, |started| started.elapsed())
    }

    /// What is left of the time limit.
    pub(crate) fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.elapsed())
    }

    /// A fault once the command may not go on.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if lock(&self.state).cancelled {
            return Err(Fault::new(FaultCode::Cancelled, "the command was cancelled"));
        }
        if self.left().is_zero() {
            let message =
                format!("the command took longer than its limit of {} ms", self.timeout.as_millis());
            return Err(Fault::new(FaultCode::Timeout, message));
        }
        Ok(())
    }

    /// Stop it. Asks the process group first; whoever waits for the program insists.
    pub(crate) fn cancel(&self) {
        let mut state = lock(&self.state);
        state.cancelled = true;
        if let Some(group) = state.group {
            // The group may have ended by itself; then there is nothing to stop.
            let _gone = kill_process_group(group, Signal::TERM);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Sends a signal to the command's process group, if it has one that was not reaped.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(group) = lock(&self.state).group {
            // As above.
            let _gone = kill_process_group(group, signal);
        }
    }

    /// The process group to stop; none once its leader is about to be reaped, for then the number can be reused.
    pub(crate) fn set_group(&self, group: Option<Pid>) {
        lock(&self.state).group = group;
    }

    /// Input that arrived. Refused beyond what was asked for.
    pub(crate) fn feed(&self, bytes: Vec<u8>, last: bool) -> Result<(), Fault> {
        let mut state = lock(&self.state);
        if state.ended {
            return Ok(());
        }
        if state.last {
            return Err(Fault::new(FaultCode::InvalidCmd, "data after the end of the command's input"));
        }
        state.buffered += bytes.len() as u64;
        if state.buffered > WINDOW {
            let message = format!("more than {WINDOW} bytes of input were sent without credit");
            return Err(Fault::new(FaultCode::TooMany, message));
        }
        if !bytes.is_empty() {
            state.chunks.push_back(bytes);
        }
        state.last = last;
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// The next of the input, waiting for it.
    pub(crate) fn next(&self) -> Result<Chunk, Fault> {
        let mut state = lock(&self.state);
        loop {
            if let Some(chunk) = state.chunks.pop_front() {
                state.buffered -= chunk.len() as u64;
                return Ok(Chunk::Bytes(chunk));
            }
            if state.last || state.ended {
                return Ok(Chunk::End);
            }
            drop(state);
            self.check()?;
            let left = self.left();
            let waiting = lock(&self.state);
            if !waiting.chunks.is_empty() || waiting.last || waiting.ended || waiting.cancelled {
                state = waiting;
                continue;
            }
            state = self.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Nobody reads input any more; what still comes is dropped.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.ended = true;
        state.chunks.clear();
        let waits = !state.last;
        drop(state);
        if waits {
            self.changed.notify_all();
        }
    }
}
