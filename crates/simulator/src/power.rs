//! When the process dies, and what is left when it has.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::locked;

/// Places at which a process can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// An append was asked for and is not durable.
    BeforeAppend,
    /// An append is durable and not acknowledged.
    AfterAppend,
    /// An effect was asked for and has not happened.
    BeforeEffect,
    /// An effect has happened and nobody knows.
    AfterEffect,
}

/// The power supply of one life of the process. Once cut, nothing becomes durable and nothing happens any more.
#[derive(Debug, Default)]
pub struct Power {
    cut: AtomicBool,
    noticed: Notify,
    moments: Mutex<Countdown>,
}

#[derive(Debug, Default)]
struct Countdown {
    left: Option<u32>,
    died: Option<Moment>,
}

impl Power {
    /// A supply that fails at the `after`-th moment from now (0: the first), or never.
    pub fn failing(after: Option<u32>) -> Self {
        Self { moments: Mutex::new(Countdown { left: after, died: None }), ..Self::default() }
    }

    /// Passes a moment at which the process can die. Answers whether it is alive.
    pub fn survives(&self, moment: Moment) -> bool {
        if self.is_cut() {
            return false;
        }
        let mut moments = locked(&self.moments);
        match &mut moments.left {
            Some(0) => {
                moments.died = Some(moment);
                drop(moments);
                self.cut();
                false
            }
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }

    /// Cuts it now.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        self.noticed.notify_one();
    }

    /// Whether it is cut.
    pub fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    /// At which moment it failed, if it was one of the plan.
    pub fn died_at(&self) -> Option<Moment> {
        locked(&self.moments).died
    }

    /// Resolves once it is cut.
    pub async fn fails(&self) {
        while !self.is_cut() {
            self.noticed.notified().await;
        }
    }
}

/// What a dead process does: nothing, for ever.
pub async fn dead<T>() -> T {
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_power_fails_at_the_planned_moment_and_stays_off() {
        let power = Power::failing(Some(2));
        assert!(power.survives(Moment::BeforeAppend) && power.survives(Moment::AfterAppend));
        assert!(!power.survives(Moment::BeforeEffect));
        assert!(!power.survives(Moment::AfterEffect) && power.is_cut());
        assert_eq!(power.died_at(), Some(Moment::BeforeEffect));
        assert!((0..100).all(|_| Power::failing(None).survives(Moment::BeforeAppend)));
    }
}
