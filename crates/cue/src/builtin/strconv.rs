//! Package `strconv`.

use num_bigint::BigInt;

use super::{Call, Fail, Outcome};
use crate::number::Number;
use crate::syntax::literal;
use crate::value::Value;

fn syntax(text: &str) -> Fail {
    Fail::Eval(format!("parsing {text:?}: invalid syntax"))
}

fn parse_radix(text: &str, base: i64) -> Result<BigInt, Fail> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match (base, digits.get(..2)) {
        (0, Some("0x" | "0X")) => (16, &digits[2..]),
        (0, Some("0o" | "0O")) => (8, &digits[2..]),
        (0, Some("0b" | "0B")) => (2, &digits[2..]),
        (0, _) => (10, digits),
        (b @ 2..=36, _) => (u32::try_from(b).unwrap_or(10), digits),
        _ => return Err(Fail::Eval(format!("parsing {text:?}: invalid base {base}"))),
    };
    let n = BigInt::parse_bytes(digits.as_bytes(), radix).ok_or_else(|| syntax(text))?;
    Ok(if negative { -n } else { n })
}

pub(super) fn atoi(c: &mut Call<'_>) -> Outcome {
    Ok(Value::number(Number::Int(parse_radix(&c.text(0)?, 10)?)))
}

fn sized(n: BigInt, bits: i64, signed: bool, text: &str) -> Outcome {
    let bits = usize::try_from(if bits == 0 { 64 } else { bits }).unwrap_or(64).min(1024);
    let one = BigInt::from(1);
    let (low, high) = if signed {
        (-(one.clone() << (bits - 1)), (one.clone() << (bits - 1)) - one)
    } else {
        (BigInt::from(0), (one.clone() << bits) - one)
    };
    if n < low || n > high {
        return Err(Fail::Eval(format!("parsing {text:?}: value out of range")));
    }
    Ok(Value::number(Number::Int(n)))
}

pub(super) fn parse_int(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    sized(parse_radix(&text, c.int(1)?)?, c.int(2)?, true, &text)
}

pub(super) fn parse_uint(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    sized(parse_radix(&text, c.int(1)?)?, c.int(2)?, false, &text)
}

pub(super) fn parse_float(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    Number::parse_decimal(&text).map(Value::number).ok_or_else(|| syntax(&text))
}

pub(super) fn parse_number(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let (negative, body) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.as_str()),
    };
    let n = Number::parse(body).ok_or_else(|| syntax(&text))?;
    Ok(Value::number(if negative { n.neg() } else { n }))
}

pub(super) fn parse_bool(c: &mut Call<'_>) -> Outcome {
    match c.text(0)?.as_str() {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(Value::Bool(true)),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(Value::Bool(false)),
        other => Err(syntax(other)),
    }
}

pub(super) fn format_bool(c: &mut Call<'_>) -> Outcome {
    match &c.args[0] {
        Value::Bool(b) => Ok(Value::string(b.to_string())),
        _ => Err("expected a bool".into()),
    }
}

pub(super) fn format_int(c: &mut Call<'_>) -> Outcome {
    let base = c.int(1)?;
    if !(2..=36).contains(&base) {
        return Err(Fail::Eval(format!("illegal base {base}")));
    }
    let n = c.number(0)?;
    let n = n.as_int().ok_or_else(|| Fail::from("expected an integer"))?;
    Ok(Value::string(n.to_str_radix(u32::try_from(base).unwrap_or(10))))
}

pub(super) fn format_float(c: &mut Call<'_>) -> Outcome {
    let (x, format, precision) = (c.number(0)?.to_f64(), c.int(1)?, c.int(2)?);
    let digits = usize::try_from(precision).ok().map(|p| p.min(1000));
    let text = match (u32::try_from(format).ok().and_then(char::from_u32), digits) {
        (Some('f'), Some(p)) => format!("{x:.p$}"),
        (Some('f' | 'g' | 'G'), None) => format!("{x}"),
        (Some('e' | 'E'), p) => {
            let raw = p.map_or_else(|| format!("{x:e}"), |p| format!("{x:.p$e}"));
            let (mantissa, exponent) = raw.split_once('e').unwrap_or((&raw, "0"));
            let n: i32 = exponent.parse().unwrap_or(0);
            format!("{mantissa}e{}{:02}", if n < 0 { '-' } else { '+' }, n.abs())
        }
        (Some('g' | 'G'), Some(p)) => format!("{x:.p$}"),
        _ => return Err("unknown format".into()),
    };
    Ok(Value::string(text))
}

pub(super) fn quote(c: &mut Call<'_>) -> Outcome {
    Ok(Value::string(literal::quote(&c.text(0)?)))
}

pub(super) fn unquote(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let bytes = literal::unquote(&text).map_err(|_| Fail::from("invalid syntax"))?;
    String::from_utf8(bytes).map(Value::string).map_err(|_| "invalid syntax".into())
}
