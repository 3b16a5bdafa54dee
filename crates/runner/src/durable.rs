//! Names that last: a directory is synced once for all who wait for it, and not once for each name that was given in it.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use rustix::fs::{fstat, fsync};
use rustix::io::Errno;

use crate::control::lock;
use crate::path::Place;
use crate::protocol::Fault;

/// One sync, and what came of it.
type Turn = Arc<OnceLock<Result<(), Errno>>>;

/// A directory that is being synced, or is about to be.
#[derive(Default)]
struct Directory {
    busy: bool,
    /// The sync that begins after this moment.
    next: Turn,
}

/// By device and inode. Nobody waits for what is not in here.
static DIRECTORIES: Mutex<BTreeMap<(u64, u64), Directory>> = Mutex::new(BTreeMap::new());
static ENDED: Condvar = Condvar::new();

/// Returns when the names given in the place's directory before the call survive a power cut.
pub(crate) fn names(place: &Place) -> Result<(), Fault> {
    let fault = |errno| Fault::os(place.path.display(), errno);
    let stat = fstat(&place.dir).map_err(fault)?;
    let key = (stat.st_dev, stat.st_ino);
    let mut directories = lock(&DIRECTORIES);
    let turn = Arc::clone(&directories.entry(key).or_default().next);
    while turn.get().is_none() && directories.entry(key).or_default().busy {
        directories = ENDED.wait(directories).unwrap_or_else(PoisonError::into_inner);
    }
    if let Some(result) = turn.get() {
        return result.map_err(fault);
    }
    // nobody syncs, and the turn has not been: it is the next one, and everybody who waits for it waits for this thread
    directories.insert(key, Directory { busy: true, next: Turn::default() });
    drop(directories);
    let result = place.open_dir().and_then(fsync);
    let mut directories = lock(&DIRECTORIES);
    // it is this thread's turn alone
    let _first = turn.set(result);
    if let Some(directory) = directories.get_mut(&key) {
        directory.busy = false;
        if Arc::strong_count(&directory.next) == 1 {
            directories.remove(&key);
        }
    }
    drop(directories);
    ENDED.notify_all();
    result.map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::{Roots, Way, walk};

    #[test]
    fn everybody_who_waits_is_answered_and_nothing_is_kept() {
        let base = tempfile::tempdir().expect("a directory");
        let roots: Roots = ["/"].into_iter().collect();
        let file = base.path().canonicalize().expect("real").join("file");
        let file = file.to_str().expect("a test's own path");
        std::thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| {
                    let place =
                        walk(file, Way { roots: &roots, parents: false, follow: false }).expect("there");
                    for _ in 0..20 {
                        names(&place).expect("synced");
                    }
                });
            }
        });
        let stat = rustix::fs::stat(base.path()).expect("there");
        assert!(!lock(&DIRECTORIES).contains_key(&(stat.st_dev, stat.st_ino)));
    }
}
