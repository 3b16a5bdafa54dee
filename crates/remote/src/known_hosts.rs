//! Is this the host that was meant? A pin, or files in the form of `sshd(8)`, hashed names included.

use std::path::Path;

use russh::keys::known_hosts::{known_host_keys_path, learn_known_hosts_path};
use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyBase64 as _};

use crate::error::RemoteError;
use crate::host::{Host, NewKeys};
use crate::limits::FILE_MAX;

fn fingerprint(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm().as_str(), key.fingerprint(HashAlg::Sha256))
}

fn recorded(host: &Host) -> Result<Vec<(String, PublicKey)>, RemoteError> {
    let mut known = Vec::new();
    for file in &host.known_hosts {
        if file.metadata().is_ok_and(|meta| meta.len() > FILE_MAX) {
            return Err(RemoteError::BadHost {
                what: format!("{} is larger than {FILE_MAX} bytes", file.display()),
            });
        }
        let keys = known_host_keys_path(&host.address, host.port, file)
            .map_err(|why| RemoteError::BadHost { what: format!("{}: {why}", file.display()) })?;
        known.extend(keys.into_iter().map(|(line, key)| (format!("{}:{line}", file.display()), key)));
    }
    Ok(known)
}

/// The kinds of key on record, so that the host is asked for one of them.
pub(crate) fn algorithms(host: &Host) -> Vec<Algorithm> {
    // What is wrong with a file is reported when the key is judged.
    let known = recorded(host).unwrap_or_default();
    known.into_iter().map(|(_, key)| key.algorithm()).collect()
}

/// A key that any file marks `@revoked`, for whichever host, is never accepted.
fn revoked(host: &Host, shown: &PublicKey) -> Option<String> {
    let blob = shown.public_key_base64();
    host.known_hosts.iter().find_map(|file| {
        let text = std::fs::read_to_string(file).ok()?;
        let mut lines = text.lines().enumerate();
        let (index, _) = lines.find(|(_, line)| {
            line.starts_with("@revoked") && line.split_whitespace().any(|word| word == blob)
        })?;
        Some(format!("{}:{}", file.display(), index + 1))
    })
}

/// Accepts the key that is on record, and nothing else unless new keys are accepted and there is none on record.
pub(crate) fn judge(host: &Host, shown: &PublicKey) -> Result<(), RemoteError> {
    let changed = |known_in: String, known: String| RemoteError::HostKeyChanged {
        host: host.endpoint(),
        known_in,
        known,
        shown: fingerprint(shown),
    };
    if let Some(pin) = &host.pin {
        let sha256 = shown.fingerprint(HashAlg::Sha256).to_string();
        return if sha256 == *pin { Ok(()) } else { Err(changed("the pin".to_owned(), pin.clone())) };
    }
    if let Some(place) = revoked(host, shown) {
        return Err(changed(place, "revoked this key".to_owned()));
    }
    let known = recorded(host)?;
    if known.iter().any(|(_, key)| key.key_data() == shown.key_data()) {
        return Ok(());
    }
    if let Some((place, _)) = known.first() {
        let all: Vec<String> = known.iter().map(|(_, key)| fingerprint(key)).collect();
        return Err(changed(place.clone(), all.join(", ")));
    }
    match (host.new_keys, host.known_hosts.first()) {
        (NewKeys::Accept, Some(file)) => record(host, shown, file),
        _ => Err(RemoteError::HostKeyUnknown { host: host.endpoint(), shown: fingerprint(shown) }),
    }
}

fn record(host: &Host, shown: &PublicKey, file: &Path) -> Result<(), RemoteError> {
    learn_known_hosts_path(&host.address, host.port, shown, file).map_err(|why| RemoteError::BadHost {
        what: format!("the key cannot be recorded in {}: {why}", file.display()),
    })
}
