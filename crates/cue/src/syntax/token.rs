//! Tokens of CUE source text.

/// A byte range of one source file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The smallest span that covers both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Eof,
    Ident,
    Int,
    Float,
    /// A whole string or bytes literal without interpolation.
    Str,
    /// The piece before the first `\(`.
    StrStart,
    /// A piece between two interpolations.
    StrMid,
    /// The piece after the last interpolation.
    StrEnd,
    Attribute,
    Bottom,
    Comma,
    /// A comma the lexer put in at a line end.
    AutoComma,
    Colon,
    Dot,
    Ellipsis,
    LParen,
    RParen,
    LBrack,
    RBrack,
    LBrace,
    RBrace,
    Question,
    Bang,
    Tilde,
    Assign,
    Add,
    Sub,
    Mul,
    Quo,
    And,
    Or,
    LAnd,
    LOr,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Match,
    NotMatch,
}

impl Kind {
    /// Whether an expression cannot go on with this token.
    pub(crate) fn ends_expr(self) -> bool {
        matches!(self, Self::AutoComma | Self::Comma | Self::RBrace | Self::RBrack | Self::RParen | Self::Eof)
    }

    /// Whether a line break after this token ends the element.
    pub(crate) fn ends_line(self) -> bool {
        matches!(
            self,
            Self::Ident
                | Self::Int
                | Self::Float
                | Self::Str
                | Self::StrEnd
                | Self::Attribute
                | Self::Bottom
                | Self::Ellipsis
                | Self::RParen
                | Self::RBrack
                | Self::RBrace
                | Self::Question
        )
    }
}

/// One token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Line ends since the token or comment before it; two stand for more.
    pub(crate) lines: u8,
    pub(crate) span: Span,
}

/// A comment as it stands in the text, `//` included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawComment {
    pub(crate) span: Span,
    /// Number of tokens before it.
    pub(crate) before: u32,
}
