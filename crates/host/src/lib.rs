//! The machine: its clock and randomness, secrets kept on it, programs run on it, and ways to tell people something.
//!
//! For the program that puts Aedile together. [`SystemClock`] and [`SystemEntropy`] are the engine's time and chance;
//! [`LayeredSecrets`] and [`PlacedSecrets`] are where secrets come from and [`WithSecrets`] what keeps them out of everything that comes
//! back; [`Processes`] performs `run.shell`, `run.script` and `run.container`; [`Notifications`] performs `notify.send`
//! and tells people about approvals.
//!
//! It never decides whether something may be done, never retries, never passes its own environment on, and never puts
//! a secret into a command line.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use std::sync::Arc;
//! use engine::ports::{Cancellation, Context, Performer};
//! use host::{EnvSecrets, LayeredSecrets, Processes, WithSecrets};
//! use model::{Action, EffectClass, Principal, Reversibility, RunId, StepId};
//!
//! let (_canceller, cancellation) = Cancellation::new();
//! let context = Context {
//!     run: RunId::from_parts(1_700_000_000_000, 1),
//!     step: StepId::new("/do/0/hello"),
//!     attempt: 1,
//!     principal: Principal::system(),
//!     actions: Arc::default(),
//!     granted: Arc::default(),
//!     secrets: Arc::new(LayeredSecrets::new().then(EnvSecrets)),
//!     cancellation,
//! };
//! let action = Action {
//!     kind: "run.shell".to_owned(),
//!     target: "echo".to_owned(),
//!     input: serde_json::json!({"command": "echo \"hello $1\"", "arguments": ["world"]}).into(),
//!     effect: EffectClass::Once,
//!     reversibility: Reversibility::Irreversible,
//!     wants: vec![],
//!     idempotency_key: "key".to_owned(),
//! };
//! let performer = WithSecrets::scrubbing(Processes::new());
//! assert_eq!(*performer.perform(&context, &action).await.unwrap(), "hello world");
//! # });
//! ```

pub mod limits;
pub mod notify;
mod process;
pub mod secrets;
mod time;

pub use notify::{Channel, Deliver, Message, Notifications};
pub use process::{Fetch, Interpreter, Processes, ProgramError};
pub use secrets::{
    EnvSecrets, FileSecrets, LayeredSecrets, PlacedSecrets, SecretSource, WithSecrets, reveal,
};
pub use time::{SystemClock, SystemEntropy};
