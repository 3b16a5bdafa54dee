//! Package `list`.

use std::cmp::Ordering;

use super::{Call, Fail, Outcome};
use crate::eval::node::{NO_ENV, NO_NODE, Shape};
use crate::limits;
use crate::number::Number;
use crate::program::Ir;
use crate::syntax::ast::BinaryOp;
use crate::value::{NodeId, Value};

fn nodes(c: &Call<'_>, i: usize) -> Result<Vec<Value>, Fail> {
    Ok(c.element_nodes(i)?.into_iter().map(Value::Node).collect())
}

/// Elements of a nested list, if a value is one.
fn as_list(c: &mut Call<'_>, node: NodeId) -> Option<Vec<Value>> {
    let value = c.eval.node_value(node);
    let value = c.eval.pick_default(value, c.at);
    let Value::Node(n) = value else { return None };
    if !c.eval.is_list(n) {
        return None;
    }
    let n = c.eval.deref(n);
    Some(c.eval.node(n).arcs.iter().map(|(_, n)| Value::Node(n)).collect())
}

pub(super) fn concat(c: &mut Call<'_>) -> Outcome {
    let mut out = Vec::new();
    for (i, node) in c.element_nodes(0)?.into_iter().enumerate() {
        match as_list(c, node) {
            Some(items) => out.extend(items),
            None => {
                return Err(match c.eval.node_value(node) {
                    Value::Bottom(b) => Fail::Bottom(b),
                    v if v.is_scalar() => Fail::Eval(format!(
                        "invalid list element {i}: cannot use value {} as list",
                        c.eval.describe(&v)
                    )),
                    v => Fail::Incomplete(format!("non-concrete list element {i}: {}", c.eval.describe(&v))),
                });
            }
        }
    }
    checked(c, out)
}

fn checked(c: &mut Call<'_>, items: Vec<Value>) -> Outcome {
    if items.len() > limits::LIST_LEN {
        return Err("list is too long".into());
    }
    Ok(c.list(items))
}

fn flatten(c: &mut Call<'_>, items: Vec<Value>, depth: i64, out: &mut Vec<Value>, level: u32) {
    for item in items {
        let nested = match &item {
            Value::Node(n) if depth != 0 && level < 100 => as_list(c, *n),
            _ => None,
        };
        match nested {
            Some(inner) => flatten(c, inner, depth - 1, out, level + 1),
            None => out.push(item),
        }
    }
}

pub(super) fn flatten_n(c: &mut Call<'_>) -> Outcome {
    let (items, depth) = (nodes(c, 0)?, c.int(1)?);
    let mut out = Vec::new();
    flatten(c, items, depth, &mut out, 0);
    checked(c, out)
}

pub(super) fn repeat(c: &mut Call<'_>) -> Outcome {
    let (items, n) = (nodes(c, 0)?, c.int(1)?);
    let n = usize::try_from(n).map_err(|_| Fail::from("negative count"))?;
    if items.len().saturating_mul(n) > limits::LIST_LEN {
        return Err("list is too long".into());
    }
    Ok(c.list(std::iter::repeat_n(items, n).flatten().collect()))
}

pub(super) fn drop(c: &mut Call<'_>) -> Outcome {
    let (items, n) = (nodes(c, 0)?, c.int(1)?);
    let n = usize::try_from(n).map_err(|_| Fail::from("negative index"))?;
    Ok(c.list(items.into_iter().skip(n).collect()))
}

pub(super) fn take(c: &mut Call<'_>) -> Outcome {
    let (items, n) = (nodes(c, 0)?, c.int(1)?);
    let n = usize::try_from(n).map_err(|_| Fail::from("negative index"))?;
    Ok(c.list(items.into_iter().take(n).collect()))
}

pub(super) fn slice(c: &mut Call<'_>) -> Outcome {
    let (items, low, high) = (nodes(c, 0)?, c.int(1)?, c.int(2)?);
    if low < 0 || high < 0 {
        return Err("negative index".into());
    }
    if low > high {
        return Err(Fail::Eval(format!("invalid index: {low} > {high}")));
    }
    let (low, high) = (usize::try_from(low).unwrap_or(0), usize::try_from(high).unwrap_or(usize::MAX));
    match items.get(low..high) {
        Some(part) => Ok(c.list(part.to_vec())),
        None => Err("slice bounds out of range".into()),
    }
}

pub(super) fn reverse(c: &mut Call<'_>) -> Outcome {
    let mut items = nodes(c, 0)?;
    items.reverse();
    Ok(c.list(items))
}

pub(super) fn contains(c: &mut Call<'_>) -> Outcome {
    let wanted = c.args[1].clone();
    if let Value::Node(n) = &wanted {
        c.eval.complete(*n);
    }
    for item in c.elements(0)? {
        if let Value::Node(n) = &item {
            c.eval.complete(*n);
        }
        if c.eval.equal_values(&item, &wanted) || c.eval.same(&item, &wanted, c.at).is_ok_and(|b| b) {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn count(c: &Call<'_>) -> Result<(usize, bool), Fail> {
    let node = c.node(0)?;
    Ok((c.eval.live_len(node), c.eval.node(node).shape == Shape::List(true)))
}

pub(super) fn min_items(c: &mut Call<'_>) -> Outcome {
    let ((len, open), n) = (count(c)?, c.uint(1)?);
    if len >= n {
        return Ok(Value::Bool(true));
    }
    let message = format!("len(list) < MinItems({n}) ({len} < {n})");
    Err(if open { Fail::Incomplete(message) } else { Fail::Eval(message) })
}

pub(super) fn max_items(c: &mut Call<'_>) -> Outcome {
    let ((len, _), n) = (count(c)?, c.uint(1)?);
    if len <= n {
        return Ok(Value::Bool(true));
    }
    Err(Fail::Eval(format!("len(list) > MaxItems({n}) ({len} > {n})")))
}

pub(super) fn unique_items(c: &mut Call<'_>) -> Outcome {
    let items = c.elements(0)?;
    for item in &items {
        if let Value::Node(n) = item {
            c.eval.complete(*n);
        }
    }
    let texts: Vec<String> = items.iter().map(|v| c.eval.describe(v)).collect();
    for i in 0..items.len() {
        for j in 0..i {
            // Equal values read the same; the cheap test comes first.
            if texts[i] == texts[j] && c.eval.equal_values(&items[i], &items[j]) {
                return Err(Fail::Eval(format!("equal values at position {j} and {i}")));
            }
        }
    }
    Ok(Value::Bool(true))
}

pub(super) fn range(c: &mut Call<'_>) -> Outcome {
    let (start, limit, step) = (c.number(0)?, c.number(1)?, c.number(2)?);
    if step.is_zero() {
        return Err("step must be non zero".into());
    }
    let done = if step.is_negative() { Ordering::Less } else { Ordering::Greater };
    if start.compare(&limit) == done {
        return Err(Fail::Eval(format!(
            "end must be {} than start when step is {}",
            if step.is_negative() { "less" } else { "greater" },
            if step.is_negative() { "negative" } else { "positive" }
        )));
    }
    let mut out = Vec::new();
    let mut n = start;
    while n.compare(&limit) == done.reverse() {
        out.push(Value::number(n.clone()));
        n = n.add(&step);
        if out.len() > limits::LIST_LEN {
            return Err("list is too long".into());
        }
    }
    Ok(c.list(out))
}

fn sum_of(numbers: &[Number]) -> Number {
    numbers.iter().fold(Number::int(0), |a, b| a.add(b))
}

pub(super) fn sum(c: &mut Call<'_>) -> Outcome {
    Ok(Value::number(sum_of(&c.numbers(0)?)))
}

pub(super) fn product(c: &mut Call<'_>) -> Outcome {
    let mut out = Number::int(1);
    for n in c.numbers(0)? {
        out = out.mul(&n).ok_or_else(|| Fail::from("number is too large"))?;
    }
    Ok(Value::number(out))
}

pub(super) fn avg(c: &mut Call<'_>) -> Outcome {
    let numbers = c.numbers(0)?;
    if numbers.is_empty() {
        return Err("empty list".into());
    }
    let len = Number::int(i64::try_from(numbers.len()).unwrap_or(i64::MAX));
    let mean = sum_of(&numbers).quo(&len).ok_or_else(|| Fail::from("empty list"))?;
    Ok(Value::number(mean.to_integer().map_or(mean, Number::Int)))
}

fn extreme(c: &mut Call<'_>, want: Ordering) -> Outcome {
    let numbers = c.numbers(0)?;
    let best = numbers.into_iter().reduce(|a, b| if b.compare(&a) == want { b } else { a });
    best.map(Value::number).ok_or_else(|| "empty list".into())
}

pub(super) fn min(c: &mut Call<'_>) -> Outcome {
    extreme(c, Ordering::Less)
}

pub(super) fn max(c: &mut Call<'_>) -> Outcome {
    extreme(c, Ordering::Greater)
}

pub(super) fn sort_strings(c: &mut Call<'_>) -> Outcome {
    let mut items = c.texts(0)?;
    items.sort();
    Ok(c.text_list(items))
}

pub(super) fn is_sorted_strings(c: &mut Call<'_>) -> Outcome {
    Ok(Value::Bool(c.texts(0)?.is_sorted()))
}

/// Whether `cmp.less` holds with `x` and `y` put in.
fn less(c: &mut Call<'_>, a: &Value, b: &Value) -> Result<bool, Fail> {
    let cmp = c.args[1].clone();
    let (source, span) = c.eval.program.spans[c.at as usize];
    let x = c.eval.program.labels.string("x");
    let y = c.eval.program.labels.string("y");
    let (xe, ye) = (c.eval.value_expr(a.clone(), c.at), c.eval.value_expr(b.clone(), c.at));
    let fields = crate::program::StructIr {
        decls: vec![
            crate::program::DeclIr::Field(x, crate::syntax::ast::Constraint::Member, xe),
            crate::program::DeclIr::Field(y, crate::syntax::ast::Constraint::Member, ye),
        ],
        has_fields: true,
        ..Default::default()
    };
    let pair = c.eval.program.push(Ir::Struct(fields.into()), source, span);
    let cmp = c.eval.value_expr(cmp, c.at);
    let both = c.eval.program.push(Ir::Binary(BinaryOp::And, cmp, pair), source, span);
    let node = c.eval.anonymous(NO_NODE, both, NO_ENV);
    let label = c.eval.program.labels.string("less");
    let arc = c.eval.lookup(node, label, c.at)?;
    let value = c.eval.node_value(arc);
    match c.eval.pick_default(value, c.at) {
        Value::Bool(b) => Ok(b),
        Value::Bottom(b) => Err(b.into()),
        v => Err(Fail::Incomplete(format!("less is not a bool: {}", c.eval.describe(&v)))),
    }
}

fn merge_sort(c: &mut Call<'_>, items: Vec<Value>) -> Result<Vec<Value>, Fail> {
    if items.len() < 2 {
        return Ok(items);
    }
    let mut left = items;
    let right = left.split_off(left.len() / 2);
    let mut left = merge_sort(c, left)?.into_iter().peekable();
    let mut right = merge_sort(c, right)?.into_iter().peekable();
    let mut out = Vec::new();
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let (a, b) = (a.clone(), b.clone());
        let next = if less(c, &b, &a)? { right.next() } else { left.next() };
        out.extend(next);
    }
    out.extend(left);
    out.extend(right);
    Ok(out)
}

/// A comparer of numbers or strings that `list.Ascending` and `list.Descending` are.
fn simple_order(c: &mut Call<'_>) -> Option<bool> {
    let Value::Node(n) = c.args[1] else { return None };
    let label = c.eval.program.labels.string("less");
    let arc = c.eval.node(c.eval.deref(n)).arcs.get(label)?;
    let conjunct = *c.eval.node(arc).conjuncts.first()?;
    if c.eval.node(arc).conjuncts.len() != 1 {
        return None;
    }
    match c.eval.program.text(conjunct.expr) {
        "x < y" => Some(true),
        "x > y" | "y < x" => Some(false),
        _ => None,
    }
}

pub(super) fn sort(c: &mut Call<'_>) -> Outcome {
    let items = c.elements(0)?;
    let ascending = simple_order(c);
    let all_numbers = items.iter().all(|v| matches!(v, Value::Number(_)));
    let all_texts = items.iter().all(|v| matches!(v, Value::String(_)));
    if let Some(ascending) = ascending
        && (all_numbers || all_texts)
    {
        let mut items = items;
        items.sort_by(|a, b| {
            let ord = match (a, b) {
                (Value::Number(a), Value::Number(b)) => a.compare(b),
                (Value::String(a), Value::String(b)) => a.cmp(b),
                _ => Ordering::Equal,
            };
            if ascending { ord } else { ord.reverse() }
        });
        return Ok(c.list(items));
    }
    let nodes = nodes(c, 0)?;
    let sorted = merge_sort(c, nodes)?;
    Ok(c.list(sorted))
}

pub(super) fn is_sorted(c: &mut Call<'_>) -> Outcome {
    let items = nodes(c, 0)?;
    for pair in items.windows(2) {
        if less(c, &pair[1], &pair[0])? {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

pub(super) fn match_n(c: &mut Call<'_>) -> Outcome {
    let wanted = c.args[1].clone();
    let check = c.args[2].clone();
    let mut n = 0;
    for node in c.element_nodes(0)? {
        if super::matching::fits(c, &Value::Node(node), &check) {
            n += 1;
        }
    }
    let n = Value::int(n);
    if super::matching::fits(c, &n, &wanted) {
        return Ok(Value::Bool(true));
    }
    let (got, want) = (c.eval.describe(&n), c.eval.describe(&wanted));
    Err(Fail::Eval(format!("number of matched elements is {got}: does not satisfy {want}")))
}
