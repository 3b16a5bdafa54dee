//! Users and groups.

use provider_kit::{
    Answer, Application, Ask, FailureClass, Inspection, Object, Op, Operation, Part, Query, Run, Value,
    complaint, done, facts, failed, flag, present, run, text, texts,
};

use crate::is_account;

/// Seconds an account's change may take; a home directory may have to be copied or removed.
const PATIENCE: u32 = 600;

pub fn ask() -> Query {
    Query::Facts(vec![Part::Users])
}

/// An entry of a list of accounts, by name.
pub fn find<'a>(all: &'a Value, list: &str, name: &str) -> Option<&'a Value> {
    all.get(list)?.as_array()?.iter().find(|one| one.get("name").and_then(Value::as_str) == Some(name))
}

fn group_name(all: &Value, gid: u64) -> Option<&str> {
    let groups = all.get("groups")?.as_array()?;
    let group = groups.iter().find(|one| one.get("gid").and_then(Value::as_u64) == Some(gid))?;
    group.get("name")?.as_str()
}

fn further_groups(all: &Value, user: &str) -> Vec<String> {
    let member = |group: &&Value| {
        let members = group.get("members").and_then(Value::as_array);
        members.is_some_and(|members| members.iter().any(|one| one.as_str() == Some(user)))
    };
    let groups = all.get("groups").and_then(Value::as_array);
    let mut names: Vec<String> = groups
        .into_iter()
        .flatten()
        .filter(member)
        .filter_map(|group| group.get("name")?.as_str().map(str::to_owned))
        .collect();
    names.sort_unstable();
    names
}

/// A user as it is.
fn user(config: &Object, all: &Value) -> Option<Object> {
    let name = text(config, "name")?;
    let there = find(all, "users", name)?;
    let mut seen = config.clone();
    seen.insert("state".into(), "present".into());
    for attribute in ["uid", "home", "shell"] {
        seen.insert(attribute.into(), there.get(attribute)?.clone());
    }
    let gid = there.get("gid")?.as_u64()?;
    seen.insert("group".into(), group_name(all, gid).map_or_else(|| gid.to_string(), str::to_owned).into());
    seen.insert("groups".into(), further_groups(all, name).into());
    Some(seen)
}

fn group(config: &Object, all: &Value) -> Option<Object> {
    let there = find(all, "groups", text(config, "name")?)?;
    let mut seen = config.clone();
    seen.insert("state".into(), "present".into());
    seen.insert("gid".into(), there.get("gid")?.clone());
    Some(seen)
}

type Reader = fn(&Object, &Value) -> Option<Object>;

pub fn inspect_user(config: &Object, answers: &[&Answer]) -> Inspection {
    inspect(config, answers, user)
}

pub fn inspect_group(config: &Object, answers: &[&Answer]) -> Inspection {
    inspect(config, answers, group)
}

fn inspect(config: &Object, answers: &[&Answer], read: Reader) -> Inspection {
    let Some(answer) = answers.first() else { return Inspection::More(vec![ask()]) };
    match facts(answer) {
        Ok(all) => read(config, &all).map_or(Inspection::Absent, present),
        Err(why) => Inspection::Unreadable(why),
    }
}

pub fn apply_user(change: &Ask, answers: &[&Answer]) -> Application {
    apply(change, answers, user, |change, before| match (&change.operation, before) {
        (Operation::Delete, None) => None,
        (Operation::Delete, Some(_)) => {
            let home = flag(&change.desired, "remove-home") || flag(&change.prior, "remove-home");
            Some(command("userdel", if home { vec!["--remove".into()] } else { Vec::new() }))
        }
        (_, None) => Some(command("useradd", create_user(&change.desired))),
        (_, Some(before)) => {
            let args = settings(&change.desired, Some(before));
            (!args.is_empty()).then(|| command("usermod", args))
        }
    })
}

pub fn apply_group(change: &Ask, answers: &[&Answer]) -> Application {
    apply(change, answers, group, |change, before| {
        let gid = change
            .desired
            .get("gid")
            .filter(|gid| before.is_none_or(|before| before.get("gid") != Some(*gid)));
        let mut args: Vec<String> =
            gid.map(|gid| ["--gid=", &gid.to_string()].concat()).into_iter().collect();
        match (&change.operation, before) {
            (Operation::Delete, None) => None,
            (Operation::Delete, Some(_)) => Some(command("groupdel", Vec::new())),
            (_, None) => {
                if flag(&change.desired, "system") {
                    args.push("--system".into());
                }
                Some(command("groupadd", args))
            }
            (_, Some(_)) => (!args.is_empty()).then(|| command("groupmod", args)),
        }
    })
}

fn command(program: &str, args: Vec<String>) -> Run {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    run(program, &args, PATIENCE)
}

fn create_user(config: &Object) -> Vec<String> {
    let mut args = settings(config, None);
    if flag(config, "system") {
        args.push("--system".into());
    }
    args.push(if flag(config, "create-home") { "--create-home".into() } else { "--no-create-home".into() });
    args
}

/// Options for what differs.
fn settings(config: &Object, before: Option<&Object>) -> Vec<String> {
    let mut args = Vec::new();
    let differs = |name: &str, value: &Value| before.is_none_or(|before| before.get(name) != Some(value));
    for (name, option) in [("uid", "--uid="), ("group", "--gid="), ("home", "--home="), ("shell", "--shell=")]
    {
        let Some(declared) = config.get(name) else { continue };
        // a path with a slash at its end is the same path
        let value = match declared.as_str() {
            Some(text) if name == "home" => Value::from(text.trim_end_matches('/')),
            _ => declared.clone(),
        };
        if differs(name, &value) {
            args.push([option, &value.as_str().map_or_else(|| value.to_string(), str::to_owned)].concat());
        }
    }
    if let Some(mut groups) = texts(config, "groups") {
        groups.sort_unstable();
        groups.dedup();
        if differs("groups", &Value::from(groups.clone())) && !(before.is_none() && groups.is_empty()) {
            args.push(["--groups=", &groups.join(",")].concat());
        }
    }
    args
}

/// Looks, runs what has to be run, looks again.
fn apply(
    change: &Ask,
    answers: &[&Answer],
    read: Reader,
    decide: impl Fn(&Ask, Option<&Object>) -> Option<Run>,
) -> Application {
    let name = text(&change.desired, "name").or_else(|| text(&change.prior, "name"));
    let Some(name) = name.filter(|name| is_account(name)) else {
        return failed(FailureClass::Permanent, "`name` is not an account's name");
    };
    let Some(first) = answers.first() else { return Application::More(vec![Op::Query(ask())]) };
    let mut config = change.desired.clone();
    config.insert("name".into(), name.into());
    let look = |answer: &Answer| facts(answer).map(|all| read(&config, &all));
    let before = match look(first) {
        Ok(before) => before,
        Err(why) => return failed(FailureClass::Conflict, why),
    };
    let Some(mut command) = decide(change, before.as_ref()) else {
        return done(before.unwrap_or_default(), false);
    };
    command.args.extend(["--".into(), name.into()]);
    let [_, ran, last] = answers else {
        return Application::More(vec![Op::Exec(command), Op::Query(ask())]);
    };
    if let Some((class, why)) = complaint(ran) {
        let class = if why.contains("lock") { FailureClass::Transient } else { class };
        return failed(class, [name, ": ", &why].concat());
    }
    match (look(last), &change.operation) {
        (Ok(None), Operation::Delete) => done(Object::new(), true),
        (Ok(Some(after)), operation) if !matches!(operation, Operation::Delete) => done(after, true),
        (Ok(_), _) => failed(FailureClass::Conflict, [name, " is not as it should be afterwards"].concat()),
        (Err(why), _) => failed(FailureClass::Conflict, why),
    }
}
