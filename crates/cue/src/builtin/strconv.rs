//! Package `strconv`.

use num_bigint::BigInt;

use super::template::{general, with_exponent};
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
    let bits = usize::try_from(if bits == 0 { 64 } else { bits })
        .ok()
        .filter(|bits| *bits <= 1024)
        .ok_or_else(|| Fail::Eval(format!("parsing {text:?}: invalid bit size {bits}")))?;
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
    if text.starts_with(['-', '+']) {
        return Err(syntax(&text));
    }
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

pub(super) fn format_uint(c: &mut Call<'_>) -> Outcome {
    let n = c.number(0)?;
    if n.is_negative() {
        return Err(Fail::Eval(format!("cannot use {n} as an unsigned number")));
    }
    format_int(c)
}

pub(super) fn format_float(c: &mut Call<'_>) -> Outcome {
    let (x, format, precision) = (c.number(0)?.to_f64(), c.int(1)?, c.int(2)?);
    // The fewest digits that tell a 32-bit number from its neighbours are fewer than for 64 bits.
    #[allow(clippy::cast_possible_truncation, reason = "rounding to 32 bits is what is asked for")]
    let x = match c.int(3)? {
        32 => (x as f32).to_string().parse().unwrap_or(x),
        64 => x,
        other => return Err(Fail::Eval(format!("invalid bit size {other}"))),
    };
    let digits = usize::try_from(precision).ok().map(|p| p.min(1000));
    let letter = u32::try_from(format).ok().and_then(char::from_u32).unwrap_or(' ');
    let text = match (letter, digits) {
        ('f', Some(p)) => format!("{x:.p$}"),
        ('f', None) => format!("{x}"),
        ('e' | 'E', p) => {
            let raw = p.map_or_else(|| format!("{x:e}"), |p| format!("{x:.p$e}"));
            let (mantissa, exponent) = raw.split_once('e').unwrap_or((&raw, "0"));
            with_exponent(mantissa, exponent.parse().unwrap_or(0))
        }
        ('g' | 'G', p) => general(x, p),
        _ => return Err(Fail::Eval(format!("unknown format {letter:?}"))),
    };
    Ok(Value::string(if letter.is_ascii_uppercase() { text.to_uppercase() } else { text }))
}

/// Which characters stand for themselves between quotes.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    Ascii,
    /// Letters, marks, numbers, punctuation, symbols and the ASCII space.
    Print,
    /// And the other spaces.
    Graphic,
}

fn is_shown(ch: char, shown: Shown) -> bool {
    let class = match shown {
        Shown::Ascii => return matches!(ch, ' '..='~'),
        Shown::Print => r"^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$",
        Shown::Graphic => r"^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]$",
    };
    super::regex(class).is_ok_and(|class| class.is_match(ch.encode_utf8(&mut [0; 4])))
}

fn quoted(text: &str, mark: char, shown: Shown) -> Value {
    let mut out = String::from(mark);
    for ch in text.chars() {
        match ch {
            ch if ch == mark || ch == '\\' => out.extend(['\\', ch]),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            ch if matches!(ch, ' '..='~') || is_shown(ch, shown) => out.push(ch),
            ch if ch.is_ascii() => out.push_str(&format!("\\x{:02x}", u32::from(ch))),
            ch if u32::from(ch) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", u32::from(ch))),
            ch => out.push_str(&format!("\\U{:08x}", u32::from(ch))),
        }
    }
    out.push(mark);
    Value::string(out)
}

/// A code point; what is none is the replacement character.
fn rune(c: &Call<'_>) -> Result<char, Fail> {
    let code = u32::try_from(c.int(0)?).ok().and_then(char::from_u32);
    Ok(code.unwrap_or(char::REPLACEMENT_CHARACTER))
}

fn quoted_rune(c: &Call<'_>, shown: Shown) -> Outcome {
    Ok(quoted(rune(c)?.encode_utf8(&mut [0; 4]), '\'', shown))
}

pub(super) fn quote(c: &mut Call<'_>) -> Outcome {
    Ok(quoted(&c.text(0)?, '"', Shown::Print))
}

pub(super) fn quote_ascii(c: &mut Call<'_>) -> Outcome {
    Ok(quoted(&c.text(0)?, '"', Shown::Ascii))
}

pub(super) fn quote_graphic(c: &mut Call<'_>) -> Outcome {
    Ok(quoted(&c.text(0)?, '"', Shown::Graphic))
}

pub(super) fn quote_rune(c: &mut Call<'_>) -> Outcome {
    quoted_rune(c, Shown::Print)
}

pub(super) fn quote_rune_ascii(c: &mut Call<'_>) -> Outcome {
    quoted_rune(c, Shown::Ascii)
}

pub(super) fn quote_rune_graphic(c: &mut Call<'_>) -> Outcome {
    quoted_rune(c, Shown::Graphic)
}

fn is_rune(c: &Call<'_>, shown: Shown) -> Outcome {
    let code = u32::try_from(c.int(0)?).ok().and_then(char::from_u32);
    Ok(Value::Bool(code.is_some_and(|ch| is_shown(ch, shown))))
}

pub(super) fn is_print(c: &mut Call<'_>) -> Outcome {
    is_rune(c, Shown::Print)
}

pub(super) fn is_graphic(c: &mut Call<'_>) -> Outcome {
    is_rune(c, Shown::Graphic)
}

pub(super) fn unquote(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let bytes = literal::unquote(&text).map_err(|_| Fail::from("invalid syntax"))?;
    String::from_utf8(bytes).map(Value::string).map_err(|_| "invalid syntax".into())
}
