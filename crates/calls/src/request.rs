//! From an action's input to a request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;
use workflow::action_input::HttpCall;

use crate::auth::Scheme;
use crate::client::{Client, Request, Scope, is_safe};
use crate::{CallError, access, limits};

/// The header that lets a service recognise a repeated request.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Headers that belong to the connection. Letting a workflow set them would let it smuggle requests.
const NOT_TO_BE_SET: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Client {
    /// The request an `http.call` asks for.
    pub(crate) fn request(&self, call: &HttpCall, scope: &Scope<'_>) -> Result<Request, CallError> {
        let method = method(&call.method)?;
        let mut url = uri(&call.uri)?;
        add_query(&mut url, &call.query)?;
        let mut headers = headers(&call.headers)?;
        let body = match &call.body {
            None => None,
            Some(body) => Some(encode(body, &mut headers)?),
        };
        if body.as_ref().is_some_and(|body| body.len() > limits::REQUEST_BYTES_MAX) {
            return Err(CallError::BadCall(format!(
                "the request's body is larger than {} bytes",
                limits::REQUEST_BYTES_MAX
            )));
        }
        headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        if let Ok(agent) = HeaderValue::from_str(&self.config().user_agent) {
            headers.entry(header::USER_AGENT).or_insert(agent);
        }
        if let Some(key) = &scope.idempotency_key
            && !is_safe(&method)
        {
            let key = HeaderValue::from_str(key)
                .map_err(|_| CallError::BadCall("the idempotency key is no header value".to_owned()))?;
            headers.entry(IDEMPOTENCY_KEY).or_insert(key);
        }
        let scheme = match &call.authentication {
            Some(asked) => Some(Scheme::resolve(asked, scope.secrets)?),
            None => None,
        };
        Ok(Request {
            method,
            url,
            headers,
            body,
            scheme,
            follow: call.redirect,
            bytes_max: self.config().response_bytes_max,
            cut: false,
        })
    }
}

fn method(text: &str) -> Result<Method, CallError> {
    let method = Method::from_bytes(text.to_ascii_uppercase().as_bytes())
        .map_err(|_| CallError::BadCall(format!("`{text}` is not an HTTP method")))?;
    // a tunnel and an echo of credentials are no calls
    if matches!(method, Method::CONNECT | Method::TRACE) {
        return Err(CallError::BadCall(format!("the method {method} is not for calls")));
    }
    Ok(method)
}

/// An absolute `http` or `https` URI without user information.
pub(crate) fn uri(text: &str) -> Result<Url, CallError> {
    if text.len() > limits::URI_BYTES_MAX {
        return Err(CallError::BadCall(format!("the URI is longer than {} bytes", limits::URI_BYTES_MAX)));
    }
    let url: Url = text.parse().map_err(|error| {
        // what comes after the path may be a credential
        let safe = text.split(['?', '#']).next().unwrap_or_default();
        let safe = safe.rsplit_once('@').map_or(safe, |(_, after)| after);
        CallError::BadCall(format!("`{safe}` is not a URI: {error}"))
    })?;
    check_uri(&url)?;
    Ok(url)
}

pub(crate) fn check_uri(url: &Url) -> Result<(), CallError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(CallError::BadCall(format!(
            "`{}` is not a scheme that can be called; use https or http",
            url.scheme()
        )));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(CallError::BadCall(format!(
            "{} holds a user name or password; use `authentication: basic` instead",
            access::shown(url)
        )));
    }
    Ok(())
}

/// The text of a scalar.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Names and values, a list giving its name several times, `null` none.
fn pairs(members: &Map<String, Value>, what: &str) -> Result<Vec<(String, String)>, CallError> {
    let bad = |name: &str| {
        CallError::BadCall(format!("{what} `{name}` is neither a text, number or boolean nor a list of them"))
    };
    let mut pairs = Vec::with_capacity(members.len());
    for (name, value) in members {
        match value {
            Value::Null => {}
            Value::Array(items) => {
                for item in items {
                    pairs.push((name.clone(), scalar(item).ok_or_else(|| bad(name))?));
                }
            }
            other => pairs.push((name.clone(), scalar(other).ok_or_else(|| bad(name))?)),
        }
    }
    Ok(pairs)
}

pub(crate) fn add_query(url: &mut Url, query: &Map<String, Value>) -> Result<(), CallError> {
    let pairs = pairs(query, "the query parameter")?;
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    Ok(())
}

/// `application/x-www-form-urlencoded`.
pub(crate) fn form(members: &Map<String, Value>) -> Result<String, CallError> {
    Ok(url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs(members, "the form field")?)
        .finish())
}

fn headers(given: &Map<String, Value>) -> Result<HeaderMap, CallError> {
    let mut headers = HeaderMap::with_capacity(given.len() + 4);
    for (name, value) in given {
        if value.is_null() {
            continue;
        }
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| CallError::BadCall(format!("`{name}` is not a header's name")))?;
        if NOT_TO_BE_SET.contains(&parsed.as_str()) {
            return Err(CallError::BadCall(format!(
                "the header `{parsed}` belongs to the connection and cannot be set"
            )));
        }
        // the value may be a secret and is not quoted
        let value = scalar(value).and_then(|text| HeaderValue::from_str(&text).ok()).ok_or_else(|| {
            CallError::BadCall(format!("the value of the header `{parsed}` cannot be sent"))
        })?;
        headers.append(parsed, value);
    }
    Ok(headers)
}

/// A media type without its parameters, lower case.
pub(crate) fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

pub(crate) fn is_json(essence: &str) -> bool {
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

/// Media types whose content is bytes: a text in the body of such a request is their base64.
fn is_binary(essence: &str) -> bool {
    matches!(
        essence,
        "application/octet-stream"
            | "application/zip"
            | "application/gzip"
            | "application/pdf"
            | "application/wasm"
    ) || (essence.starts_with("image/") && essence != "image/svg+xml")
        || essence.starts_with("audio/")
        || essence.starts_with("video/")
}

fn encode(body: &Value, headers: &mut HeaderMap) -> Result<Vec<u8>, CallError> {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(essence);
    let Some(kind) = declared else {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return Ok(body.to_string().into_bytes());
    };
    if is_json(&kind) {
        return Ok(body.to_string().into_bytes());
    }
    match (kind.as_str(), body) {
        ("application/x-www-form-urlencoded", Value::Object(members)) => Ok(form(members)?.into_bytes()),
        ("multipart/form-data", Value::Object(members)) => {
            let (content_type, bytes) = multipart(members)?;
            headers.insert(header::CONTENT_TYPE, content_type);
            Ok(bytes)
        }
        (kind, Value::String(text)) if is_binary(kind) => STANDARD.decode(text).map_err(|_| {
            CallError::BadCall(format!(
                "the body is sent as {kind} and must be given as the base64 of its bytes"
            ))
        }),
        (_, Value::String(text)) => Ok(text.clone().into_bytes()),
        (kind, other) if kind.starts_with("text/") && scalar(other).is_some() => {
            Ok(scalar(other).unwrap_or_default().into_bytes())
        }
        (_, other) => Ok(other.to_string().into_bytes()),
    }
}

/// RFC 7578, fields only. The boundary is the digest of the content, which therefore cannot contain it.
fn multipart(members: &Map<String, Value>) -> Result<(HeaderValue, Vec<u8>), CallError> {
    let fields = pairs(members, "the form field")?;
    let boundary = hex::encode(&model::Digest::of_json(&Value::Object(members.clone())).as_bytes()[..16]);
    let mut body = String::new();
    for (name, value) in &fields {
        // RFC 7578, 4.2, and the WHATWG rules for escaping names
        let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        body.extend([
            format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n"),
            format!("{value}\r\n"),
        ]);
    }
    body.extend([format!("--{boundary}--\r\n")]);
    let content_type = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"))
        .expect("a boundary of hexadecimal digits is a header value");
    Ok((content_type, body.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn encoded(body: &Value, content_type: Option<&str>) -> Result<String, CallError> {
        let mut headers = HeaderMap::new();
        if let Some(kind) = content_type {
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        }
        encode(body, &mut headers).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn bodies_take_the_form_their_content_type_says() {
        for (body, kind, expected) in [
            (json!({"a": 1}), None, "{\"a\":1}"),
            (json!("text"), None, "\"text\""),
            (json!("text"), Some("application/json"), "\"text\""),
            (json!([1]), Some("application/vnd.api+json; v=1"), "[1]"),
            (json!("<a/>"), Some("application/xml"), "<a/>"),
            (json!(7), Some("text/plain"), "7"),
            (
                json!({"a": "x y", "b": [1, 2], "c": null}),
                Some("application/x-www-form-urlencoded"),
                "a=x+y&b=1&b=2",
            ),
            (json!("a=1"), Some("application/x-www-form-urlencoded"), "a=1"),
            (json!("AGEA"), Some("application/octet-stream"), "\0a\0"),
        ] {
            assert_eq!(encoded(&body, kind).unwrap(), expected, "{kind:?}");
        }
        assert!(encoded(&json!("no base64!"), Some("image/png")).is_err());
        assert!(encoded(&json!({"a": {}}), Some("application/x-www-form-urlencoded")).is_err());
        let parts = encoded(&json!({"na\"me": "v"}), Some("multipart/form-data")).unwrap();
        assert!(parts.contains("name=\"na%22me\"\r\n\r\nv\r\n--"), "{parts}");
    }

    #[test]
    fn connections_cannot_be_tampered_with() {
        for name in ["Host", "Content-Length", "Transfer-Encoding", "Connection", "no name", "x\r\ny"] {
            assert!(headers(json!({name: "x"}).as_object().unwrap()).is_err(), "{name}");
        }
        assert!(headers(json!({"x": "a\r\nb: c"}).as_object().unwrap()).is_err());
        assert_eq!(headers(json!({"X-N": 1, "gone": null}).as_object().unwrap()).unwrap()["x-n"], "1");
    }

    #[test]
    fn uris_and_methods_are_checked() {
        for bad in
            ["ftp://example.org/", "file:///etc/passwd", "/relative", "http://", "https://u:p@example.org/"]
        {
            let error = uri(bad).unwrap_err().to_string();
            assert!(!error.contains("u:p"), "{error}");
        }
        assert!(
            uri("https://us:er@exa mple.org/?token=hush").unwrap_err().to_string().find("hush").is_none()
        );
        assert!(method("CONNECT").is_err() && method("TRACE").is_err() && method("GE T").is_err());
        assert_eq!(method("purge").unwrap().as_str(), "PURGE");
    }

    #[test]
    fn queries_join_what_the_uri_has() {
        let mut url = uri("https://example.org/?a=1").unwrap();
        add_query(&mut url, json!({"b": ["x", "y z"], "c": null, "d": true}).as_object().unwrap()).unwrap();
        assert_eq!(url.as_str(), "https://example.org/?a=1&b=x&b=y+z&d=true");
    }
}
