//! Changes of the record of what was applied, as plans.

use model::Digest;
use plan::{Plan, RecordChange, RecordError};

use super::planning::Wanted;
use super::site::Site;
use crate::ProjectError;

/// Why no plan about the record can be made.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// Because of what is asked for.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Because of the project.
    #[error(transparent)]
    Project(#[from] ProjectError),
}

impl model::Coded for RecordingError {
    fn code(&self) -> &'static model::Code {
        match self {
            Self::Record(error) => error.code(),
            Self::Project(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Record(error) => error.hint(),
            Self::Project(error) => error.hint(),
        }
    }
}

impl Site {
    /// A plan that changes the record and touches no host. The configuration is not read: it may be wrong, or gone.
    ///
    /// # Errors
    /// A name stands for nothing or is taken; the journal cannot be read.
    pub fn record(&self, wanted: &[RecordChange]) -> Result<Plan, RecordingError> {
        let (position, applied) = self.applied()?;
        let header = self.header(&Wanted::default(), position, Digest::of(b""));
        Ok(plan::record(wanted, &applied, &header)?)
    }
}
