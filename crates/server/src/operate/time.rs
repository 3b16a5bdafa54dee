//! Moments and durations for people. Every moment is a `<time>` with the absolute one in its title.

use maud::{Markup, html};
use model::Timestamp;
use model::time::rfc3339;
pub(super) use model::time::{clock, duration, relative};

/// A moment as the API writes it.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Date and time of day in UTC, to the second.
pub(super) fn absolute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A moment as seen from `now`; the page keeps it true as time goes by.
pub(super) fn ago(at: &str, now: Timestamp) -> Markup {
    let Some(moment) = moment(at) else { return html! { span { "unknown" } } };
    html! { time datetime=(rfc3339(moment)) title=(absolute(moment)) data-ago { (relative(moment, now)) } }
}

/// A moment's time of day.
pub(super) fn at(at: &str) -> Markup {
    let Some(moment) = moment(at) else { return html! { span { "unknown" } } };
    html! { time datetime=(rfc3339(moment)) title=(absolute(moment)) { (clock(moment)) } }
}

/// What is left until a moment, without `in`: `48 min`.
pub(super) fn left(until: Timestamp, now: Timestamp) -> String {
    let between = until.duration_since(now);
    if between.is_negative() { "no time".to_owned() } else { duration(between) }
}

/// How long something took, or takes until now.
pub(super) fn took(from: Option<&str>, to: Option<&str>, now: Timestamp) -> Option<String> {
    let from = moment(from?)?;
    let to = to.and_then(moment).unwrap_or(now);
    Some(duration(to.duration_since(from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_says_when_it_was_in_full() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let shown = ago("2026-11-21T09:55:00Z", now).into_string();
        assert!(shown.contains("title=\"2026-11-21 09:55:00 UTC\""), "{shown}");
    }

    #[test]
    fn what_is_left_is_never_negative() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        assert_eq!(left("2026-11-21T09:00:00Z".parse().unwrap(), now), "no time");
        assert_eq!(left("2026-11-21T10:48:00Z".parse().unwrap(), now), "48 min");
    }
}
