//! The overview.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::journal::{Journal, Record};
use axum::extract::State;
use axum::response::Redirect;
use maud::Markup;
use model::time::SignedDuration;
use store::{RunFilter, RunRow, RunStatus};

use super::super::{limits, overview, words};
use super::{frame, yours};
use crate::app::App;
use crate::at::{At, Read};
use crate::bench::Bench;
use crate::handlers::{aside, projects};
use crate::problem::Answer;
use crate::view;

/// Changes that are shown.
const CHANGES: usize = 10;
/// Records that are looked through for them, and how many at a time.
const LOOKED_MAX: u64 = 2_000;
const LOOKED_AT_ONCE: u64 = 250;

/// An environment's address alone.
pub(super) async fn enter(State(app): State<Arc<App>>, at: At<Read>) -> Answer<Redirect> {
    let frame = frame(&app, &at)?;
    Ok(Redirect::to(&frame.path("overview")))
}

/// The overview.
pub(super) async fn show(State(app): State<Arc<App>>, at: At<Read>) -> Answer<Markup> {
    aside(move || {
        let frame = frame(&app, &at)?;
        let bench = &at.bench;
        let mine = yours(bench, &at.caller)?;
        let (changes, access) = (changes(bench)?, bench.access());
        let view = overview::View {
            status: projects::glance(bench)?,
            mine: mine.iter().map(|row| view::approval(row, &access)).collect(),
            recent: recent(bench, &frame)?,
            names: names(bench, &changes)?,
            changes: changes.iter().map(view::record).collect(),
        };
        Ok(overview::page(&frame, &view))
    })
    .await
}

/// Runs that were under way in the last hours, newest first.
fn recent(bench: &Bench, frame: &super::Frame) -> Answer<Vec<api::Run>> {
    let journal = &bench.workshop.journal;
    let since = frame.now.saturating_sub(SignedDuration::from_hours(limits::HOURS_BACK)).unwrap_or(frame.now);
    let lately = RunFilter { since: Some(since), ..RunFilter::default() };
    let mut rows: Vec<RunRow> = journal.runs(&lately, limits::TIMELINE_RUNS_MAX)?.items;
    let open = RunStatus::ALL.into_iter().filter(|status| !status.is_ended()).collect();
    let older = journal.runs(&RunFilter { status: open, ..RunFilter::default() }, limits::PALETTE_MAX)?;
    rows.extend(older.items.into_iter().filter(|row| row.submitted_at < since));
    Ok(rows.iter().map(view::run).collect())
}

/// The last records that are changes, newest first.
fn changes(bench: &Bench) -> Answer<Vec<Record>> {
    let journal = bench.workshop.journal.as_ref();
    let head = journal.head()?.position;
    let mut upper = head;
    let mut found = Vec::new();
    while upper > 0 && head - upper < LOOKED_MAX && found.len() < CHANGES {
        let after = upper.saturating_sub(LOOKED_AT_ONCE);
        let records = journal.read(after, usize::try_from(upper - after).unwrap_or(usize::MAX))?;
        found.extend(records.into_iter().rev().filter(|record| words::is_change(record.event.kind())));
        upper = after;
    }
    found.truncate(CHANGES);
    Ok(found)
}

/// What the runs and approvals of these records are called.
fn names(bench: &Bench, records: &[Record]) -> Answer<BTreeMap<String, String>> {
    let journal = &bench.workshop.journal;
    let mut names = BTreeMap::new();
    for record in records {
        let stream: &str = &record.stream;
        let name = if let Ok(run) = stream.parse::<model::RunId>() {
            journal.run(run)?.map(|row| row.name)
        } else if let Ok(approval) = stream.parse::<model::ApprovalId>() {
            journal.approval(approval)?.map(|row| row.title)
        } else {
            None
        };
        names.extend(name.map(|name| (stream.to_owned(), name)));
    }
    Ok(names)
}
