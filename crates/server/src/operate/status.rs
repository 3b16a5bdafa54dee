//! States as people read them: an icon, a word and a colour, always together.

use maud::{Markup, html};

use super::icons::icon;
use super::text;
pub(super) use crate::words::Tone;

impl Tone {
    /// Its class in pages.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Busy => "busy",
            Self::Idle => "idle",
        }
    }
}

/// A state as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    /// Its colour.
    pub(super) tone: Tone,
    /// Its icon.
    pub(super) icon: &'static str,
    /// Its word; the word of the API where we know none.
    pub(super) word: &'static str,
}

const fn shown(tone: Tone, icon: &'static str, word: &'static str) -> Shown {
    Shown { tone, icon, word }
}

/// The state of a run, step, approval or verdict.
pub(super) fn of(status: &str) -> Shown {
    use Tone::{Bad, Busy, Good, Idle, Warn};
    match status {
        "submitted" => shown(Idle, "dot", "submitted"),
        "running" => shown(Busy, "busy", "running"),
        "scheduled" => shown(Busy, "busy", "doing"),
        "waiting" => shown(Warn, "clock", "waiting"),
        "paused" => shown(Warn, "pause", "paused"),
        "in_doubt" => shown(Bad, "doubt", "in doubt"),
        "completed" => shown(Good, "check", "completed"),
        "failed" => shown(Bad, "cross", "failed"),
        "cancelled" => shown(Idle, "stop", "cancelled"),
        "asking" => shown(Warn, "people", "asked"),
        "deferred" => shown(Warn, "clock", "deferred"),
        "entered" => shown(Good, "check", "entered"),
        "abandoned" => shown(Idle, "stop", "abandoned"),
        "granted" => shown(Good, "check", "granted"),
        "denied" => shown(Bad, "cross", "denied"),
        "expired" => shown(Bad, "clock", "expired"),
        "overridden" => shown(Warn, "warn", "overridden"),
        "withdrawn" => shown(Idle, "back", "withdrawn"),
        "allow" => shown(Good, "check", "allow"),
        "deny" => shown(Bad, "cross", "deny"),
        "require" => shown(Warn, "people", "require"),
        "defer" => shown(Warn, "clock", "defer"),
        "warn" => shown(Warn, "warn", "warn"),
        "open" => shown(Idle, "dot", "open"),
        _ => shown(Idle, "dot", ""),
    }
}

/// A state as a badge.
pub(super) fn badge(status: &str) -> Markup {
    let shown = of(status);
    let word = if shown.word.is_empty() { text::line(status) } else { shown.word.to_owned() };
    tag(shown.tone, shown.icon, &word)
}

/// Any badge.
pub(super) fn tag(tone: Tone, name: &str, word: &str) -> Markup {
    html! { span.badge.(tone.class()) { (icon(name)) span { (word) } } }
}

/// How bad it is that something cannot be taken back.
pub(super) fn reversibility(word: &str) -> Markup {
    match word {
        "irreversible" => tag(Tone::Bad, "warn", "cannot be taken back"),
        "reversible" => tag(Tone::Good, "back", "can be taken back"),
        "no-change" => tag(Tone::Idle, "dot", "changes nothing"),
        other => tag(Tone::Idle, "dot", &text::line(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_word() {
        for status in [
            "submitted",
            "running",
            "waiting",
            "paused",
            "in_doubt",
            "completed",
            "failed",
            "cancelled",
            "scheduled",
            "asking",
            "deferred",
            "abandoned",
            "granted",
            "denied",
            "expired",
            "overridden",
            "withdrawn",
        ] {
            assert!(!of(status).word.is_empty(), "{status}");
        }
        assert!(badge("<x>").into_string().contains("&lt;x&gt;"), "a new one is shown as it is");
    }
}
