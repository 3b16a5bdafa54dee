//! The servers that the user is logged in to: one file that only they read.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use api::client::{Fingerprint, Login, Token};
use model::code;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::World;
use crate::report::Report;

/// Name of the file.
const FILE: &str = "servers.json";
/// Largest file.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Servers that are remembered.
const SERVERS_MAX: usize = 1_000;
/// Its owner reads and writes it, nobody else does either.
const MODE: u32 = 0o600;

/// What is remembered of a server.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    token: Zeroizing<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    fingerprint: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    servers: BTreeMap<String, Entry>,
}

/// The servers that the user is logged in to.
pub(crate) struct Logins {
    path: PathBuf,
    content: Content,
}

impl Logins {
    /// Reads the file; there need not be one.
    pub(crate) fn open(world: &World) -> Result<Self, Report> {
        let directory = world.settings.as_ref().ok_or_else(|| {
            Report::new(code::server::BAD_LOGINS, "there is no place for logins")
                .caused_by("neither XDG_CONFIG_HOME nor HOME is set")
        })?;
        let path = directory.join(FILE);
        let content = match fs_err::File::open(&path) {
            Ok(file) => read(&path, file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Content::default(),
            Err(error) => return Err(bad(&path, error.to_string())),
        };
        Ok(Self { path, content })
    }

    /// How to log in to a server.
    pub(crate) fn login(&self, url: &str) -> Result<Login, Report> {
        let login = Login::at(url)?;
        let Some(entry) = self.content.servers.get(login.url()) else {
            let what = format!("you are not logged in to {}", login.url());
            let hint = format!("aedile login {}", login.url());
            return Err(Report::new(code::server::NOT_SIGNED_IN, what).with_hint(hint));
        };
        let pinned = match &entry.fingerprint {
            Some(text) => login.with_pin(text.parse::<Fingerprint>()?),
            None => login,
        };
        Ok(pinned.with_token(Token::new(entry.token.clone())?))
    }

    /// The servers, by address.
    pub(crate) fn urls(&self) -> Vec<&str> {
        self.content.servers.keys().map(String::as_str).collect()
    }

    /// Remembers a server, in place of what was remembered of it before.
    pub(crate) fn add(&mut self, url: &str, token: &Token, pin: Option<Fingerprint>) -> Result<(), Report> {
        if self.content.servers.len() >= SERVERS_MAX {
            return Err(Report::new(
                code::general::TOO_LARGE,
                format!("{SERVERS_MAX} logins are kept at most"),
            )
            .with_hint("aedile logout URL"));
        }
        let token = Zeroizing::new(token.expose().to_owned());
        let entry = Entry { token, fingerprint: pin.map(|pin| pin.to_string()) };
        self.content.servers.insert(url.to_owned(), entry);
        self.write()
    }

    /// Forgets a server. Whether there was anything to forget.
    pub(crate) fn remove(&mut self, url: &str) -> Result<bool, Report> {
        if self.content.servers.remove(url).is_none() {
            return Ok(false);
        }
        self.write()?;
        Ok(true)
    }

    /// Writes the file whole or not at all, and for its owner only from the first byte on.
    fn write(&self) -> Result<(), Report> {
        let unwritable = |error: io::Error| {
            Report::new(code::general::UNWRITABLE, format!("{} cannot be written", self.path.display()))
                .caused_by(error.to_string())
        };
        let text = serde_json::to_vec_pretty(&self.content).map(Zeroizing::new);
        let text = text.map_err(|error| unwritable(error.into()))?;
        let directory = self.path.parent().unwrap_or_else(|| Path::new("."));
        fs_err::create_dir_all(directory).map_err(unwritable)?;
        let mut file = tempfile::Builder::new()
            .prefix(".servers")
            .permissions(std::fs::Permissions::from_mode(MODE))
            .tempfile_in(directory)
            .map_err(unwritable)?;
        file.write_all(&text).map_err(unwritable)?;
        file.as_file().sync_all().map_err(unwritable)?;
        file.persist(&self.path).map_err(|error| unwritable(error.error))?;
        Ok(())
    }
}

fn read(path: &Path, file: fs_err::File) -> Result<Content, Report> {
    let metadata = file.metadata().map_err(|error| bad(path, error.to_string()))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let why = format!("others could read the tokens in it: its mode is {mode:04o}");
        return Err(bad(path, why).with_hint(format!("chmod 600 {}", path.display())));
    }
    let shown = path.display().to_string();
    let text = Zeroizing::new(project::text::read_from(file, &shown, FILE_BYTES_MAX)?);
    serde_json::from_str(&text).map_err(|error| {
        // where, and not what: the text around it may be a token
        let why = format!("line {}, column {} is not as it should be", error.line(), error.column());
        bad(path, why).with_hint(format!("delete {} and log in again", path.display()))
    })
}

fn bad(path: &Path, why: String) -> Report {
    let what = format!("{} cannot be used", path.display());
    Report::new(code::server::BAD_LOGINS, what).caused_by(why)
}
