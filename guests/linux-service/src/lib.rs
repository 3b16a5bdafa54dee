//! Services: of systemd where it runs, else of OpenRC or the scripts of System V.

use provider_kit::{
    Answer, Application, Ask, Ended, FailureClass, Finding, Inspection, Look, Object, Op, Operation, Query,
    Resources, Value, complaint, done, failed, finding, json, look, present, run, tail, text,
};

/// Seconds a service may take to start or stop.
const PATIENCE: u32 = 180;
/// How many lines of a journal are told when a service does not run.
const JOURNAL_LINES: &str = "10";

struct LinuxService;

/// Who runs services.
#[derive(Clone, Copy, PartialEq)]
enum Manager {
    Systemd,
    OpenRc,
    SysV,
}

impl Resources for LinuxService {
    fn schema() -> Value {
        let nature = json!({"effect": "idempotent", "reversibility": "reversible"});
        let nothing = json!({"effect": "idempotent", "reversibility": "no-change"});
        json!({
            "name": "linux.service",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Services of systemd, OpenRC or System V",
            "types": {"linux.service::service": {
                "summary": "A service. Removing it from the configuration leaves it as it is.",
                "attributes": {
                    "name": {"type": "text", "required": true, "forces-replacement": true,
                             "summary": "Its name, without `.service`."},
                    "state": {"type": {"words": ["running", "stopped"]}, "summary": "Whether it runs now."},
                    "enabled": {"type": "boolean", "normalise": ["truth"], "summary": "Whether it starts with the host."},
                },
                "identity": ["name"],
                "capabilities": [
                    "read:/run/systemd/system", "read:/sbin/openrc-run",
                    "query:systemctl show", "query:service {name} status", "query:rc-service {name} status",
                    "query:rc-update show default", "facts", "query:journalctl --sync", "query:journalctl --quiet",
                    "exec:systemctl", "exec:service {name}", "exec:rc-service {name}", "exec:rc-update",
                    "exec:update-rc.d {name}",
                ],
                "create": nature, "update": nature, "delete": nothing,
                "handlers": ["restart", "reload"],
                "handle": nothing,
                "import": "name",
            }},
        })
    }

    fn validate(_: &str, config: &Object) -> Vec<Finding> {
        match text(config, "name") {
            Some(name) if !is_name(name) => {
                vec![finding("name", "is not a service's name (letters, digits and .@_:-)", None)]
            }
            _ => Vec::new(),
        }
    }

    fn inspect(_: &str, config: &Object, answers: &[&Answer]) -> Inspection {
        let Some(name) = text(config, "name").filter(|name| is_name(name)) else {
            return Inspection::Unreadable("`name` is not a service's name".into());
        };
        if answers.is_empty() {
            return Inspection::More(first(name));
        }
        let manager = manager(answers);
        if manager != Manager::Systemd && answers.len() == FIRST {
            return Inspection::More(second(name, manager));
        }
        match status(name, manager, answers) {
            Ok(Some(seen)) => present(with(config, &seen)),
            Ok(None) => Inspection::Absent,
            Err(why) => Inspection::Unreadable(why),
        }
    }

    fn apply(_: &str, change: &Ask, answers: &[&Answer]) -> Application {
        let Some(name) = text(&change.desired, "name").filter(|name| is_name(name)) else {
            return failed(FailureClass::Permanent, "`name` is not a service's name");
        };
        if matches!(change.operation, Operation::Delete) {
            return done(Object::new(), false);
        }
        let queries = |queries: Vec<Query>| queries.into_iter().map(Op::Query).collect::<Vec<_>>();
        if answers.is_empty() {
            return Application::More(queries(first(name)));
        }
        let manager = manager(answers);
        let looked = if manager == Manager::Systemd { FIRST } else { FIRST + second(name, manager).len() };
        if answers.len() < looked {
            return Application::More(queries(second(name, manager)));
        }
        let before = match status(name, manager, &answers[..looked]) {
            Ok(Some(before)) => before,
            Ok(None) => return failed(FailureClass::Conflict, ["there is no service ", name].concat()),
            Err(why) => return failed(FailureClass::Conflict, why),
        };
        let wanted = commands(name, manager, change, &before);
        if wanted.is_empty() {
            return done(with(&change.desired, &before), false);
        }
        let harmless = |one: &provider_kit::Run| matches!(&*one.args[0], "stop" | "daemon-reload");
        if before.masked && !wanted.iter().all(harmless) {
            let unit = unit(name);
            let why = " is masked there, and is neither started nor enabled before `systemctl unmask ";
            return failed(FailureClass::Conflict, [name, why, &unit, "`"].concat());
        }
        if answers.len() == looked {
            let mut ops: Vec<Op> = wanted.into_iter().map(Op::Exec).collect();
            ops.extend(queries(first(name)));
            if manager != Manager::Systemd {
                ops.extend(queries(second(name, manager)));
            }
            return Application::More(ops);
        }
        let (ran, rest) = answers[looked..].split_at(wanted.len());
        let (again, told) = rest.split_at(looked);
        let after = status(name, manager, again);
        match outcome(name, change, ran, &after) {
            Ok(attributes) => done(attributes, true),
            Err((class, why)) => match (told, after) {
                // why it does not run is in its journal, if there was a start that has one
                ([], Ok(Some(after))) if after.state == "stopped" && !after.invocation.is_empty() => {
                    Application::More(queries(journal(&after.invocation)))
                }
                // it was started and has ended: a start that is waited for in vain does not get better by another one
                (told, Ok(Some(after))) if after.state == "stopped" => {
                    failed(FailureClass::Conflict, [why, last_words(told)].concat())
                }
                (_, _) => failed(class, why),
            },
        }
    }

    fn import(_: &str, id: &str) -> Result<Value, String> {
        let name = id.strip_suffix(".service").unwrap_or(id);
        if is_name(name) { Ok(json!({"name": name})) } else { Err("an id is a service's name".into()) }
    }
}

/// What a change has come to.
fn outcome(
    name: &str,
    change: &Ask,
    ran: &[&Answer],
    after: &Result<Option<Status>, String>,
) -> Result<Object, (FailureClass, String)> {
    if let Some((class, why)) = ran.iter().find_map(|answer| complaint(answer)) {
        return Err((class, [name, ": ", &why].concat()));
    }
    match after {
        Ok(Some(after)) => match text(&change.desired, "state") {
            Some(wanted) if wanted != after.state => {
                let why = [name, " is ", after.state, " right after it was told otherwise"].concat();
                Err((FailureClass::Conflict, why))
            }
            _ => Ok(with(&change.desired, after)),
        },
        Ok(None) => Err((FailureClass::Conflict, ["there is no service ", name].concat())),
        Err(why) => Err((FailureClass::Conflict, why.clone())),
    }
}

/// Asks what a start of a service said, and systemd about it: all that is on its way first, then the last of it.
fn journal(invocation: &str) -> Vec<Query> {
    let own = ["_SYSTEMD_INVOCATION_ID=", invocation].concat();
    let about = ["INVOCATION_ID=", invocation].concat();
    let lines = ["--lines=", JOURNAL_LINES].concat();
    vec![
        Query::Exec(look("journalctl", &["--sync"])),
        Query::Exec(look(
            "journalctl",
            &["--quiet", "--no-pager", "--output=cat", &lines, &own, "+", &about],
        )),
    ]
}

/// The end of a message: what the journal says. Nothing where there is none, or it is not ours to read.
fn last_words(told: &[&Answer]) -> String {
    match told {
        [_, Answer::Ran(ran)] if matches!(ran.ended, Ended::Exited(0)) => {
            let said = tail(&ran.stdout);
            if said.is_empty() { said } else { ["; its journal ends with:\n", &said].concat() }
        }
        _ => String::new(),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('-')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".@_:-".contains(&byte))
}

/// How many questions are asked first.
const FIRST: usize = 3;

/// What is asked first: which manager there is, and, in case it is systemd, the service.
fn first(name: &str) -> Vec<Query> {
    let stat = |path: &str| Query::Stat(Look { path: path.into(), digest: false, follow: true });
    let properties = "--property=LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,InvocationID";
    vec![
        stat("/run/systemd/system"),
        stat("/sbin/openrc-run"),
        Query::Exec(look("systemctl", &["show", properties, "--", &unit(name)])),
    ]
}

fn unit(name: &str) -> String {
    let known = [".service", ".socket", ".timer", ".target", ".path", ".mount"];
    if known.iter().any(|suffix| name.ends_with(suffix)) { name.into() } else { [name, ".service"].concat() }
}

fn manager(answers: &[&Answer]) -> Manager {
    match answers {
        [Answer::File(Some(_)), ..] => Manager::Systemd,
        [_, Answer::File(Some(_)), ..] => Manager::OpenRc,
        _ => Manager::SysV,
    }
}

fn second(name: &str, manager: Manager) -> Vec<Query> {
    match manager {
        Manager::Systemd => Vec::new(),
        Manager::OpenRc => vec![
            Query::Exec(look("rc-service", &[name, "status"])),
            Query::Exec(look("rc-update", &["show", "default"])),
        ],
        Manager::SysV => vec![
            Query::Exec(look("service", &[name, "status"])),
            Query::Facts(vec![provider_kit::Part::Services]),
        ],
    }
}

/// What a service is.
struct Status {
    state: &'static str,
    enabled: Option<bool>,
    /// Whether systemd has not read yet what its unit says now.
    outdated: bool,
    /// Whether it has ended, and systemd waits before it tries again.
    waiting: bool,
    /// Whether systemd is told to start it for nobody.
    masked: bool,
    /// How systemd calls the last time it was started; empty where nobody calls it anything.
    invocation: String,
}

impl Status {
    /// What is known where there is no systemd.
    fn of_script(state: &'static str, enabled: Option<bool>) -> Self {
        let invocation = String::new();
        Self { state, enabled, outdated: false, waiting: false, masked: false, invocation }
    }
}

/// What the answers say; nothing when there is no such service.
fn status(name: &str, manager: Manager, answers: &[&Answer]) -> Result<Option<Status>, String> {
    let answer = |at: usize| answers.get(at).copied().ok_or_else(|| "an answer is missing".to_owned());
    match manager {
        Manager::Systemd => of_systemd(answer(2)?),
        Manager::OpenRc => {
            let enabled = match answer(FIRST + 1)? {
                Answer::Ran(ran) => Some(
                    String::from_utf8_lossy(&ran.stdout)
                        .lines()
                        .any(|line| line.split('|').next().is_some_and(|one| one.trim() == name)),
                ),
                _ => None,
            };
            of_script(answer(FIRST)?, enabled)
        }
        Manager::SysV => {
            let enabled = provider_kit::facts(answer(FIRST + 1)?).ok().and_then(|facts| {
                let known = facts.get("services")?.get("known")?.as_array()?;
                let one = known.iter().find(|one| one.get("name").and_then(Value::as_str) == Some(name))?;
                match one.get("enabled")?.as_str()? {
                    "enabled" => Some(true),
                    "disabled" => Some(false),
                    _ => None,
                }
            });
            of_script(answer(FIRST)?, enabled)
        }
    }
}

fn of_systemd(answer: &Answer) -> Result<Option<Status>, String> {
    let ran = match answer {
        Answer::Ran(ran) if matches!(ran.ended, Ended::Exited(0)) => ran,
        other => return Err(complaint(other).map_or_else(String::new, |(_, why)| why)),
    };
    let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
    let property = |name: &str| {
        printed
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or_default()
            .to_owned()
    };
    if matches!(property("LoadState").as_str(), "not-found" | "") {
        return Ok(None);
    }
    let waiting = matches!(property("SubState").as_str(), "auto-restart" | "auto-restart-queued");
    let state = match property("ActiveState").as_str() {
        "active" | "reloading" | "refreshing" | "activating" if !waiting => "running",
        _ => "stopped",
    };
    let enabled = match property("UnitFileState").as_str() {
        // what is enabled in /run only is not when the host starts again
        "enabled" | "alias" => Some(true),
        // these have no switch: they start when something needs them
        "static" | "indirect" | "generated" | "transient" | "" => None,
        _ => Some(false),
    };
    Ok(Some(Status {
        state,
        enabled,
        outdated: property("NeedDaemonReload") == "yes",
        waiting,
        masked: property("LoadState") == "masked",
        invocation: property("InvocationID"),
    }))
}

/// A script's `status` answers 0 when it runs and 3 when it does not (LSB); 4 and what cannot be started is unknown.
fn of_script(answer: &Answer, enabled: Option<bool>) -> Result<Option<Status>, String> {
    match answer {
        Answer::Ran(ran) => Ok(match ran.ended {
            Ended::Exited(0) => Some(Status::of_script("running", enabled)),
            Ended::Exited(1..=3) if !unknown(&ran.stderr) && !unknown(&ran.stdout) => {
                Some(Status::of_script("stopped", enabled))
            }
            _ => None,
        }),
        Answer::Fault(fault) if fault.code == "program_missing" => {
            Err("neither systemd, OpenRC nor the program `service` is on the target".into())
        }
        Answer::Fault(fault) => Err(fault.message.clone()),
        _ => Err("the host answered something else".into()),
    }
}

fn unknown(output: &[u8]) -> bool {
    let said = String::from_utf8_lossy(output);
    ["unrecognized service", "does not exist", "not found"].iter().any(|part| said.contains(part))
}

fn with(config: &Object, seen: &Status) -> Object {
    let mut all = config.clone();
    all.insert("state".into(), seen.state.into());
    if let Some(enabled) = seen.enabled {
        all.insert("enabled".into(), enabled.into());
    }
    all
}

/// What has to be run.
fn commands(name: &str, manager: Manager, change: &Ask, before: &Status) -> Vec<provider_kit::Run> {
    let unit = unit(name);
    let control = |verb: &str| match manager {
        Manager::Systemd => run("systemctl", &[verb, "--", &unit], PATIENCE),
        Manager::OpenRc => run("rc-service", &[name, verb], PATIENCE),
        Manager::SysV => run("service", &[name, verb], PATIENCE),
    };
    // a unit that was written by a change before this one
    let reread = before.outdated.then(|| run("systemctl", &["daemon-reload"], PATIENCE));
    if let Operation::Handle(handler) = &change.operation {
        // what does not run is not restarted: it starts with its new configuration when it is started
        if before.state != "running" {
            return Vec::new();
        }
        return match handler.as_str() {
            "restart" | "reload" => reread.into_iter().chain([control(handler)]).collect(),
            _ => Vec::new(),
        };
    }
    let mut all = Vec::new();
    let enable = change.desired.get("enabled").and_then(Value::as_bool);
    if let Some(enable) = enable.filter(|wanted| before.enabled != Some(*wanted)) {
        all.push(match manager {
            Manager::Systemd => {
                run("systemctl", &[if enable { "enable" } else { "disable" }, "--", &unit], PATIENCE)
            }
            Manager::OpenRc => {
                run("rc-update", &[if enable { "add" } else { "del" }, name, "default"], PATIENCE)
            }
            Manager::SysV => run("update-rc.d", &[name, if enable { "enable" } else { "disable" }], PATIENCE),
        });
    }
    match text(&change.desired, "state") {
        // a start would wait, too, until systemd tries again (`service_start` of systemd)
        Some("running") if before.waiting => all.push(control("restart")),
        Some("running") if before.state != "running" => all.push(control("start")),
        Some("stopped") if before.state != "stopped" => all.push(control("stop")),
        _ => {}
    }
    if all.is_empty() { all } else { reread.into_iter().chain(all).collect() }
}

provider_kit::provider!(LinuxService);
