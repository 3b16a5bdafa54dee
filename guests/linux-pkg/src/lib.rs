//! Packages: apt, dnf, yum, zypper and apk, chosen by the target's facts.

mod manager;

use std::collections::BTreeMap;

use manager::{Installed, Manager, installed};
use provider_kit::{
    Answer, Application, Ask, FailureClass, Finding, Inspection, Object, Op, Operation, Part, Query,
    Resources, Run, Value, complaint, done, facts, failed, finding, flag, json, present, text, texts,
};

struct LinuxPkg;

const MANAGERS: [&str; 6] = ["auto", "apt", "dnf", "yum", "zypper", "apk"];

impl Resources for LinuxPkg {
    fn schema() -> Value {
        json!({
            "name": "linux.pkg",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Packages of apt, dnf, yum, zypper and apk",
            "types": {"linux.pkg::package": {
                "summary": "A package. Those that change together are changed in one transaction.",
                "attributes": {
                    "package": {"type": "text", "required": true, "forces-replacement": true, "summary": "Its name."},
                    "state": {"type": {"words": ["present", "absent", "latest"]}, "default": "present",
                              "summary": "Whether it is installed; `latest` keeps it at the newest version on offer."},
                    "version": {"type": "text", "summary": "This version, with or without the distribution's suffix."},
                    "manager": {"type": {"words": MANAGERS}, "summary": "Which program to use; by the target's facts if not given."},
                    "hold": {"type": "boolean", "summary": "Keep it from being upgraded."},
                    "refresh": {"type": "boolean", "summary": "Fetch the lists of packages before installing."},
                    "options": {"type": {"list": "text"}, "summary": "More options for the manager when installing."},
                    "repository": {"type": "text", "summary": "Take it from this repository or release."},
                    "installed-version": {"type": "text", "computed": "always", "owner": "foreign",
                                          "summary": "The version that is installed, in full."},
                },
                "identity": ["package"],
                "presence": {"attribute": "state", "absent": "absent"},
                "capabilities": [
                    "facts", "query:apt-cache policy", "query:dnf -q list", "query:yum -q list",
                    "query:zypper --non-interactive info", "query:apk version",
                    "exec:apt-get", "exec:apt-mark", "exec:dnf", "exec:yum", "exec:zypper", "exec:apk",
                ],
                "delete": {"effect": "idempotent", "reversibility": "reversible"},
                "import": "package name",
            }},
        })
    }

    fn validate(_: &str, config: &Object) -> Vec<Finding> {
        let mut found = Vec::new();
        if text(config, "package").is_some_and(|name| !is_name(name)) {
            found.push(finding("package", "is not a package's name (letters, digits and ._+:-)", None));
        }
        if let Some(version) = text(config, "version").filter(|version| !version.is_empty()) {
            if matches!(text(config, "state"), Some("absent" | "latest")) {
                found.push(finding("version", "goes with `state: present` only", None));
            }
            if !is_version(version) {
                found.push(finding("version", "is not a version", None));
            }
        }
        if text(config, "manager").is_some_and(|manager| !MANAGERS.contains(&manager)) {
            found.push(finding("manager", ["must be one of ", &MANAGERS.join(", ")].concat(), None));
        }
        if texts(config, "options").is_some_and(|all| all.iter().any(|one| !one.starts_with('-'))) {
            found.push(finding("options", "every option begins with `-`", None));
        }
        if text(config, "repository").is_some_and(|name| !is_version(name)) {
            found.push(finding("repository", "is not a repository's name", None));
        }
        found
    }

    fn inspect(_: &str, config: &Object, answers: &[&Answer]) -> Inspection {
        let Some(name) = text(config, "package").filter(|name| is_name(name)) else {
            return Inspection::Unreadable("`package` is not a package's name".into());
        };
        let Some(first) = answers.first() else {
            return Inspection::More(vec![Query::Facts(vec![Part::Os, Part::Packages])]);
        };
        let (manager, all) = match facts(first).and_then(|facts| Ok((Manager::of(config, &facts)?, facts))) {
            Ok(known) => known,
            Err(why) => return Inspection::Unreadable(why),
        };
        let Some(here) = installed(&all, name) else { return Inspection::Absent };
        if text(config, "state") != Some("latest") {
            return present(seen(config, &here, None));
        }
        match answers.get(1) {
            None => Inspection::More(vec![Query::Exec(manager.candidate(name))]),
            Some(answer) => match manager.newer(&here, answer) {
                Ok(newer) => present(seen(config, &here, Some(newer))),
                Err(why) => Inspection::Unreadable(why),
            },
        }
    }

    fn apply(kind: &str, change: &Ask, answers: &[&Answer]) -> Application {
        let mut all = Self::apply_all(kind, std::slice::from_ref(change), &[answers.to_vec()]);
        all.pop().unwrap_or_else(|| failed(FailureClass::Permanent, "nothing was asked"))
    }

    /// Everything in one transaction for each manager, direction and set of options: the first of them asks, the others
    /// join it.
    fn apply_all(_: &str, changes: &[Ask], answers: &[Vec<&Answer>]) -> Vec<Application> {
        if answers.iter().all(Vec::is_empty) {
            // all changes start together
            return (0..changes.len())
                .map(|at| match at {
                    0 => Application::More(vec![Op::Query(Query::Facts(vec![Part::Os, Part::Packages]))]),
                    _ => Application::Join(0),
                })
                .collect();
        }
        let works: Vec<Result<Work, Application>> =
            changes.iter().zip(answers).map(|(change, answers)| Work::of(change, answers)).collect();
        let mut groups: BTreeMap<Group, Vec<usize>> = BTreeMap::new();
        for (at, work) in works.iter().enumerate() {
            if let Ok(work) = work {
                groups.entry(work.group.clone()).or_default().push(at);
            }
        }
        let mut results: Vec<Option<Application>> = changes.iter().map(|_| None).collect();
        for (group, members) in &groups {
            let all: Vec<&Work> = members.iter().filter_map(|at| works[*at].as_ref().ok()).collect();
            for (place, at) in members.iter().enumerate() {
                results[*at] = Some(match (place, u32::try_from(members[0])) {
                    (1.., Ok(leader)) => Application::Join(leader),
                    _ => Application::More(group.operations(&all)),
                });
            }
        }
        results
            .into_iter()
            .zip(works)
            .map(|(result, work)| match (result, work) {
                (Some(result), _) => result,
                (None, Err(decided)) => decided,
                (None, Ok(_)) => failed(FailureClass::Permanent, "a package belongs to no transaction"),
            })
            .collect()
    }

    fn import(_: &str, id: &str) -> Result<Value, String> {
        if is_name(id) { Ok(json!({"package": id})) } else { Err("an id is a package's name".into()) }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._+:-".contains(&byte))
}

fn is_version(version: &str) -> bool {
    version.starts_with(|c: char| c.is_ascii_alphanumeric())
        && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._+:~^-".contains(&byte))
}

/// Whether an installed version is the one declared: the same, or the same but for epoch and the distribution's suffix.
fn is_version_of(declared: &str, actual: &str) -> bool {
    let bare = actual.split_once(':').map_or(actual, |(_, rest)| rest);
    [actual, bare].into_iter().any(|one| {
        one.strip_prefix(declared).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '+', '~']))
    })
}

/// The attributes of an installed package.
fn seen(config: &Object, here: &Installed, newer: Option<bool>) -> Object {
    let mut all = config.clone();
    let state = match (text(config, "state"), newer) {
        (Some("latest"), Some(false)) => "latest",
        _ => "present",
    };
    all.insert("state".into(), state.into());
    all.insert("installed-version".into(), here.version.as_str().into());
    if let Some(declared) = text(config, "version")
        && !declared.is_empty()
        && !is_version_of(declared, &here.version)
    {
        all.insert("version".into(), here.version.as_str().into());
    }
    all.insert("hold".into(), here.held.into());
    all
}

/// What can be done in one transaction.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    manager: Manager,
    removes: bool,
    refresh: bool,
    options: Vec<String>,
    repository: Option<String>,
}

/// One package's part in it.
struct Work {
    group: Group,
    name: String,
    version: Option<String>,
    install: bool,
    hold: Option<bool>,
}

impl Work {
    /// What has to be done, or what became of it.
    fn of(change: &Ask, answers: &[&Answer]) -> Result<Self, Application> {
        let bad = |why: String| failed(FailureClass::Permanent, why);
        let config = &change.desired;
        let name =
            text(config, "package").or_else(|| text(&change.prior, "package")).filter(|name| is_name(name));
        let Some(name) = name else { return Err(bad("`package` is not a package's name".into())) };
        let first = answers.first().ok_or_else(|| bad("an answer is missing".into()))?;
        let before = facts(first).map_err(bad)?;
        let manager = Manager::of(config, &before).map_err(bad)?;
        if answers.len() > 1 {
            return Err(outcome(name, change, installed(&before, name), &answers[1..]));
        }
        let here = installed(&before, name);
        let removes =
            matches!(change.operation, Operation::Delete) || text(config, "state") == Some("absent");
        let version = text(config, "version").filter(|version| !version.is_empty() && !removes);
        let latest = text(config, "state") == Some("latest") && !removes;
        let install = match &here {
            None => !removes,
            Some(here) => version.is_some_and(|wanted| !is_version_of(wanted, &here.version)) || latest,
        };
        let declared = config.get("hold").and_then(Value::as_bool);
        let held = here.as_ref().is_some_and(|here| here.held);
        let hold = match (removes, install) {
            (true, _) => None,
            // a manager forgets a hold when it installs another version
            (false, true) => Some(declared.unwrap_or(held)).filter(|wanted| *wanted || held),
            (false, false) => declared.filter(|wanted| held != *wanted),
        };
        if !install && hold.is_none() && !(removes && here.is_some()) {
            let attributes = here.map_or_else(Object::new, |here| seen(config, &here, None));
            return Err(done(attributes, false));
        }
        let group = Group {
            manager,
            removes,
            refresh: flag(config, "refresh") && install,
            options: if removes { Vec::new() } else { texts(config, "options").unwrap_or_default() },
            repository: text(config, "repository").filter(|_| !removes).map(str::to_owned),
        };
        Ok(Self { group, name: name.into(), version: version.map(str::to_owned), install, hold })
    }
}

impl Group {
    fn operations(&self, all: &[&Work]) -> Vec<Op> {
        let mut runs: Vec<Run> = Vec::new();
        if self.removes {
            let names: Vec<String> = all.iter().map(|work| work.name.clone()).collect();
            runs.push(self.manager.remove(&names));
        } else {
            if self.refresh {
                runs.push(self.manager.refresh());
            }
            let wanted: Vec<(String, Option<String>)> = all
                .iter()
                .filter(|work| work.install)
                .map(|work| (work.name.clone(), work.version.clone()))
                .collect();
            // what is held must be let go of before another version can be installed
            if !wanted.is_empty() {
                runs.push(self.manager.install(&wanted, &self.options, self.repository.as_deref()));
            }
            for hold in [true, false] {
                let names: Vec<String> =
                    all.iter().filter(|work| work.hold == Some(hold)).map(|work| work.name.clone()).collect();
                if !names.is_empty() {
                    runs.extend(self.manager.hold(&names, hold));
                }
            }
        }
        let mut ops: Vec<Op> = runs.into_iter().map(Op::Exec).collect();
        ops.push(Op::Query(Query::Facts(vec![Part::Os, Part::Packages])));
        ops
    }
}

/// What became of a transaction, for one of its packages.
fn outcome(name: &str, change: &Ask, before: Option<Installed>, answers: &[&Answer]) -> Application {
    let Some((last, ran)) = answers.split_last() else {
        return failed(FailureClass::Permanent, "an answer is missing");
    };
    for answer in ran {
        if let Some((class, why)) = complaint(answer) {
            // another run of the manager will be over some time
            let busy = ["lock", "another app is currently holding", "is already running"];
            let class =
                if busy.iter().any(|part| why.contains(part)) { FailureClass::Transient } else { class };
            return failed(class, [name, ": ", &why].concat());
        }
    }
    let after = match facts(last) {
        Ok(after) => after,
        Err(why) => return failed(FailureClass::Conflict, why),
    };
    let removes =
        matches!(change.operation, Operation::Delete) || text(&change.desired, "state") == Some("absent");
    match (installed(&after, name), removes) {
        (None, true) => done(Object::new(), before.is_some()),
        (Some(_), true) => failed(FailureClass::Conflict, [name, " is still installed"].concat()),
        (None, false) => failed(FailureClass::Conflict, [name, " is not installed afterwards"].concat()),
        (Some(here), false) => {
            done(seen(&change.desired, &here, Some(false)), before.as_ref() != Some(&here))
        }
    }
}

provider_kit::provider!(LinuxPkg);
