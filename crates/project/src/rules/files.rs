//! The files that rules are read from: whether they are others than before, and whether somebody touched them.

use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::inotify;
use tokio::io::unix::AsyncFd;

use crate::layout::{ACCESS, MANIFEST, POLICY_TEXTS, Texts, WORKFLOW_TEXTS, WORKFLOWS};

/// What the rules are made of, besides two files of their own.
const TEXTS: [Texts; 2] = [POLICY_TEXTS, WORKFLOW_TEXTS];

/// Bytes of what the kernel tells that are read at once; the longest name fits.
const TOLD_BYTES: usize = 4 << 10;

/// One file as the file system knows it: inode, size, and when its content and itself were changed last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What tells the files of one moment from those of another. Two that are equal are of the same texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Print(Vec<(PathBuf, Option<Stamp>)>);

impl Print {
    /// Looks at the files of the project in `root`. Reads none.
    pub(super) fn of(root: &Path) -> Self {
        let mut files = vec![PathBuf::from(MANIFEST), PathBuf::from(ACCESS)];
        for texts in TEXTS {
            // what cannot be listed is found out when the rules are read; that it cannot is told from an empty directory
            files.extend(texts.listed(root).unwrap_or_else(|_| vec![PathBuf::from(texts.directory)]));
        }
        let stamped = |file: PathBuf| {
            // what is there and cannot be looked at is found out when it is read
            let stamp = fs_err::metadata(root.join(&file)).ok().map(|found| Stamp {
                inode: found.ino(),
                size: found.size(),
                modified: (found.mtime(), found.mtime_nsec()),
                changed: (found.ctime(), found.ctime_nsec()),
            });
            (file, stamp)
        };
        Self(files.into_iter().map(stamped).collect())
    }

    /// The first file of the rules that is empty and was not before: most likely somebody is about to write it.
    pub(super) fn emptied(&self, before: &Self) -> Option<&Path> {
        let size = |print: &Self, wanted: &Path| {
            let found = print.0.iter().find(|(file, _)| file == wanted);
            found.and_then(|(_, stamp)| stamp.as_ref()).map(|stamp| stamp.size)
        };
        let files = self.0.iter().map(|(file, _)| file.as_path());
        files
            .filter(|file| !file.starts_with(WORKFLOWS))
            .find(|file| size(self, file) == Some(0) && size(before, file).is_some_and(|size| size > 0))
    }
}

/// What the kernel tells of the directories that the files are in.
pub(super) struct Told(AsyncFd<OwnedFd>);

impl Told {
    /// `None`: the kernel cannot be asked. Must be called within a tokio runtime.
    pub(super) fn of(root: &Path) -> Option<Self> {
        let told = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).ok()?;
        #[expect(
            deprecated,
            reason = "what takes its place is unsafe code; an `OwnedFd` is the same descriptor as long as it lives"
        )]
        let told = Self(AsyncFd::new(told).ok()?);
        told.watch(root).then_some(told)
    }

    /// Watches what there is to watch; what is watched already stays so. Answers whether the project's directory is watched.
    pub(super) fn watch(&self, root: &Path) -> bool {
        use inotify::WatchFlags as On;
        let on = On::ATTRIB | On::CLOSE_WRITE | On::CREATE | On::DELETE | On::MODIFY | On::MOVE;
        for Texts { directory, .. } in TEXTS {
            // one that is not there is told of when it is made
            let _ = inotify::add_watch(self.0.get_ref(), root.join(directory), on);
        }
        inotify::add_watch(self.0.get_ref(), root, on).is_ok()
    }

    /// Whether something was told since the last time that may be about the rules.
    pub(super) fn anything(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); TOLD_BYTES];
        let mut events = inotify::Reader::new(self.0.get_ref(), &mut buffer);
        let mut any = false;
        while let Ok(event) = events.next() {
            // without a name it is about a directory itself, or more was told than is kept
            any |= event.file_name().is_none_or(|name| {
                let name = OsStr::from_bytes(name.to_bytes());
                let is_text =
                    TEXTS.iter().any(|texts| name == texts.directory || texts.knows(Path::new(name)));
                is_text || name == MANIFEST || name == ACCESS
            });
        }
        any
    }

    /// Waits until something is told.
    pub(super) async fn ready(&self) {
        match self.0.readable().await {
            Ok(mut ready) => ready.clear_ready(),
            // the runtime ends
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::POLICY;

    #[test]
    fn files_that_were_changed_in_any_way_are_others() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs_err::create_dir(root.join(POLICY)).unwrap();
        fs_err::write(root.join(ACCESS), "roles: {}").unwrap();
        let mut before = Print::of(root);
        assert_eq!(before, Print::of(root));
        let mut differs = |what: &str| {
            let now = Print::of(root);
            assert_ne!(now, before, "{what}");
            before = now;
        };
        fs_err::write(root.join("policy/a.rego"), "package a").unwrap();
        differs("a new file");
        fs_err::rename(root.join("policy/a.rego"), root.join("policy/b.rego")).unwrap();
        differs("another name");
        fs_err::write(root.join("access.new"), "roles: {}").unwrap();
        fs_err::rename(root.join("access.new"), root.join(ACCESS)).unwrap();
        differs("the same text in another file");
        fs_err::remove_file(root.join(ACCESS)).unwrap();
        differs("no file");
        fs_err::write(root.join("policy/notes.txt"), "for people").unwrap();
        assert_eq!(before, Print::of(root), "no rules are in it");
    }

    #[test]
    fn a_file_that_lost_its_text_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs_err::write(root.join(MANIFEST), "").unwrap();
        fs_err::write(root.join(ACCESS), "roles: {}").unwrap();
        let before = Print::of(root);
        fs_err::write(root.join(ACCESS), "").unwrap();
        let now = Print::of(root);
        assert_eq!(now.emptied(&before), Some(Path::new(ACCESS)));
        assert_eq!(now.emptied(&now), None, "it was empty before");
    }

    #[tokio::test]
    async fn the_kernel_tells_of_rules_and_of_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let told = Told::of(root).unwrap();
        fs_err::write(root.join("notes.txt"), "for people").unwrap();
        assert!(!told.anything());
        fs_err::write(root.join(ACCESS), "roles: {}").unwrap();
        told.ready().await;
        assert!(told.anything() && !told.anything());
        fs_err::create_dir(root.join(POLICY)).unwrap();
        assert!(told.anything() && told.watch(root));
        fs_err::write(root.join("policy/policy.yaml"), "deny: []").unwrap();
        assert!(told.anything());
        fs_err::remove_file(root.join("policy/policy.yaml")).unwrap();
        assert!(told.anything());
        assert!(Told::of(Path::new("/nowhere")).is_none());
    }
}
