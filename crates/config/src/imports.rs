//! Imports: Aedile's own schema, and what the caller's loader has.

use cue::load::Loader;

/// The schema's package, as it is imported.
pub const SCHEMA_PACKAGE: &str = "aedile.dev/schema";

/// Where the schema is found: as if it were vendored.
const SCHEMA_DIRECTORY: &str = "cue.mod/pkg/aedile.dev/schema";

const SCHEMA: &str = include_str!("schema.cue");

/// Aedile's own schema, as CUE definitions: a package that configurations import as `aedile.dev/schema`.
///
/// What is read is decided by [`crate::load`]; the schema says the same in CUE, for editors, `aedile cue vet` and
/// definitions of one's own, and tests hold the two to each other.
pub fn schema() -> &'static str {
    SCHEMA
}

/// The caller's loader, with the schema in front of it.
pub(crate) struct Imports<'s>(pub(crate) &'s (dyn Loader + Send + Sync));

impl Loader for Imports<'_> {
    fn cue_files(&self, dir: &str) -> Result<Vec<(String, String)>, String> {
        if dir == SCHEMA_DIRECTORY {
            return Ok(vec![(format!("{SCHEMA_PACKAGE}/schema.cue"), SCHEMA.to_owned())]);
        }
        self.0.cue_files(dir)
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.file(path)
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, String> {
        self.0.list(dir)
    }

    fn directory(&self, file: &str) -> Result<String, String> {
        self.0.directory(file)
    }
}
