//! The files of a CUE module on disk.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use cue::load::Loader;

use crate::{limits, text};

/// What makes a directory the root of a module.
const MODULE_FILE: &str = "cue.mod/module.cue";

/// A module's files, for imports and `@embed`; none where there is no module.
#[derive(Debug, Clone, Default)]
pub struct CueModule {
    root: Option<PathBuf>,
}

impl CueModule {
    /// The module around a directory.
    pub fn around(directory: &Path) -> Self {
        let root = std::path::absolute(directory).ok().and_then(|path| {
            path.ancestors().find(|above| above.join(MODULE_FILE).is_file()).map(Path::to_owned)
        });
        Self { root }
    }

    /// Its directory, where there is one.
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// A path in the module, if it is there and stays in it.
    fn inside(&self, path: &str) -> Result<Option<PathBuf>, String> {
        let Some(root) = &self.root else { return Ok(None) };
        let root = fs_err::canonicalize(root).map_err(|error| error.to_string())?;
        let Ok(found) = fs_err::canonicalize(root.join(path)) else { return Ok(None) };
        if found.starts_with(&root) {
            Ok(Some(found))
        } else {
            Err(format!("{path} is outside of the module"))
        }
    }
}

impl Loader for CueModule {
    fn cue_files(&self, directory: &str) -> Result<Vec<(String, String)>, String> {
        let Some(found) = self.inside(directory)? else { return Ok(Vec::new()) };
        if !found.is_dir() {
            return Ok(Vec::new());
        }
        let mut files = Vec::new();
        for path in cue_files(&found).map_err(|error| error.to_string())? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let shown = if directory.is_empty() { name.into_owned() } else { format!("{directory}/{name}") };
            let text = text::read(&path, &shown, limits::FILE_BYTES_MAX);
            files.push((shown, text.map_err(|error| error.to_string())?));
        }
        Ok(files)
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        let Some(found) = self.inside(path)? else {
            return Err(format!("there is no file {path} in the module"));
        };
        let mut bytes = Vec::new();
        let file = fs_err::File::open(&found).map_err(|error| error.to_string())?;
        file.take(limits::DATA_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if bytes.len() as u64 > limits::DATA_BYTES_MAX {
            return Err(format!("{path} is larger than {} bytes", limits::DATA_BYTES_MAX));
        }
        Ok(bytes)
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, String> {
        let Some(found) = self.inside(directory)?.filter(|found| found.is_dir()) else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for entry in fs_err::read_dir(&found).map_err(|error| error.to_string())? {
            let path = entry.map_err(|error| error.to_string())?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            names.push(if path.is_dir() { format!("{name}/") } else { name.to_owned() });
        }
        names.sort();
        Ok(names)
    }

    fn directory(&self, file: &str) -> Result<String, String> {
        let none = || format!("{file} is in no module; a module's root has the file {MODULE_FILE}");
        let root = fs_err::canonicalize(self.root.as_ref().ok_or_else(none)?).map_err(|e| e.to_string())?;
        let directory = Path::new(file).parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory =
            fs_err::canonicalize(directory.unwrap_or_else(|| Path::new("."))).map_err(|e| e.to_string())?;
        let below = directory.strip_prefix(&root).map_err(|_| none())?;
        below.to_str().map(str::to_owned).ok_or_else(none)
    }
}

/// The CUE files of a directory, sorted.
///
/// # Errors
/// The directory cannot be read.
pub fn cue_files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "cue") && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
