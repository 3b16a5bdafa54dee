//! The overview: is anything broken, is anything waiting for me, what changed last?

use std::collections::BTreeMap;

use maud::{Markup, html};
use model::Timestamp;
use model::time::SignedDuration;

use super::chart::{self, Bar, Lane};
use super::frame::{Frame, Head, Live, Section};
use super::icons::icon;
use super::parts::{self, Empty};
use super::status::{self, Tone};
use super::{limits, run_words, text, time, words};

/// What the overview shows.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The environment at a glance.
    pub status: api::Status,
    /// Approvals that the viewer may decide, the most urgent first.
    pub mine: Vec<api::Approval>,
    /// Runs that were under way in the last hours, newest first.
    pub recent: Vec<api::Run>,
    /// The last changes, newest first.
    pub changes: Vec<api::Record>,
    /// What the runs and approvals of these changes are called, by id.
    pub names: BTreeMap<String, String>,
}

impl View {
    /// What a change is about, as people call it.
    fn about(&self, record: &api::Record) -> String {
        self.names.get(&record.stream).map_or_else(|| text::short_id(&record.stream), |name| text::line(name))
    }
}

/// The page.
pub fn page(frame: &Frame, view: &View) -> Markup {
    let first = view.status.runs.is_empty() && view.changes.is_empty();
    let content = html! {
        (parts::heading(&[], &html! { "Overview" }, &html! {}))
        (parts::news())
        section.three aria-label="In three sentences" { (broken(frame, view)) (waiting(frame, view)) (changed(frame, view)) }
        @if first {
            (parts::empty(Empty::First {
                what: "Nothing has run in this environment yet. Runs, the approvals they wait for and everything they do will be here.",
                command: &frame.command("run WORKFLOW"),
            }))
        } @else {
            (needs_you(frame, view))
            (failures(frame, view))
            (timeline(frame, view))
            div.columns { (changes(frame, view)) (journal(view)) }
        }
        (parts::command(&frame.command("status")))
    };
    let live = Live::Types("run. approval. drift. step.in_doubt step.resolved checkpoint. rules.");
    frame.page(&Head::live("Overview", Section::Overview, live), &content)
}

/// Runs that failed within the last day: older ones are history, not news.
fn failed_lately<'a>(frame: &Frame, view: &'a View) -> Vec<&'a api::Run> {
    let since = frame.now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(frame.now);
    let lately = |run: &&api::Run| {
        let ended = run.ended_at.as_deref().and_then(time::moment);
        run.status == "failed" && ended.is_some_and(|ended| ended >= since)
    };
    view.status.failed.iter().filter(lately).collect()
}

fn sentence(tone: Tone, name: &str, key: &str, href: &str, words: &str, more: &Markup) -> Markup {
    html! {
        a.sentence.(tone.class()) href=(href) data-key=(key) {
            (icon(name))
            span { strong { (words) } span.more { (more) } }
        }
    }
}

fn broken(frame: &Frame, view: &View) -> Markup {
    let failed = failed_lately(frame, view).len() as u64;
    let doubt = view.status.runs.get("in_doubt").copied().unwrap_or(0);
    let mut parts = Vec::new();
    if doubt > 0 {
        parts.push(format!("{} in doubt", text::count(doubt, "run")));
    }
    if failed > 0 {
        parts.push(format!(
            "{} failed",
            if doubt > 0 { text::grouped(failed) } else { text::count(failed, "run") }
        ));
    }
    if !view.status.fights.is_empty() {
        parts.push(format!("{} fought over", text::count(view.status.fights.len() as u64, "resource")));
    }
    if !view.status.flapping.is_empty() {
        let resources = text::count(view.status.flapping.len() as u64, "resource");
        let verb = if view.status.flapping.len() == 1 { "keeps" } else { "keep" };
        parts.push(format!("{resources} {verb} changing"));
    }
    if view.status.skipped.is_some() {
        parts.push("nobody could look for drift".to_owned());
    }
    if !view.status.drifted.is_empty() {
        parts.push(format!("{} drifted", text::count(view.status.drifted.len() as u64, "resource")));
    }
    if view.status.rules.is_some() {
        parts.push("changed rules are not in force".to_owned());
    }
    if parts.is_empty() {
        let more = html! { "No run failed in the last 24 hours, none is in doubt." };
        return sentence(
            Tone::Good,
            "check",
            "broken",
            &frame.path("runs?status=failed,in_doubt"),
            "Nothing is broken.",
            &more,
        );
    }
    let words = format!("{}.", text::enumerate(&parts, "and"));
    let href = match (failed + doubt, &view.status.rules) {
        (1.., _) => "runs?status=failed,in_doubt",
        (0, Some(_)) => "policy",
        (0, None) => "journal?type=drift.",
    };
    let more = html! { "In the last 24 hours." };
    sentence(Tone::Bad, "cross", "broken", &frame.path(href), &words, &more)
}

fn waiting(frame: &Frame, view: &View) -> Markup {
    let (mine, all) = (view.mine.len() as u64, view.status.approvals_waiting);
    let others = all.saturating_sub(mine);
    let verb = if mine == 1 { "waits" } else { "wait" };
    if mine == 0 {
        let more = match others {
            0 => html! { "No approval is open." },
            1 => html! { "1 approval waits for others." },
            _ => html! { (text::grouped(others)) " approvals wait for others." },
        };
        return sentence(
            Tone::Good,
            "check",
            "waiting",
            &frame.path("approvals"),
            "Nothing waits for you.",
            &more,
        );
    }
    let words = format!("{} {verb} for you.", text::count(mine, "approval"));
    let next = view.mine.iter().filter_map(|one| one.expires_at.as_deref().and_then(time::moment)).min();
    let more = html! {
        @match next {
            Some(next) => { "The first expires in " (time::left(next, frame.now)) "." }
            None => "None of them expires.",
        }
    };
    sentence(Tone::Warn, "approvals", "waiting", &frame.path("approvals"), &words, &more)
}

fn changed(frame: &Frame, view: &View) -> Markup {
    let Some(last) = view.changes.first() else {
        return sentence(
            Tone::Idle,
            "dot",
            "changed",
            &frame.path("journal"),
            "Nothing changed yet.",
            &html! {},
        );
    };
    let told = words::tell(last);
    let words = format!("Last: {} {}.", text::person(&last.actor), told.mark);
    let more = html! { (view.about(last)) " \u{b7} " (time::ago(&last.at, frame.now)) };
    sentence(
        Tone::Idle,
        "clock",
        "changed",
        &frame.path(&format!("journal/{}", last.position)),
        &words,
        &more,
    )
}

fn needs_you(frame: &Frame, view: &View) -> Markup {
    if view.mine.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="needs" {
            h2 #needs { "Needs you" }
            ul.cards data-list="needs" {
                @for approval in view.mine.iter().take(limits::PALETTE_MAX) {
                    li data-row=(approval.approval) data-key=(format!("need-{}", approval.approval)) {
                        div.grow {
                            a.title href=(frame.path(&format!("approvals/{}", approval.approval))) { (text::line(&approval.title)) }
                            p.note {
                                "asked by " (text::person(&approval.requester)) " " (time::ago(&approval.asked_at, frame.now))
                                @if let Some(until) = approval.expires_at.as_deref().and_then(time::moment) {
                                    " \u{b7} " (time::left(until, frame.now)) " left"
                                }
                            }
                        }
                        a.button.primary href=(frame.path(&format!("approvals/{}", approval.approval))) {
                            "Review" span.unseen { ": " (text::line(&approval.title)) }
                        }
                    }
                }
            }
        }
    }
}

fn failures(frame: &Frame, view: &View) -> Markup {
    let failed = failed_lately(frame, view);
    let doubtful = view.status.open.iter().filter(|run| run.status == "in_doubt");
    let runs: Vec<&api::Run> = doubtful.chain(failed).collect();
    let fights =
        view.status.fights.iter().map(|one| (one, "fight", "somebody else keeps changing it".to_owned()));
    let flapping = view.status.flapping.iter().map(|one| {
        (one, "flapping", "is found otherwise again and again, which is told once a day".to_owned())
    });
    let drifted = view.status.drift.iter();
    let drifted = drifted.map(|one| {
        (&one.resource, "drifted", format!("is not as it was applied: {}", text::line(&one.class)))
    });
    let resources: Vec<_> = fights.chain(flapping).chain(drifted).collect();
    let skipped = view.status.skipped.as_ref();
    if runs.is_empty() && resources.is_empty() && view.status.rules.is_none() && skipped.is_none() {
        return html! {};
    }
    html! {
        section aria-labelledby="broken" {
            h2 #broken { "Broken" }
            ul.cards data-list="broken" {
                @if let Some(why) = &view.status.rules {
                    li data-row="rules" data-key="broken-rules" {
                        (status::tag(Tone::Bad, "cross", "rules"))
                        div.grow {
                            span.title { "Changed rules are not in force, those before are" }
                            p.note { (text::line(why)) }
                        }
                    }
                }
                @if let Some(skipped) = skipped {
                    li data-row="skipped" data-key="broken-skipped" {
                        (status::tag(Tone::Warn, "swap", "skipped"))
                        div.grow {
                            span.title { "Nobody could look for drift" }
                            p.note {
                                (text::line(&skipped.why)) "; at least " (text::count(skipped.rounds, "round")) " came to nothing"
                            }
                        }
                        span.note { (time::ago(&skipped.since, frame.now)) }
                    }
                }
                @for run in runs {
                    li data-row=(run.run) data-key=(format!("broken-{}", run.run)) {
                        (status::badge(&run.status))
                        div.grow {
                            a.title href=(frame.path(&format!("runs/{}", run.run))) { (text::line(&run.workflow)) }
                            p.note { (run_words::note(frame, run)) }
                        }
                        span.note { (time::ago(run.ended_at.as_deref().unwrap_or(&run.submitted_at), frame.now)) }
                    }
                }
                @for (resource, word, why) in resources.iter().take(limits::PALETTE_MAX) {
                    li {
                        (status::tag(Tone::Warn, "swap", word))
                        div.grow { span.title { (text::line(resource)) } p.note { (why) } }
                    }
                }
            }
        }
    }
}

/// Runs of the last hours, by workflow; what has no lane of its own shares the last one.
fn lanes(frame: &Frame, runs: &[api::Run], from: Timestamp) -> Vec<Lane> {
    let mut by_name: BTreeMap<&str, Vec<&api::Run>> = BTreeMap::new();
    for run in runs.iter().take(limits::TIMELINE_RUNS_MAX) {
        let ended = run.ended_at.as_deref().and_then(time::moment).unwrap_or(frame.now);
        if ended >= from {
            by_name.entry(&run.workflow).or_default().push(run);
        }
    }
    let mut all: Vec<_> = by_name.into_iter().collect();
    all.sort_by_key(|(name, runs)| (std::cmp::Reverse(runs.len()), *name));
    let rest = all.split_off(all.len().min(limits::LANES_MAX - 1));
    let mut lanes: Vec<Lane> = all.iter().map(|(name, runs)| lane(frame, name, runs)).collect();
    if let [(name, runs)] = &rest[..] {
        lanes.push(lane(frame, name, runs));
    } else if !rest.is_empty() {
        let name = format!("{} more", text::count(rest.len() as u64, "workflow"));
        let runs: Vec<&api::Run> = rest.iter().flat_map(|(_, runs)| runs.iter().copied()).collect();
        lanes.push(lane(frame, &name, &runs));
    }
    lanes
}

fn lane(frame: &Frame, name: &str, runs: &[&api::Run]) -> Lane {
    let bars = runs.iter().filter_map(|run| {
        let shown = status::of(&run.status);
        let from = time::moment(run.started_at.as_deref().unwrap_or(&run.submitted_at))?;
        let took =
            time::took(Some(&run.submitted_at), run.ended_at.as_deref(), frame.now).unwrap_or_default();
        Some(Bar {
            from,
            to: run.ended_at.as_deref().and_then(time::moment).unwrap_or(frame.now),
            tone: shown.tone,
            idle: matches!(run.status.as_str(), "waiting" | "paused"),
            title: format!("{} {}, {took}", text::line(&run.workflow), shown.word),
            href: frame.path(&format!("runs/{}", run.run)),
        })
    });
    Lane { name: text::line(name), bars: bars.collect() }
}

fn timeline(frame: &Frame, view: &View) -> Markup {
    let from = frame.now.saturating_sub(SignedDuration::from_hours(limits::HOURS_BACK)).unwrap_or(frame.now);
    let lanes = lanes(frame, &view.recent, from);
    html! {
        section aria-labelledby="timeline" {
            h2 #timeline { "Runs of the last " (limits::HOURS_BACK) " hours" }
            @if lanes.is_empty() {
                (parts::empty(Empty::Fine { what: "Nothing ran in the last hours." }))
            } @else {
                div.panel data-key="timeline" { (chart::draw(&lanes, from, frame.now)) (legend()) }
                details #timeline-table .table { summary { "As a table" } (table(frame, &view.recent)) }
            }
        }
    }
}

fn legend() -> Markup {
    html! {
        p.legend aria-hidden="true" {
            @for status in ["running", "waiting", "completed", "failed", "cancelled"] { (status::badge(status)) }
        }
    }
}

fn table(frame: &Frame, runs: &[api::Run]) -> Markup {
    parts::scrolled(
        "Runs of the last hours",
        &html! {
            table {
                thead { tr { th scope="col" { "Workflow" } th scope="col" { "Status" } th scope="col" { "Started" } th scope="col" { "Took" } } }
                tbody {
                    @for run in runs.iter().take(limits::TIMELINE_RUNS_MAX) {
                        tr {
                            td { a href=(frame.path(&format!("runs/{}", run.run))) { (text::line(&run.workflow)) } }
                            td { (status::badge(&run.status)) }
                            td { (time::at(run.started_at.as_deref().unwrap_or(&run.submitted_at))) }
                            td { (time::took(Some(&run.submitted_at), run.ended_at.as_deref(), frame.now).unwrap_or_default()) }
                        }
                    }
                }
            }
        },
    )
}

fn changes(frame: &Frame, view: &View) -> Markup {
    html! {
        section aria-labelledby="changes" {
            h2 #changes { "Last changes" }
            @if view.changes.is_empty() {
                (parts::empty(Empty::Fine { what: "Nothing has changed yet." }))
            } @else {
                ol.feed data-list="changes" {
                    @for record in &view.changes { (change(frame, view, record)) }
                }
                p { a href=(frame.path("journal")) { "All of it, in the journal" } }
            }
        }
    }
}

fn change(frame: &Frame, view: &View, record: &api::Record) -> Markup {
    let told = words::tell(record);
    html! {
        li data-row=(record.position) {
            a.position href=(frame.path(&format!("journal/{}", record.position))) { "#" (text::grouped(record.position)) }
            span.grow {
                strong { (text::person(&record.actor)) } " "
                span.mark.(told.tone.class()) { (told.mark) } " "
                @if let Some(path) = words::subject(record) { a href=(frame.path(&path)) { (view.about(record)) } " " }
                @if !told.text.is_empty() && !told.text.starts_with(&view.about(record)) { span.note { (told.text) } }
            }
            (time::ago(&record.at, frame.now))
        }
    }
}

fn journal(view: &View) -> Markup {
    let journal = &view.status.journal;
    let open = journal.position.saturating_sub(journal.checkpointed_to.unwrap_or(0));
    let covered = html! {
        @match journal.checkpointed_to {
            Some(size) => {
                "signed to #" (text::grouped(size))
                @if open > 0 { ", " (text::count(open, "record")) " since" }
            }
            None => "no checkpoint is signed yet",
        }
    };
    let runs: u64 = view.status.runs.values().sum();
    html! {
        section aria-labelledby="facts" {
            h2 #facts { "Journal" }
            div.panel data-key="journal-facts" {
                (parts::facts(&[
                    ("Records", html! { (text::grouped(journal.position)) }),
                    ("Checkpoints", covered),
                    ("Head", text::digest(&journal.digest)),
                    ("Size", html! { (text::bytes(journal.bytes)) }),
                    ("Runs", html! { (text::grouped(runs)) " in all, " (text::grouped(view.status.timers)) " timers set" }),
                ]))
            }
        }
    }
}
