//! Digest access authentication (RFC 7616): the answer to a challenge.

use std::fmt::Write as _;

use http_auth::{ChallengeRef, parse_challenges};
use md5::Md5;
use reqwest::header::{HeaderValue, WWW_AUTHENTICATE};
use sha2::{Digest as _, Sha256, Sha512_256};

use super::{Credentials, sensitive};
use crate::CallError;
use crate::client::{Request, Response};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Algorithm {
    Md5,
    Sha256,
    Sha512_256,
}

impl Algorithm {
    fn hex(self, text: &[u8]) -> String {
        match self {
            Self::Md5 => hex::encode(Md5::digest(text)),
            Self::Sha256 => hex::encode(Sha256::digest(text)),
            Self::Sha512_256 => hex::encode(Sha512_256::digest(text)),
        }
    }
}

/// What the service wants, as far as it is understood.
struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// As the service wrote it, to be given back.
    algorithm_name: Option<String>,
    session: bool,
    /// `auth` or `auth-int`; `None` is the form of RFC 2069.
    qop: Option<&'static str>,
    userhash: bool,
}

impl Challenge {
    fn read(challenge: &ChallengeRef<'_>) -> Option<Self> {
        if !challenge.scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let param = |name: &str| {
            let (_, value) = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
            Some(value.to_unescaped())
        };
        let algorithm_name = param("algorithm");
        let upper = algorithm_name.as_deref().unwrap_or("MD5").to_ascii_uppercase();
        let (base, session) =
            upper.strip_suffix("-SESS").map_or((upper.as_str(), false), |base| (base, true));
        let algorithm = match base {
            "MD5" => Algorithm::Md5,
            "SHA-256" => Algorithm::Sha256,
            "SHA-512-256" => Algorithm::Sha512_256,
            _ => return None,
        };
        let qop = match param("qop") {
            None => None,
            Some(offered) => {
                let offers =
                    |wanted: &str| offered.split(',').any(|one| one.trim().eq_ignore_ascii_case(wanted));
                Some(if offers("auth") {
                    "auth"
                } else if offers("auth-int") {
                    "auth-int"
                } else {
                    return None;
                })
            }
        };
        Some(Self {
            realm: param("realm")?,
            nonce: param("nonce")?,
            opaque: param("opaque"),
            algorithm,
            algorithm_name,
            session,
            qop,
            userhash: param("userhash").is_some_and(|value| value.eq_ignore_ascii_case("true")),
        })
    }

    /// The `Authorization` header for a first request with this nonce.
    fn answer(&self, login: &Credentials, method: &str, uri: &str, body: &[u8], cnonce: &str) -> String {
        const COUNT: &str = "00000001";
        let hash = |text: String| self.algorithm.hex(text.as_bytes());
        let mut secret = hash(format!("{}:{}:{}", *login.username, self.realm, *login.password));
        if self.session {
            secret = hash(format!("{secret}:{}:{cnonce}", self.nonce));
        }
        let subject = match self.qop {
            Some("auth-int") => hash(format!("{method}:{uri}:{}", self.algorithm.hex(body))),
            _ => hash(format!("{method}:{uri}")),
        };
        let response = match self.qop {
            Some(qop) => hash(format!("{secret}:{}:{COUNT}:{cnonce}:{qop}:{subject}", self.nonce)),
            None => hash(format!("{secret}:{}:{subject}", self.nonce)),
        };
        let mut header = format!("Digest {}", self.user(login));
        let mut add = |name: &str, value: &str| {
            // writing to a String cannot fail
            let _ = write!(header, ", {name}={value}");
        };
        add("realm", &quote(&self.realm));
        add("nonce", &quote(&self.nonce));
        add("uri", &quote(uri));
        add("response", &quote(&response));
        if let Some(name) = &self.algorithm_name {
            add("algorithm", name);
        }
        if let Some(opaque) = &self.opaque {
            add("opaque", &quote(opaque));
        }
        if let Some(qop) = self.qop {
            add("qop", qop);
            add("nc", COUNT);
        }
        if self.qop.is_some() || self.session {
            add("cnonce", &quote(cnonce));
        }
        if self.userhash {
            add("userhash", "true");
        }
        header
    }

    fn user(&self, login: &Credentials) -> String {
        let name = login.username.as_str();
        if self.userhash {
            let hashed = self.algorithm.hex(format!("{name}:{}", self.realm).as_bytes());
            format!("username={}", quote(&hashed))
        } else if name.is_ascii() {
            format!("username={}", quote(name))
        } else {
            let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
            format!("username*=UTF-8''{encoded}")
        }
    }
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The header that answers the strongest challenge in `response`.
pub(crate) fn answer(
    login: &Credentials,
    response: &Response,
    request: &Request,
) -> Result<HeaderValue, CallError> {
    let refuse = |why: &str| CallError::Unauthenticated { why: why.to_owned(), transient: false };
    let offers: Vec<&str> =
        response.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).collect();
    let challenge = offers
        .iter()
        .filter_map(|offer| parse_challenges(offer).ok())
        .flatten()
        .filter_map(|challenge| Challenge::read(&challenge))
        .max_by_key(|challenge| challenge.algorithm)
        .ok_or_else(|| refuse("the service offers no digest authentication that is known here"))?;
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|error| refuse(&format!("there is no randomness: {error}")))?;
    let uri = match request.url.query() {
        Some(query) => format!("{}?{query}", request.url.path()),
        None => request.url.path().to_owned(),
    };
    let body = request.body.as_deref().unwrap_or_default();
    sensitive(&challenge.answer(login, request.method.as_str(), &uri, body, &hex::encode(random)))
}

/// Whether an answer was refused only because its nonce is too old.
pub(crate) fn is_stale(response: &Response) -> bool {
    let offers = response.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    offers.filter_map(|offer| parse_challenges(offer).ok()).flatten().any(|challenge| {
        challenge.scheme.eq_ignore_ascii_case("digest")
            && challenge.params.iter().any(|(name, value)| {
                name.eq_ignore_ascii_case("stale") && value.to_unescaped().eq_ignore_ascii_case("true")
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn answer_to(challenge: &str, username: &str, password: &str, uri: &str, cnonce: &str) -> String {
        let parsed = parse_challenges(challenge).unwrap();
        let login = Credentials {
            username: Zeroizing::new(username.to_owned()),
            password: Zeroizing::new(password.to_owned()),
        };
        Challenge::read(&parsed[0]).unwrap().answer(&login, "GET", uri, b"", cnonce)
    }

    /// RFC 7616, section 3.9.1, and 3.9.2 as corrected by erratum 4897.
    #[test]
    fn the_rfcs_examples_are_answered_as_written_there() {
        let challenge = |algorithm: &str| {
            format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                 opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            )
        };
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let header =
                answer_to(&challenge(algorithm), "Mufasa", "Circle of Life", "/dir/index.html", cnonce);
            assert!(header.contains(&format!("response=\"{response}\"")), "{header}");
            assert!(header.contains("qop=auth, nc=00000001"), "{header}");
            assert!(header.contains("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""), "{header}");
        }
        let header = answer_to(
            "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
             nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", charset=UTF-8, userhash=true",
            "J\u{e4}s\u{f8}n Doe",
            "Secret, or not?",
            "/doe.json",
            "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
        );
        assert!(
            header.contains("3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"),
            "{header}"
        );
        assert!(
            header.contains("793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"),
            "{header}"
        );
    }

    #[test]
    fn the_form_of_rfc_2069_has_no_count() {
        let header = answer_to("Digest realm=\"r\", nonce=\"n\"", "a\"b", "p", "/", "c");
        assert!(header.starts_with("Digest username=\"a\\\"b\""), "{header}");
        assert!(!header.contains("nc=") && !header.contains("cnonce="), "{header}");
    }

    #[test]
    fn unknown_algorithms_and_schemes_are_no_challenge() {
        for text in
            ["Digest realm=\"r\", nonce=\"n\", algorithm=SHA-1", "Basic realm=\"r\"", "Digest realm=\"r\""]
        {
            assert!(Challenge::read(&parse_challenges(text).unwrap()[0]).is_none(), "{text}");
        }
    }
}
