//! The seam to providers: what knows types of resources, and what is allowed to happen because of it.
//!
//! A [`Provider`] is a pure transform. It says which types there are ([`Description`]), what it wants to know
//! ([`exchange::Query`]), what a resource is ([`Inspected`]), and what has to be done ([`exchange::Op`]); it sees and
//! changes nothing itself. A [`Target`] carries that out. Between them [`inspect`] and [`apply`] run the rounds, ask
//! every question once, and refuse what a type does not declare ([`Needs`]): what a plan shows is all that applying it
//! may touch. [`conformance`] measures whether a provider keeps its word.
//!
//! This crate ships no provider, opens no connection, runs no WebAssembly, and keeps no state.
//!
//! ```
//! use provider::exchange::{Op, Ownership, Query};
//! use provider::{Description, Needs};
//!
//! let schema = r#"{
//!     "name": "linux.motd", "version": "1.0.0",
//!     "types": { "linux.motd": {
//!         "attributes": { "path": { "type": "text", "required": true }, "text": { "type": "text" } },
//!         "identity": ["path"],
//!         "capabilities": ["write:{path}"]
//!     } }
//! }"#;
//! let described = Description::parse("linux.motd", schema)?;
//! let kind = &described.types["linux.motd"];
//! let declared = serde_json::json!({ "path": "/etc/motd", "text": "hello" });
//! let needs = Needs::of(kind, declared.as_object().expect("an object"));
//!
//! let remove = |path: &str| Op::Remove { path: path.into(), recursive: false };
//! assert!(needs.allow(&remove("/etc/motd")).is_ok());
//! assert!(needs.allow(&remove("/etc/shadow")).is_err(), "nobody approved that");
//! # Ok::<(), provider::ProviderError>(())
//! ```

pub mod conformance;
mod description;
mod drive;
mod error;
pub mod exchange;
mod file;
pub mod limits;
mod needs;
mod seam;
pub mod step;

pub use description::{Description, FileUse, TypeDescription};
pub use drive::{Group, Inspected, apply, inspect, needs_of};
pub use error::ProviderError;
pub use exchange::Attributes;
pub use file::ProjectFile;
pub use needs::{Needs, Rights, check_capability, chosen_programs};
pub use seam::{BoxFuture, Files, Nothing, Probes, Provider, Target};
