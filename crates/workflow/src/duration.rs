//! Durations as the DSL writes them.

use jiff::SignedDuration;
use serde_json::Value;

use crate::limits;

/// Members of an inline duration.
pub(crate) const UNITS: &[&str] = &["days", "hours", "minutes", "seconds", "milliseconds"];

/// So many of a unit of [`UNITS`], saturating.
pub(crate) fn of_unit(unit: &str, amount: i64) -> SignedDuration {
    let seconds = match unit {
        "days" => 86_400,
        "hours" => 3_600,
        "minutes" => 60,
        "seconds" => 1,
        _ => return SignedDuration::from_millis(amount),
    };
    SignedDuration::from_secs(amount.saturating_mul(seconds))
}

/// Parses `P1DT2H3M4.5S`. A year counts 365 days and a month 30: the DSL has no calendar to count from.
pub(crate) fn parse_iso8601(text: &str) -> Option<SignedDuration> {
    let rest = text.strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let day = 86_400.0;
    let date = parts(date, &[('Y', 365.0 * day), ('M', 30.0 * day), ('W', 7.0 * day), ('D', day)])?;
    let time = parts(time, &[('H', 3_600.0), ('M', 60.0), ('S', 1.0)])?;
    let seconds = date + time;
    #[allow(clippy::cast_precision_loss, reason = "a limit far below 2^53")]
    let limit = limits::DURATION_SECONDS as f64 * 2.0;
    (seconds <= limit).then(|| SignedDuration::try_from_secs_f64(seconds).ok()).flatten()
}

fn parts(mut text: &str, units: &[(char, f64)]) -> Option<f64> {
    let mut units = units.iter();
    let mut total = 0.0;
    while !text.is_empty() {
        let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, rest) = text.split_at(end);
        let unit = rest.chars().next()?;
        let (_, seconds) = units.find(|(name, _)| *name == unit)?;
        if number.starts_with('.') || number.ends_with('.') {
            return None;
        }
        total += number.parse::<f64>().ok()? * seconds;
        text = &rest[unit.len_utf8()..];
    }
    Some(total)
}

/// A duration that an expression gave: ISO 8601 text or the inline object.
pub(crate) fn from_value(value: &Value) -> Option<SignedDuration> {
    let duration = match value {
        Value::String(text) => parse_iso8601(text)?,
        Value::Object(members) if !members.is_empty() => {
            let mut total = SignedDuration::ZERO;
            for (unit, amount) in members {
                if !UNITS.contains(&unit.as_str()) {
                    return None;
                }
                total = total.saturating_add(of_unit(unit, amount.as_i64()?));
            }
            total
        }
        _ => return None,
    };
    (!duration.is_negative() && duration.as_secs() <= limits::DURATION_SECONDS).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_durations_are_read_as_the_schema_has_them() {
        let table = [
            ("PT30S", Some(30_000)),
            ("PT0.5S", Some(500)),
            ("P1D", Some(86_400_000)),
            ("P1W", Some(604_800_000)),
            ("P1DT2H3M4S", Some(93_784_000)),
            ("PT1M", Some(60_000)),
            ("P1M", Some(2_592_000_000_i64)),
            ("P", None),
            ("PT", None),
            ("P1DT", None),
            ("PT1M1H", None),
            ("30s", None),
            ("PT1.S", None),
            ("P999999999999Y", None),
        ];
        for (text, millis) in table {
            assert_eq!(parse_iso8601(text).map(|d| d.as_millis()), millis.map(i128::from), "{text}");
        }
    }
}
