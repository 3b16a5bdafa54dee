//! The one thread that writes: takes what has queued up, commits it together, then answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_channel::oneshot;
use journal::JournalError;
use journal::watch::Watch;
use model::{Timestamp, code};
use rusqlite::Connection;

use crate::answers::{Answers, Outcome};
use crate::connection;
use crate::error::{from_io, from_sqlite};
use crate::ledger::{Entry, Ledger, Refusal};
use crate::limits::{GROUP_BYTES_MAX, GROUP_REQUESTS_MAX, QUEUE_BYTES_MAX, QUEUE_REQUESTS_MAX};

/// Answers a task once it is known whether its transaction is durable.
pub(crate) type Answer = Box<dyn FnOnce(Result<(), JournalError>) + Send>;

/// Work of another kind than an append, inside the writer's transaction.
pub(crate) type Task = Box<dyn FnOnce(&Connection) -> Answer + Send>;

pub(crate) enum Request {
    Append(Box<Entry>, journal::seam::Acknowledge),
    Task(Task),
    /// Fold the journal again.
    Rebuild(oneshot::Sender<Result<(), JournalError>>),
}

/// The wall clock, or a test's.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The sending end of the writer's queue, and its thread.
pub(crate) struct Writer {
    queue: Option<SyncSender<Request>>,
    queued: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(
        connection: Connection,
        path: PathBuf,
        clock: WallClock,
        lock_timeout: Duration,
        watch: Arc<Watch>,
    ) -> Result<Self, JournalError> {
        let ledger = Ledger::new(&connection).map_err(|error| from_sqlite(&path, "cannot read", &error))?;
        let (queue, requests) = sync_channel(QUEUE_REQUESTS_MAX);
        let queued = Arc::new(AtomicUsize::new(0));
        let answers =
            Answers::start().map_err(|error| from_io("cannot start the journal's answers", &error))?;
        let mut work =
            Work { connection, path, clock, lock_timeout, watch, ledger, queued: queued.clone(), answers };
        let thread = std::thread::Builder::new()
            .name("journal-writer".to_owned())
            .spawn(move || work.run(&requests))
            .map_err(|error| from_io("cannot start the journal's writer", &error))?;
        Ok(Self { queue: Some(queue), queued, thread: Some(thread) })
    }

    /// Queues a request, or gives it back with the reason.
    pub(crate) fn submit(&self, request: Request) -> Result<(), (Request, JournalError)> {
        let Some(queue) = &self.queue else { return Err((request, JournalError::stopped())) };
        let bytes = size(&request);
        if self.queued.fetch_add(bytes, Ordering::Relaxed) + bytes > QUEUE_BYTES_MAX {
            self.queued.fetch_sub(bytes, Ordering::Relaxed);
            return Err((request, overloaded()));
        }
        queue.try_send(request).map_err(|refused| {
            self.queued.fetch_sub(bytes, Ordering::Relaxed);
            match refused {
                TrySendError::Full(request) => (request, overloaded()),
                TrySendError::Disconnected(request) => (request, JournalError::stopped()),
            }
        })
    }

    /// Queues a task whose result the caller can wait for.
    pub(crate) fn task<T: Send + 'static>(
        &self,
        path: &std::path::Path,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Pending<T> {
        let (sender, receiver) = oneshot::channel();
        let path = path.to_owned();
        let task: Task = Box::new(move |connection| {
            let result = work(connection).map_err(|error| from_sqlite(&path, "cannot write to", &error));
            // the caller may have stopped waiting
            Box::new(move |durable| drop(sender.send(durable.and(result))))
        });
        match self.submit(Request::Task(task)) {
            Ok(()) => Pending(receiver),
            Err((_, error)) => Pending::ready(Err(error)),
        }
    }
}

impl Writer {
    /// Queues a rebuild of the views.
    pub(crate) fn rebuild(&self) -> Pending<()> {
        let (sender, receiver) = oneshot::channel();
        match self.submit(Request::Rebuild(sender)) {
            Ok(()) => Pending(receiver),
            Err((_, error)) => Pending::ready(Err(error)),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // the thread commits what is queued and ends
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // a panic of the thread has been answered by every request it dropped
            drop(thread.join());
        }
    }
}

fn size(request: &Request) -> usize {
    match request {
        Request::Append(entry, _) => entry.bytes,
        Request::Task(_) | Request::Rebuild(_) => 0,
    }
}

fn overloaded() -> JournalError {
    JournalError::Storage {
        code: code::journal::OVERLOADED,
        what: "the journal's writer cannot keep up with what is appended".to_owned(),
        hint: Some("aedile status".to_owned()),
    }
}

/// A result that is ready once the writer has made it durable. A future; or block on it with [`Pending::wait`].
#[derive(Debug)]
pub struct Pending<T>(oneshot::Receiver<Result<T, JournalError>>);

impl<T> Pending<T> {
    /// A result that is there already.
    pub(crate) fn ready(result: Result<T, JournalError>) -> Self {
        let (sender, receiver) = oneshot::channel();
        // the receiver is still here, so sending cannot fail
        drop(sender.send(result));
        Self(receiver)
    }

    /// Blocks until the result is ready.
    pub fn wait(self) -> Result<T, JournalError> {
        futures_executor::block_on(self)
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, JournalError>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0)
            .poll(context)
            .map(|answer| answer.unwrap_or_else(|_| Err(JournalError::stopped())))
    }
}

struct Work {
    connection: Connection,
    path: PathBuf,
    clock: WallClock,
    lock_timeout: Duration,
    watch: Arc<Watch>,
    ledger: Ledger,
    queued: Arc<AtomicUsize>,
    answers: Answers,
}

impl Work {
    fn run(&mut self, requests: &Receiver<Request>) {
        let mut group = Vec::with_capacity(GROUP_REQUESTS_MAX);
        while let Ok(first) = requests.recv() {
            let mut bytes = size(&first);
            group.push(first);
            while group.len() < GROUP_REQUESTS_MAX && bytes < GROUP_BYTES_MAX {
                let Ok(request) = requests.try_recv() else { break };
                bytes += size(&request);
                group.push(request);
            }
            self.queued.fetch_sub(bytes, Ordering::Relaxed);
            self.commit(&mut group);
        }
    }

    /// Carries a group out in one transaction and answers each request.
    fn commit(&mut self, group: &mut Vec<Request>) {
        let mut outcomes = Vec::with_capacity(group.len());
        let done = connection::begin(&self.connection, &self.path, self.lock_timeout)
            .and_then(|()| self.transact(group, &mut outcomes));
        if done.is_err() {
            self.ledger.forget();
            if !self.connection.is_autocommit() {
                // if even that fails, the next BEGIN says so
                drop(self.connection.execute_batch("ROLLBACK"));
            }
        } else {
            self.watch.publish(self.ledger.position());
        }
        self.answers.give(outcomes, &done);
        for request in group.drain(..) {
            let error = done.clone().err().unwrap_or_else(JournalError::stopped);
            match request {
                Request::Append(_, reply) => drop(reply.send(Err(error))),
                Request::Rebuild(reply) => drop(reply.send(Err(error))),
                // never run, so it is told by its sender's end
                Request::Task(task) => drop(task),
            }
        }
    }

    fn transact(
        &mut self,
        group: &mut Vec<Request>,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), JournalError> {
        let failed = |path: &std::path::Path, error| from_sqlite(path, "cannot write to", &error);
        let connection = &self.connection;
        self.ledger.refresh(connection).map_err(|error| failed(&self.path, error))?;
        let now = (self.clock)();
        let mut broken = None;
        for request in group.drain(..) {
            match request {
                Request::Append(entry, reply) => {
                    let result = match &broken {
                        Some(_) => Err(JournalError::stopped()),
                        None => {
                            self.ledger.append(connection, &entry, now).map_err(|refusal| match refusal {
                                Refusal::Own(error) => error,
                                Refusal::Everybody(error) => {
                                    let error = failed(&self.path, error);
                                    broken = Some(error.clone());
                                    error
                                }
                            })
                        }
                    };
                    outcomes.push(Outcome::Append(reply, result, entry));
                }
                Request::Task(task) => {
                    // a task may read what was appended before it
                    self.ledger.write(connection).map_err(|error| failed(&self.path, error))?;
                    outcomes.push(Outcome::Task(task(connection)));
                }
                Request::Rebuild(reply) => {
                    let result = self.ledger.rebuild(connection, &self.path);
                    broken = broken.or_else(|| result.clone().err());
                    outcomes.push(Outcome::Rebuild(reply, result));
                }
            }
        }
        if let Some(error) = broken {
            return Err(error);
        }
        self.ledger.flush(connection).map_err(|error| failed(&self.path, error))?;
        connection
            .prepare_cached("COMMIT")
            .and_then(|mut commit| commit.execute([]))
            .map(drop)
            .map_err(|error| failed(&self.path, error))
    }
}
