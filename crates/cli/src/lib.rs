//! The command line of Aedile: arguments, commands, views and prompts, and the composition root.
//!
//! For the program `aedile` and its tests. A command is an argument type ([`args`]), a function from it to an answer, and views
//! that turn values into text. Answers go to standard output, narration to standard error; with `--json` both are JSON. It
//! holds no logic that a server would need: that is in `project` and `engine`. It never takes a clock, randomness or the user
//! from a variable or a flag: see [`World`].
//!
//! ```
//! use clap::Parser;
//!
//! let cli = cli::args::Cli::parse_from(["aedile", "explain", "E0301", "--json"]);
//! assert!(cli.global.json);
//! ```

pub mod args;
mod commands;
mod logins;
mod memory;
pub mod report;
pub mod ui;
pub mod views;
mod world;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

pub use world::{Told, World};

use report::Report;

/// Runs the command that `args` ask for, and answers the process's exit code.
pub fn main(args: impl IntoIterator<Item = OsString>, world: &World) -> ExitCode {
    let small_pages = memory::small_pages();
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match args::Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(refuse(&error, &args)),
    };
    if small_pages && !matches!(cli.command, args::Command::Server(_) | args::Command::Ui(_)) {
        memory::large_pages();
    }
    let mut ui = ui::Ui::new(&cli.global);
    let code = match commands::run(&mut ui, world, &cli) {
        Ok(code) => code,
        Err(report) => {
            let report = report.or_hint_at_usage(|| help_of(&args)).at(&ui.away);
            report.show(&mut ui);
            report.exit()
        }
    };
    ui.flush();
    // half an answer is none, whatever the command itself came to
    match ui.take_broken() {
        Some(error) => {
            let report = unwritten(&error);
            report.show(&mut ui);
            ExitCode::from(if code == 0 { report.exit() } else { code })
        }
        None => ExitCode::from(code),
    }
}

fn unwritten(error: &std::io::Error) -> Report {
    Report::new(model::code::general::UNWRITABLE, "the answer could not be written to standard output")
        .caused_by(error.to_string())
}

/// Help and version go to standard output; everything else is a wrong command line, in the one form of errors.
fn refuse(error: &clap::Error, args: &[OsString]) -> u8 {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        return match error.print() {
            // a reader that went away has seen enough
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                let report = unwritten(&error);
                report.show(&mut ui::Ui::new(&plain(false)));
                report.exit()
            }
            _ => u8::try_from(error.exit_code()).unwrap_or(2),
        };
    }
    let mut ui = ui::Ui::new(&plain(args.iter().any(|arg| arg == "--json")));
    let report = usage_report(error).or_hint_at_usage(|| help_of(args));
    report.show(&mut ui);
    ui.flush();
    report.exit()
}

/// Options of a command line that could not be read.
fn plain(json: bool) -> args::Global {
    args::Global {
        env: None,
        project: None,
        server: None,
        json,
        quiet: false,
        verbose: 0,
        color: args::Color::Auto,
        no_input: true,
    }
}

/// What clap says about a wrong command line, as one of our errors.
fn usage_report(error: &clap::Error) -> Report {
    let text = error.to_string();
    let mut paragraphs = text.split("\n\n");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let what = words(paragraphs.next().unwrap_or_default().trim_start_matches("error: "));
    let mut report = Report::usage(what);
    for paragraph in paragraphs {
        if let Some(tip) = paragraph.trim_start().strip_prefix("tip: ") {
            report = report.caused_by(words(tip));
        }
    }
    report
}

/// What shows how the command that `args` name is typed.
fn help_of(args: &[OsString]) -> String {
    let root = args::Cli::command();
    let mut command = &root;
    let mut names = vec![root.get_name().to_owned()];
    for arg in args.iter().skip(1).filter_map(|arg| arg.to_str()) {
        if let Some(found) = command.find_subcommand(arg) {
            names.push(found.get_name().to_owned());
            command = found;
        }
    }
    names.push("--help".to_owned());
    names.join(" ")
}
