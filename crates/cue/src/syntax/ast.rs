//! The syntax tree, with positions and comments.

use super::text::Text;
pub use super::token::Span;

/// Comments that belong to a declaration or list element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comments {
    /// Lines before it; an empty string is a blank line between two groups.
    pub doc: Vec<Text>,
    /// The comment after it on the same line.
    pub line: Option<Text>,
    /// A blank line stood before it (or before its comments).
    pub blank_before: bool,
    /// It began on a new line.
    pub newline_before: bool,
}

/// One source file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Name as given by the caller, for positions.
    pub name: String,
    /// The declared package, if any.
    pub package: Option<Ident>,
    /// Everything but the package clause, in order.
    pub decls: Vec<Decl>,
    /// Comments of the package clause.
    pub package_comments: Comments,
    /// Comments after the last declaration.
    pub trailing: Vec<Text>,
}

/// A declaration with its comments.
#[derive(Clone, Debug, PartialEq)]
pub struct Decl {
    /// What is declared.
    pub kind: DeclKind,
    /// Where.
    pub span: Span,
    /// Comments around it.
    pub comments: Comments,
}

/// Kinds of declaration.
#[derive(Clone, Debug, PartialEq)]
pub enum DeclKind {
    /// `import "path"` or a group of them.
    Import(Vec<Import>, bool),
    /// `label: value`.
    Field(Box<Field>),
    /// `let x = value`.
    Let(Ident, Box<Expr>),
    /// An embedded value.
    Embed(Expr),
    /// `...` or `...T`.
    Ellipsis(Option<Box<Expr>>),
    /// `@name(body)`.
    Attribute(Attribute),
}

/// One import.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// Local name.
    pub name: Option<Ident>,
    /// Path as decoded, `:package` included.
    pub path: String,
    /// Where.
    pub span: Span,
    /// Comments around it.
    pub comments: Comments,
}

/// `@name(body)`; the body is kept as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// The whole text, `@` included.
    pub text: Text,
    /// Where.
    pub span: Span,
}

impl Attribute {
    /// The name between `@` and `(`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text[1..].split('(').next().unwrap_or("")
    }

    /// The text between the outer parentheses.
    #[must_use]
    pub fn body(&self) -> &str {
        let open = self.text.find('(').map_or(self.text.len(), |at| at + 1);
        self.text.get(open..self.text.len().saturating_sub(1)).unwrap_or("")
    }
}

/// Whether a field must, may or does exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Constraint {
    /// `a: v`.
    Member,
    /// `a!: v`.
    Required,
    /// `a?: v`.
    Optional,
}

/// A field declaration.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// `X=` before the label.
    pub alias: Option<Ident>,
    /// `~X` or `~(K,V)` after the label.
    pub postfix: Option<Box<PostfixAlias>>,
    /// The label.
    pub label: Label,
    /// `?`, `!` or neither.
    pub constraint: Constraint,
    /// The value.
    pub value: Expr,
    /// Attributes after the value.
    pub attrs: Vec<Attribute>,
}

/// The postfix alias of a field.
#[derive(Clone, Debug, PartialEq)]
pub struct PostfixAlias {
    /// Name of the label.
    pub label: Option<Ident>,
    /// Name of the field's value.
    pub value: Option<Ident>,
}

/// A field label.
#[derive(Clone, Debug, PartialEq)]
pub enum Label {
    /// `name`, `#name`, `_name`.
    Ident(Ident),
    /// `"name"`; text is the literal as written.
    Str(Literal),
    /// `"a\(b)"`.
    Interpolation(Box<Interpolation>),
    /// `(expr)`.
    Paren(Box<Expr>, Span),
    /// `[expr]` or `[x=expr]`.
    Pattern(Option<Ident>, Box<Expr>, Span),
}

impl Label {
    /// Where the label stands.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Ident(i) => i.span,
            Self::Str(l) => l.span,
            Self::Interpolation(i) => i.span,
            Self::Paren(_, s) | Self::Pattern(_, _, s) => *s,
        }
    }
}

/// An identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    /// As written.
    pub name: Text,
    /// Where.
    pub span: Span,
}

/// A literal, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// What kind.
    pub kind: LiteralKind,
    /// As written.
    pub text: Text,
    /// Where.
    pub span: Span,
}

/// Kinds of literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiteralKind {
    /// An integer.
    Int,
    /// A decimal.
    Float,
    /// A string or bytes literal.
    Str,
}

/// An interpolated string.
#[derive(Clone, Debug, PartialEq)]
pub struct Interpolation {
    /// Raw text pieces, one more than expressions.
    pub parts: Vec<Text>,
    /// The expressions.
    pub exprs: Vec<Expr>,
    /// Where.
    pub span: Span,
}

/// A struct literal.
#[derive(Clone, Debug, PartialEq)]
pub struct Struct {
    /// Its declarations.
    pub decls: Vec<Decl>,
    /// Written without braces, as in `a: b: c`.
    pub implicit: bool,
    /// The closing brace stood on its own line.
    pub multiline: bool,
    /// Comments before the closing brace.
    pub trailing: Vec<Text>,
    /// Where.
    pub span: Span,
}

/// A list literal.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    /// Its elements.
    pub elements: Vec<Element>,
    /// The closing bracket stood on its own line.
    pub multiline: bool,
    /// Comments before the closing bracket.
    pub trailing: Vec<Text>,
}

/// A list element.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// The element.
    pub kind: ElementKind,
    /// Where.
    pub span: Span,
    /// Comments around it.
    pub comments: Comments,
}

/// Kinds of list element.
#[derive(Clone, Debug, PartialEq)]
pub enum ElementKind {
    /// A value or comprehension.
    Expr(Expr),
    /// `...` or `...T`.
    Ellipsis(Option<Box<Expr>>),
}

/// A comprehension.
#[derive(Clone, Debug, PartialEq)]
pub struct Comprehension {
    /// Its clauses.
    pub clauses: Vec<Clause>,
    /// What it yields.
    pub body: Expr,
    /// What it yields when the first clause yields nothing.
    pub otherwise: Option<Expr>,
    /// Where.
    pub span: Span,
}

/// A clause of a comprehension.
#[derive(Clone, Debug, PartialEq)]
pub enum Clause {
    /// `for k, v in source`.
    For(Option<Ident>, Ident, Expr),
    /// `if condition`.
    If(Expr),
    /// `let x = value`.
    Let(Ident, Expr),
    /// `try` or `try x = value`.
    Try(Option<(Ident, Expr)>, Span),
}

/// Binary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the operator it is named after")]
pub enum BinaryOp {
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
    Add,
    Sub,
    Mul,
    Quo,
    IDiv,
    IMod,
    IQuo,
    IRem,
}

impl BinaryOp {
    /// As written in source text.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::And => "&",
            Self::Or => "|",
            Self::LAnd => "&&",
            Self::LOr => "||",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Match => "=~",
            Self::NotMatch => "!~",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Quo => "/",
            Self::IDiv => "div",
            Self::IMod => "mod",
            Self::IQuo => "quo",
            Self::IRem => "rem",
        }
    }

    /// Binding strength, higher binds tighter.
    #[must_use]
    pub fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::LOr => 3,
            Self::LAnd => 4,
            Self::Eq
            | Self::Ne
            | Self::Lt
            | Self::Le
            | Self::Gt
            | Self::Ge
            | Self::Match
            | Self::NotMatch => 5,
            Self::Add | Self::Sub => 6,
            Self::Mul | Self::Quo | Self::IDiv | Self::IMod | Self::IQuo | Self::IRem => 7,
        }
    }
}

/// Unary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the operator it is named after")]
pub enum UnaryOp {
    Plus,
    Minus,
    Not,
    /// `*` of a default.
    Default,
    Ne,
    Eq,
    Lt,
    Le,
    Gt,
    Ge,
    Match,
    NotMatch,
}

impl UnaryOp {
    /// As written in source text.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Not => "!",
            Self::Default => "*",
            Self::Ne => "!=",
            Self::Eq => "==",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Match => "=~",
            Self::NotMatch => "!~",
        }
    }
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

/// Kinds of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A name.
    Ident(Text),
    /// A literal.
    Literal(Literal),
    /// `"a\(b)"`.
    Interpolation(Box<Interpolation>),
    /// `_|_`.
    Bottom,
    /// `{...}`.
    Struct(Box<Struct>),
    /// `[...]`.
    List(Box<List>),
    /// `(x)`.
    Paren(Box<Expr>),
    /// `x.sel`; the label as written and where it stands.
    Selector(Box<Expr>, Literal),
    /// `x[i]`.
    Index(Box<Expr>, Box<Expr>),
    /// `x[lo:hi]`.
    Slice(Box<Expr>, Option<Box<Expr>>, Option<Box<Expr>>),
    /// `f(args)`.
    Call(Box<Expr>, Vec<Expr>),
    /// `-x`, `>x`, `*x`.
    Unary(UnaryOp, Box<Expr>),
    /// `a + b`.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `X=value`.
    Alias(Ident, Box<Expr>),
    /// A comprehension (in lists and structs).
    Comprehension(Box<Comprehension>),
    /// `x?`: the value, or the failure of the enclosing `try`.
    Optional(Box<Expr>),
    /// `x...`: the value, opened.
    Open(Box<Expr>),
}
