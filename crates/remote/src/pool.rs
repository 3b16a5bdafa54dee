//! How much at once: overall, and for each host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{OVERALL, PER_HOST};

/// Hands out permits; a task holds one for as long as it works on a host.
pub struct Pool {
    overall: Arc<Semaphore>,
    per_host: usize,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// May work on a host until it is dropped.
#[derive(Debug)]
pub struct Permit {
    _host: OwnedSemaphorePermit,
    _overall: OwnedSemaphorePermit,
}

impl Default for Pool {
    fn default() -> Self {
        Self::new(OVERALL, PER_HOST)
    }
}

impl Pool {
    /// At most `overall` at once, at most `per_host` of them on one host; 0 counts as 1.
    pub fn new(overall: usize, per_host: usize) -> Self {
        let overall = Arc::new(Semaphore::new(overall.max(1)));
        Self { overall, per_host: per_host.max(1), hosts: Mutex::default() }
    }

    /// Waits for a turn; first come, first served. A task that waits for its host holds no place that others could use.
    pub async fn turn(&self, host: &str) -> Option<Permit> {
        let mine = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            let entry =
                hosts.entry(host.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.per_host)));
            Arc::clone(entry)
        };
        // Neither is ever closed, so there is always a turn in the end.
        let host = mine.acquire_owned().await.ok()?;
        let overall = Arc::clone(&self.overall).acquire_owned().await.ok()?;
        Some(Permit { _host: host, _overall: overall })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn neither_limit_is_exceeded_and_a_busy_host_blocks_no_other() {
        let pool = Pool::new(3, 2);
        let turn = |host: &str| pool.turn(host).now_or_never().flatten();
        let (first, second) = (turn("a"), turn("a"));
        assert!(first.is_some() && second.is_some());
        assert!(turn("a").is_none(), "two at once on one host");
        let third = turn("b");
        assert!(third.is_some(), "another host has its own limit");
        assert!(turn("c").is_none(), "three at once in all");
        drop(first);
        assert!(turn("c").is_some());
    }
}
