//! A session as root, with the few things that steps do over and over.

use std::time::Duration;

use runner::protocol::{Answer, Attributes, Effect, Ended, Exec, FaultCode, Grants, Op, Write};
use sha2::{Digest as _, Sha256};

use super::error::OnboardError;
use crate::error::RemoteError;
use crate::host::Host;
use crate::limits::{ONBOARD_FILE_MAX, ONBOARD_STEP};
use crate::session::{Content, Reply, Request, Session};
use crate::target::{Remote, Target as _, Transport};
use crate::upload::{Runner, Start, Sudo};

/// Programs a session of an onboarding may start.
const PROGRAMS: [&str; 10] = [
    "useradd",
    "userdel",
    "adduser",
    "deluser",
    "chpasswd",
    "visudo",
    "sshd",
    "systemctl",
    "sh",
    "restorecon",
];

/// Somebody who is root on a host, over a connection that stays open as long as this.
pub struct Admin {
    host: String,
    session: Session,
    // the connection lives as long as its target
    _remote: Remote,
}

/// How a program ended, and what it said.
pub(super) struct Ran {
    pub(super) good: bool,
    pub(super) stdout: String,
    pub(super) said: String,
}

/// What is written where.
pub(super) struct File<'a> {
    pub(super) path: &'a str,
    pub(super) content: &'a [u8],
    pub(super) mode: Option<u32>,
    /// Numbers of user and group.
    pub(super) owner: Option<(u32, u32)>,
    /// What was read there before; refuses to overwrite anything else.
    pub(super) before: Option<&'a [u8]>,
}

/// Opens a session that leaves nothing behind; where programs in `/tmp` cannot run, with the runner in the user's cache.
pub(super) async fn passing(
    host: &Host,
    runner: &Runner,
    sudo: &Sudo,
    grants: &Grants,
) -> Result<(Session, Remote), RemoteError> {
    let open = async |ephemeral: bool| {
        let start = Start { sudo: sudo.clone(), ephemeral, ..Start::default() };
        let remote = Remote::new(host.clone(), Transport::BuiltIn, runner.clone(), start);
        let session = remote.open(grants.clone()).await?;
        Ok((session, remote))
    };
    match open(true).await {
        Err(RemoteError::Upload { .. }) => open(false).await,
        other => other,
    }
}

impl Admin {
    /// Logs in and becomes root. Changes nothing.
    ///
    /// # Errors
    /// The host cannot be reached, does not accept the login, does not grant sudo, or who logged in is not root.
    pub async fn open(host: &Host, runner: &Runner, sudo: &Sudo) -> Result<Self, OnboardError> {
        let grants = Grants {
            exec: PROGRAMS.map(str::to_owned).into(),
            read: vec!["/".to_owned()],
            write: vec!["/".to_owned()],
        };
        let (session, remote) = passing(host, runner, sudo, &grants).await?;
        let uid = session.ready().uid;
        if uid != 0 {
            session.close().await;
            return Err(OnboardError::NotRoot { host: host.endpoint(), user: host.user.clone(), uid });
        }
        Ok(Self { host: host.endpoint(), session, _remote: remote })
    }

    /// The connection or the runner is gone.
    pub fn is_closed(&self) -> bool {
        self.session.is_closed()
    }

    /// Ends the session; the runner removes itself.
    pub async fn close(self) {
        self.session.close().await;
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn refused(&self, why: impl Into<String>) -> OnboardError {
        OnboardError::Refused { host: self.host.clone(), why: why.into() }
    }

    async fn ask(&self, op: Op, content: Content) -> Result<Reply, RemoteError> {
        let mut request = Request::new(op, ONBOARD_STEP);
        request.content = content;
        self.session.run(request).await
    }

    /// Runs a program; `None` when it is not there.
    pub(super) async fn run(
        &self,
        program: &str,
        args: &[&str],
        input: &[u8],
    ) -> Result<Option<Ran>, OnboardError> {
        let exec = Exec {
            program: program.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: [].into(),
            cwd: None,
            output_max: None,
            effect: Effect::Idempotent,
        };
        let content = if input.is_empty() { Content::None } else { Content::Bytes(input.to_vec()) };
        let reply = match self.ask(Op::Exec(exec), content).await {
            Ok(reply) => reply,
            Err(RemoteError::Command { fault, .. }) if fault.code == FaultCode::ProgramMissing => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let good = matches!(reply.answer, Answer::Exec { ended: Ended::Exited(0), .. });
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let (stdout, stderr) = (text(&reply.stdout), text(&reply.stderr));
        let said = if stderr.is_empty() { stdout.clone() } else { stderr };
        Ok(Some(Ran { good, stdout, said }))
    }

    /// Runs a program that has to be there and to succeed.
    pub(super) async fn must(
        &self,
        program: &'static str,
        args: &[&str],
        input: &[u8],
        purpose: &'static str,
    ) -> Result<Ran, OnboardError> {
        let missing = OnboardError::Missing { host: self.host.clone(), program, purpose };
        let ran = self.run(program, args, input).await?.ok_or(missing)?;
        if ran.good { Ok(ran) } else { Err(self.refused(format!("{program} failed: {}", ran.said))) }
    }

    /// A file's content; `None` when there is no such file.
    pub(super) async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, OnboardError> {
        let op = Op::Read { path: path.to_owned(), offset: 0, length: Some(ONBOARD_FILE_MAX), follow: true };
        match self.ask(op, Content::None).await {
            Ok(reply) if matches!(reply.answer, Answer::Read { complete: false, .. }) => {
                Err(self.refused(format!("{path} is larger than {ONBOARD_FILE_MAX} bytes")))
            }
            Ok(reply) => Ok(Some(reply.stdout)),
            Err(RemoteError::Command { fault, .. }) if fault.code == FaultCode::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A text file; `None` when there is none.
    pub(super) async fn text(&self, path: &str) -> Result<Option<String>, OnboardError> {
        let Some(bytes) = self.read(path).await? else { return Ok(None) };
        String::from_utf8(bytes).map(Some).map_err(|_| self.refused(format!("{path} is not UTF-8 text")))
    }

    /// Whether there is something at a path.
    pub(super) async fn exists(&self, path: &str) -> Result<bool, OnboardError> {
        let op = Op::Stat { path: path.to_owned(), digest: false, follow: true };
        Ok(matches!(self.ask(op, Content::None).await?.answer, Answer::Stat { file: Some(_) }))
    }

    /// Replaces a file's content, whole or not at all. Says whether anything changed.
    pub(super) async fn write(&self, file: File<'_>) -> Result<bool, OnboardError> {
        let attributes = Attributes {
            mode: file.mode,
            owner: file.owner.map(|(uid, _)| uid.to_string()),
            group: file.owner.map(|(_, gid)| gid.to_string()),
        };
        let op = Op::Write(Write {
            path: file.path.to_owned(),
            attributes,
            backup: false,
            parents: false,
            sha256: Some(hex::encode(Sha256::digest(file.content))),
            replaces: file.before.map(|before| hex::encode(Sha256::digest(before))),
        });
        let reply = self.ask(op, Content::Bytes(file.content.to_vec())).await?;
        Ok(matches!(reply.answer, Answer::Written { changed: true, .. }))
    }

    /// Ensures a directory. Says whether anything changed.
    pub(super) async fn directory(
        &self,
        path: &str,
        mode: u32,
        (uid, gid): (u32, u32),
    ) -> Result<bool, OnboardError> {
        let attributes =
            Attributes { mode: Some(mode), owner: Some(uid.to_string()), group: Some(gid.to_string()) };
        let op = Op::Directory { path: path.to_owned(), parents: false, attributes };
        let reply = self.ask(op, Content::None).await?;
        Ok(matches!(reply.answer, Answer::Ensured { changed: true }))
    }

    /// Ensures that a file is not there. Says whether anything changed.
    pub(super) async fn remove(&self, path: &str) -> Result<bool, OnboardError> {
        let reply = self.ask(Op::Remove { path: path.to_owned(), recursive: false }, Content::None).await?;
        Ok(matches!(reply.answer, Answer::Ensured { changed: true }))
    }

    /// Waits on this side.
    pub(super) async fn pause(&self, pause: Duration) {
        tokio::time::sleep(pause).await;
    }
}
