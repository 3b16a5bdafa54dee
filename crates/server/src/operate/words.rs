//! Records in words: the same that the command line says.

use journal::Event;
use serde_json::Value;

use super::text;
use crate::words::{self, Told, Tone};

/// Tells a record. One that this program cannot read is told by its type alone.
pub(super) fn tell(record: &api::Record) -> Told {
    let data = record.record.get("data").map_or_else(|| "null".to_owned(), Value::to_string);
    let told = Event::decode(&record.kind, &data).map(|event| words::tell(&event));
    let told =
        told.unwrap_or_else(|_| Told { tone: Tone::Idle, mark: "recorded", text: record.kind.clone() });
    Told { text: text::line(&told.text), ..told }
}

/// Whether a type of record is a change that somebody asks for when they ask what changed.
pub(super) fn is_change(kind: &str) -> bool {
    const CHANGES: &[&str] = &[
        "run.submitted",
        "run.paused",
        "run.resumed",
        "run.cancel_requested",
        "run.retry_requested",
        "run.signalled",
        "run.completed",
        "run.failed",
        "run.cancelled",
        "rules.changed",
        "step.in_doubt",
        "step.resolved",
        "key.added",
        "key.retired",
    ];
    CHANGES.contains(&kind) || kind.starts_with("approval.") || kind.starts_with("drift.")
}

/// Where a record's subject has a page: below the environment's address.
pub(super) fn subject(record: &api::Record) -> Option<String> {
    if record.stream.starts_with("run_") {
        Some(format!("runs/{}", record.stream))
    } else if record.stream.starts_with("apr_") {
        Some(format!("approvals/{}", record.stream))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(kind: &str, data: &Value) -> api::Record {
        api::Record {
            position: 1,
            stream: "run_1".to_owned(),
            sequence: 1,
            kind: kind.to_owned(),
            at: "2026-11-21T10:00:00.000Z".to_owned(),
            actor: "user:lea".to_owned(),
            record: json!({ "data": data }),
            digest: String::new(),
        }
    }

    #[test]
    fn records_are_told() {
        let told = tell(&record("run.paused", &json!({"reason": "look first"})));
        assert_eq!((told.mark, told.text.as_str()), ("paused", "look first"));
        let told = tell(&record("run.signalled", &json!({"name": "go", "data": null})));
        assert_eq!((told.mark, told.text.as_str()), ("signal", "go"));
    }

    #[test]
    fn what_is_not_known_is_told_by_its_type() {
        let told = tell(&record("moon.landed", &json!({})));
        assert_eq!((told.mark, told.text.as_str()), ("recorded", "moon.landed"));
    }

    #[test]
    fn every_approval_event_is_a_change_and_no_timer_is() {
        for kind in Event::kinds() {
            let wanted = kind.starts_with("approval.") || kind.starts_with("drift.");
            assert!(!wanted || is_change(kind), "{kind}");
            assert!(!(kind.starts_with("timer.") && is_change(kind)), "{kind}");
        }
    }
}
