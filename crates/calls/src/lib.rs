//! Outbound HTTP and OpenAPI calls, as workflows make them.
//!
//! For the program that puts Aedile together: [`HttpCalls`] and [`OpenApiCalls`] perform the actions `http.call` and
//! `openapi.call`; [`Client`] is what they share and what fetches other things (scripts, webhooks). Every call has
//! limits ([`limits`]), goes only where [`Access`] lets it, and fails with an error that says whether the effect may
//! have happened all the same.
//!
//! It never follows a redirect to a host that was not granted, never sends credentials to another origin than the
//! one they are for, never retries (the engine and the workflow do), never reads proxies from the environment, and
//! never lets a credential into an error or an output.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use calls::{Access, CallError, Client, Config, Reach, Scope};
//! use engine::ports::{Cancellation, Secret, SecretError, Secrets};
//! use workflow::action_input::HttpCall;
//!
//! struct NoSecrets;
//! impl Secrets for NoSecrets {
//!     fn reveal(&self, name: &str) -> Result<Secret, SecretError> {
//!         Err(SecretError { name: name.to_owned(), why: "there are none".to_owned() })
//!     }
//! }
//!
//! let client = Client::new(Config { access: Access::only(["api.example.org"]), ..Config::default() });
//! let (_canceller, cancellation) = Cancellation::new();
//! let scope = Scope { reach: Reach::Hosts(vec![]), idempotency_key: None, secrets: &NoSecrets, cancellation };
//! let call: HttpCall = serde_json::from_value(serde_json::json!({
//!     "method": "GET", "uri": "http://169.254.169.254/latest/meta-data"
//! })).unwrap();
//! assert!(matches!(client.http(&call, &scope).await, Err(CallError::Forbidden { .. })));
//! # });
//! ```

mod access;
mod auth;
mod client;
mod error;
pub mod limits;
mod oauth;
mod openapi;
mod performer;
mod probes;
mod raw;
mod request;
mod resolve;
mod response;
#[cfg(feature = "test-util")]
pub mod standin;

pub use access::{Access, Addresses, Check, Destination, Reach};
pub use client::{Client, Config, Scope};
pub use error::CallError;
pub use performer::{HttpCalls, OpenApiCalls};
pub use probes::ClientProbes;
pub use raw::{RawRequest, RawResponse};
