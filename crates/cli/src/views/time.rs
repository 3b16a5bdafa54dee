//! Times and durations for people. `--json` always has RFC 3339 in UTC instead.

use model::Timestamp;
use model::time::SignedDuration;

/// A duration in its two largest units: `350 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`.
///
/// ```
/// use model::time::SignedDuration;
/// assert_eq!(cli::views::time::duration(SignedDuration::from_secs(185)), "3 min 5 s");
/// assert_eq!(cli::views::time::duration(SignedDuration::from_millis(4_230)), "4.2 s");
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

/// A moment that was written down (RFC 3339) as seen from `now`; what is no moment as it is.
pub fn since(at: &str, now: Timestamp) -> String {
    at.parse().map_or_else(|_| super::table::plain(at), |at| relative(at, now))
}

/// A moment as seen from `now`: `just now`, `5 min ago`, `in 2 h`.
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
