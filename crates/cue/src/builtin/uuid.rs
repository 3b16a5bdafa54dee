//! Package `uuid`: identifiers of RFC 9562, made from names, numbers and text; none is drawn by chance.

use md5::Digest;
use num_bigint::BigInt;

use super::{Call, Fail, Outcome};
use crate::number::Number;
use crate::value::Value;

const URN: &str = "urn:uuid:";

/// Reads the standard form, and the same as a URN, in braces, or without hyphens.
fn parsed(text: &str) -> Option<u128> {
    let bare = match text.get(..URN.len()) {
        Some(start) if start.eq_ignore_ascii_case(URN) => &text[URN.len()..],
        _ => text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text),
    };
    let raw = bare == text && text.len() == 32;
    let groups: Vec<&str> = bare.split('-').collect();
    let hyphened = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]);
    let digits = groups.concat();
    let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    if (raw || hyphened) && hex { u128::from_str_radix(&digits, 16).ok() } else { None }
}

fn shown(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn argument(c: &Call<'_>) -> Result<u128, Fail> {
    parsed(&c.text(0)?).ok_or_else(|| "invalid UUID".into())
}

pub(super) fn valid(c: &mut Call<'_>) -> Outcome {
    argument(c).map(|_| Value::Bool(true))
}

pub(super) fn canonical(c: &mut Call<'_>) -> Outcome {
    Ok(Value::string(shown(argument(c)?)))
}

pub(super) fn urn(c: &mut Call<'_>) -> Outcome {
    Ok(Value::string(format!("{URN}{}", shown(argument(c)?))))
}

pub(super) fn to_int(c: &mut Call<'_>) -> Outcome {
    Ok(Value::number(Number::Int(BigInt::from(argument(c)?))))
}

pub(super) fn from_int(c: &mut Call<'_>) -> Outcome {
    let n = c.number(0)?;
    let id = n.as_int().and_then(|n| u128::try_from(n).ok());
    id.map(|id| Value::string(shown(id))).ok_or_else(|| Fail::Eval(format!("{n} does not fit into 128 bits")))
}

/// 1 for RFC 9562, 2 reserved for NCS, 3 Microsoft, 4 for the future; numbered as the reference does.
pub(super) fn variant(c: &mut Call<'_>) -> Outcome {
    let top = (argument(c)? >> 61) & 0b111;
    Ok(Value::int(match top {
        0b100 | 0b101 => 1,
        0b110 => 3,
        0b111 => 4,
        _ => 2,
    }))
}

pub(super) fn version(c: &mut Call<'_>) -> Outcome {
    let nibble = (argument(c)? >> 76) & 0xf;
    Ok(Value::int(i64::try_from(nibble).unwrap_or(0)))
}

/// A name-based identifier: the first 16 bytes of the hash of name space and name, marked with its version.
fn named<D: Digest>(c: &Call<'_>, version: u128) -> Outcome {
    let mut input = argument(c)?.to_be_bytes().to_vec();
    input.extend(c.bytes(1)?);
    let id = D::digest(input).iter().take(16).fold(0_u128, |id, byte| id << 8 | u128::from(*byte));
    let marked = id & !(0xf << 76) & !(0b11 << 62) | version << 76 | 0b10 << 62;
    Ok(Value::string(shown(marked)))
}

pub(super) fn md5(c: &mut Call<'_>) -> Outcome {
    named::<md5::Md5>(c, 3)
}

pub(super) fn sha1(c: &mut Call<'_>) -> Outcome {
    named::<sha1::Sha1>(c, 5)
}
