//! Restores a backup: takes it out beside the state, verifies it there, and puts it in the state's place in one step.

use std::collections::HashMap;
use std::io::{BufReader, Read, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use engine::ports::Clock;
use host::secrets::age;
use journal::Verifier;
use journal::verify::Report;
use model::Timestamp;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use store::{Options, ReadOnlyJournal, SqliteJournal};

use super::examine::examine;
use super::make::left_out;
use super::{BackupError, FORMAT, JOURNAL, LEFT_OUT, Listed, MANIFEST, Manifest, Sum, VALUES};
use super::{private, unreadable, unwritable};
use crate::layout::create_private;
use crate::{Engines, Keys, Place, StateDir, limits, workshop};

/// What is restored, and how much may be replaced.
#[derive(Clone)]
pub struct Restoring<'a> {
    /// The backup.
    pub file: &'a Path,
    /// The file with the key to an encrypted one.
    pub identity: Option<&'a Path>,
    /// The key that must have signed its journal; those in the backup itself when left out.
    pub key: Option<Verifier>,
    /// Whose backup it is meant to be (`shop/dev`), where that is another place.
    pub source: Option<&'a str>,
    /// Whether state that is there is replaced.
    pub replace: bool,
    /// What tells the time.
    pub clock: std::sync::Arc<dyn Clock>,
}

/// A backup that was restored.
#[derive(Debug)]
pub struct Restored {
    /// What it says it is.
    pub manifest: Manifest,
    /// What was verified of its journal.
    pub verified: Report,
    /// Where the state is that was there before.
    pub kept: Option<PathBuf>,
}

/// Restores a backup in an environment. Everything is verified before anything is replaced: the archive against its manifest,
/// then the whole journal in it, chain and signatures. Its views are made anew from its records.
///
/// # Errors
/// It is no backup, damaged, or of another place; there is state, or an engine at work. Nothing was replaced then.
pub fn restore(place: &Place, from: &Restoring<'_>) -> Result<Restored, BackupError> {
    let state = &place.state;
    let root = state.root();
    let above = root.parent().unwrap_or_else(|| Path::new("."));
    create_private(above)?;
    let mut builder = tempfile::Builder::new();
    let staged =
        builder.prefix(".restore-").permissions(private()).tempdir_in(above).map_err(unwritable(above))?;
    let manifest = unpack(from, staged.path(), place)?;
    let verified = verified(from, &manifest, staged.path())?;
    fold(place, from, staged.path())?;
    // what is renamed is not there to be removed
    let staged = staged.keep();
    let kept = match put(&staged, state, from) {
        Ok(kept) => kept,
        Err(NotPut::Before(error)) => {
            drop(fs_err::remove_dir_all(&staged));
            return Err(error);
        }
        // what is there now is the state that was replaced
        Err(NotPut::After(error)) => return Err(error),
    };
    fs_err::File::open(above).and_then(|open| open.sync_all()).map_err(unwritable(above))?;
    Ok(Restored { manifest, verified, kept })
}

/// Whether a state may be replaced.
fn free(state: &StateDir, from: &Restoring<'_>) -> Result<(), BackupError> {
    let living = Engines::new(state.engines()).living();
    if !living.is_empty() {
        return Err(BackupError::InUse { living });
    }
    if !from.replace && has_state(state)? {
        let (root, file) = (state.root().to_owned(), from.file.to_owned());
        return Err(BackupError::Exists { root, file });
    }
    Ok(())
}

/// Whether there is anything that would be lost.
fn has_state(state: &StateDir) -> Result<bool, BackupError> {
    let root = state.root();
    if !root.exists() {
        return Ok(false);
    }
    if state.journal().exists() || state.values().exists() {
        return Ok(true);
    }
    for entry in fs_err::read_dir(root).map_err(unreadable(root))? {
        let entry = entry.map_err(unreadable(root))?;
        let empty = || fs_err::read_dir(entry.path()).is_ok_and(|mut inside| inside.next().is_none());
        if !left_out(Path::new(&entry.file_name())) && !empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn damaged(from: &Restoring<'_>, why: impl Into<String>) -> BackupError {
    BackupError::Damaged { file: from.file.to_owned(), why: why.into() }
}

/// Takes everything out of the archive, and refuses what is not as its manifest says.
fn unpack(from: &Restoring<'_>, to: &Path, place: &Place) -> Result<Manifest, BackupError> {
    let mut file = fs_err::File::open(from.file).map_err(unreadable(from.file))?;
    let mut begin = Vec::new();
    (&mut file).take(age::MAGIC.len() as u64).read_to_end(&mut begin).map_err(unreadable(from.file))?;
    file.rewind().map_err(unreadable(from.file))?;
    let file = BufReader::new(file);
    if begin == age::MAGIC {
        taken(from, age::decrypting(file, from.identity)?, to, place)
    } else {
        taken(from, file, to, place)
    }
}

fn taken(
    from: &Restoring<'_>,
    archive: impl Read,
    to: &Path,
    place: &Place,
) -> Result<Manifest, BackupError> {
    let broken = |error: std::io::Error| damaged(from, error.to_string());
    let mut archive = tar::Archive::new(archive);
    let mut entries = archive.entries().map_err(broken)?;
    let first = entries.next().ok_or_else(|| damaged(from, "it is empty"))?.map_err(broken)?;
    let manifest = manifest(from, first)?;
    let ours = place.source();
    if manifest.source != from.source.unwrap_or(&ours) {
        let (theirs, file) = (manifest.source.clone(), from.file.to_owned());
        return Err(BackupError::Other { theirs, ours, file });
    }
    // before all of it is taken out; it is looked at again when it counts
    free(&place.state, from)?;
    let mut missing: HashMap<&str, &Listed> = HashMap::new();
    for listed in &manifest.files {
        if !belongs(&listed.path) || missing.insert(&listed.path, listed).is_some() {
            return Err(damaged(from, format!("its manifest lists {:?}", listed.path)));
        }
    }
    for entry in entries {
        let entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.to_string_lossy().into_owned();
        let plain = entry.header().entry_type().is_file();
        let Some(listed) =
            missing.remove(path.as_str()).filter(|listed| plain && entry.size() == listed.bytes)
        else {
            return Err(damaged(from, format!("{path:?} is in it and is not what its manifest lists")));
        };
        take(from, entry, listed, to)?;
    }
    if let Some(first) = missing.keys().min() {
        return Err(damaged(from, format!("{first:?} is missing in it")));
    }
    // what is encrypted is only known to be whole at its end
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).map_err(broken)?;
    sync(to)?;
    Ok(manifest)
}

/// Reads the manifest.
fn manifest(from: &Restoring<'_>, first: tar::Entry<'_, impl Read>) -> Result<Manifest, BackupError> {
    #[derive(serde::Deserialize)]
    struct Head {
        format: String,
    }
    let strange = || damaged(from, "it is not a backup");
    if first.path().ok().as_deref() != Some(Path::new(MANIFEST)) {
        return Err(strange());
    }
    let mut text = Vec::new();
    let limit = limits::BACKUP_MANIFEST_BYTES_MAX;
    first.take(limit + 1).read_to_end(&mut text).map_err(|error| damaged(from, error.to_string()))?;
    if text.len() as u64 > limit {
        return Err(damaged(from, format!("its manifest has more than {limit} bytes")));
    }
    // first, so that a backup of another version is named as that and not by its first strange member
    let head: Head = serde_json::from_slice(&text).map_err(|_| strange())?;
    if head.format != FORMAT {
        let why = format!("it has the format {:?}, and this version reads {FORMAT:?}", head.format);
        return Err(damaged(from, why));
    }
    let bad = |error: serde_json::Error| damaged(from, format!("its manifest cannot be read: {error}"));
    let manifest: Manifest = serde_json::from_slice(&text).map_err(bad)?;
    if manifest.files.len() > limits::BACKUP_FILES_MAX {
        return Err(damaged(from, format!("it lists more than {} files", limits::BACKUP_FILES_MAX)));
    }
    Ok(manifest)
}

/// Whether a path may be in a backup: below the state, and none of what is never in one.
fn belongs(path: &str) -> bool {
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    let first = path.split('/').next().unwrap_or_default();
    let database = first.starts_with(JOURNAL) || first.starts_with(VALUES);
    let known = if database { path == JOURNAL || path == VALUES } else { !LEFT_OUT.contains(&first) };
    plain && known && !path.is_empty() && path.len() <= limits::BACKUP_PATH_BYTES_MAX
}

/// Takes one file out.
fn take(from: &Restoring<'_>, mut entry: impl Read, listed: &Listed, to: &Path) -> Result<(), BackupError> {
    let path = to.join(&listed.path);
    if let Some(directory) = path.parent() {
        create_private(directory)?;
    }
    let mut options = std::fs::OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&path).map_err(unwritable(&path))?;
    let (mut sum, mut bytes, mut piece) = (Sum::default(), 0, vec![0; limits::PIECE_BYTES]);
    loop {
        let read = entry.read(&mut piece).map_err(|error| damaged(from, error.to_string()))?;
        if read == 0 {
            break;
        }
        sum.add(&piece[..read]);
        bytes += read as u64;
        file.write_all(&piece[..read]).map_err(unwritable(&path))?;
    }
    file.sync_all().map_err(unwritable(&path))?;
    if bytes != listed.bytes || sum.take() != listed.sha256 {
        return Err(damaged(from, format!("{:?} is not what its manifest says", listed.path)));
    }
    Ok(())
}

/// Has the directories on disk, too.
fn sync(directory: &Path) -> Result<(), BackupError> {
    for entry in fs_err::read_dir(directory).map_err(unreadable(directory))? {
        let entry = entry.map_err(unreadable(directory))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sync(&entry.path())?;
        }
    }
    let open = fs_err::File::open(directory).and_then(|open| open.sync_all());
    Ok(open.map_err(unwritable(directory))?)
}

/// Verifies the journal that was taken out.
fn verified(from: &Restoring<'_>, manifest: &Manifest, staged: &Path) -> Result<Report, BackupError> {
    let path = staged.join(JOURNAL);
    let trusted = match &from.key {
        Some(key) => vec![key.clone()],
        None => {
            Keys::new(staged.join("keys")).verifiers().map_err(|error| damaged(from, error.to_string()))?
        }
    };
    if !path.is_file() {
        return Err(damaged(from, "there is no journal in it"));
    }
    let report = examine(&path, trusted).map_err(|unsound| damaged(from, unsound.words()))?;
    if report.head.position != manifest.position || report.head.digest != manifest.digest {
        return Err(damaged(from, "its journal ends elsewhere than its manifest says"));
    }
    if from.key.is_some() && report.signed == 0 {
        return Err(damaged(from, "nothing in its journal is signed with that key"));
    }
    let journal = ReadOnlyJournal::open(&path)?;
    let first = journal.scan(0).next().transpose()?;
    let source = first.and_then(|(_, bytes)| {
        let record: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
        record.get("source")?.as_str().map(str::to_owned)
    });
    match source {
        Some(source) if source == manifest.source => Ok(report),
        source => Err(damaged(
            from,
            format!(
                "its journal is of {}, its manifest says {}",
                source.unwrap_or_default(),
                manifest.source
            ),
        )),
    }
}

/// Makes the views anew: what is decided by must come from records that were verified, and from nothing else.
fn fold(place: &Place, from: &Restoring<'_>, staged: &Path) -> Result<(), BackupError> {
    let clock = std::sync::Arc::clone(&from.clock);
    let options = Options {
        source: place.source(),
        clock: std::sync::Arc::new(move || clock.now()),
        ..Options::default()
    };
    let journal = SqliteJournal::open(staged.join(JOURNAL), &options)?;
    Ok(journal.rebuild()?)
}

/// Where it went wrong.
enum NotPut {
    /// Before anything was replaced, or it was put back.
    Before(BackupError),
    /// After it: what was replaced is where the backup was unpacked, and stays there.
    After(BackupError),
}

impl<E: Into<BackupError>> From<E> for NotPut {
    fn from(error: E) -> Self {
        Self::Before(error.into())
    }
}

/// Puts what was taken out in the place of the state, in one step, and keeps what was there.
fn put(staged: &Path, state: &StateDir, from: &Restoring<'_>) -> Result<Option<PathBuf>, NotPut> {
    let root = state.root();
    if !root.exists() {
        // over a directory that somebody made meanwhile and put something in, this fails
        fs_err::rename(staged, root).map_err(unwritable(root))?;
        return Ok(None);
    }
    let _turn = workshop::turn(state)?;
    free(state, from)?;
    let lost = has_state(state)?;
    exchange(staged, root)?;
    // an engine that began between the look and the step has gone with its directory
    let living = Engines::new(StateDir::at(staged.to_owned()).engines()).living();
    if !living.is_empty() {
        exchange(staged, root).map_err(NotPut::After)?;
        return Err(BackupError::InUse { living }.into());
    }
    if !lost {
        // nothing is in it
        drop(fs_err::remove_dir_all(staged));
        return Ok(None);
    }
    let kept = beside(root, from.clock.now());
    match fs_err::rename(staged, &kept) {
        Ok(()) => Ok(Some(kept)),
        // under the name it has, it is kept as well
        Err(_) => Ok(Some(staged.to_owned())),
    }
}

/// Where the state that was there is kept: a name that nobody has.
fn beside(root: &Path, now: Timestamp) -> PathBuf {
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    let moment = model::time::rfc3339(now).replace([':', '.'], "-");
    let named = |number: u32| {
        let more = if number == 0 { String::new() } else { format!("-{number}") };
        root.with_file_name(format!("{name}.before-{moment}{more}"))
    };
    (0..=u32::MAX).map(named).find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| named(0))
}

/// Gives two directories each other's name.
fn exchange(a: &Path, b: &Path) -> Result<(), BackupError> {
    match renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        // a file system that cannot: the same in three steps
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            let aside = a.with_extension("aside");
            fs_err::rename(b, &aside).map_err(unwritable(b))?;
            if let Err(error) = fs_err::rename(a, b) {
                fs_err::rename(&aside, b).map_err(unwritable(b))?;
                return Err(unwritable(b)(error).into());
            }
            Ok(fs_err::rename(&aside, a).map_err(unwritable(a))?)
        }
        Err(errno) => Err(unwritable(b)(errno.into()).into()),
    }
}
