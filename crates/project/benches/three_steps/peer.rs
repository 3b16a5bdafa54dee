//! Restate, single node, and a service of its Node SDK with the same three steps; talked to over HTTP with kept connections.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Where `npm install` put Restate.
const DIRECTORY: &str = "AEDILE_BENCH_RESTATE";

/// Where Restate listens unless it is told otherwise.
const INGRESS: &str = "127.0.0.1:8080";
const ADMIN: &str = "127.0.0.1:9070";

/// Where the service listens.
const SERVICE_PORT: &str = "39580";

/// A server and a service; stopped when dropped.
pub(crate) struct Restate(Vec<Child>);

impl Drop for Restate {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // what has ended already is as good as stopped
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Restate {
    /// Starts both with their state in `directory`, if Restate is installed.
    pub(crate) async fn start(directory: &Path) -> Option<Self> {
        let installed = std::path::PathBuf::from(std::env::var_os(DIRECTORY)?);
        let program = std::fs::canonicalize(
            installed.join("node_modules/@restatedev/restate-server-linux-x64/bin/restate-server"),
        )
        .ok()?;
        if TcpStream::connect(INGRESS).await.is_ok() {
            println!("something listens on {INGRESS} already: Restate is left out");
            return None;
        }
        let mut server = Command::new(program);
        server.arg("--base-dir").arg(directory).args(["--listen-mode", "tcp", "--no-logo"]);
        server.env("RESTATE_BIND_IP", "127.0.0.1").env("RESTATE_DISABLE_TELEMETRY", "true");
        let mut service = Command::new("node");
        service.arg(installed.join("service.mjs")).env("PORT", SERVICE_PORT);
        let mut restate = Self(Vec::new());
        for command in [&mut server, &mut service] {
            restate.0.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?);
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_mins(1) {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let body = format!("{{\"uri\":\"http://127.0.0.1:{SERVICE_PORT}\"}}");
            let Ok(mut admin) = TcpStream::connect(ADMIN).await else { continue };
            if post(&mut admin, "/deployments", &body).await.is_ok()
                && let Ok(mut lane) = connect().await
                && once(&mut lane).await.is_ok()
            {
                return Some(restate);
            }
        }
        println!("Restate did not come up within a minute: it is left out");
        None
    }
}

/// A kept connection to the ingress.
pub(crate) async fn connect() -> std::io::Result<TcpStream> {
    let lane = TcpStream::connect(INGRESS).await?;
    lane.set_nodelay(true)?;
    Ok(lane)
}

/// Runs the three steps once and waits for the result.
pub(crate) async fn once(lane: &mut TcpStream) -> std::io::Result<()> {
    post(lane, "/three/steps", "{\"name\":\"world\"}").await
}

/// Sends a request and reads its whole answer, which must be one of success with a length.
async fn post(lane: &mut TcpStream, path: &str, body: &str) -> std::io::Result<()> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    lane.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(1024);
    loop {
        if lane.read_buf(&mut answer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        if !head.starts_with("http/1.1 2") {
            return Err(std::io::Error::other(head));
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok())
            .ok_or_else(|| std::io::Error::other("an answer without a length"))?;
        if answer.len() >= end + 4 + length {
            return Ok(());
        }
    }
}
