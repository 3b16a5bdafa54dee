//! How answers look. Pure: from values to text.

pub mod approvals;
pub mod events;
pub mod live;
pub mod runs;
pub mod table;
pub mod time;

/// A value of the interface as `--json` shows it.
///
/// # Errors
/// It cannot be written as JSON, which is a mistake in it.
pub fn json(value: &impl serde::Serialize) -> Result<serde_json::Value, crate::report::Report> {
    serde_json::to_value(value).map_err(|error| {
        crate::report::Report::internal("an answer cannot be written as JSON").caused_by(error.to_string())
    })
}
