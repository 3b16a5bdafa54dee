//! Views: tables that answer questions too slow to answer from the journal.
//!
//! Every row is a fold over records and nothing else, written in the transaction that appends them, so a view is never
//! behind and can be dropped and rebuilt to the same bytes ([`crate::SqliteJournal::rebuild`]).

mod approval;
pub(crate) mod rebuild;
pub(crate) mod resource;
mod run;

use std::collections::{BTreeMap, HashMap};

use journal::events::{EnvironmentEvent, QuotaEvent, QuotaUse, TimerEvent};
use journal::{Event, StreamId};
use model::{ApprovalId, Principal, RunId, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Connection, RowIndex, params};

pub use approval::{ApprovalRow, ApprovalStatus};
pub use rebuild::Difference;
pub use resource::ResourceRow;
pub use run::{RunRow, RunStatus, WaitingOn};

use crate::limits::CACHE_ROWS_MAX;

/// One record, as a view sees it.
pub(crate) struct Fact<'a> {
    pub(crate) position: u64,
    pub(crate) stream: &'a StreamId,
    pub(crate) sequence: u64,
    pub(crate) at: Timestamp,
    pub(crate) actor: &'a Principal,
    pub(crate) event: &'a Event,
}

/// The views' tables and what orders their rows, which is also the order in which they are compared.
pub(crate) const TABLES: &[(&str, &str)] = &[
    ("runs", "submitted"),
    ("approvals", "asked"),
    ("timers", "run, step, name"),
    ("quota_uses", "position"),
    ("checkpoints", "size"),
    ("resources", "host, resource"),
    ("resource_steps", "run, step"),
    ("absences", "host, resource"),
    ("counters", "name"),
];

/// Makes the views' tables.
pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(resource::SCHEMA)?;
    connection.execute_batch(resource::ABSENCES)?;
    connection.execute_batch(
        "
        CREATE TABLE runs (
            submitted INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL,
            environment TEXT NOT NULL, requester TEXT NOT NULL, parent TEXT, engine TEXT,
            status TEXT NOT NULL, ended INTEGER NOT NULL, waiting_on TEXT,
            submitted_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER,
            last INTEGER NOT NULL, problem TEXT, state TEXT NOT NULL
        ) STRICT;
        CREATE INDEX runs_by_status ON runs (status, submitted);
        CREATE INDEX runs_unended ON runs (submitted) WHERE ended = 0;
        CREATE INDEX runs_by_name ON runs (name, submitted);
        CREATE TABLE approvals (
            asked INTEGER PRIMARY KEY, approval TEXT NOT NULL UNIQUE, run TEXT NOT NULL, step TEXT NOT NULL,
            title TEXT NOT NULL, chain TEXT NOT NULL, level INTEGER NOT NULL, levels TEXT NOT NULL,
            votes TEXT NOT NULL, status TEXT NOT NULL, requester TEXT NOT NULL, binding TEXT NOT NULL,
            asked_at INTEGER NOT NULL, expires INTEGER, ended_at INTEGER, ended_by TEXT, reason TEXT
        ) STRICT;
        CREATE INDEX approvals_by_status ON approvals (status, asked);
        CREATE INDEX approvals_by_run ON approvals (run, asked);
        CREATE INDEX approvals_due ON approvals (expires) WHERE status = 'waiting' AND expires IS NOT NULL;
        CREATE TABLE timers (
            run TEXT NOT NULL, step TEXT NOT NULL, name TEXT NOT NULL, due INTEGER NOT NULL, purpose TEXT NOT NULL,
            PRIMARY KEY (run, step, name)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX timers_due ON timers (due);
        CREATE TABLE quota_uses (
            position INTEGER PRIMARY KEY, key TEXT NOT NULL, at INTEGER NOT NULL, amount INTEGER NOT NULL,
            run TEXT NOT NULL, step TEXT NOT NULL, committed INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX quota_uses_by_key ON quota_uses (key, at);
        CREATE INDEX quota_uses_by_step ON quota_uses (run, step, key);
        CREATE TABLE checkpoints (
            size INTEGER PRIMARY KEY, checkpoint TEXT NOT NULL, position INTEGER NOT NULL, at INTEGER NOT NULL,
            root TEXT NOT NULL, note TEXT NOT NULL
        ) STRICT;
        CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        ",
    )
}

/// A row that is kept in memory, and what of it the table has.
pub(crate) struct Slot<T, S> {
    pub(crate) row: T,
    /// The status the table and the counters know; `None`: the row is not in the table yet.
    pub(crate) stored: Option<S>,
    /// Whether it is on the list of what [`Views::flush`] writes.
    pub(crate) dirty: bool,
}

/// The fold. Rows of runs and approvals that changed are kept until [`Views::flush`] and remembered after it.
#[derive(Default)]
pub(crate) struct Views {
    runs: HashMap<RunId, Slot<RunRow, RunStatus>>,
    approvals: HashMap<ApprovalId, Slot<ApprovalRow, ApprovalStatus>>,
    changed_runs: Vec<RunId>,
    changed_approvals: Vec<ApprovalId>,
    counters: BTreeMap<String, i64>,
}

impl Views {
    /// Takes notice of one record.
    pub(crate) fn fold(&mut self, connection: &Connection, fact: &Fact<'_>) -> rusqlite::Result<()> {
        match fact.event {
            Event::Step(step) => {
                resource::fold(connection, fact, step)?;
                self.fold_run(connection, fact)
            }
            Event::Run(_) | Event::Listen(_) => self.fold_run(connection, fact),
            Event::Timer(timer) => {
                fold_timer(connection, fact.stream, timer)?;
                self.fold_run(connection, fact)
            }
            Event::Approval(event) => self.fold_approval(connection, fact, event),
            Event::Quota(event) => fold_quota(connection, fact, event),
            Event::Environment(EnvironmentEvent::CheckpointSigned(signed)) => {
                let sql = "INSERT OR REPLACE INTO checkpoints (size, checkpoint, position, at, root, note)
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                connection.prepare_cached(sql)?.execute(params![
                    signed.size.cast_signed(),
                    signed.checkpoint.to_string(),
                    fact.position.cast_signed(),
                    fact.at.as_millisecond(),
                    signed.root,
                    signed.note
                ])?;
                Ok(())
            }
            Event::Environment(_)
            | Event::Submission(_)
            | Event::Schedule(_)
            | Event::Rules(_)
            | Event::Drift(_)
            | Event::Definition(_)
            | Event::Bus(_)
            | Event::Identity(_) => Ok(()),
        }
    }

    fn count(&mut self, name: String, by: i64) {
        *self.counters.entry(name).or_default() += by;
    }

    /// Writes what changed. Afterwards the tables are the fold of every record seen.
    pub(crate) fn flush(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.flush_runs(connection)?;
        self.flush_approvals(connection)?;
        for (name, by) in std::mem::take(&mut self.counters) {
            if by == 0 {
                continue;
            }
            let sql = "INSERT INTO counters (name, value) VALUES (?1, ?2)
                       ON CONFLICT (name) DO UPDATE SET value = value + excluded.value";
            connection.prepare_cached(sql)?.execute(params![name, by])?;
            connection
                .prepare_cached("DELETE FROM counters WHERE name = ?1 AND value = 0")?
                .execute([&name])?;
        }
        if self.runs.len() > CACHE_ROWS_MAX {
            self.runs.clear();
        }
        if self.approvals.len() > CACHE_ROWS_MAX {
            self.approvals.clear();
        }
        Ok(())
    }

    /// How many rows wait for [`Views::flush`].
    pub(crate) fn pending(&self) -> usize {
        self.changed_runs.len() + self.changed_approvals.len()
    }
}

fn fold_timer(connection: &Connection, stream: &StreamId, event: &TimerEvent) -> rusqlite::Result<()> {
    match event {
        TimerEvent::Set(timer) => connection
            .prepare_cached(
                "INSERT OR REPLACE INTO timers (run, step, name, due, purpose) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                &**stream,
                timer.step.as_str(),
                timer.name,
                timer.due.as_millisecond(),
                timer.purpose
            ])?,
        TimerEvent::Fired(timer) | TimerEvent::Cancelled(timer) => connection
            .prepare_cached("DELETE FROM timers WHERE run = ?1 AND step = ?2 AND name = ?3")?
            .execute(params![&**stream, timer.step.as_str(), timer.name])?,
    };
    Ok(())
}

/// A use is counted from its reservation on; a commit confirms the oldest open one of its step, a refund takes it away.
fn fold_quota(connection: &Connection, fact: &Fact<'_>, event: &QuotaEvent) -> rusqlite::Result<()> {
    const OLDEST: &str = "SELECT position FROM quota_uses
        WHERE run = ?1 AND step = ?2 AND key = ?3 AND committed = 0 ORDER BY position LIMIT 1";
    let oldest = |sql: &str, used: &QuotaUse| -> rusqlite::Result<()> {
        connection.prepare_cached(&sql.replace("OLDEST", OLDEST))?.execute(params![
            used.run.to_string(),
            used.step.as_str(),
            used.key
        ])?;
        Ok(())
    };
    match event {
        QuotaEvent::Reserved(used) => {
            let sql = "INSERT INTO quota_uses (position, key, at, amount, run, step, committed)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)";
            connection.prepare_cached(sql)?.execute(params![
                fact.position.cast_signed(),
                used.key,
                fact.at.as_millisecond(),
                crate::reader::clamp(used.amount),
                used.run.to_string(),
                used.step.as_str()
            ])?;
            Ok(())
        }
        QuotaEvent::Committed(used) => {
            oldest("UPDATE quota_uses SET committed = 1 WHERE position = (OLDEST)", used)
        }
        QuotaEvent::Refunded(used) => oldest("DELETE FROM quota_uses WHERE position = (OLDEST)", used),
    }
}

fn unlike<E: std::error::Error + Send + Sync + 'static>(kind: Type) -> impl FnOnce(E) -> rusqlite::Error {
    move |error| rusqlite::Error::FromSqlConversionFailure(0, kind, Box::new(error))
}

fn text<'r>(row: &'r rusqlite::Row<'_>, column: impl RowIndex) -> rusqlite::Result<&'r str> {
    row.get_ref(column)?.as_str().map_err(unlike(Type::Text))
}

/// Reads a text column as something that is written as text.
pub(crate) fn parse<T: std::str::FromStr>(
    row: &rusqlite::Row<'_>,
    column: impl RowIndex,
) -> rusqlite::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text(row, column)?.parse().map_err(unlike(Type::Text))
}

/// The same for a column that may be null.
pub(crate) fn parse_optional<T: std::str::FromStr>(
    row: &rusqlite::Row<'_>,
    column: impl RowIndex,
) -> rusqlite::Result<Option<T>>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text = row.get_ref(column)?.as_str_or_null().map_err(unlike(Type::Text))?;
    text.map(str::parse).transpose().map_err(unlike(Type::Text))
}

/// Reads a JSON column.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(
    row: &rusqlite::Row<'_>,
    column: impl RowIndex,
) -> rusqlite::Result<T> {
    serde_json::from_str(text(row, column)?).map_err(unlike(Type::Text))
}

/// The same for a column that may be null.
pub(crate) fn from_json_optional<T: serde::de::DeserializeOwned>(
    row: &rusqlite::Row<'_>,
    column: impl RowIndex,
) -> rusqlite::Result<Option<T>> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(unlike(Type::Text))?;
    text.map(serde_json::from_str).transpose().map_err(unlike(Type::Text))
}

/// Writes a JSON column.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// Reads a column of milliseconds.
pub(crate) fn moment(row: &rusqlite::Row<'_>, column: impl RowIndex) -> rusqlite::Result<Option<Timestamp>> {
    let ms: Option<i64> = row.get(column)?;
    ms.map(Timestamp::from_millisecond).transpose().map_err(unlike(Type::Integer))
}
