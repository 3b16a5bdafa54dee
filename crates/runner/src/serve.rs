//! One session: from READY to EXIT.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sha2::{Digest as _, Sha256};

use crate::control::{Control, lock};
use crate::limits::{
    BACKLOG_PAUSE, BODY_MAX, COMMANDS_MAX, FAREWELL_GRACE, HEAD_MAX, KEY_MAX, KEYS_MAX, LIFETIME_MAX,
    OUT_QUEUE, PENDING_MAX, STREAMS_MAX, TIMEOUT_MAX, WINDOW,
};
use crate::output::{Output, framed, settle, write_all};
use crate::perform::{Granted, perform};
use crate::pool::{Pool, Task};
use crate::protocol::{
    Bounds, Command, Done, Farewell, Fault, FaultCode, FromRunner, GREETING, Hello, Input, Outcome, Ready,
    Reason, ToRunner, VERSION,
};
use crate::wire::{Decoder, Frame, WireError};

/// How a session is held.
#[derive(Debug, Clone)]
pub struct Options {
    /// It ends after this, whether or not anything is under way.
    pub lifetime: Duration,
    /// The file to remove at the end, with its directory if that is empty then.
    pub delete: Option<PathBuf>,
}

enum Incoming {
    Frame(Frame),
    Bad(WireError),
    Closed,
    /// Commands ended since the last time.
    Ended,
}

/// What became of one command.
struct Ending {
    id: u64,
    outcome: Outcome,
    elapsed: Duration,
}

enum Key {
    Running(Vec<u64>),
    Done(Outcome),
}

/// A command that waits or is carried out.
struct Active {
    control: Arc<Control>,
    lane: Option<u32>,
    key: Option<String>,
    input: Input,
}

struct Session {
    out: Output,
    events: SyncSender<Incoming>,
    endings: Arc<Mutex<Vec<Ending>>>,
    pool: Pool,
    /// What the threads of the pool are given next, all at once.
    starting: Vec<Task>,
    /// Frames that are said next, all at once.
    answers: Vec<u8>,
    grants: Option<Arc<Granted>>,
    active: HashMap<u64, Active>,
    seen: HashSet<u64>,
    lanes: HashMap<u32, VecDeque<(Command, Arc<Control>)>>,
    keys: HashMap<String, ([u8; 32], Key)>,
    total: u64,
    faults: u64,
    leaving: bool,
}

/// Holds one session over two streams. Returns when it has ended and the farewell was written, or could not be.
pub fn serve(
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    options: &Options,
) -> Farewell {
    let lifetime = options.lifetime.min(LIFETIME_MAX);
    let until = Instant::now() + lifetime;
    let (events, incoming) = sync_channel(OUT_QUEUE);
    let (out, frames) = Output::new();
    let (written, finished) = channel();
    let (reading, broken) = (events.clone(), events.clone());
    std::thread::spawn(move || {
        let failed = write_all(&frames, output).is_err();
        // whoever waits to have more written learns that nothing is
        drop(frames);
        if failed {
            // The conductor may be gone already, then nobody needs to be told.
            let _told = broken.send(Incoming::Closed);
        }
        drop(written);
    });
    std::thread::spawn(move || read_all(input, &reading));
    // A write that fails is reported as the end of the input.
    let _ready = out.raw(GREETING.to_vec()).and_then(|()| out.send(&FromRunner::Ready(ready(lifetime))));
    let mut session = Session {
        out,
        events,
        endings: Arc::default(),
        pool: Pool::new(),
        starting: Vec::new(),
        answers: Vec::new(),
        grants: None,
        active: HashMap::new(),
        seen: HashSet::new(),
        lanes: HashMap::new(),
        keys: HashMap::new(),
        total: 0,
        faults: 0,
        leaving: false,
    };
    let reason = session.conduct(&incoming, until);
    session.stop(&incoming);
    let self_deleted = options.delete.as_ref().is_some_and(|file| delete(file));
    let farewell =
        Farewell { commands_total: session.total, faults_total: session.faults, self_deleted, reason };
    let Session { out, pool, events, answers, .. } = session;
    drop((pool, events, incoming));
    out.last(answers, &FromRunner::Exit(farewell.clone()), FAREWELL_GRACE);
    settle(&finished, FAREWELL_GRACE);
    farewell
}

fn ready(lifetime: Duration) -> Ready {
    Ready {
        protocol_min: VERSION,
        protocol_max: VERSION,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        uid: rustix::process::geteuid().as_raw(),
        pid: std::process::id(),
        lifetime_ms: u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX),
        limits: Bounds {
            head_max: HEAD_MAX,
            body_max: BODY_MAX,
            window: WINDOW,
            streams_max: STREAMS_MAX,
            pending_max: PENDING_MAX,
        },
    }
}

fn read_all(mut input: impl Read, events: &SyncSender<Incoming>) {
    let mut decoder = Decoder::new(HEAD_MAX);
    let mut buffer = vec![0; BODY_MAX];
    loop {
        match decoder.next_frame() {
            Ok(Some(frame)) => {
                if events.send(Incoming::Frame(frame)).is_err() {
                    return;
                }
                continue;
            }
            Ok(None) => {}
            Err(why) => {
                let lost = matches!(why, WireError::Lost(_));
                if events.send(Incoming::Bad(why)).is_err() || lost {
                    return;
                }
                continue;
            }
        }
        match input.read(&mut buffer) {
            Ok(read) if read > 0 => decoder.push(&buffer[..read]),
            Err(why) if why.kind() == std::io::ErrorKind::Interrupted => {}
            _ => {
                // The conductor may have left first.
                let _told = events.send(Incoming::Closed);
                return;
            }
        }
    }
}

/// True once the file is gone.
fn delete(file: &std::path::Path) -> bool {
    let removed = std::fs::remove_file(file).is_ok();
    if let Some(directory) = file.parent().filter(|_| removed) {
        // Only an empty directory goes: one that others use stays.
        let _kept = std::fs::remove_dir(directory);
    }
    removed
}

impl Session {
    fn conduct(&mut self, incoming: &Receiver<Incoming>, until: Instant) -> Reason {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Reason::Deadline;
            }
            let first = match incoming.recv_timeout(left) {
                Ok(first) => first,
                Err(RecvTimeoutError::Disconnected) => return Reason::Closed,
                Err(RecvTimeoutError::Timeout) => return Reason::Deadline,
            };
            if matches!(first, Incoming::Ended) && self.pool.is_behind() {
                // to wake up for each end costs more than what was done
                std::thread::sleep(BACKLOG_PAUSE);
            }
            let over = self.burst(std::iter::once(first).chain(incoming.try_iter().take(OUT_QUEUE)));
            self.pool.run(std::mem::take(&mut self.starting));
            self.flush();
            if let Some(reason) = over {
                return reason;
            }
        }
    }

    /// Takes what came, up to what ends the session.
    fn burst(&mut self, came: impl Iterator<Item = Incoming>) -> Option<Reason> {
        for one in came {
            if let Err(reason) = self.take(one) {
                return Some(reason);
            }
            if self.leaving && self.active.is_empty() {
                return Some(Reason::Asked);
            }
        }
        None
    }

    fn take(&mut self, one: Incoming) -> Result<(), Reason> {
        match one {
            Incoming::Frame(frame) => return self.frame(frame),
            Incoming::Bad(why) => {
                let lost = matches!(why, WireError::Lost(_));
                self.error(None, Fault::new(FaultCode::TooLarge, why.to_string()));
                if lost {
                    return Err(Reason::Protocol);
                }
            }
            Incoming::Ended => self.endings(),
            Incoming::Closed => return Err(Reason::Closed),
        }
        Ok(())
    }

    /// Ends what is under way, at once, and gives it a moment to tidy up.
    fn stop(&mut self, incoming: &Receiver<Incoming>) {
        self.lanes.clear();
        for Active { control, .. } in self.active.values() {
            control.cancel();
            control.signal(Signal::KILL);
        }
        let until = Instant::now() + FAREWELL_GRACE;
        while !self.active.is_empty() {
            match incoming.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Incoming::Ended) => self.endings(),
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    fn error(&mut self, id: Option<u64>, fault: Fault) {
        self.say(&FromRunner::Error { id, fault });
    }

    fn say(&mut self, message: &FromRunner) {
        self.answers.extend(framed(message, &[]));
    }

    fn flush(&mut self) {
        // When nobody reads, the writing thread reports it.
        let _gone = self.out.raw(std::mem::take(&mut self.answers));
    }

    fn frame(&mut self, frame: Frame) -> Result<(), Reason> {
        let message = match frame.message::<ToRunner>() {
            Ok(message) => message,
            Err(fault) => {
                self.error(id_of(&frame), fault);
                return Ok(());
            }
        };
        match message {
            ToRunner::Hello(hello) => return self.hello(hello),
            ToRunner::Exit => self.leaving = true,
            ToRunner::Run(command) => {
                let id = command.id;
                if let Err(fault) = self.accept(command, frame.body) {
                    self.error(Some(id), fault);
                }
            }
            ToRunner::Data { id, last } => {
                let fed = match self.active.get(&id) {
                    Some(active) => active.control.feed(frame.body, last),
                    None if self.seen.contains(&id) => Ok(()),
                    None => Err(Fault::new(FaultCode::InvalidCmd, format!("no command has the id {id}"))),
                };
                if let Err(fault) = fed {
                    if let Some(active) = self.active.get(&id) {
                        active.control.cancel();
                    }
                    self.error(Some(id), fault);
                }
            }
            ToRunner::Cancel { id } => self.cancel(id),
        }
        Ok(())
    }

    fn hello(&mut self, hello: Hello) -> Result<(), Reason> {
        if self.grants.is_some() {
            self.error(None, Fault::new(FaultCode::InvalidCmd, "a session is opened once"));
            return Ok(());
        }
        if hello.protocol != VERSION {
            let message = format!("the caller speaks protocol {}, this runner {VERSION}", hello.protocol);
            self.error(None, Fault::new(FaultCode::Version, message));
            return Err(Reason::Protocol);
        }
        self.grants = Some(Arc::new(hello.grants.into()));
        Ok(())
    }

    fn cancel(&mut self, id: u64) {
        let Some(Active { control, lane, .. }) = self.active.get(&id) else { return };
        control.cancel();
        // One that waits in its lane has no thread that would notice.
        let waiting = lane.and_then(|lane| self.lanes.get_mut(&lane)).and_then(|waiting| {
            let index = waiting.iter().position(|(command, _)| command.id == id)?;
            waiting.remove(index)
        });
        if waiting.is_some() {
            let fault = Fault::new(FaultCode::Cancelled, "the command was cancelled before it began");
            self.done(id, Outcome::Fault(fault), Duration::ZERO);
        }
    }

    fn accept(&mut self, command: Command, body: Vec<u8>) -> Result<(), Fault> {
        let refuse = |code, message: String| Err(Fault::new(code, message));
        let Some(grants) = self.grants.clone() else {
            return refuse(FaultCode::InvalidCmd, "a command before `hello`".to_owned());
        };
        let timeout = Duration::from_millis(command.timeout_ms);
        if timeout.is_zero() || timeout > TIMEOUT_MAX {
            return refuse(
                FaultCode::InvalidCmd,
                format!("timeout_ms is not between 1 and {}", TIMEOUT_MAX.as_millis()),
            );
        }
        if !body.is_empty() && command.input != Input::Body {
            return refuse(FaultCode::InvalidCmd, "a body, but `input` is not `body`".to_owned());
        }
        if self.leaving {
            return refuse(FaultCode::InvalidCmd, "a command after `exit`".to_owned());
        }
        if self.seen.contains(&command.id) {
            return refuse(FaultCode::InvalidCmd, format!("the id {} was used before", command.id));
        }
        if self.active.len() >= PENDING_MAX || self.seen.len() as u64 >= COMMANDS_MAX {
            return refuse(
                FaultCode::TooMany,
                format!("more than {PENDING_MAX} commands at once or {COMMANDS_MAX} in all"),
            );
        }
        let streams = || self.active.values().filter(|active| active.input == Input::Stream).count();
        if command.input == Input::Stream && streams() >= STREAMS_MAX {
            return refuse(
                FaultCode::TooMany,
                format!("more than {STREAMS_MAX} commands with streamed input"),
            );
        }
        if self.repeated(&command, &body)? {
            return Ok(());
        }
        self.seen.insert(command.id);
        let control = Arc::new(Control::new(timeout, body, command.input == Input::Stream));
        let (lane, key, input) = (command.lane, command.key.clone(), command.input);
        self.active.insert(command.id, Active { control: Arc::clone(&control), lane, key, input });
        // An entry for a lane means that a command of it is under way.
        if let Some(waiting) = lane.and_then(|lane| self.lanes.get_mut(&lane)) {
            waiting.push_back((command, control));
        } else {
            self.lanes.extend(lane.map(|lane| (lane, VecDeque::new())));
            self.start(command, control, grants);
        }
        Ok(())
    }

    /// True if an earlier command with the key answers, or will.
    fn repeated(&mut self, command: &Command, body: &[u8]) -> Result<bool, Fault> {
        let Some(key) = &command.key else { return Ok(false) };
        if key.is_empty() || key.len() > KEY_MAX {
            return Err(Fault::new(
                FaultCode::InvalidCmd,
                format!("a key has between 1 and {KEY_MAX} bytes"),
            ));
        }
        let op = serde_json::to_vec(&command.op).map_err(|why| {
            Fault::new(FaultCode::InvalidCmd, format!("the command cannot be encoded: {why}"))
        })?;
        let digest: [u8; 32] = Sha256::new()
            .chain_update((op.len() as u64).to_be_bytes())
            .chain_update(op)
            .chain_update(body)
            .finalize()
            .into();
        let full = self.keys.len() >= KEYS_MAX;
        match self.keys.get_mut(key) {
            Some((known, _)) if *known != digest => {
                Err(Fault::new(FaultCode::KeyReused, format!("the key {key:?} was used for another command")))
            }
            Some((_, state)) => {
                self.seen.insert(command.id);
                match state {
                    Key::Running(waiting) => waiting.push(command.id),
                    Key::Done(outcome) => {
                        let outcome = outcome.clone();
                        self.answer(command.id, outcome, Duration::ZERO, true);
                    }
                }
                Ok(true)
            }
            None if full => {
                Err(Fault::new(FaultCode::TooMany, format!("more than {KEYS_MAX} keys in one session")))
            }
            None => {
                self.keys.insert(key.clone(), (digest, Key::Running(Vec::new())));
                Ok(false)
            }
        }
    }

    fn start(&mut self, command: Command, control: Arc<Control>, grants: Arc<Granted>) {
        let (out, events, endings) = (self.out.clone(), self.events.clone(), Arc::clone(&self.endings));
        self.starting.push(Box::new(move || {
            control.start();
            let id = command.id;
            let outcome = match perform(command, &control, &grants, &out) {
                Ok(answer) => Outcome::Ok(answer),
                Err(fault) => Outcome::Fault(fault),
            };
            control.close();
            let mut endings = lock(&endings);
            endings.push(Ending { id, outcome, elapsed: control.elapsed() });
            let first = endings.len() == 1;
            drop(endings);
            if first {
                // The session may have ended meanwhile; then nobody is waiting for the answer.
                let _left = events.send(Incoming::Ended);
            }
        }));
    }

    fn endings(&mut self) {
        let endings = std::mem::take(&mut *lock(&self.endings));
        for Ending { id, outcome, elapsed } in endings {
            self.ended(id, outcome, elapsed);
        }
    }

    fn ended(&mut self, id: u64, outcome: Outcome, elapsed: Duration) {
        let lane = self.active.get(&id).and_then(|active| active.lane);
        self.done(id, outcome, elapsed);
        let Some(lane) = lane else { return };
        let next = self.lanes.get_mut(&lane).and_then(VecDeque::pop_front);
        match (next, self.grants.clone()) {
            (Some((command, control)), Some(grants)) => self.start(command, control, grants),
            _ => {
                self.lanes.remove(&lane);
            }
        }
    }

    fn done(&mut self, id: u64, outcome: Outcome, elapsed: Duration) {
        let Some(Active { key, .. }) = self.active.remove(&id) else { return };
        let mut repeats = Vec::new();
        if let Some((_, state)) = key.and_then(|key| self.keys.get_mut(&key)) {
            if let Key::Running(waiting) = state {
                repeats = std::mem::take(waiting);
            }
            *state = Key::Done(outcome.clone());
        }
        for repeat in repeats {
            self.answer(repeat, outcome.clone(), Duration::ZERO, true);
        }
        self.answer(id, outcome, elapsed, false);
    }

    fn answer(&mut self, id: u64, outcome: Outcome, elapsed: Duration, replayed: bool) {
        self.total += 1;
        self.faults += u64::from(matches!(outcome, Outcome::Fault(_)));
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.say(&FromRunner::Done(Done { id, replayed, elapsed_ms, outcome }));
    }
}

/// The id in a head that is otherwise not valid, so that its sender knows which command it was.
fn id_of(frame: &Frame) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(&frame.head).ok()?.get("id")?.as_u64()
}
