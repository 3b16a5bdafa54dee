//! From a response to a step's output.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use reqwest::header::{self, HeaderMap};
use serde_json::{Map, Value, json};
use workflow::action_input::HttpOutput;

use crate::client::Response;
use crate::request::{essence, is_json};
use crate::{CallError, limits};

/// Headers of the request that are not shown again.
const NOT_SHOWN: [header::HeaderName; 3] =
    [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION];

impl Response {
    /// What the step returns: in the form asked for, or an error for a status that is one (DSL reference, "HTTP
    /// call", `redirect`: 200-299, and up to 399 if redirects are no errors).
    pub(crate) fn into_output(self, form: HttpOutput, redirects_allowed: bool) -> Result<Value, CallError> {
        let highest = if redirects_allowed { 399 } else { 299 };
        if !(200..=highest).contains(&self.status) {
            return Err(CallError::Refused {
                target: self.target(),
                status: self.status,
                excerpt: self.excerpt(),
                retry_after: retry_after(&self.headers),
                sent: self.sent,
            });
        }
        match form {
            HttpOutput::Raw => Ok(Value::String(STANDARD.encode(&self.body))),
            HttpOutput::Content => self.content(),
            HttpOutput::Response => {
                let content = self.content()?;
                let mut request_headers = self.request_headers.clone();
                for name in &NOT_SHOWN {
                    request_headers.remove(name);
                }
                Ok(json!({
                    "request": {
                        "method": self.method.as_str(),
                        "uri": self.url.as_str(),
                        "headers": header_values(&request_headers),
                    },
                    "statusCode": self.status,
                    "headers": header_values(&self.headers),
                    "content": content,
                }))
            }
        }
    }

    /// The body by its media type: JSON as its value, text as text, everything else as base64, nothing as `null`.
    pub(crate) fn content(&self) -> Result<Value, CallError> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        let declared = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = declared.map(essence).unwrap_or_default();
        if is_json(&kind) {
            // RFC 8259 has no byte order mark, and some services send one all the same
            let body = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body);
            return serde_json::from_slice(body).map_err(|error| CallError::BadResponse {
                target: self.target(),
                why: format!(
                    "it is declared as {kind} and is not JSON (line {}, column {})",
                    error.line(),
                    error.column()
                ),
                sent: self.sent,
            });
        }
        let latin = declared.is_some_and(|declared| {
            let declared = declared.to_ascii_lowercase();
            declared.contains("charset=iso-8859-1") || declared.contains("charset=\"iso-8859-1\"")
        });
        if latin {
            return Ok(Value::String(self.body.iter().map(|&byte| char::from(byte)).collect()));
        }
        Ok(Value::String(match std::str::from_utf8(&self.body) {
            Ok(text) => text.to_owned(),
            Err(_) => STANDARD.encode(&self.body),
        }))
    }

    /// How the body begins, in one line, if it is text.
    fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(4 * limits::EXCERPT_CHARS_MAX)]);
        if text.contains('\u{fffd}') && std::str::from_utf8(&self.body).is_err() {
            return String::new();
        }
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut excerpt: String =
            line.chars().filter(|c| !c.is_control()).take(limits::EXCERPT_CHARS_MAX).collect();
        if line.chars().count() > limits::EXCERPT_CHARS_MAX {
            excerpt.push_str("...");
        }
        excerpt
    }
}

/// Lower-case names; several values of one name joined with a comma (RFC 9110, 5.3).
fn header_values(headers: &HeaderMap) -> Map<String, Value> {
    headers
        .keys()
        .map(|name| {
            let values: Vec<_> =
                headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            (name.as_str().to_owned(), Value::String(values.join(", ")))
        })
        .collect()
}

/// `Retry-After` (RFC 9110, 10.2.3). A date is measured from the response's own `Date`, so that the two clocks need
/// not agree.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let until = http_date(text)?;
        let now = http_date(headers.get(header::DATE)?.to_str().ok()?)?;
        Duration::try_from(until.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(limits::RETRY_AFTER_MAX))
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::Method;

    fn response(status: u16, kind: &str, body: &[u8]) -> Response {
        let mut headers = HeaderMap::new();
        if !kind.is_empty() {
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        }
        Response {
            status,
            headers,
            body: body.to_vec(),
            method: Method::GET,
            url: "https://example.org/x?token=hush".parse().unwrap(),
            request_headers: HeaderMap::new(),
            sent: false,
        }
    }

    #[test]
    fn content_is_decoded_by_its_media_type() {
        for (kind, body, expected) in [
            ("application/json", &b"{\"a\":1}"[..], json!({"a": 1})),
            ("application/problem+json; charset=utf-8", b"\xef\xbb\xbf[1]", json!([1])),
            ("text/plain", b"hi", json!("hi")),
            ("", b"hi", json!("hi")),
            ("text/plain; charset=ISO-8859-1", b"caf\xe9", json!("caf\u{e9}")),
            ("image/png", b"\x89PNG", json!("iVBORw==")),
            ("application/json", b"", Value::Null),
        ] {
            assert_eq!(response(200, kind, body).content().unwrap(), expected, "{kind}");
        }
        let error = response(200, "application/json", b"{\"secret\": oops").content().unwrap_err();
        assert!(matches!(error, CallError::BadResponse { .. }));
        assert!(!error.to_string().contains("oops"));
    }

    #[test]
    fn redirect_decides_what_300_to_399_is() {
        let output = |status, allowed| response(status, "", b"").into_output(HttpOutput::Content, allowed);
        assert!(output(200, false).is_ok() && output(204, false).is_ok() && output(304, true).is_ok());
        assert!(output(302, false).is_err() && output(199, true).is_err() && output(400, true).is_err());
    }

    #[test]
    fn errors_quote_the_body_and_not_the_query() {
        let body = format!("{{\n  \"detail\": \"{}\"}}", "x".repeat(500));
        let error = response(404, "application/json", body.as_bytes())
            .into_output(HttpOutput::Content, false)
            .unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("GET https://example.org/x answered 404: { \"detail\": \"xxx"), "{text}");
        assert!(text.ends_with("...") && text.len() < 400, "{text}");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_by_the_services_own_clock() {
        let after = |value: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
            if let Some(date) = date {
                headers.insert(header::DATE, date.parse().unwrap());
            }
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(after("120", None), Some(120));
        assert_eq!(after("99999999", None), Some(86_400));
        let date = Some("Wed, 21 Oct 2015 07:28:00 GMT");
        assert_eq!(after("Wed, 21 Oct 2015 07:28:30 GMT", date), Some(30));
        assert_eq!(after("Wed, 21 Oct 2015 07:27:00 GMT", date), Some(0));
        assert_eq!(after("Wed, 21 Oct 2015 07:28:30 GMT", None), None);
        assert_eq!(after("soon", date), None);
    }
}
