//! Workflows that start by themselves: which ones a project has, and what an engine keeps of them.

use std::path::PathBuf;
use std::sync::Arc;

use engine::schedules::{Next, Scheduled, Trigger};
use serde_json::Value;
use workflow::schedule::Schedule;

use crate::proposing::{ProposeError, check_input};
use crate::{Document, Place, ProjectError, Rules};

/// Workflows with a schedule, and files that cannot be read, each with why.
pub type Found = (Vec<Document>, Vec<(PathBuf, ProjectError)>);

/// The project's workflows that have a schedule.
pub fn with_schedule(place: &Place, rules: &Rules) -> Result<Found, ProjectError> {
    let (mut documents, mut broken) = (Vec::new(), Vec::new());
    let Some(project) = &place.project else { return Ok((documents, broken)) };
    for file in project.workflow_files()? {
        match rules.programs.read_file(project, &file) {
            Ok(document) if document.workflow.schedule.is_some() => documents.push(document),
            Ok(_) => {}
            Err(error) => broken.push((file, error)),
        }
    }
    Ok((documents, broken))
}

/// What an engine keeps of a workflow with a schedule. Its runs get `input`, unless events start them: these are their input
/// then.
pub fn scheduled(rules: &Rules, document: &Document, input: &Value) -> Result<Scheduled, ProposeError> {
    let workflow = Arc::clone(&document.workflow);
    let next: Next = Arc::new(move |last| workflow.schedule.as_ref()?.next(last));
    let trigger = match &document.workflow.schedule {
        Some(Schedule::On(_)) => Trigger::Events(Box::new(rules.programs.listener(document)?)),
        Some(Schedule::After(_)) => Trigger::End(next),
        _ => Trigger::Start(next),
    };
    if !matches!(trigger, Trigger::Events(_)) {
        check_input(document, input)?;
    }
    Ok(Scheduled { definition: document.definition.clone(), trigger, input: input.clone() })
}
