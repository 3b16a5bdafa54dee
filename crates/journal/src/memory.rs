//! A journal in memory, for tests and simulated worlds.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{Digest, Timestamp, time};

use crate::limits::{APPEND_EVENTS_MAX, READ_RECORDS_MAX};
use crate::record::{self, Place};
use crate::watch::Watch;
use crate::{Append, Appended, Appending, Head, Journal, JournalError, Record, StreamId};

/// A journal that lives as long as the process. Everything else is as with a real one: records are encoded, chained and
/// decoded again, conditions hold, readers wait.
///
/// ```
/// use journal::{Append, Journal, MemoryJournal, NewEvent, events::{Nothing, RunEvent}};
/// use model::{Principal, Timestamp};
///
/// let journal = MemoryJournal::new(|| Timestamp::UNIX_EPOCH);
/// let started = NewEvent {
///     stream: "run_1".into(),
///     actor: Principal::system(),
///     event: RunEvent::Started(Nothing {}).into(),
/// };
/// let done = futures_executor::block_on(journal.append(Append { events: vec![started], ..Append::default() }));
/// assert_eq!(done.unwrap().last, 1);
/// assert_eq!(journal.read(0, 10).unwrap()[0].event.kind(), "run.started");
/// ```
pub struct MemoryJournal {
    source: String,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    state: Mutex<State>,
    watch: Watch,
}

#[derive(Default)]
struct State {
    records: Vec<Record>,
    digest: Option<Digest>,
    streams: HashMap<StreamId, Vec<usize>>,
    fault: Option<JournalError>,
}

impl fmt::Debug for MemoryJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryJournal").field("position", &self.watch.position()).finish_non_exhaustive()
    }
}

impl MemoryJournal {
    /// An empty journal. `clock` tells the time of appends that carry none.
    pub fn new(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self {
            source: "memory".to_owned(),
            clock: Box::new(clock),
            state: Mutex::default(),
            watch: Watch::default(),
        }
    }

    /// From now on every append fails with `fault`, as with a full disk; `None` ends that.
    pub fn set_fault(&self, fault: Option<JournalError>) {
        self.state().fault = fault;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // an append changes the state only after everything that can fail, so a poisoned state is whole
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append_now(&self, append: &Append) -> Result<Appended, JournalError> {
        check_count(append.events.len())?;
        let prepared = append.events.iter().map(record::prepare).collect::<Result<Vec<_>, _>>()?;
        let mut state = self.state();
        if let Some(fault) = &state.fault {
            return Err(fault.clone());
        }
        for expect in &append.expect {
            let actual = state.streams.get(&expect.stream).map_or(0, Vec::len) as u64;
            if actual != expect.sequence {
                let (stream, expected) = (expect.stream.clone(), expect.sequence);
                return Err(JournalError::Conflict { stream, expected, actual });
            }
        }
        let wanted = time::to_millisecond(append.at.unwrap_or_else(|| (self.clock)()));
        let first = state.records.len() as u64 + 1;
        let (mut sequences, mut first_at) = (Vec::with_capacity(prepared.len()), wanted);
        for (event, new) in prepared.iter().zip(&append.events) {
            let places = state.streams.get(event.stream());
            let at = places
                .and_then(|places| places.last())
                .map_or(wanted, |last| state.records[*last].at.max(wanted));
            let sequence = places.map_or(0, Vec::len) as u64 + 1;
            if sequences.is_empty() {
                first_at = at;
            }
            let index = state.records.len();
            let previous = state.digest.unwrap_or(Digest::ZERO);
            let mut bytes = Vec::new();
            let time = time::rfc3339(at);
            event.finish(
                &Place {
                    position: index as u64 + 1,
                    sequence,
                    time: &time,
                    previous: &previous,
                    source: &self.source,
                },
                &mut bytes,
            );
            let record =
                record::decode(bytes).map_err(|error| record::unreadable(index as u64 + 1, &error))?;
            debug_assert_eq!(record.actor, new.actor);
            state.digest = Some(record::digest(&record.bytes));
            state.records.push(record);
            state.streams.entry(event.stream().clone()).or_default().push(index);
            sequences.push(sequence);
        }
        let last = state.records.len() as u64;
        drop(state);
        self.watch.publish(last);
        Ok(Appended { first, last, at: first_at, sequences })
    }
}

/// Refuses an append without events or with too many.
pub(crate) fn check_count(events: usize) -> Result<(), JournalError> {
    if (1..=APPEND_EVENTS_MAX).contains(&events) {
        return Ok(());
    }
    Err(JournalError::Storage {
        code: model::code::journal::BAD_APPEND,
        what: format!("an append has 1 to {APPEND_EVENTS_MAX} events, not {events}"),
        hint: None,
    })
}

impl Journal for MemoryJournal {
    fn append(&self, append: Append) -> Appending {
        Appending::ready(self.append_now(&append))
    }

    fn head(&self) -> Result<Head, JournalError> {
        let state = self.state();
        Ok(Head { position: state.records.len() as u64, digest: state.digest.unwrap_or(Digest::ZERO) })
    }

    fn read(&self, after: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        Ok(self.state().records.iter().skip(after).take(limit.min(READ_RECORDS_MAX)).cloned().collect())
    }

    fn read_stream(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        let state = self.state();
        let places = state.streams.get(stream).map(Vec::as_slice).unwrap_or_default();
        Ok(places
            .iter()
            .skip(after)
            .take(limit.min(READ_RECORDS_MAX))
            .map(|index| state.records[*index].clone())
            .collect())
    }

    fn changed(&self, after: u64) -> Pin<Box<dyn Future<Output = Result<u64, JournalError>> + Send + '_>> {
        let news = self.watch.wait(after);
        Box::pin(async move { news.await.unwrap_or_else(|_| Err(JournalError::stopped())) })
    }
}
