//! The clock, the randomness and the user of this machine.

use std::time::Duration;

use engine::ports::{BoxFuture, Clock, Entropy};
use model::{Principal, Timestamp};

/// Longest single sleep: afterwards the wall clock is looked at again, because the machine may have slept or its clock been set.
const NAP_MAX: Duration = Duration::from_millis(500);

/// The wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            loop {
                let left = due.duration_since(Timestamp::now());
                if !left.is_positive() {
                    return;
                }
                tokio::time::sleep(left.unsigned_abs().min(NAP_MAX)).await;
            }
        })
    }
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn draw(&self) -> u128 {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system has randomness once it has started");
        u128::from_le_bytes(bytes)
    }
}

/// The operating system's user that this process runs as, by the user database and never by a variable.
///
/// A user without a name, or with one that no [`Principal`] can have, is `uid-` and the number.
pub fn user_name() -> String {
    let uid = uzers::get_current_uid();
    uzers::get_user_by_uid(uid)
        .and_then(|user| user.name().to_str().map(str::to_owned))
        .filter(|name| Principal::user(name).is_ok())
        .unwrap_or_else(|| format!("uid-{uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_can_be_a_principal() {
        assert!(Principal::user(&user_name()).is_ok());
    }
}
