#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]
//! Runs from submission to their end, through crashes, people and time.

#[expect(unreachable_pub, reason = "shared by the test files that include it")]
mod support;

use engine::control::{self, Command};
use engine::state::Status;
use engine::{EngineError, approvals};
use journal::Journal as _;
use model::{Coded, EffectClass, code};
use policy::{Approver, Choice};
use serde_json::json;
use support::{Line, World};

const ALLOW: &str = "default: allow";

fn approver(name: &str) -> Approver {
    Approver {
        principal: format!("user:{name}").parse().unwrap(),
        via: None,
        roles: if name.starts_with("lead") { vec!["lead".parse().unwrap()] } else { Vec::new() },
    }
}

async fn grant(world: &World, name: &str) -> Result<approvals::Decided, EngineError> {
    let choice = Choice::Grant { reason: None };
    let how = (approvals::Persons::ByUser, world.now());
    approvals::decide(world.journal.as_ref(), world.approval(), &choice, &approver(name), None, how).await
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_down_the_one_path() {
    let world = World::new(ALLOW, vec![("one", vec![Line::Do("test.write", EffectClass::Idempotent)])]);
    let engine = world.engine("a");
    let run = engine.submit(world.submission("one")).await.unwrap();
    let status = engine.wait(run).await.unwrap();
    assert_eq!(status, Status::Completed { output: json!([{ "line": 0 }]) });
    let expected =
        ["run.submitted", "run.judged", "run.started", "step.scheduled", "step.completed", "run.completed"];
    assert_eq!(world.kinds(&run.to_string()), expected);
    assert_eq!(world.done(), ["test.write /do/0 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_program_sees_the_numbers_that_a_later_fold_sees() {
    let lines = vec![Line::Do("test.numbers", EffectClass::Read), Line::Wait(5_000)];
    let world = World::new(ALLOW, vec![("one", lines)]);
    let mut outputs = Vec::new();
    for crash in [false, true] {
        let mut engine = world.engine("a");
        let run = engine.submit(world.submission("one")).await.unwrap();
        if crash {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            world.kill(engine, "a").await;
            engine = world.engine("b");
            engine.adopt().unwrap();
        }
        let Status::Completed { output } = engine.wait(run).await.unwrap() else {
            panic!("it must complete")
        };
        outputs.push(output);
    }
    // equal values: an integer and a double of the same size are not
    assert_eq!(outputs[0], outputs[1]);
    assert_eq!(outputs[0][0], json!([9_007_199_254_740_992_u64, 3, 0, 100_000_000_000_000_000_u64, 0.5]));
}

#[tokio::test(start_paused = true)]
async fn workflows_10_a_run_denied_by_policy_fails_and_does_nothing() {
    let policy = "deny: [{match: {action: 'test.*'}, reason: 'not today'}]";
    let world = World::new(policy, vec![("one", vec![Line::Do("test.write", EffectClass::Once)])]);
    let engine = world.engine("a");
    let run = engine.submit(world.submission("one")).await.unwrap();
    let Status::Failed { problem } = engine.wait(run).await.unwrap() else { panic!("it must fail") };
    assert_eq!(problem.code.as_deref(), Some(code::policy::DENIED.id));
    assert!(world.done().is_empty(), "nothing was performed");
    assert!(!world.kinds(&run.to_string()).contains(&"step.scheduled"));
}

#[tokio::test(start_paused = true)]
async fn workflows_04_05_a_timer_fires_once_at_due_over_a_restart() {
    let world = World::new(ALLOW, vec![("wait", vec![Line::Wait(5_000)])]);
    let engine = world.engine("a");
    let begun = world.now();
    let run = engine.submit(world.submission("wait")).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    world.kill(engine, "a").await;
    let engine = world.engine("b");
    engine.adopt().unwrap();
    assert!(matches!(engine.wait(run).await.unwrap(), Status::Completed { .. }));
    let waited = world.now().as_millisecond() - begun.as_millisecond();
    assert!((5_000..5_100).contains(&waited), "fired after {waited} ms");
    let fired = world.kinds(&run.to_string()).iter().filter(|kind| **kind == "timer.fired").count();
    assert_eq!(fired, 1);
}

#[tokio::test(start_paused = true)]
async fn workflows_12_a_grant_resumes_the_run_once() {
    let lines = vec![Line::Ask(None), Line::Do("test.write", EffectClass::Once)];
    let world = World::new(ALLOW, vec![("ask", lines)]);
    let engine = world.engine("a");
    let run = engine.submit(world.submission("ask")).await.unwrap();
    world.until("approval.requested").await;
    let refused = grant(&world, "dev").await.unwrap_err();
    assert_eq!(refused.code(), code::policy::OWN_REQUEST, "the requester cannot approve");
    let refused = grant(&world, "stranger").await.unwrap_err();
    assert_eq!(refused.code(), code::policy::NOT_APPROVER);
    assert!(matches!(grant(&world, "lead").await.unwrap(), approvals::Decided::Ended { outcome: "granted" }));
    assert!(matches!(engine.wait(run).await.unwrap(), Status::Completed { .. }));
    assert!(matches!(grant(&world, "lead").await.unwrap(), approvals::Decided::Already { .. }));
    assert_eq!(world.done(), ["test.write /do/1 1"]);
    assert_eq!(world.kinds(&world.approval().to_string()), ["approval.requested", "approval.granted"]);
}

#[tokio::test(start_paused = true)]
async fn workflows_16_an_unanswered_approval_expires_once_also_over_a_restart() {
    let world = World::new(ALLOW, vec![("ask", vec![Line::Ask(Some(1_000))])]);
    let engine = world.engine("a");
    let run = engine.submit(world.submission("ask")).await.unwrap();
    world.until("approval.requested").await;
    world.kill(engine, "a").await;
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    let engine = world.engine("b");
    engine.adopt().unwrap();
    assert!(matches!(engine.wait(run).await.unwrap(), Status::Failed { .. }));
    assert_eq!(world.kinds(&world.approval().to_string()), ["approval.requested", "approval.expired"]);
    let refused = grant(&world, "lead").await.unwrap_err();
    assert_eq!(refused.code(), code::policy::ALREADY_DECIDED);
}

#[tokio::test(start_paused = true)]
async fn policy_can_demand_an_approval_before_an_effect() {
    let policy = "
chains: {leads: {levels: [{level: 1, roles: [lead]}]}}
require: [{match: {action: 'test.write'}, chain: leads}]
";
    let world = World::new(policy, vec![("one", vec![Line::Do("test.write", EffectClass::Once)])]);
    let engine = world.engine("a");
    let run = engine.submit(world.submission("one")).await.unwrap();
    world.until("approval.requested").await;
    tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    assert!(world.done().is_empty(), "nothing before the grant");
    grant(&world, "lead").await.unwrap();
    assert!(matches!(engine.wait(run).await.unwrap(), Status::Completed { .. }));
    let kinds = world.kinds(&run.to_string());
    let expected =
        ["run.submitted", "run.judged", "run.started", "step.asked", "step.answered", "step.scheduled"];
    assert_eq!(kinds[..6], expected);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_any_more_for_a_run_that_was_cancelled_before_it_began() {
    let policy = "
chains: {leads: {levels: [{level: 1, roles: [lead]}]}}
require: [{match: {action: 'workflow.run'}, chain: leads}]
";
    let world = World::new(policy, vec![("one", vec![Line::Do("test.write", EffectClass::Idempotent)])]);
    let engine = world.engine("a");
    let run = engine.submit(world.submission("one")).await.unwrap();
    world.until("approval.requested").await;
    let ops = "user:ops".parse().unwrap();
    control::command(world.journal.as_ref(), run, &ops, &Command::Cancel { reason: None }).await.unwrap();
    assert_eq!(engine.wait(run).await.unwrap(), Status::Cancelled);
    world.until("approval.withdrawn").await;
    assert_eq!(world.kinds(&world.approval().to_string()), ["approval.requested", "approval.withdrawn"]);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_a_dead_engine_left_is_taken_back_by_the_next_one() {
    let world = World::new(ALLOW, vec![("asks", vec![Line::Ask(None)])]);
    let engine = world.engine("a");
    let run = engine.submit(world.submission("asks")).await.unwrap();
    world.until("approval.requested").await;
    world.kill(engine, "a").await;
    // it had written down the run's end and nothing else
    let ended = journal::events::RunEvent::Cancelled(journal::events::Reason::default());
    let events = vec![journal::NewEvent {
        stream: run.to_string().into(),
        actor: "system:aedile".parse().unwrap(),
        event: ended.into(),
    }];
    world.journal.append(journal::Append { events, ..journal::Append::default() }).await.unwrap();
    assert_eq!(world.kinds(&world.approval().to_string()), ["approval.requested"]);

    let next = world.engine("b");
    assert_eq!(next.adopt().unwrap(), 0, "the run itself is over");
    world.until("approval.withdrawn").await;
}

#[tokio::test(start_paused = true)]
async fn an_effect_interrupted_by_a_crash_is_handled_by_its_class() {
    for (class, again) in [
        (EffectClass::Read, "test.hang /do/0 1"),
        (EffectClass::Idempotent, "test.hang /do/0 1"),
        (EffectClass::Verifiable, "check test.hang"),
    ] {
        let world = World::new(ALLOW, vec![("hang", vec![Line::Do("test.hang", class)])]);
        let engine = world.engine("a");
        engine.submit(world.submission("hang")).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        world.kill(engine, "a").await;
        let _engine = world.engine("b");
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        assert_eq!(world.done(), ["test.hang /do/0 1", again], "{class}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_once_effect_interrupted_by_a_crash_waits_for_a_person() {
    for happened in [true, false] {
        let world = World::new(ALLOW, vec![("hang", vec![Line::Do("test.hang", EffectClass::Once)])]);
        let engine = world.engine("a");
        let run = engine.submit(world.submission("hang")).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        world.kill(engine, "a").await;
        let engine = world.engine("b");
        world.until("step.in_doubt").await;
        tokio::time::sleep(std::time::Duration::from_mins(1)).await;
        assert_eq!(world.done().len(), 1, "not performed again by itself");
        let step = model::StepId::new("/do/0");
        let command =
            Command::Resolve { step, doubt: None, happened, output: Some(json!("seen")), reason: None };
        control::command(world.journal.as_ref(), run, &"user:ops".parse().unwrap(), &command).await.unwrap();
        if happened {
            assert_eq!(engine.wait(run).await.unwrap(), Status::Completed { output: json!(["seen"]) });
            assert_eq!(world.done().len(), 1);
        } else {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            assert_eq!(world.done().len(), 2, "a person said that it had not happened");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_an_old_doubt_settles_no_newer_one() {
    let world = World::new(ALLOW, vec![("hang", vec![Line::Do("test.hang", EffectClass::Once)])]);
    let ops = "user:ops".parse().unwrap();
    let answer = |doubt, happened| Command::Resolve {
        step: model::StepId::new("/do/0"),
        doubt,
        happened,
        output: happened.then(|| json!("seen")),
        reason: None,
    };
    let engine = world.engine("a");
    let run = engine.submit(world.submission("hang")).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    world.kill(engine, "a").await;
    let engine = world.engine("b");
    world.until("step.in_doubt").await;
    let first = control::outline(world.journal.as_ref(), run).unwrap().unwrap().in_doubt[0].1;
    control::command(world.journal.as_ref(), run, &ops, &answer(Some(first), false)).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(world.done().len(), 2, "performed again");
    world.kill(engine, "b").await;
    let engine = world.engine("c");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let second = control::outline(world.journal.as_ref(), run).unwrap().unwrap().in_doubt[0].1;
    assert!(second > first);
    for stale in [Some(first), None] {
        let refused = control::command(world.journal.as_ref(), run, &ops, &answer(stale, true)).await;
        assert!(matches!(refused, Err(engine::EngineError::WrongState { .. })), "{refused:?}");
    }
    control::command(world.journal.as_ref(), run, &ops, &answer(Some(second), true)).await.unwrap();
    assert_eq!(engine.wait(run).await.unwrap(), Status::Completed { output: json!(["seen"]) });
    assert_eq!(world.done().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_run_can_be_paused_resumed_cancelled_and_retried() {
    let lines = vec![Line::Wait(100), Line::Do("test.fail", EffectClass::Idempotent)];
    let world = World::new(ALLOW, vec![("fails", lines)]);
    let engine = world.engine("a");
    let ops = "user:ops".parse().unwrap();
    let run = engine.submit(world.submission("fails")).await.unwrap();
    let journal = world.journal.as_ref();
    control::command(journal, run, &ops, &Command::Pause { reason: None }).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    assert!(world.done().is_empty(), "nothing is scheduled during a pause");
    let refused = control::command(journal, run, &ops, &Command::Pause { reason: None }).await.unwrap_err();
    assert_eq!(refused.code(), code::run::NOT_RUNNING);
    control::command(journal, run, &ops, &Command::Resume).await.unwrap();
    assert!(matches!(engine.wait(run).await.unwrap(), Status::Failed { .. }));
    control::command(journal, run, &ops, &Command::Retry { from: None }).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(world.done().len(), 2, "performed again");
    assert!(matches!(engine.wait(run).await.unwrap(), Status::Failed { .. }));

    let world = World::new(ALLOW, vec![("hang", vec![Line::Do("test.hang", EffectClass::Once)])]);
    let engine = world.engine("a");
    let run = engine.submit(world.submission("hang")).await.unwrap();
    control::command(world.journal.as_ref(), run, &ops, &Command::Cancel { reason: None }).await.unwrap();
    assert_eq!(engine.wait(run).await.unwrap(), Status::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_published_event_reaches_a_run_that_listens() {
    let world = World::new(ALLOW, vec![("listen", vec![Line::Listen("order.placed")])]);
    let engine = world.engine("a");
    let run = engine.submit(world.submission("listen")).await.unwrap();
    world.until("listen.started").await;
    for kind in ["order.lost", "order.placed", "order.placed"] {
        world.publish(kind).await;
    }
    assert_eq!(engine.wait(run).await.unwrap(), Status::Completed { output: json!(["order.placed"]) });
    let received = world.kinds(&run.to_string()).iter().filter(|kind| **kind == "listen.received").count();
    assert_eq!(received, 1);
}

#[tokio::test(start_paused = true)]
async fn a_child_run_ends_before_its_parent_goes_on() {
    let scripts = vec![
        ("parent", vec![Line::Child("child"), Line::Do("test.write", EffectClass::Idempotent)]),
        ("child", vec![Line::Wait(50), Line::Do("test.write", EffectClass::Idempotent)]),
    ];
    let world = World::new("grants: [{capabilities: ['run:workflow']}]", scripts);
    let engine = world.engine("a");
    let run = engine.submit(world.submission("parent")).await.unwrap();
    let status = engine.wait(run).await.unwrap();
    assert_eq!(status, Status::Completed { output: json!([["waited", { "line": 1 }], { "line": 1 }]) });
}

#[tokio::test(start_paused = true)]
async fn the_same_key_is_the_same_run() {
    let world = World::new(ALLOW, vec![("one", vec![Line::Do("test.write", EffectClass::Idempotent)])]);
    let engine = world.engine("a");
    let submission = engine::Submission { idempotency_key: Some("k".to_owned()), ..world.submission("one") };
    let (first, second) = tokio::join!(engine.submit(submission.clone()), engine.submit(submission.clone()));
    assert_eq!(first.as_ref().unwrap(), second.as_ref().unwrap());
    assert_eq!(engine.submit(submission).await.unwrap(), first.unwrap());
}

#[tokio::test(start_paused = true)]
async fn workflows_23_24_a_quota_holds_over_engines_and_frees_after_its_window() {
    let policy = "quotas: [{match: {action: 'test.write'}, limit: 2, window: 60s, onExceed: deny}]";
    let world = World::new(policy, vec![("one", vec![Line::Do("test.write", EffectClass::Idempotent)])]);
    let (a, b) = (world.engine("a"), world.engine("b"));
    let mut completed = 0;
    for engine in [&a, &b, &a, &b] {
        let run = engine.submit(world.submission("one")).await.unwrap();
        completed += usize::from(matches!(engine.wait(run).await.unwrap(), Status::Completed { .. }));
    }
    assert_eq!(completed, 2);
    tokio::time::sleep(std::time::Duration::from_secs(61)).await;
    let run = b.submit(world.submission("one")).await.unwrap();
    assert!(matches!(b.wait(run).await.unwrap(), Status::Completed { .. }));
}

#[tokio::test(start_paused = true)]
async fn many_runs_at_once_all_end() {
    let lines = vec![
        Line::Do("test.write", EffectClass::Idempotent),
        Line::Wait(20),
        Line::Do("test.write", EffectClass::Once),
    ];
    let world = World::new(ALLOW, vec![("many", lines)]);
    let engine = world.engine("a");
    let mut runs = Vec::new();
    for _ in 0..500 {
        runs.push(engine.submit(world.submission("many")).await.unwrap());
    }
    for run in runs {
        assert!(matches!(engine.wait(run).await.unwrap(), Status::Completed { .. }));
    }
    assert_eq!(world.done().len(), 1_000);
    assert!(engine.local_runs().is_empty());
}
