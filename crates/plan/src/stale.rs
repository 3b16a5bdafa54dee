//! Whether a plan still fits: what moved since it was made, one thing at a time.

use std::collections::BTreeMap;
use std::fmt;

use model::{Coded, Digest, RunId, code::plan as code};

use crate::change::{Change, Fingerprint, Reason};
use crate::file::Plan;
use crate::limits;
use crate::name::Instance;

/// What is the case at the moment a plan is to be applied.
#[derive(Debug, Clone, Copy)]
pub struct Now<'p> {
    /// A plan made from the configuration, the policy, the facts and the world as they are.
    pub fresh: &'p Plan,
    /// The run that applied the plan already, if there is one: a plan is used once.
    pub used: Option<RunId>,
}

/// One thing that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// The plan was applied already.
    Used {
        /// By this run.
        by: RunId,
    },
    /// It is for another environment.
    Environment,
    /// The configuration is another one.
    Configuration {
        /// When it was planned.
        was: Digest,
        /// Now.
        is: Digest,
    },
    /// The policy is another one.
    Policy {
        /// When it was planned.
        was: Digest,
        /// Now.
        is: Digest,
    },
    /// The facts that the configuration used are others.
    Facts {
        /// When it was planned.
        was: Digest,
        /// Now.
        is: Digest,
    },
    /// A provider has another version.
    Provider {
        /// The type it provides.
        kind: crate::TypeName,
        /// When it was planned.
        was: String,
        /// Now.
        is: String,
    },
    /// What is there is not what it was.
    World(Instance),
    /// What is there cannot be seen any more.
    Unreadable {
        /// What.
        instance: Instance,
        /// Why.
        why: String,
    },
    /// Something was applied to it since.
    Applied(Instance),
    /// It was not declared or applied then, and is now.
    Appeared(Instance),
    /// It was declared or applied then, and is not now.
    Disappeared(Instance),
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Used { by } => write!(f, "it was applied already, by {by}"),
            Self::Environment => f.write_str("it is for another environment"),
            Self::Configuration { was, is } => {
                write!(f, "the configuration changed from {} to {}", was.short(), is.short())
            }
            Self::Policy { was, is } => {
                write!(f, "the policy changed from {} to {}", was.short(), is.short())
            }
            Self::Facts { was, is } => write!(f, "the facts changed from {} to {}", was.short(), is.short()),
            Self::Provider { kind, was, is } => {
                write!(f, "the provider of {kind} changed from {was} to {is}")
            }
            Self::World(instance) => write!(f, "{instance} is not as it was"),
            Self::Unreadable { instance, why } => write!(f, "{instance} cannot be seen now: {why}"),
            Self::Applied(instance) => write!(f, "{instance} was applied since"),
            Self::Appeared(instance) => write!(f, "{instance} was not there to plan"),
            Self::Disappeared(instance) => write!(f, "{instance} is not there to plan any more"),
        }
    }
}

/// A plan that does not fit any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// What moved, never empty.
    pub moved: Vec<Moved>,
    /// How much more moved than is named.
    pub more: usize,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the plan is stale: ")?;
        for (at, moved) in self.moved.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            fmt::Display::fmt(moved, f)?;
        }
        if self.more > 0 { write!(f, "; and {} more", self.more) } else { Ok(()) }
    }
}

impl std::error::Error for Stale {}

impl Coded for Stale {
    fn code(&self) -> &'static model::Code {
        code::STALE
    }

    fn hint(&self) -> Option<String> {
        Some("aedile plan --out FILE".to_owned())
    }
}

/// Everything a plan was made on, by instance. What is replaced in two steps is there once.
fn prints(plan: &Plan) -> BTreeMap<&Instance, &Fingerprint> {
    let changed = plan.changes.iter().map(|change| (&change.instance, &change.basis));
    changed.chain(&plan.unchanged).collect()
}

impl Plan {
    /// Whether the plan may still be applied, and if not, exactly what moved.
    pub fn check_fresh(&self, now: Now<'_>) -> Result<(), Stale> {
        let fresh = now.fresh;
        let mut moved = Vec::new();
        moved.extend(now.used.map(|by| Moved::Used { by }));
        if self.environment != fresh.environment {
            moved.push(Moved::Environment);
        }
        let differs = |was: Digest, is: Digest| (was != is).then_some((was, is));
        let (was, is) = (&self.basis, &fresh.basis);
        moved.extend(
            differs(was.configuration, is.configuration).map(|(was, is)| Moved::Configuration { was, is }),
        );
        moved.extend(differs(was.policy, is.policy).map(|(was, is)| Moved::Policy { was, is }));
        moved.extend(differs(was.facts, is.facts).map(|(was, is)| Moved::Facts { was, is }));
        for (kind, used) in &self.types {
            if let Some(now) = fresh.types.get(kind)
                && now.version != used.version
            {
                let (was, is) = (used.version.clone(), now.version.clone());
                moved.push(Moved::Provider { kind: kind.clone(), was, is });
            }
        }
        if was.observed != is.observed || was.applied != is.applied {
            compare_prints(&prints(self), &prints(fresh), &unreadable(fresh), &mut moved);
        }
        if moved.is_empty() {
            return Ok(());
        }
        let more = moved.len().saturating_sub(limits::MOVED_MAX);
        moved.truncate(limits::MOVED_MAX);
        Err(Stale { moved, more })
    }
}

/// What could not be seen when a plan was made, with why.
fn unreadable(plan: &Plan) -> BTreeMap<&Instance, String> {
    let why = |change: &Change| {
        change.reasons.iter().find_map(|reason| match reason {
            Reason::Unreadable { problem } => Some(problem.to_string()),
            _ => None,
        })
    };
    plan.changes.iter().filter_map(|change| Some((&change.instance, why(change)?))).collect()
}

fn compare_prints(
    then: &BTreeMap<&Instance, &Fingerprint>,
    now: &BTreeMap<&Instance, &Fingerprint>,
    unreadable: &BTreeMap<&Instance, String>,
    moved: &mut Vec<Moved>,
) {
    for (instance, was) in then {
        match now.get(instance) {
            None => moved.push(Moved::Disappeared((*instance).clone())),
            Some(is) => {
                if was.observed != is.observed {
                    let instance = (*instance).clone();
                    moved.push(match unreadable.get(&instance) {
                        Some(why) => Moved::Unreadable { instance, why: why.clone() },
                        None => Moved::World(instance),
                    });
                }
                if was.applied != is.applied {
                    moved.push(Moved::Applied((*instance).clone()));
                }
            }
        }
    }
    let appeared = now.keys().filter(|instance| !then.contains_key(**instance));
    moved.extend(appeared.map(|instance| Moved::Appeared((*instance).clone())));
}
