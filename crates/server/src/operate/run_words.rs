//! Runs in plain words: what one waits for, and what there is to say of it in a line.

use maud::{Markup, html};

use super::frame::Frame;
use super::{text, time};

/// What a run waits for, with a link to it.
pub(super) fn waiting(frame: &Frame, waiting: &api::WaitingOn) -> Markup {
    let moment = || time::ago(&waiting.what, frame.now);
    match waiting.kind.as_str() {
        "approval" => html! {
            a href=(frame.path(&format!("approvals/{}", text::encoded(&waiting.what)))) { "approval " (text::short_id(&waiting.what)) }
        },
        "run" => html! {
            a href=(frame.path(&format!("runs/{}", text::encoded(&waiting.what)))) { "run " (text::short_id(&waiting.what)) }
        },
        "window" => html! { "a change window, " (moment()) },
        "timer" => html! { "a timer, " (moment()) },
        "event" => html! { "an event at " code { (text::line(&waiting.what)) } },
        _ => html! { (text::line(&waiting.kind)) " " (text::line(&waiting.what)) },
    }
}

/// What is to be said of a run: what it waits for, or what went wrong.
pub(super) fn note(frame: &Frame, run: &api::Run) -> Markup {
    match (&run.waiting_on, &run.problem) {
        (Some(on), _) => waiting(frame, on),
        (None, Some(problem)) => html! { (text::line(problem)) },
        (None, None) => html! {},
    }
}
