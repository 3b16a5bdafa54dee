//! Secrets in files of the project, encrypted in the age format (<https://age-encryption.org/v1>).
//!
//! Only for keys that `age-keygen` and [`generate`] make (X25519). Not for passphrases, which nobody could type while a run
//! goes on, nor for SSH keys and plugins.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::ExposeSecret as _;
use age::stream::{StreamReader, StreamWriter};
use age::{DecryptError, Decryptor, Encryptor};
use zeroize::Zeroizing;

use super::private::{self, Content};
use crate::limits::{
    AGE_FILE_BYTES_MAX, IDENTITIES_MAX, IDENTITY_BYTES_MAX, RECIPIENTS_MAX, SECRET_BYTES_MAX,
};

/// Why a file cannot be encrypted, decrypted, or a key cannot be used. Never quotes a key or a value.
#[derive(Debug, thiserror::Error)]
pub enum AgeError {
    /// There is no file with a key.
    #[error("there is no key to read it with{}", path.as_ref().map(|path| format!(" in {}", path.display())).unwrap_or_default())]
    NoIdentity {
        /// Where one was looked for.
        path: Option<PathBuf>,
    },
    /// The file with keys cannot be used.
    #[error("the key in {} cannot be used: {why}", path.display())]
    BadIdentity {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// There is a file with a key already.
    #[error("there is a key in {} already", path.display())]
    IdentityExists {
        /// Which.
        path: PathBuf,
    },
    /// The file with keys cannot be written.
    #[error("{} cannot be written", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A recipient is none.
    #[error("{recipient:?} is not the public half of an age key (age1...)")]
    BadRecipient {
        /// As it was written, cut where it is long.
        recipient: String,
    },
    /// Nobody could read it, or too many.
    #[error("a file is encrypted for at least one key and at most {RECIPIENTS_MAX}")]
    Recipients,
    /// What is to be encrypted is larger than a secret may be.
    #[error("a secret has at most {SECRET_BYTES_MAX} bytes")]
    TooLarge,
    /// The file cannot be decrypted.
    #[error("{why}")]
    NotDecrypted {
        /// Why.
        why: String,
    },
}

impl model::Coded for AgeError {
    fn code(&self) -> &'static model::Code {
        use model::code::{general, host};
        match self {
            Self::NoIdentity { .. } | Self::NotDecrypted { .. } => host::NO_SECRET,
            Self::BadIdentity { .. } | Self::BadRecipient { .. } | Self::Recipients => host::BAD_SECRET_KEY,
            Self::IdentityExists { .. } | Self::Unwritable { .. } => general::UNWRITABLE,
            Self::TooLarge => general::TOO_LARGE,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoIdentity { .. } | Self::Recipients => Some("aedile secrets keygen".to_owned()),
            Self::BadIdentity { path, .. } => Some(format!("chmod 600 {}", path.display())),
            _ => None,
        }
    }
}

/// Makes a key and writes it to a new file that only its owner may read, in the form of `age-keygen`. Answers its public half,
/// for which others encrypt.
///
/// # Errors
/// [`AgeError::IdentityExists`]: a key is never written over. [`AgeError::Unwritable`].
pub fn generate(path: &Path) -> Result<String, AgeError> {
    let identity = age::x25519::Identity::generate();
    let public = identity.to_public().to_string();
    let text = Zeroizing::new(format!("# public key: {public}\n{}\n", identity.to_string().expose_secret()));
    private::write_new(path, text.as_bytes()).map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => AgeError::IdentityExists { path: path.to_owned() },
        _ => AgeError::Unwritable { path: path.to_owned(), source },
    })?;
    Ok(public)
}

fn identities(path: &Path) -> Result<Vec<age::x25519::Identity>, AgeError> {
    let bad = |why: String| AgeError::BadIdentity { path: path.to_owned(), why };
    let bytes = private::read_at(path, Content::Private, IDENTITY_BYTES_MAX)
        .map_err(bad)?
        .ok_or_else(|| AgeError::NoIdentity { path: Some(path.to_owned()) })?;
    let text = std::str::from_utf8(&bytes).map_err(|_| bad("it is not text".to_owned()))?;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // the line itself may be a key with a slip in it
        let key = line.parse().map_err(|why| bad(format!("line {}: {why}", index + 1)))?;
        found.push(key);
        if found.len() > IDENTITIES_MAX {
            return Err(bad(format!("it holds more than {IDENTITIES_MAX} keys")));
        }
    }
    if found.is_empty() { Err(bad("it holds no key (AGE-SECRET-KEY-1...)".to_owned())) } else { Ok(found) }
}

/// The public halves of the keys in a file.
///
/// # Errors
/// There is none, or it cannot be used.
pub fn public_halves(path: &Path) -> Result<Vec<String>, AgeError> {
    Ok(identities(path)?.iter().map(|identity| identity.to_public().to_string()).collect())
}

fn encryptor(recipients: &[String]) -> Result<Encryptor, AgeError> {
    if recipients.is_empty() || recipients.len() > RECIPIENTS_MAX {
        return Err(AgeError::Recipients);
    }
    let keys = recipients
        .iter()
        .map(|text| {
            let bad = |_| AgeError::BadRecipient { recipient: text.chars().take(80).collect() };
            text.trim().parse::<age::x25519::Recipient>().map_err(bad)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Encryptor::with_recipients(keys.iter().map(|key| key as &dyn age::Recipient))
        .map_err(|_| AgeError::Recipients)
}

/// Encrypts what is written to it for everybody in `recipients`, however long that is, and writes that to `out`. Without
/// [`StreamWriter::finish`] what is written cannot be read.
///
/// # Errors
/// A recipient is none, there are none, or `out` takes nothing.
pub fn encrypting<W: Write>(out: W, recipients: &[String]) -> Result<StreamWriter<W>, AgeError> {
    let failed = |error: std::io::Error| AgeError::NotDecrypted { why: error.to_string() };
    encryptor(recipients)?.wrap_output(out).map_err(failed)
}

/// Decrypts what [`encrypting`] wrote, with a key of the file `identity`. What comes out was not changed, and the end of it is
/// the end of what was written, once it was read without an error.
///
/// # Errors
/// There is no such key, none of the keys fits, or it is not a file of age.
pub fn decrypting<R: Read>(encrypted: R, identity: Option<&Path>) -> Result<StreamReader<R>, AgeError> {
    let path = identity.ok_or(AgeError::NoIdentity { path: None })?;
    let decryptor = Decryptor::new(encrypted).map_err(|error| why(&error))?;
    let keys = identities(path)?;
    decryptor.decrypt(keys.iter().map(|key| key as &dyn age::Identity)).map_err(|error| why(&error))
}

/// What every file of age that is not armoured begins with.
pub const MAGIC: &[u8] = b"age-encryption.org/v1\n";

/// Encrypts a secret for everybody in `recipients` (`age1...`), as text that a project can keep. Encrypting the same twice
/// gives two texts.
///
/// # Errors
/// A recipient is none, there are none, or the secret is too large.
pub fn encrypt(secret: &[u8], recipients: &[String]) -> Result<String, AgeError> {
    if secret.len() as u64 > SECRET_BYTES_MAX {
        return Err(AgeError::TooLarge);
    }
    let encryptor = encryptor(recipients)?;
    let mut out = Vec::new();
    let write = |out: &mut Vec<u8>| -> std::io::Result<()> {
        let armored = ArmoredWriter::wrap_output(out, Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armored)?;
        writer.write_all(secret)?;
        writer.finish()?.finish()?;
        Ok(())
    };
    write(&mut out).map_err(|error| AgeError::NotDecrypted { why: error.to_string() })?;
    String::from_utf8(out).map_err(|_| AgeError::NotDecrypted { why: "it is not text".to_owned() })
}

/// Decrypts what a file of the project holds, armoured or not, with a key of the file `identity`.
///
/// # Errors
/// There is no such key, none of the keys fits, or the file was changed.
pub(crate) fn decrypt(encrypted: &[u8], identity: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, AgeError> {
    let path = identity.ok_or(AgeError::NoIdentity { path: None })?;
    let refuse = |why: &str| AgeError::NotDecrypted { why: why.to_owned() };
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(encrypted)).map_err(|error| why(&error))?;
    if decryptor.is_scrypt() {
        return Err(refuse("it is encrypted with a passphrase; encrypt it for a key"));
    }
    let keys = identities(path)?;
    let reader =
        decryptor.decrypt(keys.iter().map(|key| key as &dyn age::Identity)).map_err(|error| why(&error))?;
    let mut secret = Zeroizing::new(Vec::with_capacity(encrypted.len()));
    reader
        .take(SECRET_BYTES_MAX + 1)
        .read_to_end(&mut secret)
        .map_err(|_| refuse("it was damaged or changed after it was encrypted"))?;
    if secret.len() as u64 > SECRET_BYTES_MAX {
        return Err(AgeError::TooLarge);
    }
    Ok(secret)
}

fn why(error: &DecryptError) -> AgeError {
    let why = match error {
        DecryptError::NoMatchingKeys => "it is encrypted for other keys than the one here",
        DecryptError::UnknownFormat => "it is written by a newer age",
        DecryptError::InvalidHeader => "it is not a file of age",
        DecryptError::Io(_) => "it is not a whole file of age",
        _ => "it was damaged or changed after it was encrypted",
    };
    AgeError::NotDecrypted { why: why.to_owned() }
}

/// Reads an encrypted file of the project and decrypts it.
pub(crate) fn reveal(
    root: &Path,
    path: &Path,
    identity: Option<&Path>,
) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    match private::read_below(root, path, Content::Encrypted, AGE_FILE_BYTES_MAX)? {
        Some(encrypted) => decrypt(&encrypted, identity).map(Some).map_err(|error| error.to_string()),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn key(directory: &Path, name: &str) -> (PathBuf, String) {
        let path = directory.join("keys").join(name);
        let public = generate(&path).unwrap();
        (path, public)
    }

    #[test]
    fn a_secret_is_read_by_those_it_was_encrypted_for_and_by_nobody_else() {
        let directory = tempfile::tempdir().unwrap();
        let (one, one_public) = key(directory.path(), "one");
        let (two, two_public) = key(directory.path(), "two");
        let (other, _) = key(directory.path(), "other");
        let text = encrypt(b"canary-77", &[one_public.clone(), two_public]).unwrap();
        assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----") && !text.contains("canary"));
        assert_eq!(decrypt(text.as_bytes(), Some(&one)).unwrap().as_slice(), b"canary-77");
        assert_eq!(decrypt(text.as_bytes(), Some(&two)).unwrap().as_slice(), b"canary-77");
        let error = decrypt(text.as_bytes(), Some(&other)).unwrap_err().to_string();
        assert!(error.contains("other keys"), "{error}");
        assert!(matches!(decrypt(text.as_bytes(), None), Err(AgeError::NoIdentity { path: None })));
        assert_eq!(public_halves(&one).unwrap(), [one_public]);
    }

    #[test]
    fn a_stream_is_read_by_those_it_is_for_and_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let (one, public) = key(directory.path(), "one");
        let (other, _) = key(directory.path(), "other");
        let long = vec![b'x'; 300_000];
        let mut writer = encrypting(Vec::new(), &[public]).unwrap();
        writer.write_all(&long).unwrap();
        let encrypted = writer.finish().unwrap();
        assert!(encrypted.starts_with(MAGIC));
        let read = |bytes: &[u8], key: &Path| -> Option<Vec<u8>> {
            let mut all = Vec::new();
            decrypting(bytes, Some(key)).ok()?.read_to_end(&mut all).ok()?;
            Some(all)
        };
        assert_eq!(read(&encrypted, &one), Some(long));
        assert_eq!(read(&encrypted, &other), None);
        assert_eq!(read(&encrypted[..encrypted.len() - 70_000], &one), None, "a part of it is nothing");
        let mut changed = encrypted;
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        assert_eq!(read(&changed, &one), None);
        assert!(encrypting(Vec::new(), &[]).is_err());
    }

    #[test]
    fn a_key_is_its_owners_only_and_never_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let (path, _) = key(directory.path(), "one");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(generate(&path), Err(AgeError::IdentityExists { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), before);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = public_halves(&path).unwrap_err().to_string();
        assert!(error.contains("others may read") && !error.contains("AGE-SECRET"), "{error}");
    }

    #[test]
    fn what_is_damaged_or_no_key_is_refused_and_never_quoted() {
        let directory = tempfile::tempdir().unwrap();
        let (path, public) = key(directory.path(), "one");
        let text = encrypt(b"canary-77", &[public]).unwrap();
        for damaged in [&text[..text.len() / 2], "canary-77", "", "age-encryption.org/v9\n"] {
            let error = decrypt(damaged.as_bytes(), Some(&path)).unwrap_err();
            assert!(matches!(error, AgeError::NotDecrypted { .. }), "{error}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        let slip = std::fs::read_to_string(&path).unwrap().replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-2");
        let bad = directory.path().join("keys/slip");
        private::write_new(&bad, slip.as_bytes()).unwrap();
        let error = public_halves(&bad).unwrap_err().to_string();
        assert!(error.contains("line 2") && !error.contains("AGE-SECRET-KEY-2"), "{error}");
        for recipients in [vec![], vec!["age1nope".to_owned()], vec![String::new(); RECIPIENTS_MAX + 1]] {
            assert!(encrypt(b"x", &recipients).is_err());
        }
        let large = vec![b'x'; usize::try_from(SECRET_BYTES_MAX).unwrap() + 1];
        let (_, public) = key(directory.path(), "two");
        assert!(matches!(encrypt(&large, &[public]), Err(AgeError::TooLarge)));
    }
}
