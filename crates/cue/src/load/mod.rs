//! Packages: which files belong together, what an import path stands for, and what attributes put in.

mod attributes;
mod embed;
mod tags;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::builtin;
use crate::compile::{self, Imported, Unit};
use crate::error::{Code, Error, Errors};
use crate::program::{PackageIr, Program};
use crate::session::Options;
use crate::syntax::ast::{DeclKind, File};
use crate::syntax::parse;
use tags::Tags;

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

    /// The names in a directory, directories with a `/` behind; an empty list when there is none. For `@embed(glob=...)`.
    ///
    /// # Errors
    /// The directory exists and cannot be read.
    fn list(&self, dir: &str) -> Result<Vec<String>, String>;

    /// The directory in the module that holds a file of the main package, which has the name it was given by.
    ///
    /// # Errors
    /// The file is in no module.
    fn directory(&self, file: &str) -> Result<String, String> {
        Ok(parent(file).to_owned())
    }
}

fn parent(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(parent, _)| parent)
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

    fn list(&self, dir: &str) -> Result<Vec<String>, String> {
        let below = self.0.keys().filter_map(|path| match dir {
            "" => Some(path.as_str()),
            _ => path.strip_prefix(dir)?.strip_prefix('/'),
        });
        let names: BTreeSet<String> = below
            .map(|path| path.split_once('/').map_or_else(|| path.to_owned(), |(name, _)| format!("{name}/")))
            .collect();
        Ok(names.into_iter().collect())
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

/// What became of the main package.
pub(crate) struct Compiled {
    pub(crate) package: u32,
    pub(crate) errors: Vec<Error>,
    /// Tags that nothing took, and what is to be said about each.
    pub(crate) unused: Vec<String>,
    pub(crate) unknown: Vec<Error>,
}

/// Compiles packages, the main one and those it imports.
pub(crate) struct Compiler<'a> {
    loader: &'a dyn Loader,
    module: String,
    tags: Tags<'a>,
    done: HashMap<String, u32>,
    busy: Vec<String>,
    errors: Vec<Error>,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(loader: &'a dyn Loader, options: &'a Options) -> Self {
        let module = loader.file("cue.mod/module.cue").ok().and_then(|t| module_path(&t)).unwrap_or_default();
        let tags = Tags::new(&options.tags, options.variables.as_ref());
        Self { loader, module, tags, done: HashMap::new(), busy: Vec::new(), errors: Vec::new() }
    }

    /// Compiles the main package; compile errors are gathered, the rest of the program still stands.
    pub(crate) fn main(mut self, program: &mut Program, files: &[SourceFile]) -> Compiled {
        let package = self.package(program, files, true);
        let unused = self.tags.unused();
        let unknown = unused.iter().map(|tag| self.tags.unknown(tag)).collect();
        Compiled { package, errors: self.errors, unused, unknown }
    }

    fn package(&mut self, program: &mut Program, files: &[SourceFile], main: bool) -> u32 {
        let id = u32::try_from(program.packages.len()).unwrap_or(u32::MAX);
        program.packages.push(PackageIr { files: Vec::new() });
        let mut kept: Vec<(Cow<'_, File>, Arc<str>)> = Vec::new();
        for source in files {
            match self.tags.wanted(source) {
                Ok(true) => kept.push((self.prepared(source, main), source.text.clone())),
                Ok(false) => {}
                Err(error) => self.errors.push(error),
            }
        }
        if kept.is_empty() && self.errors.is_empty() {
            let names: Vec<&str> = files.iter().map(|f| f.file.name.as_str()).collect();
            let message = format!("every file is left out by its @if or @ignore: {}", names.join(", "));
            self.errors.push(Error::new(Code::Compile, message));
        }
        let units: Vec<Unit<'_>> =
            kept.iter().map(|(file, text)| Unit { file, text: text.clone() }).collect();
        for unit in &units {
            program.short_circuit |= compile::has_experiment(unit.file, "shortcircuit");
        }
        let mut resolve = |program: &mut Program, path: &str| self.import(program, path);
        let (package, errors) = compile::package(program, &units, id + 1, &mut resolve);
        program.packages[id as usize] = package;
        self.errors.extend(errors);
        id
    }

    /// A file with the values that its `@tag` and `@embed` put in. Tags reach the main package only.
    fn prepared<'f>(&mut self, source: &'f SourceFile, main: bool) -> Cow<'f, File> {
        let name = &source.file.name;
        let tagged = if main { self.tags.inject(source, &mut self.errors) } else { None };
        let directory = if main { self.loader.directory(name) } else { Ok(parent(name).to_owned()) };
        let done = embed::embed(source, tagged, directory, self.loader, &mut self.errors);
        done.map_or(Cow::Borrowed(&source.file), Cow::Owned)
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
            let near = builtin::nearest_package(path);
            let hint = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            return Err(format!("builtin package {path:?} undefined{hint}"));
        }
        if let Some(start) = self.busy.iter().position(|p| p == path) {
            let round: Vec<String> = self.busy[start..].iter().map(|p| format!("{p:?} imports ")).collect();
            return Err(format!("import cycle not allowed: {}{path:?}", round.concat()));
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
            sources.retain(|s| s.file.package.as_ref().map(|p| p.name.as_str()) == wanted.as_deref());
            if sources.is_empty() {
                continue;
            }
            self.busy.push(path.to_owned());
            let id = self.package(program, &sources, false);
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
    let names: Vec<&str> =
        sources.iter().filter_map(|s| s.file.package.as_ref().map(|p| p.name.as_str())).collect();
    if names.contains(&base) {
        return Some(base.to_owned());
    }
    names.first().map(|n| (*n).to_owned())
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

/// An error for a package that has none of the files asked for.
pub(crate) fn no_files(dir: &str) -> Errors {
    Errors::one(Error::new(Code::Compile, format!("no CUE files in {dir:?}")))
}
