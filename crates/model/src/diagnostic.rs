//! What is wrong with a document, and where.

use std::fmt;

use crate::Code;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; the document is accepted.
    Warning,
    /// The document is refused.
    Error,
}

/// A place in a document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Location {
    /// The document's name as the person gave it.
    pub file: String,
    /// Line, from 1; 0 when unknown.
    pub line: u32,
    /// Column in characters, from 1; 0 when unknown.
    pub column: u32,
    /// JSON pointer within the document (RFC 6901), empty for the whole.
    pub path: String,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column.max(1))?;
        }
        if !self.path.is_empty() {
            write!(f, " ({})", self.path)?;
        }
        Ok(())
    }
}

/// One finding about a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// Stable code with its own page of documentation.
    pub code: &'static Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, one line without a full stop.
    pub message: String,
    /// Where.
    pub location: Location,
    /// Other places that have a part in it, such as the other side of a conflict.
    pub related: Vec<Location>,
    /// What to do, a command or a replacement.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: &'static Code, message: impl Into<String>, location: Location) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            location,
            related: Vec::new(),
            hint: None,
        }
    }

    /// A warning at a place.
    pub fn warning(code: &'static Code, message: impl Into<String>, location: Location) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message, location) }
    }

    /// The same finding with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.location, self.message, self.code.id)
    }
}
