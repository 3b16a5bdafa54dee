//! The plan file: `{"digest": .., "format": "aedile.plan/1", "plan": {..}}` in canonical form (RFC 8785).

use std::ops::Deref;
use std::sync::Arc;

use model::canonical::{self, CanonicalError};
use model::{Coded, Digest, code::plan as code};
use serde::Deserialize;

use crate::document::Body;
use crate::limits;

/// The one format this version reads and writes.
pub const FORMAT: &str = "aedile.plan/1";

/// An immutable plan: what would be done, in which order and why, and what that was told from.
///
/// Its digest is over the canonical form of all of it; approvals bind to the digest. Changing one byte makes another plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    digest: Digest,
    body: Body,
    /// Its file, which is what is kept, judged and digested.
    file: Arc<str>,
    /// Where the body begins in the file.
    begin: usize,
}

/// What is before a plan's digest in its file.
const HEAD: &str = r#"{"digest":""#;

impl Deref for Plan {
    type Target = Body;
    fn deref(&self) -> &Body {
        &self.body
    }
}

/// A plan file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is larger than the limit.
    #[error("the plan file has {bytes} bytes, more than {}", limits::FILE_BYTES_MAX)]
    TooLarge {
        /// How large.
        bytes: usize,
    },
    /// It is not a plan file.
    #[error("this is not a plan file")]
    Unreadable(#[source] serde_json::Error),
    /// Another version wrote it.
    #[error("the plan file has the format `{found}`, and this version reads `{FORMAT}`")]
    Format {
        /// The format it says.
        found: String,
    },
    /// It is not the one its digest was taken of.
    #[error("the plan was changed after it was made: it says {stated} and is {actual}")]
    Tampered {
        /// The digest it says.
        stated: Digest,
        /// The digest it has.
        actual: Digest,
    },
    /// Its parts do not fit together.
    #[error("the plan is not sound: {0}")]
    Unsound(String),
}

impl Coded for FileError {
    fn code(&self) -> &'static model::Code {
        match self {
            Self::Tampered { .. } => code::TAMPERED,
            Self::TooLarge { .. } => code::LIMIT,
            Self::Unreadable(_) | Self::Format { .. } | Self::Unsound(_) => code::BAD_PLAN,
        }
    }

    fn hint(&self) -> Option<String> {
        Some("aedile plan --out FILE".to_owned())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    digest: Digest,
    #[serde(rename = "format")]
    _format: String,
    plan: Body,
}

/// Read first, so that a file of another version is named as that and not by its first strange member.
#[derive(Deserialize)]
struct Head {
    format: String,
}

impl Plan {
    /// Seals a body whose values were checked for depth.
    pub(crate) fn seal(body: Body) -> Self {
        Self::sealed(body).expect("a plan holds texts, numbers and values that were checked for depth")
    }

    fn sealed(mut body: Body) -> Result<Self, CanonicalError> {
        // the digest is over what comes after it, and takes its place when that is known
        let mut bytes = Vec::with_capacity(body.changes.len() * 1024 + 1024);
        let head = format!(r#"{HEAD}{}","format":"{FORMAT}","plan":"#, Digest::ZERO);
        bytes.extend_from_slice(head.as_bytes());
        if !canonical::serialize_and_tell(&body, &mut bytes)? {
            // who makes a run of this plan must see the numbers that whoever reads its file sees
            body = serde_json::from_slice(&bytes[head.len()..])
                .map_err(|error| CanonicalError::Custom(error.to_string()))?;
        }
        let digest = Digest::of(&bytes[head.len()..]);
        let text = digest.to_string();
        bytes[HEAD.len()..][..text.len()].copy_from_slice(text.as_bytes());
        bytes.push(b'}');
        let file = String::from_utf8(bytes).expect("canonical JSON is text");
        Ok(Self { digest, body, begin: head.len(), file: file.into() })
    }

    /// Digest of everything in it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Everything in it.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.body.changes.is_empty()
    }

    /// The document that policies see.
    pub fn document(&self) -> canonical::Text {
        canonical::Text::within(Arc::clone(&self.file), self.begin..self.file.len() - 1)
            .expect("the file ends with the body and a brace")
    }

    /// The text of its file.
    pub fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// Reads the text of [`Plan::file`], however it is laid out, and proves that it is what its digest says.
    pub fn from_file(bytes: &[u8]) -> Result<Self, FileError> {
        if bytes.len() > limits::FILE_BYTES_MAX {
            return Err(FileError::TooLarge { bytes: bytes.len() });
        }
        let head: Head = serde_json::from_slice(bytes).map_err(FileError::Unreadable)?;
        if head.format != FORMAT {
            return Err(FileError::Format { found: head.format });
        }
        let file: File = serde_json::from_slice(bytes).map_err(FileError::Unreadable)?;
        let plan = Self::sealed(file.plan).map_err(|error| FileError::Unsound(error.to_string()))?;
        if plan.digest != file.digest {
            return Err(FileError::Tampered { stated: file.digest, actual: plan.digest });
        }
        plan.check().map_err(FileError::Unsound)?;
        Ok(plan)
    }

    /// What it changes, without the rest of it.
    pub fn into_changes(self) -> Vec<crate::change::Change> {
        self.body.changes
    }

    /// A digest says that nobody changed the plan, not that whoever made it was sane.
    fn check(&self) -> Result<(), String> {
        let total = self.body.changes.len() + self.body.junctions.len();
        let inside = |step: u32| (step as usize) < total;
        let edges = self.body.changes.iter().map(|change| &change.after);
        for edge in edges.chain(self.body.junctions.iter().map(|junction| &junction.after)).flatten() {
            if !inside(edge.step) {
                return Err(format!("there is no step {}", edge.step));
            }
        }
        for handler in &self.body.handlers {
            if let Some(step) = handler.triggers.iter().chain(&handler.own).find(|step| !inside(**step)) {
                return Err(format!("there is no step {step}"));
            }
        }
        let order = crate::graph::order(total, |step| self.after(step).iter().map(|edge| edge.step));
        if order.len() == total {
            Ok(())
        } else {
            Err("its steps wait for each other in a circle".to_owned())
        }
    }

    /// What a step comes after: a change, or behind the last of them a junction.
    pub(crate) fn after(&self, step: u32) -> &[crate::change::Edge] {
        let changes = self.body.changes.len();
        match self.body.changes.get(step as usize) {
            Some(change) => &change.after,
            None => self.body.junctions.get(step as usize - changes).map_or(&[], |junction| &junction.after),
        }
    }

    /// Changes and junctions.
    pub(crate) fn steps(&self) -> usize {
        self.body.changes.len() + self.body.junctions.len()
    }

    pub(crate) fn graph(&self) -> crate::graph::Graph {
        let changes = self.body.changes.iter().map(|change| change.after.clone());
        let junctions = self.body.junctions.iter().map(|junction| junction.after.clone());
        crate::graph::Graph { after: changes.chain(junctions).collect() }
    }
}
