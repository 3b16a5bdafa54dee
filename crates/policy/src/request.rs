//! What is to be judged, and the one JSON document that policy sees of it.

use std::sync::Arc;

use model::canonical::Text;
use model::{
    Action, Digest, Environment, Json, Origin, Principal, Role, RunId, StepId, Timestamp, time::rfc3339,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::matching::{Seen, SubjectWord};
use crate::quota::QuotaState;

/// The kind under which a run as a whole is judged.
pub const RUN_KIND: &str = "workflow.run";

/// The kind under which a run that applies a plan is judged as a whole.
pub const PLAN_KIND: &str = "plan.apply";

/// What is known about a run. Made once, used for the run and for each of its steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Where.
    pub environment: Environment,
    /// Who acts. Authenticated, never taken from a document.
    pub principal: Principal,
    /// The operating system's user behind them, where they act for another principal.
    pub via: Option<Principal>,
    /// Their roles.
    pub roles: Vec<Role>,
    /// Their tenant.
    pub tenant: Option<String>,
    /// What is carried out.
    pub workflow: WorkflowFacts,
    /// The run.
    pub run: RunId,
    /// When it was submitted.
    pub submitted: Timestamp,
    /// The run that started it.
    pub parent: Option<RunId>,
    /// Its input, secrets replaced by references.
    pub input: Arc<Value>,
    /// The plan that it applies, as `schemas/plan.schema.json` describes it.
    pub plan: Option<Text>,
}

/// Which workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowFacts {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Digest of its text.
    pub digest: Digest,
    /// Whose text it is.
    pub origin: Origin,
}

impl WorkflowFacts {
    /// `namespace/name`, as rules match it.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// What of the run is judged.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// The run as a whole, before it starts: kind [`RUN_KIND`] or [`PLAN_KIND`], target `namespace/name`.
    Run,
    /// One step, before its effect.
    Step {
        /// Which.
        step: &'a StepId,
        /// The task's name in the document.
        name: &'a str,
        /// From 1.
        attempt: u32,
        /// What it would do.
        action: &'a Action,
    },
}

/// One question to policy.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// About the run.
    pub facts: &'a Facts,
    /// What of it.
    pub subject: Subject<'a>,
}

impl<'a> Request<'a> {
    /// May this run start?
    pub const fn run(facts: &'a Facts) -> Self {
        Self { facts, subject: Subject::Run }
    }

    /// May this step have its effect?
    pub const fn step(
        facts: &'a Facts,
        step: &'a StepId,
        name: &'a str,
        attempt: u32,
        action: &'a Action,
    ) -> Self {
        Self { facts, subject: Subject::Step { step, name, attempt, action } }
    }

    /// The kind that is judged: the action's, or [`RUN_KIND`], or [`PLAN_KIND`].
    pub fn kind(&self) -> &'a str {
        match self.subject {
            Subject::Run if self.facts.plan.is_some() => PLAN_KIND,
            Subject::Run => RUN_KIND,
            Subject::Step { action, .. } => &action.kind,
        }
    }

    /// The action, if it is a step.
    pub(crate) const fn action(&self) -> Option<&'a Action> {
        match self.subject {
            Subject::Run => None,
            Subject::Step { action, .. } => Some(action),
        }
    }

    pub(crate) fn seen<'s>(&'s self, workflow: &'s str) -> Seen<'s> {
        let action = self.action();
        Seen {
            subject: if action.is_some() { SubjectWord::Step } else { SubjectWord::Run },
            kind: self.kind(),
            target: action.map_or(workflow, |action| &action.target),
            environment: &self.facts.environment,
            principal: &self.facts.principal,
            roles: &self.facts.roles,
            tenant: self.facts.tenant.as_deref(),
            workflow,
            origin: self.facts.workflow.origin,
            effect: action.map(|action| action.effect),
            reversibility: action.map(|action| action.reversibility),
        }
    }

    /// Everything policy sees, as described in `docs/reference/policy.md`. Its digest is the judgement's `input`.
    pub(crate) fn document(&self, quotas: &[QuotaState], now: Timestamp) -> Value {
        let plan = self.plan().map(Text::value);
        serde_json::to_value(self.seen_by_rules(plan, quotas, now)).unwrap_or_default()
    }

    /// The digest of that document, which is not made for it.
    pub(crate) fn digest(&self, quotas: &[QuotaState], now: Timestamp) -> Digest {
        let plan = self.plan();
        let seen = self.seen_by_rules(plan, quotas, now);
        Digest::of_serialized(&seen, || self.document(quotas, now))
    }

    /// The plan, where the run as a whole is judged.
    fn plan(&self) -> Option<&'a Text> {
        self.facts.plan.as_ref().filter(|_| matches!(self.subject, Subject::Run))
    }

    fn seen_by_rules<P>(&self, plan: Option<P>, quotas: &[QuotaState], now: Timestamp) -> Document<'a, P> {
        let facts = self.facts;
        let workflow = &facts.workflow;
        let (step, action) = match self.subject {
            Subject::Run => (None, None),
            Subject::Step { step, name, attempt, action } => {
                (Some(StepPart { id: step.as_str(), name, attempt }), Some(ActionPart::from(action)))
            }
        };
        let whole = action.is_none();
        Document {
            environment: facts.environment.as_str(),
            principal: facts.principal.as_str(),
            via: facts.via.as_ref().map(Principal::as_str),
            roles: facts.roles.iter().map(Role::as_str).collect(),
            tenant: facts.tenant.as_deref(),
            workflow: WorkflowPart {
                namespace: &workflow.namespace,
                name: &workflow.name,
                version: &workflow.version,
                digest: workflow.digest.to_string(),
                // what goes without saying is left out, so that decisions of before repeat bit for bit
                origin: (!workflow.origin.is_project()).then(|| workflow.origin.as_str()),
            },
            run: RunPart {
                id: facts.run.to_string(),
                submitted: rfc3339(facts.submitted),
                parent: facts.parent.map(|parent| parent.to_string()),
                // a run's input can be large, and a run has many steps, so only the run itself is judged with it
                input: whole.then_some(&*facts.input),
            },
            subject: if whole { "run" } else { "step" },
            plan,
            step,
            action,
            time: TimePart { now: rfc3339(now), unix_ms: now.as_millisecond() },
            quotas: quotas.iter().map(quota_document).collect(),
        }
    }
}

/// The one document, as far as it can be on loan. Members are declared in the order of the canonical form, in which they are written.
#[derive(Serialize)]
struct Document<'a, P> {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<ActionPart<'a>>,
    environment: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<P>,
    principal: &'a str,
    quotas: Vec<Value>,
    roles: Vec<&'a str>,
    run: RunPart<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<StepPart<'a>>,
    subject: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    time: TimePart,
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<&'a str>,
    workflow: WorkflowPart<'a>,
}

#[derive(Serialize)]
struct ActionPart<'a> {
    effect: &'static str,
    input: &'a Json,
    kind: &'a str,
    reversibility: &'static str,
    target: &'a str,
    wants: Vec<&'a str>,
}

#[derive(Serialize)]
struct RunPart<'a> {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    submitted: String,
}

#[derive(Serialize)]
struct StepPart<'a> {
    attempt: u32,
    id: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TimePart {
    now: String,
    unix_ms: i64,
}

#[derive(Serialize)]
struct WorkflowPart<'a> {
    digest: String,
    name: &'a str,
    namespace: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'static str>,
    version: &'a str,
}

impl<'a> From<&'a Action> for ActionPart<'a> {
    fn from(action: &'a Action) -> Self {
        Self {
            kind: &action.kind,
            target: &action.target,
            input: &action.input,
            effect: action.effect.as_str(),
            reversibility: action.reversibility.as_str(),
            wants: action.wants.iter().map(|want| want.0.as_str()).collect(),
        }
    }
}

fn quota_document(quota: &QuotaState) -> Value {
    let mut document = json!({
        "rule": quota.rule,
        "key": quota.key,
        "limit": quota.limit,
        "windowSeconds": window_seconds(quota),
        "used": quota.used,
        "remaining": quota.remaining,
    });
    if let (Some(at), Value::Object(members)) = (quota.frees_at, &mut document) {
        members.insert("freesAt".to_owned(), rfc3339(at).into());
    }
    document
}

/// Whole seconds where the window is whole seconds, a fraction otherwise.
pub(crate) fn window_seconds(quota: &QuotaState) -> Value {
    if quota.window.subsec_nanos() == 0 {
        quota.window.as_secs().into()
    } else {
        quota.window.as_secs_f64().into()
    }
}
