//! Values of string, bytes and number literals.

use super::lexer::Quote;

/// The delimiter a literal (or its first piece) begins with.
pub(crate) fn quote_of(text: &str) -> Quote {
    let bytes = text.as_bytes();
    let hashes = bytes.iter().take_while(|b| **b == b'#').count();
    let byte = bytes.get(hashes).copied().unwrap_or(b'"');
    let multi = bytes.len() >= hashes + 3 && bytes[hashes + 1] == byte && bytes[hashes + 2] == byte;
    // `""` followed by nothing is the empty string, not the start of a multi-line one.
    let multi = multi && bytes.get(hashes + 3).is_some_and(|b| matches!(b, b'\n' | b'\r'));
    Quote { byte, multi, hashes }
}

/// Refuses what [`unquote`] would refuse, without making the value: most literals have no escape and need no decoding.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let plain = text.starts_with(['"', '\''])
        && !quote_of(text).multi
        && memchr::memchr(b'\\', text.as_bytes()).is_none();
    if plain { Ok(()) } else { unquote(text).map(drop) }
}

/// Decodes a whole string or bytes literal.
pub(crate) fn unquote(text: &str) -> Result<Vec<u8>, String> {
    let quote = quote_of(text);
    let body = text.get(quote.len()..text.len().saturating_sub(quote.len())).ok_or("unterminated literal")?;
    let mut pieces = decode(quote, &[body])?;
    Ok(pieces.pop().unwrap_or_default())
}

/// Decodes the pieces of an interpolated literal. `parts` are raw tokens: the first with its opening
/// delimiter and `\(`, the middle ones with `)` and `\(`, the last with `)` and the closing delimiter.
pub(crate) fn unquote_parts(parts: &[&str]) -> Result<Vec<Vec<u8>>, String> {
    let quote = quote_of(parts.first().copied().unwrap_or("\"\""));
    let last = parts.len().saturating_sub(1);
    let bodies: Vec<&str> = parts
        .iter()
        .enumerate()
        .map(|(i, part)| {
            let start = if i == 0 { quote.len() } else { 1 };
            let tail = if i == last { quote.len() } else { 2 + quote.hashes };
            part.get(start..part.len().saturating_sub(tail)).unwrap_or("")
        })
        .collect();
    decode(quote, &bodies)
}

fn decode(quote: Quote, bodies: &[&str]) -> Result<Vec<Vec<u8>>, String> {
    if !quote.multi {
        return bodies.iter().map(|body| unescape(quote, body)).collect();
    }
    let closing = bodies.last().copied().unwrap_or("");
    let indent = closing.rsplit('\n').next().unwrap_or("");
    if !indent.bytes().all(|b| b == b' ' || b == b'\t') {
        return Err("closing quote of a multi-line literal must be on a line of its own".to_owned());
    }
    let last = bodies.len() - 1;
    bodies
        .iter()
        .enumerate()
        .map(|(i, body)| {
            let mut body = (*body).to_owned();
            if i == last {
                body.truncate(body.len() - indent.len());
                // The line break before the closing quote is not part of the value.
                if body.ends_with('\n') {
                    body.pop();
                    if body.ends_with('\r') {
                        body.pop();
                    }
                } else {
                    return Err(
                        "closing quote of a multi-line literal must be on a line of its own".to_owned()
                    );
                }
                if i == 0 && body.is_empty() {
                    return Ok(Vec::new());
                }
            }
            let text = strip_indent(&body, indent, i == 0)?;
            unescape(quote, &text)
        })
        .collect()
}

/// Removes the closing line's indentation from every line that begins inside `body`.
fn strip_indent(body: &str, indent: &str, first: bool) -> Result<String, String> {
    let mut out = String::with_capacity(body.len());
    for (n, line) in body.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if n == 0 {
            if first {
                continue;
            }
            out.push_str(line);
            continue;
        }
        if !(first && n == 1) {
            out.push('\n');
        }
        if line.is_empty() {
            continue;
        }
        match line.strip_prefix(indent) {
            Some(rest) => out.push_str(rest),
            None => return Err("invalid whitespace: line is indented less than the closing quote".to_owned()),
        }
    }
    Ok(out)
}

fn unescape(quote: Quote, body: &str) -> Result<Vec<u8>, String> {
    if memchr::memchr(b'\\', body.as_bytes()).is_none() {
        return Ok(body.as_bytes().to_vec());
    }
    let marker = format!("\\{}", "#".repeat(quote.hashes));
    if !body.contains(&marker) {
        return Ok(body.as_bytes().to_vec());
    }
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    let mut high: Option<u32> = None;
    while let Some(at) = rest.find(&marker) {
        if at > 0 && high.is_some() {
            return Err("unmatched surrogate pair".to_owned());
        }
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + marker.len()..];
        let (used, item) = escape(quote, rest)?;
        rest = &rest[used..];
        push_escape(&mut out, &item, &mut high)?;
    }
    if high.is_some() {
        return Err("unmatched surrogate pair".to_owned());
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}

enum Escape {
    Nothing,
    Byte(u8),
    Char(u32),
}

fn push_escape(out: &mut Vec<u8>, item: &Escape, high: &mut Option<u32>) -> Result<(), String> {
    match *item {
        Escape::Nothing => {}
        Escape::Byte(b) => out.push(b),
        Escape::Char(code) => {
            let code = match (*high, code) {
                (Some(h), 0xdc00..=0xdfff) => {
                    *high = None;
                    0x10000 + ((h - 0xd800) << 10) + (code - 0xdc00)
                }
                (None, 0xd800..=0xdbff) => {
                    *high = Some(code);
                    return Ok(());
                }
                (Some(_), _) => return Err("unmatched surrogate pair".to_owned()),
                (None, _) => code,
            };
            let c = char::from_u32(code).ok_or("escape is not a Unicode code point")?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    Ok(())
}

/// Reads one escape after its marker; returns how many bytes it took.
fn escape(quote: Quote, rest: &str) -> Result<(usize, Escape), String> {
    let bytes = rest.as_bytes();
    let simple = |b: u8| Ok((1, Escape::Byte(b)));
    match bytes.first().copied() {
        Some(b'a') => simple(7),
        Some(b'b') => simple(8),
        Some(b'f') => simple(12),
        Some(b'n') => simple(b'\n'),
        Some(b'r') => simple(b'\r'),
        Some(b't') => simple(b'\t'),
        Some(b'v') => simple(11),
        Some(b'/') => simple(b'/'),
        Some(b'\\') => simple(b'\\'),
        Some(b'"') if quote.byte == b'"' => simple(b'"'),
        Some(b'\'') if quote.byte == b'\'' => simple(b'\''),
        Some(b'\n') if quote.multi => Ok((1, Escape::Nothing)),
        Some(b'u') => code_point(rest, 4),
        Some(b'U') => code_point(rest, 8),
        Some(b'x') if quote.byte == b'\'' => {
            let digits = rest.get(1..3).ok_or("invalid escape")?;
            let value = u8::from_str_radix(digits, 16).map_err(|_| "invalid hexadecimal escape")?;
            Ok((3, Escape::Byte(value)))
        }
        Some(b'0'..=b'7') if quote.byte == b'\'' => {
            let digits = rest.get(0..3).ok_or("invalid escape")?;
            let value = u8::from_str_radix(digits, 8).map_err(|_| "invalid octal escape")?;
            Ok((3, Escape::Byte(value)))
        }
        _ => Err("unknown escape sequence".to_owned()),
    }
}

fn code_point(rest: &str, digits: usize) -> Result<(usize, Escape), String> {
    let text = rest.get(1..=digits).ok_or("invalid Unicode escape")?;
    let code = u32::from_str_radix(text, 16).map_err(|_| "invalid Unicode escape")?;
    Ok((digits + 1, Escape::Char(code)))
}

/// Quotes text as a CUE string literal.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\u{b}' => out.push_str("\\v"),
            c if c.is_control() || c == '\u{feff}' => out.push_str(&unicode_escape(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn unicode_escape(c: char) -> String {
    let code = u32::from(c);
    if code > 0xffff { format!("\\U{code:08x}") } else { format!("\\u{code:04x}") }
}

/// Quotes bytes as a CUE bytes literal.
pub(crate) fn quote_bytes(bytes: &[u8]) -> String {
    let mut out = String::from("'");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' => out.push_str("\\'"),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if c.is_control() => out.push_str(&unicode_escape(c)),
                c => out.push(c),
            }
        }
        for b in chunk.invalid() {
            out.push_str(&format!("\\x{b:02x}"));
        }
    }
    out.push('\'');
    out
}

/// Whether `text` can stand as a field label without quotes.
pub(crate) fn is_plain_label(text: &str) -> bool {
    let mut chars = text.chars();
    match chars.next() {
        Some(c) if c.is_alphabetic() || c == '$' => {}
        _ => return false,
    }
    chars.all(|c| c.is_alphanumeric() || c == '_' || c == '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_every_literal_form() {
        let cases: [(&str, &[u8]); 9] = [
            (r#""a\nb""#, b"a\nb"),
            (r##"#"a\nb\#n"#"##, b"a\\nb\n"),
            (r"'\x41\101'", b"AA"),
            ("\"\"\"\n\ta\n\t  b\n\t\"\"\"", b"a\n  b"),
            ("\"\"\"\n\t\"\"\"", b""),
            ("\"\"\"\n\ta\\\n\tb\n\t\"\"\"", b"ab"),
            (r#""\ud83d\ude00""#, "😀".as_bytes()),
            (r#""""#, b""),
            (r#""\/""#, b"/"),
        ];
        for (text, want) in cases {
            assert_eq!(unquote(text).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn refuses_bad_escapes() {
        for text in [r#""\x41""#, r#""\q""#, r#""\ud83d""#, "\"\"\"\n\ta\n\t\tb\n\t\t\"\"\""] {
            assert!(unquote(text).is_err(), "{text}");
        }
    }
}
