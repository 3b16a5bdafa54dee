//! The journal.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// One record of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Place in the journal, from 1.
    pub position: u64,
    /// The stream it belongs to.
    pub stream: String,
    /// Place in the stream, from 1.
    pub sequence: u64,
    /// What happened, in one word: `run.started`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When.
    pub at: String,
    /// Who acted.
    pub actor: String,
    /// The whole record, a `CloudEvent`. Its canonical form (RFC 8785) has the digest.
    pub record: Value,
    /// Digest of the canonical form: the leaf of the Merkle tree.
    pub digest: String,
}

/// Records in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Records {
    /// The records, oldest first.
    pub items: Vec<Record>,
    /// Pass this as `after` to go on; absent: this is the end for now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<u64>,
    /// Position of the journal's last record.
    pub position: u64,
}

/// Which records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct RecordQuery {
    /// Only after this position; of a stream, after this sequence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Only of this stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// How many at most; 200 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}

/// A signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Its id.
    pub checkpoint: String,
    /// How many records it covers.
    pub size: u64,
    /// Merkle root (RFC 9162), hexadecimal.
    pub root: String,
    /// When it was recorded.
    pub at: String,
    /// Position of the record that holds it.
    pub position: u64,
    /// The signed note (C2SP).
    pub note: String,
}

/// A checkpoint, or that there is nothing new to sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checkpointed {
    /// The new checkpoint; absent: the journal has not grown since the last one.
    pub checkpoint: Option<Checkpoint>,
}

/// That a record is in the journal which a checkpoint signs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The record.
    pub record: Record,
    /// Its place in the tree, from 0.
    pub index: u64,
    /// How many records the checkpoint covers.
    pub size: u64,
    /// The root it signs.
    pub root: String,
    /// Hashes from the leaf up, hexadecimal.
    pub path: Vec<String>,
    /// The signed note.
    pub note: String,
    /// The proof as a file (C2SP `tlog-proof`), for `aedile journal verify`.
    pub file: String,
    /// Keys that the journal names, as verifiers of signed notes.
    pub verifiers: Vec<String>,
}

/// That one checkpoint's records are the beginning of another's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Consistency {
    /// How many records the older one covers.
    pub old: u64,
    /// The newer checkpoint.
    pub checkpoint: Checkpoint,
    /// The proof (RFC 9162), hexadecimal.
    pub path: Vec<String>,
}

/// From which checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct ConsistencyQuery {
    /// How many records the older checkpoint covers.
    #[param(minimum = 1)]
    pub old: u64,
}

/// What a verification of the whole journal found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Whether it is whole.
    pub valid: bool,
    /// How many records were read.
    pub records: u64,
    /// How many of them checkpoints cover.
    pub covered: u64,
    /// Digest of the last record.
    pub digest: String,
    /// What is wrong, with the first bad record.
    pub problem: Option<String>,
}

/// Keys that sign checkpoints, or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    /// The keys. Only public halves: a private one never leaves the machine.
    pub keys: Vec<Key>,
}

/// A key that signs checkpoints, or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// The public half, as a verifier of signed notes (C2SP).
    pub verifier: String,
    /// Whether it is the one that signs.
    pub signs: bool,
}

/// A key that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rotated {
    /// The new key's public half. The one before is retired; what it signed still verifies.
    pub verifier: String,
}

/// What came out when the journal was folded again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    /// Position of the journal's last record when it began.
    pub records: u64,
    /// Whether the records fold to the views that are kept.
    pub same: bool,
    /// Rows that are not what they should be; at most 100.
    pub differences: Vec<Difference>,
}

/// A row of a view that is not what the journal folds to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The view.
    pub view: String,
    /// The row as it stands, if it does.
    pub found: Option<String>,
    /// The row as it should be, if it should.
    pub wanted: Option<String>,
}
