//! The clock, the randomness and the user of this machine.

use model::Principal;

pub use host::{SystemClock, SystemEntropy};

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
