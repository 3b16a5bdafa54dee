//! Whether somebody who came in a while ago would be let in now.

use model::Timestamp;

use super::{Caller, Identity, Means};

impl Identity {
    /// Whether a caller still is who they were when they came: for answers that go on and on. Being asked is no use of a session.
    pub fn is_current(&self, caller: &Caller, now: Timestamp) -> bool {
        let state = self.state();
        let known = match &caller.means {
            Means::Token(id) => state.tokens.contains_key(id),
            Means::Session { id, .. } => state.sessions.contains_key(id),
        };
        known
            && caller.expires > now
            && state.accounts.get(&caller.principal).is_some_and(|account| account.enabled)
    }
}
