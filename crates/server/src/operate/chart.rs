//! Bars over time, drawn as SVG: what was under way when. Places are shares of the width, so a chart is as wide as it may be
//! and its words stay readable. A table with the same content always stands beside it.

use maud::{Markup, html};
use model::Timestamp;

use super::limits;
use super::status::Tone;
use super::time::clock;

/// Something that went on for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bar {
    /// From when.
    pub(super) from: Timestamp,
    /// Until when.
    pub(super) to: Timestamp,
    /// What it means.
    pub(super) tone: Tone,
    /// Whether it only waited.
    pub(super) idle: bool,
    /// What it is, for whoever points at it.
    pub(super) title: String,
    /// Where it leads.
    pub(super) href: String,
}

/// Bars that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lane {
    /// What they are.
    pub(super) name: String,
    /// The bars.
    pub(super) bars: Vec<Bar>,
}

/// Where a bar is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spot {
    /// From the left, in ten thousandths of the width.
    left: i64,
    /// In ten thousandths of the width.
    width: i64,
    /// Row within the lane, from 0.
    row: usize,
}

/// Height of a lane's name.
const NAME: usize = 20;
/// Height of a row of bars, and how much of it the bar takes.
const ROW: usize = 14;
const BAR: usize = 10;
/// Space between lanes.
const GAP: usize = 10;
/// Height of the axis.
const AXIS: usize = 22;
/// Most rows of a lane. Bars that would need more share the last one.
const ROWS_MAX: usize = 4;
/// Narrowest bar, in ten thousandths of the width: it has to be seen and hit.
const NARROWEST: i64 = 60;
/// The whole width.
const WHOLE: i64 = 10_000;
/// Most marks on the axis.
const TICKS_MAX: i64 = 6;

/// Milliseconds between marks, of which the first is taken that leaves few enough.
const STEPS: &[i64] = &[
    100,
    500,
    1_000,
    5_000,
    15_000,
    60_000,
    300_000,
    900_000,
    3_600_000,
    10_800_000,
    43_200_000,
    86_400_000,
    604_800_000,
    2_592_000_000,
    31_536_000_000,
];

/// The place of a moment, in ten thousandths of the width.
fn place(at: Timestamp, from: Timestamp, to: Timestamp) -> i64 {
    let span = (to.as_millisecond() - from.as_millisecond()).max(1);
    let offset = (at.as_millisecond() - from.as_millisecond()).clamp(0, span);
    // both are below 2^53, but their product need not be
    i64::try_from(i128::from(offset) * i128::from(WHOLE) / i128::from(span)).unwrap_or(WHOLE)
}

/// Finds a row for each bar so that bars do not overlap while there are rows.
fn spots(bars: &[Bar], from: Timestamp, to: Timestamp) -> Vec<Spot> {
    let mut ends: Vec<i64> = Vec::new();
    let mut order: Vec<usize> = (0..bars.len()).collect();
    order.sort_by_key(|index| bars[*index].from);
    let mut spots = vec![Spot { left: 0, width: 0, row: 0 }; bars.len()];
    for index in order {
        let left = place(bars[index].from, from, to).min(WHOLE - NARROWEST);
        let width = (place(bars[index].to, from, to) - left).max(NARROWEST);
        let row = match ends.iter().position(|end| *end <= left) {
            Some(row) => row,
            None if ends.len() < ROWS_MAX => {
                ends.push(0);
                ends.len() - 1
            }
            None => ROWS_MAX - 1,
        };
        ends[row] = ends[row].max(left + width);
        spots[index] = Spot { left, width, row };
    }
    spots
}

/// Moments that are marked, at whole multiples of a step that people count in.
fn ticks(from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let (first, last) = (from.as_millisecond(), to.as_millisecond());
    let span = (last - first).max(1);
    let longest = span / TICKS_MAX;
    let step = STEPS.iter().copied().find(|step| *step >= longest).unwrap_or(span);
    let mut at = first.div_euclid(step) * step + step;
    let mut ticks = Vec::new();
    while at <= last {
        ticks.extend(Timestamp::from_millisecond(at));
        at += step;
    }
    ticks
}

fn share(part: i64) -> String {
    format!("{}.{:02}%", part / 100, part % 100)
}

/// Draws lanes of bars from one moment to another.
pub(super) fn draw(lanes: &[Lane], from: Timestamp, to: Timestamp) -> Markup {
    let placed: Vec<Vec<Spot>> = lanes.iter().map(|lane| spots(&lane.bars, from, to)).collect();
    let rows = |spots: &[Spot]| spots.iter().map(|spot| spot.row + 1).max().unwrap_or(1);
    let mut tops = Vec::with_capacity(lanes.len());
    let mut height = 0;
    for spots in &placed {
        tops.push(height);
        height += NAME + rows(spots) * ROW + GAP;
    }
    html! {
        svg.chart aria-hidden="true" focusable="false" width="100%" height=(height + AXIS) {
            @for tick in ticks(from, to) { (mark(tick, place(tick, from, to), height)) }
            @for ((lane, spots), top) in lanes.iter().zip(&placed).zip(&tops) {
                text.name x="0" y=(top + 13) { (lane.name) }
                @for (bar, spot) in lane.bars.iter().zip(spots).take(limits::BARS_MAX) {
                    (drawn(bar, *spot, top + NAME))
                }
            }
        }
    }
}

fn drawn(bar: &Bar, spot: Spot, top: usize) -> Markup {
    html! {
        a href=(bar.href) tabindex="-1" {
            rect.bar.(bar.tone.class()).hollow[bar.idle]
                x=(share(spot.left)) y=(top + spot.row * ROW)
                width=(share(spot.width)) height=(BAR) rx="3" { title { (bar.title) } }
        }
    }
}

fn mark(tick: Timestamp, at: i64, height: usize) -> Markup {
    let word = clock(tick);
    let word = word.strip_suffix(":00").unwrap_or(&word).to_owned();
    // words at the edges would be cut
    let anchor = if at > WHOLE - 400 {
        "end"
    } else if at < 400 {
        "start"
    } else {
        "middle"
    };
    html! {
        line.tick x1=(share(at)) x2=(share(at)) y1="0" y2=(height) {}
        text.axis x=(share(at)) y=(height + 15) text-anchor=(anchor) { (word) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_763_719_200 + seconds).unwrap()
    }

    fn bar(from: i64, to: i64) -> Bar {
        let title = String::new();
        Bar { from: at(from), to: at(to), tone: Tone::Good, idle: false, title: title.clone(), href: title }
    }

    #[test]
    fn bars_are_where_their_time_is() {
        let spots = spots(&[bar(0, 50), bar(50, 100)], at(0), at(100));
        assert_eq!(
            spots,
            [Spot { left: 0, width: 5_000, row: 0 }, Spot { left: 5_000, width: 5_000, row: 0 }]
        );
    }

    #[test]
    fn bars_of_one_time_do_not_hide_each_other() {
        let many: Vec<Bar> = (0..6).map(|_| bar(10, 90)).collect();
        let rows: Vec<usize> = spots(&many, at(0), at(100)).iter().map(|spot| spot.row).collect();
        assert_eq!(rows, [0, 1, 2, 3, 3, 3]);
    }

    #[test]
    fn what_began_before_or_took_no_time_is_seen() {
        let spots = spots(&[bar(-50, 10), bar(100, 100)], at(0), at(100));
        assert_eq!(spots[0], Spot { left: 0, width: 1_000, row: 0 });
        assert_eq!(spots[1], Spot { left: WHOLE - NARROWEST, width: NARROWEST, row: 0 });
    }

    #[test]
    fn marks_are_at_moments_that_people_count_in() {
        let clocks: Vec<String> = ticks(at(0), at(6 * 3_600)).into_iter().map(clock).collect();
        assert_eq!(clocks, ["11:00:00", "12:00:00", "13:00:00", "14:00:00", "15:00:00", "16:00:00"]);
        assert!(ticks(at(0), at(0)).len() <= 6);
        for span in [1, 7, 61, 4_000, 90_000, 40_000_000] {
            assert!(ticks(at(0), at(span)).len() <= 7, "{span}");
        }
    }
}
