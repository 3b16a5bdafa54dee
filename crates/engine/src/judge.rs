//! The one decision function: every run and every effect goes through here, whoever proposes it, whether it is new,
//! resumed, retried or started by another run.

use std::sync::Arc;

use model::program::StepRef;
use model::{Action, ApprovalRequest, Chain, Digest, Principal, Role, RunId, StepId, Timestamp};
use policy::{Decision, Facts, Granted, PolicySet, Request, WorkflowFacts};

use crate::ports::Views;
use crate::quotas::{Quotas, Reserved};
use crate::state::RunState;

/// Which roles a principal holds, by the project's access rules.
pub trait Roles: Send + Sync {
    /// The principal's roles. Nobody holds a role by default.
    fn roles(&self, principal: &Principal) -> Vec<Role>;

    /// The principal's tenant, where tenancy is on.
    fn tenant(&self, principal: &Principal) -> Option<String> {
        let _ = principal;
        None
    }
}

/// What a decision is made by. Whoever decides asks for it once and keeps it to the end of that decision.
#[derive(Clone)]
pub struct Ruling {
    /// The policy set.
    pub policy: Arc<PolicySet>,
    /// Who holds which role.
    pub roles: Arc<dyn Roles>,
}

/// The rules in force, which may be others at the next decision. Where the policy set is another one, approvals given under
/// the old one are void.
pub trait InForce: Send + Sync {
    /// Those of this moment, which belong together.
    fn ruling(&self) -> Ruling;
}

impl InForce for Ruling {
    fn ruling(&self) -> Ruling {
        self.clone()
    }
}

/// Judges runs and effects by the rules that are in force when it is asked.
pub struct Judge {
    rules: Arc<dyn InForce>,
    quotas: Quotas,
}

impl Judge {
    /// A judge by rules that never change. `views` tells the uses of quotas.
    pub fn new(policy: Arc<PolicySet>, roles: Arc<dyn Roles>, views: Arc<dyn Views>) -> Self {
        Self::by(Arc::new(Ruling { policy, roles }), views)
    }

    /// A judge by the rules in force. `views` tells the uses of quotas.
    pub fn by(rules: Arc<dyn InForce>, views: Arc<dyn Views>) -> Self {
        Self { rules, quotas: Quotas::new(views) }
    }

    /// Digest of the policy set in force.
    pub fn policy_digest(&self) -> Digest {
        self.rules.ruling().policy.digest()
    }

    /// The roles of a principal.
    pub fn roles_of(&self, principal: &Principal) -> Vec<Role> {
        self.rules.ruling().roles.roles(principal)
    }

    /// What is known about a run, in policy's words.
    fn facts(ruling: &Ruling, run: &RunState) -> Facts {
        let submitted = &run.submitted;
        let (namespace, name) =
            submitted.program.name.split_once('/').unwrap_or(("", &submitted.program.name));
        Facts {
            environment: submitted.environment.clone(),
            principal: run.requester.clone(),
            via: submitted.via.clone(),
            roles: ruling.roles.roles(&run.requester),
            tenant: ruling.roles.tenant(&run.requester),
            workflow: WorkflowFacts {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                version: submitted.program.version.clone(),
                digest: submitted.program.digest,
                origin: submitted.program.origin,
            },
            run: run.run,
            submitted: run.submitted_at,
            parent: submitted.parent.as_ref().map(|parent| parent.run),
            input: Arc::clone(&run.input),
            plan: None,
        }
    }

    /// May this run start?
    pub(crate) fn rule_run(&self, run: &RunState, now: Timestamp) -> Decision {
        let ruling = self.rules.ruling();
        let facts = Facts { plan: run.program.document(), ..Self::facts(&ruling, run) };
        ruling.policy.judge(&Request::run(&facts), &self.quotas, now)
    }

    /// May this step have its effect?
    pub(crate) fn rule_step(
        &self,
        run: &RunState,
        (step, attempt): (&StepRef, u32),
        action: &Action,
        now: Timestamp,
    ) -> Decision {
        let ruling = self.rules.ruling();
        let facts = Self::facts(&ruling, run);
        ruling.policy.judge(&Request::step(&facts, &step.id, &step.name, attempt, action), &self.quotas, now)
    }

    /// What an action that is already allowed may reach: after a crash it is performed again without being judged again.
    pub(crate) fn granted(
        &self,
        run: &RunState,
        step: &StepId,
        name: &str,
        action: &Action,
        now: Timestamp,
    ) -> Granted {
        let ruling = self.rules.ruling();
        let facts = Self::facts(&ruling, run);
        ruling.policy.judge(&Request::step(&facts, step, name, 1, action), &self.quotas, now).granted
    }

    /// The uses to append with an intent to act.
    pub(crate) fn reserve(
        &self,
        run: RunId,
        step: &StepId,
        decision: &Decision,
        now: Timestamp,
    ) -> Vec<Reserved> {
        decision
            .reservations
            .iter()
            .map(|use_of| self.quotas.reserve((&use_of.key, use_of.amount, use_of.window), run, step, now))
            .collect()
    }

    pub(crate) fn forget_quota(&self, stream: &str) {
        self.quotas.forget(stream);
    }

    /// A use is settled, and the journal has it.
    pub(crate) fn settled(&self, key: &str, kept: bool) {
        if kept {
            self.quotas.advance(key);
        } else {
            self.quotas.forget(&Quotas::stream(key));
        }
    }

    /// The chain an approval that a workflow asks for goes through.
    pub(crate) fn chain_for(&self, request: &ApprovalRequest) -> Result<Chain, String> {
        self.rules.ruling().policy.resolve_chain(request).map_err(|error| error.to_string())
    }
}
