//! A session with a runner: many commands at once over one pair of streams.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use runner::limits::{ANSWER_MAX, BODY_MAX, HEAD_MAX, HEAD_USUAL, WINDOW};
use runner::protocol::{
    Answer, Command, Fault, FromRunner, Grants, Hello, Input, Level, Op, Outcome, Ready, Stream, ToRunner,
    VERSION,
};
use runner::wire::{Decoder, encode, encode_after};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;

pub use runner::protocol::Farewell;

use crate::error::RemoteError;
use crate::gather::{Gathered, Gathering};
use crate::limits::{ANSWER_MARGIN, EVENTS, FAREWELL, START};

/// What goes into a command.
#[derive(Debug, Clone, Default)]
pub enum Content {
    /// Nothing.
    #[default]
    None,
    /// All of it, here.
    Bytes(Vec<u8>),
    /// By [`Running::send`].
    Stream,
}

impl Content {
    /// Bytes that are here.
    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::None | Self::Stream => 0,
        }
    }
}

/// A command to be carried out.
#[derive(Debug, Clone)]
pub struct Request {
    /// What.
    pub op: Op,
    /// Counts from its start on the target.
    pub timeout: Duration,
    /// Requests of one lane are carried out in order.
    pub lane: Option<u32>,
    /// Carried out once for each key and session.
    pub key: Option<String>,
    /// Its input.
    pub content: Content,
}

impl Request {
    /// Without input, lane or key.
    pub fn new(op: Op, timeout: Duration) -> Self {
        Self { op, timeout, lane: None, key: None, content: Content::None }
    }
}

/// Something a command says while it is under way, or its end.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Output.
    Output(Stream, Bytes),
    /// For people.
    Log(Level, String),
    /// The end. `replayed` says that an earlier command with the same key answered.
    Done {
        /// How.
        outcome: Outcome,
        /// An earlier command's answer.
        replayed: bool,
    },
}

/// What a command found or did, and what it printed.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// What it found or did.
    pub answer: Answer,
    /// Standard output, or a file's content.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// An earlier command with the same key answered.
    pub replayed: bool,
}

/// Where what a command says goes.
enum Slot {
    /// To whoever follows it.
    Followed { events: mpsc::Sender<Event>, credit: Arc<Semaphore> },
    /// To the other answers of its batch, at its place among them.
    Batched { into: Arc<Gathering>, at: usize },
}

impl Slot {
    fn events(&self) -> Option<mpsc::Sender<Event>> {
        match self {
            Self::Followed { events, .. } => Some(events.clone()),
            Self::Batched { .. } => None,
        }
    }

    /// It ended, or nothing more comes.
    fn over(&self) {
        match self {
            Self::Followed { credit, .. } => credit.close(),
            Self::Batched { into, .. } => into.cut(),
        }
    }
}

#[derive(Default)]
struct Slots {
    open: HashMap<u64, Slot>,
    closed: bool,
}

type Writer = Box<dyn AsyncWrite + Send + Unpin>;

struct Shared {
    host: String,
    slots: Mutex<Slots>,
    writer: tokio::sync::Mutex<Writer>,
    next: AtomicU64,
    farewell: watch::Sender<Option<Farewell>>,
}

impl Shared {
    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self, during: &str) -> RemoteError {
        RemoteError::Cut { host: self.host.clone(), during: during.to_owned() }
    }

    fn lost(&self) -> RemoteError {
        self.cut(" while a command was under way, and how it ended is not known")
    }

    /// Asks the target to stop what nobody waits for any more.
    fn stop(self: &Arc<Self>, ids: &[u64]) {
        let open: Vec<u64> = {
            let mut slots = self.slots();
            ids.iter().copied().filter(|id| slots.open.remove(id).is_some()).collect()
        };
        let frames = open.into_iter().filter_map(|id| encode(&ToRunner::Cancel { id }, &[], HEAD_MAX).ok());
        let bytes: Vec<u8> = frames.flatten().collect();
        if let (false, Ok(runtime)) = (bytes.is_empty(), tokio::runtime::Handle::try_current()) {
            let shared = Arc::clone(self);
            // a session that is gone has stopped it already
            runtime.spawn(async move { drop(shared.write(bytes).await) });
        }
    }

    /// Writes frames, whole, even if whoever asked for it does not wait any more: half a frame would spoil all that follow.
    async fn write(self: &Arc<Self>, bytes: Vec<u8>) -> Result<(), RemoteError> {
        let shared = Arc::clone(self);
        let writing = tokio::spawn(async move {
            let mut writer = shared.writer.lock().await;
            writer.write_all(&bytes).await?;
            writer.flush().await
        });
        match writing.await {
            Ok(Ok(())) => Ok(()),
            _ => Err(self.cut(" while a command was sent")),
        }
    }

    fn unsendable(&self, why: &runner::wire::WireError) -> RemoteError {
        RemoteError::Protocol { host: self.host.clone(), why: why.to_string() }
    }
}

/// A session. Commands can be started from many tasks at the same time.
pub struct Session {
    shared: Arc<Shared>,
    ready: Ready,
}

/// A command under way. Dropping it before its end asks the target to stop it.
pub struct Running {
    id: u64,
    shared: Arc<Shared>,
    events: mpsc::Receiver<Event>,
    credit: Arc<Semaphore>,
    limit: Duration,
}

/// Bytes from the runner after its greeting, and where to write.
pub(crate) struct Streams {
    pub(crate) host: String,
    pub(crate) first: Vec<u8>,
    pub(crate) incoming: mpsc::Receiver<Bytes>,
    pub(crate) outgoing: Writer,
}

impl Session {
    /// Says hello and waits for READY.
    pub(crate) async fn open(streams: Streams, grants: Grants) -> Result<Self, RemoteError> {
        let Streams { host, first, mut incoming, outgoing } = streams;
        let protocol = |why: String| RemoteError::Protocol { host: host.clone(), why };
        let shared = Arc::new(Shared {
            host: host.clone(),
            slots: Mutex::default(),
            writer: tokio::sync::Mutex::new(outgoing),
            next: AtomicU64::new(1),
            farewell: watch::Sender::new(None),
        });
        let mut decoder = Decoder::new(ANSWER_MAX);
        decoder.push(&first);
        let hello = encode(&ToRunner::Hello(Hello { protocol: VERSION, grants }), &[], HEAD_MAX)
            .map_err(|why| shared.unsendable(&why))?;
        shared.write(hello).await?;
        let read = async {
            loop {
                if let Some(frame) = decoder.next_frame().map_err(|why| protocol(why.to_string()))? {
                    return frame.message::<FromRunner>().map_err(|fault| protocol(fault.message));
                }
                let Some(bytes) = incoming.recv().await else {
                    return Err(shared.cut(" before the runner was ready"));
                };
                decoder.push(&bytes);
            }
        };
        let limit_s = START.as_secs();
        let message = timeout(START, read).await.map_err(|_| RemoteError::Timeout {
            host: host.clone(),
            what: "starting the runner",
            limit_s,
        })??;
        let FromRunner::Ready(ready) = message else {
            return Err(protocol("it did not begin with READY".to_owned()));
        };
        if !(ready.protocol_min..=ready.protocol_max).contains(&VERSION) {
            let spoken = format!("{} to {}", ready.protocol_min, ready.protocol_max);
            return Err(protocol(format!("it speaks protocol {spoken}, and {VERSION} is needed")));
        }
        tokio::spawn(listen(Arc::clone(&shared), decoder, incoming));
        Ok(Self { shared, ready })
    }

    /// What the runner said of itself.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The connection or the runner is gone.
    pub fn is_closed(&self) -> bool {
        self.shared.slots().closed
    }

    /// Appends the frame of a command. Its number; its content, where that does not fit into the frame.
    fn framed(&self, request: Request, frames: &mut Vec<u8>) -> Result<(u64, Vec<u8>), RemoteError> {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let (input, body, rest) = match request.content {
            Content::None => (Input::None, Vec::new(), Vec::new()),
            Content::Bytes(content) if content.len() <= BODY_MAX => (Input::Body, content, Vec::new()),
            Content::Bytes(content) => (Input::Stream, Vec::new(), content),
            Content::Stream => (Input::Stream, Vec::new(), Vec::new()),
        };
        let timeout_ms = u64::try_from(request.timeout.as_millis()).unwrap_or(u64::MAX);
        let command = Command { id, key: request.key, lane: request.lane, timeout_ms, input, op: request.op };
        encode_after(frames, &ToRunner::Run(command), &body, HEAD_MAX)
            .map_err(|why| self.shared.unsendable(&why))?;
        Ok((id, rest))
    }

    fn register(&self, slots: impl IntoIterator<Item = (u64, Slot)>) -> Result<(), RemoteError> {
        let mut open = self.shared.slots();
        if open.closed {
            return Err(self.shared.cut(" before a command was sent"));
        }
        open.open.extend(slots);
        Ok(())
    }

    /// Starts a command.
    pub async fn start(&self, request: Request) -> Result<Running, RemoteError> {
        let limit = request.timeout + ANSWER_MARGIN;
        let mut frame = Vec::new();
        let (id, rest) = self.framed(request, &mut frame)?;
        let (send, events) = mpsc::channel(EVENTS);
        let credit = Arc::new(Semaphore::new(usize::try_from(WINDOW).unwrap_or(usize::MAX)));
        self.register([(id, Slot::Followed { events: send, credit: Arc::clone(&credit) })])?;
        let running = Running { id, shared: Arc::clone(&self.shared), events, credit, limit };
        self.shared.write(frame).await?;
        if !rest.is_empty() {
            running.send(&rest).await?;
            running.finish().await?;
        }
        Ok(running)
    }

    /// Carries out one command.
    pub async fn run(&self, request: Request) -> Result<Reply, RemoteError> {
        self.start(request).await?.end().await
    }

    /// Sends all commands in one write and waits for all: one round trip, whatever their number. What is larger than a frame
    /// cannot be part of it. The replies are in the order of the requests.
    pub async fn batch(
        &self,
        requests: Vec<Request>,
    ) -> Result<Vec<Result<Reply, RemoteError>>, RemoteError> {
        let limit = requests.iter().map(|request| request.timeout).max().unwrap_or_default() + ANSWER_MARGIN;
        // at once: to make room for more again and again takes longer than to write them
        let room = requests.iter().map(|request| HEAD_USUAL + request.content.len()).sum();
        let (mut bytes, mut ids) = (Vec::with_capacity(room), Vec::with_capacity(requests.len()));
        for request in requests {
            let (id, rest) = self.framed(request, &mut bytes)?;
            if !rest.is_empty() {
                let why = format!("an input of more than {BODY_MAX} bytes in a batch");
                return Err(RemoteError::Protocol { host: self.shared.host.clone(), why });
            }
            ids.push(id);
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let into = Gathering::new(ids.len());
        let slot = |(at, id): (usize, &u64)| (*id, Slot::Batched { into: Arc::clone(&into), at });
        self.register(ids.iter().enumerate().map(slot))?;
        // stops on the target what nobody waits for any more
        let _wanted = Batch { shared: Arc::clone(&self.shared), ids };
        let (written, waited) = tokio::join!(self.shared.write(bytes), timeout(limit, into.wait()));
        written?;
        let late = waited.is_err();
        Ok(into.gathered().into_iter().map(|one| self.replied(one, late.then_some(limit))).collect())
    }

    /// What became of one command of a batch that was cut, or for which nobody waits any longer.
    fn replied(&self, one: Gathered, late: Option<Duration>) -> Result<Reply, RemoteError> {
        let host = || self.shared.host.clone();
        match (one.ended, late) {
            (Some((Outcome::Ok(answer), replayed)), _) => {
                Ok(Reply { answer, stdout: one.stdout, stderr: one.stderr, replayed })
            }
            (Some((Outcome::Fault(fault), _)), _) => Err(RemoteError::Command { host: host(), fault }),
            (None, Some(limit)) => Err(RemoteError::Timeout {
                host: host(),
                what: "a command's answer",
                limit_s: limit.as_secs(),
            }),
            (None, None) => Err(self.shared.lost()),
        }
    }

    /// Lets what is under way finish, then ends the session. The farewell is absent when the connection was cut.
    pub async fn close(self) -> Option<Farewell> {
        let exit = encode(&ToRunner::Exit, &[], HEAD_MAX).ok()?;
        self.shared.write(exit).await.ok()?;
        let mut farewell = self.shared.farewell.subscribe();
        let said = timeout(FAREWELL, farewell.wait_for(Option::is_some)).await.ok()?.ok()?;
        said.clone()
    }
}

/// A session that nobody uses any more ends on the host, too.
impl Drop for Session {
    fn drop(&mut self) {
        if self.is_closed() {
            return;
        }
        let Ok(exit) = encode(&ToRunner::Exit, &[], HEAD_MAX) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let shared = Arc::clone(&self.shared);
            // one that is gone has ended
            runtime.spawn(async move { drop(shared.write(exit).await) });
        }
    }
}

impl Running {
    /// What the command says next. After [`Event::Done`], or when the connection was cut, there is nothing.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// More input; waits until the target has taken enough of what was sent before.
    pub async fn send(&self, bytes: &[u8]) -> Result<(), RemoteError> {
        for piece in bytes.chunks(BODY_MAX) {
            let permits = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            let Ok(permit) = self.credit.acquire_many(permits).await else {
                // The command ended early; its end says why.
                return Ok(());
            };
            permit.forget();
            self.data(piece, false).await?;
        }
        Ok(())
    }

    /// There is no more input.
    pub async fn finish(&self) -> Result<(), RemoteError> {
        self.data(&[], true).await
    }

    async fn data(&self, piece: &[u8], last: bool) -> Result<(), RemoteError> {
        let frame = encode(&ToRunner::Data { id: self.id, last }, piece, HEAD_MAX)
            .map_err(|why| self.shared.unsendable(&why))?;
        self.shared.write(frame).await
    }

    /// Asks the target to stop it. Its end still comes.
    pub async fn cancel(&self) -> Result<(), RemoteError> {
        let frame = encode(&ToRunner::Cancel { id: self.id }, &[], HEAD_MAX)
            .map_err(|why| self.shared.unsendable(&why))?;
        self.shared.write(frame).await
    }

    /// Waits for the end and keeps what is printed until then.
    pub async fn end(mut self) -> Result<Reply, RemoteError> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let host = self.shared.host.clone();
        let limit = self.limit;
        let collect = async {
            while let Some(event) = self.next().await {
                match event {
                    Event::Output(Stream::Stderr, bytes) => stderr.extend_from_slice(&bytes),
                    Event::Output(_, bytes) => stdout.extend_from_slice(&bytes),
                    Event::Log(..) => {}
                    Event::Done { outcome: Outcome::Ok(answer), replayed } => {
                        return Ok((answer, replayed));
                    }
                    Event::Done { outcome: Outcome::Fault(fault), .. } => {
                        return Err(RemoteError::Command { host: host.clone(), fault });
                    }
                }
            }
            Err(self.shared.lost())
        };
        let limit_s = limit.as_secs();
        let (answer, replayed) = timeout(limit, collect).await.map_err(|_| RemoteError::Timeout {
            host: host.clone(),
            what: "a command's answer",
            limit_s,
        })??;
        Ok(Reply { answer, stdout, stderr, replayed })
    }
}

/// Nobody waits for it any more, so the target need not go on.
impl Drop for Running {
    fn drop(&mut self) {
        self.shared.stop(&[self.id]);
    }
}

/// Commands that were sent together.
struct Batch {
    shared: Arc<Shared>,
    ids: Vec<u64>,
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.shared.stop(&self.ids);
    }
}

async fn listen(shared: Arc<Shared>, mut decoder: Decoder, mut incoming: mpsc::Receiver<Bytes>) {
    'reading: while let Some(bytes) = incoming.recv().await {
        decoder.push(&bytes);
        // Frames that cannot be read end the session: nothing after them can be trusted.
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => match frame.message::<FromRunner>() {
                    Ok(message) => route(&shared, message, frame.body.into()).await,
                    Err(_) => break 'reading,
                },
                Ok(None) => break,
                Err(_) => break 'reading,
            }
        }
    }
    let mut slots = shared.slots();
    slots.closed = true;
    slots.open.drain().for_each(|(_, slot)| slot.over());
}

async fn route(shared: &Shared, message: FromRunner, body: Bytes) {
    let (id, event) = match message {
        FromRunner::Event { id, stream } => (id, Event::Output(stream, body)),
        FromRunner::Log { id, level, message } => (id, Event::Log(level, message)),
        FromRunner::Credit { id, bytes } => {
            if let Some(Slot::Followed { credit, .. }) = shared.slots().open.get(&id) {
                credit.add_permits(usize::try_from(bytes.min(WINDOW)).unwrap_or_default());
            }
            return;
        }
        FromRunner::Done(done) => (done.id, Event::Done { outcome: done.outcome, replayed: done.replayed }),
        FromRunner::Error { id: Some(id), fault } => (id, failed(fault)),
        FromRunner::Exit(farewell) => {
            shared.farewell.send_replace(Some(farewell));
            return;
        }
        FromRunner::Ready(_) | FromRunner::Error { id: None, .. } => return,
    };
    let sender = {
        let mut slots = shared.slots();
        if let Some(Slot::Batched { into, at }) = slots.open.get(&id) {
            let (into, at) = (Arc::clone(into), *at);
            if matches!(event, Event::Done { .. }) {
                slots.open.remove(&id);
            }
            drop(slots);
            into.take(at, event);
            return;
        }
        if matches!(event, Event::Done { .. }) {
            let slot = slots.open.remove(&id);
            slot.and_then(|slot| {
                slot.over();
                slot.events()
            })
        } else {
            slots.open.get(&id).and_then(Slot::events)
        }
    };
    if let Some(sender) = sender {
        // Whoever asked may not want to know any more.
        let _unread = sender.send(event).await;
    }
}

fn failed(fault: Fault) -> Event {
    Event::Done { outcome: Outcome::Fault(fault), replayed: false }
}
