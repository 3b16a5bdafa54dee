//! `policy.yaml` as it is written. The JSON Schema is made from these types, so reader and schema cannot differ.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, IntoDeserializer, SeqAccess, Visitor};

use crate::matching::{Match, Patterns};
use crate::source::At;

/// A project's policy.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Policy")]
pub(crate) struct PolicyFile {
    /// The answer when no rule has a say: `allow` (when left out) or `deny`.
    pub(crate) default: DefaultWord,
    /// Actions that are allowed although the default is `deny`.
    pub(crate) allow: Vec<At<RuleFile>>,
    /// Actions that are denied, whatever else is said.
    pub(crate) deny: Vec<At<RuleFile>>,
    /// What actions may reach: programs, hosts, key-value namespaces. What is not granted is denied.
    pub(crate) grants: Vec<At<GrantFile>>,
    /// How often something may be done within a sliding window.
    pub(crate) quotas: Vec<At<QuotaFile>>,
    /// When something may be done.
    pub(crate) windows: Vec<At<WindowFile>>,
    /// Approval chains by name.
    pub(crate) chains: BTreeMap<String, At<ChainFile>>,
    /// The chain of approvals that name neither a chain nor levels.
    pub(crate) default_chain: Option<At<String>>,
    /// What needs approval, and by which chain.
    pub(crate) require: Vec<At<RequireFile>>,
}

/// The answer when no rule has a say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Default")]
pub(crate) enum DefaultWord {
    /// Go ahead.
    #[default]
    Allow,
    /// Do not.
    Deny,
}

/// A plain rule.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Rule")]
pub(crate) struct RuleFile {
    /// What it is about.
    #[serde(rename = "match", default)]
    pub(crate) matching: Match,
    /// Why, shown to the person.
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

/// What some actions may reach.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Grant")]
pub(crate) struct GrantFile {
    /// Who and what it is for.
    #[serde(rename = "match", default)]
    pub(crate) matching: Match,
    /// Names of WASM actions it is for; left out: it is for actions that are not WASM.
    #[serde(default)]
    pub(crate) wasm: Patterns,
    /// `run:shell`, `run:script`, `run:container`, `run:workflow`, `http:HOST[:PORT] [METHOD ...]`;
    /// for changes of resources `read:PATH`, `write:PATH`, `exec:PROGRAM ARGUMENTS`, `query:PROGRAM ARGUMENTS` and
    /// `tcp:HOST:PORT`, in which `*` stands for any text;
    /// for WASM actions `log`, `clock`, `random`, `kv:NAMESPACE [read]` and `http:HOST[:PORT] [METHOD ...]`.
    #[schemars(length(min = 1, max = 256))]
    pub(crate) capabilities: Vec<At<String>>,
    /// What one call of a WASM action may use; only together with `wasm`.
    #[serde(default)]
    pub(crate) limits: Option<At<LimitsFile>>,
}

/// What one call of a WASM action may use. The sandbox's own ceilings stay.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Limits")]
pub(crate) struct LimitsFile {
    /// Linear memory in bytes.
    #[schemars(range(min = 65_536, max = 4_294_967_296_u64))]
    pub(crate) memory_bytes: Option<u64>,
    /// Wall-clock time, a duration such as `PT10S`.
    pub(crate) time: Option<At<String>>,
    /// Instructions, counted the same on every machine.
    #[schemars(range(min = 1))]
    pub(crate) fuel: Option<u64>,
    /// Size of the output in bytes.
    #[schemars(range(min = 1))]
    pub(crate) output_bytes: Option<u64>,
    /// HTTP requests.
    pub(crate) http_requests: Option<u32>,
}

/// How often something may be done.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Quota")]
pub(crate) struct QuotaFile {
    /// Name of the counter; made from the match when left out. Renaming starts a new count.
    #[serde(default)]
    pub(crate) name: Option<At<String>>,
    /// Of the quotas of one group only the most specific one that matches counts: with tenant and action,
    /// with tenant, with action, with neither; of two equally specific ones the first.
    #[serde(default)]
    pub(crate) group: Option<At<String>>,
    /// What is counted.
    #[serde(rename = "match", default)]
    pub(crate) matching: Match,
    /// How many within the window, from 0.
    #[schemars(range(max = 1_000_000))]
    pub(crate) limit: At<i64>,
    /// Length of the sliding window, a duration such as `PT1H` or `24h`.
    pub(crate) window: At<String>,
    /// Separate counters for each of these; left out: one counter.
    #[serde(default)]
    pub(crate) per: PerFile,
    /// What happens to the action that is one too many.
    #[serde(default)]
    pub(crate) on_exceed: WhenWord,
}

/// One dimension of a quota's counters, or several.
#[derive(Debug, Default)]
pub(crate) struct PerFile(pub(crate) Vec<Dimension>);

impl<'de> Deserialize<'de> for PerFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = PerFile;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("principal, environment, kind, tenant, workflow, target, or a list of them")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<PerFile, E> {
                Dimension::deserialize(text.into_deserializer()).map(|dimension| PerFile(vec![dimension]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<PerFile, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(PerFile)
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

impl JsonSchema for PerFile {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Per".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Dimension>();
        json_schema!({"oneOf": [one, {"type": "array", "items": one}]})
    }
}

/// What a quota counts separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Dimension {
    /// Who acts.
    Principal,
    /// The environment.
    Environment,
    /// The kind of action.
    Kind,
    /// The tenant of who acts.
    Tenant,
    /// The workflow.
    Workflow,
    /// What the action acts on.
    Target,
}

/// Refuse, or wait until it is possible.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum WhenWord {
    /// Refuse.
    #[default]
    Deny,
    /// Wait.
    Defer,
}

/// When something may be done, or may not.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Window")]
pub(crate) struct WindowFile {
    /// What it is called, shown to the person.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// What it is about.
    #[serde(rename = "match", default)]
    pub(crate) matching: Match,
    /// Whether the window is a time to act or a time not to.
    pub(crate) action: WindowWord,
    /// Week days on which it begins: `Mon` to `Sun`; left out: every day.
    #[serde(default)]
    pub(crate) days: Vec<DayWord>,
    /// Dates on which it begins: `2026-12-24` or `2026-12-20/2027-01-02` (both included); left out: every date.
    #[serde(default)]
    pub(crate) dates: Vec<At<String>>,
    /// Time of day at which it begins, `HH:MM`; left out: 00:00.
    #[serde(default)]
    pub(crate) from: Option<At<String>>,
    /// Time of day at which it ends, `HH:MM`, not included; before `from`: on the next day; left out: 24:00.
    #[serde(default)]
    pub(crate) to: Option<At<String>>,
    /// IANA time zone of all of the above; left out: UTC.
    #[serde(default)]
    pub(crate) time_zone: Option<At<String>>,
    /// What happens to an action at a time that is closed: refused, or held until it opens.
    #[serde(default)]
    pub(crate) when_closed: WhenWord,
}

/// Whether a window is a time to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum WindowWord {
    /// A time to act.
    Allow,
    /// A time not to act.
    Deny,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) enum DayWord {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// Levels that must be passed one after the other.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Chain")]
pub(crate) struct ChainFile {
    /// At least one.
    #[schemars(length(min = 1, max = 16))]
    pub(crate) levels: Vec<At<LevelFile>>,
}

/// One level of a chain.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Level")]
pub(crate) struct LevelFile {
    /// Consecutive, starting from 1; may be left out everywhere.
    #[serde(default)]
    pub(crate) level: Option<At<i64>>,
    /// Any of these roles may decide. At least one.
    pub(crate) roles: At<Vec<String>>,
    /// How many different people must grant; left out: 1.
    #[serde(default)]
    pub(crate) quorum: Option<At<i64>>,
    /// How long the level waits, a duration such as `PT4H`; left out: for ever.
    #[serde(default)]
    pub(crate) within: Option<At<String>>,
    /// What happens then: `deny` (when left out) or `escalate` to the next level.
    #[serde(default)]
    pub(crate) on_timeout: TimeoutWord,
    /// Whether one person with one of the roles may override all remaining levels in an emergency.
    #[serde(default)]
    pub(crate) emergency_override: bool,
}

/// What happens when nobody decides in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum TimeoutWord {
    /// The approval expires, which denies.
    #[default]
    Deny,
    /// The next level is asked; the last level expires.
    Escalate,
}

/// What needs approval.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Require")]
pub(crate) struct RequireFile {
    /// What needs it.
    #[serde(rename = "match", default)]
    pub(crate) matching: Match,
    /// The chain that must be granted.
    pub(crate) chain: At<String>,
    /// Why, shown to the person.
    #[serde(default)]
    pub(crate) reason: Option<String>,
}
