//! What becomes durable together.

use journal::events::Asked;
use journal::{Append, Event, NewEvent, StreamId};
use model::{Principal, RunId, StepId};

use crate::state::RunState;

/// A child run that is submitted with the batch.
pub(crate) struct Child {
    /// Its state, at sequence 1.
    pub(crate) state: RunState,
}

/// Events on their way, and what follows once they are durable.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) append: Append,
    /// The run's own stream, made once.
    pub(crate) stream: Option<StreamId>,
    /// Effects to start.
    pub(crate) starts: Vec<(StepId, u32)>,
    /// Questions to tell people about.
    pub(crate) notices: Vec<Asked>,
    /// Children to drive.
    pub(crate) children: Vec<Child>,
    /// Quotas' counters with a use that is settled, and whether it took place.
    pub(crate) settled: Vec<(String, bool)>,
    /// Whether an event goes on the bus, so that listeners of this process must look.
    pub(crate) publishes: bool,
}

impl Batch {
    /// A batch that submits a run: the first event of its stream, and what must be appended with it.
    pub(crate) fn submitting(append: Append) -> Self {
        Self { append, ..Self::default() }
    }

    pub(crate) fn push(&mut self, stream: StreamId, actor: Principal, event: Event) {
        self.append.events.push(NewEvent { stream, actor, event });
    }

    /// Appends to a stream that must not exist yet.
    pub(crate) fn push_new(&mut self, stream: StreamId, actor: Principal, event: Event) {
        self.append.expect.push(journal::Expect { stream: stream.clone(), sequence: 0 });
        self.push(stream, actor, event);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.append.events.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.append.events.len()
    }
}

impl Child {
    pub(crate) fn run(&self) -> RunId {
        self.state.run
    }
}
