//! The inbox: what waits for the viewer, what waits for others, what was decided.

use maud::{Markup, html};

use super::frame::{Frame, Head, Live, Section};
use super::icons::icon;
use super::parts::{self, Chip, Empty};
use super::{status, text, time};

/// Which approvals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Those that the viewer may decide.
    Yours,
    /// All that wait.
    Waiting,
    /// All that ended.
    Decided,
}

impl Show {
    /// The one that an address asks for.
    pub fn of(word: Option<&str>) -> Self {
        match word {
            Some("waiting") => Self::Waiting,
            Some("decided") => Self::Decided,
            _ => Self::Yours,
        }
    }
}

/// What the inbox shows.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Which.
    pub show: Show,
    /// One page of them.
    pub approvals: api::Page<api::Approval>,
    /// How many wait for the viewer.
    pub yours: u64,
    /// How many wait.
    pub waiting: u64,
    /// Whether this is not the first page.
    pub later: bool,
}

/// The page.
pub fn page(frame: &Frame, view: &View) -> Markup {
    let content = html! {
        (parts::heading(&[], &html! { "Approvals" }, &html! {}))
        (parts::chips("Which approvals", &chips(frame, view)))
        (parts::news())
        div #list { (list(frame, view)) }
        (parts::command(&frame.command(if view.show == Show::Decided { "approvals list --all" } else { "approvals list" })))
    };
    frame.page(&Head::live("Approvals", Section::Approvals, Live::Types("approval.")), &content)
}

fn chips(frame: &Frame, view: &View) -> Vec<Chip> {
    let chip = |word: &str, show: &str, count, on| Chip {
        word: word.to_owned(),
        href: parts::query(&frame.path("approvals"), &[("show", show)]),
        count,
        on,
    };
    vec![
        chip("Waiting for you", "", Some(view.yours), view.show == Show::Yours),
        chip("All that wait", "waiting", Some(view.waiting), view.show == Show::Waiting),
        chip("Decided", "decided", None, view.show == Show::Decided),
    ]
}

fn nothing(frame: &Frame, view: &View) -> Markup {
    match view.show {
        Show::Yours if !frame.may("approve") => parts::empty(Empty::Forbidden {
            what: "decide approvals here",
            who: "Whoever administers the project gives roles in access.yaml: an approver's role, and the role that the chain of the approval names.",
        }),
        Show::Yours => parts::empty(Empty::Fine { what: "Nothing waits for you." }),
        Show::Waiting => parts::empty(Empty::Fine { what: "No approval is open. Nobody waits for anybody." }),
        Show::Decided => parts::empty(Empty::First {
            what: "Nothing was decided yet. Who decided what, and why, will be here and in the journal.",
            command: &frame.command("approvals list --all"),
        }),
    }
}

fn list(frame: &Frame, view: &View) -> Markup {
    if view.approvals.items.is_empty() {
        return nothing(frame, view);
    }
    let show = match view.show {
        Show::Yours => "",
        Show::Waiting => "waiting",
        Show::Decided => "decided",
    };
    let base = parts::query(&frame.path("approvals"), &[("show", show)]);
    let next = view.approvals.next.as_ref().map(|next| parts::query(&base, &[("cursor", next)]));
    html! {
        ul.cards.inbox data-list="approvals" { @for approval in &view.approvals.items { (card(frame, approval)) } }
        (parts::pager(view.later.then_some(base.as_str()), next.as_deref()))
    }
}

fn card(frame: &Frame, approval: &api::Approval) -> Markup {
    let href = frame.path(&format!("approvals/{}", approval.approval));
    let waits = approval.status == "waiting";
    html! {
        li data-row=(approval.approval) data-key=(format!("row-{}", approval.approval)) {
            (status::badge(&approval.status))
            div.grow {
                a.open.title href=(href) { (text::line(&approval.title)) }
                p.note {
                    (text::person(&approval.requester)) " asked " (time::ago(&approval.asked_at, frame.now))
                    @if let (Some(by), Some(at)) = (&approval.ended_by, &approval.ended_at) {
                        " \u{b7} " (status::of(&approval.status).word) " by " (text::person(by)) " " (time::ago(at, frame.now))
                    }
                    @if let Some(reason) = &approval.reason { ": \u{201c}" (text::line(reason)) "\u{201d}" }
                }
            }
            @if waits { div.when { (progress(approval)) (remaining(frame, approval)) } }
        }
    }
}

/// How far the chain has come, in words.
pub(super) fn progress(approval: &api::Approval) -> Markup {
    let level = approval.levels.iter().find(|level| level.level == approval.level);
    html! {
        @if approval.levels.len() > 1 { span { "level " (approval.level) " of " (approval.levels.len()) } }
        @if let Some(level) = level.filter(|level| level.quorum > 1) {
            span { (icon("people")) (approval.votes.len()) " of " (level.quorum) }
        }
    }
}

/// What is left of the time, and how urgent that is.
pub(super) fn remaining(frame: &Frame, approval: &api::Approval) -> Markup {
    let Some(until) = approval.expires_at.as_deref().and_then(time::moment) else {
        return html! { span.note { "does not expire" } };
    };
    let urgent = until.duration_since(frame.now).as_secs() < 15 * 60;
    html! {
        span.left.urgent[urgent] { (icon("clock")) time datetime=(model::time::rfc3339(until)) title=(time::absolute(until)) data-left { (time::left(until, frame.now)) } " left" }
    }
}
