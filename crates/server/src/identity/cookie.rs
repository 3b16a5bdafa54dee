//! Cookies of this server. Over TLS their names bind them to this very host (`__Host-`, RFC 6265bis, section 4.1.3): nobody
//! beside or below it can set them.

use axum::http::{HeaderMap, HeaderValue, header};
use model::time::SignedDuration;

/// The name of the session's cookie.
pub(crate) const fn session_name(secure: bool) -> &'static str {
    if secure { "__Host-aedile" } else { "aedile" }
}

/// The value of a cookie in a request.
pub(crate) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// A `Set-Cookie` that lasts as long as the browser is open and at most `lifetime`.
pub(crate) fn set(name: &str, value: &str, lifetime: SignedDuration, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let seconds = lifetime.as_secs().max(0);
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A `Set-Cookie` that takes it away.
pub(crate) fn clear(name: &str, secure: bool) -> Option<HeaderValue> {
    set(name, "", SignedDuration::ZERO, secure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_bound_to_this_host_where_it_has_tls() {
        let lifetime = SignedDuration::from_hours(12);
        let safe = set(session_name(true), "abc", lifetime, true).unwrap();
        assert_eq!(safe, "__Host-aedile=abc; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax; Secure");
        let plain = clear(session_name(false), false).unwrap();
        assert_eq!(plain, "aedile=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
        assert!(set("a", "b\r\nx: y", lifetime, true).is_none());
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "xaedile=1; aedile-login=2".parse().unwrap());
        headers.append(header::COOKIE, "aedile=3=4; aedile=5".parse().unwrap());
        assert_eq!(find(&headers, "aedile"), Some("3=4"));
        assert_eq!(find(&headers, "aedil"), None);
    }
}
