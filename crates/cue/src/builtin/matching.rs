//! `matchN`, `matchIf` and package `struct`'s checks: does a value satisfy a constraint?

use super::{Call, Fail, Outcome};
use crate::value::Value;

/// How a value relates to a constraint.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    /// Not now, but more information could change that.
    NotYet,
    No,
}

/// Whether `value & constraint` is without error.
pub(super) fn fit(c: &mut Call<'_>, value: &Value, constraint: &Value) -> Fit {
    if let Value::Bottom(_) = constraint {
        return Fit::No;
    }
    let a = c.eval.value_expr(value.clone(), c.at);
    let b = c.eval.value_expr(constraint.clone(), c.at);
    let node = c.eval.checked_pair(a, b);
    if c.eval.checks >= crate::limits::CHECK_DEPTH {
        return Fit::No;
    }
    c.eval.checks += 1;
    c.eval.complete(node);
    c.eval.checks -= 1;
    match c.eval.unfinished(node) {
        Some(code) if code.is_incomplete() => Fit::NotYet,
        Some(_) => Fit::No,
        None => Fit::Yes,
    }
}

pub(super) fn fits(c: &mut Call<'_>, value: &Value, constraint: &Value) -> bool {
    fit(c, value, constraint) == Fit::Yes
}

pub(super) fn match_n(c: &mut Call<'_>) -> Outcome {
    let value = c.args[0].clone();
    let count = c.args[1].clone();
    let list = match c.args[2].clone() {
        Value::Node(n) if c.eval.is_list(n) => n,
        Value::Bottom(b) => return Err(b.into()),
        _ => return Err("second argument must be a list".into()),
    };
    let list = c.eval.deref(list);
    let items: Vec<_> = c.eval.node(list).arcs.iter().map(|(_, n)| n).collect();
    let mut matched = 0_i64;
    let mut open = false;
    for item in items {
        match fit(c, &value, &Value::Node(item)) {
            Fit::Yes => matched += 1,
            Fit::NotYet => open = true,
            Fit::No => {}
        }
    }
    let n = Value::int(matched);
    if fits(c, &n, &count) {
        return Ok(Value::Bool(true));
    }
    let want = c.eval.describe(&count);
    let message = format!("{matched} matched, expected {want}");
    Err(if open { Fail::Incomplete(message) } else { Fail::Eval(message) })
}

pub(super) fn match_if(c: &mut Call<'_>) -> Outcome {
    let [value, test, then, other] = [0, 1, 2, 3].map(|i| c.args.get(i).cloned().unwrap_or_else(Value::top));
    let branch = if fits(c, &value, &test) { then } else { other };
    let message = "value does not satisfy the branch".to_owned();
    match fit(c, &value, &branch) {
        Fit::Yes => Ok(Value::Bool(true)),
        Fit::NotYet => Err(Fail::Incomplete(message)),
        Fit::No => Err(Fail::Eval(message)),
    }
}
