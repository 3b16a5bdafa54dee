//! What is asked, in the form that suits it: the changes of a plan by what they do, an action with its effect, or fields.

use maud::{Markup, html};
use plan::{Budget, Change, Line, Row};
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

/// What is asked; of a plan, `changes` are all of it, where they are known.
pub(super) fn asked(asked: &Value, changes: &[Change], run: &str) -> Markup {
    if let Some(proposal) = asked.get("proposal").filter(|proposal| proposal.get("changes").is_some()) {
        return plan(proposal, changes, run);
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

fn plan(proposal: &Value, changes: &[Change], run: &str) -> Markup {
    let named: Vec<(&str, &str)> =
        proposal.get("changes").and_then(Value::as_array).map_or_else(Vec::new, |all| {
            all.iter()
                .filter_map(Value::as_str)
                .map(|line| line.split_once(' ').unwrap_or(("", line)))
                .collect()
        });
    let count =
        |name: &str| proposal.pointer(&format!("/counts/{name}")).and_then(Value::as_u64).unwrap_or(0);
    let all: u64 = OPERATIONS.iter().map(|(name, ..)| count(name)).sum();
    let shown = if changes.is_empty() { named.len() } else { changes.len().min(limits::CHANGES_MAX) } as u64;
    let mut budget = Budget::default();
    html! {
        (reach(proposal))
        section.panel.plan aria-labelledby="asked" {
            h2 #asked { "Changes" }
            @for operation @ (name, ..) in OPERATIONS {
                @let names: Vec<&str> = named.iter().filter(|(known, _)| known == name).map(|(_, instance)| *instance).collect();
                @let whole: Vec<&Change> =
                    changes.iter().take(limits::CHANGES_MAX).filter(|change| change.operation.as_str() == *name).collect();
                @let known = whole.len().max(names.len()) as u64;
                @if count(name).max(known) > 0 { (group(*operation, count(name).max(known), (&names, &whole), &mut budget)) }
            }
            @if all > shown {
                p.note { (text::grouped(all - shown)) " more changes are in the plan: " code { "aedile plan --show " (text::line(run)) } " shows them." }
            }
            @if count("blocked") > 0 { p.note { (text::grouped(count("blocked"))) " blocked, not done." } }
            p.note { "Plan " (text::digest(proposal.get("digest").and_then(Value::as_str).unwrap_or_default())) ", used once." }
        }
    }
}

/// Changes of one operation: each with what differs where that is known, else by name.
fn group(
    (_, word, symbol, class): (&str, &str, &str, &str),
    count: u64,
    (names, whole): (&[&str], &[&Change]),
    budget: &mut Budget,
) -> Markup {
    html! {
        details open[names.len().max(whole.len()) <= limits::PALETTE_MAX] {
            summary { span.mark.(class) { (icon(symbol)) (word) } " " span.count { (text::grouped(count)) } }
            ul {
                @if whole.is_empty() {
                    @for instance in names { li { code { (text::line(instance)) } } }
                } @else {
                    // what is lost or overwritten is seen without a click
                    @for change in whole { (self::change(change, whole.len() <= limits::OPENED_MAX && class != "good", budget)) }
                }
            }
        }
    }
}

/// One change: what it is done to, why, and what differs.
fn change(change: &Change, open: bool, budget: &mut Budget) -> Markup {
    let rows = change.rows(budget);
    let rest = rows.len().saturating_sub(limits::PALETTE_MAX);
    html! {
        li {
            details.change open[open] {
                summary {
                    code { (text::line(&change.instance.to_string())) } " "
                    span.note { (text::line(&change.kind.to_string())) }
                    @if change.reversibility == model::Reversibility::Irreversible {
                        " " (status::reversibility("irreversible"))
                    }
                }
                @for reason in &change.reasons { p.note { "Because " (text::line(&reason.to_string())) "." } }
                dl.differences { @for row in rows.iter().take(limits::PALETTE_MAX) { (difference(row)) } }
                @if rest > 0 { p.note { "and " (text::count(rest as u64, "attribute")) " more" } }
                @if !change.uses.is_empty() { p.note { "Touches " code { (text::line(&change.uses.join(", "))) } "." } }
            }
        }
    }
}

/// One attribute: what is there, then what will be.
fn difference(row: &Row<'_>) -> Markup {
    html! {
        div {
            dt { code { (text::line(row.name.as_str())) } @if row.forces_replacement { span.note { " forces replacement" } } }
            dd {
                @if let Some(lines) = &row.lines {
                    (compared(lines))
                } @else {
                @if let Some(before) = &row.before { del { (text::paragraph(before)) } }
                @if row.before.is_some() && row.after.is_some() { span.unseen { " becomes " } }
                @if let Some(after) = &row.after { ins { (text::paragraph(after)) } }
                }
            }
        }
    }
}

/// What differs between two texts, line by line.
fn compared(lines: &[Line]) -> Markup {
    html! {
        div.lines {
            @for line in lines {
                @match line {
                    Line::Same(text) => span { (text::paragraph(text)) },
                    Line::Gone(text) => del { (text::paragraph(text)) },
                    Line::New(text) => ins { (text::paragraph(text)) },
                    Line::Alike(_) | Line::More(_) => span.note { (line.to_string()) },
                }
            }
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
