//! Signed notes and their keys (C2SP `signed-note`): a text, and lines that say who signed it.
//!
//! Keys are ed25519 and written as the specification does: a public key as `NAME+ID+KEY`, a private one as
//! `PRIVATE+KEY+NAME+ID+KEY`. Where private keys are kept is the caller's concern; here they are wiped when dropped and never
//! shown.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use model::{Code, Coded, code};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Largest note in bytes.
pub const NOTE_BYTES_MAX: usize = 64 << 10;

/// Most signatures on a note.
pub const SIGNATURES_MAX: usize = 16;

/// Longest key name in bytes.
pub const KEY_NAME_BYTES_MAX: usize = 128;

/// What kind of key it is (`signed-note`, "Signatures": 0x01 is ed25519).
const ED25519: u8 = 1;

const PRIVATE: &str = "PRIVATE+KEY+";

/// A key, or a note, that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// A key's text is not one.
    #[error("this is not a {0} key of the form {1}")]
    Key(&'static str, &'static str),
    /// A key's id does not follow from its name and bytes.
    #[error("the key's id does not belong to its name and bytes: it was changed")]
    KeyId,
    /// A name that keys cannot have.
    #[error("{0:?} cannot name a key: 1 to 128 characters without spaces and plus signs")]
    Name(String),
    /// The text is not a signed note.
    #[error("this is not a signed note: {0}")]
    Form(&'static str),
    /// A known key's signature is wrong.
    #[error("the signature of {0} does not verify: note or signature was changed")]
    Signature(String),
    /// None of the known keys signed.
    #[error("none of the trusted keys signed this note; it names {0}")]
    Unsigned(String),
}

impl Coded for NoteError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Key(..) | Self::KeyId | Self::Name(_) => code::journal::BAD_KEY,
            Self::Form(_) | Self::Signature(_) | Self::Unsigned(_) => code::journal::BAD_SIGNATURE,
        }
    }
}

/// Whether a name can name a key (`signed-note`, "Format").
fn check_name(name: &str) -> Result<(), NoteError> {
    let good = (1..=KEY_NAME_BYTES_MAX).contains(&name.len())
        && name.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '+');
    if good { Ok(()) } else { Err(NoteError::Name(name.to_owned())) }
}

/// First four bytes of SHA-256 over name, newline, kind and key.
fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let hash = Sha256::new()
        .chain_update(name)
        .chain_update(b"\n")
        .chain_update([ED25519])
        .chain_update(key.as_bytes())
        .finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

/// A key without its kind byte.
type KeyBytes = Zeroizing<[u8; 32]>;

/// Takes `NAME+ID+KEY` apart.
fn parse_key(text: &str) -> Option<(&str, [u8; 4], KeyBytes)> {
    let (name, rest) = text.split_once('+')?;
    let (id, key) = rest.split_once('+')?;
    let id = u32::from_str_radix(id, 16).ok().filter(|_| id.len() == 8 && !id.starts_with('+'))?;
    let bytes = Zeroizing::new(BASE64.decode(key).ok()?);
    let (ED25519, key) = bytes.split_first().map(|(kind, key)| (*kind, key))? else { return None };
    let key = Zeroizing::new(<[u8; 32]>::try_from(key).ok()?);
    Some((name, id.to_be_bytes(), key))
}

/// A public key with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl Verifier {
    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519];
        key.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id), BASE64.encode(key))
    }
}

impl FromStr for Verifier {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let refuse = || NoteError::Key("public", "NAME+ID+KEY");
        let (name, id, key) = parse_key(text.trim_end()).ok_or_else(refuse)?;
        check_name(name)?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| refuse())?;
        if key.is_weak() {
            return Err(refuse());
        }
        if key_id(name, &key) != id {
            return Err(NoteError::KeyId);
        }
        Ok(Self { name: name.to_owned(), id, key })
    }
}

/// A private key with its name.
pub struct Signer {
    verifier: Verifier,
    key: SigningKey,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

impl Signer {
    /// Makes a key from 32 bytes of entropy.
    ///
    /// ```
    /// let signer = journal::note::Signer::from_seed("example.org/prod", &[7; 32]).unwrap();
    /// let again: journal::note::Signer = signer.to_secret_text().parse().unwrap();
    /// assert_eq!(again.verifier(), signer.verifier());
    /// ```
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        check_name(name)?;
        let signing = SigningKey::from_bytes(seed);
        let key = signing.verifying_key();
        Ok(Self { verifier: Verifier { name: name.to_owned(), id: key_id(name, &key), key }, key: signing })
    }

    /// The public half.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The text to keep in a file that only its owner can read.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        let mut key = Zeroizing::new(Vec::with_capacity(33));
        key.push(ED25519);
        key.extend_from_slice(self.key.as_bytes());
        let encoded = Zeroizing::new(BASE64.encode(&*key));
        let id = u32::from_be_bytes(self.verifier.id);
        Zeroizing::new(format!("{PRIVATE}{}+{id:08x}+{}", self.verifier.name, *encoded))
    }
}

impl FromStr for Signer {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let refuse = || NoteError::Key("private", "PRIVATE+KEY+NAME+ID+KEY");
        let rest = text.trim_end().strip_prefix(PRIVATE).ok_or_else(refuse)?;
        let (name, id, seed) = parse_key(rest).ok_or_else(refuse)?;
        let signer = Self::from_seed(name, &seed)?;
        if signer.verifier.id == id { Ok(signer) } else { Err(NoteError::KeyId) }
    }
}

/// A text and who says to have signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<(String, [u8; 4], Vec<u8>)>,
}

impl Note {
    /// Signs a text, which must end with a newline.
    pub fn sign(text: &str, signers: &[&Signer]) -> Result<Self, NoteError> {
        check_text(text)?;
        let signatures = signers
            .iter()
            .map(|signer| {
                let signature = signer.key.sign(text.as_bytes());
                (signer.verifier.name.clone(), signer.verifier.id, signature.to_bytes().to_vec())
            })
            .collect();
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text, not to be believed before [`Note::verify`].
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names on the signatures, not to be believed either.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|(name, _, _)| name.as_str())
    }

    /// Checks the signatures of known keys; which of them signed. Signatures of other keys are ignored, as the
    /// specification demands.
    ///
    /// # Errors
    /// If a known key's signature does not verify, or if no known key signed.
    pub fn verify<'v>(
        &self,
        known: impl IntoIterator<Item = &'v Verifier>,
    ) -> Result<Vec<&'v Verifier>, NoteError> {
        let mut signed = Vec::new();
        for verifier in known {
            let own =
                self.signatures.iter().filter(|(name, id, _)| *name == verifier.name && *id == verifier.id);
            for (name, _, bytes) in own {
                let good = Signature::from_slice(bytes).is_ok_and(|signature| {
                    verifier.key.verify_strict(self.text.as_bytes(), &signature).is_ok()
                });
                if !good {
                    return Err(NoteError::Signature(name.clone()));
                }
                if !signed.contains(&verifier) {
                    signed.push(verifier);
                }
            }
        }
        if signed.is_empty() {
            let names: Vec<_> = self.names().collect();
            let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
            return Err(NoteError::Unsigned(names));
        }
        Ok(signed)
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if text.len() > NOTE_BYTES_MAX {
        return Err(NoteError::Form("it is larger than the limit"));
    }
    if !text.ends_with('\n') {
        return Err(NoteError::Form("its text does not end with a newline"));
    }
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(NoteError::Form("it has a control character"));
    }
    Ok(())
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for (name, id, signature) in &self.signatures {
            let mut bytes = id.to_vec();
            bytes.extend_from_slice(signature);
            writeln!(f, "\u{2014} {name} {}", BASE64.encode(bytes))?;
        }
        Ok(())
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        check_text(note)?;
        let split = note.rfind("\n\n").ok_or(NoteError::Form("it has no signatures"))?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        check_text(text)?;
        let mut signatures = Vec::new();
        for line in lines.lines() {
            let refuse = || NoteError::Form("a signature line is malformed");
            let (name, encoded) =
                line.strip_prefix("\u{2014} ").and_then(|line| line.split_once(' ')).ok_or_else(refuse)?;
            check_name(name)?;
            let bytes = BASE64.decode(encoded).map_err(|_| refuse())?;
            let (id, signature) = bytes.split_first_chunk::<4>().ok_or_else(refuse)?;
            signatures.push((name.to_owned(), *id, signature.to_vec()));
            if signatures.len() > SIGNATURES_MAX {
                return Err(NoteError::Form("it has more signatures than the limit"));
            }
        }
        if signatures.is_empty() {
            return Err(NoteError::Form("it has no signatures"));
        }
        Ok(Self { text: text.to_owned(), signatures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key and note of the example in the documentation of Go's `golang.org/x/mod/sumdb/note`, which the C2SP
    /// specification generalises: made by another implementation.
    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const PETER_SECRET: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const SAID: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn a_published_note_verifies_and_is_made_again() {
        let verifier: Verifier = PETER.parse().unwrap();
        let note: Note = SAID.parse().unwrap();
        assert_eq!(note.verify([&verifier]).unwrap(), [&verifier]);
        assert_eq!(note.to_string(), SAID);
        let signer: Signer = PETER_SECRET.parse().unwrap();
        assert_eq!(signer.verifier(), &verifier);
        assert_eq!(signer.verifier().to_string(), PETER);
        assert_eq!(&*signer.to_secret_text(), PETER_SECRET);
        assert_eq!(Note::sign(note.text(), &[&signer]).unwrap(), note, "ed25519 is deterministic");
    }

    #[test]
    fn changed_notes_and_foreign_keys_are_refused() {
        let verifier: Verifier = PETER.parse().unwrap();
        let changed: Note = SAID.replace("cryptography", "Cryptography").parse().unwrap();
        assert_eq!(changed.verify([&verifier]), Err(NoteError::Signature("PeterNeumann".to_owned())));
        let stranger = Signer::from_seed("other", &[1; 32]).unwrap();
        let note: Note = SAID.parse().unwrap();
        assert!(matches!(note.verify([stranger.verifier()]), Err(NoteError::Unsigned(_))));
        let namesake = Signer::from_seed("PeterNeumann", &[1; 32]).unwrap();
        assert!(matches!(note.verify([namesake.verifier()]), Err(NoteError::Unsigned(_))));
        assert!(note.verify([namesake.verifier(), &verifier]).is_ok(), "other signatures are ignored");
    }

    #[test]
    fn malformed_keys_and_notes_are_refused() {
        for bad in [
            "",
            "x",
            "a+b+c",
            &PETER.replace("c74f20a3", "c74f20a4"),
            &PETER.replace("+ARpc", "+ARpd"),
            &PETER.replace("Peter", "Pe ter"),
            &PETER[..PETER.len() - 4],
            "zero+00000000+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(bad.parse::<Verifier>().is_err(), "{bad}");
        }
        assert!(PETER.parse::<Signer>().is_err());
        assert!(Signer::from_seed("a+b", &[0; 32]).is_err());
        for bad in [
            "",
            "\n",
            "text\n",
            "text\n\n",
            "text\n\nx\n",
            "text\n\n\u{2014} a AA==\n",
            "a\tb\n\n\u{2014} a AAAAAAA=\n",
        ] {
            assert!(bad.parse::<Note>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let signer: Signer = PETER_SECRET.parse().unwrap();
        assert!(!format!("{signer:?}").contains("AYEKFALV"));
    }
}
