//! `linux.file::line`: one line of a text file that others write too.

use provider_kit::{
    Answer, Application, Ask, Attributes, Content, FailureClass, Finding, Inspection, Object, Op, Operation,
    Query, Reading, Write, done, failed, fault, finding, flag, present, text,
};

use crate::common::{either, mode, sha256};

/// The largest file that is edited.
const FILE_MAX: u64 = 4 << 20;

pub fn check(config: &Object, found: &mut Vec<Finding>) {
    for name in ["line", "starts", "after"] {
        if text(config, name).is_some_and(|text| text.contains('\n')) {
            found.push(finding(name, "is more than one line", None));
        }
    }
    if let (Some(line), Some(starts)) = (text(config, "line"), text(config, "starts")) {
        if starts.is_empty() || !line.starts_with(starts) {
            let hint = "otherwise every run would add another line";
            found.push(finding("starts", "the line itself must begin with it", Some(hint)));
        }
    }
}

fn read(path: &str) -> Query {
    Query::Read(Reading { path: path.into(), max: FILE_MAX, follow: false })
}

/// What was read: `None` when there is no file.
fn content(answer: &Answer) -> Result<Option<&str>, String> {
    match answer {
        Answer::Content(content) if !content.complete => Err("the file is larger than 4 MiB".into()),
        Answer::Content(content) => {
            std::str::from_utf8(&content.data).map(Some).map_err(|_| "the file is not text".into())
        }
        Answer::Fault(fault) if fault.code == "not_found" => Ok(None),
        Answer::Fault(fault) => Err(fault.message.clone()),
        _ => Err("the host answered something else".into()),
    }
}

/// Whether a line is ours: it is the line, or begins as the line has to.
fn is_ours(candidate: &str, line: &str, starts: Option<&str>) -> bool {
    candidate == line || starts.is_some_and(|starts| candidate.starts_with(starts))
}

pub fn inspect(path: &str, config: &Object, answers: &[&Answer]) -> Inspection {
    let Some(answer) = answers.first() else { return Inspection::More(vec![read(path)]) };
    let text_there = match content(answer) {
        Ok(Some(text)) => text,
        Ok(None) => return Inspection::Absent,
        Err(why) => return Inspection::Unreadable(why),
    };
    let line = text(config, "line").unwrap_or_default();
    let ours: Vec<&str> =
        text_there.lines().filter(|one| is_ours(one, line, text(config, "starts"))).collect();
    let mut seen = config.clone();
    seen.insert("state".into(), "present".into());
    match ours.as_slice() {
        [] => Inspection::Absent,
        [one] => {
            seen.insert("line".into(), (*one).into());
            present(seen)
        }
        // without `starts`, a line that is there twice is there
        all if all.iter().all(|one| *one == line) && text(config, "starts").is_none() => present(seen),
        all => {
            seen.insert("line".into(), all.join("\n").into());
            present(seen)
        }
    }
}

/// The text as it has to be.
fn edited(there: &str, config: &Object, keep: bool) -> String {
    let line = text(config, "line").unwrap_or_default();
    let mut lines: Vec<&str> = Vec::new();
    let mut placed = !keep;
    for one in there.lines() {
        if !is_ours(one, line, text(config, "starts")) {
            lines.push(one);
        } else if !placed {
            lines.push(line);
            placed = true;
        }
    }
    if !placed {
        let after = text(config, "after");
        let place = after.and_then(|after| lines.iter().position(|one| one.starts_with(after)));
        lines.insert(place.map_or(lines.len(), |place| place + 1), line);
    }
    let mut text = lines.join("\n");
    if !lines.is_empty() {
        text.push('\n');
    }
    text
}

pub fn apply(change: &Ask, answers: &[&Answer]) -> Application {
    let Some(path) = either(change, "path") else {
        return failed(FailureClass::Permanent, "`path` is not declared");
    };
    let deletes = matches!(change.operation, Operation::Delete);
    // what is deleted may only be known from before
    let mut config = change.prior.clone();
    config.extend(change.desired.clone());
    let mut after = change.desired.clone();
    after.insert("state".into(), "present".into());
    let outcome = |changed| done(if deletes { Object::new() } else { after.clone() }, changed);
    match answers {
        [] => Application::More(vec![Op::Query(read(path))]),
        [before] => {
            let there = match content(before) {
                Ok(there) => there,
                Err(why) => return failed(FailureClass::Conflict, [path, ": ", &why].concat()),
            };
            if there.is_none() && deletes {
                return outcome(false);
            }
            if there.is_none() && !flag(&config, "create") {
                let why = [path, " is not there; `create: true` makes it"].concat();
                return failed(FailureClass::Conflict, why);
            }
            let wanted = edited(there.unwrap_or_default(), &config, !deletes);
            if there == Some(wanted.as_str()) {
                return outcome(false);
            }
            let created = there.is_none().then(|| config.get("mode").and_then(mode).unwrap_or(0o644));
            Application::More(vec![Op::Write(Write {
                path: path.into(),
                content: Content::Bytes(wanted.into_bytes()),
                attributes: Attributes { mode: created, owner: None, group: None },
                backup: flag(&config, "backup"),
                parents: false,
                replaces: Some(there.map_or_else(|| "absent".into(), |there| sha256(there.as_bytes()))),
            })])
        }
        [_, Answer::Done(changed), ..] => outcome(*changed),
        // somebody wrote between reading and writing: the next try sees it
        [_, Answer::Fault(why), ..] if why.code == "precondition" => {
            failed(FailureClass::Transient, [path, " was changed meanwhile: ", &why.message].concat())
        }
        [_, Answer::Fault(why), ..] => fault(path, why),
        _ => failed(FailureClass::Permanent, "the host answered something else"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use provider_kit::json;

    #[test]
    fn a_line_is_placed_replaced_and_removed_once() {
        let config = |value: provider_kit::Value| value.as_object().cloned().unwrap();
        let plain = config(json!({"line": "b"}));
        assert_eq!(edited("a\n", &plain, true), "a\nb\n");
        assert_eq!(edited("a\nb\nc\n", &plain, true), "a\nb\nc\n");
        assert_eq!(edited("a\nb\nb\n", &plain, false), "a\n");
        assert_eq!(edited("", &plain, true), "b\n");
        let root = config(json!({"line": "PermitRootLogin no", "starts": "PermitRootLogin "}));
        assert_eq!(
            edited("PermitRootLogin yes\nx\nPermitRootLogin no\n", &root, true),
            "PermitRootLogin no\nx\n"
        );
        let after = config(json!({"line": "new", "after": "[main]"}));
        assert_eq!(edited("[main]\nold\n", &after, true), "[main]\nnew\nold\n");
    }
}
