//! `policy test`, `policy list` and `policy explain`.

use std::path::Path;

use model::{RunId, code};
use policy::{Source, testing};
use project::decisions::{Found, judgement, verdict_of};
use serde_json::{Value, json};

use super::desk::Desk;
use super::here::Here;
use super::runs::records_of;
use crate::World;
use crate::args::{ExplainPolicyArgs, Global, PolicyTestArgs};
use crate::report::{Answer, Report};
use crate::ui::{BAD, DIM, GOOD, Ui, WARN};
use crate::views::table::{Table, plain};

/// Runs the policy's tests. Exits 1 if one fails, or if there are none: then nothing was shown to be true.
pub(super) fn test(ui: &mut Ui, world: &World, global: &Global, args: &PolicyTestArgs) -> Answer {
    let sources = match &args.directory {
        Some(directory) => sources(directory)?,
        None => project::rules::policy_sources(project(&Here::find(world, global)?)?)?,
    };
    let mut report = testing::run(&sources);
    if let Some(filter) = &args.filter {
        report.results.retain(|result| result.name.contains(filter));
    }
    if report.findings.iter().any(|finding| finding.severity == model::Severity::Error) {
        let mut failure = Report::findings("the policy or its tests are wrong", report.findings);
        for source in &sources {
            failure = failure.with_source(&source.name, &source.text);
        }
        return Err(failure);
    }
    let failed = report.results.iter().filter(|result| result.failure.is_some()).count();
    let passed = report.results.len() - failed;
    if ui.json {
        let results: Vec<Value> = report
            .results
            .iter()
            .map(|result| {
                json!({
                    "file": result.file, "line": result.line, "name": result.name,
                    "passed": result.failure.is_none(), "failure": result.failure,
                })
            })
            .collect();
        ui.answer_json(&json!({ "passed": passed, "failed": failed, "results": results }));
    } else {
        for result in &report.results {
            match &result.failure {
                None => ui.answer(format_args!("{GOOD}pass{GOOD:#}  {}", result.name)),
                Some(why) => ui.answer(format_args!(
                    "{BAD}FAIL{BAD:#}  {}  {DIM}{}:{}{DIM:#}\n      {why}",
                    result.name, result.file, result.line
                )),
            }
        }
        ui.answer(format_args!("{passed} passed, {failed} failed"));
    }
    if failed > 0 {
        return Err(Report::new(code::policy::TEST_FAILED, format!("{failed} policy tests failed")));
    }
    if passed == 0 {
        return Err(Report::new(code::policy::TEST_FAILED, "there are no policy tests")
            .with_hint("write one in policy/policy_test.yaml"));
    }
    Ok(0)
}

fn project(here: &Here) -> Result<&project::Project, Report> {
    match &here.place.project {
        Some(project) => Ok(project),
        None => Err(project::ProjectError::NoProject { start: super::here::current_directory()? }.into()),
    }
}

fn sources(directory: &Path) -> Result<Vec<Source>, Report> {
    let unreadable = |error: std::io::Error| {
        Report::new(code::general::UNREADABLE, format!("{} cannot be read", directory.display()))
            .caused_by(error.to_string())
    };
    let mut files = Vec::new();
    for entry in fs_err::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|known| ["yaml", "yml", "rego"].iter().any(|one| known == *one)) {
            files.push(path);
        }
    }
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let shown = path.display().to_string();
            let text = project::text::read(&path, &shown, project::limits::FILE_BYTES_MAX)?;
            Ok(Source::new(shown, text))
        })
        .collect()
}

/// Lists the rules in force, the files they come from and their digest.
pub(super) fn list(ui: &mut Ui, desk: &Desk) -> Answer {
    let policy = desk.policy()?;
    if ui.json {
        ui.answer_json(&crate::views::json(&policy)?);
        return Ok(0);
    }
    if !policy.rules.is_empty() {
        let mut table = Table::new(&["KIND", "SAYS", "RULE"]);
        for rule in &policy.rules {
            let text = |name: &str| rule[name].as_str().unwrap_or_default().to_owned();
            table.row([text("kind"), text("says"), text("rule")]);
        }
        for line in table.lines(ui.width) {
            ui.answer(line);
        }
    }
    if policy.files.is_empty() {
        ui.note("no policy here: what needs no grant is allowed, everything else is denied");
    } else {
        let files = plain(&policy.files.join(", "));
        ui.note(format_args!("{DIM}policy {} of {files}{DIM:#}", plain(&policy.digest)));
    }
    Ok(0)
}

/// Says why something was allowed, denied or asked about, from the journal's record of it alone.
pub(super) fn explain(ui: &mut Ui, desk: &Desk, args: &ExplainPolicyArgs) -> Answer {
    let found = verdicts(desk, &args.event)?;
    if found.is_empty() {
        let what = format!("there is no verdict of policy in {}", args.event);
        return Err(Report::new(code::general::NOT_FOUND, what).with_hint("aedile journal log"));
    }
    let explained: Vec<_> = found
        .iter()
        .map(|found| (found.position, &found.about, policy::explain(&judgement(&found.verdict))))
        .collect();
    if ui.json {
        let shown: Vec<Value> = explained
            .iter()
            .map(|(position, about, explanation)| {
                json!({ "position": position, "about": about, "explanation": explanation })
            })
            .collect();
        ui.answer_json(&json!({ "verdicts": shown }));
        return Ok(0);
    }
    for (position, about, explanation) in explained {
        let style = if explanation.verdict == "allow" { GOOD } else { WARN };
        ui.answer(format_args!("{DIM}{position:>7}{DIM:#}  {about}"));
        ui.answer(format_args!("         {style}{}{style:#}  {}", explanation.verdict, explanation.summary));
        for rule in explanation.decisive.iter().chain(&explanation.others) {
            ui.answer(format_args!("         {:<8} {}  {DIM}{}{DIM:#}", rule.said, rule.message, rule.rule));
        }
        ui.answer(format_args!(
            "         {DIM}policy {}  input {}{DIM:#}",
            explanation.policy, explanation.input
        ));
    }
    Ok(0)
}

fn verdicts(desk: &Desk, typed: &str) -> Result<Vec<Found>, Report> {
    let journal = desk.journal()?;
    if let Ok(position) = typed.parse::<u64>() {
        let records = journal.read(position.saturating_sub(1), 1)?;
        return Ok(records
            .iter()
            .filter(|record| record.position == position)
            .filter_map(verdict_of)
            .collect());
    }
    let run: RunId = if typed.starts_with("apr") {
        let approval = desk.the_approval(typed)?;
        desk.the_run(&desk.approval(approval)?.approval.run)?
    } else {
        desk.the_run(typed)?
    };
    Ok(records_of(journal.as_ref(), run)?.iter().filter_map(verdict_of).collect())
}
