//! Developer tasks, run as `cargo xtask TASK`.
fn main() -> std::process::ExitCode {
    #[expect(clippy::print_stderr, reason = "a command line tool")]
    eprintln!("usage: cargo xtask TASK");
    std::process::ExitCode::from(2)
}
