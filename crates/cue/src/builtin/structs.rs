//! Package `struct`.

use super::{Call, Fail, Outcome};
use crate::syntax::ast::Constraint;
use crate::value::Value;

fn count(c: &Call<'_>) -> Result<usize, Fail> {
    let node = c.node(0)?;
    let fields = c.eval.node(node).arcs.iter().filter(|(label, arc)| {
        let arc = c.eval.node(*arc);
        arc.constraint == Constraint::Member
            && !arc.conjuncts.is_empty()
            && c.eval.program.labels.is_regular(*label)
    });
    Ok(fields.count())
}

pub(super) fn min_fields(c: &mut Call<'_>) -> Outcome {
    let (have, want) = (count(c)?, c.uint(1)?);
    if have >= want {
        return Ok(Value::Bool(true));
    }
    let message = format!("len(fields) < MinFields({want}) ({have} < {want})");
    let node = c.node(0)?;
    Err(if c.eval.is_closed(node) && !c.eval.may_gain_fields(node) {
        Fail::Eval(message)
    } else {
        Fail::Incomplete(message)
    })
}

pub(super) fn max_fields(c: &mut Call<'_>) -> Outcome {
    let (have, want) = (count(c)?, c.uint(1)?);
    if have <= want {
        return Ok(Value::Bool(true));
    }
    Err(Fail::Eval(format!("len(fields) > MaxFields({want}) ({have} > {want})")))
}
