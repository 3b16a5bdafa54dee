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
use tokio_rustls::TlsAcceptor;
use tower::Service;

use crate::app::{App, Log};
use crate::identity::Identity;
use crate::tls::{Encryption, Tls, encryption};
use crate::{ServerError, bench, limits, routes};

/// What a server is made of.
pub struct Options {
    /// The projects it serves.
    pub projects: Vec<Project>,
    /// The machine.
    pub machine: Machine,
    /// Directory of the server's own state: who may sign in, and a certificate it makes.
    pub state: PathBuf,
    /// How it encrypts; not at all when absent.
    pub tls: Option<Tls>,
    /// Whether something in front of it encrypts, so that it may be reached without.
    pub behind_proxy: bool,
    /// Most requests of one caller within a second.
    pub requests_per_second: u32,
    /// Where its log goes.
    pub log: Log,
}

impl Options {
    /// The usual ones: state beside the first project's, no encryption, a log that nobody reads.
    pub fn new(projects: Vec<Project>, machine: Machine) -> Self {
        let root = projects.first().map(|project| project.root.clone()).unwrap_or_default();
        Self {
            state: root.join(project::layout::STATE).join("server"),
            projects,
            machine,
            tls: None,
            behind_proxy: false,
            requests_per_second: limits::REQUESTS_PER_SECOND,
            log: Arc::new(|_| {}),
        }
    }
}

/// A server that does not listen yet. Its engines are at work.
pub struct Server {
    app: Arc<App>,
    encryption: Option<Encryption>,
    behind_proxy: bool,
}

impl Server {
    /// Opens every environment and starts its engine. Must be called within a tokio runtime.
    pub fn open(options: Options) -> Result<Self, ServerError> {
        let encryption = options.tls.as_ref().map(|tls| encryption(tls, &options.state)).transpose()?;
        let benches = bench::open(&options.projects, &options.machine)?;
        let identity = Identity;
        let secure = encryption.is_some() || options.behind_proxy;
        let clock = Arc::clone(&options.machine.clock);
        let app = App::new((benches, identity), (clock, options.log), secure, options.requests_per_second);
        Ok(Self { app: Arc::new(app), encryption, behind_proxy: options.behind_proxy })
    }

    /// What its handlers share.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Listens.
    ///
    /// # Errors
    /// The address is taken, or others could read what is sent there.
    pub async fn listen(self, address: SocketAddr) -> Result<Listening, ServerError> {
        if !address.ip().is_loopback() && self.encryption.is_none() && !self.behind_proxy {
            return Err(ServerError::Unencrypted { address });
        }
        let failed = |source| ServerError::Listen { address: address.to_string(), source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Listening { server: self, listener, address })
    }
}

/// A server that listens and does not answer yet.
pub struct Listening {
    server: Server,
    listener: TcpListener,
    address: SocketAddr,
}

impl Listening {
    /// Where it is reached from this machine.
    pub fn url(&self) -> String {
        let scheme = if self.server.encryption.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
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
        self.server.app.stopping.send_replace(true);
        let Some(graceful) = Arc::into_inner(graceful) else { return Ok(()) };
        drop(tokio::time::timeout(limits::DRAIN_TIME_MAX, graceful.shutdown()).await);
        Ok(())
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
    // answers are small and whole: they are not held back to be joined with more
    drop(stream.set_nodelay(true));
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
