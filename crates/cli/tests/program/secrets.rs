//! Secrets by reference with the real program: found, encrypted, and after use in no file and in no output.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::applying::Site;
use crate::terminal::{Said, Terminal, finish};

const OWN: &str = "canary-own-5b1f0c";
const VARIABLE: &str = "canary-variable-8d20e7";
const FILE: &str = "canary-file-c41a99";
const AGE: &str = "canary-age-02f7d3";

const SITE: &str = r#"package site

hosts: web: address: "192.0.2.1"
resources: app: {
	type: "linux.file"
	target: hosts: ["web"]
	config: {
		path:    "/etc/app/env"
		owner:   {"$secret": "token"}
		group:   {"$secret": "file:secrets/plain"}
		content: {"$join": ["a=", {"$secret": "env:APP_PASSWORD"}, " b=", {"$secret": "age:secrets/db.age"}]}
	}
}
"#;

/// Calls a shell with a secret of the environment's own, which it says again in three forms.
const WORKFLOW: &str = "document: {dsl: 1.0.1, namespace: shop, name: leak, version: 1.0.0}
use: {secrets: [token]}
do:
  - say:
      run:
        shell:
          command: 'echo \"$T\"; echo \"$T\" >&2; printf %s \"$T\" | base64'
          environment: {T: '${ $secrets.token }'}
";

fn private(terminal: &Terminal, path: &str, text: &str) {
    terminal.write(path, text);
    let path = terminal.root().join(path);
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The secrets that are files.
fn plant(terminal: &Terminal) {
    for path in ["secrets", ".aedile/dev/secrets"] {
        let path = terminal.root().join(path);
        fs_err::create_dir_all(&path).unwrap();
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    private(terminal, ".aedile/dev/secrets/token", OWN);
    private(terminal, "secrets/plain", &format!("{FILE}\n"));
}

fn typed(terminal: &Terminal, args: &[&str], input: &str) -> Said {
    let mut child =
        terminal.command(args).env("APP_PASSWORD", VARIABLE).stdin(Stdio::piped()).spawn().unwrap();
    // a command that does not read its input is no failure of the test
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    finish(child)
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[track_caller]
fn assert_nowhere(bytes: &[u8], what: &str) {
    for canary in [OWN, VARIABLE, FILE, AGE] {
        let hex = canary.bytes().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        for form in [canary, &hex] {
            assert!(!bytes.windows(form.len()).any(|part| part == form.as_bytes()), "{canary} is in {what}");
        }
    }
}

#[test]
fn planted_canaries_are_in_no_file_and_no_output_after_use() {
    let terminal = Terminal::project();
    terminal.write("infrastructure/site.cue", SITE);
    terminal.write("workflows/leak.yaml", WORKFLOW);
    terminal
        .write("policy/policy.yaml", "grants: [{match: {action: run.shell}, capabilities: ['run:shell']}]\n");
    let mut said = Vec::new();
    let missing = typed(&terminal, &["secrets", "list"], "");
    assert_eq!(missing.exit, Some(1), "{missing:?}");
    assert!(missing.stdout.contains("no file secrets/db.age"), "{missing:?}");

    plant(&terminal);
    let keygen = typed(&terminal, &["secrets", "keygen"], "").good();
    let public = keygen.stdout.trim().to_owned();
    assert!(public.starts_with("age1"), "{keygen:?}");
    let encrypt = ["secrets", "encrypt", "-", "--output", "secrets/db.age"];
    let nobody = typed(&terminal, &encrypt, AGE);
    assert_eq!(nobody.exit, Some(2), "nobody could read it: {nobody:?}");
    let manifest = fs_err::read_to_string(terminal.root().join("aedile.yaml")).unwrap();
    terminal.write("aedile.yaml", &format!("{manifest}secrets: {{recipients: [{public}]}}\n"));
    said.extend([missing, keygen, nobody]);
    said.push(typed(&terminal, &encrypt, AGE).good());
    let again = typed(&terminal, &encrypt, AGE);
    assert_eq!(again.exit, Some(1), "a file is not written over: {again:?}");
    said.push(again);

    let found = typed(&terminal, &["secrets", "list", "--json"], "").good();
    let all = found.json()["secrets"].as_array().unwrap().clone();
    assert_eq!(all.len(), 4, "{all:?}");
    assert!(all.iter().all(|one| one["found"] == true), "{all:?}");
    said.push(found);
    for args in [
        &["secrets", "list"][..],
        &["validate"],
        &["facts", "list"],
        &["explain", "value", "resources.app.config.content"],
        &["run", "leak"],
        &["runs", "show", "latest", "--json"],
        &["runs", "logs", "latest"],
        &["journal", "export"],
    ] {
        said.push(typed(&terminal, args, ""));
    }
    let ran = &said[said.len() - 4];
    assert_eq!(ran.exit, Some(0), "{ran:?}");

    assert_clean(&terminal, &said);
}

/// No canary is in what was said, nor in a file of the project or of the person, but where it was planted.
#[track_caller]
fn assert_clean(terminal: &Terminal, said: &[Said]) {
    for one in said {
        assert_nowhere(one.stdout.as_bytes(), "an answer");
        assert_nowhere(one.stderr.as_bytes(), "a narration");
    }
    let mut all = Vec::new();
    files(terminal.root().parent().unwrap(), &mut all);
    assert!(all.iter().any(|file| file.ends_with("journal.db")), "{all:?}");
    for file in all {
        if file.ends_with("secrets/token") || file.ends_with("secrets/plain") {
            continue;
        }
        assert_nowhere(&fs_err::read(&file).unwrap(), &file.display().to_string());
    }
}

#[test]
fn planted_canaries_reach_the_host_and_neither_plan_nor_journal() {
    let Some(site) = Site::start() else { return };
    let terminal = &site.terminal;
    plant(terminal);
    let public = typed(terminal, &["secrets", "keygen"], "").good().stdout;
    let encrypt = ["secrets", "encrypt", "-", "--to", public.trim(), "--output", "secrets/db.age"];
    typed(terminal, &encrypt, AGE).good();
    let (srv, path) = (site.server.path("srv"), site.there("app.env"));
    let declare = |content: &str, more: &str| {
        let (srv, path) = (srv.display(), path.display());
        let text = format!(
            "package site\n\nresources: {{\n\tsrv: {{type: \"linux.file::directory\", config: {{path: \"{srv}\", mode: \
             \"0755\"}}}}\n\tapp: {{\n\t\ttype: \"linux.file::file\"\n\t\tconfig: {{path: \"{path}\", mode: \"0600\", content: \
             {content}}}\n\t\tdependencies: [{{resource_id: \"srv\"}}]\n\t}}\n{more}}}\n"
        );
        terminal.write("infrastructure/site.cue", &text);
    };
    let all = r#"{"$join": [{"$secret": "token"}, " ", {"$secret": "env:APP_PASSWORD"}, " ", {"$secret": "file:secrets/plain"}, " ", {"$secret": "age:secrets/db.age"}, "\n"]}"#;
    declare(all, "");
    let mut said = Vec::new();
    for args in [
        &["plan"][..],
        &["plan", "--json", "-v"],
        &["plan", "--dot"],
        &["plan", "--out", "kept.plan"],
        &["apply", "kept.plan", "--yes"],
        &["plan"],
        &["resources", "show", "app"],
        &["resources", "list", "--json"],
        &["drift"],
        &["runs", "show", "latest", "--json"],
        &["runs", "logs", "latest"],
        &["journal", "export"],
    ] {
        said.push(typed(terminal, args, "").good());
    }
    let written = site.read("app.env").unwrap();
    assert_eq!(written, format!("{OWN} {VARIABLE} {FILE} {AGE}\n"));
    assert!(said[5].stdout.contains("2 unchanged"), "{:?}", said[5]);
    // an intruder's change is found, and what it is compared with is not told
    fs_err::write(site.there("app.env"), format!("{written}more\n")).unwrap();
    said.push(typed(terminal, &["drift", "--json"], ""));
    said.push(typed(terminal, &["apply", "--yes"], "").good());
    // what fails says why, and not with which value
    fs_err::remove_file(site.there("app.env")).unwrap();
    fs_err::create_dir(site.there("app.env")).unwrap();
    said.push(typed(terminal, &["apply", "--yes"], ""));
    assert_ne!(said.last().unwrap().exit, Some(0), "{said:?}");
    // everybody on the host could read it there
    let command = "\tleak: {type: \"linux.exec::exec\", config: {command: [\"echo\", {\"$secret\": \"token\"}], creates: \"/tmp/x\"}}\n";
    declare(all, command);
    let refused = typed(terminal, &["plan"], "");
    assert!(refused.exit == Some(2) && refused.stderr.contains("E0613"), "{refused:?}");
    said.push(refused);
    said.push(typed(terminal, &["journal", "export"], "").good());
    assert_clean(terminal, &said);
    // nor did the way to the host keep any
    let mut all = Vec::new();
    files(site.server.dir(), &mut all);
    for file in all.iter().filter(|file| !file.starts_with(&srv)) {
        if let Ok(bytes) = fs_err::read(file) {
            assert_nowhere(&bytes, &file.display().to_string());
        }
    }
}

#[test]
fn a_key_is_outside_of_the_project_and_its_owners_only() {
    let terminal = Terminal::project();
    let made = terminal.run(&["secrets", "keygen", "--json"]).good().json();
    let path = PathBuf::from(made["identity"].as_str().unwrap());
    assert!(path.ends_with(".config/aedile/identities/shop/dev.key"), "{path:?}");
    assert!(!path.starts_with(terminal.root()));
    assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let again = terminal.run(&["secrets", "keygen"]);
    assert_eq!(again.exit, Some(1), "{again:?}");
    assert!(again.stderr.contains("E0005") && again.stderr.contains("already"), "{again:?}");
    let recipient = made["recipient"].as_str().unwrap();
    let text = typed(&terminal, &["secrets", "encrypt", "-", "--to", recipient], "x").good().stdout;
    assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----"), "{text}");
    let wrong = typed(&terminal, &["secrets", "encrypt", "-", "--to", "age1wrong"], "x");
    assert_eq!(wrong.exit, Some(2));
    assert!(wrong.stderr.contains("E0616"), "{wrong:?}");
    let empty = typed(&terminal, &["secrets", "encrypt", "-", "--to", recipient], "");
    assert_eq!(empty.exit, Some(2), "{empty:?}");
}
