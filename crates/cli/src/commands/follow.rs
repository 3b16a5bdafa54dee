//! Follows a run as it happens: what is shown, what is asked, how it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::approvals::Persons;
use engine::limits::READ_MAX;
use journal::events::{Asked, Definition, RunEvent, StepEvent};
use journal::{Event, Journal, Record};
use model::{ApprovalId, Code, Problem, RunId, Timestamp, code};
use policy::Choice;
use project::{Place, Workshop};
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use workflow::document::Dialect;

use super::decide::take;
use super::desk::There;
use super::questions::Questions;
use super::watch::Watch;
use crate::World;
use crate::args::Global;
use crate::report::Report;
use crate::ui::{COMMAND, DIM, GOOD, STRONG, Ui, WARN};
use crate::views::approvals::WAITING;
use crate::views::events::{INDENT, line};
use crate::views::live::Live;
use crate::views::table::plain;
use crate::views::time::duration;

/// How long nobody may seem to carry a run on before that is taken for the truth.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the types of problems begin with that say that people did not agree.
const APPROVAL_PROBLEMS: &str = "https://aedile.io/errors/approval-";

/// What is followed, and how.
pub(super) struct Follow {
    pub(super) run: RunId,
    pub(super) dialect: Dialect,
    pub(super) approve_as: Vec<String>,
    pub(super) detach: bool,
    pub(super) timeout: Option<Duration>,
}

/// How following ended.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) run: RunId,
    pub(super) status: &'static str,
    pub(super) output: Value,
    pub(super) problem: Option<Problem>,
    /// What is answered on standard output, where it is not JSON that is wanted.
    pub(super) shown: Option<Value>,
    /// Approvals it waits for.
    pub(super) approvals: Vec<ApprovalId>,
    /// The next likely command and why.
    pub(super) next: Option<(String, &'static str)>,
    /// Why the command does not exit with 0.
    pub(super) report: Option<Report>,
}

struct Following<'a> {
    world: &'a World,
    watch: Watch<'a>,
    options: &'a Follow,
    live: Live,
    /// Listened to from the beginning, so that no interruption is lost while something else is done.
    keyboard: Signal,
    sequence: u64,
    /// Position of the last record that was taken.
    position: u64,
    started: Instant,
    begun: Option<Timestamp>,
    questions: Questions,
    /// What is asked and could not be told yet.
    unasked: Vec<ApprovalId>,
}

/// Follows a run that is carried on here to its end, or until it has to be left alone.
pub(super) async fn follow(
    ui: &mut Ui,
    world: &World,
    global: &Global,
    place: &Place,
    workshop: &Workshop,
    options: &Follow,
) -> Result<Ending, Report> {
    until_the_end(ui, world, Watch::Here { global, place, workshop }, options).await
}

/// Follows a run of a server.
pub(super) async fn follow_there(
    ui: &mut Ui,
    world: &World,
    there: &There,
    options: &Follow,
) -> Result<Ending, Report> {
    there.listen(Some(&options.run.to_string()), 0)?;
    until_the_end(ui, world, Watch::There(there), options).await
}

async fn until_the_end(
    ui: &mut Ui,
    world: &World,
    watch: Watch<'_>,
    options: &Follow,
) -> Result<Ending, Report> {
    let keyboard = signal(SignalKind::interrupt()).map_err(|error| {
        Report::internal("the keyboard cannot be listened to").caused_by(error.to_string())
    })?;
    let live = Live::new(ui);
    let mut following = Following {
        world,
        watch,
        options,
        live,
        keyboard,
        sequence: 0,
        position: 0,
        started: Instant::now(),
        begun: None,
        questions: Questions::default(),
        unasked: Vec::new(),
    };
    let ending = following.until_the_end(ui).await;
    following.live.finish();
    following.watch.told().await;
    ending
}

impl Following<'_> {
    async fn until_the_end(&mut self, ui: &mut Ui) -> Result<Ending, Report> {
        let stream = self.options.run.to_string();
        loop {
            let mark = self.watch.mark()?;
            let records = self.watch.journal().read_stream(&stream, self.sequence, READ_MAX)?;
            for told in self.world.told.take() {
                self.live.line(ui, &format!("{INDENT}{WARN}told{WARN:#}       {}", plain(&told)));
            }
            for record in &records {
                (self.sequence, self.position) = (record.sequence, record.position);
                if let Some(ending) = self.take(ui, record)?
                    && self.watch.journal().read_stream(&stream, self.sequence, 1)?.is_empty()
                {
                    return Ok(ending);
                }
            }
            if !records.is_empty() {
                continue;
            }
            self.news(ui, u64::MAX)?;
            self.answer().await?;
            if self.options.detach && self.rests()? {
                return Ok(self.leave());
            }
            if let Some(ending) = self.wait(ui, mark).await? {
                return Ok(ending);
            }
        }
    }

    /// Waits for news, the end of the patience, or the keyboard.
    async fn wait(&mut self, ui: &mut Ui, mark: u64) -> Result<Option<Ending>, Report> {
        let left = self.options.timeout.map(|timeout| timeout.saturating_sub(self.started.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(Some(self.leave()));
        }
        let mut trouble = self.watch.trouble();
        let look = self.watch.pause();
        let pause = left.map_or(look, |left| left.min(look));
        let troubled = async {
            match &mut trouble {
                Some(trouble) => trouble.changed().await.ok().and_then(|()| trouble.borrow().clone()),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.watch.journal().changed(mark) => {
                changed.map_err(|error| self.watch.broken(error, self.options.run))?;
            }
            _ = self.keyboard.recv() => return Ok(Some(self.interrupted())),
            text = troubled => {
                if let Some(text) = text {
                    self.live.line(ui, &format!("{WARN}trouble{WARN:#}    {text}"));
                }
            }
            () = tokio::time::sleep(pause) => self.live.tick(),
        }
        self.lost()
    }

    /// A run that no engine can carry on is no reason to wait for ever.
    fn lost(&self) -> Result<Option<Ending>, Report> {
        if self.started.elapsed() < PATIENCE {
            return Ok(None);
        }
        let Some(text) = self.watch.lost(self.options.run)? else { return Ok(None) };
        let report =
            Report::new(code::run::NOT_RUNNING, format!("{} cannot be carried on", self.options.run))
                .caused_by(text)
                .with_hint("aedile doctor");
        Ok(Some(self.ending("stuck", Some(report))))
    }

    fn take(&mut self, ui: &mut Ui, record: &Record) -> Result<Option<Ending>, Report> {
        // both in the order of the journal
        self.news(ui, record.position)?;
        match &record.event {
            Event::Run(RunEvent::Submitted(submitted)) => {
                self.begun = Some(record.at);
                let what = format!("{} {}", submitted.program.name, submitted.program.version);
                self.live.line(ui, &format!("{STRONG}{}{STRONG:#}  {what}", self.options.run));
            }
            Event::Step(StepEvent::Asked(asked)) => {
                self.tell(ui, record);
                self.unasked.push(asked.approval);
                self.ask(ui)?;
            }
            Event::Step(StepEvent::Answered(answered)) => {
                self.unasked.retain(|approval| *approval != answered.approval);
                self.questions.answered(answered.approval);
                self.tell(ui, record);
            }
            Event::Step(StepEvent::Scheduled(scheduled)) => {
                self.tell(ui, record);
                self.live.doing(&scheduled.name);
            }
            Event::Step(StepEvent::Completed(result)) => {
                if result.task == "echo" || is_echo(result) {
                    self.say(ui, &result.output);
                }
                self.tell(ui, record);
            }
            Event::Step(StepEvent::InDoubt(doubt)) => {
                self.tell(ui, record);
                let command = format!(
                    "aedile runs resolve {} '{}' --doubt {} --happened",
                    self.options.run, doubt.step, record.sequence
                );
                let text = format!(
                    "{INDENT}say so with: {COMMAND}{command}{}{COMMAND:#} or --not-happened",
                    ui.away
                );
                self.live.line(ui, &text);
            }
            Event::Run(RunEvent::Completed(ended)) => {
                return Ok(Some(self.completed(ui, &ended.output, record)));
            }
            Event::Run(RunEvent::Failed(ended)) => return Ok(Some(self.failed(&ended.problem))),
            Event::Run(RunEvent::Cancelled(_)) => {
                let report = Report::new(code::run::CANCELLED, format!("{} was cancelled", self.options.run));
                return Ok(Some(self.ending("cancelled", Some(report))));
            }
            _ => self.tell(ui, record),
        }
        Ok(None)
    }

    fn tell(&mut self, ui: &mut Ui, record: &Record) {
        if let Some(line) = line(record) {
            self.live.line(ui, &line);
        }
    }

    /// What a step of the run says is part of what the run puts out.
    fn say(&mut self, ui: &mut Ui, output: &Value) {
        let text = match output.get("message") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => return,
        };
        if ui.json {
            return;
        }
        if self.options.dialect == Dialect::Ritual {
            self.live.pause(|| ui.answer(plain(&text)));
        } else {
            self.live.line(ui, &plain(&text));
        }
    }

    /// Tells what is asked, and how to answer. What cannot be read from a server now is told once it can be.
    fn ask(&mut self, ui: &mut Ui) -> Result<(), Report> {
        while let Some(approval) = self.unasked.first().copied() {
            let known = self.known();
            let mut questions = std::mem::take(&mut self.questions);
            let how = |asked: &Asked, level| self.how(&ui.away, asked, level);
            let lines = questions.ask(self.watch.journal(), approval, known, how);
            self.questions = questions;
            match lines {
                Ok(lines) => self.show(ui, &lines),
                Err(report) if self.watch.is_passing(&report) => return Ok(()),
                Err(report) => return Err(report),
            }
            self.unasked.remove(0);
        }
        Ok(())
    }

    /// Tells what has come of what was asked, up to a position of the journal.
    fn news(&mut self, ui: &mut Ui, until: u64) -> Result<(), Report> {
        self.ask(ui)?;
        let known = self.known();
        let mut questions = std::mem::take(&mut self.questions);
        let how = |asked: &Asked, level| self.how(&ui.away, asked, level);
        let mut lines = Vec::new();
        let outcome = questions.news(self.watch.journal(), until, known, how, &mut lines);
        self.questions = questions;
        self.show(ui, &lines);
        match outcome {
            // whoever listens for the run itself says when that has lasted too long
            Err(report) if self.watch.is_passing(&report) => Ok(()),
            outcome => outcome,
        }
    }

    /// How people are told apart here, and when it is.
    fn known(&self) -> (Persons, Timestamp) {
        (self.watch.persons(), self.world.clock.now())
    }

    fn show(&mut self, ui: &mut Ui, lines: &[String]) {
        for line in lines.iter().filter(|line| !line.is_empty()) {
            self.live.line(ui, line);
        }
    }

    /// What to type to give an approval; nothing where it is given by this command.
    fn how(&self, away: &str, asked: &Asked, level: u32) -> String {
        if !self.options.approve_as.is_empty() {
            return String::new();
        }
        match self.watch.how(self.world, (asked, level)) {
            Ok(command) => format!("{INDENT}give it with: {COMMAND}{command}{away}{COMMAND:#}"),
            Err(whom) => format!("{INDENT}{whom}"),
        }
    }

    /// Answers what waits, as the principals that were named, where they may.
    async fn answer(&mut self) -> Result<(), Report> {
        let Watch::Here { place, workshop, .. } = &self.watch else { return Ok(()) };
        if self.options.approve_as.is_empty() {
            return Ok(());
        }
        let (access, journal) = (Arc::clone(&workshop.rules.now().access), Arc::clone(&workshop.journal));
        for approval in self.questions.approvals() {
            let mut last = None;
            for name in &self.options.approve_as {
                let actor = access.actor(&place.environment, &self.world.user, Some(name))?;
                let choice = Choice::Grant { reason: Some("--approve-as".to_owned()) };
                let taken = take(&journal, place, self.world, &access, (approval, &actor), &choice).await;
                match taken {
                    Ok(engine::approvals::Decided::Ended { .. }) => {
                        last = None;
                        break;
                    }
                    Ok(_) => {}
                    Err(report) => last = Some(report),
                }
            }
            let open = engine::approvals::load(&*journal, approval, access.persons(&place.environment))?
                .is_some_and(|loaded| loaded.ended.is_none());
            if open {
                let why = last.map_or_else(
                    || format!("{approval} needs more approvals"),
                    |report: Report| report.what().to_owned(),
                );
                let what = format!("{} still waits for approval", self.options.run);
                return Err(Report::new(code::policy::WAITING, what)
                    .caused_by(why)
                    .with_hint(format!("aedile approvals show {approval}")));
            }
        }
        Ok(())
    }

    /// Whether everything waits: for people, a timer, a window, an event.
    fn rests(&self) -> Result<bool, Report> {
        let Some(row) = self.watch.run(self.options.run)? else { return Ok(false) };
        // what has happened is shown first
        if row.last > self.position {
            return Ok(false);
        }
        let now = self.world.clock.now();
        let ahead = |at: &str| at.parse::<Timestamp>().is_ok_and(|at| at > now);
        Ok(match (row.status.as_str(), &row.waiting_on) {
            ("submitted" | "running", _) => false,
            // what it waited for has come, and the engine is about to notice
            (_, Some(waits)) if waits.kind == "approval" => {
                self.watch.approval(&waits.what)?.is_some_and(|approval| {
                    approval.status == WAITING && approval.expires_at.as_deref().is_none_or(&ahead)
                })
            }
            (_, Some(waits)) if matches!(waits.kind.as_str(), "timer" | "window") => ahead(&waits.what),
            _ => true,
        })
    }

    fn completed(&mut self, ui: &mut Ui, output: &Value, record: &Record) -> Ending {
        let took = duration(record.at.duration_since(self.begun.unwrap_or(record.at)));
        self.live.end(ui, &format!("{GOOD}completed{GOOD:#}  {}  {DIM}{took}{DIM:#}", self.options.run));
        let next = (format!("aedile runs show {}", self.options.run), "says what happened");
        Ending {
            output: output.clone(),
            shown: Some(output.clone()),
            next: Some(next),
            ..self.ending("completed", None)
        }
    }

    fn failed(&self, problem: &Problem) -> Ending {
        let known = problem.code.as_deref().and_then(|id| code::all().find(|code| code.id == id));
        let denied = known.filter(|code| code.exit == model::Exit::Denied);
        let refused = problem.kind.starts_with(APPROVAL_PROBLEMS).then_some(code::policy::APPROVAL_DENIED);
        let code: &'static Code = denied.or(refused).unwrap_or(code::run::FAILED);
        let at = problem.instance.as_ref().map_or_else(String::new, |at| format!(" at {at}"));
        let mut report =
            Report::new(code, format!("{} failed{at}", self.options.run)).caused_by(problem.to_string());
        if let Some(known) = known.filter(|known| known.id != code.id) {
            report = report.caused_by(format!("{known}: {}", known.title));
        }
        let run = self.options.run;
        // what is done of a plan stays done, and is not done again
        let goes_on = problem.code.as_deref() == Some(code::plan::NOT_APPLIED.id);
        let verb = if goes_on { "retry" } else { "show" };
        let report = report.with_hint(format!("aedile runs {verb} {run}"));
        Ending { problem: Some(problem.clone()), ..self.ending("failed", Some(report)) }
    }

    /// The run goes on without us, or waits; say which.
    fn leave(&self) -> Ending {
        let run = self.options.run;
        let row = self.watch.run(run).ok().flatten();
        let resume = (format!("aedile run --resume {run}"), "goes on with it");
        let (code, what) = match row.and_then(|row| row.waiting_on) {
            Some(waits) if waits.kind == "approval" => {
                (code::policy::WAITING, format!("{run} waits for approval {}", plain(&waits.what)))
            }
            // it is going as far as it can without us, and needs nobody: what was asked
            Some(waits) if self.options.detach && matches!(waits.kind.as_str(), "timer" | "event") => {
                return Ending { next: Some(resume), ..self.ending("waiting", None) };
            }
            Some(waits) => {
                let what = format!("{run} waits for {} {}", plain(&waits.kind), plain(&waits.what));
                (code::run::WAITING, what)
            }
            None => (code::run::WAITING, format!("{run} has not ended")),
        };
        let report = Report::new(code, what).with_hint(resume.0.clone());
        self.ending("waiting", Some(report))
    }

    fn interrupted(&self) -> Ending {
        let run = self.options.run;
        let report = Report::new(code::run::WAITING, format!("interrupted; {run} stays as far as it got"))
            .with_hint(format!("aedile run --resume {run}"))
            .with_exit(crate::report::INTERRUPTED);
        self.ending("interrupted", Some(report))
    }

    fn ending(&self, status: &'static str, report: Option<Report>) -> Ending {
        Ending {
            run: self.options.run,
            status,
            output: json!(null),
            problem: None,
            shown: None,
            approvals: self.questions.approvals(),
            next: None,
            report,
        }
    }
}

fn is_echo(result: &journal::events::StepResult) -> bool {
    // the output is looked into only where it may be shown
    result.task == "call"
        && result.output.as_object().is_some_and(|output| output.len() == 1 && output.contains_key("message"))
}

/// The dialect of a run's definition, read from the journal.
pub(super) fn dialect_of(journal: &dyn Journal, run: RunId) -> Result<Dialect, Report> {
    let first = journal.read_stream(&run.to_string(), 0, 1)?;
    let Some(Event::Run(RunEvent::Submitted(submitted))) = first.first().map(|one| &one.event) else {
        return Ok(Dialect::Standard);
    };
    if submitted.program.kind != project::programs::KIND {
        return Ok(Dialect::Standard);
    }
    let text = Definition::read(journal, &submitted.program.digest)?;
    let (workflow, _) = workflow::load("definition", text.as_deref().unwrap_or_default());
    Ok(workflow.map_or(Dialect::Standard, |workflow| workflow.dialect))
}
