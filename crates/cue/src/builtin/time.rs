//! Package `time`: RFC 3339 times and Go durations, as text and nanoseconds.

use super::{Call, Fail, Outcome};
use crate::value::Value;

/// Nanoseconds of `1h2m3.5s`; what is finer than one is cut off.
fn duration_of(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (whole, fraction) = rest[..digits].split_once('.').unwrap_or((&rest[..digits], ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit: i128 = match &rest[..end] {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        rest = &rest[end..];
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        // Thirteen digits are finer than a nanosecond of an hour.
        let fraction = &fraction[..fraction.len().min(18)];
        let part: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
        let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        total = total.checked_add(i128::from(whole) * unit + part * unit / scale)?;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

pub(super) fn duration(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    match duration_of(&text) {
        Some(_) => Ok(Value::Bool(true)),
        None => Err(Fail::Eval(format!("invalid duration {text:?}"))),
    }
}

pub(super) fn parse_duration(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    duration_of(&text).map(Value::int).ok_or_else(|| Fail::Eval(format!("invalid duration {text:?}")))
}

pub(super) fn format_duration(c: &mut Call<'_>) -> Outcome {
    let n = c.int(0)?;
    let (sign, n) = (if n < 0 { "-" } else { "" }, n.unsigned_abs());
    let trim = |whole: u64, rest: u64, width: usize| {
        let text = format!("{whole}.{rest:0width$}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let text = if n == 0 {
        "0s".to_owned()
    } else if n < 1_000 {
        format!("{n}ns")
    } else if n < 1_000_000 {
        format!("{}µs", trim(n / 1_000, n % 1_000, 3))
    } else if n < 1_000_000_000 {
        format!("{}ms", trim(n / 1_000_000, n % 1_000_000, 6))
    } else {
        let seconds = n / 1_000_000_000;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let tail = trim(seconds % 60, n % 1_000_000_000, 9);
        match (hours, minutes) {
            (0, 0) => format!("{tail}s"),
            (0, m) => format!("{m}m{tail}s"),
            (h, m) => format!("{h}h{m}m{tail}s"),
        }
    };
    Ok(Value::string(format!("{sign}{text}")))
}

/// Parses an RFC 3339 time as Go does.
fn timestamp(text: &str) -> Option<jiff::Timestamp> {
    let b = text.as_bytes();
    let shape =
        b.len() >= 20 && b[4] == b'-' && b[7] == b'-' && b[10] == b'T' && b[13] == b':' && b[16] == b':';
    let zone = text.ends_with('Z') || (b.len() > 6 && matches!(b[b.len() - 6], b'+' | b'-'));
    if shape && zone { text.parse().ok() } else { None }
}

pub(super) fn time(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    match timestamp(&text) {
        Some(_) => Ok(Value::Bool(true)),
        None => Err(Fail::Eval(format!("invalid time {text:?}"))),
    }
}

/// Layouts of Go's reference time, as `strftime` directives.
fn layout(go: &str) -> String {
    const PARTS: [(&str, &str); 30] = [
        (".000000000", "%.9f"),
        (".000000", "%.6f"),
        (".000", "%.3f"),
        (".999999999", "%.f"),
        (".999999", "%.f"),
        (".999", "%.f"),
        ("2006", "%Y"),
        ("002", "%j"),
        ("January", "%B"),
        ("Jan", "%b"),
        ("Monday", "%A"),
        ("Mon", "%a"),
        ("MST", "%Z"),
        ("Z07:00", "%:z"),
        ("-07:00", "%:z"),
        ("-0700", "%z"),
        ("01", "%m"),
        ("02", "%d"),
        ("_2", "%e"),
        ("15", "%H"),
        ("03", "%I"),
        ("04", "%M"),
        ("05", "%S"),
        ("06", "%y"),
        ("PM", "%p"),
        ("1", "%-m"),
        ("2", "%-d"),
        ("3", "%-I"),
        ("4", "%-M"),
        ("5", "%-S"),
    ];
    let mut out = String::new();
    let mut rest = go;
    while let Some(ch) = rest.chars().next() {
        if let Some((go, c)) = PARTS.iter().find(|(go, _)| rest.starts_with(go)) {
            out.push_str(c);
            rest = &rest[go.len()..];
        } else {
            if ch == '%' {
                out.push('%');
            }
            out.push(ch);
            rest = &rest[ch.len_utf8()..];
        }
    }
    out
}

fn parse_with(go: &str, text: &str) -> Option<jiff::Timestamp> {
    if go.starts_with("2006-01-02T15:04:05") && go.contains('Z') {
        return timestamp(text);
    }
    let broken = jiff::fmt::strtime::parse(layout(go), text).ok()?;
    if let Ok(ts) = broken.to_timestamp() {
        return Some(ts);
    }
    let date = broken.to_date().ok()?;
    let time = broken.to_time().unwrap_or(jiff::civil::Time::midnight());
    date.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok().map(|z| z.timestamp())
}

pub(super) fn format(c: &mut Call<'_>) -> Outcome {
    let (text, go) = (c.text(0)?, c.text(1)?);
    Ok(Value::Bool(parse_with(&go, &text).is_some()))
}

pub(super) fn parse(c: &mut Call<'_>) -> Outcome {
    let (go, text) = (c.text(0)?, c.text(1)?);
    parse_with(&go, &text)
        .map(|t| Value::string(t.to_string()))
        .ok_or_else(|| Fail::Eval(format!("cannot parse {text:?} as {go:?}")))
}

pub(super) fn format_string(c: &mut Call<'_>) -> Outcome {
    let (go, text) = (c.text(0)?, c.text(1)?);
    let t = timestamp(&text).ok_or_else(|| Fail::Eval(format!("invalid time {text:?}")))?;
    let zoned = t.to_zoned(jiff::tz::TimeZone::UTC);
    jiff::fmt::strtime::format(layout(&go), &zoned).map(Value::string).map_err(|e| Fail::Eval(e.to_string()))
}

pub(super) fn unix(c: &mut Call<'_>) -> Outcome {
    let (seconds, nanos) = (c.int(0)?, c.int(1)?);
    let nanos = i32::try_from(nanos).map_err(|_| Fail::from("nanoseconds out of range"))?;
    let t = jiff::Timestamp::new(seconds, nanos).map_err(|e| Fail::Eval(e.to_string()))?;
    Ok(Value::string(t.to_string()))
}

pub(super) fn split(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let t = timestamp(&text).ok_or_else(|| Fail::Eval(format!("invalid time {text:?}")))?;
    let z = t.to_zoned(jiff::tz::TimeZone::UTC);
    let parts: [(&str, i64); 9] = [
        ("year", z.year().into()),
        ("month", z.month().into()),
        ("day", z.day().into()),
        ("hour", z.hour().into()),
        ("minute", z.minute().into()),
        ("second", z.second().into()),
        ("nanosecond", z.subsec_nanosecond().into()),
        ("yearDay", z.day_of_year().into()),
        ("weekday", z.weekday().to_sunday_zero_offset().into()),
    ];
    let fields = parts
        .iter()
        .map(|(name, n)| ((*name).to_owned(), crate::data::Data::Number(crate::number::Number::int(*n))))
        .collect();
    Ok(crate::data::to_value(c.eval, &crate::data::Data::Object(fields), c.at))
}
