//! Keeps hosts as they were applied: looks at them from time to time, and does about drift what each resource's declaration says.
//!
//! What is seen and done is recorded in the stream `drift`, and every append to it is conditional, so that any number of
//! processes may keep the same environment: one of them decides, the others see what it decided. Nothing else is remembered, so a
//! restart changes nothing.
//!
//! A round is: take notice of how runs ended, [`look`](Lookout::look), [`decide`], record, start runs. [`decide`] is a function
//! of plain data. It tells people of each state once; puts right what is to be, within [`Rules`]; and where the same thing comes
//! back after it was put right [`Rules::fight_repairs`] times within [`Rules::fight_within`], it stops, and says who fights.
//! Such a fight ends when somebody other than this reconciler applies the resource, when a person acknowledges it, or when the
//! resource stayed as it was applied for [`Rules::fight_within`]. What changes again and again without having been put right
//! [flaps](flapping): that is told when it begins and once a day, and nothing is put right there. It ends when it
//! is steady, when a person applies the resource or acknowledges it.
//!
//! Rounds that come to nothing, because a run applies something or because nothing can be looked at, are recorded when there were
//! [several](crate::limits::DRIFT_SKIPS_MAX) in a row, and whenever that has gone on twice as long.

mod decide;
mod flapping;
mod keep;
mod rounds;
mod standing;

use std::collections::BTreeMap;

use journal::events::DriftField;
use model::time::SignedDuration;
use model::{Code, Digest, DriftClass, OnDrift, Principal, RunId, Timestamp};
use serde_json::Value;

pub use decide::{Decisions, Start, decide};
pub use keep::{News, acknowledge};
pub use rounds::Rounds;
pub use standing::{Fight, Flapping, Found, Skipped, Standing, Trial, standing};

use crate::ports::{BoxFuture, Definition};

/// The stream that everything is recorded in.
pub const STREAM: &str = "drift";

/// How much may be put right without anybody being asked, and when that stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Most repairs of one resource within [`Rules::per`].
    pub repairs_each: u32,
    /// Most repairs of all resources together within [`Rules::per`].
    pub repairs_all: u32,
    /// The time over which repairs are counted.
    pub per: SignedDuration,
    /// How often the same attribute of the same resource is put right before its coming back is a fight.
    pub fight_repairs: u32,
    /// Within which time, which is also the one that changes are counted in; and how long it has to be quiet for a fight to end by
    /// itself.
    pub fight_within: SignedDuration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            repairs_each: 5,
            repairs_all: 50,
            per: SignedDuration::from_hours(1),
            fight_repairs: 3,
            fight_within: SignedDuration::from_hours(6),
        }
    }
}

/// A resource that is not as it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// `HOST/RESOURCE`; `HOST/*` for a host that cannot be reached.
    pub resource: String,
    /// In which way.
    pub class: DriftClass,
    /// Digest of what was found.
    pub state: Digest,
    /// What its declaration says is to be done.
    pub policy: OnDrift,
    /// Where it differs.
    pub fields: Vec<DriftField>,
    /// Why it cannot be read.
    pub why: Option<String>,
    /// Why a person has to be asked before it is put right, if that is so.
    pub ask: Option<String>,
    /// What it depends on.
    pub depends: Vec<String>,
}

/// What applied a resource last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The run.
    pub run: RunId,
    /// Who wanted it.
    pub requester: Principal,
    /// When.
    pub at: Timestamp,
}

/// What looking told.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// When it began.
    pub began: Timestamp,
    /// What is not as it was applied.
    pub sightings: Vec<Sighting>,
    /// How many resources there are.
    pub resources: u64,
    /// How many changes of the configuration are not applied yet. They are nobody's drift, and nothing is done about them.
    pub pending: u64,
    /// What applied each resource last.
    pub applied: BTreeMap<String, Applied>,
    /// Digest of the policy set in force.
    pub policy: Digest,
}

/// A plan that puts something right, ready to be submitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// What to run.
    pub definition: Definition,
    /// Its input.
    pub input: Value,
    /// What it puts right, as it was seen when the plan was made.
    pub sightings: Vec<Sighting>,
}

/// What cannot be told or planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct LookError {
    /// The stable code.
    pub code: &'static Code,
    /// Why.
    pub why: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Looks at what is, and plans what would put it right.
///
/// **Contract.** Neither changes anything. The same world and configuration give the same states.
pub trait Lookout: Send + Sync {
    /// Looks at everything that is declared.
    fn look(&self) -> BoxFuture<'_, Result<Look, LookError>>;

    /// Plans to put these right and nothing else. `how` is whether people have to be asked before it begins, whatever policy says.
    fn prepare<'a>(
        &'a self,
        how: OnDrift,
        resources: &'a [String],
    ) -> BoxFuture<'a, Result<Prepared, LookError>>;

    /// The run that applies something right now, if there is one: what is seen meanwhile tells nothing.
    fn busy(&self) -> Result<Option<RunId>, LookError>;

    /// What applied a resource last; `None` when nothing did.
    fn applied(&self, resource: &str) -> Result<Option<Applied>, LookError>;
}

/// Who the reconciler is.
pub fn principal() -> Principal {
    "drift:aedile".parse().expect("`drift` is a kind of principal, and `aedile` a name")
}
