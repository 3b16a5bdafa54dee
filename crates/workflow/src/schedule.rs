//! When a workflow starts by itself.

use std::sync::Arc;

use croner::Cron;
use croner::parser::CronParser;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::document::Strategy;

/// `schedule` of the DSL.
#[derive(Debug)]
pub enum Schedule {
    /// At a fixed interval, counted from start to start.
    Every(SignedDuration),
    /// At moments of a calendar, in UTC.
    Cron(Box<Cron>),
    /// So long after the run before has ended.
    After(SignedDuration),
    /// When events happen; the run's input is the list of them.
    On(Arc<Strategy>),
}

impl Schedule {
    /// Parses a cron expression of five or, with seconds first, six fields.
    pub(crate) fn cron(text: &str) -> Result<Self, String> {
        CronParser::new()
            .parse(text)
            .map(|cron| Self::Cron(Box::new(cron)))
            .map_err(|error| error.to_string())
    }

    /// The next start after `last`: the last start for `every` and `cron`, the last end for `after`. `None` when events
    /// decide, or when the calendar never comes to it.
    ///
    /// ```
    /// let text = "document: {dsl: '1.0.3', namespace: a, name: b, version: '1.0.0'}\n\
    ///             schedule: {cron: '30 2 * * *'}\ndo: [{w: {wait: PT1S}}]";
    /// let (workflow, _) = workflow::load("nightly.yaml", text);
    /// let schedule = workflow.unwrap().schedule.unwrap();
    /// let next = schedule.next("2026-11-21T03:00:00Z".parse().unwrap());
    /// assert_eq!(next.unwrap().to_string(), "2026-11-22T02:30:00Z");
    /// ```
    pub fn next(&self, last: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(interval) | Self::After(interval) => last.checked_add(*interval).ok(),
            Self::Cron(cron) => {
                let after = last.to_zoned(TimeZone::UTC);
                cron.find_next_occurrence(&after, false).ok().map(|next| next.timestamp())
            }
            Self::On(_) => None,
        }
    }
}
