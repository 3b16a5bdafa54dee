//! `provider`: what knows types of resources, and whether it keeps its word.

use std::path::{Path, PathBuf};

use model::code;
use project::providers::{self, Checked, Known, Loaded, Origin, ProjectFiles};
use sandbox::{Config, Sandbox};
use serde_json::{Value, json};

use super::here::Here;
use crate::args::{CheckProviderArgs, ProviderCommand, ShowProviderArgs};
use crate::report::{Answer, Report};
use crate::ui::{BAD, GOOD, Ui};
use crate::views::table::{Table, count, plain};

/// Carries out a command about providers.
pub(super) fn provider(ui: &mut Ui, here: &Here, command: &ProviderCommand) -> Answer {
    match command {
        ProviderCommand::List => list(ui, here),
        ProviderCommand::Show(args) => show(ui, here, args),
        ProviderCommand::Check(args) => check(ui, here, args),
    }
}

fn list(ui: &mut Ui, here: &Here) -> Answer {
    let all = providers::known(here.place.project.as_ref())?;
    if ui.json {
        let value = |one: &Known| {
            json!({
                "name": one.name, "version": one.version.to_string(),
                "from": one.place(), "digest": one.pinned(),
            })
        };
        ui.answer_json(&json!({ "providers": all.iter().map(value).collect::<Vec<_>>() }));
        return Ok(0);
    }
    let mut table = Table::new(&["PROVIDER", "VERSION", "FROM", "DIGEST"]);
    for one in &all {
        let digest = one.pinned().map_or_else(|| "not pinned".to_owned(), |digest| digest.short());
        table.row([one.name.clone(), one.version.to_string(), plain(&one.place()), digest]);
    }
    for line in table.lines(ui.width) {
        ui.answer(line);
    }
    Ok(0)
}

/// The provider that is meant: a file, if it looks like one, else a name.
fn find(here: &Here, args: &ShowProviderArgs) -> Result<Known, Report> {
    let path = Path::new(&args.provider);
    let is_file =
        args.provider.contains('/') || path.extension().is_some_and(|end| end == "wasm" || end == "yaml");
    if is_file {
        return Ok(providers::at(path, &args.provider)?);
    }
    let all = providers::known(here.place.project.as_ref())?;
    Ok(providers::choose(&all, &args.provider, &args.version)?.clone())
}

fn load(known: &Known) -> Result<(tokio::runtime::Runtime, Loaded), Report> {
    // nothing is kept: what is only looked at leaves nothing behind
    let sandbox = Sandbox::new(Config { slots: 1, pooling: false, ..Config::default() })?;
    let runtime = super::runtime()?;
    let loaded = runtime.block_on(known.load(&sandbox))?;
    Ok((runtime, loaded))
}

fn show(ui: &mut Ui, here: &Here, args: &ShowProviderArgs) -> Answer {
    let known = find(here, args)?;
    let (_runtime, loaded) = load(&known)?;
    let about = &loaded.description;
    if ui.json {
        ui.answer_json(&described(&known, &loaded));
        return Ok(0);
    }
    ui.answer(format_args!("{} {}  {}", plain(&about.name), plain(&about.version), plain(&about.summary)));
    ui.answer(format_args!("{}  {}", plain(&known.place()), loaded.digest));
    if let Origin::Manifest(manifest, _) = &known.origin {
        ui.answer(format_args!("by {}, {}", plain(&manifest.author), plain(&manifest.license)));
    }
    for (name, kind) in &about.types {
        ui.answer(format_args!("\n{name}  {}", plain(&kind.summary)));
        let mut table = Table::new(&["  ATTRIBUTE", "", "MEANING"]);
        for (attribute, schema) in &kind.schema.attributes {
            let required = if schema.required { "required" } else { "" };
            let note = kind.notes.get(attribute).map(|note| plain(note)).unwrap_or_default();
            table.row([format!("  {attribute}"), required.to_owned(), note]);
        }
        for line in table.lines(ui.width) {
            ui.answer(line);
        }
        for capability in &kind.schema.capabilities {
            ui.answer(format_args!("  may {}", plain(&capability.0)));
        }
    }
    Ok(0)
}

fn described(known: &Known, loaded: &Loaded) -> Value {
    let about = &loaded.description;
    let types: serde_json::Map<String, Value> = about
        .types
        .iter()
        .map(|(name, kind)| {
            let attributes: serde_json::Map<String, Value> = kind
                .schema
                .attributes
                .iter()
                .map(|(name, schema)| {
                    let said = json!({"required": schema.required, "summary": kind.notes.get(name)});
                    (name.to_string(), said)
                })
                .collect();
            let capabilities: Vec<&str> = kind.schema.capabilities.iter().map(|one| one.0.as_str()).collect();
            let value = json!({
                "summary": kind.summary, "attributes": attributes,
                "identity": kind.schema.identity, "capabilities": capabilities, "import": kind.import,
            });
            (name.to_string(), value)
        })
        .collect();
    json!({
        "name": about.name, "version": about.version, "summary": about.summary,
        "from": known.place(), "digest": loaded.digest, "types": types,
    })
}

/// The cases to try and where the project's files are that they refer to.
fn cases(known: &Known, args: &CheckProviderArgs) -> Result<(Value, ProjectFiles), Report> {
    let beside = match &known.origin {
        Origin::Shipped(_) => None,
        Origin::Manifest(manifest, _) => Some(manifest.component.with_file_name("cases.json")),
        Origin::File(path) => Some(path.with_file_name("cases.json")),
    };
    let file: Option<PathBuf> = args.cases.clone().or_else(|| beside.filter(|file| file.is_file()));
    let Some(file) = file else {
        return providers::shipped_cases(&known.name)
            .filter(|_| matches!(known.origin, Origin::Shipped(_)))
            .ok_or_else(|| {
                let what = format!("there are no cases for {}, so nothing can be tried", plain(&known.name));
                Report::new(code::general::NOT_FOUND, what)
                    .with_hint(format!("aedile provider check {} --cases FILE", plain(&args.which.provider)))
            });
    };
    let shown = file.display().to_string();
    let text = project::text::read(&file, &shown, project::limits::FILE_BYTES_MAX)?;
    let document = project::text::value(&text, &shown)?;
    let below = file.parent().map(Path::to_owned).unwrap_or_default();
    Ok((document, ProjectFiles::Below(below)))
}

fn check(ui: &mut Ui, here: &Here, args: &CheckProviderArgs) -> Answer {
    let known = find(here, &args.which)?;
    let (document, files) = cases(&known, args)?;
    let (runtime, loaded) = load(&known)?;
    let name = plain(&loaded.description.name);
    ui.note(format_args!("trying {name} {}", plain(&loaded.description.version)));
    let checked = runtime.block_on(providers::check(&loaded, &document, &files, &args.programs))?;
    tell(ui, &loaded, &checked);
    match checked.report.mismatches.len() {
        0 => Ok(0),
        mismatches => {
            let what = format!("{name} does not keep its word: {}", counted(mismatches));
            Err(Report::new(code::provider::MISMATCH, what))
        }
    }
}

fn tell(ui: &mut Ui, loaded: &Loaded, checked: &Checked) {
    let report = &checked.report;
    if ui.json {
        let mismatches: Vec<Value> = report
            .mismatches
            .iter()
            .map(|one| json!({"case": one.case, "promise": one.rule.to_string(), "detail": one.detail}))
            .collect();
        ui.answer_json(&json!({
            "provider": loaded.description.name, "version": loaded.description.version,
            "digest": checked.digest, "cases": checked.cases, "checks": report.checks,
            "mismatchCount": mismatches.len(), "mismatches": mismatches,
        }));
        return;
    }
    for one in &report.mismatches {
        ui.answer(format_args!("{BAD}x{BAD:#} {}", plain(&one.to_string())));
    }
    let style = if report.mismatches.is_empty() { GOOD } else { BAD };
    ui.answer(format_args!(
        "{style}{}{style:#} in {} of {}",
        counted(report.mismatches.len()),
        count(report.checks, "check"),
        count(checked.cases, "case"),
    ));
}

fn counted(mismatches: usize) -> String {
    if mismatches == 1 { "1 mismatch".to_owned() } else { format!("{mismatches} mismatches") }
}
