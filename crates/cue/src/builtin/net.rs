//! Packages `net`, `net/url` and `html`: the checks and conversions of text.

use super::{Call, Fail, Outcome};
use crate::value::Value;

pub(super) fn fqdn(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let name = text.strip_suffix('.').unwrap_or(&text);
    let ok = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    Ok(Value::Bool(name.len() <= 253 && name.split('.').all(ok)))
}

pub(super) fn split_host_port(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let (host, port) = text
        .rsplit_once(':')
        .ok_or_else(|| Fail::Eval(format!("address {text}: missing port in address")))?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner
            .strip_suffix(']')
            .ok_or_else(|| Fail::Eval(format!("address {text}: missing ']' in address")))?,
        None if host.contains(':') => {
            return Err(Fail::Eval(format!("address {text}: too many colons in address")));
        }
        None => host,
    };
    let pair = [host.to_owned(), port.to_owned()];
    Ok(c.text_list(pair))
}

pub(super) fn join_host_port(c: &mut Call<'_>) -> Outcome {
    let host = c.text(0)?;
    let port = match &c.args[1] {
        Value::Number(n) => n.to_string(),
        _ => c.text(1)?,
    };
    Ok(Value::string(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }))
}

fn escape(text: &str, plain: impl Fn(u8) -> bool, space_plus: bool) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        if b == b' ' && space_plus {
            out.push('+');
        } else if b.is_ascii_alphanumeric() || plain(b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

fn unescape(text: &str, plus_space: bool) -> Result<String, Fail> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'%' => {
                let hex = text.get(i + 1..i + 3).and_then(|h| u8::from_str_radix(h, 16).ok());
                out.push(hex.ok_or_else(|| Fail::Eval(format!("invalid URL escape in {text:?}")))?);
                i += 2;
            }
            b'+' if plus_space => out.push(b' '),
            b => out.push(b),
        }
        i += 1;
    }
    String::from_utf8(out).map_err(|_| "not valid UTF-8".into())
}

pub(super) fn query_escape(c: &mut Call<'_>) -> Outcome {
    Ok(Value::string(query_escaped(&c.text(0)?)))
}

pub(super) fn query_escaped(text: &str) -> String {
    escape(text, |b| b"-_.~".contains(&b), true)
}

pub(super) fn path_escape(c: &mut Call<'_>) -> Outcome {
    Ok(Value::string(escape(&c.text(0)?, |b| b"-_.~$&+:=@".contains(&b), false)))
}

pub(super) fn query_unescape(c: &mut Call<'_>) -> Outcome {
    unescape(&c.text(0)?, true).map(Value::string)
}

pub(super) fn path_unescape(c: &mut Call<'_>) -> Outcome {
    unescape(&c.text(0)?, false).map(Value::string)
}

pub(super) fn url(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let ok = !text.contains(|ch: char| ch.is_control() || ch == ' ')
        && !text.starts_with(':')
        && unescape(&text, false).is_ok();
    Ok(Value::Bool(ok))
}

pub(super) fn abs_url(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let scheme = text.split(':').next().unwrap_or("");
    let ok = text.contains(':')
        && scheme.starts_with(|ch: char| ch.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        && !text.contains(|ch: char| ch.is_control() || ch == ' ');
    Ok(Value::Bool(ok))
}

pub(super) fn html_escape(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let text = text.replace('&', "&amp;").replace('\'', "&#39;").replace('<', "&lt;");
    Ok(Value::string(text.replace('>', "&gt;").replace('"', "&#34;")))
}

/// The character that `name` of `&name;` stands for: a number, or one of the names that escaping needs.
fn entity(name: &str) -> Option<char> {
    let Some(number) = name.strip_prefix('#') else {
        return Some(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            "nbsp" => '\u{a0}',
            _ => return None,
        });
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    let plain = !number.contains('+');
    code.ok().filter(|_| plain).and_then(char::from_u32).filter(|ch| *ch != '\0')
}

pub(super) fn html_unescape(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(';').unwrap_or(0);
        match rest.get(1..end).and_then(entity) {
            Some(ch) => {
                out.push(ch);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    Ok(Value::string(out))
}
