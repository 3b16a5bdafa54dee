//! Listening to what happens, over connections that break.

use std::time::Instant;

use reqwest::Response;
use reqwest::header::{self, HeaderName};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::sse::{Event, Parser};
use super::{Client, ClientError, Request, limits, pause};
use crate::Record;

/// Records as they happen. Ends the connection when dropped.
///
/// A connection that breaks is made again, from where it broke on: no record is missed and none comes twice.
#[derive(Debug)]
pub struct Events {
    records: mpsc::Receiver<Result<Record, ClientError>>,
    listening: JoinHandle<()>,
}

impl Events {
    /// Begins to listen. Must be called within a tokio runtime.
    pub(super) fn of(client: Client, request: Request) -> Self {
        let (tell, records) = mpsc::channel(limits::EVENTS_AHEAD);
        let listening = tokio::spawn(async move {
            let mut listener = Listener { client, request, last: None };
            if let Err(error) = listener.listen(&tell).await {
                // who does not listen any more need not be told
                drop(tell.send(Err(error)).await);
            }
        });
        Self { records, listening }
    }

    /// The next record; `None` once the server has nothing more to say. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The server refuses, or could not be reached for longer than [`limits::RECONNECT_TIME_MAX`].
    pub async fn next(&mut self) -> Result<Option<Record>, ClientError> {
        self.records.recv().await.transpose()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

type Tell = mpsc::Sender<Result<Record, ClientError>>;

/// One listener, over all its connections.
struct Listener {
    client: Client,
    request: Request,
    /// Position of the last record that was heard.
    last: Option<u64>,
}

impl Listener {
    async fn listen(&mut self, tell: &Tell) -> Result<(), ClientError> {
        let (mut tries, mut empty) = (0, 0);
        let mut broken: Option<Instant> = None;
        loop {
            let before = self.last;
            let outcome = match self.connect().await {
                Ok(response) => self.hear(response, tell).await,
                Err(error) => Err(error),
            };
            if tell.is_closed() {
                return Ok(());
            }
            if self.last != before {
                (tries, empty, broken) = (0, 0, None);
            }
            match outcome {
                // the server ended it in good order: there is nothing more, or it stops and another one comes
                Ok(()) => {
                    empty += 1;
                    if empty >= limits::EMPTY_STREAMS_MAX {
                        return Ok(());
                    }
                }
                Err(error) if !is_passing(&error) => return Err(error),
                Err(error) => {
                    let since = *broken.get_or_insert_with(Instant::now);
                    if since.elapsed() >= limits::RECONNECT_TIME_MAX {
                        return Err(error);
                    }
                }
            }
            tries += 1;
            tokio::time::sleep(pause(tries)).await;
        }
    }

    async fn connect(&self) -> Result<Response, ClientError> {
        let mut request = self.request.clone().with_header(header::ACCEPT, "text/event-stream")?;
        if let Some(last) = self.last {
            request = request.with_header(HeaderName::from_static("last-event-id"), &last.to_string())?;
        }
        let response = self.client.open(&request).await?;
        let kind = response.headers().get(header::CONTENT_TYPE);
        if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
            return Ok(response);
        }
        Err(self.client.not_a_server("it answers a stream of events with something else"))
    }

    /// Hears one connection to its end.
    async fn hear(&mut self, mut response: Response, tell: &Tell) -> Result<(), ClientError> {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        loop {
            let chunk = tokio::time::timeout(limits::SILENCE_MAX, response.chunk()).await;
            let chunk = chunk.map_err(|_| self.client.late(limits::SILENCE_MAX))?;
            let Some(chunk) = chunk.map_err(|error| self.client.broken(error).error)? else {
                return Ok(());
            };
            parser
                .feed(&chunk, &mut events)
                .map_err(|_| self.client.not_a_server("an event of a stream is larger than the limit"))?;
            for event in events.drain(..) {
                let record = self.record(&event)?;
                if self.last.is_some_and(|last| record.position <= last) {
                    continue;
                }
                self.last = Some(record.position);
                if tell.send(Ok(record)).await.is_err() {
                    return Ok(());
                }
            }
        }
    }

    fn record(&self, event: &Event) -> Result<Record, ClientError> {
        let wrong =
            |why: String| self.client.not_a_server(format!("an event of a stream is no record: {why}"));
        let record: Record = serde_json::from_str(&event.data).map_err(|error| wrong(error.to_string()))?;
        if event.id != record.position.to_string() {
            return Err(wrong(format!(
                "it is {} and says it is {}",
                event.id.escape_debug(),
                record.position
            )));
        }
        Ok(record)
    }
}

/// Whether listening again may go better.
fn is_passing(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } => true,
        ClientError::Refused(refusal) => matches!(refusal.status, 429 | 502..=504),
        _ => false,
    }
}
