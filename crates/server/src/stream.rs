//! Streams of events: what happened since a position, then what happens (server-sent events, HTML Living Standard).
//!
//! `Last-Event-ID`, or the parameter `after`, is a position of the journal; what came after it is sent first. A stream says
//! every quarter of a minute that it is alive, and ends when its caller may not hear any more.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use journal::Journal;
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use utoipa::IntoParams;

use crate::app::App;
use crate::at::{At, Read};
use crate::bench::Bench;
use crate::body::{Path, Query};
use crate::feed::{Frame, Listener};
use crate::handlers::{InEnvironment, Refusals};
use crate::identity::Caller;
use crate::problem::Answer;
use crate::{Problem, limits};

/// From where on.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct From {
    /// Only what came after this position; what comes from now on when left out. The header `Last-Event-ID` says more.
    after: Option<u64>,
}

/// Hear what happens in an environment
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/journal/stream", tag = "journal",
    operation_id = "streamJournal",
    params(InEnvironment, From, ("last-event-id" = Option<String>, Header, description = "Position of the last record that was heard")),
    responses((status = 200, body = String, content_type = "text/event-stream"), Refusals))]
pub(crate) async fn journal(
    State(app): State<Arc<App>>,
    at: At<Read>,
    headers: HeaderMap,
    Query(from): Query<From>,
) -> Answer<Response> {
    let after = match position(&headers, &from)? {
        Some(after) => after,
        None => at.bench.workshop.journal.head()?.position,
    };
    open(&app, at, after, None)
}

/// Hear what happens to a run; the stream ends with the run
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/runs/{run}/stream", tag = "runs",
    operation_id = "streamRun",
    params(InEnvironment, From, ("run" = String, Path, description = "Id of the run"),
        ("last-event-id" = Option<String>, Header, description = "Position of the last record that was heard")),
    responses((status = 200, body = String, content_type = "text/event-stream"), Refusals))]
pub(crate) async fn run(
    State(app): State<Arc<App>>,
    at: At<Read>,
    Path((_, _, run)): Path<(String, String, String)>,
    headers: HeaderMap,
    Query(from): Query<From>,
) -> Answer<Response> {
    let row = crate::handlers::run(&at.bench, &run)?;
    // of a run everything is heard, from its beginning
    let after = position(&headers, &from)?.unwrap_or(row.submitted - 1);
    open(&app, at, after, Some(run))
}

fn position(headers: &HeaderMap, from: &From) -> Answer<Option<u64>> {
    let Some(id) = headers.get("last-event-id") else {
        return from.after.map(checked).transpose();
    };
    let text = id.to_str().unwrap_or_default();
    let position = text.parse().map_err(|_| {
        Problem::bad(format!("Last-Event-ID `{}` is no position of the journal", text.escape_debug()))
    })?;
    checked(position).map(Some)
}

fn checked(position: u64) -> Answer<u64> {
    i64::try_from(position)
        .map(|_| position)
        .map_err(|_| Problem::bad(format!("after is {position}, which no position is")))
}

/// One listener's place in the journal.
struct Listening {
    app: Arc<App>,
    caller: Arc<Caller>,
    bench: Arc<Bench>,
    run: Option<String>,
    after: u64,
    frames: Receiver<Frame>,
    /// Read and not yet sent.
    ready: VecDeque<Frame>,
    /// Whether the journal has to be read before listening goes on.
    behind: bool,
    ended: bool,
    beat: Instant,
    stopping: tokio::sync::watch::Receiver<bool>,
    _counted: Listener,
}

fn open(app: &Arc<App>, at: At<Read>, after: u64, run: Option<String>) -> Answer<Response> {
    let full = || {
        let what = "as many streams of events as may be are open";
        Problem::busy(StatusCode::SERVICE_UNAVAILABLE, what, 5)
    };
    let counted = Listener::enter(at.bench.feed.listeners(), limits::STREAMS_MAX).ok_or_else(full)?;
    let listening = Listening {
        app: Arc::clone(app),
        caller: at.caller,
        frames: at.bench.feed.listen(),
        bench: at.bench,
        run,
        after,
        ready: VecDeque::new(),
        behind: true,
        ended: false,
        beat: Instant::now() + limits::HEARTBEAT,
        stopping: app.stopping.subscribe(),
        _counted: counted,
    };
    // a comment at once, so that the client knows that it is heard
    let hello = stream::once(std::future::ready(Ok(Bytes::from_static(b": listening\n\n"))));
    let events = stream::unfold(listening, |mut listening| async move {
        listening.next().await.map(|bytes| (Ok::<_, std::io::Error>(bytes), listening))
    });
    let body = Body::from_stream(futures_util::StreamExt::chain(hello, events));
    let kind = HeaderValue::from_static("text/event-stream");
    let mut response = ([(header::CONTENT_TYPE, kind)], body).into_response();
    // something in front would otherwise wait until there is enough to be worth sending
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

impl Listening {
    /// The next bytes to send; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Some(self.sent(&frame));
            }
            if self.ended {
                return None;
            }
            if self.behind {
                self.catch_up().await?;
                continue;
            }
            let heard = tokio::select! {
                heard = tokio::time::timeout_at(self.beat, self.frames.recv()) => heard,
                _ = self.stopping.changed() => return None,
            };
            match heard {
                Ok(Ok(frame)) if self.wanted(&frame) => return Some(self.sent(&frame)),
                Ok(Ok(_)) => {}
                Ok(Err(RecvError::Lagged(_))) => self.behind = true,
                Ok(Err(RecvError::Closed)) => return None,
                Err(_) => return self.heartbeat(),
            }
        }
    }

    fn wanted(&self, frame: &Frame) -> bool {
        frame.position > self.after && self.run.as_deref().is_none_or(|run| *frame.stream == *run)
    }

    fn sent(&mut self, frame: &Frame) -> Bytes {
        self.after = frame.position;
        self.ended = frame.ends && self.run.is_some();
        frame.bytes.clone()
    }

    /// Says that the stream is alive, if its caller still may hear it.
    fn heartbeat(&mut self) -> Option<Bytes> {
        self.beat = Instant::now() + limits::HEARTBEAT;
        let may = self.app.identity.is_current(&self.caller, self.app.now())
            && self.bench.may(&self.caller, model::Permission::Read).is_ok();
        may.then(|| Bytes::from_static(b": alive\n\n"))
    }

    /// Reads what was missed, a page at a time. What is broadcast meanwhile is skipped by its position.
    async fn catch_up(&mut self) -> Option<()> {
        let (bench, run, after) = (Arc::clone(&self.bench), self.run.clone(), self.after);
        let read = tokio::task::spawn_blocking(move || page(&bench, run.as_deref(), after)).await;
        let (frames, more) = read.ok()?.ok()?;
        // a run that has ended says nothing more
        let over = frames.is_empty() && self.run.is_some() && self.is_over();
        self.ready = frames.into();
        self.behind = more;
        self.ended = over;
        Some(())
    }

    fn is_over(&self) -> bool {
        let run = self.run.as_ref().and_then(|run| run.parse().ok());
        let row = run.and_then(|run| self.bench.workshop.journal.run(run).ok().flatten());
        row.is_some_and(|row| row.status.is_ended() && row.last <= self.after)
    }
}

/// A page of what came after a position, and whether there may be more.
fn page(bench: &Bench, run: Option<&str>, after: u64) -> Answer<(Vec<Frame>, bool)> {
    let journal = &bench.workshop.journal;
    let limit = engine::limits::READ_MAX;
    let Some(run) = run else {
        let records = journal.read(after, limit)?;
        return Ok((records.iter().map(Frame::of).collect(), records.len() == limit));
    };
    let mut sequence = 0;
    loop {
        let records = journal.read_stream(run, sequence, limit)?;
        let more = records.len() == limit;
        sequence = records.last().map_or(sequence, |record| record.sequence);
        let frames: Vec<Frame> =
            records.iter().filter(|record| record.position > after).map(Frame::of).collect();
        if !frames.is_empty() || !more {
            return Ok((frames, more));
        }
    }
}
