//! Secrets that are given away: tokens, links, cookies. Each is 256 random bits; of each only the digest is kept.

use std::fmt;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engine::ports::Entropy;
use model::Digest;
use zeroize::Zeroizing;

use super::{cookie, limits};

/// What every token begins with, so that programs that look for secrets in texts know one when they see it.
pub const TOKEN_PREFIX: &str = "aedile_";

/// A secret in the hands of whoever it was made for. Not printable, and wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Draws one: 43 characters of base64url.
    pub(crate) fn draw(entropy: &dyn Entropy) -> Self {
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(seed(entropy))))
    }

    /// Draws one that looks like a token.
    pub(crate) fn draw_token(entropy: &dyn Entropy) -> Self {
        let plain = Self::draw(entropy);
        Self(Zeroizing::new(format!("{TOKEN_PREFIX}{}", plain.expose())))
    }

    /// What somebody presents as a secret. `None`: it is nothing that could be one.
    pub fn presented(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = (1..=limits::SECRET_BYTES_MAX).contains(&text.len()) && text.is_ascii();
        fits.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The text. The caller gives it to whom it is for, and to nobody else: no log, no journal, no argument, no error.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it. The digest of something that cannot be guessed is looked up as it is: how long that takes tells about
    /// the digest, which leads nobody to the secret.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(...)")
    }
}

/// 256 random bits.
pub(crate) fn seed(entropy: &dyn Entropy) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    bytes[..16].copy_from_slice(&entropy.draw().to_le_bytes());
    bytes[16..].copy_from_slice(&entropy.draw().to_le_bytes());
    bytes
}

/// What a request says about who sent it.
#[derive(Debug, Clone)]
pub enum Presented {
    /// Nothing, or nothing that could be read.
    Nothing,
    /// A token, as `Authorization: Bearer ...`.
    Token(Secret),
    /// A session's cookie.
    Cookie(Secret),
}

impl Presented {
    /// Reads a request's head. A token goes before a cookie, also when it is good for nothing: a browser sends cookies by
    /// itself, a token only by somebody's intention. `secure`: whether the server is reached over TLS.
    ///
    /// ```
    /// use axum::http::HeaderMap;
    /// use server::identity::Presented;
    /// let mut headers = HeaderMap::new();
    /// assert!(matches!(Presented::from_headers(&headers, true), Presented::Nothing));
    /// headers.insert("cookie", "a=b; __Host-aedile=abc".parse()?);
    /// assert!(matches!(Presented::from_headers(&headers, true), Presented::Cookie(_)));
    /// // over plain HTTP the cookie has another name
    /// assert!(matches!(Presented::from_headers(&headers, false), Presented::Nothing));
    /// headers.insert("authorization", "Bearer aedile_abc".parse()?);
    /// assert!(matches!(Presented::from_headers(&headers, true), Presented::Token(_)));
    /// # Ok::<(), axum::http::header::InvalidHeaderValue>(())
    /// ```
    pub fn from_headers(headers: &HeaderMap, secure: bool) -> Self {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let token = value.to_str().ok().and_then(bearer).and_then(Secret::presented);
            return token.map_or(Self::Nothing, Self::Token);
        }
        cookie::find(headers, cookie::session_name(secure))
            .and_then(Secret::presented)
            .map_or(Self::Nothing, Self::Cookie)
    }
}

/// The credentials of the scheme `Bearer`, whose name is compared without regard to case (RFC 9110, section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(std::sync::atomic::AtomicU64);

    impl Entropy for Counting {
        fn draw(&self) -> u128 {
            u128::from(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) << 60
        }
    }

    #[test]
    fn tokens_can_be_found_in_texts_and_are_never_printed() {
        let entropy = Counting(7.into());
        let (one, other) = (Secret::draw_token(&entropy), Secret::draw_token(&entropy));
        assert_eq!(one.expose().len(), TOKEN_PREFIX.len() + 43);
        assert!(one.expose().starts_with("aedile_"));
        assert_ne!(one.digest(), other.digest());
        assert_eq!(format!("{one:?}"), "Secret(...)");
        assert_eq!(Secret::presented(&format!(" {}\n", one.expose())).unwrap().digest(), one.digest());
    }

    #[test]
    fn what_cannot_be_a_secret_is_not_looked_at() {
        for text in ["", "  ", "für", &"x".repeat(limits::SECRET_BYTES_MAX + 1)] {
            assert!(Secret::presented(text).is_none(), "{text:?}");
        }
        let mut headers = HeaderMap::new();
        for value in ["Bearer", "Basic YTpi", "Bearer  ", "aedile_x"] {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            headers.insert(header::COOKIE, "aedile=abc".parse().unwrap());
            assert!(matches!(Presented::from_headers(&headers, false), Presented::Nothing), "{value}");
        }
        headers.insert(header::AUTHORIZATION, "bEARER aedile_x".parse().unwrap());
        assert!(matches!(Presented::from_headers(&headers, false), Presented::Token(_)));
    }
}
