//! Who may sign in to the server, and who asks.
//!
//! There are no passwords. A person signs in with a one-time link, with a token, or by way of a provider of identities
//! ([`oidc`]); a program with a token. What happens to accounts, tokens, links and sessions is a journal of the server's own
//! (`DIR/journal.db`), and everything here is a fold of it, kept in memory, which follows what other processes append. Of
//! secrets there are digests only, and every one of them is 256 random bits.
//!
//! It decides who somebody is. What they may do is for `access.yaml` to say ([`Caller::may`]).
//!
//! ```
//! use std::sync::Arc;
//! use server::identity::{Identity, Presented, Scope, TokenWish};
//!
//! # futures_executor::block_on(async {
//! # let directory = tempfile::tempdir()?;
//! let (clock, entropy) = (Arc::new(project::machine::SystemClock), Arc::new(project::machine::SystemEntropy));
//! let identity = Identity::open(&directory.path().join("server"), clock, entropy)?;
//! // nobody administers it yet: whoever opens this link first will
//! let link = identity.setup().await?.expect("it is new");
//! let session = identity.use_setup(&link, "maria", None).await?;
//! let caller = identity.authenticate(&Presented::Cookie(session.cookie), session.opened)?;
//! assert_eq!(caller.principal.as_str(), "user:maria");
//! assert!(identity.setup().await?.is_none());
//!
//! let wish = TokenWish { name: "laptop".into(), ..TokenWish::default() };
//! let token = identity.issue_token(&caller, wish).await?;
//! assert!(token.secret.expose().starts_with("aedile_"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod accounts;
mod caller;
pub(crate) mod cookie;
mod csrf;
mod current;
mod error;
mod floods;
pub mod limits;
mod links;
pub mod oidc;
pub mod pages;
mod secret;
mod sessions;
mod state;
mod tokens;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use axum::http::HeaderMap;
use engine::ports::{Clock, Entropy};
use journal::events::{IdentityEvent, LoginRefused};
use journal::{Append, Expect, Journal, JournalError, NewEvent};
use model::{Principal, Timestamp};
use store::{Options, SqliteJournal};

use floods::Floods;
use state::State;

pub use accounts::AccountView;
pub use caller::{Caller, Means, Scope};
pub use csrf::Csrf;
pub use error::IdentityError;
pub use links::{LinkFor, NewLink};
pub use secret::{Presented, Secret, TOKEN_PREFIX};
pub use sessions::NewSession;
pub use tokens::{NewToken, TokenView, TokenWish};

/// What the records of the server's journal say they come from.
const SOURCE: &str = "aedile/server";
/// The stream of who administers the server.
const ADMINISTRATORS: &str = "administrators";
/// The stream of who could not sign in.
const LOGINS: &str = "logins";

/// Who may sign in to a server.
///
/// Any number of processes may have the same directory open; each sees within a moment what another one appends, and at once
/// what it appends itself.
pub struct Identity {
    directory: PathBuf,
    journal: SqliteJournal,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    state: RwLock<State>,
    /// One at a time brings the fold up to date.
    turn: Mutex<()>,
    floods: Floods,
    origin: Option<String>,
    provider: Option<oidc::Oidc>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// What a change of the journal is to be.
struct Change {
    expect: Vec<Expect>,
    events: Vec<NewEvent>,
}

impl Change {
    fn new() -> Self {
        Self { expect: Vec::new(), events: Vec::new() }
    }

    /// Only if the stream is where it was when this was decided.
    fn expecting(mut self, stream: impl Into<Arc<str>>, sequence: u64) -> Self {
        self.expect.push(Expect { stream: stream.into(), sequence });
        self
    }

    fn event(mut self, stream: impl Into<Arc<str>>, actor: &Principal, event: IdentityEvent) -> Self {
        self.events.push(NewEvent { stream: stream.into(), actor: actor.clone(), event: event.into() });
        self
    }
}

fn account_stream(account: &Principal) -> String {
    format!("account/{account}")
}

impl Identity {
    /// Opens the directory of a server, and makes it, its owner's only, where there is none.
    ///
    /// # Errors
    /// The directory or its journal cannot be used.
    pub fn open(
        directory: &Path,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, IdentityError> {
        make_private(directory)?;
        let time = Arc::clone(&clock);
        let options = Options {
            create: true,
            source: SOURCE.to_owned(),
            clock: Arc::new(move || time.now()),
            ..Options::default()
        };
        let journal = SqliteJournal::open(directory.join("journal.db"), &options)?;
        let identity = Self {
            directory: directory.to_owned(),
            journal,
            clock,
            entropy,
            state: RwLock::default(),
            turn: Mutex::default(),
            floods: Floods::default(),
            origin: None,
            provider: None,
        };
        identity.catch_up()?;
        Ok(identity)
    }

    /// The same, reached by browsers at this address: requests that change something have to come from there.
    #[must_use]
    pub fn reached_at(mut self, public: &url::Url) -> Self {
        self.origin = Some(public.origin().ascii_serialization());
        self
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        model::time::to_millisecond(self.clock.now())
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes notice of what was appended, by whichever process.
    pub fn catch_up(&self) -> Result<(), JournalError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        loop {
            let position = self.state().position;
            let records = self.journal.read(position, limits::READ_MAX)?;
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            for record in &records {
                state.apply(record, now);
            }
            if records.len() < limits::READ_MAX {
                state.forget(now);
                return Ok(());
            }
        }
    }

    /// Follows what other processes append, for as long as it is polled: the server's own task.
    pub async fn follow(&self) -> JournalError {
        loop {
            let position = self.state().position;
            if let Err(error) = self.journal.changed(position).await {
                return error;
            }
            if let Err(error) = self.catch_up() {
                return error;
            }
        }
    }

    /// Decides what to append by what is so, and decides again where somebody else was faster.
    async fn change(
        &self,
        about: &str,
        decide: impl Fn(&State) -> Result<Change, IdentityError>,
    ) -> Result<(), IdentityError> {
        for _ in 0..limits::CONFLICTS_MAX {
            self.catch_up()?;
            let Change { expect, events } = decide(&self.state())?;
            if events.is_empty() {
                return Ok(());
            }
            match self.journal.append(Append { expect, events, at: None }).await {
                Ok(_) => return Ok(self.catch_up()?),
                Err(JournalError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy(about.to_owned()))
    }

    /// Finds out who asks.
    ///
    /// # Errors
    /// What was presented is good for nothing, or its account is disabled.
    pub fn authenticate(&self, presented: &Presented, now: Timestamp) -> Result<Caller, IdentityError> {
        match self.known(presented, now) {
            // another process may have admitted them a moment ago
            Err(IdentityError::NotSignedIn) if !matches!(presented, Presented::Nothing) => {
                self.catch_up()?;
                self.known(presented, now)
            }
            known => known,
        }
    }

    fn known(&self, presented: &Presented, now: Timestamp) -> Result<Caller, IdentityError> {
        match presented {
            Presented::Nothing => Err(IdentityError::NotSignedIn),
            Presented::Token(secret) => self.by_token(secret, now),
            Presented::Cookie(secret) => self.by_cookie(secret, now),
        }
    }

    fn by_token(&self, secret: &Secret, now: Timestamp) -> Result<Caller, IdentityError> {
        let state = self.state();
        let (id, token) = state
            .token_of(&secret.digest())
            .filter(|(_, token)| token.expires > now)
            .ok_or(IdentityError::NotSignedIn)?;
        let account = state.accounts.get(&token.account).ok_or(IdentityError::NotSignedIn)?;
        if !account.enabled {
            return Err(IdentityError::Disabled(token.account.clone()));
        }
        token.used.store(now.as_millisecond(), Ordering::Relaxed);
        Ok(Caller {
            principal: token.account.clone(),
            via: token.via.clone(),
            groups: account.groups_at(now).to_vec(),
            scope: Scope::from(&token.scope),
            means: Means::Token(id),
            administrator: state.administrators.contains(&token.account),
            expires: token.expires,
        })
    }

    /// Whether a request that changes something came from a page of this server, as far as the browser says.
    ///
    /// # Errors
    /// It came from elsewhere.
    pub fn check_origin(&self, headers: &HeaderMap) -> Result<(), IdentityError> {
        csrf::check_origin(headers, self.origin.as_deref())
    }

    /// Counts a failed login, and records it unless there is a flood of them. Answers with `error`, or with what to tell to
    /// somebody who fails too often.
    pub(crate) async fn refuse(
        &self,
        error: IdentityError,
        from: Option<IpAddr>,
        account: Option<&Principal>,
    ) -> IdentityError {
        if let Some(unrecorded) = self.floods.recorded() {
            let refused = LoginRefused {
                why: model::Coded::code(&error).id.to_owned(),
                from: from.map(|from| from.to_canonical().to_string()),
                account: account.cloned(),
                unrecorded,
            };
            let event = IdentityEvent::LoginRefused(refused);
            let change = Change::new().event(LOGINS, &Principal::system(), event);
            let append = Append { expect: change.expect, events: change.events, at: None };
            // the answer to somebody who is not let in does not depend on whether there is room for a note of it
            drop(self.journal.append(append).await);
        }
        self.floods.failed(from, account).err().unwrap_or(error)
    }
}

/// Makes a directory with everything above it, its owner's only; one that is there must not be others' to write.
fn make_private(directory: &Path) -> Result<(), IdentityError> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    let failed = |source| IdentityError::Directory { path: directory.display().to_string(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    let mode = fs_err::metadata(directory).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        let own = std::fs::Permissions::from_mode(mode & !0o077);
        fs_err::set_permissions(directory, own).map_err(failed)?;
    }
    Ok(())
}
