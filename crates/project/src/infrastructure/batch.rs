//! Changes of one type on one host that are ready at the same time are made together: a transaction of the package manager
//! for many packages, a round trip for many files.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::{RunId, StepId};
use plan::{Host, TypeName};
use provider::ProviderError;
use provider::exchange::{Change, Outcome};
use tokio::sync::oneshot;

use crate::limits;

/// Where changes are collected: those of one type on one host; a step with secrets has a lane of its own.
pub(super) type Lane = (RunId, Host, TypeName, Option<StepId>);

/// What became of a change.
pub(super) type Answer = Result<Outcome, ProviderError>;

struct Waiting {
    change: Change,
    answer: oneshot::Sender<Answer>,
}

/// Changes that wait for others of their lane.
#[derive(Default)]
pub(super) struct Batches {
    waiting: Mutex<HashMap<Lane, Vec<Waiting>>>,
}

impl Batches {
    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<Lane, Vec<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change together with those of its lane that come within a moment. `make` makes all of them; it is stopped when
    /// nobody wants any of them any more.
    pub(super) async fn join<F>(
        self: &Arc<Self>,
        lane: Lane,
        change: Change,
        make: impl FnOnce(Vec<Change>) -> F + Send + 'static,
    ) -> Option<Answer>
    where
        F: Future<Output = Vec<Answer>> + Send,
    {
        let (answer, answered) = oneshot::channel();
        let first = {
            let mut waiting = self.waiting();
            let lane = waiting.entry(lane.clone()).or_default();
            lane.push(Waiting { change, answer });
            lane.len() == 1
        };
        if first {
            let batches = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(limits::GATHER).await;
                let gathered = batches.waiting().remove(&lane).unwrap_or_default();
                let (changes, mut answers): (Vec<_>, Vec<_>) =
                    gathered.into_iter().map(|one| (one.change, one.answer)).unzip();
                let unwanted =
                    futures_util::future::join_all(answers.iter_mut().map(oneshot::Sender::closed));
                let made = tokio::select! {
                    made = make(changes) => Some(made),
                    _ = unwanted => None,
                };
                for (answer, made) in answers.into_iter().zip(made.into_iter().flatten()) {
                    // one that nobody waits for any more was made all the same
                    drop(answer.send(made));
                }
            });
        }
        answered.await.ok()
    }
}
