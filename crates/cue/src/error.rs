//! Errors with every position that took part.

use std::fmt;
use std::sync::Arc;

/// What sort of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The value contradicts itself and no more information can mend it.
    Eval,
    /// The source says so, with `error("...")`.
    User,
    /// A struct or list that contains itself.
    StructuralCycle,
    /// More information could make it a value.
    Incomplete,
    /// A value that depends on itself.
    Cycle,
    /// The text is not CUE.
    Syntax,
    /// A name that does not resolve, or a form the language does not allow.
    Compile,
    /// A limit was reached.
    Limit,
}

impl Code {
    /// The stable name of the code.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Eval => "eval",
            Self::User => "user",
            Self::StructuralCycle => "structural_cycle",
            Self::Incomplete => "incomplete",
            Self::Cycle => "cycle",
            Self::Syntax => "syntax",
            Self::Compile => "compile",
            Self::Limit => "limit",
        }
    }

    /// Whether more information could still mend it.
    pub(crate) fn is_incomplete(self) -> bool {
        matches!(self, Self::Incomplete | Self::Cycle)
    }
}

/// A place in a source file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// File name.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in bytes, from 1.
    pub column: u32,
    /// The source line, for a snippet.
    pub snippet: Arc<str>,
}

impl Position {
    /// The position of byte `offset` of `text`.
    pub(crate) fn locate(file: &str, text: &str, offset: u32) -> Self {
        let mut at = (offset as usize).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &text[..at];
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let snippet: String = text[start..].lines().next().unwrap_or("").chars().take(200).collect();
        Self {
            file: file.into(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(at - start + 1).unwrap_or(u32::MAX),
            snippet: snippet.into(),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct Error {
    /// What sort.
    pub code: Code,
    /// The value's path, empty at the root.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// Every position that contributed.
    pub positions: Vec<Position>,
    /// A suggestion, if there is one.
    pub hint: Option<String>,
}

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, path: String::new(), message: message.into(), positions: Vec::new(), hint: None }
    }

    pub(crate) fn syntax(message: String, position: Position) -> Self {
        Self { positions: vec![position], ..Self::new(Code::Syntax, message) }
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new(Code::Limit, message)
    }

    pub(crate) fn at(mut self, position: Position) -> Self {
        self.positions.push(position);
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The error with its code, positions, source lines and hint, over several lines.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = format!("[{}] {self}", self.code.name());
        if !self.positions.is_empty() {
            out.push(':');
        }
        for p in &self.positions {
            let gutter = p.line.to_string();
            out.push_str(&format!("\n    {p}\n      {gutter} | {}", p.snippet.trim_end()));
            let pad: String = p
                .snippet
                .chars()
                .take(p.column.saturating_sub(1) as usize)
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            out.push_str(&format!("\n      {} | {pad}^", " ".repeat(gutter.len())));
        }
        if let Some(hint) = &self.hint {
            out.push_str(&format!("\n  hint: {hint}"));
        }
        out
    }
}

/// One or more errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors(pub Vec<Error>);

impl Errors {
    pub(crate) fn one(error: Error) -> Self {
        Self(vec![error])
    }

    /// The most severe code among them.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.0.iter().map(|e| e.code).min()
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", error.render())?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}
