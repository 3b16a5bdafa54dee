//! A project on disk, and the engine it makes.
//!
//! For every surface that works on a project (command line, later the server): finds the project's directory, reads its
//! files, opens an environment's store, and composes the [`engine`] for it from the adapters. It holds no business rule of its
//! own, prints nothing, and writes nothing while only reading is asked for.
//!
//! ```text
//! aedile.yaml        name, environments, actions, notify, secrets
//! access.yaml        roles, and who may act as whom
//! policy/            policy.yaml, *.rego and their tests
//! workflows/         *.yaml, *.json
//! infrastructure/    *.cue: hosts and what they should be
//! providers/         NAME/manifest.yaml and its component
//! .aedile/ENV/       journal.db, keys/, engines/, cache/    (never in git)
//! ```
//!
//! ```
//! use project::Manifest;
//!
//! let manifest = Manifest::parse("name: shop\nenvironments: {dev: {}, prod: {}}\n", "aedile.yaml")?;
//! assert_eq!(manifest.environment(None)?.as_str(), "dev");
//! assert!(manifest.environment(Some("production")).is_err());
//! # Ok::<(), project::ProjectError>(())
//! ```

pub mod access;
pub mod backup;
mod channels;
pub mod cue_module;
pub mod decisions;
pub mod error;
pub mod infrastructure;
pub mod keys;
pub mod layout;
pub mod limits;
pub mod machine;
pub mod manifest;
pub mod onboarding;
pub mod place;
pub mod presence;
pub mod programs;
pub mod proposing;
pub mod providers;
pub mod rules;
pub mod scaffold;
pub mod scheduling;
pub mod text;
mod wasm;
pub mod workshop;

pub use access::{Access, Actor};
pub use channels::Lines;
pub use error::ProjectError;
pub use keys::Keys;
pub use layout::StateDir;
pub use manifest::Manifest;
pub use place::{Place, PlaceError, Project};
pub use presence::{Alive, Engines};
pub use programs::{Document, WorkflowPrograms};
pub use rules::{InForce, Rules};
pub use workshop::{Machine, Workshop, WorkshopError};
