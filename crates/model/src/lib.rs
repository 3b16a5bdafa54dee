//! The words that carry Aedile: ids, principals, environments, actions, verdicts, approvals,
//! digests, durations and error codes, and the one seam every change goes through: [`Program`].
//!
//! This crate is for every other crate: it is the vocabulary they share, so that one word means one
//! thing in code, command line, API and documentation. It never does I/O, never reads a clock, never
//! draws randomness and is never async: the caller passes time and entropy in.
//!
//! Scalars (ids, digests, principals, timestamps) and types with a standard wire form (RFC 9457
//! problems, CloudEvents) can be serialised; the compound domain types deliberately cannot. Wire forms
//! of those live with the journal's records and the API. Values of no type of ours are [`Json`].
//!
//! ```
//! use model::{Digest, Principal, RunId};
//!
//! let run = RunId::from_parts(1_700_000_000_000, 42);
//! assert!(run.to_string().starts_with("run_"));
//! assert_eq!("user:maria".parse::<Principal>().unwrap().name(), "maria");
//! assert_eq!(Digest::of(b"").to_string().len(), "sha256:".len() + 64);
//! ```

pub mod action;
pub mod approval;
pub mod canonical;
pub mod code;
pub mod diagnostic;
pub mod digest;
pub mod drift;
pub mod event;
pub mod id;
pub mod json;
pub mod origin;
pub mod permission;
pub mod principal;
pub mod problem;
pub mod program;
#[cfg(feature = "schema")]
mod schema;
pub mod secret;
pub mod time;
pub mod verdict;

pub use action::{Action, Capability, EffectClass, Reversibility};
pub use approval::{ApprovalOutcome, ApprovalRequest, Chain, Level, OnTimeout};
pub use code::{Code, Coded, Exit};
pub use diagnostic::{Diagnostic, Location, Severity};
pub use digest::Digest;
pub use drift::{DriftClass, OnDrift};
pub use event::CloudEvent;
pub use id::{ApprovalId, CheckpointId, EventId, PlanId, RunId, SessionId, TokenId};
pub use json::Json;
pub use origin::Origin;
pub use permission::Permission;
pub use principal::{Environment, Principal, Role};
pub use problem::Problem;
pub use program::{Consent, Event, Happening, Outcome, Program, Step, StepId, StepRef};
pub use secret::SecretPlace;
pub use time::Timestamp;
pub use verdict::{Judgement, MatchedRule, Verdict};
