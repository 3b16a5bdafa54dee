//! Steps over time.

use maud::{Markup, html};
use model::Timestamp;

use super::super::chart::{self, Bar, Lane};
use super::super::frame::Frame;
use super::super::parts::{self, Empty};
use super::super::{limits, status, text, time};
use super::{View, steps};

pub(super) fn lens(frame: &Frame, view: &View) -> Markup {
    let run = &view.detail.run;
    let lanes = lanes(frame, view);
    if lanes.is_empty() {
        return parts::empty(Empty::Fine { what: "No step has begun yet." });
    }
    let (from, to) = ends(frame, run, &lanes);
    html! {
        section aria-labelledby="lens-timeline" {
            h2.unseen #lens-timeline { "Timeline" }
            div.panel data-key="timeline" { (chart::draw(&lanes, from, to)) }
            div data-key="timeline-steps" { (table(frame, view)) }
        }
    }
}

/// From when to when it is drawn.
fn ends(frame: &Frame, run: &api::Run, lanes: &[Lane]) -> (Timestamp, Timestamp) {
    let bars = || lanes.iter().flat_map(|lane| &lane.bars);
    let from = time::moment(run.started_at.as_deref().unwrap_or(&run.submitted_at));
    let from = bars().map(|bar| bar.from).chain(from).min().unwrap_or(frame.now);
    let to = run.ended_at.as_deref().and_then(time::moment).unwrap_or(frame.now);
    (from, bars().map(|bar| bar.to).chain([to]).max().unwrap_or(frame.now))
}

fn lanes(frame: &Frame, view: &View) -> Vec<Lane> {
    let base = frame.path(&format!("runs/{}/steps", view.detail.run.run));
    let ended = view.detail.run.ended_at.as_deref().and_then(time::moment);
    let lane = |step: &api::Step| {
        let from = step.started_at.as_deref().and_then(time::moment)?;
        let shown = status::of(&step.status);
        let name = steps::called(step);
        let bar = Bar {
            from,
            to: step.ended_at.as_deref().and_then(time::moment).or(ended).unwrap_or(frame.now),
            tone: shown.tone,
            idle: matches!(step.status.as_str(), "asking" | "deferred" | "waiting"),
            title: format!("{name} {}", shown.word),
            href: format!("{base}#{}", steps::anchor(&step.step)),
        };
        Some(Lane { name, bars: vec![bar] })
    };
    view.steps.iter().filter_map(lane).take(limits::BARS_MAX).collect()
}

fn table(frame: &Frame, view: &View) -> Markup {
    let base = frame.path(&format!("runs/{}/steps", view.detail.run.run));
    html! {
        table.rows {
            caption.unseen { "Steps in order of their beginning" }
            thead { tr { th scope="col" { "Status" } th scope="col" { "Step" } th scope="col" { "Began" } th scope="col" { "Took" } } }
            tbody data-list="steps" {
                @for step in view.steps.iter().take(limits::BARS_MAX) {
                    tr data-row=(step.step) {
                        td { (status::badge(&step.status)) }
                        th scope="row" {
                            a.open href=(format!("{base}#{}", steps::anchor(&step.step))) { (steps::called(step)) }
                            @if let Some(problem) = &step.problem { span.note { (text::line(problem)) } }
                        }
                        td { @if let Some(at) = &step.started_at { (time::at(at)) } }
                        td { (time::took(step.started_at.as_deref(), step.ended_at.as_deref(), frame.now).unwrap_or_default()) }
                    }
                }
            }
        }
    }
}
