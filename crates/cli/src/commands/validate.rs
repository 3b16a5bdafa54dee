//! `validate` and `fmt`: documents, before anything is run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Diagnostic, Severity, code};
use project::{ProjectError, Rules, WorkflowPrograms, infrastructure, workshop};
use serde_json::{Value, json};

use super::desk::Desk;
use super::facts::pair;
use super::here::Here;
use super::machine;
use crate::World;
use crate::args::{FmtArgs, Global, ValidateArgs};
use crate::report::{Answer, Report, finding_json, finding_text};
use crate::ui::{GOOD, Ui, WARN};
use crate::views::table::count;

/// What was found in one file.
struct Looked {
    file: String,
    text: String,
    findings: Vec<Diagnostic>,
}

/// Checks documents. Changes nothing.
pub(super) fn validate(ui: &mut Ui, world: &World, global: &Global, args: &ValidateArgs) -> Answer {
    if global.server.is_some() {
        return there(ui, world, global, args);
    }
    let here = Here::find(world, global)?;
    let mut looked = Vec::new();
    let rules = match Rules::read(&here.place) {
        Ok(rules) => Some(rules),
        Err(ProjectError::Bad { findings }) => {
            looked.extend(project_findings(&here, findings));
            None
        }
        Err(error) => return Err(error.into()),
    };
    if args.files.is_empty() {
        looked.extend(infrastructure(world, &here, rules.as_ref(), args)?);
    }
    let programs = rules.map_or_else(
        || Arc::new(WorkflowPrograms::new(Arc::default(), here.place.project.clone())),
        |rules| rules.programs,
    );
    for (shown, path) in files(&here, &args.files)? {
        let text = project::text::read(&path, &shown, project::limits::FILE_BYTES_MAX)?;
        let findings = match programs.read(&shown, &text) {
            Ok(document) => document.warnings,
            Err(ProjectError::Bad { findings }) => findings,
            Err(error) => return Err(error.into()),
        };
        looked.push(Looked { file: shown, text, findings });
    }
    show(ui, &looked)
}

/// Has a server check workflow files, by its project's rules. They are not kept there.
fn there(ui: &mut Ui, world: &World, global: &Global, args: &ValidateArgs) -> Answer {
    if args.files.is_empty() {
        let what = "what a project holds is checked where it is";
        return Err(Report::new(code::server::NOT_REMOTE, what).with_hint("aedile validate FILE..."));
    }
    let desk = Desk::find(world, global)?;
    let Desk::There(there) = &desk else { return Err(Report::internal("no server was named")) };
    let mut looked = Vec::new();
    for path in &args.files {
        let file = path.display().to_string();
        let text = project::text::read(path, &file, project::limits::FILE_BYTES_MAX)?;
        let wanted = api::ValidateWorkflow { file: file.clone(), text: text.clone() };
        let validation = there.wait(there.at.validate(&wanted))?;
        looked.push(Looked { file, text, findings: api::client::diagnostics(&validation.findings) });
    }
    show(ui, &looked)
}

/// The project's infrastructure: its configuration by itself and, where the rules can be read, what providers have against
/// it. No host is asked, and no secret is needed.
fn infrastructure(
    world: &World,
    here: &Here,
    rules: Option<&Rules>,
    args: &ValidateArgs,
) -> Result<Vec<Looked>, Report> {
    let Some(project) = &here.place.project else { return Ok(Vec::new()) };
    let looked = |file, text| Looked { file, text, findings: Vec::new() };
    let mut files: Vec<Looked> =
        infrastructure::texts(project).into_iter().map(|(file, text)| looked(file, text)).collect();
    if files.is_empty() {
        return Ok(files);
    }
    let variables =
        args.variables.iter().map(|text| pair("--var", text)).collect::<Result<BTreeMap<_, _>, _>>()?;
    let site = match rules {
        Some(rules) => workshop::site(&here.place, &machine(world), rules, None)?,
        None => None,
    };
    let checked = if let Some(site) = site {
        super::runtime()?.block_on(async {
            let configuration = site.configuration(&variables)?;
            site.check(&configuration).await?;
            Ok(configuration.warnings)
        })
    } else {
        let variables: Vec<_> = variables.into_iter().collect();
        infrastructure::read(project, &here.place.environment, &variables).map(|read| read.warnings)
    };
    let findings = match checked {
        Ok(warnings) => warnings,
        Err(ProjectError::Bad { findings }) => findings,
        Err(error) => return Err(error.into()),
    };
    for finding in findings {
        let file = &finding.location.file;
        if let Some(known) = files.iter_mut().find(|known| known.file == *file) {
            known.findings.push(finding);
        } else {
            // about no place in a file, or about a file that is imported
            let text = project.read(Path::new(file)).unwrap_or_default();
            files.push(Looked { file: file.clone(), text, findings: vec![finding] });
        }
    }
    Ok(files)
}

/// Findings about the project's own files, by file.
fn project_findings(here: &Here, findings: Vec<Diagnostic>) -> Vec<Looked> {
    let mut looked: Vec<Looked> = Vec::new();
    for finding in findings {
        let file = finding.location.file.clone();
        if let Some(known) = looked.iter_mut().find(|known| known.file == file) {
            known.findings.push(finding);
            continue;
        }
        let text = here
            .place
            .project
            .as_ref()
            .and_then(|project| project.read(Path::new(&file)).ok())
            .unwrap_or_default();
        looked.push(Looked { file, text, findings: vec![finding] });
    }
    looked
}

/// The files that are meant: those named, else the project's workflows. With the name to show.
fn files(here: &Here, named: &[PathBuf]) -> Result<Vec<(String, PathBuf)>, Report> {
    if !named.is_empty() {
        return Ok(named.iter().map(|path| (path.display().to_string(), path.clone())).collect());
    }
    let Some(project) = &here.place.project else {
        return Err(ProjectError::NoProject { start: super::here::current_directory()? }.into());
    };
    let files = project.workflow_files()?;
    Ok(files.into_iter().map(|file| (file.display().to_string(), project.root.join(&file))).collect())
}

#[expect(clippy::unnecessary_wraps, reason = "an answer, as every command gives")]
fn show(ui: &mut Ui, looked: &[Looked]) -> Answer {
    let of = |severity| {
        looked.iter().flat_map(|one| &one.findings).filter(|finding| finding.severity == severity).count()
    };
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    if ui.json {
        let findings: Vec<Value> = looked.iter().flat_map(|one| &one.findings).map(finding_json).collect();
        let files: Vec<&str> = looked.iter().map(|one| one.file.as_str()).collect();
        ui.answer_json(&json!({ "valid": errors == 0, "files": files, "findings": findings }));
        return Ok(if errors == 0 { 0 } else { code::general::BAD_PROJECT.exit.code() });
    }
    for one in looked {
        for finding in &one.findings {
            let text = finding_text(finding, Some(&one.text));
            ui.complain(text);
        }
    }
    let files = looked.len();
    if errors > 0 {
        ui.note(format_args!(
            "{} and {} in {}",
            count(errors, "error"),
            count(warnings, "warning"),
            count(files, "file")
        ));
        return Ok(code::general::BAD_PROJECT.exit.code());
    }
    let warned =
        if warnings > 0 { format!(", {WARN}{}{WARN:#}", count(warnings, "warning")) } else { String::new() };
    ui.answer(format_args!("{GOOD}valid{GOOD:#}  {}{warned}", count(files, "file")));
    Ok(0)
}

/// Writes documents in their one form: no trailing space, one newline at the end, JSON indented by two. The meaning of a
/// document never changes: what is written reads back as what was read.
pub(super) fn fmt(ui: &mut Ui, world: &World, global: &Global, args: &FmtArgs) -> Answer {
    let here = Here::find(world, global)?;
    let mut changed = Vec::new();
    for (shown, path) in files(&here, &args.files)? {
        let text = project::text::read(&path, &shown, project::limits::FILE_BYTES_MAX)?;
        let before = project::text::value(&text, &shown)
            .map_err(|error| Report::from(error).with_source(&shown, &text))?;
        let formatted = format(&path, &text, &before);
        if formatted == text {
            continue;
        }
        if project::text::value(&formatted, &shown).ok().as_ref() != Some(&before) {
            return Err(Report::internal(format!("the form of {shown} would change its meaning")));
        }
        if !args.check {
            project::text::write(&path, &formatted, true)?;
        }
        changed.push(shown);
    }
    if ui.json {
        ui.answer_json(&json!({ "changed": changed, "written": !args.check }));
    } else {
        for file in &changed {
            let word = if args.check { "would change" } else { "changed" };
            ui.answer(format_args!("{WARN}{word}{WARN:#}  {file}"));
        }
        if changed.is_empty() {
            ui.note(format_args!("{GOOD}nothing to do{GOOD:#}"));
        }
    }
    Ok(u8::from(args.check && !changed.is_empty()))
}

fn format(path: &Path, text: &str, value: &Value) -> String {
    if path.extension().is_some_and(|extension| extension == "json") {
        return format!("{value:#}\n");
    }
    let mut out = String::with_capacity(text.len());
    let mut blank = 0;
    let mut block: Option<usize> = None;
    for line in text.lines() {
        let line = line.trim_end_matches('\r');
        let indent = line.len() - line.trim_start_matches(' ').len();
        let empty = line.trim().is_empty();
        // inside of a block scalar every space counts
        if !empty && block.is_some_and(|parent| indent <= parent) {
            block = None;
        }
        if block.is_some() {
            out.extend(std::iter::repeat_n('\n', blank));
            blank = 0;
            out.push_str(line);
            out.push('\n');
            continue;
        }
        let line = line.trim_end_matches([' ', '\t']);
        if empty {
            blank = 1;
            continue;
        }
        out.extend(std::iter::repeat_n('\n', if out.is_empty() { 0 } else { blank }));
        blank = 0;
        out.push_str(line);
        out.push('\n');
        if opens_block(line) {
            block = Some(indent);
        }
    }
    out
}

/// Whether a line ends with the indicator of a block scalar (`|`, `>`, with chomping and indentation).
fn opens_block(line: &str) -> bool {
    let last =
        line.split(" #").next().unwrap_or(line).trim_end().rsplit([' ', ':']).next().unwrap_or_default();
    let indicator = last.trim_end_matches(['-', '+', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    indicator == "|" || indicator == ">"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(text: &str) -> String {
        format(Path::new("a.yaml"), text, &Value::Null)
    }

    #[test]
    fn space_that_means_nothing_goes_and_space_that_means_something_stays() {
        assert_eq!(formatted("\n\na: 1  \r\n\n\n\nb:\t\n  - 2"), "a: 1\n\nb:\n  - 2\n");
        let block = "a: |\n  one  \n\n\n  two\nb: 1\n";
        assert_eq!(formatted(block), block);
        assert_eq!(formatted(&formatted(block)), formatted(block));
    }
}
