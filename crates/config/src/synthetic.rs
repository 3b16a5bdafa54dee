//! What is added to a package before it is evaluated (the environment's name, variables, helpers' results), and where
//! each of it really comes from.

use std::sync::Arc;

use cue::load::SourceFile;
use cue::{Errors, Located, LocatedData, Spot};
use serde_json::Value;

/// The name of the added file, which nobody ever sees: places in it are replaced by where things come from.
const FILE: &str = "<added>";

/// Where an added line comes from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) spot: Spot,
    /// In words: `--var replicas`.
    pub(crate) why: String,
}

/// The added lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Synthetic {
    text: String,
    origins: Vec<Origin>,
}

/// A place that is not in a file.
pub(crate) fn outside(what: &str) -> Spot {
    Spot { file: Arc::from(what), line: 0, column: 0 }
}

impl Synthetic {
    /// Adds a value at a path, which begins with one of the names that mean something at the top of a package.
    pub(crate) fn add(&mut self, path: &[&str], value: &Value, spot: Spot, why: String) {
        for (depth, part) in path.iter().enumerate() {
            // a quoted name at the top could not be referred to by name
            let name = if depth == 0 { (*part).to_owned() } else { Value::from(*part).to_string() };
            self.text.push_str(&name);
            self.text.push_str(": ");
        }
        // JSON is CUE; what follows a line break inside of texts is escaped, so that this is one line
        self.text.push_str(&value.to_string());
        self.text.push('\n');
        self.origins.push(Origin { spot, why });
    }

    /// How many lines there are.
    pub(crate) fn len(&self) -> usize {
        self.origins.len()
    }

    /// As a file of the package; `None` when there is nothing to add.
    pub(crate) fn file(&self) -> Result<Option<SourceFile>, Errors> {
        if self.origins.is_empty() { Ok(None) } else { SourceFile::new(FILE, &self.text).map(Some) }
    }

    /// Where a place in the added file comes from; `None` for places in other files.
    pub(crate) fn origin(&self, file: &str, line: u32) -> Option<&Origin> {
        (file == FILE).then(|| self.origins.get((line as usize).checked_sub(1)?)).flatten()
    }

    /// Replaces places in the added file.
    pub(crate) fn relocate(&self, value: &mut Located) {
        if self.origins.is_empty() {
            return;
        }
        if let Some(origin) = self.origin(&value.spot.file, value.spot.line) {
            value.spot = origin.spot.clone();
        }
        match &mut value.data {
            LocatedData::List(items) => items.iter_mut().for_each(|item| self.relocate(item)),
            LocatedData::Object(fields) => fields.iter_mut().for_each(|(_, field)| self.relocate(field)),
            _ => {}
        }
    }
}
