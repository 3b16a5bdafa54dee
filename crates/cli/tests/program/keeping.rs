//! Backups that the real program makes while others write, and restores: whole, verified, or not at all.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::sshd::text;
use crate::terminal::{Said, Terminal, finish, narration, wait_for};

/// A project with a run behind it, its workflow, and a secret.
fn used() -> Terminal {
    let terminal = Terminal::project();
    terminal.write(
        "workflows/note.yaml",
        "document: {dsl: '1.0.3', namespace: shop, name: note, version: '1.0.0'}\ndo:\n  - say: {set: {said: hello}}\n",
    );
    terminal.run(&["run", "workflows/note.yaml"]).good();
    let secret = terminal.root().join(".aedile/dev/secrets/token");
    fs_err::write(&secret, "canary-0d4c7f\n").unwrap();
    fs_err::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    terminal
}

fn state(terminal: &Terminal) -> PathBuf {
    terminal.root().join(".aedile/dev")
}

fn records(terminal: &Terminal) -> Vec<String> {
    let said = terminal.run(&["journal", "export"]).good();
    said.stdout.lines().map(str::to_owned).collect()
}

fn refused(said: &Said, exit: i32, words: &str) {
    assert!(said.exit == Some(exit) && said.stderr.contains(words), "{words}: {said:?}");
}

/// Every file of a state but what can be made again.
fn kept(state: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for directory in ["keys", "secrets"] {
        for entry in fs_err::read_dir(state.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            found.push((
                path.strip_prefix(state).unwrap().display().to_string(),
                fs_err::read(&path).unwrap(),
            ));
        }
    }
    found.sort();
    found
}

#[test]
fn infrastructure_24_a_backup_beside_writers_is_restored_as_it_was_at_one_moment() {
    let terminal = used();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    terminal.run(&["run", "workflows/note.yaml"]).good();
                }
            });
        }
        let before = records(&terminal).len();
        for name in ["a.backup", "b.backup"] {
            let made = terminal.run(&["backup", name, "--json"]).good().json();
            let position = made["manifest"]["position"].as_u64().unwrap();
            assert!(position >= before as u64, "what was acknowledged before is in it: {made}");
        }
        stop.store(true, Ordering::Relaxed);
    });
    let (all, keys) = (records(&terminal), kept(&state(&terminal)));
    let other = Terminal::project();
    for name in ["a.backup", "b.backup"] {
        let file = terminal.root().join(name);
        assert_eq!(fs_err::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let restored = other.run(&["restore", text(&file), "--replace", "--json"]).good().json();
        let copied = records(&other);
        assert_eq!(restored["manifest"]["position"].as_u64(), Some(copied.len() as u64));
        assert_eq!(copied, all[..copied.len()], "it is the beginning of what there is");
        assert_eq!(kept(&state(&other)), keys);
        other.run(&["journal", "verify"]).good();
        assert_eq!(other.run(&["journal", "replay", "--json"]).good().json()["same"], true);
    }
    // it goes on from there: it signs, and runs
    other.write(
        "workflows/note.yaml",
        &fs_err::read_to_string(terminal.root().join("workflows/note.yaml")).unwrap(),
    );
    other.run(&["run", "workflows/note.yaml"]).good();
    other.run(&["journal", "checkpoint"]).good();
    other.run(&["journal", "verify"]).good();
}

#[test]
fn a_restore_replaces_only_what_it_is_told_to_and_keeps_that() {
    let terminal = used();
    terminal.run(&["backup", "a.backup"]).good();
    refused(&terminal.run(&["backup", "a.backup"]), 1, "is there already");
    terminal.run(&["backup", "a.backup", "--force"]).good();
    let first = records(&terminal);
    terminal.run(&["run", "workflows/note.yaml"]).good();
    let second = records(&terminal);
    refused(&terminal.run(&["restore", "a.backup"]), 1, "E0120");
    assert_eq!(records(&terminal), second);
    let said = terminal.run(&["restore", "a.backup", "--replace", "--json"]).good().json();
    assert_eq!(records(&terminal), first);
    let mode =
        |path: &str| fs_err::metadata(state(&terminal).join(path)).unwrap().permissions().mode() & 0o777;
    let modes = [".", "keys", "keys/signing.key", "secrets/token", "journal.db"].map(mode);
    assert_eq!(modes, [0o700, 0o700, 0o600, 0o600, 0o600], "its owner's only");
    terminal.run(&["doctor"]).good();
    let old = PathBuf::from(said["kept"].as_str().unwrap());
    assert!(old.join("journal.db").is_file() && old.join("keys/signing.key").is_file(), "{said}");
    let verified =
        terminal.run(&["journal", "verify", text(&old.join("journal.db")), "--json"]).good().json();
    assert_eq!(verified["records"].as_u64(), Some(second.len() as u64));
    let left: Vec<_> = fs_err::read_dir(terminal.root().join(".aedile"))
        .unwrap()
        .map(|one| one.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "nothing else is left behind: {left:?}");
}

#[test]
fn a_backup_of_another_place_is_refused_unless_it_is_named() {
    let terminal = used();
    terminal.run(&["backup", "a.backup"]).good();
    let file = terminal.root().join("a.backup");
    let other = Terminal::empty();
    other.write("aedile.yaml", "name: other\n");
    let said = other.run(&["restore", text(&file)]);
    refused(&said, 2, "E0119");
    assert!(said.stderr.contains("--from shop/dev"), "{said:?}");
    assert!(!state(&other).join("journal.db").exists());
    refused(&other.run(&["restore", text(&file), "--from", "shop/prod"]), 2, "E0119");
    other.run(&["restore", text(&file), "--from", "shop/dev"]).good();
    other.run(&["journal", "verify"]).good();
}

#[test]
fn a_backup_that_was_changed_is_refused_and_nothing_is_replaced() {
    let terminal = used();
    terminal.run(&["journal", "checkpoint"]).good();
    terminal.run(&["backup", "a.backup"]).good();
    let whole = fs_err::read(terminal.root().join("a.backup")).unwrap();
    let before = records(&terminal);
    let try_one = |bytes: &[u8], words: &str| {
        fs_err::write(terminal.root().join("bad.backup"), bytes).unwrap();
        refused(&terminal.run(&["restore", "bad.backup", "--replace"]), 6, words);
        assert_eq!(records(&terminal), before);
    };
    try_one(b"", "E0118");
    try_one(b"this is not a backup at all", "E0118");
    try_one(&whole[..whole.len() / 2], "E0118");
    let mut changed = whole.clone();
    let middle = changed.windows(5).rposition(|window| window == b"hello").unwrap();
    changed[middle] = b'j';
    try_one(&changed, "is not what its manifest says");
    // a manifest that was made to fit: the chain tells
    let (mut files, manifest) = unpacked(&whole);
    let journal = files.iter_mut().find(|(path, _)| path == "journal.db").unwrap();
    let at = journal.1.windows(5).position(|window| window == b"hello").unwrap();
    journal.1[at] = b'j';
    try_one(&packed(&manifest, &files), "its journal does not verify");
    // what was never in a backup, and what leads out of it
    for path in ["../../../escaped", "/tmp/escaped", "engines/x.lock", "cache/wasm/x", "journal.db-wal"] {
        let (mut files, manifest) = unpacked(&whole);
        files.push((path.to_owned(), b"x".to_vec()));
        try_one(&packed(&manifest, &files), "its manifest lists");
    }
    // the key that must have signed is another one
    let other = used();
    let keys = fs_err::read_dir(state(&other).join("keys")).unwrap().map(|one| one.unwrap().path());
    let key = keys.into_iter().find(|path| path.extension().is_some_and(|it| it == "pub")).unwrap();
    let said = terminal.run(&["restore", "a.backup", "--replace", "--key", text(&key)]);
    refused(&said, 6, "E0118");
    assert_eq!(records(&terminal), before);
}

/// What is in a backup, and its manifest.
fn unpacked(bytes: &[u8]) -> (Vec<(String, Vec<u8>)>, Value) {
    let mut files = Vec::new();
    let mut at = 0;
    while bytes[at] != 0 {
        let field = |from: usize, size: usize| {
            let field = &bytes[at + from..at + from + size];
            String::from_utf8(field.split(|byte| *byte == 0).next().unwrap().to_vec()).unwrap()
        };
        let size = usize::from_str_radix(field(124, 12).trim(), 8).unwrap();
        files.push((field(0, 100), bytes[at + 512..at + 512 + size].to_vec()));
        at += 512 + size.div_ceil(512) * 512;
    }
    let manifest = files.remove(0);
    (files, serde_json::from_slice(&manifest.1).unwrap())
}

/// A backup of these files with a manifest that lists them.
fn packed(manifest: &Value, files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut manifest = manifest.clone();
    manifest["files"] = files
        .iter()
        .map(|(path, bytes)| {
            serde_json::json!({"path": path, "bytes": bytes.len(), "sha256": model::Digest::of(bytes)})
        })
        .collect();
    let mut out = Vec::new();
    let text = serde_json::to_vec(&manifest).unwrap();
    let first = [("manifest.json".to_owned(), text)];
    for (path, bytes) in first.iter().chain(files) {
        let mut header = [0_u8; 512];
        header[..path.len()].copy_from_slice(path.as_bytes());
        header[100..107].copy_from_slice(b"0000600");
        header[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
        header[136..147].copy_from_slice(b"00000000000");
        header[156] = b'0';
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(bytes);
        out.resize(out.len().div_ceil(512) * 512, 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

#[test]
fn an_encrypted_backup_is_read_by_whom_it_is_for_and_by_nobody_else() {
    let terminal = used();
    terminal.run(&["secrets", "keygen", "--output", "../mine.key"]).good();
    let mine = terminal.root().join("../mine.key");
    let public = fs_err::read_to_string(&mine).unwrap();
    let public = public.split_whitespace().find(|word| word.starts_with("age1")).unwrap();
    terminal.run(&["backup", "a.backup", "--recipient", public]).good();
    let bytes = fs_err::read(terminal.root().join("a.backup")).unwrap();
    for clear in [&b"canary-0d4c7f"[..], b"journal.db", b"SQLite format"] {
        assert!(!bytes.windows(clear.len()).any(|window| window == clear), "{clear:?} can be read in it");
    }
    refused(&terminal.run(&["restore", "a.backup", "--replace"]), 2, "there is no key");
    let before = records(&terminal);
    terminal.run(&["run", "workflows/note.yaml"]).good();
    let mut cut = bytes.clone();
    cut.truncate(bytes.len() - 100);
    fs_err::write(terminal.root().join("cut.backup"), cut).unwrap();
    refused(&terminal.run(&["restore", "cut.backup", "--replace", "--identity", text(&mine)]), 6, "E0118");
    terminal.run(&["restore", "a.backup", "--replace", "--identity", text(&mine)]).good();
    assert_eq!(records(&terminal), before);
    let none = terminal.run(&["backup", "b.backup", "--recipient", "age1nobody"]);
    assert!(none.exit == Some(2) && !terminal.root().join("b.backup").exists(), "{none:?}");
}

#[test]
fn a_living_engine_keeps_its_state_and_what_was_under_way_is_named() {
    let terminal = used();
    terminal.write(
        "workflows/slow.yaml",
        "document: {dsl: '1.0.3', namespace: shop, name: slow, version: '1.0.0'}\ndo:\n  - rest: {wait: {minutes: 5}}\n",
    );
    let mut child = terminal.spawn(&["run", "workflows/slow.yaml"]);
    let lines = narration(&mut child);
    let run = wait_for(&lines, "run_");
    wait_for(&lines, "waiting");
    terminal.run(&["backup", "a.backup"]).good();
    refused(&terminal.run(&["restore", "a.backup", "--replace"]), 1, "E0121");
    child.kill().unwrap();
    finish(child);
    let said = terminal.run(&["restore", "a.backup", "--replace"]).good();
    assert!(
        said.stderr.contains("the next engine carries on 1 run") && said.stderr.contains(&run),
        "{said:?}"
    );
    let none = Terminal::empty();
    none.write("aedile.yaml", "name: none\n");
    let none = none.run(&["backup", "a.backup"]);
    assert!(none.exit == Some(1) && none.stderr.contains("E0008"), "{none:?}");
}
