//! Whether a request was meant by the person whose browser sent it: a token of the session in every page, and where the request
//! came from.

use std::fmt;

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::{IdentityError, Secret};

/// What the session's token is derived for, so that nothing else ever has the same.
const PURPOSE: &[u8] = b"aedile csrf 1";

/// A session's token against forged requests: a keyed hash, the key being the secret in the cookie. Pages carry it, other
/// sites cannot read it, and it leads nobody to the cookie.
#[derive(Clone, PartialEq, Eq)]
pub struct Csrf([u8; 32]);

impl Csrf {
    pub(crate) fn of(cookie: &Secret) -> Self {
        Self(keyed(cookie.expose().as_bytes(), PURPOSE))
    }

    /// The token as pages carry it.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Whether it is the one that was sent along, in a time that does not tell how much of it is right.
    pub fn matches(&self, presented: &str) -> bool {
        URL_SAFE_NO_PAD.decode(presented).is_ok_and(|bytes| bytes.ct_eq(&self.0).into())
    }
}

impl fmt::Debug for Csrf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Csrf(...)")
    }
}

/// HMAC-SHA-256 (RFC 2104).
pub(crate) fn keyed(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Whether a request that changes something came from a page of this server, as far as the browser says.
///
/// `Sec-Fetch-Site` is what browsers say about it themselves; `Origin` is compared with `origin`, or, where that is not known,
/// with the host that was asked. A request that says neither is let pass here: it is no browser's, or a very old one's, and
/// the session's token is asked for all the same.
pub(crate) fn check_origin(headers: &HeaderMap, origin: Option<&str>) -> Result<(), IdentityError> {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return Err(IdentityError::Forged("the browser says that another site sent it"));
    }
    let Some(sent) = headers.get(header::ORIGIN) else { return Ok(()) };
    let sent = sent.to_str().unwrap_or_default();
    // a page whose address is nobody's business sends no origin (Fetch, "serialize a request origin"); the browser's own word stands
    if sent == "null" && site == Some(b"same-origin") {
        return Ok(());
    }
    let same = if let Some(origin) = origin {
        sent.eq_ignore_ascii_case(origin)
    } else {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let from = sent.split_once("://").map_or("", |(_, host)| host);
        !host.is_empty() && from.eq_ignore_ascii_case(host)
    };
    if same { Ok(()) } else { Err(IdentityError::Forged("its origin is another one than this server's")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_session_has_one_token_and_no_other_matches() {
        let (one, other) = (Secret::presented("one").unwrap(), Secret::presented("other").unwrap());
        let csrf = Csrf::of(&one);
        assert_eq!(csrf, Csrf::of(&one), "it outlives the process");
        assert!(csrf.matches(&csrf.text()));
        let text = csrf.text();
        for wrong in ["", "x", "one", &text[1..], &format!("{text}A"), &Csrf::of(&other).text()] {
            assert!(!csrf.matches(wrong), "{wrong}");
        }
        assert!(!format!("{csrf:?}").contains(&text));
    }

    #[test]
    fn requests_of_other_sites_are_refused() {
        let (host, site, origin) = ("host", "sec-fetch-site", "origin");
        type Case<'a> = (&'a [(&'static str, &'static str)], Option<&'a str>, bool);
        let table: &[Case<'_>] = &[
            (&[], None, true),
            (&[(site, "same-origin")], None, true),
            (&[(site, "none")], None, true),
            (&[(site, "cross-site")], None, false),
            (&[(site, "same-site")], None, false),
            (&[(host, "a.example:8420"), (origin, "https://a.example:8420")], None, true),
            (&[(host, "a.example:8420"), (origin, "http://A.example:8420")], None, true),
            (&[(host, "a.example"), (origin, "https://a.example.evil.example")], None, false),
            (&[(host, "a.example"), (origin, "https://a.example:444")], None, false),
            (&[(host, "a.example"), (origin, "null")], None, false),
            (&[(origin, "null")], None, false),
            (&[(site, "same-origin"), (origin, "null")], None, true),
            (&[(site, "none"), (origin, "null")], None, false),
            (&[(site, "cross-site"), (origin, "null")], None, false),
            (&[(host, "inside"), (origin, "https://a.example")], Some("https://a.example"), true),
            (&[(host, "a.example"), (origin, "http://a.example")], Some("https://a.example"), false),
            (&[(site, "cross-site"), (origin, "https://a.example")], Some("https://a.example"), false),
        ];
        for (pairs, known, wanted) in table {
            let pairs: Vec<(&'static str, &'static str)> = pairs.to_vec();
            assert_eq!(check_origin(&headers(&pairs), *known).is_ok(), *wanted, "{pairs:?} {known:?}");
        }
    }
}
