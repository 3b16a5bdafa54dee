//! Reads text files within their limits, and YAML with positions.

use std::fs::Permissions;
use std::io::{Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use model::{Diagnostic, Location, code};
use serde::de::DeserializeOwned;

use crate::ProjectError;

/// Mode of a new file, before the process's mask.
const MODE: u32 = 0o666;

/// Reads a UTF-8 text of at most `limit` bytes. `shown` is how the person knows the file.
pub fn read(path: &Path, shown: &str, limit: u64) -> Result<String, ProjectError> {
    let unreadable = |source| ProjectError::Unreadable { what: shown.to_owned(), source };
    let file = fs_err::File::open(path).map_err(unreadable)?;
    read_from(file, shown, limit)
}

/// Reads a UTF-8 text of at most `limit` bytes from anything.
pub fn read_from(from: impl Read, shown: &str, limit: u64) -> Result<String, ProjectError> {
    let unreadable = |source| ProjectError::Unreadable { what: shown.to_owned(), source };
    let mut bytes = Vec::new();
    from.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(ProjectError::TooLarge { what: shown.to_owned(), limit });
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.split(|byte| *byte == b'\n').count();
        unreadable(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            format!("line {line} is not UTF-8 text"),
        ))
    })
}

/// Writes a whole file or nothing: what was there stays until the new text is on disk. A file that is there keeps its mode.
/// Without `replace`, a file that is there is an error.
pub fn write(path: &Path, text: &str, replace: bool) -> Result<(), ProjectError> {
    let unwritable = |source| ProjectError::Unwritable { what: path.display().to_string(), source };
    let directory =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        let mode =
            fs_err::metadata(path).map_or_else(|_| Permissions::from_mode(MODE), |old| old.permissions());
        let mut file = builder.prefix(".aedile-").permissions(mode).tempfile_in(directory)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        if replace {
            file.persist(path).map(drop)?;
        } else {
            file.persist_noclobber(path).map(drop)?;
        }
        fs_err::File::open(directory)?.sync_all()
    };
    write().map_err(unwritable)
}

/// Reads YAML (and so JSON) into a value.
pub fn value(text: &str, shown: &str) -> Result<serde_json::Value, ProjectError> {
    yaml(text, shown)
}

/// Reads YAML into `T`; the finding names line, column and JSON pointer of what is wrong.
pub fn yaml<T: DeserializeOwned>(text: &str, shown: &str) -> Result<T, ProjectError> {
    let options = serde_saphyr::options! { with_snippet: false };
    let mut path = String::new();
    let answer = serde_saphyr::with_deserializer_from_str_with_options(text, options, |yaml| {
        serde_path_to_error::deserialize::<_, T>(yaml).map_err(|error| {
            path = pointer(error.path());
            error.into_inner()
        })
    });
    answer.map_err(|error| {
        let at = error.location();
        let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let location = Location {
            file: shown.to_owned(),
            line: at.map_or(1, |at| number(at.line())),
            column: at.map_or(1, |at| number(at.column())),
            path,
        };
        let finding = Diagnostic::error(code::general::BAD_PROJECT, one_line(&error.to_string()), location);
        ProjectError::Bad { findings: vec![finding] }
    })
}

/// A YAML error's message without its position, which the finding has already.
fn one_line(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let first = match first.split_once(": ") {
        Some((head, rest)) if head.starts_with("line ") => rest,
        _ => first,
    };
    let first = first.find(" at line ").map_or(first, |end| &first[..end]);
    first.trim_end_matches('.').to_owned()
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut out = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                out.push('/');
                out.push_str(&index.to_string());
            }
            Segment::Map { key } | Segment::Enum { variant: key } => {
                out.push('/');
                out.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Unknown => {}
        }
    }
    out
}
