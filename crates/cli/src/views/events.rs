//! Records of the journal, one line each, in words.

use journal::events::{ApprovalEvent, RunEvent, StepEvent, TimerEvent};
use journal::{Event, Record};
use model::time::clock;
use serde_json::{Value, json};
use server::words::{self, Told, Tone};

use super::table::plain;
use anstyle::Style;

use crate::ui::{BAD, DIM, GOOD, WARN};

/// A record as `--json` shows it: exactly the canonical bytes, which are JSON.
pub fn record_json(record: &Record) -> Value {
    serde_json::from_slice(&record.bytes).unwrap_or_else(|error| json!({ "unreadable": error.to_string() }))
}

/// A record as one line: time of day, position, stream, what happened.
pub fn record_line(record: &Record, width: usize) -> String {
    let time = clock(record.at);
    let line = format!(
        "{:>7}  {time}  {:<26}  {}",
        record.position,
        record.event.kind(),
        plain(&format!("{}  {}", record.stream, in_words(&record.event)))
    );
    super::table::cut(&line, width.max(60))
}

/// What lines that belong to the one above begin with, as wide as its time of day.
pub const INDENT: &str = "          ";

/// A record of a run as one line: time of day, a mark, the words. `None`: it is no news.
pub fn line(record: &Record) -> Option<String> {
    let (style, mark, text) = narration(&record.event)?;
    Some(format!("{DIM}{}{DIM:#}  {style}{mark:<10}{style:#} {text}", clock(record.at)))
}

/// One line about what happened in a run: a mark that also is a word, and the words. `None`: it is no news.
pub fn narration(event: &Event) -> Option<(Style, &'static str, String)> {
    let news = match event {
        Event::Run(event) => !matches!(event, RunEvent::Started(_)),
        Event::Step(_) | Event::Listen(_) => true,
        Event::Timer(TimerEvent::Set(timer)) => timer.purpose != "timeout",
        Event::Timer(event) => matches!(event, TimerEvent::Fired(_)),
        Event::Approval(event) => matches!(event, ApprovalEvent::Voted(_) | ApprovalEvent::Escalated(_)),
        _ => false,
    };
    news.then(|| styled(event))
}

/// An event of any kind as a mark that also is a word, and the words.
pub fn styled(event: &Event) -> (Style, &'static str, String) {
    let Told { tone, mark, text } = words::tell(event);
    let text = match event {
        Event::Run(RunEvent::Paused(why) | RunEvent::CancelRequested(why) | RunEvent::Cancelled(why))
            if why.reason.is_some() =>
        {
            format!(": {text}")
        }
        Event::Step(StepEvent::Answered(answered)) => format!("{}  {text}", answered.approval),
        _ => text,
    };
    let style = match tone {
        Tone::Good => GOOD,
        Tone::Bad => BAD,
        Tone::Warn => WARN,
        Tone::Busy | Tone::Idle => DIM,
    };
    (style, mark, plain(&text))
}

/// What happened, in a few words, for any event.
pub fn in_words(event: &Event) -> String {
    match event {
        Event::Run(_) | Event::Step(_) | Event::Timer(_) | Event::Listen(_) => {
            narration(event).map(|(_, _, text)| text).unwrap_or_default()
        }
        _ => words::tell(event).text,
    }
}
