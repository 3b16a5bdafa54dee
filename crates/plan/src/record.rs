//! Changes of what is on record and of nothing else: a plan that touches no host, to be reviewed and approved like every other.

use std::collections::HashMap;
use std::hash::BuildHasher;

use crate::build::Header;
use crate::build::assemble::nature_of;
use crate::build::sums::{count, reach};
use crate::change::{Change, Fingerprint, Operation, Reason};
use crate::diff::Prints;
use crate::document::{Basis, Body, Counts};
use crate::file::Plan;
use crate::limits;
use crate::name::Instance;
use crate::observed::Applied;
use crate::stale::{Moved, Stale};
use crate::value::Values;

/// One change of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordChange {
    /// What is on record of an instance is forgotten. The instance stays as it is.
    Forget(Instance),
    /// What is on record of an instance is what is on record of another from now on.
    Move {
        /// The name it has.
        from: Instance,
        /// The name it gets.
        to: Instance,
    },
}

/// Why the record cannot be changed so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Nothing is on record of it.
    #[error("nothing called {0} was applied")]
    Unknown(Instance),
    /// Something is on record under the new name.
    #[error("{0} is on record already")]
    Taken(Instance),
    /// It is named twice.
    #[error("{0} is named twice")]
    Twice(Instance),
}

impl model::Coded for RecordError {
    fn code(&self) -> &'static model::Code {
        use model::code::{general, plan};
        match self {
            Self::Unknown(_) => general::NOT_FOUND,
            Self::Taken(_) => plan::DUPLICATE,
            Self::Twice(_) => general::USAGE,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown(_) => Some("aedile resources list".to_owned()),
            Self::Taken(instance) => Some(format!("aedile resources show {instance}")),
            Self::Twice(_) => None,
        }
    }
}

/// Plans changes of the record. Nothing is read but the record, so the configuration and the facts in the basis are those of
/// an empty text; that the plan is fresh is for [`Plan::check_record`] to say.
///
/// # Errors
/// A name stands for nothing, is taken, or is there twice.
pub fn record<S: BuildHasher>(
    wanted: &[RecordChange],
    applied: &HashMap<Instance, Applied, S>,
    header: &Header,
) -> Result<Plan, RecordError> {
    let mut named = std::collections::HashSet::new();
    let (mut prints, mut changes, mut counts) = (Prints::default(), Vec::new(), Counts::default());
    for one in wanted {
        let (from, to) = match one {
            RecordChange::Forget(instance) => (instance, None),
            RecordChange::Move { from, to } => (from, Some(to)),
        };
        for name in [Some(from), to].into_iter().flatten() {
            if !named.insert(name.clone()) {
                return Err(RecordError::Twice(name.clone()));
            }
        }
        let record = applied.get(from).ok_or_else(|| RecordError::Unknown(from.clone()))?;
        if let Some(to) = to.filter(|to| applied.contains_key(*to)) {
            return Err(RecordError::Taken(to.clone()));
        }
        let change = change(from, to, record, prints.of_record(from, record));
        count(&mut counts, change.operation);
        changes.push(change);
    }
    let (observed, applied_digest) = prints.digests();
    Ok(Plan::seal(Body {
        id: header.id,
        created: model::time::rfc3339(header.created),
        environment: header.environment.clone(),
        variables: header.variables.clone(),
        focus: Vec::new(),
        only: Vec::new(),
        destroy: false,
        parent: None,
        basis: Basis {
            position: header.position,
            configuration: header.configuration,
            policy: header.policy,
            facts: header.facts,
            observed,
            applied: applied_digest,
        },
        counts,
        reach: reach(&changes, applied.len() as u64, 0),
        types: std::collections::BTreeMap::new(),
        changes,
        junctions: Vec::new(),
        handlers: Vec::new(),
        checks: Vec::new(),
        unchanged: std::collections::BTreeMap::new(),
    }))
}

fn change(from: &Instance, to: Option<&Instance>, record: &Applied, basis: Fingerprint) -> Change {
    let operation = if to.is_some() { Operation::Move } else { Operation::Forget };
    let nature = nature_of(None, operation);
    Change {
        instance: to.unwrap_or(from).clone(),
        kind: record.kind.clone(),
        operation,
        reasons: std::iter::once(Reason::Asked)
            .chain(to.is_some().then(|| Reason::Moved { from: from.clone() }))
            .collect(),
        fields: Vec::new(),
        desired: Values::new(),
        prior: std::collections::BTreeMap::new(),
        moved_from: to.is_some().then(|| from.clone()),
        create_first: false,
        effect: nature.effect,
        reversibility: nature.reversibility,
        after: Vec::new(),
        depends: Vec::new(),
        labels: std::collections::BTreeMap::new(),
        drift: model::OnDrift::default(),
        uses: Vec::new(),
        basis,
        place: None,
    }
}

impl Plan {
    /// Whether the plan is about the record and nothing else: one that [`record`] made.
    pub fn is_of_record(&self) -> bool {
        let of_record = |change: &Change| {
            matches!(change.operation, Operation::Forget | Operation::Move)
                && change.reasons.contains(&Reason::Asked)
                && change.uses.is_empty()
        };
        !self.changes.is_empty()
            && self.changes.iter().all(of_record)
            && self.handlers.is_empty()
            && self.checks.is_empty()
    }

    /// Whether a plan that [`record`] made may still be applied: whether what it is about is on record as it was then, and by
    /// the policy it was made under.
    pub fn check_record<S: BuildHasher>(
        &self,
        applied: &HashMap<Instance, Applied, S>,
        policy: model::Digest,
    ) -> Result<(), Stale> {
        let mut moved = Vec::new();
        if self.basis.policy != policy {
            moved.push(Moved::Policy { was: self.basis.policy, is: policy });
        }
        for change in &self.changes {
            let from = change.moved_from.as_ref().unwrap_or(&change.instance);
            match applied.get(from) {
                None => moved.push(Moved::Disappeared(from.clone())),
                Some(record) if Prints::default().of_record(from, record) != change.basis => {
                    moved.push(Moved::Applied(from.clone()));
                }
                Some(_) => {}
            }
            if change.moved_from.is_some() && applied.contains_key(&change.instance) {
                moved.push(Moved::Appeared(change.instance.clone()));
            }
        }
        if moved.is_empty() {
            return Ok(());
        }
        let more = moved.len().saturating_sub(limits::MOVED_MAX);
        moved.truncate(limits::MOVED_MAX);
        Err(Stale { moved, more })
    }
}

#[cfg(test)]
mod tests {
    use model::{Digest, PlanId};

    use super::*;
    use crate::value::Held;

    fn instance(text: &str) -> Instance {
        let (host, resource) = text.split_once('/').unwrap();
        Instance::new(host.parse().unwrap(), resource.parse().unwrap())
    }

    fn applied(names: &[(&str, &str)]) -> HashMap<Instance, Applied> {
        let one = |content: &str| Applied {
            kind: "linux.file::file".parse().unwrap(),
            provider: "0.1.0".to_owned(),
            attributes: [("content".parse().unwrap(), Held::plain(content))].into(),
            depends: Vec::new(),
        };
        names.iter().map(|(name, content)| (instance(name), one(content))).collect()
    }

    fn header() -> Header {
        Header {
            id: PlanId::from_parts(1, 1),
            created: "2026-01-01T00:00:00Z".parse().unwrap(),
            environment: "dev".parse().unwrap(),
            parent: None,
            position: 7,
            configuration: Digest::of(b""),
            policy: Digest::of(b"policy"),
            facts: Digest::of(b""),
            variables: std::collections::BTreeMap::new(),
            focus: Vec::new(),
            only: Vec::new(),
            destroy: false,
        }
    }

    fn moving() -> RecordChange {
        RecordChange::Move { from: instance("web/a"), to: instance("web/b") }
    }

    #[test]
    fn a_plan_of_the_record_touches_no_host_and_survives_its_file() {
        let there = applied(&[("web/a", "1"), ("web/c", "1")]);
        let wanted = [moving(), RecordChange::Forget(instance("web/c"))];
        let plan = record(&wanted, &there, &header()).unwrap();
        assert!(plan.is_of_record() && plan.reach.hosts.is_empty() && plan.types.is_empty());
        assert_eq!((plan.counts.moved, plan.counts.forget), (1, 1));
        assert!(plan.changes.iter().all(|change| change.uses.is_empty()));
        let shown = plan.to_string();
        assert!(shown.contains("> move web/b") && shown.contains("x forget web/c"), "{shown}");
        assert_eq!(Plan::from_file(plan.file().as_bytes()).unwrap(), plan);
    }

    #[test]
    fn names_that_are_unknown_taken_or_doubled_are_refused() {
        let there = applied(&[("web/a", "1"), ("web/b", "1")]);
        let refused = |wanted: &[RecordChange]| record(wanted, &there, &header()).unwrap_err();
        assert_eq!(refused(&[moving()]), RecordError::Taken(instance("web/b")));
        let gone = RecordChange::Forget(instance("web/x"));
        assert_eq!(refused(&[gone]), RecordError::Unknown(instance("web/x")));
        let twice = RecordChange::Forget(instance("web/a"));
        assert_eq!(refused(&[twice.clone(), twice]), RecordError::Twice(instance("web/a")));
    }

    #[test]
    fn a_plan_of_the_record_is_stale_once_what_it_is_about_moved() {
        let policy = header().policy;
        let plan = record(&[moving()], &applied(&[("web/a", "1")]), &header()).unwrap();
        let check = |names: &[(&str, &str)]| plan.check_record(&applied(names), policy);
        assert_eq!(check(&[("web/a", "1"), ("web/other", "2")]), Ok(()), "others do not matter");
        let moved = |names: &[(&str, &str)]| check(names).unwrap_err().moved;
        assert_eq!(moved(&[("web/a", "2")]), [Moved::Applied(instance("web/a"))]);
        assert_eq!(moved(&[]), [Moved::Disappeared(instance("web/a"))]);
        assert_eq!(moved(&[("web/a", "1"), ("web/b", "1")]), [Moved::Appeared(instance("web/b"))]);
        let other = plan.check_record(&applied(&[("web/a", "1")]), Digest::of(b"other"));
        assert!(matches!(other.unwrap_err().moved[..], [Moved::Policy { .. }]));
    }
}
