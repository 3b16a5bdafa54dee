//! The program `aedile`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(std::env::args_os(), &cli::World::of_this_machine())
}
