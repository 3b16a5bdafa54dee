//! Environments and variables: which values apply, and where they come from.

use std::collections::BTreeMap;

use cue::{Data, Spot, Value, ValueKind};
use model::{Diagnostic, code::config as code};
use serde_json::Value as Json;

use crate::read::{Findings, Path, suggestion, value};
use crate::sources::Options;
use crate::synthetic::{Synthetic, outside};

/// A member of a struct by name.
pub(crate) fn member(value: &Value, name: &str) -> Option<Value> {
    value.fields().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// Makes the environment's name known as `environment`.
pub(crate) fn name_environment(options: &Options<'_>, added: &mut Synthetic) {
    if let Some(name) = &options.environment {
        let why = format!("environment {name}");
        added.add(&["environment"], &Json::from(name.as_str()), outside(&why), why.clone());
    }
}

/// Adds the variables and hosts of the environment, and the variables that were given. What was given wins.
pub(crate) fn add(root: &Value, options: &Options<'_>, added: &mut Synthetic) -> Result<(), Vec<Diagnostic>> {
    let mut found = Findings::default();
    if let Some(name) = &options.environment
        && let Some(environments) = member(root, "environments")
    {
        of_environment(&environments, name, options, added, &mut found);
    }
    let declared = declared(root);
    for (name, text) in &options.variables {
        let why = format!("--var {name}");
        let Some((path, variable)) = declared.get(name.as_str()) else {
            let message = format!("there is no variable `{name}`");
            let hint = suggestion(name, declared.keys().map(String::as_str));
            let at = Path::Root.field("variables");
            found.error(code::VARIABLE, &outside(&why), &at.field(name), message).hint = hint;
            continue;
        };
        let given = given(variable, text);
        let path: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
        added.add(&path, &given, outside(&why), why.clone());
    }
    if found.errors.is_empty() { Ok(()) } else { Err(found.errors) }
}

fn of_environment(
    environments: &Value,
    name: &str,
    options: &Options<'_>,
    added: &mut Synthetic,
    found: &mut Findings,
) {
    let Some(environment) = member(environments, name) else {
        let names: Vec<String> = environments.fields().into_iter().map(|(name, _)| name).collect();
        let message = format!("the project has no environment `{name}`");
        let hint = suggestion(name, names.iter().map(String::as_str));
        let spot = spot_of(environments);
        found.error(code::ENVIRONMENT, &spot, &Path::Root.field("environments"), message).hint = hint;
        return;
    };
    for part in ["variables", "hosts"] {
        for (member_name, member) in member(&environment, part).into_iter().flat_map(|part| part.fields()) {
            if part == "variables" && options.variables.contains_key(&member_name) {
                continue;
            }
            match member.located() {
                Ok(located) => {
                    if let Some(json) = value::plain(&located) {
                        let why = format!("environment {name}");
                        added.add(&[part, &member_name], &json, located.spot, why);
                    } else {
                        let path = Path::Root.field("environments");
                        found.wrong(&located, &path.field(name), value::PLAIN);
                    }
                }
                Err(errors) => found.errors.extend(crate::complaint::diagnostics(&errors, added)),
            }
        }
    }
}

/// The declared variables: where they are, and what they may be.
fn declared(root: &Value) -> BTreeMap<String, (&'static [&'static str], Value)> {
    let mut declared = BTreeMap::new();
    let top = member(root, "variables");
    let inner = member(root, "workspace").and_then(|workspace| member(&workspace, "variables"));
    let places: [(&'static [&'static str], Option<Value>); 2] =
        [(&["workspace", "variables"], inner), (&["variables"], top)];
    for (path, variables) in places {
        for (name, variable) in variables.into_iter().flat_map(|variables| variables.fields()) {
            declared.insert(name, (path, variable));
        }
    }
    declared
}

/// What a text stands for: itself where the variable takes text, else what it is as JSON.
fn given(variable: &Value, text: &str) -> Json {
    let takes_text = variable.unify_data(&Data::String(text.to_owned())).validate(false).is_ok();
    if takes_text && variable.kind() != ValueKind::Bottom {
        return Json::from(text);
    }
    serde_json::from_str(text).unwrap_or_else(|_| Json::from(text))
}

fn spot_of(value: &Value) -> Spot {
    value.declarations().first().map_or_else(
        || outside(""),
        |one| Spot { file: one.position.file.clone(), line: one.position.line, column: one.position.column },
    )
}

/// What CUE calls incomplete is, for a variable, that nobody gave it a value.
pub(crate) fn explain_missing(diagnostic: &mut Diagnostic) {
    let name = diagnostic.location.path.strip_prefix("/variables/").map(ToOwned::to_owned);
    if let Some(name) = name
        && diagnostic.code == model::code::cue::INCOMPLETE
        && !name.contains('/')
    {
        diagnostic.code = code::VARIABLE;
        diagnostic.message = format!("the variable `{name}` has no value ({})", diagnostic.message);
        diagnostic.hint =
            Some(format!("give one: --var {name}=VALUE, or a default: {name}: string | *\"..\""));
    }
}
