//! An environment of a server.

use std::sync::Arc;

use api::client::{At, Client};
use engine::control::Command;
use journal::Proof;
use model::{ApprovalId, RunId, code};
use policy::Choice;
use tokio::runtime::Runtime;

use super::records::Records;
use crate::World;
use crate::args::Global;
use crate::logins::Logins;
use crate::report::Report;
use crate::views::table::plain;

/// An environment of a server, by somebody who is logged in there.
pub(in crate::commands) struct There {
    pub(in crate::commands) at: At,
    pub(in crate::commands) records: Arc<Records>,
    runtime: Runtime,
}

impl There {
    /// The environment that the options say.
    pub(super) fn find(world: &World, global: &Global, url: &str) -> Result<Self, Report> {
        let client = Client::new(Logins::open(world)?.login(url)?)?;
        let runtime = crate::commands::runtime()?;
        let (project, environment) = runtime.block_on(which(&client, global))?;
        let at = client.environment(&project, &environment);
        let records = Arc::new(Records::of(at.clone(), runtime.handle().clone()));
        Ok(Self { at, records, runtime })
    }

    /// Waits, wherever it is called.
    pub(in crate::commands) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.records.wait(work)
    }

    /// Runs what asks and listens, from outside of anything that is waited for.
    pub(in crate::commands) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(in crate::commands) fn listen(&self, stream: Option<&str>, after: u64) -> Result<(), Report> {
        Ok(self.records.listen(stream, after)?)
    }

    pub(super) fn steer(
        &self,
        run: RunId,
        command: &Command,
        act_as: Option<&str>,
    ) -> Result<api::Steered, Report> {
        themselves(act_as)?;
        let run = run.to_string();
        let reason = |reason: &Option<String>| api::Reason { reason: reason.clone() };
        let steered = self.wait(async {
            match command {
                Command::Cancel { reason: why } => self.at.cancel(&run, &reason(why)).await,
                Command::Pause { reason: why } => self.at.pause(&run, &reason(why)).await,
                Command::Resume => self.at.resume(&run).await,
                Command::Retry { from } => {
                    let from = from.as_ref().map(ToString::to_string);
                    self.at.retry(&run, &api::RetryRun { from }).await
                }
                Command::Signal { name, data } => {
                    let signal = api::SignalRun { name: name.clone(), data: data.clone() };
                    self.at.signal(&run, &signal).await
                }
                Command::Resolve { step, doubt, happened, output, reason } => {
                    let resolve = api::ResolveRun {
                        step: step.to_string(),
                        doubt: *doubt,
                        happened: *happened,
                        output: output.clone(),
                        reason: reason.clone(),
                    };
                    self.at.resolve(&run, &resolve).await
                }
            }
        });
        Ok(steered?)
    }

    pub(super) fn decide(
        &self,
        approval: ApprovalId,
        choice: &Choice,
        act_as: Option<&str>,
    ) -> Result<api::Decided, Report> {
        themselves(act_as)?;
        let (word, reason) = match choice {
            Choice::Grant { reason } => ("grant", reason.clone()),
            Choice::Deny { reason } => ("deny", reason.clone()),
            Choice::Override { reason } => ("override", Some(reason.clone())),
            Choice::Withdraw { reason } => ("withdraw", Some(reason.clone())),
        };
        let decision = api::Decision { reason, binding: None };
        Ok(self.wait(self.at.decide(&approval.to_string(), word, &decision))?)
    }

    /// The proof that the server gives, which is checked here as far as it can be without a key.
    pub(super) fn prove(&self, position: u64) -> Result<(Proof, Arc<[u8]>), Report> {
        let sent = self.wait(self.at.proof(position))?;
        let record = super::decoded(&sent.record)?;
        let bad = |why: String| {
            Report::new(code::journal::BAD_PROOF, "the server's proof proves nothing").caused_by(why)
        };
        let proof: Proof =
            sent.file.parse().map_err(|error: journal::proof::ProofFileError| bad(error.to_string()))?;
        if record.position != position || proof.index.wrapping_add(1) != position {
            return Err(bad(format!("it is about record {}", record.position)));
        }
        let checkpoint: journal::Checkpoint =
            proof.note.text().parse().map_err(|_| bad("its note is no checkpoint".to_owned()))?;
        let leaf = journal::record::digest(&record.bytes);
        journal::merkle::verify_inclusion(&leaf, proof.index, checkpoint.size, &proof.path, &checkpoint.root)
            .map_err(|error| bad(error.to_string()))?;
        Ok((proof, record.bytes))
    }
}

/// Who a caller of a server is says their token; nobody acts as somebody else there.
pub(in crate::commands) fn themselves(act_as: Option<&str>) -> Result<(), Report> {
    let Some(name) = act_as else { return Ok(()) };
    let what = format!("nobody can act as {} on a server with somebody else's token", plain(name));
    Err(Report::new(code::server::NOT_REMOTE, what).with_hint("aedile login URL, with a token of theirs"))
}

/// The project and the environment that are meant.
async fn which(client: &Client, global: &Global) -> Result<(String, String), Report> {
    let project = global.project.as_ref().map(|name| name.display().to_string());
    if let (Some(project), Some(environment)) = (&project, &global.env) {
        return Ok((project.clone(), environment.clone()));
    }
    let seen = client.projects().await?.items;
    let names = |names: &[&str]| match names {
        [] => "there is none that you may see".to_owned(),
        names => format!("you may see {}", plain(&names.join(", "))),
    };
    let hint = "aedile whoami lists projects and environments; then --project NAME --env NAME";
    let unknown = |what: String, why: String| {
        Report::new(code::server::WHICH_PROJECT, what).caused_by(why).with_hint(hint)
    };
    let all: Vec<&str> = seen.iter().map(|project| project.name.as_str()).collect();
    let found = match (&project, seen.as_slice()) {
        (Some(name), seen) => seen
            .iter()
            .find(|project| project.name == *name)
            .ok_or_else(|| unknown(format!("the server has no project {}", plain(name)), names(&all)))?,
        (None, [one]) => one,
        (None, _) => return Err(unknown("it has to be said which project is meant".to_owned(), names(&all))),
    };
    let all: Vec<&str> = found.environments.iter().map(|environment| environment.name.as_str()).collect();
    let environment = match (&global.env, &found.default_environment, all.as_slice()) {
        (Some(name), _, _) | (None, Some(name), _) => name.clone(),
        (None, None, [one]) => (*one).to_owned(),
        _ => {
            return Err(unknown("it has to be said which environment is meant".to_owned(), names(&all)));
        }
    };
    Ok((found.name.clone(), environment))
}
