//! The provider's description of itself and its keys, kept for a while.

use std::sync::Arc;

use model::Timestamp;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AuthType, Client, ClientId, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IdTokenFields, IssuerUrl, StandardErrorResponse, StandardTokenResponse,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::{Oidc, PROVIDER_LIFETIME, PROVIDER_PAUSE};
use crate::identity::IdentityError;

/// Claims that the standard does not name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Extra(pub(super) serde_json::Map<String, serde_json::Value>);

impl openidconnect::AdditionalClaims for Extra {}

type Fields = IdTokenFields<
    Extra,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

/// The library's client for a provider that was asked for its description.
pub(super) type Known = Client<
    Extra,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A provider as it described itself.
pub(super) struct Provider {
    pub(super) client: Known,
    /// Algorithms it signs with that need no shared secret.
    pub(super) algorithms: Vec<CoreJwsSigningAlgorithm>,
    fetched: Timestamp,
}

/// What is known of the provider.
#[derive(Default)]
pub(super) struct Cache(Mutex<Option<Result<Arc<Provider>, Timestamp>>>);

/// Signatures that only the provider can make. Those with the client's secret, and none at all, are not among them.
fn is_asymmetric(algorithm: &CoreJwsSigningAlgorithm) -> bool {
    use CoreJwsSigningAlgorithm as A;
    matches!(
        algorithm,
        A::RsaSsaPkcs1V15Sha256
            | A::RsaSsaPkcs1V15Sha384
            | A::RsaSsaPkcs1V15Sha512
            | A::RsaSsaPssSha256
            | A::RsaSsaPssSha384
            | A::RsaSsaPssSha512
            | A::EcdsaP256Sha256
            | A::EcdsaP384Sha384
            | A::EdDsa
    )
}

/// The provider. `unlike`: not this one any more, if there can be a newer one.
pub(super) async fn known(
    oidc: &Oidc,
    unlike: Option<&Arc<Provider>>,
) -> Result<Arc<Provider>, IdentityError> {
    let now = oidc.clock.now();
    let mut cache = oidc.provider.0.lock().await;
    match &*cache {
        Some(Ok(known)) => {
            let age = now.duration_since(known.fetched);
            let wanted = unlike.is_some_and(|unlike| Arc::ptr_eq(unlike, known)) && age >= PROVIDER_PAUSE;
            if age < PROVIDER_LIFETIME && !wanted {
                return Ok(Arc::clone(known));
            }
        }
        Some(Err(failed)) if now.duration_since(*failed) < PROVIDER_PAUSE => {
            let source = "it failed a moment ago and is asked again in a few seconds".into();
            return Err(IdentityError::ProviderFailed { what: "its description", source });
        }
        _ => {}
    }
    let answer = fetch(oidc, now).await;
    *cache = Some(match &answer {
        Ok(provider) => Ok(Arc::clone(provider)),
        Err(_) => Err(now),
    });
    answer
}

async fn fetch(oidc: &Oidc, now: Timestamp) -> Result<Arc<Provider>, IdentityError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| IdentityError::ProviderFailed {
        what: "its description",
        source,
    };
    let settings = &oidc.settings;
    let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|error| failed(Box::new(error)))?;
    let metadata = CoreProviderMetadata::discover_async(issuer, &oidc.http)
        .await
        .map_err(|error| failed(Box::new(error)))?;
    if metadata.token_endpoint().is_none() {
        return Err(failed("it has no token endpoint".into()));
    }
    let algorithms: Vec<_> = metadata
        .id_token_signing_alg_values_supported()
        .iter()
        .filter(|one| is_asymmetric(one))
        .cloned()
        .collect();
    if algorithms.is_empty() {
        return Err(failed("it signs by no algorithm that only it can sign by".into()));
    }
    // without a word from the provider it is basic (OpenID Connect Discovery 1.0, section 3)
    let by_post = metadata.token_endpoint_auth_methods_supported().is_some_and(|methods| {
        !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
            && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
    });
    let id = ClientId::new(settings.client.clone());
    let client = Client::from_provider_metadata(metadata, id, oidc.secret.clone())
        .set_redirect_uri(oidc.redirect.clone())
        .set_auth_type(if by_post { AuthType::RequestBody } else { AuthType::BasicAuth });
    Ok(Arc::new(Provider { client, algorithms, fetched: now }))
}
