//! Steps one by one: what went in, what came out, what policy said.

use maud::{Markup, html};
use serde_json::Value;

use super::super::frame::Frame;
use super::super::parts::{self, Empty};
use super::super::{limits, status, text, time};
use super::View;

/// The name of a step as people call it: the last part of its id, with its counter.
pub(super) fn name(step: &str) -> String {
    if step == "/" {
        return "the run itself".to_owned();
    }
    // steps of a workflow are places in its document; those of a plan are called by what they change
    let last = if step.starts_with('/') {
        step.rsplit('/').find(|part| !part.is_empty()).unwrap_or(step)
    } else {
        step
    };
    text::line(&last.replace("~1", "/").replace("~0", "~"))
}

/// What a step is called: its name in the definition, or the last part of its id.
pub(super) fn called(step: &api::Step) -> String {
    let id = name(&step.step);
    match id.rsplit_once('#') {
        // a loop makes several of one name
        Some((_, counter)) if counter.bytes().all(|byte| byte.is_ascii_digit()) => id,
        _ if step.name.is_empty() || step.step == "/" => id,
        _ => text::line(&step.name),
    }
}

/// Where a step is on the page.
pub(super) fn anchor(step: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("step{}", step.chars().map(plain).collect::<String>())
}

pub(super) fn lens(frame: &Frame, view: &View) -> Markup {
    html! {
        section aria-labelledby="lens-steps" {
            h2.unseen #lens-steps { "Steps" }
            (documents(view))
            @if view.steps.is_empty() {
                (parts::empty(Empty::Fine { what: "No step has begun yet." }))
            } @else {
                div.drawers data-list="steps" {
                    @for step in view.steps.iter().take(limits::BARS_MAX) { (drawer(frame, view, step)) }
                }
            }
        }
    }
}

/// Input and output of the whole run.
fn documents(view: &View) -> Markup {
    html! {
        div.drawers {
            details #run-input { summary { span.grow { "Input of the run" } } div.inside { (text::json(&view.detail.input)) } }
            @if let Some(output) = &view.detail.output {
                details #run-output open { summary { span.grow { "Output of the run" } } div.inside { (text::json(output)) } }
            }
        }
    }
}

fn drawer(frame: &Frame, view: &View, step: &api::Step) -> Markup {
    let took = time::took(step.started_at.as_deref(), step.ended_at.as_deref(), frame.now);
    // the one that keeps a run from going on is what people come for
    let open = matches!(step.status.as_str(), "failed" | "in_doubt") && view.detail.run.status != "completed";
    html! {
        details id=(anchor(&step.step)) data-row=(step.step) data-key=(format!("step-{}", step.step)) open[open] {
            summary {
                (status::badge(&step.status))
                span.grow { strong { (called(step)) } " " @if step.kind != "none" { span.note { (text::line(&step.kind)) @if let Some(target) = &step.target { " " (text::line(target)) } } } }
                @if step.attempts > 1 { span.note { (step.attempts) " attempts" } }
                span.note.took { (took.unwrap_or_default()) }
            }
            div.inside { (inside(frame, step)) }
        }
    }
}

fn inside(frame: &Frame, step: &api::Step) -> Markup {
    let mut facts = vec![("Step", html! { code { (text::line(&step.step)) } })];
    if let Some(at) = &step.started_at {
        facts.push(("Began", html! { (time::at(at)) ", " (time::ago(at, frame.now)) }));
    }
    if let Some(at) = &step.ended_at {
        facts.push(("Ended", time::at(at)));
    }
    facts.push(("Attempts", html! { (step.attempts) }));
    if let Some(approval) = &step.approval {
        let href = frame.path(&format!("approvals/{}", text::encoded(approval)));
        facts.push(("Approval", html! { a href=(href) { (text::short_id(approval)) } }));
    }
    let record = frame.path(&format!("journal/{}", step.position));
    facts.push(("On record", html! { a href=(record) { "#" (text::grouped(step.position)) } }));
    html! {
        @if let Some(problem) = &step.problem { p.problem { (text::paragraph(problem)) } }
        (parts::facts(&facts))
        @if let Some(verdict) = &step.verdict { (self::verdict(verdict)) }
        @if let Some(input) = &step.input { h3 { "Input" } (text::json(input)) }
        @if let Some(output) = &step.output { h3 { "Output" } (text::json(output)) }
    }
}

/// Policy's verdict and the rules that had a say.
pub(in crate::operate) fn verdict(verdict: &Value) -> Markup {
    let word = verdict.get("verdict").and_then(Value::as_str).unwrap_or("unknown");
    let matched = verdict.get("matched").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let text_of =
        |rule: &Value, name: &str| text::line(rule.get(name).and_then(Value::as_str).unwrap_or_default());
    html! {
        div.verdict {
            h3 { "Policy says " (status::badge(word)) }
            @if matched.is_empty() {
                p.note { "No rule has a say; the default decides." }
            } @else {
                ul.rules {
                    @for rule in matched.iter().take(limits::PALETTE_MAX) {
                        li {
                            (status::badge(&text_of(rule, "said")))
                            span.grow { (text_of(rule, "message")) " " code { (text_of(rule, "rule")) } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_the_names_that_people_gave_them() {
        assert_eq!(name("/do/2/decide/try/0/approve"), "approve");
        assert_eq!(name("/do/0/each/do/0/a#3"), "a#3");
        assert_eq!(name("/do/0/a~1b"), "a/b");
        assert_eq!(name("/"), "the run itself");
        assert_eq!(name("web1/nginx#check"), "web1/nginx#check");
    }

    #[test]
    fn anchors_are_plain() {
        assert_eq!(anchor("/do/0/a#3"), "step-do-0-a-3");
    }
}
