//! Whole-command tests: arguments in; standard output, standard error and exit code out, as snapshots.
//!
//! This program is two things. Started by a person it is a test runner. Started by one of its own tests it is the command line
//! in a world with a fixed clock, fixed randomness and a fixed user, so that transcripts read the same every day. The program
//! `aedile` has no such world and no way to ask for one.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "every line of this program is a test")]

mod deciding;
mod examples;
mod general;
mod harness;
mod proving;
mod running;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(world) = harness::world() {
        return cli::main(std::env::args_os(), &world);
    }
    let arguments = libtest_mimic::Arguments::from_args();
    // their transcripts are not recorded yet: run them with `--ignored` and INSTA_UPDATE=always, and read what they say
    let unrecorded = [running::trials(), deciding::trials(), proving::trials(), examples::trials()];
    let unrecorded = unrecorded.into_iter().flatten().map(|trial| trial.with_ignored_flag(true));
    let trials = general::trials().into_iter().chain(unrecorded).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
