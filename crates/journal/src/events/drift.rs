//! Events about what somebody else did to resources, and what was done about it. Resources are named as plans name them,
//! `HOST/RESOURCE`; `HOST/*` stands for a host that could not be reached.

use model::{Digest, DriftClass, OnDrift, RunId, Timestamp};
use serde::{Deserialize, Serialize};

use super::vocabulary;

vocabulary! {
    /// What the drift reconciler saw and did. Stream `drift`: whoever appends to it decides for everybody.
    DriftEvent {
        /// A resource is not as it was applied. Recorded once for each state it is found in.
        Found(Box<DriftFound>) = "drift.found",
        /// It is as it was applied again, or nobody declares it any more.
        Ended(DriftEnded) = "drift.ended",
        /// A run that is to put it right was submitted; recorded together with that.
        Started(Box<DriftStarted>) = "drift.started",
        /// Such a run has ended.
        Settled(Box<DriftSettled>) = "drift.settled",
        /// Something is not put right now although its declaration says so.
        Held(DriftHeld) = "drift.held",
        /// What was put right comes back: somebody else writes there, too. Nothing is put right there any more.
        Fought(Box<DriftFought>) = "drift.fought",
        /// What is found keeps changing. Its changes are not told any more, nothing is put right there; recorded again from time to time.
        Flapped(Box<DriftFlapped>) = "drift.flapped",
        /// Such a fight, or flapping, is over.
        Calmed(DriftCalmed) = "drift.calmed",
        /// A person has taken notice: fights, flapping and refusals are forgotten.
        Acknowledged(DriftAcknowledged) = "drift.acknowledged",
        /// Rounds come to nothing, one after the other. Recorded again whenever that has gone on twice as long.
        Skipped(Box<DriftSkipped>) = "drift.skipped",
        /// A round has looked again.
        Resumed(DriftResumed) = "drift.resumed",
    }
}

/// One attribute that is not as it was applied. Values are texts for people, cut where they are long; secrets are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriftField {
    /// Its name.
    pub name: String,
    /// What is there.
    pub found: String,
    /// What was applied, and is declared.
    pub wanted: String,
    /// Digest of what is there: texts are cut, and two values may have one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<Digest>,
}

/// Data of `drift.found`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriftFound {
    /// The resource.
    pub resource: String,
    /// In which way it is not as it was applied.
    pub class: DriftClass,
    /// Digest of what was found; the same as long as it stays so.
    pub state: Digest,
    /// What its declaration says is to be done.
    pub policy: OnDrift,
    /// Where it differs; empty where it is gone or cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub fields: Vec<DriftField>,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
    /// It was as it was applied at this moment, as far as anybody looked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<Timestamp>,
    /// When it was seen.
    pub seen: Timestamp,
}

/// Data of `drift.ended`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriftEnded {
    /// The resource.
    pub resource: String,
    /// What has ended: that it cannot be read, or that it differs.
    pub class: DriftClass,
    /// When it was seen.
    pub seen: Timestamp,
}

/// One resource that a run is to put right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriftTarget {
    /// The resource.
    pub resource: String,
    /// The state it was found in.
    pub state: Digest,
    /// The attributes that are put right; empty where it is made anew.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub fields: Vec<String>,
}

/// Data of `drift.started`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriftStarted {
    /// The run.
    pub run: RunId,
    /// `propose`: it waits for people, whatever policy says; `repair`: as policy says.
    pub how: OnDrift,
    /// What it puts right.
    pub resources: Vec<DriftTarget>,
    /// Digest of the policy set in force.
    pub policy: Digest,
}

/// How a run that was to put something right ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DriftOutcome {
    /// It did what it says.
    Completed,
    /// Policy or people did not let it, or somebody cancelled it.
    Refused,
    /// It did not work.
    Failed,
    /// It was taken back, because what it was about changed.
    Withdrawn,
}

/// Data of `drift.settled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriftSettled {
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub outcome: DriftOutcome,
    /// The resources that it put right.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub done: Vec<String>,
    /// Why it did not do everything.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
}

/// Data of `drift.held`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriftHeld {
    /// The resource.
    pub resource: String,
    /// The state it was found in.
    pub state: Digest,
    /// Why nothing is done.
    pub why: String,
    /// Until when; absent: until something about it changes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<Timestamp>,
}

/// Aedile's own side of a fight: one time that it put the thing right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriftMended {
    /// By this run.
    pub run: RunId,
    /// When it had ended.
    pub at: Timestamp,
}

/// Data of `drift.fought`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriftFought {
    /// The resource.
    pub resource: String,
    /// The attribute; absent: whether it is there at all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub field: Option<String>,
    /// What Aedile writes.
    pub ours: String,
    /// When it did, oldest first.
    pub mended: Vec<DriftMended>,
    /// What the other one writes.
    pub theirs: String,
    /// What is known of the other one, in words.
    pub who: String,
    /// They did not before this moment, as far as anybody looked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<Timestamp>,
    /// When it was seen that they had.
    pub seen: Timestamp,
}

/// Data of `drift.calmed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriftCalmed {
    /// The resource.
    pub resource: String,
    /// Why the fight, or the flapping, is over.
    pub why: String,
}

/// Data of `drift.acknowledged`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriftAcknowledged {
    /// The resources.
    pub resources: Vec<String>,
    /// Why, in their words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// Data of `drift.flapped`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriftFlapped {
    /// The resource.
    pub resource: String,
    /// The attributes that keep changing.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub fields: Vec<String>,
    /// Whether it keeps coming and going, or can be read at one look and not at the next.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub presence: bool,
    /// Digest of what was found now; absent: it was as it was applied.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<Digest>,
    /// How often it was found otherwise than before, at least: looks of processes that ended meanwhile are not counted.
    pub changes: u64,
    /// When the first of these changes was recorded.
    pub since: Timestamp,
    /// When the last was seen.
    pub seen: Timestamp,
}

/// Data of `drift.skipped`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriftSkipped {
    /// When the first round was skipped.
    pub since: Timestamp,
    /// How many were since then, one after the other, at least.
    pub rounds: u64,
    /// When the last was.
    pub seen: Timestamp,
    /// Why the last was, in words.
    pub why: String,
    /// The run that applied something meanwhile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run: Option<RunId>,
    /// The code of what was wrong, where it was not a run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
}

/// Data of `drift.resumed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriftResumed {
    /// When the first round was skipped.
    pub since: Timestamp,
    /// How many were, one after the other, at least.
    pub rounds: u64,
    /// When it was looked again.
    pub seen: Timestamp,
}
