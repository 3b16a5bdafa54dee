//! What policy said about what is on record, and what another policy would have said.

use std::sync::Arc;

use engine::judge::Roles;
use journal::events::{RunEvent, StepEvent, VerdictRecord};
use journal::{Event, Journal, JournalError, Record};
use model::{
    Action, Capability, EffectClass, Judgement, MatchedRule, Principal, Reversibility, StepId, Timestamp,
    Verdict,
};
use policy::{Decision, Facts, NothingUsed, PolicySet, Request, WorkflowFacts};

use crate::Access;

/// A verdict on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Position of the record.
    pub position: u64,
    /// What was decided on: the run, or a step and what it would do.
    pub about: String,
    /// The verdict.
    pub verdict: VerdictRecord,
}

/// The verdict that a record holds, if any.
pub fn verdict_of(record: &Record) -> Option<Found> {
    let (about, verdict) = match &record.event {
        Event::Run(RunEvent::Judged(verdict)) => ("the run".to_owned(), verdict),
        Event::Step(StepEvent::Scheduled(scheduled)) => (
            format!("{}  {} {}", scheduled.name, scheduled.action.kind, scheduled.action.target),
            &scheduled.verdict,
        ),
        Event::Step(StepEvent::Asked(asked)) => (asked.name.clone(), asked.verdict.as_ref()?),
        Event::Step(StepEvent::Deferred(deferred)) => (deferred.step.to_string(), &deferred.verdict),
        Event::Step(StepEvent::Failed(fault)) => (fault.name.clone(), fault.verdict.as_ref()?),
        _ => return None,
    };
    Some(Found { position: record.position, about, verdict: verdict.clone() })
}

/// The judgement that a record keeps. Chains are known by name only, which is all an explanation needs.
pub fn judgement(record: &VerdictRecord) -> Judgement {
    let verdict = match record.verdict.as_str() {
        "allow" => Verdict::Allow,
        "require" => Verdict::Require {
            approvals: record
                .chains
                .iter()
                .map(|name| model::Chain { name: name.clone(), levels: Vec::new() })
                .collect(),
        },
        "defer" => Verdict::Defer {
            until: record.until.unwrap_or(Timestamp::UNIX_EPOCH),
            reasons: record.reasons.clone(),
        },
        _ => Verdict::Deny { reasons: record.reasons.clone() },
    };
    let matched = record
        .matched
        .iter()
        .map(|rule| MatchedRule {
            rule: rule.rule.clone(),
            said: rule.said.clone(),
            message: rule.message.clone(),
        })
        .collect();
    Judgement { verdict, matched, policy: record.policy, input: record.input }
}

/// What policy was asked, made again from the journal: to be asked again, of this policy or another.
#[derive(Debug, Clone)]
pub struct Asked {
    facts: Facts,
    step: Option<(StepId, String, u32, Action)>,
    at: Timestamp,
}

/// What policy was asked for the verdict in a record. `None`: the record holds none that can be asked again from the journal,
/// because what would have been done was not recorded, or because it is about a plan.
///
/// Roles are those of the access rules as they are now. Uses of quotas are not known afterwards: nothing counts as used.
pub fn asked(journal: &dyn Journal, access: &Access, record: &Record) -> Result<Option<Asked>, JournalError> {
    let step = match &record.event {
        Event::Run(RunEvent::Judged(_)) => None,
        Event::Step(StepEvent::Scheduled(scheduled)) => {
            let Some(action) = action(&scheduled.action) else { return Ok(None) };
            Some((scheduled.step.clone(), scheduled.name.clone(), scheduled.attempt, action))
        }
        _ => return Ok(None),
    };
    let first = journal.read_stream(&record.stream, 0, 1)?;
    let Some(facts) = first.first().and_then(|first| facts(access, first)) else { return Ok(None) };
    Ok(Some(Asked { facts, step, at: record.at }))
}

fn facts(access: &Access, first: &Record) -> Option<Facts> {
    let Event::Run(RunEvent::Submitted(submitted)) = &first.event else { return None };
    if submitted.program.kind != crate::programs::KIND {
        return None;
    }
    let requester: &Principal = &first.actor;
    let (namespace, name) = submitted.program.name.split_once('/').unwrap_or(("", &submitted.program.name));
    Some(Facts {
        environment: submitted.environment.clone(),
        principal: requester.clone(),
        via: submitted.via.clone(),
        roles: access.roles(requester),
        tenant: access.tenant(requester),
        workflow: WorkflowFacts {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            version: submitted.program.version.clone(),
            digest: submitted.program.digest,
            origin: submitted.program.origin,
        },
        run: submitted.run,
        submitted: first.at,
        parent: submitted.parent.as_ref().map(|parent| parent.run),
        input: Arc::new(submitted.input.clone()),
        plan: None,
    })
}

fn action(record: &journal::events::ActionRecord) -> Option<Action> {
    Some(Action {
        kind: record.kind.clone(),
        target: record.target.clone(),
        input: record.input.clone(),
        effect: EffectClass::from_word(&record.effect)?,
        reversibility: Reversibility::from_word(&record.reversibility)?,
        wants: record.wants.iter().cloned().map(Capability).collect(),
        idempotency_key: record.key.clone(),
    })
}

impl Asked {
    /// Asks a policy as of then. Nothing is done and nothing is counted.
    pub fn again(&self, policy: &PolicySet) -> Decision {
        let request = match &self.step {
            None => Request::run(&self.facts),
            Some((step, name, attempt, action)) => Request::step(&self.facts, step, name, *attempt, action),
        };
        policy.decide(&request, &NothingUsed, self.at)
    }
}
