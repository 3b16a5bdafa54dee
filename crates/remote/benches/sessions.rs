//! What a session costs: from the request to a runner that is ready, on an OpenSSH server on loopback whose handshake is
//! over; the one upload of the runner; and the memory of 1,000 sessions held by one process, against SSH servers inside it.
//! Ends with an error when one of the promises is not held.
//!
//! `AEDILE_RUNNER` names the runner that is brought to the host, as it is released (`cargo xtask bench` builds it).

#![allow(clippy::print_stdout, reason = "a benchmark says what it measured")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use remote::{Credential, Host, Remote, Request, Runner, Session, Start, Target as _, Transport};
use runner::limits::HEAD_MAX;
use runner::protocol::{
    Answer, Bounds, Done, Farewell, FromRunner, GREETING, Grants, Op, Outcome, Ready, Reason, ToRunner,
    VERSION,
};
use runner::wire::{Decoder, encode};
use russh::keys::{Algorithm, PrivateKey};
use russh::server::{self, Auth, ChannelOpenHandle, Msg, VerifiedPublicKey};
use russh::{Channel, ChannelId};
use tokio::net::TcpListener;

/// From the request to READY, on a connection that is there.
const START_MAX: Duration = Duration::from_millis(50);
/// Sessions held at the same time.
const SESSIONS: usize = 1_000;
/// What the process that holds them may have resident in MiB, its own SSH servers included.
const RESIDENT_MAX: u64 = 500;
/// How often a session is started; the median counts.
const ROUNDS: usize = 21;
/// Handshakes under way at the same time.
const AT_ONCE: usize = 32;

fn look() -> Request {
    Request::new(
        Op::Stat { path: "/etc/passwd".into(), digest: false, follow: false },
        Duration::from_mins(1),
    )
}

fn grants() -> Grants {
    Grants { read: vec!["/etc".into()], ..Grants::default() }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The time from asking for a session to having it.
async fn opened(remote: &Remote) -> (Duration, Session) {
    let begun = Instant::now();
    let session = remote.open(grants()).await.expect("the host is there");
    (begun.elapsed(), session)
}

/// Start to ready, beyond the handshake.
async fn start() {
    let Some(sshd) = support::Sshd::start("") else { return };
    let runner = match std::env::var_os("AEDILE_RUNNER") {
        Some(_) => Runner::find().expect("the runner is there"),
        None => support::runner(),
    };
    let made = || Remote::new(sshd.host(), Transport::BuiltIn, runner.clone(), Start::default());
    let cache = sshd.path("home/.cache/aedile").join(format!("runner-{}", runner.sha256()));
    let first = made();
    let (with_upload, session) = opened(&first).await;
    session.close().await;
    let written = std::fs::metadata(&cache).expect("the runner is on the host now");
    let (mut whole, mut beyond) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let remote = made();
        let (both, session) = opened(&remote).await;
        session.close().await;
        let (started, session) = opened(&remote).await;
        session.close().await;
        whole.push(both);
        beyond.push(started);
    }
    whole.sort_unstable();
    beyond.sort_unstable();
    let again = std::fs::metadata(&cache).expect("it still is");
    let same = written.modified().ok() == again.modified().ok();
    println!("runner of {} KiB, uploaded once for the host and version: {same}", again.len() >> 10);
    println!("connect, upload and start: {:.1} ms", milliseconds(with_upload));
    println!("connect and start: median {:.1} ms", milliseconds(whole[ROUNDS / 2]));
    println!(
        "start to ready beyond the handshake: median {:.1} ms, fastest {:.1} ms (at most {} ms)",
        milliseconds(beyond[ROUNDS / 2]),
        milliseconds(beyond[0]),
        START_MAX.as_millis()
    );
    assert!(same, "the runner was uploaded again");
    assert!(beyond[ROUNDS / 2] <= START_MAX, "a session takes longer to be ready than it may");
}

/// An SSH server in this process that takes every key, and answers like a runner whatever is started.
#[derive(Default)]
struct InProcess {
    decoder: Option<Decoder>,
    /// Keeps the channel open.
    channel: Option<Channel<Msg>>,
}

fn ready() -> FromRunner {
    FromRunner::Ready(Ready {
        protocol_min: VERSION,
        protocol_max: VERSION,
        version: "0".to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        uid: 0,
        pid: 1,
        lifetime_ms: 1,
        limits: Bounds { head_max: HEAD_MAX, body_max: 1, window: 1, streams_max: 1, pending_max: 1 },
    })
}

fn frame(message: &FromRunner) -> Vec<u8> {
    encode(message, &[], HEAD_MAX).expect("it is small")
}

impl server::Handler for InProcess {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut server::Session,
    ) -> Result<(), Self::Error> {
        self.channel = Some(channel);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _: &[u8],
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)?;
        let mut bytes = GREETING.to_vec();
        bytes.extend(frame(&ready()));
        self.decoder = Some(Decoder::new(HEAD_MAX));
        session.data(channel, bytes)
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        decoder.push(data);
        while let Ok(Some(found)) = decoder.next_frame() {
            match found.message::<ToRunner>() {
                Ok(ToRunner::Run(command)) => {
                    let outcome = Outcome::Ok(Answer::Stat { file: None });
                    let done = Done { id: command.id, replayed: false, elapsed_ms: 0, outcome };
                    session.data(channel, frame(&FromRunner::Done(done)))?;
                }
                Ok(ToRunner::Exit) => {
                    let farewell = Farewell {
                        commands_total: 1,
                        faults_total: 0,
                        self_deleted: false,
                        reason: Reason::Asked,
                    };
                    session.data(channel, frame(&FromRunner::Exit(farewell)))?;
                    session.close(channel)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A server on a free port, and its key as clients pin it.
async fn serve() -> (u16, String) {
    let key =
        PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).expect("a key is made");
    let pin = key.public_key().fingerprint(russh::keys::HashAlg::Sha256).to_string();
    let config = Arc::new(server::Config { keys: vec![key], nodelay: true, ..server::Config::default() });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let config = Arc::clone(&config);
            tokio::spawn(async move {
                if let Ok(running) = server::run_stream(config, stream, InProcess::default()).await {
                    // a client that is gone has ended its session
                    let _ended = running.await;
                }
            });
        }
    });
    (port, pin)
}

/// What of this process is in memory, in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() >> 10
}

/// A thousand hosts, a connection and a session each, held open and used at the same time.
async fn thousand() {
    let directory = tempfile::tempdir().expect("a directory is made");
    let key = directory.path().join("key");
    support::keygen(&key, "ed25519");
    let program = directory.path().join("runner");
    // as much of a program as tells what it was built for; none of it is run
    let machine = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    let mut bytes = b"\x7fELF".to_vec();
    bytes.resize(18, 0);
    bytes.extend([machine, 0]);
    std::fs::write(&program, bytes).expect("it is written");
    let runner = Runner::load(&program).expect("it looks like one");
    let (port, pin) = serve().await;
    let before = resident();
    let begun = Instant::now();
    let mut held: Vec<(Remote, Session)> = Vec::new();
    while held.len() < SESSIONS {
        let opening = (0..AT_ONCE.min(SESSIONS - held.len())).map(|_| {
            let host = Host {
                port,
                credentials: vec![Credential::Key(key.clone())],
                pin: Some(pin.clone()),
                ..Host::new("127.0.0.1", "somebody")
            };
            let remote = Remote::new(host, Transport::BuiltIn, runner.clone(), Start::default());
            async move {
                let session = remote.open(grants()).await.expect("it answers");
                (remote, session)
            }
        });
        held.extend(futures_util::future::join_all(opening).await);
    }
    let opened = begun.elapsed();
    let begun = Instant::now();
    let replies = futures_util::future::join_all(held.iter().map(|(_, session)| session.run(look()))).await;
    let asked = begun.elapsed();
    let answered = replies.iter().filter(|reply| reply.is_ok()).count();
    let after = resident();
    println!("{answered} of {SESSIONS} sessions answer; opened in {opened:.1?}, all asked in {asked:.1?}");
    println!(
        "resident: {after} MiB with both sides of every connection, {before} MiB before (at most {RESIDENT_MAX} MiB)"
    );
    assert_eq!(answered, SESSIONS, "a session does not answer");
    assert!(after <= RESIDENT_MAX, "the sessions need more memory than they may");
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads are there");
    runtime.block_on(start());
    runtime.block_on(thousand());
}
