//! Many commands sent at once, and what comes back: gathered in one place, without a channel and a clock for each.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runner::protocol::{Outcome, Stream};
use tokio::sync::Notify;

use crate::session::Event;

/// What one command printed, and how it ended.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// The outcome, and whether an earlier command's answer was repeated. None while it is under way.
    pub(crate) ended: Option<(Outcome, bool)>,
}

struct State {
    commands: Vec<Gathered>,
    left: usize,
    cut: bool,
}

/// The answers to one batch.
pub(crate) struct Gathering {
    state: Mutex<State>,
    over: Notify,
}

impl Gathering {
    /// Of so many commands.
    pub(crate) fn new(count: usize) -> Arc<Self> {
        let mut commands = Vec::new();
        commands.resize_with(count, Gathered::default);
        let state = Mutex::new(State { commands, left: count, cut: false });
        Arc::new(Self { state, over: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something one of them said.
    pub(crate) fn take(&self, at: usize, event: Event) {
        let mut state = self.state();
        let Some(command) = state.commands.get_mut(at) else { return };
        match event {
            Event::Output(Stream::Stderr, bytes) => command.stderr.extend_from_slice(&bytes),
            Event::Output(_, bytes) => command.stdout.extend_from_slice(&bytes),
            Event::Log(..) => {}
            Event::Done { outcome, replayed } => {
                let first = command.ended.replace((outcome, replayed)).is_none();
                state.left = state.left.saturating_sub(usize::from(first));
                if state.left == 0 {
                    self.over.notify_one();
                }
            }
        }
    }

    /// Nothing more comes.
    pub(crate) fn cut(&self) {
        self.state().cut = true;
        self.over.notify_one();
    }

    /// Waits until all have ended, or nothing more comes.
    pub(crate) async fn wait(&self) {
        loop {
            {
                let state = self.state();
                if state.left == 0 || state.cut {
                    return;
                }
            }
            self.over.notified().await;
        }
    }

    /// What there is, in the order of the commands.
    pub(crate) fn gathered(&self) -> Vec<Gathered> {
        std::mem::take(&mut self.state().commands)
    }
}
