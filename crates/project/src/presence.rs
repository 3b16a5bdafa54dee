//! Which engines live: each holds an advisory lock on a file of its own for as long as its process lives.
//!
//! The kernel gives the lock up when the process ends, however it ends, so a dead engine can never look alive. A file that
//! cannot be examined is taken for a living engine: adopting a run twice is worse than adopting it late.

use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::ProjectError;
use crate::layout::create_private;

/// How often the lock is tried.
const LOCK_ATTEMPTS: u32 = 20;
/// How long to wait in between.
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(2);

/// The lock of this process's engine. Dropping it says that the engine is gone.
#[derive(Debug)]
pub struct Alive {
    path: PathBuf,
    _lock: fs_err::File,
}

/// The engines of one environment.
#[derive(Debug, Clone)]
pub struct Engines {
    directory: PathBuf,
}

impl Engines {
    /// Engines whose lock files are in `directory`.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Says that the engine `id` lives, until the answer is dropped or the process ends.
    pub fn enter(&self, id: &str) -> Result<Alive, ProjectError> {
        create_private(&self.directory)?;
        let path = lock_path(&self.directory, id);
        let unwritable = |source| ProjectError::Unwritable { what: path.display().to_string(), source };
        let file = fs_err::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(unwritable)?;
        for attempt in 1.. {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                // somebody may be looking right now whether the engine lives, which takes the lock for a moment
                Err(rustix::io::Errno::WOULDBLOCK) if attempt < LOCK_ATTEMPTS => {
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(errno) => return Err(unwritable(errno.into())),
            }
        }
        Ok(Alive { path, _lock: file })
    }

    /// Whether the engine `id` lives.
    pub fn is_alive(&self, id: &str) -> bool {
        match fs_err::File::open(lock_path(&self.directory, id)) {
            Ok(file) => flock(&file, FlockOperation::NonBlockingLockShared).is_err(),
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    }

    /// Ids of the engines that live, sorted.
    pub fn living(&self) -> Vec<String> {
        let Ok(entries) = fs_err::read_dir(&self.directory) else { return Vec::new() };
        let mut ids: Vec<String> = entries
            .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".lock")?.to_owned()))
            .filter(|id| self.is_alive(id))
            .collect();
        ids.sort();
        ids
    }
}

fn lock_path(directory: &Path, id: &str) -> PathBuf {
    directory.join(format!("{id}.lock"))
}

impl Drop for Alive {
    fn drop(&mut self) {
        // the lock goes with the file handle; a file left behind is only clutter
        drop(fs_err::remove_file(&self.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_lives_exactly_as_long_as_its_lock() {
        let directory = tempfile::tempdir().unwrap();
        let engines = Engines::new(directory.path().join("engines"));
        assert!(!engines.is_alive("a"));
        let alive = engines.enter("a").unwrap();
        assert!(engines.is_alive("a"));
        assert_eq!(engines.living(), ["a"]);
        assert!(engines.enter("a").is_err(), "an id is one engine's");
        drop(alive);
        assert!(!engines.is_alive("a"));
    }

    #[test]
    fn a_lock_file_whose_process_died_is_no_engine() {
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("b.lock"), "").unwrap();
        let engines = Engines::new(directory.path().to_owned());
        assert!(!engines.is_alive("b"));
        assert!(engines.living().is_empty());
    }
}
