//! Package `regexp`.

use super::{Call, Fail, Outcome, regex};
use crate::program::{DeclIr, Ir, StructIr};
use crate::syntax::ast::Constraint;
use crate::value::Value;

fn compiled(c: &Call<'_>) -> Result<regex::Regex, Fail> {
    Ok(regex(&c.text(0)?)?)
}

pub(super) fn matches(c: &mut Call<'_>) -> Outcome {
    Ok(Value::Bool(compiled(c)?.is_match(&c.text(1)?)))
}

/// `Match` as a validator has the checked text first.
pub(super) fn valid(c: &mut Call<'_>) -> Outcome {
    Ok(Value::Bool(regex(&c.text(0)?).is_ok()))
}

pub(super) fn find(c: &mut Call<'_>) -> Outcome {
    let text = c.text(1)?;
    match compiled(c)?.find(&text) {
        Some(m) => Ok(Value::string(m.as_str())),
        None => Err("no match".into()),
    }
}

fn at_most(n: i64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

pub(super) fn find_all(c: &mut Call<'_>) -> Outcome {
    let (re, text, n) = (compiled(c)?, c.text(1)?, c.int(2)?);
    let found: Vec<String> = re.find_iter(&text).take(at_most(n)).map(|m| m.as_str().to_owned()).collect();
    if found.is_empty() {
        return Err("no match".into());
    }
    Ok(c.text_list(found))
}

fn groups(captures: &regex::Captures<'_>) -> Vec<String> {
    captures.iter().map(|g| g.map_or_else(String::new, |m| m.as_str().to_owned())).collect()
}

pub(super) fn find_submatch(c: &mut Call<'_>) -> Outcome {
    let (re, text) = (compiled(c)?, c.text(1)?);
    match re.captures(&text) {
        Some(found) => {
            let found = groups(&found);
            Ok(c.text_list(found))
        }
        None => Err("no match".into()),
    }
}

pub(super) fn find_all_submatch(c: &mut Call<'_>) -> Outcome {
    let (re, text, n) = (compiled(c)?, c.text(1)?, c.int(2)?);
    let all: Vec<Vec<String>> = re.captures_iter(&text).take(at_most(n)).map(|m| groups(&m)).collect();
    if all.is_empty() {
        return Err("no match".into());
    }
    let lists = all.into_iter().map(|g| c.text_list(g)).collect();
    Ok(c.list(lists))
}

fn named(c: &mut Call<'_>, re: &regex::Regex, found: &regex::Captures<'_>) -> Value {
    let mut ir = StructIr { has_fields: true, ..Default::default() };
    for name in re.capture_names().flatten() {
        let text = found.name(name).map_or("", |m| m.as_str());
        let label = c.eval.program.labels.string(name);
        let value = c.eval.value_expr(Value::string(text), c.at);
        ir.decls.push(DeclIr::Field(label, Constraint::Member, value));
    }
    let (source, span) = c.eval.program.spans[c.at as usize];
    let expr = c.eval.program.push(Ir::Struct(ir.into()), source, span);
    let node = c.eval.anonymous(crate::eval::node::NO_NODE, expr, crate::eval::node::NO_ENV);
    c.eval.expand(node);
    Value::Node(node)
}

pub(super) fn find_named(c: &mut Call<'_>) -> Outcome {
    let (re, text) = (compiled(c)?, c.text(1)?);
    match re.captures(&text) {
        Some(found) => Ok(named(c, &re, &found)),
        None => Err("no match".into()),
    }
}

pub(super) fn find_all_named(c: &mut Call<'_>) -> Outcome {
    let (re, text, n) = (compiled(c)?, c.text(1)?, c.int(2)?);
    let all: Vec<Value> = re.captures_iter(&text).take(at_most(n)).map(|m| named(c, &re, &m)).collect();
    if all.is_empty() {
        return Err("no match".into());
    }
    Ok(c.list(all))
}

pub(super) fn replace_all(c: &mut Call<'_>) -> Outcome {
    let (re, text, to) = (compiled(c)?, c.text(1)?, c.text(2)?);
    Ok(Value::string(re.replace_all(&text, to.as_str()).into_owned()))
}

pub(super) fn replace_all_literal(c: &mut Call<'_>) -> Outcome {
    let (re, text, to) = (compiled(c)?, c.text(1)?, c.text(2)?);
    Ok(Value::string(re.replace_all(&text, regex::NoExpand(&to)).into_owned()))
}

pub(super) fn quote_meta(c: &mut Call<'_>) -> Outcome {
    Ok(Value::string(regex::escape(&c.text(0)?)))
}
