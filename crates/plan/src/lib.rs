//! Plans: what would have to be done so that the world is as the configuration says, in which order, and why.
//!
//! [`plan()`] compares what is declared ([`Desired`]), what is ([`Observed`]) and what was applied last ([`Applied`]),
//! attribute by attribute, orders the differences, gives each a [`Reason`], and yields a [`Plan`]: immutable, with a
//! digest that approvals bind to, and a file form that proves it.
//!
//! This crate never reads or changes anything: it opens no file, calls no provider, knows no time and draws no entropy.
//! The same arguments give the same plan on every machine. No secret value is ever in a plan: a secret is a reference
//! and a keyed digest.
//!
//! ```
//! use plan::schema::{AttributeSchema, AttributeType, ProviderSchema, TypeSchema};
//! use plan::{Desired, Header, Inventory, Observed, Operation, Place, Resource, Schemas, SealingKey, World};
//!
//! // a provider with one type
//! let path = AttributeSchema::new(AttributeType::Text).required();
//! let file = TypeSchema::new([("path".parse()?, path), ("mode".parse()?, AttributeSchema::new(AttributeType::Text))]);
//! let provider = ProviderSchema { version: "1.0.0".into(), types: [("linux.file".parse()?, file)].into() };
//! let schemas = Schemas { providers: [("linux.file".into(), provider)].into() };
//!
//! // a configuration of one file, on every host
//! let place = Place::new(&"site.cue".into(), 3, 1);
//! let motd = Resource::new("motd".parse()?, "linux.file".parse()?, place).with("path".parse()?, "/etc/motd");
//! let desired = Desired { resources: vec![motd], checks: Vec::new() };
//!
//! // a host on which it is not there
//! let mut world = World::new(Inventory { hosts: [("web-1".parse()?, [].into())].into() }, SealingKey::new([7; 32]));
//! world.observed.insert("web-1/motd".parse()?, Observed::Absent);
//!
//! let header = Header {
//!     id: model::PlanId::from_parts(0, 1),
//!     created: model::Timestamp::UNIX_EPOCH,
//!     environment: "dev".parse()?,
//!     parent: None,
//!     position: 0,
//!     configuration: model::Digest::of(b"site.cue"),
//!     policy: model::Digest::of(b"policy.yaml"),
//!     facts: model::Digest::of(b"facts"),
//!     variables: std::collections::BTreeMap::new(),
//!     focus: Vec::new(),
//!     only: Vec::new(),
//!     destroy: false,
//! };
//! let plan = plan::plan(&desired, &world, &schemas, &header).expect("nothing is wrong with it");
//! assert_eq!(plan.changes[0].operation, Operation::Create);
//! assert_eq!(plan::Plan::from_file(plan.file().as_bytes())?, plan);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod apply;
mod build;
mod change;
mod desired;
mod diff;
mod document;
mod drift;
mod expand;
mod file;
mod graph;
mod inventory;
pub mod limits;
mod lines;
mod name;
mod observed;
mod record;
mod render;
pub mod schema;
mod secret;
mod stale;
mod undo;
mod value;

pub use apply::Apply;
pub use build::{Header, adopt, check, plan};
pub use change::{
    Change, Edge, Field, FieldCause, Fingerprint, Handler, Junction, Operation, PlannedCheck, Reason,
};
pub use desired::{Attribute, Check, Dependency, DependencyKind, Desired, Place, Resource};
pub use document::{Basis, Body, Counts, Reach, TypeUse, schema as document_schema};
pub use drift::Drift;
pub use file::{FORMAT, FileError, Plan};
pub use inventory::{Inventory, Selector};
pub use lines::{Budget, Line};
pub use name::{Host, Instance, Name, NameError, ResourceId, TypeName, nearest};
pub use observed::{Applied, Observed, World};
pub use record::{RecordChange, RecordError, record};
pub use render::Row;
pub use schema::Schemas;
pub use secret::{Seals, refers_to_secret, secrets_in};
pub use stale::{Moved, Now, Stale};
pub use undo::{NotUndoable, Undo, undo};
pub use value::{
    Held, OutputRef, Seal, SealingKey, Term, Values, fill, output_reference, references_in, refers_to_output,
};
