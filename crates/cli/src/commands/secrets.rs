//! `secrets`: which the configuration declares, and keeping them encrypted.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use host::limits::SECRET_BYTES_MAX;
use host::secrets::age;
use model::code;
use project::infrastructure::{self, Declared};
use serde_json::json;
use zeroize::Zeroizing;

use super::facts::{configuration, project};
use super::here::Here;
use crate::World;
use crate::args::{EncryptArgs, KeygenArgs, ListSecretsArgs, SecretsCommand};
use crate::report::{Answer, Report};
use crate::ui::Ui;
use crate::views::table::{Table, plain};

/// Carries out a command about secrets.
pub(super) fn secrets(ui: &mut Ui, world: &World, here: &Here, command: &SecretsCommand) -> Answer {
    match command {
        SecretsCommand::List(args) => list(ui, world, here, args),
        SecretsCommand::Encrypt(args) => encrypt(ui, here, args),
        SecretsCommand::Keygen(args) => keygen(ui, world, here, args),
    }
}

fn list(ui: &mut Ui, world: &World, here: &Here, args: &ListSecretsArgs) -> Answer {
    let config = configuration(here, &args.variables)?;
    let secrets = infrastructure::secrets(&config, &here.place, world.identities.of(&here.place));
    let all = infrastructure::declared(&secrets);
    let missing = all.iter().any(|one| one.missing.is_some());
    if ui.json {
        let value = |one: &Declared| {
            json!({
                "name": one.name, "source": one.source,
                "found": one.missing.is_none(), "why": one.missing,
            })
        };
        ui.answer_json(&json!({ "secrets": all.iter().map(value).collect::<Vec<_>>() }));
        return Ok(u8::from(missing));
    }
    if all.is_empty() {
        ui.note("the configuration declares no secret");
        return Ok(0);
    }
    let mut table = Table::new(&["SECRET", "SOURCE", "FOUND"]);
    for one in &all {
        let found = one.missing.as_deref().map_or_else(|| "yes".to_owned(), |why| format!("no: {why}"));
        table.row([plain(&one.name), one.source.to_owned(), plain(&found)]);
    }
    for line in table.lines(ui.width) {
        ui.answer(line);
    }
    Ok(u8::from(missing))
}

/// The secret, from a file or from standard input, and its size in the one buffer that is wiped.
fn plaintext(input: &str) -> Result<Zeroizing<Vec<u8>>, Report> {
    let unreadable = |error: std::io::Error| {
        let what = if input == "-" { "standard input" } else { input };
        Report::new(code::general::UNREADABLE, format!("{} cannot be read", plain(what)))
            .caused_by(error.to_string())
    };
    let room = usize::try_from(SECRET_BYTES_MAX).unwrap_or(0) + 1;
    let mut secret = Zeroizing::new(Vec::with_capacity(room));
    if input == "-" {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            let report = Report::usage("a secret is not typed where everybody can see it");
            return Err(
                report.with_hint("pass show NAME | aedile secrets encrypt - --output secrets/NAME.age")
            );
        }
        stdin.take(SECRET_BYTES_MAX + 1).read_to_end(&mut secret).map_err(unreadable)?;
    } else {
        let file = fs_err::File::open(input).map_err(unreadable)?;
        file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut secret).map_err(unreadable)?;
    }
    if secret.is_empty() {
        return Err(Report::usage("there is nothing to encrypt"));
    }
    Ok(secret)
}

fn encrypt(ui: &mut Ui, here: &Here, args: &EncryptArgs) -> Answer {
    let recipients = match (&args.recipients, &here.place.project) {
        (said, _) if !said.is_empty() => said.as_slice(),
        (_, Some(project)) => project.manifest.recipients(&here.place.environment),
        (_, None) => &[],
    };
    if recipients.is_empty() {
        let what = format!("environment {} has no recipients to encrypt for", here.place.environment);
        let report = Report::new(code::host::BAD_SECRET_KEY, what);
        return Err(report
            .caused_by("`secrets: {recipients: [age1...]}` in aedile.yaml names them, or --to does")
            .with_hint("aedile secrets keygen"));
    }
    let text = age::encrypt(&plaintext(&args.input)?, recipients)?;
    let Some(output) = &args.output else {
        ui.answer_bytes(text.as_bytes());
        return Ok(0);
    };
    project::text::write(output, &text, args.force)?;
    if ui.json {
        ui.answer_json(&json!({ "written": output, "recipients": recipients }));
        return Ok(0);
    }
    ui.note(format_args!("wrote {}, for {}", output.display(), keys(recipients.len())));
    if let Some(name) = reference(here, output) {
        ui.note(format_args!("in the configuration it is {{\"$secret\": \"age:{name}\"}}"));
    }
    Ok(0)
}

fn keys(count: usize) -> String {
    crate::views::table::count(count, "key")
}

/// The path of a file as the configuration names it; none where it is outside of the project.
fn reference(here: &Here, output: &Path) -> Option<String> {
    let root = project(here).ok()?.root.canonicalize().ok()?;
    Some(output.canonicalize().ok()?.strip_prefix(root).ok()?.display().to_string())
}

fn keygen(ui: &mut Ui, world: &World, here: &Here, args: &KeygenArgs) -> Answer {
    let path = match &args.output {
        Some(path) => path.clone(),
        None => world.identities.of(&here.place).ok_or_else(|| {
            Report::usage("there is no place for the key: neither XDG_CONFIG_HOME nor HOME is set")
                .with_hint("aedile secrets keygen --output FILE")
        })?,
    };
    let public = age::generate(&path)?;
    if ui.json {
        ui.answer_json(&json!({ "identity": path, "recipient": public }));
        return Ok(0);
    }
    ui.note(format_args!("wrote the key to {}; keep it, and keep it out of git", path.display()));
    ui.note("whoever is to encrypt for it lists its public half in aedile.yaml: secrets: {recipients: [..]}");
    ui.answer(public);
    Ok(0)
}
