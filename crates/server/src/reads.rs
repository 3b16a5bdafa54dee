//! What an environment's journal is asked, wherever that happens: over the interface, in a page, or by a command on the machine
//! itself. So the same question has the same answer.

use std::collections::BTreeMap;

use engine::approvals::{self, Loaded, Persons};
use engine::drift::Standing;
use journal::events::{ApprovalEvent, DriftSkipped, RunEvent, Submitted};
use journal::{Event, Journal, JournalError, Record, Verifier};
use model::{Digest, Origin, Principal, RunId, Timestamp};
use policy::{Approver, Choice, PolicySet};
use project::{Access, Keys, Place, Project, ProjectError};
use serde_json::Value;
use store::{
    ApprovalFilter, ApprovalRow, ApprovalStatus, RunFilter, RunRow, RunStatus, SqliteJournal, WaitingOn,
};

use crate::handlers::{cursor, page_size, words};
use crate::problem::Answer;
use crate::{Problem, limits, view};

/// One page of runs.
pub fn runs(journal: &SqliteJournal, query: &api::RunQuery) -> Answer<api::Page<api::Run>> {
    let limit = page_size(query.limit, limits::PAGE_DEFAULT)?;
    let position = journal.head()?.position;
    if let Some(id) = &query.id {
        let mut items = Vec::new();
        for run in journal.find_runs(id, limit.min(limits::FOUND_MAX))? {
            items.extend(journal.run(run)?.as_ref().map(view::run));
        }
        return Ok(api::Page { items, next: None, position });
    }
    let page = journal.runs(&filter(query)?, limit)?;
    Ok(api::Page {
        items: page.items.iter().map(view::run).collect(),
        next: page.next.map(|next| next.to_string()),
        position,
    })
}

fn filter(query: &api::RunQuery) -> Answer<RunFilter> {
    let known = RunStatus::ALL.map(|status| (status.as_str(), status));
    let since = query.since.as_deref().map(|text| {
        text.parse::<Timestamp>()
            .map_err(|_| Problem::bad(format!("since `{text}` is no moment of RFC 3339")))
    });
    let requester = query
        .requester
        .as_deref()
        .map(|text| text.parse::<Principal>().map_err(|error| Problem::bad(format!("requester {error}"))));
    Ok(RunFilter {
        status: words("status", query.status.as_deref(), &known)?,
        name: query.workflow.clone(),
        kind: query.kind.clone(),
        digest: None,
        requester: requester.transpose()?,
        since: since.transpose()?,
        before: cursor(query.cursor.as_deref())?,
    })
}

/// Everything about a run but its steps and events. `base` is the path of the environment's part of the interface.
pub fn run(journal: &SqliteJournal, base: &str, row: &RunRow) -> Answer<api::RunDetail> {
    let submitted = submitted(journal, row.run)?;
    let output = if row.status == RunStatus::Completed { output(journal, row)? } else { None };
    Ok(api::RunDetail {
        run: view::run(row),
        origin: submitted.as_ref().map_or(Origin::Project, |submitted| submitted.program.origin).to_string(),
        input: submitted.map_or(Value::Null, |submitted| submitted.input),
        output,
        why: why(journal, row)?,
        links: links(base, &row.run.to_string()),
    })
}

/// With what a run was submitted.
pub fn submitted(journal: &SqliteJournal, run: RunId) -> Answer<Option<Submitted>> {
    let records = journal.read_stream(&run.to_string(), 0, 1)?;
    Ok(records.into_iter().next().and_then(|record| match record.event {
        Event::Run(RunEvent::Submitted(submitted)) => Some(*submitted),
        _ => None,
    }))
}

/// Where to go from a run.
pub(crate) fn links(base: &str, run: &str) -> api::RunLinks {
    let itself = format!("{base}/runs/{run}");
    api::RunLinks {
        steps: format!("{itself}/steps"),
        events: format!("{itself}/events"),
        stream: format!("{itself}/stream"),
        itself,
    }
}

fn output(journal: &SqliteJournal, row: &RunRow) -> Answer<Option<Value>> {
    let records = journal.read(row.last.saturating_sub(1), 1)?;
    Ok(records.into_iter().next().and_then(|record| match record.event {
        Event::Run(RunEvent::Completed(ended)) => Some(ended.output),
        _ => None,
    }))
}

/// Why a run stands where it stands.
fn why(journal: &SqliteJournal, row: &RunRow) -> Answer<Vec<String>> {
    let mut why = Vec::new();
    match (&row.status, &row.waiting_on) {
        (RunStatus::InDoubt, _) => {
            why.push("A step may or may not have happened, and only a person can find out.".to_owned());
        }
        (RunStatus::Paused, _) => why.push("Somebody paused it.".to_owned()),
        (RunStatus::Failed, _) => {
            why.push(format!(
                "It failed: {}.",
                row.problem.as_deref().unwrap_or("nobody said why").trim_end_matches('.')
            ));
        }
        (_, Some(WaitingOn::Approval(id))) => {
            let approval = journal.approval(*id)?;
            let roles = approval.and_then(|row| {
                let level = row.levels.iter().find(|level| level.level == row.level)?;
                Some(level.roles.iter().map(model::Role::as_str).collect::<Vec<_>>().join(" or "))
            });
            why.push(format!(
                "It waits for somebody with the role {} to decide {id}.",
                roles.unwrap_or_default()
            ));
        }
        (_, Some(WaitingOn::Window(at))) => {
            why.push(format!("Policy lets it go on at {}.", model::time::rfc3339(*at)));
        }
        (_, Some(WaitingOn::Timer(at))) => {
            why.push(format!("It waits until {}.", model::time::rfc3339(*at)));
        }
        (_, Some(WaitingOn::Run(run))) => why.push(format!("It waits for the run {run} that it started.")),
        (_, Some(WaitingOn::Event(step))) => why.push(format!("It listens for events at {step}.")),
        _ => {}
    }
    Ok(why)
}

/// The records of a run in order, `most` of them or a few more.
///
/// # Errors
/// The journal cannot be read.
pub fn records(journal: &dyn Journal, run: RunId, most: usize) -> Result<Vec<Record>, JournalError> {
    let stream = run.to_string();
    let mut records: Vec<Record> = Vec::new();
    while records.len() < most {
        let after = records.last().map_or(0, |record| record.sequence);
        let more = journal.read_stream(&stream, after, engine::limits::READ_MAX)?;
        if more.is_empty() {
            break;
        }
        records.extend(more);
    }
    Ok(records)
}

/// That the newest checkpoint continues the one over `old` records. Reads every record below it.
///
/// # Errors
/// There is no such checkpoint, or the journal cannot be read.
pub fn consistency(journal: &SqliteJournal, old: u64) -> Result<api::Consistency, JournalError> {
    let (newest, path) = journal.prove_consistency(old)?;
    let path = path.iter().map(Digest::hexadecimal).collect();
    Ok(api::Consistency { old, checkpoint: view::checkpoint(&newest), path })
}

/// The keys of an environment that sign checkpoints, or did; the one in use last.
///
/// # Errors
/// A key's file cannot be read.
pub fn keys(place: &Place) -> Result<api::Keys, ProjectError> {
    let keys = Keys::new(place.state.keys());
    let current = if keys.exist() { Some(keys.signer()?) } else { None };
    let signs = |verifier: &Verifier| current.as_ref().is_some_and(|signer| signer.verifier() == verifier);
    let known = keys.verifiers()?;
    let known =
        known.iter().map(|verifier| api::Key { verifier: verifier.to_string(), signs: signs(verifier) });
    let mut keys: Vec<_> = known.collect();
    keys.sort_by_key(|key| key.signs);
    Ok(api::Keys { keys })
}

/// Whether the records fold to the views that are kept. Reads the whole journal.
///
/// # Errors
/// The journal cannot be read.
pub fn replay(journal: &SqliteJournal) -> Result<api::Replay, JournalError> {
    let records = journal.head()?.position;
    let found = journal.compare_views()?;
    let differences = found.into_iter().map(|difference| api::Difference {
        view: difference.view.to_owned(),
        found: difference.found,
        wanted: difference.wanted,
    });
    let differences: Vec<_> = differences.collect();
    Ok(api::Replay { records, same: differences.is_empty(), differences })
}

/// A policy's rules, and the files of the project that it is made of.
pub fn policy(policy: &PolicySet, project: Option<&Project>) -> Answer<api::Policy> {
    let rules = policy.rules().iter().map(value).collect::<Answer<_>>()?;
    let files = match project {
        Some(project) => project.policy_files()?.iter().map(|file| file.display().to_string()).collect(),
        None => Vec::new(),
    };
    Ok(api::Policy { digest: policy.digest().to_string(), rules, files })
}

/// Something that is said of policy, as it goes over the wire.
pub(crate) fn value(one: &impl serde::Serialize) -> Answer<Value> {
    serde_json::to_value(one).map_err(|error| Problem::internal(error.to_string()))
}

/// One page of approvals.
pub fn approvals(
    journal: &SqliteJournal,
    access: &Access,
    query: &api::ApprovalQuery,
) -> Answer<api::Page<api::Approval>> {
    let limit = page_size(query.limit, limits::PAGE_DEFAULT)?;
    let position = journal.head()?.position;
    if let Some(id) = &query.id {
        let mut items = Vec::new();
        for approval in journal.find_approvals(id, limit.min(limits::FOUND_MAX))? {
            let row = journal.approval(approval)?;
            items.extend(row.as_ref().map(|row| view::approval(row, access)));
        }
        return Ok(api::Page { items, next: None, position });
    }
    let known = ApprovalStatus::ALL.map(|status| (status.as_str(), status));
    let run = query
        .run
        .as_deref()
        .map(|run| run.parse().map_err(|error: model::id::IdError| Problem::bad(format!("run: {error}"))));
    let filter = ApprovalFilter {
        status: words("status", query.status.as_deref(), &known)?,
        run: run.transpose()?,
        before: cursor(query.cursor.as_deref())?,
    };
    let page = journal.approvals(&filter, limit)?;
    Ok(api::Page {
        items: page.items.iter().map(|row| view::approval(row, access)).collect(),
        next: page.next.map(|next| next.to_string()),
        position,
    })
}

/// Somebody who looks at an approval, and what they may do at all.
#[derive(Debug, Clone)]
pub struct Decider {
    /// Who, with the roles they hold here.
    pub by: Approver,
    /// Why they may decide nothing here, if so.
    pub forbidden: Option<String>,
    /// Whether they may start and steer runs here.
    pub operates: bool,
    /// How people are told apart here.
    pub persons: Persons,
}

/// Everything about one approval, and what somebody may do about it now.
pub fn approval(
    journal: &SqliteJournal,
    access: &Access,
    row: &ApprovalRow,
    (who, now): (&Decider, Timestamp),
) -> Answer<api::ApprovalDetail> {
    let first = journal.read_stream(&row.approval.to_string(), 0, 1)?;
    let asked = first.into_iter().find_map(|record| match record.event {
        Event::Approval(ApprovalEvent::Requested(asked)) => serde_json::to_value(asked).ok(),
        _ => None,
    });
    let loaded = approvals::load(journal, row.approval, who.persons)?
        .ok_or_else(|| Problem::internal(format!("{} is in a view and not in the journal", row.approval)))?;
    Ok(api::ApprovalDetail {
        approval: view::approval(row, access),
        asked: asked.unwrap_or_default(),
        you: powers(&loaded, who, now),
    })
}

/// What somebody may do: asked of the very function that decides, which changes nothing by itself.
fn powers(loaded: &Loaded, who: &Decider, now: Timestamp) -> api::Powers {
    let by = who.persons.counted(&who.by);
    let ask = |choice: &Choice| loaded.approval.decide(choice, &by, loaded.asked.binding, now);
    let why = || "to see what is possible".to_owned();
    let open = loaded.ended.is_none();
    let grant = ask(&Choice::Grant { reason: None });
    let why_not = match (&who.forbidden, &grant) {
        (Some(why), _) => Some(why.clone()),
        (None, Err(refusal)) => Some(refusal.to_string()),
        (None, Ok(policy::Ruling::Noop { message })) => Some(message.clone()),
        (None, Ok(_)) => None,
    };
    api::Powers {
        decide: open && why_not.is_none(),
        override_: open && who.forbidden.is_none() && ask(&Choice::Override { reason: why() }).is_ok(),
        withdraw: open && who.operates && ask(&Choice::Withdraw { reason: why() }).is_ok(),
        why_not,
    }
}

fn skipped_rounds(skipped: &DriftSkipped) -> api::Skipped {
    api::Skipped {
        since: model::time::rfc3339(skipped.since),
        rounds: skipped.rounds,
        why: skipped.why.clone(),
        run: skipped.run.map(|run| run.to_string()),
    }
}

/// Whether anything is broken, whether anything waits, and what is under way.
pub fn status(
    journal: &SqliteJournal,
    access: &Access,
    drift: &Standing,
    (project, environment): (&str, &str),
) -> Answer<api::Status> {
    let status = journal.status()?;
    let waiting = ApprovalFilter { status: vec![ApprovalStatus::Waiting], ..ApprovalFilter::default() };
    let approvals = journal.approvals(&waiting, limits::GLANCE)?.items;
    let open: Vec<RunStatus> = RunStatus::ALL.into_iter().filter(|status| !status.is_ended()).collect();
    let runs = |status: Vec<RunStatus>| {
        let page = journal.runs(&RunFilter { status, ..RunFilter::default() }, limits::GLANCE)?;
        Ok::<_, Problem>(page.items.iter().map(view::run).collect::<Vec<_>>())
    };
    let class = |(resource, found): (&String, &engine::drift::Found)| api::Drifted {
        resource: resource.clone(),
        class: found.what.class.to_string(),
    };
    Ok(api::Status {
        project: project.to_owned(),
        environment: environment.to_owned(),
        journal: api::JournalStatus {
            position: status.head.position,
            digest: status.head.digest.to_string(),
            bytes: status.bytes,
            checkpointed_to: status.checkpoint.as_ref().map(|checkpoint| checkpoint.size),
        },
        runs: status.runs.iter().map(|(word, count)| (word.to_string(), *count)).collect::<BTreeMap<_, _>>(),
        timers: status.timers,
        approvals_waiting: status.approvals_waiting,
        approvals: approvals.iter().map(|row| view::approval(row, access)).collect(),
        open: runs(open)?,
        failed: runs(vec![RunStatus::Failed])?,
        drifted: drift.found.keys().cloned().collect(),
        drift: drift.found.iter().map(class).collect(),
        fights: drift.fights.keys().cloned().collect(),
        flapping: drift.flapping.keys().cloned().collect(),
        skipped: drift.skipped.as_ref().map(|skipped| skipped_rounds(&skipped.what)),
        rules: None,
    })
}
