//! The schema document.

use provider_kit::{Object, Value, json};

/// Members of one object after those of another.
fn with(base: &Value, more: Value) -> Value {
    let mut all = base.as_object().cloned().unwrap_or_else(Object::new);
    if let Value::Object(more) = more {
        all.extend(more);
    }
    Value::Object(all)
}

pub fn schema() -> Value {
    let state = json!({
        "path": {"type": "text", "required": true, "normalise": ["path"], "forces-replacement": true,
                 "summary": "Absolute path."},
        "state": {"type": {"words": ["present", "absent"]}, "summary": "Whether it is there."},
    });
    let owned = with(
        &state,
        json!({
            "mode": {"type": "any", "normalise": ["octal"],
                     "summary": "Permission bits, as an octal text such as \"0644\" or a number."},
            "owner": {"type": "text", "summary": "User, by name or number."},
            "group": {"type": "text", "summary": "Group, by name or number."},
            "parents": {"type": "boolean", "summary": "Create missing directories."},
        }),
    );
    let content = with(
        &owned,
        json!({
            "backup": {"type": "boolean", "summary": "Keep what was there as PATH.bak when it is replaced."},
            "checksum": {"type": "text", "computed": "always", "owner": "foreign",
                         "summary": "SHA-256 of the content."},
            "size": {"type": "integer", "computed": "always", "owner": "foreign", "summary": "Bytes."},
        }),
    );
    let capabilities = json!(["write:{path}", "parents:{path} if parents"]);
    let presence = json!({"attribute": "state", "absent": "absent"});
    json!({
        "name": "linux.file",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "Files, directories, symbolic links, templates and lines",
        "types": {
            "linux.file::file": {
                "summary": "A regular file, replaced atomically.",
                "attributes": with(&content, json!({
                    "content": {"type": "text", "summary": "All of it, as text. Without it and `source`, content is left alone."},
                    "source": {"type": "any", "file": "reference", "summary": "A file of the project to copy."},
                })),
                "identity": ["path"], "presence": presence, "capabilities": capabilities,
                "import": "absolute path",
            },
            "linux.file::template": {
                "summary": "A regular file made from a text in which ${name} stands for a variable; $$ is a dollar sign.",
                "attributes": with(&content, json!({
                    "template": {"type": "text", "summary": "The text."},
                    "source": {"type": "any", "file": "text", "summary": "A file of the project that has the text."},
                    "vars": {"type": {"map": "any"}, "summary": "Variables: texts, numbers, true or false."},
                })),
                "identity": ["path"], "presence": presence, "capabilities": capabilities,
            },
            "linux.file::directory": {
                "summary": "A directory.",
                "attributes": with(&owned, json!({
                    "recursive": {"type": "boolean", "summary": "Remove it together with what is in it."},
                })),
                "identity": ["path"], "presence": presence, "capabilities": capabilities,
                "import": "absolute path",
            },
            "linux.file::symlink": {
                "summary": "A symbolic link.",
                "attributes": with(&state, json!({
                    "target": {"type": "text", "required": true, "summary": "What it says; may be relative."},
                    "force": {"type": "boolean", "summary": "Replace a regular file that is in the way."},
                })),
                "identity": ["path"], "presence": presence, "capabilities": ["write:{path}"],
                "import": "absolute path",
            },
            "linux.file::line": {
                "summary": "One line of a text file.",
                "attributes": with(&state, json!({
                    "line": {"type": "text", "required": true, "summary": "The line, without its end."},
                    "starts": {"type": "text", "summary": "Lines that begin with this are replaced by the line."},
                    "after": {"type": "text", "summary": "A new line goes after the first that begins with this; else to the end."},
                    "create": {"type": "boolean", "summary": "Create the file when it is not there."},
                    "mode": {"type": "any", "normalise": ["octal"], "owner": "initial", "summary": "Of a file that is created."},
                    "backup": {"type": "boolean", "summary": "Keep what was there as PATH.bak."},
                })),
                "presence": presence, "capabilities": ["write:{path}"],
                "delete": {"effect": "idempotent", "reversibility": "reversible"},
            },
        },
    })
}
