//! Leases: who carries something out at the moment, across processes, with fencing tokens.
//!
//! A lease is not a fact of the journal: it says who may act now, not what happened. Losing all leases loses nothing,
//! because a holder also holds its streams' conditions. The lease of a process that certainly lives no more (same host,
//! same boot, gone) is free at once; any other is free when its time is up.

use std::time::Duration;

use journal::JournalError;
use model::{Timestamp, code};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::holder::Process;
use crate::limits::{LEASE_NAME_BYTES_MAX, LEASE_TTL_MAX};
use crate::sqlite::SqliteJournal;
use crate::views::moment;
use crate::writer::Pending;

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// What the holder calls itself.
    pub label: String,
    /// Its process.
    pub pid: u32,
    /// Its host.
    pub host: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when, unless renewed.
    pub expires: Timestamp,
}

/// A lease that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub name: String,
    /// Larger than every token given for this name before.
    pub token: u64,
    /// Until when, unless renewed.
    pub expires: Timestamp,
}

/// The answer to a request for a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// It is yours.
    Yours(Lease),
    /// Somebody else has it.
    Held(Holder),
}

impl Acquired {
    /// The lease, or error `E0116` that names who has it.
    pub fn or_held(self, name: &str, now: Timestamp) -> Result<Lease, JournalError> {
        match self {
            Self::Yours(lease) => Ok(lease),
            Self::Held(holder) => Err(JournalError::Storage {
                code: code::journal::HELD,
                what: format!(
                    "{name} is held by {} (process {} on {}) for {} s",
                    holder.label,
                    holder.pid,
                    holder.host,
                    now.duration_since(holder.since).as_secs().max(0)
                ),
                hint: Some("aedile status".to_owned()),
            }),
        }
    }
}

struct Found {
    token: u64,
    label: Option<String>,
    process: Process,
    since: Timestamp,
    expires: Timestamp,
}

impl Found {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            token: row.get::<_, i64>("token")?.cast_unsigned(),
            label: row.get("label")?,
            process: Process {
                pid: row.get::<_, Option<u32>>("pid")?.unwrap_or(0),
                host: row.get::<_, Option<String>>("host")?.unwrap_or_default(),
                boot: row.get::<_, Option<String>>("boot")?.unwrap_or_default(),
                started: row.get::<_, Option<i64>>("started")?.unwrap_or(0).cast_unsigned(),
            },
            since: moment(row, "since")?.unwrap_or_default(),
            expires: moment(row, "expires")?.unwrap_or_default(),
        })
    }

    /// Who holds it at `now`, if anybody does.
    fn holder(self, now: Timestamp, current: &Process) -> Option<Holder> {
        let label = self.label?;
        if self.expires <= now || self.process.is_dead(current) {
            return None;
        }
        Some(Holder {
            label,
            pid: self.process.pid,
            host: self.process.host,
            since: self.since,
            expires: self.expires,
        })
    }
}

fn find(connection: &Connection, name: &str) -> rusqlite::Result<Option<Found>> {
    connection
        .prepare_cached("SELECT * FROM leases WHERE name = ?1")?
        .query_row([name], Found::from_row)
        .optional()
}

fn check(name: &str, label: &str, ttl: Duration) -> Result<(), JournalError> {
    let long = name.len().max(label.len()) > LEASE_NAME_BYTES_MAX;
    if name.is_empty() || label.is_empty() || long || ttl.is_zero() || ttl > LEASE_TTL_MAX {
        return Err(JournalError::Storage {
            code: code::journal::BAD_APPEND,
            what: format!("no lease named {name:?} can be given to {label:?} for {ttl:?}"),
            hint: None,
        });
    }
    Ok(())
}

/// `now + ttl`; a ttl is at most a day, so this stays in range until the year 9999.
fn after(now: Timestamp, ttl: Duration) -> Timestamp {
    let ttl = model::time::SignedDuration::try_from(ttl).unwrap_or_default();
    now.checked_add(ttl).unwrap_or(Timestamp::MAX)
}

impl SqliteJournal {
    /// Asks for the lease `name`, for `ttl`, on behalf of `label` in this process. Who already holds it under the same label
    /// in this process is given it again, with a new token.
    pub fn lease(&self, name: &str, label: &str, ttl: Duration) -> Pending<Acquired> {
        if let Err(error) = check(name, label, ttl) {
            return Pending::ready(Err(error));
        }
        let (name, label, now) = (name.to_owned(), label.to_owned(), (self.clock)());
        self.writer.task(self.path(), move |connection| {
            let current = Process::current();
            let found = find(connection, &name)?;
            let token = found.as_ref().map_or(0, |found| found.token) + 1;
            let same = found
                .as_ref()
                .is_some_and(|found| found.process == current && found.label.as_deref() == Some(&label));
            if !same && let Some(holder) = found.and_then(|found| found.holder(now, &current)) {
                return Ok(Acquired::Held(holder));
            }
            let expires = after(now, ttl);
            let sql =
                "INSERT OR REPLACE INTO leases (name, token, label, pid, host, boot, started, since, expires)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
            connection.prepare_cached(sql)?.execute(params![
                name,
                token.cast_signed(),
                label,
                current.pid,
                current.host,
                current.boot,
                current.started.cast_signed(),
                now.as_millisecond(),
                expires.as_millisecond()
            ])?;
            Ok(Acquired::Yours(Lease { name, token, expires }))
        })
    }

    /// Holds on to a lease for `ttl` from now. `None`: it is lost, somebody else may act.
    pub fn renew(&self, lease: &Lease, ttl: Duration) -> Pending<Option<Lease>> {
        if let Err(error) = check(&lease.name, "-", ttl) {
            return Pending::ready(Err(error));
        }
        let (lease, expires) = (lease.clone(), after((self.clock)(), ttl));
        self.writer.task(self.path(), move |connection| {
            let sql = "UPDATE leases SET expires = ?3 WHERE name = ?1 AND token = ?2 AND label IS NOT NULL";
            let kept = connection.prepare_cached(sql)?.execute(params![
                lease.name,
                lease.token.cast_signed(),
                expires.as_millisecond()
            ])?;
            Ok((kept == 1).then_some(Lease { expires, ..lease }))
        })
    }

    /// Gives a lease back. `false`: it was not held any more.
    pub fn release(&self, lease: &Lease) -> Pending<bool> {
        let lease = lease.clone();
        self.writer.task(self.path(), move |connection| {
            // the row stays, for its token
            let sql = "UPDATE leases SET label = NULL WHERE name = ?1 AND token = ?2 AND label IS NOT NULL";
            let given =
                connection.prepare_cached(sql)?.execute(params![lease.name, lease.token.cast_signed()])?;
            Ok(given == 1)
        })
    }

    /// Who holds the lease `name` now.
    pub fn lease_holder(&self, name: &str) -> Result<Option<Holder>, JournalError> {
        let now = (self.clock)();
        let found = self.readers.with(|connection| find(connection, name))?;
        Ok(found.and_then(|found| found.holder(now, &Process::current())))
    }

    /// Every lease that is held now and begins with `prefix`, by name.
    pub fn leases(&self, prefix: &str) -> Result<Vec<(String, Holder)>, JournalError> {
        let now = (self.clock)();
        let rows = self.readers.with(|connection| {
            connection
                .prepare_cached("SELECT * FROM leases WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name")?
                .query_map([prefix], |row| Ok((row.get::<_, String>("name")?, Found::from_row(row)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let current = Process::current();
        Ok(rows.into_iter().filter_map(|(name, found)| Some((name, found.holder(now, &current)?))).collect())
    }
}
