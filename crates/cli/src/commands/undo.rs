//! `undo`: the way back from a run of a plan.

use model::{RunId, code};
use plan::apply::Options;
use project::infrastructure::{PLAN_PROGRAM, Undoing};
use serde_json::{Map, json};
use store::RunFilter;

use super::apply::{Change, Proposed};
use super::here::{Here, the_run};
use crate::World;
use crate::args::{Global, UndoArgs};
use crate::report::{Answer, Report};
use crate::ui::{Ui, WARN};
use crate::views::table::plain;

/// Takes back what a run did.
pub(super) fn undo(ui: &mut Ui, world: &World, global: &Global, here: &Here, args: &UndoArgs) -> Answer {
    let run = meant(here, &args.run)?;
    let next = ("aedile plan", "says how far the configuration is from that");
    let change = Change { command: "undo RUN", carry: &args.carry, options: Options::default(), next };
    let mut unknown = false;
    let answer = change.make(ui, world, global, here, async |ui, site| {
        let Undoing { undo, uncertain } = site.undo(run).await?;
        unknown = !uncertain.is_empty();
        for (instance, because) in &undo.left_out {
            ui.complain(format_args!("{WARN}stays{WARN:#}      {}: {}", instance, plain(because)));
        }
        for step in &uncertain {
            ui.complain(format_args!(
                "{WARN}uncertain{WARN:#}  {step} may or may not have been done, and stays as it is"
            ));
        }
        let stays = |(instance, because): &(plan::Instance, String)| json!({ "resource": instance, "because": because });
        let beside = Map::from_iter([
            ("stays".to_owned(), undo.left_out.iter().map(stays).collect()),
            ("uncertain".to_owned(), uncertain.into()),
        ]);
        Ok(Proposed { plan: undo.plan, beside })
    });
    // what may have been done and was not taken back is something that is not
    answer.map(|exit| if unknown { exit.max(1) } else { exit })
}

/// The run that is meant; the latest one that applied a plan.
fn meant(here: &Here, typed: &str) -> Result<RunId, Report> {
    let journal = here.journal()?;
    if typed != "latest" {
        return the_run(&journal, typed);
    }
    let filter = RunFilter { kind: Some(PLAN_PROGRAM.to_owned()), ..RunFilter::default() };
    let page = journal.runs(&filter, 1)?;
    page.items.first().map(|row| row.run).ok_or_else(|| {
        Report::new(code::general::NOT_FOUND, "no plan was applied yet").with_hint("aedile apply")
    })
}
