//! Follows the journal, so that what other processes and other parts of this one append reaches the drivers it concerns.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use journal::{Event, Record};
use model::{ApprovalId, RunId};

use crate::driver::Message;
use crate::engine::Shared;
use crate::limits;

/// How long the follower lets appends settle before it reads, so that drivers can mark their own first.
const SETTLE: Duration = Duration::from_millis(2);

/// Positions that drivers of this process appended and know about: nobody needs to read them back.
#[derive(Debug, Default)]
pub(crate) struct Own(Mutex<BTreeMap<u64, u64>>);

impl Own {
    pub(crate) fn mark(&self, first: u64, last: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(first, last);
    }

    /// Moves `after` over everything that is our own and directly follows it.
    fn skip(&self, after: u64) -> u64 {
        let mut ranges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut after = after;
        while let Some((first, last)) = ranges.first_key_value().map(|(first, last)| (*first, *last)) {
            if first > after + 1 {
                break;
            }
            ranges.pop_first();
            after = after.max(last);
        }
        after
    }

    /// How many foreign records may directly follow `after` before our own begin again.
    fn gap(&self, after: u64) -> usize {
        let ranges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ranges.first_key_value().map_or(limits::READ_MAX, |(first, _)| {
            usize::try_from(first.saturating_sub(after + 1))
                .unwrap_or(limits::READ_MAX)
                .clamp(1, limits::READ_MAX)
        })
    }
}

/// Follows for ever, from a position. Ends when the engine is gone or the journal fails for good.
pub(crate) async fn follow(shared: Arc<Shared>, from: u64) {
    let mut after = from;
    loop {
        let head = match shared.journal.changed(after).await {
            Ok(head) => head,
            Err(error) => {
                shared.report(&error);
                shared.clock.sleep_until(shared.in_a_second()).await;
                continue;
            }
        };
        tokio::time::sleep(SETTLE).await;
        while after < head {
            after = shared.own.skip(after);
            if after >= head {
                break;
            }
            match shared.journal.read(after, shared.own.gap(after)) {
                Ok(records) if records.is_empty() => break,
                Ok(records) => {
                    for record in records {
                        after = record.position;
                        route(&shared, &record).await;
                    }
                }
                Err(error) => {
                    shared.report(&error);
                    shared.clock.sleep_until(shared.in_a_second()).await;
                }
            }
        }
    }
}

async fn route(shared: &Arc<Shared>, record: &Record) {
    match &record.event {
        Event::Approval(_) => {
            if let Ok(approval) = record.stream.parse::<ApprovalId>()
                && let Some(run) = shared.waiting_for(approval)
            {
                shared.send(run, Message::Approval(approval)).await;
            }
        }
        Event::Bus(_) => {
            shared.bus_grew(record.sequence);
            for run in shared.listening_runs() {
                shared.send(run, Message::Bus).await;
            }
        }
        _ => {
            let Ok(run) = record.stream.parse::<RunId>() else { return };
            if shared.is_local(run) {
                shared.send(run, Message::Appended { sequence: record.sequence }).await;
            } else {
                shared.maybe_adopt(run, &record.event);
                if let Some(ended) = ended(&record.event) {
                    shared.tell_parent(run, ended).await;
                }
            }
        }
    }
}

fn ended(event: &Event) -> Option<crate::state::Status> {
    use journal::events::RunEvent;
    match event {
        Event::Run(RunEvent::Completed(ended)) => {
            Some(crate::state::Status::Completed { output: ended.output.clone() })
        }
        Event::Run(RunEvent::Failed(ended)) => {
            Some(crate::state::Status::Failed { problem: ended.problem.clone() })
        }
        Event::Run(RunEvent::Cancelled(_)) => Some(crate::state::Status::Cancelled),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_positions_are_skipped_and_gaps_are_read() {
        let own = Own::default();
        own.mark(1, 3);
        own.mark(6, 9);
        assert_eq!(own.skip(0), 3);
        assert_eq!(own.gap(3), 2, "4 and 5 are somebody else's");
        assert_eq!(own.skip(3), 3);
        assert_eq!(own.skip(5), 9);
        assert_eq!(own.skip(9), 9);
    }
}
