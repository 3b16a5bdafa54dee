//! What must be true of every world's journal at its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::ports::Programs;
use engine::state::RunState;
use engine::{EngineError, control};
use journal::events::{
    ApprovalEvent, Definition, DefinitionEvent, QuotaEvent, RunEvent, StepEvent, TimerEvent,
};
use journal::{Event, Journal, Record, record};
use model::{ApprovalId, Digest, EffectClass, RunId, Timestamp};

use crate::disk::Platter;
use crate::effects::Outside;
use crate::people::Told;

/// Everything there is to check.
pub struct Evidence<'a> {
    /// The journal.
    pub platter: &'a Platter,
    /// What happened outside.
    pub outside: &'a Outside,
    /// What people were told.
    pub told: &'a Told,
    /// What submitters were told: their key, their run.
    pub submitted: &'a BTreeMap<String, RunId>,
    /// Makes programs.
    pub programs: &'a dyn Programs,
    /// The quota's limit and window in milliseconds, where the world has one.
    pub quota: Option<(u64, i64)>,
}

/// Checks everything. Each answer is a rule that is broken, in words.
pub fn broken(evidence: &Evidence<'_>) -> Vec<String> {
    let mut broken = evidence.outside.broken();
    let records = match all(evidence.platter) {
        Ok(records) => records,
        Err(error) => return vec![format!("the journal cannot be read: {error}")],
    };
    chain_is_whole(&records, &mut broken);
    acknowledged_is_there(evidence, &records, &mut broken);
    effects_happen_once(evidence, &mut broken);
    approvals_end_once(evidence, &records, &mut broken);
    timers_fire_once_and_never_early(&records, &mut broken);
    submissions_are_single(evidence, &records, &mut broken);
    runs_end_and_replay(evidence, &records, &mut broken);
    quotas_hold(evidence, &records, &mut broken);
    broken
}

fn all(platter: &Platter) -> Result<Vec<Record>, journal::JournalError> {
    let mut records = Vec::new();
    loop {
        let after = records.len() as u64;
        let mut more = platter.journal().read(after, 1_000)?;
        if more.is_empty() {
            return Ok(records);
        }
        records.append(&mut more);
    }
}

fn chain_is_whole(records: &[Record], broken: &mut Vec<String>) {
    let mut previous = Digest::ZERO;
    let mut sequences: BTreeMap<&str, (u64, Timestamp)> = BTreeMap::new();
    for (record, position) in records.iter().zip(1..) {
        if record.position != position || record.previous != previous {
            broken.push(format!("the chain is broken at {position}"));
        }
        previous = record::digest(&record.bytes);
        let (sequence, at) = sequences.entry(&record.stream).or_insert((0, record.at));
        if record.sequence != *sequence + 1 || record.at < *at {
            broken.push(format!("stream {} is broken at {position}", record.stream));
        }
        (*sequence, *at) = (record.sequence, record.at);
    }
}

fn acknowledged_is_there(evidence: &Evidence<'_>, records: &[Record], broken: &mut Vec<String>) {
    for appended in evidence.platter.acknowledged() {
        if appended.last > records.len() as u64 {
            broken.push(format!("acknowledged records {}..{} are lost", appended.first, appended.last));
        }
    }
    let done: BTreeSet<(&str, &str)> =
        records.iter().map(|record| (&*record.stream, record.event.kind())).collect();
    for (run, participle) in crate::locked(&evidence.told.done).iter() {
        let kind = match *participle {
            "cancelled" => "run.cancel_requested",
            "paused" => "run.paused",
            "resumed" => "run.resumed",
            "retried" => "run.retry_requested",
            "signalled" => "run.signalled",
            _ => "step.resolved",
        };
        if !done.contains(&(run.to_string().as_str(), kind)) {
            broken.push(format!("somebody was told that {run} is {participle}, and it is not"));
        }
    }
}

/// Invariant 8: nothing of class `once` twice; and what can be looked at is looked at.
fn effects_happen_once(evidence: &Evidence<'_>, broken: &mut Vec<String>) {
    for ((run, step, attempt), class, count) in evidence.outside.effects() {
        if matches!(class, EffectClass::Once | EffectClass::Verifiable) && count > 1 {
            broken.push(format!("{class} effect {run}{step} attempt {attempt} happened {count} times"));
        }
    }
}

fn approvals_end_once(evidence: &Evidence<'_>, records: &[Record], broken: &mut Vec<String>) {
    let mut ends: BTreeMap<ApprovalId, Vec<&'static str>> = BTreeMap::new();
    for record in records {
        let Event::Approval(event) = &record.event else { continue };
        let Ok(approval) = record.stream.parse::<ApprovalId>() else {
            broken.push(format!("an approval's event is in stream {}", record.stream));
            continue;
        };
        let known = ends.entry(approval).or_default();
        if !known.is_empty() {
            broken.push(format!("{approval} goes on with {} after it ended", event.kind()));
        }
        let end = match event {
            ApprovalEvent::Granted(_) => "granted",
            ApprovalEvent::Denied(_) => "denied",
            ApprovalEvent::Expired(_) => "expired",
            ApprovalEvent::Overridden(_) => "overridden",
            ApprovalEvent::Withdrawn(_) => "withdrawn",
            ApprovalEvent::Requested(_) | ApprovalEvent::Voted(_) | ApprovalEvent::Escalated(_) => continue,
        };
        known.push(end);
    }
    let mut winners: BTreeSet<ApprovalId> = BTreeSet::new();
    for (approval, outcome, by) in crate::locked(&evidence.told.ended).iter() {
        if !winners.insert(*approval) {
            broken.push(format!("two people were told that they decided {approval}, one of them {by}"));
        }
        if ends.get(approval).and_then(|ends| ends.first()) != Some(outcome) {
            broken.push(format!("{by} was told that {approval} is {outcome}, and it is not"));
        }
    }
    for record in records {
        if let Event::Step(StepEvent::Answered(answered)) = &record.event
            && ends.get(&answered.approval).and_then(|ends| ends.first()) != Some(&answered.outcome.as_str())
        {
            broken.push(format!(
                "{} heard of an answer to {} that nobody gave",
                record.stream, answered.approval
            ));
        }
    }
}

fn timers_fire_once_and_never_early(records: &[Record], broken: &mut Vec<String>) {
    let mut set: BTreeMap<(&str, &str, &str), Timestamp> = BTreeMap::new();
    for record in records {
        let Event::Timer(event) = &record.event else { continue };
        let stream = &*record.stream;
        match event {
            TimerEvent::Set(timer) => {
                set.insert((stream, timer.step.as_str(), &timer.name), timer.due);
            }
            TimerEvent::Fired(timer) => match set.remove(&(stream, timer.step.as_str(), timer.name.as_str()))
            {
                Some(due) if record.at < due => {
                    broken.push(format!("timer {}{} {} fired early", stream, timer.step, timer.name));
                }
                Some(_) => {}
                None => broken
                    .push(format!("timer {}{} {} fired and was not set", stream, timer.step, timer.name)),
            },
            TimerEvent::Cancelled(timer) => {
                set.remove(&(stream, timer.step.as_str(), timer.name.as_str()));
            }
        }
    }
}

fn submissions_are_single(evidence: &Evidence<'_>, records: &[Record], broken: &mut Vec<String>) {
    let mut runs: BTreeMap<&str, RunId> = BTreeMap::new();
    for record in records {
        let Event::Run(RunEvent::Submitted(submitted)) = &record.event else { continue };
        if let Some(key) = &submitted.idempotency_key
            && runs.insert(key, submitted.run).is_some()
        {
            broken.push(format!("two runs were submitted with the key {key}"));
        }
    }
    for (key, run) in evidence.submitted {
        if runs.get(key.as_str()) != Some(run) {
            broken.push(format!("the submitter with key {key} was told of {run}, which is not there"));
        }
    }
}

/// Every run has ended; nothing follows its end but a retry; folding it again leads to the same end.
fn runs_end_and_replay(evidence: &Evidence<'_>, records: &[Record], broken: &mut Vec<String>) {
    let definition = |(at, record): (usize, &Record)| match &record.event {
        Event::Definition(DefinitionEvent::Registered(definition)) => {
            let stream = records[at..].iter().filter(|other| other.stream == record.stream);
            Some((definition.digest, Definition::text_of(stream.map(|record| &record.event))?))
        }
        _ => None,
    };
    let texts: BTreeMap<Digest, String> = records.iter().enumerate().filter_map(definition).collect();
    let mut streams: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.stream.starts_with("run_")) {
        streams.entry(&record.stream).or_default().push(record);
    }
    for (stream, records) in streams {
        let ended_at = |index: &usize| {
            matches!(
                &records[*index].event,
                Event::Run(RunEvent::Completed(_) | RunEvent::Failed(_) | RunEvent::Cancelled(_))
            )
        };
        for index in (0..records.len()).filter(ended_at) {
            let next = records.get(index + 1).map(|record| record.event.kind());
            if next.is_some_and(|kind| kind != "run.retry_requested") {
                broken.push(format!("{stream} has ended and goes on with {next:?}"));
            }
        }
        if let Err(why) = replay(evidence, &records, &texts) {
            broken.push(format!("{stream}: {why}"));
        }
    }
}

fn replay(
    evidence: &Evidence<'_>,
    records: &[&Record],
    texts: &BTreeMap<Digest, String>,
) -> Result<(), String> {
    let Some((first, rest)) = records.split_first() else { return Ok(()) };
    let Event::Run(RunEvent::Submitted(submitted)) = &first.event else {
        return Err(format!("it begins with {}", first.event.kind()));
    };
    let text = texts.get(&submitted.program.digest).ok_or("its definition is not in the journal")?;
    let program = evidence.programs.build(submitted, text, first.at)?;
    let mut state = RunState::new((**submitted).clone(), first.actor.clone(), program, first.at);
    for record in rest {
        state
            .apply(&record.event, record.at)
            .map_err(|diverged| format!("at {}: {diverged}", record.sequence))?;
    }
    let said = control::final_status(evidence.platter.journal(), submitted.run)
        .map_err(|error| EngineError::from(error).to_string())?;
    match said {
        None => Err(format!("it has not ended, it is {}", state.status.as_str())),
        Some(said) if said != state.status => {
            Err(format!("it ended as {said:?} and replays as {:?}", state.status))
        }
        Some(_) if !state.program.ready().is_empty() => Err("it has ended and wants more".to_owned()),
        Some(_) => Ok(()),
    }
}

/// Reservations within any window never exceed the limit.
fn quotas_hold(evidence: &Evidence<'_>, records: &[Record], broken: &mut Vec<String>) {
    let Some((limit, window_ms)) = evidence.quota else { return };
    let mut uses: BTreeMap<String, Vec<(Timestamp, u64, String)>> = BTreeMap::new();
    for record in records {
        let Event::Quota(event) = &record.event else { continue };
        let (QuotaEvent::Reserved(used) | QuotaEvent::Committed(used) | QuotaEvent::Refunded(used)) = event;
        let uses = uses.entry(used.key.clone()).or_default();
        let by = format!("{}{}", used.run, used.step);
        match event {
            QuotaEvent::Reserved(_) => {
                uses.push((record.at, used.amount, by));
                let floor = record.at.as_millisecond() - window_ms;
                let within: u64 = uses
                    .iter()
                    .filter(|(at, ..)| at.as_millisecond() > floor)
                    .map(|(_, amount, _)| amount)
                    .sum();
                if within > limit {
                    broken.push(format!(
                        "quota {} stands at {within} of {limit} at {}",
                        used.key, record.position
                    ));
                }
            }
            QuotaEvent::Refunded(_) => {
                if let Some(index) = uses.iter().rposition(|(_, _, user)| *user == by) {
                    uses.remove(index);
                }
            }
            QuotaEvent::Committed(_) => {}
        }
    }
}

/// A digest of everything that happened, to compare two histories.
pub fn fingerprint(platter: &Arc<Platter>) -> Digest {
    platter.journal().head().map_or(Digest::ZERO, |head| head.digest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use journal::events::{
        ApprovalEvent, Ended, Nothing, Refused, RunEvent, TimerEvent, TimerNamed, TimerSet,
    };
    use journal::{Append, Event, NewEvent};
    use model::{Principal, Program, StepId};

    use super::*;

    struct NoPrograms;

    impl Programs for NoPrograms {
        fn build(
            &self,
            _: &journal::events::Submitted,
            _: &str,
            _: Timestamp,
        ) -> Result<Box<dyn Program>, String> {
            Err("there are no programs".to_owned())
        }

        fn find(&self, _: &str, _: Option<&str>) -> Result<engine::ports::Definition, String> {
            Err("there are no programs".to_owned())
        }
    }

    /// What is broken in a journal of these events.
    fn in_journal(events: Vec<(&str, Event)>) -> Vec<String> {
        let platter = Platter::new(|| Timestamp::UNIX_EPOCH);
        for (stream, event) in events {
            let event = NewEvent { stream: stream.into(), actor: Principal::system(), event };
            drop(platter.journal().append(Append { events: vec![event], ..Append::default() }));
        }
        check(&platter, &Outside::default(), &Told::default())
    }

    fn check(platter: &Platter, outside: &Outside, told: &Told) -> Vec<String> {
        let submitted = BTreeMap::new();
        let programs = &NoPrograms;
        broken(&Evidence { platter, outside, told, submitted: &submitted, programs, quota: None })
    }

    fn refused() -> Refused {
        Refused { level: 1, by: Principal::system(), via: None, reason: None }
    }

    #[test]
    fn an_empty_world_is_whole() {
        assert!(in_journal(Vec::new()).is_empty());
    }

    #[test]
    fn a_second_answer_to_an_approval_is_found() {
        let stream = ApprovalId::from_parts(1, 1).to_string();
        let denied = || Event::from(ApprovalEvent::Denied(refused()));
        assert!(in_journal(vec![(&stream, denied())]).is_empty());
        assert_eq!(in_journal(vec![(&stream, denied()), (&stream, denied())]).len(), 1);
    }

    #[test]
    fn a_decision_that_was_told_to_two_people_or_never_happened_is_found() {
        let approval = ApprovalId::from_parts(1, 1);
        let told = Told::default();
        let told_to = |name: &str| {
            crate::locked(&told.ended).push((approval, "granted", Principal::user(name).unwrap()));
        };
        told_to("maria");
        let platter = Platter::new(|| Timestamp::UNIX_EPOCH);
        assert_eq!(check(&platter, &Outside::default(), &told).len(), 1, "it never happened");
        told_to("john");
        assert_eq!(check(&platter, &Outside::default(), &told).len(), 3, "and only one can have decided");
    }

    #[test]
    fn a_once_effect_that_happens_twice_is_found() {
        let outside = Outside::default();
        let attempt = (RunId::from_parts(1, 1), StepId::new("/do/0"), 1);
        let platter = Platter::new(|| Timestamp::UNIX_EPOCH);
        outside.happen(attempt.clone(), EffectClass::Once);
        assert!(check(&platter, &outside, &Told::default()).is_empty());
        outside.happen(attempt, EffectClass::Once);
        assert_eq!(check(&platter, &outside, &Told::default()).len(), 1);
    }

    #[test]
    fn a_timer_that_fires_early_twice_or_unset_is_found() {
        let named = || TimerNamed { step: StepId::new("/do/0"), name: "wait".to_owned() };
        let set = |due: &str| {
            Event::from(TimerEvent::Set(TimerSet {
                step: StepId::new("/do/0"),
                name: "wait".to_owned(),
                due: due.parse().unwrap(),
                purpose: "wait".to_owned(),
            }))
        };
        let fired = || Event::from(TimerEvent::Fired(named()));
        let past = "1970-01-01T00:00:00Z";
        assert!(in_journal(vec![("t", set(past)), ("t", fired())]).is_empty());
        assert_eq!(in_journal(vec![("t", set("1970-01-02T00:00:00Z")), ("t", fired())]).len(), 1, "early");
        assert_eq!(in_journal(vec![("t", set(past)), ("t", fired()), ("t", fired())]).len(), 1, "twice");
        assert_eq!(in_journal(vec![("t", fired())]).len(), 1, "unset");
    }

    #[test]
    fn a_run_that_goes_on_after_its_end_is_found() {
        let ended = Event::from(RunEvent::Completed(Ended { output: serde_json::Value::Null }));
        let resumed = Event::from(RunEvent::Resumed(Nothing {}));
        let found = in_journal(vec![("run_x", ended), ("run_x", resumed)]);
        assert!(found.iter().any(|rule| rule.contains("goes on with")), "{found:?}");
    }

    #[test]
    fn an_acknowledged_command_that_is_not_in_the_journal_is_found() {
        let told = Told::default();
        crate::locked(&told.done).push((RunId::from_parts(1, 1), "cancelled"));
        let platter = Platter::new(|| Timestamp::UNIX_EPOCH);
        assert_eq!(check(&platter, &Outside::default(), &told).len(), 1);
    }
}
