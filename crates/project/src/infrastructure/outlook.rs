//! What policy will say of a plan, told before anybody submits it. The engine judges again, and only that counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use journal::events::ProgramRecord;
use model::{Digest, Environment, RunId, Timestamp, Verdict};
use plan::Plan;
use policy::{Facts, Foretold, PolicySet, Request, WorkflowFacts};

use super::program::{definition, record};
use crate::limits;
use crate::{Access, Actor};

/// What is to be expected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Why the run, or a change of it, will be denied; each reason once, with the first change it is about.
    pub denied: Vec<String>,
    /// What has to wait, and until when.
    pub deferred: Vec<String>,
    /// What policy warns of; it stands in nobody's way.
    pub warned: Vec<String>,
    /// The chains of approval it will go through.
    pub chains: BTreeSet<String>,
    /// How many of its actions policy was not asked about, because they are too many to be asked about beforehand.
    pub beyond: usize,
}

/// What policy is told of a run that does not exist yet.
pub(super) fn facts(
    program: &ProgramRecord,
    environment: &Environment,
    access: &Access,
    actor: &Actor,
    now: Timestamp,
) -> Facts {
    let (namespace, name) = program.name.split_once('/').unwrap_or(("", &program.name));
    Facts {
        environment: environment.clone(),
        principal: actor.principal.clone(),
        via: actor.via.clone(),
        roles: engine::judge::Roles::roles(access, &actor.principal),
        tenant: None,
        workflow: WorkflowFacts {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            version: program.version.clone(),
            digest: program.digest,
            origin: program.origin,
        },
        run: RunId::from_parts(0, 0),
        submitted: now,
        parent: None,
        input: Arc::new(serde_json::json!({ "options": {} })),
        plan: None,
    }
}

/// Asks policy about a plan and its changes, quotas taken as unused.
pub fn outlook(
    plan: &Plan,
    (policy, access): (&PolicySet, &Access),
    actor: &Actor,
    now: Timestamp,
) -> Outlook {
    // the digest of the whole plan is only made where a rule reads it
    let digest = if policy.reads_documents() { definition(plan).program.digest } else { Digest::ZERO };
    let program = record(plan, digest);
    let document = Some(plan.document());
    let facts = Facts { plan: document, ..facts(&program, &plan.environment, access, actor, now) };
    let mut outlook = Outlook::default();
    outlook.add("", &policy.foretell(&Request::run(&facts), now));
    let facts = Facts { plan: None, ..facts };
    for action in plan::apply::actions(plan).take(limits::OUTLOOK_MAX) {
        let step = model::StepId::new(action.target.as_str());
        let request = Request::step(&facts, &step, &action.target, 1, &action);
        outlook.add(&action.target, &policy.foretell(&request, now));
    }
    // counted without making each of them
    let all = plan.changes.len() + plan.handlers.len() + plan.checks.len();
    outlook.beyond = all.saturating_sub(limits::OUTLOOK_MAX);
    outlook
}

impl Outlook {
    /// Whether nothing stands in the way.
    pub fn is_clear(&self) -> bool {
        self.denied.is_empty() && self.deferred.is_empty() && self.chains.is_empty()
    }

    fn add(&mut self, what: &str, told: &Foretold) {
        let place = if what.is_empty() { String::new() } else { format!("{what}: ") };
        let add = |list: &mut Vec<String>, reason: &str| {
            let known = list.iter().any(|known| known.ends_with(reason));
            if !known && list.len() < limits::OUTLOOK_REASONS_MAX {
                list.push(format!("{place}{reason}"));
            }
        };
        for warning in &told.warnings {
            add(&mut self.warned, warning);
        }
        match &told.verdict {
            Verdict::Allow => {}
            Verdict::Deny { reasons } => {
                for reason in reasons {
                    add(&mut self.denied, reason);
                }
            }
            Verdict::Defer { reasons, .. } => {
                for reason in reasons {
                    add(&mut self.deferred, reason);
                }
            }
            Verdict::Require { approvals } => {
                self.chains.extend(approvals.iter().map(|chain| chain.name.clone()));
            }
        }
    }
}
