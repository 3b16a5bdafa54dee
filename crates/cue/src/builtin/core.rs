//! Predeclared functions.

use std::sync::Arc;

use super::{Call, Fail, Outcome};
use crate::eval::node::Shape;
use crate::program::Ir;
use crate::syntax::ast::{BinaryOp, Constraint};
use crate::value::Value;

pub(super) fn len(c: &mut Call<'_>) -> Outcome {
    let n = match &c.args[0] {
        Value::String(s) => s.len(),
        Value::Bytes(b) => b.len(),
        Value::Node(n) => {
            let node = c.eval.deref(*n);
            let eval = &*c.eval;
            let count = eval.node(node).arcs.iter().filter(|(l, n)| {
                let arc = eval.node(*n);
                arc.constraint == Constraint::Member
                    && !arc.conjuncts.is_empty()
                    && eval.program.labels.is_regular(*l)
            });
            let count = count.count();
            if eval.node(node).shape == Shape::Plain {
                return Err(Fail::Incomplete("value is not concrete".to_owned()));
            }
            count
        }
        Value::Bottom(b) => return Err(Fail::Bottom(b.clone())),
        v if v.is_scalar() => {
            let text = c.eval.describe(v);
            return Err(Fail::Eval(format!("invalid argument type {} for {text}", v.kind())));
        }
        v => return Err(Fail::Incomplete(format!("non-concrete argument {}", c.eval.describe(v)))),
    };
    Ok(Value::int(i64::try_from(n).unwrap_or(i64::MAX)))
}

/// Only reached when `close` is used as an operand; as a conjunct the evaluator closes in place.
pub(super) fn close(c: &mut Call<'_>) -> Outcome {
    Ok(c.args[0].clone())
}

fn operands(c: &mut Call<'_>) -> Result<Vec<u32>, Fail> {
    let node = c.node(0)?;
    if !c.eval.is_list(node) {
        return Err(Fail::Eval("argument must be a list".to_owned()));
    }
    let nodes = c.element_nodes(0)?;
    Ok(nodes.into_iter().map(|n| c.eval.value_expr(Value::Node(n), c.at)).collect())
}

pub(super) fn and(c: &mut Call<'_>) -> Outcome {
    let mut exprs = operands(c)?.into_iter();
    let Some(mut expr) = exprs.next() else { return Ok(Value::top()) };
    let (source, span) = c.eval.program.spans[c.at as usize];
    for next in exprs {
        expr = c.eval.program.push(Ir::Binary(BinaryOp::And, expr, next), source, span);
    }
    let node = c.eval.anonymous(c.eval.current(), expr, crate::eval::node::NO_ENV);
    Ok(c.eval.node_value(node)).map(|v| if matches!(v, Value::Bottom(_)) { v } else { Value::Node(node) })
}

pub(super) fn or(c: &mut Call<'_>) -> Outcome {
    let exprs = operands(c)?;
    if exprs.is_empty() {
        let node = c.node(0)?;
        if c.eval.node(node).shape == Shape::List(true) {
            return Err(Fail::Incomplete("empty list in call to or".to_owned()));
        }
        return Err(Fail::Incomplete("empty list in call to or".to_owned()));
    }
    if let [only] = exprs[..] {
        return match &c.eval.program.exprs[only as usize] {
            Ir::Value(v) => Ok(v.clone()),
            _ => Ok(Value::top()),
        };
    }
    let (source, span) = c.eval.program.spans[c.at as usize];
    let list = exprs.into_iter().map(|e| (e, false)).collect();
    let expr = c.eval.program.push(Ir::Disjunction(list, false), source, span);
    let node = c.eval.anonymous(c.eval.current(), expr, crate::eval::node::NO_ENV);
    Ok(c.eval.node_value(node)).map(|v| match v {
        Value::Bottom(_) | Value::Disjunction(..) => v,
        v if v.is_scalar() => v,
        _ => Value::Node(node),
    })
}

fn divide(c: &mut Call<'_>, op: BinaryOp) -> Outcome {
    let (a, b) = (c.args[0].clone(), c.args[1].clone());
    Ok(c.eval.int_division(op, &a, &b, c.at))
}

pub(super) fn div(c: &mut Call<'_>) -> Outcome {
    divide(c, BinaryOp::IDiv)
}

pub(super) fn modulo(c: &mut Call<'_>) -> Outcome {
    divide(c, BinaryOp::IMod)
}

pub(super) fn quo(c: &mut Call<'_>) -> Outcome {
    divide(c, BinaryOp::IQuo)
}

pub(super) fn rem(c: &mut Call<'_>) -> Outcome {
    divide(c, BinaryOp::IRem)
}

pub(super) fn error(c: &mut Call<'_>) -> Outcome {
    let message = c.text(0).unwrap_or_else(|_| "error".to_owned());
    let mut bottom = crate::value::Bottom::new(crate::error::Code::User, message);
    bottom.at.push(c.at);
    Ok(Value::Bottom(Arc::new(bottom)))
}
