//! What is here.

use std::cell::OnceCell;
use std::sync::Arc;

use engine::approvals::Persons;
use engine::control::{self, Command};
use engine::judge::Roles as _;
use journal::{Journal as _, Proof};
use model::{ApprovalId, RunId};
use policy::{Approver, Choice};
use project::{Access, Actor, Engines, Rules, workshop};
use server::reads::{self, Decider};
use server::view;
use store::SqliteJournal;

use crate::World;
use crate::commands::decide::{access, take};
use crate::commands::here::{Here, typist};
use crate::commands::machine;
use crate::report::Report;

/// Checkpoints that are looked at.
const CHECKPOINTS_MAX: usize = 100;

/// An environment that is here, and who types.
pub(in crate::commands) struct Local {
    pub(in crate::commands) here: Here,
    world: World,
    journal: OnceCell<Arc<SqliteJournal>>,
}

/// A refusal of what is read for commands and for the interface alike.
fn refused(problem: &server::Problem) -> Report {
    Report::from(api::client::ClientError::refused("", problem.body().clone()))
}

impl Local {
    pub(super) fn new(here: Here, world: &World) -> Self {
        Self { here, world: world.clone(), journal: OnceCell::new() }
    }

    /// The journal, which has to be there.
    pub(in crate::commands) fn journal(&self) -> Result<&Arc<SqliteJournal>, Report> {
        if let Some(journal) = self.journal.get() {
            return Ok(journal);
        }
        let journal = Arc::new(self.here.journal()?);
        Ok(self.journal.get_or_init(|| journal))
    }

    /// The journal if there is one yet.
    fn journal_if_any(&self) -> Result<Option<&Arc<SqliteJournal>>, Report> {
        if self.journal.get().is_none() {
            let Some(journal) = self.here.journal_if_any()? else { return Ok(None) };
            return Ok(Some(self.journal.get_or_init(|| Arc::new(journal))));
        }
        Ok(self.journal.get())
    }

    fn access(&self) -> Result<Access, Report> {
        access(&self.here.place)
    }

    fn actor(&self, act_as: Option<&str>) -> Result<Actor, Report> {
        Ok(self.access()?.actor(&self.here.place.environment, &self.world.user, act_as)?)
    }

    fn project(&self) -> &str {
        self.here.place.project.as_ref().map_or("-", |project| project.manifest.name.as_str())
    }

    pub(super) fn runs(&self, query: &api::RunQuery) -> Result<api::Page<api::Run>, Report> {
        match self.journal_if_any()? {
            Some(journal) => reads::runs(journal, query).map_err(|problem| refused(&problem)),
            None => Ok(api::Page { items: Vec::new(), next: None, position: 0 }),
        }
    }

    pub(super) fn run(&self, run: RunId) -> Result<api::RunDetail, Report> {
        let journal = self.journal()?;
        let row = journal.run(run)?.ok_or_else(|| Report::internal(format!("{run} is in no view")))?;
        let environment = &self.here.place.environment;
        let base = format!("/api/v1/projects/{}/environments/{environment}", self.project());
        reads::run(journal, &base, &row).map_err(|problem| refused(&problem))
    }

    pub(super) fn steer(
        &self,
        run: RunId,
        command: &Command,
        act_as: Option<&str>,
    ) -> Result<api::Steered, Report> {
        let actor = self.actor(act_as)?;
        let journal = self.journal()?.as_ref();
        crate::commands::runtime()?.block_on(control::command(journal, run, &actor.principal, command))?;
        Ok(view::steered(run, &actor.principal, command))
    }

    pub(super) fn approvals(&self, query: &api::ApprovalQuery) -> Result<api::Page<api::Approval>, Report> {
        match self.journal_if_any()? {
            Some(journal) => {
                reads::approvals(journal, &self.access()?, query).map_err(|problem| refused(&problem))
            }
            None => Ok(api::Page { items: Vec::new(), next: None, position: 0 }),
        }
    }

    pub(super) fn approval(&self, approval: ApprovalId) -> Result<api::ApprovalDetail, Report> {
        let journal = self.journal()?;
        let row = journal
            .approval(approval)?
            .ok_or_else(|| Report::internal(format!("{approval} is in no view")))?;
        let access = self.access()?;
        let actor = self.actor(None)?;
        let by =
            Approver { roles: access.roles(&actor.principal), principal: actor.principal, via: actor.via };
        let persons: Persons = access.persons(&self.here.place.environment);
        let who = Decider { by, forbidden: None, operates: true, persons };
        reads::approval(journal, &access, &row, (&who, self.world.clock.now()))
            .map_err(|problem| refused(&problem))
    }

    pub(super) fn decide(
        &self,
        approval: ApprovalId,
        choice: &Choice,
        act_as: Option<&str>,
    ) -> Result<api::Decided, Report> {
        let (access, actor, place) = (self.access()?, self.actor(act_as)?, &self.here.place);
        let journal = self.journal()?;
        let taken = take(journal, place, &self.world, &access, (approval, &actor), choice);
        let decided = crate::commands::runtime()?.block_on(taken)?;
        Ok(view::decided(approval, &actor.principal, decided))
    }

    /// Whether no engine carries runs on here.
    pub(in crate::commands) fn is_idle(&self) -> bool {
        Engines::new(self.here.place.state.engines()).living().is_empty()
    }

    pub(super) fn status(&self) -> Result<Option<api::Status>, Report> {
        let Some(journal) = self.journal_if_any()? else { return Ok(None) };
        let names = (self.project(), self.here.place.environment.as_str());
        let drift = engine::drift::standing(&**journal)?;
        reads::status(journal, &self.access()?, &drift, names).map(Some).map_err(|problem| refused(&problem))
    }

    pub(super) fn policy(&self) -> Result<api::Policy, Report> {
        let policy = Rules::read(&self.here.place)?.policy;
        reads::policy(&policy, self.here.place.project.as_ref()).map_err(|problem| refused(&problem))
    }

    /// Signs the journal's head; `false` where it has not grown.
    pub(super) fn checkpoint(&self) -> Result<bool, Report> {
        let actor = typist(&self.world)?;
        let machine = machine(&self.world);
        Ok(workshop::checkpoint(self.journal()?, &self.here.place, &machine, &actor)?.is_some())
    }

    pub(super) fn checkpoints(&self) -> Result<Vec<api::Checkpoint>, Report> {
        Ok(self.journal()?.checkpoints(CHECKPOINTS_MAX)?.iter().map(view::checkpoint).collect())
    }

    pub(super) fn consistency(&self, old: u64) -> Result<api::Consistency, Report> {
        Ok(reads::consistency(self.journal()?, old)?)
    }

    pub(super) fn rotate_keys(&self) -> Result<api::Rotated, Report> {
        let actor = typist(&self.world)?;
        let machine = machine(&self.world);
        let verifier = workshop::rotate_keys(self.journal()?, &self.here.place, &machine, &actor)?;
        Ok(api::Rotated { verifier: verifier.to_string() })
    }

    pub(super) fn prove(&self, position: u64) -> Result<(Proof, Arc<[u8]>), Report> {
        let journal = self.journal()?;
        let proof = journal.prove(position)?;
        let record = journal.read(position.saturating_sub(1), 1)?.pop();
        let bytes =
            record.ok_or_else(|| Report::internal(format!("record {position} is proved and gone")))?.bytes;
        Ok((proof, bytes))
    }

    pub(super) fn schedules(&self) -> Result<api::Schedules, Report> {
        let rules = Rules::read(&self.here.place)?;
        let journal = self.journal_if_any()?.map(Arc::as_ref);
        server::timetable::of(journal, &self.here.place, &rules, self.world.clock.now())
            .map_err(|problem| refused(&problem))
    }
}
