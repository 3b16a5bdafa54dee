//! Change windows: when something may be done.
//!
//! A window is a set of intervals, one for each date on which it begins. An interval begins at the first
//! moment at which the wall clock of its time zone reads `from` on that date, and ends (the end not included)
//! at the last moment at which it reads `to`. A time that a change to daylight saving skips is the moment of
//! the change; a time that occurs twice is its first occurrence as a beginning and its last as an end.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, ToSpan};
use model::{Diagnostic, Timestamp};

use crate::file::{DayWord, WhenWord, WindowFile, WindowWord};
use crate::limits;
use crate::matching::Match;
use crate::source::{At, bad_policy};

/// One window of `policy.yaml`.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    pub(crate) rule: String,
    pub(crate) name: String,
    pub(crate) matching: Match,
    pub(crate) allows: bool,
    pub(crate) when_closed: WhenWord,
    span: DailySpan,
}

/// Intervals, one for each date on which they begin.
#[derive(Debug, Clone)]
pub(crate) struct DailySpan {
    pub(crate) days: Vec<Weekday>,
    pub(crate) dates: Vec<(Date, Date)>,
    pub(crate) from: Time,
    /// `None`: midnight at the end of the day.
    pub(crate) to: Option<Time>,
    pub(crate) zone: TimeZone,
}

/// What the windows that are about an action say.
#[derive(Debug, Clone)]
pub(crate) enum WindowsSay<'a> {
    /// None is about it, or only windows of time not to act, none of which is now.
    Nothing,
    /// Now is a time to act.
    Open(&'a Window),
    /// Now is not.
    Closed {
        /// The window that decided: the time not to act that is now, or the first time to act that is not now.
        by: &'a Window,
        /// The first moment at which it is open, if there is one within the horizon.
        opens: Option<Timestamp>,
    },
}

/// What `windows` say at `now`. The first that is now decides; those with a tenant in their match come first.
pub(crate) fn judge<'a>(windows: &[&'a Window], now: Timestamp) -> WindowsSay<'a> {
    let mut ordered = windows.to_vec();
    ordered.sort_by_key(|window| window.matching.specificity() < 2);
    match decide(&ordered, now) {
        Some((window, true)) => WindowsSay::Open(window),
        Some((window, false)) => WindowsSay::Closed { by: window, opens: next_opening(&ordered, now) },
        None => WindowsSay::Nothing,
    }
}

/// The window that decides at `now`, and whether it lets act.
fn decide<'a>(ordered: &[&'a Window], now: Timestamp) -> Option<(&'a Window, bool)> {
    if let Some(window) = ordered.iter().find(|window| window.span.contains(now)) {
        return Some((window, window.allows));
    }
    ordered.iter().find(|window| window.allows).map(|window| (*window, false))
}

/// The first moment after `now` at which acting is allowed. Whether it is changes only where an interval begins or
/// ends, so only these moments are looked at, in order.
fn next_opening(ordered: &[&Window], now: Timestamp) -> Option<Timestamp> {
    const CHUNK_DAYS: i32 = 28;
    let mut looked_at = 0;
    let mut low = now;
    for _ in 0..limits::WINDOW_HORIZON_DAYS / CHUNK_DAYS {
        let high = low.checked_add(SignedDuration::from_hours(24 * i64::from(CHUNK_DAYS))).ok()?;
        let mut boundaries: Vec<Timestamp> =
            ordered.iter().flat_map(|window| window.span.boundaries(low, high)).collect();
        boundaries.sort_unstable();
        boundaries.dedup();
        for at in boundaries {
            looked_at += 1;
            if looked_at > limits::WINDOW_BOUNDARIES {
                return None;
            }
            if decide(ordered, at).is_none_or(|(_, open)| open) {
                return Some(at);
            }
        }
        low = high;
    }
    None
}

impl DailySpan {
    /// Whether `now` is in one of the intervals.
    pub(crate) fn contains(&self, now: Timestamp) -> bool {
        self.near(now, now).any(|(start, end)| start <= now && now < end)
    }

    /// Beginnings and ends after `low` and up to `high`.
    fn boundaries(&self, low: Timestamp, high: Timestamp) -> Vec<Timestamp> {
        let all = self.near(low, high).flat_map(|(start, end)| [start, end]);
        all.filter(|at| low < *at && *at <= high).collect()
    }

    /// The intervals that can touch the time from `low` to `high`.
    fn near(&self, low: Timestamp, high: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        // an interval lasts at most two days, and local dates differ from UTC's by less than two
        let first = low.to_zoned(TimeZone::UTC).date().saturating_sub(4.days());
        let last = high.to_zoned(TimeZone::UTC).date().saturating_add(2.days());
        first.series(1.day()).take_while(move |date| *date <= last).filter_map(|date| self.interval(date))
    }

    /// The interval that begins on `date`, if one does.
    fn interval(&self, date: Date) -> Option<(Timestamp, Timestamp)> {
        let day = self.days.is_empty() || self.days.contains(&date.weekday());
        let listed = self.dates.is_empty() || self.dates.iter().any(|(a, b)| *a <= date && date <= *b);
        if !day || !listed {
            return None;
        }
        let end = match self.to {
            Some(to) if to > self.from => date.to_datetime(to),
            Some(to) => date.tomorrow().ok()?.to_datetime(to),
            None => date.tomorrow().ok()?.to_datetime(Time::midnight()),
        };
        let start = self.moment(date.to_datetime(self.from), false)?;
        let end = self.moment(end, true)?;
        (start < end).then_some((start, end))
    }

    /// The moment at which the wall clock reads `at`: the first, or the last, or that of the change that skips it.
    fn moment(&self, at: DateTime, last: bool) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(at).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(at).ok(),
            AmbiguousOffset::Fold { before, after } => {
                if last { after } else { before }.to_timestamp(at).ok()
            }
            AmbiguousOffset::Gap { after, .. } => {
                let early = after.to_timestamp(at).ok()?;
                self.zone.following(early).next().map(|change| change.timestamp())
            }
        }
    }
}

/// Reads a window; findings go to `out`.
pub(crate) fn read(
    index: usize,
    window: &At<WindowFile>,
    file: &str,
    out: &mut Vec<Diagnostic>,
) -> Option<Window> {
    let path = format!("/windows/{index}");
    let before = out.len();
    let mut time = |value: &Option<At<String>>, field: &str| {
        let value = value.as_ref()?;
        let parsed = read_time(value);
        if parsed.is_none() {
            let message =
                format!("windows[{index}].{field}: `{}` is not a time of day such as 09:30", **value);
            out.push(bad_policy(message, value.location(file, format!("{path}/{field}"))));
        }
        parsed
    };
    let from = time(&window.from, "from");
    let to = time(&window.to, "to");
    let from = match from {
        Some(TimeOfDay::EndOfDay) => {
            let message = format!("windows[{index}].from: 24:00 is an end, not a beginning");
            out.push(bad_policy(message, window.location(file, format!("{path}/from"))));
            Time::midnight()
        }
        Some(TimeOfDay::At(from)) => from,
        None => Time::midnight(),
    };
    let to = match to {
        Some(TimeOfDay::At(to)) => Some(to),
        Some(TimeOfDay::EndOfDay) | None => None,
    };
    if window.to.is_some() && to == Some(from) {
        let message = format!("windows[{index}]: from and to are the same; leave both out for the whole day");
        out.push(bad_policy(message, window.location(file, path.clone())));
    }
    let zone = read_zone(index, window, file, out);
    let dates = read_dates(index, window, file, out);
    if window.days.len() > 7 || dates.len() > limits::ENTRIES {
        let message = format!("windows[{index}]: too many days or dates");
        out.push(bad_policy(message, window.location(file, path)));
    }
    let days = window.days.iter().copied().map(weekday).collect();
    (out.len() == before).then(|| Window {
        rule: format!("{file}#/windows/{index}"),
        name: window.name.clone().unwrap_or_else(|| format!("windows[{index}]")),
        matching: window.matching.clone(),
        allows: window.action == WindowWord::Allow,
        when_closed: window.when_closed,
        span: DailySpan { days, dates, from, to, zone },
    })
}

/// A time of day as written.
#[derive(Clone, Copy, PartialEq)]
enum TimeOfDay {
    At(Time),
    /// 24:00.
    EndOfDay,
}

/// `HH:MM` or `HH:MM:SS`.
fn read_time(text: &str) -> Option<TimeOfDay> {
    if matches!(text, "24:00" | "24:00:00") {
        return Some(TimeOfDay::EndOfDay);
    }
    let mut parts = text.split(':');
    let mut part = || {
        let part = parts.next()?;
        (part.len() == 2).then(|| part.parse::<i8>().ok()).flatten()
    };
    let (hour, minute) = (part()?, part()?);
    let second = if text.len() > 5 { part()? } else { 0 };
    (parts.next().is_none()).then(|| Time::new(hour, minute, second, 0).ok()).flatten().map(TimeOfDay::At)
}

/// The zone, from the time zone data that is part of the program, so that every machine answers the same.
fn read_zone(index: usize, window: &WindowFile, file: &str, out: &mut Vec<Diagnostic>) -> TimeZone {
    let Some(name) = &window.time_zone else { return TimeZone::UTC };
    TimeZoneDatabase::bundled().get(name).unwrap_or_else(|_| {
        let message = format!("windows[{index}].timeZone: `{}` is not an IANA time zone", **name);
        let location = name.location(file, format!("/windows/{index}/timeZone"));
        out.push(bad_policy(message, location).with_hint("use a name such as Europe/Berlin or UTC"));
        TimeZone::UTC
    })
}

fn read_dates(index: usize, window: &WindowFile, file: &str, out: &mut Vec<Diagnostic>) -> Vec<(Date, Date)> {
    let mut dates = Vec::new();
    for (number, text) in window.dates.iter().enumerate() {
        let (first, last) = text.split_once('/').unwrap_or((text, text));
        match (first.parse::<Date>(), last.parse::<Date>()) {
            (Ok(first), Ok(last)) if first <= last => dates.push((first, last)),
            _ => {
                let message = format!(
                    "windows[{index}].dates[{number}]: `{}` is neither a date such as 2026-12-24 nor a range such as 2026-12-20/2027-01-02",
                    **text
                );
                out.push(bad_policy(
                    message,
                    text.location(file, format!("/windows/{index}/dates/{number}")),
                ));
            }
        }
    }
    dates
}

fn weekday(day: DayWord) -> Weekday {
    match day {
        DayWord::Mon => Weekday::Monday,
        DayWord::Tue => Weekday::Tuesday,
        DayWord::Wed => Weekday::Wednesday,
        DayWord::Thu => Weekday::Thursday,
        DayWord::Fri => Weekday::Friday,
        DayWord::Sat => Weekday::Saturday,
        DayWord::Sun => Weekday::Sunday,
    }
}
