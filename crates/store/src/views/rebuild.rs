//! Folds the journal again: to rebuild the views, or to compare them with what they should be.

use std::path::Path;

use journal::{JournalError, record};
use rusqlite::{Connection, params};

use super::{Fact, TABLES, Views, create};
use crate::error::from_sqlite;
use crate::limits::CACHE_ROWS_MAX;

/// One row that is not what the journal makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The view.
    pub view: &'static str,
    /// The row as it stands, if it does.
    pub found: Option<String>,
    /// The row as it should be, if it should.
    pub wanted: Option<String>,
}

/// Most differences reported.
const DIFFERENCES_MAX: usize = 100;

/// Folds every record of `journal` into the tables of `views`.
fn refold(journal: &Connection, views: &Connection, path: &Path) -> Result<(), JournalError> {
    let failed = |error: rusqlite::Error| from_sqlite(path, "cannot fold", &error);
    let mut fold = Views::default();
    let mut select =
        journal.prepare("SELECT position, bytes FROM records ORDER BY position").map_err(failed)?;
    let mut rows = select.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let position = row.get::<_, i64>(0).map_err(failed)?.cast_unsigned();
        let bytes = row.get_ref(1).map_err(failed)?.as_blob().map_err(|error| failed(error.into()))?;
        let record = record::decode(bytes).map_err(|error| record::unreadable(position, &error))?;
        let fact = Fact {
            position,
            stream: &record.stream,
            sequence: record.sequence,
            at: record.at,
            actor: &record.actor,
            event: &record.event,
        };
        fold.fold(views, &fact).map_err(failed)?;
        if fold.pending() >= CACHE_ROWS_MAX {
            fold.flush(views).map_err(failed)?;
        }
    }
    fold.flush(views).map_err(failed)
}

/// Empties the views and folds the journal again, inside the caller's transaction.
pub(crate) fn rebuild(connection: &Connection, path: &Path) -> Result<(), JournalError> {
    for (table, _) in TABLES {
        connection
            .execute(&format!("DELETE FROM {table}"), [])
            .map_err(|error| from_sqlite(path, "cannot rebuild", &error))?;
    }
    refold(connection, connection, path)
}

/// Folds the journal beside the views and tells where they differ, at most 100 rows.
pub(crate) fn compare(connection: &Connection, path: &Path) -> Result<Vec<Difference>, JournalError> {
    let failed = |error: rusqlite::Error| from_sqlite(path, "cannot compare", &error);
    let fresh = Connection::open_in_memory().map_err(failed)?;
    create(&fresh).map_err(failed)?;
    fresh.execute_batch("BEGIN").map_err(failed)?;
    refold(connection, &fresh, path)?;
    let mut differences = Vec::new();
    for (table, order) in TABLES {
        compare_table(connection, &fresh, table, order, &mut differences).map_err(failed)?;
    }
    Ok(differences)
}

fn compare_table(
    found: &Connection,
    wanted: &Connection,
    table: &'static str,
    order: &str,
    differences: &mut Vec<Difference>,
) -> rusqlite::Result<()> {
    let sql = format!("SELECT * FROM {table} ORDER BY {order}");
    let (mut found, mut wanted) = (found.prepare(&sql)?, wanted.prepare(&sql)?);
    let (mut found, mut wanted) = (found.query(params![])?, wanted.query(params![])?);
    while differences.len() < DIFFERENCES_MAX {
        let (a, b) = (found.next()?.map(show).transpose()?, wanted.next()?.map(show).transpose()?);
        if a.is_none() && b.is_none() {
            break;
        }
        if a != b {
            differences.push(Difference { view: table, found: a, wanted: b });
        }
    }
    Ok(())
}

/// A row as text: every column with its value, in the order of the table.
fn show(row: &rusqlite::Row<'_>) -> rusqlite::Result<String> {
    use rusqlite::types::Value;
    let names = row.as_ref().column_names();
    let mut text = String::new();
    for (index, name) in names.enumerate() {
        let value = match row.get::<_, Value>(index)? {
            Value::Null => "null".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
            Value::Text(text) => text,
            Value::Blob(bytes) => format!("{} bytes", bytes.len()),
        };
        text.push_str(if index > 0 { " " } else { "" });
        text.push_str(name);
        text.push('=');
        text.push_str(&value);
    }
    Ok(text)
}
