//! Where a command works: on what is here, or on a server. Either answers in the words of the interface, so that a command and
//! its views are written once.

mod local;
mod records;
mod there;

use std::sync::Arc;

use engine::control::Command;
use journal::Journal;
use model::{ApprovalId, RunId, code};
use policy::Choice;

use crate::World;
use crate::args::Global;
use crate::report::Report;

use super::here::{Here, LISTED_MAX, no_run_yet, the_one};

pub(in crate::commands) use local::Local;
pub(in crate::commands) use records::decoded;
pub(in crate::commands) use there::{There, themselves};

/// Where a command works.
pub(super) enum Desk {
    /// On the environment that is here.
    Here(Box<Local>),
    /// On an environment of a server.
    There(Box<There>),
}

/// Ids that are looked for: one more than are listed.
const FOUND_MAX: u32 = 6;
const _: () = assert!(FOUND_MAX as usize == LISTED_MAX + 1);

/// A checkpoint, and whether it was signed just now.
pub(super) struct Signed {
    pub(super) now: bool,
    pub(super) checkpoint: api::Checkpoint,
}

impl Desk {
    /// Where the options say.
    pub(super) fn find(world: &World, global: &Global) -> Result<Self, Report> {
        match &global.server {
            Some(url) => Ok(Self::There(Box::new(There::find(world, global, url)?))),
            None => Ok(Self::Here(Box::new(Local::new(Here::find(world, global)?, world)))),
        }
    }

    /// The environment's name.
    pub(super) fn environment(&self) -> &str {
        match self {
            Self::Here(local) => local.here.place.environment.as_str(),
            Self::There(there) => there.at.environment(),
        }
    }

    /// The records of its journal.
    pub(super) fn journal(&self) -> Result<Arc<dyn Journal>, Report> {
        match self {
            Self::Here(local) => Ok(Arc::clone(local.journal()?) as Arc<dyn Journal>),
            Self::There(there) => Ok(Arc::clone(&there.records) as Arc<dyn Journal>),
        }
    }

    /// Listens to one stream of the journal from now on, or to all of it after a position: what is read and waited for then
    /// comes as it happens. Here it always does.
    pub(super) fn listen(&self, stream: Option<&str>, after: u64) -> Result<(), Report> {
        match self {
            Self::Here(_) => Ok(()),
            Self::There(there) => there.listen(stream, after),
        }
    }

    /// What to wait behind for news: where the journal ends here, what has come from there.
    pub(super) fn mark(&self) -> Result<u64, Report> {
        match self {
            Self::Here(local) => Ok(local.journal()?.head()?.position),
            Self::There(there) => Ok(there.records.mark()),
        }
    }

    /// Waits for something.
    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, Report> {
        match self {
            Self::Here(_) => Ok(super::runtime()?.block_on(work)),
            Self::There(there) => Ok(there.wait(work)),
        }
    }

    /// Runs, newest first.
    pub(super) fn runs(&self, query: &api::RunQuery) -> Result<api::Page<api::Run>, Report> {
        match self {
            Self::Here(local) => local.runs(query),
            Self::There(there) => Ok(there.wait(there.at.runs(query))?),
        }
    }

    /// One run.
    pub(super) fn run(&self, run: RunId) -> Result<api::RunDetail, Report> {
        match self {
            Self::Here(local) => local.run(run),
            Self::There(there) => Ok(there.wait(there.at.run(&run.to_string()))?),
        }
    }

    /// The run that a whole or shortened id means, or `latest`.
    pub(super) fn the_run(&self, typed: &str) -> Result<RunId, Report> {
        if let Self::Here(local) = self {
            // refuses a place without a journal in the usual words
            local.journal()?;
        }
        if typed == "latest" {
            let query = api::RunQuery { limit: Some(1), ..api::RunQuery::default() };
            let newest = self.runs(&query)?.items.pop();
            return newest.map_or_else(|| Err(no_run_yet()), |run| id(&run.run));
        }
        let query =
            api::RunQuery { id: Some(typed.to_owned()), limit: Some(FOUND_MAX), ..api::RunQuery::default() };
        let found: Vec<String> = self.runs(&query)?.items.into_iter().map(|run| run.run).collect();
        id(&the_one("run", typed, &found, "aedile runs list")?)
    }

    /// Does something to a run. The event is durable when this returns.
    pub(super) fn steer(
        &self,
        run: RunId,
        command: &Command,
        act_as: Option<&str>,
    ) -> Result<api::Steered, Report> {
        match self {
            Self::Here(local) => local.steer(run, command, act_as),
            Self::There(there) => there.steer(run, command, act_as),
        }
    }

    /// What `run --resume` is good for.
    pub(super) const fn carries_on(&self) -> &'static str {
        match self {
            Self::Here(_) => "watches it, and carries it on if nobody else does",
            Self::There(_) => "watches it",
        }
    }

    /// Approvals, newest first.
    pub(super) fn approvals(&self, query: &api::ApprovalQuery) -> Result<api::Page<api::Approval>, Report> {
        match self {
            Self::Here(local) => local.approvals(query),
            Self::There(there) => Ok(there.wait(there.at.approvals(query))?),
        }
    }

    /// One approval.
    pub(super) fn approval(&self, approval: ApprovalId) -> Result<api::ApprovalDetail, Report> {
        match self {
            Self::Here(local) => local.approval(approval),
            Self::There(there) => Ok(there.wait(there.at.approval(&approval.to_string()))?),
        }
    }

    /// The approval that a whole or shortened id means.
    pub(super) fn the_approval(&self, typed: &str) -> Result<ApprovalId, Report> {
        if let Self::Here(local) = self {
            local.journal()?;
        }
        let query = api::ApprovalQuery {
            id: Some(typed.to_owned()),
            limit: Some(FOUND_MAX),
            ..api::ApprovalQuery::default()
        };
        let items = self.approvals(&query)?.items;
        let found: Vec<String> = items.into_iter().map(|approval| approval.approval).collect();
        id(&the_one("approval", typed, &found, "aedile approvals list --all")?)
    }

    /// Decides an approval.
    pub(super) fn decide(
        &self,
        approval: ApprovalId,
        choice: &Choice,
        act_as: Option<&str>,
    ) -> Result<api::Decided, Report> {
        match self {
            Self::Here(local) => local.decide(approval, choice, act_as),
            Self::There(there) => there.decide(approval, choice, act_as),
        }
    }

    /// The environment at a glance; `None` where nothing has happened yet.
    pub(super) fn status(&self) -> Result<Option<api::Status>, Report> {
        match self {
            Self::Here(local) => local.status(),
            Self::There(there) => Ok(Some(there.wait(there.at.status())?)),
        }
    }

    /// The policy in force.
    pub(super) fn policy(&self) -> Result<api::Policy, Report> {
        match self {
            Self::Here(local) => local.policy(),
            Self::There(there) => Ok(there.wait(there.at.policy())?),
        }
    }

    /// Signs the journal's head.
    pub(super) fn checkpoint(&self) -> Result<Signed, Report> {
        let (signed, newest) = match self {
            Self::Here(local) => (local.checkpoint()?, local.checkpoints()?),
            Self::There(there) => {
                let made = there.wait(there.at.checkpoint())?.checkpoint;
                (made.is_some(), there.wait(there.at.checkpoints())?)
            }
        };
        let newest = newest.into_iter().next();
        newest
            .map(|checkpoint| Signed { now: signed, checkpoint })
            .ok_or_else(|| Report::new(code::general::NOT_FOUND, "the journal is empty"))
    }

    /// Signed checkpoints, newest first.
    pub(super) fn checkpoints(&self) -> Result<Vec<api::Checkpoint>, Report> {
        match self {
            Self::Here(local) => local.checkpoints(),
            Self::There(there) => Ok(there.wait(there.at.checkpoints())?),
        }
    }

    /// The keys that sign checkpoints, or did.
    pub(super) fn keys(&self) -> Result<api::Keys, Report> {
        match self {
            Self::Here(local) => Ok(server::reads::keys(&local.here.place)?),
            Self::There(there) => Ok(there.wait(there.at.keys())?),
        }
    }

    /// Has a new key sign from now on.
    pub(super) fn rotate_keys(&self) -> Result<api::Rotated, Report> {
        match self {
            Self::Here(local) => local.rotate_keys(),
            Self::There(there) => Ok(there.wait(there.at.rotate_keys())?),
        }
    }

    /// Folds the journal again and compares with the views.
    pub(super) fn replay(&self) -> Result<api::Replay, Report> {
        match self {
            Self::Here(local) => Ok(server::reads::replay(local.journal()?)?),
            Self::There(there) => Ok(there.wait(there.at.replay())?),
        }
    }

    /// Workflows that start by themselves.
    pub(super) fn schedules(&self) -> Result<api::Schedules, Report> {
        match self {
            Self::Here(local) => local.schedules(),
            Self::There(there) => Ok(there.wait(there.at.schedules())?),
        }
    }

    /// That a record is in the journal, and its bytes.
    pub(super) fn prove(&self, position: u64) -> Result<(journal::Proof, Arc<[u8]>), Report> {
        match self {
            Self::Here(local) => local.prove(position),
            Self::There(there) => there.prove(position),
        }
    }

    /// That the newest checkpoint continues an older one.
    pub(super) fn consistency(&self, old: u64) -> Result<api::Consistency, Report> {
        match self {
            Self::Here(local) => local.consistency(old),
            Self::There(there) => Ok(there.wait(there.at.consistency(old))?),
        }
    }
}

/// An id that is whole.
fn id<T: std::str::FromStr>(text: &str) -> Result<T, Report> {
    text.parse().map_err(|_| {
        Report::new(code::server::NOT_A_SERVER, format!("`{}` is no id", crate::views::table::plain(text)))
    })
}
