//! Configurations: source texts in CUE go in, a typed [`Project`] comes out, or every mistake with file, line and column.
//!
//! [`load`] evaluates a CUE package, reads its hosts and resources (in verbose and in concise form), and yields what
//! plans are made from: [`plan::Desired`] and [`plan::Inventory`]. [`Project::explain`] says where a value comes from.
//!
//! This crate opens no file, knows no time, reaches no host and draws no entropy; texts are arguments, and the same
//! texts give the same project on every machine. No secret value is ever here: a secret is a reference.
//!
//! ```
//! let text = r#"
//!     workspace: name: "shop"
//!     hosts: {
//!         "web-1": {address: "10.0.0.1", labels: role: "web"}
//!         "web-2": {address: "10.0.0.2", labels: role: "web"}
//!     }
//!     targets: labels: role: "web"
//!     linux: pkg: nginx: {}
//!     resources: site: {
//!         type: "linux.file"
//!         config: {path: "/etc/nginx/site.conf", content: "listen 80;"}
//!         dependencies: [{resource_id: "linux-pkg-nginx", type: "require"}]
//!     }
//! "#;
//! let project = config::load(&config::Sources::of("site.cue", text), &config::Options::default()).expect("it is right");
//! assert_eq!(project.name, "shop");
//! assert_eq!(project.hosts.len(), 2);
//! let ids: Vec<&str> = project.desired.resources.iter().map(|one| one.id.as_str()).collect();
//! assert_eq!(ids, ["site", "linux-pkg-nginx"]);
//!
//! let wrong = text.replace("linux-pkg-nginx", "linux-pkg-ngnix");
//! let errors = config::load(&config::Sources::of("site.cue", wrong), &config::Options::default()).unwrap_err();
//! assert_eq!((errors[0].location.line, errors[0].hint.as_deref()), (12, Some("did you mean `linux-pkg-nginx`?")));
//! ```

mod complaint;
mod digest;
mod explain;
mod forms;
mod helpers;
mod imports;
pub mod limits;
mod load;
mod nesting;
mod project;
mod read;
pub mod script;
mod sources;
mod synthetic;
mod variables;

pub use complaint::code_of;
pub use explain::{Explanation, How, Source};
pub use imports::{SCHEMA_PACKAGE, schema};
pub use load::load;
pub use project::{HostConfig, Notes, Project, Sudo};
pub use sources::{Options, RunScript, Sources};
