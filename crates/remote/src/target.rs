//! The seam: where effects land.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use runner::limits::BODY_MAX;
use runner::protocol::{Effect, GREETING, Grants};
use runner::serve::{Options, serve};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::sync::{Mutex, mpsc};

use crate::error::RemoteError;
use crate::host::Host;
use crate::limits::{ATTEMPTS, BACKOFF, EVENTS, SPARE};
use crate::link::Link;
use crate::session::{Reply, Request, Session, Streams};
use crate::ssh::Connection;
use crate::system::System;
use crate::upload::{Runner, Start, bring_up};

/// Where effects land.
///
/// Contract: every session holds exactly the grants it was opened with; sessions are independent, and can be open at the same
/// time; when a target cannot be reached, nothing was done; when it is lost, [`RemoteError::Cut`] says so and nothing is
/// repeated by itself.
pub trait Target: Send + Sync {
    /// What people call it.
    fn name(&self) -> &str;
    /// Opens a session.
    fn open(&self, grants: Grants) -> BoxFuture<'_, Result<Session, RemoteError>>;
}

/// This machine, without another process.
#[derive(Debug, Default)]
pub struct Local {
    start: Start,
}

impl Local {
    /// This machine. Of `start` only the lifetime applies.
    pub fn new(start: Start) -> Self {
        Self { start }
    }
}

impl Target for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn open(&self, grants: Grants) -> BoxFuture<'_, Result<Session, RemoteError>> {
        Box::pin(async move {
            let bad = |why: std::io::Error| RemoteError::Protocol {
                host: "local".to_owned(),
                why: why.to_string(),
            };
            let (theirs_in, ours_out) = std::io::pipe().map_err(bad)?;
            let (ours_in, theirs_out) = std::io::pipe().map_err(bad)?;
            let options = Options { lifetime: self.start.lifetime, delete: None };
            std::thread::spawn(move || serve(theirs_in, theirs_out, &options));
            let outgoing = pipe::Sender::from_owned_fd(ours_out.into()).map_err(bad)?;
            let mut reading = pipe::Receiver::from_owned_fd(ours_in.into()).map_err(bad)?;
            let mut greeting = vec![0; GREETING.len()];
            reading.read_exact(&mut greeting).await.map_err(bad)?;
            let (send, incoming) = mpsc::channel(EVENTS);
            tokio::spawn(async move {
                let mut buffer = vec![0; BODY_MAX];
                while let Ok(read) = reading.read(&mut buffer).await {
                    if read == 0 || send.send(Bytes::copy_from_slice(&buffer[..read])).await.is_err() {
                        return;
                    }
                }
            });
            let host = "local".to_owned();
            Session::open(Streams { host, first: Vec::new(), incoming, outgoing: Box::new(outgoing) }, grants)
                .await
        })
    }
}

/// What carries SSH.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// In this process; one connection for all sessions with a host.
    #[default]
    BuiltIn,
    /// The system's `ssh`, one connection for each session.
    System,
}

/// A host reached by SSH.
pub struct Remote {
    host: Host,
    transport: Transport,
    runner: Runner,
    start: Start,
    link: Mutex<Kept>,
    /// A runner that has no grants yet, for who opens a session.
    spare: Arc<Mutex<Spare>>,
}

/// What was started ahead, or why it could not be, and since when it waits.
type Spare = Option<(Result<Streams, RemoteError>, Instant)>;

/// What is left of the last attempt to connect.
#[derive(Default)]
enum Kept {
    #[default]
    Nothing,
    Link(Arc<dyn Link>),
    /// It failed, and who wants a session has not heard of it yet.
    Failed(RemoteError),
}

impl Remote {
    /// Nothing is connected yet.
    pub fn new(host: Host, transport: Transport, runner: Runner, start: Start) -> Self {
        Self { host, transport, runner, start, link: Mutex::default(), spare: Arc::default() }
    }

    /// Connects, so that a session that is asked for soon is opened sooner. What goes wrong is told to who asks for one.
    pub async fn connect(&self) {
        let mut kept = self.link.lock().await;
        if matches!(&*kept, Kept::Link(link) if !link.is_closed()) {
            return;
        }
        *kept = match self.connected().await {
            Ok(link) => Kept::Link(link),
            Err(error) => Kept::Failed(error),
        };
    }

    /// Connects and starts a runner, so that a session that is asked for soon is opened at once. Without grants the runner can
    /// do nothing until then, and it ends if nobody asks within [`SPARE`]. What goes wrong is told to who asks.
    /// Nothing is waited for. Must be called within a tokio runtime.
    pub fn prepare(self: &Arc<Self>) {
        // taken now, so that who opens a session in the next moment waits for this runner and starts none
        let Ok(mut spare) = Arc::clone(&self.spare).try_lock_owned() else { return };
        if spare.is_some() {
            return;
        }
        let starting = Arc::clone(self);
        tokio::spawn(async move {
            *spare = Some((starting.started().await, Instant::now()));
            drop(spare);
            let this = Arc::downgrade(&starting);
            drop(starting);
            tokio::time::sleep(SPARE).await;
            let Some(this) = this.upgrade() else { return };
            let unused = this.spare.lock().await.take_if(|(_, since)| since.elapsed() >= SPARE);
            if let Some((Ok(streams), _)) = unused {
                // a session tells its runner when it ends
                drop(Session::open(streams, Grants::default()).await);
            }
        });
    }

    async fn started(&self) -> Result<Streams, RemoteError> {
        let link = self.link().await?;
        bring_up(&*link, &self.runner, &self.start).await
    }

    async fn link(&self) -> Result<Arc<dyn Link>, RemoteError> {
        let mut kept = self.link.lock().await;
        match std::mem::take(&mut *kept) {
            Kept::Failed(error) => return Err(error),
            Kept::Link(link) if !link.is_closed() => {
                *kept = Kept::Link(Arc::clone(&link));
                return Ok(link);
            }
            Kept::Link(_) | Kept::Nothing => {}
        }
        let link = self.connected().await?;
        *kept = Kept::Link(Arc::clone(&link));
        Ok(link)
    }

    async fn connected(&self) -> Result<Arc<dyn Link>, RemoteError> {
        Ok(match self.transport {
            Transport::BuiltIn => Arc::new(Connection::open(&self.host).await?),
            Transport::System => Arc::new(System::new(&self.host)?),
        })
    }

    /// Carries out one command in a session of its own. If the connection is cut or cannot be made, it is tried again after a
    /// growing pause, but only if the command can be repeated; what has effect once is tried once.
    pub async fn run(&self, grants: &Grants, request: &Request) -> Result<Reply, RemoteError> {
        let mut pause = BACKOFF;
        for attempt in 1.. {
            let once = async { self.open(grants.clone()).await?.run(request.clone()).await };
            match once.await {
                Err(RemoteError::Cut { .. } | RemoteError::Unreachable { .. })
                    if attempt < ATTEMPTS && request.op.effect() != Effect::Once =>
                {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                other => return other,
            }
        }
        Err(RemoteError::Unreachable { host: self.host.endpoint(), why: "it was not tried".to_owned() })
    }
}

impl Target for Remote {
    fn name(&self) -> &str {
        &self.host.name
    }

    fn open(&self, grants: Grants) -> BoxFuture<'_, Result<Session, RemoteError>> {
        Box::pin(async move {
            let spare = self.spare.lock().await.take();
            if let Some((spare, _)) = spare {
                let streams = spare?;
                // one that is gone by now was asked for nothing
                if !streams.incoming.is_closed()
                    && let Ok(session) = Session::open(streams, grants.clone()).await
                {
                    return Ok(session);
                }
            }
            Session::open(self.started().await?, grants).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NewKeys, RemoteError};

    /// A host that nobody answers for.
    fn nowhere() -> Remote {
        let host = Host {
            name: "web".to_owned(),
            address: "127.0.0.1".to_owned(),
            port: 1,
            user: "maria".to_owned(),
            credentials: Vec::new(),
            known_hosts: Vec::new(),
            pin: None,
            new_keys: NewKeys::Refuse,
            jumps: Vec::new(),
        };
        let runner = Runner::load(&std::env::current_exe().expect("a path")).expect("a program");
        Remote::new(host, Transport::BuiltIn, runner, Start::default())
    }

    async fn refused(remote: &Remote) -> String {
        match remote.open(Grants::default()).await {
            Ok(_) => panic!("nobody is there"),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn a_runner_that_was_started_ahead_and_is_gone_is_not_used() {
        let remote = nowhere();
        let (_, incoming) = mpsc::channel(1);
        let outgoing = Box::new(tokio::io::sink());
        let gone = Streams { host: "web".to_owned(), first: Vec::new(), incoming, outgoing };
        *remote.spare.lock().await = Some((Ok(gone), Instant::now()));
        let error = refused(&remote).await;
        assert!(error.contains("to log in with"), "a new one is tried: {error}");
    }

    #[tokio::test]
    async fn why_none_could_be_started_ahead_is_told_once() {
        let remote = nowhere();
        let why = RemoteError::BadHost { what: "tried ahead".to_owned() };
        *remote.spare.lock().await = Some((Err(why), Instant::now()));
        assert!(refused(&remote).await.contains("tried ahead"));
        assert!(!refused(&remote).await.contains("tried ahead"), "the next one tries anew");
    }
}
