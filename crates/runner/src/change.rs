//! Changing files: write, set, remove, directory, symbolic link. Each says whether there was anything to change.

use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Write as _;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, fchmod, fchown, fstat, linkat, mkdirat, openat,
    readlinkat, renameat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::accounts::Table;
use crate::control::{Chunk, Control};
use crate::durable;
use crate::file::{hash, look};
use crate::limits::{FILE_MAX, REMOVE_DEPTH_MAX, REMOVE_MAX};
use crate::path::{Place, Roots, Way, walk};
use crate::protocol::{Answer, Attributes, Fault, FaultCode, Kind, Stat, Write};

/// A file under another name until it is whole.
struct Temporary<'a> {
    place: &'a Place,
    name: String,
    file: File,
    kept: bool,
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing more can be done about a file that cannot be removed; the fault that led here is reported.
            let _left = unlinkat(&self.place.dir, &self.name, AtFlags::empty());
        }
    }
}

/// A name nobody else uses. Not a secret: it is created with `O_EXCL`.
fn unused() -> String {
    format!(".aedile-{:016x}", RandomState::new().build_hasher().finish())
}

impl<'a> Temporary<'a> {
    fn create(place: &'a Place) -> Result<Self, Fault> {
        let name = unused();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&place.dir, &name, flags, Mode::from_raw_mode(0o600))
            .map_err(|errno| Fault::os(place.path.display(), errno))?;
        Ok(Self { place, name, file: File::from(fd), kept: false })
    }

    fn rename(mut self) -> Result<(), Fault> {
        let fault = |errno| Fault::os(self.place.path.display(), errno);
        renameat(&self.place.dir, &self.name, &self.place.dir, &self.place.name).map_err(fault)?;
        self.kept = true;
        durable::names(self.place)
    }
}

struct Ids {
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
}

impl Ids {
    fn of(attributes: &Attributes) -> Result<Self, Fault> {
        if let Some(mode) = attributes.mode.filter(|mode| *mode > 0o7777) {
            return Err(Fault::new(FaultCode::InvalidCmd, format!("{mode:o} is not a mode")));
        }
        Ok(Self {
            mode: attributes.mode,
            uid: attributes.owner.as_deref().map(|name| Table::Users.number(name)).transpose()?,
            gid: attributes.group.as_deref().map(|name| Table::Groups.number(name)).transpose()?,
        })
    }

    /// Sets what differs. Owner first: changing it clears the set-user-id bit.
    fn apply(&self, fd: impl AsFd, path: &std::path::Path) -> Result<bool, Fault> {
        let fault = |errno| Fault::os(path.display(), errno);
        let stat = fstat(&fd).map_err(fault)?;
        let owned =
            self.uid.is_none_or(|uid| uid == stat.st_uid) && self.gid.is_none_or(|gid| gid == stat.st_gid);
        if !owned {
            fchown(&fd, self.uid.map(Uid::from_raw), self.gid.map(Gid::from_raw)).map_err(fault)?;
        }
        let mode = self.mode.filter(|mode| !owned || *mode != stat.st_mode & 0o7777);
        if let Some(mode) = mode {
            fchmod(&fd, Mode::from_raw_mode(mode)).map_err(fault)?;
        }
        Ok(!owned || mode.is_some())
    }
}

pub(crate) fn write(
    control: &Control,
    roots: &Roots,
    write: &Write,
    taken: &dyn Fn(u64) -> Result<(), Fault>,
) -> Result<Answer, Fault> {
    let ids = Ids::of(&write.attributes)?;
    // before the walk, which makes what is missing above
    control.check()?;
    let place = walk(&write.path, Way { roots, parents: write.parents, follow: false })?;
    let before = look(&place)?;
    refuse_other_kinds(&place, before.as_ref())?;
    precondition(control, &place, before.as_ref(), write.replaces.as_deref())?;
    let mut temporary = Temporary::create(&place)?;
    let (bytes, sha256) = fill(control, &mut temporary, taken)?;
    if let Some(wanted) = write.sha256.as_ref().filter(|wanted| **wanted != sha256) {
        let message = format!("the content for {} has SHA-256 {sha256}, not {wanted}", place.path.display());
        return Err(Fault::new(FaultCode::Mismatch, message));
    }
    let unchanged = match &before {
        Some(before) if before.size == bytes => hash(control, &place)? == sha256,
        _ => false,
    };
    let done = |changed, backup| Answer::Written { bytes, sha256: sha256.clone(), changed, backup };
    if unchanged {
        drop(temporary);
        return Ok(done(ids.apply(open_any(&place)?, &place.path)?, None));
    }
    let ids = Ids {
        mode: Some(ids.mode.or_else(|| before.as_ref().map(|before| before.mode)).unwrap_or(0o600)),
        uid: ids.uid.or_else(|| before.as_ref().map(|before| before.uid)),
        gid: ids.gid.or_else(|| before.as_ref().map(|before| before.gid)),
    };
    ids.apply(&temporary.file, &place.path)?;
    temporary.file.sync_all().map_err(|why| Fault::io(place.path.display(), &why))?;
    control.check()?;
    let backup = if write.backup && before.is_some() { Some(keep(&place)?) } else { None };
    temporary.rename()?;
    Ok(done(true, backup))
}

fn refuse_other_kinds(place: &Place, before: Option<&Stat>) -> Result<(), Fault> {
    let (code, what) = match before.map(|before| before.kind) {
        None | Some(Kind::File) => return Ok(()),
        Some(Kind::Symlink) => (FaultCode::Symlink, "a symbolic link, which is not written through"),
        Some(Kind::Directory) => (FaultCode::WrongKind, "a directory"),
        Some(Kind::Other) => (FaultCode::WrongKind, "not a regular file"),
    };
    Err(Fault::new(code, format!("{} is {what}", place.path.display())))
}

fn precondition(
    control: &Control,
    place: &Place,
    before: Option<&Stat>,
    wanted: Option<&str>,
) -> Result<(), Fault> {
    let Some(wanted) = wanted else { return Ok(()) };
    let found = match before {
        None => "absent".to_owned(),
        Some(_) => hash(control, place)?,
    };
    if found == wanted {
        return Ok(());
    }
    let message = format!("{} is {found}, and was expected to be {wanted}", place.path.display());
    Err(Fault::new(FaultCode::Precondition, message))
}

fn fill(
    control: &Control,
    temporary: &mut Temporary<'_>,
    taken: &dyn Fn(u64) -> Result<(), Fault>,
) -> Result<(u64, String), Fault> {
    let mut hasher = Sha256::new();
    let mut bytes = 0_u64;
    while let Chunk::Bytes(chunk) = control.next()? {
        control.check()?;
        bytes += chunk.len() as u64;
        if bytes > FILE_MAX {
            return Err(Fault::new(
                FaultCode::TooLarge,
                format!("the content is larger than {FILE_MAX} bytes"),
            ));
        }
        hasher.update(&chunk);
        temporary.file.write_all(&chunk).map_err(|why| Fault::io(temporary.place.path.display(), &why))?;
        taken(chunk.len() as u64)?;
    }
    Ok((bytes, hex::encode(hasher.finalize())))
}

/// A second name for what is there, which stays when the first is given to the new content.
fn keep(place: &Place) -> Result<String, Fault> {
    let fault = |errno| Fault::os(format_args!("the backup of {}", place.path.display()), errno);
    let mut name = place.name.clone();
    name.push(".bak");
    let temporary = unused();
    linkat(&place.dir, &place.name, &place.dir, &temporary, AtFlags::empty()).map_err(fault)?;
    renameat(&place.dir, &temporary, &place.dir, &name).map_err(fault)?;
    // When both were the same file already, rename does nothing and leaves the second name.
    let _gone = unlinkat(&place.dir, &temporary, AtFlags::empty());
    Ok(place.path.with_file_name(name).to_string_lossy().into_owned())
}

/// Opens what is there so that mode and owner can be changed; never a symbolic link, never waiting for a pipe.
fn open_any(place: &Place) -> Result<OwnedFd, Fault> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    openat(&place.dir, &place.name, flags, Mode::empty())
        .map_err(|errno| Fault::os(place.path.display(), errno))
}

pub(crate) fn set(
    control: &Control,
    roots: &Roots,
    path: &str,
    attributes: &Attributes,
) -> Result<Answer, Fault> {
    let ids = Ids::of(attributes)?;
    let place = walk(path, Way { roots, parents: false, follow: false })?;
    let is_link = look(&place)?.is_some_and(|stat| stat.kind == Kind::Symlink);
    control.check()?;
    if !is_link {
        return Ok(Answer::Ensured { changed: ids.apply(open_any(&place)?, &place.path)? });
    }
    if ids.mode.is_some() {
        return Err(Fault::new(
            FaultCode::Symlink,
            format!("{} is a symbolic link: it has no mode", place.path.display()),
        ));
    }
    let (uid, gid) = (ids.uid.map(Uid::from_raw), ids.gid.map(Gid::from_raw));
    chownat(&place.dir, &place.name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|errno| Fault::os(place.path.display(), errno))?;
    Ok(Answer::Ensured { changed: true })
}

pub(crate) fn directory(
    control: &Control,
    roots: &Roots,
    path: &str,
    parents: bool,
    attributes: &Attributes,
) -> Result<Answer, Fault> {
    let ids = Ids::of(attributes)?;
    // before the walk, which makes what is missing above
    control.check()?;
    let place = walk(path, Way { roots, parents, follow: false })?;
    let mode = Mode::from_raw_mode(attributes.mode.unwrap_or(0o755) & 0o777);
    let created = match mkdirat(&place.dir, &place.name, mode) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(errno) => return Err(Fault::os(place.path.display(), errno)),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(&place.dir, &place.name, flags, Mode::empty())
        .map_err(|errno| Fault::os(place.path.display(), errno))?;
    let set = ids.apply(&opened, &place.path)?;
    Ok(Answer::Ensured { changed: created || set })
}

pub(crate) fn symlink(
    control: &Control,
    roots: &Roots,
    path: &str,
    target: &str,
    force: bool,
) -> Result<Answer, Fault> {
    let place = walk(path, Way { roots, parents: false, follow: false })?;
    let fault = |errno| Fault::os(place.path.display(), errno);
    let there = look(&place)?;
    control.check()?;
    match there {
        None => symlinkat(target, &place.dir, &place.name).map_err(fault)?,
        Some(there) if there.target.as_deref() == Some(target) => {
            return Ok(Answer::Ensured { changed: false });
        }
        Some(there) if there.kind == Kind::Symlink || (force && there.kind == Kind::File) => {
            let temporary = unused();
            symlinkat(target, &place.dir, &temporary).map_err(fault)?;
            if let Err(errno) = renameat(&place.dir, &temporary, &place.dir, &place.name) {
                // The fault is what matters; the leftover name carries our prefix.
                let _left = unlinkat(&place.dir, &temporary, AtFlags::empty());
                return Err(fault(errno));
            }
        }
        Some(_) => {
            let message = format!("{} is there and is not a symbolic link", place.path.display());
            return Err(Fault::new(FaultCode::WrongKind, message));
        }
    }
    let text = readlinkat(&place.dir, &place.name, Vec::new()).map_err(fault)?;
    debug_assert_eq!(text.to_bytes(), target.as_bytes());
    Ok(Answer::Ensured { changed: true })
}

pub(crate) fn remove(control: &Control, roots: &Roots, path: &str, recursive: bool) -> Result<Answer, Fault> {
    let place = match walk(path, Way { roots, parents: false, follow: false }) {
        Ok(place) => place,
        Err(fault) if fault.code == FaultCode::NotFound => return Ok(Answer::Ensured { changed: false }),
        Err(fault) => return Err(fault),
    };
    // what is granted as a whole stays, unless something around it is granted, too
    if place.name == "." || roots.is_outermost(&place.path) {
        return Err(Fault::new(FaultCode::Denied, format!("{} itself is not removed", place.path.display())));
    }
    let Some(there) = look(&place)? else {
        return Ok(Answer::Ensured { changed: false });
    };
    let fault = |errno| Fault::os(place.path.display(), errno);
    control.check()?;
    if there.kind == Kind::Directory {
        if recursive {
            let mut left = REMOVE_MAX;
            empty(control, &place.dir, place.name.as_os_str(), 0, &mut left).map_err(|why| match why {
                Empty::Fault(fault) => fault,
                Empty::Os(errno) => fault(errno),
            })?;
        }
        unlinkat(&place.dir, &place.name, AtFlags::REMOVEDIR).map_err(fault)?;
    } else {
        unlinkat(&place.dir, &place.name, AtFlags::empty()).map_err(fault)?;
    }
    Ok(Answer::Ensured { changed: true })
}

enum Empty {
    Fault(Fault),
    Os(Errno),
}

/// Removes what is in a directory, never following a link out of it.
fn empty(
    control: &Control,
    parent: &OwnedFd,
    name: &std::ffi::OsStr,
    depth: usize,
    left: &mut u64,
) -> Result<(), Empty> {
    if depth >= REMOVE_DEPTH_MAX {
        let message = format!("directories are nested deeper than {REMOVE_DEPTH_MAX}");
        return Err(Empty::Fault(Fault::new(FaultCode::TooMany, message)));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(parent, name, flags, Mode::empty()).map_err(Empty::Os)?;
    for entry in Dir::read_from(&directory).map_err(Empty::Os)? {
        let entry = entry.map_err(Empty::Os)?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        control.check().map_err(Empty::Fault)?;
        let Some(fewer) = left.checked_sub(1) else {
            let message = format!("more than {REMOVE_MAX} entries would be removed");
            return Err(Empty::Fault(Fault::new(FaultCode::TooMany, message)));
        };
        *left = fewer;
        let stat = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(Empty::Os)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let name_os = std::os::unix::ffi::OsStrExt::from_bytes(name.to_bytes());
            empty(control, &directory, name_os, depth + 1, left)?;
            unlinkat(&directory, name, AtFlags::REMOVEDIR).map_err(Empty::Os)?;
        } else {
            unlinkat(&directory, name, AtFlags::empty()).map_err(Empty::Os)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_cancelled_changes_nothing() {
        let base = tempfile::tempdir().expect("a directory");
        let base = base.path().canonicalize().expect("real");
        let roots: Roots = ["/"].into_iter().collect();
        let at = |name: &str| base.join(name).to_str().expect("a test's own path").to_owned();
        fs::write(at("file"), "there").expect("written");
        std::os::unix::fs::symlink("file", at("link")).expect("linked");
        let control = Control::new(Duration::from_mins(1), Vec::new(), false);
        control.start();
        control.cancel();
        let private = Attributes { mode: Some(0o700), ..Attributes::default() };
        let before = fs::metadata(at("file")).expect("there").permissions();
        let tried = [
            set(&control, &roots, &at("file"), &private),
            remove(&control, &roots, &at("file"), false),
            directory(&control, &roots, &at("new/directory"), true, &Attributes::default()),
            symlink(&control, &roots, &at("new link"), "file", false),
            symlink(&control, &roots, &at("link"), "elsewhere", false),
        ];
        for (number, one) in tried.into_iter().enumerate() {
            assert_eq!(one.map_err(|fault| fault.code), Err(FaultCode::Cancelled), "{number}");
        }
        let mut left: Vec<_> =
            fs::read_dir(&base).expect("read").map(|entry| entry.expect("an entry").file_name()).collect();
        left.sort();
        assert_eq!(left, ["file", "link"]);
        assert_eq!(fs::read_link(at("link")).expect("a link").to_str(), Some("file"));
        assert_eq!(fs::metadata(at("file")).expect("there").permissions(), before);
    }
}
