//! How much a page shows before it says that there is more.

/// Characters of one line of text: titles, reasons, problems.
pub(super) const LINE_CHARS_MAX: usize = 300;
/// Characters of a paragraph.
pub(super) const TEXT_CHARS_MAX: usize = 4_000;
/// Bytes of a JSON document that is shown whole.
pub(super) const JSON_BYTES_MAX: usize = 128 << 10;
/// How deep a JSON document is shown.
pub(super) const JSON_DEPTH_MAX: usize = 24;
/// Runs that the overview's timeline draws.
pub(super) const TIMELINE_RUNS_MAX: usize = 200;
/// Lanes of the overview's timeline; workflows that have no lane of their own share the last one.
pub(super) const LANES_MAX: usize = 8;
/// Bars of a run's timeline.
pub(super) const BARS_MAX: usize = 400;
/// Boxes of a graph.
pub(super) const BOXES_MAX: usize = 300;
/// Changes of a plan that are listed one by one.
pub(super) const CHANGES_MAX: usize = 500;
/// Changes of a plan up to which each is shown with what differs without a click.
pub(super) const OPENED_MAX: usize = 5;
/// Hours that the overview looks back.
pub(super) const HOURS_BACK: i64 = 6;
/// Items that the palette offers from the page's own data.
pub(super) const PALETTE_MAX: usize = 20;
