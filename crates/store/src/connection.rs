//! Opens the file: settings, form, migrations.

use std::path::Path;
use std::time::{Duration, Instant};

use journal::JournalError;
use model::code::journal as codes;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::error::{from_io, from_sqlite};
use crate::holder;
use crate::limits::{CHECKPOINT_PAGES, READER_TIMEOUT, WAL_BYTES_KEPT};
use crate::views;

/// `AEDL`: marks the file as ours (`PRAGMA application_id`).
const APPLICATION_ID: i32 = 0x4145_444c;

/// Version of the file's form that this version of Aedile writes (`PRAGMA user_version`).
pub const FORMAT: i32 = 3;

/// What brings a file from version N to N+1, in order.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE records (position INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE stream_records (
        stream INTEGER NOT NULL, sequence INTEGER NOT NULL, position INTEGER NOT NULL,
        PRIMARY KEY (stream, sequence)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE stream_tail (
        position INTEGER PRIMARY KEY, stream INTEGER NOT NULL, sequence INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE trees (size INTEGER PRIMARY KEY, peaks BLOB NOT NULL) STRICT;
    CREATE TABLE leases (
        name TEXT PRIMARY KEY, token INTEGER NOT NULL, label TEXT, pid INTEGER, host TEXT, boot TEXT,
        started INTEGER, since INTEGER, expires INTEGER
    ) STRICT, WITHOUT ROWID;
",
    // no journal of the first format has a resource in it, so the new views are right when empty
    views::resource::SCHEMA,
    // and none of the second says of a deletion that it was declared
    views::resource::ABSENCES,
];

/// Opens the connection of the writer, makes the file where that is wanted, and brings it up to date.
pub(crate) fn open_writer(path: &Path, create: bool, source: &str) -> Result<Connection, JournalError> {
    if create {
        create_private(path)?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error: rusqlite::Error| from_sqlite(path, "cannot open", &error);
    if !path.exists() {
        return Err(JournalError::Storage {
            code: codes::STORE_IO,
            what: format!("there is no journal at {}", path.display()),
            hint: Some("aedile init".to_owned()),
        });
    }
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    configure(&connection).map_err(failed)?;
    check_form(&connection, path)?;
    migrate(&mut connection, source).map_err(|error| from_sqlite(path, "cannot prepare", &error))?;
    // the writer has its own way of waiting, which can say whom it waits for
    connection.busy_timeout(Duration::ZERO).map_err(failed)?;
    Ok(connection)
}

/// Opens a connection that only reads a store that is in use.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error: rusqlite::Error| from_sqlite(path, "cannot open", &error);
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(READER_TIMEOUT).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    // else a statement whose value could decide for another index is prepared anew each time the value is bound
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
    Ok(connection)
}

/// The journal's file is for its owner's eyes; SQLite gives its side files the same mode.
pub(crate) fn create_private(path: &Path) -> Result<(), JournalError> {
    use std::os::unix::fs::OpenOptionsExt;
    let doing = || format!("cannot create {}", path.display());
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory).map_err(|error| from_io(&doing(), &error))?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map(drop).map_err(|error| from_io(&doing(), &error))
}

/// Makes a file that was not there.
pub(crate) fn create_new_private(path: &Path) -> Result<(), JournalError> {
    use std::os::unix::fs::OpenOptionsExt;
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map(drop).map_err(|error| from_io(&format!("cannot create {}", path.display()), &error))
}

pub(crate) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(crate::limits::LOCK_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "journal_mode", "wal")?;
    // FULL flushes the log at every commit; fullfsync makes macOS mean it
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(
        None,
        "journal_size_limit",
        i64::try_from(WAL_BYTES_KEPT).unwrap_or(i64::MAX),
    )?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cache_size", -16_384)
}

/// Refuses files that are not ours or that a newer version wrote.
pub(crate) fn check_form(connection: &Connection, path: &Path) -> Result<(), JournalError> {
    let read = |pragma: &str| -> rusqlite::Result<i32> {
        connection.pragma_query_value(None, pragma, |row| row.get(0))
    };
    let failed = |error: rusqlite::Error| from_sqlite(path, "cannot open", &error);
    let (application, version) =
        (read("application_id").map_err(failed)?, read("user_version").map_err(failed)?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    let storage =
        |code, what, hint: &str| Err(JournalError::Storage { code, what, hint: Some(hint.to_owned()) });
    if application != APPLICATION_ID && (application != 0 || tables > 0) {
        let what = format!("{} is a database, but not a journal of Aedile", path.display());
        return storage(codes::CORRUPT, what, "aedile init");
    }
    if version > FORMAT {
        let what = format!(
            "{} has format {version}; this version of Aedile knows formats up to {FORMAT}",
            path.display()
        );
        return storage(codes::NEWER, what, "aedile --version");
    }
    Ok(())
}

fn migrate(connection: &mut Connection, source: &str) -> rusqlite::Result<()> {
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == FORMAT {
        return Ok(());
    }
    // another process may be at it: what counts is what is found under the lock
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (from, migration) in MIGRATIONS.iter().enumerate().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
        if from == 0 {
            views::create(&transaction)?;
            transaction.execute("INSERT INTO meta (name, value) VALUES ('source', ?1)", [source])?;
        }
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Starts a transaction that may write, waiting for other processes at most `timeout`.
pub(crate) fn begin(connection: &Connection, path: &Path, timeout: Duration) -> Result<(), JournalError> {
    const PAUSE_MIN: Duration = Duration::from_micros(100);
    const PAUSE_MAX: Duration = Duration::from_millis(5);
    let started = Instant::now();
    let mut pause = PAUSE_MIN;
    loop {
        let begun = connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([]));
        match begun {
            Ok(_) => return Ok(()),
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                if started.elapsed() >= timeout {
                    return Err(holder::locked(path, timeout));
                }
                std::thread::sleep(pause);
                pause = (pause * 2).min(PAUSE_MAX);
            }
            Err(error) => return Err(from_sqlite(path, "cannot write to", &error)),
        }
    }
}
