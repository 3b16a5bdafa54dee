//! The JSON an HTTP request needs: read one object, take its values over as they are, write strings.
//!
//! A general JSON library would be four times the size of the rest of this action, mostly for numbers, which are only
//! passed through here. Nothing here can panic, which keeps the machinery that formats panics out of the component. The
//! grammar is RFC 8259; what is accepted is therefore also valid when it is handed on.

/// Deepest nesting of a value that is passed through.
const MAX_DEPTH: usize = 64;

/// The members of a JSON object in order: names decoded, values as their JSON text.
pub fn members(text: &str) -> Option<Vec<(String, &str)>> {
    let mut reader = Reader { text, at: 0 };
    let mut members = Vec::new();
    reader.expect(b'{')?;
    if !reader.eat(b'}') {
        loop {
            reader.space();
            let name = string(reader.value(0).filter(|raw| raw.starts_with('"'))?)?;
            reader.expect(b':')?;
            reader.space();
            members.push((name, reader.value(0)?));
            if !reader.eat(b',') {
                break reader.expect(b'}')?;
            }
        }
    }
    reader.space();
    (reader.at == text.len()).then_some(members)
}

/// Whether `text` is one JSON value.
pub fn is_json(text: &str) -> bool {
    let mut reader = Reader { text, at: 0 };
    reader.space();
    let valid = reader.value(0).is_some();
    reader.space();
    valid && reader.at == text.len()
}

/// The text of a JSON string; `None` if `raw` is another kind of value.
pub fn string(raw: &str) -> Option<String> {
    let raw = raw.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = String::new();
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let high = hex4(&mut chars)?;
                match high {
                    0xd800..0xdc00 => {
                        if (chars.next()?, chars.next()?) != ('\\', 'u') {
                            return None;
                        }
                        let low = hex4(&mut chars)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                        char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low)?
                    }
                    _ => char::from_u32(high)?,
                }
            }
            same => same,
        });
    }
    Some(out)
}

fn hex4(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |value, _| Some(value << 4 | chars.next()?.to_digit(16)?))
}

/// Appends `text` as a JSON string.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\0'..='\u{1f}' => {
                let digit = |n: u32| char::from_digit(n, 16).unwrap_or('0');
                out.extend(['\\', 'u', '0', '0', digit(u32::from(c) >> 4), digit(u32::from(c) & 15)]);
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Skips space and then `byte`, if it is next.
    fn eat(&mut self, byte: u8) -> bool {
        self.space();
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    /// The text of the value that begins here.
    fn value(&mut self, depth: usize) -> Option<&'a str> {
        let start = self.at;
        match self.peek()? {
            b'"' => self.skip_string()?,
            b'{' | b'[' if depth < MAX_DEPTH => self.skip_nested(depth)?,
            b'-' | b'0'..=b'9' => self.skip_number()?,
            _ => {
                let rest = self.text.as_bytes().get(start..)?;
                let word = ["true", "false", "null"].into_iter().find(|w| rest.starts_with(w.as_bytes()))?;
                self.at += word.len();
            }
        }
        self.text.get(start..self.at)
    }

    fn skip_nested(&mut self, depth: usize) -> Option<()> {
        let object = self.peek()? == b'{';
        let close = if object { b'}' } else { b']' };
        self.at += 1;
        if self.eat(close) {
            return Some(());
        }
        loop {
            self.space();
            if object {
                self.skip_string()?;
                self.expect(b':')?;
                self.space();
            }
            self.value(depth + 1)?;
            if !self.eat(b',') {
                return self.expect(close);
            }
        }
    }

    fn skip_string(&mut self) -> Option<()> {
        if self.peek()? != b'"' {
            return None;
        }
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => {
                    self.at += 1;
                    match self.peek()? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
                        b'u' => {
                            let hex = self.text.as_bytes().get(self.at + 1..self.at + 5)?;
                            if !hex.iter().all(u8::is_ascii_hexdigit) {
                                return None;
                            }
                            self.at += 5;
                        }
                        _ => return None,
                    }
                }
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn skip_number(&mut self) -> Option<()> {
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') { self.at += 1 } else { self.digits()? }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_taken_apart() {
        let text = r#" {"a":1.5e3,"b\u00e9":"x\n\ud83d\ude00","c":{"d":[true,null,-0]},"e":[]} "#;
        let members = members(text).unwrap();
        let names: Vec<_> = members.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "bé", "c", "e"]);
        assert_eq!(members[0].1, "1.5e3");
        assert_eq!(string(members[1].1).unwrap(), "x\n😀");
        assert_eq!(members[2].1, r#"{"d":[true,null,-0]}"#);
        assert_eq!(string(members[3].1), None);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        let bad = [
            "", "{", "}", "{}x", "{a:1}", r#"{"a":}"#, r#"{"a":1,}"#, r#"{"a":01}"#, r#"{"a":1.}"#, r#"{"a":+1}"#,
            r#"{"a":"\x"}"#, "{\"a\":\"\n\"}", r#"{"a":"\u12"}"#, r#"{"a":tru}"#, r#"{"a":[1 2]}"#, r#"{"a":"}"#,
            r#"{1:2}"#, "[]", "\"a\"",
        ];
        for text in bad {
            assert!(members(text).is_none(), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(!is_json(&deep));
        assert!(is_json(" [1,{\"a\":[]}] ") && !is_json("1 2"));
    }

    #[test]
    fn strings_are_written_so_that_they_read_back() {
        let text = "q\" b\\ n\n \u{1} é 😀";
        let mut out = String::new();
        write_string(&mut out, text);
        assert!(is_json(&out));
        assert_eq!(string(&out).unwrap(), text);
    }
}
