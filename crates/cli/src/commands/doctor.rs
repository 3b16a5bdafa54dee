//! `doctor`: what is wrong with this installation and environment, and `doctor rebuild`.

use std::os::unix::fs::PermissionsExt;

use journal::Journal;
use project::Engines;
use serde_json::{Value, json};

use super::here::Here;
use crate::args::{DoctorArgs, DoctorCommand};
use crate::report::{Answer, Report};
use crate::ui::{BAD, GOOD, Ui, WARN};
use crate::views::table::count;

/// Permission bits that let others than the owner in.
const OTHERS: u32 = 0o077;

/// One thing that was looked at.
struct Check {
    what: &'static str,
    finding: Result<String, String>,
    remedy: Option<&'static str>,
}

/// Looks, or makes the views again.
pub(super) fn doctor(ui: &mut Ui, here: &Here, args: &DoctorArgs) -> Answer {
    match args.command {
        Some(DoctorCommand::Rebuild) => rebuild(ui, here),
        None => look(ui, here),
    }
}

fn rebuild(ui: &mut Ui, here: &Here) -> Answer {
    let journal = here.journal()?;
    let head = journal.head()?;
    journal.rebuild()?;
    let differences = journal.compare_views()?;
    if !differences.is_empty() {
        return Err(Report::internal("the views differ from the journal right after they were made from it"));
    }
    if ui.json {
        ui.answer_json(&json!({ "records": head.position, "rebuilt": true }));
    } else {
        ui.answer(format_args!("{GOOD}rebuilt{GOOD:#}  the views from {}", count(head.position, "record")));
    }
    Ok(0)
}

#[expect(clippy::unnecessary_wraps, reason = "an answer, as every command gives")]
fn look(ui: &mut Ui, here: &Here) -> Answer {
    let mut checks = vec![project_check(here)];
    if here.place.state.exists() {
        checks.push(permissions(here));
        checks.extend(journal_checks(here));
        let living = Engines::new(here.place.state.engines()).living();
        checks.push(Check {
            what: "engines",
            finding: Ok(match living.as_slice() {
                [] => "none is running".to_owned(),
                living => format!("running: {}", living.join(", ")),
            }),
            remedy: None,
        });
    } else {
        checks.push(Check { what: "journal", finding: Ok("none yet".to_owned()), remedy: None });
    }
    let bad = checks.iter().filter(|check| check.finding.is_err()).count();
    if ui.json {
        let shown: Vec<Value> = checks
            .iter()
            .map(|check| {
                let (good, text) = match &check.finding {
                    Ok(text) => (true, text),
                    Err(text) => (false, text),
                };
                json!({ "check": check.what, "good": good, "finding": text, "remedy": check.remedy })
            })
            .collect();
        ui.answer_json(&json!({ "environment": here.place.environment, "good": bad == 0, "checks": shown }));
        return Ok(u8::from(bad > 0));
    }
    for check in &checks {
        match &check.finding {
            Ok(text) => ui.answer(format_args!("{GOOD}good{GOOD:#}  {:<12} {text}", check.what)),
            Err(text) => ui.answer(format_args!("{BAD}bad{BAD:#}   {:<12} {text}", check.what)),
        }
        if let (Err(_), Some(remedy)) = (&check.finding, check.remedy) {
            ui.answer(format_args!("      {WARN}remedy:{WARN:#} {remedy}"));
        }
    }
    Ok(u8::from(bad > 0))
}

fn project_check(here: &Here) -> Check {
    let finding = match &here.place.project {
        Some(project) => format!(
            "{} in {}, environment {}",
            project.manifest.name,
            project.root.display(),
            here.place.environment
        ),
        None => format!("none here; state is in {}", here.place.state.root().display()),
    };
    Check { what: "project", finding: Ok(finding), remedy: None }
}

fn permissions(here: &Here) -> Check {
    let root = here.place.state.root();
    let finding = match fs_err::metadata(root) {
        Ok(metadata) if metadata.permissions().mode() & OTHERS == 0 => Ok("its owner's only".to_owned()),
        Ok(metadata) => Err(format!(
            "{} can be reached by others (mode {:o})",
            root.display(),
            metadata.permissions().mode() & 0o777
        )),
        Err(error) => Err(error.to_string()),
    };
    Check { what: "state", finding, remedy: Some("chmod -R go= .aedile") }
}

fn journal_checks(here: &Here) -> Vec<Check> {
    let journal = match here.open_existing() {
        Ok(journal) => journal,
        Err(error) => {
            let remedy = Some("aedile journal verify");
            return vec![Check { what: "journal", finding: Err(error.to_string()), remedy }];
        }
    };
    let opened = match journal.head() {
        Ok(head) => Ok(count(head.position, "record")),
        Err(error) => Err(error.to_string()),
    };
    let views = match journal.compare_views() {
        Ok(differences) if differences.is_empty() => Ok("the same as the journal says".to_owned()),
        Ok(differences) => Err(format!("{} differ from the journal", differences.len())),
        Err(error) => Err(error.to_string()),
    };
    vec![
        Check { what: "journal", finding: opened, remedy: Some("aedile journal verify") },
        Check { what: "views", finding: views, remedy: Some("aedile doctor rebuild") },
    ]
}
