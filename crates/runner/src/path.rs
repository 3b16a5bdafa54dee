//! From a path to an open directory and a name in it, without being led astray.
//!
//! The way is walked one directory at a time, each opened relative to the one before and never through a symbolic link
//! that the kernel follows by itself. A link on the way is followed only if root or the runner's own user owns it: another
//! user cannot lead a privileged runner elsewhere by planting one. Afterwards the real path must lie below a granted
//! directory. The last name is not followed at all, except for reading and when asked.
//!
//! Where the kernel can (`openat2`, Linux 5.6), it is asked first for the whole way without any link: most ways have none, and
//! are walked by one call.

use std::collections::{HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat, openat2, readlinkat, statat,
};
use rustix::io::Errno;

use crate::limits::{LINKS_MAX, PATH_MAX};
use crate::protocol::{Fault, FaultCode};

const STEP: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A name in an open directory.
pub(crate) struct Place {
    /// Opened with `O_PATH`.
    pub(crate) dir: OwnedFd,
    /// `.` for the root directory.
    pub(crate) name: OsString,
    /// The real path, for messages and grants.
    pub(crate) path: PathBuf,
}

/// Granted directories and files: what is asked costs by the depth of the path, not by how many are granted.
#[derive(Debug, Default)]
pub(crate) struct Roots(HashSet<PathBuf>);

impl<P: Into<PathBuf>> FromIterator<P> for Roots {
    fn from_iter<I: IntoIterator<Item = P>>(roots: I) -> Self {
        Self(roots.into_iter().map(Into::into).collect())
    }
}

impl Roots {
    /// Whether a real path is one of them or below one.
    fn hold(&self, path: &Path) -> bool {
        path.ancestors().any(|above| self.0.contains(above))
    }

    /// Whether a path is one of them, and below none of the others.
    pub(crate) fn is_outermost(&self, path: &Path) -> bool {
        self.0.contains(path) && !path.parent().is_some_and(|above| self.hold(above))
    }
}

/// How to walk.
#[derive(Clone, Copy)]
pub(crate) struct Way<'a> {
    /// Directories below which the place must be.
    pub(crate) roots: &'a Roots,
    /// Create missing directories.
    pub(crate) parents: bool,
    /// Follow the last name too.
    pub(crate) follow: bool,
}

impl Place {
    /// The directory opened for reading, so that it can be synced.
    pub(crate) fn open_dir(&self) -> rustix::io::Result<OwnedFd> {
        openat(&self.dir, c".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    }
}

/// Refuses what is not absolute and plain: `..` is refused, not resolved.
pub(crate) fn plain(path: &str) -> Result<VecDeque<OsString>, Fault> {
    let refuse = |why: &str| Err(Fault::new(FaultCode::Traversal, format!("{path:?} is refused: {why}")));
    if path.len() > PATH_MAX {
        return Err(Fault::new(FaultCode::TooLarge, format!("a path is longer than {PATH_MAX} bytes")));
    }
    let Some(rest) = path.strip_prefix('/') else {
        return refuse("it is not absolute");
    };
    if path.contains('\0') {
        return refuse("it contains a NUL byte");
    }
    let mut names = VecDeque::new();
    for name in rest.split('/') {
        match name {
            "" => {}
            "." | ".." => return refuse("it contains `.` or `..`"),
            name => names.push_back(OsString::from(name)),
        }
    }
    Ok(names)
}

struct Walk<'a> {
    way: Way<'a>,
    root: OwnedFd,
    stack: Vec<(OsString, OwnedFd)>,
    pending: VecDeque<OsString>,
    links: usize,
}

/// Walks to `path`.
pub(crate) fn walk(path: &str, way: Way<'_>) -> Result<Place, Fault> {
    let pending = plain(path)?;
    if let Some(place) = straight(&pending, way)? {
        return Ok(place);
    }
    let root = openat(CWD, c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Fault::os("/", errno))?;
    let mut walk = Walk { way, root, stack: Vec::new(), pending, links: 0 };
    loop {
        let Some(name) = walk.pending.pop_front() else {
            return walk.arrive(OsString::from("."));
        };
        if name == ".." {
            walk.stack.pop();
            continue;
        }
        if walk.pending.is_empty() && !walk.last_is_link_to_follow(&name)? {
            return walk.arrive(name);
        }
        walk.step(name)?;
    }
}

/// The place, if no symbolic link is on the way to it and every directory is there.
fn straight(names: &VecDeque<OsString>, way: Way<'_>) -> Result<Option<Place>, Fault> {
    let Some(name) = names.back() else { return Ok(None) };
    let mut above = PathBuf::from("/");
    above.extend(names.iter().take(names.len() - 1));
    let flags = STEP | OFlags::DIRECTORY;
    let dir = match openat2(CWD, &above, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        Ok(dir) => dir,
        // before any link: whoever makes no directories gets no further by walking
        Err(Errno::NOENT) if !way.parents => return Err(Fault::os(above.display(), Errno::NOENT)),
        // whatever else is in the way is found, and said, by walking
        Err(_) => return Ok(None),
    };
    let place = Place { dir, name: name.clone(), path: above.join(name) };
    if way.follow && is_link(&place.dir, name).map_err(|errno| Fault::os(place.path.display(), errno))? {
        return Ok(None);
    }
    granted(way.roots, &place.path)?;
    Ok(Some(place))
}

fn is_link(dir: &OwnedFd, name: &OsStr) -> rustix::io::Result<bool> {
    match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Symlink),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn granted(roots: &Roots, path: &Path) -> Result<(), Fault> {
    if roots.hold(path) {
        return Ok(());
    }
    let message = format!("{} is not below a directory granted for this", path.display());
    Err(Fault::new(FaultCode::NotGranted, message))
}

impl Walk<'_> {
    fn here(&self) -> &OwnedFd {
        self.stack.last().map_or(&self.root, |(_, dir)| dir)
    }

    fn path(&self) -> PathBuf {
        let mut path = PathBuf::from("/");
        path.extend(self.stack.iter().map(|(name, _)| name));
        path
    }

    fn last_is_link_to_follow(&self, name: &OsStr) -> Result<bool, Fault> {
        if !self.way.follow {
            return Ok(false);
        }
        is_link(self.here(), name).map_err(|errno| Fault::os(self.path().join(name).display(), errno))
    }

    fn step(&mut self, name: OsString) -> Result<(), Fault> {
        let path = self.path().join(&name);
        let opened = match openat(self.here(), &name, STEP, Mode::empty()) {
            Err(Errno::NOENT) if self.way.parents => {
                granted(self.way.roots, &path)?;
                // Somebody may have been faster; what is there is looked at below like anything else.
                match mkdirat(self.here(), &name, Mode::from_raw_mode(0o755)) {
                    Ok(()) | Err(Errno::EXIST) => openat(self.here(), &name, STEP, Mode::empty()),
                    Err(errno) => Err(errno),
                }
            }
            other => other,
        }
        .map_err(|errno| Fault::os(path.display(), errno))?;
        let stat = fstat(&opened).map_err(|errno| Fault::os(path.display(), errno))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                self.stack.push((name, opened));
                Ok(())
            }
            FileType::Symlink => self.follow(opened.as_fd(), stat.st_uid, &path),
            _ => Err(Fault::new(FaultCode::WrongKind, format!("{} is not a directory", path.display()))),
        }
    }

    fn follow(&mut self, link: rustix::fd::BorrowedFd<'_>, owner: u32, path: &Path) -> Result<(), Fault> {
        self.links += 1;
        if self.links > LINKS_MAX {
            let message = format!("more than {LINKS_MAX} symbolic links on the way to {}", path.display());
            return Err(Fault::new(FaultCode::Symlink, message));
        }
        if owner != 0 && owner != rustix::process::geteuid().as_raw() {
            let message =
                format!("{} is a symbolic link of user {owner}, who is not trusted with it", path.display());
            return Err(Fault::new(FaultCode::Symlink, message));
        }
        let target = readlinkat(link, c"", Vec::new()).map_err(|errno| Fault::os(path.display(), errno))?;
        let target = target.as_bytes();
        if target.starts_with(b"/") {
            self.stack.clear();
        }
        for name in target.split(|byte| *byte == b'/').rev() {
            if !name.is_empty() && name != b"." {
                self.pending.push_front(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(())
    }

    fn arrive(mut self, name: OsString) -> Result<Place, Fault> {
        let path = if name == "." { self.path() } else { self.path().join(&name) };
        granted(self.way.roots, &path)?;
        let dir = self.stack.pop().map_or(self.root, |(_, dir)| dir);
        Ok(Place { dir, name, path })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn roots(of: &[&str]) -> Roots {
        of.iter().collect()
    }

    fn go(path: &Path, roots: &Roots, follow: bool) -> Result<PathBuf, FaultCode> {
        let path = path.to_str().expect("a test's own path");
        walk(path, Way { roots, parents: false, follow }).map(|place| place.path).map_err(|fault| fault.code)
    }

    #[test]
    fn infrastructure_31_traversal_is_refused() {
        for path in ["", "etc", "../etc", "/etc/../etc", "/a/./b", "/a/..", "/a\0b"] {
            assert_eq!(plain(path).map_err(|fault| fault.code), Err(FaultCode::Traversal), "{path:?}");
        }
        assert_eq!(plain("//a//b/").map(|names| names.len()), Ok(2));
    }

    #[test]
    fn infrastructure_31_a_sibling_with_the_same_prefix_is_not_granted() {
        let base = tempfile::tempdir().expect("a directory");
        let base = base.path().canonicalize().expect("real");
        std::fs::create_dir_all(base.join("x")).expect("made");
        std::fs::create_dir_all(base.join("x-evil")).expect("made");
        let granted = roots(&[base.join("x").to_str().expect("text")]);
        assert_eq!(go(&base.join("x/file"), &granted, false), Ok(base.join("x/file")));
        assert_eq!(go(&base.join("x-evil/file"), &granted, false), Err(FaultCode::NotGranted));
    }

    #[test]
    fn links_are_resolved_before_the_grant_is_looked_at() {
        let base = tempfile::tempdir().expect("a directory");
        let base = base.path().canonicalize().expect("real");
        std::fs::create_dir_all(base.join("in/deep")).expect("made");
        std::fs::create_dir_all(base.join("out")).expect("made");
        symlink("../../out", base.join("in/deep/up")).expect("linked");
        symlink("deep", base.join("in/same")).expect("linked");
        symlink("loop", base.join("in/loop")).expect("linked");
        symlink("../out/secret", base.join("in/file")).expect("linked");
        let granted = roots(&[base.join("in").to_str().expect("text")]);
        assert_eq!(go(&base.join("in/deep/up/file"), &granted, false), Err(FaultCode::NotGranted));
        assert_eq!(go(&base.join("in/same/file"), &granted, false), Ok(base.join("in/deep/file")));
        assert_eq!(go(&base.join("in/loop/file"), &granted, false), Err(FaultCode::Symlink));
        assert_eq!(go(&base.join("in/file"), &granted, true), Err(FaultCode::NotGranted));
        assert_eq!(go(&base.join("in/file"), &granted, false), Ok(base.join("in/file")));
    }

    #[test]
    fn a_link_that_another_user_planted_is_not_followed() {
        if !rustix::process::geteuid().is_root() {
            // Only root can make a link that belongs to somebody else.
            return;
        }
        let base = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(base.path(), std::fs::Permissions::from_mode(0o755)).expect("set");
        let base = base.path().canonicalize().expect("real");
        std::fs::create_dir_all(base.join("real")).expect("made");
        symlink("real", base.join("planted")).expect("linked");
        std::os::unix::fs::lchown(base.join("planted"), Some(12345), None).expect("changed");
        assert_eq!(go(&base.join("planted/file"), &roots(&["/"]), false), Err(FaultCode::Symlink));
    }
}
