//! The functions a template can call.

use std::cmp::Ordering;

use super::print;
use crate::data::Data;

const NAMES: [&str; 19] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print",
    "printf", "println", "slice", "urlquery",
];

pub(super) fn known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Whether `if` takes it for true: not empty and not zero.
pub(super) fn truth(value: &Data) -> bool {
    match value {
        Data::Null => false,
        Data::Bool(b) => *b,
        Data::Number(n) => !n.is_zero(),
        Data::String(s) => !s.is_empty(),
        Data::Bytes(b) => !b.is_empty(),
        Data::List(items) => !items.is_empty(),
        Data::Object(fields) => !fields.is_empty(),
    }
}

/// Calls any function but `and` and `or`, which do not always look at all of their arguments.
pub(super) fn call(name: &str, args: &[Data]) -> Result<Data, String> {
    let want = |least: usize, most: usize| {
        if (least..=most).contains(&args.len()) {
            return Ok(());
        }
        Err(format!("wrong number of arguments for {name}: {}", args.len()))
    };
    let text = |text: String| Ok(Data::String(text));
    match name {
        "not" => want(1, 1).map(|()| Data::Bool(!truth(&args[0]))),
        "len" => want(1, 1).and_then(|()| length(&args[0])),
        "index" => want(1, usize::MAX)
            .and_then(|()| args[1..].iter().try_fold(args[0].clone(), |from, at| index(&from, at))),
        "slice" => want(1, 4).and_then(|()| slice(&args[0], &args[1..])),
        "print" => text(print::print(args)),
        "println" => text(print::println(args)),
        "printf" => match args.split_first() {
            Some((Data::String(format), rest)) => print::printf(format, rest).and_then(text),
            _ => Err("printf: the first argument is the format".to_owned()),
        },
        "html" => text(html(&print::print(args))),
        "js" => text(js(&print::print(args))),
        "urlquery" => text(super::super::net::query_escaped(&print::print(args))),
        "eq" => want(2, usize::MAX).and_then(|()| {
            let mut any = false;
            for other in &args[1..] {
                any |= equal(&args[0], other)?;
            }
            Ok(Data::Bool(any))
        }),
        "ne" => want(2, 2).and_then(|()| Ok(Data::Bool(!equal(&args[0], &args[1])?))),
        "lt" | "le" | "gt" | "ge" => want(2, 2).and_then(|()| {
            let order = order(&args[0], &args[1])?;
            Ok(Data::Bool(match name {
                "lt" => order == Ordering::Less,
                "le" => order != Ordering::Greater,
                "gt" => order == Ordering::Greater,
                _ => order != Ordering::Less,
            }))
        }),
        _ => Err(format!("{name} is not supported: the data of a template holds no functions")),
    }
}

fn length(value: &Data) -> Result<Data, String> {
    let length = match value {
        Data::String(s) => s.len(),
        Data::Bytes(b) => b.len(),
        Data::List(items) => items.len(),
        Data::Object(fields) => fields.len(),
        _ => return Err(format!("len of {}", print::plain(value))),
    };
    Ok(Data::Number(crate::number::Number::int(length)))
}

fn position(at: &Data, length: usize) -> Result<usize, String> {
    let Data::Number(n) = at else { return Err(format!("cannot index with {}", print::plain(at))) };
    let found = n.as_int().and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= length);
    found.ok_or_else(|| format!("index out of range: {n}"))
}

fn index(from: &Data, at: &Data) -> Result<Data, String> {
    let out_of_range = || format!("index out of range: {}", print::plain(at));
    let byte = |b: &u8| Data::Number(crate::number::Number::int(*b));
    match (from, at) {
        (Data::Object(fields), Data::String(name)) => {
            let found = fields.iter().find(|(field, _)| field == name);
            Ok(found.map_or(Data::Null, |(_, value)| value.clone()))
        }
        (Data::List(items), at) => items.get(position(at, items.len())?).cloned().ok_or_else(out_of_range),
        (Data::String(s), at) => s.as_bytes().get(position(at, s.len())?).map(byte).ok_or_else(out_of_range),
        (Data::Bytes(b), at) => b.get(position(at, b.len())?).map(byte).ok_or_else(out_of_range),
        (from, _) => Err(format!("cannot index {}", print::plain(from))),
    }
}

fn slice(from: &Data, bounds: &[Data]) -> Result<Data, String> {
    let length = match from {
        Data::String(s) => s.len(),
        Data::Bytes(b) => b.len(),
        Data::List(items) => items.len(),
        _ => return Err(format!("cannot slice {}", print::plain(from))),
    };
    let low = bounds.first().map_or(Ok(0), |at| position(at, length))?;
    let high = bounds.get(1).map_or(Ok(length), |at| position(at, length))?;
    if low > high {
        return Err(format!("invalid slice index: {low} > {high}"));
    }
    Ok(match from {
        Data::String(s) => Data::String(s.get(low..high).ok_or("slice cuts a character")?.to_owned()),
        Data::Bytes(b) => Data::Bytes(b[low..high].to_vec()),
        Data::List(items) => Data::List(items[low..high].to_vec()),
        other => other.clone(),
    })
}

fn equal(a: &Data, b: &Data) -> Result<bool, String> {
    match (a, b) {
        (Data::Number(x), Data::Number(y)) if x.is_int() == y.is_int() => Ok(x.compare(y) == Ordering::Equal),
        (Data::Null, _) | (_, Data::Null) => Ok(a == b),
        (Data::List(_) | Data::Object(_) | Data::Bytes(_), _) => Err("non-comparable type".to_owned()),
        _ if std::mem::discriminant(a) == std::mem::discriminant(b) && !matches!(a, Data::Number(_)) => {
            Ok(a == b)
        }
        _ => Err("incompatible types for comparison".to_owned()),
    }
}

fn order(a: &Data, b: &Data) -> Result<Ordering, String> {
    match (a, b) {
        (Data::Number(x), Data::Number(y)) if x.is_int() == y.is_int() => Ok(x.compare(y)),
        (Data::String(x), Data::String(y)) => Ok(x.cmp(y)),
        _ => Err("incompatible types for comparison".to_owned()),
    }
}

/// Escaped for HTML.
pub(super) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\0' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

/// Escaped for a JavaScript string.
pub(super) fn js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c if c < ' ' || c == '\u{2028}' || c == '\u{2029}' => {
                out.push_str(&format!("\\u{:04X}", u32::from(c)));
            }
            other => out.push(other),
        }
    }
    out
}
