//! JSON text, with numbers of any precision.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Data;
use crate::limits;
use crate::number::Number;

/// Parses one JSON value.
///
/// # Errors
/// What is wrong, with line and column.
pub(crate) fn parse(text: &str) -> Result<Data, String> {
    let mut p = Parser { text, pos: 0 };
    let value = p.value(0)?;
    p.space();
    if p.pos < text.len() {
        return p.fail("unexpected text after the value");
    }
    Ok(value)
}

/// Parses JSON values that follow each other, with or without space between.
///
/// # Errors
/// What is wrong, with line and column.
pub(crate) fn parse_stream(text: &str) -> Result<Vec<Data>, String> {
    let mut p = Parser { text, pos: 0 };
    let mut values = Vec::new();
    p.space();
    while p.pos < text.len() {
        values.push(p.value(0)?);
        p.space();
    }
    Ok(values)
}

struct Parser<'a> {
    text: &'a str,
    pos: usize,
}

impl Parser<'_> {
    fn fail<T>(&self, message: &str) -> Result<T, String> {
        let before = &self.text.as_bytes()[..self.pos.min(self.text.len())];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|b| **b != b'\n').count() + 1;
        Err(format!("{line}:{column}: {message}"))
    }

    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.pos).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.pos += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Data, String> {
        if depth > limits::VALUE_DEPTH as usize {
            return self.fail("nested too deep");
        }
        self.space();
        match self.peek() {
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' => self.string().map(Data::String),
            b'-' | b'0'..=b'9' => self.number(),
            _ => {
                for (word, value) in
                    [("true", Data::Bool(true)), ("false", Data::Bool(false)), ("null", Data::Null)]
                {
                    if self.text[self.pos..].starts_with(word) {
                        self.pos += word.len();
                        return Ok(value);
                    }
                }
                self.fail("expected a value")
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Data, String> {
        self.pos += 1;
        let mut fields: Vec<(String, Data)> = Vec::new();
        self.space();
        if self.peek() == b'}' {
            self.pos += 1;
            return Ok(Data::Object(fields));
        }
        loop {
            self.space();
            if self.peek() != b'"' {
                return self.fail("expected a field name");
            }
            let name = self.string()?;
            self.space();
            if self.peek() != b':' {
                return self.fail("expected ':'");
            }
            self.pos += 1;
            let value = self.value(depth + 1)?;
            fields.push((name, value));
            self.space();
            match self.peek() {
                b',' => self.pos += 1,
                b'}' => {
                    self.pos += 1;
                    return Ok(Data::Object(fields));
                }
                _ => return self.fail("expected ',' or '}'"),
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Data, String> {
        self.pos += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == b']' {
            self.pos += 1;
            return Ok(Data::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                b',' => self.pos += 1,
                b']' => {
                    self.pos += 1;
                    return Ok(Data::List(items));
                }
                _ => return self.fail("expected ',' or ']'"),
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let start = self.pos;
        self.pos += 1;
        loop {
            match self.peek() {
                0 if self.pos >= self.text.len() => return self.fail("string is not terminated"),
                b'"' => {
                    self.pos += 1;
                    break;
                }
                b'\\' => self.pos += 2,
                0..=31 => return self.fail("control character in string"),
                _ => self.pos += 1,
            }
        }
        let raw = self.text.get(start..self.pos).unwrap_or("");
        serde_json::from_str(raw).or_else(|_| self.fail("invalid string"))
    }

    fn number(&mut self) -> Result<Data, String> {
        let start = self.pos;
        let digits = |p: &mut Self| {
            let from = p.pos;
            while p.peek().is_ascii_digit() {
                p.pos += 1;
            }
            p.pos > from
        };
        if self.peek() == b'-' {
            self.pos += 1;
        }
        let zero = self.peek() == b'0';
        let first = self.pos;
        if !digits(self) || (zero && self.pos > first + 1) {
            return self.fail("invalid number");
        }
        let mut whole = true;
        if self.peek() == b'.' {
            whole = false;
            self.pos += 1;
            if !digits(self) {
                return self.fail("invalid number");
            }
        }
        if matches!(self.peek(), b'e' | b'E') {
            whole = false;
            self.pos += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.pos += 1;
            }
            if !digits(self) {
                return self.fail("invalid number");
            }
        }
        let text = &self.text[start..self.pos];
        let n = if whole { text.parse().ok().map(Number::Int) } else { Number::parse_decimal(text) };
        n.map(Data::Number).map_or_else(|| self.fail("number is out of range"), Ok)
    }
}

/// Writes JSON; with `indent`, over several lines.
pub(crate) fn write(data: &Data, indent: Option<&str>) -> String {
    let mut out = String::new();
    put(&mut out, data, indent, 0);
    out
}

fn newline(out: &mut String, indent: Option<&str>, level: usize) {
    if let Some(unit) = indent {
        out.push('\n');
        for _ in 0..level {
            out.push_str(unit);
        }
    }
}

fn put(out: &mut String, data: &Data, indent: Option<&str>, level: usize) {
    match data {
        Data::Null => out.push_str("null"),
        Data::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Data::Number(n) => out.push_str(&n.to_string()),
        Data::String(s) => put_string(out, s),
        Data::Bytes(b) => put_string(out, &STANDARD.encode(b)),
        Data::List(items) if items.is_empty() => out.push_str("[]"),
        Data::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                newline(out, indent, level + 1);
                put(out, item, indent, level + 1);
            }
            newline(out, indent, level);
            out.push(']');
        }
        Data::Object(fields) if fields.is_empty() => out.push_str("{}"),
        Data::Object(fields) => {
            out.push('{');
            for (i, (name, value)) in fields.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                newline(out, indent, level + 1);
                put_string(out, name);
                out.push(':');
                if indent.is_some() {
                    out.push(' ');
                }
                put(out, value, indent, level + 1);
            }
            newline(out, indent, level);
            out.push('}');
        }
    }
}

fn put_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 || matches!(c, '\u{2028}' | '\u{2029}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
