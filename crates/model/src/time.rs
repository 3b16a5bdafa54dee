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

/// Cuts a timestamp to whole milliseconds, the resolution of journal times.
pub fn to_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}
