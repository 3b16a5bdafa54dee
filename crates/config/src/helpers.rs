//! Starlark helpers of a package: which there are, and their results as part of it.

use cue::load::Loader;
use cue::{Located, LocatedData, Spot, Value};
use model::{Diagnostic, code::config as code};
use serde_json::{Map, Value as Json};

use crate::complaint;
use crate::read::{Findings, Path, get, value};
use crate::script::Script;
use crate::sources::Options;
use crate::synthetic::Synthetic;
use crate::variables::member;

/// Definitions whose names begin with this and that are texts are scripts that yield resources, as older files have them.
const GENERATOR: &str = "#Generate";

/// What helpers are found with.
pub(crate) struct Helpers<'h> {
    pub(crate) root: &'h Value,
    pub(crate) options: &'h Options<'h>,
    /// The package's files: names and texts.
    pub(crate) texts: &'h [(String, String)],
    pub(crate) loader: &'h (dyn Loader + Send + Sync),
}

impl Helpers<'_> {
    /// Runs every helper, and adds what they yield.
    pub(crate) fn add(&self, added: &mut Synthetic) -> Result<(), Vec<Diagnostic>> {
        let mut found = Findings::default();
        let mut results = Vec::new();
        for (name, helper) in member(self.root, "starlark").into_iter().flat_map(|all| all.fields()) {
            if let Some((result, spot)) = self.declared(&name, &helper, added, &mut found) {
                results.push((
                    vec!["starlark".to_owned(), name.clone(), "result".to_owned()],
                    result,
                    spot,
                    name,
                ));
            }
        }
        for (name, text) in self.root.definitions() {
            if name.starts_with(GENERATOR) && text.kind() == cue::ValueKind::String {
                self.generator(&name, &text, added, &mut found, &mut results);
            }
        }
        if !found.errors.is_empty() {
            return Err(found.errors);
        }
        for (path, result, spot, name) in results {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            added.add(&path, &result, spot, format!("starlark {name}"));
        }
        Ok(())
    }

    /// `starlark: NAME: {script | file, inputs}`.
    fn declared(
        &self,
        name: &str,
        helper: &Value,
        added: &Synthetic,
        found: &mut Findings,
    ) -> Option<(Json, Spot)> {
        let located = Self::located(helper, &["script", "file", "inputs"], added, found)?;
        let root = Path::Root.field("starlark");
        let path = root.field(name);
        let fields = found.object(&located, &path)?;
        let mut inputs = Map::new();
        if let Some(given) = get(fields, "inputs") {
            let path = path.field("inputs");
            found.object(given, &path)?;
            match value::plain(given) {
                Some(Json::Object(given)) => inputs = given,
                _ => found.wrong(given, &path, value::PLAIN),
            }
        }
        let (script, spot) = match (get(fields, "script"), get(fields, "file")) {
            (Some(script), None) => {
                let text = found.text(script, &path.field("script"))?;
                (self.inside(text, &script.spot, inputs), script.spot.clone())
            }
            (None, Some(file)) => {
                let path = path.field("file");
                let named = found.text(file, &path)?;
                let source = self.read(named, &file.spot, &path, found)?;
                let script = Script { file: named.clone(), line: 1, indent: 0, source, inputs };
                (script, Spot { file: named.clone(), line: 1, column: 1 })
            }
            _ => {
                let message = format!("the helper `{name}` has either a `script` or a `file`");
                found.error(code::BAD_VALUE, &located.spot, &path, message);
                return None;
            }
        };
        self.run(&script, &path, found).map(|result| (result, spot))
    }

    /// Fields of a helper that must be known before it runs; what uses its result is not looked at.
    fn located(helper: &Value, names: &[&str], added: &Synthetic, found: &mut Findings) -> Option<Located> {
        let mut fields = Vec::new();
        for (name, field) in helper.fields() {
            if !names.contains(&name.as_str()) {
                continue;
            }
            match field.located() {
                Ok(mut located) => {
                    added.relocate(&mut located);
                    fields.push((name.into(), located));
                }
                Err(errors) => {
                    found.errors.extend(complaint::diagnostics(&errors, added));
                    return None;
                }
            }
        }
        let first = helper.declarations().into_iter().next();
        let spot = first.map_or_else(
            || crate::synthetic::outside(""),
            |one| Spot { file: one.position.file, line: one.position.line, column: one.position.column },
        );
        Some(Located { spot, data: LocatedData::Object(fields) })
    }

    /// `#GenerateServers: "def ..."`: its globals are all variables, and its result goes to the resources.
    fn generator(
        &self,
        name: &str,
        text: &Value,
        added: &Synthetic,
        found: &mut Findings,
        results: &mut Vec<(Vec<String>, Json, Spot, String)>,
    ) {
        let mut inputs = Map::new();
        let workspace = member(self.root, "workspace").and_then(|one| member(&one, "variables"));
        for variables in [workspace, member(self.root, "variables")].into_iter().flatten() {
            match variables.located().map(|located| value::plain(&located)) {
                Ok(Some(Json::Object(more))) => inputs.extend(more),
                Ok(_) => {}
                Err(errors) => found.errors.extend(complaint::diagnostics(&errors, added)),
            }
        }
        let Ok(located) = text.located() else { return };
        let LocatedData::String(source) = &located.data else { return };
        let path = Path::Root.field(name);
        let script = self.inside(source, &located.spot, inputs);
        match self.run(&script, &path, found) {
            Some(Json::Object(resources)) => {
                results.extend(resources.into_iter().map(|(key, resource)| {
                    (vec!["resources".to_owned(), key], resource, located.spot.clone(), name.to_owned())
                }));
            }
            Some(_) => {
                let message = format!("`{name}` must leave resources by name in `result`");
                found.error(code::STARLARK, &located.spot, &path, message);
            }
            None => {}
        }
    }

    /// A script that is written inside of a CUE file, with the place its lines have there.
    fn inside(&self, source: &str, spot: &Spot, inputs: Map<String, Json>) -> Script {
        let text = self.texts.iter().find(|(name, _)| **name == *spot.file).map(|(_, text)| text);
        let first = source.lines().next().unwrap_or_default();
        // the lines of a text in three quotes stand below the field's name, each behind the same indent
        let below = text.and_then(|text| text.lines().nth(spot.line as usize));
        let indent =
            below.and_then(|line| line.strip_suffix(first)).filter(|indent| indent.trim().is_empty());
        let (line, indent) = match indent {
            Some(indent) => (spot.line + 1, u32::try_from(indent.chars().count()).unwrap_or(0)),
            None => (spot.line, spot.column.saturating_sub(1)),
        };
        Script { file: spot.file.clone(), line, indent, source: source.to_owned(), inputs }
    }

    fn read(&self, file: &str, spot: &Spot, path: &Path<'_>, found: &mut Findings) -> Option<String> {
        let text = self
            .loader
            .file(file)
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| format!("{file} is not text in UTF-8")));
        text.map_err(|reason| {
            found.error(code::STARLARK, spot, path, format!("the script cannot be read: {reason}"));
        })
        .ok()
    }

    fn run(&self, script: &Script, path: &Path<'_>, found: &mut Findings) -> Option<Json> {
        let outcome = match self.options.scripts {
            Some(run) => run(script),
            None => script.run(),
        };
        outcome
            .map_err(|mut diagnostic| {
                diagnostic.location.path = path.pointer();
                found.errors.push(diagnostic);
            })
            .ok()
    }
}
