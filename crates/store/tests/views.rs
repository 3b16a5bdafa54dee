//! Views follow the journal, can be rebuilt from it, and answer in pages.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use futures_executor::block_on;
use journal::{Append, Event, Journal, NewEvent};
use model::{ApprovalId, Digest, Principal, RunId, Timestamp};
use serde_json::{Value, json};
use store::{ApprovalFilter, ApprovalStatus, Options, RunFilter, RunStatus, SqliteJournal, WaitingOn};
use tempfile::TempDir;

struct World {
    journal: SqliteJournal,
    directory: TempDir,
}

fn run(number: u128) -> RunId {
    RunId::from_parts(1, number)
}

fn approval(number: u128) -> ApprovalId {
    ApprovalId::from_parts(1, number)
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { create: true, ..Options::default() };
        let journal = SqliteJournal::open(directory.path().join("journal.db"), &options).unwrap();
        Self { journal, directory }
    }

    fn put_at(&self, ms: i64, stream: &str, kind: &str, data: &Value) {
        let event = Event::decode(kind, &data.to_string()).unwrap();
        let new = NewEvent { stream: stream.into(), actor: Principal::user("maria").unwrap(), event };
        let append = Append { events: vec![new], at: Some(at(ms)), ..Append::default() };
        block_on(self.journal.append(append)).unwrap();
    }

    fn on_run(&self, number: u128, kind: &str, data: &Value) {
        self.put_at(1_000, &run(number).to_string(), kind, data);
    }

    fn submit(&self, number: u128, name: &str) {
        let data = json!({
            "run": run(number), "environment": "dev", "input": {}, "policy": Digest::ZERO,
            "program": {"kind": "workflow", "name": name, "version": "1.0.0", "digest": Digest::ZERO},
        });
        self.on_run(number, "run.submitted", &data);
    }

    fn ask(&self, number: u128, expires: Option<i64>) {
        let level = |level: u32, quorum: u32| json!({"level": level, "roles": ["ops"], "quorum": quorum, "on_timeout": "deny", "emergency_override": false});
        let mut data = json!({
            "approval": approval(number), "run": run(1), "step": "/do/0", "title": "Release?", "asked": {},
            "asked_digest": Digest::ZERO, "policy": Digest::ZERO, "facts": Digest::ZERO, "binding": Digest::ZERO,
            "chain": "release", "levels": [level(1, 2), level(2, 1)], "requester": "user:maria",
        });
        if let Some(ms) = expires {
            data["expires"] = json!(at(ms));
        }
        self.put_at(1_000, &approval(number).to_string(), "approval.requested", &data);
    }

    fn status(&self, number: u128) -> (RunStatus, Option<WaitingOn>) {
        let row = self.journal.run(run(number)).unwrap().unwrap();
        (row.status, row.waiting_on)
    }

    /// The views are what a fold from the beginning makes, before and after a rebuild.
    fn check_views(&self) {
        assert_eq!(self.journal.compare_views().unwrap(), []);
        self.journal.rebuild().unwrap();
        assert_eq!(self.journal.compare_views().unwrap(), []);
    }
}

fn step(number: u32) -> Value {
    json!({"step": format!("/do/{number}"), "name": "s", "task": "call", "output": null})
}

fn scheduled(number: u32) -> Value {
    json!({
        "step": format!("/do/{number}"), "name": "s", "task": "call", "attempt": 1,
        "action": {"kind": "http.call", "target": "x", "input": {}, "effect": "once", "reversibility": "reversible",
                   "key": "k", "digest": Digest::ZERO},
        "verdict": {"verdict": "allow", "policy": Digest::ZERO, "input": Digest::ZERO},
    })
}

#[test]
fn a_run_is_shown_where_it_stands() {
    let world = World::new();
    world.submit(1, "ns/one");
    assert_eq!(world.status(1), (RunStatus::Submitted, None));
    world.on_run(1, "run.started", &json!({}));
    assert_eq!(world.status(1), (RunStatus::Running, None));

    let asked = json!({"step": "/do/0", "name": "gate", "approval": approval(7), "binding": Digest::ZERO, "by": "task"});
    world.on_run(1, "step.asked", &asked);
    assert_eq!(world.status(1), (RunStatus::Waiting, Some(WaitingOn::Approval(approval(7)))));
    let answered = json!({"step": "/do/0", "approval": approval(7), "outcome": "granted"});
    world.on_run(1, "step.answered", &answered);

    world.on_run(1, "step.scheduled", &scheduled(1));
    assert_eq!(world.status(1), (RunStatus::Running, None));
    world.on_run(1, "step.in_doubt", &json!({"step": "/do/1", "attempt": 1, "why": "crash"}));
    assert_eq!(world.status(1), (RunStatus::InDoubt, None));
    world.on_run(1, "step.resolved", &json!({"step": "/do/1", "doubt": 5, "happened": true}));
    world.on_run(1, "step.completed", &step(1));

    let timer = json!({"step": "/do/2", "name": "wait", "due": at(5_000), "purpose": "wait"});
    world.on_run(1, "timer.set", &timer);
    assert_eq!(world.status(1), (RunStatus::Waiting, Some(WaitingOn::Timer(at(5_000)))));
    world.on_run(1, "run.paused", &json!({}));
    assert_eq!(world.status(1), (RunStatus::Paused, None));
    world.on_run(1, "run.resumed", &json!({}));
    world.on_run(1, "timer.fired", &json!({"step": "/do/2", "name": "wait"}));
    assert_eq!(world.status(1), (RunStatus::Running, None));

    world.on_run(1, "listen.started", &json!({"step": "/do/3", "name": "l", "after": 0}));
    assert!(matches!(world.status(1), (RunStatus::Waiting, Some(WaitingOn::Event(_)))));
    let child = json!({"step": "/do/3", "name": "c", "run": run(2), "wait": true});
    world.on_run(1, "step.child_started", &child);
    assert_eq!(world.status(1), (RunStatus::Waiting, Some(WaitingOn::Run(run(2)))));

    let problem = json!({"type": "about:blank", "status": 500, "title": "Broken"});
    world.on_run(1, "run.failed", &json!({"problem": problem}));
    let row = world.journal.run(run(1)).unwrap().unwrap();
    assert_eq!((row.status, row.problem.as_deref()), (RunStatus::Failed, Some("Broken")));
    assert_eq!((row.ended_at, row.last), (Some(at(1_000)), world.journal.head().unwrap().position));
    assert_eq!(world.journal.unfinished_runs().unwrap(), []);

    world.on_run(1, "run.retry_requested", &json!({}));
    assert_eq!(world.status(1), (RunStatus::Running, None));
    assert_eq!(world.journal.unfinished_runs().unwrap(), [run(1)]);
    world.check_views();
}

#[test]
fn counters_follow_and_survive_opening_again() {
    let world = World::new();
    for number in 1..=5 {
        world.submit(number, "ns/one");
    }
    world.on_run(1, "run.started", &json!({}));
    world.on_run(2, "run.completed", &json!({"output": null}));
    world.on_run(3, "run.cancelled", &json!({}));
    world.ask(1, None);
    world.ask(2, None);
    let refused = json!({"level": 1, "by": "user:otto", "reason": "no"});
    world.put_at(2_000, &approval(2).to_string(), "approval.denied", &refused);
    let counts = |journal: &SqliteJournal| {
        let status = journal.status().unwrap();
        (status.runs, status.approvals_waiting)
    };
    let wanted = (
        vec![
            (RunStatus::Submitted, 2),
            (RunStatus::Running, 1),
            (RunStatus::Completed, 1),
            (RunStatus::Cancelled, 1),
        ],
        1,
    );
    assert_eq!(counts(&world.journal), wanted);
    world.check_views();
    assert_eq!(counts(&world.journal), wanted);
    let path = world.directory.path().join("journal.db");
    let other = SqliteJournal::open(path, &Options::default()).unwrap();
    assert_eq!(counts(&other), wanted);
}

#[test]
fn approvals_show_level_votes_and_expiry() {
    let world = World::new();
    world.ask(1, Some(9_000));
    world.ask(2, Some(8_000));
    world.ask(3, None);
    let due = world.journal.approvals_due(at(8_500)).unwrap();
    assert_eq!(due.iter().map(|row| row.approval).collect::<Vec<_>>(), [approval(2)]);
    assert_eq!(world.journal.next_due().unwrap(), Some(at(8_000)));

    let stream = approval(1).to_string();
    let vote = |by: &str, level: u32| json!({"level": level, "by": by, "binding": Digest::ZERO, "expires": at(9_000)});
    world.put_at(2_000, &stream, "approval.voted", &vote("user:a", 1));
    world.put_at(2_000, &stream, "approval.voted", &vote("user:a", 1));
    let row = world.journal.approval(approval(1)).unwrap().unwrap();
    assert_eq!((row.level, row.votes.len()), (1, 1), "one person, one vote");
    world.put_at(2_000, &stream, "approval.voted", &vote("user:b", 1));
    let row = world.journal.approval(approval(1)).unwrap().unwrap();
    assert_eq!((row.level, row.votes.len(), row.status), (2, 0, ApprovalStatus::Waiting));
    let granted = json!({"level": 2, "by": ["user:a", "user:b", "user:c"], "binding": Digest::ZERO});
    world.put_at(3_000, &stream, "approval.granted", &granted);
    let row = world.journal.approval(approval(1)).unwrap().unwrap();
    assert_eq!((row.status, row.expires, row.ended_at), (ApprovalStatus::Granted, None, Some(at(3_000))));
    assert_eq!(row.ended_by.unwrap().as_str(), "user:c");

    let escalated = json!({"from": 1, "to": 2, "reason": "timeout", "due": at(8_000), "expires": at(20_000)});
    world.put_at(8_000, &approval(2).to_string(), "approval.escalated", &escalated);
    let row = world.journal.approval(approval(2)).unwrap().unwrap();
    assert_eq!((row.level, row.expires), (2, Some(at(20_000))));
    let filter = ApprovalFilter { status: vec![ApprovalStatus::Waiting], ..ApprovalFilter::default() };
    let waiting = world.journal.approvals(&filter, 10).unwrap();
    assert_eq!(waiting.items.iter().map(|row| row.approval).collect::<Vec<_>>(), [approval(3), approval(2)]);
    world.check_views();
}

#[test]
fn timers_are_found_when_due_and_go_with_their_run() {
    let world = World::new();
    world.submit(1, "ns/one");
    world.submit(2, "ns/one");
    let timer =
        |name: &str, due: i64| json!({"step": "/", "name": name, "due": at(due), "purpose": "timeout"});
    world.on_run(1, "timer.set", &timer("late", 9_000));
    world.on_run(1, "timer.set", &timer("soon", 2_000));
    world.on_run(2, "timer.set", &timer("other", 3_000));
    assert_eq!(world.status(1), (RunStatus::Submitted, None), "a timeout is nothing that is waited for");
    let due: Vec<_> =
        world.journal.timers_due(at(3_000)).unwrap().into_iter().map(|timer| timer.name).collect();
    assert_eq!(due, ["soon", "other"]);
    assert_eq!(world.journal.next_due().unwrap(), Some(at(2_000)));
    world.on_run(1, "timer.cancelled", &json!({"step": "/", "name": "soon"}));
    world.on_run(2, "run.completed", &json!({"output": null}));
    let rest: Vec<_> =
        world.journal.timers_due(Timestamp::MAX).unwrap().into_iter().map(|timer| timer.name).collect();
    assert_eq!(rest, ["late"]);
    assert_eq!(world.journal.timers_of(run(1)).unwrap().len(), 1);
    world.check_views();
}

#[test]
fn quota_uses_count_reservations_until_refunded() {
    let world = World::new();
    let used = |step: &str, amount: u64| json!({"key": "k", "amount": amount, "run": run(1), "step": step});
    world.put_at(1_000, "quota/k", "quota.reserved", &used("/a", 1));
    world.put_at(2_000, "quota/k", "quota.reserved", &used("/b", 2));
    world.put_at(3_000, "quota/k", "quota.committed", &used("/a", 1));
    world.put_at(4_000, "quota/k", "quota.reserved", &used("/c", 4));
    let (uses, sequence) = world.journal.quota_uses("k", at(0)).unwrap();
    assert_eq!((uses, sequence), (vec![(at(1_000), 1), (at(2_000), 2), (at(4_000), 4)], 4));
    world.put_at(5_000, "quota/k", "quota.refunded", &used("/b", 2));
    world.put_at(5_000, "quota/k", "quota.refunded", &used("/a", 1));
    let (uses, sequence) = world.journal.quota_uses("k", at(500)).unwrap();
    assert_eq!((uses, sequence), (vec![(at(1_000), 1), (at(4_000), 4)], 6), "what is committed stays");
    assert_eq!(world.journal.quota_uses("k", at(1_001)).unwrap().0, [(at(4_000), 4)]);
    assert_eq!(world.journal.quota_uses("other", at(0)).unwrap(), (vec![], 0));
    world.check_views();
}

#[test]
fn infrastructure_23_resources_are_what_was_applied_last() {
    let world = World::new();
    world.submit(1, "infrastructure/dev");
    let begin = |number: u32, operation: &str, resource: &str, more: Value| {
        let mut data = scheduled(number);
        let mut input = json!({
            "plan": Digest::ZERO, "host": "web-1", "resource": resource, "type": "linux.file::file",
            "provider": "1.0.0", "desired": {"path": "/etc/motd", "content": "hi"}, "depends": ["web-1/other"],
        });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        data["action"]["kind"] = json!(format!("resource.{operation}"));
        data["action"]["input"] = input;
        world.on_run(1, "step.scheduled", &data);
    };
    let end = |number: u32, output: Value| {
        let mut data = step(number);
        data["output"] = output;
        world.on_run(1, "step.completed", &data);
    };
    let names = || -> Vec<String> {
        world.journal.resources().unwrap().iter().map(|row| row.instance.to_string()).collect()
    };
    begin(1, "create", "motd", json!({}));
    begin(2, "create", "lost", json!({}));
    assert!(names().is_empty(), "what is under way is not done");
    end(1, json!({"changed": true, "applied": {"content": {"is": "plain", "value": "hi"}}}));
    world.on_run(1, "step.failed", &json!({"step": "/do/2", "name": "s", "task": "call",
        "problem": {"type": "https://serverlessworkflow.io/spec/1.0.0/errors/runtime", "status": 500, "title": "x"}}));
    assert_eq!(names(), ["web-1/motd"]);
    let row = world.journal.resources().unwrap().remove(0);
    assert_eq!(row.applied.attributes.len(), 1, "what the performer kept, not what was asked");
    assert_eq!((row.run, row.applied.depends[0].to_string()), (run(1), "web-1/other".to_owned()));
    begin(3, "check", "motd", json!({}));
    end(3, json!({}));
    begin(4, "move", "banner", json!({"movedFrom": "web-1/motd"}));
    end(4, json!({}));
    assert_eq!(names(), ["web-1/banner"]);
    begin(5, "update", "banner", json!({}));
    end(5, json!({}));
    assert_eq!(
        world.journal.resources().unwrap()[0].applied.attributes.len(),
        2,
        "a person said it happened"
    );
    world.check_views();
    begin(6, "delete", "banner", json!({}));
    world.check_views();
    end(6, json!({}));
    assert!(names().is_empty());
    world.check_views();
}

#[test]
fn what_was_deleted_because_it_is_declared_absent_stays_on_record_as_that() {
    let world = World::new();
    world.submit(1, "infrastructure/dev");
    let done = |number: u32, operation: &str, absent: bool| {
        let mut data = scheduled(number);
        let mut input = json!({
            "plan": Digest::ZERO, "host": "web-1", "resource": "motd", "type": "linux.file::file", "provider": "1.0.0",
        });
        if absent {
            input["absent"] = json!(true);
        }
        data["action"]["kind"] = json!(format!("resource.{operation}"));
        data["action"]["input"] = input;
        world.on_run(1, "step.scheduled", &data);
        let mut data = step(number);
        data["output"] = json!({});
        world.on_run(1, "step.completed", &data);
        world.check_views();
    };
    let motd: plan::Instance = "web-1/motd".parse().unwrap();
    let on_record = || {
        let (present, absent) =
            (world.journal.resource(&motd).unwrap(), world.journal.absence(&motd).unwrap());
        assert_eq!(world.journal.absences().unwrap().len(), usize::from(absent.is_some()));
        (present.is_some(), absent.map(|row| row.run))
    };
    done(1, "create", false);
    assert_eq!(on_record(), (true, None));
    done(2, "delete", true);
    assert_eq!(on_record(), (false, Some(run(1))));
    done(3, "create", false);
    assert_eq!(on_record(), (true, None), "it is wanted again");
    done(4, "delete", false);
    assert_eq!(on_record(), (false, None), "nobody declares it any more");
    done(5, "delete", true);
    done(6, "forget", false);
    assert_eq!(on_record(), (false, None));
}

#[test]
fn what_depends_on_something_that_is_renamed_depends_on_its_new_name() {
    let world = World::new();
    world.submit(1, "infrastructure/dev");
    let done = |number: u32, operation: &str, resource: &str, more: Value| {
        let mut data = scheduled(number);
        let mut input = json!({
            "plan": Digest::ZERO, "host": "web-1", "resource": resource, "type": "linux.file::file", "provider": "1.0.0",
        });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        data["action"]["kind"] = json!(format!("resource.{operation}"));
        data["action"]["input"] = input;
        world.on_run(1, "step.scheduled", &data);
        let mut data = step(number);
        data["output"] = json!({});
        world.on_run(1, "step.completed", &data);
    };
    done(1, "create", "srv", json!({}));
    done(2, "create", "motd", json!({"depends": ["web-1/srv", "web-1/srv-2"]}));
    done(3, "move", "data", json!({"movedFrom": "web-1/srv"}));
    let depends = |resource: &str| -> Vec<String> {
        let rows = world.journal.resources().unwrap();
        let row = rows.iter().find(|row| row.instance.resource.as_str() == resource).unwrap();
        row.applied.depends.iter().map(ToString::to_string).collect()
    };
    assert_eq!(depends("motd"), ["web-1/data", "web-1/srv-2"]);
    done(4, "update", "root", json!({"movedFrom": "web-1/data"}));
    assert_eq!(depends("motd"), ["web-1/root", "web-1/srv-2"]);
    world.check_views();
}

#[test]
fn runs_come_in_pages_newest_first() {
    let world = World::new();
    for number in 1..=7 {
        world.submit(number, if number % 2 == 0 { "ns/even" } else { "ns/odd" });
    }
    let mut filter = RunFilter { name: Some("ns/odd".to_owned()), ..RunFilter::default() };
    let first = world.journal.runs(&filter, 3).unwrap();
    assert_eq!(first.items.iter().map(|row| row.run).collect::<Vec<_>>(), [run(7), run(5), run(3)]);
    filter.before = first.next;
    let second = world.journal.runs(&filter, 3).unwrap();
    assert_eq!((second.items.len(), second.items[0].run, second.next), (1, run(1), None));
    let nobody = RunFilter { requester: Some(Principal::system()), ..RunFilter::default() };
    assert_eq!(world.journal.runs(&nobody, 10).unwrap().items, []);

    let text = run(3).to_string();
    assert_eq!(world.journal.find_runs(&text, 10).unwrap(), [run(3)]);
    assert_eq!(world.journal.find_runs(&text[4..], 10).unwrap(), [run(3)]);
    assert_eq!(world.journal.find_runs("run_00", 3).unwrap().len(), 3);
    assert_eq!(world.journal.find_runs("z", 10).unwrap(), []);
    assert_eq!(world.journal.find_runs("%", 10).unwrap(), []);
}

#[test]
fn a_tampered_view_is_found_and_rebuilt() {
    let world = World::new();
    world.submit(1, "ns/one");
    let connection = rusqlite::Connection::open(world.directory.path().join("journal.db")).unwrap();
    connection.execute("UPDATE runs SET requester = 'user:otto'", []).unwrap();
    connection.execute("INSERT INTO counters (name, value) VALUES ('runs.zombie', 3)", []).unwrap();
    let differences = world.journal.compare_views().unwrap();
    assert_eq!(differences.iter().map(|found| found.view).collect::<Vec<_>>(), ["runs", "counters"]);
    assert!(differences[0].found.as_ref().unwrap().contains("user:otto"));
    assert!(differences[0].wanted.as_ref().unwrap().contains("user:maria"));
    world.journal.rebuild().unwrap();
    world.check_views();
}
