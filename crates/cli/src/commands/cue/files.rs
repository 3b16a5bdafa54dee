//! Where answers go, and the commands that change files: `fmt` and `import`.

use std::path::{Path, PathBuf};

use cue::tool::{self, Encoding};
use model::code;
use serde_json::json;
use similar::TextDiff;

use super::failed;
use super::sources::{Named, paths};
use crate::args::{FmtCueArgs, ImportArgs};
use crate::report::{Answer, Report};
use crate::ui::{GOOD, Ui, WARN};

/// Lines around a change that `--diff` shows.
const DIFF_CONTEXT: usize = 3;
/// The file name that stands for standard output.
const STANDARD_OUTPUT: &str = "-";

/// Where an answer goes, and how it is written.
pub(super) struct Output {
    pub(super) encoding: Encoding,
    file: Option<PathBuf>,
    force: bool,
}

impl Output {
    /// Checks where to before anything is done.
    pub(super) fn new(
        ui: &Ui,
        file: Option<&Path>,
        force: bool,
        format: Option<&str>,
        otherwise: Encoding,
    ) -> Result<Self, Report> {
        let file = file.filter(|file| file.as_os_str() != STANDARD_OUTPUT).map(Path::to_owned);
        let by_name = file.as_ref().and_then(|file| file.extension()?.to_str()).and_then(Encoding::named);
        let encoding = match format {
            Some(format) => Encoding::named(format).ok_or_else(|| {
                Report::usage(format!("there is no format {format}"))
                    .with_hint("cue, json, yaml, toml or text")
            })?,
            None if ui.json => Encoding::Json,
            None => by_name.unwrap_or(otherwise),
        };
        if let Some(file) = &file {
            refuse_to_replace(file, force)?;
        }
        Ok(Self { encoding, file, force })
    }

    /// Writes the answer.
    pub(super) fn write(&self, ui: &mut Ui, text: &str) -> Answer {
        match &self.file {
            Some(file) => write(file, text, self.force)?,
            None => ui.answer_bytes(text.as_bytes()),
        }
        Ok(0)
    }
}

fn refuse_to_replace(file: &Path, force: bool) -> Result<(), Report> {
    if force || !file.exists() {
        return Ok(());
    }
    Err(Report::new(code::general::UNWRITABLE, format!("{} is there already", file.display()))
        .with_hint("--force replaces it"))
}

/// Writes a whole file or nothing.
fn write(file: &Path, text: &str, replace: bool) -> Result<(), Report> {
    project::text::write(file, text, replace).map_err(Report::from)
}

/// Writes CUE files in their one form.
pub(super) fn fmt(ui: &mut Ui, args: &FmtCueArgs) -> Answer {
    if args.inputs == ["-"] {
        let limit = project::limits::FILE_BYTES_MAX;
        let text = project::text::read_from(std::io::stdin().lock(), "-", limit)?;
        let formatted = formatted("-", &text)?;
        ui.answer_bytes(formatted.as_bytes());
        return Ok(u8::from(args.check && formatted != text));
    }
    // every file is read before the first is changed
    let mut changes = Vec::new();
    for path in paths(&args.inputs)? {
        let shown = path.strip_prefix(".").unwrap_or(&path).display().to_string();
        let text = project::text::read(&path, &shown, project::limits::FILE_BYTES_MAX)?;
        let formatted = formatted(&shown, &text)?;
        if formatted != text {
            changes.push((path, shown, text, formatted));
        }
    }
    let looks_only = args.check || args.diff;
    for (path, shown, text, formatted) in &changes {
        if args.diff {
            let diff = TextDiff::from_lines(text.as_str(), formatted.as_str());
            ui.answer_bytes(
                diff.unified_diff().context_radius(DIFF_CONTEXT).header(shown, shown).to_string().as_bytes(),
            );
        } else if !ui.json {
            let word = if args.check { "would change" } else { "changed" };
            ui.answer(format_args!("{WARN}{word}{WARN:#}  {shown}"));
        }
        if !looks_only {
            write(path, formatted, true)?;
        }
    }
    if ui.json {
        let changed: Vec<&String> = changes.iter().map(|(_, shown, ..)| shown).collect();
        ui.answer_json(&json!({ "changed": changed, "written": !looks_only }));
    }
    Ok(u8::from(args.check && !changes.is_empty()))
}

fn formatted(shown: &str, text: &str) -> Result<String, Report> {
    tool::fmt(shown, text).map_err(|errors| {
        failed("the file cannot be formatted", &errors, &[(shown.to_owned(), text.to_owned())])
    })
}

/// Writes data files as CUE.
pub(super) fn import(ui: &mut Ui, args: &ImportArgs) -> Answer {
    let mut written: Vec<(PathBuf, String)> = Vec::new();
    let mut together = String::new();
    for path in &args.files {
        let source = read_data(path)?;
        let text =
            tool::import(&source.0, &source.1, args.package.as_deref(), &args.path).map_err(|errors| {
                failed("the file cannot be imported", &errors, std::slice::from_ref(&source))
            })?;
        match &args.outfile {
            Some(_) if together.is_empty() => together = text,
            Some(_) => {
                return Err(Report::usage("one file at a time goes to --outfile")
                    .with_hint("leave --outfile out, and each gets a file of its own"));
            }
            None => {
                let target = path.with_extension("cue");
                refuse_to_replace(&target, args.force)?;
                written.push((target, text));
            }
        }
    }
    match &args.outfile {
        Some(file) if file.as_os_str() == STANDARD_OUTPUT => {
            ui.answer_bytes(together.as_bytes());
            return Ok(0);
        }
        Some(file) => {
            refuse_to_replace(file, args.force)?;
            written.push((file.clone(), together));
        }
        None => {}
    }
    for (file, text) in &written {
        write(file, text, args.force)?;
        if !ui.json {
            ui.answer(format_args!("{GOOD}written{GOOD:#}  {}", file.display()));
        }
    }
    if ui.json {
        let files: Vec<String> = written.iter().map(|(file, _)| file.display().to_string()).collect();
        ui.answer_json(&json!({ "written": files }));
    }
    Ok(0)
}

fn read_data(path: &Path) -> Result<Named, Report> {
    let shown = path.display().to_string();
    let text = project::text::read(path, &shown, project::limits::DATA_BYTES_MAX)?;
    Ok((shown, text))
}
