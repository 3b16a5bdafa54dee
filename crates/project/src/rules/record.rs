//! Which rules were in force when, in the journal: one record for each time they were replaced.

use journal::events::{RulesChanged, RulesEvent};
use journal::{Append, Event, Expect, Journal, JournalError, NewEvent};
use model::Principal;

use super::Rules;

/// Stream of these records.
const STREAM: &str = "rules";
/// Records that are read at once.
const PAGE: usize = 1_000;

/// Records that `after` took the place of `before`, unless the journal's last word is that `after` is in force: another
/// process that follows the same files was faster. What the journal says last is what `after` took the place of.
pub(super) async fn replaced(
    journal: &dyn Journal,
    before: &Rules,
    after: &Rules,
) -> Result<(), JournalError> {
    loop {
        let (last, sequence) = last(journal)?;
        let was = last.map_or_else(
            || (before.policy.digest(), before.access_digest),
            |last| (last.policy, last.access),
        );
        if was == (after.policy.digest(), after.access_digest) {
            return Ok(());
        }
        let changed = RulesChanged {
            policy_before: was.0,
            policy: after.policy.digest(),
            access_before: was.1,
            access: after.access_digest,
        };
        let append = Append {
            expect: vec![Expect { stream: STREAM.into(), sequence }],
            events: vec![NewEvent {
                stream: STREAM.into(),
                actor: Principal::system(),
                event: RulesEvent::Changed(Box::new(changed)).into(),
            }],
            at: None,
        };
        match journal.append(append).await {
            Ok(_) => return Ok(()),
            Err(JournalError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The last of them, and its place in the stream.
fn last(journal: &dyn Journal) -> Result<(Option<RulesChanged>, u64), JournalError> {
    let (mut last, mut sequence) = (None, 0);
    loop {
        let records = journal.read_stream(STREAM, sequence, PAGE)?;
        if records.is_empty() {
            return Ok((last, sequence));
        }
        for record in records {
            sequence = record.sequence;
            if let Event::Rules(RulesEvent::Changed(changed)) = record.event {
                last = Some(*changed);
            }
        }
    }
}
