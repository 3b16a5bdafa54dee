//! Certificates: given, or made here for a first run.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};

use crate::ServerError;

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// From two files in PEM.
    Files {
        /// The certificate, followed by those that vouch for it.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// Made here and kept in the server's directory. Nobody vouches for it: who connects compares the fingerprint.
    SelfMade {
        /// Names and addresses it is for.
        names: Vec<String>,
    },
}

/// What is needed to encrypt, and the certificate's fingerprint.
pub(crate) struct Encryption {
    pub(crate) config: Arc<ServerConfig>,
    /// SHA-256 of the certificate, in pairs of hexadecimal digits.
    pub(crate) fingerprint: String,
}

/// Reads or makes the certificate.
pub(crate) fn encryption(tls: &Tls, state: &Path) -> Result<Encryption, ServerError> {
    let (certificate, key) = match tls {
        Tls::Files { certificate, key } => (certificate.clone(), key.clone()),
        Tls::SelfMade { names } => self_made(names, state)?,
    };
    let bad = |path: &Path, why: String| ServerError::Certificate { what: path.display().to_string(), why };
    let chain = CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| bad(&certificate, error.to_string()))?;
    let first = chain.first().ok_or_else(|| bad(&certificate, "it holds no certificate".to_owned()))?;
    let fingerprint = fingerprint(first);
    let private = PrivateKeyDer::from_pem_file(&key).map_err(|error| bad(&key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(&certificate, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| bad(&certificate, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Encryption { config: Arc::new(config), fingerprint })
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = Sha256::digest(certificate);
    let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// The certificate that was made for these names before, or a new one.
fn self_made(names: &[String], state: &Path) -> Result<(PathBuf, PathBuf), ServerError> {
    let directory = state.join("tls");
    let (certificate, key, list) =
        (directory.join("certificate.pem"), directory.join("key.pem"), directory.join("names"));
    let wanted = names.join("\n");
    let kept = fs_err::read_to_string(&list).is_ok_and(|kept| kept == wanted);
    if kept && certificate.is_file() && key.is_file() {
        return Ok((certificate, key));
    }
    let bad = |why: String| ServerError::Certificate { what: "a certificate of its own".to_owned(), why };
    let pair = KeyPair::generate().map_err(|error| bad(error.to_string()))?;
    let params = CertificateParams::new(names.to_vec()).map_err(|error| bad(error.to_string()))?;
    let made = params.self_signed(&pair).map_err(|error| bad(error.to_string()))?;
    let written = |path: &Path, text: &str| write_private(path, text).map_err(|error| bad(error.to_string()));
    written(&key, &pair.serialize_pem())?;
    written(&certificate, &made.pem())?;
    // last: what is named here is there
    written(&list, &wanted)?;
    Ok((certificate, key))
}

/// Writes a file that only its owner reads, whole or not at all.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let directory = path.parent().unwrap_or(path);
    fs_err::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
