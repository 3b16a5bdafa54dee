//! The runner: what carries out typed commands on a target, and the protocol it is spoken to in.
//!
//! A caller copies the program `aedile-runner` to a target, starts it, and speaks frames with it over its standard streams:
//! many commands in one write, answers tagged by id as they come, output as events. It holds the session's grants, keeps
//! every limit of [`limits`], ends at its own deadline even when nobody speaks, and removes itself at the end. The same
//! session can be held in the caller's own process.
//!
//! It never opens a connection, never listens, keeps nothing between sessions, and never decides: what is done was judged
//! and approved before a command is sent.
//!
//! ```
//! use std::io::{Read as _, Write as _};
//! use std::time::Duration;
//!
//! use runner::limits::{ANSWER_MAX, HEAD_MAX};
//! use runner::protocol::{Command, FromRunner, GREETING, Grants, Hello, Input, Op, ToRunner, VERSION};
//! use runner::serve::{Options, serve};
//! use runner::wire::{Decoder, encode};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (to_runner, mut ours) = std::io::pipe()?;
//! let (mut answers, from_runner) = std::io::pipe()?;
//! let options = Options { lifetime: Duration::from_secs(60), delete: None };
//! let session = std::thread::spawn(move || serve(to_runner, from_runner, &options));
//!
//! let op = Op::Stat { path: "/".into(), digest: false, follow: false };
//! let stat = Command { id: 1, key: None, lane: None, timeout_ms: 1000, input: Input::None, op };
//! let hello = Hello { protocol: VERSION, grants: Grants::everything() };
//! for message in [ToRunner::Hello(hello), ToRunner::Run(stat), ToRunner::Exit] {
//!     ours.write_all(&encode(&message, &[], HEAD_MAX)?)?;
//! }
//! let mut bytes = Vec::new();
//! answers.read_to_end(&mut bytes)?;
//! let mut decoder = Decoder::new(ANSWER_MAX);
//! decoder.push(&bytes[GREETING.len()..]);
//! let mut kinds = Vec::new();
//! while let Some(frame) = decoder.next_frame()? {
//!     kinds.push(match frame.message()? {
//!         FromRunner::Ready(_) => "ready",
//!         FromRunner::Done(_) => "done",
//!         FromRunner::Exit(_) => "exit",
//!         _ => "other",
//!     });
//! }
//! assert_eq!(kinds, ["ready", "done", "exit"]);
//! # assert_eq!(session.join().map(|end| end.commands_total).ok(), Some(1));
//! # Ok(()) }
//! ```

mod accounts;
mod change;
mod control;
mod durable;
mod exec;
pub mod facts;
mod fault;
mod file;
pub mod limits;
mod op;
mod output;
mod path;
mod perform;
mod pool;
pub mod protocol;
pub mod serve;
pub mod wire;
