//! Tells waiting callers that a journal has grown: what [`crate::Journal::changed`] stands on.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_channel::oneshot;
use model::code;

use crate::JournalError;
use crate::limits::WAITERS_MAX;

/// The last known position of a journal and everybody who waits for it to grow.
#[derive(Debug, Default)]
pub struct Watch(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    position: u64,
    waiters: Vec<(u64, oneshot::Sender<Result<u64, JournalError>>)>,
}

/// Resolves with the position of the last record once that is larger than what was asked for.
pub type News = oneshot::Receiver<Result<u64, JournalError>>;

impl Watch {
    /// A watch of a journal that ends at `position`.
    pub fn new(position: u64) -> Self {
        Self(Mutex::new(State { position, waiters: Vec::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // nothing panics while the lock is held, so a poisoned state is whole
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last known position.
    pub fn position(&self) -> u64 {
        self.state().position
    }

    /// Makes a larger position known and wakes those who wait for it. A smaller one is ignored.
    pub fn publish(&self, position: u64) {
        let woken: Vec<_> = {
            let mut state = self.state();
            if position <= state.position {
                return;
            }
            state.position = position;
            state.waiters.extract_if(.., |(after, _)| *after < position).collect()
        };
        for (_, waiter) in woken {
            // who has stopped waiting is no concern of ours
            drop(waiter.send(Ok(position)));
        }
    }

    /// Waits for a position larger than `after`.
    pub fn wait(&self, after: u64) -> News {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        let answer = if state.position > after {
            Ok(state.position)
        } else {
            state.waiters.retain(|(_, waiter)| !waiter.is_canceled());
            if state.waiters.len() < WAITERS_MAX {
                state.waiters.push((after, sender));
                return receiver;
            }
            Err(JournalError::Storage {
                code: code::journal::OVERLOADED,
                what: format!("more than {WAITERS_MAX} callers wait for the journal"),
                hint: None,
            })
        };
        // the receiver is still here, so sending cannot fail
        drop(sender.send(answer));
        receiver
    }

    /// Tells everybody who waits that waiting has no end.
    pub fn fail(&self, error: &JournalError) {
        for (_, waiter) in std::mem::take(&mut self.state().waiters) {
            drop(waiter.send(Err(error.clone())));
        }
    }

    /// Whether anybody waits.
    pub fn is_awaited(&self) -> bool {
        let mut state = self.state();
        state.waiters.retain(|(_, waiter)| !waiter.is_canceled());
        !state.waiters.is_empty()
    }
}
