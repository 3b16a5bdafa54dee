//! Policy: the rules in force, and a playground that asks them.

use maud::{Markup, html};
use serde_json::Value;

use super::frame::{Frame, Head, Section};
use super::icons::icon;
use super::parts::{self, Chip, Empty};
use super::status::{self, Tone};
use super::{limits, text};

/// What the page of rules shows.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The policy.
    pub policy: api::Policy,
    /// Only rules of this kind.
    pub kind: Option<String>,
}

fn tabs(frame: &Frame, playground: bool) -> Markup {
    parts::tabs(
        "Policy",
        &[
            ("Rules", frame.path("policy"), !playground),
            ("Playground", frame.path("policy/playground"), playground),
        ],
    )
}

/// The page of rules.
pub fn page(frame: &Frame, view: &View) -> Markup {
    let content = html! {
        (parts::heading(&[], &html! { "Policy" }, &html! { span.note { "digest " (text::digest(&view.policy.digest)) } }))
        (tabs(frame, false))
        @if !view.policy.rules.is_empty() { (parts::chips("Filter by kind", &chips(frame, view))) }
        (rules(frame, view))
        @if !view.policy.files.is_empty() {
            @let files: Vec<String> = view.policy.files.iter().map(|file| text::line(file)).collect();
            p.note { "Made of " (text::enumerate(&files, "and")) "." }
        }
        p.note { "Approvals bind to the digest of this policy: where it changes, what was granted before holds no more." }
        (parts::command(&frame.command("policy list")))
    };
    frame.page(&Head::still("Policy", Section::Policy), &content)
}

fn word<'v>(rule: &'v Value, name: &str) -> &'v str {
    rule.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn chips(frame: &Frame, view: &View) -> Vec<Chip> {
    let base = frame.path("policy");
    let mut kinds: Vec<&str> = Vec::new();
    for rule in &view.policy.rules {
        let kind = word(rule, "kind");
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let count = |kind: &str| {
        view.policy.rules.iter().filter(|rule| kind.is_empty() || word(rule, "kind") == kind).count() as u64
    };
    let chip = |shown: &str, kind: &str| Chip {
        word: text::line(shown),
        href: parts::query(&base, &[("kind", kind)]),
        count: Some(count(kind)),
        on: view.kind.as_deref().unwrap_or_default() == kind,
    };
    std::iter::once(chip("All", "")).chain(kinds.into_iter().map(|kind| chip(kind, kind))).collect()
}

/// What a kind of rule means for whoever acts.
fn tone(kind: &str) -> (Tone, &'static str) {
    match kind {
        "allow" | "grant" => (Tone::Good, "check"),
        "deny" => (Tone::Bad, "cross"),
        "require" | "chain" => (Tone::Warn, "people"),
        "window" | "quota" => (Tone::Warn, "clock"),
        _ => (Tone::Idle, "policy"),
    }
}

fn rules(frame: &Frame, view: &View) -> Markup {
    let kind = view.kind.as_deref().unwrap_or_default();
    let shown: Vec<&Value> =
        view.policy.rules.iter().filter(|rule| kind.is_empty() || word(rule, "kind") == kind).collect();
    if view.policy.rules.is_empty() {
        return parts::empty(Empty::First {
            what: "This project has no rules: what its default says is so. Rules are in policy/policy.yaml and policy/*.rego.",
            command: &frame.command("policy list"),
        });
    }
    if shown.is_empty() {
        return parts::empty(Empty::Filtered { what: "rules", clear: &frame.path("policy") });
    }
    html! {
        table.rows {
            caption.unseen { "Rules, in the order in which they are asked" }
            thead { tr { th scope="col" { "Kind" } th scope="col" { "Says" } th scope="col" { "Stands in" } } }
            tbody {
                @for rule in shown {
                    @let (tone, name) = tone(word(rule, "kind"));
                    tr data-row=(word(rule, "rule")) {
                        td { (status::tag(tone, name, &text::line(word(rule, "kind")))) }
                        th scope="row" { @if word(rule, "says").is_empty() { span.note { "only its text says it" } } @else { (text::line(word(rule, "says"))) } }
                        td { code { (text::line(word(rule, "rule"))) } }
                    }
                }
            }
        }
    }
}

/// A recorded decision that can be asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastDecision {
    /// Position of the record.
    pub position: u64,
    /// What it was about, in a few words.
    pub what: String,
    /// What policy said.
    pub verdict: String,
}

/// What the playground shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Playground {
    /// Decisions that can be asked again, newest first.
    pub past: Vec<PastDecision>,
    /// The one that is chosen.
    pub position: Option<u64>,
    /// The request, as the person wrote it.
    pub request: String,
    /// The policy, as the person wrote it; empty: the project's own.
    pub policy: String,
    /// The answer.
    pub answer: Option<api::Evaluated>,
    /// Why there is none.
    pub problem: Option<api::Problem>,
}

/// The playground.
pub fn playground(frame: &Frame, view: &Playground) -> Markup {
    let content = html! {
        (parts::heading(&[], &html! { "Policy" }, &html! {}))
        (tabs(frame, true))
        p.lead { "Ask what policy would say: about something that was decided already, or about a request of your own, by the rules in force or by others. Nothing is changed and nothing is recorded." }
        div.split.even {
            (questions(frame, view))
            div #answer aria-live="polite" { (answer(view)) }
        }
        (parts::command(&frame.command("policy explain EVENT")))
    };
    frame.page(&Head::still("Policy playground", Section::Policy), &content)
}

fn questions(frame: &Frame, view: &Playground) -> Markup {
    let href = frame.path("policy/playground");
    html! {
        div {
            form.panel method="get" action=(href) {
                label { span { "A decision of the past" }
                    select name="position" {
                        option value="" { "choose one\u{2026}" }
                        @for past in &view.past {
                            option value=(past.position) selected[view.position == Some(past.position)] {
                                "#" (past.position) " " (text::line(&past.verdict)) ": " (text::line(&past.what))
                            }
                        }
                    }
                }
                button type="submit" { "Take its request" }
                @if view.past.is_empty() { p.note { "Nothing was decided here yet." } }
            }
            form.panel method="post" action=(href) hx-post=(href) hx-target="#answer" hx-select="#answer > *" hx-disabled-elt="find button" {
                (frame.csrf())
                @if let Some(position) = view.position { input type="hidden" name="position" value=(position); }
                label { span { "Request " span.note { "(JSON)" } }
                    textarea.code name="request" rows="14" spellcheck="false" autocomplete="off" { "\n" (view.request) }
                }
                label { span { "Policy " span.note { "(YAML; empty: the rules in force)" } }
                    textarea.code name="policy" rows="8" spellcheck="false" autocomplete="off" { "\n" (view.policy) }
                }
                button.primary type="submit" { (icon("play")) "Ask" }
            }
        }
    }
}

fn answer(view: &Playground) -> Markup {
    if let Some(problem) = &view.problem {
        return html! { (parts::problem(problem)) @for finding in &problem.findings { (self::finding(finding)) } };
    }
    let Some(answer) = &view.answer else {
        return html! { div.empty { (icon("policy")) p { "The answer will be here: the verdict, the sentences that explain it, and every rule that had a say." } } };
    };
    let verdict = word(&answer.decision, "verdict");
    let before = answer.recorded.as_ref().map(|recorded| word(recorded, "verdict"));
    html! {
        section.panel aria-labelledby="verdict" {
            h2 #verdict { "Verdict " (status::badge(verdict)) }
            @if let Some(before) = before {
                @if before == verdict {
                    p.note { "The same as on record." }
                } @else {
                    p.changed { (icon("swap")) "On record it is " (status::badge(before)) ": the answer would be another today." }
                }
            }
            p { (text::paragraph(word(&answer.explanation, "summary"))) }
            @for warning in &answer.warnings { p.note { (icon("warn")) " " (text::line(warning)) } }
            (trace("Rules that decided it", answer.explanation.get("decisive")))
            (trace("Rules that had a say and did not decide", answer.explanation.get("others")))
        }
        details.panel { summary { "The decision as JSON" } (text::json(&answer.decision)) }
        details.panel { summary { "The request that was asked" } (text::json(&answer.request)) }
    }
}

/// Rules that had a say.
fn trace(heading: &str, rules: Option<&Value>) -> Markup {
    let rules = rules.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    html! {
        @if !rules.is_empty() {
            h3 { (heading) }
            ul.rules {
                @for rule in rules.iter().take(limits::PALETTE_MAX) {
                    li {
                        (status::badge(word(rule, "said")))
                        span.grow { (text::line(word(rule, "message"))) " " code { (text::line(word(rule, "rule"))) } }
                    }
                }
            }
        }
    }
}

fn finding(finding: &api::Finding) -> Markup {
    html! {
        p.problem {
            code { (text::line(&finding.file)) @if finding.line > 0 { ":" (finding.line) ":" (finding.column) } } " "
            (text::line(&finding.message))
        }
    }
}

/// How many decisions of the past are offered.
pub const PAST_MAX: usize = limits::PALETTE_MAX;
