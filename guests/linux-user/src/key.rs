//! Keys with which users log in.

use provider_kit::{
    Answer, Application, Ask, Attributes, Content, Directory, FailureClass, Finding, Inspection, Object, Op,
    Operation, Query, Reading, Value, Write, done, facts, failed, fault, finding, present, text,
};
use sha2::{Digest as _, Sha256};

use crate::account::{ask, find};

/// The largest file of keys that is edited.
const FILE_MAX: u64 = 1 << 20;

/// Key types of OpenSSH.
const KINDS: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

pub fn check(config: &Object, found: &mut Vec<Finding>) {
    if let Some(key) = text(config, "key").filter(|key| parts(key).is_none()) {
        let words: Vec<&str> = key.splitn(3, char::is_whitespace).collect();
        match words.as_slice() {
            // a line of a file NAME.pub as it is
            [kind, base64, comment] if parts(&[kind, " ", base64].concat()).is_some() => {
                let hint = ["leave it out here, and write `comment: \"", comment.trim(), "\"` beside it"].concat();
                found.push(finding("key", "has a comment after the key", Some(&hint)));
            }
            _ => {
                let hint = "write the type and the base64 text, as in `ssh-ed25519 AAAA...`";
                found.push(finding("key", "is not a public key", Some(hint)));
            }
        }
    }
    for name in ["options", "comment"] {
        if text(config, name).is_some_and(|text| text.chars().any(char::is_control)) {
            found.push(finding(name, "has a control character", None));
        }
    }
}

/// Type and text of a declared key.
fn parts(key: &str) -> Option<(&str, &str)> {
    let mut words = key.split_whitespace();
    let (kind, text) = (words.next()?, words.next()?);
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    (KINDS.contains(&kind) && text.bytes().all(base64) && words.next().is_none()).then_some((kind, text))
}

/// Whether a line of the file is about this key.
fn is_of(line: &str, key: &str) -> bool {
    let Some((kind, base64)) = parts(key) else { return false };
    let mut words = line.split_whitespace();
    !line.trim_start().starts_with('#')
        && words.by_ref().any(|word| word == kind)
        && words.next().is_some_and(|word| word == base64)
}

fn line(config: &Object, key: &str) -> String {
    let all = [text(config, "options"), Some(key), text(config, "comment")];
    all.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The user's home directory.
fn home(config: &Object, user: &str, answer: &Answer) -> Result<Option<String>, String> {
    if let Some(home) = text(config, "home") {
        return Ok(Some(home.trim_end_matches('/').into()));
    }
    let all = facts(answer)?;
    Ok(find(&all, "users", user).and_then(|one| one.get("home")).and_then(Value::as_str).map(str::to_owned))
}

fn file(home: &str) -> String {
    [home, "/.ssh/authorized_keys"].concat()
}

fn read(home: &str) -> Query {
    Query::Read(Reading { path: file(home), max: FILE_MAX, follow: false })
}

/// What the file holds; `None` when it is not there.
fn content(answer: &Answer) -> Result<Option<&str>, String> {
    match answer {
        Answer::Content(content) if !content.complete => Err("the file of keys is larger than 1 MiB".into()),
        Answer::Content(content) => {
            std::str::from_utf8(&content.data).map(Some).map_err(|_| "the file of keys is not text".into())
        }
        Answer::Fault(fault) if fault.code == "not_found" => Ok(None),
        Answer::Fault(fault) => Err(fault.message.clone()),
        _ => Err("the host answered something else".into()),
    }
}

pub fn inspect(config: &Object, answers: &[&Answer]) -> Inspection {
    let (Some(user), Some(key)) = (text(config, "user"), text(config, "key")) else {
        return Inspection::Unreadable("`user` and `key` are needed".into());
    };
    let Some(first) = answers.first() else { return Inspection::More(vec![ask()]) };
    let home = match home(config, user, first) {
        Ok(Some(home)) => home,
        // the user will be created first
        Ok(None) => return Inspection::Absent,
        Err(why) => return Inspection::Unreadable(why),
    };
    let Some(answer) = answers.get(1) else { return Inspection::More(vec![read(&home)]) };
    match content(answer) {
        Ok(text_there) => {
            let own = text_there.and_then(|all| all.lines().find(|line| is_of(line, key)));
            own.map_or(Inspection::Absent, |own| present(seen(config, key, own)))
        }
        Err(why) => Inspection::Unreadable(why),
    }
}

fn seen(config: &Object, key: &str, own: &str) -> Object {
    let mut seen = config.clone();
    seen.insert("state".into(), "present".into());
    if own != line(config, key) {
        let (kind, base64) = parts(key).unwrap_or_default();
        let options = own.split(kind).next().unwrap_or_default().trim();
        let comment = own.split(base64).nth(1).unwrap_or_default().trim();
        seen.insert("options".into(), options.into());
        seen.insert("comment".into(), comment.into());
    }
    seen
}

pub fn apply(change: &Ask, answers: &[&Answer]) -> Application {
    let mut config = change.prior.clone();
    config.extend(change.desired.clone());
    let (Some(user), Some(key)) =
        (text(&config, "user"), text(&config, "key").filter(|key| parts(key).is_some()))
    else {
        return failed(FailureClass::Permanent, "`user` and `key` are needed");
    };
    let deletes = matches!(change.operation, Operation::Delete);
    let outcome = |changed| {
        let mut all = change.desired.clone();
        all.insert("state".into(), "present".into());
        done(if deletes { Object::new() } else { all }, changed)
    };
    let Some(first) = answers.first() else { return Application::More(vec![Op::Query(ask())]) };
    let home = match home(&config, user, first) {
        Ok(Some(home)) => home,
        Ok(None) if deletes => return outcome(false),
        Ok(None) => return failed(FailureClass::Conflict, ["there is no user ", user].concat()),
        Err(why) => return failed(FailureClass::Conflict, why),
    };
    match &answers[1..] {
        [] => Application::More(vec![Op::Query(read(&home))]),
        [before] => match content(before) {
            Ok(there) => edit(&config, key, &home, user, there, deletes)
                .map_or_else(|| outcome(false), Application::More),
            Err(why) => failed(FailureClass::Conflict, why),
        },
        [_, .., last] => match last {
            Answer::Done(changed) => outcome(*changed),
            Answer::Fault(why) if why.code == "precondition" => failed(
                FailureClass::Transient,
                ["the file of keys was changed meanwhile: ", &why.message].concat(),
            ),
            Answer::Fault(why) => fault(&file(&home), why),
            _ => failed(FailureClass::Permanent, "the host answered something else"),
        },
    }
}

/// What has to be done to the file, if anything.
fn edit(
    config: &Object,
    key: &str,
    home: &str,
    user: &str,
    there: Option<&str>,
    deletes: bool,
) -> Option<Vec<Op>> {
    let own = line(config, key);
    let mut lines: Vec<&str> = there.unwrap_or_default().lines().collect();
    let place = lines.iter().position(|one| is_of(one, key));
    lines.retain(|one| !is_of(one, key));
    if !deletes {
        lines.insert(place.unwrap_or(lines.len()).min(lines.len()), &own);
    }
    let mut wanted = lines.join("\n");
    if !lines.is_empty() {
        wanted.push('\n');
    }
    if there.unwrap_or_default() == wanted {
        return None;
    }
    let owned = |mode| Attributes { mode: Some(mode), owner: Some(user.into()), group: None };
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
    let digest = |text: &str| {
        Sha256::digest(text.as_bytes()).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    };
    let mut ops = Vec::new();
    if there.is_none() {
        let path = [home, "/.ssh"].concat();
        ops.push(Op::Directory(Directory { path, parents: false, attributes: owned(0o700) }));
    }
    ops.push(Op::Write(Write {
        path: file(home),
        content: Content::Bytes(wanted.into_bytes()),
        attributes: owned(0o600),
        backup: false,
        parents: false,
        replaces: Some(there.map_or_else(|| "absent".into(), digest)),
    }));
    Some(ops)
}
