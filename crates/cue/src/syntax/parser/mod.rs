//! Recursive-descent parser: tokens to a [`File`], comments attached to declarations and elements.

mod decl;
mod expr;

use arcstr::ArcStr;

use super::ast::{Comments, Expr, File, Span};
use super::lexer::{self, Lexed};
use super::text::Text;
use super::token::{Kind, Token};
use crate::error::{Error, Errors, Position};
use crate::limits;

/// Parses one file.
///
/// # Errors
/// Every lexical or syntactic error found, with its position; the parser stops at the first.
///
/// ```
/// let file = cue::syntax::parse("a.cue", "a: 1 // one\n").unwrap();
/// assert_eq!(file.decls.len(), 1);
/// assert!(cue::syntax::parse("a.cue", "a: }").is_err());
/// ```
pub fn parse(name: &str, text: &str) -> Result<File, Errors> {
    if text.len() > limits::SOURCE_BYTES {
        return Err(Errors::one(Error::limit(format!(
            "{name}: source is larger than {} bytes",
            limits::SOURCE_BYTES
        ))));
    }
    let fail = |message: String, span: Span| {
        Errors::one(Error::syntax(message, Position::locate(name, text, span.start)))
    };
    let lexed = lexer::lex(text).map_err(|e| fail(e.message, e.span))?;
    let shared = ArcStr::from(text);
    let mut parser = Parser::new(&shared, &lexed);
    let mut file = parser.file().map_err(|e| {
        let mut errors = fail(e.message, e.span);
        errors.0.iter_mut().for_each(|error| error.hint.clone_from(&e.hint));
        errors
    })?;
    name.clone_into(&mut file.name);
    Ok(file)
}

/// Parses a single expression, as given with `-e`.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_expr(name: &str, text: &str) -> Result<Expr, Errors> {
    let fail = |message: String, span: Span| {
        Errors::one(Error::syntax(message, Position::locate(name, text, span.start)))
    };
    let lexed = lexer::lex(text).map_err(|e| fail(e.message, e.span))?;
    let shared = ArcStr::from(text);
    let mut parser = Parser::new(&shared, &lexed);
    let expr = parser.expr().map_err(|e| fail(e.message, e.span))?;
    parser.skip_commas();
    if parser.kind() != Kind::Eof {
        return Err(fail(format!("expected end of expression, found {}", parser.found()), parser.span()));
    }
    Ok(expr)
}

/// A syntax error: what, and where.
pub(super) struct Fail {
    pub(super) message: String,
    pub(super) span: Span,
    /// How it was probably meant.
    pub(super) hint: Option<String>,
}

impl Fail {
    pub(super) fn new(message: impl Into<String>, span: Span) -> Self {
        Self { message: message.into(), span, hint: None }
    }
}

type Parsed<T> = Result<T, Fail>;

struct Parser<'a> {
    text: &'a ArcStr,
    lexed: &'a Lexed,
    at: usize,
    /// Next comment that no node has taken.
    comment: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a ArcStr, lexed: &'a Lexed) -> Self {
        Self { text, lexed, at: 0, comment: 0, depth: 0 }
    }

    fn token(&self) -> Token {
        let last = self.lexed.tokens.len() - 1;
        self.lexed.tokens[self.at.min(last)]
    }

    fn kind(&self) -> Kind {
        self.token().kind
    }

    fn kind_at(&self, ahead: usize) -> Kind {
        let last = self.lexed.tokens.len() - 1;
        self.lexed.tokens[(self.at + ahead).min(last)].kind
    }

    fn span(&self) -> Span {
        self.token().span
    }

    fn slice(&self, span: Span) -> &'a str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// The source of a span, shared with the tree.
    fn shared(&self, span: Span) -> Text {
        Text::slice(self.text, span.start as usize..span.end as usize)
    }

    /// A comment, without the blanks at its end.
    fn comment_text(&self, span: Span) -> Text {
        let start = span.start as usize;
        Text::slice(self.text, start..start + self.slice(span).trim_end().len())
    }

    fn word(&self) -> &'a str {
        if self.kind() == Kind::Ident { self.slice(self.span()) } else { "" }
    }

    fn bump(&mut self) -> Token {
        let token = self.token();
        self.at += 1;
        token
    }

    fn eat(&mut self, kind: Kind) -> bool {
        let hit = self.kind() == kind;
        if hit {
            self.at += 1;
        }
        hit
    }

    fn found(&self) -> String {
        match self.kind() {
            Kind::Eof => "end of file".to_owned(),
            Kind::AutoComma => "newline".to_owned(),
            _ => format!("'{}'", self.slice(self.span()).lines().next().unwrap_or("")),
        }
    }

    fn fail<T>(&self, want: &str) -> Parsed<T> {
        Err(Fail::new(format!("expected {want}, found {}", self.found()), self.span()))
    }

    fn expect(&mut self, kind: Kind, want: &str) -> Parsed<Token> {
        if self.kind() == kind { Ok(self.bump()) } else { self.fail(want) }
    }

    fn skip_commas(&mut self) {
        while matches!(self.kind(), Kind::Comma | Kind::AutoComma) {
            self.at += 1;
        }
    }

    /// Span from `start` to the last consumed token.
    fn since(&self, start: Span) -> Span {
        let last = self.at.saturating_sub(1).min(self.lexed.tokens.len() - 1);
        start.to(self.lexed.tokens[last].span)
    }

    /// Runs `inner` one level deeper, within the nesting limit.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= limits::SYNTAX_DEPTH {
            let message = format!("nested more than {} levels deep", limits::SYNTAX_DEPTH);
            return Err(Fail::new(message, self.span()));
        }
        self.depth += 1;
        let result = stacker::maybe_grow(limits::RED_ZONE, limits::STACK_CHUNK, || inner(self));
        self.depth -= 1;
        result
    }

    fn lines_between(&self, from: u32, to: u32) -> usize {
        let between = self.text.as_bytes().get(from as usize..to as usize).unwrap_or(&[]);
        between.iter().filter(|b| **b == b'\n').count()
    }

    /// Takes the comments that stand before the current token.
    fn leading(&mut self) -> Comments {
        let mut comments = Comments::default();
        if self.lexed.comments.get(self.comment).is_none_or(|raw| raw.before as usize > self.at) {
            let lines = self.token().lines;
            comments.blank_before = lines > 1 && self.at > 0;
            comments.newline_before = lines > 0;
            return comments;
        }
        let mut from = if self.at == 0 { 0 } else { self.lexed.tokens[self.at - 1].span.end };
        if self.comment > 0 {
            from = from.max(self.lexed.comments[self.comment - 1].span.end);
        }
        let first = self.comment;
        while let Some(raw) = self.lexed.comments.get(self.comment) {
            if raw.before as usize > self.at {
                break;
            }
            let lines = self.lines_between(from, raw.span.start);
            if self.comment == first {
                comments.blank_before = lines > 1 && self.at > 0;
                comments.newline_before = lines > 0;
            } else if lines > 1 {
                comments.doc.push(Text::default());
            }
            comments.doc.push(self.comment_text(raw.span));
            from = raw.span.end;
            self.comment += 1;
        }
        let lines = self.lines_between(from, self.span().start);
        if lines > 1 && self.kind() != Kind::Eof {
            comments.doc.push(Text::default());
        }
        comments
    }

    /// Takes the comment that follows the last token on its line, if there is one.
    fn line_comment(&mut self) -> Option<Text> {
        let raw = self.lexed.comments.get(self.comment)?;
        let end = self.lexed.tokens.get(self.at.checked_sub(1)?)?.span.end;
        // of what is between, only a comma may be; a bracket's comment is not that of what stands in the brackets
        let between = self.at..raw.before as usize;
        let commas = |i: usize| {
            self.lexed.tokens.get(i).is_some_and(|t| matches!(t.kind, Kind::Comma | Kind::AutoComma))
        };
        if raw.span.start < end
            || between.len() > 1
            || !between.clone().all(commas)
            || self.lines_between(end, raw.span.start) > 0
        {
            return None;
        }
        self.comment += 1;
        Some(self.comment_text(raw.span))
    }
}
