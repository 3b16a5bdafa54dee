//! Checkpoints: the journal's tree head as text (C2SP `tlog-checkpoint`), to be signed as a [`Note`].
//!
//! ```text
//! aedile/prod          which journal
//! 1024                 how many records
//! base64...            their Merkle root
//! ```

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::Digest;

use crate::note::{Note, NoteError, Signer, Verifier};

/// A tree head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which journal: what its records carry as `source`.
    pub origin: String,
    /// Number of records it covers.
    pub size: u64,
    /// Merkle root over them.
    pub root: Digest,
}

impl Checkpoint {
    /// Signs it. Sign only what was computed from records read back from storage.
    pub fn sign(&self, signers: &[&Signer]) -> Result<Note, NoteError> {
        Note::sign(&self.to_string(), signers)
    }

    /// Reads a note, checks its signatures against known keys, and then believes it.
    pub fn open<'v>(
        note: &str,
        known: impl IntoIterator<Item = &'v Verifier>,
    ) -> Result<(Self, Vec<&'v Verifier>), NoteError> {
        let note: Note = note.parse()?;
        let signed = note.verify(known)?;
        Ok((note.text().parse()?, signed))
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, BASE64.encode(self.root.as_bytes()))
    }
}

impl FromStr for Checkpoint {
    type Err = NoteError;

    /// Reads the text of a note. Lines after the third are extensions and are ignored, as the specification demands.
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let refuse = || NoteError::Form("its text is not a checkpoint");
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(refuse());
        };
        let digits =
            size.bytes().all(|byte| byte.is_ascii_digit()) && (size == "0" || !size.starts_with('0'));
        let size = size.parse().ok().filter(|_| digits).ok_or_else(refuse)?;
        let root = BASE64.decode(root).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let root = Digest::from_bytes(root.ok_or_else(refuse)?);
        if origin.is_empty() || !text.ends_with('\n') {
            return Err(refuse());
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Checkpoint {
        Checkpoint { origin: "aedile/dev".to_owned(), size: 20, root: crate::merkle::empty_root() }
    }

    #[test]
    fn checkpoints_have_the_form_of_the_specification() {
        let text = "aedile/dev\n20\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
        assert_eq!(head().to_string(), text);
        assert_eq!(text.parse::<Checkpoint>().unwrap(), head());
        assert_eq!(format!("{text}extension\n").parse::<Checkpoint>().unwrap(), head());
        for bad in [
            text.replace("20", "020"),
            text.replace("20", "-1"),
            text.replace("20", "+1"),
            text.replace("47DE", "47D"),
            text.replace("aedile/dev", ""),
            text.trim_end().to_owned(),
            "a\n1\n".to_owned(),
        ] {
            assert!(bad.parse::<Checkpoint>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn rotation_signs_with_both_keys() {
        let (old, new) =
            (Signer::from_seed("k1", &[1; 32]).unwrap(), Signer::from_seed("k2", &[2; 32]).unwrap());
        let note = head().sign(&[&old, &new]).unwrap().to_string();
        for known in [&old, &new] {
            let (opened, signed) = Checkpoint::open(&note, [known.verifier()]).unwrap();
            assert_eq!((opened, signed), (head(), vec![known.verifier()]));
        }
        assert!(Checkpoint::open(&note, []).is_err());
    }
}
