//! `@embed`: files of the module as values, in files that say `@extern(embed)`.

use super::attributes::{self, Rewrite};
use super::{Loader, SourceFile};
use crate::data::{self, Data};
use crate::error::Error;
use crate::limits;
use crate::syntax::ast::{Attribute, DeclKind, Expr, Field, File};
use crate::syntax::parser::parse_expr;

/// Puts the files named by `@embed` in; `None` when the file has no such attribute.
pub(super) fn embed(
    source: &SourceFile,
    file: Option<File>,
    directory: Result<String, String>,
    loader: &dyn Loader,
    errors: &mut Vec<Error>,
) -> Option<File> {
    if !source.text.contains("@embed(") {
        return file;
    }
    let mut file = file.unwrap_or_else(|| source.file.clone());
    let enabled = file.decls.iter().any(|decl| match &decl.kind {
        DeclKind::Attribute(a) => a.name() == "extern" && a.body().trim() == "embed",
        _ => false,
    });
    let mut embedding = Embedding { source, directory, loader, enabled, bytes: 0, errors };
    attributes::walk(&mut file.decls, None, &mut embedding);
    Some(file)
}

struct Embedding<'s> {
    source: &'s SourceFile,
    /// The directory of the file, in the module.
    directory: Result<String, String>,
    loader: &'s dyn Loader,
    enabled: bool,
    /// What was read so far.
    bytes: usize,
    errors: &'s mut Vec<Error>,
}

impl Rewrite for Embedding<'_> {
    fn field(&mut self, field: &mut Field, _: Option<&'static str>) {
        for attribute in field.attrs.clone() {
            if let Some(value) = self.value(&attribute) {
                attributes::conjoin(&mut field.value, value);
            }
        }
    }

    fn declaration(&mut self, attribute: &Attribute) -> Option<DeclKind> {
        self.value(attribute).map(DeclKind::Embed)
    }
}

impl Embedding<'_> {
    fn value(&mut self, attribute: &Attribute) -> Option<Expr> {
        if attribute.name() != "embed" {
            return None;
        }
        match self.read(attribute) {
            Ok(mut value) => {
                attributes::place_at(&mut value, attribute.span);
                Some(value)
            }
            Err(message) => {
                self.errors.push(attributes::refuse(self.source, attribute, message));
                None
            }
        }
    }

    fn read(&mut self, attribute: &Attribute) -> Result<Expr, String> {
        if !self.enabled {
            return Err("@embed needs @extern(embed) above the package clause of the file".to_owned());
        }
        let (mut file, mut glob, mut kind, mut empty) = (None, None, None, false);
        for (key, value) in attributes::arguments(attribute)? {
            match (key.as_str(), value.as_str()) {
                ("file", _) => file = Some(value),
                ("glob", _) => glob = Some(value),
                ("type", _) => kind = Some(value),
                ("", "allowEmptyGlob") => empty = true,
                _ => return Err(format!("@embed has an argument it does not know: {key}{value}")),
            }
        }
        match (file, glob) {
            (Some(path), None) => self.file(&path, kind.as_deref()),
            (None, Some(pattern)) => self.glob(&pattern, kind.as_deref(), empty),
            _ => Err("@embed takes either file= or glob=".to_owned()),
        }
    }

    fn file(&mut self, path: &str, kind: Option<&str>) -> Result<Expr, String> {
        check(path)?;
        let text = source(&self.data(path, kind)?);
        parse_expr("@embed", &text).map_err(|e| format!("{path} cannot be a value: {e}"))
    }

    fn data(&mut self, path: &str, kind: Option<&str>) -> Result<Data, String> {
        let directory = self.directory.clone()?;
        let bytes = self.loader.file(&join(&directory, path))?;
        self.bytes += bytes.len();
        if self.bytes > limits::EMBED_BYTES {
            return Err(format!("the embedded files are larger than {} bytes together", limits::EMBED_BYTES));
        }
        decode(path, bytes, kind)
    }

    fn glob(&mut self, pattern: &str, kind: Option<&str>, may_be_empty: bool) -> Result<Expr, String> {
        check(pattern)?;
        if pattern.contains("**") {
            return Err(format!("@embed does not know ** in {pattern:?}; name the directories"));
        }
        let mut found = vec![String::new()];
        let parts: Vec<&str> = pattern.split('/').collect();
        for (i, part) in parts.iter().enumerate() {
            found = self.step(&found, part, i + 1 < parts.len())?;
        }
        if found.is_empty() && !may_be_empty {
            return Err(format!("no file matches {pattern:?}; allowEmptyGlob permits that"));
        }
        found.sort();
        let mut fields = Vec::new();
        for path in found {
            let data = self.data(&path, kind)?;
            fields.push((path, data));
        }
        parse_expr("@embed", &source(&Data::Object(fields))).map_err(|e| e.to_string())
    }

    /// The files, or directories, that match the next part of a pattern below those found so far.
    fn step(&self, found: &[String], part: &str, directories: bool) -> Result<Vec<String>, String> {
        let directory = self.directory.clone()?;
        let pattern = crate::builtin::glob(part)?;
        let mut out = Vec::new();
        for above in found {
            for entry in self.loader.list(&join(&directory, above))? {
                let (name, is_directory) = match entry.strip_suffix('/') {
                    Some(name) => (name, true),
                    None => (entry.as_str(), false),
                };
                let hidden = name.starts_with(['.', '_']) && !part.starts_with(['.', '_']);
                if is_directory == directories && !hidden && pattern.is_match(name) {
                    out.push(join(above, name));
                }
                if out.len() > limits::EMBED_FILES {
                    return Err(format!("more than {} files match", limits::EMBED_FILES));
                }
            }
        }
        Ok(out)
    }
}

/// Refuses paths that do not lead down from the file's directory.
fn check(path: &str) -> Result<(), String> {
    let down = |part: &str| !part.is_empty() && part != "." && part != "..";
    if path.contains('\\') || !path.split('/').all(down) {
        return Err(format!("@embed takes a path below the file's own directory, with /, not {path:?}"));
    }
    Ok(())
}

fn join(directory: &str, path: &str) -> String {
    match (directory, path) {
        ("", path) => path.to_owned(),
        (directory, "") => directory.to_owned(),
        _ => format!("{directory}/{path}"),
    }
}

/// The content of a file, by its type or else its extension.
fn decode(path: &str, bytes: Vec<u8>, kind: Option<&str>) -> Result<Data, String> {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    let kind = kind.unwrap_or(match extension {
        "yml" => "yaml",
        "txt" => "text",
        "ndjson" => "jsonl",
        other => other,
    });
    if kind == "binary" {
        return Ok(Data::Bytes(bytes));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| format!("{path} is not UTF-8 text; type=binary takes it as bytes"))?;
    let found = match kind {
        "text" => Ok(Data::String(text)),
        "json" => data::json::parse(&text),
        "jsonl" => {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            lines.map(data::json::parse).collect::<Result<_, _>>().map(Data::List)
        }
        "toml" => data::toml::parse(&text),
        "yaml" => data::yaml::parse(&text).map(|mut documents| match documents.len() {
            1 => documents.remove(0),
            _ => Data::List(documents),
        }),
        _ => Err(" its type is not known; add type=json, jsonl, yaml, toml, text or binary".to_owned()),
    };
    found.map_err(|why| format!("{path}:{why}"))
}

/// Data as CUE; unlike in JSON, bytes are bytes.
pub(super) fn source(data: &Data) -> String {
    match data {
        Data::Bytes(bytes) => crate::syntax::literal::quote_bytes(bytes),
        Data::String(text) => crate::syntax::literal::quote(text),
        Data::List(items) => format!("[{}]", items.iter().map(source).collect::<Vec<_>>().join(", ")),
        Data::Object(fields) => {
            let field = |(name, value): &(String, Data)| {
                format!("{}: {}", crate::syntax::literal::quote(name), source(value))
            };
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        scalar => data::json::write(scalar, None),
    }
}
