//! Reaching a target: this machine, or a host by SSH; host keys; the upload of the runner; sessions with it.
//!
//! A [`Target`] is where effects land. [`Local`] holds the session in this process, [`Remote`] brings the runner to a host: one
//! connection, every session a channel of it. A host key that has changed is refused, one that is not on record too unless
//! [`NewKeys::Accept`] says otherwise. [`onboard`] has the steps that make a user, a key and rights for it. No password is ever an argument or part of a frame.
//!
//! This crate never decides what is done, keeps no agent on a target, and repeats nothing that has effect once.
//!
//! ```
//! use std::time::Duration;
//!
//! use remote::{Local, Request, Start, Target as _};
//! use runner::protocol::{Answer, Grants, Op};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let grants = Grants { read: vec!["/etc".into()], ..Grants::default() };
//! let session = Local::new(Start::default()).open(grants).await?;
//! let look = |path: &str| Op::Stat { path: path.into(), digest: false, follow: false };
//! let both = ["/etc/passwd", "/root"].map(|path| Request::new(look(path), Duration::from_secs(5)));
//! let replies = session.batch(both.into()).await?;
//! assert!(matches!(&replies[0], Ok(reply) if matches!(&reply.answer, Answer::Stat { file: Some(_) })));
//! assert!(replies[1].as_ref().is_err_and(|why| why.to_string().contains("not below a directory granted")));
//! assert_eq!(session.close().await.map(|farewell| farewell.commands_total), Some(2));
//! # Ok(()) }
//! ```

mod carrier;
mod error;
mod gather;
mod host;
pub mod identity;
mod known_hosts;
pub mod limits;
mod link;
pub mod onboard;
mod pool;
mod prompt;
mod session;
mod ssh;
mod system;
mod target;
mod upload;

pub use carrier::{Carrier, grants};
pub use error::RemoteError;
pub use host::{Credential, Host, NewKeys};
pub use pool::{Permit, Pool};
pub use session::{Content, Event, Farewell, Reply, Request, Running, Session};
pub use ssh::{HostKey, host_key, login_methods};
pub use target::{Local, Remote, Target, Transport};
pub use upload::{Runner, Start, Sudo};
