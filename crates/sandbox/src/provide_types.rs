//! Between the types of `wit/provider` and those of the seam.

use provider::Attributes;
use provider::exchange::{
    Answer, Application, Change, Content, Effect, Ended, Failure, FailureClass, FileKind, Finding,
    Inspection, Op, Operation, Outcome, Ownership, Part, Query, Run, Stat,
};

use crate::bindings::providing::exports::aedile::provider::resources as wit;

/// A provider's JSON text that must be an object.
pub(crate) fn object(text: &str) -> Result<Attributes, String> {
    serde_json::from_str(text).map_err(|error| format!("attributes that are no JSON object: {error}"))
}

/// About how many bytes of an answer reach the guest.
pub(crate) fn size(answer: &wit::Answer) -> usize {
    match answer {
        wit::Answer::Content(content) => content.data.len(),
        wit::Answer::Ran(ran) => ran.stdout.len() + ran.stderr.len(),
        wit::Answer::Facts(facts) => facts.len(),
        wit::Answer::Responded(response) => response.body.len(),
        wit::Answer::Fault(fault) => fault.message.len(),
        wit::Answer::File(_) | wit::Answer::Connected(_) | wit::Answer::Done(_) => size_of::<Stat>(),
    }
}

impl From<wit::Finding> for Finding {
    fn from(finding: wit::Finding) -> Self {
        Self { path: finding.path, message: finding.message, hint: finding.hint }
    }
}

macro_rules! same_words {
    ($from:ty => $to:ty { $($word:ident),* $(,)? }) => {
        impl From<$from> for $to {
            fn from(word: $from) -> Self {
                match word { $(<$from>::$word => Self::$word),* }
            }
        }
    };
}

same_words!(wit::Part => Part { Os, Kernel, Cpu, Memory, Disks, Network, Packages, Services, Users, Time });
same_words!(wit::Effect => Effect { Read, Idempotent, Once });
same_words!(FileKind => wit::FileKind { File, Directory, Symlink, Other });
same_words!(wit::FailureClass => FailureClass { Transient, Conflict, Permanent });

impl From<wit::Run> for Run {
    fn from(run: wit::Run) -> Self {
        Self {
            program: run.program,
            args: run.args,
            env: run.env,
            cwd: run.cwd,
            input: run.input,
            output_max: run.output_max,
            effect: run.effect.into(),
            timeout_s: run.timeout,
        }
    }
}

impl From<wit::Query> for Query {
    fn from(query: wit::Query) -> Self {
        match query {
            wit::Query::Stat(wit::Look { path, digest, follow }) => Self::Stat { path, digest, follow },
            wit::Query::Read(wit::Reading { path, max, follow }) => Self::Read { path, max, follow },
            wit::Query::Exec(run) => Self::Exec(run.into()),
            wit::Query::Facts(parts) => Self::Facts { parts: parts.into_iter().map(Part::from).collect() },
            wit::Query::Tcp(probe) => {
                Self::Tcp { host: probe.host, port: probe.port, timeout_ms: probe.timeout }
            }
            wit::Query::Http(probe) => Self::Http {
                method: probe.method,
                url: probe.url,
                headers: probe.headers,
                timeout_ms: probe.timeout,
                body_max: probe.body_max,
            },
        }
    }
}

impl From<wit::Attributes> for Ownership {
    fn from(attributes: wit::Attributes) -> Self {
        Self { mode: attributes.mode, owner: attributes.owner, group: attributes.group }
    }
}

impl From<wit::Op> for Op {
    fn from(op: wit::Op) -> Self {
        match op {
            wit::Op::Query(query) => Self::Query { query: query.into() },
            wit::Op::Write(write) => Self::Write {
                path: write.path,
                content: match write.content {
                    wit::Content::Bytes(bytes) => Content::Bytes(bytes),
                    wit::Content::File(sha256) => Content::File(sha256),
                },
                attributes: write.attributes.into(),
                backup: write.backup,
                parents: write.parents,
                replaces: write.replaces,
            },
            wit::Op::Set(set) => Self::Set { path: set.path, attributes: set.attributes.into() },
            wit::Op::Remove(removal) => Self::Remove { path: removal.path, recursive: removal.recursive },
            wit::Op::Directory(directory) => Self::Directory {
                path: directory.path,
                parents: directory.parents,
                attributes: directory.attributes.into(),
            },
            wit::Op::Symlink(link) => {
                Self::Symlink { path: link.path, target: link.target, force: link.force }
            }
            wit::Op::Exec(run) => Self::Exec(run.into()),
        }
    }
}

impl From<&Stat> for wit::Stat {
    fn from(stat: &Stat) -> Self {
        Self {
            kind: stat.kind.into(),
            size: stat.size,
            mode: stat.mode,
            uid: stat.uid,
            gid: stat.gid,
            owner: stat.owner.clone(),
            group: stat.group.clone(),
            target: stat.target.clone(),
            sha256: stat.sha256.clone(),
        }
    }
}

impl From<&Answer> for wit::Answer {
    fn from(answer: &Answer) -> Self {
        match answer {
            Answer::File(stat) => Self::File(stat.as_ref().map(wit::Stat::from)),
            Answer::Content { data, complete } => {
                Self::Content(wit::Bytes { data: data.clone(), complete: *complete })
            }
            Answer::Ran { ended, stdout, stderr, truncated } => Self::Ran(wit::Ran {
                ended: match ended {
                    Ended::Exited(code) => wit::Ended::Exited(*code),
                    Ended::Signalled(signal) => wit::Ended::Signalled(*signal),
                },
                stdout: stdout.clone(),
                stderr: stderr.clone(),
                truncated: *truncated,
            }),
            Answer::Facts(facts) => Self::Facts(facts.to_string()),
            Answer::Connected(elapsed) => Self::Connected(*elapsed),
            Answer::Responded { status, headers, body, elapsed_ms } => Self::Responded(wit::Response {
                status: *status,
                headers: headers.clone(),
                body: body.clone(),
                elapsed: *elapsed_ms,
            }),
            Answer::Done(changed) => Self::Done(*changed),
            Answer::Fault(fault) => {
                Self::Fault(wit::Fault { code: fault.code.clone(), message: fault.message.clone() })
            }
        }
    }
}

impl TryFrom<wit::Inspection> for Inspection {
    type Error = String;

    fn try_from(inspection: wit::Inspection) -> Result<Self, String> {
        Ok(match inspection {
            wit::Inspection::More(queries) => Self::More(queries.into_iter().map(Query::from).collect()),
            wit::Inspection::Absent => Self::Absent,
            wit::Inspection::Present(attributes) => Self::Present(object(&attributes)?),
            wit::Inspection::Unreadable(why) => Self::Unreadable(why),
        })
    }
}

impl From<&Change> for wit::Change {
    fn from(change: &Change) -> Self {
        let json = |attributes| serde_json::to_string(attributes).expect("a JSON object can be written");
        Self {
            operation: match &change.operation {
                Operation::Create => wit::Operation::Create,
                Operation::Update => wit::Operation::Update,
                Operation::Delete => wit::Operation::Delete,
                Operation::Handle(handler) => wit::Operation::Handle(handler.clone()),
            },
            desired: json(&change.desired),
            prior: json(&change.prior),
            fields: change.fields.clone(),
            asked: change.asked.clone(),
        }
    }
}

impl TryFrom<wit::Application> for Application {
    type Error = String;

    fn try_from(application: wit::Application) -> Result<Self, String> {
        Ok(match application {
            wit::Application::More(ops) => Self::More(ops.into_iter().map(Op::from).collect()),
            wit::Application::Join(with) => Self::Join(with),
            wit::Application::Done(outcome) => {
                Self::Done(Outcome { attributes: object(&outcome.attributes)?, changed: outcome.changed })
            }
            wit::Application::Failed(failure) => {
                Self::Failed(Failure { class: failure.class.into(), problem: failure.problem })
            }
        })
    }
}
