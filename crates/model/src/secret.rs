//! Where a secret is, as its name says. The value is never here.

use std::fmt;

/// Longest name of a secret in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// Where a secret is, as people write it: `token`, `env:DB_PASSWORD`, `file:secrets/db`, `age:secrets/db.age`.
///
/// ```
/// use model::SecretPlace;
/// assert_eq!("age:secrets/db.age".parse(), Ok(SecretPlace::Age("secrets/db.age".into())));
/// assert!("file:../../etc/shadow".parse::<SecretPlace>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretPlace {
    /// One of the environment's own, by name.
    Own(String),
    /// A variable of Aedile's process, by its full name.
    Variable(String),
    /// A file that only its owner may read. A relative path begins in the project's directory.
    File(String),
    /// A file of the project that is encrypted in the age format. Always a relative path.
    Age(String),
}

impl SecretPlace {
    /// What kind of place it is, in one word: `own`, `env`, `file`, `age`.
    pub fn source(&self) -> &'static str {
        match self {
            Self::Own(_) => "own",
            Self::Variable(_) => "env",
            Self::File(_) => "file",
            Self::Age(_) => "age",
        }
    }
}

impl fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(name) => f.write_str(name),
            Self::Variable(rest) | Self::File(rest) | Self::Age(rest) => {
                write!(f, "{}:{rest}", self.source())
            }
        }
    }
}

impl std::str::FromStr for SecretPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = |why: &str| Err(format!("{text:?} does not name a secret: {why}"));
        if text.len() > NAME_BYTES_MAX {
            return Err(format!("the name of a secret is longer than {NAME_BYTES_MAX} bytes"));
        }
        let word = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        match text.split_once(':') {
            Some(("env", name)) if word(name) && !name.starts_with(|c: char| c.is_ascii_digit()) => {
                Ok(Self::Variable(name.to_owned()))
            }
            Some(("env", _)) => refuse("a variable is letters, digits and `_`"),
            Some((source @ ("file" | "age"), path)) => match bad_path(path) {
                Some(why) => refuse(why),
                None if source == "file" => Ok(Self::File(path.to_owned())),
                None if path.starts_with('/') => refuse("an encrypted file is one of the project's"),
                None => Ok(Self::Age(path.to_owned())),
            },
            Some((source, _)) => refuse(&format!("there is no source `{source}`")),
            None if text.split(['.', '-']).all(word) => Ok(Self::Own(text.to_owned())),
            None => refuse("a name is letters, digits, `.`, `_` and `-`"),
        }
    }
}

fn bad_path(path: &str) -> Option<&'static str> {
    if path.is_empty() || path.ends_with('/') || path.chars().any(char::is_control) {
        Some("there is no such path")
    } else if path.split('/').any(|part| part == "..") {
        Some("a path does not go up with `..`")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_secret_is_read_and_written_the_same() {
        for text in [
            "token",
            "db-password.v2",
            "env:DB_PASSWORD",
            "file:secrets/db",
            "file:/run/secrets/db",
            "age:secrets/db.age",
        ] {
            let place: SecretPlace = text.parse().unwrap();
            assert_eq!(place.to_string(), text);
        }
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for text in [
            "",
            ".hidden",
            "a..b",
            "a b",
            "env:",
            "env:1A",
            "env:A-B",
            "file:",
            "file:a/../b",
            "file:..",
            "file:a\n",
            "file:a/",
            "age:/etc/x",
            "age:../x",
            "vault:x",
            "a\u{f8f1}",
        ] {
            assert!(text.parse::<SecretPlace>().is_err(), "{text:?}");
        }
        assert!("x".repeat(NAME_BYTES_MAX + 1).parse::<SecretPlace>().is_err());
    }
}
