//! Whether a provider keeps its word: plan equals apply, a second apply is a no-op, import round-trips.
//!
//! Runs against any [`Target`] that may be changed for good: a scratch directory, a throw-away host.

use std::collections::BTreeMap;
use std::fmt;

use model::{Digest, PlanId, Timestamp};
use plan::schema::{Computed, Schemas};
use plan::{
    Desired, Header, Held, Inventory, Name, Observed, Operation as Planned, Place, Plan, Resource,
    SealingKey, TypeName, World,
};
use serde_json::Value;

use crate::description::{Description, TypeDescription};
use crate::drive::{Group, Inspected, apply, inspect};
use crate::exchange::{Attributes, Change, Operation, Outcome};
use crate::seam::{Provider, Target};
use crate::{ProviderError, step};

/// What to try.
#[derive(Debug, Clone)]
pub struct Case {
    /// For messages.
    pub name: String,
    /// The type.
    pub kind: TypeName,
    /// Configurations of one resource, one after the other: each is applied to what the one before left.
    pub configs: Vec<Attributes>,
    /// The resource's id for `import`, when it has one.
    pub import: Option<String>,
}

/// What a provider promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// What can be configured can be looked at and changed.
    Works,
    /// After applying a plan, and by what applying answers, there is nothing left to change.
    PlanEqualsApply,
    /// Applying the same again changes nothing, and says so.
    SecondApply,
    /// What import yields, configured, is what is there.
    ImportRoundTrips,
    /// What was deleted is not there.
    DeleteIsGone,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Works => "it works",
            Self::PlanEqualsApply => "plan equals apply",
            Self::SecondApply => "a second apply is a no-op",
            Self::ImportRoundTrips => "import round-trips",
            Self::DeleteIsGone => "what is deleted is gone",
        })
    }
}

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// The case.
    pub case: String,
    /// The promise.
    pub rule: Rule,
    /// What happened.
    pub detail: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.case, self.rule, self.detail)
    }
}

/// What was tried, and what was not as promised.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Promises that were tried.
    pub checks: usize,
    /// Those that were not kept.
    pub mismatches: Vec<Mismatch>,
}

/// Tries every case. The resources are gone afterwards, unless the last check of a case failed.
pub async fn check(
    provider: &dyn Provider,
    description: &Description,
    target: &dyn Target,
    cases: &[Case],
) -> Report {
    let mut report = Report::default();
    for case in cases {
        let Some(kind) = description.types.get(&case.kind) else {
            let detail = format!("there is no type `{}`", case.kind);
            report.mismatches.push(Mismatch { case: case.name.clone(), rule: Rule::Works, detail });
            continue;
        };
        let trial = Trial { provider, description, kind, target, case };
        trial.run(&mut report).await;
    }
    report
}

struct Trial<'a> {
    provider: &'a dyn Provider,
    description: &'a Description,
    kind: &'a TypeDescription,
    target: &'a dyn Target,
    case: &'a Case,
}

impl Trial<'_> {
    async fn run(&self, report: &mut Report) {
        let mut note = |rule, result: Result<(), String>| {
            report.checks += 1;
            if let Err(detail) = result {
                report.mismatches.push(Mismatch { case: self.case.name.clone(), rule, detail });
            }
        };
        for config in &self.case.configs {
            let made = match self.converge(config).await {
                Ok(made) => made,
                Err(detail) => return note(Rule::Works, Err(detail)),
            };
            note(Rule::Works, Ok(()));
            note(Rule::PlanEqualsApply, self.as_planned(config, &made).await);
            note(Rule::SecondApply, self.again(&made).await);
        }
        if let Some(id) = &self.case.import {
            note(Rule::ImportRoundTrips, self.import(id).await);
        }
        note(Rule::DeleteIsGone, self.delete().await);
    }

    async fn look(&self, config: &Attributes) -> Inspected {
        let group = Group { provider: self.provider, kind: self.kind, configs: vec![config.clone()] };
        let mut found = inspect(&[group], self.target).await;
        found.pop().and_then(|mut found| found.pop()).unwrap_or(Inspected::Absent)
    }

    /// What a plan would do about `config` if the resource were as `seen`.
    fn plan(&self, config: &Attributes, seen: Inspected) -> Result<Plan, String> {
        if let Inspected::Unreadable(error) = &seen {
            return Err(format!("it cannot be looked at: {error}"));
        }
        let mut schemas = Schemas::default();
        self.description.add_to(&mut schemas, &Digest::of(b"under test"));
        let text = |error: plan::NameError| error.to_string();
        let mut resource =
            Resource::new("case".parse().map_err(text)?, self.kind.name.clone(), Place::default());
        for (name, value) in config {
            resource = resource.with(name.parse().map_err(text)?, value.clone());
        }
        let hosts: BTreeMap<plan::Host, _> = [("target".parse().map_err(text)?, BTreeMap::new())].into();
        let mut world = World::new(Inventory { hosts }, SealingKey::new([0; 32]));
        let observed: Observed = seen.observed(|_, value| Held::plain(value));
        world.observed.insert("target/case".parse().map_err(text)?, observed);
        let header = Header {
            id: PlanId::from_parts(0, 1),
            created: Timestamp::UNIX_EPOCH,
            environment: "check".parse().map_err(|_| "no environment".to_owned())?,
            parent: None,
            position: 0,
            configuration: Digest::of(b""),
            policy: Digest::of(b""),
            facts: Digest::of(b""),
            variables: std::collections::BTreeMap::new(),
            focus: Vec::new(),
            only: Vec::new(),
            destroy: false,
        };
        let desired = Desired { resources: vec![resource], checks: Vec::new() };
        plan::plan(&desired, &world, &schemas, &header)
            .map_err(|found| found.iter().map(|one| one.message.clone()).collect::<Vec<_>>().join("; "))
    }

    /// Nothing left to change, or what there is.
    fn settled(&self, config: &Attributes, seen: Inspected) -> Result<(), String> {
        let plan = self.plan(config, seen)?;
        let left: Vec<String> = plan
            .changes
            .iter()
            .map(|change| {
                let fields: Vec<_> = change.fields.iter().map(|field| field.name.to_string()).collect();
                format!("{} would still change {}", change.operation, fields.join(", "))
            })
            .collect();
        if left.is_empty() { Ok(()) } else { Err(left.join("; ")) }
    }

    async fn make(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, ProviderError> {
        let mut outcomes = Vec::new();
        for change in changes {
            for result in apply(self.provider, self.kind, self.target, vec![change]).await {
                outcomes.push(result?);
            }
        }
        Ok(outcomes)
    }

    /// Looks, plans, applies. Answers the changes that were made and what the last of them said.
    async fn converge(&self, config: &Attributes) -> Result<Made, String> {
        let plan = self.plan(config, self.look(config).await)?;
        let (mut changes, mut blocked) = (Vec::new(), Vec::new());
        for change in &plan.changes {
            if change.operation == Planned::Blocked {
                blocked.push(format!("{:?}", change.reasons));
            }
            let mut prior = change.prior.clone();
            for field in &change.fields {
                prior.entry(field.name.clone()).or_insert_with(|| field.before.clone());
            }
            let fields: Vec<Name> = change.fields.iter().map(|field| field.name.clone()).collect();
            changes.extend(step::changes(
                change.operation,
                &change.desired,
                &prior,
                &fields,
                change.create_first,
            ));
        }
        if !blocked.is_empty() {
            return Err(format!("planning is blocked: {}", blocked.join("; ")));
        }
        let outcomes = self.make(changes.clone()).await.map_err(|error| error.to_string())?;
        let last = outcomes.last().cloned();
        Ok(Made { changes, last })
    }

    async fn as_planned(&self, config: &Attributes, made: &Made) -> Result<(), String> {
        self.settled(config, self.look(config).await).map_err(|left| format!("afterwards, {left}"))?;
        match (made.changes.last(), &made.last) {
            (Some(change), Some(outcome)) if change.operation != Operation::Delete => {
                let said = Inspected::Present(outcome.attributes.clone());
                self.settled(config, said).map_err(|left| format!("by its own answer, {left}"))
            }
            _ => Ok(()),
        }
    }

    async fn again(&self, made: &Made) -> Result<(), String> {
        // deleting before creating again would change something by intention
        let Some(change) = made.changes.last() else { return Ok(()) };
        match self.make(vec![change.clone()]).await {
            Ok(outcomes) if outcomes.iter().all(|outcome| !outcome.changed) => Ok(()),
            Ok(_) => Err("it says that it changed something".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn import(&self, id: &str) -> Result<(), String> {
        let imported = self
            .provider
            .import(self.kind.name.as_str(), &[id.to_owned()])
            .await
            .map_err(|error| error.to_string())?;
        let Some(Ok(config)) = imported.into_iter().next() else {
            return Err(format!("`{id}` cannot be imported"));
        };
        let seen = match self.look(&config).await {
            Inspected::Present(seen) => seen,
            other => return Err(format!("what `{id}` names is {other}")),
        };
        let configured: Attributes = seen
            .into_iter()
            .filter(|(name, _)| {
                let schema = self.kind.schema.attributes.get(name.as_str());
                schema.is_some_and(|schema| schema.computed == Computed::No)
            })
            .collect();
        self.settled(&configured, self.look(&configured).await)
    }

    async fn delete(&self) -> Result<(), String> {
        let Some(config) = self.case.configs.last() else { return Ok(()) };
        let (mut config, prior) = (config.clone(), config.clone());
        if let Some(presence) = &self.kind.schema.presence {
            config.remove(presence.attribute.as_str());
        }
        let change = Change {
            operation: Operation::Delete,
            desired: prior.clone(),
            prior,
            fields: Vec::new(),
            asked: Vec::new(),
        };
        for time in ["it", "deleting it again"] {
            self.make(vec![change.clone()]).await.map_err(|error| format!("{time}: {error}"))?;
        }
        match self.look(&config).await {
            Inspected::Absent => Ok(()),
            other => Err(format!("it is {other}")),
        }
    }
}

struct Made {
    changes: Vec<Change>,
    last: Option<Outcome>,
}

/// Reads cases from JSON: `[{"name": .., "type": .., "configs": [{..}], "import": ".."}]`.
///
/// # Errors
/// What is wrong, in words.
pub fn cases(document: &Value) -> Result<Vec<Case>, String> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        name: String,
        #[serde(rename = "type")]
        kind: TypeName,
        configs: Vec<Attributes>,
        import: Option<String>,
    }
    let written: Vec<Written> =
        serde::Deserialize::deserialize(document).map_err(|error: serde_json::Error| error.to_string())?;
    Ok(written
        .into_iter()
        .map(|one| Case { name: one.name, kind: one.kind, configs: one.configs, import: one.import })
        .collect())
}
