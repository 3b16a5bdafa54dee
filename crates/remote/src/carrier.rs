//! [`Carrier`]: what providers ask for, carried out by a session with a runner.

use std::io::Read;
use std::time::Duration;

use futures_util::future::join_all;
use model::Coded as _;
use provider::exchange::{
    Answer, Content as Wanted, Effect, Ended, Fault as Refusal, FileKind, Op, Ownership, Part, Query, Run,
    Stat,
};
use provider::{BoxFuture, Files, Probes, ProviderError, Rights, Target};
use runner::limits::BODY_MAX;
use runner::protocol as wire;

use crate::error::RemoteError;
use crate::limits::{BATCH_MAX, LOOK_TIMEOUT, OP_TIMEOUT};
use crate::session::{Content, Reply, Request, Session};

/// A session's grants for what resources need.
pub fn grants(rights: Rights) -> wire::Grants {
    let list = |set: std::collections::BTreeSet<String>| set.into_iter().collect();
    wire::Grants { exec: list(rights.exec), read: list(rights.read), write: list(rights.write) }
}

/// Carries out what providers ask for: queries in one round trip, operations in order within a list. Content of the
/// project's files is streamed, so its size does not matter.
pub struct Carrier<'s> {
    session: &'s Session,
    files: &'s dyn Files,
    probes: &'s dyn Probes,
}

impl<'s> Carrier<'s> {
    /// By this session, with the project's files, and with somebody who probes.
    pub fn new(session: &'s Session, files: &'s dyn Files, probes: &'s dyn Probes) -> Self {
        Self { session, files, probes }
    }

    /// Sends requests together, in portions the runner takes.
    async fn together(&self, requests: Vec<Request>) -> Result<Vec<Result<Reply, RemoteError>>, RemoteError> {
        let mut replies = Vec::with_capacity(requests.len());
        let mut requests = requests.into_iter().peekable();
        while requests.peek().is_some() {
            replies.extend(self.session.batch(requests.by_ref().take(BATCH_MAX).collect()).await?);
        }
        Ok(replies)
    }

    async fn probe(&self, query: &Query) -> Answer {
        match query {
            Query::Tcp { host, port, timeout_ms } => {
                self.probes.tcp(host, *port, Duration::from_millis((*timeout_ms).into())).await
            }
            other => self.probes.http(other).await,
        }
    }

    /// Carries out a list that cannot be sent at once, one operation after the other.
    async fn one_by_one(&self, ops: &[Op]) -> Result<Vec<Answer>, ProviderError> {
        let mut answers = Vec::with_capacity(ops.len());
        for op in ops {
            answers.push(match prepared(op, self.files) {
                Prepared::Small(request) => answered(self.session.run(request).await, true)?,
                Prepared::Answered(answer) => answer,
                Prepared::Alone => self.alone(op).await?,
            });
        }
        Ok(answers)
    }

    async fn alone(&self, op: &Op) -> Result<Answer, ProviderError> {
        match op {
            Op::Query { query } if is_probe(query) => Ok(self.probe(query).await),
            Op::Write { content: Wanted::File(sha256), .. } => match self.files.open(sha256) {
                Ok((_, content)) => self.streamed(op, content).await,
                Err(why) => Ok(unreadable(&why)),
            },
            op => answered(self.session.run(request(op)).await, true),
        }
    }

    async fn streamed(&self, op: &Op, content: Box<dyn Read + Send>) -> Result<Answer, ProviderError> {
        let mut request = Request::new(command(op), op_timeout(op));
        request.content = Content::Stream;
        let running = self.session.start(request).await.map_err(|error| lost(&error, true))?;
        let mut content = content;
        loop {
            let read = tokio::task::spawn_blocking(move || {
                let mut piece = Vec::with_capacity(BODY_MAX);
                let read = content.by_ref().take(BODY_MAX as u64).read_to_end(&mut piece);
                (content, read.map(|_| piece))
            });
            let Ok((rest, piece)) = read.await else {
                return Ok(unreadable(&std::io::Error::other("reading it was stopped")));
            };
            content = rest;
            match piece {
                Ok(piece) if piece.is_empty() => break,
                Ok(piece) => running.send(&piece).await.map_err(|error| lost(&error, true))?,
                Err(why) => {
                    running.cancel().await.map_err(|error| lost(&error, true))?;
                    // the end of a cancelled command says nothing that the reason does not
                    let _cancelled = running.end().await;
                    return Ok(unreadable(&why));
                }
            }
        }
        running.finish().await.map_err(|error| lost(&error, true))?;
        answered(running.end().await, true)
    }

    /// The requests of a list that can be sent with others in one write, in its order; where there is none, its answer.
    fn small(&self, ops: &[Op]) -> Option<Vec<Result<Request, Answer>>> {
        let of = |op| match prepared(op, self.files) {
            Prepared::Small(request) => Some(Ok(request)),
            Prepared::Answered(answer) => Some(Err(answer)),
            Prepared::Alone => None,
        };
        ops.iter().map(of).collect()
    }
}

impl Target for Carrier<'_> {
    fn ask<'a>(&'a self, queries: &'a [Query]) -> BoxFuture<'a, Result<Vec<Answer>, ProviderError>> {
        Box::pin(async move {
            let (mut sent, mut probes, mut requests) = (Vec::new(), Vec::new(), Vec::new());
            for (at, query) in queries.iter().enumerate() {
                if is_probe(query) {
                    probes.push(async move { (at, self.probe(query).await) });
                } else {
                    sent.push(at);
                    requests.push(looking(query));
                }
            }
            let (replies, probed) = tokio::join!(self.together(requests), join_all(probes));
            let replies = replies.map_err(|error| lost(&error, false))?;
            let mut answers: Vec<Option<Answer>> = vec![None; queries.len()];
            for (at, reply) in sent.into_iter().zip(replies) {
                answers[at] = Some(answered(reply, false)?);
            }
            for (at, answer) in probed {
                answers[at] = Some(answer);
            }
            Ok(answers.into_iter().flatten().collect())
        })
    }

    fn carry_out<'a>(
        &'a self,
        lists: &'a [Vec<Op>],
    ) -> BoxFuture<'a, Result<Vec<Vec<Answer>>, ProviderError>> {
        Box::pin(async move {
            let mut answers: Vec<Vec<Answer>> =
                lists.iter().map(|ops| Vec::with_capacity(ops.len())).collect();
            let (mut requests, mut places, mut large) = (Vec::new(), Vec::new(), Vec::new());
            for (at, ops) in lists.iter().enumerate() {
                let Some(small) = self.small(ops) else {
                    large.push(at);
                    continue;
                };
                for one in small {
                    let known = match one {
                        Ok(request) => {
                            requests.push(Request { lane: u32::try_from(at).ok(), ..request });
                            None
                        }
                        Err(answer) => Some(answer),
                    };
                    places.push((at, known));
                }
            }
            let one_by_one = large.iter().map(|&at| async move { (at, self.one_by_one(&lists[at]).await) });
            let (replies, others) = tokio::join!(self.together(requests), join_all(one_by_one));
            let mut replies = replies.map_err(|error| lost(&error, true))?.into_iter();
            for (at, known) in places {
                let answer = match known {
                    Some(answer) => answer,
                    None => match replies.next() {
                        Some(reply) => answered(reply, true)?,
                        None => break,
                    },
                };
                answers[at].push(answer);
            }
            for (at, list) in others {
                answers[at] = list?;
            }
            Ok(answers)
        })
    }
}

fn is_probe(query: &Query) -> bool {
    matches!(query, Query::Tcp { .. } | Query::Http { .. })
}

fn unreadable(why: &std::io::Error) -> Answer {
    Answer::Fault(Refusal {
        code: "not_found".to_owned(),
        message: format!("the project's file cannot be read: {why}"),
    })
}

/// The target as a whole failed. What was asked for may have happened if `changing`.
fn lost(error: &RemoteError, changing: bool) -> ProviderError {
    let uncertain = changing && matches!(error, RemoteError::Cut { .. } | RemoteError::Timeout { .. });
    ProviderError::Target { why: error.to_string(), code: error.code(), uncertain }
}

fn answered(reply: Result<Reply, RemoteError>, changing: bool) -> Result<Answer, ProviderError> {
    match reply {
        Ok(reply) => Ok(answer(reply)),
        Err(RemoteError::Command { fault, .. }) => {
            let code = serde_json::to_value(fault.code).ok();
            let code = code.as_ref().and_then(|code| code.as_str()).unwrap_or("io").to_owned();
            Ok(Answer::Fault(Refusal { code, message: fault.message }))
        }
        Err(error) => Err(lost(&error, changing)),
    }
}

fn answer(reply: Reply) -> Answer {
    match reply.answer {
        wire::Answer::Stat { file } => Answer::File(file.map(stat)),
        wire::Answer::Read { complete, .. } => Answer::Content { data: reply.stdout, complete },
        wire::Answer::Exec { ended, truncated, .. } => Answer::Ran {
            ended: match ended {
                wire::Ended::Exited(code) => Ended::Exited(code),
                wire::Ended::Signalled(signal) => Ended::Signalled(signal),
            },
            stdout: reply.stdout,
            stderr: reply.stderr,
            truncated,
        },
        wire::Answer::Written { changed, .. } | wire::Answer::Ensured { changed } => Answer::Done(changed),
        wire::Answer::Facts(facts) => match serde_json::to_value(facts) {
            Ok(facts) => Answer::Facts(facts),
            Err(why) => Answer::Fault(Refusal { code: "io".to_owned(), message: why.to_string() }),
        },
    }
}

fn stat(stat: wire::Stat) -> Stat {
    Stat {
        kind: match stat.kind {
            wire::Kind::File => FileKind::File,
            wire::Kind::Directory => FileKind::Directory,
            wire::Kind::Symlink => FileKind::Symlink,
            wire::Kind::Other => FileKind::Other,
        },
        size: stat.size,
        mode: stat.mode,
        uid: stat.uid,
        gid: stat.gid,
        owner: stat.owner,
        group: stat.group,
        target: stat.target,
        sha256: stat.sha256,
    }
}

fn looking(query: &Query) -> Request {
    let op = match query {
        Query::Stat { path, digest, follow } => {
            wire::Op::Stat { path: path.clone(), digest: *digest, follow: *follow }
        }
        Query::Read { path, max, follow } => {
            wire::Op::Read { path: path.clone(), offset: 0, length: Some(*max), follow: *follow }
        }
        Query::Exec(run) => return running(run),
        Query::Facts { parts } => wire::Op::Facts { parts: parts.iter().copied().map(part).collect() },
        // those are carried out elsewhere
        Query::Tcp { .. } | Query::Http { .. } => wire::Op::Facts { parts: vec![wire::Part::Time] },
    };
    Request::new(op, LOOK_TIMEOUT)
}

fn part(part: Part) -> wire::Part {
    match part {
        Part::Os => wire::Part::Os,
        Part::Kernel => wire::Part::Kernel,
        Part::Cpu => wire::Part::Cpu,
        Part::Memory => wire::Part::Memory,
        Part::Disks => wire::Part::Disks,
        Part::Network => wire::Part::Network,
        Part::Packages => wire::Part::Packages,
        Part::Services => wire::Part::Services,
        Part::Users => wire::Part::Users,
        Part::Time => wire::Part::Time,
    }
}

fn running(run: &Run) -> Request {
    let exec = wire::Exec {
        program: run.program.clone(),
        args: run.args.clone(),
        env: run.env.iter().cloned().collect(),
        cwd: run.cwd.clone(),
        output_max: Some(run.output_max),
        effect: match run.effect {
            Effect::Read => wire::Effect::Read,
            Effect::Idempotent => wire::Effect::Idempotent,
            Effect::Once => wire::Effect::Once,
        },
    };
    let mut request = Request::new(wire::Op::Exec(exec), Duration::from_secs(run.timeout_s.into()));
    if let Some(input) = &run.input {
        request.content = Content::Bytes(input.clone());
    }
    request
}

fn owned(attributes: &Ownership) -> wire::Attributes {
    wire::Attributes {
        mode: attributes.mode,
        owner: attributes.owner.clone(),
        group: attributes.group.clone(),
    }
}

fn op_timeout(op: &Op) -> Duration {
    match op {
        Op::Query { .. } => LOOK_TIMEOUT,
        Op::Exec(run) => Duration::from_secs(run.timeout_s.into()),
        _ => OP_TIMEOUT,
    }
}

fn command(op: &Op) -> wire::Op {
    match op {
        Op::Query { query } => looking(query).op,
        Op::Exec(run) => running(run).op,
        Op::Write { path, content, attributes, backup, parents, replaces } => wire::Op::Write(wire::Write {
            path: path.clone(),
            attributes: owned(attributes),
            backup: *backup,
            parents: *parents,
            sha256: match content {
                Wanted::File(sha256) => Some(sha256.clone()),
                Wanted::Bytes(_) => None,
            },
            replaces: replaces.clone(),
        }),
        Op::Set { path, attributes } => wire::Op::Set { path: path.clone(), attributes: owned(attributes) },
        Op::Remove { path, recursive } => wire::Op::Remove { path: path.clone(), recursive: *recursive },
        Op::Directory { path, parents, attributes } => {
            wire::Op::Directory { path: path.clone(), parents: *parents, attributes: owned(attributes) }
        }
        Op::Symlink { path, target, force } => {
            wire::Op::Symlink { path: path.clone(), target: target.clone(), force: *force }
        }
    }
}

/// What an operation comes to before anything is sent.
enum Prepared {
    /// It fits into a frame.
    Small(Request),
    /// It cannot be carried out, and this is its answer.
    Answered(Answer),
    /// It is not sent with others: it is no command of the runner's, or too large for a frame.
    Alone,
}

/// The request for an operation, with the content that the operation itself has.
fn request(op: &Op) -> Request {
    match op {
        Op::Exec(run) => running(run),
        op => {
            let mut request = Request::new(command(op), op_timeout(op));
            if let Op::Write { content: Wanted::Bytes(bytes), .. } = op {
                request.content = Content::Bytes(bytes.clone());
            }
            request
        }
    }
}

fn prepared(op: &Op, files: &dyn Files) -> Prepared {
    let fits = match op {
        Op::Query { query } => !is_probe(query),
        Op::Exec(run) => run.input.as_ref().is_none_or(|input| input.len() <= BODY_MAX),
        Op::Write { content: Wanted::Bytes(bytes), .. } => bytes.len() <= BODY_MAX,
        Op::Write { content: Wanted::File(sha256), .. } => {
            return match small(sha256, files) {
                Ok(Some(bytes)) => Prepared::Small(Request { content: Content::Bytes(bytes), ..request(op) }),
                Ok(None) => Prepared::Alone,
                Err(why) => Prepared::Answered(unreadable(&why)),
            };
        }
        _ => true,
    };
    if fits { Prepared::Small(request(op)) } else { Prepared::Alone }
}

/// The content of a file of the project, where it fits into a frame.
fn small(sha256: &str, files: &dyn Files) -> std::io::Result<Option<Vec<u8>>> {
    let (size, content) = files.open(sha256)?;
    let Some(size) = usize::try_from(size).ok().filter(|size| *size <= BODY_MAX) else { return Ok(None) };
    let mut bytes = Vec::with_capacity(size);
    content.take(BODY_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
