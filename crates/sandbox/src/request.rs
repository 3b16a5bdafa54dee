//! Checks of an outgoing request. What passes here is parsed once and handed on parsed, so that nobody downstream can
//! read the same text differently.

use url::Url;

use crate::Grants;
use crate::grants::is_method;
use crate::limits::{HEADER_FIELDS, URL_BYTES};

/// Why a request is not sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is malformed, which the action is told.
    Invalid(String),
    /// It is outside the grants, which ends the call.
    NotGranted {
        /// Its method.
        method: String,
        /// Scheme, host and port.
        origin: String,
    },
}

/// Fields that say how the message travels or to which virtual host it goes; both are the host's to decide.
const HOST_FIELDS: [&str; 12] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "proxy-authorization",
    "proxy-connection",
    "http2-settings",
    "expect",
];

/// The URL to send to.
pub(crate) fn check(
    grants: &Grants,
    method: &str,
    url: &str,
    headers: &[(String, String)],
) -> Result<Url, Refusal> {
    let invalid = |why: String| Err(Refusal::Invalid(why));
    if !is_method(method) {
        return invalid(format!("`{}` is not a method that can be used", method.escape_debug()));
    }
    if url.len() > URL_BYTES {
        return invalid(format!("the URL is longer than {URL_BYTES} bytes"));
    }
    // The URL standard repairs these silently; a request that needs repair is one that two parsers may read as two.
    if url.bytes().any(|b| b.is_ascii_control() || b == b' ' || b == b'\\') {
        return invalid("the URL holds a space, a control character or a backslash".to_owned());
    }
    let mut parsed = match Url::parse(url) {
        Ok(parsed) => parsed,
        Err(error) => return invalid(format!("the URL cannot be read: {error}")),
    };
    if !matches!(parsed.scheme(), "http" | "https") {
        return invalid("the URL's scheme is neither http nor https".to_owned());
    }
    if !parsed.username().is_empty() || parsed.password().is_some() || authority(url).contains('@') {
        return invalid("the URL carries user information; use an authorization header".to_owned());
    }
    parsed.set_fragment(None);
    check_headers(headers)?;
    if !grants.allows(method, &parsed) {
        let (method, origin) = (method.to_owned(), parsed.origin().ascii_serialization());
        return Err(Refusal::NotGranted { method, origin });
    }
    Ok(parsed)
}

/// The text between `//` and the path. An empty user name is gone after parsing, so it is looked for here.
fn authority(url: &str) -> &str {
    let rest = url.split_once("//").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

fn check_headers(headers: &[(String, String)]) -> Result<(), Refusal> {
    let invalid = |why: String| Err(Refusal::Invalid(why));
    if headers.len() > HEADER_FIELDS {
        return invalid(format!("more than {HEADER_FIELDS} header fields"));
    }
    for (name, value) in headers {
        // RFC 9110, section 5.6.2: tokens
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            return invalid(format!("`{}` is not a header field name", name.escape_debug()));
        }
        if HOST_FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field)) {
            return invalid(format!("the header field `{name}` is set by the host"));
        }
        // The value is not named in the message: it may be a credential.
        if value.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
            return invalid(format!("the value of header field `{name}` holds a control character"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn granted() -> Grants {
        Grants::parse(["http:api.example.org GET POST"]).unwrap()
    }

    fn ask(method: &str, url: &str, headers: &[(&str, &str)]) -> Result<Url, Refusal> {
        let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        check(&granted(), method, url, &headers)
    }

    #[test]
    fn a_granted_request_passes_in_canonical_form() {
        let url = ask("GET", "HTTPS://API.example.org:443/a/../b?q=1#top", &[("accept", "*/*")]).unwrap();
        assert_eq!(url.as_str(), "https://api.example.org/b?q=1");
    }

    #[test]
    fn tricks_are_refused() {
        let table: &[(&str, &str)] = &[
            ("GET", "https://api.example.org@evil.example/"),
            ("GET", "https://evil.example@api.example.org/"),
            ("GET", "https://@api.example.org/"),
            ("GET", "https://:@api.example.org/"),
            ("GET", "https://api.example.org\\@evil.example/"),
            ("GET", "https://api.example.org\t.evil.example/"),
            ("GET", "https://api.exa\nmple.org/"),
            ("GET", " https://api.example.org/"),
            ("GET", "file:///etc/passwd"),
            ("GET", "//api.example.org/"),
            ("GET", "https://"),
            ("get", "https://api.example.org/"),
            ("CONNECT", "https://api.example.org/"),
            ("GET /x HTTP/1.1\r\n", "https://api.example.org/"),
        ];
        for (method, url) in table {
            assert!(matches!(ask(method, url, &[]), Err(Refusal::Invalid(_))), "{method} {url}");
        }
        for url in [
            "https://api.example.org.evil.example/",
            "https://api.example.org:8443/",
            "https://api.example.org./",
            "http://127.0.0.1/?https://api.example.org/",
        ] {
            assert!(matches!(ask("GET", url, &[]), Err(Refusal::NotGranted { .. })), "{url}");
        }
        assert!(matches!(ask("DELETE", "https://api.example.org/", &[]), Err(Refusal::NotGranted { .. })));
    }

    #[test]
    fn refusals_do_not_repeat_what_may_be_secret() {
        let refusal = ask("GET", "https://evil.example/path?token=hunter2", &[]).unwrap_err();
        let (method, origin) = ("GET".to_owned(), "https://evil.example".to_owned());
        assert_eq!(refusal, Refusal::NotGranted { method, origin });
        let refusal = ask("GET", "https://api.example.org/", &[("x-token", "hunter2\r\nx: y")]).unwrap_err();
        assert!(!format!("{refusal:?}").contains("hunter2"));
    }

    #[test]
    fn header_fields_of_the_host_are_refused() {
        for name in ["Host", "content-length", "Transfer-Encoding", "connection", "na me", "", "a:b"] {
            let url = "https://api.example.org/";
            assert!(matches!(ask("GET", url, &[(name, "x")]), Err(Refusal::Invalid(_))), "{name}");
        }
    }

    proptest! {
        /// Whatever text is asked for, what passes goes to the granted host.
        #[test]
        fn nothing_else_passes(
            url in "(https?:)?[/\\\\]{0,3}([a-z.@:%\\[\\]0-9]{0,12})(api\\.example\\.org)?([@:/?#.\\\\%a-z0-9\\t]{0,16})"
        ) {
            if let Ok(url) = ask("GET", &url, &[]) {
                prop_assert_eq!(url.host_str(), Some("api.example.org"));
                prop_assert_eq!(url.port(), None);
                prop_assert!(url.username().is_empty() && url.password().is_none());
            }
        }
    }
}
