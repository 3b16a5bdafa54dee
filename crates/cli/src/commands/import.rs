//! `import`: what is on a host already, as the configuration that declares it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use project::infrastructure::{ImportError, Imported, Importing};
use serde_json::{Value, json};

use super::facts::{pair, project, sources};
use super::here::Here;
use super::plan::{rules, site};
use crate::World;
use crate::args::BringArgs;
use crate::report::{Answer, Report};
use crate::ui::{Ui, WARN};

/// Looks at things on a host, and writes down how they are declared.
pub(super) fn import(ui: &mut Ui, world: &World, here: &Here, args: &BringArgs) -> Answer {
    if args.name.is_some() && args.ids.len() > 1 {
        return Err(Report::usage("--as is the name of one resource, and more than one is imported"));
    }
    // before any host is asked
    if let Some(out) = args.out.as_deref().filter(|out| out.symlink_metadata().is_ok()) {
        let what = format!("{} is there already", out.display());
        let report = Report::new(model::code::general::UNWRITABLE, what);
        return Err(report.with_hint("name another file: resources may be in any file of infrastructure/"));
    }
    let variables =
        args.variables.iter().map(|text| pair("--var", text)).collect::<Result<BTreeMap<_, _>, _>>()?;
    let wanted = Importing {
        host: args.host.clone(),
        kind: args.kind.clone(),
        ids: args.ids.iter().map(|id| (id.clone(), args.name.clone())).collect(),
        variables,
        file: args.out.as_deref().and_then(|out| below(&project(here).ok()?.root, out)),
    };
    let rules = rules(here)?;
    let site = site(world, here, &rules)?;
    let imported = super::runtime()?.block_on(site.import(&wanted));
    let Imported { text, found } = match imported {
        Ok(imported) => imported,
        Err(ImportError::Project(error)) => return Err(sources(project(here)?, Report::from(error))),
        Err(error) => return Err(error.into()),
    };
    if let Some(out) = &args.out {
        project::text::write(out, &text, false)?;
    }
    if ui.json {
        let left_out = |found: &project::infrastructure::Found| -> Value {
            let one = |(name, why): &(plan::Name, &str)| json!({ "attribute": name, "why": why });
            found.left_out.iter().map(one).collect()
        };
        let one = |found: &project::infrastructure::Found| json!({ "id": found.id, "resource": found.resource, "leftOut": left_out(found) });
        ui.answer_json(&json!({
            "text": text, "file": args.out, "resources": found.iter().map(one).collect::<Vec<_>>(),
        }));
        return Ok(0);
    }
    for one in &found {
        for (name, why) in &one.left_out {
            ui.note(format_args!("{WARN}left out{WARN:#}  {} of {}: {why}", name, one.resource));
        }
    }
    match &args.out {
        Some(out) => {
            ui.note(format_args!("wrote {}", out.display()));
            let names: Vec<&str> = found.iter().map(|one| one.resource.as_str()).collect();
            ui.next(
                format_args!("aedile resources adopt {}", names.join(" ")),
                "puts it on record, so that it is deleted once it is not declared any more",
            );
        }
        None => ui.answer(text.trim_end()),
    }
    Ok(0)
}

/// A path as the project's files are named, where it is in the project.
fn below(root: &Path, out: &Path) -> Option<PathBuf> {
    let directory =
        out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let directory = directory.canonicalize().ok()?;
    let below = directory.strip_prefix(root.canonicalize().ok()?).ok()?;
    Some(below.join(out.file_name()?))
}
