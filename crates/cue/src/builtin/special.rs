//! The special functions of package `math`, and what it knows of binary floating-point numbers.

use num_traits::ToPrimitive;

use super::{Call, Fail, Outcome};
use crate::number::Number;
use crate::value::Value;

fn finite(x: f64) -> Outcome {
    Number::from_f64(x)
        .map(Value::number)
        .ok_or_else(|| Fail::Eval("result is not a finite number".to_owned()))
}

fn float(c: &Call<'_>, i: usize) -> Result<f64, Fail> {
    Ok(c.number(i)?.to_f64())
}

fn small(c: &Call<'_>, i: usize) -> Result<i32, Fail> {
    let n = c.number(i)?;
    n.to_integer().and_then(|n| n.to_i32()).ok_or_else(|| Fail::Eval(format!("{n} is out of range")))
}

macro_rules! floats {
    ($($name:ident => $f:expr),* $(,)?) => {
        $(pub(super) fn $name(c: &mut Call<'_>) -> Outcome { finite($f(float(c, 0)?)) })*
    };
}

floats! {
    erf => libm::erf, erfc => libm::erfc, gamma => libm::tgamma,
    j0 => libm::j0, j1 => libm::j1, y0 => libm::y0, y1 => libm::y1,
}

pub(super) fn jn(c: &mut Call<'_>) -> Outcome {
    finite(libm::jn(small(c, 0)?, float(c, 1)?))
}

pub(super) fn yn(c: &mut Call<'_>) -> Outcome {
    finite(libm::yn(small(c, 0)?, float(c, 1)?))
}

/// The remainder of IEEE 754: the quotient is rounded to the nearest, ties to even.
pub(super) fn remainder(c: &mut Call<'_>) -> Outcome {
    finite(libm::remainder(float(c, 0)?, float(c, 1)?))
}

pub(super) fn dim(c: &mut Call<'_>) -> Outcome {
    let rest = c.number(0)?.sub(&c.number(1)?);
    Ok(Value::number(if rest.is_negative() { Number::int(0) } else { rest }))
}

pub(super) fn ldexp(c: &mut Call<'_>) -> Outcome {
    finite(libm::ldexp(float(c, 0)?, small(c, 1)?))
}

fn exponent(c: &Call<'_>) -> Result<i32, Fail> {
    let x = float(c, 0)?;
    if x == 0.0 || !x.is_finite() {
        return Err("result is not a finite number".into());
    }
    Ok(libm::ilogb(x))
}

pub(super) fn ilogb(c: &mut Call<'_>) -> Outcome {
    Ok(Value::int(exponent(c)?.into()))
}

pub(super) fn logb(c: &mut Call<'_>) -> Outcome {
    finite(exponent(c)?.into())
}

pub(super) fn pow10(c: &mut Call<'_>) -> Outcome {
    let n = small(c, 0)?;
    if i64::from(n).unsigned_abs() > crate::limits::NUMBER_BITS / 4 {
        return Err("number is too large".into());
    }
    Ok(Value::number(Number::Decimal(1.into(), n)))
}
