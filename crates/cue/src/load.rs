//! Packages: which files belong together, and what an import path stands for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::builtin;
use crate::compile::{self, Imported, Unit};
use crate::error::{Code, Error, Errors};
use crate::program::{PackageIr, Program};
use crate::syntax::ast::{DeclKind, File};
use crate::syntax::parse;

/// Where source files come from. Paths are relative to the module root, with `/`.
pub trait Loader {
    /// The `.cue` files of a directory, as (path, text); an empty list when there is none.
    ///
    /// # Errors
    /// The directory exists and cannot be read.
    fn cue_files(&self, dir: &str) -> Result<Vec<(String, String)>, String>;

    /// Any other file, for `@embed` and data.
    ///
    /// # Errors
    /// The file does not exist or cannot be read.
    fn file(&self, path: &str) -> Result<Vec<u8>, String>;
}

/// Files held in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryLoader(pub BTreeMap<String, String>);

impl Loader for MemoryLoader {
    fn cue_files(&self, dir: &str) -> Result<Vec<(String, String)>, String> {
        let files = self.0.iter().filter(|(path, _)| {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            parent == dir && name.ends_with(".cue")
        });
        Ok(files.map(|(p, t)| (p.clone(), t.clone())).collect())
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.get(path).map(|t| t.clone().into_bytes()).ok_or_else(|| format!("no file {path}"))
    }
}

/// A parsed source file with its text.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The syntax tree.
    pub file: File,
    /// The text it was parsed from.
    pub text: Arc<str>,
}

impl SourceFile {
    /// Parses a file.
    ///
    /// # Errors
    /// As [`parse`].
    pub fn new(name: &str, text: &str) -> Result<Self, Errors> {
        Ok(Self { file: parse(name, text)?, text: text.into() })
    }
}

/// Compiles packages, the main one and those it imports.
pub(crate) struct Compiler<'a> {
    loader: &'a dyn Loader,
    module: String,
    tags: &'a [String],
    done: HashMap<String, u32>,
    busy: Vec<String>,
    errors: Vec<Error>,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(loader: &'a dyn Loader, tags: &'a [String]) -> Self {
        let module = loader.file("cue.mod/module.cue").ok().and_then(|t| module_path(&t)).unwrap_or_default();
        Self { loader, module, tags, done: HashMap::new(), busy: Vec::new(), errors: Vec::new() }
    }

    /// Compiles the main package; compile errors are gathered, the rest of the program still stands.
    pub(crate) fn main(mut self, program: &mut Program, files: &[SourceFile]) -> (u32, Vec<Error>) {
        let id = self.package(program, files);
        (id, self.errors)
    }

    fn package(&mut self, program: &mut Program, files: &[SourceFile]) -> u32 {
        let id = u32::try_from(program.packages.len()).unwrap_or(u32::MAX);
        program.packages.push(PackageIr { files: Vec::new() });
        let kept: Vec<&SourceFile> = files.iter().filter(|f| self.wanted(&f.file)).collect();
        let units: Vec<Unit<'_>> =
            kept.iter().map(|f| Unit { file: &f.file, text: f.text.clone() }).collect();
        for unit in &units {
            program.short_circuit |= has_experiment(unit.file, "shortcircuit");
        }
        let mut resolve = |program: &mut Program, path: &str| self.import(program, path);
        let (package, errors) = compile::package(program, &units, id + 1, &mut resolve);
        program.packages[id as usize] = package;
        self.errors.extend(errors);
        id
    }

    /// Whether `@if` lets a file take part.
    fn wanted(&self, file: &File) -> bool {
        file.decls.iter().all(|d| match &d.kind {
            DeclKind::Attribute(a) if a.name() == "if" => holds(a.body(), self.tags),
            DeclKind::Attribute(a) if a.name() == "ignore" => false,
            _ => true,
        })
    }

    fn import(&mut self, program: &mut Program, path: &str) -> Result<Imported, String> {
        if let Some(package) = builtin::package_index(path) {
            return Ok(Imported::Builtin(package));
        }
        if let Some(id) = self.done.get(path) {
            return Ok(Imported::Package(*id));
        }
        let (location, package) = match path.rsplit_once(':') {
            Some((location, package)) => (location, Some(package.to_owned())),
            None => (path, None),
        };
        if !location.split('/').next().unwrap_or("").contains('.') {
            return Err(format!("builtin package {path:?} undefined"));
        }
        if self.busy.iter().any(|p| p == path) {
            return Err(format!("import cycle through {path:?}"));
        }
        let dirs = self.directories(location)?;
        for dir in dirs {
            let mut sources = Vec::new();
            for (name, text) in self.loader.cue_files(&dir)? {
                let base = name.rsplit('/').next().unwrap_or(&name);
                if base.ends_with("_test.cue") || base.ends_with("_tool.cue") || base.starts_with(['_', '.'])
                {
                    continue;
                }
                let source = SourceFile::new(&name, &text).map_err(|e| e.to_string())?;
                sources.push(source);
            }
            let wanted = package.clone().or_else(|| default_package(location, &sources));
            sources.retain(|s| s.file.package.as_ref().map(|p| &p.name) == wanted.as_ref());
            if sources.is_empty() {
                continue;
            }
            self.busy.push(path.to_owned());
            let id = self.package(program, &sources);
            self.busy.pop();
            self.done.insert(path.to_owned(), id);
            return Ok(Imported::Package(id));
        }
        Err(format!(
            "cannot find package {path:?}: it is neither in this module nor vendored in cue.mod (registries are not used)"
        ))
    }

    /// The directories an import path may be in, relative to the module root.
    fn directories(&self, location: &str) -> Result<Vec<String>, String> {
        if location.split('/').any(|part| part == ".." || part == "." || part.is_empty())
            || location.contains('\\')
        {
            return Err(format!("invalid import path {location:?}"));
        }
        let mut dirs = Vec::new();
        let module = self.module.split('@').next().unwrap_or("");
        let plain = location.split('@').next().unwrap_or(location);
        if !module.is_empty() {
            if plain == module {
                dirs.push(String::new());
            } else if let Some(rest) = plain.strip_prefix(module).and_then(|r| r.strip_prefix('/')) {
                dirs.push(rest.to_owned());
            }
        }
        for root in ["cue.mod/gen", "cue.mod/usr", "cue.mod/pkg"] {
            dirs.push(format!("{root}/{plain}"));
        }
        Ok(dirs)
    }
}

/// The package meant by an import without a `:name`.
fn default_package(location: &str, sources: &[SourceFile]) -> Option<String> {
    let base = location.rsplit('/').next().unwrap_or(location);
    let base = base.split('@').next().unwrap_or(base);
    let names: Vec<&String> =
        sources.iter().filter_map(|s| s.file.package.as_ref().map(|p| &p.name)).collect();
    if names.iter().any(|n| *n == base) {
        return Some(base.to_owned());
    }
    names.first().map(|n| (*n).clone())
}

fn module_path(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let file = parse("cue.mod/module.cue", text).ok()?;
    file.decls.iter().find_map(|d| {
        let DeclKind::Field(field) = &d.kind else { return None };
        let crate::syntax::ast::Label::Ident(name) = &field.label else { return None };
        let crate::syntax::ast::ExprKind::Literal(lit) = &field.value.kind else { return None };
        (name.name == "module").then(|| compile::decode_label(&lit.text)).flatten()
    })
}

fn has_experiment(file: &File, name: &str) -> bool {
    file.decls.iter().any(|d| match &d.kind {
        DeclKind::Attribute(a) => a.name() == "experiment" && a.body().split(',').any(|n| n.trim() == name),
        _ => false,
    })
}

/// Evaluates the boolean expression of `@if`.
fn holds(body: &str, tags: &[String]) -> bool {
    let body = body.trim();
    if let Some((a, b)) = body.split_once("||") {
        return holds(a, tags) || holds(b, tags);
    }
    if let Some((a, b)) = body.split_once("&&") {
        return holds(a, tags) && holds(b, tags);
    }
    match body.strip_prefix('!') {
        Some(rest) => !holds(rest, tags),
        None => tags.iter().any(|t| t == body.trim_matches(['(', ')'])),
    }
}

/// An error for a package that has none of the files asked for.
pub(crate) fn no_files(dir: &str) -> Errors {
    Errors::one(Error::new(Code::Compile, format!("no CUE files in {dir:?}")))
}
