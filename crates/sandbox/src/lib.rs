//! Runs WASM actions: WebAssembly components that turn JSON text into JSON text and can touch nothing but what the
//! project grants them.
//!
//! For the composition root and whoever performs `wasm.*` actions. An action is a component of the world in
//! `wit/action`; its imports (log, HTTP, key-value, clock, randomness) work only where the project's [`Grants`] say so,
//! and what they do is done by the embedding program's [`Services`], so this crate opens no socket and reads no clock
//! for a guest. There is no WASI.
//!
//! Every call has a fresh instance and [`Limits`] on memory, time, input, output and everything else. An endless loop,
//! a memory bomb, a crash or a missing capability is one [`SandboxError`] each, and the sandbox goes on as before.
//!
//! It never trusts a package about its own rights, never runs a component whose digest is not the pinned one, and
//! never runs compiled code from its cache without verifying it.
//!
//! ```
//! use std::sync::Arc;
//! use sandbox::{Config, Grants, Limits, NoServices, Sandbox};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! let component = include_bytes!("../../../guests/components/echo-0.1.0.wasm");
//! let sandbox = Sandbox::new(Config::default())?;
//! let echo = sandbox.load(component, model::Digest::of(component))?;
//! let output = echo.call(r#"{"n":1}"#, &Grants::none(), Arc::new(NoServices), &Limits::default()).await?;
//! assert_eq!(output.value["n"], 1);
//! # Ok::<(), sandbox::SandboxError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bindings;
mod cache;
mod call;
mod capability;
mod catalog;
mod engine;
mod error;
mod grants;
mod hostcalls;
pub mod limits;
mod module;
mod provide;
mod provide_types;
mod request;
mod sandbox;
mod services;
mod shipped;
mod state;
mod text;
mod ticker;

pub use cache::Origin;
pub use capability::{Capability, PACKAGE};
pub use catalog::Catalog;
pub use error::{Failure, FailureKind, Retry, SandboxError};
pub use grants::{Grant, Grants, HostGrant, KvGrant};
pub use limits::Limits;
pub use module::{Description, Module, Output};
pub use provide::ProviderModule;
pub use sandbox::{Config, Sandbox};
pub use semver::Version;
pub use services::{
    BoxFuture, HttpError, HttpRequest, HttpResponse, Level, NoServices, ServiceError, Services,
};
pub use shipped::{SHIPPED, Shipped};
pub use state::Usage;
pub use url::Url;
