//! Where a server is, who asks, and by what the server is known.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use reqwest::Url;
use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use super::ClientError;
use super::limits::TOKEN_BYTES_MAX;

/// An API token. Wiped when dropped; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// A token as a person or a file gives it.
    ///
    /// # Errors
    /// No token looks like this. The error does not repeat it.
    pub fn new(text: Zeroizing<String>) -> Result<Self, ClientError> {
        let fits = (1..=TOKEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text)) } else { Err(ClientError::Token) }
    }

    /// The text, for the file that keeps it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn header(&self) -> HeaderValue {
        let text = Zeroizing::new(format!("Bearer {}", self.expose()));
        // a token is made of visible characters only
        let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Bearer"));
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// SHA-256 of a certificate, shown as pairs of hexadecimal digits with colons between.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub(super) [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = ClientError;

    /// Reads 32 bytes in hexadecimal, with or without colons, with or without `sha256:` before them.
    fn from_str(text: &str) -> Result<Self, ClientError> {
        let wrong = || ClientError::Fingerprint { text: text.to_owned() };
        let lower = text.trim().to_ascii_lowercase();
        let digits: Vec<u8> = lower.trim_start_matches("sha256:").bytes().filter(|b| *b != b':').collect();
        let nibble = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return Err(wrong());
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = nibble(pair[0]).zip(nibble(pair[1])).ok_or_else(wrong)?;
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

/// A server as a client is told about it.
#[derive(Debug, Clone)]
pub struct Login {
    pub(super) url: Url,
    pub(super) token: Option<Token>,
    pub(super) pin: Option<Fingerprint>,
}

impl Login {
    /// A server at an address that people type: `https://aedile.example.com`, `http://127.0.0.1:8420`.
    ///
    /// # Errors
    /// It is no such address, it holds credentials, or what is sent there could be read on the way.
    pub fn at(typed: &str) -> Result<Self, ClientError> {
        let wrong = |why: &str| ClientError::Address { typed: typed.to_owned(), why: why.to_owned() };
        let mut url = Url::parse(typed).map_err(|error| wrong(&error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            // what was typed may be a secret, and is not repeated
            let why = "an address has no user and no password: `aedile login` asks for the token".to_owned();
            return Err(ClientError::Address { typed: "what was given".to_owned(), why });
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("an address ends with its path"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err(ClientError::Unencrypted { url: typed.to_owned() }),
            _ => return Err(wrong("it does not begin with https:// or http://")),
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self { url, token: None, pin: None })
    }

    /// The same with a token.
    #[must_use]
    pub fn with_token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// The same server, believed if it has the certificate with this fingerprint, and else not.
    #[must_use]
    pub fn with_pin(mut self, pin: Fingerprint) -> Self {
        self.pin = Some(pin);
        self
    }

    /// The address in its one form, without a slash at the end: what servers are known by.
    pub fn url(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// Whether the address is this machine's own.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_form_and_plain_http_is_for_this_machine() {
        for (typed, url) in [
            ("https://Example.com", Ok("https://example.com")),
            ("https://example.com:443/", Ok("https://example.com")),
            ("https://example.com/aedile/", Ok("https://example.com/aedile")),
            ("http://127.0.0.1:8420", Ok("http://127.0.0.1:8420")),
            ("http://[::1]:8420/", Ok("http://[::1]:8420")),
            ("http://localhost:8420", Ok("http://localhost:8420")),
            ("http://example.com", Err("E1227")),
            ("http://127.0.0.1.example.com", Err("E1227")),
            ("ftp://example.com", Err("E1240")),
            ("example.com", Err("E1240")),
            ("https://maria:secret@example.com", Err("E1240")),
            ("https://example.com/?token=secret", Err("E1240")),
        ] {
            let login = Login::at(typed);
            let found = login.as_ref().map(Login::url).map_err(|error| model::Coded::code(error).id);
            assert_eq!(found, url, "{typed}");
        }
    }

    #[test]
    fn neither_tokens_nor_passwords_are_repeated() {
        let token = Token::new(Zeroizing::new("aedile_secret".to_owned())).unwrap();
        let login = Login::at("https://example.com").unwrap().with_token(token.clone());
        assert!(!format!("{login:?} {:?}", token.header()).contains("secret"));
        let error = Login::at("https://maria:secret@example.com").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        for bad in ["", "two words", "line\nend", &"x".repeat(513)] {
            let error = Token::new(Zeroizing::new(bad.to_owned())).unwrap_err();
            assert!(bad.is_empty() || !format!("{error} {error:?}").contains(bad));
        }
    }

    #[test]
    fn fingerprints_are_read_as_people_write_them() {
        let shown = Fingerprint([0xa1; 32]).to_string();
        assert_eq!(shown.len(), 95);
        for text in [shown.clone(), shown.replace(':', ""), format!("sha256:{}", shown.to_lowercase())] {
            assert_eq!(text.parse::<Fingerprint>().unwrap(), Fingerprint([0xa1; 32]), "{text}");
        }
        for text in ["", "a1", &shown[1..], &shown.replace('A', "G")] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }
}
