//! Time as a value. Nothing here reads a clock; see the engine's `Clock`.

pub use jiff::{SignedDuration, Span, Timestamp};

/// A text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a duration such as PT5S, PT1H30M, 5s or 1h 30m")]
pub struct DurationError {
    text: String,
}

/// Reads an ISO 8601 duration (`PT1H30M`) or jiff's friendly form (`1h 30m`), at most 100 years.
/// Days are 24 hours and weeks 7 days; months and years have no fixed length and are refused.
///
/// ```
/// use model::time::parse_duration;
/// assert_eq!(parse_duration("PT1M").unwrap(), parse_duration("60s").unwrap());
/// assert!(parse_duration("P1M").is_err());
/// assert!(parse_duration("-PT1S").is_err());
/// ```
pub fn parse_duration(text: &str) -> Result<SignedDuration, DurationError> {
    const MAX: SignedDuration = SignedDuration::from_hours(24 * 365 * 100);
    let refuse = || DurationError { text: text.to_owned() };
    let span: Span = text.trim().parse().map_err(|_| refuse())?;
    if span.get_months() != 0 || span.get_years() != 0 {
        return Err(refuse());
    }
    let duration = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| refuse())?;
    if duration.is_negative() || duration > MAX { Err(refuse()) } else { Ok(duration) }
}

/// RFC 3339 in UTC with exactly three fraction digits: the one form journal, API and `--json` use.
///
/// ```
/// let t: model::Timestamp = "2026-11-21T10:00:00+01:00".parse().unwrap();
/// assert_eq!(model::time::rfc3339(t), "2026-11-21T09:00:00.000Z");
/// ```
pub fn rfc3339(at: Timestamp) -> String {
    let milli = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
    format!("{milli:.3}")
}

/// A duration for people, in its two largest units: `350 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`.
///
/// ```
/// use model::time::{SignedDuration, duration};
/// assert_eq!(duration(SignedDuration::from_secs(185)), "3 min 5 s");
/// assert_eq!(duration(SignedDuration::from_millis(4_230)), "4.2 s");
/// ```
pub fn duration(duration: SignedDuration) -> String {
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

/// A moment for people, as seen from `now`: `just now`, `5 min ago`, `in 2 h`.
///
/// ```
/// use model::time::relative;
/// let at = |text: &str| text.parse::<model::Timestamp>().unwrap();
/// assert_eq!(relative(at("2026-11-21T09:55:00Z"), at("2026-11-21T10:00:00Z")), "5 min ago");
/// ```
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let between = now.duration_since(at);
    let rough = |duration: SignedDuration| {
        let seconds = duration.as_secs();
        match seconds {
            ..60 => format!("{seconds} s"),
            60..3_600 => format!("{} min", seconds / 60),
            3_600..86_400 => format!("{} h", seconds / 3_600),
            _ => format!("{} d", seconds / 86_400),
        }
    };
    if between.abs() < SignedDuration::from_secs(1) {
        "just now".to_owned()
    } else if between.is_negative() {
        format!("in {}", rough(between.abs()))
    } else {
        format!("{} ago", rough(between))
    }
}

/// Time of day for people: in UTC, to the second.
///
/// ```
/// let at: model::Timestamp = "2026-11-21T10:00:07.5Z".parse().unwrap();
/// assert_eq!(model::time::clock(at), "10:00:07");
/// ```
pub fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

/// Cuts a timestamp to whole milliseconds, the resolution of journal times.
pub fn to_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        for (ms, shown) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.0 s"),
            (59_999, "59.9 s"),
            (60_000, "1 min"),
            (3_600_000, "1 h"),
            (7_860_000, "2 h 11 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(SignedDuration::from_millis(ms)), shown, "{ms}");
        }
    }

    #[test]
    fn moments_are_relative_to_now() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        for (at, shown) in [
            ("2026-11-21T10:00:00.5Z", "just now"),
            ("2026-11-21T09:55:00Z", "5 min ago"),
            ("2026-11-21T12:00:00Z", "in 2 h"),
            ("2026-11-19T10:00:00Z", "2 d ago"),
        ] {
            assert_eq!(relative(at.parse().unwrap(), now), shown, "{at}");
        }
    }
}
