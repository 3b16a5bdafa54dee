//! Files, declarations and fields.

use super::super::ast::{
    Attribute, Comments, Constraint, Decl, DeclKind, Expr, ExprKind, Field, File, Ident, Import, Label,
    Literal, LiteralKind, PostfixAlias, Span, Struct,
};
use super::super::literal;
use super::super::text::Text;
use super::super::token::Kind;
use super::{Fail, Parsed, Parser};

impl Parser<'_> {
    pub(super) fn file(&mut self) -> Parsed<File> {
        let mut file = File::default();
        let mut pending: Vec<Decl> = Vec::new();
        self.skip_commas();
        while self.kind() == Kind::Attribute {
            let comments = self.leading();
            let attr = self.attribute();
            let span = attr.span;
            pending.push(Decl { kind: DeclKind::Attribute(attr), span, comments });
            self.skip_commas();
        }
        if self.word() == "package" && self.kind_at(1) == Kind::Ident {
            file.package_comments = self.leading();
            self.bump();
            let name = self.ident()?;
            if name.name == "_" || name.name.starts_with('#') {
                return Err(Fail::new(format!("invalid package name {}", name.name), name.span));
            }
            file.package = Some(name);
            file.package_comments.line = self.line_comment();
            self.end_of_decl(Kind::Eof)?;
        }
        file.decls = pending;
        let (decls, trailing) = self.decls(Kind::Eof)?;
        file.decls.extend(decls);
        file.trailing = trailing;
        Ok(file)
    }

    /// Declarations up to (not including) `close`, and the comments before it.
    pub(super) fn decls(&mut self, close: Kind) -> Parsed<(Vec<Decl>, Vec<Text>)> {
        let mut decls = Vec::new();
        loop {
            while self.kind() == Kind::AutoComma {
                self.at += 1;
            }
            let mut comments = self.leading();
            if self.kind() == close {
                return Ok((decls, trailing_of(comments)));
            }
            if self.kind() == Kind::Eof {
                return self.fail("'}'");
            }
            let start = self.span();
            let kind = self.decl()?;
            let span = self.since(start);
            comments.line = self.line_comment();
            self.end_of_decl(close)?;
            if comments.line.is_none() && self.lexed.tokens[self.at - 1].kind == Kind::Comma {
                comments.line = self.line_comment();
            }
            decls.push(Decl { kind, span, comments });
        }
    }

    fn end_of_decl(&mut self, close: Kind) -> Parsed<()> {
        if self.kind() == close {
            return Ok(());
        }
        if matches!(self.kind(), Kind::Comma | Kind::AutoComma) {
            self.at += 1;
            return Ok(());
        }
        self.fail("operand or end of declaration (',' or newline)").map_err(|fail| self.side_by_side(fail))
    }

    /// `kind "name": {` and `kind "name" {`, which other languages of configuration have.
    fn side_by_side(&self, mut fail: Fail) -> Fail {
        let before = self.at.checked_sub(1).and_then(|at| self.lexed.tokens.get(at));
        let Some(first) = before.filter(|token| token.kind == Kind::Ident) else { return fail };
        if self.kind() == Kind::Str && matches!(self.kind_at(1), Kind::Colon | Kind::LBrace) {
            let (first, second) = (self.slice(first.span), self.slice(self.span()));
            fail.message = format!("expected ':' between the labels {first} and {second}");
            fail.hint = Some(format!("a field in a field is written {first}: {second}: {{...}}"));
        }
        fail
    }

    fn decl(&mut self) -> Parsed<DeclKind> {
        match self.kind() {
            // the commonest declaration; a word before a colon is a label, whatever it says
            Kind::Ident if self.kind_at(1) == Kind::Colon => return self.field_or_embed(),
            Kind::Attribute => return Ok(DeclKind::Attribute(self.attribute())),
            Kind::Ellipsis => {
                self.bump();
                let value = match self.kind() {
                    Kind::Comma | Kind::AutoComma | Kind::RBrace | Kind::Eof => None,
                    _ => Some(Box::new(self.expr()?)),
                };
                return Ok(DeclKind::Ellipsis(value));
            }
            _ => {}
        }
        match self.word() {
            "import" if matches!(self.kind_at(1), Kind::Str | Kind::Ident | Kind::LParen) => {
                return self.imports();
            }
            "let" if self.kind_at(1) == Kind::Ident && self.kind_at(2) == Kind::Assign => {
                self.bump();
                let name = self.ident()?;
                self.expect(Kind::Assign, "'='")?;
                let value = self.expr()?;
                return Ok(DeclKind::Let(name, Box::new(value)));
            }
            _ => {}
        }
        if self.comprehension_ahead() {
            let body = self.comprehension()?;
            return Ok(DeclKind::Embed(body));
        }
        self.field_or_embed()
    }

    fn imports(&mut self) -> Parsed<DeclKind> {
        self.bump();
        if !self.eat(Kind::LParen) {
            let import = self.import(Comments::default())?;
            return Ok(DeclKind::Import(vec![import], false));
        }
        let mut list = Vec::new();
        loop {
            self.skip_commas();
            let comments = self.leading();
            if self.eat(Kind::RParen) {
                return Ok(DeclKind::Import(list, true));
            }
            let mut import = self.import(comments)?;
            import.comments.line = self.line_comment();
            list.push(import);
        }
    }

    fn import(&mut self, comments: Comments) -> Parsed<Import> {
        let start = self.span();
        let name = if self.kind() == Kind::Ident { Some(self.ident()?) } else { None };
        let token = self.expect(Kind::Str, "import path")?;
        let path = self.decode(token.span)?;
        Ok(Import { name, path, span: self.since(start), comments })
    }

    fn decode(&self, span: Span) -> Parsed<String> {
        let bytes = literal::unquote(self.slice(span)).map_err(|message| Fail::new(message, span))?;
        String::from_utf8(bytes).map_err(|_| Fail::new("label is not valid UTF-8", span))
    }

    pub(super) fn attribute(&mut self) -> Attribute {
        let token = self.bump();
        Attribute { text: self.shared(token.span), span: token.span }
    }

    pub(super) fn ident(&mut self) -> Parsed<Ident> {
        let token = self.expect(Kind::Ident, "identifier")?;
        Ok(Ident { name: self.shared(token.span), span: token.span })
    }

    fn field_or_embed(&mut self) -> Parsed<DeclKind> {
        let save = (self.at, self.comment);
        let start = self.span();
        if let Some(head) = self.field_head()? {
            return self.field_rest(head).map(DeclKind::Field);
        }
        (self.at, self.comment) = save;
        // `X = expr` at declaration level is the old alias form.
        if self.kind() == Kind::Ident && self.kind_at(1) == Kind::Assign {
            let name = self.ident()?;
            self.bump();
            let value = self.expr()?;
            let span = self.since(start);
            return Ok(DeclKind::Embed(Expr { kind: ExprKind::Alias(name, Box::new(value)), span }));
        }
        Ok(DeclKind::Embed(self.expr()?))
    }

    /// Reads `alias=label~alias?:` if that is what stands here; otherwise the caller rewinds.
    fn field_head(&mut self) -> Parsed<Option<Box<Field>>> {
        let mut alias = None;
        if self.kind() == Kind::Ident && self.kind_at(1) == Kind::Assign {
            alias = Some(self.ident()?);
            self.bump();
        }
        let Some(label) = self.label()? else { return Ok(None) };
        let postfix = if self.kind() == Kind::Tilde { Some(Box::new(self.postfix_alias()?)) } else { None };
        let constraint = match (self.kind(), self.kind_at(1)) {
            (Kind::Question, Kind::Colon) => {
                self.bump();
                Constraint::Optional
            }
            (Kind::Bang, Kind::Colon) => {
                self.bump();
                Constraint::Required
            }
            _ => Constraint::Member,
        };
        if !self.eat(Kind::Colon) {
            return Ok(None);
        }
        let value = Expr { kind: ExprKind::Bottom, span: Span::default() };
        Ok(Some(Box::new(Field { alias, postfix, label, constraint, value, attrs: Vec::new() })))
    }

    fn postfix_alias(&mut self) -> Parsed<PostfixAlias> {
        self.bump();
        if !self.eat(Kind::LParen) {
            return Ok(PostfixAlias { label: None, value: Some(self.ident()?) });
        }
        let label = self.ident()?;
        self.expect(Kind::Comma, "','")?;
        let value = self.ident()?;
        self.expect(Kind::RParen, "')'")?;
        let named = |i: Ident| if i.name == "_" { None } else { Some(i) };
        Ok(PostfixAlias { label: named(label), value: named(value) })
    }

    fn label(&mut self) -> Parsed<Option<Label>> {
        let start = self.span();
        match self.kind() {
            Kind::Ident => {
                if !self.label_end(1) {
                    return Ok(None);
                }
                Ok(Some(Label::Ident(self.ident()?)))
            }
            Kind::Str => {
                if !self.label_end(1)
                    || self.slice(start).contains('\'') && self.slice(start).starts_with('\'')
                {
                    return Ok(None);
                }
                self.bump();
                let text = self.shared(start);
                Ok(Some(Label::Str(Literal { kind: LiteralKind::Str, text, span: start })))
            }
            Kind::Int | Kind::Float if self.label_end(1) => {
                self.bump();
                let text = self.shared(start);
                Ok(Some(Label::Str(Literal { kind: LiteralKind::Int, text, span: start })))
            }
            Kind::StrStart => match self.interpolation()? {
                Expr { kind: ExprKind::Interpolation(i), .. } if self.label_end(0) => {
                    Ok(Some(Label::Interpolation(i)))
                }
                _ => Ok(None),
            },
            Kind::LParen | Kind::LBrack if self.bracketed_label_ahead() => {
                self.bracketed_label(start).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn label_end(&self, ahead: usize) -> bool {
        match self.kind_at(ahead) {
            Kind::Colon | Kind::Tilde => true,
            Kind::Question | Kind::Bang => self.kind_at(ahead + 1) == Kind::Colon,
            _ => false,
        }
    }

    /// Whether the bracket here closes right before a `:` (that is, begins a label).
    fn bracketed_label_ahead(&self) -> bool {
        let mut depth = 0_usize;
        for ahead in 0.. {
            match self.kind_at(ahead) {
                Kind::LParen | Kind::LBrack | Kind::LBrace | Kind::StrStart => depth += 1,
                Kind::RParen | Kind::RBrack | Kind::RBrace | Kind::StrEnd => {
                    depth -= 1;
                    if depth == 0 {
                        return self.label_end(ahead + 1);
                    }
                }
                Kind::Eof => return false,
                _ => {}
            }
        }
        false
    }

    fn bracketed_label(&mut self, start: Span) -> Parsed<Label> {
        if self.eat(Kind::LParen) {
            let expr = self.expr()?;
            self.expect(Kind::RParen, "')'")?;
            return Ok(Label::Paren(Box::new(expr), self.since(start)));
        }
        self.bump();
        let mut alias = None;
        if self.kind() == Kind::Ident && self.kind_at(1) == Kind::Assign {
            alias = Some(self.ident()?);
            self.bump();
        }
        let expr = if self.comprehension_ahead() {
            return Err(Fail::new("comprehension values not allowed in this position", self.span()));
        } else {
            self.expr()?
        };
        self.eat(Kind::Comma);
        if self.kind() != Kind::RBrack {
            return self.fail("']'");
        }
        self.bump();
        Ok(Label::Pattern(alias, Box::new(expr), self.since(start)))
    }

    fn field_rest(&mut self, mut field: Box<Field>) -> Parsed<Box<Field>> {
        field.value = self.field_value()?;
        let chained = matches!(&field.value.kind, ExprKind::Struct(s) if s.implicit);
        while !chained && self.kind() == Kind::Attribute {
            field.attrs.push(self.attribute());
        }
        Ok(field)
    }

    /// The value after a colon: another `label:` makes an implicit struct.
    fn field_value(&mut self) -> Parsed<Expr> {
        let save = (self.at, self.comment);
        let start = self.span();
        if let Some(head) = self.field_head()? {
            let field = self.nested(|p| p.field_rest(head))?;
            let span = self.since(start);
            let decl = Decl { kind: DeclKind::Field(field), span, comments: Comments::default() };
            return Ok(Expr { kind: ExprKind::Struct(Box::new(implicit(decl, span))), span });
        }
        (self.at, self.comment) = save;
        if self.kind() == Kind::Ident && self.kind_at(1) == Kind::Assign {
            let name = self.ident()?;
            self.bump();
            let value = self.expr()?;
            return Ok(Expr { kind: ExprKind::Alias(name, Box::new(value)), span: self.since(start) });
        }
        self.expr()
    }
}

fn implicit(decl: Decl, span: Span) -> Struct {
    Struct { decls: vec![decl], implicit: true, multiline: false, trailing: Vec::new(), span }
}

pub(super) fn trailing_of(comments: Comments) -> Vec<Text> {
    let mut doc = comments.doc;
    while doc.last().is_some_and(|line| line.is_empty()) {
        doc.pop();
    }
    if comments.blank_before && !doc.is_empty() {
        doc.insert(0, Text::default());
    }
    doc
}
