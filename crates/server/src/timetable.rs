//! Schedules as they are shown: what starts by itself, when it did last and when it will next. The same for the interface and for
//! commands on the machine itself.

use engine::schedules::{Standing, standing};
use model::Timestamp;
use model::time::rfc3339;
use project::{Document, Place, Rules, scheduling};
use serde_json::Value;
use store::SqliteJournal;
use workflow::schedule::Schedule;

use crate::problem::Answer;

/// The schedules of a project's workflows. `journal` is absent where nothing has happened yet. Writes nothing.
pub fn of(
    journal: Option<&SqliteJournal>,
    place: &Place,
    rules: &Rules,
    now: Timestamp,
) -> Answer<api::Schedules> {
    let (documents, broken) = scheduling::with_schedule(place, rules)?;
    let mut schedules = Vec::with_capacity(documents.len());
    for document in &documents {
        let stands = match journal {
            Some(journal) => standing(journal, &document.definition.program.name)?,
            None => None,
        };
        schedules.push(one(document, stands, now));
    }
    let left_out = broken
        .into_iter()
        .map(|(file, error)| api::LeftOut { file: file.display().to_string(), why: error.to_string() });
    Ok(api::Schedules {
        environment: place.environment.to_string(),
        kept: None,
        schedules,
        left_out: left_out.collect(),
    })
}

fn one(document: &Document, stands: Option<Standing>, now: Timestamp) -> api::Schedule {
    let started = stands.and_then(|stands| stands.run.map(|run| (run, stands.last)));
    let (kind, when) = written(document);
    api::Schedule {
        workflow: document.definition.program.name.clone(),
        kind,
        when,
        last_run: started.map(|(run, _)| run.to_string()),
        last_start: started.map(|(_, at)| rfc3339(at)),
        next_start: next(document, stands, now).map(rfc3339),
    }
}

/// The next start by time, as far as it is known; counted from now where nobody ever kept the schedule.
fn next(document: &Document, stands: Option<Standing>, now: Timestamp) -> Option<Timestamp> {
    let schedule = document.workflow.schedule.as_ref()?;
    match (schedule, stands) {
        (Schedule::After(_), Some(Standing { run: Some(_), .. })) => None,
        (_, stands) => schedule.next(stands.map_or(now, |stands| stands.last)),
    }
}

/// What starts it, and when: as the document has it.
pub fn written(document: &Document) -> (String, String) {
    let text = project::text::value(&document.definition.text, "workflow").unwrap_or_default();
    let Some((key, value)) = text["schedule"].as_object().and_then(|members| members.iter().next()) else {
        return (String::new(), String::new());
    };
    let when = match value {
        _ if key == "on" => "on events".to_owned(),
        Value::String(text) => format!("{key} {text}"),
        other => format!("{key} {other}"),
    };
    (key.clone(), when)
}
