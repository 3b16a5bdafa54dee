//! Records of the journal, one line each, in words.

use journal::events::{
    ApprovalEvent, BusEvent, DriftEvent, DriftOutcome, EnvironmentEvent, IdentityEvent, ListenEvent,
    LoginMeans, QuotaEvent, RunEvent, StepEvent, SubmissionEvent, TimerEvent,
};
use journal::{Event, Record};
use model::Timestamp;
use model::time::rfc3339;
use serde_json::{Value, json};

use super::table::plain;
use anstyle::Style;

use crate::ui::{BAD, DIM, GOOD, WARN};

/// A record as `--json` shows it: exactly the canonical bytes, which are JSON.
pub fn record_json(record: &Record) -> Value {
    serde_json::from_slice(&record.bytes).unwrap_or_else(|error| json!({ "unreadable": error.to_string() }))
}

/// A record as one line: time of day, position, stream, what happened.
pub fn record_line(record: &Record, width: usize) -> String {
    let time = clock(record.at);
    let line = format!(
        "{:>7}  {time}  {:<26}  {}",
        record.position,
        record.event.kind(),
        plain(&format!("{}  {}", record.stream, words(&record.event)))
    );
    super::table::cut(&line, width.max(60))
}

/// Time of day in UTC, to the second.
pub fn clock(at: Timestamp) -> String {
    let text = rfc3339(at);
    text.get(11..19).unwrap_or(&text).to_owned()
}

/// What lines that belong to the one above begin with, as wide as its time of day.
pub const INDENT: &str = "          ";

/// A record of a run as one line: time of day, a mark, the words. `None`: it is no news.
pub fn line(record: &Record) -> Option<String> {
    let (style, mark, text) = narration(&record.event)?;
    Some(format!("{DIM}{}{DIM:#}  {style}{mark:<10}{style:#} {text}", clock(record.at)))
}

/// One line about what happened in a run: a mark that also is a word, and the words.
pub fn narration(event: &Event) -> Option<(Style, &'static str, String)> {
    let (style, mark, text) = match event {
        Event::Run(event) => run(event)?,
        Event::Step(event) => step(event),
        Event::Timer(event) => timer(event)?,
        Event::Listen(event) => listen(event),
        Event::Approval(event) => vote(event)?,
        _ => return None,
    };
    Some((style, mark, plain(&text)))
}

fn run(event: &RunEvent) -> Option<(Style, &'static str, String)> {
    let reason = |reason: &Option<String>| reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    Some(match event {
        RunEvent::Submitted(submitted) => {
            (DIM, "submitted", format!("{} {}", submitted.program.name, submitted.program.version))
        }
        RunEvent::Adopted(owner) => (WARN, "adopted", format!("by engine {}", owner.engine)),
        RunEvent::Judged(verdict) => {
            (DIM, "judged", format!("{}{}", verdict.verdict, list(&verdict.reasons)))
        }
        RunEvent::Started(_) => return None,
        RunEvent::Paused(why) => (WARN, "paused", reason(&why.reason)),
        RunEvent::Resumed(_) => (GOOD, "resumed", String::new()),
        RunEvent::CancelRequested(why) => (WARN, "cancelling", reason(&why.reason)),
        RunEvent::RetryRequested(retry) => {
            (WARN, "retrying", retry.from.as_ref().map_or_else(String::new, |from| format!("from {from}")))
        }
        RunEvent::Signalled(signal) => (DIM, "signal", signal.name.clone()),
        RunEvent::Completed(_) => (GOOD, "completed", String::new()),
        RunEvent::Failed(ended) => (BAD, "failed", ended.problem.to_string()),
        RunEvent::Cancelled(why) => (WARN, "cancelled", reason(&why.reason)),
    })
}

fn step(event: &StepEvent) -> (Style, &'static str, String) {
    match event {
        StepEvent::Scheduled(scheduled) => {
            let again = if scheduled.attempt > 1 {
                format!("  (attempt {})", scheduled.attempt)
            } else {
                String::new()
            };
            (
                DIM,
                "doing",
                format!("{}  {} {}{again}", scheduled.name, scheduled.action.kind, scheduled.action.target),
            )
        }
        StepEvent::Completed(result) if result.task == "skip" => {
            let because = result.output.get("because").and_then(Value::as_str).unwrap_or_default();
            (WARN, "skipped", format!("{}  {because}", result.name))
        }
        StepEvent::Completed(result) => (GOOD, "done", result.name.clone()),
        StepEvent::Failed(fault) => (BAD, "failed", format!("{}  {}", fault.name, fault.problem)),
        StepEvent::Asked(asked) => (WARN, "asked", format!("{}  {}", asked.name, asked.approval)),
        StepEvent::Answered(answered) => {
            let by: Vec<&str> = answered.deciders.iter().map(model::Principal::as_str).collect();
            let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
            let style =
                if matches!(answered.outcome.as_str(), "granted" | "overridden") { GOOD } else { BAD };
            (style, "answered", format!("{}  {}{by}", answered.approval, answered.outcome))
        }
        StepEvent::Deferred(deferred) => (
            WARN,
            "deferred",
            format!("until {}{}", rfc3339(deferred.until), list(&deferred.verdict.reasons)),
        ),
        StepEvent::InDoubt(doubt) => (BAD, "in doubt", format!("{}  {}", doubt.step, doubt.why)),
        StepEvent::Resolved(resolved) => {
            let what = if resolved.happened { "it happened" } else { "it did not happen" };
            (GOOD, "resolved", format!("{}  {what}", resolved.step))
        }
        StepEvent::Abandoned(stopped) => {
            let why = stopped.reason.as_deref().unwrap_or_default();
            (DIM, "abandoned", format!("{}  {why}", stopped.step))
        }
        StepEvent::ChildStarted(child) => (DIM, "started", format!("{}  {}", child.name, child.run)),
    }
}

fn timer(event: &TimerEvent) -> Option<(Style, &'static str, String)> {
    match event {
        TimerEvent::Set(timer) if timer.purpose == "timeout" => None,
        TimerEvent::Set(timer) => {
            Some((DIM, "waiting", format!("{} until {}", timer.purpose, rfc3339(timer.due))))
        }
        TimerEvent::Fired(timer) => Some((DIM, "woke", format!("{}  {}", timer.step, timer.name))),
        TimerEvent::Cancelled(_) => None,
    }
}

fn listen(event: &ListenEvent) -> (Style, &'static str, String) {
    match event {
        ListenEvent::Started(listening) => (DIM, "listening", listening.name.clone()),
        ListenEvent::Received(received) => (GOOD, "received", received.event.kind.clone()),
        ListenEvent::Stopped(stopped) => (DIM, "heard", stopped.step.to_string()),
    }
}

fn vote(event: &ApprovalEvent) -> Option<(Style, &'static str, String)> {
    match event {
        ApprovalEvent::Voted(_) => Some((GOOD, "approved", approval(event))),
        ApprovalEvent::Escalated(_) => Some((WARN, "escalated", approval(event))),
        _ => None,
    }
}

fn list(reasons: &[String]) -> String {
    if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) }
}

/// What happened, in a few words, for any event.
pub fn words(event: &Event) -> String {
    match event {
        Event::Run(_) | Event::Step(_) | Event::Timer(_) | Event::Listen(_) => {
            narration(event).map(|(_, _, text)| text).unwrap_or_default()
        }
        Event::Schedule(_) => String::new(),
        Event::Drift(event) => {
            let (_, _, text) = drift(event);
            text
        }
        Event::Approval(event) => approval(event),
        Event::Quota(
            QuotaEvent::Reserved(used) | QuotaEvent::Committed(used) | QuotaEvent::Refunded(used),
        ) => {
            format!("{} of {}", used.amount, used.key)
        }
        Event::Submission(SubmissionEvent::Claimed(claim)) => format!("{} is {}", claim.key, claim.run),
        Event::Definition(journal::events::DefinitionEvent::Registered(definition)) => {
            format!("{}, {} bytes", definition.kind, definition.text.len())
        }
        Event::Definition(journal::events::DefinitionEvent::Continued(part)) => {
            format!("{} bytes more", part.text.len())
        }
        Event::Bus(BusEvent::Published(published)) => published.event.kind.clone(),
        Event::Environment(event) => environment(event),
        Event::Identity(event) => identity(event),
    }
}

/// What the drift reconciler saw or did: a mark that also is a word, and the words.
pub fn drift(event: &DriftEvent) -> (Style, &'static str, String) {
    match event {
        DriftEvent::Found(found) => {
            let fields: Vec<&str> = found.fields.iter().map(|field| field.name.as_str()).collect();
            let what = match &found.why {
                Some(why) => format!("  {why}"),
                None if fields.is_empty() => String::new(),
                None => format!("  {}", fields.join(", ")),
            };
            (WARN, "drifted", format!("{}  {}{what}  ({})", found.resource, found.class, found.policy))
        }
        DriftEvent::Ended(ended) => (GOOD, "ended", format!("{}  {} no more", ended.resource, ended.class)),
        DriftEvent::Started(started) => {
            let mark = if started.how == model::OnDrift::Propose { "proposed" } else { "repairing" };
            let all: Vec<&str> = started.resources.iter().map(|one| one.resource.as_str()).collect();
            (DIM, mark, format!("{}  {}", all.join(", "), started.run))
        }
        DriftEvent::Settled(settled) => {
            let why = settled.why.as_ref().map_or_else(String::new, |why| format!("  {why}"));
            let text = format!("{}  {}{why}", settled.done.join(", "), settled.run);
            match settled.outcome {
                DriftOutcome::Completed => (GOOD, "repaired", text),
                DriftOutcome::Refused => (BAD, "refused", text),
                DriftOutcome::Failed => (BAD, "failed", text),
                DriftOutcome::Withdrawn => (DIM, "withdrawn", text),
            }
        }
        DriftEvent::Held(held) => (WARN, "held", format!("{}  {}", held.resource, held.why)),
        DriftEvent::Fought(fought) => {
            let field = fought.field.as_ref().map_or_else(String::new, |field| format!(" {field}"));
            let times = fought.mended.len();
            let text = format!(
                "{}{field}  put right {times} times and {} where Aedile {}: {}",
                fought.resource, fought.theirs, fought.ours, fought.who
            );
            (BAD, "fight", text)
        }
        DriftEvent::Calmed(calmed) => (GOOD, "calmed", format!("{}  {}", calmed.resource, calmed.why)),
        DriftEvent::Acknowledged(acknowledged) => (
            DIM,
            "noticed",
            format!("{}{}", acknowledged.resources.join(", "), list(acknowledged.reason.as_slice())),
        ),
    }
}

fn approval(event: &ApprovalEvent) -> String {
    match event {
        ApprovalEvent::Requested(asked) => asked.title.clone(),
        ApprovalEvent::Voted(vote) => format!("level {} by {}", vote.level, vote.by),
        ApprovalEvent::Escalated(escalated) => {
            format!("level {} to {}: {}", escalated.from, escalated.to, escalated.reason)
        }
        ApprovalEvent::Granted(decided) => {
            let by: Vec<&str> = decided.by.iter().map(model::Principal::as_str).collect();
            format!("by {}", by.join(", "))
        }
        ApprovalEvent::Denied(refused)
        | ApprovalEvent::Expired(refused)
        | ApprovalEvent::Overridden(refused)
        | ApprovalEvent::Withdrawn(refused) => {
            let why = refused.reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            format!("by {}{why}", refused.by)
        }
    }
}

fn environment(event: &EnvironmentEvent) -> String {
    match event {
        EnvironmentEvent::Initialised(initialised) => initialised.environment.to_string(),
        EnvironmentEvent::KeyAdded(key) => key.verifier.clone(),
        EnvironmentEvent::KeyRetired(key) => key.verifier.clone(),
        EnvironmentEvent::CheckpointSigned(signed) => {
            format!("{} records, {}", signed.size, signed.checkpoint)
        }
    }
}

fn identity(event: &IdentityEvent) -> String {
    let because = |reason: &Option<String>| list(reason.as_slice());
    match event {
        IdentityEvent::AccountAdded(added) => added.account.to_string(),
        IdentityEvent::AccountBound(bound) => format!("{} at {}", bound.account, bound.federated.issuer),
        IdentityEvent::AccountDisabled(changed)
        | IdentityEvent::AccountEnabled(changed)
        | IdentityEvent::AdministratorGiven(changed)
        | IdentityEvent::AdministratorTaken(changed) => {
            format!("{}{}", changed.account, because(&changed.reason))
        }
        IdentityEvent::TokenIssued(token) => {
            format!("{} for {} until {}", token.name, token.account, rfc3339(token.expires))
        }
        IdentityEvent::TokenRevoked(token) => format!("{}{}", token.token, because(&token.reason)),
        IdentityEvent::LinkIssued(link) => {
            let whose = link.account.as_ref().map_or("the first administrator", |account| account.as_str());
            format!("for {whose} until {}", rfc3339(link.expires))
        }
        IdentityEvent::LinkUsed(link) => link.digest.short(),
        IdentityEvent::SessionOpened(session) => {
            let means = match &session.means {
                LoginMeans::Link { .. } => "a link",
                LoginMeans::Token { .. } => "a token",
                LoginMeans::Oidc(federated) => &federated.issuer,
            };
            format!("{} by {means}", session.account)
        }
        IdentityEvent::SessionClosed(session) => session.session.to_string(),
        IdentityEvent::LoginRefused(refused) => {
            let from = refused.from.as_ref().map_or_else(String::new, |from| format!(" from {from}"));
            format!("{}{from}", refused.why)
        }
    }
}
