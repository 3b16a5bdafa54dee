//! YAML text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::Data;
use crate::limits;
use crate::number::Number;

/// Most nodes aliases may expand to.
const MAX_NODES: usize = 1_000_000;

/// Parses all documents of a YAML stream.
///
/// # Errors
/// What is wrong, with line and column.
pub(crate) fn parse(text: &str) -> Result<Vec<Data>, String> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|e| e.to_string())?;
        builder.event(&event)?;
    }
    if builder.documents.is_empty() {
        builder.documents.push(Data::Null);
    }
    Ok(builder.documents)
}

enum Open {
    List(Vec<Data>, usize),
    Map(Vec<(String, Data)>, Option<String>, usize),
}

#[derive(Default)]
struct Builder {
    stack: Vec<Open>,
    anchors: std::collections::HashMap<usize, (Data, usize)>,
    documents: Vec<Data>,
    nodes: usize,
}

impl Builder {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        if self.stack.len() > limits::VALUE_DEPTH as usize {
            return Err("nested too deep".to_owned());
        }
        match event {
            Event::DocumentStart(_) => self.anchors.clear(),
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_deref();
                let data = scalar(text, *style, tag)?;
                self.add(data, *anchor, 1)?;
            }
            Event::SequenceStart(anchor, _) => self.stack.push(Open::List(Vec::new(), *anchor)),
            Event::MappingStart(anchor, _) => self.stack.push(Open::Map(Vec::new(), None, *anchor)),
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(Open::List(items, anchor)) => self.close(Data::List(items), anchor)?,
                Some(Open::Map(fields, _, anchor)) => self.close(Data::Object(merge(fields)), anchor)?,
                None => {}
            },
            Event::Alias(id) => {
                let (data, size) = self.anchors.get(id).cloned().ok_or("unknown alias")?;
                self.add(data, 0, size)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, data: Data, anchor: usize) -> Result<(), String> {
        self.add(data, anchor, 1)
    }

    fn add(&mut self, data: Data, anchor: usize, size: usize) -> Result<(), String> {
        self.nodes += size;
        if self.nodes > MAX_NODES {
            return Err("document expands to too many nodes".to_owned());
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (data.clone(), count(&data)));
        }
        match self.stack.last_mut() {
            None => self.documents.push(data),
            Some(Open::List(items, _)) => items.push(data),
            Some(Open::Map(fields, key, _)) => match key.take() {
                Some(name) => fields.push((name, data)),
                None => *key = Some(key_text(&data)?),
            },
        }
        Ok(())
    }
}

fn count(data: &Data) -> usize {
    match data {
        Data::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Data::Object(fields) => 1 + fields.iter().map(|(_, d)| count(d)).sum::<usize>(),
        _ => 1,
    }
}

fn key_text(data: &Data) -> Result<String, String> {
    match data {
        Data::String(s) => Ok(s.clone()),
        Data::Number(n) => Ok(n.to_string()),
        Data::Bool(b) => Ok(b.to_string()),
        Data::Null => Ok("null".to_owned()),
        _ => Err("map keys must be scalars".to_owned()),
    }
}

/// Applies `<<` keys.
fn merge(fields: Vec<(String, Data)>) -> Vec<(String, Data)> {
    if !fields.iter().any(|(k, _)| k == "<<") {
        return fields;
    }
    let mut out: Vec<(String, Data)> = Vec::new();
    let mut merged: Vec<(String, Data)> = Vec::new();
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("<<", Data::Object(more)) => merged.extend(more),
            ("<<", Data::List(items)) => {
                for item in items {
                    if let Data::Object(more) = item {
                        merged.extend(more);
                    }
                }
            }
            (_, value) => out.push((name, value)),
        }
    }
    for (name, value) in merged {
        if !out.iter().any(|(k, _)| *k == name) {
            out.push((name, value));
        }
    }
    out
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Data, String> {
    match tag.map(|t| t.suffix.as_str()) {
        Some("str") => return Ok(Data::String(text.to_owned())),
        Some("binary") => {
            let clean: String = text.split_whitespace().collect();
            return STANDARD.decode(clean).map(Data::Bytes).map_err(|e| e.to_string());
        }
        _ => {}
    }
    if style != ScalarStyle::Plain {
        return Ok(Data::String(text.to_owned()));
    }
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" => Data::Bool(true),
        "false" | "False" | "FALSE" => Data::Bool(false),
        _ => number(text).map_or_else(|| Data::String(text.to_owned()), Data::Number),
    })
}

fn number(text: &str) -> Option<Number> {
    let (negative, body) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let n = match body.get(..2) {
        Some("0x" | "0o" | "0b") => Number::parse(body)?,
        _ if !body.is_empty() && body.bytes().all(|b| b.is_ascii_digit()) => Number::Int(body.parse().ok()?),
        _ if body.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && body.contains(|c: char| c.is_ascii_digit())
            && body.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b)) =>
        {
            Number::parse_decimal(body)?
        }
        _ => return None,
    };
    Some(if negative { n.neg() } else { n })
}

/// Writes one YAML document.
pub(crate) fn write(data: &Data) -> String {
    let mut out = String::new();
    put(&mut out, data, 0, false);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

fn pad(out: &mut String, level: usize) {
    for _ in 0..level {
        out.push_str("  ");
    }
}

/// Writes a value after `key:` or `-` (`inline`), or at the start of a document.
fn put(out: &mut String, data: &Data, level: usize, inline: bool) {
    match data {
        Data::List(items) if !items.is_empty() => {
            for (i, item) in items.iter().enumerate() {
                if i > 0 || !inline {
                    pad(out, level);
                }
                out.push_str("- ");
                put(out, item, level + 1, true);
            }
        }
        Data::Object(fields) if !fields.is_empty() => {
            for (i, (name, value)) in fields.iter().enumerate() {
                if i > 0 || !inline {
                    pad(out, level);
                }
                out.push_str(&text(name, level));
                out.push(':');
                match value {
                    Data::Object(f) if !f.is_empty() => {
                        out.push('\n');
                        put(out, value, level + 1, false);
                    }
                    Data::List(l) if !l.is_empty() => {
                        out.push('\n');
                        put(out, value, level + 1, false);
                    }
                    _ => {
                        out.push(' ');
                        put(out, value, level + 1, true);
                    }
                }
            }
        }
        Data::List(_) => out.push_str("[]\n"),
        Data::Object(_) => out.push_str("{}\n"),
        Data::Null => out.push_str("null\n"),
        Data::Bool(b) => out.push_str(if *b { "true\n" } else { "false\n" }),
        Data::Number(n) => {
            out.push_str(&n.to_string());
            out.push('\n');
        }
        Data::String(s) => {
            out.push_str(&text(s, level));
            out.push('\n');
        }
        Data::Bytes(b) => {
            out.push_str("!!binary ");
            out.push_str(&STANDARD.encode(b));
            out.push('\n');
        }
    }
}

/// A string as YAML: plain, a literal block, or quoted.
fn text(s: &str, level: usize) -> String {
    let printable = s.chars().all(|c| !c.is_control() || c == '\n');
    if s.contains('\n') && printable && !s.starts_with([' ', '\n']) && level > 0 {
        let chomp = match (s.ends_with('\n'), s.ends_with("\n\n")) {
            (_, true) => "+",
            (true, _) => "",
            _ => "-",
        };
        let mut out = format!("|{chomp}\n");
        for line in s.strip_suffix('\n').unwrap_or(s).split('\n') {
            if !line.is_empty() {
                pad(&mut out, level);
            }
            out.push_str(line);
            out.push('\n');
        }
        out.pop();
        return out;
    }
    if is_plain(s) { s.to_owned() } else { super::json::write(&Data::String(s.to_owned()), None) }
}

fn is_plain(s: &str) -> bool {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~", ""];
    let lower = s.to_lowercase();
    let first = s.chars().next().unwrap_or(' ');
    !words.contains(&lower.as_str())
        && number(s).is_none()
        && !matches!(lower.as_str(), ".nan" | ".inf" | "-.inf" | "+.inf")
        && !s.chars().any(char::is_control)
        && !"-?:,[]{}#&*!|>'\"%@` =<".contains(first)
        && !s.starts_with("---")
        && !s.ends_with([' ', ':'])
        && !s.contains(": ")
        && !s.contains(" #")
        && !looks_like_date(s)
}

fn looks_like_date(s: &str) -> bool {
    let b = s.as_bytes();
    b.len() >= 8 && b[..4].iter().all(u8::is_ascii_digit) && b[4] == b'-'
        || s.contains(':') && s.bytes().all(|b| b.is_ascii_digit() || b == b':')
}
