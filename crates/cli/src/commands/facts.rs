//! `facts`: what hosts are.

use std::collections::BTreeSet;
use std::time::Duration;

use model::{Diagnostic, code};
use plan::{Host, nearest};
use project::infrastructure::{self, Collected, FactStore, Known, Login};
use project::{Project, ProjectError};
use serde_json::{Value, json};

use super::here::Here;
use crate::World;
use crate::args::{AgeArgs, CollectArgs, FactsCommand, ShowFactsArgs};
use crate::report::{Answer, Report};
use crate::ui::{BAD, Ui, WARN};
use crate::views::table::{Table, count, plain};
use crate::views::time::duration;

/// Carries out a command about facts.
pub(super) fn facts(ui: &mut Ui, world: &World, here: &Here, command: &FactsCommand) -> Answer {
    match command {
        FactsCommand::Collect(args) => collect(ui, world, here, args),
        FactsCommand::List(args) => list(ui, world, here, args),
        FactsCommand::Show(args) => show(ui, world, here, args),
    }
}

/// The project of the place; there are no hosts outside of one.
pub(super) fn project(here: &Here) -> Result<&Project, Report> {
    let missing = || ProjectError::NoProject { start: ".".into() };
    here.place.project.as_ref().ok_or_else(|| missing().into())
}

/// Reads the project's infrastructure, with variables as they were typed.
pub(super) fn configuration(here: &Here, variables: &[String]) -> Result<config::Project, Report> {
    let project = project(here)?;
    let variables = variables.iter().map(|text| pair("--var", text)).collect::<Result<Vec<_>, _>>()?;
    infrastructure::read(project, &here.place.environment, &variables)
        .map_err(|error| sources(project, Report::from(error)))
}

/// Findings with the lines they are about.
pub(super) fn sources(project: &Project, mut report: Report) -> Report {
    for (file, text) in infrastructure::texts(project) {
        report = report.with_source(file, text);
    }
    report
}

pub(super) fn pair(option: &str, text: &str) -> Result<(String, String), Report> {
    match text.split_once('=').filter(|(name, _)| !name.is_empty()) {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(Report::usage(format!("{option} {text}: this is not NAME=VALUE"))),
    }
}

fn max_age(args: &AgeArgs) -> Result<Duration, Report> {
    let Some(text) = &args.max_age else { return Ok(project::limits::FACTS_AGE) };
    let age = model::time::parse_duration(text).map_err(|error| Report::usage(error.to_string()))?;
    Ok(age.unsigned_abs())
}

/// The hosts that are meant, in the order of their names.
fn selected(config: &config::Project, args: &CollectArgs) -> Result<Vec<Host>, Report> {
    let labels = args.labels.iter().map(|text| pair("--label", text)).collect::<Result<Vec<_>, _>>()?;
    let mut named = BTreeSet::new();
    for name in &args.hosts {
        named.insert(known_host(config, name)?);
    }
    let wanted = |host: &Host, has: &std::collections::BTreeMap<String, String>| {
        (named.is_empty() || named.contains(host))
            && labels.iter().all(|(name, value)| has.get(name) == Some(value))
    };
    let hosts: Vec<Host> = config
        .hosts
        .iter()
        .filter(|(host, config)| wanted(host, &config.labels))
        .map(|(host, _)| host.clone())
        .collect();
    if hosts.is_empty() {
        let report = Report::new(code::general::NOT_FOUND, "no host of the configuration is meant");
        return Err(report.with_hint("aedile facts list"));
    }
    Ok(hosts)
}

fn known_host(config: &config::Project, name: &str) -> Result<Host, Report> {
    let known = config.hosts.keys().find(|host| host.as_str() == name);
    known.cloned().ok_or_else(|| {
        let near = nearest(name, config.hosts.keys().map(Host::as_str));
        let hint =
            near.map_or_else(|| "aedile facts list".to_owned(), |near| format!("aedile facts show {near}"));
        Report::new(code::general::NOT_FOUND, format!("the configuration has no host {}", plain(name)))
            .with_hint(hint)
    })
}

fn collect(ui: &mut Ui, world: &World, here: &Here, args: &CollectArgs) -> Answer {
    let config = configuration(here, &args.age.variables)?;
    let (hosts, max_age) = (selected(&config, args)?, max_age(&args.age)?);
    let store = FactStore::of(&here.place.state);
    let now = world.clock.now();
    let fresh = |host: &Host| store.get(host).is_some_and(|known| !known.is_stale(now, max_age));
    let asked: Vec<Host> = hosts.iter().filter(|host| args.refresh || !fresh(host)).cloned().collect();
    let mut outcomes = Vec::new();
    if !asked.is_empty() {
        ui.note(format_args!("asking {}", count(asked.len(), "host")));
        let runner = remote::Runner::find()?;
        let login = Login { project: project(here)?.root.clone(), ..world.login.clone() };
        let asking =
            infrastructure::collect(&asked, &config.hosts, &[], (&login, &here.place.state, &runner));
        outcomes = super::runtime()?.block_on(asking);
    }
    let at = world.clock.now();
    let mut failures = Vec::new();
    for Collected { host, outcome } in outcomes {
        match outcome {
            Ok(facts) => store.put(&Known { host, at, facts })?,
            Err(error) => failures.push((host, Report::from(error))),
        }
    }
    tell(ui, &rows(&hosts, &store, at, max_age), &asked, &failures);
    Ok(u8::from(!failures.is_empty()))
}

/// A host and what is known of it.
struct Row {
    host: Host,
    known: Option<Known>,
    age: Option<Duration>,
    stale: bool,
}

fn rows(hosts: &[Host], store: &FactStore, now: model::Timestamp, max_age: Duration) -> Vec<Row> {
    let row = |host: &Host| {
        let known = store.get(host);
        let age = known.as_ref().map(|known| known.age(now));
        let stale = known.as_ref().is_none_or(|known| known.is_stale(now, max_age));
        Row { host: host.clone(), known, age, stale }
    };
    hosts.iter().map(row).collect()
}

fn tell(ui: &mut Ui, rows: &[Row], asked: &[Host], failures: &[(Host, Report)]) {
    let failed = |host: &Host| failures.iter().any(|(other, _)| other == host);
    let state = |row: &Row| match (asked.contains(&row.host), failed(&row.host), row.stale) {
        (_, true, _) => "failed",
        (true, ..) => "collected",
        (_, _, true) => "expired",
        _ => "kept",
    };
    if ui.json {
        let all: Vec<Value> = rows
            .iter()
            .map(|row| {
                let report = failures.iter().find(|(host, _)| *host == row.host).map(|(_, report)| report);
                json!({
                    "host": row.host,
                    "state": if row.known.is_none() && report.is_none() { "unknown" } else { state(row) },
                    "at": row.known.as_ref().map(|known| model::time::rfc3339(known.at)),
                    "ageSeconds": row.age.map(|age| age.as_secs()),
                    "stale": row.stale,
                    "facts": row.known.as_ref().map(|known| &known.facts),
                    "error": report.map(Report::value),
                })
            })
            .collect();
        ui.answer_json(&json!({ "hosts": all }));
        return;
    }
    let mut table = Table::new(&["HOST", "STATE", "AGE", "SYSTEM", "KERNEL"]);
    for row in rows {
        let facts = row.known.as_ref().map(|known| &known.facts);
        let said =
            |path: &str| facts.and_then(|facts| facts.pointer(path)).and_then(Value::as_str).unwrap_or("-");
        let age = row.age.and_then(|age| age.try_into().ok()).map_or_else(|| "-".to_owned(), duration);
        let state = if row.known.is_none() && !failed(&row.host) { "unknown" } else { state(row) };
        table.row([
            row.host.to_string(),
            state.to_owned(),
            age,
            plain(said("/os/name")),
            plain(said("/kernel/release")),
        ]);
    }
    for line in table.lines(ui.width) {
        ui.answer(line);
    }
    for row in rows {
        for (part, why) in untold(row) {
            ui.note(format_args!("{WARN}{} told no {part}{WARN:#}: {why}", row.host));
        }
    }
    for (host, report) in failures {
        ui.complain(format_args!("\n{BAD}{host}{BAD:#}"));
        report.show(ui);
    }
}

/// The parts that a host could not tell, each with why.
fn untold(row: &Row) -> Vec<(String, String)> {
    let missing = row.known.as_ref().and_then(|known| known.facts.get("missing")).and_then(Value::as_array);
    let text = |one: &Value, name: &str| plain(one.get(name).and_then(Value::as_str).unwrap_or_default());
    missing.into_iter().flatten().map(|one| (text(one, "part"), text(one, "why"))).collect()
}

fn list(ui: &mut Ui, world: &World, here: &Here, args: &AgeArgs) -> Answer {
    let config = configuration(here, &args.variables)?;
    let hosts: Vec<Host> = config.hosts.keys().cloned().collect();
    let store = FactStore::of(&here.place.state);
    let rows = rows(&hosts, &store, world.clock.now(), max_age(args)?);
    tell(ui, &rows, &[], &[]);
    if !ui.json && rows.iter().any(|row| row.stale) {
        ui.next("aedile facts collect", "asks the hosts that are unknown or expired");
    }
    Ok(0)
}

fn show(ui: &mut Ui, world: &World, here: &Here, args: &ShowFactsArgs) -> Answer {
    let config = configuration(here, &[])?;
    let host = known_host(&config, &args.host)?;
    let Some(known) = FactStore::of(&here.place.state).get(&host) else {
        let report = Report::new(code::general::NOT_FOUND, format!("nothing is known of {host} yet"));
        return Err(report.with_hint(format!("aedile facts collect {host}")));
    };
    let now = world.clock.now();
    if known.is_stale(now, project::limits::FACTS_AGE) {
        let age = known.age(now).try_into().map(duration).unwrap_or_default();
        ui.note(format_args!("{WARN}this is {age} old{WARN:#}; aedile facts collect {host} asks again"));
    }
    let Some(part) = &args.part else {
        ui.answer_json(&known.facts);
        return Ok(0);
    };
    let parts = known.facts.as_object();
    if let Some(value) = parts.and_then(|parts| parts.get(part)) {
        ui.answer_json(value);
        return Ok(0);
    }
    let near = nearest(part, parts.into_iter().flat_map(serde_json::Map::keys).map(String::as_str));
    let report = Report::new(code::general::NOT_FOUND, format!("{host} told nothing about {}", plain(part)));
    let command = |part: &str| format!("aedile facts show {host} --part {part}");
    Err(report.with_hint(near.map_or_else(|| format!("aedile facts show {host}"), command)))
}

/// Says where a value of the configuration comes from.
pub(super) fn explain_value(ui: &mut Ui, here: &Here, path: &str) -> Answer {
    let config = configuration(here, &[])?;
    let found = config.explain(path).map_err(|finding: Diagnostic| {
        let report = Report::new(finding.code, finding.message);
        match finding.hint {
            Some(hint) => report.caused_by(hint),
            None => report,
        }
    })?;
    let how = |how: &config::How| match how {
        config::How::Declared => "declared".to_owned(),
        config::How::Referred => "referred to".to_owned(),
        config::How::Added(why) => why.clone(),
    };
    if ui.json {
        let sources: Vec<Value> = found
            .sources
            .iter()
            .map(|one| {
                json!({
                    "file": &*one.place.file, "line": one.place.line, "column": one.place.column,
                    "text": one.text, "how": how(&one.how),
                })
            })
            .collect();
        ui.answer_json(&json!({ "path": path, "value": found.value, "sources": sources }));
        return Ok(0);
    }
    ui.answer(plain(&found.value));
    let mut table = Table::new(&["WHERE", "HOW", "WRITTEN"]);
    for one in &found.sources {
        let at = &one.place;
        let place =
            if at.line > 0 { format!("{}:{}:{}", at.file, at.line, at.column) } else { at.file.to_string() };
        table.row([place, how(&one.how), plain(&one.text)]);
    }
    ui.answer("");
    for line in table.lines(ui.width) {
        ui.answer(line);
    }
    Ok(0)
}
