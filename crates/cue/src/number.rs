//! Numbers: integers of any size, and decimals with 34 significant digits (IEEE decimal128 rounding,
//! half up, as the General Decimal Arithmetic specification has it).

use std::cmp::Ordering;
use std::fmt;

use num_bigint::{BigInt, Sign};
use num_integer::Integer;
use num_traits::{One, Signed, ToPrimitive, Zero};

use crate::limits;

/// Significant digits of a decimal result.
const PRECISION: u64 = 34;

/// A number of CUE: an integer or a decimal; the two are different types even when equal.
#[derive(Clone, Debug)]
pub enum Number {
    /// An integer.
    Int(BigInt),
    /// `coefficient * 10^exponent`.
    Decimal(BigInt, i32),
}

fn pow10(n: u64) -> BigInt {
    num_traits::pow(BigInt::from(10), usize::try_from(n).unwrap_or(usize::MAX))
}

fn digits(n: &BigInt) -> u64 {
    if n.is_zero() { 1 } else { n.abs().to_string().len() as u64 }
}

/// Rounds a coefficient to the precision, half up.
fn round(coeff: BigInt, exp: i32) -> Number {
    // A number below 2^112 has at most 34 digits.
    if coeff.bits() <= 112 {
        return Number::Decimal(coeff, exp);
    }
    let len = digits(&coeff);
    if len <= PRECISION {
        return Number::Decimal(coeff, exp);
    }
    let drop = len - PRECISION;
    let unit = pow10(drop);
    let (q, r) = coeff.abs().div_rem(&unit);
    let mut q = if r * 2 >= unit { q + 1 } else { q };
    if coeff.is_negative() {
        q = -q;
    }
    let shifted = exp.saturating_add(i32::try_from(drop).unwrap_or(i32::MAX));
    round(q, shifted)
}

impl Number {
    /// An integer.
    pub fn int(n: impl Into<BigInt>) -> Self {
        Self::Int(n.into())
    }

    /// A decimal from a finite binary floating-point number, by its shortest text.
    pub fn from_f64(x: f64) -> Option<Self> {
        if !x.is_finite() {
            return None;
        }
        Self::parse_decimal(&format!("{x:e}"))
    }

    /// Parses the text of a number literal (underscores, bases, multipliers).
    pub fn parse(text: &str) -> Option<Self> {
        let clean: String = text.chars().filter(|c| *c != '_').collect();
        let radix = match clean.get(..2) {
            Some("0x" | "0X") => 16,
            Some("0o") => 8,
            Some("0b") => 2,
            _ => 10,
        };
        if radix != 10 {
            return BigInt::parse_bytes(&clean.as_bytes()[2..], radix).map(Self::Int);
        }
        if let Some((body, unit)) = multiplier(&clean) {
            let (coeff, exp) = Self::parse_decimal(body)?.parts();
            let scaled = coeff * unit;
            let whole = if exp >= 0 {
                scaled * pow10(u64::from(exp.unsigned_abs()))
            } else {
                scaled / pow10(u64::from(exp.unsigned_abs()))
            };
            return Some(Self::Int(whole));
        }
        if clean.bytes().all(|b| b.is_ascii_digit()) {
            return clean.parse().ok().map(Self::Int);
        }
        Self::parse_decimal(&clean)
    }

    /// Parses `-12.5e3` as a decimal.
    pub fn parse_decimal(text: &str) -> Option<Self> {
        let (mantissa, exp) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let joined = format!("{whole}{fraction}");
        let coeff: BigInt = joined.parse().ok()?;
        let exp = exp.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        if exp.unsigned_abs() > 100_000 {
            return None;
        }
        Some(Self::Decimal(coeff, exp))
    }

    /// Coefficient and exponent.
    pub fn parts(&self) -> (BigInt, i32) {
        match self {
            Self::Int(n) => (n.clone(), 0),
            Self::Decimal(c, e) => (c.clone(), *e),
        }
    }

    /// Whether it is of type `int`.
    pub fn is_int(&self) -> bool {
        matches!(self, Self::Int(_))
    }

    /// The integer, if it is one by type.
    pub fn as_int(&self) -> Option<&BigInt> {
        match self {
            Self::Int(n) => Some(n),
            Self::Decimal(..) => None,
        }
    }

    /// The whole number it is equal to, if any.
    pub fn to_integer(&self) -> Option<BigInt> {
        match self {
            Self::Int(n) => Some(n.clone()),
            Self::Decimal(c, e) if *e >= 0 => Some(c * pow10(u64::from(e.unsigned_abs()))),
            Self::Decimal(c, e) => {
                let (q, r) = c.div_rem(&pow10(u64::from(e.unsigned_abs())));
                r.is_zero().then_some(q)
            }
        }
    }

    /// The nearest binary floating-point number.
    pub fn to_f64(&self) -> f64 {
        match self {
            Self::Int(n) => n.to_f64().unwrap_or(f64::NAN),
            Self::Decimal(c, e) => format!("{c}e{e}").parse().unwrap_or(f64::NAN),
        }
    }

    fn aligned(&self, other: &Self) -> (BigInt, BigInt, i32) {
        let (a, ea) = self.parts();
        let (b, eb) = other.parts();
        let e = ea.min(eb);
        let up = |n: BigInt, from: i32| n * pow10(u64::from(from.abs_diff(e)));
        (up(a, ea), up(b, eb), e)
    }

    fn combine(&self, other: &Self, op: impl Fn(BigInt, BigInt) -> BigInt) -> Self {
        if let (Self::Int(a), Self::Int(b)) = (self, other) {
            return Self::Int(op(a.clone(), b.clone()));
        }
        let (a, b, e) = self.aligned(other);
        round(op(a, b), e)
    }

    /// Sum.
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a + b)
    }

    /// Difference.
    #[must_use]
    pub fn sub(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a - b)
    }

    /// Product; `None` when it would be larger than the limit.
    pub fn mul(&self, other: &Self) -> Option<Self> {
        let (a, ea) = self.parts();
        let (b, eb) = other.parts();
        if a.bits() + b.bits() > limits::NUMBER_BITS {
            return None;
        }
        if self.is_int() && other.is_int() {
            return Some(Self::Int(a * b));
        }
        Some(round(a * b, ea.saturating_add(eb)))
    }

    /// Quotient as a decimal; `None` when dividing by zero.
    pub fn quo(&self, other: &Self) -> Option<Self> {
        let (a, ea) = self.parts();
        let (b, eb) = other.parts();
        if b.is_zero() {
            return None;
        }
        let ideal = ea.saturating_sub(eb);
        if a.is_zero() {
            return Some(Self::Decimal(BigInt::zero(), ideal.min(0)));
        }
        let shift = (PRECISION + digits(&b) + 2).saturating_sub(digits(&a));
        let (mut q, r) = (a * pow10(shift)).div_rem(&b);
        let mut exp = ideal.saturating_sub(i32::try_from(shift).unwrap_or(i32::MAX));
        if r.is_zero() {
            let ten = BigInt::from(10);
            while exp < ideal {
                let (next, rest) = q.div_rem(&ten);
                if !rest.is_zero() {
                    break;
                }
                q = next;
                exp += 1;
            }
        } else {
            // A sticky digit, so that rounding sees that the result is not exact.
            let sticky = if q.is_negative() { -1 } else { 1 };
            q = q * 10 + sticky;
            exp -= 1;
        }
        Some(round(q, exp))
    }

    /// Integer power of a whole exponent, or `None` when too large.
    pub fn pow(&self, exponent: u32) -> Option<Self> {
        let mut result = Self::Int(BigInt::one());
        if !self.is_int() {
            result = Self::Decimal(BigInt::one(), 0);
        }
        let mut base = self.clone();
        let mut n = exponent;
        while n > 0 {
            if n & 1 == 1 {
                result = result.mul(&base)?;
            }
            n >>= 1;
            if n > 0 {
                base = base.mul(&base)?;
            }
        }
        Some(result)
    }

    /// The negated number.
    #[must_use]
    pub fn neg(&self) -> Self {
        match self {
            Self::Int(n) => Self::Int(-n),
            Self::Decimal(c, e) => Self::Decimal(-c, *e),
        }
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        match self {
            Self::Int(n) | Self::Decimal(n, _) => n.sign() == Sign::Minus,
        }
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        match self {
            Self::Int(n) | Self::Decimal(n, _) => n.is_zero(),
        }
    }

    /// Rounds to a whole number: towards minus infinity.
    pub fn floor(&self) -> BigInt {
        match self {
            Self::Int(n) => n.clone(),
            Self::Decimal(c, e) if *e >= 0 => c * pow10(u64::from(e.unsigned_abs())),
            Self::Decimal(c, e) => c.div_floor(&pow10(u64::from(e.unsigned_abs()))),
        }
    }

    /// Compares by value.
    pub fn compare(&self, other: &Self) -> Ordering {
        if let (Self::Int(a), Self::Int(b)) = (self, other) {
            return a.cmp(b);
        }
        let (a, b, _) = self.aligned(other);
        a.cmp(&b)
    }
}

impl PartialEq for Number {
    /// Same type and same value.
    fn eq(&self, other: &Self) -> bool {
        self.is_int() == other.is_int() && self.compare(other) == Ordering::Equal
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (c, e) = match self {
            Self::Int(n) => return write!(f, "{n}"),
            Self::Decimal(c, e) => (c, *e),
        };
        let sign = if c.is_negative() { "-" } else { "" };
        let text = c.abs().to_string();
        let adjusted = i64::from(e) + text.len() as i64 - 1;
        if e > 0 || adjusted < -6 {
            let (head, tail) = text.split_at(1);
            let dot = if tail.is_empty() { "" } else { "." };
            return write!(f, "{sign}{head}{dot}{tail}e{adjusted:+}");
        }
        if e == 0 {
            return write!(f, "{sign}{text}.0");
        }
        let point = usize::try_from(e.unsigned_abs()).unwrap_or(usize::MAX);
        if text.len() > point {
            let (whole, fraction) = text.split_at(text.len() - point);
            return write!(f, "{sign}{whole}.{fraction}");
        }
        write!(f, "{sign}0.{}{text}", "0".repeat(point - text.len()))
    }
}

fn multiplier(text: &str) -> Option<(&str, BigInt)> {
    let (body, binary) = match text.strip_suffix('i') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let power = match body.as_bytes().last()? {
        b'K' => 1,
        b'M' => 2,
        b'G' => 3,
        b'T' => 4,
        b'P' => 5,
        b'E' if binary => 6,
        _ => return None,
    };
    let base = if binary { BigInt::from(1024) } else { BigInt::from(1000) };
    Some((&body[..body.len() - 1], num_traits::pow(base, power)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_arithmetic_keeps_34_digits() {
        let n = |t: &str| Number::parse(t).unwrap();
        assert_eq!(n("1").quo(&n("3")).unwrap().to_string(), "0.3333333333333333333333333333333333");
        assert_eq!(n("6").quo(&n("3")).unwrap().to_string(), "2.0");
        assert_eq!(n("2").quo(&n("3")).unwrap().to_string(), "0.6666666666666666666666666666666667");
        assert_eq!(n("3.00").add(&n("2.00")).to_string(), "5.00");
        assert_eq!(n("1.5Ki").to_string(), "1536");
        assert_eq!(n("1e3").to_string(), "1e+3");
        assert_eq!(n("0.1").add(&n("0.2")).to_string(), "0.3");
    }
}
