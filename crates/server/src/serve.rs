//! Listening, accepting, and stopping.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use project::{Machine, Project};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::Service;

use crate::app::{App, Log};
use crate::config::Settings;
use crate::identity::Identity;
use crate::identity::oidc::Oidc;
use crate::presence::Presence;
use crate::tls::{Encryption, encryption};
use crate::{ServerError, bench, limits, routes, schedules, sockets};

/// What a server is made of.
pub struct Options {
    /// The projects it serves.
    pub projects: Vec<Project>,
    /// The machine.
    pub machine: Machine,
    /// Directory of the server's own state: who may sign in, and a certificate it makes.
    pub state: PathBuf,
    /// Its settings.
    pub settings: Settings,
    /// Where its log goes.
    pub log: Log,
}

/// Where a server keeps its own state when nobody says where: beside that of the first project's environments.
pub fn default_state(projects: &[Project]) -> PathBuf {
    let root = projects.first().map(|project| project.root.clone()).unwrap_or_default();
    // no environment has this name: none begins with a dot
    root.join(project::layout::STATE).join(".server")
}

impl Options {
    /// The usual ones: state beside the first project's, no encryption, a log that nobody reads.
    pub fn new(projects: Vec<Project>, machine: Machine) -> Self {
        let state = default_state(&projects);
        Self { projects, machine, state, settings: Settings::default(), log: Arc::new(|_| {}) }
    }
}

/// A server that does not listen yet. Its engines are at work.
pub struct Server {
    app: Arc<App>,
    encryption: Option<Encryption>,
    settings: Settings,
    address: SocketAddr,
}

impl Server {
    /// Opens every environment and starts its engine. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// An environment, the server's own state or its certificate cannot be used, or others could read what is sent to `address`.
    pub fn open(options: Options, address: SocketAddr) -> Result<Self, ServerError> {
        let Options { projects, machine, state, settings, log } = options;
        if !address.ip().is_loopback() && settings.tls.is_none() && !settings.behind_proxy {
            return Err(ServerError::Unencrypted { address });
        }
        let mut identity = Identity::open(&state, Arc::clone(&machine.clock), Arc::clone(&machine.entropy))?;
        if let Some(url) = &settings.public_url {
            identity = identity.reached_at(url);
            if let Some(oidc) = &settings.oidc {
                let (clock, entropy) = (Arc::clone(&machine.clock), Arc::clone(&machine.entropy));
                identity = identity.with_provider(Oidc::new(oidc.clone(), url, clock, entropy)?);
            }
        }
        let encryption = settings.tls.as_ref().map(|tls| encryption(tls, &state)).transpose()?;
        let secure = encryption.is_some() || settings.behind_proxy;
        let benches = bench::open(&projects, &machine)?;
        let app = App::new((benches, identity), (machine, log), secure, &settings);
        Ok(Self { app: Arc::new(app), encryption, settings, address })
    }

    /// What its handlers share.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Listens.
    ///
    /// # Errors
    /// The address is taken, or the directory is served already.
    pub async fn listen(self) -> Result<Listening, ServerError> {
        let failed = |source| ServerError::Listen { address: self.address.to_string(), source };
        let listener = TcpListener::bind(self.address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let scheme = if self.encryption.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{address}");
        let public =
            self.settings.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
        let public = public.unwrap_or_else(|| url.clone());
        let presence = Presence::enter(self.app.identity.directory(), &public)?;
        Ok(Listening { server: self, listener, url, public, presence })
    }
}

/// A server that listens and does not answer yet.
pub struct Listening {
    server: Server,
    listener: TcpListener,
    url: String,
    public: String,
    presence: Presence,
}

impl Listening {
    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where browsers reach it.
    pub fn public_url(&self) -> &str {
        &self.public
    }

    /// The fingerprint of the certificate, for people to compare.
    pub fn fingerprint(&self) -> Option<&str> {
        self.server.encryption.as_ref().map(|encryption| encryption.fingerprint.as_str())
    }

    /// What its handlers share.
    pub fn app(&self) -> &Arc<App> {
        &self.server.app
    }

    /// Answers until `stop` resolves; then lets requests under way end, for ten seconds at most.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
        let router = routes::router(Arc::clone(&self.server.app));
        let acceptor = self.server.encryption.as_ref().map(|it| TlsAcceptor::from(Arc::clone(&it.config)));
        let room = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
        let graceful = Arc::new(GracefulShutdown::new());
        let _kept = self.keep();
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&self.listener, &room) => accepted,
            };
            let Some((stream, peer, permit)) = accepted else { continue };
            let connection =
                Connection { router: router.clone(), peer, graceful: Arc::clone(&graceful), permit };
            tokio::spawn(connection.carry(stream, acceptor.clone()));
        }
        drop(self.listener);
        drop(self.presence);
        self.server.app.stopping.send_replace(true);
        let Some(graceful) = Arc::into_inner(graceful) else { return Ok(()) };
        drop(tokio::time::timeout(limits::DRAIN_TIME_MAX, graceful.shutdown()).await);
        Ok(())
    }
}

impl Listening {
    /// What goes on beside the answers: who may sign in is followed, schedules are kept. Ends when the answer is dropped.
    fn keep(&self) -> JoinSet<()> {
        let mut kept = JoinSet::new();
        let app = Arc::clone(&self.server.app);
        kept.spawn(async move {
            loop {
                let error = app.identity.follow().await;
                (app.log)(&format!("the server's own journal: {error}"));
                tokio::time::sleep(limits::HEARTBEAT).await;
            }
        });
        if self.server.settings.schedules {
            for bench in self.server.app.all() {
                kept.spawn(schedules::keep(Arc::clone(bench), Arc::clone(&self.server.app.log)));
            }
        }
        kept
    }
}

type Accepted = (TcpStream, SocketAddr, OwnedSemaphorePermit);

/// The next connection, once there is room for one.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> Option<Accepted> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    let Ok((stream, peer)) = listener.accept().await else {
        // out of file descriptors, most likely: some will be free in a moment
        tokio::time::sleep(Duration::from_millis(100)).await;
        return None;
    };
    // what cannot be set is as the system has it
    drop(sockets::prepare(&stream));
    Some((stream, peer, permit))
}

struct Connection {
    router: Router,
    peer: SocketAddr,
    graceful: Arc<GracefulShutdown>,
    permit: OwnedSemaphorePermit,
}

impl Connection {
    async fn carry(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        let Some(acceptor) = acceptor else { return self.answer(stream).await };
        let handshake = tokio::time::timeout(limits::HANDSHAKE_TIME_MAX, acceptor.accept(stream));
        if let Ok(Ok(stream)) = handshake.await {
            self.answer(stream).await;
        }
    }

    async fn answer(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let (router, peer) = (self.router, self.peer);
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().call(request)
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits::HEAD_TIME_MAX)
            .max_buf_size(limits::HEAD_BYTES_MAX)
            .max_headers(limits::HEADERS_MAX)
            .half_close(false);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let watched = self.graceful.watch(connection);
        drop(self.graceful);
        // what breaks on the way is the client's business, who will see it
        drop(watched.await);
        drop(self.permit);
    }
}
