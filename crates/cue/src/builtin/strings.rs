//! Package `strings`.

use super::{Call, Fail, Outcome};
use crate::limits;
use crate::value::Value;

fn bool_of(c: &Call<'_>, test: impl Fn(&str, &str) -> bool) -> Outcome {
    Ok(Value::Bool(test(&c.text(0)?, &c.text(1)?)))
}

fn map(c: &Call<'_>, f: impl Fn(&str) -> String) -> Outcome {
    Ok(Value::string(f(&c.text(0)?)))
}

fn int(n: usize) -> Value {
    Value::int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn position(n: Option<usize>) -> Value {
    n.map_or_else(|| Value::int(-1), int)
}

pub(super) fn to_upper(c: &mut Call<'_>) -> Outcome {
    map(c, str::to_uppercase)
}

pub(super) fn to_lower(c: &mut Call<'_>) -> Outcome {
    map(c, str::to_lowercase)
}

fn each_word(text: &str, f: impl Fn(char) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut start = true;
    for ch in text.chars() {
        if start {
            out.push_str(&f(ch));
        } else {
            out.push(ch);
        }
        start = ch.is_whitespace();
    }
    out
}

pub(super) fn to_title(c: &mut Call<'_>) -> Outcome {
    map(c, |s| each_word(s, |ch| ch.to_uppercase().collect()))
}

pub(super) fn to_camel(c: &mut Call<'_>) -> Outcome {
    map(c, |s| each_word(s, |ch| ch.to_lowercase().collect()))
}

pub(super) fn trim_space(c: &mut Call<'_>) -> Outcome {
    map(c, |s| s.trim().to_owned())
}

pub(super) fn has_prefix(c: &mut Call<'_>) -> Outcome {
    bool_of(c, |s, p| s.starts_with(p))
}

pub(super) fn has_suffix(c: &mut Call<'_>) -> Outcome {
    bool_of(c, |s, p| s.ends_with(p))
}

pub(super) fn contains(c: &mut Call<'_>) -> Outcome {
    bool_of(c, |s, p| s.contains(p))
}

pub(super) fn contains_any(c: &mut Call<'_>) -> Outcome {
    bool_of(c, |s, set| s.chars().any(|ch| set.contains(ch)))
}

pub(super) fn index(c: &mut Call<'_>) -> Outcome {
    Ok(position(c.text(0)?.find(&c.text(1)?)))
}

pub(super) fn last_index(c: &mut Call<'_>) -> Outcome {
    Ok(position(c.text(0)?.rfind(&c.text(1)?)))
}

pub(super) fn index_any(c: &mut Call<'_>) -> Outcome {
    let set = c.text(1)?;
    Ok(position(c.text(0)?.find(|ch| set.contains(ch))))
}

pub(super) fn last_index_any(c: &mut Call<'_>) -> Outcome {
    let set = c.text(1)?;
    Ok(position(c.text(0)?.rfind(|ch| set.contains(ch))))
}

/// -1, 0 or 1: how the first text stands to the second, byte by byte.
pub(super) fn compare(c: &mut Call<'_>) -> Outcome {
    Ok(Value::int(match c.bytes(0)?.cmp(&c.bytes(1)?) {
        std::cmp::Ordering::Less => -1,
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Greater => 1,
    }))
}

pub(super) fn count(c: &mut Call<'_>) -> Outcome {
    let (s, sub) = (c.text(0)?, c.text(1)?);
    Ok(int(if sub.is_empty() { s.chars().count() + 1 } else { s.matches(&sub).count() }))
}

pub(super) fn trim(c: &mut Call<'_>) -> Outcome {
    let set = c.text(1)?;
    map(c, |s| s.trim_matches(|ch| set.contains(ch)).to_owned())
}

pub(super) fn trim_left(c: &mut Call<'_>) -> Outcome {
    let set = c.text(1)?;
    map(c, |s| s.trim_start_matches(|ch| set.contains(ch)).to_owned())
}

pub(super) fn trim_right(c: &mut Call<'_>) -> Outcome {
    let set = c.text(1)?;
    map(c, |s| s.trim_end_matches(|ch| set.contains(ch)).to_owned())
}

pub(super) fn trim_prefix(c: &mut Call<'_>) -> Outcome {
    let p = c.text(1)?;
    map(c, |s| s.strip_prefix(p.as_str()).unwrap_or(s).to_owned())
}

pub(super) fn trim_suffix(c: &mut Call<'_>) -> Outcome {
    let p = c.text(1)?;
    map(c, |s| s.strip_suffix(p.as_str()).unwrap_or(s).to_owned())
}

/// Go's `SplitN`: at most `n` pieces, all when negative.
fn pieces(s: &str, sep: &str, n: i64, after: bool) -> Vec<String> {
    if n == 0 {
        return Vec::new();
    }
    let most = usize::try_from(n).unwrap_or(usize::MAX);
    let mut out = Vec::new();
    let mut rest = s;
    while out.len() + 1 < most {
        let (at, len) = if sep.is_empty() {
            match rest.chars().next() {
                Some(ch) if rest.len() > ch.len_utf8() => (ch.len_utf8(), 0),
                _ => break,
            }
        } else {
            match rest.find(sep) {
                Some(at) => (at, sep.len()),
                None => break,
            }
        };
        out.push(rest[..at + if after { len } else { 0 }].to_owned());
        rest = &rest[at + len..];
    }
    if !(sep.is_empty() && rest.is_empty()) {
        out.push(rest.to_owned());
    }
    out
}

pub(super) fn split(c: &mut Call<'_>) -> Outcome {
    let items = pieces(&c.text(0)?, &c.text(1)?, -1, false);
    Ok(c.text_list(items))
}

pub(super) fn split_n(c: &mut Call<'_>) -> Outcome {
    let items = pieces(&c.text(0)?, &c.text(1)?, c.int(2)?, false);
    Ok(c.text_list(items))
}

pub(super) fn split_after(c: &mut Call<'_>) -> Outcome {
    let items = pieces(&c.text(0)?, &c.text(1)?, -1, true);
    Ok(c.text_list(items))
}

pub(super) fn split_after_n(c: &mut Call<'_>) -> Outcome {
    let items = pieces(&c.text(0)?, &c.text(1)?, c.int(2)?, true);
    Ok(c.text_list(items))
}

pub(super) fn fields(c: &mut Call<'_>) -> Outcome {
    let items: Vec<String> = c.text(0)?.split_whitespace().map(str::to_owned).collect();
    Ok(c.text_list(items))
}

pub(super) fn join(c: &mut Call<'_>) -> Outcome {
    let sep = c.text(1)?;
    let text = c.texts(0)?.join(&sep);
    if text.len() > limits::STRING_BYTES {
        return Err("result is too long".into());
    }
    Ok(Value::string(text))
}

pub(super) fn repeat(c: &mut Call<'_>) -> Outcome {
    let (s, n) = (c.text(0)?, c.int(1)?);
    let n = usize::try_from(n).map_err(|_| Fail::from("negative count"))?;
    if s.len().saturating_mul(n) > limits::STRING_BYTES {
        return Err("result is too long".into());
    }
    Ok(Value::string(s.repeat(n)))
}

pub(super) fn replace(c: &mut Call<'_>) -> Outcome {
    let (s, from, to, n) = (c.text(0)?, c.text(1)?, c.text(2)?, c.int(3)?);
    let count = usize::try_from(n).unwrap_or(usize::MAX);
    if s.len().saturating_add(s.len().saturating_add(1).saturating_mul(to.len())) > limits::STRING_BYTES {
        return Err("result is too long".into());
    }
    Ok(Value::string(if n < 0 { s.replace(&from, &to) } else { s.replacen(&from, &to, count) }))
}

pub(super) fn runes(c: &mut Call<'_>) -> Outcome {
    let items = c.text(0)?.chars().map(|ch| Value::int(i64::from(u32::from(ch)))).collect();
    Ok(c.list(items))
}

pub(super) fn min_runes(c: &mut Call<'_>) -> Outcome {
    Ok(Value::Bool(c.text(0)?.chars().count() >= c.uint(1)?))
}

pub(super) fn max_runes(c: &mut Call<'_>) -> Outcome {
    Ok(Value::Bool(c.text(0)?.chars().count() <= c.uint(1)?))
}

pub(super) fn slice_runes(c: &mut Call<'_>) -> Outcome {
    let (s, low, high) = (c.text(0)?, c.uint(1)?, c.uint(2)?);
    let chars: Vec<char> = s.chars().collect();
    match chars.get(low..high) {
        Some(part) => Ok(Value::string(part.iter().collect::<String>())),
        None => Err("index out of range".into()),
    }
}

pub(super) fn byte_at(c: &mut Call<'_>) -> Outcome {
    let i = c.uint(1)?;
    match c.bytes(0)?.get(i) {
        Some(b) => Ok(Value::int(i64::from(*b))),
        None => Err("index out of range".into()),
    }
}

pub(super) fn byte_slice(c: &mut Call<'_>) -> Outcome {
    let (b, low, high) = (c.bytes(0)?, c.uint(1)?, c.uint(2)?);
    match b.get(low..high) {
        Some(part) => Ok(Value::Bytes(part.into())),
        None => Err("index out of range".into()),
    }
}
