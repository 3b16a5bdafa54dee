//! How a plan is applied: how much at once, which hosts first, when to stop.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// The input of a run that applies a plan, apart from the plan. None of it changes what is done, only when, and how much
/// of it before people look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Options {
    /// Most changes at the same time; 0 means 512.
    pub concurrency: u32,
    /// Most changes of one host at the same time; 0 means as many as at all.
    pub per_host: u32,
    /// How often a change is tried again after a failure that may pass.
    pub max_retries: u32,
    /// The pause before the first retry in milliseconds; it doubles from there, and is drawn between nothing and that.
    pub retry_millis: u64,
    /// How many hosts go first, alone; a failure on one of them ends the run. 0: none.
    pub canary: u32,
    /// How many hosts go at the same time after that; 0: all.
    pub batch: u32,
    /// On how many hosts something may fail before nothing more is begun; absent: any number.
    pub max_failures: Option<u32>,
    /// Nobody in particular proposes it, so people agree before it begins, whatever policy says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
}

/// The consent that a plan has to have before it is applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Consent {
    /// The chain of approval, by name; policy's default one where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// Why, one line.
    pub because: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 0,
            per_host: 0,
            max_retries: 3,
            retry_millis: 1_000,
            canary: 0,
            batch: 0,
            max_failures: None,
            consent: None,
        }
    }
}

impl Options {
    pub(super) fn overall(&self) -> u32 {
        match self.concurrency {
            0 => limits::CONCURRENCY_DEFAULT,
            wanted => wanted.min(limits::CONCURRENCY_MAX),
        }
    }

    pub(super) fn on_a_host(&self) -> u32 {
        if self.per_host == 0 { self.overall() } else { self.per_host.min(self.overall()) }
    }

    /// The stage of the host that is `place`th among the hosts that are changed.
    pub(super) fn stage_of(&self, place: u32) -> u32 {
        if place < self.canary {
            return 0;
        }
        let first = u32::from(self.canary > 0);
        first + (place - self.canary).checked_div(self.batch).unwrap_or(0)
    }
}
