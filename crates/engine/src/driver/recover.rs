//! After a crash, and after somebody else wrote first.

use journal::events::{Owner, RunEvent};
use model::{Principal, RunId, StepId};

use super::{Batch, Driver};
use crate::EngineError;
use crate::control;
use crate::limits;

impl Driver {
    /// Takes a run over from an engine that died: says so in the journal, then goes on with what was in flight.
    pub(super) async fn recover(&mut self) -> Result<(), EngineError> {
        for _ in 0..limits::CONFLICTS_MAX {
            if self.is_ours() || self.state.status.is_final() {
                self.owns = true;
                return self.pick_up().await;
            }
            if self.is_held_by_a_living_engine() {
                // another engine was faster to take it over
                return Err(EngineError::Stopping);
            }
            let owner = Owner { engine: self.shared.id.clone() };
            self.emit(Principal::system(), RunEvent::Adopted(owner));
            self.commit().await?;
        }
        Err(EngineError::WrongState {
            run: self.state.run,
            status: "being carried out by another engine".to_owned(),
            wanted: "adopted",
        })
    }

    fn is_held_by_a_living_engine(&self) -> bool {
        self.state.owner.as_deref().is_some_and(|owner| self.shared.presence.alive(owner))
    }

    pub(super) fn is_ours(&self) -> bool {
        self.state.owner.as_deref() == Some(self.shared.id.as_str())
    }

    /// Goes on with everything that was in flight: effects, questions, children, events on the bus.
    async fn pick_up(&mut self) -> Result<(), EngineError> {
        let steps: Vec<StepId> = self.state.in_flight.keys().cloned().collect();
        for step in steps {
            self.resume_effect(&step);
        }
        let questions: Vec<_> = self.state.questions.keys().copied().collect();
        for approval in questions {
            self.shared.watch_approval(approval, self.state.run);
            self.look_at(approval).await?;
        }
        let children: Vec<RunId> = self.state.children.keys().copied().collect();
        for child in children {
            if let Some(status) = control::final_status(self.shared.journal.as_ref(), child)? {
                self.child_ended(child, &status);
            }
        }
        if !self.state.listening.is_empty() {
            self.shared.listens(self.state.run);
        }
        self.hear()
    }

    /// Somebody else wrote to the run's stream first: what we wanted to append has not happened. Folds the state again.
    pub(super) async fn refold(&mut self) -> Result<(), EngineError> {
        self.batch = Batch::default();
        let Some(state) = self.shared.fold(self.state.run)? else {
            return Err(EngineError::NotFound { what: self.state.run.to_string() });
        };
        self.durable = state.sequence;
        self.state = state;
        self.running.retain(|step, running| {
            self.state.in_flight.get(step).is_some_and(|one| one.attempt == running.attempt)
        });
        if !self.owns {
            return Ok(());
        }
        if !self.is_ours() {
            // another engine believed this one dead and took the run over: let go of it
            return Err(EngineError::Stopping);
        }
        Box::pin(self.pick_up()).await
    }
}
