//! The review of one approval: what is asked, by whom, what it reaches, and the decision. Made for a phone at night.

use maud::{Markup, html};
use serde_json::Value;

use super::frame::{Frame, Head, Live, Section};
use super::icons::icon;
use super::parts::{self, Weight};
use super::status::{self, Tone};
use super::{approvals, limits, proposal, run, text, time};

/// What the review shows.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The approval.
    pub detail: api::ApprovalDetail,
    /// The changes of the plan that it is about, read from the journal; absent where it is about something else, or is too large
    /// to be shown whole.
    pub changes: Option<Vec<plan::Change>>,
    /// The verdict that demands it; absent where the workflow itself asks.
    pub verdict: Option<Value>,
    /// Why the decision that was just sent was not taken.
    pub problem: Option<api::Problem>,
    /// Whether a decision that was just sent came too late.
    pub late: bool,
    /// Whether the viewer's decision was just recorded.
    pub done: bool,
}

impl View {
    /// The very thing that is asked, of the record that asks.
    fn thing(&self) -> &Value {
        self.detail.asked.get("asked").unwrap_or(&Value::Null)
    }

    /// More about it, in the words of whoever asks.
    fn description(&self) -> Option<&str> {
        self.detail.asked.get("description").and_then(Value::as_str)
    }
}

/// The page.
pub fn page(frame: &Frame, view: &View) -> Markup {
    let approval = &view.detail.approval;
    let inbox = frame.path("approvals");
    let waits = approval.status == "waiting";
    let content = html! {
        (parts::heading(&[("Approvals", &inbox)], &html! { (text::line(&approval.title)) }, &html! {}))
        (outcome(frame, view))
        (state(frame, view))
        div.split.review {
            div.main-part {
                @if let Some(description) = view.description() { p.description { (text::paragraph(description)) } }
                (proposal::asked(view.thing(), view.changes.as_deref().unwrap_or_default(), &view.detail.approval.run))
                (why(view))
                (about(frame, view))
            }
            aside aria-label="Decision" {
                (decision(frame, view))
                (chain(frame, approval))
                (parts::command(&frame.command(&format!("approve {}", approval.approval))))
            }
        }
        @if waits && view.detail.you.decide { a.thumb href="#decide" { "Decide" } }
    };
    frame.page(
        &Head::live(&text::line(&approval.title), Section::Approvals, Live::Stream(&approval.approval)),
        &content,
    )
}

/// What became of a decision that was just sent.
fn outcome(frame: &Frame, view: &View) -> Markup {
    let approval = &view.detail.approval;
    if let Some(problem) = &view.problem {
        return parts::problem(problem);
    }
    if view.late {
        let content = html! {
            p { strong { "Your decision was not recorded: somebody was faster." } }
            @if let (Some(by), Some(at)) = (&approval.ended_by, &approval.ended_at) {
                p { (text::line(by)) " " (status::of(&approval.status).word) " it " (time::ago(at, frame.now)) " (" (time::at(at)) " UTC)." }
            }
        };
        return parts::notice(Weight::Bad, &content);
    }
    if view.done {
        let content = html! {
            p { strong { "Your decision is on record." } }
            @if approval.status == "waiting" { p { "More is needed before the run goes on." } }
        };
        return parts::notice(Weight::Good, &content);
    }
    html! {}
}

fn state(frame: &Frame, view: &View) -> Markup {
    let approval = &view.detail.approval;
    let shown = status::of(&approval.status);
    html! {
        section.state.(shown.tone.class()) data-key="state" aria-label="Where it stands" {
            (status::badge(&approval.status))
            div.grow {
                p.why {
                    @match (&approval.ended_by, &approval.ended_at) {
                        (Some(by), Some(at)) => {
                            strong { (text::person(by)) } " " (shown.word) " it " (time::ago(at, frame.now))
                            @if let Some(reason) = &approval.reason { ": \u{201c}" (text::line(reason)) "\u{201d}" } @else { "." }
                        }
                        _ => {
                            strong { (text::person(&approval.requester)) } " asks, " (time::ago(&approval.asked_at, frame.now)) "."
                        }
                    }
                }
            }
            @if approval.status == "waiting" { div.when { (approvals::progress(approval)) (approvals::remaining(frame, approval)) } }
        }
    }
}

/// Who wants it to be asked.
fn why(view: &View) -> Markup {
    html! {
        section.panel aria-labelledby="why" {
            h2 #why { "Why it is asked" }
            @match &view.verdict {
                Some(verdict) => (run::verdict(verdict)),
                None => p.note { "The workflow itself asks, with the chain " code { (text::line(&view.detail.approval.chain)) } ". No rule of policy demands it." },
            }
        }
    }
}

fn about(frame: &Frame, view: &View) -> Markup {
    let approval = &view.detail.approval;
    let run = frame.path(&format!("runs/{}", text::encoded(&approval.run)));
    let record = frame.path(&format!("journal/{}", approval.position));
    html! {
        section.panel aria-labelledby="about" {
            h2 #about { "About this approval" }
            (parts::facts(&[
                ("Run", html! { a href=(run) { (text::short_id(&approval.run)) } " " code { (text::line(&approval.step)) } }),
                ("Asked by", html! { (text::line(&approval.requester)) }),
                ("Asked at", time::at(&approval.asked_at)),
                ("On record", html! { a href=(record) { "#" (text::grouped(approval.position)) } }),
                ("Digest", html! { code.digest.whole { (text::line(&approval.binding)) } }),
            ]))
            p.note { "The digest covers what is asked, the policy, what the policy saw and the levels. A decision holds for exactly this and nothing else." }
        }
        details.panel { summary { "What is asked, as it is on record" } (text::json(&view.detail.asked)) }
    }
}

/// The levels, who may decide at each, who has.
fn chain(frame: &Frame, approval: &api::Approval) -> Markup {
    html! {
        section.panel aria-labelledby="chain" data-key="levels" {
            h2 #chain { "Chain " code { (text::line(&approval.chain)) } }
            ol.levels { @for level in &approval.levels { (self::level(frame, approval, level)) } }
        }
    }
}

fn level(frame: &Frame, approval: &api::Approval, level: &api::Level) -> Markup {
    let waits = approval.status == "waiting";
    let here = level.level == approval.level;
    let granted = matches!(approval.status.as_str(), "granted" | "overridden");
    let shown = match () {
        () if level.level < approval.level || (here && granted) => (Tone::Good, "check", "passed"),
        () if here && waits => (Tone::Warn, "clock", "now"),
        () if here => (Tone::Bad, "cross", "ended here"),
        () => (Tone::Idle, "dot", "not reached"),
    };
    let within =
        level.within_ms.and_then(|ms| i64::try_from(ms).ok()).map(model::time::SignedDuration::from_millis);
    html! {
        li.here[here && waits] {
            (status::tag(shown.0, shown.1, shown.2))
            div.grow {
                p { strong { (level.quorum) " of " (text::line(&text::enumerate(&level.roles, "or"))) } }
                p.note {
                    @if level.holders.is_empty() { "Nobody holds this role." } @else { (text::people(&level.holders)) }
                    @if let Some(within) = within { " \u{b7} " (time::duration(within)) ", then " @if level.on_timeout == "escalate" { "the next level" } @else { "denied" } }
                    @if level.emergency_override { " \u{b7} may be overridden" }
                }
                @if here && !approval.votes.is_empty() {
                    p.votes { (icon("people")) (approval.votes.len()) " of " (level.quorum) ": granted by " (text::people(&approval.votes)) }
                }
                @if here && waits { p.note { (approvals::remaining(frame, approval)) } }
            }
        }
    }
}

fn decision(frame: &Frame, view: &View) -> Markup {
    let approval = &view.detail.approval;
    let you = &view.detail.you;
    if approval.status != "waiting" {
        return html! {
            section.panel.decision #decide aria-labelledby="decision" {
                h2 #decision { "Decided" }
                p {
                    @match &approval.ended_by {
                        Some(by) => { (text::person(by)) " " (status::of(&approval.status).word) " it. " }
                        None => { "It is " (status::of(&approval.status).word) ". " }
                    }
                    "An approval ends once."
                }
            }
        };
    }
    html! {
        section.panel.decision #decide aria-labelledby="decision" data-key="decision" {
            h2 #decision { "Your decision" }
            @if you.decide { (forms(frame, approval)) } @else { (cannot(you)) }
            @if you.override_ { (overriding(frame, approval)) }
            @if you.withdraw { (withdrawing(frame, approval)) }
        }
    }
}

/// The buttons of somebody who may not press them, and why.
fn cannot(you: &api::Powers) -> Markup {
    html! {
        div.choices {
            button.primary type="button" disabled aria-describedby="why-not" { "Grant" }
            button type="button" disabled aria-describedby="why-not" { "Deny" }
        }
        p.note #why-not { (text::line(you.why_not.as_deref().unwrap_or("You hold none of the roles of the current level."))) }
    }
}

fn target(frame: &Frame, approval: &api::Approval, verb: &str) -> String {
    frame.path(&format!("approvals/{}/{verb}", approval.approval))
}

/// What every decision carries along: where it comes from and what was shown.
fn hidden(frame: &Frame, approval: &api::Approval) -> Markup {
    html! { (frame.csrf()) input type="hidden" name="binding" value=(approval.binding); }
}

fn forms(frame: &Frame, approval: &api::Approval) -> Markup {
    let quorum =
        approval.levels.iter().find(|level| level.level == approval.level).map_or(1, |level| level.quorum);
    let missing = u64::from(quorum).saturating_sub(approval.votes.len() as u64 + 1);
    let more = approval.levels.len() as u64 > u64::from(approval.level);
    html! {
        form method="post" action=(target(frame, approval, "grant")) {
            (hidden(frame, approval))
            label { span { "Why " span.note { "(may be left out)" } } input type="text" name="comment" maxlength=(limits::LINE_CHARS_MAX) autocomplete="off"; }
            button.primary.wide-button type="submit" { (icon("check")) "Grant" }
            p.note {
                @if missing > 0 { "Then " (text::count(missing, "more grant")) " at this level." }
                @else if more { "Then the next level is asked." }
                @else { "Then the run goes on." }
            }
        }
        details.action.harms #act-deny {
            summary.button.wide-button { (icon("cross")) "Deny\u{2026}" }
            form method="post" action=(target(frame, approval, "deny")) {
                (hidden(frame, approval))
                label { span { "Why not" } textarea name="reason" rows="3" required maxlength=(limits::TEXT_CHARS_MAX) {} }
                button.danger.wide-button type="submit" { "Deny for all levels" }
            }
        }
    }
}

fn overriding(frame: &Frame, approval: &api::Approval) -> Markup {
    html! {
        details.action.harms #act-override {
            summary.button.wide-button { (icon("warn")) "Override\u{2026}" }
            form method="post" action=(target(frame, approval, "override")) {
                (hidden(frame, approval))
                p { "For emergencies: grants all remaining levels at once, by you alone. It is marked as such in the journal." }
                label { span { "What the emergency is" } textarea name="reason" rows="3" required maxlength=(limits::TEXT_CHARS_MAX) {} }
                button.danger.wide-button type="submit" { "Override all levels" }
            }
        }
    }
}

fn withdrawing(frame: &Frame, approval: &api::Approval) -> Markup {
    html! {
        details.action #act-withdraw {
            summary.button.wide-button { (icon("back")) "Withdraw\u{2026}" }
            form method="post" action=(target(frame, approval, "withdraw")) {
                (hidden(frame, approval))
                p { "Takes the question back. The run is told that it was withdrawn." }
                label { span { "Why" } input type="text" name="reason" required maxlength=(limits::LINE_CHARS_MAX) autocomplete="off"; }
                button.wide-button type="submit" { "Withdraw" }
            }
        }
    }
}
