//! `linux.file::template`: a file made from a text with variables.

use provider_kit::{
    Answer, Application, Ask, FailureClass, Finding, Inspection, Object, Operation, Value, failed, finding,
    text,
};

use crate::file::{Wanted, apply_wanted, inspect_wanted};

/// The text, and the attribute that declares it.
fn source(config: &Object) -> Option<(&'static str, &str)> {
    match text(config, "template") {
        Some(template) => Some(("template", template)),
        None => Some(("source", config.get("source")?.get("text")?.as_str()?)),
    }
}

/// The text with values in place of variables.
fn render(template: &str, vars: Option<&Object>) -> Result<String, String> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inside) = after.strip_prefix('{') {
            let (name, after) = inside.split_once('}').ok_or("a `${` has no `}`; `$$` is a dollar sign")?;
            match vars.and_then(|vars| vars.get(name.trim())) {
                Some(Value::String(value)) => out.push_str(value),
                Some(value @ (Value::Number(_) | Value::Bool(_))) => out.push_str(&value.to_string()),
                Some(_) => {
                    return Err(["`", name, "` is neither a text, a number nor true or false"].concat());
                }
                None => return Err(["`vars` has no `", name, "`"].concat()),
            }
            rest = after;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn rendered(config: &Object) -> Result<(&'static str, String), String> {
    let (name, template) = source(config).ok_or("neither `template` nor `source` is declared")?;
    render(template, config.get("vars").and_then(Value::as_object)).map(|text| (name, text))
}

pub fn check(config: &Object, found: &mut Vec<Finding>) {
    if config.contains_key("template") && config.contains_key("source") {
        return found.push(finding("source", "a template has `template` or `source`, not both", None));
    }
    // a source is only a path until the project's files are read
    if config.get("source").is_some_and(Value::is_string) {
        return;
    }
    if let Err(why) = rendered(config) {
        let place = if config.contains_key("source") { "source" } else { "template" };
        found.push(finding(place, why, None));
    }
}

pub fn inspect(path: &str, config: &Object, answers: &[&Answer]) -> Inspection {
    match rendered(config) {
        Ok((name, text)) => inspect_wanted(path, config, &Wanted::Bytes(name, text.into_bytes()), answers),
        Err(why) => Inspection::Unreadable(why),
    }
}

pub fn apply(change: &Ask, answers: &[&Answer]) -> Application {
    if matches!(change.operation, Operation::Delete) {
        return apply_wanted(change, Wanted::Anything, answers);
    }
    match rendered(&change.desired) {
        Ok((name, text)) => apply_wanted(change, Wanted::Bytes(name, text.into_bytes()), answers),
        Err(why) => failed(FailureClass::Permanent, why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use provider_kit::json;

    #[test]
    fn variables_are_filled_in_and_what_is_missing_is_named() {
        let vars = json!({"port": 8080, "host": "web", "tls": true, "list": []});
        let vars = vars.as_object();
        assert_eq!(render("${host}:${port} ${ tls } $$5 $x", vars).unwrap(), "web:8080 true $5 $x");
        assert!(render("${nothing}", vars).unwrap_err().contains("`nothing`"));
        assert!(render("${list}", vars).is_err());
        assert!(render("${host", vars).is_err());
    }
}
