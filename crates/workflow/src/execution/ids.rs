//! Names of steps: the same on every replay and over every attempt.

use std::sync::Arc;

use model::StepId;

use super::Execution;
use super::frame::FrameId;

impl Execution {
    /// The id of the next entry into a task.
    pub(super) fn next_id(&mut self, prefix: Option<&Arc<str>>, pointer: &Arc<str>) -> StepId {
        let key: Arc<str> = match prefix {
            None => pointer.clone(),
            Some(prefix) => format!("{prefix}{pointer}").into(),
        };
        let visits = self.visits.entry(key.clone()).or_insert(0);
        *visits += 1;
        if *visits == 1 { StepId::new(key) } else { StepId::new(format!("{key}#{visits}")) }
    }

    /// Whether a step was ever entered.
    pub(super) fn was_visited(&self, step: &StepId) -> bool {
        let (key, _) = split(step.as_str());
        self.visits.contains_key(key)
            || key.ends_with("/metadata/compensate")
                && self.visits.contains_key(key.trim_end_matches("/metadata/compensate"))
    }

    /// Takes the latest visit back, so that the next entry has the same id.
    pub(super) fn forget_visit(&mut self, step: &StepId) {
        let (key, number) = split(step.as_str());
        if let Some(visits) = self.visits.get_mut(key)
            && *visits == number
        {
            *visits -= 1;
            self.attempts.entry(step.clone()).or_insert(1);
        }
    }

    /// How often the tasks below a frame were entered so far.
    pub(super) fn visits_below(&self, id: FrameId) -> Vec<(Arc<str>, u32)> {
        let Some(frame) = self.frames.get(id) else { return Vec::new() };
        let (key, number) = split(frame.step.id.as_str());
        if number == 1 {
            return Vec::new();
        }
        let below = format!("{key}/");
        let inside = self.visits.iter().filter(|(key, _)| key.starts_with(&below));
        inside.map(|(key, visits)| (key.clone(), *visits)).collect()
    }

    /// Sets the visits below a frame back, so that another attempt names its steps like the one before.
    pub(super) fn rewind_visits(&mut self, id: FrameId, before: &[(Arc<str>, u32)]) {
        let Some(frame) = self.frames.get(id) else { return };
        let below = format!("{}/", split(frame.step.id.as_str()).0);
        self.visits.retain(|key, _| !key.starts_with(&below));
        self.visits.extend(before.iter().cloned());
    }

    /// The number of this attempt at an effect.
    pub(super) fn count_attempt(&mut self, id: FrameId, step: &StepId) -> u32 {
        let retryable = self.frames.get(id).is_some_and(|frame| frame.retryable);
        if !retryable && !self.attempts.contains_key(step) {
            return 1;
        }
        let attempts = self.attempts.entry(step.clone()).or_insert(0);
        *attempts += 1;
        *attempts
    }

    /// The same over every attempt of a step, and no other step's.
    pub(super) fn idempotency_key(&self, step: &StepId) -> String {
        format!("{}.{}", self.facts.run, &super::hash(step.as_str())[..16])
    }
}

/// The pointer of a step and its number.
pub(super) fn split(step: &str) -> (&str, u32) {
    match step.rsplit_once('#') {
        Some((key, number)) => match number.parse() {
            Ok(number) => (key, number),
            Err(_) => (step, 1),
        },
        None => (step, 1),
    }
}
