//! The first step of a run: whether the plan still fits. Between a plan and its application people may have thought for
//! days, so it is asked right before anything is done, and not when the run is submitted.

use model::{Action, EffectClass, Outcome, Problem, Reversibility, Step, StepId, StepRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pending::Answer;
use super::{Apply, Phase};

/// The kind of the action that finds out whether a plan is stale. It changes nothing; it fails when something moved.
pub const KIND_FRESHNESS: &str = "plan.check";
/// Its step.
const FRESHNESS_STEP: &str = "#check";

/// The input of that action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreshnessInput {
    /// Digest of the plan.
    pub plan: model::Digest,
    /// Whether some of it was done already: then what is there has moved by the run's own doing, and all that counts is that
    /// no other plan was applied meanwhile.
    #[serde(default, skip_serializing_if = "crate::change::is_false")]
    pub again: bool,
}

fn id() -> StepId {
    StepId::new(FRESHNESS_STEP)
}

impl Apply {
    /// The same run, which begins with an action of kind [`KIND_FRESHNESS`] and does nothing when that fails.
    #[must_use]
    pub fn checked_first(mut self) -> Self {
        self.checked_first = true;
        self
    }

    /// Asks whether the plan still fits.
    pub(super) fn ask_freshness(&mut self) {
        self.phase = Phase::Checking;
        self.checks += 1;
        let step = StepRef { id: id(), name: "check that the plan is fresh".into(), kind: "check" };
        let digest = self.plan.digest();
        let input =
            serde_json::to_value(FreshnessInput { plan: digest, again: self.begun }).unwrap_or_default();
        let action = Action {
            kind: KIND_FRESHNESS.to_owned(),
            target: self.plan.environment.to_string(),
            input: input.into(),
            effect: EffectClass::Read,
            reversibility: Reversibility::NoChange,
            wants: Vec::new(),
            idempotency_key: format!("{}.check.{}", self.run, self.checks),
        };
        let attempt = self.checks;
        self.pending.push(Answer::Perform, id(), Step::Perform { step, attempt, action: Box::new(action) });
    }

    /// Whether an event is about this step; what follows from it.
    pub(super) fn freshness(&mut self, step: &StepId, result: Option<Result<(), &Problem>>) -> bool {
        if step.as_str() != FRESHNESS_STEP {
            return false;
        }
        self.pending.remove(Answer::Perform, &id());
        match (self.phase, result) {
            (Phase::Checking, Some(Ok(()))) => {
                self.begun = true;
                self.begin();
            }
            (Phase::Checking, Some(Err(problem))) => {
                self.phase = Phase::Ending;
                self.retriable = true;
                let outcome = Outcome::Faulted { problem: problem.clone() };
                self.pending.push(Answer::Finish, StepId::new(""), Step::Finish { outcome });
            }
            _ => {}
        }
        true
    }

    /// Gives the step up when the run is cancelled.
    pub(super) fn give_up_freshness(&mut self) {
        if !self.pending.remove(Answer::Perform, &id()) {
            let reason = "the run was cancelled".to_owned();
            self.pending.push(Answer::Abandon, id(), Step::Abandon { step: id(), reason });
        }
    }
}
