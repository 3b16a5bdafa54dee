//! Which certificates are believed: those somebody vouches for, or the one that a person compared.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest as _, Sha256};

use super::login::Fingerprint;

/// The certificate that was refused last, if one was.
#[derive(Debug, Clone, Default)]
pub(super) struct Refused(Arc<Mutex<Option<Fingerprint>>>);

impl Refused {
    pub(super) fn take(&self) -> Option<Fingerprint> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, fingerprint: Fingerprint) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(fingerprint);
    }
}

/// How connections are encrypted, with what is believed and where a refusal is noted.
pub(super) fn config(pin: Option<Fingerprint>, refused: &Refused) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let public = rustls_platform_verifier::Verifier::new(Arc::clone(&provider))?;
    let belief = Belief { pin, public, provider: Arc::clone(&provider), refused: refused.clone() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        // with a verifier of our own, which believes less than the usual one or the same
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(belief))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Believes one certificate, or those that the machine's authorities vouch for.
#[derive(Debug)]
struct Belief {
    pin: Option<Fingerprint>,
    public: rustls_platform_verifier::Verifier,
    provider: Arc<CryptoProvider>,
    refused: Refused,
}

impl ServerCertVerifier for Belief {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = Fingerprint(Sha256::digest(certificate).into());
        let believed = match self.pin {
            // the very certificate that was compared: that says more than a name and a date in it
            Some(pin) if pin == found => Ok(ServerCertVerified::assertion()),
            Some(_) => Err(CertificateError::ApplicationVerificationFailure.into()),
            None => self.public.verify_server_cert(certificate, others, name, ocsp, now),
        };
        believed.inspect_err(|_| self.refused.note(found))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
