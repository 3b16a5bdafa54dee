//! What the CUE evaluator complains about, as diagnostics.

use cue::Position;
use model::{Code, Diagnostic, Location, code::cue as codes};

use crate::limits;
use crate::synthetic::Synthetic;

/// All of them, each once, places in added lines replaced by where those come from.
pub(crate) fn diagnostics(errors: &cue::Errors, added: &Synthetic) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for error in &errors.0 {
        let one = diagnostic(error, added);
        if !found.contains(&one) && found.len() < limits::DIAGNOSTICS_MAX {
            found.push(one);
        }
    }
    found
}

fn diagnostic(error: &cue::Error, added: &Synthetic) -> Diagnostic {
    let mut places: Vec<Location> =
        error.positions.iter().map(|position| location(position, added)).collect();
    // what a person wrote in a file comes before what was added
    places.sort_by_key(|place| place.line == 0);
    let mut places = places.into_iter();
    let path = pointer(&error.path);
    let first = Location { path, ..places.next().unwrap_or_default() };
    let mut one = Diagnostic::error(code_of(error.code), error.message.clone(), first);
    one.related = places.collect();
    one.hint = error.hint.clone().or_else(|| overridden(error, added));
    one
}

fn location(position: &Position, added: &Synthetic) -> Location {
    if let Some(origin) = added.origin(&position.file, position.line) {
        let file = if origin.spot.line == 0 { origin.why.clone() } else { origin.spot.file.to_string() };
        return Location { file, line: origin.spot.line, column: origin.spot.column, path: String::new() };
    }
    // characters, where the evaluator counts bytes
    let bytes = position.column.saturating_sub(1) as usize;
    let characters = position.snippet.get(..bytes).map_or(bytes, |before| before.chars().count());
    let column = u32::try_from(characters + 1).unwrap_or(u32::MAX);
    Location { file: position.file.to_string(), line: position.line, column, path: String::new() }
}

/// The code under which this program reports an error of the evaluator.
#[must_use]
pub fn code_of(code: cue::Code) -> &'static Code {
    match code {
        cue::Code::Syntax => codes::SYNTAX,
        cue::Code::Eval | cue::Code::User => codes::CONFLICT,
        cue::Code::Incomplete => codes::INCOMPLETE,
        cue::Code::Cycle | cue::Code::StructuralCycle => codes::CYCLE,
        cue::Code::Compile => codes::REFERENCE,
        cue::Code::Limit => codes::LIMIT,
    }
}

/// Two values, one of which was given from outside.
fn overridden(error: &cue::Error, added: &Synthetic) -> Option<String> {
    let given = |at: &Position| added.origin(&at.file, at.line).is_some();
    let name =
        error.path.strip_prefix("variables.").or_else(|| error.path.strip_prefix("workspace.variables."))?;
    (error.code == cue::Code::Eval && error.positions.iter().any(given))
        .then(|| format!("what may be overridden is a type with a default: `{name}: int | *3`, for example"))
}

/// A path as the evaluator writes it (`a."b.c".0`), as a JSON pointer.
pub(crate) fn pointer(path: &str) -> String {
    let mut out = String::new();
    for part in split(path) {
        out.push('/');
        out.push_str(&part.replace('~', "~0").replace('/', "~1"));
    }
    out
}

/// The parts of a path such as `a."b c"[0].d` or `a.0.d`, unquoted.
pub(crate) fn split(path: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        rest = rest.trim_start_matches(['.', ']', '[']);
        if rest.starts_with('"') {
            let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            if let Some(Ok(text)) = stream.next() {
                let end = stream.byte_offset();
                parts.push(text);
                rest = rest.get(end..).unwrap_or_default();
                continue;
            }
        }
        let end = rest.find(['.', '[', ']']).unwrap_or(rest.len());
        if end > 0 {
            parts.push(rest[..end].to_owned());
        }
        rest = &rest[end..];
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_pointers() {
        for (path, expected) in [
            ("", ""),
            ("a.b", "/a/b"),
            ("a[0].b", "/a/0/b"),
            ("a.0.b", "/a/0/b"),
            ("a.\"b.c\".d", "/a/b.c/d"),
            ("a.\"x/y\"", "/a/x~1y"),
            ("#A._b", "/#A/_b"),
        ] {
            assert_eq!(pointer(path), expected, "{path}");
        }
    }
}
