//! A way to start programs on a target, whatever carries it: SSH, the system's ssh, or this machine.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::error::RemoteError;
use crate::limits::{EVENTS, OUTPUT_MAX, STDERR_MAX};

/// Starts programs on a target.
pub(crate) trait Link: Send + Sync {
    /// `address:port`, or a name, for messages.
    fn host(&self) -> String;
    /// Runs a line of POSIX shell.
    fn start<'a>(&'a self, script: &'a str) -> BoxFuture<'a, Result<Process, RemoteError>>;
    /// Nothing can be started any more.
    fn is_closed(&self) -> bool;
}

/// The end of what a program says on standard error.
#[derive(Clone, Default)]
pub(crate) struct Stderr {
    text: Arc<Mutex<Vec<u8>>>,
    more: Arc<Notify>,
}

impl Stderr {
    pub(crate) fn push(&self, bytes: &[u8]) {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.extend_from_slice(bytes);
        let surplus = text.len().saturating_sub(STDERR_MAX);
        text.drain(..surplus);
        drop(text);
        self.more.notify_one();
    }

    pub(crate) fn text(&self) -> String {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).trim().to_owned()
    }

    pub(crate) async fn more(&self) {
        self.more.notified().await;
    }
}

/// A program under way on a target.
pub(crate) struct Process {
    pub(crate) stdin: Box<dyn AsyncWrite + Send + Unpin>,
    pub(crate) stdout: mpsc::Receiver<Bytes>,
    pub(crate) stderr: Stderr,
    /// Its exit code; none when it was killed or the connection was cut.
    pub(crate) exit: oneshot::Receiver<Option<u32>>,
}

/// What a program said, and how it ended.
pub(crate) struct Said {
    pub(crate) code: Option<u32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Runs to the end with the given input.
pub(crate) async fn output(link: &dyn Link, script: &str, input: &[u8]) -> Result<Said, RemoteError> {
    let Process { mut stdin, mut stdout, stderr, exit } = link.start(script).await?;
    let write = async {
        // A program that fails early does not read all of it; its exit code says why.
        let _early = stdin.write_all(input).await;
        let _closed = stdin.shutdown().await;
        drop(stdin);
    };
    let read = async {
        let mut bytes = Vec::new();
        while let Some(piece) = stdout.recv().await {
            let room = OUTPUT_MAX.saturating_sub(bytes.len()).min(piece.len());
            bytes.extend_from_slice(&piece[..room]);
        }
        bytes
    };
    let ((), stdout) = tokio::join!(write, read);
    Ok(Said { code: exit.await.ok().flatten(), stdout, stderr: stderr.text() })
}

/// Wraps a child of ours; it is killed when the process's parts are dropped.
pub(crate) fn child(mut command: Command, host: &str) -> Result<Process, RemoteError> {
    let unreachable = |why: String| RemoteError::Unreachable { host: host.to_owned(), why };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|why| unreachable(why.to_string()))?;
    let (Some(stdin), Some(stdout), Some(errors)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(unreachable("it was started without pipes".to_owned()));
    };
    let (send, receive) = mpsc::channel(EVENTS);
    let (tell, exit) = oneshot::channel();
    let stderr = Stderr::default();
    let mine = stderr.clone();
    tokio::spawn(async move {
        let copied = tokio::spawn(copy(errors, move |bytes| {
            mine.push(&bytes);
            std::future::ready(true)
        }));
        copy(stdout, |bytes| {
            let send = send.clone();
            async move { send.send(bytes).await.is_ok() }
        })
        .await;
        let code = wait(&mut child).await;
        // What it said last belongs to how it ended; who does not want to know has dropped the receiver.
        let _whole = copied.await;
        let _told = tell.send(code);
    });
    Ok(Process { stdin: Box::new(stdin), stdout: receive, stderr, exit })
}

async fn wait(child: &mut Child) -> Option<u32> {
    child.wait().await.ok()?.code().and_then(|code| u32::try_from(code).ok())
}

async fn copy<F: Future<Output = bool>>(mut from: impl AsyncRead + Unpin, mut to: impl FnMut(Bytes) -> F) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 || !to(Bytes::copy_from_slice(&buffer[..read])).await {
            return;
        }
    }
}
