//! The list of runs: filters in the address, what each waits for in plain words.

use maud::{Markup, html};

use super::frame::{Frame, Head, Live, Section};
use super::parts::{self, Chip, Empty};
use super::{run_words, status, text, time};

/// What the list shows.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// What was asked for.
    pub query: api::RunQuery,
    /// One page of runs.
    pub runs: api::Page<api::Run>,
    /// How many runs have each status.
    pub counts: std::collections::BTreeMap<String, u64>,
    /// Workflows that can be chosen, by name.
    pub workflows: Vec<String>,
}

/// Statuses of runs that have not ended.
const OPEN: &str = "submitted,running,waiting,paused,in_doubt";

/// Filters by status: word and value.
const CHIPS: &[(&str, &str)] = &[
    ("All", ""),
    ("Open", OPEN),
    ("Running", "running"),
    ("Waiting", "waiting"),
    ("Paused", "paused"),
    ("In doubt", "in_doubt"),
    ("Failed", "failed"),
    ("Completed", "completed"),
    ("Cancelled", "cancelled"),
];

/// The page.
pub fn page(frame: &Frame, view: &View) -> Markup {
    let content = html! {
        (parts::heading(&[], &html! { "Runs" }, &html! {}))
        (parts::chips("Filter by status", &chips(frame, view)))
        (filters(frame, view))
        (parts::news())
        div #list { (list(frame, view)) }
        (parts::command(&frame.command(&command(view))))
    };
    frame.page(
        &Head::live("Runs", Section::Runs, Live::Types("run. step.in_doubt step.asked step.deferred timer.")),
        &content,
    )
}

/// The command that lists the same.
fn command(view: &View) -> String {
    let mut command = "runs list".to_owned();
    let one = view.query.status.as_deref().filter(|status| !status.contains(',') && !status.is_empty());
    if let Some(status) = one {
        command.push_str(" --status ");
        command.push_str(status);
    }
    if let Some(workflow) = view.query.workflow.as_deref().filter(|name| !name.is_empty()) {
        command.push_str(" --workflow ");
        command.push_str(workflow);
    }
    command
}

/// The address of the list with another status or page; everything else stays.
fn address(frame: &Frame, query: &api::RunQuery, status: &str, cursor: &str) -> String {
    parts::query(
        &frame.path("runs"),
        &[
            ("status", status),
            ("workflow", query.workflow.as_deref().unwrap_or_default()),
            ("kind", query.kind.as_deref().unwrap_or_default()),
            ("requester", query.requester.as_deref().unwrap_or_default()),
            ("since", query.since.as_deref().unwrap_or_default()),
            ("id", query.id.as_deref().unwrap_or_default()),
            ("cursor", cursor),
        ],
    )
}

fn chips(frame: &Frame, view: &View) -> Vec<Chip> {
    let chosen = view.query.status.as_deref().unwrap_or_default();
    let sum = |statuses: &str| match statuses {
        "" => view.counts.values().sum(),
        some => some.split(',').filter_map(|one| view.counts.get(one)).sum(),
    };
    let mut chips: Vec<Chip> = CHIPS
        .iter()
        .map(|(word, value)| Chip {
            word: (*word).to_owned(),
            href: address(frame, &view.query, value, ""),
            count: Some(sum(value)),
            on: chosen == *value,
        })
        .collect();
    if !chips.iter().any(|chip| chip.on) {
        let words: Vec<String> = chosen.split(',').map(|one| status::of(one).word.to_owned()).collect();
        chips.push(Chip {
            word: text::line(&text::enumerate(&words, "or")),
            href: address(frame, &view.query, chosen, ""),
            count: Some(sum(chosen)),
            on: true,
        });
    }
    chips
}

fn filters(frame: &Frame, view: &View) -> Markup {
    let query = &view.query;
    let chosen = query.workflow.as_deref().unwrap_or_default();
    html! {
        form.filters method="get" action=(frame.path("runs")) role="search" aria-label="Runs" {
            @for (name, value) in [("status", &query.status), ("kind", &query.kind), ("since", &query.since)] {
                @if let Some(value) = value { input type="hidden" name=(name) value=(value); }
            }
            label { span { "Run id begins with" }
                input #filter type="search" name="id" value=(query.id.as_deref().unwrap_or_default()) placeholder="run_" autocomplete="off" spellcheck="false"
                    hx-get=(frame.path("runs")) hx-trigger="input changed delay:250ms" hx-include="closest form"
                    hx-target="#list" hx-select="#list > *" hx-push-url="true";
            }
            label { span { "Workflow" }
                select name="workflow" {
                    option value="" selected[chosen.is_empty()] { "any" }
                    @for name in &view.workflows { option value=(name) selected[name == chosen] { (text::line(name)) } }
                    @if !chosen.is_empty() && !view.workflows.iter().any(|name| name == chosen) {
                        option value=(chosen) selected { (text::line(chosen)) }
                    }
                }
            }
            label { span { "Started by" }
                input type="text" name="requester" value=(query.requester.as_deref().unwrap_or_default()) placeholder="user:name" autocomplete="off" spellcheck="false";
            }
            button type="submit" { "Filter" }
            @if is_filtered(query) { a href=(frame.path("runs")) { "Clear" } }
        }
    }
}

fn is_filtered(query: &api::RunQuery) -> bool {
    [&query.status, &query.workflow, &query.kind, &query.requester, &query.since, &query.id]
        .into_iter()
        .any(|value| value.as_deref().is_some_and(|value| !value.is_empty()))
}

fn list(frame: &Frame, view: &View) -> Markup {
    if view.runs.items.is_empty() {
        return if is_filtered(&view.query) || view.query.cursor.is_some() {
            parts::empty(Empty::Filtered { what: "runs", clear: &frame.path("runs") })
        } else {
            parts::empty(Empty::First {
                what: "No run yet. A run is one execution of a workflow or a plan; it waits here for approvals, and its history stays.",
                command: &frame.command("run WORKFLOW"),
            })
        };
    }
    let status = view.query.status.as_deref().unwrap_or_default();
    let first = view.query.cursor.as_ref().map(|_| address(frame, &view.query, status, ""));
    let next = view.runs.next.as_ref().map(|next| address(frame, &view.query, status, next));
    html! {
        table.rows {
            caption.unseen { "Runs, newest first" }
            thead {
                tr {
                    th scope="col" { "Status" }
                    th scope="col" { "Workflow" }
                    th scope="col" { "Waits for" }
                    th scope="col" { "Started by" }
                    th scope="col" { "Age" }
                }
            }
            tbody data-list="runs" { @for run in &view.runs.items { (row(frame, run)) } }
        }
        (parts::pager(first.as_deref(), next.as_deref()))
    }
}

fn row(frame: &Frame, run: &api::Run) -> Markup {
    html! {
        tr data-row=(run.run) data-key=(format!("row-{}", run.run)) {
            td { (status::badge(&run.status)) }
            th scope="row" {
                a.open href=(frame.path(&format!("runs/{}", run.run))) { (text::line(&run.workflow)) }
                code.id title=(run.run) { (text::short_id(&run.run)) }
            }
            td.wait { (run_words::note(frame, run)) }
            td.by { (text::person(&run.requester)) }
            td.age { (time::ago(&run.submitted_at, frame.now)) }
        }
    }
}
