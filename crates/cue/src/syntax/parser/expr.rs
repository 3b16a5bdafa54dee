//! Expressions and comprehensions.

use super::super::ast::{
    BinaryOp, Clause, Comprehension, Element, ElementKind, Expr, ExprKind, Interpolation, List, Literal,
    LiteralKind, Span, Struct, UnaryOp,
};
use super::super::literal;
use super::super::text::Text;
use super::super::token::Kind;
use super::decl::trailing_of;
use super::{Fail, Parsed, Parser};

fn binary_op(kind: Kind, word: &str) -> Option<BinaryOp> {
    Some(match kind {
        Kind::And => BinaryOp::And,
        Kind::Or => BinaryOp::Or,
        Kind::LAnd => BinaryOp::LAnd,
        Kind::LOr => BinaryOp::LOr,
        Kind::Eq => BinaryOp::Eq,
        Kind::Ne => BinaryOp::Ne,
        Kind::Lt => BinaryOp::Lt,
        Kind::Le => BinaryOp::Le,
        Kind::Gt => BinaryOp::Gt,
        Kind::Ge => BinaryOp::Ge,
        Kind::Match => BinaryOp::Match,
        Kind::NotMatch => BinaryOp::NotMatch,
        Kind::Add => BinaryOp::Add,
        Kind::Sub => BinaryOp::Sub,
        Kind::Mul => BinaryOp::Mul,
        Kind::Quo => BinaryOp::Quo,
        Kind::Ident => match word {
            "div" => BinaryOp::IDiv,
            "mod" => BinaryOp::IMod,
            "quo" => BinaryOp::IQuo,
            "rem" => BinaryOp::IRem,
            _ => return None,
        },
        _ => return None,
    })
}

fn unary_op(kind: Kind) -> Option<UnaryOp> {
    Some(match kind {
        Kind::Add => UnaryOp::Plus,
        Kind::Sub => UnaryOp::Minus,
        Kind::Bang => UnaryOp::Not,
        Kind::Mul => UnaryOp::Default,
        Kind::Ne => UnaryOp::Ne,
        Kind::Eq => UnaryOp::Eq,
        Kind::Lt => UnaryOp::Lt,
        Kind::Le => UnaryOp::Le,
        Kind::Gt => UnaryOp::Gt,
        Kind::Ge => UnaryOp::Ge,
        Kind::Match => UnaryOp::Match,
        Kind::NotMatch => UnaryOp::NotMatch,
        _ => return None,
    })
}

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        // most expressions are one token
        let alone = matches!(self.kind(), Kind::Ident | Kind::Int | Kind::Float | Kind::Str);
        if alone && self.kind_at(1).ends_expr() {
            return self.operand();
        }
        self.nested(|p| p.binary(1))
    }

    fn binary(&mut self, min: u8) -> Parsed<Expr> {
        let mut left = self.unary()?;
        while let Some(op) = binary_op(self.kind(), self.word()) {
            let precedence = op.precedence();
            if precedence < min {
                break;
            }
            self.bump();
            let right = self.binary(precedence + 1)?;
            let span = left.span.to(right.span);
            left = Expr { kind: ExprKind::Binary(op, Box::new(left), Box::new(right)), span };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let start = self.span();
        let Some(op) = unary_op(self.kind()) else { return self.primary() };
        self.bump();
        let operand = self.nested(Self::unary)?;
        let span = self.since(start);
        Ok(Expr { kind: ExprKind::Unary(op, Box::new(operand)), span })
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let mut expr = self.operand()?;
        loop {
            let start = expr.span;
            let kind = match self.kind() {
                Kind::Dot => {
                    self.bump();
                    let label = self.selector_label()?;
                    ExprKind::Selector(Box::new(expr), label)
                }
                Kind::LBrack => self.index(expr)?,
                Kind::LParen => {
                    self.bump();
                    let args = self.args()?;
                    ExprKind::Call(Box::new(expr), args)
                }
                Kind::Question if self.kind_at(1) != Kind::Colon => {
                    self.bump();
                    ExprKind::Optional(Box::new(expr))
                }
                Kind::Ellipsis => {
                    self.bump();
                    ExprKind::Open(Box::new(expr))
                }
                _ => return Ok(expr),
            };
            expr = Expr { kind, span: self.since(start) };
        }
    }

    fn selector_label(&mut self) -> Parsed<Literal> {
        let span = self.span();
        let text = self.shared(span);
        let kind = match self.kind() {
            Kind::Ident => LiteralKind::Int,
            Kind::Str => LiteralKind::Str,
            _ => return self.fail("selector"),
        };
        self.bump();
        Ok(Literal { kind, text, span })
    }

    fn index(&mut self, base: Expr) -> Parsed<ExprKind> {
        self.bump();
        let base = Box::new(base);
        if self.eat(Kind::Colon) {
            let high = if self.kind() == Kind::RBrack { None } else { Some(Box::new(self.expr()?)) };
            self.expect(Kind::RBrack, "']'")?;
            return Ok(ExprKind::Slice(base, None, high));
        }
        let low = Box::new(self.expr()?);
        if self.eat(Kind::Colon) {
            let high = if self.kind() == Kind::RBrack { None } else { Some(Box::new(self.expr()?)) };
            self.expect(Kind::RBrack, "']'")?;
            return Ok(ExprKind::Slice(base, Some(low), high));
        }
        self.eat(Kind::Comma);
        self.expect(Kind::RBrack, "']'")?;
        Ok(ExprKind::Index(base, low))
    }

    fn args(&mut self) -> Parsed<Vec<Expr>> {
        let mut args = Vec::new();
        loop {
            while self.kind() == Kind::AutoComma {
                self.at += 1;
            }
            if self.eat(Kind::RParen) {
                return Ok(args);
            }
            args.push(self.expr()?);
            match self.kind() {
                Kind::Comma | Kind::AutoComma => self.at += 1,
                Kind::RParen => {}
                _ => return self.fail("',' or ')'"),
            }
        }
    }

    fn operand(&mut self) -> Parsed<Expr> {
        let start = self.span();
        let kind = match self.kind() {
            Kind::Ident => {
                let name = self.shared(start);
                self.bump();
                ExprKind::Ident(name)
            }
            Kind::Int | Kind::Float | Kind::Str => ExprKind::Literal(self.literal()?),
            Kind::StrStart => return self.interpolation(),
            Kind::Bottom => {
                self.bump();
                ExprKind::Bottom
            }
            Kind::LParen => {
                self.bump();
                let inner = self.expr()?;
                while self.kind() == Kind::AutoComma {
                    self.at += 1;
                }
                self.expect(Kind::RParen, "')'")?;
                ExprKind::Paren(Box::new(inner))
            }
            Kind::LBrace => return self.struct_literal(),
            Kind::LBrack => return self.nested(Self::list),
            _ => return self.fail("operand"),
        };
        Ok(Expr { kind, span: self.since(start) })
    }

    fn literal(&mut self) -> Parsed<Literal> {
        let token = self.bump();
        let text = self.slice(token.span);
        let kind = match token.kind {
            Kind::Int => LiteralKind::Int,
            Kind::Float => LiteralKind::Float,
            _ => {
                literal::check(text).map_err(|message| Fail::new(message, token.span))?;
                LiteralKind::Str
            }
        };
        Ok(Literal { kind, text: self.shared(token.span), span: token.span })
    }

    pub(super) fn interpolation(&mut self) -> Parsed<Expr> {
        let start = self.span();
        let mut parts = vec![self.shared(start)];
        let mut exprs = Vec::new();
        self.bump();
        loop {
            exprs.push(self.expr()?);
            while self.kind() == Kind::AutoComma {
                self.at += 1;
            }
            let piece = self.shared(self.span());
            match self.kind() {
                Kind::StrMid => parts.push(piece),
                Kind::StrEnd => {
                    parts.push(piece);
                    self.bump();
                    break;
                }
                _ => return self.fail("')' for string interpolation"),
            }
            self.bump();
        }
        let span = self.since(start);
        let raw: Vec<&str> = parts.iter().map(Text::as_str).collect();
        literal::unquote_parts(&raw).map_err(|message| Fail::new(message, span))?;
        Ok(Expr { kind: ExprKind::Interpolation(Box::new(Interpolation { parts, exprs, span })), span })
    }

    fn struct_literal(&mut self) -> Parsed<Expr> {
        let start = self.span();
        self.bump();
        let (decls, trailing) = self.nested(|p| p.decls(Kind::RBrace))?;
        let before = self.lexed.tokens[self.at - 1].span.end;
        let before = decls.last().map_or(before, |d| d.span.end.max(start.end));
        let multiline = self.lines_between(before, self.span().start) > 0 || !trailing.is_empty();
        self.expect(Kind::RBrace, "'}'")?;
        let span = self.since(start);
        Ok(Expr {
            kind: ExprKind::Struct(Box::new(Struct { decls, implicit: false, multiline, trailing, span })),
            span,
        })
    }

    fn list(&mut self) -> Parsed<Expr> {
        let start = self.span();
        self.bump();
        let mut elements: Vec<Element> = Vec::new();
        loop {
            while self.kind() == Kind::AutoComma {
                self.at += 1;
            }
            let mut comments = self.leading();
            if self.kind() == Kind::RBrack {
                let from = self.lexed.tokens[self.at - 1].span.end;
                let trailing = trailing_of(comments);
                let multiline = self.lines_between(from, self.span().start) > 0 || !trailing.is_empty();
                self.bump();
                return Ok(Expr {
                    kind: ExprKind::List(Box::new(List { elements, multiline, trailing })),
                    span: self.since(start),
                });
            }
            let at = self.span();
            let kind = self.element()?;
            let span = self.since(at);
            comments.line = self.line_comment();
            match self.kind() {
                Kind::Comma | Kind::AutoComma => {
                    self.at += 1;
                    if comments.line.is_none() {
                        comments.line = self.line_comment();
                    }
                }
                Kind::RBrack => {}
                _ => return self.fail("',' or ']'"),
            }
            elements.push(Element { kind, span, comments });
        }
    }

    fn element(&mut self) -> Parsed<ElementKind> {
        if self.eat(Kind::Ellipsis) {
            let value = match self.kind() {
                Kind::Comma | Kind::AutoComma | Kind::RBrack => None,
                _ => Some(Box::new(self.expr()?)),
            };
            return Ok(ElementKind::Ellipsis(value));
        }
        if self.comprehension_ahead() {
            return self.comprehension().map(ElementKind::Expr);
        }
        if self.kind() == Kind::Ident && self.kind_at(1) == Kind::Assign {
            let start = self.span();
            let name = self.ident()?;
            self.bump();
            let value = self.expr()?;
            let span = self.since(start);
            return Ok(ElementKind::Expr(Expr { kind: ExprKind::Alias(name, Box::new(value)), span }));
        }
        self.expr().map(ElementKind::Expr)
    }

    /// Whether a comprehension begins here (`for` and `if` are not reserved as labels).
    pub(super) fn comprehension_ahead(&self) -> bool {
        let next = self.kind_at(1);
        match self.word() {
            "for" => next == Kind::Ident && matches!(self.kind_at(2), Kind::Comma | Kind::Ident),
            "if" => {
                !matches!(
                    next,
                    Kind::Colon
                        | Kind::Question
                        | Kind::Comma
                        | Kind::AutoComma
                        | Kind::RBrace
                        | Kind::RBrack
                        | Kind::Dot
                        | Kind::Assign
                        | Kind::Tilde
                        | Kind::Eof
                ) && !(next == Kind::Bang && self.kind_at(2) == Kind::Colon)
            }
            "try" => next == Kind::LBrace || (next == Kind::Ident && self.kind_at(2) == Kind::Assign),
            _ => false,
        }
    }

    pub(super) fn comprehension(&mut self) -> Parsed<Expr> {
        let start = self.span();
        let mut clauses = Vec::new();
        loop {
            if clauses.is_empty() || self.kind() != Kind::LBrace {
                clauses.push(self.clause()?);
            }
            if matches!(self.kind(), Kind::Comma | Kind::AutoComma) {
                self.at += 1;
            }
            if self.kind() == Kind::LBrace {
                break;
            }
            if !matches!(self.word(), "for" | "if" | "let" | "try") {
                return self.fail("comprehension clause or '{'");
            }
        }
        let body = self.struct_literal()?;
        let otherwise =
            if matches!(self.word(), "else" | "fallback" | "otherwise") && self.kind_at(1) == Kind::LBrace {
                self.bump();
                Some(self.struct_literal()?)
            } else {
                None
            };
        let span: Span = self.since(start);
        let inner = Comprehension { clauses, body, otherwise, span };
        Ok(Expr { kind: ExprKind::Comprehension(Box::new(inner)), span })
    }

    fn clause(&mut self) -> Parsed<Clause> {
        let start = self.span();
        match self.word() {
            "for" => {
                self.bump();
                let mut key = None;
                let mut value = self.ident()?;
                if self.eat(Kind::Comma) {
                    key = Some(value);
                    value = self.ident()?;
                }
                if self.word() != "in" {
                    return self.fail("'in'");
                }
                self.bump();
                Ok(Clause::For(key, value, self.expr()?))
            }
            "if" => {
                self.bump();
                Ok(Clause::If(self.expr()?))
            }
            "let" => {
                self.bump();
                let name = self.ident()?;
                self.expect(Kind::Assign, "'='")?;
                Ok(Clause::Let(name, self.expr()?))
            }
            "try" => {
                self.bump();
                if self.kind() == Kind::LBrace {
                    return Ok(Clause::Try(None, start));
                }
                let name = self.ident()?;
                self.expect(Kind::Assign, "'='")?;
                let value = self.expr()?;
                Ok(Clause::Try(Some((name, value)), start))
            }
            _ => self.fail("'for', 'if', 'let' or 'try'"),
        }
    }
}
