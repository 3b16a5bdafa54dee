//! Typed, prefixed, sortable ids: `run_` + 26 lower-case Crockford base 32 characters.
//!
//! The 26 characters hold a 48-bit millisecond timestamp and 80 bits of entropy (the layout of the
//! ULID specification), so ids made later sort later. Time and entropy are arguments: this crate has
//! neither. Wherever a person types an id, any unique prefix of it is accepted ([`matches_prefix`]).

use std::fmt;
use std::str::FromStr;

/// Crockford's base 32 alphabet in lower case (no i, l, o, u).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id of the form {prefix}_ and 26 characters of 0-9 and a-z without i, l, o, u")]
pub struct IdError {
    text: String,
    prefix: &'static str,
}

/// Whether `typed`, as a person would shorten it, can mean `id`: a prefix of the whole id, or of the
/// part after the underscore.
///
/// ```
/// let id = model::RunId::from_parts(1, 2).to_string();
/// assert!(model::id::matches_prefix(&id, "run_000"));
/// assert!(model::id::matches_prefix(&id, &id[4..12]));
/// ```
pub fn matches_prefix(id: &str, typed: &str) -> bool {
    !typed.is_empty()
        && (id.starts_with(typed) || id.split_once('_').is_some_and(|(_, rest)| rest.starts_with(typed)))
}

fn encode(bits: u128) -> [u8; 26] {
    let mut out = [b'0'; 26];
    let mut rest = bits;
    for slot in out.iter_mut().rev() {
        *slot = ALPHABET[usize::try_from(rest & 31).unwrap_or(0)];
        rest >>= 5;
    }
    out
}

fn decode(text: &str) -> Option<u128> {
    if text.len() != 26 {
        return None;
    }
    let mut bits: u128 = 0;
    for (index, byte) in text.bytes().enumerate() {
        let value = ALPHABET.iter().position(|candidate| *candidate == byte)? as u128;
        if index == 0 && value > 7 {
            return None;
        }
        bits = (bits << 5) | value;
    }
    Some(bits)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The part before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Makes an id from milliseconds since the Unix epoch (low 48 bits) and entropy (low 80 bits).
            pub const fn from_parts(unix_ms: u64, entropy: u128) -> Self {
                Self((((unix_ms & 0xffff_ffff_ffff) as u128) << 80) | (entropy & ((1 << 80) - 1)))
            }

            /// Milliseconds since the Unix epoch at which the id was made.
            pub const fn unix_ms(self) -> u64 {
                (self.0 >> 80) as u64
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($prefix, "_"))?;
                f.write_str(std::str::from_utf8(&encode(self.0)).map_err(|_| fmt::Error)?)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or_else(|| IdError { text: text.to_owned(), prefix: $prefix })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// One execution of a program.
    RunId = "run";
    /// One request for people's approval.
    ApprovalId = "apr";
    /// One immutable plan.
    PlanId = "plan";
    /// One signed head of the journal.
    CheckpointId = "ckp";
    /// One event on an environment's bus.
    EventId = "evt";
    /// One token a program signs in with: its name, never its secret.
    TokenId = "tok";
    /// One stay of a person who signed in with a browser.
    SessionId = "ses";
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_round_trip_and_sort_by_time(a in 0u64..1 << 48, b in 0u64..1 << 48, e: u128) {
            let (x, y) = (RunId::from_parts(a, e), RunId::from_parts(b, e));
            prop_assert_eq!(x.to_string().parse::<RunId>().unwrap(), x);
            prop_assert_eq!(x.unix_ms(), a);
            prop_assert_eq!(a.cmp(&b), x.to_string().cmp(&y.to_string()));
        }
    }

    #[test]
    fn other_prefixes_lengths_and_letters_are_refused() {
        let good = RunId::from_parts(1, 1).to_string();
        for bad in
            [good.replace("run", "apr"), good[..29].to_owned(), good.to_uppercase(), format!("{good}0")]
        {
            assert!(bad.parse::<RunId>().is_err(), "{bad}");
        }
        assert!("run_8zzzzzzzzzzzzzzzzzzzzzzzzz".parse::<RunId>().is_err(), "more than 128 bits");
    }
}
