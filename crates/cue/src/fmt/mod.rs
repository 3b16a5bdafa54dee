//! The formatter: one canonical layout, comments kept.

mod expr;

use crate::error::Errors;
use crate::syntax::ast::{
    Attribute, Comments, Constraint, Decl, DeclKind, Expr, ExprKind, Field, File, Label,
};
use crate::syntax::{Text, parse};

/// Formats source text. Formatting the result again changes nothing.
///
/// # Errors
/// The text does not parse.
///
/// ```
/// assert_eq!(cue::fmt::format("a.cue", "a:1\nbcd:  2\n").unwrap(), "a:   1\nbcd: 2\n");
/// ```
pub fn format(name: &str, text: &str) -> Result<String, Errors> {
    Ok(file(&parse(name, text)?))
}

/// Formats a syntax tree.
#[must_use]
pub fn file(file: &File) -> String {
    let mut p = Printer { out: String::new(), level: 0 };
    let leading = file.package.is_some();
    let (before, rest): (Vec<&Decl>, Vec<&Decl>) =
        file.decls.iter().partition(|d| leading && before_package(file, d));
    for decl in &before {
        p.decl_lines(decl, "");
    }
    if let Some(package) = &file.package {
        if !before.is_empty() && file.package_comments.blank_before {
            p.out.push('\n');
        }
        p.docs(&file.package_comments);
        p.out.push_str(&format!("package {}", package.name));
        p.line_comment(&file.package_comments);
        p.out.push('\n');
        if rest.iter().any(|_| true) || !file.trailing.is_empty() {
            p.out.push('\n');
        }
    }
    p.decls(&rest);
    p.trailing(&file.trailing);
    while p.out.ends_with("\n\n") {
        p.out.pop();
    }
    p.out
}

fn before_package(file: &File, decl: &Decl) -> bool {
    file.package.as_ref().is_some_and(|p| decl.span.start < p.span.start)
}

struct Printer {
    out: String,
    level: usize,
}

impl Printer {
    fn indent(&mut self) {
        for _ in 0..self.level {
            self.out.push('\t');
        }
    }

    fn docs(&mut self, comments: &Comments) {
        for line in &comments.doc {
            if !line.is_empty() {
                self.indent();
                self.out.push_str(line);
            }
            self.out.push('\n');
        }
    }

    fn trailing(&mut self, lines: &[Text]) {
        for (i, line) in lines.iter().enumerate() {
            if line.is_empty() && i == 0 && (self.out.is_empty() || self.out.ends_with("\n\n")) {
                continue;
            }
            if !line.is_empty() {
                self.indent();
                self.out.push_str(line);
            }
            self.out.push('\n');
        }
    }

    fn line_comment(&mut self, comments: &Comments) {
        if let Some(line) = &comments.line {
            self.out.push(' ');
            self.out.push_str(line);
        }
    }

    /// Declarations, one or more lines each, values of neighbouring one-line fields aligned.
    fn decls(&mut self, list: &[&Decl]) {
        let mut i = 0;
        while i < list.len() {
            let end = self.section(list, i);
            let width = list[i..end].iter().filter_map(|d| self.label_of(d)).map(|l| l.chars().count()).max();
            for (n, decl) in list[i..end].iter().enumerate() {
                if (n > 0 || i > 0) && decl.comments.blank_before && !self.out.ends_with("\n\n") {
                    self.out.push('\n');
                }
                let pad = match (self.label_of(decl), width) {
                    (Some(label), Some(width)) if end - i > 1 => " ".repeat(width - label.chars().count()),
                    _ => String::new(),
                };
                self.decl_lines(decl, &pad);
            }
            i = end;
        }
    }

    /// The end of the run of one-line fields that begins at `i`.
    fn section(&self, list: &[&Decl], i: usize) -> usize {
        let mut end = i + 1;
        if self.label_of(list[i]).is_none() {
            return end;
        }
        while end < list.len()
            && self.label_of(list[end]).is_some()
            && !list[end].comments.blank_before
            && list[end].comments.doc.is_empty()
        {
            end += 1;
        }
        end
    }

    /// The label of a field that fits on one line.
    fn label_of(&self, decl: &Decl) -> Option<String> {
        let DeclKind::Field(field) = &decl.kind else { return None };
        if matches!(&field.value.kind, ExprKind::Struct(s) if s.implicit) {
            return None;
        }
        let mut p = Printer { out: String::new(), level: self.level };
        p.expr(&field.value, 0);
        if p.out.contains('\n') {
            return None;
        }
        Some(label(field))
    }

    fn decl_lines(&mut self, decl: &Decl, pad: &str) {
        self.docs(&decl.comments);
        self.indent();
        self.decl(decl, pad);
        self.line_comment(&decl.comments);
        self.out.push('\n');
    }

    fn decl(&mut self, decl: &Decl, pad: &str) {
        match &decl.kind {
            DeclKind::Import(list, grouped) => self.imports(list, *grouped),
            DeclKind::Field(f) => self.field(f, pad),
            DeclKind::Let(name, value) => {
                self.out.push_str(&format!("let {} = ", name.name));
                self.expr(value, 0);
            }
            DeclKind::Embed(e) => self.expr(e, 0),
            DeclKind::Ellipsis(value) => {
                self.out.push_str("...");
                if let Some(value) = value {
                    self.expr(value, 0);
                }
            }
            DeclKind::Attribute(a) => self.out.push_str(&a.text),
        }
    }

    fn imports(&mut self, list: &[crate::syntax::ast::Import], grouped: bool) {
        let spec = |i: &crate::syntax::ast::Import| {
            let path = crate::syntax::literal::quote(&i.path);
            i.name.as_ref().map_or_else(|| path.clone(), |n| format!("{} {path}", n.name))
        };
        if !grouped {
            self.out.push_str(&format!("import {}", list.first().map_or_else(String::new, spec)));
            return;
        }
        self.out.push_str("import (\n");
        self.level += 1;
        for (n, import) in list.iter().enumerate() {
            if n > 0 && import.comments.blank_before {
                self.out.push('\n');
            }
            self.docs(&import.comments);
            self.indent();
            self.out.push_str(&spec(import));
            self.line_comment(&import.comments);
            self.out.push('\n');
        }
        self.level -= 1;
        self.indent();
        self.out.push(')');
    }

    fn field(&mut self, field: &Field, pad: &str) {
        let label = label(field);
        self.out.push_str(&label);
        self.out.push_str(pad);
        self.out.push(' ');
        self.chained(&field.value);
        self.attributes(&field.attrs);
    }

    /// A field's value; an implicit struct goes on in the same line.
    fn chained(&mut self, value: &Expr) {
        match &value.kind {
            ExprKind::Struct(s) if s.implicit => {
                if let Some(DeclKind::Field(inner)) = s.decls.first().map(|d| &d.kind) {
                    self.field(inner, "");
                }
            }
            _ => self.expr(value, 0),
        }
    }

    /// `X=value`, with a space where the value itself begins with `=`.
    fn aliased(&mut self, name: &str, value: &Expr) {
        self.out.push_str(name);
        self.out.push('=');
        let at = self.out.len();
        self.expr(value, 0);
        if self.out[at..].starts_with('=') {
            self.out.insert(at, ' ');
        }
    }

    fn attributes(&mut self, attrs: &[Attribute]) {
        for attr in attrs {
            self.out.push(' ');
            self.out.push_str(&attr.text);
        }
    }
}

/// A field's label with its alias, constraint and colon.
fn label(field: &Field) -> String {
    let mut p = Printer { out: String::new(), level: 0 };
    if let Some(alias) = &field.alias {
        p.out.push_str(&format!("{}=", alias.name));
    }
    match &field.label {
        Label::Ident(i) => p.out.push_str(&i.name),
        Label::Str(l) => p.out.push_str(&l.text),
        Label::Interpolation(i) => p.interpolation(i),
        Label::Paren(e, _) => {
            p.out.push('(');
            p.expr(e, 0);
            p.out.push(')');
        }
        Label::Pattern(alias, e, _) => {
            p.out.push('[');
            match alias {
                Some(alias) => p.aliased(&alias.name, e),
                None => p.expr(e, 0),
            }
            p.out.push(']');
        }
    }
    if let Some(postfix) = &field.postfix {
        let name =
            |i: &Option<crate::syntax::ast::Ident>| i.as_ref().map_or("_", |i| i.name.as_str()).to_owned();
        match &postfix.label {
            None => p.out.push_str(&format!("~{}", name(&postfix.value))),
            Some(_) => p.out.push_str(&format!("~({}, {})", name(&postfix.label), name(&postfix.value))),
        }
    }
    p.out.push_str(match field.constraint {
        Constraint::Member => ":",
        Constraint::Optional => "?:",
        Constraint::Required => "!:",
    });
    p.out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatting_twice_is_formatting_once() {
        let cases = [
            "a:1\nbc:  2 // two\n\n// doc\nd: {x: 1, y: [1,2,3]}\n",
            "package p\nimport \"list\"\nx: list.Max([1,\n 2,\n])\n// end\n",
            "a: b: c: {\n// inner\nd: 1\n\n\n// last\n}\n",
            "#D: {name!: string, [=~\"^x\"]: int, ...}\nfor k, v in #D if v > 1 {\"\\(k)\": v}\n",
            " i2n.cO*[itit--nn-- hz],  //  after the list\n",
            "a: [1, 2] // after\nb: [1, // one\n2] // two\nc: f([1], {x: [2]}) // three\n",
            "@if(a)\n\n// about\npackage p\nx: 1\n",
            "[X= =~\"foo\"]: {a: Y= ==1}\n",
            "x: *1 | (2 & int)\ny: -x\nz: [for i in [1] {i}, ...int]\nlet q = x[1:2]\n",
        ];
        for case in cases {
            let once = format("t.cue", case).unwrap();
            assert_eq!(format("t.cue", &once).unwrap(), once, "{case}");
        }
    }

    #[test]
    fn a_file_attribute_keeps_its_distance_from_the_package() {
        for text in
            ["@if(a)\n\npackage p\n", "@if(a)\npackage p\n", "@if(a)\n\n// about\npackage p\n\nx: 1\n"]
        {
            assert_eq!(format("t.cue", text).unwrap(), text);
        }
    }
}
