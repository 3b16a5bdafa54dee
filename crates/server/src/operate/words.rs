//! Records in words: the same that the command line says.

use journal::Event;
use journal::events::{
    ApprovalEvent, BusEvent, DefinitionEvent, DriftEvent, DriftOutcome, EnvironmentEvent, ListenEvent,
    QuotaEvent, RunEvent, StepEvent, SubmissionEvent, TimerEvent,
};
use model::Principal;
use model::time::rfc3339;
use serde_json::Value;

use super::status::Tone;
use super::text;

/// What happened, to be read in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// What it means.
    pub(super) tone: Tone,
    /// One word.
    pub(super) mark: &'static str,
    /// What, in a few words.
    pub(super) text: String,
}

/// Tells a record. One that this program cannot read is told by its type alone.
pub(super) fn tell(record: &api::Record) -> Told {
    let data = record.record.get("data").map_or_else(|| "null".to_owned(), Value::to_string);
    let (tone, mark, text) = match Event::decode(&record.kind, &data) {
        Ok(event) => event_words(&event),
        Err(_) => (Tone::Idle, "recorded", record.kind.clone()),
    };
    Told { tone, mark, text: text::line(&text) }
}

/// Whether a type of record is a change that somebody asks for when they ask what changed.
pub(super) fn is_change(kind: &str) -> bool {
    const CHANGES: &[&str] = &[
        "run.submitted",
        "run.paused",
        "run.resumed",
        "run.cancel_requested",
        "run.retry_requested",
        "run.signalled",
        "run.completed",
        "run.failed",
        "run.cancelled",
        "step.in_doubt",
        "step.resolved",
        "key.added",
        "key.retired",
    ];
    CHANGES.contains(&kind) || kind.starts_with("approval.") || kind.starts_with("drift.")
}

/// Where a record's subject has a page: below the environment's address.
pub(super) fn subject(record: &api::Record) -> Option<String> {
    if record.stream.starts_with("run_") {
        Some(format!("runs/{}", record.stream))
    } else if record.stream.starts_with("apr_") {
        Some(format!("approvals/{}", record.stream))
    } else {
        None
    }
}

type Line = (Tone, &'static str, String);

fn event_words(event: &Event) -> Line {
    match event {
        Event::Run(event) => run(event),
        Event::Step(event) => step(event),
        Event::Timer(event) => timer(event),
        Event::Listen(event) => listen(event),
        Event::Approval(event) => approval(event),
        Event::Drift(event) => drift(event),
        Event::Quota(event) => quota(event),
        Event::Environment(event) => environment(event),
        Event::Submission(SubmissionEvent::Claimed(claim)) => {
            (Tone::Idle, "claimed", format!("{} is {}", claim.key, claim.run))
        }
        Event::Definition(DefinitionEvent::Registered(definition)) => {
            (Tone::Idle, "registered", format!("{}, {} bytes", definition.kind, definition.text.len()))
        }
        Event::Definition(DefinitionEvent::Continued(part)) => {
            (Tone::Idle, "continued", format!("{} bytes more", part.text.len()))
        }
        Event::Bus(BusEvent::Published(published)) => (Tone::Idle, "published", published.event.kind.clone()),
        Event::Schedule(_) => (Tone::Idle, "scheduled", String::new()),
        // the server's own journal has these, an environment's never
        Event::Identity(event) => (Tone::Idle, "recorded", event.kind().to_owned()),
    }
}

fn because(reason: Option<&String>) -> String {
    reason.map_or_else(String::new, |why| format!(": {why}"))
}

fn list(reasons: &[String]) -> String {
    if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) }
}

fn by(principals: &[Principal]) -> String {
    let names: Vec<&str> = principals.iter().map(Principal::as_str).collect();
    if names.is_empty() { String::new() } else { format!("by {}", names.join(", ")) }
}

fn run(event: &RunEvent) -> Line {
    use Tone::{Bad, Busy, Good, Idle, Warn};
    match event {
        RunEvent::Submitted(submitted) => {
            (Idle, "submitted", format!("{} {}", submitted.program.name, submitted.program.version))
        }
        RunEvent::Adopted(owner) => (Warn, "adopted", format!("by engine {}", owner.engine)),
        RunEvent::Judged(verdict) => {
            (Idle, "judged", format!("{}{}", verdict.verdict, list(&verdict.reasons)))
        }
        RunEvent::Started(_) => (Busy, "started", String::new()),
        RunEvent::Paused(why) => (Warn, "paused", text_of(&because(why.reason.as_ref()))),
        RunEvent::Resumed(_) => (Good, "resumed", String::new()),
        RunEvent::CancelRequested(why) => (Warn, "cancelling", text_of(&because(why.reason.as_ref()))),
        RunEvent::RetryRequested(retry) => {
            (Warn, "retrying", retry.from.as_ref().map_or_else(String::new, |from| format!("from {from}")))
        }
        RunEvent::Signalled(signal) => (Idle, "signal", signal.name.clone()),
        RunEvent::Completed(_) => (Good, "completed", String::new()),
        RunEvent::Failed(ended) => (Bad, "failed", ended.problem.to_string()),
        RunEvent::Cancelled(why) => (Warn, "cancelled", text_of(&because(why.reason.as_ref()))),
    }
}

/// A reason that stands alone.
fn text_of(because: &str) -> String {
    because.trim_start_matches(": ").to_owned()
}

fn step(event: &StepEvent) -> Line {
    use Tone::{Bad, Busy, Good, Idle, Warn};
    match event {
        StepEvent::Scheduled(scheduled) => {
            let attempt = scheduled.attempt;
            let again = if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            let action = &scheduled.action;
            (Busy, "doing", format!("{}  {} {}{again}", scheduled.name, action.kind, action.target))
        }
        StepEvent::Completed(result) if result.task == "skip" => {
            let because = result.output.get("because").and_then(Value::as_str).unwrap_or_default();
            (Warn, "skipped", format!("{}  {because}", result.name))
        }
        StepEvent::Completed(result) => (Good, "done", result.name.clone()),
        StepEvent::Failed(fault) => (Bad, "failed", format!("{}  {}", fault.name, fault.problem)),
        StepEvent::Asked(asked) => (Warn, "asked", format!("{}  {}", asked.name, asked.approval)),
        StepEvent::Answered(answered) => {
            let good = matches!(answered.outcome.as_str(), "granted" | "overridden");
            let words = format!("{} {}", answered.outcome, by(&answered.deciders));
            (if good { Good } else { Bad }, "answered", words)
        }
        StepEvent::Deferred(deferred) => {
            let words = format!("until {}{}", rfc3339(deferred.until), list(&deferred.verdict.reasons));
            (Warn, "deferred", words)
        }
        StepEvent::InDoubt(doubt) => (Bad, "in doubt", format!("{}  {}", doubt.step, doubt.why)),
        StepEvent::Resolved(resolved) => {
            let what = if resolved.happened { "it happened" } else { "it did not happen" };
            (Good, "resolved", format!("{}  {what}", resolved.step))
        }
        StepEvent::Abandoned(stopped) => {
            let why = stopped.reason.as_deref().unwrap_or_default();
            (Idle, "abandoned", format!("{}  {why}", stopped.step))
        }
        StepEvent::ChildStarted(child) => (Idle, "started", format!("{}  {}", child.name, child.run)),
    }
}

fn timer(event: &TimerEvent) -> Line {
    match event {
        TimerEvent::Set(timer) => {
            (Tone::Idle, "waiting", format!("{} until {}", timer.purpose, rfc3339(timer.due)))
        }
        TimerEvent::Fired(timer) => (Tone::Idle, "woke", format!("{}  {}", timer.step, timer.name)),
        TimerEvent::Cancelled(timer) => (Tone::Idle, "cancelled", format!("timer {}", timer.name)),
    }
}

fn listen(event: &ListenEvent) -> Line {
    match event {
        ListenEvent::Started(listening) => (Tone::Idle, "listening", listening.name.clone()),
        ListenEvent::Received(received) => (Tone::Good, "received", received.event.kind.clone()),
        ListenEvent::Stopped(stopped) => (Tone::Idle, "heard", stopped.step.to_string()),
    }
}

fn approval(event: &ApprovalEvent) -> Line {
    use Tone::{Bad, Good, Idle, Warn};
    match event {
        ApprovalEvent::Requested(asked) => (Warn, "asked", asked.title.clone()),
        ApprovalEvent::Voted(vote) => (Good, "approved", format!("level {} by {}", vote.level, vote.by)),
        ApprovalEvent::Escalated(escalated) => {
            let words = format!("level {} to {}: {}", escalated.from, escalated.to, escalated.reason);
            (Warn, "escalated", words)
        }
        ApprovalEvent::Granted(decided) => (Good, "granted", by(&decided.by)),
        ApprovalEvent::Denied(refused) => (Bad, "denied", ended(refused)),
        ApprovalEvent::Expired(refused) => (Bad, "expired", ended(refused)),
        ApprovalEvent::Overridden(refused) => (Warn, "overridden", ended(refused)),
        ApprovalEvent::Withdrawn(refused) => (Idle, "withdrawn", ended(refused)),
    }
}

fn ended(refused: &journal::events::Refused) -> String {
    format!("by {}{}", refused.by, because(refused.reason.as_ref()))
}

fn quota(event: &QuotaEvent) -> Line {
    let (mark, used) = match event {
        QuotaEvent::Reserved(used) => ("reserved", used),
        QuotaEvent::Committed(used) => ("used", used),
        QuotaEvent::Refunded(used) => ("given back", used),
    };
    (Tone::Idle, mark, format!("{} of {}", used.amount, used.key))
}

fn environment(event: &EnvironmentEvent) -> Line {
    match event {
        EnvironmentEvent::Initialised(initialised) => {
            (Tone::Idle, "initialised", initialised.environment.to_string())
        }
        EnvironmentEvent::KeyAdded(key) => (Tone::Warn, "key added", key.verifier.clone()),
        EnvironmentEvent::KeyRetired(key) => (Tone::Warn, "key retired", key.verifier.clone()),
        EnvironmentEvent::CheckpointSigned(signed) => {
            (Tone::Good, "signed", format!("{} records, {}", signed.size, signed.checkpoint))
        }
    }
}

fn drift(event: &DriftEvent) -> Line {
    use Tone::{Bad, Good, Idle, Warn};
    match event {
        DriftEvent::Found(found) => {
            let fields: Vec<&str> = found.fields.iter().map(|field| field.name.as_str()).collect();
            let what = match &found.why {
                Some(why) => format!("  {why}"),
                None if fields.is_empty() => String::new(),
                None => format!("  {}", fields.join(", ")),
            };
            (Warn, "drifted", format!("{}  {}{what}  ({})", found.resource, found.class, found.policy))
        }
        DriftEvent::Ended(ended) => (Good, "ended", format!("{}  {} no more", ended.resource, ended.class)),
        DriftEvent::Started(started) => {
            let mark = if started.how == model::OnDrift::Propose { "proposed" } else { "repairing" };
            let all: Vec<&str> = started.resources.iter().map(|one| one.resource.as_str()).collect();
            (Idle, mark, format!("{}  {}", all.join(", "), started.run))
        }
        DriftEvent::Settled(settled) => {
            let why = settled.why.as_ref().map_or_else(String::new, |why| format!("  {why}"));
            let words = format!("{}  {}{why}", settled.done.join(", "), settled.run);
            match settled.outcome {
                DriftOutcome::Completed => (Good, "repaired", words),
                DriftOutcome::Refused => (Bad, "refused", words),
                DriftOutcome::Failed => (Bad, "failed", words),
                DriftOutcome::Withdrawn => (Idle, "withdrawn", words),
            }
        }
        DriftEvent::Held(held) => (Warn, "held", format!("{}  {}", held.resource, held.why)),
        DriftEvent::Fought(fought) => {
            let field = fought.field.as_ref().map_or_else(String::new, |field| format!(" {field}"));
            let times = fought.mended.len();
            let words = format!(
                "{}{field}  put right {times} times and {} where Aedile {}: {}",
                fought.resource, fought.theirs, fought.ours, fought.who
            );
            (Bad, "fight", words)
        }
        DriftEvent::Calmed(calmed) => (Good, "calmed", format!("{}  {}", calmed.resource, calmed.why)),
        DriftEvent::Acknowledged(noticed) => {
            (Idle, "noticed", format!("{}{}", noticed.resources.join(", "), because(noticed.reason.as_ref())))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(kind: &str, data: &Value) -> api::Record {
        api::Record {
            position: 1,
            stream: "run_1".to_owned(),
            sequence: 1,
            kind: kind.to_owned(),
            at: "2026-11-21T10:00:00.000Z".to_owned(),
            actor: "user:lea".to_owned(),
            record: json!({ "data": data }),
            digest: String::new(),
        }
    }

    #[test]
    fn records_are_told() {
        let told = tell(&record("run.paused", &json!({"reason": "look first"})));
        assert_eq!((told.mark, told.text.as_str()), ("paused", "look first"));
        let told = tell(&record("run.signalled", &json!({"name": "go", "data": null})));
        assert_eq!((told.mark, told.text.as_str()), ("signal", "go"));
    }

    #[test]
    fn what_is_not_known_is_told_by_its_type() {
        let told = tell(&record("moon.landed", &json!({})));
        assert_eq!((told.mark, told.text.as_str()), ("recorded", "moon.landed"));
    }

    #[test]
    fn every_approval_event_is_a_change_and_no_timer_is() {
        for kind in Event::kinds() {
            let wanted = kind.starts_with("approval.") || kind.starts_with("drift.");
            assert!(!wanted || is_change(kind), "{kind}");
            assert!(!(kind.starts_with("timer.") && is_change(kind)), "{kind}");
        }
    }
}
