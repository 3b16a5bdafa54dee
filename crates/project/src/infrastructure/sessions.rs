//! The sessions of runs that apply plans: one for each run and host, with the rights that the plan discloses for that host
//! and no others, shared by all changes there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use model::RunId;
use plan::Host;
use provider::Rights;
use remote::{RemoteError, Session};
use tokio::sync::OnceCell;

use super::fleet::Fleet;
use crate::limits;

/// A session and what it may do.
pub(super) struct Shared {
    pub(super) session: Session,
    pub(super) rights: Rights,
    opened: Instant,
}

impl Shared {
    fn is_over(&self) -> bool {
        self.session.is_closed() || self.opened.elapsed() >= limits::SESSION_LIFE
    }
}

type Cell = Arc<OnceCell<Arc<Shared>>>;

#[derive(Default)]
pub(super) struct Sessions {
    open: Mutex<HashMap<(RunId, Host), (Cell, Instant)>>,
}

impl Sessions {
    /// The session of a run with a host; it is opened by whoever asks first.
    pub(super) async fn of(
        &self,
        (run, host): (RunId, &Host),
        fleet: &Fleet,
        rights: impl FnOnce() -> Rights,
    ) -> Result<Arc<Shared>, RemoteError> {
        let cell = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            // runs end without telling, and a session that nobody uses costs its host a process
            open.retain(|_, (_, used)| used.elapsed() < limits::SESSION_IDLE);
            let entry = open.entry((run, host.clone())).or_insert_with(|| (Cell::default(), Instant::now()));
            // one that is lost, or about to reach the end of its runner's life, is not handed out any more
            let over = entry.0.get().is_some_and(|shared| shared.is_over());
            if over {
                entry.0 = Cell::default();
            }
            entry.1 = Instant::now();
            Arc::clone(&entry.0)
        };
        let open = || async {
            let rights = rights();
            let session = fleet.open(host, rights.clone()).await?;
            Ok(Arc::new(Shared { session, rights, opened: Instant::now() }))
        };
        cell.get_or_try_init(open).await.cloned()
    }
}
