//! What happened, in the words that people read in the terminal and in Operate.

use journal::Event;
use journal::events::{
    ApprovalEvent, BusEvent, DefinitionEvent, DriftEvent, DriftOutcome, EnvironmentEvent, IdentityEvent,
    ListenEvent, LoginMeans, QuotaEvent, RulesChanged, RulesEvent, RunEvent, StepEvent, SubmissionEvent,
    TimerEvent,
};
use model::Principal;
use model::time::rfc3339;
use serde_json::Value;

/// What something means for whoever looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Somebody has to do something.
    Bad,
    /// It waits, or wants attention.
    Warn,
    /// It is under way.
    Busy,
    /// Over, or of no concern.
    Idle,
}

/// What happened, to be read in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What it means.
    pub tone: Tone,
    /// One word.
    pub mark: &'static str,
    /// What, in a few words. Not yet made safe to show: texts of others are in it.
    pub text: String,
}

/// Tells an event.
pub fn tell(event: &Event) -> Told {
    let (tone, mark, text) = line(event);
    Told { tone, mark, text }
}

type Line = (Tone, &'static str, String);

fn line(event: &Event) -> Line {
    match event {
        Event::Run(event) => run(event),
        Event::Step(event) => step(event),
        Event::Timer(event) => timer(event),
        Event::Listen(event) => listen(event),
        Event::Approval(event) => approval(event),
        Event::Drift(event) => drift(event),
        Event::Rules(RulesEvent::Changed(changed)) => rules(changed),
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
        Event::Identity(event) => (Tone::Idle, "recorded", identity(event)),
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
        RunEvent::Paused(why) => (Warn, "paused", why.reason.clone().unwrap_or_default()),
        RunEvent::Resumed(_) => (Good, "resumed", String::new()),
        RunEvent::CancelRequested(why) => (Warn, "cancelling", why.reason.clone().unwrap_or_default()),
        RunEvent::RetryRequested(retry) => {
            (Warn, "retrying", retry.from.as_ref().map_or_else(String::new, |from| format!("from {from}")))
        }
        RunEvent::Signalled(signal) => (Idle, "signal", signal.name.clone()),
        RunEvent::Completed(_) => (Good, "completed", String::new()),
        RunEvent::Failed(ended) => (Bad, "failed", ended.problem.to_string()),
        RunEvent::Cancelled(why) => (Warn, "cancelled", why.reason.clone().unwrap_or_default()),
    }
}

fn step(event: &StepEvent) -> Line {
    use Tone::{Bad, Busy, Good, Idle, Warn};
    match event {
        StepEvent::Scheduled(scheduled) => {
            let attempt = scheduled.attempt;
            let again = if attempt > 1 { format!("  (attempt {attempt})") } else { String::new() };
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
            let by = by(&answered.deciders);
            let words = format!("{}{}{by}", answered.outcome, if by.is_empty() { "" } else { " " });
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

fn rules(changed: &RulesChanged) -> Line {
    let policy = format!("policy {}", changed.policy);
    let text = match (changed.policy != changed.policy_before, changed.access != changed.access_before) {
        (true, false) => policy,
        (policy_too, _) => {
            let access =
                changed.access.map_or_else(|| "no access.yaml".to_owned(), |it| format!("access.yaml {it}"));
            if policy_too { format!("{policy}, {access}") } else { access }
        }
    };
    (Tone::Warn, "new rules", text)
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
        DriftEvent::Flapped(flapped) => {
            let mut what = flapped.fields.clone();
            if flapped.presence {
                what.push("whether it is there".to_owned());
            }
            let words = format!(
                "{}  {} changed {} times since {}; not told or put right until it is steady",
                flapped.resource,
                what.join(", "),
                flapped.changes,
                rfc3339(flapped.since)
            );
            (Warn, "flapping", words)
        }
        DriftEvent::Skipped(skipped) => {
            let since = rfc3339(skipped.since);
            (Warn, "skipped", format!("{} rounds since {since}  {}", skipped.rounds, skipped.why))
        }
        DriftEvent::Resumed(resumed) => {
            let since = rfc3339(resumed.since);
            (Good, "resumed", format!("{} rounds were skipped since {since}", resumed.rounds))
        }
        DriftEvent::Calmed(calmed) => (Good, "calmed", format!("{}  {}", calmed.resource, calmed.why)),
        DriftEvent::Acknowledged(noticed) => {
            (Idle, "noticed", format!("{}{}", noticed.resources.join(", "), because(noticed.reason.as_ref())))
        }
    }
}

fn identity(event: &IdentityEvent) -> String {
    match event {
        IdentityEvent::AccountAdded(added) => added.account.to_string(),
        IdentityEvent::AccountBound(bound) => format!("{} at {}", bound.account, bound.federated.issuer),
        IdentityEvent::AccountDisabled(changed)
        | IdentityEvent::AccountEnabled(changed)
        | IdentityEvent::AdministratorGiven(changed)
        | IdentityEvent::AdministratorTaken(changed) => {
            format!("{}{}", changed.account, because(changed.reason.as_ref()))
        }
        IdentityEvent::TokenIssued(token) => {
            format!("{} for {} until {}", token.name, token.account, rfc3339(token.expires))
        }
        IdentityEvent::TokenRevoked(token) => format!("{}{}", token.token, because(token.reason.as_ref())),
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
