//! Syntax trees to the compiled form: every name is resolved to a scope here.

mod expr;
mod lets;
mod scope;

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Code, Error};
use crate::program::{DeclIr, Ir, Label, PackageIr, Program, Source, StructIr};
use crate::syntax::ast::{self, DeclKind, Expr, ExprKind, Field, File, Span};
use crate::syntax::literal;
use crate::value::{ExprId, Value};
use scope::{Name, Scope};

/// What an import path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Imported {
    /// A package of the standard library, by index.
    Builtin(u32),
    /// A compiled package, by index into `Program::packages`.
    Package(u32),
    /// Nothing that was found; the import has its error, and what uses it needs none.
    Missing,
}

/// An import of the file being compiled.
#[derive(Clone, Debug)]
struct Import {
    what: Imported,
    path: String,
    /// Its name, where that is given and not the package's own.
    name: Option<String>,
    span: Span,
    used: bool,
}

/// Resolves import paths while a package is compiled.
pub(crate) type Resolve<'a> = dyn FnMut(&mut Program, &str) -> Result<Imported, String> + 'a;

/// A file to compile, with its text for positions.
pub(crate) struct Unit<'a> {
    pub(crate) file: &'a File,
    pub(crate) text: Arc<str>,
}

/// Compiles the files of one package.
pub(crate) fn package(
    program: &mut Program,
    units: &[Unit<'_>],
    package: u32,
    resolve: &mut Resolve<'_>,
) -> (PackageIr, Vec<Error>) {
    let mut compiler = Compiler {
        program,
        package,
        source: 0,
        scopes: Vec::new(),
        errors: Vec::new(),
        lets: lets::Graph::default(),
        resolve,
        imports: HashMap::new(),
        explicit_open: false,
    };
    let mut shared = Scope::strukt();
    for unit in units {
        compiler.declare_fields(&unit.file.decls, &mut shared);
    }
    let mut files = Vec::new();
    for unit in units {
        files.push(compiler.file(unit, &shared));
    }
    compiler.break_let_cycles();
    let errors = compiler.errors;
    (PackageIr { files }, errors)
}

/// Compiles one expression in the scope of a package's files.
pub(crate) fn expression(
    program: &mut Program,
    units: &[Unit<'_>],
    package: u32,
    expr: &Expr,
    text: Arc<str>,
) -> (ExprId, Vec<Error>) {
    let source = u32::try_from(program.sources.len()).unwrap_or(u32::MAX);
    program.sources.push(Source::new("-e", text));
    let mut refuse = |_: &mut Program, path: &str| Err(format!("cannot import {path} in an expression"));
    let mut compiler = Compiler {
        program,
        package,
        source,
        scopes: Vec::new(),
        errors: Vec::new(),
        lets: lets::Graph::default(),
        resolve: &mut refuse,
        imports: HashMap::new(),
        explicit_open: false,
    };
    let mut shared = Scope::strukt();
    for unit in units {
        compiler.declare_fields(&unit.file.decls, &mut shared);
    }
    compiler.scopes.push(shared);
    let id = compiler.expr(expr);
    (id, compiler.errors)
}

/// Whether a file asks for a feature of the language that is not settled.
pub(crate) fn has_experiment(file: &ast::File, name: &str) -> bool {
    file.decls.iter().any(|d| match &d.kind {
        DeclKind::Attribute(a) => a.name() == "experiment" && a.body().split(',').any(|n| n.trim() == name),
        _ => false,
    })
}

struct Compiler<'a, 'r> {
    program: &'a mut Program,
    package: u32,
    source: u32,
    scopes: Vec<Scope>,
    errors: Vec<Error>,
    lets: lets::Graph,
    resolve: &'a mut Resolve<'r>,
    imports: HashMap<String, Import>,
    /// The file may say which structs are closed below.
    explicit_open: bool,
}

impl Compiler<'_, '_> {
    fn push(&mut self, ir: Ir, span: Span) -> ExprId {
        self.program.push(ir, self.source, span)
    }

    /// Records a compile error and stands an error value in for the expression.
    fn fail(&mut self, message: impl Into<String>, span: Span) -> ExprId {
        let message = message.into();
        let source = &self.program.sources[self.source as usize];
        let position = source.position(span.start);
        self.errors.push(Error::new(Code::Compile, message.clone()).at(position));
        self.broken(message, span)
    }

    /// An error value, without an error of the compilation.
    fn broken(&mut self, message: String, span: Span) -> ExprId {
        let id = self.push(Ir::Value(Value::Null), span);
        let mut bottom = crate::value::Bottom::new(Code::Eval, message);
        bottom.at.push(id);
        self.program.exprs[id as usize] = Ir::Value(Value::Bottom(Arc::new(bottom)));
        id
    }

    fn file(&mut self, unit: &Unit<'_>, shared: &Scope) -> ExprId {
        self.source = u32::try_from(self.program.sources.len()).unwrap_or(u32::MAX);
        self.program.sources.push(Source::new(unit.file.name.as_str(), unit.text.clone()));
        self.imports.clear();
        self.explicit_open = has_experiment(unit.file, "explicitopen");
        for decl in &unit.file.decls {
            if let DeclKind::Import(list, _) = &decl.kind {
                for import in list {
                    self.import(import);
                }
            }
        }
        let mut scope = shared.clone();
        self.declare_locals(&unit.file.decls, &mut scope);
        let span = unit.file.decls.first().map_or_else(Span::default, |d| d.span);
        let id = self.struct_in(&unit.file.decls, scope, span);
        self.refuse_unused_imports();
        id
    }

    fn import(&mut self, import: &ast::Import) {
        let (path, package) = match import.path.rsplit_once(':') {
            Some((path, name)) => (path, Some(name)),
            None => (import.path.as_str(), None),
        };
        let base = path.rsplit('/').next().unwrap_or(path);
        let base = base.split('@').next().unwrap_or(base);
        let name =
            import.name.as_ref().map_or_else(|| package.unwrap_or(base), |i| i.name.as_str()).to_owned();
        let what = match (self.resolve)(self.program, &import.path) {
            Ok(found) => found,
            Err(message) => {
                self.fail(message, import.span);
                Imported::Missing
            }
        };
        let given = import.name.as_ref().map(|i| i.name.to_string());
        let path = import.path.clone();
        self.imports.insert(name, Import { what, path, name: given, span: import.span, used: false });
    }

    /// What an imported name stands for, which is used now.
    fn imported(&mut self, name: &str) -> Option<Imported> {
        let import = self.imports.get_mut(name)?;
        import.used = true;
        Some(import.what)
    }

    /// Refuses the imports that the file does not use.
    fn refuse_unused_imports(&mut self) {
        let imports = std::mem::take(&mut self.imports).into_values();
        let mut unused: Vec<Import> =
            imports.filter(|import| !import.used && import.what != Imported::Missing).collect();
        unused.sort_by_key(|import| import.span.start);
        for import in unused {
            let named = import.name.map(|name| format!(" as {name}")).unwrap_or_default();
            self.fail(format!("imported and not used: {:?}{named}", import.path), import.span);
        }
    }

    /// Refuses a `let` or alias that nothing refers to.
    fn refuse_unused(&mut self, local: &scope::Local) {
        self.fail(format!("unreferenced alias or let clause {}", local.name), local.span);
    }

    /// The fields of a declaration list that names can refer to.
    fn declare_fields(&mut self, decls: &[ast::Decl], scope: &mut Scope) {
        for decl in decls {
            let DeclKind::Field(field) = &decl.kind else { continue };
            match &field.label {
                ast::Label::Ident(i) => {
                    let label = self.program.labels.ident(&i.name, self.package);
                    scope.names.entry(i.name.clone()).or_insert(Name::Field(label));
                }
                ast::Label::Str(lit) => {
                    // A quoted label cannot be referred to by name, unless it is a plain one.
                    if let Some(text) = decode_label(&lit.text)
                        && literal::is_plain_label(&text)
                        && !lit.text.starts_with('"')
                    {
                        let label = self.program.labels.string(&text);
                        scope.names.entry(text.into()).or_insert(Name::Field(label));
                    }
                }
                _ => {}
            }
        }
    }

    /// Aliases and `let`s: names that only the file or struct itself sees.
    fn declare_locals(&mut self, decls: &[ast::Decl], scope: &mut Scope) {
        for decl in decls {
            match &decl.kind {
                DeclKind::Let(name, value) => {
                    if name.name == "_" {
                        self.fail("cannot use _ as alias or let clause", name.span);
                        continue;
                    }
                    let id = self.push(Ir::Value(Value::Null), value.span);
                    self.lets.declare(id);
                    scope.names.insert(name.name.clone(), Name::Let(id));
                    scope.local(&name.name, decl.span);
                    scope.lets.push((name.name.clone(), id));
                }
                DeclKind::Field(field) => {
                    let value = field.postfix.as_ref().and_then(|p| p.value.as_ref());
                    for alias in field.alias.iter().chain(value) {
                        if alias.name == "_" {
                            self.fail("cannot use _ as alias or let clause", alias.span);
                            continue;
                        }
                        let name = self.alias_target(field);
                        if let Some(name) = name {
                            scope.names.insert(alias.name.clone(), name);
                            scope.local(&alias.name, alias.span);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn alias_target(&mut self, field: &Field) -> Option<Name> {
        match &field.label {
            ast::Label::Ident(i) => Some(Name::Field(self.program.labels.ident(&i.name, self.package))),
            ast::Label::Str(lit) => {
                decode_label(&lit.text).map(|t| Name::Field(self.program.labels.string(&t)))
            }
            ast::Label::Interpolation(_) | ast::Label::Paren(..) => {
                // Filled in when the field itself is compiled.
                let id = self.push(Ir::Value(Value::Null), field.label.span());
                Some(Name::Dynamic(id))
            }
            // Seen by the field's value only; see `pattern`.
            ast::Label::Pattern(..) => None,
        }
    }

    fn struct_literal(&mut self, decls: &[ast::Decl], span: Span) -> ExprId {
        let mut scope = Scope::strukt();
        self.declare_fields(decls, &mut scope);
        self.declare_locals(decls, &mut scope);
        self.struct_in(decls, scope, span)
    }

    /// Compiles declarations inside `scope`.
    fn struct_in(&mut self, decls: &[ast::Decl], mut scope: Scope, span: Span) -> ExprId {
        if let Some(alias) = scope::take_pending_self(&mut self.scopes) {
            for name in alias {
                scope.names.entry(name).or_insert(Name::SelfValue);
            }
        }
        self.scopes.push(scope);
        let mut ir = StructIr::default();
        for decl in decls {
            self.decl(decl, &mut ir);
        }
        let scope = self.scopes.pop();
        debug_assert!(scope.is_some(), "scopes are pushed and popped in pairs");
        for local in scope.into_iter().flat_map(Scope::unused) {
            self.refuse_unused(&local);
        }
        self.push(Ir::Struct(Arc::new(ir)), span)
    }

    fn decl(&mut self, decl: &ast::Decl, ir: &mut StructIr) {
        match &decl.kind {
            DeclKind::Import(..) | DeclKind::Attribute(_) => {}
            DeclKind::Let(name, value) => self.let_clause(&name.name, value),
            DeclKind::Embed(expr) => {
                ir.has_embed = true;
                let id = self.expr(expr);
                ir.decls.push(DeclIr::Embed(id));
            }
            DeclKind::Ellipsis(value) => {
                if let Some(value) = value {
                    self.expr(value);
                }
                ir.decls.push(DeclIr::Ellipsis);
            }
            DeclKind::Field(field) => self.field(field, ir),
        }
    }

    fn let_clause(&mut self, name: &str, value: &Expr) {
        let Some(id) = self.scopes.last_mut().and_then(|s| s.take_let(name)) else { return };
        let outer = self.lets.enter(id);
        let compiled = self.expr(value);
        self.lets.leave(outer);
        self.program.exprs[id as usize] = self.program.exprs[compiled as usize].clone();
        self.program.spans[id as usize] = self.program.spans[compiled as usize];
    }

    fn field(&mut self, field: &Field, ir: &mut StructIr) {
        ir.has_fields = true;
        match &field.label {
            ast::Label::Ident(i) => {
                if i.name == "_" {
                    let id = self.fail("cannot use _ as label", i.span);
                    ir.decls.push(DeclIr::Embed(id));
                    return;
                }
                let label = self.program.labels.ident(&i.name, self.package);
                self.plain_field(field, label, ir);
            }
            ast::Label::Str(lit) => {
                let Some(text) = decode_label(&lit.text) else {
                    let id = self.fail("invalid label", lit.span);
                    ir.decls.push(DeclIr::Embed(id));
                    return;
                };
                let label = self.program.labels.string(&text);
                self.plain_field(field, label, ir);
            }
            ast::Label::Interpolation(i) => {
                let id = self.interpolation(i);
                self.dynamic_field(field, id, ir);
            }
            ast::Label::Paren(expr, _) => {
                let id = self.expr(expr);
                self.dynamic_field(field, id, ir);
            }
            ast::Label::Pattern(alias, expr, _) => {
                let pattern = self.expr(expr);
                let mut scope = Scope::label();
                if let Some(alias) = alias {
                    scope.names.insert(alias.name.clone(), Name::Label);
                }
                if let Some(key) = field.postfix.as_ref().and_then(|p| p.label.as_ref()) {
                    scope.names.insert(key.name.clone(), Name::Label);
                }
                let value = field.postfix.as_ref().and_then(|p| p.value.as_ref());
                for name in field.alias.iter().chain(value) {
                    scope.names.insert(name.name.clone(), Name::FieldOfLabel);
                }
                let labelled = !scope.names.is_empty() || matches!(field.value.kind, ExprKind::Alias(..));
                if labelled {
                    self.scopes.push(scope);
                }
                let value = self.value(&field.value, Some(Name::FieldOfLabel));
                if labelled {
                    self.scopes.pop();
                }
                ir.decls.push(DeclIr::Pattern(pattern, value, labelled));
            }
        }
    }

    fn plain_field(&mut self, field: &Field, label: Label, ir: &mut StructIr) {
        for attr in &field.attrs {
            ir.attrs.push((label, attr.text.as_str().into()));
        }
        let key = field.postfix.as_ref().and_then(|p| p.label.as_ref());
        if let (Some(key), Some(scope)) = (key, self.scopes.last_mut()) {
            scope.names.insert(key.name.clone(), Name::Constant(label));
        }
        let value = self.value(&field.value, Some(Name::Field(label)));
        ir.decls.push(DeclIr::Field(label, field.constraint, value));
    }

    fn dynamic_field(&mut self, field: &Field, label: ExprId, ir: &mut StructIr) {
        // a label that is the value of a field whose own label is not compiled yet: that one, or one further down
        if let Ir::DynRef(_, inner) = self.program.exprs[label as usize]
            && matches!(self.program.exprs[inner as usize], Ir::Value(Value::Null))
        {
            let error = self.fail("cyclic reference in field alias", field.label.span());
            self.program.exprs[label as usize] = self.program.exprs[error as usize].clone();
        }
        let value_alias = field.postfix.as_ref().and_then(|p| p.value.as_ref());
        for alias in field.alias.iter().chain(value_alias) {
            if let Some(Name::Dynamic(id)) = self.scopes.last().and_then(|s| s.names.get(&alias.name)) {
                let id = *id;
                self.program.exprs[id as usize] = self.program.exprs[label as usize].clone();
                self.program.spans[id as usize] = self.program.spans[label as usize];
            }
        }
        let key = field.postfix.as_ref().and_then(|p| p.label.as_ref());
        if let (Some(key), Some(scope)) = (key, self.scopes.last_mut()) {
            scope.names.insert(key.name.clone(), Name::DynamicLabel(label));
        }
        let value = self.value(&field.value, Some(Name::Dynamic(label)));
        ir.decls.push(DeclIr::Dynamic(label, field.constraint, value));
    }

    /// A field's value, which may begin with `X=`; `this` is how the field itself is referred to.
    fn value(&mut self, expr: &Expr, this: Option<Name>) -> ExprId {
        let ExprKind::Alias(name, inner) = &expr.kind else { return self.expr(expr) };
        if name.name == "_" {
            return self.fail("cannot use _ as alias or let clause", name.span);
        }
        if let ExprKind::Struct(s) = &inner.kind {
            let mut scope = Scope::strukt();
            self.declare_fields(&s.decls, &mut scope);
            self.declare_locals(&s.decls, &mut scope);
            scope.names.entry(name.name.clone()).or_insert(Name::SelfValue);
            scope.local(&name.name, name.span);
            return self.struct_in(&s.decls, scope, inner.span);
        }
        let (Some(scope), Some(this)) = (self.scopes.last_mut(), this) else { return self.expr(inner) };
        let previous = scope.names.insert(name.name.clone(), this);
        scope.local(&name.name, name.span);
        let id = self.expr(inner);
        let Some(scope) = self.scopes.last_mut() else { return id };
        match previous {
            Some(previous) => scope.names.insert(name.name.clone(), previous),
            None => scope.names.remove(&name.name),
        };
        if let Some(unused) = scope.end_local() {
            self.refuse_unused(&unused);
        }
        id
    }
}

/// The text of a label written as a literal.
pub(crate) fn decode_label(text: &str) -> Option<String> {
    if text.starts_with(['"', '#']) {
        return String::from_utf8(literal::unquote(text).ok()?).ok();
    }
    Some(text.to_owned())
}

/// Set in `Ir::DynRef`'s scope count when the label itself is meant, not the field it names.
pub(crate) const LABEL_ONLY: u32 = 1 << 31;
