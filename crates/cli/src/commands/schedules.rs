//! `run --scheduled` and `schedules`: workflows that start by themselves.

use std::sync::Arc;
use std::time::Duration;

use engine::EngineError;
use engine::schedules::Scheduled;
use engine::state::Status;
use model::{RunId, Timestamp, code};
use project::{Document, Place, Rules, Workshop, scheduling};
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use workflow::schedule::Schedule;

use super::desk::Desk;
use super::here::Here;
use super::machine;
use super::run::{Task, find, input};
use crate::World;
use crate::args::{Global, RunArgs};
use crate::report::{Answer, Report, finding_text};
use crate::ui::{BAD, COMMAND, DIM, GOOD, STRONG, Ui, WARN};
use crate::views::table::{Table, plain};
use crate::views::time::relative;

/// Starts that wait to be shown.
const NEWS_MAX: usize = 1_024;
/// How often what was told, and trouble, is looked for.
const LOOK: Duration = Duration::from_millis(250);
/// How long runs under way may go on after Ctrl-C. What is not done by then goes on at the next start.
const GRACE: Duration = Duration::from_secs(10);

/// Keeps schedules until Ctrl-C, or until they have no start any more.
pub(super) fn keep(ui: &mut Ui, world: &World, global: &Global, args: &RunArgs) -> Answer {
    let (place, rules, documents) = wanted(ui, world, global, args)?;
    let given = input(args)?;
    let mut kept = Vec::with_capacity(documents.len());
    for document in &documents {
        kept.push(scheduled(&rules, document, &given)?);
    }
    super::runtime()?.block_on(async {
        let signals = Signals::new()?;
        let workshop = Arc::new(Workshop::open(&place, &machine(world))?);
        for document in &documents {
            workshop.check_secrets(document)?;
            let name = &document.definition.program.name;
            ui.note(format_args!(
                "keeping {STRONG}{name}{STRONG:#}  {}",
                server::timetable::written(document).1
            ));
        }
        ui.note(format_args!("{DIM}Ctrl-C ends it{DIM:#}"));
        Keeping::new(workshop, kept).until_the_end(ui, world, signals).await
    })
}

/// The workflows that are to be kept: the one that is named, or all of the project that have a schedule.
fn wanted(
    ui: &mut Ui,
    world: &World,
    global: &Global,
    args: &RunArgs,
) -> Result<(Place, Rules, Vec<Document>), Report> {
    if let Some(named) = &args.workflow {
        let Task { place, rules, document } = find(world, global, named)?;
        for warning in &document.warnings {
            ui.note(finding_text(warning, Some(&document.definition.text)).trim_end());
        }
        if document.workflow.schedule.is_none() {
            let what = format!("the workflow {} has no `schedule`", document.definition.program.name);
            return Err(
                Report::new(code::workflow::MISSING_FIELD, what).with_hint(format!("aedile run {named}"))
            );
        }
        return Ok((place, rules, vec![document]));
    }
    let here = Here::find(world, global)?;
    let rules = Rules::read(&here.place)?;
    let documents = with_schedule(ui, &here.place, &rules)?;
    if documents.is_empty() {
        let what = "no workflow of this project has a `schedule`";
        return Err(Report::new(code::workflow::MISSING_FIELD, what).with_hint("aedile run WORKFLOW"));
    }
    Ok((here.place, rules, documents))
}

/// The project's workflows that have a schedule. One that cannot be read is named and left out.
fn with_schedule(ui: &mut Ui, place: &Place, rules: &Rules) -> Result<Vec<Document>, Report> {
    let (documents, broken) = scheduling::with_schedule(place, rules)?;
    for (file, error) in broken {
        let file = file.display();
        ui.complain(format_args!("{WARN}warning{WARN:#}: {file} is left out: {error}"));
    }
    Ok(documents)
}

/// What the engine keeps.
fn scheduled(rules: &Rules, document: &Document, given: &Value) -> Result<Scheduled, Report> {
    let by_events = matches!(document.workflow.schedule, Some(Schedule::On(_)));
    if by_events && given.as_object().is_none_or(|members| !members.is_empty()) {
        return Err(Report::usage("a workflow that events start has the events as its input"));
    }
    Ok(scheduling::scheduled(rules, document, given)?)
}

/// Ctrl-C, and what service managers send.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, Report> {
        let hear = |kind| {
            signal(kind)
                .map_err(|error| Report::internal("signals cannot be heard").caused_by(error.to_string()))
        };
        Ok(Self { interrupt: hear(SignalKind::interrupt())?, terminate: hear(SignalKind::terminate())? })
    }

    pub(super) async fn one(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

type Kept = (String, Result<(), EngineError>);
type Ended = (String, RunId, Result<Status, EngineError>);

/// Schedules that are kept, and the runs they started.
struct Keeping {
    workshop: Arc<Workshop>,
    keepers: JoinSet<Kept>,
    runs: JoinSet<Ended>,
    under_way: Vec<RunId>,
    news: mpsc::Receiver<(String, RunId)>,
}

impl Keeping {
    fn new(workshop: Arc<Workshop>, schedules: Vec<Scheduled>) -> Self {
        let (tell, news) = mpsc::channel(NEWS_MAX);
        let mut keepers = JoinSet::new();
        for scheduled in schedules {
            let (workshop, tell) = (Arc::clone(&workshop), tell.clone());
            keepers.spawn(async move {
                let name = scheduled.definition.program.name.clone();
                // a start that is not shown has happened all the same
                let started = |run| drop(tell.try_send((name.clone(), run)));
                let kept = workshop.engine.keep(&scheduled, started).await;
                (name, kept)
            });
        }
        Self { workshop, keepers, runs: JoinSet::new(), under_way: Vec::new(), news }
    }

    async fn until_the_end(mut self, ui: &mut Ui, world: &World, mut signals: Signals) -> Answer {
        let mut trouble = self.workshop.engine.trouble();
        loop {
            tokio::select! {
                biased;
                () = signals.one() => break,
                Some((name, run)) = self.news.recv() => self.started(ui, name, run),
                Some(ended) = self.runs.join_next() => self.ended(ui, ended)?,
                Some(kept) = self.keepers.join_next() => {
                    let (name, kept) = kept.map_err(|error| died(&error))?;
                    kept.map_err(|error| Report::from(error).caused_by(format!("the schedule of {name} is not kept")))?;
                    ui.note(format_args!("{name} has no further start"));
                }
                changed = trouble.changed() => {
                    if changed.is_ok() && let Some(text) = trouble.borrow().clone() {
                        ui.complain(format_args!("{WARN}trouble{WARN:#}    {text}"));
                    }
                }
                () = tokio::time::sleep(LOOK) => {}
            }
            told(ui, world);
            if self.keepers.is_empty() && self.runs.is_empty() && self.news.is_empty() {
                return Ok(0);
            }
        }
        self.wind_up(ui, world, signals).await
    }

    /// No more starts; what is being done is finished, unless it takes long or a second Ctrl-C comes.
    async fn wind_up(mut self, ui: &mut Ui, world: &World, mut signals: Signals) -> Answer {
        self.keepers.shutdown().await;
        while let Ok((name, run)) = self.news.try_recv() {
            self.started(ui, name, run);
        }
        let ends = tokio::time::Instant::now() + GRACE;
        while !self.runs.is_empty() && !self.all_wait()? {
            tokio::select! {
                Some(ended) = self.runs.join_next() => self.ended(ui, ended)?,
                () = signals.one() => break,
                () = tokio::time::sleep_until(ends) => break,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        told(ui, world);
        if !self.under_way.is_empty() {
            let runs = crate::views::table::count(self.under_way.len(), "run");
            ui.note(format_args!("{runs} not ended; they go on when an engine runs again"));
        }
        ui.note("no schedule is kept any more");
        Ok(0)
    }

    /// Whether every run waits for something: a person, a timer, an event.
    fn all_wait(&self) -> Result<bool, Report> {
        for run in &self.under_way {
            let row = self.workshop.journal.run(*run)?;
            if row.is_some_and(|row| row.waiting_on.is_none()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn started(&mut self, ui: &mut Ui, name: String, run: RunId) {
        if ui.json {
            ui.answer_json_line(&json!({ "run": run, "workflow": name, "status": "started" }));
        } else {
            ui.note(format_args!("started    {run}  {name}"));
        }
        self.under_way.push(run);
        let workshop = Arc::clone(&self.workshop);
        self.runs.spawn(async move { (name, run, workshop.engine.wait_anywhere(run).await) });
    }

    fn ended(&mut self, ui: &mut Ui, ended: Result<Ended, JoinError>) -> Result<(), Report> {
        let (name, run, status) = ended.map_err(|error| died(&error))?;
        self.under_way.retain(|one| *one != run);
        let (word, style, output, problem) = match status? {
            Status::Completed { output } => ("completed", GOOD, output, None),
            Status::Failed { problem } => ("failed", BAD, Value::Null, Some(problem)),
            _ => ("cancelled", WARN, Value::Null, None),
        };
        if ui.json {
            ui.answer_json_line(&json!({
                "run": run, "workflow": name, "status": word, "output": output, "problem": problem,
            }));
            return Ok(());
        }
        ui.answer(format_args!("{style}{word:<9}{style:#}  {run}  {name}"));
        if let Some(problem) = problem {
            ui.note(format_args!("           {}", plain(&problem.to_string())));
        }
        Ok(())
    }
}

fn died(error: &JoinError) -> Report {
    Report::internal("what keeps a schedule ended by itself").caused_by(error.to_string())
}

/// Shows what runs told the people at the terminal.
pub(super) fn told(ui: &mut Ui, world: &World) {
    for line in world.told.take() {
        ui.note(format_args!("{WARN}told{WARN:#}       {}", plain(&line)));
    }
}

/// Lists the schedules. Writes nothing.
pub(super) fn list(ui: &mut Ui, world: &World, desk: &Desk) -> Answer {
    let found = desk.schedules()?;
    for api::LeftOut { file, why } in &found.left_out {
        ui.complain(format_args!("{WARN}warning{WARN:#}: {} is left out: {}", plain(file), plain(why)));
    }
    if ui.json {
        ui.answer_json(&crate::views::json(&found)?);
        return Ok(0);
    }
    if found.schedules.is_empty() {
        ui.note("no workflow of this project has a `schedule`");
        return Ok(0);
    }
    let now = world.clock.now();
    let mut table = Table::new(&["WORKFLOW", "WHEN", "LAST", "NEXT"]);
    for schedule in &found.schedules {
        let last =
            moment(schedule.last_start.as_deref()).map_or_else(|| "never".to_owned(), |at| relative(at, now));
        let next = match (moment(schedule.next_start.as_deref()), schedule.kind.as_str()) {
            (Some(at), _) if at <= now => "as soon as it is kept".to_owned(),
            (Some(at), _) => relative(at, now),
            (None, "on") => "when its events come".to_owned(),
            (None, "after") => "after its run has ended".to_owned(),
            (None, _) => "never".to_owned(),
        };
        table.row([plain(&schedule.workflow), plain(&schedule.when), last, next]);
    }
    for line in table.lines(ui.width) {
        ui.answer(line);
    }
    match found.kept {
        None => ui.note(format_args!("\nkeep them with: {COMMAND}aedile run --scheduled{COMMAND:#}")),
        Some(true) => ui.note("\nthe server keeps them"),
        Some(false) => ui.note(format_args!(
            "\nthe server does not keep them; it does when it is started with {COMMAND}--schedules{COMMAND:#}"
        )),
    }
    Ok(0)
}

fn moment(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}
