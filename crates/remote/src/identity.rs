//! Keys that a person or a project logs in with: made, and read.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use zeroize::Zeroizing;

use crate::error::RemoteError;
use crate::limits::KEY_BYTES_MAX;

/// The public half of a key, as a line of `authorized_keys`: kind, body, comment.
///
/// `FILE.pub` is believed where there is one, so that a key with a passphrase, or one that only an agent holds, can be named.
///
/// # Errors
/// There is neither, or what is there is no key.
pub fn public_key(path: &Path) -> Result<String, RemoteError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    let beside = Path::new(&beside);
    let bad = |why: String| RemoteError::BadKey { path: path.to_owned(), why };
    let key = if beside.is_file() {
        if beside.metadata().is_ok_and(|meta| meta.len() > KEY_BYTES_MAX) {
            return Err(bad(format!("{} is too large to be a key", beside.display())));
        }
        russh::keys::PublicKey::read_openssh_file(beside).map_err(|why| bad(why.to_string()))?
    } else {
        crate::ssh::load(path)?.public_key().clone()
    };
    let line = key.to_openssh().map_err(|why| bad(why.to_string()))?;
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    Ok(line.trim().chars().map(clean).collect())
}

/// Whether a private key can be used as it is, without a passphrase.
///
/// # Errors
/// Why it cannot.
pub fn check(path: &Path) -> Result<(), RemoteError> {
    crate::ssh::load(path).map(drop)
}

/// Makes an ed25519 key in a file that only its owner can read, with its public half beside it. A key that is there is kept:
/// answers whether one was made.
///
/// # Errors
/// The file cannot be written.
pub fn ensure_key(path: &Path, comment: &str) -> Result<bool, RemoteError> {
    let bad = |why: String| RemoteError::BadKey { path: path.to_owned(), why };
    if path.exists() {
        return Ok(false);
    }
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|why| bad(format!("no randomness: {why}")))?;
    let key = PrivateKey::new(Ed25519Keypair::from_seed(&seed).into(), comment)
        .map_err(|why| bad(why.to_string()))?;
    let text = key.to_openssh(LineEnding::LF).map_err(|why| bad(why.to_string()))?;
    let public = key.public_key().to_openssh().map_err(|why| bad(why.to_string()))?;
    let write = |path: &Path, text: &str, mode: u32| -> std::io::Result<()> {
        let beside = path.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(mode).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    write(Path::new(&beside), &format!("{}\n", public.trim()), 0o644).map_err(|why| bad(why.to_string()))?;
    // last: a key that is there is whole
    write(path, &text, 0o600).map_err(|why| bad(why.to_string()))?;
    if let Some(directory) = path.parent() {
        let synced = std::fs::File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(|why| bad(why.to_string()))?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_is_its_owners_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("web-1.example");
        assert!(ensure_key(&path, "aedile").unwrap());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let public = public_key(&path).unwrap();
        assert!(public.starts_with("ssh-ed25519 ") && public.ends_with(" aedile"), "{public}");
        assert!(!ensure_key(&path, "aedile").unwrap(), "one that is there is kept");
        std::fs::remove_file(directory.path().join("web-1.example.pub")).unwrap();
        assert_eq!(public_key(&path).unwrap(), public, "from the private half alone");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
        assert!(public_key(&directory.path().join("none")).is_err());
    }
}
