//! A disk whose process dies: appends take time, and those that were not durable when the power failed are gone.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use journal::{Append, Appended, Appending, Head, Journal, JournalError, MemoryJournal, Record};
use model::code;

use crate::locked;
use crate::power::{Moment, Power, dead};

/// What survives every life of the process: the records, and what was promised about them.
#[derive(Debug)]
pub struct Platter {
    journal: MemoryJournal,
    acknowledged: Mutex<Vec<Appended>>,
}

impl Platter {
    /// An empty one. `now` tells the time of appends that carry none.
    pub fn new(now: impl Fn() -> model::Timestamp + Send + Sync + 'static) -> Self {
        Self { journal: MemoryJournal::new(now), acknowledged: Mutex::default() }
    }

    /// The records as a reader with the power off would find them.
    pub fn journal(&self) -> &MemoryJournal {
        &self.journal
    }

    /// Every append that somebody was told is durable.
    pub fn acknowledged(&self) -> Vec<Appended> {
        locked(&self.acknowledged).clone()
    }
}

/// The journal as one life of the process sees it.
pub struct Disk {
    platter: Arc<Platter>,
    power: Arc<Power>,
    dice: Mutex<fastrand::Rng>,
    refusals_per_mille: u32,
}

impl Disk {
    /// A disk on a platter. Of 1,000 appends, `refusals_per_mille` find it full.
    pub fn new(
        platter: Arc<Platter>,
        power: Arc<Power>,
        dice: fastrand::Rng,
        refusals_per_mille: u32,
    ) -> Self {
        Self { platter, power, dice: Mutex::new(dice), refusals_per_mille }
    }
}

impl Journal for Disk {
    fn append(&self, append: Append) -> Appending {
        let (acknowledge, appending) = Appending::channel();
        let (flush, refused) = {
            let mut dice = locked(&self.dice);
            (Duration::from_micros(dice.u64(50..3_000)), dice.u32(0..1_000) < self.refusals_per_mille)
        };
        let (platter, power) = (Arc::clone(&self.platter), Arc::clone(&self.power));
        tokio::spawn(async move {
            tokio::time::sleep(flush).await;
            if !power.survives(Moment::BeforeAppend) {
                return dead().await;
            }
            let answer = if refused { Err(full()) } else { platter.journal.append(append).await };
            if !power.survives(Moment::AfterAppend) {
                return dead().await;
            }
            if let Ok(appended) = &answer {
                locked(&platter.acknowledged).push(appended.clone());
            }
            // whoever asked may have gone; the append stands all the same
            drop(acknowledge.send(answer));
        });
        appending
    }

    fn head(&self) -> Result<Head, JournalError> {
        self.platter.journal.head()
    }

    fn read(&self, after: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        self.platter.journal.read(after, limit)
    }

    fn read_stream(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        self.platter.journal.read_stream(stream, after, limit)
    }

    fn changed(&self, after: u64) -> Pin<Box<dyn Future<Output = Result<u64, JournalError>> + Send + '_>> {
        self.platter.journal.changed(after)
    }
}

fn full() -> JournalError {
    JournalError::Storage {
        code: code::journal::FULL,
        what: "the simulated disk is full".to_owned(),
        hint: None,
    }
}
