//! What one can do to a run. Each says what it does; what cannot be done now says why.

use maud::{Markup, html};

use super::super::frame::Frame;
use super::super::{limits, text};
use super::{View, steps};

/// One thing that can be done.
struct Action {
    /// Its part of the address.
    verb: &'static str,
    /// The word on its button.
    word: &'static str,
    /// What it does, in a sentence.
    effect: &'static str,
    /// Why it cannot be done now.
    off: Option<&'static str>,
    /// Whether it ends something.
    harms: bool,
}

pub(super) fn panel(frame: &Frame, view: &View) -> Markup {
    let doubts: Vec<&api::Step> = view.steps.iter().filter(|step| step.status == "in_doubt").collect();
    html! {
        section.panel.actions aria-labelledby="actions" data-key="actions" {
            h2 #actions { "Actions" }
            @if !frame.may("operate") {
                p.note #why-not {
                    "You may look at runs here, not steer them. Whoever administers the project gives the permission `operate` in access.yaml."
                }
            }
            @for step in doubts { (resolve(frame, view, step)) }
            @for action in actions(view) { (drawn(frame, view, &action)) }
        }
    }
}

/// What can be done in a state, and why the rest cannot.
fn actions(view: &View) -> Vec<Action> {
    let status = view.detail.run.status.as_str();
    let ended = matches!(status, "completed" | "failed" | "cancelled");
    let over = ended.then_some("It has ended.");
    let pause = over.or_else(|| (status == "paused").then_some("It is paused already."));
    let resume = over.or_else(|| (status != "paused").then_some("It is not paused."));
    let retry = match status {
        "failed" => None,
        "completed" => Some("It has completed: there is nothing to do again."),
        "cancelled" => Some("It was cancelled. Start a new run instead."),
        _ => Some("It has not failed."),
    };
    let cancel = over.or_else(|| view.cancelling.then_some("It is being cancelled already."));
    vec![
        Action {
            verb: "pause",
            word: "Pause",
            effect: "Nothing new is started; what is under way goes on.",
            off: pause,
            harms: false,
        },
        Action { verb: "resume", word: "Resume", effect: "Lets it go on.", off: resume, harms: false },
        Action {
            verb: "retry",
            word: "Retry",
            effect: "Goes on from the step that failed; what is done is not done again.",
            off: retry,
            harms: false,
        },
        Action {
            verb: "signal",
            word: "Signal",
            effect: "Sends data to the steps of this run that listen.",
            off: over,
            harms: false,
        },
        Action {
            verb: "cancel",
            word: "Cancel",
            effect: "Abandons what is under way and runs compensations. It cannot be taken back.",
            off: cancel,
            harms: true,
        },
    ]
}

fn drawn(frame: &Frame, view: &View, action: &Action) -> Markup {
    let permitted = frame.may("operate");
    let why = format!("why-{}", action.verb);
    if action.off.is_some() || !permitted {
        let described = if permitted { why.as_str() } else { "why-not" };
        return html! {
            div.action.off {
                button type="button" disabled aria-describedby=(described) { (action.word) }
                @if let Some(off) = action.off { @if permitted { span.note id=(why) { (off) } } }
            }
        };
    }
    let href = frame.path(&format!("runs/{}/{}", view.detail.run.run, action.verb));
    html! {
        details.action.harms[action.harms] id=(format!("act-{}", action.verb)) {
            summary.button { (action.word) }
            form method="post" action=(href) {
                (frame.csrf())
                p { (action.effect) }
                (fields(view, action.verb))
                button.primary.danger[action.harms] type="submit" { (action.word) " this run" }
            }
        }
    }
}

/// What a person says along with it.
fn fields(view: &View, verb: &str) -> Markup {
    match verb {
        "pause" | "cancel" => html! {
            label { span { "Why " span.note { "(kept in the journal)" } } input type="text" name="reason" maxlength=(limits::LINE_CHARS_MAX) autocomplete="off"; }
        },
        "retry" => html! {
            label { span { "From" }
                select name="from" {
                    option value="" { "the step that failed" }
                    @for step in view.steps.iter().filter(|step| step.step != "/").take(limits::BARS_MAX) {
                        option value=(step.step) { (steps::called(step)) }
                    }
                }
            }
        },
        "signal" => html! {
            label { span { "Name" } input type="text" name="name" required autocomplete="off" spellcheck="false"; }
            label { span { "Data " span.note { "(JSON, may be left out)" } } textarea name="data" rows="3" spellcheck="false" {} }
        },
        _ => html! {},
    }
}

/// What a person has to say about a step in doubt.
fn resolve(frame: &Frame, view: &View, step: &api::Step) -> Markup {
    let name = steps::called(step);
    if !frame.may("operate") {
        return html! {
            div.action.off { button type="button" disabled aria-describedby="why-not" { "Resolve the doubt about " (name) } }
        };
    }
    let href = frame.path(&format!("runs/{}/resolve", view.detail.run.run));
    html! {
        details.action.doubt open id=(format!("resolve-{}", steps::anchor(&step.step))) {
            summary.button { "Resolve the doubt about " (name) }
            form method="post" action=(href) {
                (frame.csrf())
                input type="hidden" name="step" value=(step.step);
                @if let Some(doubt) = step.doubt { input type="hidden" name="doubt" value=(doubt); }
                p { "Look at the target first: did the effect of " strong { (name) } " happen?" }
                @if let Some(problem) = &step.problem { p.note { (text::line(problem)) } }
                label.choice { input type="radio" name="happened" value="true" required; span { "It happened. The run goes on after it." } }
                label.choice { input type="radio" name="happened" value="false"; span { "It did not happen. It is performed again." } }
                label { span { "How you know" } input type="text" name="reason" required maxlength=(limits::LINE_CHARS_MAX) autocomplete="off"; }
                label { span { "Its output, if it happened " span.note { "(JSON)" } } textarea name="output" rows="2" spellcheck="false" {} }
                button.primary type="submit" { "Say so" }
            }
        }
    }
}
