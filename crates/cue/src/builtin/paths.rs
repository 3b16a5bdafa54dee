//! Package `path` (Unix rules; other systems are refused).

use super::{Call, Fail, Outcome};
use crate::value::Value;

fn unix(c: &Call<'_>, i: usize) -> Result<(), Fail> {
    const ALIKE: [&str; 16] = [
        "unix",
        "aix",
        "android",
        "darwin",
        "dragonfly",
        "freebsd",
        "hurd",
        "illumos",
        "ios",
        "js",
        "linux",
        "nacl",
        "netbsd",
        "openbsd",
        "solaris",
        "zos",
    ];
    match c.args.get(i) {
        Some(Value::String(os)) if matches!(&**os, "windows" | "plan9") => {
            Err(Fail::Eval(format!("paths of {os} are not supported")))
        }
        Some(Value::String(os)) if !ALIKE.contains(&&**os) => {
            Err(Fail::Eval(format!("unknown operating system {os:?}")))
        }
        _ => Ok(()),
    }
}

pub(crate) fn clean_path(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut out: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if out.last().is_some_and(|p| *p != "..") => {
                out.pop();
            }
            ".." if rooted => {}
            other => out.push(other),
        }
    }
    let joined = out.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

pub(super) fn clean(c: &mut Call<'_>) -> Outcome {
    unix(c, 1)?;
    Ok(Value::string(clean_path(&c.text(0)?)))
}

pub(super) fn base(c: &mut Call<'_>) -> Outcome {
    unix(c, 1)?;
    let text = c.text(0)?;
    let trimmed = text.trim_end_matches('/');
    let name = match (text.is_empty(), trimmed.is_empty()) {
        (true, _) => ".",
        (_, true) => "/",
        _ => trimmed.rsplit('/').next().unwrap_or("."),
    };
    Ok(Value::string(name))
}

pub(super) fn dir(c: &mut Call<'_>) -> Outcome {
    unix(c, 1)?;
    let text = c.text(0)?;
    Ok(Value::string(clean_path(text.rfind('/').map_or("", |at| &text[..=at]))))
}

pub(super) fn ext(c: &mut Call<'_>) -> Outcome {
    unix(c, 1)?;
    let text = c.text(0)?;
    let name = text.rsplit('/').next().unwrap_or("");
    Ok(Value::string(name.rfind('.').map_or("", |at| &name[at..])))
}

pub(super) fn is_abs(c: &mut Call<'_>) -> Outcome {
    unix(c, 1)?;
    Ok(Value::Bool(c.text(0)?.starts_with('/')))
}

pub(super) fn join(c: &mut Call<'_>) -> Outcome {
    unix(c, 1)?;
    let parts: Vec<String> = c.texts(0)?.into_iter().filter(|p| !p.is_empty()).collect();
    Ok(Value::string(if parts.is_empty() { String::new() } else { clean_path(&parts.join("/")) }))
}

pub(super) fn split(c: &mut Call<'_>) -> Outcome {
    unix(c, 1)?;
    let text = c.text(0)?;
    let at = text.rfind('/').map_or(0, |at| at + 1);
    Ok(c.text_list([text[..at].to_owned(), text[at..].to_owned()]))
}

/// The second path, seen from the first: joined to it unless it is absolute.
pub(super) fn resolve(c: &mut Call<'_>) -> Outcome {
    unix(c, 2)?;
    let (dir, sub) = (c.text(0)?, c.text(1)?);
    Ok(Value::string(if sub.starts_with('/') {
        clean_path(&sub)
    } else {
        clean_path(&format!("{dir}/{sub}"))
    }))
}

/// To and from slashes, where slashes are what separates already.
pub(super) fn same(c: &mut Call<'_>) -> Outcome {
    unix(c, 1)?;
    Ok(Value::string(c.text(0)?))
}

pub(super) fn split_list(c: &mut Call<'_>) -> Outcome {
    unix(c, 1)?;
    let text = c.text(0)?;
    let parts: Vec<String> =
        if text.is_empty() { Vec::new() } else { text.split(':').map(str::to_owned).collect() };
    Ok(c.text_list(parts))
}

pub(super) fn rel(c: &mut Call<'_>) -> Outcome {
    unix(c, 2)?;
    let (from, to) = (clean_path(&c.text(0)?), clean_path(&c.text(1)?));
    if from.starts_with('/') != to.starts_with('/') {
        return Err(Fail::Eval(format!("Rel: can't make {to} relative to {from}")));
    }
    let parts = |p: &str| -> Vec<String> {
        p.split('/').filter(|s| !s.is_empty() && *s != ".").map(str::to_owned).collect()
    };
    let (a, b) = (parts(&from), parts(&to));
    let common = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let mut out: Vec<String> = vec!["..".to_owned(); a.len() - common];
    out.extend_from_slice(&b[common..]);
    Ok(Value::string(if out.is_empty() { ".".to_owned() } else { out.join("/") }))
}

pub(super) fn matches(c: &mut Call<'_>) -> Outcome {
    unix(c, 2)?;
    Ok(Value::Bool(glob(&c.text(0)?)?.is_match(&c.text(1)?)))
}

/// The regular expression of a shell pattern, which does not match across `/`.
pub(crate) fn glob(pattern: &str) -> Result<regex::Regex, String> {
    let mut re = String::from("^");
    let mut chars = pattern.chars().peekable();
    while let Some(ch) = chars.next() {
        match ch {
            '*' => re.push_str("[^/]*"),
            '?' => re.push_str("[^/]"),
            '[' => {
                re.push('[');
                for inner in chars.by_ref() {
                    re.push(inner);
                    if inner == ']' {
                        break;
                    }
                }
            }
            '\\' => re.push_str(&regex::escape(&chars.next().map(String::from).unwrap_or_default())),
            other => re.push_str(&regex::escape(&other.to_string())),
        }
    }
    re.push('$');
    super::regex(&re).map_err(|_| "syntax error in pattern".to_owned())
}
