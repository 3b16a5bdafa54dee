//! Users, groups, and the keys they log in with.

mod account;
mod key;

use provider_kit::{
    Answer, Application, Ask, Finding, Inspection, Object, Resources, Value, finding, json, text, texts,
};

struct LinuxUser;

impl Resources for LinuxUser {
    fn schema() -> Value {
        let name = |summary: &str| json!({"type": "text", "required": true, "forces-replacement": true, "summary": summary});
        let state = json!({"type": {"words": ["present", "absent"]}, "summary": "Whether it is there."});
        let presence = json!({"attribute": "state", "absent": "absent"});
        let system =
            json!({"type": "boolean", "owner": "initial", "summary": "A number from the system's range."});
        json!({
            "name": "linux.user",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Users, groups and authorized keys",
            "types": {
                "linux.user::user": {
                    "summary": "A user of the target's own files (not of a directory service).",
                    "attributes": {
                        "name": name("Login name."),
                        "state": state,
                        "uid": {"type": "integer", "summary": "Number."},
                        "group": {"type": "text", "summary": "First group, by name."},
                        "groups": {"type": {"list": "text"}, "normalise": ["set"], "summary": "Further groups, all of them."},
                        "home": {"type": "text", "normalise": ["path"], "summary": "Home directory."},
                        "shell": {"type": "text", "summary": "Login shell."},
                        "system": system,
                        "create-home": {"type": "boolean", "default": true, "owner": "initial", "summary": "Create the home directory with the user."},
                        "remove-home": {"type": "boolean", "summary": "Remove the home directory with the user."},
                    },
                    "identity": ["name"], "presence": presence,
                    "capabilities": ["facts", "exec:useradd", "exec:usermod", "exec:userdel"],
                    "import": "login name",
                },
                "linux.user::group": {
                    "summary": "A group.",
                    "attributes": {
                        "name": name("Its name."),
                        "state": state,
                        "gid": {"type": "integer", "summary": "Number."},
                        "system": system,
                    },
                    "identity": ["name"], "presence": presence,
                    "capabilities": ["facts", "exec:groupadd", "exec:groupmod", "exec:groupdel"],
                    "delete": {"effect": "idempotent", "reversibility": "reversible"},
                    "import": "group name",
                },
                "linux.user::authorized-key": {
                    "summary": "A key with which a user may log in. Other keys of the file are left alone.",
                    "attributes": {
                        "user": name("Login name."),
                        "key": name("The public key: its type and its base64 text, without options and comment."),
                        "state": state,
                        "options": {"type": "text", "summary": "Options before the key, as in authorized_keys(5)."},
                        "comment": {"type": "text", "summary": "What stands after the key."},
                        "home": {"type": "text", "summary": "The user's home directory, where it is not below /home."},
                    },
                    "identity": ["user", "key"], "presence": presence,
                    "capabilities": ["facts", "write:/home", "write:{home}/.ssh"],
                    "delete": {"effect": "idempotent", "reversibility": "reversible"},
                },
            },
        })
    }

    fn validate(kind: &str, config: &Object) -> Vec<Finding> {
        let mut found = Vec::new();
        for name in ["name", "user", "group"] {
            if text(config, name).is_some_and(|name| !is_account(name)) {
                found.push(finding(
                    name,
                    "is not an account's name (a letter or _, then letters, digits and ._-)",
                    None,
                ));
            }
        }
        if texts(config, "groups").is_some_and(|all| !all.iter().all(|one| is_account(one))) {
            found.push(finding("groups", "has something that is not a group's name", None));
        }
        for name in ["uid", "gid"] {
            let number = |value: &Value| value.as_u64().is_some_and(|number| number < u64::from(u32::MAX));
            if config.get(name).is_some_and(|value| !number(value)) {
                found.push(finding(name, "is not an account's number", None));
            }
        }
        for name in ["home", "shell"] {
            if text(config, name).is_some_and(|path| !is_plain(path)) {
                found.push(finding(name, "must be an absolute path", None));
            }
        }
        if kind == "linux.user::authorized-key" {
            key::check(config, &mut found);
        }
        found
    }

    fn inspect(kind: &str, config: &Object, answers: &[&Answer]) -> Inspection {
        match kind {
            "linux.user::user" => account::inspect_user(config, answers),
            "linux.user::group" => account::inspect_group(config, answers),
            _ => key::inspect(config, answers),
        }
    }

    fn apply(kind: &str, change: &Ask, answers: &[&Answer]) -> Application {
        match kind {
            "linux.user::user" => account::apply_user(change, answers),
            "linux.user::group" => account::apply_group(change, answers),
            _ => key::apply(change, answers),
        }
    }

    fn import(kind: &str, id: &str) -> Result<Value, String> {
        if kind == "linux.user::authorized-key" {
            return Err("a key is declared by itself; there is nothing to import".into());
        }
        if is_account(id) { Ok(json!({"name": id})) } else { Err("an id is an account's name".into()) }
    }
}

/// useradd(8): a letter or underscore, then letters, digits, underscores and dashes; dots are common too.
pub fn is_account(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && !path.chars().any(|c| c.is_control() || c == ':')
        && !path.split('/').any(|name| matches!(name, "." | ".."))
}

provider_kit::provider!(LinuxUser);
