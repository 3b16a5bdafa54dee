//! The one thread that writes, so that frames never mix and a reader that does not read blocks nobody for ever.

use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use crate::limits::{ANSWER_MAX, BODY_MAX, OUT_JOIN, OUT_QUEUE};
use crate::protocol::{Fault, FaultCode, FromRunner, Stream};
use crate::wire;

/// Where a command's answers go. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Output {
    frames: SyncSender<Vec<u8>>,
}

/// The other side is gone, or nobody reads.
#[derive(Debug)]
pub(crate) struct Gone;

impl From<Gone> for Fault {
    fn from(_: Gone) -> Self {
        Self::new(FaultCode::Cancelled, "the session ended")
    }
}

/// Joins what has queued up into one write. An empty entry is the end, also while somebody could still send.
pub(crate) fn write_all(frames: &Receiver<Vec<u8>>, mut to: impl Write) -> std::io::Result<()> {
    let mut over = false;
    while !over && let Ok(mut bytes) = frames.recv() {
        over = bytes.is_empty();
        while !over
            && bytes.len() < OUT_JOIN
            && let Ok(more) = frames.try_recv()
        {
            over = more.is_empty();
            bytes.extend(more);
        }
        to.write_all(&bytes)?;
        to.flush()?;
    }
    Ok(())
}

impl Output {
    pub(crate) fn new() -> (Self, Receiver<Vec<u8>>) {
        let (frames, receiver) = sync_channel(OUT_QUEUE);
        (Self { frames }, receiver)
    }

    /// Bytes as they are: the greeting, and frames that were made before.
    pub(crate) fn raw(&self, bytes: Vec<u8>) -> Result<(), Gone> {
        // nothing at all is what says that this was the last
        if bytes.is_empty() { Ok(()) } else { self.frames.send(bytes).map_err(|_| Gone) }
    }

    pub(crate) fn send(&self, message: &FromRunner) -> Result<(), Gone> {
        self.frames.send(framed(message, &[])).map_err(|_| Gone)
    }

    /// Output of a command, cut to frames.
    pub(crate) fn event(&self, id: u64, stream: Stream, bytes: &[u8]) -> Result<(), Gone> {
        for piece in bytes.chunks(BODY_MAX) {
            self.frames.send(framed(&FromRunner::Event { id, stream }, piece)).map_err(|_| Gone)?;
        }
        Ok(())
    }

    /// Frames that were made before and the last message, unless they cannot be taken within `grace`.
    pub(crate) fn last(self, mut before: Vec<u8>, message: &FromRunner, grace: Duration) {
        let until = Instant::now() + grace;
        before.extend(framed(message, &[]));
        for mut frame in [before, Vec::new()] {
            while let Err(TrySendError::Full(back)) = self.frames.try_send(frame) {
                if Instant::now() >= until {
                    return;
                }
                frame = back;
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Waits for the writing thread, but not for ever: a stuck reader must not keep the runner alive.
pub(crate) fn settle(finished: &Receiver<()>, grace: Duration) {
    match finished.recv_timeout(grace) {
        Ok(()) | Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {}
    }
}

/// An answer that does not fit into a frame becomes a fault that does.
pub(crate) fn framed(message: &FromRunner, body: &[u8]) -> Vec<u8> {
    wire::encode(message, body, ANSWER_MAX).unwrap_or_else(|why| {
        let id = match message {
            FromRunner::Done(done) => Some(done.id),
            _ => None,
        };
        let fault = Fault::new(FaultCode::TooLarge, why.to_string());
        wire::encode(&FromRunner::Error { id, fault }, &[], ANSWER_MAX).unwrap_or_default()
    })
}
