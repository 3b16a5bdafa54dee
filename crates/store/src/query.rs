//! Questions to the views.

use journal::{Head, JournalError};
use model::{ApprovalId, Principal, RunId, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use crate::ledger;
use crate::limits::QUERY_ROWS_MAX;
use crate::reader::clamp;
use crate::sqlite::SqliteJournal;
use crate::views::rebuild::{self, Difference};
use crate::views::{ApprovalRow, ApprovalStatus, ResourceRow, RunRow, RunStatus, moment, parse, resource};

/// Rows of an answer, newest first, and where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Pass this as `before` to get the next page; absent: there is none.
    pub next: Option<u64>,
}

/// Which runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only with one of these; empty: with any.
    pub status: Vec<RunStatus>,
    /// Only of a program with this name (`namespace/name`).
    pub name: Option<String>,
    /// Only of programs of this kind: `workflow`, `plan`.
    pub kind: Option<String>,
    /// Only of the program with this digest.
    pub digest: Option<model::Digest>,
    /// Only submitted by this principal.
    pub requester: Option<Principal>,
    /// Only submitted at or after this moment.
    pub since: Option<Timestamp>,
    /// Only older than this: [`Page::next`] of the page before.
    pub before: Option<u64>,
}

/// Which approvals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApprovalFilter {
    /// Only with one of these; empty: with any.
    pub status: Vec<ApprovalStatus>,
    /// Only of this run.
    pub run: Option<RunId>,
    /// Only older than this: [`Page::next`] of the page before.
    pub before: Option<u64>,
}

/// A timer that has not fired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimerRow {
    /// The run that holds it.
    pub run: RunId,
    /// The step that holds it.
    pub step: model::StepId,
    /// Its name.
    pub name: String,
    /// When it is due.
    pub due: Timestamp,
    /// `wait`, `retry`, `timeout` or `window`.
    pub purpose: String,
}

/// A checkpoint that is in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    /// Number of records it covers.
    pub size: u64,
    /// Its id.
    pub checkpoint: model::CheckpointId,
    /// Position of the record that holds it.
    pub position: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// Merkle root, hexadecimal.
    pub root: String,
    /// The signed note.
    pub note: String,
}

/// The answer to "how is it?", from counters: as fast for a million records as for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Where the journal ends.
    pub head: Head,
    /// How many runs have each status. Statuses without a run are left out.
    pub runs: Vec<(RunStatus, u64)>,
    /// How many approvals wait.
    pub approvals_waiting: u64,
    /// How many timers have not fired.
    pub timers: u64,
    /// The newest checkpoint.
    pub checkpoint: Option<CheckpointRow>,
    /// Size of the file and its write-ahead log in bytes.
    pub bytes: u64,
}

/// Conditions and their values, in step.
#[derive(Default)]
struct Conditions {
    texts: Vec<String>,
    values: Vec<Value>,
    statuses: Vec<&'static str>,
}

impl Conditions {
    /// Adds a condition; `?` in it stands for the value.
    fn add(&mut self, condition: &str, value: impl Into<Value>) {
        self.texts.push(condition.to_owned());
        self.values.push(value.into());
    }

    /// Only rows with one of these statuses; with any where there is none.
    fn any_of(&mut self, statuses: impl Iterator<Item = &'static str>) {
        self.statuses.extend(statuses);
    }

    /// One page of a view, newest first. Asks for one row more than wanted, to know whether there is a next page.
    fn page<T: Paged>(
        mut self,
        connection: &Connection,
        before: Option<u64>,
        limit: usize,
    ) -> rusqlite::Result<Page<T>> {
        let (table, key) = (T::TABLE, T::KEY);
        if let Some(before) = before {
            self.add(&format!("{key} < ?"), clamp(before));
        }
        let limit = limit.clamp(1, QUERY_ROWS_MAX);
        let wanted = if self.texts.is_empty() { "true".to_owned() } else { self.texts.join(" AND ") };
        let rows = |status: Option<&str>| {
            let (columns, of) = (T::COLUMNS, if status.is_some() { "status = ? AND " } else { "" });
            let sql = format!(
                "SELECT {columns} FROM {table} WHERE {of}{wanted} ORDER BY {key} DESC LIMIT {}",
                limit + 1
            );
            let status = status.map(|status| Value::from(status.to_owned()));
            let values = status.into_iter().chain(self.values.iter().cloned());
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_map(params_from_iter(values), T::read)?.collect::<rusqlite::Result<Vec<T>>>()
        };
        // the newest of each status by its index, then the newest of those: asked for all at once, rare ones among many others
        // are looked for row by row
        let mut items = match self.statuses.as_slice() {
            [] => rows(None)?,
            statuses => {
                let each = statuses.iter().map(|status| rows(Some(status)));
                each.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect()
            }
        };
        items.sort_unstable_by_key(|row: &T| std::cmp::Reverse(row.place()));
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(T::place) } else { None };
        Ok(Page { items, next })
    }
}

/// A view that is shown in pages.
trait Paged: Sized {
    const TABLE: &str;
    /// What `read` reads.
    const COLUMNS: &str;
    /// The column that orders rows by age.
    const KEY: &str;
    fn read(row: &Row<'_>) -> rusqlite::Result<Self>;
    fn place(&self) -> u64;
}

impl Paged for RunRow {
    const TABLE: &str = "runs";
    const COLUMNS: &str = Self::COLUMNS;
    const KEY: &str = "submitted";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Self::from_row(row)
    }

    fn place(&self) -> u64 {
        self.submitted
    }
}

impl Paged for ApprovalRow {
    const TABLE: &str = "approvals";
    const COLUMNS: &str = Self::COLUMNS;
    const KEY: &str = "asked";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Self::from_row(row)
    }

    fn place(&self) -> u64 {
        self.asked
    }
}

impl SqliteJournal {
    /// Runs, newest first, at most `limit` and 1,000.
    pub fn runs(&self, filter: &RunFilter, limit: usize) -> Result<Page<RunRow>, JournalError> {
        let mut conditions = Conditions::default();
        conditions.any_of(filter.status.iter().map(|status| status.as_str()));
        if let Some(name) = &filter.name {
            conditions.add("name = ?", name.clone());
        }
        if let Some(kind) = &filter.kind {
            conditions.add("kind = ?", kind.clone());
        }
        if let Some(digest) = &filter.digest {
            conditions.add("digest = ?", digest.to_string());
        }
        if let Some(requester) = &filter.requester {
            conditions.add("requester = ?", requester.to_string());
        }
        if let Some(since) = filter.since {
            conditions.add("submitted_at >= ?", since.as_millisecond());
        }
        self.readers.with(|connection| conditions.page(connection, filter.before, limit))
    }

    /// One run.
    pub fn run(&self, run: RunId) -> Result<Option<RunRow>, JournalError> {
        self.readers.with(|connection| RunRow::find(connection, &run.to_string()))
    }

    /// Runs whose id begins as a person typed it, with or without `run_`; at most `limit`.
    pub fn find_runs(&self, typed: &str, limit: usize) -> Result<Vec<RunId>, JournalError> {
        self.find(
            "SELECT run AS id FROM runs WHERE run >= ?1 AND run < ?2 ORDER BY run LIMIT ?3",
            "run_",
            typed,
            limit,
        )
    }

    /// Runs that have not ended, oldest first.
    pub fn unfinished_runs(&self) -> Result<Vec<RunId>, JournalError> {
        self.readers.with(|connection| {
            connection
                .prepare_cached("SELECT run FROM runs WHERE ended = 0 ORDER BY submitted")?
                .query_map([], |row| parse(row, "run"))?
                .collect()
        })
    }

    /// Approvals that wait although the run that asked has ended, oldest first, at most 1,000.
    pub fn orphaned_approvals(&self) -> Result<Vec<ApprovalId>, JournalError> {
        self.readers.with(|connection| {
            connection
                .prepare_cached(
                    "SELECT approval FROM approvals JOIN runs ON runs.run = approvals.run
                     WHERE approvals.status = 'waiting' AND runs.ended = 1 ORDER BY asked LIMIT ?1",
                )?
                .query_map([clamp(QUERY_ROWS_MAX as u64)], |row| parse(row, "approval"))?
                .collect()
        })
    }

    /// Approvals, newest first, at most `limit` and 1,000.
    pub fn approvals(
        &self,
        filter: &ApprovalFilter,
        limit: usize,
    ) -> Result<Page<ApprovalRow>, JournalError> {
        let mut conditions = Conditions::default();
        conditions.any_of(filter.status.iter().map(|status| status.as_str()));
        if let Some(run) = filter.run {
            conditions.add("run = ?", run.to_string());
        }
        self.readers.with(|connection| conditions.page(connection, filter.before, limit))
    }

    /// One approval.
    pub fn approval(&self, approval: ApprovalId) -> Result<Option<ApprovalRow>, JournalError> {
        self.readers.with(|connection| ApprovalRow::find(connection, &approval.to_string()))
    }

    /// Approvals whose id begins as a person typed it, with or without `apr_`; at most `limit`.
    pub fn find_approvals(&self, typed: &str, limit: usize) -> Result<Vec<ApprovalId>, JournalError> {
        let sql = "SELECT approval AS id FROM approvals WHERE approval >= ?1 AND approval < ?2 ORDER BY approval LIMIT ?3";
        self.find(sql, "apr_", typed, limit)
    }

    fn find<T: std::str::FromStr<Err = model::id::IdError>>(
        &self,
        sql: &str,
        prefix: &str,
        typed: &str,
        limit: usize,
    ) -> Result<Vec<T>, JournalError> {
        let from = if typed.starts_with(prefix) { typed.to_owned() } else { format!("{prefix}{typed}") };
        // past everything that begins so: ids are ASCII below this character
        let to = format!("{from}\u{7f}");
        self.readers.with(|connection| {
            connection
                .prepare_cached(sql)?
                .query_map(params![from, to, clamp(limit.min(QUERY_ROWS_MAX) as u64)], |row| {
                    parse(row, "id")
                })?
                .collect()
        })
    }

    /// Waiting approvals whose current level runs out at or before `until`, the earliest first, at most 1,000.
    pub fn approvals_due(&self, until: Timestamp) -> Result<Vec<ApprovalRow>, JournalError> {
        self.readers.with(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {} FROM approvals WHERE status = 'waiting' AND expires <= ?1 ORDER BY expires LIMIT ?2",
                    ApprovalRow::COLUMNS
                ))?
                .query_map(params![until.as_millisecond(), clamp(QUERY_ROWS_MAX as u64)], ApprovalRow::from_row)?
                .collect()
        })
    }

    /// Timers due at or before `until`, the earliest first, at most 1,000.
    pub fn timers_due(&self, until: Timestamp) -> Result<Vec<TimerRow>, JournalError> {
        self.timers("WHERE due <= ?1 ORDER BY due, run, step, name LIMIT ?2", &until.as_millisecond().into())
    }

    /// The timers of a run, the earliest first.
    pub fn timers_of(&self, run: RunId) -> Result<Vec<TimerRow>, JournalError> {
        self.timers("WHERE run = ?1 ORDER BY due, step, name LIMIT ?2", &run.to_string().into())
    }

    fn timers(&self, wanted: &str, value: &Value) -> Result<Vec<TimerRow>, JournalError> {
        self.readers.with(|connection| {
            connection
                .prepare_cached(&format!("SELECT run, step, name, due, purpose FROM timers {wanted}"))?
                .query_map(params![value, clamp(QUERY_ROWS_MAX as u64)], |row| {
                    Ok(TimerRow {
                        run: parse(row, "run")?,
                        step: model::StepId::new(row.get::<_, String>("step")?),
                        name: row.get("name")?,
                        due: moment(row, "due")?.unwrap_or_default(),
                        purpose: row.get("purpose")?,
                    })
                })?
                .collect()
        })
    }

    /// What is on record of every resource on every host, in order of hosts and names.
    pub fn resources(&self) -> Result<Vec<ResourceRow>, JournalError> {
        self.readers.with(|connection| {
            connection
                .prepare_cached("SELECT * FROM resources ORDER BY host, resource")?
                .query_map([], resource::read)?
                .collect()
        })
    }

    /// What is on record of one resource on a host.
    pub fn resource(&self, instance: &plan::Instance) -> Result<Option<ResourceRow>, JournalError> {
        self.readers.with(|connection| {
            connection
                .prepare_cached("SELECT * FROM resources WHERE host = ?1 AND resource = ?2")?
                .query_row([instance.host.as_str(), instance.resource.as_str()], resource::read)
                .optional()
        })
    }

    /// Every instance that was applied as absent last, in order of hosts and names: rows without attributes.
    pub fn absences(&self) -> Result<Vec<ResourceRow>, JournalError> {
        let sql = format!("{} ORDER BY host, resource", resource::SELECT_ABSENCES);
        self.readers
            .with(|connection| connection.prepare_cached(&sql)?.query_map([], resource::read)?.collect())
    }

    /// The same of one instance.
    pub fn absence(&self, instance: &plan::Instance) -> Result<Option<ResourceRow>, JournalError> {
        let sql = format!("{} WHERE host = ?1 AND resource = ?2", resource::SELECT_ABSENCES);
        self.readers.with(|connection| {
            connection
                .prepare_cached(&sql)?
                .query_row([instance.host.as_str(), instance.resource.as_str()], resource::read)
                .optional()
        })
    }

    /// When the next timer fires or the next approval's level runs out.
    pub fn next_due(&self) -> Result<Option<Timestamp>, JournalError> {
        self.readers.with(|connection| {
            let sql = "SELECT min(due) AS due FROM (
                SELECT min(due) AS due FROM timers UNION ALL
                SELECT min(expires) FROM approvals WHERE status = 'waiting' AND expires IS NOT NULL)";
            connection.prepare_cached(sql)?.query_row([], |row| moment(row, "due"))
        })
    }

    /// Uses of a quota's counter at or after `since` (reserved and not refunded), oldest first, and the last sequence of
    /// the counter's stream `quota/KEY`, both of one moment: what a conditional append needs.
    pub fn quota_uses(
        &self,
        key: &str,
        since: Timestamp,
    ) -> Result<(Vec<(Timestamp, u64)>, u64), JournalError> {
        self.readers.with(|connection| {
            let uses = connection
                .prepare_cached(
                    "SELECT at, amount FROM quota_uses WHERE key = ?1 AND at >= ?2 ORDER BY at, position",
                )?
                .query_map(params![key, since.as_millisecond()], |row| {
                    Ok((moment(row, "at")?.unwrap_or_default(), row.get::<_, i64>("amount")?.cast_unsigned()))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            Ok((uses, ledger::last_sequence(connection, &format!("quota/{key}"))?))
        })
    }

    /// Checkpoints, newest first, at most `limit` and 1,000.
    pub fn checkpoints(&self, limit: usize) -> Result<Vec<CheckpointRow>, JournalError> {
        self.readers.with(|connection| checkpoints(connection, limit))
    }

    /// How the environment is.
    pub fn status(&self) -> Result<Status, JournalError> {
        let bytes = |suffix: &str| {
            let mut path = self.path().as_os_str().to_owned();
            path.push(suffix);
            std::fs::metadata(path).map_or(0, |metadata| metadata.len())
        };
        let bytes = bytes("") + bytes("-wal");
        self.readers.with(|connection| {
            let counters = connection
                .prepare_cached("SELECT name, value FROM counters")?
                .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?
                .collect::<rusqlite::Result<std::collections::HashMap<_, _>>>()?;
            let count = |name: String| counters.get(&name).copied().unwrap_or(0);
            let timers: i64 =
                connection.prepare_cached("SELECT count(*) FROM timers")?.query_row([], |row| row.get(0))?;
            Ok(Status {
                head: ledger::read_head(connection)?,
                runs: RunStatus::ALL
                    .into_iter()
                    .map(|status| (status, count(format!("runs.{status}"))))
                    .filter(|(_, count)| *count > 0)
                    .collect(),
                approvals_waiting: count(format!("approvals.{}", ApprovalStatus::Waiting)),
                timers: timers.cast_unsigned(),
                checkpoint: checkpoints(connection, 1)?.pop(),
                bytes,
            })
        })
    }

    /// Empties the views and folds the journal again, in one transaction. Waits for the writer.
    pub fn rebuild(&self) -> Result<(), JournalError> {
        self.writer.rebuild().wait()
    }

    /// Folds the journal beside the views and tells which rows are not what they should be, at most 100.
    pub fn compare_views(&self) -> Result<Vec<Difference>, JournalError> {
        let path = self.path().to_owned();
        self.readers.with(|connection| Ok(rebuild::compare(connection, &path)))?
    }
}

pub(crate) fn checkpoints(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<CheckpointRow>> {
    connection
        .prepare_cached("SELECT * FROM checkpoints ORDER BY size DESC LIMIT ?1")?
        .query_map([clamp(limit.min(QUERY_ROWS_MAX) as u64)], |row| {
            Ok(CheckpointRow {
                size: row.get::<_, i64>("size")?.cast_unsigned(),
                checkpoint: parse(row, "checkpoint")?,
                position: row.get::<_, i64>("position")?.cast_unsigned(),
                at: moment(row, "at")?.unwrap_or_default(),
                root: row.get("root")?,
                note: row.get("note")?,
            })
        })?
        .collect()
}
