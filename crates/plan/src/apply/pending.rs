//! Steps that were yielded and are not answered yet, in order.

use std::collections::{BTreeMap, HashMap};

use model::{Step, StepId};

/// Which event answers a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    /// `Completed` or `Failed`.
    Record,
    /// `Scheduled`, or `Failed` when policy denies.
    Perform,
    /// `TimerSet`.
    Timer,
    /// `TimerCancelled`.
    CancelTimer,
    /// `Abandoned`.
    Abandon,
    /// `Finished`.
    Finish,
}

/// The steps.
#[derive(Debug, Default)]
pub(super) struct Pending {
    steps: BTreeMap<u64, Step>,
    index: HashMap<(Answer, StepId), u64>,
    next: u64,
}

impl Pending {
    pub(super) fn push(&mut self, answer: Answer, id: StepId, step: Step) {
        if let Some(before) = self.index.insert((answer, id), self.next) {
            self.steps.remove(&before);
        }
        self.steps.insert(self.next, step);
        self.next += 1;
    }

    /// Takes a step out. Whether it was there.
    pub(super) fn remove(&mut self, answer: Answer, id: &StepId) -> bool {
        match self.index.remove(&(answer, id.clone())) {
            Some(place) => self.steps.remove(&place).is_some(),
            None => false,
        }
    }

    pub(super) fn has(&self, answer: Answer, id: &StepId) -> bool {
        self.index.contains_key(&(answer, id.clone()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.steps.clear();
        self.index.clear();
    }

    pub(super) fn all(&self) -> Vec<Step> {
        self.steps.values().cloned().collect()
    }
}
