//! `run`: start a run, or go on with one, and watch it.

use std::path::{Path, PathBuf};

use model::{RunId, code};
use project::{Actor, Document, Place, Project, ProjectError, Rules, Workshop, proposing};
use serde_json::{Map, Value, json};
use store::{RunFilter, RunStatus};

use super::desk::Desk;
use super::follow::{Ending, Follow, follow, follow_there};
use super::here::{Here, current_directory, the_run};
use super::machine;
use crate::World;
use crate::args::{Global, RunArgs};
use crate::report::{Answer, Report, finding_text};
use crate::ui::{DIM, Ui};

/// What is to be run, and where.
pub(super) struct Task {
    pub(super) place: Place,
    pub(super) rules: Rules,
    pub(super) document: Document,
}

/// Runs a workflow, a batch of them, or goes on with a run.
pub(super) fn run(ui: &mut Ui, world: &World, global: &Global, args: &RunArgs) -> Answer {
    if global.server.is_some() {
        return there(ui, world, global, args);
    }
    if args.scheduled {
        return super::schedules::keep(ui, world, global, args);
    }
    if let Some(run) = &args.resume {
        return resume(ui, world, global, args, run);
    }
    let Some(named) = &args.workflow else { return Err(Report::usage("a workflow is missing")) };
    let task = find(world, global, named)?;
    for warning in &task.document.warnings {
        ui.note(finding_text(warning, Some(&task.document.definition.text)).trim_end());
    }
    let actor = task.rules.access.actor(&task.place.environment, &world.user, args.act_as.as_deref())?;
    if let Some(file) = &args.batch {
        return super::batch::batch(ui, world, args, file, &mut |ui, input| {
            check(&task.document, &input)?;
            start(ui, world, global, args, (&task.place, &task.document), (input, &actor))
        });
    }
    let input = input(args)?;
    check(&task.document, &input)?;
    let ending = start(ui, world, global, args, (&task.place, &task.document), (input, &actor))?;
    conclude(ui, ending)
}

/// Finds the workflow and the place it runs in. Writes nothing.
pub(super) fn find(world: &World, global: &Global, named: &str) -> Result<Task, Report> {
    let path = Path::new(named);
    let is_file = path.is_file() || path.components().count() > 1 || has_extension(path);
    if !is_file {
        let here = Here::find(world, global)?;
        let rules = Rules::read(&here.place)?;
        let document = rules.programs.find_document(named, None)?;
        return Ok(Task { place: here.place, rules, document });
    }
    let text = project::text::read(path, named, project::limits::FILE_BYTES_MAX)?;
    let place = place_of(world, global, path)?;
    let rules = Rules::read(&place)?;
    let document =
        rules.programs.read(named, &text).map_err(|error| Report::from(error).with_source(named, text))?;
    Ok(Task { place, rules, document })
}

fn has_extension(path: &Path) -> bool {
    path.extension().is_some_and(|known| ["yaml", "yml", "json"].iter().any(|one| known == *one))
}

/// A file belongs to the project it is in; else to the one the command is typed in; else to none.
fn place_of(world: &World, global: &Global, file: &Path) -> Result<Place, Report> {
    if global.project.is_none() {
        let absolute = current_directory()?.join(file);
        match Project::find(absolute.parent().unwrap_or(&absolute)) {
            Ok(project) => return Ok(Place::in_project(project, global.env.as_deref())?),
            Err(ProjectError::NoProject { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Here::find(world, global)?.place)
}

/// The input that the arguments say.
pub(super) fn input(args: &RunArgs) -> Result<Value, Report> {
    if let Some(file) = &args.input {
        return document(file);
    }
    let mut members = Map::new();
    for pair in &args.input_values {
        let (key, value) = pair
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
            .ok_or_else(|| Report::usage(format!("`{pair}` is not KEY=VALUE")))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        members.insert(key.to_owned(), value);
    }
    Ok(Value::Object(members))
}

/// Reads JSON or YAML from a file, or from standard input.
pub(super) fn document(file: &Path) -> Result<Value, Report> {
    let limit = project::limits::INPUT_BYTES_MAX;
    let (shown, text) = if file.as_os_str() == "-" {
        let shown = "standard input".to_owned();
        let text = project::text::read_from(std::io::stdin().lock(), &shown, limit)?;
        (shown, text)
    } else {
        let shown = file.display().to_string();
        let text = project::text::read(file, &shown, limit)?;
        (shown, text)
    };
    if let Ok(value) = serde_json::from_str(&text) {
        return Ok(value);
    }
    Ok(project::text::value(&text, &shown)?)
}

/// Refuses an input that does not match the workflow's schema, before anything is written.
pub(super) fn check(document: &Document, input: &Value) -> Result<(), Report> {
    Ok(proposing::check_input(document, input)?)
}

/// Submits a run and follows it.
fn start(
    ui: &mut Ui,
    world: &World,
    global: &Global,
    args: &RunArgs,
    (place, document): (&Place, &Document),
    (input, actor): (Value, &Actor),
) -> Result<Ending, Report> {
    let timeout = timeout(args.timeout.as_deref())?;
    let outside = place.project.is_none() && !place.state.exists();
    let runtime = super::runtime()?;
    runtime.block_on(async {
        let workshop = Workshop::open(place, &machine(world))?;
        workshop.check_secrets(document)?;
        if outside {
            ui.note(format_args!(
                "{DIM}no project here: keeping the journal in {}, with the default policy{DIM:#}",
                place.state.root().display()
            ));
        }
        let run = workshop.propose(document, input, actor.clone(), args.idempotency_key.clone()).await?;
        let options = Follow {
            run,
            dialect: document.workflow.dialect,
            approve_as: args.approve_as.clone(),
            detach: args.detach,
            timeout,
        };
        follow(ui, world, global, place, &workshop, &options).await
    })
}

/// How long a command waits.
pub(super) fn timeout(typed: Option<&str>) -> Result<Option<std::time::Duration>, Report> {
    let Some(text) = typed else { return Ok(None) };
    let duration = model::time::parse_duration(text).map_err(|error| Report::usage(error.to_string()))?;
    Ok(Some(duration.unsigned_abs()))
}

/// What a server is to run.
enum Wanted {
    /// A workflow of its project.
    Named(String),
    /// A file of this machine, which is sent along.
    Sent(api::Definition),
}

impl Wanted {
    /// A file where there is one or it looks like one, as here; else a name, which may have a namespace.
    fn read(named: &str) -> Result<Self, Report> {
        let path = Path::new(named);
        if !path.is_file() && !has_extension(path) && !path.is_absolute() && !named.starts_with('.') {
            return Ok(Self::Named(named.to_owned()));
        }
        let text = project::text::read(path, named, project::limits::FILE_BYTES_MAX)?;
        Ok(Self::Sent(api::Definition { file: named.to_owned(), text }))
    }

    fn with(&self, input: Value) -> api::SubmitRun {
        let (workflow, definition) = match self {
            Self::Named(name) => (Some(name.clone()), None),
            Self::Sent(definition) => (None, Some(definition.clone())),
        };
        api::SubmitRun { workflow, definition, version: None, input: Some(input), check_only: false }
    }

    /// What the server has against it, with the lines that this is about.
    fn refused(&self, error: api::client::ClientError) -> Report {
        let report = Report::from(error);
        match self {
            Self::Named(_) => report,
            Self::Sent(definition) => report.with_source(&definition.file, &definition.text),
        }
    }

    fn warn(&self, ui: &mut Ui, findings: &[api::Finding]) {
        let Self::Sent(definition) = self else { return };
        for finding in api::client::diagnostics(findings) {
            ui.note(finding_text(&finding, Some(&definition.text)).trim_end());
        }
    }
}

/// Runs a workflow on a server, a batch of it, or watches a run there.
fn there(ui: &mut Ui, world: &World, global: &Global, args: &RunArgs) -> Answer {
    only_here(args)?;
    let timeout = timeout(args.timeout.as_deref())?;
    let wanted = match (&args.resume, &args.workflow) {
        (None, Some(named)) => Some(Wanted::read(named)?),
        (None, None) => return Err(Report::usage("a workflow is missing")),
        (Some(_), _) => None,
    };
    let desk = Desk::find(world, global)?;
    let Desk::There(there) = &desk else { return Err(Report::internal("no server was named")) };
    let watch = |ui: &mut Ui, run: RunId| {
        let dialect = super::follow::dialect_of(there.records.as_ref(), run)?;
        let options = Follow { run, dialect, approve_as: Vec::new(), detach: args.detach, timeout };
        there.run(follow_there(ui, world, there, &options))
    };
    let Some(wanted) = wanted else {
        let run = open_run(&desk, args.resume.as_deref().unwrap_or_default())?;
        let ending = watch(ui, run)?;
        return conclude(ui, ending);
    };
    let mut warned = false;
    let mut start = |ui: &mut Ui, input: Value| {
        let drawn = || format!("aedile-{:032x}", world.entropy.draw());
        let key = args.idempotency_key.clone().unwrap_or_else(drawn);
        let submitted = there.wait(there.at.submit(&wanted.with(input), &key));
        let submitted = submitted.map_err(|error| wanted.refused(error))?;
        if !std::mem::replace(&mut warned, true) {
            wanted.warn(ui, &submitted.findings);
        }
        let run = submitted.run.and_then(|run| run.parse().ok());
        let run = run.ok_or_else(|| {
            Report::new(code::server::NOT_A_SERVER, "the server does not say which run it made")
        })?;
        watch(ui, run)
    };
    if let Some(file) = &args.batch {
        return super::batch::batch(ui, world, args, file, &mut start);
    }
    let ending = start(ui, input(args)?)?;
    conclude(ui, ending)
}

/// Refuses what only the machine that carries a run out can do.
fn only_here(args: &RunArgs) -> Result<(), Report> {
    super::desk::themselves(args.act_as.as_deref())?;
    super::desk::themselves(args.approve_as.first().map(String::as_str))?;
    if args.scheduled {
        let what = "a server keeps the schedules of its projects itself";
        return Err(
            Report::new(code::server::NOT_REMOTE, what).with_hint("leave --scheduled or --server out")
        );
    }
    Ok(())
}

/// The run of a server that is meant: the one named, or the latest that has not ended.
fn open_run(desk: &Desk, typed: &str) -> Result<RunId, Report> {
    if !typed.is_empty() {
        return desk.the_run(typed);
    }
    let open = RunStatus::ALL.into_iter().filter(|status| !status.is_ended());
    let open: Vec<&str> = open.map(RunStatus::as_str).collect();
    let query = api::RunQuery { status: Some(open.join(",")), limit: Some(1), ..api::RunQuery::default() };
    match desk.runs(&query)?.items.first() {
        Some(run) => desk.the_run(&run.run),
        None => {
            Err(Report::new(code::general::NOT_FOUND, "every run has ended").with_hint("aedile runs list"))
        }
    }
}

/// Goes on with a run.
fn resume(ui: &mut Ui, world: &World, global: &Global, args: &RunArgs, typed: &str) -> Answer {
    let here = Here::find(world, global)?;
    let run = resumed(&here, typed)?;
    let timeout = timeout(args.timeout.as_deref())?;
    let runtime = super::runtime()?;
    let ending = runtime.block_on(async {
        let workshop = Workshop::open(&here.place, &machine(world))?;
        let dialect = super::follow::dialect_of(workshop.journal.as_ref(), run)?;
        let approve_as = args.approve_as.clone();
        let options = Follow { run, dialect, approve_as, detach: args.detach, timeout };
        follow(ui, world, global, &here.place, &workshop, &options).await
    })?;
    conclude(ui, ending)
}

/// The run that is meant: the one named, or the latest that has not ended.
fn resumed(here: &Here, typed: &str) -> Result<RunId, Report> {
    let journal = here.journal()?;
    if !typed.is_empty() {
        return the_run(&journal, typed);
    }
    let open = RunStatus::ALL.into_iter().filter(|status| !status.is_ended()).collect::<Vec<RunStatus>>();
    let page = journal.runs(&RunFilter { status: open, ..RunFilter::default() }, 1)?;
    page.items.first().map(|row| row.run).ok_or_else(|| {
        Report::new(code::general::NOT_FOUND, "every run has ended").with_hint("aedile runs list")
    })
}

/// Shows how a run ended, and answers the exit code.
fn conclude(ui: &mut Ui, ending: Ending) -> Answer {
    if ui.json {
        ui.answer_json(&ending.json());
        return ending.report.map_or(Ok(0), Err);
    }
    if let Some(output) = &ending.shown {
        ui.answer_json(output);
    }
    if let Some((command, why)) = &ending.next {
        ui.next(command, why);
    }
    ending.report.map_or(Ok(0), Err)
}

/// Where the results of a batch go.
pub(super) fn results(args: &RunArgs) -> PathBuf {
    args.results.clone().unwrap_or_else(|| PathBuf::from("."))
}

impl Ending {
    /// As `--json` shows it.
    pub(super) fn json(&self) -> Value {
        json!({
            "run": self.run,
            "status": self.status,
            "output": self.output,
            "problem": self.problem,
            "approvals": self.approvals,
        })
    }
}
