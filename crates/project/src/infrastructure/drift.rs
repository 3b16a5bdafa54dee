//! Looks for drift and plans what puts it right: the reconciler's eyes on an environment's hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::drift::{Applied, Look, LookError, Lookout, Prepared, Rules, Sighting};
use engine::ports::BoxFuture;
use journal::JournalError;
use journal::events::DriftField;
use model::{Coded, Digest, DriftClass, OnDrift, RunId};
use plan::apply::{Consent, Options};
use plan::{Drift, Instance, Plan};
use store::{RunFilter, SqliteJournal};

use super::program::{ApplyInput, PLAN_PROGRAM, definition};
use super::{Site, Wanted};
use crate::ProjectError;
use crate::limits;
use crate::manifest::Drift as Declared;

/// Watches an environment's hosts.
pub struct Watch {
    site: Arc<Site>,
    journal: Arc<SqliteJournal>,
    variables: BTreeMap<String, String>,
    /// Who is asked about proposals; policy's default chain where nobody is named.
    chain: Option<String>,
    /// Whether what cannot be taken back is repaired, too, without anybody being asked.
    irreversible: bool,
}

impl Watch {
    /// Watches the hosts of a site, as its project's manifest says; variables as the configuration is to be read with.
    pub fn new(
        site: Arc<Site>,
        journal: Arc<SqliteJournal>,
        declared: &Declared,
        variables: BTreeMap<String, String>,
    ) -> Self {
        let chain = declared.chain.clone();
        Self { site, journal, variables, chain, irreversible: declared.repairs.irreversible }
    }

    fn sighting(&self, drift: &Drift<'_>) -> Sighting {
        let change = drift.change;
        let cannot = drift.ask.filter(|_| !self.irreversible);
        Sighting {
            resource: change.instance.to_string(),
            class: drift.class,
            state: drift.state(),
            policy: change.drift,
            fields: change
                .fields
                .iter()
                .map(|field| DriftField {
                    name: field.name.to_string(),
                    found: field.before.to_string(),
                    wanted: field.after.to_string(),
                    digest: Some(Digest::of_json(&serde_json::json!(field.before))),
                })
                .collect(),
            why: (drift.class == DriftClass::Unreadable)
                .then(|| change.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
            ask: cannot.map(str::to_owned),
            depends: change.depends.iter().map(ToString::to_string).collect(),
        }
    }

    fn requester_of(&self, run: RunId) -> Result<Option<model::Principal>, JournalError> {
        Ok(self.journal.run(run)?.map(|row| row.requester))
    }

    async fn looked(&self) -> Result<Look, LookError> {
        let began = model::time::to_millisecond(self.site.parts.clock.now());
        let wanted = Wanted { variables: self.variables.clone(), ..Wanted::default() };
        let plan = self.site.plan(&wanted).await.map_err(|error| cannot(&error))?.plan;
        let drift = plan.drift();
        let pending = plan.changes.len().saturating_sub(drift.len()) as u64;
        let sightings = by_host(drift.iter().map(|one| self.sighting(one)).collect(), &drift);
        let mut applied = BTreeMap::new();
        let mut requesters = BTreeMap::new();
        let present = self.journal.resources().map_err(|error| cannot(&error))?;
        let absent = self.journal.absences().map_err(|error| cannot(&error))?;
        for row in present.into_iter().chain(absent) {
            if let std::collections::btree_map::Entry::Vacant(place) = requesters.entry(row.run) {
                place.insert(self.requester_of(row.run).map_err(|error| cannot(&error))?);
            }
            if let Some(Some(requester)) = requesters.get(&row.run) {
                let one = Applied { run: row.run, requester: requester.clone(), at: row.at };
                applied.insert(row.instance.to_string(), one);
            }
        }
        Ok(Look {
            began,
            sightings,
            resources: plan.reach.resources_known,
            pending,
            applied,
            policy: plan.basis.policy,
        })
    }

    async fn prepared(&self, how: OnDrift, resources: &[String]) -> Result<Prepared, LookError> {
        let only: Vec<Instance> = resources.iter().filter_map(|one| one.parse().ok()).collect();
        let focus: BTreeSet<plan::ResourceId> = only.iter().map(|one| one.resource.clone()).collect();
        let wanted = Wanted {
            variables: self.variables.clone(),
            focus: focus.into_iter().collect(),
            only,
            ..Wanted::default()
        };
        let plan = Arc::new(self.site.plan(&wanted).await.map_err(|error| cannot(&error))?.plan);
        self.site.keep(&plan);
        let consent = (how == OnDrift::Propose).then(|| Consent {
            chain: self.chain.clone(),
            because: "what drifted is put right when somebody agrees".to_owned(),
        });
        let input = ApplyInput { options: Options { consent, ..Options::default() } };
        Ok(Prepared {
            definition: definition(&plan),
            input: serde_json::to_value(&input).unwrap_or_default(),
            sightings: self.sightings(&plan),
        })
    }

    fn sightings(&self, plan: &Plan) -> Vec<Sighting> {
        plan.drift().iter().map(|one| self.sighting(one)).collect()
    }

    /// The run that applies a plan now.
    fn under_way(&self) -> Result<Option<RunId>, JournalError> {
        for run in self.journal.unfinished_runs()? {
            let row = self.journal.run(run)?;
            if row.is_some_and(|row| row.kind == PLAN_PROGRAM && row.started_at.is_some()) {
                return Ok(Some(run));
            }
        }
        Ok(None)
    }
}

impl Lookout for Watch {
    fn look(&self) -> BoxFuture<'_, Result<Look, LookError>> {
        Box::pin(self.looked())
    }

    fn prepare<'a>(
        &'a self,
        how: OnDrift,
        resources: &'a [String],
    ) -> BoxFuture<'a, Result<Prepared, LookError>> {
        Box::pin(self.prepared(how, resources))
    }

    fn busy(&self) -> Result<Option<RunId>, LookError> {
        self.under_way().map_err(|error| cannot(&error))
    }

    fn applied(&self, resource: &str) -> Result<Option<Applied>, LookError> {
        let instance: Instance = resource.parse().map_err(|_| LookError {
            code: model::code::general::NOT_FOUND,
            why: format!("{resource} is no resource on a host"),
            hint: None,
        })?;
        let present = self.journal.resource(&instance).map_err(|error| cannot(&error))?;
        let absent = || self.journal.absence(&instance).map_err(|error| cannot(&error));
        let Some(row) = present.map_or_else(absent, |row| Ok(Some(row)))? else { return Ok(None) };
        let requester = self.requester_of(row.run).map_err(|error| cannot(&error))?;
        Ok(requester.map(|requester| Applied { run: row.run, requester, at: row.at }))
    }
}

fn cannot(error: &(impl Coded + ?Sized)) -> LookError {
    LookError { code: error.code(), why: error.to_string(), hint: error.hint() }
}

/// Where much on a host cannot be read for one reason, the host is named and not each of its resources.
fn by_host(sightings: Vec<Sighting>, drift: &[Drift<'_>]) -> Vec<Sighting> {
    let mut dark: BTreeMap<(&plan::Host, Option<&String>), Vec<usize>> = BTreeMap::new();
    for (at, one) in drift.iter().enumerate().filter(|(_, one)| one.class == DriftClass::Unreadable) {
        let code = one.problem().and_then(|problem| problem.code.as_ref());
        dark.entry((&one.change.instance.host, code)).or_default().push(at);
    }
    let mut hidden = BTreeSet::new();
    let mut hosts = Vec::new();
    for ((host, code), all) in dark {
        if all.len() < limits::UNREADABLE_TOGETHER
            || hosts.iter().any(|one: &Sighting| one.resource == format!("{host}/*"))
        {
            continue;
        }
        let first = &sightings[all[0]];
        hosts.push(Sighting {
            resource: format!("{host}/*"),
            state: Digest::of_json(&serde_json::json!([host, code])),
            policy: OnDrift::Report,
            depends: Vec::new(),
            why: first.why.as_ref().map(|why| format!("{} resources: {why}", all.len())),
            ..first.clone()
        });
        hidden.extend(all);
    }
    let rest = sightings.into_iter().enumerate().filter(|(at, _)| !hidden.contains(at));
    rest.map(|(_, one)| one).chain(hosts).collect()
}

/// How much may be put right by itself, and when that stops, as a manifest says.
///
/// # Errors
/// A duration cannot be read, a limit is nothing, or fights could never be noticed.
pub fn rules(declared: &Declared) -> Result<Rules, ProjectError> {
    let bad = |why: String| ProjectError::BadDrift { why };
    let duration = |what: &str, text: &str| {
        model::time::parse_duration(text).map_err(|error| bad(format!("`{what}`: {error}")))
    };
    let (repairs, fights) = (&declared.repairs, &declared.fights);
    if repairs.per_hour == 0 || repairs.per_hour_each == 0 || fights.repairs == 0 {
        return Err(bad(
            "a limit of 0 repairs: write `drift: \"report\"` or `\"propose\"` instead".to_owned()
        ));
    }
    let within = duration("fights.within", &fights.within)?;
    if let Some(every) = every(declared)? {
        let needed = every.checked_mul(i32::try_from(fights.repairs).unwrap_or(i32::MAX));
        if needed.is_none_or(|needed| needed >= within) {
            return Err(bad(format!(
                "`fights.within` is {within:#}, and {} repairs take longer than that with a look every {every:#}: no fight would ever be noticed",
                fights.repairs
            )));
        }
    }
    Ok(Rules {
        repairs_each: repairs.per_hour_each,
        repairs_all: repairs.per_hour,
        fight_repairs: fights.repairs,
        fight_within: within,
        ..Rules::default()
    })
}

/// How often it is to be looked, where a manifest says.
///
/// # Errors
/// It is no duration, or too short a one.
pub fn every(declared: &Declared) -> Result<Option<model::time::SignedDuration>, ProjectError> {
    declared.every.as_deref().map(interval).transpose()
}

/// Reads how often it is to be looked.
///
/// # Errors
/// It is no duration, or too short a one.
pub fn interval(text: &str) -> Result<model::time::SignedDuration, ProjectError> {
    let bad = |why: String| ProjectError::BadDrift { why };
    let every = model::time::parse_duration(text).map_err(|error| bad(format!("`every`: {error}")))?;
    if every < limits::DRIFT_EVERY_MIN {
        return Err(bad(format!("`every` is at least {:#}", limits::DRIFT_EVERY_MIN)));
    }
    Ok(every)
}

/// Runs that put drift right and wait for people.
///
/// # Errors
/// The journal cannot be read.
pub fn proposals(journal: &SqliteJournal) -> Result<Vec<store::RunRow>, JournalError> {
    let filter = RunFilter {
        requester: Some(engine::drift::principal()),
        status: vec![store::RunStatus::Waiting, store::RunStatus::Submitted],
        ..RunFilter::default()
    };
    Ok(journal.runs(&filter, limits::RUNS_AT_ONCE)?.items)
}
