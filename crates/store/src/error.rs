//! From SQLite's result codes to the journal's errors.

use std::path::Path;

use journal::JournalError;
use model::{Code, Coded, code::journal as codes};
use rusqlite::ErrorCode;

/// Makes the journal's error of SQLite's, saying what was being done to which file.
pub(crate) fn from_sqlite(path: &Path, doing: &str, error: &rusqlite::Error) -> JournalError {
    let shown = path.display();
    let (code, hint): (&'static Code, String) = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (codes::FULL, format!("df -h {shown}")),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            (codes::CORRUPT, "aedile journal verify".to_owned())
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (codes::LOCKED, "aedile doctor".to_owned())
        }
        _ => (codes::STORE_IO, "aedile doctor".to_owned()),
    };
    JournalError::Storage { code, what: format!("{doing} {shown}: {error}"), hint: Some(hint) }
}

/// Makes the journal's error of any other that has a code.
pub(crate) fn from_coded(error: &impl Coded) -> JournalError {
    JournalError::Storage { code: error.code(), what: error.to_string(), hint: error.hint() }
}

/// Makes the journal's error of one from the file system.
pub(crate) fn from_io(doing: &str, error: &std::io::Error) -> JournalError {
    let code = if error.kind() == std::io::ErrorKind::StorageFull { codes::FULL } else { codes::STORE_IO };
    JournalError::Storage { code, what: format!("{doing}: {error}"), hint: Some("aedile doctor".to_owned()) }
}
