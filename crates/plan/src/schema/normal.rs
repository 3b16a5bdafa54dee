//! When two values are the same although they are written differently.

use std::borrow::Cow;

use serde_json::Value;

/// Makes spellings of one value equal. Applies to texts, and inside of lists to their items, unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normaliser {
    /// Letters' case does not matter.
    Case,
    /// White space at both ends does not matter.
    Trim,
    /// Runs of white space are one space, and none at the ends.
    Space,
    /// Line ends are `\n`, and one at the end of the text does not matter.
    Lines,
    /// Texts that are decimal numbers are numbers.
    Numeric,
    /// Texts that are true or false (`yes`, `no`, `on`, `off`, in any case) are.
    Truth,
    /// File modes: octal texts with or without leading zeros or `0o` are the number they stand for.
    Octal,
    /// A list is a set: order and repetition do not matter.
    Set,
    /// A slash at the end of a path does not matter.
    Path,
}

/// Whether two values are the same under `normalisers`. `1` and `1.0` always are.
pub(crate) fn same(normalisers: &[Normaliser], a: &Value, b: &Value) -> bool {
    if a == b {
        return true;
    }
    if normalisers.is_empty() {
        return canonical_equal(a, b);
    }
    canonical_equal(&normalise(normalisers, a), &normalise(normalisers, b))
}

/// JSON has one kind of number, so `1` is `1.0`.
fn canonical_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| canonical_equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| canonical_equal(a, b)))
        }
        _ => a == b,
    }
}

/// The one spelling of `value`.
pub(crate) fn normalise<'v>(normalisers: &[Normaliser], value: &'v Value) -> Cow<'v, Value> {
    normalisers.iter().fold(Cow::Borrowed(value), |value, normaliser| match one(*normaliser, &value) {
        Some(changed) => Cow::Owned(changed),
        None => value,
    })
}

/// What a normaliser makes of a value; `None` when it leaves it.
fn one(normaliser: Normaliser, value: &Value) -> Option<Value> {
    match value {
        Value::Array(items) if normaliser == Normaliser::Set => {
            let mut keyed: Vec<_> = items.iter().map(|item| (model::canonical::to_vec(item), item)).collect();
            keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
            keyed.dedup_by(|(a, _), (b, _)| a == b);
            Some(keyed.into_iter().map(|(_, item)| item.clone()).collect())
        }
        Value::Array(items) => {
            Some(items.iter().map(|item| one(normaliser, item).unwrap_or_else(|| item.clone())).collect())
        }
        Value::String(text) => of_text(normaliser, text),
        Value::Number(number) if normaliser == Normaliser::Octal => {
            // a number is the mode itself: 420 is 0o644
            number.as_u64().map(|bits| Value::String(format!("{bits:o}")))
        }
        _ => None,
    }
}

fn of_text(normaliser: Normaliser, text: &str) -> Option<Value> {
    let changed = |new: String| (new != text).then_some(Value::String(new));
    match normaliser {
        Normaliser::Case => changed(text.to_lowercase()),
        Normaliser::Trim => changed(text.trim().to_owned()),
        Normaliser::Space => changed(text.split_whitespace().collect::<Vec<_>>().join(" ")),
        Normaliser::Lines => {
            let lines = text.replace("\r\n", "\n");
            changed(lines.strip_suffix('\n').unwrap_or(&lines).to_owned())
        }
        Normaliser::Numeric => {
            serde_json::from_str::<serde_json::Number>(text.trim()).ok().map(Value::Number)
        }
        Normaliser::Truth => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(Value::Bool(true)),
            "false" | "no" | "off" => Some(Value::Bool(false)),
            _ => None,
        },
        Normaliser::Octal => {
            let digits = text.trim().trim_start_matches("0o");
            u32::from_str_radix(digits, 8).ok().map(|bits| Value::String(format!("{bits:o}")))
        }
        Normaliser::Path if text.len() > 1 => changed(text.trim_end_matches('/').to_owned()),
        Normaliser::Path | Normaliser::Set => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spellings_of_one_value_are_the_same() {
        use Normaliser::{Case, Lines, Numeric, Octal, Path, Set, Space, Trim, Truth};
        for (normalisers, a, b) in [
            (&[][..], json!(1), json!(1.0)),
            (&[Case], json!("Present"), json!("present")),
            (&[Trim], json!(" x\n"), json!("x")),
            (&[Space], json!(" a \t b"), json!("a b")),
            (&[Lines], json!("a\r\nb\r\n"), json!("a\nb")),
            (&[Numeric], json!("8080"), json!(8080)),
            (&[Truth], json!("Yes"), json!(true)),
            (&[Octal], json!("0644"), json!("644")),
            (&[Octal], json!("0o644"), json!(0o644)),
            (&[Set], json!(["b", "a", "b"]), json!(["a", "b"])),
            (&[Case, Set], json!(["B", "a"]), json!(["A", "b"])),
            (&[Path], json!("/etc/nginx/"), json!("/etc/nginx")),
        ] {
            assert!(same(normalisers, &a, &b), "{a} and {b} under {normalisers:?}");
        }
    }

    #[test]
    fn other_values_stay_different() {
        use Normaliser::{Case, Numeric, Octal, Path, Set, Trim, Truth};
        for (normalisers, a, b) in [
            (&[][..], json!("a"), json!("A")),
            (&[Case], json!("a"), json!(" a")),
            (&[Trim], json!("a b"), json!("ab")),
            (&[Numeric], json!("8080x"), json!(8080)),
            (&[Truth], json!("yes!"), json!(true)),
            (&[Octal], json!("0644"), json!("0640")),
            (&[Set], json!(["a"]), json!(["a", "b"])),
            (&[Path], json!("/"), json!("")),
        ] {
            assert!(!same(normalisers, &a, &b), "{a} and {b} under {normalisers:?}");
        }
    }
}
