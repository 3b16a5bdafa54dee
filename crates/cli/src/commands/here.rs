//! Where a command works and who types it.

use std::path::PathBuf;
use std::sync::Arc;

use engine::ports::Clock;
use model::{Principal, RunId, code};
use project::{Place, PlaceError, Project, ProjectError};
use store::SqliteJournal;

use crate::World;
use crate::args::Global;
use crate::report::Report;

/// How many ids a shortened one may match before they are not listed any more.
pub(super) const LISTED_MAX: usize = 5;

/// The place of a command.
pub(super) struct Here {
    /// The environment.
    pub(super) place: Place,
    clock: Arc<dyn Clock>,
}

impl Here {
    /// The environment that options and the current directory say.
    pub(super) fn find(world: &World, global: &Global) -> Result<Self, Report> {
        let project = match &global.project {
            Some(directory) => Project::open(directory)?,
            None => match Project::find(&current_directory()?) {
                Ok(project) => project,
                Err(error @ ProjectError::NoProject { .. }) => return Self::outside(world, global, error),
                Err(error) => return Err(error.into()),
            },
        };
        Ok(Self {
            place: Place::in_project(project, global.env.as_deref())?,
            clock: Arc::clone(&world.clock),
        })
    }

    /// The environment of runs outside any project, if there is a place for it.
    fn outside(world: &World, global: &Global, error: ProjectError) -> Result<Self, Report> {
        let Some(directory) = &world.loose_state else {
            return Err(Report::from(error).caused_by(
                "outside a project the journal is kept in $XDG_STATE_HOME/aedile, and neither XDG_STATE_HOME nor HOME is set",
            ));
        };
        Ok(Self { place: Place::outside(directory, global.env.as_deref())?, clock: Arc::clone(&world.clock) })
    }

    /// The journal, to look at it. Outside a project that has none, what is missing is the project.
    pub(super) fn journal(&self) -> Result<SqliteJournal, Report> {
        if self.place.project.is_none() && !self.place.state.exists() {
            return Err(ProjectError::NoProject { start: current_directory()? }.into());
        }
        self.open_existing().map_err(Report::from)
    }

    /// The journal, whatever there is instead of it.
    pub(super) fn open_existing(&self) -> Result<SqliteJournal, PlaceError> {
        self.place.open_existing(&self.clock)
    }

    /// The journal if there is one yet.
    pub(super) fn journal_if_any(&self) -> Result<Option<SqliteJournal>, Report> {
        match self.open_existing() {
            Ok(journal) => Ok(Some(journal)),
            Err(PlaceError::Project(ProjectError::NothingYet { .. })) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The directory the command was typed in.
pub(super) fn current_directory() -> Result<PathBuf, Report> {
    std::env::current_dir().map_err(|error| {
        Report::new(code::general::UNREADABLE, "the current directory cannot be read")
            .caused_by(error.to_string())
    })
}

/// The principal who types.
pub(super) fn typist(world: &World) -> Result<Principal, Report> {
    Ok(Principal::user(&world.user).map_err(ProjectError::from)?)
}

/// The run of this journal that a whole or shortened id means.
pub(super) fn the_run(journal: &SqliteJournal, typed: &str) -> Result<RunId, Report> {
    if typed == "latest" {
        let page = journal.runs(&store::RunFilter::default(), 1)?;
        return page.items.first().map(|row| row.run).ok_or_else(no_run_yet);
    }
    the_one("run", typed, &journal.find_runs(typed, LISTED_MAX + 1)?, "aedile runs list")
}

/// There is no latest run.
pub(super) fn no_run_yet() -> Report {
    Report::new(code::general::NOT_FOUND, "there is no run yet").with_hint("aedile run WORKFLOW")
}

/// The one that is meant, of those that were found: at most one more than are listed.
pub(super) fn the_one<T: Clone + std::fmt::Display>(
    kind: &str,
    typed: &str,
    found: &[T],
    list: &str,
) -> Result<T, Report> {
    match found {
        [one] => Ok(one.clone()),
        [] => {
            Err(Report::new(code::general::NOT_FOUND, format!("there is no {kind} {typed}")).with_hint(list))
        }
        many => {
            let mut report =
                Report::new(code::general::AMBIGUOUS, format!("more than one {kind} begins with {typed}"));
            for one in many.iter().take(LISTED_MAX) {
                report = report.caused_by(format!("it can mean {one}"));
            }
            Err(report.with_hint(list))
        }
    }
}
