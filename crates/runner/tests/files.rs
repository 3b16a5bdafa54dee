//! Operations on files with the real program.

mod support;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use runner::protocol::{
    Answer, Attributes, Command, FaultCode, FromRunner, Input, Kind, Op, Outcome, Stat, ToRunner, Write,
};
use sha2::{Digest as _, Sha256};
use support::{Helper, answer, command, fault};

fn text(path: &Path) -> String {
    path.to_str().expect("a test's own path").to_owned()
}

fn plain(path: &Path) -> Write {
    Write {
        path: text(path),
        attributes: Attributes::default(),
        backup: false,
        parents: false,
        sha256: None,
        replaces: None,
    }
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn stat(helper: &mut Helper, id: u64, path: &Path) -> Option<Stat> {
    match answer(helper.done(id, Op::Stat { path: text(path), digest: true, follow: false })) {
        Answer::Stat { file } => file,
        other => panic!("{other:?}"),
    }
}

/// No temporary file of ours is left.
fn tidy(directory: &Path) {
    let left: Vec<PathBuf> = std::fs::read_dir(directory)
        .expect("listed")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| text(path).contains(".aedile-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn infrastructure_38_write_answers_the_digest_keeps_a_backup_and_sets_mode_owner_and_group() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("new/deep/file");
    let mut helper = Helper::open();
    let mut write = Write { parents: true, backup: true, ..plain(&path) };
    write.attributes.mode = Some(0o640);
    if rustix::process::geteuid().is_root() {
        write.attributes.owner = Some("daemon".into());
        write.attributes.group = Some("12345".into());
    }
    let first = answer(helper.write(1, write.clone(), b"one"));
    assert_eq!(first, Answer::Written { bytes: 3, sha256: digest(b"one"), changed: true, backup: None });
    let found = stat(&mut helper, 2, &path).expect("written");
    assert_eq!((found.mode, found.sha256), (0o640, Some(digest(b"one"))));
    if rustix::process::geteuid().is_root() {
        assert_eq!((found.owner.as_deref(), found.gid), (Some("daemon"), 12345));
    }
    let inode = path.metadata().expect("there").ino();
    let again = answer(helper.write(3, write.clone(), b"one"));
    assert!(matches!(again, Answer::Written { changed: false, backup: None, .. }), "{again:?}");
    assert_eq!(path.metadata().expect("there").ino(), inode, "unchanged content is not written again");
    let backup = PathBuf::from(format!("{}.bak", text(&path)));
    match answer(helper.write(4, write, b"two!")) {
        Answer::Written { changed: true, backup: Some(kept), .. } => {
            assert_eq!(PathBuf::from(kept).file_name(), backup.file_name());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(std::fs::read(&path).expect("there"), b"two!");
    assert_eq!(std::fs::read(&backup).expect("there"), b"one");
    // Without a mode or owner the new content keeps those of the old.
    assert!(matches!(helper.write(5, plain(&path), b"three"), Outcome::Ok(_)));
    assert_eq!(path.metadata().expect("there").permissions().mode() & 0o7777, 0o640);
    tidy(path.parent().expect("has one"));
}

#[test]
fn infrastructure_31_a_file_is_not_written_through_a_link_or_outside_of_the_plain_path() {
    let directory = tempfile::tempdir().expect("a directory");
    let (victim, link) = (directory.path().join("victim"), directory.path().join("link"));
    std::fs::write(&victim, "safe").expect("written");
    symlink(&victim, &link).expect("linked");
    let mut helper = Helper::open();
    assert_eq!(fault(helper.write(1, plain(&link), b"gone")), FaultCode::Symlink);
    let up = Write { path: format!("{}/x/../victim", text(directory.path())), ..plain(&victim) };
    assert_eq!(fault(helper.write(2, up, b"gone")), FaultCode::Traversal);
    assert_eq!(fault(helper.write(3, plain(directory.path()), b"gone")), FaultCode::WrongKind);
    assert_eq!(
        fault(helper.done(4, Op::Read { path: text(&link), offset: 0, length: None, follow: false })),
        FaultCode::Symlink
    );
    assert_eq!(std::fs::read(&victim).expect("there"), b"safe");
}

#[test]
fn content_and_preconditions_are_checked_before_anything_is_replaced() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("file");
    std::fs::write(&path, "old").expect("written");
    let mut helper = Helper::open();
    let wrong = Write { sha256: Some(digest(b"something else")), ..plain(&path) };
    assert_eq!(fault(helper.write(1, wrong, b"new")), FaultCode::Mismatch);
    let stale = Write { replaces: Some("absent".into()), ..plain(&path) };
    assert_eq!(fault(helper.write(2, stale, b"new")), FaultCode::Precondition);
    assert_eq!(std::fs::read(&path).expect("there"), b"old");
    let right = Write { replaces: Some(digest(b"old")), sha256: Some(digest(b"new")), ..plain(&path) };
    assert!(matches!(helper.write(3, right, b"new"), Outcome::Ok(_)));
    tidy(directory.path());
}

#[test]
fn a_write_that_is_cancelled_leaves_what_was_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("file");
    std::fs::write(&path, "old").expect("written");
    let mut helper = Helper::open();
    helper.send(&ToRunner::Run(Command { input: Input::Stream, ..command(1, Op::Write(plain(&path))) }), b"");
    helper.send(&ToRunner::Data { id: 1, last: false }, b"half of the ne");
    while !matches!(helper.next(), FromRunner::Credit { .. }) {}
    helper.send(&ToRunner::Cancel { id: 1 }, b"");
    assert_eq!(fault(helper.end(1).0), FaultCode::Cancelled);
    assert_eq!(std::fs::read(&path).expect("there"), b"old");
    tidy(directory.path());
}

#[test]
fn a_file_is_read_whole_or_in_part() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("file");
    let content: Vec<u8> = (0..600_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    std::fs::write(&path, &content).expect("written");
    let mut helper = Helper::open();
    let cases = [(0, None, true), (5, Some(10), false), (599_990, Some(10), true), (700_000, None, true)];
    for (id, (offset, length, whole)) in (1..).zip(cases) {
        helper.run(id, Op::Read { path: text(&path), offset, length, follow: false });
        let (outcome, printed) = helper.end(id);
        let from = usize::try_from(offset).expect("small").min(content.len());
        let to = length.map_or(content.len(), |length| from + usize::try_from(length).expect("small"));
        assert_eq!(printed, &content[from..to]);
        match answer(outcome) {
            Answer::Read { sha256, complete, .. } => {
                assert_eq!((sha256, complete), (digest(&content[from..to]), whole), "{offset} {length:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn directories_links_and_removal_are_idempotent() {
    let directory = tempfile::tempdir().expect("a directory");
    let (deep, link) = (directory.path().join("a/b"), directory.path().join("link"));
    let mut helper = Helper::open();
    let mut id = 0;
    let mut ensured = |op: Op| {
        id += 1;
        match answer(helper.done(id, op)) {
            Answer::Ensured { changed } => changed,
            other => panic!("{other:?}"),
        }
    };
    let attributes = Attributes { mode: Some(0o750), ..Attributes::default() };
    let make = Op::Directory { path: text(&deep), parents: true, attributes };
    let point = Op::Symlink { path: text(&link), target: "a/b".into(), force: false };
    let remove = Op::Remove { path: text(&directory.path().join("a")), recursive: true };
    let set =
        Op::Set { path: text(&deep), attributes: Attributes { mode: Some(0o700), ..Attributes::default() } };
    for (op, name) in [(make, "directory"), (point, "symlink"), (set, "set")] {
        assert!(ensured(op.clone()), "{name}");
        assert!(!ensured(op), "{name} again");
    }
    std::fs::write(deep.join("file"), "x").expect("written");
    symlink("/etc", deep.join("etc")).expect("linked");
    assert!(ensured(remove.clone()));
    assert!(!ensured(remove));
    assert!(Path::new("/etc/passwd").exists(), "a link's target is not removed");
    assert_eq!(
        stat(&mut helper, 100, &link).map(|stat| (stat.kind, stat.target)),
        Some((Kind::Symlink, Some("a/b".into())))
    );
    assert_eq!(stat(&mut helper, 101, &deep), None);
    assert_eq!(fault(helper.done(102, Op::Remove { path: "/".into(), recursive: true })), FaultCode::Denied);
}
