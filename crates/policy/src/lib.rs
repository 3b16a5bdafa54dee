//! Policy: may this be done, by whom, when, how often, and who must agree?
//!
//! A [`PolicySet`] is compiled once from a project's `policy.yaml` and `*.rego` files and asked about every run and
//! every step ([`PolicySet::decide`]). The answer is a [`Decision`]: allow, deny, require approvals, or defer until
//! a moment, always with the rules that had a say and a digest of everything they saw. [`Approval`] is the state
//! machine of one question to people. [`Access`] says who holds which role.
//!
//! Pure: no I/O, no clock, no randomness, the same answer to the same question on every machine. The caller brings
//! the texts, the time and the uses of quotas ([`QuotaView`]). It never performs, never asks people, never stores.
//! Whatever cannot be evaluated is denied.
//!
//! ```
//! use policy::{Facts, NothingUsed, PolicySet, Request, Source, WorkflowFacts};
//!
//! let text = "windows: [{action: deny, days: [Sun], from: '02:00', to: '04:00'}]";
//! let (set, findings) = PolicySet::compile(&[Source::new("policy.yaml", text)]);
//! let set = set.expect("there are no errors in it");
//! assert!(findings.is_empty());
//!
//! let facts = Facts {
//!     environment: "prod".parse()?,
//!     principal: "user:maria".parse()?,
//!     via: None,
//!     roles: vec![],
//!     tenant: None,
//!     workflow: WorkflowFacts {
//!         namespace: "ops".into(),
//!         name: "release".into(),
//!         version: "1.0.0".into(),
//!         digest: model::Digest::of(b"..."),
//!         origin: model::Origin::Project,
//!     },
//!     run: model::RunId::from_parts(1, 1),
//!     submitted: "2026-11-22T03:00:00Z".parse()?,
//!     parent: None,
//!     plan: None,
//!     input: std::sync::Arc::default(),
//! };
//! let sunday_at_three = "2026-11-22T03:00:00Z".parse()?;
//! let decision = set.decide(&Request::run(&facts), &NothingUsed, sunday_at_three);
//! assert_eq!(decision.judgement.verdict.as_str(), "deny");
//! assert_eq!(decision.record().decision.reason, Some("time_policy_denied"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod approval;
mod chains;
pub mod compact;
mod decide;
mod decision;
mod document;
mod explain;
mod file;
mod grant;
pub mod limits;
mod listing;
mod matching;
mod permission;
mod quota;
mod refusal;
mod rego;
mod rego_check;
mod request;
mod schema;
mod set;
mod source;
pub mod testing;
mod window;

pub use access::{Access, ActAsError, Persons};
pub use approval::{Approval, ApprovalChange, Approver, Choice, Ended, Question, Ruling, binding};
pub use chains::{ChainError, check_levels};
pub use decision::{Cause, Decision, DecisionRecord, Foretold, QuotaRecord, Ruling as DecisionRuling};
pub use document::ReplayError;
pub use explain::{ExplainedRule, Explanation, explain};
pub use grant::{ActionLimits, Granted, WASM_DEFAULT};
pub use listing::ListedRule;
pub use matching::glob;
pub use permission::{DEFAULT_PERMISSIONS, Forbidden};
pub use quota::{NothingUsed, QuotaLedger, QuotaState, QuotaUnavailable, QuotaView, Reservation};
pub use refusal::Refusal;
pub use request::{Facts, PLAN_KIND, RUN_KIND, Request, Subject, WorkflowFacts};
pub use schema::schemas;
pub use set::PolicySet;
pub use source::Source;
