//! The canonical form of JSON (RFC 8785, JCS): one value, one sequence of bytes.
//!
//! Members are sorted by the UTF-16 code units of their names, numbers are written as ECMAScript does,
//! strings are escaped minimally, and there is no white space. Digests and signatures are taken over
//! this form. Integers outside the range a double holds exactly are written as the nearest double,
//! as the RFC demands; values that need more belong in strings.

use serde_json::Value;

mod serializer;
mod text;

pub use serializer::{CanonicalError, DEPTH_MAX, serialize, serialize_and_tell};
pub(crate) use serializer::{SERDE_JSON_PRIVATE, serialize_below};
pub(crate) use text::Raw;
pub use text::Text;

/// Integers up to this are doubles exactly, and written digit by digit.
const EXACT: u64 = 1 << 53;

/// Appends the canonical form of `value` to `out`.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| compare_names(a, b));
            out.push(b'{');
            for (index, (name, member)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(name, out);
                out.push(b':');
                write(member, out);
            }
            out.push(b'}');
        }
    }
}

/// The canonical form of `value`.
///
/// ```
/// let value = serde_json::json!({"b": 1.0, "a": [true, null, "\u{20ac}"]});
/// assert_eq!(model::canonical::to_vec(&value), "{\"a\":[true,null,\"\u{20ac}\"],\"b\":1}".as_bytes());
/// ```
pub fn to_vec(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write(value, &mut out);
    out
}

/// The canonical form of `value` has no more bytes than this, which is told without writing it: six for a byte of text that has
/// to be escaped, 25 for the longest of numbers.
///
/// ```
/// assert_eq!(model::canonical::most_bytes(&serde_json::json!("12")), 14);
/// ```
pub fn most_bytes(value: &Value) -> usize {
    let text = |text: &str| text.len() * 6 + 2;
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 25,
        Value::String(one) => text(one),
        Value::Array(items) => 2 + items.iter().map(|item| most_bytes(item) + 1).sum::<usize>(),
        Value::Object(members) => {
            2 + members.iter().map(|(name, member)| text(name) + most_bytes(member) + 2).sum::<usize>()
        }
    }
}

/// RFC 8785 section 3.2.3: names compare by UTF-16 code units. For ASCII that is byte order.
fn compare_names(a: &str, b: &str) -> std::cmp::Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// RFC 8785 section 3.2.2.3: as ECMAScript's `Number.prototype.toString`.
fn write_number(number: &serde_json::Number, out: &mut Vec<u8>) {
    if let Some(small) = number.as_u64().filter(|n| *n <= EXACT) {
        write_decimal(small, out);
    } else if let Some(small) = number.as_i64().filter(|n| n.unsigned_abs() <= EXACT) {
        out.push(b'-');
        write_decimal(small.unsigned_abs(), out);
    } else {
        // serde_json holds finite doubles only, so there is always one
        write_double(number.as_f64().unwrap_or(0.0), out);
    }
}

fn write_double(double: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(ryu_js::Buffer::new().format_finite(double).as_bytes());
}

/// Appends the decimal digits of `number`.
pub fn write_decimal(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let (mut rest, mut start) = (number, digits.len());
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Makes `value` what a reader of its canonical form gets: integral doubles become integers, integers that a
/// double does not hold exactly become the nearest double. Who keeps a value in memory that also goes into the
/// journal keeps this form, so that replay sees the same.
///
/// ```
/// let mut value = serde_json::json!([1.0, -0.0, 9_007_199_254_740_993_u64, 1.5]);
/// model::canonical::normalize(&mut value);
/// assert_eq!(value, serde_json::json!([1, 0, 9_007_199_254_740_992_u64, 1.5]));
/// ```
pub fn normalize(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(read) = read_back(number) {
                *number = read;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalize),
        Value::Object(members) => members.values_mut().for_each(normalize),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Whether [`normalize`] would leave `value` as it is, as it does nearly always.
pub fn is_normal(value: &Value) -> bool {
    match value {
        Value::Number(number) => read_back(number).is_none_or(|read| read == *number),
        Value::Array(items) => items.iter().all(is_normal),
        Value::Object(members) => members.values().all(is_normal),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// What a reader gets of a number's canonical form; nothing where that is the number as it is.
fn read_back(number: &serde_json::Number) -> Option<serde_json::Number> {
    let exact = |number: u64| number <= EXACT;
    if number.as_u64().is_some_and(exact) || number.as_i64().is_some_and(|one| exact(one.unsigned_abs())) {
        return None;
    }
    let mut text = Vec::with_capacity(24);
    write_number(number, &mut text);
    serde_json::from_slice(&text).ok()
}

/// RFC 8785 section 3.2.2.2: the two-character escapes where JSON has one, `\u00xx` for other controls.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    write_string_content(text, out);
    out.push(b'"');
}

/// The same without the quotes.
fn write_string_content(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    // most texts have nothing to escape, and a look without a way out of the loop takes many bytes at a time
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    if !bytes.iter().fold(false, |found, byte| found | special(*byte)) {
        out.extend_from_slice(bytes);
        return;
    }
    let mut start = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if !special(*byte) {
            continue;
        }
        out.extend_from_slice(&bytes[start..index]);
        start = index + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            control => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(control >> 4)]);
                out.push(HEX[usize::from(control & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number table of RFC 8785 appendix B: IEEE 754 bits and the text they must become.
    #[test]
    fn numbers_follow_appendix_b() {
        for (bits, text) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        ] {
            let value = Value::from(f64::from_bits(bits));
            assert_eq!(String::from_utf8(to_vec(&value)).unwrap(), text, "{bits:x}");
        }
    }

    #[test]
    fn names_sort_by_utf16_code_units() {
        let value = serde_json::json!({"\u{fb33}": 1, "\u{1f600}": 2, "a": 3});
        let text = String::from_utf8(to_vec(&value)).unwrap();
        assert_eq!(text, "{\"a\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}");
    }
}
