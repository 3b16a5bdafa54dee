//! The server's settings: `server.yaml` in the server's directory, or a file that is named.
//!
//! ```yaml
//! listen: 0.0.0.0:8420
//! publicUrl: https://aedile.example.org
//! tls: {certificate: /etc/aedile/tls.pem, key: /etc/aedile/tls.key}
//! oidc:
//!   issuer: https://id.example.org
//!   clientId: aedile
//!   clientSecret: {env: AEDILE_OIDC_SECRET}
//! ```
//!
//! It is read like a project's files: what is wrong is named with file, line and column. No secret is ever in it, only where one is
//! to be found.

mod file;

use std::net::SocketAddr;
use std::path::Path;

use project::ProjectError;
use url::Url;

use crate::identity::oidc;
use crate::{ServerError, Tls, limits};

/// Name of the file in the server's directory.
pub const FILE: &str = "server.yaml";

/// Largest file of settings, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The server's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens.
    pub listen: Option<SocketAddr>,
    /// How it encrypts.
    pub tls: Option<Tls>,
    /// Whether something in front of it encrypts.
    pub behind_proxy: bool,
    /// Where browsers reach it.
    pub public_url: Option<Url>,
    /// Most requests of one caller within a second.
    pub requests_per_second: u32,
    /// Whether it keeps the schedules of workflows.
    pub schedules: bool,
    /// The provider of identities.
    pub oidc: Option<oidc::Settings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: None,
            tls: None,
            behind_proxy: false,
            public_url: None,
            requests_per_second: limits::REQUESTS_PER_SECOND,
            schedules: false,
            oidc: None,
        }
    }
}

/// JSON Schema of the file (draft 2020-12), made from the types that read it: `schemas/server.schema.json`.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(file::File).into()
}

impl Settings {
    /// Reads them from a file.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong (`E1201`).
    pub fn read(path: &Path) -> Result<Self, ServerError> {
        let shown = path.display().to_string();
        let text = project::text::read(path, &shown, FILE_BYTES_MAX)?;
        Self::parse(&text, &shown, path.parent().unwrap_or_else(|| Path::new(".")))
    }

    /// Those of a server's directory; the usual ones where it has no file of them.
    ///
    /// # Errors
    /// The file cannot be read, or something in it is wrong (`E1201`).
    pub fn in_directory(directory: &Path) -> Result<Self, ServerError> {
        let path = directory.join(FILE);
        // a file that cannot be looked at must not be taken for one that is not there
        match path.try_exists() {
            Ok(false) => Ok(Self::default()),
            _ => Self::read(&path),
        }
    }

    /// Reads the text of a file. `shown` names it in findings; paths in it are relative to `directory`.
    ///
    /// # Errors
    /// Something in it is wrong (`E1201`).
    ///
    /// ```
    /// use server::config::Settings;
    /// let read = |text: &str| Settings::parse(text, "server.yaml", std::path::Path::new("/srv"));
    /// assert_eq!(read("listen: 127.0.0.1:1")?.listen, Some("127.0.0.1:1".parse().unwrap()));
    /// let error = read("tls: self\nbehindProxy: true").unwrap_err();
    /// let finding = &model::Coded::findings(&error)[0];
    /// assert_eq!((finding.location.line, finding.location.column), (2, 14));
    /// # Ok::<(), server::ServerError>(())
    /// ```
    pub fn parse(text: &str, shown: &str, directory: &Path) -> Result<Self, ServerError> {
        file::parse(text, shown, directory).map_err(|findings| ProjectError::Bad { findings }.into())
    }

    /// Says where browsers reach the server.
    ///
    /// # Errors
    /// It is no address of one, or one over which others could read what is sent.
    pub fn set_public_url(&mut self, url: &str) -> Result<(), ServerError> {
        let read = file::public_url(url).map_err(|why| ServerError::BadUrl { url: url.to_owned(), why })?;
        self.public_url = Some(read);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use model::Coded as _;

    use super::*;

    fn parse(text: &str) -> Result<Settings, ServerError> {
        Settings::parse(text, "server.yaml", Path::new("/srv"))
    }

    #[test]
    fn everything_that_can_be_said_is_read() {
        let settings = parse(
            "
listen: 0.0.0.0:8420
publicUrl: https://aedile.example.org
tls: {certificate: tls.pem, key: /etc/tls.key}
schedules: true
limits: {requestsPerSecond: 7}
oidc:
  issuer: https://id.example.org/realms/one
  clientId: aedile
  clientSecret: {file: secret}
  groupsClaim: roles
  userClaim: email
  scopes: [profile, groups]
",
        )
        .unwrap();
        assert_eq!(settings.listen.unwrap().port(), 8420);
        assert_eq!(settings.public_url.unwrap().as_str(), "https://aedile.example.org/");
        let files =
            Tls::Files { certificate: PathBuf::from("/srv/tls.pem"), key: PathBuf::from("/etc/tls.key") };
        assert_eq!(settings.tls, Some(files));
        assert!(settings.schedules && !settings.behind_proxy);
        assert_eq!(settings.requests_per_second, 7);
        let oidc = settings.oidc.unwrap();
        assert_eq!(oidc.issuer, "https://id.example.org/realms/one");
        assert_eq!(oidc.secret, Some(oidc::SecretFrom::File(PathBuf::from("/srv/secret"))));
        assert_eq!((oidc.groups_claim.as_str(), oidc.user_claim.as_str()), ("roles", "email"));
        assert_eq!(parse("tls: self").unwrap().tls, Some(Tls::SelfMade { names: vec![] }));
        let named = parse("tls: {self: [a.example]}").unwrap().tls;
        assert_eq!(named, Some(Tls::SelfMade { names: vec!["a.example".to_owned()] }));
        assert!(parse("").unwrap().oidc.is_none());
    }

    #[test]
    fn the_schema_that_is_checked_in_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/server.schema.json");
        let text = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            fs_err::write(&path, &text).unwrap();
        }
        let found = fs_err::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "it is not: UPDATE_SCHEMAS=1 cargo nextest run -p server checked_in");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let oidc = |rest: &str| {
            format!(
                "publicUrl: https://a.example\noidc:\n  issuer: https://id.example\n  clientId: a\n{rest}"
            )
        };
        for (text, wanted) in [
            ("listen: here".to_owned(), "server.yaml:1:9"),
            ("port: 80".to_owned(), "unknown field `port`"),
            ("publicUrl: ftp://a.example".to_owned(), "server.yaml:1:12"),
            ("publicUrl: http://a.example".to_owned(), "server.yaml:1:12"),
            ("publicUrl: https://a.example/below".to_owned(), "without a path"),
            ("publicUrl: https://me:secret@a.example".to_owned(), "without a name or password"),
            ("tls: yes please".to_owned(), "server.yaml:1:6"),
            ("tls: {certificate: a}".to_owned(), "`key`"),
            ("tls: {certificate: a, key: b, self: [c]}".to_owned(), "server.yaml:1:6"),
            ("tls: self\nbehindProxy: true".to_owned(), "server.yaml:2:14"),
            ("limits: {requestsPerSecond: 0}".to_owned(), "server.yaml:1:29"),
            ("oidc: {issuer: 'https://id.example', clientId: a}".to_owned(), "publicUrl"),
            (oidc("  clientSecret: hunter2"), "server.yaml:5:17"),
            (oidc("  clientSecret: {env: A, file: b}"), "server.yaml:5:17"),
            (oidc("  clientSecret: {}"), "server.yaml:5:17"),
            (oidc("  userClaim: ''"), "server.yaml:5:14"),
            (
                "publicUrl: https://a.example\noidc: {issuer: 'http://id.example', clientId: a}".to_owned(),
                "server.yaml:2:16",
            ),
        ] {
            let error = parse(&text).unwrap_err();
            let shown: Vec<String> =
                error.findings().iter().map(|one| format!("{}: {}", one.location, one.message)).collect();
            let shown = format!("{error} {}", shown.join(" "));
            assert_eq!(error.code().id, "E1201", "{text}: {shown}");
            assert!(shown.contains(wanted), "{text}: {shown}");
            assert!(!shown.contains("hunter2") && !shown.contains("me:secret"), "{shown}");
        }
    }

    #[test]
    fn a_directory_without_a_file_has_the_usual_settings_and_one_that_cannot_be_read_has_none() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Settings::in_directory(directory.path()).unwrap().listen.is_none());
        fs_err::write(directory.path().join(FILE), "listen: 127.0.0.1:9").unwrap();
        assert!(Settings::in_directory(directory.path()).unwrap().listen.is_some());
        fs_err::remove_file(directory.path().join(FILE)).unwrap();
        fs_err::create_dir(directory.path().join(FILE)).unwrap();
        assert!(Settings::in_directory(directory.path()).is_err());
        assert!(Settings::read(&directory.path().join("none.yaml")).is_err());
    }
}
