//! The event vocabulary: one enum per object, past tense, and nowhere a second one.
//!
//! An event is written as its type (`run.started`) and its data. Data only ever grows by optional members; a change
//! that readers of version 1 would misread gets a new type.
//!
//! | stream | events |
//! |---|---|
//! | `run_...` | [`RunEvent`], [`StepEvent`], [`TimerEvent`], [`ListenEvent`] |
//! | `apr_...` | [`ApprovalEvent`] |
//! | `quota/KEY` | [`QuotaEvent`] |
//! | `drift` | [`DriftEvent`] |
//! | `definition/DIGEST` | [`DefinitionEvent`] |
//! | `submission/DIGEST` | [`SubmissionEvent`] |
//! | `schedule/NAMESPACE/NAME` | [`ScheduleEvent`] |
//! | `bus` | [`BusEvent`] |
//! | `environment` | [`EnvironmentEvent`] |
//! | `rules` | [`RulesEvent`] |
//! | `account/PRINCIPAL`, `administrators`, `token/ID`, `link/DIGEST`, `session/ID`, `logins` | [`IdentityEvent`] |

mod approval;
mod definition;
mod drift;
mod environment;
mod identity;
mod run;
mod step;

pub use approval::{ApprovalEvent, Asked, Decided, Escalated, LevelRecord, Refused, Vote};
pub use definition::{Definition, DefinitionEvent, DefinitionPart};
pub use drift::{
    DriftAcknowledged, DriftCalmed, DriftEnded, DriftEvent, DriftField, DriftFlapped, DriftFought,
    DriftFound, DriftHeld, DriftMended, DriftOutcome, DriftResumed, DriftSettled, DriftSkipped, DriftStarted,
    DriftTarget,
};
pub use environment::{
    Anchored, BusEvent, CheckpointSigned, Claim, EnvironmentEvent, Firing, Initialised, KeyAdded, KeyRetired,
    Published, QuotaEvent, QuotaUse, RulesChanged, RulesEvent, ScheduleEvent, SubmissionEvent,
};
pub use identity::{
    AccountAdded, AccountBound, AccountChanged, Federated, IdentityEvent, LinkIssued, LinkUsed, LoginMeans,
    LoginRefused, ScopeRecord, SessionClosed, SessionEnd, SessionOpened, TokenIssued, TokenRevoked,
};
pub use run::{
    Ended, EndedBadly, MatchedRecord, Nothing, Owner, Parent, ProgramRecord, Reason, RetryFrom, RunEvent,
    Signal, Submitted, VerdictRecord,
};
pub use step::{
    ActionRecord, Answered, AskedStep, ChildRun, Deferred, Doubt, HeldQuota, ListenEvent, Listening,
    Received, Resolved, Scheduled, StepEvent, StepFault, StepResult, Stopped, TimerEvent, TimerNamed,
    TimerSet,
};

pub use crate::limits::RECORD_BYTES_MAX;

/// A type and data that do not belong together, or a type that this version does not know.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The type is unknown: the journal was written by a newer version.
    #[error("event type {0} is unknown to this version of Aedile")]
    UnknownType(String),
    /// The data does not have the form of its type.
    #[error("data of event type {kind} is malformed")]
    Malformed {
        /// The type.
        kind: String,
        /// What the decoder said.
        source: serde_json::Error,
    },
}

/// Declares one object's enum: variants, their type names, their data.
macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident($data:ty) = $kind:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $name { $($(#[$vdoc])* $variant($data),)* }

        impl $name {
            /// Every type name of this object.
            pub const KINDS: &[&str] = &[$($kind),*];

            /// The type name.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind),* }
            }

            /// Adds the schema of the data of each type.
            #[cfg(feature = "schema")]
            pub(crate) fn schemas(
                generator: &mut schemars::SchemaGenerator,
                into: &mut Vec<(&'static str, schemars::Schema)>,
            ) {
                $(into.push(($kind, generator.subschema_for::<$data>()));)*
            }

            pub(crate) fn data<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$variant(data) => serde::Serialize::serialize(data, serializer)),* }
            }

            pub(crate) fn decode(kind: &str, data: &str) -> Option<Result<Self, serde_json::Error>> {
                match kind {
                    $($kind => Some(serde_json::from_str::<$data>(data).map(Self::$variant)),)*
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use vocabulary;

macro_rules! objects {
    ($($(#[$doc:meta])* $variant:ident($data:ty),)*) => {
        /// Anything that happened.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Event { $($(#[$doc])* $variant($data),)* }

        impl Event {
            /// The type name, for example `run.started`.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(event) => event.kind()),* }
            }

            /// Reads an event from its type and the JSON text of its data.
            pub fn decode(kind: &str, data: &str) -> Result<Self, DecodeError> {
                $(if let Some(decoded) = <$data>::decode(kind, data) {
                    return decoded
                        .map(Self::$variant)
                        .map_err(|source| DecodeError::Malformed { kind: kind.to_owned(), source });
                })*
                Err(DecodeError::UnknownType(kind.to_owned()))
            }

            /// The schema of the data of every type.
            #[cfg(feature = "schema")]
            pub(crate) fn schemas(
                generator: &mut schemars::SchemaGenerator,
            ) -> Vec<(&'static str, schemars::Schema)> {
                let mut schemas = Vec::new();
                $(<$data>::schemas(generator, &mut schemas);)*
                schemas
            }

            /// Every type name there is.
            pub fn kinds() -> impl Iterator<Item = &'static str> {
                [$(<$data>::KINDS),*].into_iter().flatten().copied()
            }
        }

        /// Serialises the data alone; the type is [`Event::kind`].
        impl serde::Serialize for Event {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$variant(event) => event.data(serializer)),* }
            }
        }

        $(impl From<$data> for Event {
            fn from(event: $data) -> Self {
                Self::$variant(event)
            }
        })*
    };
}

objects! {
    /// About a run as a whole.
    Run(RunEvent),
    /// About one step of a run.
    Step(StepEvent),
    /// About a timer of a run.
    Timer(TimerEvent),
    /// About a step that listens.
    Listen(ListenEvent),
    /// About a question to people.
    Approval(ApprovalEvent),
    /// About a counted use.
    Quota(QuotaEvent),
    /// About a submitter's own key.
    Submission(SubmissionEvent),
    /// About a schedule.
    Schedule(ScheduleEvent),
    /// About drift.
    Drift(DriftEvent),
    /// About a definition that runs refer to.
    Definition(DefinitionEvent),
    /// On the environment's bus.
    Bus(BusEvent),
    /// About the environment.
    Environment(EnvironmentEvent),
    /// About the rules in force.
    Rules(RulesEvent),
    /// About who signs in to a server.
    Identity(IdentityEvent),
}
