//! SSH by russh: one connection for each host, everything on it a channel of its own.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use russh::client::{self, AuthResult, Config, Handle, Handler};
use russh::keys::PublicKeyOrCertificate;
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg};
use russh::{ChannelMsg, ChannelReadHalf, Preferred};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::error::RemoteError;
use crate::host::{Credential, Host};
use crate::known_hosts::{algorithms, judge};
use crate::limits::{
    CONNECT, EVENTS, FILE_MAX, HANDSHAKE, KEEPALIVE, KEEPALIVE_MAX, KEYS_MAX, PACKET, WINDOW,
};
use crate::link::{Link, Process, Stderr};
use crate::prompt::Prompt;

/// The key that a host shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// Its kind, `ssh-ed25519` for example.
    pub algorithm: String,
    /// As `SHA256:...`.
    pub fingerprint: String,
    /// Whether it is on record or pinned.
    pub known: bool,
}

/// Where a key is noted that is only looked at.
type Seen = Arc<Mutex<Option<HostKey>>>;

/// Judges the key that a host shows.
struct Judge {
    host: Host,
    seen: Option<Seen>,
}

/// An error of ours or of the library.
#[derive(Debug)]
enum Wrong {
    Ours(RemoteError),
    Theirs(russh::Error),
}

impl From<russh::Error> for Wrong {
    fn from(why: russh::Error) -> Self {
        Self::Theirs(why)
    }
}

impl Handler for Judge {
    type Error = Wrong;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Wrong> {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                let verdict = judge(&self.host, key);
                if let Some(seen) = &self.seen {
                    *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(HostKey {
                        algorithm: key.algorithm().as_str().to_owned(),
                        fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
                        known: verdict.is_ok(),
                    });
                }
                verdict.map_err(Wrong::Ours)?;
            }
            // None was asked for: which authorities to trust is not configured.
            PublicKeyOrCertificate::Certificate(_) => return Ok(false),
        }
        Ok(true)
    }
}

/// An authenticated connection, and those it goes through.
pub(crate) struct Connection {
    host: Host,
    handle: Handle<Judge>,
    through: Vec<Handle<Judge>>,
}

fn config(host: &Host) -> Config {
    let mut preferred = Preferred::default();
    let known = algorithms(host);
    let mut keys: Vec<Algorithm> = preferred.key.to_vec();
    keys.sort_by_key(|algorithm| !known.contains(algorithm));
    preferred.key = keys.into();
    Config {
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        nodelay: true,
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVE_MAX,
        preferred,
        ..Config::default()
    }
}

fn late(host: &Host, what: &'static str, limit: std::time::Duration) -> RemoteError {
    RemoteError::Timeout { host: host.endpoint(), what, limit_s: limit.as_secs() }
}

fn unreachable(host: &Host, why: impl std::fmt::Display) -> RemoteError {
    RemoteError::Unreachable { host: host.endpoint(), why: why.to_string() }
}

impl Connection {
    /// Reaches the host, through others if it says so, judges every key on the way and authenticates everywhere.
    pub(crate) async fn open(host: &Host) -> Result<Self, RemoteError> {
        host.check()?;
        let through = way(host).await?;
        let mut handle = next(through.last(), host, None).await?;
        prove(&mut handle, host).await?;
        Ok(Self { host: host.clone(), handle, through })
    }
}

/// The connections before the last one.
async fn way(host: &Host) -> Result<Vec<Handle<Judge>>, RemoteError> {
    let mut through: Vec<Handle<Judge>> = Vec::new();
    for jump in &host.jumps {
        let mut handle = next(through.last(), jump, None).await?;
        prove(&mut handle, jump).await?;
        through.push(handle);
    }
    Ok(through)
}

async fn next(
    before: Option<&Handle<Judge>>,
    host: &Host,
    seen: Option<Seen>,
) -> Result<Handle<Judge>, RemoteError> {
    match before {
        None => first(host, seen).await,
        Some(before) => further(before, host, seen).await,
    }
}

async fn prove(handle: &mut Handle<Judge>, host: &Host) -> Result<(), RemoteError> {
    timeout(HANDSHAKE, authenticate(handle, host))
        .await
        .map_err(|_| late(host, "authentication", HANDSHAKE))?
}

/// The key that a host shows, without logging in there. Credentials are needed for the hosts before it only.
///
/// # Errors
/// The host cannot be reached, or its key is not the one that is pinned or on record.
pub async fn host_key(host: &Host) -> Result<HostKey, RemoteError> {
    let through = way(host).await?;
    let seen = Seen::default();
    let shaken = next(through.last(), host, Some(Arc::clone(&seen))).await;
    let shown = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (shaken, shown) {
        (Ok(_) | Err(RemoteError::HostKeyUnknown { .. }), Some(key)) => Ok(key),
        (Ok(_), None) => Err(unreachable(host, "it shows no key")),
        (Err(error), _) => Err(error),
    }
}

/// How a host would have its user log in, by the words of RFC 4252: `publickey`, `password`, `keyboard-interactive`. Its key
/// is judged before, and nothing is tried.
///
/// # Errors
/// The host cannot be reached or is not the one that is meant.
pub async fn login_methods(host: &Host) -> Result<Vec<String>, RemoteError> {
    let through = way(host).await?;
    let mut handle = next(through.last(), host, None).await?;
    let asked = timeout(HANDSHAKE, handle.authenticate_none(host.user.as_str()))
        .await
        .map_err(|_| late(host, "authentication", HANDSHAKE))?
        .map_err(|why| unreachable(host, format!("while asking how to log in: {why}")))?;
    Ok(match asked {
        AuthResult::Success => vec!["none".to_owned()],
        AuthResult::Failure { remaining_methods, .. } => {
            remaining_methods.iter().map(|method| <&'static str>::from(method).to_owned()).collect()
        }
    })
}

async fn first(host: &Host, seen: Option<Seen>) -> Result<Handle<Judge>, RemoteError> {
    let socket = timeout(CONNECT, tokio::net::TcpStream::connect((host.address.as_str(), host.port)))
        .await
        .map_err(|_| late(host, "connecting", CONNECT))?
        .map_err(|why| unreachable(host, why))?;
    socket.set_nodelay(true).map_err(|why| unreachable(host, why))?;
    shake_hands(host, Prompt::new(socket), seen).await
}

async fn further(
    before: &Handle<Judge>,
    host: &Host,
    seen: Option<Seen>,
) -> Result<Handle<Judge>, RemoteError> {
    let open = before.channel_open_direct_tcpip(host.address.as_str(), u32::from(host.port), "127.0.0.1", 0);
    let channel = timeout(CONNECT, open)
        .await
        .map_err(|_| late(host, "connecting through the host before it", CONNECT))?
        .map_err(|why| unreachable(host, format!("through the host before it: {why}")))?;
    shake_hands(host, channel.into_stream(), seen).await
}

async fn shake_hands<S>(host: &Host, stream: S, seen: Option<Seen>) -> Result<Handle<Judge>, RemoteError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let shaken = client::connect_stream(Arc::new(config(host)), stream, Judge { host: host.clone(), seen });
    match timeout(HANDSHAKE, shaken).await {
        Err(_) => Err(late(host, "the handshake", HANDSHAKE)),
        Ok(Err(Wrong::Ours(why))) => Err(why),
        Ok(Err(Wrong::Theirs(why))) => Err(unreachable(host, why)),
        Ok(Ok(handle)) => Ok(handle),
    }
}

async fn authenticate(handle: &mut Handle<Judge>, host: &Host) -> Result<(), RemoteError> {
    let mut tried = Vec::new();
    for credential in host.credentials.iter().take(KEYS_MAX) {
        let (what, accepted) = match credential {
            Credential::Key(path) => (format!("the key {}", path.display()), key(handle, host, path).await?),
            Credential::Agent(socket) => {
                (format!("the agent at {}", socket.display()), agent(handle, host, socket).await?)
            }
            Credential::Password(password) => {
                let answer = handle.authenticate_password(host.user.as_str(), password.as_str()).await;
                ("a password".to_owned(), accepted(host, answer)?)
            }
        };
        if accepted {
            return Ok(());
        }
        tried.push(what);
    }
    Err(RemoteError::NotAccepted { host: host.endpoint(), user: host.user.clone(), tried: tried.join(", ") })
}

fn accepted(host: &Host, answer: Result<AuthResult, russh::Error>) -> Result<bool, RemoteError> {
    answer
        .map(|result| result.success())
        .map_err(|why| unreachable(host, format!("while authenticating: {why}")))
}

/// A key without a passphrase, with its certificate if there is one beside it.
async fn key(handle: &mut Handle<Judge>, host: &Host, path: &Path) -> Result<bool, RemoteError> {
    let key = Arc::new(load(path)?);
    let mut beside = path.as_os_str().to_owned();
    beside.push("-cert.pub");
    let beside = PathBuf::from(beside);
    if beside.exists() {
        let certificate = Certificate::read_file(&beside)
            .map_err(|why| RemoteError::BadKey { path: beside.clone(), why: why.to_string() })?;
        let answer =
            handle.authenticate_openssh_cert(host.user.as_str(), Arc::clone(&key), certificate).await;
        if accepted(host, answer)? {
            return Ok(true);
        }
    }
    let answer =
        handle.authenticate_publickey(host.user.as_str(), PrivateKeyWithHashAlg::new(key, None)).await;
    accepted(host, answer)
}

pub(crate) fn load(path: &Path) -> Result<PrivateKey, RemoteError> {
    let bad = |why: &str| RemoteError::BadKey { path: path.to_owned(), why: why.to_owned() };
    let meta = path.metadata().map_err(|why| bad(&why.to_string()))?;
    if meta.len() > FILE_MAX {
        return Err(bad("it is too large to be a key"));
    }
    let key = russh::keys::load_secret_key(path, None).map_err(|why| match why {
        russh::keys::Error::KeyIsEncrypted => bad("it has a passphrase; add it to an ssh-agent with ssh-add"),
        russh::keys::Error::UnsupportedKeyType { .. } => {
            bad("RSA keys are used through an ssh-agent only: add it with ssh-add, or use an ed25519 key")
        }
        other => bad(&other.to_string()),
    })?;
    if matches!(key.algorithm(), Algorithm::Rsa { .. }) {
        return Err(bad(
            "RSA keys are used through an ssh-agent only: add it with ssh-add, or use an ed25519 key",
        ));
    }
    Ok(key)
}

async fn agent(handle: &mut Handle<Judge>, host: &Host, socket: &Path) -> Result<bool, RemoteError> {
    let bad = |why: String| RemoteError::BadKey { path: socket.to_owned(), why };
    let mut agent = AgentClient::connect_uds(socket).await.map_err(|why| bad(why.to_string()))?;
    let identities = agent.request_identities().await.map_err(|why| bad(why.to_string()))?;
    for identity in identities.into_iter().take(KEYS_MAX) {
        let answer = match identity {
            AgentIdentity::PublicKey { key, .. } => {
                let hash = match key.algorithm() {
                    Algorithm::Rsa { .. } => handle.best_supported_rsa_hash().await.ok().flatten().flatten(),
                    _ => None,
                };
                handle.authenticate_publickey_with(host.user.as_str(), key, hash, &mut agent).await
            }
            AgentIdentity::Certificate { certificate, .. } => {
                handle.authenticate_certificate_with(host.user.as_str(), certificate, None, &mut agent).await
            }
        };
        // A key that the agent will not sign with is passed over.
        if answer.is_ok_and(|result| result.success()) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Link for Connection {
    fn host(&self) -> String {
        self.host.endpoint()
    }

    fn is_closed(&self) -> bool {
        self.handle.is_closed() || self.through.iter().any(Handle::is_closed)
    }

    fn start<'a>(&'a self, script: &'a str) -> BoxFuture<'a, Result<Process, RemoteError>> {
        Box::pin(async move {
            let cut = |why: russh::Error| RemoteError::Cut {
                host: self.host(),
                during: format!(" while starting a program: {why}"),
            };
            let open = async {
                let channel = self.handle.channel_open_session().await?;
                channel.exec(true, script).await?;
                Ok(channel)
            };
            let channel = timeout(HANDSHAKE, open)
                .await
                .map_err(|_| late(&self.host, "starting a program", HANDSHAKE))?
                .map_err(cut)?;
            let (reading, writing) = channel.split();
            let (send, stdout) = mpsc::channel(EVENTS);
            let (tell, exit) = oneshot::channel();
            let stderr = Stderr::default();
            tokio::spawn(listen(reading, send, stderr.clone(), tell));
            Ok(Process { stdin: Box::new(writing.make_writer()), stdout, stderr, exit })
        })
    }
}

async fn listen(
    mut channel: ChannelReadHalf,
    stdout: mpsc::Sender<bytes::Bytes>,
    stderr: Stderr,
    exit: oneshot::Sender<Option<u32>>,
) {
    let mut code = None;
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                // Nobody reads any more; go on for the exit code.
                let _unread = stdout.send(data).await;
            }
            ChannelMsg::ExtendedData { data, .. } => stderr.push(&data),
            ChannelMsg::ExitStatus { exit_status } => code = Some(exit_status),
            _ => {}
        }
    }
    drop(stdout);
    // Who does not want to know has dropped the receiver.
    let _told = exit.send(code);
}
