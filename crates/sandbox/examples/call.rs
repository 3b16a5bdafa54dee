//! Calls an action by hand, for whoever writes one:
//!
//! ```sh
//! cargo run -p sandbox --example call -- COMPONENT INPUT [GRANT ...]
//! ```
//!
//! The output goes to standard output; log lines, what the action says about itself and what the call used go to
//! standard error. HTTP, the key-value store and randomness are not offered here.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its user")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use model::{Coded as _, Digest};
use sandbox::{Config, Grants, Level, Limits, Sandbox, SandboxError, ServiceError, Services};

struct Terminal;

impl Services for Terminal {
    fn log(&self, level: Level, line: &str) {
        eprintln!("{}: {line}", level.as_str());
    }

    fn now(&self) -> Result<u64, ServiceError> {
        let since =
            SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| ServiceError(error.to_string()))?;
        u64::try_from(since.as_millis()).map_err(|error| ServiceError(error.to_string()))
    }
}

async fn call(component: &str, input: &str, grants: &[String]) -> Result<(), SandboxError> {
    let unreadable = |source| SandboxError::Unreadable { path: component.into(), source };
    let bytes = std::fs::read(component).map_err(unreadable)?;
    let module = Sandbox::new(Config::default())?.load(&bytes, Digest::of(&bytes))?;
    let wants: Vec<_> = module.wants().iter().map(|capability| capability.as_str()).collect();
    eprintln!(
        "{}, wants: {}",
        module.digest(),
        if wants.is_empty() { "nothing".into() } else { wants.join(", ") }
    );
    if let Some(description) = module.describe().await? {
        eprintln!("{} (effect: {})", description.summary, description.effect);
    }
    let output = module.call(input, &Grants::parse(grants)?, Arc::new(Terminal), &Limits::default()).await?;
    eprintln!("used {} bytes of memory", output.usage.memory_bytes);
    println!("{}", output.value);
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [component, input, grants @ ..] = args.as_slice() else {
        eprintln!("usage: call COMPONENT INPUT [GRANT ...]");
        return ExitCode::from(2);
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(call(component, input, grants)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error[{}]: {error}", error.code());
            if let Some(hint) = error.hint() {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(error.code().exit.code())
        }
    }
}
