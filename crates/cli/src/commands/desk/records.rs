//! The journal of a server, as far as it is asked for. Every record is checked against the digest that came with it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use api::client::{At, ClientError, Events};
use journal::{Append, Appending, Head, Journal, JournalError, Record};
use model::{Coded as _, canonical, code};
use tokio::runtime::Handle;

/// Records of one answer: the server has no larger pages.
const PAGE_MAX: usize = 200;

/// The journal of a server's environment.
pub(in crate::commands) struct Records {
    at: At,
    runtime: Handle,
    heard: Mutex<Option<Heard>>,
    /// Locked by whoever waits for news, of whom there is one.
    events: tokio::sync::Mutex<Option<Events>>,
}

/// What came over a stream and was not read.
struct Heard {
    /// The stream that is listened to; all of the journal when absent.
    stream: Option<String>,
    records: VecDeque<Record>,
    /// Position of the last record that came.
    position: u64,
}

impl Records {
    pub(super) fn of(at: At, runtime: Handle) -> Self {
        Self { at, runtime, heard: Mutex::new(None), events: tokio::sync::Mutex::new(None) }
    }

    /// Waits, wherever it is called: by a command, or within something that is waited for already.
    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        if Handle::try_current().is_ok() {
            return tokio::task::block_in_place(|| self.runtime.block_on(work));
        }
        self.runtime.block_on(work)
    }

    /// Listens to one stream from its beginning, or to everything after a position.
    pub(super) fn listen(&self, stream: Option<&str>, after: u64) -> Result<(), ClientError> {
        let runtime = self.runtime.enter();
        let events = match stream {
            Some(run) => self.at.run_events(run),
            None => self.at.events(after)?,
        };
        drop(runtime);
        let heard = Heard { stream: stream.map(str::to_owned), records: VecDeque::new(), position: after };
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(heard);
        self.wait(async { *self.events.lock().await = Some(events) });
        Ok(())
    }

    /// What came, if that is listened to. `place` says where a record stands.
    fn heard(
        &self,
        stream: Option<&str>,
        after: u64,
        (limit, place): (usize, fn(&Record) -> u64),
    ) -> Option<Vec<Record>> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = heard.as_mut().filter(|heard| heard.stream.as_deref() == stream)?;
        while heard.records.front().is_some_and(|record| place(record) <= after) {
            heard.records.pop_front();
        }
        Some(heard.records.iter().take(limit).cloned().collect())
    }

    /// Up to where everything that is listened to has come.
    pub(in crate::commands) fn mark(&self) -> u64 {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.as_ref().map_or(0, |heard| heard.position)
    }

    fn page(&self, stream: Option<&str>, after: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        let query = api::RecordQuery {
            after: Some(after),
            stream: stream.map(str::to_owned),
            limit: u32::try_from(limit.clamp(1, PAGE_MAX)).ok(),
        };
        let page = self.wait(self.at.records(&query)).map_err(|error| failed(&error))?;
        page.items.iter().map(decoded).collect()
    }

    /// Waits for the next record; for ever, once there is nothing more to come.
    async fn next(&self) -> Result<u64, JournalError> {
        let mut events = self.events.lock().await;
        let next = match events.as_mut() {
            Some(events) => events.next().await.map_err(|error| failed(&error))?,
            None => None,
        };
        let Some(record) = next else {
            *events = None;
            return std::future::pending().await;
        };
        let record = decoded(&record)?;
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let position = record.position;
        if let Some(heard) = heard.as_mut() {
            heard.position = position;
            heard.records.push_back(record);
        }
        Ok(position)
    }
}

impl Journal for Records {
    fn append(&self, _: Append) -> Appending {
        let (answer, appending) = Appending::channel();
        let refused = JournalError::Storage {
            code: code::server::NOT_REMOTE,
            what: "the journal of a server is not written from here".to_owned(),
            hint: None,
        };
        // who does not wait for the answer knows it
        drop(answer.send(Err(refused)));
        appending
    }

    fn head(&self) -> Result<Head, JournalError> {
        let status = self.wait(self.at.status()).map_err(|error| failed(&error))?;
        let digest = status.journal.digest.parse().map_err(|_| JournalError::Storage {
            code: code::server::NOT_A_SERVER,
            what: "what the server says of its journal has no digest".to_owned(),
            hint: None,
        })?;
        Ok(Head { position: status.journal.position, digest })
    }

    fn read(&self, after: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        match self.heard(None, after, (limit, |record| record.position)) {
            Some(records) => Ok(records),
            None => self.page(None, after, limit),
        }
    }

    fn read_stream(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        match self.heard(Some(stream), after, (limit, |record| record.sequence)) {
            Some(records) => Ok(records),
            None => self.page(Some(stream), after, limit),
        }
    }

    fn changed(&self, after: u64) -> Pin<Box<dyn Future<Output = Result<u64, JournalError>> + Send + '_>> {
        Box::pin(async move {
            let waiting = {
                let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.as_ref().filter(|heard| heard.position > after).map(|heard| heard.position)
            };
            match waiting {
                Some(position) => Ok(position),
                None => self.next().await,
            }
        })
    }
}

/// What the client could not do, as an error of the journal that is read through it.
fn failed(error: &ClientError) -> JournalError {
    JournalError::Storage { code: error.code(), what: error.whole(), hint: error.hint() }
}

/// A record as it is in the journal: the bytes that have the digest which came along, and which say what the rest says.
pub(in crate::commands) fn decoded(sent: &api::Record) -> Result<Record, JournalError> {
    let bad = |why: String| JournalError::Storage {
        code: code::server::BAD_RECORD,
        what: format!("record {} came with {why}", sent.position),
        hint: Some("aedile journal verify --key FILE".to_owned()),
    };
    let bytes = canonical::to_vec(&sent.record);
    let digest = journal::record::digest(&bytes);
    if digest.to_string() != sent.digest {
        return Err(bad(format!("the digest {} and has {digest}", crate::views::table::plain(&sent.digest))));
    }
    let record = journal::record::decode(bytes)
        .map_err(|error| bad(format!("bytes that cannot be decoded here: {error}")))?;
    let same = record.position == sent.position
        && record.sequence == sent.sequence
        && *record.stream == *sent.stream
        && record.event.kind() == sent.kind;
    if same { Ok(record) } else { Err(bad("another record's bytes".to_owned())) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent() -> api::Record {
        let record = json!({
            "actor": "user:maria", "data": {"name": "go", "data": null}, "id": "7",
            "previous": model::Digest::ZERO.to_string(), "sequence": "3", "source": "aedile/dev",
            "specversion": "1.0", "subject": "run_01jc00000000000000000000zz", "time": "2026-11-21T09:00:00.000Z",
            "type": "run.signalled",
        });
        api::Record {
            position: 7,
            stream: "run_01jc00000000000000000000zz".to_owned(),
            sequence: 3,
            kind: "run.signalled".to_owned(),
            at: "2026-11-21T09:00:00.000Z".to_owned(),
            actor: "user:maria".to_owned(),
            digest: journal::record::digest(&canonical::to_vec(&record)).to_string(),
            record,
        }
    }

    #[test]
    fn a_record_that_is_not_what_it_says_is_refused() {
        assert_eq!(decoded(&sent()).unwrap().position, 7);
        let mut changed = sent();
        changed.record["actor"] = json!("user:mallory");
        assert_eq!(decoded(&changed).unwrap_err().code().id, "E1245");
        let moved = api::Record { position: 8, ..sent() };
        assert_eq!(decoded(&moved).unwrap_err().code().id, "E1245");
        let mut unknown = sent();
        unknown.record["type"] = json!("run.teleported");
        unknown.digest = journal::record::digest(&canonical::to_vec(&unknown.record)).to_string();
        assert_eq!(decoded(&unknown).unwrap_err().code().id, "E1245");
    }
}
