//! `init`: start a project.

use project::{Place, Project};
use serde_json::json;

use crate::World;
use crate::args::InitArgs;
use crate::report::Answer;
use crate::ui::{GOOD, Ui};

/// Starts a project in a directory.
pub(super) fn init(ui: &mut Ui, world: &World, args: &InitArgs) -> Answer {
    let started = project::scaffold::start(&args.directory, args.name.as_deref(), &world.user)?;
    // the default environment is there from the start, with a key of its own
    let place = Place::in_project(Project::open(&started.root)?, None)?;
    let journal = project::workshop::open_or_create(&place, &super::machine(world))?;
    drop(journal);
    if ui.json {
        ui.answer_json(&json!({
            "name": started.name,
            "root": started.root,
            "written": started.written,
            "kept": started.kept,
        }));
        return Ok(0);
    }
    ui.note(format_args!("{GOOD}Started{GOOD:#} project {} in {}", started.name, started.root.display()));
    for file in &started.written {
        ui.note(format_args!("  + {file}"));
    }
    for file in &started.kept {
        ui.note(format_args!("    {file}  (kept as it was)"));
    }
    let before = if args.directory.as_os_str() == "." {
        String::new()
    } else {
        format!("cd {} && ", args.directory.display())
    };
    ui.next(format_args!("{before}aedile run hello -i name=Rome"), "runs the first workflow");
    Ok(0)
}
