//! Where a server listens, for others on the same machine: a file that is locked for as long as the server lives. The kernel
//! gives the lock up with the process, so a dead server can never look alive.

use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::ServerError;

/// Name of the file, in the server's directory.
const FILE: &str = "listening";
/// Longest address that is read.
const URL_BYTES_MAX: u64 = 1_024;

/// That this process serves from a directory.
#[derive(Debug)]
pub(crate) struct Presence(fs_err::File);

impl Presence {
    /// Takes the directory, and says where it is served.
    ///
    /// # Errors
    /// Another server has it.
    pub(crate) fn enter(state: &Path, url: &str) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Listen { address: state.join(FILE).display().to_string(), source };
        let mut options = fs_err::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(state.join(FILE));
        let mut file = file.map_err(failed)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(ServerError::AlreadyServed { url: written(&mut file).unwrap_or_default() });
        }
        file.set_len(0).map_err(failed)?;
        file.write_all(url.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        Ok(Self(file))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // the lock says whether anybody is there; an address without a server is for nobody
        drop(self.0.set_len(0));
    }
}

fn written(file: &mut fs_err::File) -> std::io::Result<String> {
    let mut url = String::new();
    file.rewind()?;
    std::io::Read::take(file, URL_BYTES_MAX).read_to_string(&mut url)?;
    Ok(url)
}

/// Where the server that serves from a directory is reached; `None`: none does.
pub fn served_at(state: &Path) -> Option<String> {
    let mut file = fs_err::OpenOptions::new().read(true).open(state.join(FILE)).ok()?;
    if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
        return None;
    }
    written(&mut file).ok().filter(|url| !url.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_has_a_directory_and_others_learn_where_it_listens() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(served_at(state.path()), None);
        let presence = Presence::enter(state.path(), "http://127.0.0.1:8420").unwrap();
        assert_eq!(served_at(state.path()).as_deref(), Some("http://127.0.0.1:8420"));
        let second = Presence::enter(state.path(), "http://127.0.0.1:9").unwrap_err();
        assert_eq!(second.to_string(), "the directory is served already, at http://127.0.0.1:8420");
        drop(presence);
        assert_eq!(served_at(state.path()), None);
        Presence::enter(state.path(), "http://127.0.0.1:9").unwrap();
    }
}
