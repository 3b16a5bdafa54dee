//! The view of approvals.

use std::collections::hash_map::Entry;
use std::fmt;
use std::str::FromStr;

use journal::events::{ApprovalEvent, Asked, LevelRecord, Refused, Vote};
use model::{ApprovalId, Digest, Principal, RunId, StepId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::run::StatusError;
use super::{Fact, Slot, Views, from_json, moment, parse, parse_optional, to_json};

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApprovalStatus {
    /// Somebody must decide.
    Waiting,
    /// Every level granted.
    Granted,
    /// Somebody said no.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// Somebody overrode in an emergency.
    Overridden,
    /// The asker took it back, or what was asked changed.
    Withdrawn,
}

impl ApprovalStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Granted, Self::Denied, Self::Expired, Self::Overridden, Self::Withdrawn];

    /// The word used on screen and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Overridden => "overridden",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl fmt::Display for ApprovalStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ApprovalStatus {
    type Err = StatusError;
    fn from_str(text: &str) -> Result<Self, StatusError> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| StatusError(text.to_owned()))
    }
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRow {
    /// The approval.
    pub approval: ApprovalId,
    /// Position of its first record: newer ones have larger ones. The cursor of [`crate::ApprovalFilter`].
    pub asked: u64,
    /// The run that waits.
    pub run: RunId,
    /// Its step; `/` for the run itself.
    pub step: StepId,
    /// One line a person can decide on.
    pub title: String,
    /// The chain's name.
    pub chain: String,
    /// The current level, from 1.
    pub level: u32,
    /// All levels.
    pub levels: Vec<LevelRecord>,
    /// Who has granted at the current level.
    pub votes: Vec<Principal>,
    /// Where it stands.
    pub status: ApprovalStatus,
    /// Who asks, and so cannot decide.
    pub requester: Principal,
    /// What a decision binds to.
    pub binding: Digest,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When the current level's time is up.
    pub expires: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Who ended it.
    pub ended_by: Option<Principal>,
    /// Why, in their words.
    pub reason: Option<String>,
}

impl ApprovalRow {
    fn new(fact: &Fact<'_>, asked: &Asked) -> Self {
        Self {
            approval: asked.approval,
            asked: fact.position,
            run: asked.run,
            step: asked.step.clone(),
            title: asked.title.clone(),
            chain: asked.chain.clone(),
            level: 1,
            levels: asked.levels.clone(),
            votes: Vec::new(),
            status: ApprovalStatus::Waiting,
            requester: asked.requester.clone(),
            binding: asked.binding,
            asked_at: fact.at,
            expires: asked.expires,
            ended_at: None,
            ended_by: None,
            reason: None,
        }
    }

    fn apply(&mut self, at: Timestamp, event: &ApprovalEvent) {
        match event {
            ApprovalEvent::Requested(_) => {}
            ApprovalEvent::Voted(vote) => self.vote(vote),
            ApprovalEvent::Escalated(escalated) => {
                self.level = escalated.to;
                self.votes.clear();
                self.expires = escalated.expires;
            }
            ApprovalEvent::Granted(decided) => {
                self.level = decided.level;
                self.end(at, ApprovalStatus::Granted, decided.by.last(), decided.reason.as_ref());
            }
            ApprovalEvent::Denied(refused) => self.refuse(at, ApprovalStatus::Denied, refused),
            ApprovalEvent::Expired(refused) => self.refuse(at, ApprovalStatus::Expired, refused),
            ApprovalEvent::Overridden(refused) => self.refuse(at, ApprovalStatus::Overridden, refused),
            ApprovalEvent::Withdrawn(refused) => self.refuse(at, ApprovalStatus::Withdrawn, refused),
        }
    }

    fn vote(&mut self, vote: &Vote) {
        self.level = vote.level;
        if !self.votes.contains(&vote.by) {
            self.votes.push(vote.by.clone());
        }
        let quorum = self.levels.iter().find(|level| level.level == vote.level).map(|level| level.quorum);
        if quorum.is_some_and(|quorum| self.votes.len() >= quorum as usize) {
            self.level += 1;
            self.votes.clear();
        }
        self.expires = vote.expires;
    }

    fn refuse(&mut self, at: Timestamp, status: ApprovalStatus, refused: &Refused) {
        self.level = refused.level;
        self.end(at, status, Some(&refused.by), refused.reason.as_ref());
    }

    fn end(
        &mut self,
        at: Timestamp,
        status: ApprovalStatus,
        by: Option<&Principal>,
        reason: Option<&String>,
    ) {
        self.status = status;
        self.expires = None;
        self.ended_at = Some(at);
        self.ended_by = by.cloned();
        self.reason = reason.cloned();
    }

    /// What [`ApprovalRow::from_row`] reads, in this order.
    pub(crate) const COLUMNS: &str = "approval, asked, run, step, title, chain, level, levels, votes, status, requester, \
         binding, asked_at, expires, ended_at, ended_by, reason";

    pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let mut columns = 0..;
        let mut next = || columns.next().unwrap_or(usize::MAX);
        Ok(Self {
            approval: parse(row, next())?,
            asked: row.get::<_, i64>(next())?.cast_unsigned(),
            run: parse(row, next())?,
            step: StepId::new(row.get::<_, String>(next())?),
            title: row.get(next())?,
            chain: row.get(next())?,
            level: row.get(next())?,
            levels: from_json(row, next())?,
            votes: from_json(row, next())?,
            status: parse(row, next())?,
            requester: parse(row, next())?,
            binding: parse(row, next())?,
            asked_at: moment(row, next())?.unwrap_or_default(),
            expires: moment(row, next())?,
            ended_at: moment(row, next())?,
            ended_by: parse_optional(row, next())?,
            reason: row.get(next())?,
        })
    }

    /// The row of an approval, by its id.
    pub(crate) fn find(connection: &Connection, approval: &str) -> rusqlite::Result<Option<Self>> {
        let sql = format!("SELECT {} FROM approvals WHERE approval = ?1", Self::COLUMNS);
        connection.prepare_cached(&sql)?.query_row([approval], Self::from_row).optional()
    }

    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "INSERT INTO approvals (asked, approval, run, step, title, chain, levels, requester, binding, asked_at,
                       level, votes, status)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        connection.prepare_cached(sql)?.execute(params![
            self.asked.cast_signed(),
            self.approval.to_string(),
            self.run.to_string(),
            self.step.as_str(),
            self.title,
            self.chain,
            to_json(&self.levels)?,
            self.requester.as_str(),
            self.binding.to_string(),
            self.asked_at.as_millisecond(),
            self.level,
            to_json(&self.votes)?,
            self.status.as_str()
        ])?;
        self.update(connection)
    }

    fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "UPDATE approvals SET level = ?2, votes = ?3, status = ?4, expires = ?5, ended_at = ?6,
                       ended_by = ?7, reason = ?8 WHERE asked = ?1";
        connection.prepare_cached(sql)?.execute(params![
            self.asked.cast_signed(),
            self.level,
            to_json(&self.votes)?,
            self.status.as_str(),
            self.expires.map(Timestamp::as_millisecond),
            self.ended_at.map(Timestamp::as_millisecond),
            self.ended_by.as_ref().map(Principal::as_str),
            self.reason
        ])?;
        Ok(())
    }
}

impl Views {
    pub(super) fn fold_approval(
        &mut self,
        connection: &Connection,
        fact: &Fact<'_>,
        event: &ApprovalEvent,
    ) -> rusqlite::Result<()> {
        let Ok(id) = fact.stream.parse::<ApprovalId>() else { return Ok(()) };
        if let ApprovalEvent::Requested(asked) = event {
            if fact.sequence == 1 && asked.approval == id {
                let slot = Slot { row: ApprovalRow::new(fact, asked), stored: None, dirty: true };
                self.approvals.insert(id, slot);
                self.changed_approvals.push(id);
            }
            return Ok(());
        }
        let slot = match self.approvals.entry(id) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(place) => {
                let Some(row) = ApprovalRow::find(connection, fact.stream)? else { return Ok(()) };
                let stored = Some(row.status);
                place.insert(Slot { row, stored, dirty: false })
            }
        };
        slot.row.apply(fact.at, event);
        if !std::mem::replace(&mut slot.dirty, true) {
            self.changed_approvals.push(id);
        }
        Ok(())
    }

    pub(super) fn flush_approvals(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut moved = Vec::new();
        for id in std::mem::take(&mut self.changed_approvals) {
            let Some(slot) = self.approvals.get_mut(&id) else { continue };
            match slot.stored {
                None => slot.row.insert(connection)?,
                Some(_) => slot.row.update(connection)?,
            }
            if slot.stored != Some(slot.row.status) {
                moved.push((slot.stored, slot.row.status));
            }
            slot.stored = Some(slot.row.status);
            slot.dirty = false;
        }
        for (from, to) in moved {
            if let Some(from) = from {
                self.count(format!("approvals.{from}"), -1);
            }
            self.count(format!("approvals.{to}"), 1);
        }
        Ok(())
    }
}
