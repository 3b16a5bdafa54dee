//! The journal: listed, one record with its proof, a checkpoint signed.

use std::sync::Arc;

use ::journal::{Journal, Record};
use axum::extract::{Path, State};
use axum::response::Response;
use maud::Markup;
use model::Digest;
use project::workshop;
use serde::Deserialize;

use super::super::journal;
use super::{done, frame};
use crate::app::App;
use crate::at::{Administer, At, Read};
use crate::bench::Bench;
use crate::body::Query;
use crate::handlers::{aside, journal as handled};
use crate::problem::Answer;
use crate::view;

/// Records of a page.
const PAGE: usize = 50;
/// Records that are looked through for a filter, before the person is asked whether to go on.
const SEARCHED_MAX: u64 = 20_000;
/// Records that are read at a time.
const WINDOW: u64 = 1_000;
/// Checkpoints that are marked beside records.
const CHECKPOINTS: usize = 100;

#[derive(Deserialize)]
pub(super) struct Wanted {
    stream: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    actor: Option<String>,
    before: Option<String>,
}

fn given(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

impl Wanted {
    fn filter(self) -> journal::Filter {
        let actor =
            given(self.actor).map(|name| if name.contains(':') { name } else { format!("user:{name}") });
        journal::Filter {
            stream: given(self.stream),
            kind: given(self.kind),
            actor,
            before: self.before.and_then(|text| text.parse().ok()),
        }
    }
}

fn passes(filter: &journal::Filter, record: &Record) -> bool {
    filter.kind.as_deref().is_none_or(|kind| record.event.kind().starts_with(kind))
        && filter.actor.as_deref().is_none_or(|actor| record.actor.as_str() == actor)
}

/// What a search found, newest first.
#[derive(Default)]
struct Search {
    records: Vec<Record>,
    next: Option<u64>,
    searched: Option<u64>,
}

/// Goes back through the whole journal.
fn back(bench: &Bench, filter: &journal::Filter, head: u64) -> Answer<Search> {
    let journal = bench.workshop.journal.as_ref();
    let first = filter.before.map_or(head, |before| before.saturating_sub(1).min(head));
    let mut upper = first;
    let mut search = Search::default();
    while upper > 0 {
        if first - upper >= SEARCHED_MAX {
            (search.next, search.searched) = (Some(upper + 1), Some(first - upper));
            break;
        }
        let after = upper.saturating_sub(WINDOW);
        let records = journal.read(after, usize::try_from(upper - after).unwrap_or(usize::MAX))?;
        for record in records.into_iter().rev().filter(|record| passes(filter, record)) {
            if search.records.len() == PAGE {
                search.next = search.records.last().map(|record| record.position);
                return Ok(search);
            }
            search.records.push(record);
        }
        upper = after;
    }
    Ok(search)
}

/// Goes through one stream, which is read from its beginning, and keeps the last that are wanted.
fn within(bench: &Bench, filter: &journal::Filter, stream: &str) -> Answer<Search> {
    let mut kept: std::collections::VecDeque<Record> = std::collections::VecDeque::new();
    let (mut after, mut more) = (0, false);
    while after < crate::limits::RUN_RECORDS_MAX as u64 {
        let records = bench.workshop.journal.read_stream(stream, after, engine::limits::READ_MAX)?;
        let Some(last) = records.last() else { break };
        after = last.sequence;
        let before = |record: &Record| filter.before.is_none_or(|before| record.position < before);
        for record in records.into_iter().filter(|record| before(record) && passes(filter, record)) {
            kept.push_back(record);
            if kept.len() > PAGE {
                kept.pop_front();
                more = true;
            }
        }
    }
    let records: Vec<Record> = kept.into_iter().rev().collect();
    let next = records.last().filter(|_| more).map(|record| record.position);
    Ok(Search { records, next, searched: None })
}

/// The list.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    at: At<Read>,
    Query(wanted): Query<Wanted>,
) -> Answer<Markup> {
    aside(move || {
        let (bench, filter) = (&at.bench, wanted.filter());
        let journal = bench.workshop.journal.as_ref();
        let position = journal.head()?.position;
        let search = match &filter.stream {
            Some(stream) => within(bench, &filter, stream)?,
            None => back(bench, &filter, position)?,
        };
        let checkpoints = journal.checkpoints(CHECKPOINTS)?;
        let view = journal::View {
            records: search.records.iter().map(view::record).collect(),
            next: search.next,
            checkpointed: checkpoints.first().map(|row| row.size),
            checkpoints: checkpoints.iter().map(view::checkpoint).collect(),
            searched: search.searched,
            filter,
            position,
        };
        Ok(journal::page(&frame(&app, &at)?, &view))
    })
    .await
}

/// One record.
pub(super) async fn record(
    State(app): State<Arc<App>>,
    at: At<Read>,
    Path((_, _, position)): Path<(String, String, u64)>,
) -> Answer<Markup> {
    aside(move || {
        let bench = &at.bench;
        let record = handled::one(bench, position)?;
        let newest = bench.workshop.journal.checkpoints(1)?.pop();
        let covered = newest.is_some_and(|row| position <= row.size);
        let shown = view::record(&record);
        let previous = shown.record.get("previous").and_then(serde_json::Value::as_str);
        let view = journal::RecordView {
            previous: previous.map_or_else(|| Digest::ZERO.to_string(), str::to_owned),
            canonical: String::from_utf8_lossy(&record.bytes).into_owned(),
            proof: if covered { Some(handled::prove(bench, position)?) } else { None },
            last: bench.workshop.journal.head()?.position,
            record: shown,
        };
        Ok(journal::record(&frame(&app, &at)?, &view))
    })
    .await
}

/// Signs the journal's head.
pub(super) async fn checkpoint(State(app): State<Arc<App>>, at: At<Administer>) -> Answer<Response> {
    aside(move || {
        let (bench, journal) = (&at.bench, &at.bench.workshop.journal);
        workshop::checkpoint(journal, &bench.place, &bench.machine, &at.caller.principal)?;
        Ok(done(&frame(&app, &at)?.path("journal")))
    })
    .await
}
