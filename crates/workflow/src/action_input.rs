//! The input of every kind of action a workflow asks for, as typed serde values.
//!
//! The workflow writes these into [`model::Action::input`]; performers read them with
//! `serde_json::from_value`. They are the contract between the two and are described for people in
//! `docs/reference/actions.md`. Every expression and URI template is already evaluated. Any text may hold
//! references to secrets ([`model::program::secret_reference`]); the performer replaces them in memory.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use model::CloudEvent;

/// Kind of an HTTP request; input [`HttpCall`].
pub const HTTP_CALL: &str = "http.call";
/// Kind of a call described by an OpenAPI document; input [`OpenApiCall`].
pub const OPENAPI_CALL: &str = "openapi.call";
/// What kinds of WASM actions begin with: `wasm.echo`; input [`WasmCall`].
pub const WASM_PREFIX: &str = "wasm.";
/// Kind of a shell command; input [`RunShell`].
pub const RUN_SHELL: &str = "run.shell";
/// Kind of a script; input [`RunScript`].
pub const RUN_SCRIPT: &str = "run.script";
/// Kind of a container; input [`RunContainer`].
pub const RUN_CONTAINER: &str = "run.container";
/// Kind of publishing an event; input [`model::CloudEvent`].
pub const EVENT_EMIT: &str = "event.emit";
/// Kind of telling people something; input [`Notification`].
pub const NOTIFY_SEND: &str = "notify.send";
/// Kind of saying something in the run's log; input [`Echo`].
pub const ECHO: &str = "echo";

/// What an HTTP call returns (DSL reference, "HTTP call", `output`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpOutput {
    /// The body, decoded when its media type is JSON, else as text; base64 when it is neither.
    #[default]
    Content,
    /// The body's bytes in base64.
    Raw,
    /// `{request: {method, uri, headers}, statusCode, headers, content}`.
    Response,
}

/// Input of `http.call`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpCall {
    /// Upper case: `GET`.
    pub method: String,
    /// Absolute, templates expanded.
    pub uri: String,
    /// Header names as written, and their values.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub headers: Map<String, Value>,
    /// Added to the query of `uri`; a value that is a list gives the name several times.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub query: Map<String, Value>,
    /// Sent as JSON unless it is a text and a `content-type` header says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// What the step returns.
    #[serde(default)]
    pub output: HttpOutput,
    /// `true`: redirects are followed and only 200-299 and 300-399 are successes. `false`: redirects are not
    /// followed and a status of 300-399 is an error.
    #[serde(default)]
    pub redirect: bool,
    /// How to authenticate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// Milliseconds the whole call may take; the performer's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// Something to be fetched before or while acting: an OpenAPI document, a script.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is.
    pub uri: String,
    /// How to authenticate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
}

/// Input of `openapi.call`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenApiCall {
    /// The OpenAPI document (2.0, 3.0 or 3.1).
    pub document: Resource,
    /// The operation in it.
    pub operation_id: String,
    /// By name, wherever the document places them; `body` is the request's body.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// As [`HttpCall::output`].
    #[serde(default)]
    pub output: HttpOutput,
    /// As [`HttpCall::redirect`].
    #[serde(default)]
    pub redirect: bool,
    /// How to authenticate the call itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// As [`HttpCall::timeout_ms`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// How to authenticate, in the shape the DSL gives it: `{"basic": {...}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Authentication {
    /// RFC 7617.
    Basic(Settings<Login>),
    /// RFC 6750.
    Bearer(Settings<Token>),
    /// RFC 7616.
    Digest(Settings<Login>),
    /// RFC 6749.
    Oauth2(Settings<Box<OAuth2>>),
    /// As OAuth2, with the token endpoint found by discovery at `authority`.
    Oidc(Settings<Box<OAuth2>>),
}

/// Settings in place, or in a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Settings<T> {
    /// The secret of this name; its value is JSON text of the same shape as the settings in place.
    Secret {
        /// The secret's name.
        #[serde(rename = "use")]
        name: String,
    },
    /// Settings in place.
    Inline(T),
}

/// A user name and a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

/// A bearer token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The token.
    pub token: String,
}

/// How to get an access token.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OAuth2 {
    /// Base URI of the authorization server.
    pub authority: String,
    /// `client_credentials`, `password`, `refresh_token`, `authorization_code` or the token-exchange URN.
    pub grant: String,
    /// The client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<OAuth2Client>,
    /// Endpoints relative to `authority` (oauth2 only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<OAuth2Endpoints>,
    /// Form of the token request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<OAuth2Request>,
    /// Issuers whose tokens are accepted; empty: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<String>,
    /// Scopes to ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Audiences to ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// For the grant `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For the grant `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// On whose behalf (token exchange).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<TypedToken>,
    /// Who acts (token exchange).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<TypedToken>,
}

/// An OAuth2 client.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OAuth2Client {
    /// Client id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Client secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Signed assertion (JWT).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assertion: Option<String>,
    /// `client_secret_post` (default), `client_secret_basic`, `client_secret_jwt`, `private_key_jwt`, `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<String>,
}

/// Endpoints of an authorization server, relative to its authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OAuth2Endpoints {
    /// Token endpoint.
    pub token: String,
    /// Revocation endpoint.
    pub revocation: String,
    /// Introspection endpoint.
    pub introspection: String,
}

impl Default for OAuth2Endpoints {
    /// The defaults of the DSL reference.
    fn default() -> Self {
        Self {
            token: "/oauth2/token".to_owned(),
            revocation: "/oauth2/revoke".to_owned(),
            introspection: "/oauth2/introspect".to_owned(),
        }
    }
}

/// Form of a token request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuth2Request {
    /// `application/x-www-form-urlencoded` (default) or `application/json`.
    pub encoding: String,
}

/// A token and what kind it is (RFC 8693).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypedToken {
    /// The token.
    pub token: String,
    /// Its type, a URN.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Input of `wasm.NAME`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WasmCall {
    /// Name of the action.
    pub name: String,
    /// Exact version; the newest installed when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What the action gets.
    pub input: Value,
}

/// What a process returns (DSL reference, "Run", `return`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProcessReturn {
    /// Standard output as text.
    #[default]
    Stdout,
    /// Standard error as text.
    Stderr,
    /// The exit code as a number.
    Code,
    /// `{code, stdout, stderr}`.
    All,
    /// `null`.
    None,
}

/// What all processes have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Arguments, in order; to a shell command they are `$1`, `$2`, ...
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// Environment variables; nothing else is inherited but what the performer documents.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub environment: Map<String, Value>,
    /// Given to standard input, which is then closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    /// What the step returns. With `code` and `all`, an exit code other than 0 is a result; with the others it
    /// is a problem (runtime, 500).
    #[serde(rename = "return", default)]
    pub returns: ProcessReturn,
    /// `false`: the step is done (with its transformed input as output) as soon as the process has started.
    #[serde(default = "yes")]
    pub r#await: bool,
    /// Milliseconds the process may run; the performer's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

fn yes() -> bool {
    true
}

/// Input of `run.shell`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunShell {
    /// Text for `/bin/sh -c`.
    pub command: String,
    /// The process.
    #[serde(flatten)]
    pub process: Process,
}

/// Input of `run.script`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunScript {
    /// `javascript`, `python`, ...
    pub language: String,
    /// The script, unless `source` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Where the script is, unless `code` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Resource>,
    /// The process.
    #[serde(flatten)]
    pub process: Process,
}

/// Input of `run.container`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunContainer {
    /// The image's reference.
    pub image: String,
    /// The container's name; made up when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Replaces the image's command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Host port to container port.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub ports: Map<String, Value>,
    /// Host path to container path.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub volumes: Map<String, Value>,
    /// What happens to the container afterwards.
    #[serde(default)]
    pub lifetime: Lifetime,
    /// `ifNotPresent` (default), `always`, `never`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_policy: Option<String>,
    /// The process.
    #[serde(flatten)]
    pub process: Process,
}

/// What happens to a container after its process has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lifetime {
    /// `never` (default), `always`, `eventually`.
    pub cleanup: String,
    /// For `eventually`: milliseconds until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
}

impl Default for Lifetime {
    fn default() -> Self {
        Self { cleanup: "never".to_owned(), after_ms: None }
    }
}

/// Input of `notify.send`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Where to, in the project's words; the default channel when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// One line.
    pub title: String,
    /// More, in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Input of `echo`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Echo {
    /// What to say; any value, shown as compact JSON unless it is a text.
    pub message: Value,
}

/// The event in the input of an `event.emit` action.
pub fn emitted_event(input: &Value) -> Result<CloudEvent, serde_json::Error> {
    CloudEvent::deserialize(input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn authentication_has_the_shape_of_the_dsl() {
        let in_place: Authentication =
            serde_json::from_value(json!({"basic": {"username": "a", "password": "b"}})).unwrap();
        assert!(matches!(in_place, Authentication::Basic(Settings::Inline(_))));
        let secret: Authentication = serde_json::from_value(json!({"oauth2": {"use": "idp"}})).unwrap();
        assert!(matches!(secret, Authentication::Oauth2(Settings::Secret { ref name }) if name == "idp"));
    }

    #[test]
    fn processes_are_flat() {
        let shell: RunShell =
            serde_json::from_value(json!({"command": "echo $1", "arguments": ["x"], "return": "all"}))
                .unwrap();
        assert_eq!(shell.process.returns, ProcessReturn::All);
        assert!(shell.process.r#await);
        let back = serde_json::to_value(&shell).unwrap();
        assert_eq!(back, json!({"command": "echo $1", "arguments": ["x"], "return": "all", "await": true}));
    }
}
