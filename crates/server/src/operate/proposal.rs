//! What is asked, in the form that suits it: the changes of a plan by what they do, an action with its effect, or fields.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::icons::icon;
use super::status;
use super::{limits, parts, text};

/// What an operation of a plan is called, its icon, and its class; in the order in which people want to see them.
const OPERATIONS: &[(&str, &str, &str, &str)] = &[
    ("delete", "Delete", "trash", "bad"),
    ("replace", "Replace", "swap", "bad"),
    ("update", "Update", "change", "warn"),
    ("create", "Create", "plus", "good"),
    ("move", "Move", "next", "idle"),
    ("adopt", "Adopt", "check", "idle"),
    ("forget", "Forget", "stop", "idle"),
];

/// What is asked.
pub(super) fn asked(asked: &Value) -> Markup {
    if let Some(proposal) = asked.get("proposal").filter(|proposal| proposal.get("changes").is_some()) {
        return plan(proposal);
    }
    if asked.get("kind").is_some() && asked.get("target").is_some() {
        return action(asked);
    }
    html! {
        section.panel aria-labelledby="asked" {
            h2 #asked { "What is asked" }
            @match asked {
                Value::Object(members) => (fields(members)),
                Value::Null => p.note { "Nothing beyond the title." },
                other => (text::json(other)),
            }
        }
    }
}

/// Members as facts; what is more than a word, as JSON.
fn fields(members: &Map<String, Value>) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in members.iter().take(limits::PALETTE_MAX) {
                div {
                    dt { (text::line(name)) }
                    dd {
                        @match value {
                            Value::String(word) => (text::line(word)),
                            Value::Object(_) | Value::Array(_) => (text::json(value)),
                            other => (other.to_string()),
                        }
                    }
                }
            }
        }
    }
}

fn action(asked: &Value) -> Markup {
    let word = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
    let effect = match word("effect") {
        "read" => "only reads",
        "idempotent" => "can be done again without harm",
        "verifiable" => "can be checked afterwards",
        "once" => "must be done once only",
        other => other,
    };
    let wants: Vec<String> = asked
        .get("wants")
        .and_then(Value::as_array)
        .map_or_else(Vec::new, |wants| wants.iter().filter_map(Value::as_str).map(text::line).collect());
    html! {
        section.panel aria-labelledby="asked" {
            h2 #asked { "What is asked" }
            p.badges { (status::reversibility(word("reversibility"))) }
            (parts::facts(&[
                ("Action", html! { code { (text::line(word("kind"))) } }),
                ("Target", html! { code { (text::line(word("target"))) } }),
                ("Effect", html! { (text::line(effect)) }),
                ("May reach", html! { @if wants.is_empty() { "nothing beyond its target" } @else { (wants.join(", ")) } }),
            ]))
            @if let Some(input) = asked.get("input") { h3 { "Input" } (text::json(input)) }
        }
    }
}

fn plan(proposal: &Value) -> Markup {
    let changes: Vec<(&str, &str)> =
        proposal.get("changes").and_then(Value::as_array).map_or_else(Vec::new, |all| {
            all.iter()
                .filter_map(Value::as_str)
                .map(|line| line.split_once(' ').unwrap_or(("", line)))
                .collect()
        });
    let count =
        |name: &str| proposal.pointer(&format!("/counts/{name}")).and_then(Value::as_u64).unwrap_or(0);
    let all: u64 = OPERATIONS.iter().map(|(name, ..)| count(name)).sum();
    html! {
        (reach(proposal))
        section.panel.plan aria-labelledby="asked" {
            h2 #asked { "Changes" }
            @for (name, word, symbol, class) in OPERATIONS {
                @let named: Vec<&str> = changes.iter().filter(|(operation, _)| operation == name).map(|(_, instance)| *instance).collect();
                @if count(name) > 0 || !named.is_empty() {
                    details open[named.len() <= limits::PALETTE_MAX] {
                        summary { span.mark.(class) { (icon(symbol)) (word) } " " span.count { (text::grouped(count(name).max(named.len() as u64))) } }
                        ul { @for instance in named.iter().take(limits::CHANGES_MAX) { li { code { (text::line(instance)) } } } }
                    }
                }
            }
            @if all > changes.len() as u64 {
                p.note { (text::grouped(all - changes.len() as u64)) " more changes are in the plan: `aedile plan show` lists them." }
            }
            @if count("blocked") > 0 { p.note { (text::grouped(count("blocked"))) " blocked, not done." } }
            p.note { "Plan " (text::digest(proposal.get("digest").and_then(Value::as_str).unwrap_or_default())) ", used once." }
        }
    }
}

/// How far a plan reaches, before anything else.
fn reach(proposal: &Value) -> Markup {
    let number =
        |name: &str| proposal.pointer(&format!("/reach/{name}")).and_then(Value::as_u64).unwrap_or(0);
    let hosts: Vec<String> = proposal
        .pointer("/reach/hosts")
        .and_then(Value::as_array)
        .map_or_else(Vec::new, |hosts| hosts.iter().filter_map(Value::as_str).map(text::line).collect());
    let permille = number("sharePermille").min(1_000);
    let irreversible = number("irreversible");
    html! {
        section.panel.reach aria-labelledby="reach" {
            h2 #reach { "Blast radius" }
            div.numbers {
                p { strong { (hosts.len()) } " of " (text::grouped(number("hostsKnown"))) " hosts" }
                p { strong { (text::grouped(number("resources"))) } " of " (text::grouped(number("resourcesKnown"))) " resources" }
                p { strong { (permille / 10) "." (permille % 10) " %" } " of everything" }
            }
            svg.share aria-hidden="true" width="100%" height="8" {
                rect.whole width="100%" height="8" rx="4" {}
                rect.part width=(format!("{}.{}%", permille / 10, permille % 10)) height="8" rx="4" {}
            }
            p.badges {
                @if irreversible > 0 {
                    (status::tag(status::Tone::Bad, "warn", &format!("{} cannot be taken back", text::grouped(irreversible))))
                } @else {
                    (status::reversibility("reversible"))
                }
            }
            @if !hosts.is_empty() {
                p.note { (text::enumerate(&hosts.iter().take(limits::PALETTE_MAX).cloned().collect::<Vec<_>>(), "and")) @if hosts.len() > limits::PALETTE_MAX { " and more" } }
            }
        }
    }
}
