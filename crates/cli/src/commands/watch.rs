//! Whose run is watched: one that an engine here carries on, or one of a server.

use std::time::Duration;

use engine::approvals::Persons;
use engine::control;
use journal::events::Asked;
use journal::{Journal, JournalError};
use model::{ApprovalId, RunId, code};
use project::{Place, Workshop};
use tokio::sync::watch;

use super::decide::how;
use super::desk::There;
use crate::World;
use crate::args::Global;
use crate::report::Report;
use crate::views::table::plain;

/// How often an engine here that lost a run is noticed.
const LOOK_HERE: Duration = Duration::from_millis(500);
/// How often a server is asked whether votes have come in. What happens to the run itself comes by itself.
const LOOK_THERE: Duration = Duration::from_secs(2);

/// Whose run is watched.
pub(super) enum Watch<'a> {
    /// The run of a place that is here, by its workshop.
    Here { global: &'a Global, place: &'a Place, workshop: &'a Workshop },
    /// The run of a server.
    There(&'a There),
}

impl Watch<'_> {
    /// The records of the run and of what it asks.
    pub(super) fn journal(&self) -> &dyn Journal {
        match self {
            Self::Here { workshop, .. } => workshop.journal.as_ref(),
            Self::There(there) => there.records.as_ref(),
        }
    }

    /// What to wait behind for news.
    pub(super) fn mark(&self) -> Result<u64, Report> {
        match self {
            Self::Here { workshop, .. } => Ok(workshop.journal.head()?.position),
            Self::There(there) => Ok(there.records.mark()),
        }
    }

    /// How long to wait for news before looking around.
    pub(super) const fn pause(&self) -> Duration {
        match self {
            Self::Here { .. } => LOOK_HERE,
            Self::There(_) => LOOK_THERE,
        }
    }

    /// How people are told apart. On a server that is its own business, and changes nothing of what is shown.
    pub(super) fn persons(&self) -> Persons {
        match self {
            Self::Here { place, workshop, .. } => workshop.rules.now().access.persons(&place.environment),
            Self::There(_) => Persons::default(),
        }
    }

    /// The run as it stands.
    pub(super) fn run(&self, run: RunId) -> Result<Option<api::Run>, Report> {
        match self {
            Self::Here { workshop, .. } => Ok(workshop.journal.run(run)?.as_ref().map(server::view::run)),
            Self::There(there) => Ok(Some(there.wait(there.at.run(&run.to_string()))?.run)),
        }
    }

    /// An approval as it stands.
    pub(super) fn approval(&self, id: &str) -> Result<Option<api::Approval>, Report> {
        match self {
            Self::Here { workshop, .. } => {
                let Ok(id) = id.parse::<ApprovalId>() else { return Ok(None) };
                let row = workshop.journal.approval(id)?;
                Ok(row.map(|row| server::view::approval(&row, &workshop.rules.now().access)))
            }
            Self::There(there) => Ok(Some(there.wait(there.at.approval(id))?.approval)),
        }
    }

    /// Whether something cannot be read from a server now, and may be in a moment.
    pub(super) fn is_passing(&self, report: &Report) -> bool {
        let passing = [code::server::UNREACHABLE, code::server::BUSY];
        matches!(self, Self::There(_)) && passing.contains(&report.code())
    }

    /// Why nothing more is heard of the run, which goes on where it can.
    pub(super) fn broken(&self, error: JournalError, run: RunId) -> Report {
        let report = Report::from(error);
        match self {
            Self::There(_) if self.is_passing(&report) => {
                report.with_hint(format!("aedile run --resume {run}"))
            }
            _ => report,
        }
    }

    /// What troubles the engine here.
    pub(super) fn trouble(&self) -> Option<watch::Receiver<Option<String>>> {
        match self {
            Self::Here { workshop, .. } => Some(workshop.engine.trouble()),
            Self::There(_) => None,
        }
    }

    /// Why nobody carries the run on, if so. A server's engine is the server's business.
    pub(super) fn lost(&self, run: RunId) -> Result<Option<String>, Report> {
        let Self::Here { workshop, .. } = self else { return Ok(None) };
        if workshop.engine.local_runs().contains(&run) {
            return Ok(None);
        }
        let Some(text) = workshop.engine.trouble().borrow().clone() else { return Ok(None) };
        let ended = control::final_status(workshop.journal.as_ref(), run).map_err(Report::from)?.is_some();
        Ok((!ended).then_some(text))
    }

    /// What has to be typed to give an approval at a level: a command if the user can give it, else whom to ask.
    pub(super) fn how(&self, world: &World, (asked, level): (&Asked, u32)) -> Result<String, String> {
        match self {
            Self::Here { global, place, workshop } => {
                how((asked, level), place, (&workshop.rules.now().access, &world.user), global)
            }
            Self::There(there) => {
                let detail = there.wait(there.at.approval(&asked.approval.to_string()));
                let command = format!("aedile approve {}", asked.approval);
                // who is asked may change until it is looked at: only what is so now is said
                let Ok(detail) = detail else { return Ok(command) };
                if detail.you.decide {
                    return Ok(command);
                }
                let asker = asked.requester.as_str();
                let current = detail.approval.levels.iter().find(|one| one.level == level);
                let holders = current.map_or(&[][..], |level| level.holders.as_slice());
                let holders: Vec<&str> =
                    holders.iter().map(String::as_str).filter(|holder| *holder != asker).collect();
                if holders.is_empty() {
                    let roles = current.map(|level| level.roles.join(" or ")).unwrap_or_default();
                    return Err(format!("nobody who may holds the role {}; see access.yaml", plain(&roles)));
                }
                Err(format!("ask {}: {command}", plain(&holders.join(" or "))))
            }
        }
    }

    /// Waits until everybody has been told what the engine here had to tell.
    pub(super) async fn told(&self) {
        if let Self::Here { workshop, .. } = self {
            workshop.engine.told().await;
        }
    }
}
