//! The record of an onboarded host: a CUE file of its own in the project's infrastructure, read like every other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{HostConfig, Options, Sources};
use model::{Environment, code};
use plan::Host;
use serde_json::json;

use super::Order;
use crate::cue_module::CueModule;
use crate::infrastructure;
use crate::layout::INFRASTRUCTURE;
use crate::{Project, ProjectError, limits, text};

/// Package of the first file of an infrastructure.
const PACKAGE: &str = "site";

/// Where a host is recorded, relative to the project's directory.
pub fn recorded_file(host: &Host) -> PathBuf {
    Path::new(INFRASTRUCTURE).join(format!("host-{host}.onboarded.cue"))
}

/// Whether a file is one of those.
fn is_record(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("host-") && name.ends_with(".onboarded.cue")
}

/// What the project says about hosts, with some of its files as if they were otherwise (`None`: not there). An
/// infrastructure without any file has no hosts.
///
/// # Errors
/// [`ProjectError::Bad`] with every mistake.
pub fn configuration(
    project: &Project,
    environment: &Environment,
    variables: &[(String, String)],
    otherwise: &BTreeMap<PathBuf, Option<String>>,
) -> Result<Option<config::Project>, ProjectError> {
    let root = project.root.join(INFRASTRUCTURE);
    let mut sources = Sources::default().importing(Arc::new(CueModule::around(&root)));
    let mut texts: BTreeMap<PathBuf, Option<String>> = BTreeMap::new();
    for file in infrastructure::files(project)? {
        if !otherwise.contains_key(&file) {
            let text = project.read(&file)?;
            texts.insert(file, Some(text));
        }
    }
    texts.extend(otherwise.clone());
    let mut any = false;
    for (file, text) in texts {
        if let Some(text) = text {
            any = true;
            sources = sources.with(file.display().to_string(), text);
        }
    }
    if !any {
        return Ok(None);
    }
    let mut options = Options::of_environment(environment.as_str());
    for (name, value) in variables {
        options = options.with_variable(name, value);
    }
    config::load(&sources, &options).map(Some).map_err(|findings| ProjectError::Bad { findings })
}

/// The host that an address and port are the address and port of.
pub fn find<'c>(
    hosts: &'c BTreeMap<Host, HostConfig>,
    address: &str,
    port: u16,
) -> Option<(&'c Host, &'c HostConfig)> {
    hosts.iter().find(|(_, config)| config.port == port && config.address.eq_ignore_ascii_case(address))
}

/// What recording came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The file, relative to the project's directory.
    pub file: PathBuf,
    /// Whether it was not as it is now.
    pub changed: bool,
    /// What it was.
    pub before: Option<String>,
}

/// The files that recording changes, and what they are afterwards.
///
/// # Errors
/// The configuration says otherwise in a file that is not a record: the finding names the place.
fn changes(
    project: &Project,
    environment: &Environment,
    variables: &[(String, String)],
    order: &Order,
) -> Result<BTreeMap<PathBuf, Option<String>>, ProjectError> {
    let now = configuration(project, environment, variables, &BTreeMap::new())?;
    let mut changes = BTreeMap::new();
    let hosts = now.as_ref().map(|now| &now.hosts);
    // a host has one record: under another name, that one goes
    if let Some((other, _)) = hosts.and_then(|hosts| find(hosts, &order.address, order.port))
        && *other != order.host
    {
        let file = recorded_file(other);
        if !project.root.join(&file).is_file() {
            return Err(taken(order, other));
        }
        changes.insert(file, None);
    }
    let declared = now.as_ref().is_some_and(|now| now.environments.contains(environment.as_str()));
    let package = package(project)?;
    let text = write_cue(order, &package, declared.then_some(environment))?;
    changes.insert(recorded_file(&order.host), Some(text));
    configuration(project, environment, variables, &changes)?;
    Ok(changes)
}

fn taken(order: &Order, other: &Host) -> ProjectError {
    let message = format!("{}:{} is the host `{other}` already", order.address, order.port);
    let location = model::Location { file: INFRASTRUCTURE.to_owned(), ..model::Location::default() };
    let mut finding = model::Diagnostic::error(code::config::BAD_VALUE, message, location);
    finding.hint = Some(format!("aedile onboard {other}"));
    ProjectError::Bad { findings: vec![finding] }
}

/// The package that the files of the infrastructure are of.
pub(crate) fn package(project: &Project) -> Result<String, ProjectError> {
    for file in infrastructure::files(project)? {
        let text = project.read(&file)?;
        let mut lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("package "));
        if let Some(name) = lines.find_map(|rest| rest.split_whitespace().next()) {
            return Ok(name.to_owned());
        }
    }
    Ok(PACKAGE.to_owned())
}

/// The record as CUE. JSON's texts are CUE's.
fn write_cue(
    order: &Order,
    package: &str,
    environment: Option<&Environment>,
) -> Result<String, ProjectError> {
    let mut fields = vec![
        ("address", json!(order.address)),
        ("port", json!(order.port)),
        ("user", json!(order.account)),
        ("host_key", json!(order.host_key)),
    ];
    if let Some(key) = &order.key {
        fields.push(("key", json!(key)));
    }
    if !order.jump.is_empty() {
        fields.push(("jump", json!(order.jump)));
    }
    let all = order.sudo.iter().filter_map(|text| remote::onboard::SudoRule::parse(text).ok());
    if all.into_iter().any(|rule| rule.is_everything_without_password()) {
        fields.push(("sudo", json!(true)));
    }
    let mut inside: Vec<String> = fields.iter().map(|(name, value)| format!("\t{name}: {value}")).collect();
    inside.extend(labels(&order.labels));
    let inside = inside.join("\n");
    let path = environment.map_or_else(String::new, |name| format!("environments: {}: ", json!(name)));
    let host = json!(order.host);
    let text = format!(
        "// Recorded by aedile onboard, which writes it again; aedile onboard {} --undo removes it.\n\
         package {package}\n\n{path}hosts: {host}: {{\n{inside}\n}}\n",
        order.host
    );
    let file = recorded_file(&order.host).display().to_string();
    cue::fmt::format(&file, &text).map_err(|error| ProjectError::Unwritable {
        what: file.clone(),
        source: std::io::Error::other(error.to_string()),
    })
}

/// Labels as people write them: `labels: role: "web"`.
fn labels(labels: &BTreeMap<String, String>) -> Option<String> {
    let letter = |c: char| c.is_ascii_alphabetic();
    let bare = |name: &str| name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit());
    let one = |(name, value): (&String, &String)| {
        let name = if bare(name) { name.clone() } else { json!(name).to_string() };
        format!("{name}: {}", json!(value))
    };
    let mut all: Vec<String> = labels.iter().map(one).collect();
    match all.len() {
        0 => None,
        1 => all.pop().map(|one| format!("\tlabels: {one}")),
        _ => Some(format!("\tlabels: {{\n{}\n}}", all.join("\n"))),
    }
}

/// What recording would write is compared with the configuration before anything happens on the host.
///
/// # Errors
/// As [`record`].
pub(super) fn check(
    project: &Project,
    environment: &Environment,
    variables: &[(String, String)],
    order: &Order,
) -> Result<(), ProjectError> {
    changes(project, environment, variables, order).map(drop)
}

/// Records a host, or brings its one record up to date. The configuration as it would be is read first.
///
/// # Errors
/// The configuration says otherwise elsewhere, or the file cannot be written.
pub(super) fn record(
    project: &Project,
    environment: &Environment,
    variables: &[(String, String)],
    order: &Order,
) -> Result<Recorded, ProjectError> {
    let changes = changes(project, environment, variables, order)?;
    let file = recorded_file(&order.host);
    let directory = project.root.join(INFRASTRUCTURE);
    fs_err::create_dir_all(&directory)
        .map_err(|source| ProjectError::Unwritable { what: INFRASTRUCTURE.to_owned(), source })?;
    let before = current(project, &order.host)?;
    let mut changed = false;
    if let Some(Some(text)) = changes.get(&file) {
        changed = before.as_ref() != Some(text);
        if changed {
            text::write(&project.root.join(&file), text, true)?;
        }
    }
    // after the new one is there: a crash in between leaves two, and onboarding again removes the old one
    for (gone, _) in changes.iter().filter(|(path, text)| text.is_none() && is_record(path)) {
        super::before::remove(&project.root.join(gone))?;
        changed = true;
    }
    Ok(Recorded { file, changed, before })
}

/// The text of a host's record.
///
/// # Errors
/// It cannot be read.
pub(super) fn current(project: &Project, host: &Host) -> Result<Option<String>, ProjectError> {
    let file = recorded_file(host);
    let path = project.root.join(&file);
    if !path.is_file() {
        return Ok(None);
    }
    text::read(&path, &file.display().to_string(), limits::FILE_BYTES_MAX).map(Some)
}

/// Puts a host's record back. Says whether anything changed.
///
/// # Errors
/// The file cannot be written.
pub(super) fn restore(project: &Project, host: &Host, before: Option<&str>) -> Result<bool, ProjectError> {
    if current(project, host)?.as_deref() == before {
        return Ok(false);
    }
    let path = project.root.join(recorded_file(host));
    match before {
        Some(text) => text::write(&path, text, true)?,
        None => super::before::remove(&path)?,
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onboarding::example;

    const EXPECTED: &str = r#"// Recorded by aedile onboard, which writes it again; aedile onboard web-1 --undo removes it.
package shop

hosts: "web-1": {
	address:  "192.0.2.1"
	port:     2200
	user:     "froyo"
	host_key: "SHA256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	key:      ".aedile/dev/ssh/web-1"
	sudo:     true
	labels: role: "web"
}
"#;

    fn project(files: &[(&str, &str)]) -> (tempfile::TempDir, Project) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("aedile.yaml"), "name: shop\n").unwrap();
        for (name, text) in files {
            std::fs::create_dir_all(directory.path().join(INFRASTRUCTURE)).unwrap();
            std::fs::write(directory.path().join(INFRASTRUCTURE).join(name), text).unwrap();
        }
        let project = Project::open(directory.path()).unwrap();
        (directory, project)
    }

    fn dev() -> Environment {
        "dev".parse().unwrap()
    }

    fn hosts(project: &Project) -> BTreeMap<Host, HostConfig> {
        configuration(project, &dev(), &[], &BTreeMap::new()).unwrap().unwrap().hosts
    }

    fn names(project: &Project) -> Vec<String> {
        hosts(project).keys().map(ToString::to_string).collect()
    }

    #[test]
    fn infrastructure_42_onboarding_the_same_address_twice_updates_one_record() {
        let (_directory, project) = project(&[]);
        let order = example();
        let first = record(&project, &dev(), &[], &order).unwrap();
        assert!(first.changed && first.before.is_none());
        assert!(!record(&project, &dev(), &[], &order).unwrap().changed, "the same again changes nothing");
        let other = Order { labels: BTreeMap::new(), account: "deploy".to_owned(), ..order.clone() };
        assert!(record(&project, &dev(), &[], &other).unwrap().changed);
        assert_eq!(names(&project), ["web-1"]);
        assert_eq!(hosts(&project).values().next().unwrap().user.as_deref(), Some("deploy"));
        // under another name, too
        let renamed = Order { host: "front".parse().unwrap(), ..order.clone() };
        record(&project, &dev(), &[], &renamed).unwrap();
        assert_eq!(names(&project), ["front"]);
        // another port is another host
        let beside = Order { port: 2222, ..order };
        record(&project, &dev(), &[], &beside).unwrap();
        assert_eq!(names(&project), ["front", "web-1"]);
    }

    #[test]
    fn the_record_is_formatted_cue_that_says_what_was_asked_for() {
        let (_directory, project) = project(&[("site.cue", "package shop\n\nworkspace: name: \"shop\"\n")]);
        let order = Order { sudo: vec!["NOPASSWD: ALL".to_owned()], port: 2200, ..example() };
        let file = record(&project, &dev(), &[], &order).unwrap().file;
        let text = project.read(&file).unwrap();
        assert_eq!(text, EXPECTED);
        assert_eq!(cue::fmt::format("a", &text).unwrap(), text);
        let host = hosts(&project).remove(&order.host).unwrap();
        assert_eq!((host.port, host.sudo, host.host_key), (2200, config::Sudo::Yes, Some(order.host_key)));
    }

    #[test]
    fn where_the_configuration_declares_environments_the_record_is_of_one() {
        let (_directory, project) =
            project(&[("site.cue", "package site\n\nenvironments: {dev: {}, prod: {}}\n")]);
        record(&project, &dev(), &[], &example()).unwrap();
        assert_eq!(names(&project), ["web-1"]);
        let prod = configuration(&project, &"prod".parse().unwrap(), &[], &BTreeMap::new()).unwrap();
        assert!(prod.unwrap().hosts.is_empty(), "nothing crosses");
    }

    #[test]
    fn what_people_wrote_is_not_overwritten_and_the_place_is_named() {
        let text = "package site\n\nhosts: \"web-1\": {address: \"192.0.2.1\", user: \"maria\"}\n";
        let (_directory, project) = project(&[("site.cue", text)]);
        let error = check(&project, &dev(), &[], &example()).unwrap_err();
        let ProjectError::Bad { findings } = error else { panic!("{error}") };
        assert!(findings[0].message.contains("maria"), "{findings:?}");
        let fits = Order { account: "maria".to_owned(), ..example() };
        record(&project, &dev(), &[], &fits).unwrap();
        assert_eq!(names(&project), ["web-1"]);
        let named = Order { host: "front".parse().unwrap(), ..fits };
        restore(&project, &example().host, None).unwrap();
        let error = check(&project, &dev(), &[], &named).unwrap_err();
        assert!(error.to_string().contains("is the host `web-1` already"), "{error}");
    }

    #[test]
    fn taking_it_back_leaves_what_was_there() {
        let (_directory, project) = project(&[]);
        let order = example();
        record(&project, &dev(), &[], &order).unwrap();
        let before = current(&project, &order.host).unwrap();
        record(&project, &dev(), &[], &Order { port: 2222, ..order.clone() }).unwrap();
        assert!(restore(&project, &order.host, before.as_deref()).unwrap());
        assert_eq!(current(&project, &order.host).unwrap(), before);
        assert!(restore(&project, &order.host, None).unwrap());
        assert!(!restore(&project, &order.host, None).unwrap());
    }

    #[test]
    fn every_host_has_a_file_that_is_read() {
        for name in ["web-1", "a_test", "_x", "10.0.0.1"] {
            let file = recorded_file(&name.parse().unwrap());
            assert!(is_record(&file) && !file.display().to_string().ends_with("_test.cue"), "{name}");
        }
    }
}
