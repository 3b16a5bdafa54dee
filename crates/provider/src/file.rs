//! A project's file as a provider sees it.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::description::FileUse;
use crate::limits::FILE_TEXT_BYTES_MAX;

/// A project's file: what stands in place of its path in an attribute that the schema marks with `file`, for planning and
/// for the provider. So a plan changes when the file does, and content stays out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectFile {
    /// As the configuration names it.
    pub path: String,
    /// SHA-256 of its content, lower-case hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
    text: Option<String>,
}

impl ProjectFile {
    /// A file with this content, all of it.
    ///
    /// # Errors
    /// The provider wants its text, and it is none or too long.
    pub fn new(path: &str, content: &[u8], as_what: FileUse) -> Result<Self, String> {
        let mut file = Self::streamed(path, hex::encode(Sha256::digest(content)), content.len() as u64);
        if as_what == FileUse::Text {
            if content.len() > FILE_TEXT_BYTES_MAX {
                return Err(format!(
                    "{path}: {} bytes; at most {FILE_TEXT_BYTES_MAX} of text are read",
                    content.len()
                ));
            }
            let text = std::str::from_utf8(content).map_err(|error| format!("{path}: not text: {error}"))?;
            file.text = Some(text.to_owned());
        }
        Ok(file)
    }

    /// A file of which only the digest is known here.
    pub fn streamed(path: &str, sha256: String, bytes: u64) -> Self {
        Self { path: path.to_owned(), sha256, bytes, text: None }
    }

    /// What stands in place of the path.
    pub fn value(&self) -> Value {
        let mut value = json!({"path": self.path, "sha256": self.sha256, "bytes": self.bytes});
        if let (Some(text), Some(members)) = (&self.text, value.as_object_mut()) {
            members.insert("text".to_owned(), Value::from(text.as_str()));
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_its_digest_and_its_text_only_where_wanted() {
        let file = ProjectFile::new("motd", b"hello", FileUse::Reference).unwrap();
        assert_eq!(
            file.value()["sha256"],
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        );
        assert!(file.value().get("text").is_none());
        assert_eq!(ProjectFile::new("motd", b"hello", FileUse::Text).unwrap().value()["text"], "hello");
        assert!(ProjectFile::new("logo.png", &[0xff, 0xfe], FileUse::Text).is_err());
        assert!(ProjectFile::new("big", &vec![b'x'; FILE_TEXT_BYTES_MAX + 1], FileUse::Text).is_err());
    }
}
