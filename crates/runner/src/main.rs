//! `aedile-runner`: holds one session over its standard streams, then removes itself.

use std::process::ExitCode;
use std::time::Duration;

use runner::limits::{LIFETIME_DEFAULT, LIFETIME_MAX};
use runner::serve::{Options, serve};

const USAGE: &str = "\
usage: aedile-runner [--lifetime-ms N] [--delete-self]
       aedile-runner --version

It is started by aedile on a target and speaks frames over its standard streams, nothing a person would type.
";

fn arguments() -> Result<Option<Options>, String> {
    let mut options = Options { lifetime: LIFETIME_DEFAULT, delete: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--version" => return Ok(None),
            "--delete-self" => {
                let own =
                    std::env::current_exe().map_err(|why| format!("its own file cannot be found: {why}"))?;
                options.delete = Some(own);
            }
            "--lifetime-ms" => {
                let value = arguments.next().and_then(|text| text.parse().ok()).filter(|ms| *ms > 0);
                let lifetime = value.map(Duration::from_millis).filter(|lifetime| *lifetime <= LIFETIME_MAX);
                options.lifetime = lifetime
                    .ok_or_else(|| format!("--lifetime-ms takes 1 to {}", LIFETIME_MAX.as_millis()))?;
            }
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    Ok(Some(options))
}

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the program's own surface")]
fn main() -> ExitCode {
    match arguments() {
        Ok(None) => {
            println!("aedile-runner {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Ok(Some(options)) => {
            // The farewell has been said; how the session ended is in it.
            let _farewell = serve(std::io::stdin(), std::io::stdout(), &options);
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprint!("aedile-runner: {why}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}
