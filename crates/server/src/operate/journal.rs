//! The journal: records in order, what is signed of them, and one record with the proof that it is in it.

use maud::{Markup, html};

use super::frame::{Frame, Head, Live, Section};
use super::icons::icon;
use super::parts::{self, Empty};
use super::{assets, text, time, words};

/// What is asked of the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this stream.
    pub stream: Option<String>,
    /// Only of types that begin so.
    pub kind: Option<String>,
    /// Only by this principal.
    pub actor: Option<String>,
    /// Only before this position.
    pub before: Option<u64>,
}

impl Filter {
    fn is_on(&self) -> bool {
        [&self.stream, &self.kind, &self.actor]
            .into_iter()
            .any(|one| one.as_deref().is_some_and(|one| !one.is_empty()))
    }
}

/// What the list shows.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// What was asked for.
    pub filter: Filter,
    /// Records, newest first.
    pub records: Vec<api::Record>,
    /// Pass this as `before` to see older ones.
    pub next: Option<u64>,
    /// Checkpoints that cover records of the page.
    pub checkpoints: Vec<api::Checkpoint>,
    /// Position of the last record of all.
    pub position: u64,
    /// How many records signed checkpoints cover.
    pub checkpointed: Option<u64>,
    /// How many records were looked through for the filter, where not all were.
    pub searched: Option<u64>,
}

/// The list.
pub fn page(frame: &Frame, view: &View) -> Markup {
    let content = html! {
        (parts::heading(&[], &html! { "Journal" }, &signing(frame, view)))
        p.lead { (summary(view)) }
        (filters(frame, view))
        (parts::news())
        div #list { (list(frame, view)) }
        (parts::command(&frame.command("journal verify")))
    };
    frame.page(&Head::live("Journal", Section::Journal, Live::Types("")), &content)
}

fn summary(view: &View) -> String {
    let position = view.position;
    match view.checkpointed {
        _ if position == 0 => "Nothing is recorded yet.".to_owned(),
        None => format!(
            "{}, chained one to the next. No checkpoint is signed yet.",
            text::count(position, "record")
        ),
        Some(size) if size >= position => {
            format!("{}, all of them under a signed checkpoint.", text::count(position, "record"))
        }
        Some(size) => format!(
            "{}: the first {} are under a signed checkpoint, {} since are chained and not signed yet.",
            text::count(position, "record"),
            text::grouped(size),
            text::grouped(position - size)
        ),
    }
}

fn signing(frame: &Frame, view: &View) -> Markup {
    let fresh = view.checkpointed.is_some_and(|size| size + 1 >= view.position);
    if !frame.may("administer") || fresh {
        return html! {};
    }
    html! {
        form method="post" action=(frame.path("journal/checkpoint")) {
            (frame.csrf())
            button type="submit" { (icon("seal")) "Sign a checkpoint" }
        }
    }
}

fn address(frame: &Frame, filter: &Filter, before: &str) -> String {
    let or = |value: &Option<String>| value.clone().unwrap_or_default();
    parts::query(
        &frame.path("journal"),
        &[
            ("stream", &or(&filter.stream)),
            ("type", &or(&filter.kind)),
            ("actor", &or(&filter.actor)),
            ("before", before),
        ],
    )
}

fn filters(frame: &Frame, view: &View) -> Markup {
    let value = |value: &Option<String>| value.clone().unwrap_or_default();
    html! {
        form.filters method="get" action=(frame.path("journal")) role="search" aria-label="Journal" {
            label { span { "Stream" } input #filter type="text" name="stream" value=(value(&view.filter.stream)) placeholder="run_\u{2026}, apr_\u{2026}, environment" autocomplete="off" spellcheck="false"; }
            label { span { "Type begins with" }
                input type="text" name="type" list="kinds" value=(value(&view.filter.kind)) placeholder="approval." autocomplete="off" spellcheck="false";
                datalist #kinds { @for kind in journal::Event::kinds() { option value=(kind) {} } }
            }
            label { span { "By" } input type="text" name="actor" value=(value(&view.filter.actor)) placeholder="user:name" autocomplete="off" spellcheck="false"; }
            button type="submit" { "Filter" }
            @if view.filter.is_on() { a href=(frame.path("journal")) { "Clear" } }
        }
    }
}

fn list(frame: &Frame, view: &View) -> Markup {
    if view.records.is_empty() {
        return if view.filter.is_on() || view.filter.before.is_some() {
            parts::empty(Empty::Filtered { what: "records", clear: &frame.path("journal") })
        } else {
            parts::empty(Empty::First {
                what: "The journal is empty. Everything that happens here is recorded in it, in order, and cannot be changed unnoticed.",
                command: &frame.command("run WORKFLOW"),
            })
        };
    }
    let first = view.filter.before.map(|_| address(frame, &view.filter, ""));
    let next = view.next.map(|next| address(frame, &view.filter, &next.to_string()));
    html! {
        ol.chain-list data-list="journal" {
            @for record in &view.records {
                @for checkpoint in view.checkpoints.iter().filter(|one| one.size == record.position) { (mark(frame, checkpoint)) }
                (row(frame, view, record))
            }
        }
        @if let Some(searched) = view.searched { p.note { "Searched the last " (text::count(searched, "record")) "; go on with Older." } }
        (parts::pager(first.as_deref(), next.as_deref()))
    }
}

/// Where a checkpoint ends.
fn mark(frame: &Frame, checkpoint: &api::Checkpoint) -> Markup {
    html! {
        li.checkpoint {
            span.gutter { (icon("seal")) }
            span.grow {
                "Checkpoint over " (text::count(checkpoint.size, "record")) ", root " (text::digest(&checkpoint.root))
                " \u{b7} " a href=(frame.path(&format!("journal/{}", checkpoint.position))) { "signed " (time::ago(&checkpoint.at, frame.now)) }
            }
        }
    }
}

fn row(frame: &Frame, view: &View, record: &api::Record) -> Markup {
    let told = words::tell(record);
    let signed = view.checkpointed.is_some_and(|size| record.position <= size);
    html! {
        li data-row=(record.position) {
            span.gutter.signed[signed] title=(if signed { "under a signed checkpoint" } else { "chained, not signed yet" }) {
                span.knot {} span.unseen { @if signed { "signed" } @else { "not signed yet" } }
            }
            a.open.position href=(frame.path(&format!("journal/{}", record.position))) { "#" (text::grouped(record.position)) }
            span.grow {
                span.mark.(told.tone.class()) { (told.mark) } " " (told.text)
                span.note.type {
                    (text::line(&record.kind)) " \u{b7} "
                    @match words::subject(record) {
                        Some(path) => a href=(frame.path(&path)) { (text::short_id(&record.stream)) },
                        None => (text::line(&record.stream)),
                    }
                }
            }
            span.by { (text::person(&record.actor)) }
            (time::at(&record.at))
        }
    }
}

/// What the page of a record shows.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordView {
    /// The record.
    pub record: api::Record,
    /// Its canonical form: the bytes that have the digest.
    pub canonical: String,
    /// Digest of the record before.
    pub previous: String,
    /// That it is in what a checkpoint signs; absent: none covers it yet.
    pub proof: Option<api::Proof>,
    /// Position of the last record of all.
    pub last: u64,
}

/// One record.
pub fn record(frame: &Frame, view: &RecordView) -> Markup {
    let record = &view.record;
    let journal = frame.path("journal");
    let told = words::tell(record);
    let title = format!("Record {}", record.position);
    let content = html! {
        (parts::heading(&[("Journal", &journal)], &html! { "Record #" (text::grouped(record.position)) }, &neighbours(frame, view)))
        p.lead { span.mark.(told.tone.class()) { (told.mark) } " " (told.text) }
        div.split.even {
            div.main-part {
                section.panel { h2 { "Record" } (record_facts(frame, view)) }
                section.panel { h2 { "What it says" } (text::json(record.record.get("data").unwrap_or(&serde_json::Value::Null))) }
                details.panel {
                    summary { "Canonical bytes " span.note { (text::grouped(view.canonical.len() as u64)) " bytes, RFC 8785" } }
                    pre.bytes #canonical tabindex="0" { (view.canonical) }
                }
            }
            aside aria-label="Proof" { (proof(frame, view)) }
        }
    };
    let head = Head { script: Some(assets::VERIFY), ..Head::still(&title, Section::Journal) };
    frame.page(&head, &content)
}

fn neighbours(frame: &Frame, view: &RecordView) -> Markup {
    let position = view.record.position;
    let href = |position: u64| frame.path(&format!("journal/{position}"));
    html! {
        nav.pager aria-label="Neighbours" {
            @if position > 1 { a.button rel="prev" href=(href(position - 1)) { "Before" } }
            @if position < view.last { a.button rel="next" href=(href(position + 1)) { "After" } }
        }
    }
}

fn record_facts(frame: &Frame, view: &RecordView) -> Markup {
    let record = &view.record;
    let stream = html! {
        @match words::subject(record) {
            Some(path) => a href=(frame.path(&path)) { (text::line(&record.stream)) },
            None => a href=(parts::query(&frame.path("journal"), &[("stream", &record.stream)])) { (text::line(&record.stream)) },
        }
        ", number " (text::grouped(record.sequence))
    };
    parts::facts(&[
        ("Type", html! { code { (text::line(&record.kind)) } }),
        ("By", html! { (text::line(&record.actor)) }),
        ("At", html! { (time::at(&record.at)) " UTC, " (time::ago(&record.at, frame.now)) }),
        ("Stream", stream),
        ("Digest", html! { code.digest.whole { (text::line(&record.digest)) } }),
        ("Previous", html! { code.digest.whole { (text::line(&view.previous)) } }),
    ])
}

fn proof(frame: &Frame, view: &RecordView) -> Markup {
    let command = frame.command(&format!("journal prove {}", view.record.position));
    let Some(proof) = &view.proof else {
        return html! {
            section.panel aria-labelledby="proof" {
                h2 #proof { "Proof" }
                p { "No checkpoint covers this record yet. It is chained to the one before; the next checkpoint signs it." }
                (parts::command(&frame.command("journal checkpoint")))
            }
        };
    };
    html! {
        section.panel aria-labelledby="proof" {
            h2 #proof { "Proof" }
            p { "That this record is in the journal which a signed checkpoint describes. Your browser can compute it from the bytes on this page; nothing is asked of the server." }
            button #verify .primary type="button" hidden { (icon("seal")) "Verify here" }
            noscript { p.note { "Without scripts, verify it with the command below." } }
            ol.checks {
                @for (name, words) in CHECKS { li data-check=(name) { span.result { (icon("dot")) } span.grow { (words) span.note.found {} } } }
            }
            p #verdict role="status" {}
            (material(view, proof))
            (parts::command(&command))
        }
    }
}

/// What is checked, in order.
const CHECKS: &[(&str, &str)] = &[
    ("leaf", "The bytes have the digest of the record"),
    ("position", "The bytes say they are this record, of the same journal"),
    ("path", "The path leads from the record to the root"),
    ("note", "The checkpoint signs this root and this size"),
    ("signature", "The signature is by a key that the journal names"),
];

/// Everything that verification needs, to be read and to be computed with.
fn material(view: &RecordView, proof: &api::Proof) -> Markup {
    html! {
        details #material data-digest=(view.record.digest) data-position=(view.record.position)
            data-index=(proof.index) data-size=(proof.size) data-root=(proof.root) {
            summary { "Path of " (text::count(proof.path.len() as u64, "hash").replace("hashs", "hashes")) ", checkpoint and keys" }
            (parts::facts(&[
                ("Index", html! { (text::grouped(proof.index)) " of " (text::grouped(proof.size)) }),
                ("Root", html! { code.digest.whole { (text::line(&proof.root)) } }),
            ]))
            h3 { "Path" }
            @if proof.path.is_empty() { p.note { "The record is the only one: it is the root." } }
            ol.hashes { @for hash in &proof.path { li { code data-hash { (text::line(hash)) } } } }
            h3 { "Checkpoint" }
            pre.bytes #note tabindex="0" { "\n" (proof.note) }
            h3 { "Keys" }
            ul.hashes { @for key in &proof.verifiers { li { code data-verifier { (text::line(key)) } } } }
        }
    }
}
