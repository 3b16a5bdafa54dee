//! Operate, the web interface: what is broken, what waits, what changed; runs, approvals, policy and the journal.
//!
//! Pages are pure functions of what the interface for programs answers and of who looks: `fn page(&Frame, &View) -> Markup`.
//! They are whole documents that work without scripts as links and forms; the one script keeps them current, and never moves
//! what somebody is about to press. Nothing is inline, so the content security policy can refuse all that is.
//!
//! What users wrote is escaped by the template language, shown without control characters and without what changes the
//! direction of text, and never without end. Pages hold no secret: the journal has none.

pub mod approvals;
pub mod assets;
mod chart;
pub mod errors;
pub mod frame;
mod icons;
pub mod journal;
mod limits;
pub mod overview;
mod parts;
pub mod policy;
mod proposal;
pub mod review;
pub mod run;
mod run_words;
pub mod runs;
pub mod settings;
mod status;
mod text;
mod time;
pub(crate) mod web;
mod words;

pub use frame::{Frame, Place, Section, Viewer, outside};

#[cfg(test)]
mod tests;
