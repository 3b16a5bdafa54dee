//! The journal: read, proved, signed, verified, exported.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use journal::events::EnvironmentEvent;
use journal::verify::{Options, verify};
use journal::{Event, Journal, Record};
use model::Digest;
use project::{Keys, workshop};
use store::ReadOnlyJournal;
use tokio::sync::OwnedSemaphorePermit;

use super::{InEnvironment, Refusals, aside, page_size};
use crate::app::App;
use crate::at::{Administer, At, Read};
use crate::bench::Bench;
use crate::body::{Json, Path, Query};
use crate::problem::Answer;
use crate::{Problem, limits, reads, view};

/// Checkpoints that are listed.
const CHECKPOINTS_MAX: usize = 100;

type RecordPath = Path<(String, String, u64)>;

/// List records, oldest first
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/journal/records", tag = "journal",
    operation_id = "listRecords", params(InEnvironment, api::RecordQuery),
    responses((status = 200, body = api::Records), Refusals))]
pub(crate) async fn records(
    at: At<Read>,
    Query(query): Query<api::RecordQuery>,
) -> Answer<Json<api::Records>> {
    let limit = page_size(query.limit, limits::RECORDS_DEFAULT)?;
    part(&at.bench, query.stream.as_deref(), query.after.unwrap_or(0), limit).map(Json)
}

/// Part of the journal, or of one stream of it.
pub(crate) fn part(bench: &Bench, stream: Option<&str>, after: u64, limit: usize) -> Answer<api::Records> {
    if i64::try_from(after).is_err() {
        return Err(Problem::bad(format!("after is {after}, which no position is")));
    }
    let journal = &bench.workshop.journal;
    let position = journal.head()?.position;
    let records = match stream {
        Some(stream) => journal.read_stream(stream, after, limit)?,
        None => journal.read(after, limit)?,
    };
    let place = |record: &Record| if stream.is_some() { record.sequence } else { record.position };
    let next = records.last().filter(|_| records.len() == limit).map(place);
    Ok(api::Records { items: records.iter().map(view::record).collect(), next, position })
}

/// A record by its position.
pub(crate) fn one(bench: &Bench, position: u64) -> Answer<Record> {
    let unknown = || {
        Problem::not_found(format!("the journal has no record {position}")).with_hint("aedile journal log")
    };
    let before = position.checked_sub(1).filter(|_| i64::try_from(position).is_ok()).ok_or_else(unknown)?;
    let found = bench.workshop.journal.read(before, 1)?;
    found.into_iter().find(|record| record.position == position).ok_or_else(unknown)
}

/// Show one record
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/journal/records/{position}",
    tag = "journal", operation_id = "showRecord",
    params(InEnvironment, ("position" = u64, Path, description = "Position of the record", minimum = 1)),
    responses((status = 200, body = api::Record), Refusals))]
pub(crate) async fn record(at: At<Read>, Path((_, _, position)): RecordPath) -> Answer<Json<api::Record>> {
    one(&at.bench, position).map(|record| Json(view::record(&record)))
}

/// Prove that a record is in the journal which the newest checkpoint signs
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/journal/records/{position}/proof",
    tag = "journal", operation_id = "proveRecord",
    params(InEnvironment, ("position" = u64, Path, description = "Position of the record", minimum = 1)),
    responses((status = 200, body = api::Proof), Refusals))]
pub(crate) async fn proof(at: At<Read>, Path((_, _, position)): RecordPath) -> Answer<Json<api::Proof>> {
    aside(move || prove(&at.bench, position).map(Json)).await
}

/// The proof of a record. The first one since the server started reads every record of the environment, later ones those around it.
pub(crate) fn prove(bench: &Bench, position: u64) -> Answer<api::Proof> {
    let record = one(bench, position)?;
    let journal = &bench.workshop.journal;
    let proof = journal.prove(position)?;
    let newest = journal.checkpoints(1)?.pop();
    let (size, root) = newest.map(|row| (row.size, row.root)).unwrap_or_default();
    Ok(api::Proof {
        record: view::record(&record),
        index: proof.index,
        size,
        root,
        path: proof.path.iter().map(Digest::hexadecimal).collect(),
        note: proof.note.to_string(),
        file: proof.to_string(),
        verifiers: verifiers(bench)?,
    })
}

/// The keys that the journal names, the oldest first.
pub(crate) fn verifiers(bench: &Bench) -> Answer<Vec<String>> {
    let records = bench.workshop.journal.read_stream("environment", 0, engine::limits::READ_MAX)?;
    Ok(records
        .iter()
        .filter_map(|record| match &record.event {
            Event::Environment(EnvironmentEvent::KeyAdded(key)) => Some(key.verifier.clone()),
            _ => None,
        })
        .collect())
}

/// List checkpoints, newest first
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/journal/checkpoints", tag = "journal",
    operation_id = "listCheckpoints", params(InEnvironment),
    responses((status = 200, body = Vec<api::Checkpoint>), Refusals))]
pub(crate) async fn checkpoints(at: At<Read>) -> Answer<Json<Vec<api::Checkpoint>>> {
    let rows = at.bench.workshop.journal.checkpoints(CHECKPOINTS_MAX)?;
    Ok(Json(rows.iter().map(view::checkpoint).collect()))
}

/// Sign the journal's head
#[utoipa::path(post, path = "/api/v1/projects/{project}/environments/{environment}/journal/checkpoints", tag = "journal",
    operation_id = "signCheckpoint", params(InEnvironment),
    responses((status = 200, body = api::Checkpointed), Refusals))]
pub(crate) async fn checkpoint(at: At<Administer>) -> Answer<Json<api::Checkpointed>> {
    aside(move || {
        let (bench, journal) = (&at.bench, &at.bench.workshop.journal);
        let sealed = workshop::checkpoint(journal, &bench.place, &bench.machine, &at.caller.principal)?;
        let newest = match sealed {
            Some(_) => journal.checkpoints(1)?.pop(),
            None => None,
        };
        Ok(Json(api::Checkpointed { checkpoint: newest.as_ref().map(view::checkpoint) }))
    })
    .await
}

/// Prove that the newest checkpoint continues an older one
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/journal/consistency", tag = "journal",
    operation_id = "proveConsistency", params(InEnvironment, api::ConsistencyQuery),
    responses((status = 200, body = api::Consistency), Refusals))]
pub(crate) async fn consistency(
    at: At<Read>,
    Query(query): Query<api::ConsistencyQuery>,
) -> Answer<Json<api::Consistency>> {
    aside(move || Ok(Json(reads::consistency(&at.bench.workshop.journal, query.old)?))).await
}

/// Verify the whole journal: its chain, its checkpoints, their signatures
///
/// One at a time: while another is read, here or in another environment, the answer is 503.
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/journal/verify", tag = "journal",
    operation_id = "verifyJournal", params(InEnvironment),
    responses((status = 200, body = api::Verification), Refusals))]
pub(crate) async fn verification(
    State(app): State<Arc<App>>,
    at: At<Read>,
) -> Answer<Json<api::Verification>> {
    let turn = turn(&app)?;
    aside(move || {
        let _turn = turn;
        verified(&at.bench).map(Json)
    })
    .await
}

/// The right to read a whole journal. Held to the end of the work, which goes on when nobody waits for it any more.
fn turn(app: &App) -> Answer<OwnedSemaphorePermit> {
    Arc::clone(&app.whole_journals).try_acquire_owned().map_err(|_| {
        let what = "another journal is being read from its beginning";
        Problem::busy(StatusCode::SERVICE_UNAVAILABLE, what, limits::WHOLE_JOURNAL_PAUSE)
    })
}

fn verified(bench: &Bench) -> Answer<api::Verification> {
    let state = &bench.place.state;
    let trusted = Keys::new(state.keys()).verifiers()?;
    let journal = ReadOnlyJournal::open(state.journal())?;
    let notes = journal.checkpoints(CHECKPOINTS_MAX)?.into_iter().map(|row| row.note).collect();
    let options = Options { trusted, notes, ..Options::default() };
    Ok(match verify(journal.scan(0), &options) {
        Ok(report) => api::Verification {
            valid: true,
            records: report.head.position,
            covered: report.signed,
            digest: report.head.digest.to_string(),
            problem: None,
        },
        Err(fault) => api::Verification {
            valid: false,
            records: fault.position().unwrap_or_default(),
            covered: 0,
            digest: Digest::ZERO.to_string(),
            problem: Some(fault.to_string()),
        },
    })
}

/// List the keys that sign checkpoints, or did
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/journal/keys", tag = "journal",
    operation_id = "listKeys", params(InEnvironment), responses((status = 200, body = api::Keys), Refusals))]
pub(crate) async fn keys(at: At<Read>) -> Answer<Json<api::Keys>> {
    aside(move || Ok(Json(reads::keys(&at.bench.place)?))).await
}

/// Make a new key and retire the one that signs
///
/// The old key vouches for the new one. The private half stays on the server's machine.
#[utoipa::path(post, path = "/api/v1/projects/{project}/environments/{environment}/journal/keys", tag = "journal",
    operation_id = "rotateKeys", params(InEnvironment), responses((status = 200, body = api::Rotated), Refusals))]
pub(crate) async fn rotate(at: At<Administer>) -> Answer<Json<api::Rotated>> {
    aside(move || {
        let bench = &at.bench;
        let journal = &bench.workshop.journal;
        let verifier = workshop::rotate_keys(journal, &bench.place, &bench.machine, &at.caller.principal)?;
        Ok(Json(api::Rotated { verifier: verifier.to_string() }))
    })
    .await
}

/// Fold the whole journal again and compare with the views
///
/// One at a time: while another is read, here or in another environment, the answer is 503.
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/journal/replay", tag = "journal",
    operation_id = "replayJournal", params(InEnvironment), responses((status = 200, body = api::Replay), Refusals))]
pub(crate) async fn replay(State(app): State<Arc<App>>, at: At<Read>) -> Answer<Json<api::Replay>> {
    let turn = turn(&app)?;
    aside(move || {
        let _turn = turn;
        Ok(Json(reads::replay(&at.bench.workshop.journal)?))
    })
    .await
}

/// Export every record: JSON Lines, the canonical bytes exactly
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/journal/export", tag = "journal",
    operation_id = "exportJournal", params(InEnvironment),
    responses((status = 200, body = String, content_type = "application/jsonl"), Refusals))]
pub(crate) async fn export(at: At<Read>) -> Answer<Response> {
    let head = at.bench.workshop.journal.head()?.position;
    let pages = futures_util::stream::try_unfold(0, move |after| {
        let bench = Arc::clone(&at.bench);
        async move {
            if after >= head {
                return Ok::<_, std::io::Error>(None);
            }
            let work = move || Ok(bench.workshop.journal.read(after, engine::limits::READ_MAX)?);
            let records = aside(work).await.map_err(|problem| {
                std::io::Error::other(problem.body().detail.clone().unwrap_or_default())
            })?;
            let last = records.last().map_or(head, |record| record.position);
            let mut text = Vec::new();
            for record in records.iter().filter(|record| record.position <= head) {
                text.extend_from_slice(&record.bytes);
                text.push(b'\n');
            }
            Ok(Some((Bytes::from(text), last)))
        }
    });
    let kind = HeaderValue::from_static("application/jsonl");
    Ok(([(header::CONTENT_TYPE, kind)], Body::from_stream(pages)).into_response())
}
