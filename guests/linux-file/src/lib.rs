//! Files, directories, symbolic links, templates and single lines of files.

mod common;
mod directory;
mod file;
mod line;
mod schema;
mod symlink;
mod template;

use provider_kit::{
    Answer, Application, Ask, Finding, Inspection, Object, Resources, Value, finding, json, text,
};

struct LinuxFile;

impl Resources for LinuxFile {
    fn schema() -> Value {
        schema::schema()
    }

    fn validate(kind: &str, config: &Object) -> Vec<Finding> {
        let mut found = common::check(config);
        match kind {
            "linux.file::file" => file::check(config, &mut found),
            "linux.file::template" => template::check(config, &mut found),
            "linux.file::line" => line::check(config, &mut found),
            "linux.file::symlink" if text(config, "target") == Some("") => {
                found.push(finding("target", "a symbolic link has to lead somewhere", None));
            }
            _ => {}
        }
        found
    }

    fn inspect(kind: &str, config: &Object, answers: &[&Answer]) -> Inspection {
        let Some(path) = text(config, "path") else {
            return Inspection::Unreadable("`path` is not declared".into());
        };
        match kind {
            "linux.file::file" => file::inspect(path, config, answers),
            "linux.file::directory" => directory::inspect(path, config, answers),
            "linux.file::symlink" => symlink::inspect(path, config, answers),
            "linux.file::template" => template::inspect(path, config, answers),
            "linux.file::line" => line::inspect(path, config, answers),
            _ => Inspection::Unreadable(["there is no type ", kind].concat()),
        }
    }

    fn apply(kind: &str, change: &Ask, answers: &[&Answer]) -> Application {
        match kind {
            "linux.file::file" => file::apply(change, answers),
            "linux.file::directory" => directory::apply(change, answers),
            "linux.file::symlink" => symlink::apply(change, answers),
            "linux.file::template" => template::apply(change, answers),
            "linux.file::line" => line::apply(change, answers),
            _ => provider_kit::failed(
                provider_kit::FailureClass::Permanent,
                ["there is no type ", kind].concat(),
            ),
        }
    }

    fn import(kind: &str, id: &str) -> Result<Value, String> {
        if kind == "linux.file::line" || kind == "linux.file::template" {
            return Err("what a line or a template was made from cannot be read back; import the file".into());
        }
        if common::is_plain(id) { Ok(json!({"path": id})) } else { Err("an id is an absolute path".into()) }
    }
}

provider_kit::provider!(LinuxFile);
