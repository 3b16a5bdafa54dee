//! Splits source text into tokens, inserting commas at line ends where the grammar wants them.

use super::token::{Kind, RawComment, Span, Token};

/// A lexical error: what, and where.
#[derive(Clone, Debug)]
pub(crate) struct LexError {
    pub(crate) message: String,
    pub(crate) span: Span,
}

/// The tokens and comments of one file.
pub(crate) struct Lexed {
    pub(crate) tokens: Vec<Token>,
    pub(crate) comments: Vec<RawComment>,
}

/// A string literal that is open while an interpolated expression is read.
struct Open {
    quote: Quote,
    parens: u32,
}

/// How a string literal is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quote {
    /// `"` or `'`.
    pub(crate) byte: u8,
    /// Three quotes: the literal spans lines.
    pub(crate) multi: bool,
    /// Number of `#` around it.
    pub(crate) hashes: usize,
}

impl Quote {
    /// Bytes of the opening (and closing) delimiter.
    pub(crate) fn len(self) -> usize {
        self.hashes + if self.multi { 3 } else { 1 }
    }
}

/// The ASCII bytes a name goes on with.
const IN_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0_u8;
    while b < 0x80 {
        table[b as usize] = b.is_ascii_alphanumeric() || b == b'_' || b == b'$';
        b += 1;
    }
    table
};

struct Lexer<'a> {
    src: &'a [u8],
    text: &'a str,
    pos: usize,
    /// Line ends since the last token or comment, as [`Token::lines`] counts them.
    lines: u8,
    tokens: Vec<Token>,
    comments: Vec<RawComment>,
    open: Vec<Open>,
}

/// Splits `text` into tokens.
pub(crate) fn lex(text: &str) -> Result<Lexed, LexError> {
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut lexer = Lexer {
        src: text.as_bytes(),
        text,
        pos: start,
        lines: 0,
        tokens: Vec::with_capacity(text.len() / 4 + 2),
        comments: Vec::new(),
        open: Vec::new(),
    };
    lexer.run()?;
    Ok(Lexed { tokens: lexer.tokens, comments: lexer.comments })
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.src.get(self.pos + ahead).copied().unwrap_or(0)
    }

    fn span(&self, start: usize) -> Span {
        Span { start: offset(start), end: offset(self.pos) }
    }

    fn error<T>(&self, start: usize, message: impl Into<String>) -> Result<T, LexError> {
        let end = self.pos.max(start + 1).min(self.src.len().max(start));
        Err(LexError { message: message.into(), span: Span { start: offset(start), end: offset(end) } })
    }

    fn push(&mut self, kind: Kind, start: usize) {
        let (span, lines) = (self.span(start), std::mem::take(&mut self.lines));
        self.tokens.push(Token { kind, lines, span });
    }

    fn auto_comma(&mut self) {
        if let Some(last) = self.tokens.last()
            && last.kind.ends_line()
        {
            // it stands where the token before it ends, so the line ends that follow are those of the next token
            let span = Span { start: last.span.end, end: last.span.end };
            self.tokens.push(Token { kind: Kind::AutoComma, lines: 0, span });
        }
    }

    fn run(&mut self) -> Result<(), LexError> {
        while self.pos < self.src.len() {
            let start = self.pos;
            match self.src[self.pos] {
                b' ' | b'\t' | b'\r' => self.pos += 1,
                b'\n' => {
                    self.auto_comma();
                    self.lines = (self.lines + 1).min(2);
                    self.pos += 1;
                }
                b'/' if self.peek(1) == b'/' => self.comment(),
                b'0'..=b'9' => self.number()?,
                b'.' if self.peek(1).is_ascii_digit() => self.number()?,
                b'"' | b'\'' => self.string_start()?,
                b'#' if self.raw_string_ahead() => self.string_start()?,
                b'@' => self.attribute()?,
                b'_' if self.text[self.pos..].starts_with("_|_") => {
                    self.pos += 3;
                    self.push(Kind::Bottom, start);
                }
                b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | b'#' | 0x80.. => self.ident()?,
                _ => self.operator()?,
            }
        }
        if let Some(open) = self.open.last() {
            let _ = open.quote;
            return self.error(self.src.len(), "string interpolation not terminated");
        }
        self.auto_comma();
        self.push(Kind::Eof, self.pos);
        Ok(())
    }

    fn comment(&mut self) {
        let start = self.pos;
        self.pos = memchr::memchr(b'\n', &self.src[start..]).map_or(self.src.len(), |at| start + at);
        let mut end = self.pos;
        if end > start && self.src[end - 1] == b'\r' {
            end -= 1;
        }
        let before = offset(self.tokens.len());
        self.lines = 0;
        self.comments.push(RawComment { span: Span { start: offset(start), end: offset(end) }, before });
    }

    fn raw_string_ahead(&self) -> bool {
        let hashes = self.src[self.pos..].iter().take_while(|b| **b == b'#').count();
        matches!(self.peek(hashes), b'"' | b'\'')
    }

    fn ident(&mut self) -> Result<(), LexError> {
        let start = self.pos;
        if self.peek(0) == b'_' {
            self.pos += 1;
            while self.peek(0) == b'_' {
                self.pos += 1;
            }
            if self.peek(0) == b'#' {
                self.pos += 1;
            }
        } else if self.peek(0) == b'#' {
            self.pos += 1;
        }
        loop {
            self.pos += self.src[self.pos..].iter().take_while(|b| IN_NAME[usize::from(**b)]).count();
            if self.peek(0) < 0x80 {
                break;
            }
            let c = self.text[self.pos..].chars().next().unwrap_or(' ');
            if !c.is_alphanumeric() {
                break;
            }
            self.pos += c.len_utf8();
        }
        if self.pos == start {
            let c = self.text[start..].chars().next().unwrap_or(' ');
            self.pos += c.len_utf8();
            return self.error(start, format!("illegal character {c:?}"));
        }
        self.push(Kind::Ident, start);
        Ok(())
    }

    fn digits(&mut self, radix: u32) {
        while (char::from(self.peek(0))).is_digit(radix) || self.peek(0) == b'_' {
            self.pos += 1;
        }
    }

    fn number(&mut self) -> Result<(), LexError> {
        let start = self.pos;
        let radix = match (self.peek(0), self.peek(1)) {
            (b'0', b'x' | b'X') => 16,
            (b'0', b'o') => 8,
            (b'0', b'b') => 2,
            _ => 10,
        };
        if radix != 10 {
            self.pos += 2;
            let body = self.pos;
            self.digits(radix);
            if self.pos == body {
                return self.error(start, "illegal number: no digits after the base");
            }
            self.push(Kind::Int, start);
            return Ok(());
        }
        self.digits(10);
        let mut kind = Kind::Int;
        if self.peek(0) == b'.' && self.peek(1) != b'.' {
            kind = Kind::Float;
            self.pos += 1;
            self.digits(10);
        }
        if matches!(self.peek(0), b'e' | b'E') {
            kind = Kind::Float;
            self.pos += 1;
            if matches!(self.peek(0), b'+' | b'-') {
                self.pos += 1;
            }
            if !self.peek(0).is_ascii_digit() {
                return self.error(start, "illegal floating-point exponent");
            }
            self.digits(10);
        } else if matches!(self.peek(0), b'K' | b'M' | b'G' | b'T' | b'P' | b'E') {
            // A multiplier makes the whole an integer, whatever the mantissa.
            kind = Kind::Int;
            self.pos += 1;
            if self.peek(0) == b'i' {
                self.pos += 1;
            }
        }
        let text = &self.text[start..self.pos];
        if kind == Kind::Int && text.len() > 1 && text.starts_with('0') && text.as_bytes()[1].is_ascii_digit()
        {
            return self.error(start, format!("illegal integer number {text:?}: leading zero"));
        }
        let grouped = memchr::memchr(b'_', text.as_bytes()).is_some();
        if grouped
            && (text.contains("__")
                || text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).ends_with('_'))
        {
            return self.error(start, "illegal '_' in number");
        }
        self.push(kind, start);
        Ok(())
    }

    fn string_start(&mut self) -> Result<(), LexError> {
        let start = self.pos;
        let hashes = self.src[self.pos..].iter().take_while(|b| **b == b'#').count();
        let byte = self.peek(hashes);
        let multi = self.peek(hashes + 1) == byte && self.peek(hashes + 2) == byte;
        let quote = Quote { byte, multi, hashes };
        self.pos += quote.len();
        if multi && !matches!((self.peek(0), self.peek(1)), (b'\n', _) | (b'\r', b'\n')) {
            return self.error(start, "expected newline after multiline quote");
        }
        self.string_body(quote, start, Kind::Str, Kind::StrStart)
    }

    /// Reads up to the closing quote (`whole`) or an interpolation (`part`).
    fn string_body(&mut self, quote: Quote, start: usize, whole: Kind, part: Kind) -> Result<(), LexError> {
        loop {
            // nothing but these can end the piece
            let rest = &self.src[self.pos..];
            let next = if quote.multi {
                memchr::memchr2(quote.byte, b'\\', rest)
            } else {
                memchr::memchr3(quote.byte, b'\\', b'\n', rest)
            };
            let Some(next) = next else {
                self.pos = self.src.len();
                return self.error(start, "string literal not terminated");
            };
            self.pos += next;
            let b = self.src[self.pos];
            if b == quote.byte && self.closes(quote) {
                self.pos += quote.len();
                self.push(whole, start);
                return Ok(());
            }
            if b == b'\n' && !quote.multi {
                return self.error(start, "string literal not terminated");
            }
            if b == b'\\' && self.hashes_at(self.pos + 1, quote.hashes) {
                self.pos += 1 + quote.hashes;
                if self.peek(0) == b'(' {
                    self.pos += 1;
                    self.push(part, start);
                    self.open.push(Open { quote, parens: 0 });
                    return Ok(());
                }
                if self.pos < self.src.len() && self.src[self.pos] != b'\n' {
                    let c = self.text[self.pos..].chars().next().map_or(1, char::len_utf8);
                    self.pos += c;
                }
                continue;
            }
            self.pos += 1;
        }
    }

    fn hashes_at(&self, at: usize, count: usize) -> bool {
        self.src.get(at..at + count).is_some_and(|s| s.iter().all(|b| *b == b'#'))
    }

    fn closes(&self, quote: Quote) -> bool {
        let quotes = if quote.multi { 3 } else { 1 };
        (0..quotes).all(|i| self.peek(i) == quote.byte) && self.hashes_at(self.pos + quotes, quote.hashes)
    }

    fn attribute(&mut self) -> Result<(), LexError> {
        let start = self.pos;
        self.pos += 1;
        while self.peek(0).is_ascii_alphanumeric() || matches!(self.peek(0), b'_' | b'$' | b'#') {
            self.pos += 1;
        }
        if self.peek(0) != b'(' {
            return self.error(start, "invalid attribute: expected '('");
        }
        let mut depth = 0_u32;
        while self.pos < self.src.len() {
            match self.src[self.pos] {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => {
                    depth -= 1;
                    if depth == 0 {
                        self.pos += 1;
                        self.push(Kind::Attribute, start);
                        return Ok(());
                    }
                }
                b'"' | b'\'' => self.skip_string()?,
                b'#' if self.raw_string_ahead() => self.skip_string()?,
                b'/' if self.peek(1) == b'/' => {
                    while self.pos < self.src.len() && self.src[self.pos] != b'\n' {
                        self.pos += 1;
                    }
                }
                _ => {}
            }
            self.pos += 1;
        }
        self.error(start, "attribute missing ')'")
    }

    /// Steps over a string inside an attribute, leaving the position on its last byte.
    fn skip_string(&mut self) -> Result<(), LexError> {
        let start = self.pos;
        let hashes = self.src[self.pos..].iter().take_while(|b| **b == b'#').count();
        let byte = self.peek(hashes);
        let multi = self.peek(hashes + 1) == byte && self.peek(hashes + 2) == byte;
        let quote = Quote { byte, multi, hashes };
        self.pos += quote.len();
        while self.pos < self.src.len() {
            if self.src[self.pos] == byte && self.closes(quote) {
                self.pos += quote.len() - 1;
                return Ok(());
            }
            if self.src[self.pos] == b'\\' && self.hashes_at(self.pos + 1, hashes) {
                self.pos += 1 + hashes;
            }
            self.pos += 1;
        }
        self.error(start, "string literal not terminated")
    }

    fn operator(&mut self) -> Result<(), LexError> {
        let start = self.pos;
        let rest = &self.src[self.pos..];
        let (kind, len) =
            match (rest[0], rest.get(1).copied().unwrap_or(0), rest.get(2).copied().unwrap_or(0)) {
                (b'.', b'.', b'.') => (Kind::Ellipsis, 3),
                (b'.', ..) => (Kind::Dot, 1),
                (b'&', b'&', _) => (Kind::LAnd, 2),
                (b'&', ..) => (Kind::And, 1),
                (b'|', b'|', _) => (Kind::LOr, 2),
                (b'|', ..) => (Kind::Or, 1),
                (b'=', b'=', _) => (Kind::Eq, 2),
                (b'=', b'~', _) => (Kind::Match, 2),
                (b'=', ..) => (Kind::Assign, 1),
                (b'!', b'=', _) => (Kind::Ne, 2),
                (b'!', b'~', _) => (Kind::NotMatch, 2),
                (b'!', ..) => (Kind::Bang, 1),
                (b'<', b'=', _) => (Kind::Le, 2),
                (b'<', ..) => (Kind::Lt, 1),
                (b'>', b'=', _) => (Kind::Ge, 2),
                (b'>', ..) => (Kind::Gt, 1),
                (b'+', ..) => (Kind::Add, 1),
                (b'-', ..) => (Kind::Sub, 1),
                (b'*', ..) => (Kind::Mul, 1),
                (b'/', ..) => (Kind::Quo, 1),
                (b'(', ..) => (Kind::LParen, 1),
                (b')', ..) => return self.close_paren(),
                (b'[', ..) => (Kind::LBrack, 1),
                (b']', ..) => (Kind::RBrack, 1),
                (b'{', ..) => (Kind::LBrace, 1),
                (b'}', ..) => (Kind::RBrace, 1),
                (b',', ..) => (Kind::Comma, 1),
                (b':', ..) => (Kind::Colon, 1),
                (b'?', ..) => (Kind::Question, 1),
                (b'~', ..) => (Kind::Tilde, 1),
                _ => {
                    let c = self.text[start..].chars().next().unwrap_or(' ');
                    self.pos += c.len_utf8();
                    return self.error(start, format!("illegal character {c:?}"));
                }
            };
        self.pos += len;
        if kind == Kind::LParen
            && let Some(open) = self.open.last_mut()
        {
            open.parens += 1;
        }
        self.push(kind, start);
        Ok(())
    }

    fn close_paren(&mut self) -> Result<(), LexError> {
        let start = self.pos;
        match self.open.last_mut() {
            Some(open) if open.parens == 0 => {
                let quote = open.quote;
                self.open.pop();
                self.pos += 1;
                self.string_body(quote, start, Kind::StrEnd, Kind::StrMid)
            }
            other => {
                if let Some(open) = other {
                    open.parens -= 1;
                }
                self.pos += 1;
                self.push(Kind::RParen, start);
                Ok(())
            }
        }
    }
}

/// Sources are limited to `limits::SOURCE_BYTES`, far below `u32::MAX`, before they reach the lexer.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
