//! Aedile behind HTTP: the interface for programs, who may use it, and the web interface Operate.
//!
//! One process serves one or more projects. Every environment of them is put to work as the command line does it
//! ([`project::Workshop`]), so whatever is done here is judged, approved and recorded on the same path. Nothing but health, sign-in
//! and static files is answered to somebody who is not signed in, and an environment is reached only through [`at::At`],
//! which decides who may.
//!
//! It holds no rule about runs, approvals or policy: those are in `engine` and `policy`. It keeps no state of its own but who may
//! sign in ([`identity`]), in a journal like any other. It never asks for a password, and it never answers on an address that
//! others can reach without encryption unless it is told that something in front of it encrypts.
//!
//! ```no_run
//! # async fn serve(machine: project::Machine) -> Result<(), server::ServerError> {
//! let project = project::Project::open(std::path::Path::new("shop"))?;
//! let options = server::Options::new(vec![project], machine);
//! let server = server::Server::open(options, "127.0.0.1:8420".parse().expect("it is an address"))?;
//! let listening = server.listen().await?;
//! println!("{}", listening.url());
//! listening.serve(std::future::pending()).await
//! # }
//! ```

pub mod app;
pub mod at;
pub mod bench;
mod body;
pub mod config;
pub mod error;
pub mod feed;
mod guard;
pub mod handlers;
pub mod identity;
pub mod limits;
mod metrics;
pub mod operate;
mod presence;
pub mod problem;
pub mod reads;
pub mod routes;
mod schedules;
mod serve;
mod sockets;
pub mod stream;
pub mod timetable;
mod tls;
pub mod view;
pub mod words;

pub use app::App;
pub use error::ServerError;
pub use presence::served_at;
pub use problem::Problem;
pub use serve::{Listening, Options, Server, default_state};
pub use tls::Tls;
