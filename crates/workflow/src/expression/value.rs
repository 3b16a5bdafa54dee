//! JSON in and out of jq.

use jaq_json::{Num, Val};
use serde::Deserialize;
use serde_json::{Map, Number, Value};

use super::Failure;
use crate::limits;

/// A JSON value as jq's.
pub(super) fn to_jq(value: &Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(bool) => Val::Bool(*bool),
        other => Val::deserialize(other).unwrap_or(Val::Null),
    }
}

/// jq's value as JSON, unless it is too large. Whole numbers come out as integers whatever jq made of them, as
/// jq itself prints them.
pub(super) fn from_jq(value: &Val) -> Result<Value, Failure> {
    let mut budget = Budget { nodes: limits::EVALUATION_NODES, text: limits::EVALUATION_TEXT };
    convert(value, 0, &mut budget)
}

struct Budget {
    nodes: usize,
    text: usize,
}

impl Budget {
    fn take(&mut self, text: usize) -> Result<(), Failure> {
        let nodes = self.nodes.checked_sub(1).ok_or(Failure::Limit("the result has too many values"))?;
        let text = self.text.checked_sub(text).ok_or(Failure::Limit("the result is too long"))?;
        *self = Self { nodes, text };
        Ok(())
    }
}

fn convert(value: &Val, depth: usize, budget: &mut Budget) -> Result<Value, Failure> {
    if depth > limits::EVALUATION_DEPTH {
        return Err(Failure::Limit("the result is nested too deep"));
    }
    match value {
        Val::Null => budget.take(0).map(|()| Value::Null),
        Val::Bool(bool) => budget.take(0).map(|()| Value::Bool(*bool)),
        Val::Num(number) => budget.take(0).map(|()| convert_number(number)),
        Val::TStr(bytes) | Val::BStr(bytes) => {
            budget.take(bytes.len())?;
            Ok(Value::String(String::from_utf8_lossy(bytes).into_owned()))
        }
        Val::Arr(items) => {
            budget.take(0)?;
            items
                .iter()
                .map(|item| convert(item, depth + 1, budget))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array)
        }
        Val::Obj(members) => {
            budget.take(0)?;
            let mut object = Map::new();
            for (key, member) in members.iter() {
                let (Val::TStr(key) | Val::BStr(key)) = key else {
                    return Err(Failure::Jq(
                        "the result has an object with a key that is not a text".to_owned(),
                    ));
                };
                budget.take(key.len())?;
                object.insert(String::from_utf8_lossy(key).into_owned(), convert(member, depth + 1, budget)?);
            }
            Ok(Value::Object(object))
        }
    }
}

/// Largest integer a double holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn convert_number(number: &Num) -> Value {
    match number {
        Num::Int(int) => Value::from(*int),
        Num::Float(float) => from_float(*float),
        Num::BigInt(big) => big
            .to_string()
            .parse::<u64>()
            .map_or_else(|_| from_float(big.to_string().parse().unwrap_or(f64::NAN)), Value::from),
        Num::Dec(text) => {
            text.parse::<i64>().map_or_else(|_| from_float(text.parse().unwrap_or(f64::NAN)), Value::from)
        }
    }
}

fn from_float(float: f64) -> Value {
    if float.fract() == 0.0 && float.abs() < EXACT {
        #[allow(clippy::cast_possible_truncation, reason = "whole and within 2^53, as just checked")]
        return Value::from(float as i64);
    }
    // jq prints infinities as the largest double and not-a-number as null.
    let finite = if float.is_infinite() { f64::MAX.copysign(float) } else { float };
    Number::from_f64(finite).map_or(Value::Null, Value::Number)
}
