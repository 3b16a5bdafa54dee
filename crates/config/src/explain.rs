//! Where values come from.

use model::{Diagnostic, Location, code::config as code};
use plan::Place;

use crate::complaint;
use crate::project::Project;
use crate::read::suggestion;
use crate::synthetic::Synthetic;
use crate::variables::member;

/// Where what was added to the package comes from.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    pub(crate) added: Synthetic,
}

/// One of the places that a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where. Line 0 when it comes from no file, such as `--var replicas`.
    pub place: Place,
    /// What is written there.
    pub text: String,
    /// How it got here.
    pub how: How,
}

/// How a place takes part in a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// It is written for the very value.
    Declared,
    /// The value refers to it: a definition, another field.
    Referred,
    /// It was added for this reason: an environment, `--var`, a helper.
    Added(String),
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The value as it came out, in CUE.
    pub value: String,
    /// Everything that has part in it, what is written for the very value first.
    pub sources: Vec<Source>,
}

impl Project {
    /// Where the value at a path comes from. A path is as in CUE, `resources.web.config.version`, or a JSON pointer as
    /// diagnostics have it, `/resources/web/config/version`.
    ///
    /// # Errors
    /// There is no such value; the hint names the nearest. After [`Project::forget_values`] there is none at all.
    pub fn explain(&self, path: &str) -> Result<Explanation, Diagnostic> {
        let parts = match path.strip_prefix('/') {
            Some(rest) => {
                rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect::<Vec<_>>()
            }
            None => complaint::split(path),
        };
        let Some(mut value) = self.root.clone() else {
            let location = Location { path: path.to_owned(), ..Location::default() };
            return Err(Diagnostic::error(code::NO_SUCH_VALUE, "the values were given up", location));
        };
        for (depth, part) in parts.iter().enumerate() {
            let inner = if part.starts_with('#') {
                value.definitions().into_iter().find(|(name, _)| name == part).map(|(_, inner)| inner)
            } else {
                member(&value, part)
            };
            let Some(inner) = inner else {
                let fields = value.fields();
                let hint = suggestion(part, fields.iter().map(|(name, _)| name.as_str()));
                let message = format!("there is no `{part}` in `{}`", parts[..depth].join("."));
                let location = Location { path: path.to_owned(), ..Location::default() };
                let mut diagnostic = Diagnostic::error(code::NO_SUCH_VALUE, message, location);
                diagnostic.hint = hint;
                return Err(diagnostic);
            };
            value = inner;
        }
        let written =
            value.to_cue(cue::export::CueOptions::default()).unwrap_or_else(|errors| errors.to_string());
        let sources = value.declarations().into_iter().map(|one| self.source(one)).collect();
        Ok(Explanation { value: written.trim_end().to_owned(), sources })
    }

    fn source(&self, one: cue::Declaration) -> Source {
        if let Some(origin) = self.origins.added.origin(&one.position.file, one.position.line) {
            let spot = &origin.spot;
            let place = Place::new(&spot.file, spot.line, spot.column);
            return Source { place, text: one.text, how: How::Added(origin.why.clone()) };
        }
        let place = Place::new(&one.position.file, one.position.line, one.position.column);
        let how = if one.direct { How::Declared } else { How::Referred };
        Source { place, text: one.text, how }
    }
}
