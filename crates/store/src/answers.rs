//! Tells callers what became of their requests.
//!
//! Waking a thread costs about as much as writing a record. After a large group the writer leaves that to a thread of
//! its own and goes on with the next group; after a small one the change of thread would cost more than it saves.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use futures_channel::oneshot;
use journal::seam::Acknowledge;
use journal::{Appended, JournalError};

use crate::ledger::Entry;
use crate::writer::Answer;

/// Answers that the writer gives itself.
const HANDED_OVER_MIN: usize = 16;

/// Groups whose answers may wait; then the writer waits too.
const GROUPS_MAX: usize = 16;

/// What a request will be answered if the transaction becomes durable.
pub(crate) enum Outcome {
    /// With what was appended, so that it is freed outside the writer, too.
    Append(Acknowledge, Result<Appended, JournalError>, Box<Entry>),
    Task(Answer),
    Rebuild(oneshot::Sender<Result<(), JournalError>>, Result<(), JournalError>),
}

type Group = (Vec<Outcome>, Result<(), JournalError>);

/// The thread that answers, and its queue. Dropping it gives the answers that are queued.
pub(crate) struct Answers {
    queue: Option<SyncSender<Group>>,
    thread: Option<JoinHandle<()>>,
}

impl Answers {
    pub(crate) fn start() -> std::io::Result<Self> {
        let (queue, groups) = sync_channel(GROUPS_MAX);
        let thread = std::thread::Builder::new()
            .name("journal-answers".to_owned())
            .spawn(move || answer_all(&groups))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Answers a group whose transaction ended like `done`.
    pub(crate) fn give(&self, outcomes: Vec<Outcome>, done: &Result<(), JournalError>) {
        if outcomes.len() < HANDED_OVER_MIN {
            answer(outcomes, done);
        } else if let Some(queue) = &self.queue
            && let Err(refused) = queue.send((outcomes, done.clone()))
        {
            // without its thread, which ends only with this
            let (outcomes, done) = refused.0;
            answer(outcomes, &done);
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // whoever it did not answer hears that the journal stopped
            drop(thread.join());
        }
    }
}

fn answer_all(groups: &Receiver<Group>) {
    while let Ok((outcomes, done)) = groups.recv() {
        answer(outcomes, &done);
    }
}

fn answer(outcomes: Vec<Outcome>, done: &Result<(), JournalError>) {
    for outcome in outcomes {
        // callers may have stopped waiting
        match outcome {
            Outcome::Append(reply, result, entry) => {
                drop(reply.send(done.clone().and(result)));
                drop(entry);
            }
            Outcome::Task(answer) => answer(done.clone()),
            Outcome::Rebuild(reply, result) => drop(reply.send(done.clone().and(result))),
        }
    }
}
