//! Every limit of outbound calls, in one place.

use std::time::Duration;

/// Time to connect, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a whole call, redirects and token requests included, unless the action says otherwise.
pub const CALL_TIMEOUT: Duration = Duration::from_mins(1);
/// The longest time an action may ask for.
pub const CALL_TIMEOUT_MAX: Duration = Duration::from_hours(1);
/// Bytes of a response's body.
pub const RESPONSE_BYTES_MAX: usize = 8 << 20;
/// Bytes of a response's headers, names and values.
pub const HEADER_BYTES_MAX: usize = 64 << 10;
/// Headers of a response.
pub const HEADERS_MAX: usize = 128;
/// Bytes of a request's body.
pub const REQUEST_BYTES_MAX: usize = 8 << 20;
/// Bytes of a URI.
pub const URI_BYTES_MAX: usize = 32 << 10;
/// Redirects followed in one call.
pub const REDIRECTS_MAX: usize = 10;
/// Bytes of the response to a token or discovery request.
pub const TOKEN_BYTES_MAX: usize = 256 << 10;
/// Bytes of an access token that is looked for in answers; shorter ones are in texts by chance.
pub const REDACTED_BYTES_MIN: usize = 8;
/// Access tokens kept in memory.
pub const TOKENS_MAX: usize = 256;
/// A token this close to its end is not used any more.
pub const TOKEN_MARGIN: Duration = Duration::from_secs(30);
/// How long a token is kept whose answer does not say when it ends.
pub const TOKEN_LIFETIME_UNSAID: Duration = Duration::from_mins(5);
/// Parsed OpenAPI documents kept in memory.
pub const DOCUMENTS_MAX: usize = 32;
/// How long a fetched OpenAPI document is used before it is fetched again.
pub const DOCUMENT_LIFETIME: Duration = Duration::from_mins(5);
/// How deep references inside an OpenAPI document may lead.
pub const REFERENCES_MAX: usize = 32;
/// The longest `Retry-After` that is believed.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);
/// Characters of a failed response's body that are quoted.
pub const EXCERPT_CHARS_MAX: usize = 300;
/// Idle connections kept for one host.
pub const IDLE_CONNECTIONS_MAX: usize = 16;
