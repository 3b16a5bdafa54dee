//! Packages `math` and `math/bits`.

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive};

use super::{Call, Fail, Outcome};
use crate::number::Number;
use crate::value::Value;

fn float(c: &Call<'_>, f: impl Fn(f64) -> f64) -> Outcome {
    let x = f(c.number(0)?.to_f64());
    Number::from_f64(x)
        .map(Value::number)
        .ok_or_else(|| Fail::Eval("result is not a finite number".to_owned()))
}

macro_rules! floats {
    ($($name:ident => $f:expr),* $(,)?) => {
        $(pub(super) fn $name(c: &mut Call<'_>) -> Outcome { float(c, $f) })*
    };
}

floats! {
    sqrt => f64::sqrt, cbrt => f64::cbrt, exp => f64::exp, exp2 => f64::exp2, expm1 => f64::exp_m1,
    log => f64::ln, log10 => f64::log10, log2 => f64::log2, log1p => f64::ln_1p,
    sin => f64::sin, cos => f64::cos, tan => f64::tan, asin => f64::asin, acos => f64::acos, atan => f64::atan,
    sinh => f64::sinh, cosh => f64::cosh, tanh => f64::tanh, asinh => f64::asinh, acosh => f64::acosh, atanh => f64::atanh,
}

pub(super) fn floor(c: &mut Call<'_>) -> Outcome {
    Ok(Value::number(Number::Int(c.number(0)?.floor())))
}

pub(super) fn ceil(c: &mut Call<'_>) -> Outcome {
    Ok(Value::number(Number::Int(-c.number(0)?.neg().floor())))
}

pub(super) fn trunc(c: &mut Call<'_>) -> Outcome {
    let n = c.number(0)?;
    Ok(Value::number(Number::Int(if n.is_negative() { -n.neg().floor() } else { n.floor() })))
}

pub(super) fn round(c: &mut Call<'_>) -> Outcome {
    let n = c.number(0)?;
    let half = Number::Decimal(BigInt::from(5), -1);
    let whole = if n.is_negative() { -n.neg().add(&half).floor() } else { n.add(&half).floor() };
    Ok(Value::number(Number::Int(whole)))
}

pub(super) fn round_to_even(c: &mut Call<'_>) -> Outcome {
    let n = c.number(0)?;
    let low = n.floor();
    let rest = n.sub(&Number::Int(low.clone()));
    let half = Number::Decimal(BigInt::from(5), -1);
    let up = match rest.compare(&half) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => low.bit(0),
    };
    Ok(Value::number(Number::Int(if up { low + 1 } else { low })))
}

pub(super) fn abs(c: &mut Call<'_>) -> Outcome {
    let n = c.number(0)?;
    Ok(Value::number(if n.is_negative() { n.neg() } else { n }))
}

pub(super) fn signbit(c: &mut Call<'_>) -> Outcome {
    Ok(Value::Bool(c.number(0)?.is_negative()))
}

pub(super) fn pow(c: &mut Call<'_>) -> Outcome {
    let (x, y) = (c.number(0)?, c.number(1)?);
    let whole = y.to_integer().and_then(|n| n.to_i32());
    if let Some(n) = whole {
        let too_large = || Fail::from("number is too large");
        let positive = x.pow(n.unsigned_abs()).ok_or_else(too_large)?;
        if n >= 0 {
            return Ok(Value::number(positive));
        }
        let inverse = Number::int(1).quo(&positive).ok_or_else(|| Fail::from("division by zero"))?;
        return Ok(Value::number(inverse));
    }
    let r = x.to_f64().powf(y.to_f64());
    Number::from_f64(r)
        .map(Value::number)
        .ok_or_else(|| Fail::Eval("result is not a finite number".to_owned()))
}

pub(super) fn multiple_of(c: &mut Call<'_>) -> Outcome {
    let (x, y) = (c.number(0)?, c.number(1)?);
    let quotient = x.quo(&y).ok_or_else(|| Fail::from("division by zero"))?;
    Ok(Value::Bool(quotient.to_integer().is_some()))
}

fn two(c: &Call<'_>, f: impl Fn(f64, f64) -> f64) -> Outcome {
    let r = f(c.number(0)?.to_f64(), c.number(1)?.to_f64());
    Number::from_f64(r)
        .map(Value::number)
        .ok_or_else(|| Fail::Eval("result is not a finite number".to_owned()))
}

pub(super) fn atan2(c: &mut Call<'_>) -> Outcome {
    two(c, f64::atan2)
}

pub(super) fn hypot(c: &mut Call<'_>) -> Outcome {
    two(c, f64::hypot)
}

pub(super) fn modulo(c: &mut Call<'_>) -> Outcome {
    two(c, |x, y| x % y)
}

pub(super) fn copysign(c: &mut Call<'_>) -> Outcome {
    let (x, y) = (c.number(0)?, c.number(1)?);
    Ok(Value::number(if x.is_negative() == y.is_negative() { x } else { x.neg() }))
}

fn big(c: &Call<'_>, i: usize) -> Result<BigInt, Fail> {
    c.number(i)?.as_int().cloned().ok_or_else(|| "expected an integer".into())
}

fn bits(c: &Call<'_>, f: impl Fn(BigInt, BigInt) -> BigInt) -> Outcome {
    Ok(Value::number(Number::Int(f(big(c, 0)?, big(c, 1)?))))
}

pub(super) fn and(c: &mut Call<'_>) -> Outcome {
    bits(c, |a, b| a & b)
}

pub(super) fn or(c: &mut Call<'_>) -> Outcome {
    bits(c, |a, b| a | b)
}

pub(super) fn xor(c: &mut Call<'_>) -> Outcome {
    bits(c, |a, b| a ^ b)
}

pub(super) fn clear(c: &mut Call<'_>) -> Outcome {
    bits(c, |a, b| a & !b)
}

fn shift(c: &Call<'_>) -> Result<usize, Fail> {
    let n = c.uint(1)?;
    if n as u64 > crate::limits::NUMBER_BITS { Err("shift is too large".into()) } else { Ok(n) }
}

pub(super) fn lsh(c: &mut Call<'_>) -> Outcome {
    Ok(Value::number(Number::Int(big(c, 0)? << shift(c)?)))
}

pub(super) fn rsh(c: &mut Call<'_>) -> Outcome {
    Ok(Value::number(Number::Int(big(c, 0)? >> shift(c)?)))
}

pub(super) fn at(c: &mut Call<'_>) -> Outcome {
    Ok(Value::int(i64::from(big(c, 0)?.bit(shift(c)? as u64))))
}

pub(super) fn set_bit(c: &mut Call<'_>) -> Outcome {
    let mut n = big(c, 0)?;
    n.set_bit(shift(c)? as u64, c.int(2)? != 0);
    Ok(Value::number(Number::Int(n)))
}

pub(super) fn length(c: &mut Call<'_>) -> Outcome {
    Ok(Value::int(i64::try_from(big(c, 0)?.bits()).unwrap_or(i64::MAX)))
}

pub(super) fn ones_count(c: &mut Call<'_>) -> Outcome {
    let n = big(c, 0)?.abs();
    Ok(Value::int(n.iter_u64_digits().map(|d| i64::from(d.count_ones())).sum()))
}
