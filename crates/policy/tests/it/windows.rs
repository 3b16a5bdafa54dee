//! Change windows over time: the next opening is inside, and no earlier moment is.

use model::{Timestamp, Verdict, time::SignedDuration};
use policy::PolicySet;
use proptest::prelude::*;

use crate::support::*;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

fn open_at(set: &PolicySet, at: Timestamp) -> Option<Timestamp> {
    match ask_plainly(set, "wasm.x", &at.to_string()).judgement.verdict {
        Verdict::Allow => None,
        Verdict::Defer { until, .. } => Some(until),
        verdict => panic!("{verdict:?} at {at}"),
    }
}

/// The local time of each minute says whether it is open, without any of the crate's arithmetic.
fn wall_clock_says(zone: &str, from: (i8, i8), to: (i8, i8), at: Timestamp) -> bool {
    let local = at.in_tz(zone).unwrap();
    let (now, from, to) = ((local.hour(), local.minute()), from, to);
    if from < to { from <= now && now < to } else { now >= from || now < to }
}

#[test]
fn workflows_28_days_of_daylight_saving_open_and_close_by_the_wall_clock() {
    // hours that are neither skipped nor repeated, so that the wall clock is unambiguous about them
    for (zone, days) in
        [("Europe/Berlin", ["2026-03-28", "2026-10-24"]), ("America/New_York", ["2026-03-07", "2026-10-31"])]
    {
        for ((from, to), yaml) in [
            (((9, 0), (17, 0)), "from: '09:00', to: '17:00'"),
            (((22, 0), (6, 0)), "from: '22:00', to: '06:00'"),
            (((0, 0), (5, 0)), "from: '00:00', to: '05:00'"),
        ] {
            let set =
                set(&format!("windows: [{{action: allow, {yaml}, timeZone: {zone}, whenClosed: defer}}]"));
            for day in days {
                let mut now = at(&format!("{day}T00:00:00Z"));
                for _ in 0..(72 * 4) {
                    let open = open_at(&set, now).is_none();
                    assert_eq!(open, wall_clock_says(zone, from, to, now), "{zone} {yaml} {now}");
                    now += MINUTE * 15;
                }
            }
        }
    }
}

#[test]
fn workflows_28_a_time_that_is_skipped_or_repeated_is_where_the_documentation_says() {
    let at_night = |from: &str, to: &str| {
        set(&format!(
            "windows: [{{action: allow, from: '{from}', to: '{to}', timeZone: Europe/Berlin, whenClosed: defer}}]"
        ))
    };
    // 29 March 2026, 02:00 becomes 03:00 at 01:00 UTC: half past two is the moment of the change
    let skipped = at_night("02:30", "03:15");
    assert_eq!(open_at(&skipped, at("2026-03-29T00:00:00Z")), Some(at("2026-03-29T01:00:00Z")));
    assert_eq!(open_at(&skipped, at("2026-03-29T01:14:59Z")), None);
    assert_eq!(open_at(&skipped, at("2026-03-29T01:15:00Z")), Some(at("2026-03-30T00:30:00Z")));
    // 25 October 2026, 03:00 becomes 02:00 at 01:00 UTC: from the first half past two to the last quarter to three
    let repeated = at_night("02:30", "02:45");
    assert_eq!(open_at(&repeated, at("2026-10-25T00:00:00Z")), Some(at("2026-10-25T00:30:00Z")));
    assert_eq!(open_at(&repeated, at("2026-10-25T01:44:59Z")), None);
    assert_eq!(open_at(&repeated, at("2026-10-25T01:45:00Z")), Some(at("2026-10-26T01:30:00Z")));
}

#[test]
fn dates_and_ranges_are_taken_by_the_local_calendar() {
    let set = set("
windows:
  - {action: deny, dates: [2026-12-20/2027-01-02], timeZone: America/New_York, whenClosed: defer}
");
    assert_eq!(open_at(&set, at("2026-12-20T04:59:59Z")), None);
    assert_eq!(open_at(&set, at("2026-12-20T05:00:00Z")), Some(at("2027-01-03T05:00:00Z")));
    assert_eq!(open_at(&set, at("2027-01-03T05:00:00Z")), None);
}

prop_compose! {
    fn window()(
        allow in any::<bool>(),
        days in proptest::sample::subsequence(vec!["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], 1..=7),
        from in 0i32..48,
        length in 1i32..47,
        zone in proptest::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    ) -> String {
        let clock = |half_hours: i32| format!("{:02}:{:02}", half_hours % 48 / 2, half_hours % 2 * 30);
        let action = if allow { "allow" } else { "deny" };
        format!(
            "  - {{action: {action}, days: [{}], from: '{}', to: '{}', timeZone: {zone}, whenClosed: defer}}\n",
            days.join(", "), clock(from), clock(from + length),
        )
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Around the changes of daylight saving in every zone involved.
    #[test]
    fn the_next_opening_is_inside_and_nothing_before_it_is(
        windows in proptest::collection::vec(window(), 1..4),
        start in proptest::sample::select(vec!["2026-03-07T00:00:00Z", "2026-03-28T00:00:00Z", "2026-04-04T00:00:00Z", "2026-10-03T00:00:00Z", "2026-10-24T00:00:00Z", "2026-10-31T00:00:00Z"]),
        offset in 0i64..(3 * 1_440),
    ) {
        let set = set(&format!("windows:\n{}", windows.concat()));
        let now = at(start) + MINUTE * i32::try_from(offset).unwrap();
        let decision = ask_plainly(&set, "wasm.x", &now.to_string());
        if let Verdict::Defer { until, .. } = decision.judgement.verdict {
            prop_assert!(until > now);
            prop_assert_eq!(open_at(&set, until), None, "it is open when it was said to open");
            let before = until - SignedDuration::from_millis(1);
            prop_assert_eq!(open_at(&set, before), Some(until), "and not a moment earlier");
            let mut between = now;
            while between < until && between < now + SignedDuration::from_hours(48) {
                prop_assert_eq!(open_at(&set, between), Some(until), "nor any time in between");
                between += MINUTE * 15;
            }
        }
    }
}
