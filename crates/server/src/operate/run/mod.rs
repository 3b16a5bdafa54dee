//! One run: where it stands and why, in five lenses over the same records.

mod actions;
mod graph;
mod layout;
mod steps;
mod timeline;

use maud::{Markup, html};

use super::frame::{Frame, Head, Live, Section};
use super::parts;
use super::{run_words, status, text, time, words};

pub use graph::{Arrow, Graph, Vertex};
pub(in crate::operate) use steps::verdict;

/// How one looks at a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lens {
    /// Steps over time.
    Timeline,
    /// Steps one by one.
    Steps,
    /// What comes after what.
    Graph,
    /// Records.
    Events,
    /// The answer of the interface for programs.
    Json,
}

impl Lens {
    /// Every lens, with its part of the address and its word.
    const ALL: &[(Self, &'static str, &'static str)] = &[
        (Self::Timeline, "", "Timeline"),
        (Self::Steps, "/steps", "Steps"),
        (Self::Graph, "/graph", "Graph"),
        (Self::Events, "/events", "Events"),
        (Self::Json, "/json", "JSON"),
    ];
}

/// What the page of a run shows.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The run.
    pub detail: api::RunDetail,
    /// Its steps, in order of their first record.
    pub steps: Vec<api::Step>,
    /// Its records, oldest first; only for [`Lens::Events`].
    pub events: Vec<api::Record>,
    /// Pass this as `after` to see later ones.
    pub next: Option<u64>,
    /// What comes after what; only for [`Lens::Graph`].
    pub graph: Option<Graph>,
    /// Whether somebody wants it to stop already.
    pub cancelling: bool,
    /// Why what was just asked for was not done.
    pub problem: Option<api::Problem>,
    /// How one looks at it.
    pub lens: Lens,
}

/// The page.
pub fn page(frame: &Frame, view: &View) -> Markup {
    let run = &view.detail.run;
    let title = format!("{} {}", text::line(&run.workflow), status::of(&run.status).word);
    let runs = frame.path("runs");
    let heading = html! { (text::line(&run.workflow)) " " span.version { (text::line(&run.version)) } };
    let content = html! {
        (parts::heading(&[("Runs", &runs)], &heading, &html! { code.id { (run.run) } }))
        @if let Some(problem) = &view.problem { (parts::problem(problem)) }
        (state(frame, view))
        div.split {
            div.main-part {
                (parts::tabs("Lenses", &tabs(frame, view)))
                (lens(frame, view))
            }
            aside aria-label="About this run" {
                (facts(frame, view))
                (actions::panel(frame, view))
                (parts::command(&frame.command(&format!("runs show {}", run.run))))
            }
        }
    };
    frame.page(&Head::live(&title, Section::Runs, Live::Stream(&run.run)), &content)
}

fn tabs(frame: &Frame, view: &View) -> Vec<(&'static str, String, bool)> {
    let base = frame.path(&format!("runs/{}", view.detail.run.run));
    Lens::ALL.iter().map(|(lens, path, word)| (*word, format!("{base}{path}"), *lens == view.lens)).collect()
}

/// Where it stands in one sentence, and why, where it does not go on by itself.
fn state(frame: &Frame, view: &View) -> Markup {
    let run = &view.detail.run;
    let shown = status::of(&run.status);
    let blocked = matches!(run.status.as_str(), "waiting" | "paused" | "in_doubt" | "failed");
    let approval = run.waiting_on.as_ref().filter(|on| on.kind == "approval");
    html! {
        section.state.(shown.tone.class()) data-key="state" aria-label="Where it stands" {
            (status::badge(&run.status))
            div.grow {
                p.why { (sentence(frame, view)) }
                @if blocked && view.detail.why.len() > 1 {
                    ul { @for why in &view.detail.why[1..] { li { (text::line(why)) } } }
                }
            }
            @if let Some(approval) = approval {
                a.button.primary href=(frame.path(&format!("approvals/{}", text::encoded(&approval.what)))) { "Review the approval" }
            }
        }
    }
}

fn sentence(frame: &Frame, view: &View) -> Markup {
    let run = &view.detail.run;
    let took = time::took(run.started_at.as_deref(), run.ended_at.as_deref(), frame.now);
    let took = took.unwrap_or_else(|| "no time".to_owned());
    if let Some(why) = view.detail.why.first() {
        return html! { (text::line(why)) };
    }
    match run.status.as_str() {
        "completed" => html! { "It did what it says, in " (took) "." },
        "failed" => html! {
            "It failed after " (took) @if let Some(problem) = &run.problem { ": " (text::line(problem)) } @else { "." }
        },
        "cancelled" => html! { "It was cancelled after " (took) "." },
        "running" => html! { "It has been running for " (took) "." },
        "submitted" => html! { "It has been submitted and has not begun." },
        "paused" => html! { "It is held: nothing new is started until somebody resumes it." },
        "in_doubt" => html! { "Nobody knows whether the effect of a step happened. Look, and say so." },
        _ => html! { "It waits." },
    }
}

fn facts(frame: &Frame, view: &View) -> Markup {
    let run = &view.detail.run;
    let mut facts = vec![
        (
            "Started by",
            html! { (text::person(&run.requester)) " " (time::ago(&run.submitted_at, frame.now)) },
        ),
        ("Environment", html! { (text::line(&run.environment)) }),
    ];
    if let Some(waiting) = &run.waiting_on {
        facts.push(("Waits for", run_words::waiting(frame, waiting)));
    }
    if let Some(took) = time::took(run.started_at.as_deref(), run.ended_at.as_deref(), frame.now) {
        facts.push((if run.ended_at.is_some() { "Took" } else { "So far" }, html! { (took) }));
    }
    if let Some(parent) = &run.parent {
        let href = frame.path(&format!("runs/{}", text::encoded(parent)));
        facts.push(("Started from", html! { a href=(href) { code { (text::short_id(parent)) } } }));
    }
    facts.push(("Kind", html! { (text::line(&run.kind)) }));
    facts.push(("Definition", text::digest(&run.definition)));
    let record = frame.path(&format!("journal/{}", run.position));
    facts.push((
        "On record",
        html! { a href=(record) { "#" (text::grouped(run.position)) } " to #" (text::grouped(run.last)) },
    ));
    html! { section.panel data-key="facts" { h2 { "Facts" } (parts::facts(&facts)) } }
}

fn lens(frame: &Frame, view: &View) -> Markup {
    match view.lens {
        Lens::Timeline => timeline::lens(frame, view),
        Lens::Steps => steps::lens(frame, view),
        Lens::Graph => graph::lens(frame, view),
        Lens::Events => events(frame, view),
        Lens::Json => json(frame, view),
    }
}

fn events(frame: &Frame, view: &View) -> Markup {
    let base = frame.path(&format!("runs/{}/events", view.detail.run.run));
    let next = view.next.map(|next| format!("{base}?after={next}"));
    html! {
        section aria-labelledby="events" {
            h2.unseen #events { "Events" }
            (parts::news())
            div #list {
                ol.feed data-list="events" {
                    @for record in &view.events {
                        @let told = words::tell(record);
                        li data-row=(record.position) {
                            a.position href=(frame.path(&format!("journal/{}", record.position))) { "#" (text::grouped(record.position)) }
                            span.grow {
                                span.mark.(told.tone.class()) { (told.mark) } " " (told.text)
                                span.note.type { (text::line(&record.kind)) }
                            }
                            (time::at(&record.at))
                        }
                    }
                }
                @if let Some(next) = next { nav.pager aria-label="Pages" { a.button rel="next" href=(next) { "Later events" } } }
            }
        }
    }
}

fn json(frame: &Frame, view: &View) -> Markup {
    // a wire type is always a JSON document
    let document = serde_json::to_value(&view.detail).unwrap_or_default();
    html! {
        section aria-labelledby="json" {
            h2.unseen #json { "JSON" }
            p.note {
                "What programs get from "
                a href=(frame.api(&format!("runs/{}", view.detail.run.run))) { code { "GET " (frame.api("runs/\u{2026}")) } }
            }
            (text::json(&document))
        }
    }
}
