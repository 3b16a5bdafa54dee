//! Approvals.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// A question to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Its id.
    pub approval: String,
    /// The run that asks.
    pub run: String,
    /// The step that asks.
    pub step: String,
    /// What is asked, one line.
    pub title: String,
    /// `waiting`, `granted`, `denied`, `expired`, `overridden` or `withdrawn`.
    pub status: String,
    /// The chain of levels that policy asks for.
    pub chain: String,
    /// The current level, from 1.
    pub level: u32,
    /// All levels.
    pub levels: Vec<Level>,
    /// Who has granted at the current level.
    pub votes: Vec<String>,
    /// Who asks.
    pub requester: String,
    /// Digest of what is approved, of the policy and of the facts: what a decision is about.
    pub binding: String,
    /// When it was asked.
    pub asked_at: String,
    /// When the current level runs out.
    pub expires_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// Who ended it.
    pub ended_by: Option<String>,
    /// Why it ended so.
    pub reason: Option<String>,
    /// Position of the record that asked.
    pub position: u64,
}

/// One level of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Level {
    /// From 1.
    pub level: u32,
    /// Holders of any of these roles may decide.
    pub roles: Vec<String>,
    /// How many must grant.
    pub quorum: u32,
    /// How long it waits.
    pub within_ms: Option<u64>,
    /// What happens then: `deny` or `escalate`.
    pub on_timeout: String,
    /// Whether it can be overridden in an emergency.
    pub emergency_override: bool,
    /// Who holds the roles.
    #[serde(default)]
    pub holders: Vec<String>,
}

/// Everything about one approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalDetail {
    /// As in the list.
    #[serde(flatten)]
    pub approval: Approval,
    /// What exactly is asked: the action or plan, its effect, reversibility, reach.
    pub asked: Value,
    /// What the caller may do about it.
    pub you: Powers,
}

/// What the caller may do about an approval, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Powers {
    /// Whether they may grant and deny.
    pub decide: bool,
    /// Whether they may override.
    #[serde(rename = "override")]
    pub override_: bool,
    /// Whether they may take it back.
    pub withdraw: bool,
    /// Why not, where they may not decide.
    pub why_not: Option<String>,
}

/// Which approvals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct ApprovalQuery {
    /// Only with one of these, separated by commas: `waiting`, `granted`, `denied`, `expired`, `overridden`, `withdrawn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Only of this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Only whose id begins so, with or without `apr_`; at most 100 of these, without a next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How many at most; 50 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A decision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Decision {
    /// Why; kept in the journal. An override and a withdrawal need one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The `binding` that the decider was shown. A decision on anything else is void.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
}

/// What a decision led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// The approval.
    pub approval: String,
    /// Who decided.
    pub by: String,
    /// `granted`, `denied`, `overridden`, `withdrawn`; `waiting` where more is needed; `noop` where it changed nothing.
    pub status: String,
    /// What to tell, where it changed nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The current level, where more is needed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub level: Option<u32>,
    /// How many more must grant at that level.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub missing: Option<u32>,
}
