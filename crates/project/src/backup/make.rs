//! Makes a backup.

use std::fs::Permissions;
use std::io::{BufWriter, Read as _, Seek as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use host::secrets::age;
use model::{Digest, Timestamp};
use zeroize::Zeroizing;

use super::examine::examine;
use super::{BackupError, FORMAT, JOURNAL, LEFT_OUT, Listed, MANIFEST, Manifest, Sum, VALUES};
use super::{directory, private, unreadable, unwritable};
use crate::layout::create_private;
use crate::{Keys, Place, ProjectError, StateDir, limits, workshop};

/// How a backup is made.
#[derive(Debug, Clone, Copy)]
pub struct Making<'a> {
    /// The new file.
    pub file: &'a Path,
    /// Whether one that is there is replaced.
    pub force: bool,
    /// Whom it is encrypted for (`age1...`); not at all when empty.
    pub recipients: &'a [String],
    /// The moment that it carries.
    pub now: Timestamp,
}

/// A backup that was made.
#[derive(Debug)]
pub struct Made {
    /// What it says it is.
    pub manifest: Manifest,
    /// Its size.
    pub bytes: u64,
    /// How many of the journal's records a signed checkpoint covers.
    pub signed: u64,
}

/// Makes a backup of an environment, while others may write to it. The file appears whole and on disk or not at all, and only
/// its owner can read it. It holds the environment's private keys and secrets.
///
/// The journal is copied first and everything else after it, so what the journal speaks of is there: what actions kept may be of
/// a moment later, never earlier.
///
/// # Errors
/// There is nothing to back up, the journal does not verify, the file is there already or cannot be written.
pub fn make(place: &Place, how: &Making<'_>) -> Result<Made, BackupError> {
    if !place.state.exists() {
        return Err(ProjectError::NothingYet { name: place.environment.to_string() }.into());
    }
    if !how.force && how.file.symlink_metadata().is_ok() {
        return Err(BackupError::FileExists { path: how.file.to_owned() });
    }
    let out = Out::new(how)?;
    let state = &place.state;
    // nobody makes or changes keys meanwhile: those of the backup are those of its journal
    let _turn = workshop::turn(state)?;
    create_private(&state.cache())?;
    let mut builder = tempfile::Builder::new();
    let staged = builder
        .prefix("backup-")
        .permissions(private())
        .tempdir_in(state.cache())
        .map_err(unwritable(&state.cache()))?;
    let mut databases = vec![(JOURNAL, state.journal())];
    if state.values().is_file() {
        databases.push((VALUES, state.values()));
    }
    for (name, path) in &databases {
        store::snapshot(path, &staged.path().join(name))?;
    }
    let trusted = Keys::new(state.keys()).verifiers()?;
    let verified = examine(&staged.path().join(JOURNAL), trusted)?;
    let small = small(state)?;
    let mut files = Vec::new();
    for (name, _) in &databases {
        files.push(listed(&staged.path().join(name), name)?);
    }
    files.extend(small.iter().map(|(path, content)| Listed {
        path: path.clone(),
        bytes: content.len() as u64,
        sha256: Digest::of(content),
    }));
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        source: place.source(),
        made: model::time::rfc3339(how.now),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        position: verified.head.position,
        digest: verified.head.digest,
        files,
    };
    let bytes = out.write(how, &manifest, staged.path(), &small)?;
    Ok(Made { manifest, bytes, signed: verified.signed })
}

/// The size and digest of a file.
fn listed(path: &Path, name: &str) -> Result<Listed, ProjectError> {
    let mut file = fs_err::File::open(path).map_err(unreadable(path))?;
    let (mut sum, mut bytes, mut piece) = (Sum::default(), 0_u64, vec![0; limits::PIECE_BYTES]);
    loop {
        let read = file.read(&mut piece).map_err(unreadable(path))?;
        if read == 0 {
            return Ok(Listed { path: name.to_owned(), bytes, sha256: sum.take() });
        }
        sum.add(&piece[..read]);
        bytes += read as u64;
    }
}

/// Paths within a state, and what is there.
type Small = Vec<(String, Zeroizing<Vec<u8>>)>;

/// Everything but the databases, with its content: it is small, and so is a snapshot of it.
fn small(state: &StateDir) -> Result<Small, ProjectError> {
    let (mut found, mut open, mut total) = (Vec::new(), vec![PathBuf::new()], 0);
    while let Some(below) = open.pop() {
        let here = state.root().join(&below);
        for entry in fs_err::read_dir(&here).map_err(unreadable(&here))? {
            let entry = entry.map_err(unreadable(&here))?;
            let name = PathBuf::from(entry.file_name());
            let kind = entry.file_type().map_err(unreadable(&entry.path()))?;
            let top = below.as_os_str().is_empty();
            let path = below.join(&name);
            // a key that is being made has this name until it is whole
            let unfinished = below == Path::new("keys") && path.extension().is_some_and(|it| it == "new");
            if top && left_out(&name) || unfinished {
                continue;
            }
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() {
                let content = read(&entry.path(), &mut total)?;
                let Some(path) = path.to_str() else {
                    let source = std::io::Error::other("its name is not UTF-8 text");
                    return Err(unreadable(&entry.path())(source));
                };
                found.push((path.to_owned(), content));
            } else {
                let source = std::io::Error::other("it is neither a file nor a directory");
                return Err(unreadable(&entry.path())(source));
            }
        }
        if found.len() + open.len() > limits::BACKUP_FILES_MAX {
            let what = "the number of files in a state".to_owned();
            return Err(ProjectError::TooLarge { what, limit: limits::BACKUP_FILES_MAX as u64 });
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

/// What lies in a state and is not state: see [`LEFT_OUT`], the databases, and what SQLite keeps beside them.
pub(super) fn left_out(name: &Path) -> bool {
    let name = name.to_string_lossy();
    let database = [JOURNAL, VALUES].iter().any(|database| name.starts_with(database));
    database || LEFT_OUT.iter().any(|one| name == *one)
}

fn read(path: &Path, total: &mut u64) -> Result<Zeroizing<Vec<u8>>, ProjectError> {
    let file = fs_err::File::open(path).map_err(unreadable(path))?;
    let size = file.metadata().map_err(unreadable(path))?.len();
    *total += size;
    if *total > limits::BACKUP_SMALL_BYTES_MAX {
        let what = "what is beside the journal".to_owned();
        return Err(ProjectError::TooLarge { what, limit: limits::BACKUP_SMALL_BYTES_MAX });
    }
    // room for all of it, so that no part of a key stays behind in memory
    let room = usize::try_from(size).unwrap_or(usize::MAX);
    let mut content = Zeroizing::new(vec![0; room]);
    (&file).read_exact(&mut content).map_err(unreadable(path))?;
    Ok(content)
}

/// The file as it is written, under another name.
struct Out(tempfile::NamedTempFile);

impl Out {
    /// Made before anything else is: that a place cannot be written is known at once.
    fn new(how: &Making<'_>) -> Result<Self, ProjectError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".aedile-").permissions(Permissions::from_mode(0o600));
        builder.tempfile_in(directory(how.file)).map(Self).map_err(unwritable(how.file))
    }

    fn write(
        mut self,
        how: &Making<'_>,
        manifest: &Manifest,
        staged: &Path,
        small: &Small,
    ) -> Result<u64, BackupError> {
        let failed = || unwritable(how.file);
        let write = |out: &mut dyn Write| archive(out, manifest, staged, small, how.now).map_err(failed());
        {
            let mut out = BufWriter::new(self.0.as_file_mut());
            if how.recipients.is_empty() {
                write(&mut out)?;
            } else {
                let mut encrypting = age::encrypting(&mut out, how.recipients)?;
                write(&mut encrypting)?;
                encrypting.finish().map_err(failed())?;
            }
            out.flush().map_err(failed())?;
        }
        let bytes = self.0.as_file_mut().stream_position().map_err(failed())?;
        self.0.as_file().sync_all().map_err(failed())?;
        let kept = if how.force {
            self.0.persist(how.file).map(drop)
        } else {
            self.0.persist_noclobber(how.file).map(drop)
        };
        kept.map_err(|error| failed()(error.error))?;
        let directory = directory(how.file);
        fs_err::File::open(directory).and_then(|open| open.sync_all()).map_err(unwritable(directory))?;
        Ok(bytes)
    }
}

/// Writes the archive: the manifest, and what it lists in its order.
fn archive(
    out: &mut dyn Write,
    manifest: &Manifest,
    staged: &Path,
    small: &Small,
    now: Timestamp,
) -> std::io::Result<()> {
    let mut archive = tar::Builder::new(out);
    let header = |bytes: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(now.as_second()).unwrap_or(0));
        header
    };
    let text = serde_json::to_vec_pretty(manifest)?;
    archive.append_data(&mut header(text.len() as u64), MANIFEST, text.as_slice())?;
    let contents = small.iter().map(|(path, content)| (path.as_str(), content));
    let contents: std::collections::HashMap<&str, &Zeroizing<Vec<u8>>> = contents.collect();
    for file in &manifest.files {
        let mut header = header(file.bytes);
        if let Some(content) = contents.get(file.path.as_str()) {
            archive.append_data(&mut header, &file.path, content.as_slice())?;
        } else {
            let content = fs_err::File::open(staged.join(&file.path))?;
            archive.append_data(&mut header, &file.path, content.take(file.bytes))?;
        }
    }
    archive.into_inner()?.flush()
}
