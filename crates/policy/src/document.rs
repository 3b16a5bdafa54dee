//! The document policy sees, read back: to repeat a decision, and to describe the document to people.

use std::sync::Arc;

use model::canonical::Text;
use model::{
    Action, Capability, Digest, EffectClass, Origin, Principal, Reversibility, Role, StepId, Timestamp,
    time::SignedDuration,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::decision::Decision;
use crate::matching::SubjectWord;
use crate::quota::{QuotaUnavailable, QuotaView};
use crate::request::{Facts, Request, WorkflowFacts};
use crate::set::PolicySet;

/// What a policy sees: the Rego `input`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PolicyInput")]
pub(crate) struct InputDocument {
    /// `run`: a run as a whole, before it starts; `step`: one of its steps, before its effect.
    subject: SubjectWord,
    /// The environment.
    environment: String,
    /// Who acts, `user:maria`.
    principal: String,
    /// The operating system's user behind them, where they act for another principal.
    #[serde(default)]
    via: Option<String>,
    /// Their roles.
    roles: Vec<String>,
    /// Their tenant.
    #[serde(default)]
    tenant: Option<String>,
    /// What is carried out.
    workflow: WorkflowDocument,
    /// The run.
    run: RunDocument,
    /// The plan that the run applies, see `plan.schema.json`; only where such a run as a whole is judged.
    #[serde(default)]
    plan: Option<Value>,
    /// The step; for steps.
    #[serde(default)]
    step: Option<StepDocument>,
    /// What the step would do; for steps.
    #[serde(default)]
    action: Option<ActionDocument>,
    /// When it is judged.
    time: TimeDocument,
    /// Every quota that applies.
    quotas: Vec<QuotaDocument>,
}

/// Which workflow.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct WorkflowDocument {
    /// Namespace.
    namespace: String,
    /// Name.
    name: String,
    /// Version.
    version: String,
    /// Digest of its text.
    digest: String,
    /// `caller` where whoever asked for the run sent the text along; absent where it is the project's.
    #[serde(default)]
    #[schemars(with = "Option<Origin>")]
    origin: Origin,
}

/// The run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct RunDocument {
    /// Its id.
    id: String,
    /// When it was submitted, RFC 3339.
    submitted: String,
    /// The run that started it.
    #[serde(default)]
    parent: Option<String>,
    /// Its input; only where the run as a whole is judged.
    #[serde(default)]
    input: Option<Value>,
}

/// The step.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct StepDocument {
    /// Its id, a JSON pointer into the workflow.
    id: String,
    /// The task's name.
    name: String,
    /// From 1.
    attempt: u32,
}

/// What the step would do.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PolicyAction")]
pub(crate) struct ActionDocument {
    /// `http.call`, `run.shell`, `wasm.NAME`, ...
    kind: String,
    /// What it acts on.
    #[serde(default)]
    target: String,
    /// Its input, secrets replaced by references.
    #[serde(default)]
    input: Value,
    /// `read`, `idempotent`, `verifiable` or `once`.
    #[serde(default = "once")]
    effect: String,
    /// `no-change`, `reversible` or `irreversible`.
    #[serde(default = "irreversible")]
    reversibility: String,
    /// Capabilities it declares.
    #[serde(default)]
    wants: Vec<String>,
}

fn once() -> String {
    EffectClass::Once.as_str().to_owned()
}

fn irreversible() -> String {
    Reversibility::Irreversible.as_str().to_owned()
}

/// When.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
struct TimeDocument {
    /// RFC 3339 in UTC with milliseconds.
    #[allow(dead_code, reason = "part of the description; the number beside it says the same")]
    now: String,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    unix_ms: i64,
}

/// A quota that applies.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
struct QuotaDocument {
    /// Where the rule stands.
    #[allow(dead_code, reason = "part of the description")]
    rule: String,
    /// The counter.
    key: String,
    /// How many are allowed within the window.
    limit: u64,
    /// Length of the window in seconds.
    window_seconds: f64,
    /// How many were used before this action.
    used: u64,
    /// How many are left after it.
    #[allow(dead_code, reason = "part of the description")]
    remaining: u64,
    /// When there is room again, RFC 3339; only when all are used.
    #[serde(default)]
    frees_at: Option<String>,
}

/// A document that is not one of a decision.
#[derive(Debug, thiserror::Error)]
#[error("this is not the document of a decision: {0}")]
pub struct ReplayError(String);

impl model::Coded for ReplayError {
    fn code(&self) -> &'static model::Code {
        model::code::policy::UNEVALUABLE
    }
}

impl ActionDocument {
    pub(crate) fn action(&self) -> Result<Action, String> {
        let effect = EffectClass::from_word(&self.effect);
        let reversibility = Reversibility::from_word(&self.reversibility);
        Ok(Action {
            kind: self.kind.clone(),
            target: self.target.clone(),
            input: self.input.clone().into(),
            effect: effect.ok_or_else(|| format!("`{}` is not an effect class", self.effect))?,
            reversibility: reversibility
                .ok_or_else(|| format!("`{}` is not a reversibility", self.reversibility))?,
            wants: self.wants.iter().cloned().map(Capability).collect(),
            idempotency_key: String::new(),
        })
    }
}

impl PolicySet {
    /// Repeats a decision from its document ([`Decision::document`]). The same policy gives the same decision, bit for
    /// bit; another policy shows what it would have decided, as far as the document has the uses of its quotas.
    pub fn replay(&self, document: &Value) -> Result<Decision, ReplayError> {
        let read = InputDocument::deserialize(document).map_err(|error| ReplayError(error.to_string()))?;
        let facts = read.facts().map_err(ReplayError)?;
        let now =
            Timestamp::from_millisecond(read.time.unix_ms).map_err(|error| ReplayError(error.to_string()))?;
        let uses = Recorded { quotas: &read.quotas, now };
        if read.subject == SubjectWord::Run {
            return Ok(self.decide(&Request::run(&facts), &uses, now));
        }
        let given = read.action.as_ref().ok_or_else(|| ReplayError("a step has an action".to_owned()))?;
        let action = given.action().map_err(ReplayError)?;
        let step = read.step.as_ref().ok_or_else(|| ReplayError("a step has an id".to_owned()))?;
        let id = StepId::new(step.id.as_str());
        Ok(self.decide(&Request::step(&facts, &id, &step.name, step.attempt, &action), &uses, now))
    }
}

impl InputDocument {
    fn facts(&self) -> Result<Facts, String> {
        fn read<T: std::str::FromStr>(text: &str) -> Result<T, String>
        where
            T::Err: std::fmt::Display,
        {
            text.parse().map_err(|error: T::Err| error.to_string())
        }
        Ok(Facts {
            environment: read(&self.environment)?,
            principal: read(&self.principal)?,
            via: self.via.as_deref().map(read::<Principal>).transpose()?,
            roles: self.roles.iter().map(|role| read::<Role>(role)).collect::<Result<_, _>>()?,
            tenant: self.tenant.clone(),
            workflow: WorkflowFacts {
                namespace: self.workflow.namespace.clone(),
                name: self.workflow.name.clone(),
                version: self.workflow.version.clone(),
                digest: read::<Digest>(&self.workflow.digest)?,
                origin: self.workflow.origin,
            },
            run: read(&self.run.id)?,
            submitted: read(&self.run.submitted)?,
            parent: self.run.parent.as_deref().map(read).transpose()?,
            input: Arc::new(self.run.input.clone().unwrap_or_default()),
            plan: self.plan.as_ref().map(Text::from),
        })
    }
}

/// Uses as a document has them: as many as were counted, so that there is room again at the moment it says.
struct Recorded<'a> {
    quotas: &'a [QuotaDocument],
    now: Timestamp,
}

impl QuotaView for Recorded<'_> {
    fn uses(&self, key: &str, _: Timestamp) -> Result<Vec<(Timestamp, u64)>, QuotaUnavailable> {
        let Some(quota) = self.quotas.iter().find(|quota| quota.key == key) else { return Ok(Vec::new()) };
        let unavailable = |why: String| QuotaUnavailable { key: key.to_owned(), why };
        let Some(frees_at) = &quota.frees_at else { return Ok(vec![(self.now, quota.used)]) };
        let frees_at: Timestamp =
            frees_at.parse().map_err(|error: jiff::Error| unavailable(error.to_string()))?;
        let window = SignedDuration::try_from_secs_f64(quota.window_seconds)
            .map_err(|e| unavailable(e.to_string()))?;
        let oldest = frees_at.checked_sub(window).map_err(|error| unavailable(error.to_string()))?;
        let surplus = (quota.used + 1).saturating_sub(quota.limit);
        Ok(vec![(oldest, surplus), (self.now, quota.used.saturating_sub(surplus))])
    }
}
