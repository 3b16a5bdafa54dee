//! What was applied last to every resource on a host: the fold of the steps that applied it.
//!
//! A change says what it will apply when it is scheduled ([`ResourceInput`]), and what of that was kept when it is done, so
//! both are needed. Steps under way wait in a table of their own.

use std::collections::BTreeMap;

use journal::events::{Scheduled, StepEvent, StepResult};
use model::{Json, RunId, Timestamp};
use plan::apply::{KIND_CHECK, KIND_HANDLE, KIND_PREFIX, ResourceInput};
use plan::{Applied, Held, Host, Instance, Name, Operation, ResourceId, TypeName};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Fact, from_json, moment, parse, to_json};

/// What is on record of a resource on a host.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceRow {
    /// Which.
    pub instance: Instance,
    /// What was applied to it last.
    pub applied: Applied,
    /// By which run.
    pub run: RunId,
    /// When.
    pub at: Timestamp,
}

/// The tables. An older journal gets them as a migration.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS resources (
        host TEXT NOT NULL, resource TEXT NOT NULL, kind TEXT NOT NULL, provider TEXT NOT NULL,
        attributes TEXT NOT NULL, depends TEXT NOT NULL, run TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (host, resource)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS resource_steps (
        run TEXT NOT NULL, step TEXT NOT NULL, operation TEXT NOT NULL, input TEXT NOT NULL,
        PRIMARY KEY (run, step)
    ) STRICT, WITHOUT ROWID;
";

/// What was applied as absent, for as long as nothing else is applied. An older journal gets the table as a migration.
pub(crate) const ABSENCES: &str = "
    CREATE TABLE IF NOT EXISTS absences (
        host TEXT NOT NULL, resource TEXT NOT NULL, kind TEXT NOT NULL, provider TEXT NOT NULL,
        run TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (host, resource)
    ) STRICT, WITHOUT ROWID;
";

/// Its rows as those of resources that nothing more is known of.
pub(crate) const SELECT_ABSENCES: &str =
    "SELECT host, resource, kind, provider, '{}' AS attributes, '[]' AS depends, run, at FROM absences";

/// What the input of a change ([`ResourceInput`]) says of it. What it was to be is read only where nobody saw what came of it, but
/// has to be there: what else an input of another version may say is nothing that this one can judge.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "what is not looked at is named, so that everything else is refused")]
struct Begun {
    plan: IgnoredAny,
    desired: Option<IgnoredAny>,
    prior: Option<IgnoredAny>,
    fields: Option<IgnoredAny>,
    handler: Option<IgnoredAny>,
    create_first: Option<IgnoredAny>,
    host: Host,
    resource: ResourceId,
    #[serde(rename = "type")]
    kind: TypeName,
    provider: String,
    moved_from: Option<Instance>,
    #[serde(default)]
    absent: bool,
    #[serde(default)]
    depends: Vec<Instance>,
}

/// What a step that was performed says was applied.
#[derive(Deserialize, Default)]
struct Answer {
    #[serde(default)]
    applied: Option<BTreeMap<Name, Held>>,
}

/// Takes notice of an event of a step.
pub(super) fn fold(connection: &Connection, fact: &Fact<'_>, event: &StepEvent) -> rusqlite::Result<()> {
    match event {
        StepEvent::Scheduled(scheduled) if is_change(&scheduled.action.kind) => {
            begin(connection, fact.stream, scheduled)
        }
        StepEvent::Completed(result) => finish(connection, fact, result),
        StepEvent::Failed(fault) => give_up(connection, fact.stream, fault.step.as_str()),
        StepEvent::Abandoned(stopped) => give_up(connection, fact.stream, stopped.step.as_str()),
        _ => Ok(()),
    }
}

fn is_change(kind: &str) -> bool {
    kind.starts_with(KIND_PREFIX) && kind != KIND_CHECK && kind != KIND_HANDLE
}

fn begin(connection: &Connection, run: &str, scheduled: &Scheduled) -> rusqlite::Result<()> {
    let operation = &scheduled.action.kind[KIND_PREFIX.len()..];
    let sql = "INSERT OR REPLACE INTO resource_steps (run, step, operation, input) VALUES (?1, ?2, ?3, ?4)";
    let input = to_json(&scheduled.action.input)?;
    connection.prepare_cached(sql)?.execute(params![run, scheduled.step.as_str(), operation, input])?;
    Ok(())
}

fn give_up(connection: &Connection, run: &str, step: &str) -> rusqlite::Result<()> {
    let sql = "DELETE FROM resource_steps WHERE run = ?1 AND step = ?2";
    connection.prepare_cached(sql)?.execute(params![run, step]).map(|_| ())
}

fn finish(connection: &Connection, fact: &Fact<'_>, result: &StepResult) -> rusqlite::Result<()> {
    let sql = "DELETE FROM resource_steps WHERE run = ?1 AND step = ?2 RETURNING operation, input";
    let begun: Option<(String, String)> = connection
        .prepare_cached(sql)?
        .query_row(params![&**fact.stream, result.step.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((operation, input)) = begun else { return Ok(()) };
    let operation = serde_json::from_value::<Operation>(Value::String(operation));
    // what another version recorded and this one cannot read is not guessed at
    let (Ok(operation), Ok(begun)) = (operation, serde_json::from_str::<Begun>(&input)) else {
        return Ok(());
    };
    let here = Instance::new(begun.host.clone(), begun.resource.clone());
    if !matches!(operation, Operation::Dispose | Operation::Blocked) {
        let sql = "DELETE FROM absences WHERE host = ?1 AND resource = ?2";
        connection.prepare_cached(sql)?.execute(params![here.host.as_str(), here.resource.as_str()])?;
    }
    match operation {
        Operation::Delete if begun.absent => {
            remove(connection, &here)?;
            absent(connection, fact, &here, &begun)
        }
        Operation::Delete | Operation::Forget => remove(connection, &here),
        Operation::Dispose | Operation::Blocked => Ok(()),
        Operation::Move => rename(connection, begun.moved_from.as_ref(), &here),
        Operation::Create | Operation::Update | Operation::Replace | Operation::Adopt => {
            let Some(attributes) = applied(&result.output, &input) else { return Ok(()) };
            if let Some(from) = &begun.moved_from {
                repoint(connection, from, &here)?;
                remove(connection, from)?;
            }
            put(connection, fact, &here, &begun, &attributes)
        }
    }
}

/// What was applied, or where a person said that it happened and nobody saw what came of it, what was to be. Nothing where that
/// cannot be read.
fn applied(output: &Json, input: &str) -> Option<BTreeMap<Name, Held>> {
    if let Some(applied) = output.read::<Answer>().unwrap_or_default().applied {
        return Some(applied);
    }
    let input: ResourceInput = serde_json::from_str(input).ok()?;
    Some(input.desired.into_iter().map(|(name, value)| (name, Held::Plain { value })).collect())
}

fn put(
    connection: &Connection,
    fact: &Fact<'_>,
    here: &Instance,
    begun: &Begun,
    attributes: &BTreeMap<Name, Held>,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO resources
                   (host, resource, kind, provider, attributes, depends, run, at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    connection.prepare_cached(sql)?.execute(params![
        here.host.as_str(),
        here.resource.as_str(),
        begun.kind.as_str(),
        begun.provider,
        to_json(attributes)?,
        to_json(&begun.depends)?,
        &**fact.stream,
        fact.at.as_millisecond(),
    ])?;
    Ok(())
}

fn remove(connection: &Connection, instance: &Instance) -> rusqlite::Result<()> {
    let sql = "DELETE FROM resources WHERE host = ?1 AND resource = ?2";
    connection.prepare_cached(sql)?.execute(params![instance.host.as_str(), instance.resource.as_str()])?;
    Ok(())
}

fn absent(connection: &Connection, fact: &Fact<'_>, here: &Instance, begun: &Begun) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO absences (host, resource, kind, provider, run, at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    connection.prepare_cached(sql)?.execute(params![
        here.host.as_str(),
        here.resource.as_str(),
        begun.kind.as_str(),
        begun.provider,
        &**fact.stream,
        fact.at.as_millisecond(),
    ])?;
    Ok(())
}

fn rename(connection: &Connection, from: Option<&Instance>, to: &Instance) -> rusqlite::Result<()> {
    let Some(from) = from else { return Ok(()) };
    repoint(connection, from, to)?;
    let sql = "UPDATE OR REPLACE resources SET host = ?3, resource = ?4 WHERE host = ?1 AND resource = ?2";
    connection.prepare_cached(sql)?.execute(params![
        from.host.as_str(),
        from.resource.as_str(),
        to.host.as_str(),
        to.resource.as_str()
    ])?;
    Ok(())
}

/// What depended on something under its old name depends on it under the new one: a later deletion is ordered by it.
fn repoint(connection: &Connection, from: &Instance, to: &Instance) -> rusqlite::Result<()> {
    // an instance is a JSON text, whose quotes make it a whole one
    let sql = "UPDATE resources SET depends = replace(depends, ?1, ?2) WHERE instr(depends, ?1) > 0";
    connection.prepare_cached(sql)?.execute(params![to_json(from)?, to_json(to)?])?;
    Ok(())
}

/// Reads a row of the table.
pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<ResourceRow> {
    Ok(ResourceRow {
        instance: Instance::new(parse(row, "host")?, parse(row, "resource")?),
        applied: Applied {
            kind: parse(row, "kind")?,
            provider: row.get("provider")?,
            attributes: from_json(row, "attributes")?,
            depends: from_json(row, "depends")?,
        },
        run: parse(row, "run")?,
        at: moment(row, "at")?.unwrap_or_default(),
    })
}
