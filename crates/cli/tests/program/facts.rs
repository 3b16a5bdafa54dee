//! Facts of the acceptance list that need a real journal and real commands, and what a shell can rely on.

use journal::{Append, Expect, Journal, JournalError, NewEvent};
use store::{Options, SqliteJournal};

use crate::terminal::Terminal;

const ALL_KINDS: &str = "document: {dsl: 1.0.1, namespace: shop, name: all, version: 1.0.0}
do:
  - first: {call: 'echo:0.1.0', with: {n: 1}}
  - rest: {wait: {milliseconds: 20}}
  - ask: {call: approval, with: {title: Go on, chain: lead}}
  - last: {call: 'echo:0.1.0', with: {n: 2}}
";
const POLICY: &str = "chains: {lead: {levels: [{roles: [lead]}]}}
quotas: [{match: {action: wasm.echo}, limit: 5, window: PT1H}]
";

/// The same without the timer, at which a detached run would be left before it asks.
fn asks() -> String {
    ALL_KINDS.replace("name: all", "name: asks").replace("  - rest: {wait: {milliseconds: 20}}\n", "")
}

fn with_every_kind() -> Terminal {
    let terminal = Terminal::project();
    terminal.write("workflows/all.yaml", ALL_KINDS);
    terminal.write("policy/policy.yaml", POLICY);
    terminal.run(&["run", "all", "--approve-as", "lea"]).good();
    terminal
}

#[test]
fn workflows_06_the_same_sequence_twice_leaves_one_event_and_replay_is_the_same_twice() {
    let terminal = with_every_kind();
    let path = terminal.root().join(".aedile/dev/journal.db");
    let journal = SqliteJournal::open(&path, &Options::default()).unwrap();
    let last = journal.read(journal.head().unwrap().position - 1, 1).unwrap().remove(0);
    let before = journal.head().unwrap().position;
    let again = Append {
        expect: vec![Expect { stream: last.stream.clone(), sequence: last.sequence - 1 }],
        events: vec![NewEvent { stream: last.stream, actor: last.actor, event: last.event }],
        at: None,
    };
    let refused = futures_executor::block_on(journal.append(again)).unwrap_err();
    assert!(matches!(refused, JournalError::Conflict { .. }), "{refused}");
    assert_eq!(journal.head().unwrap().position, before);
    drop(journal);
    let first = terminal.run(&["journal", "replay", "--json"]).good().stdout;
    assert_eq!(terminal.run(&["journal", "replay", "--json"]).good().stdout, first);
}

#[test]
fn workflows_08_a_run_with_approval_timer_and_decisions_of_policy_replays() {
    let terminal = with_every_kind();
    for kind in ["approval.granted", "timer.fired", "step.scheduled", "run.judged"] {
        assert!(terminal.count(kind) > 0, "{kind}");
    }
    let replayed = terminal.run(&["journal", "replay", "--json"]).good().json();
    assert_eq!(replayed["same"], true, "{replayed}");
    let shown = |terminal: &Terminal| terminal.run(&["runs", "show", "latest", "--json"]).good().stdout;
    let before = shown(&terminal);
    terminal.run(&["doctor", "rebuild"]).good();
    assert_eq!(shown(&terminal), before, "views made again say the same");
}

/// The rest of fact 15 is about HTTP headers and a broker, and belongs to the server.
#[test]
fn workflows_15_what_is_not_known_is_said_so() {
    let terminal = Terminal::project();
    for args in [
        &["runs", "show", "run_7zzzzzzzzzzzzzzzzzzzzzzzzz"][..],
        &["runs", "logs", "run_7zzzzzzzzzzzzzzzzzzzzzzzzz"],
        &["runs", "cancel", "run_7"],
        &["runs", "signal", "run_7", "go"],
        &["runs", "retry", "run_7"],
        &["run", "--resume", "run_7"],
        &["approve", "apr_7"],
        &["deny", "apr_7"],
        &["approvals", "show", "apr_7"],
        &["policy", "explain", "run_7"],
        &["journal", "show", "99"],
        &["journal", "log", "--stream", "run_7"],
    ] {
        let before = terminal.records();
        let said = terminal.run(args);
        assert_eq!(said.exit, Some(1), "{args:?}: {said:?}");
        assert!(said.stderr.contains("error[E0008]") && said.stderr.contains("hint: aedile "), "{said:?}");
        assert_eq!(terminal.records(), before, "{args:?}");
        let mut json = args.to_vec();
        json.push("--json");
        let said = terminal.run(&json);
        let error: serde_json::Value = serde_json::from_str(&said.stderr).unwrap();
        assert_eq!(error["error"]["code"], "E0008", "{args:?}");
    }
    // a file that is no journal
    terminal.write("no.db", "something else\n");
    let said = terminal.run(&["journal", "verify", "no.db"]);
    assert_eq!(said.exit, Some(1), "{said:?}");
}

#[test]
fn exit_code_0_means_that_it_is_true() {
    let terminal = Terminal::project();
    terminal.write(
        "workflows/fails.yaml",
        "document: {dsl: 1.0.1, namespace: shop, name: fails, version: 1.0.0}
do: [{stop: {raise: {error: {type: https://example.org/no, status: 422, title: No}}}}]
",
    );
    terminal.write("workflows/asks.yaml", &asks());
    terminal.write("policy/policy.yaml", POLICY);
    let cases: [(&[&str], i32); 14] = [
        (&["run", "hello"], 0),
        (&["run", "fails"], 1),
        (&["run", "asks", "--detach"], 4),
        (&["run", "nothing"], 1),
        (&["run", "nothing.yaml"], 2),
        (&["run", "hello", "--env", "nowhere"], 1),
        (&["run", "hello", "--as", "token:ci"], 5),
        (&["policy", "test"], 1),
        (&["journal", "prove", "1"], 6),
        (&["journal", "verify"], 0),
        (&["validate"], 0),
        (&["explain", "E9999"], 1),
        (&["init"], 2),
        (&["frobnicate"], 2),
    ];
    for (args, exit) in cases {
        let said = terminal.run(args);
        assert_eq!(said.exit, Some(exit), "{args:?}: {said:?}");
        if exit != 0 {
            assert!(said.stderr.contains("[E"), "{args:?} says why: {said:?}");
        }
    }
}

#[test]
fn what_policy_denies_no_command_does() {
    let terminal = Terminal::project();
    terminal.write("workflows/asks.yaml", &asks());
    terminal.write("policy/policy.yaml", POLICY);
    assert_eq!(terminal.run(&["run", "asks", "--detach"]).exit, Some(4));
    // the policy under which the approval was asked for is not the one in force any more
    terminal.write(
        "policy/policy.yaml",
        &format!("{POLICY}deny: [{{match: {{action: 'wasm.*'}}, reason: closed}}]\n"),
    );
    let listed = terminal.run(&["approvals", "list", "--json"]).good().json();
    let approval = listed["approvals"][0]["approval"].as_str().unwrap().to_owned();
    let done = terminal.count("step.completed");
    // every way to make a run go on
    terminal.run(&["approve", &approval, "--as", "lea"]);
    assert_ne!(terminal.run(&["run", "--resume", "latest"]).exit, Some(0));
    terminal.run(&["runs", "retry", "latest"]);
    assert_ne!(terminal.run(&["run", "--resume", "latest"]).exit, Some(0));
    terminal.run(&["runs", "retry", "latest", "--from", "/do/0/first"]);
    assert_ne!(terminal.run(&["run", "--resume", "latest"]).exit, Some(0));
    assert_eq!(terminal.run(&["run", "asks"]).exit, Some(5));
    let records = terminal.records();
    let effects = |kind: &str| {
        records.iter().filter(|one| one["type"] == kind && one["data"]["name"] == "last").count()
    };
    assert_eq!((effects("step.scheduled"), effects("step.completed")), (0, 0));
    assert!(done >= 1);
}
