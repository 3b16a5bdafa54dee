//! What the engine asks of its views, folded from the platter as it grows; and what the world itself wants to know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use engine::ports::Views;
use journal::events::{ApprovalEvent, QuotaEvent, RunEvent};
use journal::{Event, Journal, JournalError, Record};
use model::{ApprovalId, RunId, Timestamp};

use crate::disk::Platter;
use crate::locked;

/// Records read at once.
const READ: usize = 1_000;

/// Folds the platter's journal.
pub struct Ledger {
    platter: Arc<Platter>,
    folded: Mutex<Folded>,
}

#[derive(Default)]
struct Folded {
    after: u64,
    open: BTreeSet<RunId>,
    runs: BTreeSet<RunId>,
    quotas: BTreeMap<String, Quota>,
    /// Approvals that wait, with the run that asked.
    waiting: BTreeMap<ApprovalId, RunId>,
}

#[derive(Default)]
struct Quota {
    uses: Vec<(Timestamp, u64, String)>,
    sequence: u64,
}

impl Ledger {
    /// A ledger of a platter.
    pub fn new(platter: Arc<Platter>) -> Self {
        Self { platter, folded: Mutex::default() }
    }

    /// Every run there is.
    pub fn runs(&self) -> Result<BTreeSet<RunId>, JournalError> {
        self.folded(|folded| folded.runs.clone())
    }

    fn folded<T>(&self, ask: impl FnOnce(&Folded) -> T) -> Result<T, JournalError> {
        let mut folded = locked(&self.folded);
        loop {
            let records = self.platter.journal().read(folded.after, READ)?;
            if records.is_empty() {
                return Ok(ask(&folded));
            }
            for record in &records {
                folded.take(record);
            }
        }
    }
}

impl Folded {
    fn take(&mut self, record: &Record) {
        self.after = record.position;
        match &record.event {
            Event::Run(event) => {
                let Ok(run) = record.stream.parse::<RunId>() else { return };
                match event {
                    RunEvent::Completed(_) | RunEvent::Failed(_) | RunEvent::Cancelled(_) => {
                        self.open.remove(&run);
                    }
                    RunEvent::Submitted(_) | RunEvent::RetryRequested(_) => {
                        self.runs.insert(run);
                        self.open.insert(run);
                    }
                    _ => {}
                }
            }
            Event::Quota(event) => {
                let (QuotaEvent::Reserved(used) | QuotaEvent::Committed(used) | QuotaEvent::Refunded(used)) =
                    event;
                let quota = self.quotas.entry(used.key.clone()).or_default();
                quota.sequence = record.sequence;
                let by = format!("{}{}", used.run, used.step);
                match event {
                    QuotaEvent::Reserved(_) => quota.uses.push((record.at, used.amount, by)),
                    QuotaEvent::Refunded(_) => {
                        if let Some(index) = quota.uses.iter().rposition(|(_, _, user)| *user == by) {
                            quota.uses.remove(index);
                        }
                    }
                    QuotaEvent::Committed(_) => {}
                }
            }
            Event::Approval(ApprovalEvent::Requested(asked)) => {
                self.waiting.insert(asked.approval, asked.run);
            }
            Event::Approval(ApprovalEvent::Voted(_) | ApprovalEvent::Escalated(_)) => {}
            Event::Approval(_) => {
                self.waiting.retain(|approval, _| approval.to_string() != *record.stream);
            }
            _ => {}
        }
    }
}

impl Views for Ledger {
    fn unfinished_runs(&self) -> Result<Vec<RunId>, JournalError> {
        self.folded(|folded| folded.open.iter().copied().collect())
    }

    fn orphaned_approvals(&self) -> Result<Vec<ApprovalId>, JournalError> {
        self.folded(|folded| {
            let ended = |run: &RunId| folded.runs.contains(run) && !folded.open.contains(run);
            folded.waiting.iter().filter(|(_, run)| ended(run)).map(|(approval, _)| *approval).collect()
        })
    }

    fn quota_uses(&self, key: &str, since: Timestamp) -> Result<(Vec<(Timestamp, u64)>, u64), JournalError> {
        self.folded(|folded| {
            folded.quotas.get(key).map_or((Vec::new(), 0), |quota| {
                let recent = quota.uses.iter().filter(|(at, ..)| *at > since);
                (recent.map(|(at, amount, _)| (*at, *amount)).collect(), quota.sequence)
            })
        })
    }
}
