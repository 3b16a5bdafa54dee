//! What may be tried again, and after how long.

use jiff::SignedDuration;
use model::{Digest, Problem};

use super::Options;
use crate::limits;

/// What a failure means for another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// It may work the next time.
    Transient,
    /// It will not work, however often it is tried.
    Permanent,
}

/// By the problem alone, because that is what the journal has: time-outs, connections that broke, and answers that say
/// "later" may pass; everything else is as it is.
pub(super) fn class(problem: &Problem) -> Class {
    let later = matches!(problem.status, 408 | 425 | 429 | 502 | 503 | 504);
    let broken = problem.is_standard("communication") && problem.status == 500;
    if later || broken { Class::Transient } else { Class::Permanent }
}

/// Whether the effect may have happened although it failed.
pub(super) fn may_have_happened(problem: &Problem) -> bool {
    // 503: nothing was begun
    let answered = ((400..500).contains(&problem.status) && problem.status != 408) || problem.status == 503;
    (problem.is_standard("timeout") || problem.is_standard("communication")) && !answered
}

/// The pause before attempt `tries + 1`: full jitter, drawn between nothing and a bound that doubles with every try, the
/// same on every replay.
pub(super) fn pause(options: &Options, seed: &str, tries: u32, problem: &Problem) -> SignedDuration {
    let bound = bound(options, tries);
    let digest = Digest::of(format!("{seed}#{tries}").as_bytes());
    let drawn = digest.as_bytes()[..8].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let asked = retry_after(problem);
    let millis = asked.unwrap_or(0).saturating_add(drawn % (bound + 1));
    SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

fn bound(options: &Options, tries: u32) -> u64 {
    let doubled = options.retry_millis.saturating_mul(1 << (tries.saturating_sub(1)).min(30));
    doubled.min(limits::RETRY_PAUSE_MILLIS_MAX)
}

/// How long the other side asked to be left alone.
fn retry_after(problem: &Problem) -> Option<u64> {
    problem.retry_after_ms.map(|millis| millis.min(limits::RETRY_AFTER_MILLIS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infrastructure_18_pauses_grow_in_their_bounds_and_honour_what_was_asked() {
        let options = Options::default();
        assert_eq!(
            (1..=4).map(|tries| bound(&options, tries)).collect::<Vec<_>>(),
            [1_000, 2_000, 4_000, 8_000]
        );
        assert_eq!(bound(&options, 4_000), limits::RETRY_PAUSE_MILLIS_MAX);
        let problem = Problem::communication("x");
        for tries in 1..=8 {
            let pause = |seed: &str| pause(&options, seed, tries, &problem).as_millis();
            assert!(pause("a") <= i128::from(bound(&options, tries)));
            assert_eq!(pause("a"), pause("a"), "the same on replay");
        }
        let spread: std::collections::BTreeSet<_> =
            (0..100).map(|n| pause(&options, &format!("run{n}"), 3, &problem).as_millis()).collect();
        assert!(spread.len() > 50, "hosts do not come back all at once");
        let throttled = Problem { retry_after_ms: Some(7_000), ..problem.with_status(429) };
        assert!(pause(&options, "a", 1, &throttled).as_millis() >= 7_000);
    }

    #[test]
    fn only_what_may_pass_is_transient() {
        for (problem, wanted) in [
            (Problem::communication("connection reset"), Class::Transient),
            (Problem::timeout("10 s"), Class::Transient),
            (Problem::runtime("busy").with_status(503), Class::Transient),
            (Problem::communication("throttled").with_status(429), Class::Transient),
            (Problem::authorization("denied"), Class::Permanent),
            (Problem::runtime("disk full"), Class::Permanent),
            (Problem::validation("bad"), Class::Permanent),
            (Problem::communication("conflict").with_status(409), Class::Permanent),
        ] {
            assert_eq!(class(&problem), wanted, "{problem}");
        }
    }
}
