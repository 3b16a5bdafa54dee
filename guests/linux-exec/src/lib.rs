//! Commands that are run unless something says that they have been.

use provider_kit::{
    Answer, Application, Ask, Ended, FailureClass, FileKind, Finding, Inspection, Look, Object, Op,
    Operation, Query, Resources, Run, Value, complaint, done, failed, finding, json, look, present, text,
    texts,
};

struct LinuxExec;

impl Resources for LinuxExec {
    fn schema() -> Value {
        let argv = |summary: &str| json!({"type": {"list": "text"}, "summary": summary});
        let mut command = argv("The program and its arguments; no shell. Everybody on the target sees them.");
        command["required"] = true.into();
        json!({
            "name": "linux.exec",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Commands guarded by `creates` or `unless`",
            "types": {"linux.exec::exec": {
                "summary": "A command that is run while its guard says that it has not been.",
                "attributes": {
                    "command": command,
                    "creates": {"type": "text", "summary": "Path of what the command makes; while it is there, nothing is run."},
                    "unless": argv("A command that only looks; while it succeeds, nothing is run."),
                    "cwd": {"type": "text", "summary": "Where it starts; `/` if not given."},
                    "env": {"type": {"map": "text"}, "summary": "Its environment."},
                    "timeout": {"type": "integer", "default": 300, "summary": "Seconds."},
                },
                "capabilities": ["read:{creates}", "query:{unless}", "exec:{command}"],
                "create": {"effect": "verifiable", "reversibility": "irreversible"},
                "update": {"effect": "verifiable", "reversibility": "irreversible"},
                "delete": {"effect": "idempotent", "reversibility": "no-change"},
                "handlers": ["run"],
                "handle": {"effect": "once", "reversibility": "irreversible"},
            }},
        })
    }

    fn validate(_: &str, config: &Object) -> Vec<Finding> {
        let mut found = Vec::new();
        for name in ["command", "unless"] {
            let empty = |words: Vec<String>| words.first().is_none_or(String::is_empty);
            if texts(config, name).is_some_and(empty) {
                found.push(finding(name, "names no program", None));
            }
        }
        if !config.contains_key("creates") && !config.contains_key("unless") {
            let hint = "say how it is seen that the command has been run";
            found.push(finding("", "a command needs `creates` or `unless`", Some(hint)));
        }
        if config
            .get("timeout")
            .and_then(Value::as_u64)
            .is_none_or(|timeout| timeout == 0 || timeout > 86_400)
        {
            found.push(finding("timeout", "is from 1 to 86400 seconds", None));
        }
        found
    }

    fn inspect(_: &str, config: &Object, answers: &[&Answer]) -> Inspection {
        if answers.is_empty() {
            let guards = guards(config);
            if guards.is_empty() {
                return Inspection::Unreadable("a command needs `creates` or `unless`".into());
            }
            return Inspection::More(guards);
        }
        match is_done(answers) {
            Ok(true) => present(config.clone()),
            Ok(false) => Inspection::Absent,
            Err(why) => Inspection::Unreadable(why),
        }
    }

    fn apply(_: &str, change: &Ask, answers: &[&Answer]) -> Application {
        let config = &change.desired;
        let guards: Vec<Op> = guards(config).into_iter().map(Op::Query).collect();
        let count = guards.len();
        match &change.operation {
            Operation::Delete => return done(Object::new(), false),
            Operation::Handle(_) => {
                return match answers.first() {
                    None => Application::More(vec![Op::Exec(command(config, provider_kit::Effect::Once))]),
                    Some(ran) => match complaint(ran) {
                        None => done(config.clone(), true),
                        Some((class, why)) => failed(class, why),
                    },
                };
            }
            Operation::Create | Operation::Update => {}
        }
        if answers.is_empty() {
            return Application::More(guards);
        }
        if answers.len() == count {
            return match is_done(answers) {
                Ok(true) => done(config.clone(), false),
                Ok(false) => {
                    let mut ops = vec![Op::Exec(command(config, provider_kit::Effect::Once))];
                    ops.extend(guards);
                    Application::More(ops)
                }
                Err(why) => failed(FailureClass::Conflict, why),
            };
        }
        if let Some((class, why)) = answers.get(count).and_then(|ran| complaint(ran)) {
            return failed(class, why);
        }
        match is_done(&answers[count + 1..]) {
            Ok(true) => done(config.clone(), true),
            Ok(false) => failed(
                FailureClass::Conflict,
                "the command succeeded, and its guard still says that it was not run",
            ),
            Err(why) => failed(FailureClass::Conflict, why),
        }
    }

    fn import(_: &str, _: &str) -> Result<Value, String> {
        Err("a command leaves nothing that could be imported".into())
    }
}

fn guards(config: &Object) -> Vec<Query> {
    let mut queries = Vec::new();
    if let Some(path) = text(config, "creates") {
        queries.push(Query::Stat(Look { path: path.into(), digest: false, follow: true }));
    }
    if let Some([program, args @ ..]) = texts(config, "unless").as_deref() {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        queries.push(Query::Exec(look(program, &args)));
    }
    queries
}

/// Whether a guard says that the command has been run.
fn is_done(answers: &[&Answer]) -> Result<bool, String> {
    for answer in answers {
        match answer {
            Answer::File(Some(stat)) if stat.kind != FileKind::Other || stat.size == 0 => return Ok(true),
            Answer::Ran(ran) if matches!(ran.ended, Ended::Exited(0)) => return Ok(true),
            // a program that will be installed first has not been run
            Answer::Fault(fault) if !matches!(fault.code.as_str(), "not_found" | "program_missing") => {
                return Err(fault.message.clone());
            }
            _ => {}
        }
    }
    Ok(false)
}

fn command(config: &Object, effect: provider_kit::Effect) -> Run {
    let words = texts(config, "command").unwrap_or_default();
    let env = config.get("env").and_then(Value::as_object);
    Run {
        program: words.first().cloned().unwrap_or_default(),
        args: words.into_iter().skip(1).collect(),
        env: env
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect(),
        cwd: text(config, "cwd").map(str::to_owned),
        input: None,
        output_max: 64 << 10,
        effect,
        timeout: config
            .get("timeout")
            .and_then(Value::as_u64)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(300),
    }
}

provider_kit::provider!(LinuxExec);
