//! The one decision function: every run and every effect goes through here, whoever proposes it, whether it is new,
//! resumed, retried or started by another run.

use std::sync::{Arc, PoisonError, RwLock};

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

/// Judges runs and effects by a policy set that can be replaced while the engine runs.
pub struct Judge {
    policy: RwLock<Arc<PolicySet>>,
    roles: Arc<dyn Roles>,
    quotas: Quotas,
}

impl Judge {
    /// A judge by a policy set. `views` tells the uses of quotas.
    pub fn new(policy: Arc<PolicySet>, roles: Arc<dyn Roles>, views: Arc<dyn Views>) -> Self {
        Self { policy: RwLock::new(policy), roles, quotas: Quotas::new(views) }
    }

    /// Replaces the policy set. Judgements from here on are made by the new one; approvals given under the old one are void.
    pub fn replace(&self, policy: Arc<PolicySet>) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    /// Digest of the policy set in force.
    pub fn policy_digest(&self) -> Digest {
        self.policy().digest()
    }

    fn policy(&self) -> Arc<PolicySet> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The roles of a principal.
    pub fn roles_of(&self, principal: &Principal) -> Vec<Role> {
        self.roles.roles(principal)
    }

    /// What is known about a run, in policy's words.
    pub(crate) fn facts(&self, run: &RunState) -> Facts {
        let submitted = &run.submitted;
        let (namespace, name) =
            submitted.program.name.split_once('/').unwrap_or(("", &submitted.program.name));
        Facts {
            environment: submitted.environment.clone(),
            principal: run.requester.clone(),
            via: submitted.via.clone(),
            roles: self.roles.roles(&run.requester),
            tenant: self.roles.tenant(&run.requester),
            workflow: WorkflowFacts {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                version: submitted.program.version.clone(),
                digest: submitted.program.digest,
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
        let facts = Facts { plan: run.program.document(), ..self.facts(run) };
        self.policy().decide(&Request::run(&facts), &self.quotas, now)
    }

    /// May this step have its effect?
    pub(crate) fn rule_step(
        &self,
        run: &RunState,
        (step, attempt): (&StepRef, u32),
        action: &Action,
        now: Timestamp,
    ) -> Decision {
        let facts = self.facts(run);
        self.policy().decide(&Request::step(&facts, &step.id, &step.name, attempt, action), &self.quotas, now)
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
        let facts = self.facts(run);
        self.policy().decide(&Request::step(&facts, step, name, 1, action), &self.quotas, now).granted
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
        self.policy().resolve_chain(request).map_err(|error| error.to_string())
    }
}
