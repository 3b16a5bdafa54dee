//! Who acts, and where: [`Principal`], [`Role`], [`Environment`].

use std::fmt;
use std::str::FromStr;

/// Who acts: `kind:name`, for example `user:maria`, `token:ci`, `workflow:run_...`, `schedule:nightly`.
///
/// A principal is always the result of authentication (the operating system's user, a verified token,
/// the engine itself); it is never taken from a document or a request body.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal {
    text: String,
    colon: usize,
}

/// The kinds of principal, each with what it stands for.
pub const PRINCIPAL_KINDS: &[(&str, &str)] = &[
    ("user", "a person, by the operating system or an identity provider"),
    ("token", "a program, by an API token"),
    ("workflow", "a run acting for itself"),
    ("schedule", "a schedule of a workflow"),
    ("drift", "the drift reconciler"),
    ("remediation", "the remediation agent"),
    ("system", "Aedile itself: expiry, escalation, recovery"),
];

/// A text that names no principal, role or environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct NameError {
    text: String,
    wanted: &'static str,
}

/// Names are 1 to 128 characters of letters, digits and `._@+-`, so that they are safe in file names,
/// URLs and log lines.
fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@+-".contains(&b))
        && !text.starts_with('.')
}

impl Principal {
    /// Aedile itself, acting on a timer or in recovery.
    pub fn system() -> Self {
        Self { text: "system:aedile".to_owned(), colon: 6 }
    }

    /// A person.
    pub fn user(name: &str) -> Result<Self, NameError> {
        format!("user:{name}").parse()
    }

    /// A run acting for itself.
    pub fn workflow(run: crate::RunId) -> Self {
        Self { text: format!("workflow:{run}"), colon: 8 }
    }

    /// The part before the colon.
    pub fn kind(&self) -> &str {
        &self.text[..self.colon]
    }

    /// The part after the colon.
    pub fn name(&self) -> &str {
        &self.text[self.colon + 1..]
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Principal {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let refuse =
            || NameError { text: text.to_owned(), wanted: "a principal (KIND:NAME, for example user:maria)" };
        let (kind, name) = text.split_once(':').ok_or_else(refuse)?;
        if !PRINCIPAL_KINDS.iter().any(|(known, _)| *known == kind) || !is_name(name) {
            return Err(refuse());
        }
        Ok(Self { text: text.to_owned(), colon: kind.len() })
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $wanted:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                if is_name(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError { text: text.to_owned(), wanted: $wanted })
                }
            }
        }
    )*};
}

names! {
    /// What a principal may decide, for example `ops-lead`. Given by the project's `access.yaml`.
    Role, "a role (letters, digits and ._@+-)";
    /// `dev`, `stage`, `prod` or any name: its own journal, keys, policy and mode. Nothing crosses.
    Environment, "an environment (letters, digits and ._@+-)";
}

macro_rules! serde_as_text {
    ($($name:ident),*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
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
serde_as_text!(Principal, Role, Environment);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_have_a_known_kind_and_a_safe_name() {
        for good in ["user:maria", "token:ci", "schedule:nightly", "system:aedile", "user:m@example.org"] {
            assert_eq!(good.parse::<Principal>().unwrap().as_str(), good);
        }
        for bad in ["maria", "user:", "user:a/b", "user:..", "root:x", "user:a b", "user:a\n"] {
            assert!(bad.parse::<Principal>().is_err(), "{bad}");
        }
        assert_eq!(Principal::system().kind(), "system");
    }
}
