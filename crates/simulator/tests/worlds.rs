//! A few worlds in every test run; `cargo xtask sim --worlds 10000` lives the many.

use std::collections::BTreeSet;

/// Enough to have every kind of crash, and few enough for every test run.
const WORLDS: u64 = 150;

#[test]
fn worlds_of_crash_and_concurrency_break_no_rule() {
    let (mut moments, mut effects, mut runs) = (BTreeSet::new(), 0, 0);
    for seed in 0..WORLDS {
        let report = simulator::live(seed);
        assert!(report.broken.is_empty(), "cargo xtask sim {seed}\n{:#?}", report.broken);
        moments.extend(report.crashes.iter().map(|moment| format!("{moment:?}")));
        effects += report.effects;
        runs += report.runs;
    }
    assert_eq!(moments.len(), 4, "every moment at which a process can die was met: {moments:?}");
    assert!(runs > 300 && effects > 200, "the worlds are not empty: {runs} runs, {effects} effects");
}

#[test]
fn the_same_seed_is_the_same_history() {
    for seed in [3, 31, 67] {
        let (one, other) = (simulator::live(seed), simulator::live(seed));
        assert_eq!(one.history, other.history, "seed {seed}");
        assert_eq!(one.fingerprint, other.fingerprint, "seed {seed}");
    }
}
