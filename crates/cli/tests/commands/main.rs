//! Whole-command tests: arguments in; standard output, standard error and exit code out, as snapshots.
//!
//! This program is two things. Started by a person it is a test runner. Started by one of its own tests it is the command line
//! in a world with a fixed clock, fixed randomness and a fixed user, so that transcripts read the same every day. The program
//! `aedile` has no such world and no way to ask for one.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "every line of this program is a test")]

mod bad_input;
mod cue;
mod deciding;
mod examples;
mod general;
mod harness;
mod programs;
mod providers;
mod proving;
mod running;
mod schedules;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(world) = harness::world() {
        return cli::main(std::env::args_os(), &world);
    }
    let arguments = libtest_mimic::Arguments::from_args();
    let trials = [
        general::trials(),
        running::trials(),
        deciding::trials(),
        proving::trials(),
        examples::trials(),
        programs::trials(),
        providers::trials(),
        cue::trials(),
        bad_input::trials(),
        schedules::trials(),
    ];
    let trials = trials.into_iter().flatten().collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
