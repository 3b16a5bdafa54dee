//! What is asked, and the digest a decision binds to.

use journal::events::{Asked, LevelRecord};
use model::{ApprovalId, Chain, Digest, Principal, RunId, StepId, Timestamp};
use serde_json::{Value, json};

use crate::state::RunState;

/// A question in the making.
pub(crate) struct Question<'a> {
    pub(crate) run: &'a RunState,
    pub(crate) step: StepId,
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) asked: Value,
    pub(crate) chain: Chain,
    /// Digest of the policy set in force.
    pub(crate) policy: Digest,
}

/// A question with everything it needs of the run.
pub(crate) struct Owned {
    run: RunId,
    step: StepId,
    title: String,
    description: Option<String>,
    asked: Value,
    levels: Vec<LevelRecord>,
    chain: String,
    policy: Digest,
    facts: Digest,
    binding: Digest,
    requester: Principal,
    via: Option<Principal>,
}

impl Question<'_> {
    /// Digest of the facts of the run that a person relies on: what was submitted, by whom, where.
    fn facts(&self) -> Digest {
        let submitted = &self.run.submitted;
        Digest::of_json(&json!({
            "environment": submitted.environment,
            "definition": submitted.program.digest,
            "input": submitted.input,
            "actions": submitted.actions,
            "requester": self.run.requester,
        }))
    }

    fn levels(&self) -> Vec<LevelRecord> {
        self.chain.levels.iter().map(LevelRecord::from).collect()
    }

    /// What a decision binds to: change one byte of what is asked, of the policy, of the facts or of the levels, and it is void.
    pub(crate) fn binding(&self) -> Digest {
        policy::binding(Digest::of_json(&self.asked), self.policy, self.facts(), &self.chain.levels)
    }

    pub(crate) fn owned(self) -> Owned {
        Owned {
            binding: self.binding(),
            facts: self.facts(),
            levels: self.levels(),
            run: self.run.run,
            requester: self.run.requester.clone(),
            via: self.run.submitted.via.clone(),
            step: self.step,
            title: self.title,
            description: self.description,
            asked: self.asked,
            chain: self.chain.name,
            policy: self.policy,
        }
    }
}

/// The data of `approval.requested`.
pub(crate) fn compose(approval: ApprovalId, question: Owned, at: Timestamp) -> Asked {
    let within = question.levels.first().and_then(|level| level.within_ms);
    let expires = within
        .and_then(|ms| i64::try_from(ms).ok())
        .and_then(|ms| at.checked_add(model::time::SignedDuration::from_millis(ms)).ok());
    Asked {
        approval,
        run: question.run,
        step: question.step,
        title: question.title,
        description: question.description,
        asked_digest: Digest::of_json(&question.asked),
        asked: question.asked,
        policy: question.policy,
        facts: question.facts,
        binding: question.binding,
        chain: question.chain,
        levels: question.levels,
        requester: question.requester,
        via: question.via,
        expires,
    }
}
