//! What the types share: paths, modes, owners, digests.

use provider_kit::{
    Answer, Ask, Attributes, Fault, Finding, Look, Object, Query, Stat, Value, finding, text,
};
use sha2::{Digest as _, Sha256};

/// Lower-case hexadecimal digits.
pub fn sha256(content: &[u8]) -> String {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
    Sha256::digest(content).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Absolute, without `.`, `..` and control characters, and not the root directory.
pub fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && path.trim_end_matches('/').len() > 1
        && !path.chars().any(char::is_control)
        && !path.split('/').any(|name| matches!(name, "." | ".."))
}

/// The permission bits a value says.
pub fn mode(value: &Value) -> Option<u32> {
    let bits = match value {
        Value::String(text) => u32::from_str_radix(text.trim().trim_start_matches("0o"), 8).ok()?,
        other => u32::try_from(other.as_u64()?).ok()?,
    };
    (bits <= 0o7777).then_some(bits)
}

/// What is wrong with what all types have.
pub fn check(config: &Object) -> Vec<Finding> {
    let mut found = Vec::new();
    if text(config, "path").is_some_and(|path| !is_plain(path)) {
        found.push(finding("path", "must be absolute, without `.` and `..`, and not `/`", None));
    }
    if config.get("mode").is_some_and(|value| mode(value).is_none()) {
        found.push(finding("mode", "is not a file mode", Some("write it as an octal text such as \"0644\"")));
    }
    for name in ["owner", "group"] {
        if text(config, name).is_some_and(|name| name.is_empty() || name.contains([':', '\n', '\0'])) {
            found.push(finding(name, "is not an account's name or number", None));
        }
    }
    found
}

/// An attribute of what is declared, or of what was there.
pub fn either<'a>(change: &'a Ask, name: &str) -> Option<&'a str> {
    text(&change.desired, name).or_else(|| text(&change.prior, name))
}

/// What there is to set.
pub fn attributes(config: &Object) -> Attributes {
    let owned = |name| text(config, name).map(str::to_owned);
    Attributes { mode: config.get("mode").and_then(mode), owner: owned("owner"), group: owned("group") }
}

pub fn stat(path: &str, digest: bool) -> Query {
    Query::Stat(Look { path: path.into(), digest, follow: false })
}

/// What is at the path.
pub enum Found<'a> {
    Nothing,
    There(&'a Stat),
    Unknown(&'a Fault),
}

/// What an answer says is at a path: a directory on the way that is not there means that nothing is.
pub fn found(answer: &Answer) -> Found<'_> {
    match answer {
        Answer::File(Some(stat)) => Found::There(stat),
        Answer::Fault(fault) if fault.code != "not_found" => Found::Unknown(fault),
        _ => Found::Nothing,
    }
}

/// Declared attributes as they are, with mode, owner and group as they are on the target. What is the same in another
/// spelling stays as declared.
pub fn observed(config: &Object, stat: &Stat) -> Object {
    let mut seen = config.clone();
    seen.insert("state".into(), "present".into());
    if config.get("mode").and_then(mode) != Some(stat.mode) {
        seen.insert("mode".into(), octal(stat.mode).into());
    }
    for (name, actual, number) in [("owner", &stat.owner, stat.uid), ("group", &stat.group, stat.gid)] {
        let number = number.to_string();
        let same = text(config, name)
            .is_some_and(|declared| Some(declared) == actual.as_deref() || declared == number);
        if !same {
            seen.insert(name.into(), actual.clone().unwrap_or(number).into());
        }
    }
    seen
}

/// Four octal digits.
pub fn octal(mode: u32) -> String {
    let digit = |shift: u32| char::from_digit(mode >> shift & 7, 8).unwrap_or('0');
    [digit(9), digit(6), digit(3), digit(0)].into_iter().collect()
}
