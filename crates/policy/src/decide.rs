//! One decision function for every entry point: what is not asked here does not happen.

use model::{Chain, Judgement, MatchedRule, Timestamp, Verdict, time::rfc3339, time::to_millisecond};

use serde_json::Value;

use crate::decision::{Cause, Decision, Foretold};
use crate::file::WhenWord;
use crate::grant::{self, Granted};
use crate::limits;
use crate::matching::{Seen, SubjectWord};
use crate::quota::{self, NothingUsed, Quota, QuotaState, QuotaUnavailable, QuotaView, Reservation};
use crate::request::Request;
use crate::set::PolicySet;
use crate::window::{self, Window, WindowsSay};

/// What rules said so far.
#[derive(Default)]
struct Tally {
    matched: Vec<MatchedRule>,
    denied: Vec<(Cause, String)>,
    deferred: Vec<(Timestamp, String)>,
    held_by: Option<Cause>,
    chains: Vec<Chain>,
    warnings: Vec<String>,
    permitted: bool,
}

impl Tally {
    fn note(&mut self, rule: &str, said: &str, message: impl Into<String>) {
        let message = message.into();
        self.matched.push(MatchedRule { rule: rule.to_owned(), said: said.to_owned(), message });
    }

    fn deny(&mut self, cause: Cause, rule: &str, message: String) {
        self.note(rule, "deny", message.clone());
        self.denied.push((cause, message));
    }

    fn defer(&mut self, cause: Cause, until: Timestamp, rule: &str, message: String) {
        self.note(rule, "defer", message.clone());
        self.held_by = Some(self.held_by.map_or(cause, |known| known.min(cause)));
        self.deferred.push((until, message));
    }

    fn require(&mut self, chain: &Chain, rule: &str, message: String) {
        self.note(rule, "require", message);
        if !self.chains.iter().any(|known| known.name == chain.name) {
            self.chains.push(chain.clone());
        }
    }
}

/// What all rules said.
struct Told {
    tally: Tally,
    states: Vec<QuotaState>,
    granted: Granted,
    document: Value,
}

impl PolicySet {
    /// Judges `request` at `now` (cut to whole milliseconds), `quotas` telling what has been used.
    ///
    /// All rules are asked, always, so that a denial names every reason; then the strongest answer counts:
    /// **deny > defer > require > allow**. A closed change window denies or defers however much of a quota is left;
    /// in an open one quotas still count. Whatever cannot be evaluated denies.
    pub fn decide(&self, request: &Request<'_>, quotas: &dyn QuotaView, now: Timestamp) -> Decision {
        self.decided(request, quotas, now, true)
    }

    /// The same decision without its document ([`Decision::document`] is null), which is made only if a rule reads it: for
    /// whoever acts on it at once. What was judged can be large, a whole plan.
    pub fn judge(&self, request: &Request<'_>, quotas: &dyn QuotaView, now: Timestamp) -> Decision {
        let decision = self.decided(request, quotas, now, self.reads_documents());
        Decision { document: Value::Null, ..decision }
    }

    fn decided(
        &self,
        request: &Request<'_>,
        quotas: &dyn QuotaView,
        now: Timestamp,
        documented: bool,
    ) -> Decision {
        let now = to_millisecond(now);
        let Told { mut tally, states, granted, document } = self.ask(request, quotas, now, documented);
        let input = request.digest(&states, now);

        let cause = tally.denied.iter().map(|(cause, _)| *cause).min().or(tally.held_by);
        let verdict = conclude(&mut tally);
        let goes_ahead = matches!(verdict, Verdict::Allow | Verdict::Require { .. });
        let reservations = if goes_ahead { reservations(&states) } else { Vec::new() };
        Decision {
            judgement: Judgement { verdict, matched: tally.matched, policy: self.digest, input },
            reservations,
            quotas: states,
            granted,
            warnings: tally.warnings,
            cause: if goes_ahead { None } else { cause },
            document,
            at: now,
        }
    }

    /// What `request` will be answered as long as no quota is used, without what it takes to record and repeat a decision: no
    /// document and no digest of it is made unless a rule reads it. Nothing may be done on it.
    pub fn foretell(&self, request: &Request<'_>, now: Timestamp) -> Foretold {
        let told = self.ask(request, &NothingUsed, to_millisecond(now), self.reads_documents());
        let mut tally = told.tally;
        Foretold { verdict: conclude(&mut tally), warnings: tally.warnings }
    }

    /// Whether any rule reads the document of a request: the run's input, the plan it applies. Only Rego does.
    pub const fn reads_documents(&self) -> bool {
        self.rego.is_some()
    }

    /// Asks every rule. The document is made if `documented`, which has to be so where a rule reads it.
    fn ask(&self, request: &Request<'_>, quotas: &dyn QuotaView, now: Timestamp, documented: bool) -> Told {
        let workflow = request.facts.workflow.full_name();
        let seen = request.seen(&workflow);
        let mut tally = Tally::default();

        self.ask_rules(&seen, &mut tally);
        let granted = self.ask_grants(request, &seen, &mut tally);
        self.ask_windows(&seen, now, &mut tally);
        let applying = quota::applying(&self.quotas, &seen);
        let states = match read_quotas(&applying, &seen, quotas, now) {
            Ok(states) => states,
            Err(error) => {
                tally.deny(Cause::Unevaluable, "quotas", error.to_string());
                Vec::new()
            }
        };
        ask_quotas(&applying, &states, &mut tally);
        let document = if documented { request.document(&states, now) } else { Value::Null };
        self.ask_rego(&document, &mut tally);
        self.ask_require(&seen, &mut tally);
        self.ask_default(&seen, &mut tally);
        Told { tally, states, granted, document }
    }

    fn ask_rules(&self, seen: &Seen<'_>, tally: &mut Tally) {
        for rule in self.deny.iter().filter(|rule| rule.matching.matches(seen)) {
            let message = rule.reason.clone().unwrap_or_else(|| format!("{} is denied by a rule", seen.kind));
            tally.deny(Cause::Rule, &rule.rule, message);
        }
        for rule in self.allow.iter().filter(|rule| rule.matching.gives(seen)) {
            tally.note(
                &rule.rule,
                "allow",
                rule.reason.clone().unwrap_or_else(|| "a rule allows it".to_owned()),
            );
            tally.permitted = true;
        }
    }

    /// What of the capabilities that an action wants no grant gives. Only grants are asked: for looking, which no quota, window
    /// or approval is about, and which is not recorded.
    pub fn ungranted(&self, request: &Request<'_>) -> Vec<String> {
        let workflow = request.facts.workflow.full_name();
        let seen = request.seen(&workflow);
        request.action().map_or_else(Vec::new, |action| grant::judge(&self.grants, &seen, action).missing)
    }

    fn ask_grants(&self, request: &Request<'_>, seen: &Seen<'_>, tally: &mut Tally) -> Granted {
        let Some(action) = request.action() else { return Granted::default() };
        let say = grant::judge(&self.grants, seen, action);
        for (rule, need) in say.by {
            tally.note(&rule, "allow", format!("grants {need}"));
        }
        for need in say.missing {
            let message = format!("{} needs {need}, which no grant gives", action.kind);
            tally.deny(Cause::NotGranted, "grants", message);
        }
        say.granted
    }

    fn ask_windows(&self, seen: &Seen<'_>, now: Timestamp, tally: &mut Tally) {
        let about: Vec<&Window> =
            self.windows.iter().filter(|window| window.matching.matches(seen)).collect();
        match window::judge(&about, now) {
            WindowsSay::Nothing => {}
            WindowsSay::Open(window) => tally.note(&window.rule, "allow", format!("{} is open", window.name)),
            WindowsSay::Closed { by, opens } => {
                let closed = if by.allows {
                    format!("{} is closed", by.name)
                } else {
                    format!("{} is a time not to act", by.name)
                };
                match (by.when_closed, opens) {
                    (WhenWord::Defer, Some(until)) => {
                        let message = format!("{closed}; it opens at {}", rfc3339(until));
                        tally.defer(Cause::Time, until, &by.rule, message);
                    }
                    (_, Some(until)) => {
                        let message = format!("{closed}; it would be possible at {}", rfc3339(until));
                        tally.deny(Cause::Time, &by.rule, message);
                    }
                    (_, None) => {
                        let days = limits::WINDOW_HORIZON_DAYS;
                        let message = format!("{closed}, and nothing opens within {days} days");
                        tally.deny(Cause::Time, &by.rule, message);
                    }
                }
            }
        }
    }

    fn ask_rego(&self, document: &serde_json::Value, tally: &mut Tally) {
        let Some(rego) = &self.rego else { return };
        let said = match rego.evaluate(document) {
            Ok(said) => said,
            Err(why) => {
                tally.deny(Cause::Unevaluable, "rego", format!("the Rego rules cannot be evaluated: {why}"));
                return;
            }
        };
        for message in said.deny {
            tally.deny(Cause::Rule, "data.aedile.deny", message);
        }
        for message in said.warn {
            tally.note("data.aedile.warn", "warn", message.clone());
            tally.warnings.push(message);
        }
        for name in said.require_approval {
            if let Some(chain) = self.chain(&name) {
                let message = format!("approval by chain {name} is required");
                tally.require(chain, "data.aedile.require_approval", message);
            } else {
                let message = format!(
                    "data.aedile.require_approval names the chain `{name}`, which is not in policy.yaml"
                );
                tally.deny(Cause::Unevaluable, "data.aedile.require_approval", message);
            }
        }
    }

    fn ask_require(&self, seen: &Seen<'_>, tally: &mut Tally) {
        for rule in self.require.iter().filter(|rule| rule.matching.matches(seen)) {
            // compile has checked that the chain exists
            if let Some(chain) = self.chain(&rule.chain) {
                let message = rule
                    .reason
                    .clone()
                    .unwrap_or_else(|| format!("approval by chain {} is required", rule.chain));
                tally.require(chain, &rule.rule, message);
            }
        }
        if tally.chains.len() > limits::CHAINS_PER_ACTION {
            let message = format!("more than {} approval chains are required", limits::CHAINS_PER_ACTION);
            tally.deny(Cause::Unevaluable, "require", message);
        }
    }

    fn ask_default(&self, seen: &Seen<'_>, tally: &mut Tally) {
        // that somebody may start what the project has does not say that they may bring anything else
        if seen.subject == SubjectWord::Run && !seen.origin.is_project() && !tally.permitted {
            let why = "the definition came with the request, and no rule allows such (`allow` with `origin: caller`)";
            tally.deny(Cause::Default, "origin", why.to_owned());
        }
        let permitted = tally.permitted || !tally.chains.is_empty();
        if self.deny_by_default && !permitted && tally.denied.is_empty() {
            tally.deny(Cause::Default, "default", "no rule allows it, and the default is deny".to_owned());
        }
    }
}

fn read_quotas(
    applying: &[&Quota],
    seen: &Seen<'_>,
    view: &dyn QuotaView,
    now: Timestamp,
) -> Result<Vec<QuotaState>, QuotaUnavailable> {
    if applying.len() > limits::QUOTAS_PER_ACTION {
        let why = format!("more than {} quotas apply", limits::QUOTAS_PER_ACTION);
        return Err(QuotaUnavailable { key: seen.kind.to_owned(), why });
    }
    applying.iter().map(|quota| quota.read(quota.key(seen), view, now)).collect()
}

fn ask_quotas(applying: &[&Quota], states: &[QuotaState], tally: &mut Tally) {
    for (quota, state) in applying.iter().zip(states) {
        let window = state.window;
        if !state.exceeded {
            let message = format!("{} of {} used within {window:#}", state.used, state.limit);
            tally.note(&state.rule, "allow", message);
            continue;
        }
        let full = format!("all {} within {window:#} are used", state.limit);
        match (quota.on_exceed, state.frees_at) {
            (WhenWord::Defer, Some(until)) => {
                let message = format!("{full}; there is room at {}", rfc3339(until));
                tally.defer(Cause::Quota, until, &state.rule, message);
            }
            (_, Some(until)) => {
                tally.deny(
                    Cause::Quota,
                    &state.rule,
                    format!("{full}; there would be room at {}", rfc3339(until)),
                );
            }
            (_, None) => tally.deny(Cause::Quota, &state.rule, full),
        }
    }
}

/// The strongest of the answers.
fn conclude(tally: &mut Tally) -> Verdict {
    if !tally.denied.is_empty() {
        tally.denied.sort_by_key(|(cause, _)| *cause);
        return Verdict::Deny { reasons: tally.denied.iter().map(|(_, why)| why.clone()).collect() };
    }
    if let Some(until) = tally.deferred.iter().map(|(until, _)| *until).max() {
        return Verdict::Defer {
            until,
            reasons: tally.deferred.iter().map(|(_, why)| why.clone()).collect(),
        };
    }
    if tally.chains.is_empty() {
        Verdict::Allow
    } else {
        Verdict::Require { approvals: std::mem::take(&mut tally.chains) }
    }
}

fn reservations(states: &[QuotaState]) -> Vec<Reservation> {
    let mut out: Vec<Reservation> = Vec::new();
    for state in states {
        // two rules on one counter count one use
        match out.iter_mut().find(|known| known.key == state.key) {
            Some(known) => known.window = known.window.max(state.window),
            None => out.push(Reservation { key: state.key.clone(), amount: 1, window: state.window }),
        }
    }
    out
}
