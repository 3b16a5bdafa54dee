//! Looking at files: stat, digest, read.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, openat, readlinkat, statat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::accounts::Table;
use crate::control::Control;
use crate::limits::{BODY_MAX, FILE_MAX, HASH_MIN};
use crate::output::Output;
use crate::path::{Place, Roots, Way, walk};
use crate::protocol::{Answer, Fault, FaultCode, Kind, Stat, Stream};

/// Opens a regular file. Never waits for a pipe's other end, never follows the last name.
pub(crate) fn open(place: &Place) -> Result<File, Fault> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = openat(&place.dir, &place.name, flags, Mode::empty())
        .map_err(|errno| Fault::os(place.path.display(), errno))?;
    let stat = fstat(&fd).map_err(|errno| Fault::os(place.path.display(), errno))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Fault::new(
            FaultCode::WrongKind,
            format!("{} is not a regular file", place.path.display()),
        ));
    }
    Ok(File::from(fd))
}

/// What is at a place, if anything.
pub(crate) fn look(place: &Place) -> Result<Option<Stat>, Fault> {
    let stat = match statat(&place.dir, &place.name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(Fault::os(place.path.display(), errno)),
    };
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        _ => Kind::Other,
    };
    let target = (kind == Kind::Symlink)
        .then(|| readlinkat(&place.dir, &place.name, Vec::new()))
        .transpose()
        .map_err(|errno| Fault::os(place.path.display(), errno))?;
    Ok(Some(Stat {
        kind,
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        owner: Table::Users.name(stat.st_uid),
        group: Table::Groups.name(stat.st_gid),
        mtime: stat.st_mtime,
        target: target.map(|text| text.to_string_lossy().into_owned()),
        sha256: None,
    }))
}

pub(crate) fn stat(
    control: &Control,
    roots: &Roots,
    path: &str,
    digest: bool,
    follow: bool,
) -> Result<Answer, Fault> {
    let place = match walk(path, Way { roots, parents: false, follow }) {
        Ok(place) => place,
        // Without its directory it is not there either.
        Err(fault) if fault.code == FaultCode::NotFound => return Ok(Answer::Stat { file: None }),
        Err(fault) => return Err(fault),
    };
    let mut file = look(&place)?;
    if let Some(file) = file.as_mut().filter(|file| digest && file.kind == Kind::File) {
        file.sha256 = Some(hash(control, &place)?);
    }
    Ok(Answer::Stat { file })
}

/// The SHA-256 of a regular file's content.
pub(crate) fn hash(control: &Control, place: &Place) -> Result<String, Fault> {
    let mut file = open(place)?;
    let size = file.metadata().map_err(|why| Fault::io(place.path.display(), &why))?.len();
    let mut hasher = Sha256::new();
    // most files are small, and clearing a large buffer costs more than reading them
    let mut buffer = vec![0; usize::try_from(size).unwrap_or(BODY_MAX).clamp(HASH_MIN, BODY_MAX)];
    loop {
        control.check()?;
        let read = file.read(&mut buffer).map_err(|why| Fault::io(place.path.display(), &why))?;
        if read == 0 {
            return Ok(hex::encode(hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
    }
}

/// Which part of a file to stream.
pub(crate) struct Range {
    pub(crate) offset: u64,
    pub(crate) length: Option<u64>,
    pub(crate) follow: bool,
}

pub(crate) fn read(
    id: u64,
    control: &Control,
    roots: &Roots,
    out: &Output,
    path: &str,
    range: &Range,
) -> Result<Answer, Fault> {
    let place = walk(path, Way { roots, parents: false, follow: range.follow })?;
    let mut file = open(&place)?;
    file.seek(SeekFrom::Start(range.offset)).map_err(|why| Fault::io(place.path.display(), &why))?;
    let limit = range.length.unwrap_or(FILE_MAX).min(FILE_MAX);
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BODY_MAX];
    let mut sent = 0_u64;
    loop {
        control.check()?;
        let want = usize::try_from(limit - sent).unwrap_or(usize::MAX).min(buffer.len());
        // One byte more than is wanted tells whether there is more.
        let probe = if want == 0 { &mut buffer[..1] } else { &mut buffer[..want] };
        let read = file.read(probe).map_err(|why| Fault::io(place.path.display(), &why))?;
        if read == 0 || want == 0 {
            if read > 0 && range.length.is_none() {
                let message = format!("{} is larger than {FILE_MAX} bytes", place.path.display());
                return Err(Fault::new(FaultCode::TooLarge, message));
            }
            let sha256 = hex::encode(hasher.finalize());
            return Ok(Answer::Read { bytes: sent, sha256, complete: read == 0 });
        }
        hasher.update(&buffer[..read]);
        out.event(id, Stream::Content, &buffer[..read])?;
        sent += read as u64;
    }
}
