//! The journal from the command line: verified, signed, proved, damaged.

use crate::harness::{Sandbox, trials};

trials!(
    a_journal_is_verified_signed_and_proved,
    a_copied_file_and_a_public_key_are_enough,
    an_edited_record_is_found_and_exits_with_6,
    keys_are_rotated_and_what_they_signed_still_verifies,
    views_are_made_again,
    policy_tests_run_and_must_be_there,
);

fn used() -> Sandbox {
    let mut sandbox = Sandbox::with_project();
    assert_eq!(sandbox.run(&["run", "hello", "-q"]).exit, 0);
    sandbox
}

fn a_journal_is_verified_signed_and_proved() {
    let mut sandbox = used();
    assert_eq!(sandbox.run(&["journal", "verify"]).exit, 0);
    assert_eq!(sandbox.run(&["journal", "prove", "1"]).exit, 6, "nothing is signed yet");
    assert_eq!(sandbox.run(&["journal", "checkpoint"]).exit, 0);
    assert_eq!(sandbox.run(&["journal", "verify"]).exit, 0);
    let proof = sandbox.run(&["journal", "prove", "3"]).stdout;
    assert!(proof.starts_with("c2sp.org/tlog-proof@v1\nindex 2\n"), "{proof}");
    assert_eq!(
        sandbox.run(&["journal", "show", "1", "--json"]).json()["record"]["type"],
        "environment.initialised"
    );
    assert_eq!(sandbox.run(&["journal", "show", "9999"]).exit, 1);
}

fn a_copied_file_and_a_public_key_are_enough() {
    let mut sandbox = used();
    sandbox.run(&["journal", "checkpoint", "-q"]);
    let state = sandbox.root().join(".aedile/dev");
    let key = fs_err::read_dir(state.join("keys"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "pub"))
        .unwrap();
    fs_err::copy(&key, sandbox.root().join("key.pub")).unwrap();
    fs_err::copy(state.join("journal.db"), sandbox.root().join("copy.db")).unwrap();
    fs_err::remove_dir_all(sandbox.root().join(".aedile")).unwrap();
    fs_err::remove_file(sandbox.root().join("aedile.yaml")).unwrap();
    let said = sandbox.run(&["journal", "verify", "copy.db", "--key", "key.pub", "--json"]);
    assert_eq!(said.exit, 0, "{said:?}");
    assert!(said.json()["signed"].as_u64().unwrap() > 0);
}

fn an_edited_record_is_found_and_exits_with_6() {
    let mut sandbox = used();
    sandbox.run(&["journal", "checkpoint", "-q"]);
    let path = sandbox.root().join(".aedile/dev/journal.db");
    let mut bytes = fs_err::read(&path).unwrap();
    let needle = b"\"name\":\"shop/hello\"";
    let places: Vec<usize> = bytes
        .windows(needle.len())
        .enumerate()
        .filter(|(_, window)| window == needle)
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at + 9] = b'S';
    }
    fs_err::write(&path, bytes).unwrap();
    let said = sandbox.run(&["journal", "verify"]);
    assert_eq!(said.exit, 6, "{said:?}");
    assert!(said.stderr.contains("E01"), "{said:?}");
}

fn keys_are_rotated_and_what_they_signed_still_verifies() {
    let mut sandbox = used();
    sandbox.run(&["journal", "checkpoint", "-q"]);
    assert_eq!(sandbox.run(&["journal", "keys", "rotate"]).exit, 0);
    let listed = sandbox.run(&["journal", "keys", "list", "--json"]).json();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2);
    let said = sandbox.run(&["journal", "verify", "--json"]);
    assert_eq!(said.exit, 0, "{said:?}");
    let (records, signed) = (said.json()["records"].as_u64(), said.json()["signed"].as_u64());
    assert_eq!(
        signed.map(|signed| signed + 1),
        records,
        "all but the last checkpoint's own record are signed"
    );
}

fn views_are_made_again() {
    let mut sandbox = used();
    assert_eq!(sandbox.run(&["doctor", "rebuild"]).exit, 0);
    assert_eq!(sandbox.run(&["journal", "replay"]).exit, 0);
    assert_eq!(sandbox.run(&["doctor", "--json"]).json()["good"], true);
}

fn policy_tests_run_and_must_be_there() {
    let mut sandbox = Sandbox::with_project();
    assert_eq!(sandbox.run(&["policy", "test"]).exit, 1, "no tests show nothing");
    sandbox.write(
        "policy/policy_test.yaml",
        "cases:
  - {name: a run may start, at: 2026-11-20T10:00:00Z, request: {}, expect: {verdict: allow}}
  - {name: it may not, at: 2026-11-20T10:00:00Z, request: {}, expect: {verdict: deny}}
",
    );
    assert_eq!(sandbox.run(&["policy", "test"]).exit, 1);
    assert_eq!(sandbox.run(&["policy", "test", "--filter", "may start"]).exit, 0);
    sandbox.write("policy/policy.yaml", "defualt: allow\n");
    assert_eq!(sandbox.run(&["policy", "test"]).exit, 2);
    sandbox.snapshot("policy-test");
}
