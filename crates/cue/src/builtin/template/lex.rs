//! The words of an action.

use crate::data::Data;
use crate::syntax::literal;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Dot,
    /// `.name` with a space before it.
    Field(String),
    /// `.name` right behind something.
    Chained(String),
    Variable(String),
    Ident(String),
    Number(String),
    Literal(Data),
    Pipe,
    Declare,
    Assign,
    Comma,
    Open,
    Close,
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dot => f.write_str("\".\""),
            Self::Field(name) | Self::Chained(name) => write!(f, "\".{name}\""),
            Self::Variable(name) => write!(f, "\"${name}\""),
            Self::Ident(text) | Self::Number(text) => write!(f, "{text:?}"),
            Self::Literal(_) => f.write_str("a literal"),
            Self::Pipe => f.write_str("\"|\""),
            Self::Declare => f.write_str("\":=\""),
            Self::Assign => f.write_str("\"=\""),
            Self::Comma => f.write_str("\",\""),
            Self::Open => f.write_str("\"(\""),
            Self::Close => f.write_str("\")\""),
        }
    }
}

pub(super) fn tokens(body: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = body;
    let mut spaced = true;
    while let Some(c) = rest.chars().next() {
        let (token, length) = match c {
            ' ' | '\t' | '\r' | '\n' => {
                spaced = true;
                rest = &rest[1..];
                continue;
            }
            '|' => (Token::Pipe, 1),
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            ',' => (Token::Comma, 1),
            '=' => (Token::Assign, 1),
            ':' if rest.starts_with(":=") => (Token::Declare, 2),
            '"' | '`' | '\'' => quoted(rest, c)?,
            '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let name = word(&rest[1..]);
                let token = match (name, spaced) {
                    ("", _) => Token::Dot,
                    (name, true) => Token::Field(name.to_owned()),
                    (name, false) => Token::Chained(name.to_owned()),
                };
                (token, 1 + name.len())
            }
            '$' => {
                let name = word(&rest[1..]);
                (Token::Variable(name.to_owned()), 1 + name.len())
            }
            '.' | '+' | '-' | '0'..='9' => {
                let end = rest[1..].find(|c: char| !(c.is_ascii_alphanumeric() || "._+-".contains(c)));
                let text = &rest[..end.map_or(rest.len(), |end| end + 1)];
                (Token::Number(text.trim_start_matches('+').to_owned()), text.len())
            }
            c if c.is_alphabetic() || c == '_' => {
                let name = word(rest);
                (Token::Ident(name.to_owned()), name.len())
            }
            other => return Err(format!("unexpected {other:?} in an action")),
        };
        // what a field is chained to must stand right before it
        spaced = matches!(token, Token::Pipe | Token::Open | Token::Comma | Token::Assign | Token::Declare);
        out.push(token);
        rest = &rest[length..];
    }
    if out.is_empty() { Err("missing value for command".to_owned()) } else { Ok(out) }
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    &text[..end.unwrap_or(text.len())]
}

/// A quoted string or character.
fn quoted(text: &str, quote: char) -> Result<(Token, usize), String> {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            c if c == quote => {
                let inner = &text[1..i];
                let data = match quote {
                    '`' => Data::String(inner.to_owned()),
                    '"' => Data::String(unquote(inner)?),
                    _ => {
                        let text = unquote(&inner.replace("\\'", "'").replace('"', "\\\""))?;
                        let mut chars = text.chars();
                        match (chars.next(), chars.next()) {
                            (Some(c), None) => Data::Number(crate::number::Number::int(u32::from(c))),
                            _ => return Err(format!("malformed character constant: '{inner}'")),
                        }
                    }
                };
                return Ok((Token::Literal(data), i + 1));
            }
            _ => {}
        }
    }
    Err("unterminated quoted string".to_owned())
}

/// CUE's escapes are those of a template, but for interpolation.
fn unquote(inner: &str) -> Result<String, String> {
    if inner.contains("\\(") {
        return Err("invalid escape \\(".to_owned());
    }
    let bytes = literal::unquote(&format!("\"{inner}\""))?;
    String::from_utf8(bytes).map_err(|e| e.to_string())
}
