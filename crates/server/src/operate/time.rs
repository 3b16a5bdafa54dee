//! Moments and durations for people. Every moment is a `<time>` with the absolute one in its title.

use maud::{Markup, html};
use model::Timestamp;
use model::time::{SignedDuration, rfc3339};

/// A moment as the API writes it.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// A duration in its two largest units: `350 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`.
pub(super) fn duration(duration: SignedDuration) -> String {
    let ms = duration.as_millis().max(0);
    let (seconds, minutes, hours, days) = (ms / 1_000, ms / 60_000, ms / 3_600_000, ms / 86_400_000);
    match () {
        () if seconds < 1 => format!("{ms} ms"),
        () if minutes < 1 => format!("{seconds}.{} s", ms % 1_000 / 100),
        () if hours < 1 => two(minutes, "min", seconds % 60, "s"),
        () if days < 1 => two(hours, "h", minutes % 60, "min"),
        () => two(days, "d", hours % 24, "h"),
    }
}

fn two(large: i128, unit: &str, small: i128, of: &str) -> String {
    if small == 0 { format!("{large} {unit}") } else { format!("{large} {unit} {small} {of}") }
}

fn rough(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A moment as seen from `now`: `just now`, `5 min ago`, `in 2 h`.
pub(super) fn relative(at: Timestamp, now: Timestamp) -> String {
    let between = now.duration_since(at);
    if between.abs() < SignedDuration::from_secs(1) {
        "just now".to_owned()
    } else if between.is_negative() {
        format!("in {}", rough(between.abs()))
    } else {
        format!("{} ago", rough(between))
    }
}

/// Date and time of day in UTC, to the second.
pub(super) fn absolute(at: Timestamp) -> String {
    let text = rfc3339(at);
    format!("{} {} UTC", text.get(..10).unwrap_or(&text), text.get(11..19).unwrap_or_default())
}

/// Time of day in UTC: to the second.
pub(super) fn clock(at: Timestamp) -> String {
    rfc3339(at).get(11..19).unwrap_or_default().to_owned()
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
    fn moments_are_relative_to_now() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        for (at, shown) in [
            ("2026-11-21T10:00:00.5Z", "just now"),
            ("2026-11-21T09:55:00Z", "5 min ago"),
            ("2026-11-21T12:00:00Z", "in 2 h"),
        ] {
            assert_eq!(relative(at.parse().unwrap(), now), shown, "{at}");
        }
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
