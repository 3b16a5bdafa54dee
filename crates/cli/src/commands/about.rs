//! `completion` and `version`: about the program itself.

use clap::CommandFactory;
use serde_json::json;

use crate::args::Cli;
use crate::ui::Ui;

/// Prints completions for a shell.
pub(super) fn completion(ui: &mut Ui, shell: clap_complete::Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "aedile", &mut script);
    ui.answer_bytes(&script);
}

/// Prints the version.
pub(super) fn version(ui: &mut Ui) {
    let version = env!("CARGO_PKG_VERSION");
    if ui.json {
        ui.answer_json(&json!({ "name": "aedile", "version": version }));
    } else {
        ui.answer(format_args!("aedile {version}"));
    }
}
