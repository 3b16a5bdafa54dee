//! Steps that have been yielded and not yet been answered, in order.

use std::collections::{BTreeMap, HashMap};

use model::{Step, StepId};

/// Which event answers a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    Record,
    Perform,
    Timer,
    CancelTimer,
    Ask,
    Listen,
    Unlisten,
    Start,
    Abandon,
    Finish,
}

type Key = (Answer, StepId, String);

/// The steps.
#[derive(Debug, Default)]
pub(super) struct Pending {
    steps: BTreeMap<u64, Step>,
    index: HashMap<Key, u64>,
    next: u64,
}

fn key(step: &Step) -> Key {
    let plain = |answer, id: &StepId| (answer, id.clone(), String::new());
    match step {
        Step::Record { step, .. } => plain(Answer::Record, &step.id),
        Step::Perform { step, .. } => plain(Answer::Perform, &step.id),
        Step::Timer { step, name, .. } => (Answer::Timer, step.id.clone(), name.clone()),
        Step::CancelTimer { step, name } => (Answer::CancelTimer, step.clone(), name.clone()),
        Step::Ask { step, .. } => plain(Answer::Ask, &step.id),
        Step::Listen { step } => plain(Answer::Listen, &step.id),
        Step::Unlisten { step } => plain(Answer::Unlisten, step),
        Step::Start { step, .. } => plain(Answer::Start, &step.id),
        Step::Abandon { step, .. } => plain(Answer::Abandon, step),
        Step::Finish { .. } => (Answer::Finish, StepId::new(""), String::new()),
    }
}

impl Pending {
    /// Adds a step; one with the same answer takes the place of the one before.
    pub(super) fn push(&mut self, step: Step) {
        if let Some(before) = self.index.insert(key(&step), self.next) {
            self.steps.remove(&before);
        }
        self.steps.insert(self.next, step);
        self.next += 1;
    }

    /// Takes a step out. Whether it was there.
    pub(super) fn remove(&mut self, answer: Answer, step: &StepId, name: &str) -> bool {
        match self.index.remove(&(answer, step.clone(), name.to_owned())) {
            Some(place) => self.steps.remove(&place).is_some(),
            None => false,
        }
    }

    pub(super) fn has(&self, answer: Answer, step: &StepId) -> bool {
        self.index.contains_key(&(answer, step.clone(), String::new()))
    }

    pub(super) fn clear(&mut self) {
        self.steps.clear();
        self.index.clear();
    }

    pub(super) fn all(&self) -> Vec<Step> {
        self.steps.values().cloned().collect()
    }
}
