//! Guests that misbehave: each is stopped with its own error, and the sandbox goes on as before.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy.toml does not see as tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{call, guest, load, probe, run_body, sandbox, wat};
use model::{Coded, Digest, code};
use sandbox::{Config, Grants, Limits, NoServices, Retry, Sandbox, SandboxError};

/// Loops until a host stops it.
const SPIN: &str = "(loop $again (br $again))";
/// Asks for memory until a host stops it.
const BOMB: &str = "(loop $again (drop (memory.grow (i32.const 16))) (br $again))";

async fn stopped(bytes: &[u8], limits: &Limits) -> SandboxError {
    let module = load(&sandbox(), bytes).unwrap();
    module.call("1", &Grants::none(), Arc::new(NoServices), limits).await.unwrap_err()
}

fn short() -> Limits {
    Limits { time: Duration::from_millis(50), ..Limits::default() }
}

#[tokio::test]
async fn endless_loop_is_out_of_time() {
    let error = stopped(&run_body(SPIN), &short()).await;
    assert!(matches!(error, SandboxError::OutOfTime { limit } if limit == short().time), "{error}");
    assert_eq!(error.code(), code::sandbox::OUT_OF_TIME);
    assert!(error.problem().is_standard("timeout"));
    assert_eq!(error.retry(), Retry::Later);
}

#[tokio::test]
async fn endless_loop_gives_the_thread_back() {
    let module = load(&sandbox(), &run_body(SPIN)).unwrap();
    let limits = Limits { time: Duration::from_hours(1), ..Limits::default() };
    let none = Grants::none();
    let spin = module.call("1", &none, Arc::new(NoServices), &limits);
    // One thread: the other branch gets a turn only because the guest yields, and the drop ends the guest.
    let others = async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        ended = spin => panic!("{ended:?}"),
        () = others => {}
    }
    assert!(call(&module, "not json").await.is_err());
}

#[tokio::test]
async fn cancelled_calls_free_their_slots() {
    let sandbox = Sandbox::new(Config { slots: 1, ..Config::default() }).unwrap();
    let spin = load(&sandbox, &run_body(SPIN)).unwrap();
    let limits = Limits { time: Duration::from_hours(1), ..Limits::default() };
    for _ in 0..3 {
        let spin = Arc::clone(&spin);
        let task =
            tokio::spawn(async move { spin.call("1", &Grants::none(), Arc::new(NoServices), &limits).await });
        tokio::task::yield_now().await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    let echo = load(&sandbox, &guest("echo-0.1.0")).unwrap();
    assert_eq!(call(&echo, "1").await.unwrap().value, 1);
}

#[tokio::test]
async fn start_functions_are_bounded_too() {
    let bytes = wat(&[(";;@core", "(func $start (loop $again (br $again))) (start $start)")]);
    assert_eq!(stopped(&bytes, &short()).await.code(), code::sandbox::OUT_OF_TIME);
}

#[tokio::test]
async fn memory_bomb_is_out_of_memory() {
    let limits = Limits { memory_bytes: 2 << 20, ..Limits::default() };
    let error = stopped(&run_body(BOMB), &limits).await;
    assert!(matches!(error, SandboxError::OutOfMemory { limit, .. } if limit == 2 << 20), "{error}");
    assert_eq!(error.code(), code::sandbox::OUT_OF_MEMORY);
    let error = probe("grow", &Arc::default(), &Limits::default()).await.unwrap_err();
    assert_eq!(error.code(), code::sandbox::OUT_OF_MEMORY);
}

#[tokio::test]
async fn initial_memory_counts() {
    let bytes = wat(&[("(;@pages;) 1", "64")]);
    let limits = Limits { memory_bytes: 2 << 20, ..Limits::default() };
    assert_eq!(stopped(&bytes, &limits).await.code(), code::sandbox::OUT_OF_MEMORY);
}

#[tokio::test]
async fn table_bomb_is_out_of_budget() {
    let table = "(table $t 1 funcref)";
    let grow = "(loop $again (drop (table.grow $t (ref.null func) (i32.const 1000))) (br $again))";
    let bytes = wat(&[(";;@core", table), (";;@run", grow)]);
    assert_eq!(stopped(&bytes, &Limits::default()).await.code(), code::sandbox::OUT_OF_BUDGET);
}

#[tokio::test]
async fn traps_say_how_and_where() {
    for (body, why) in [
        ("(unreachable)", "unreachable"),
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", "divide by zero"),
        ("(drop (i32.load (i32.const -8)))", "out of bounds memory access"),
        ("(drop (call $run (i32.const 0) (i32.const 0)))", "call stack exhausted"),
    ] {
        let error = stopped(&run_body(body), &Limits::default()).await;
        assert_eq!(error.code(), code::sandbox::TRAPPED, "{error}");
        assert_eq!(error.retry(), Retry::Never);
        let text = error.to_string();
        assert!(text.contains(why) && text.contains("run"), "{text}");
    }
    for words in ["panic", "recurse"] {
        let error = probe(words, &Arc::default(), &Limits::default()).await.unwrap_err();
        assert_eq!(error.code(), code::sandbox::TRAPPED, "{error}");
    }
}

#[tokio::test]
async fn output_is_limited() {
    let limits = Limits { output_bytes: 1000, ..Limits::default() };
    assert!(probe("output 998", &Arc::default(), &limits).await.is_ok());
    let error = probe("output 999", &Arc::default(), &limits).await.unwrap_err();
    assert!(matches!(error, SandboxError::OutputTooLarge { limit: 1000 }), "{error}");
    // so much that the host must not even take it over
    let error = probe("output 20000000", &Arc::default(), &Limits::default()).await.unwrap_err();
    assert_eq!(error.code(), code::sandbox::OUTPUT_TOO_LARGE, "{error}");
}

#[tokio::test]
async fn output_must_be_json_text() {
    let error = probe("garbage", &Arc::default(), &Limits::default()).await.unwrap_err();
    assert_eq!(error.code(), code::sandbox::BAD_OUTPUT, "{error}");
    let not_utf8 = run_body("(return (call $answer (i32.const 2064) (i32.const 2)))");
    let out_of_bounds = run_body("(return (call $answer (i32.const 65000) (i32.const 60000)))");
    let misaligned = run_body("(return (i32.const 1025))");
    for bytes in [not_utf8, out_of_bounds, misaligned] {
        let error = stopped(&bytes, &Limits::default()).await;
        assert_eq!(error.code(), code::sandbox::BAD_OUTPUT, "{error}");
    }
}

#[tokio::test]
async fn input_is_limited_and_must_be_json() {
    let echo = load(&sandbox(), &guest("echo-0.1.0")).unwrap();
    let long = format!("\"{}\"", "x".repeat(1 << 20));
    for input in ["", "{", "{} {}", "NaN", long.as_str()] {
        let error = call(&echo, input).await.unwrap_err();
        assert_eq!(error.code(), code::sandbox::BAD_INPUT, "{error}");
    }
}

#[tokio::test]
async fn fuel_stops_at_the_same_place_every_time() {
    let sandbox = Sandbox::new(Config { fuel: true, slots: 2, ..Config::default() }).unwrap();
    let spin = load(&sandbox, &run_body(SPIN)).unwrap();
    let limits = Limits { fuel: Some(1_000_000), ..Limits::default() };
    let error = spin.call("1", &Grants::none(), Arc::new(NoServices), &limits).await.unwrap_err();
    assert!(
        matches!(error, SandboxError::OutOfBudget { what: "units of fuel", limit: 1_000_000 }),
        "{error}"
    );
    let echo = load(&sandbox, &guest("echo-0.1.0")).unwrap();
    let mut used = std::collections::BTreeSet::new();
    for _ in 0..5 {
        let output = echo.call("[1]", &Grants::none(), Arc::new(NoServices), &limits).await.unwrap();
        used.insert(output.usage.fuel.unwrap());
    }
    assert_eq!(used.len(), 1, "{used:?}");
}

#[tokio::test]
async fn limits_that_cannot_be_enforced_are_refused() {
    let echo = load(&sandbox(), &guest("echo-0.1.0")).unwrap();
    for limits in [
        Limits { memory_bytes: 65 << 20, ..Limits::default() },
        Limits { fuel: Some(1), ..Limits::default() },
        Limits { time: Duration::ZERO, ..Limits::default() },
    ] {
        let error = echo.call("1", &Grants::none(), Arc::new(NoServices), &limits).await.unwrap_err();
        assert_eq!(error.code(), code::sandbox::BAD_GRANT, "{error}");
    }
}

#[test]
fn bad_components_are_refused_when_loaded() {
    let sandbox = sandbox();
    let no_run = wat::parse_str("(component)").unwrap();
    let wrong_run = wat::parse_str(
        r#"(component (core module $m (func (export "run"))) (core instance $i (instantiate $m))
            (func (export "run") (canon lift (core func $i "run"))))"#,
    );
    let core = wat::parse_str("(module)").unwrap();
    let cut = &guest("echo-0.1.0")[..5000];
    let two_memories = wat(&[(";;@core", "(memory 1)")]);
    let large = wat(&[("(;@pages;) 1", "2000")]);
    for (bytes, why) in [
        (b"#!/bin/sh".as_slice(), "not WebAssembly"),
        (&core, "core module"),
        (cut, ""),
        (&no_run, "no function `run`"),
        (&wrong_run.unwrap(), "func(string)"),
        (&two_memories, "memor"),
        (&large, "memory"),
        (&vec![0; sandbox::limits::MAX_COMPONENT_BYTES + 1], "at most"),
    ] {
        let error = load(&sandbox, bytes).unwrap_err();
        assert_eq!(error.code(), code::sandbox::BAD_COMPONENT, "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_component_that_wants_wasi_is_refused_by_name() {
    let import = r#"(import "wasi:cli/environment@0.2.3" (instance
        (export "get-arguments" (func (result (list string))))))"#;
    let error = load(&sandbox(), &wat(&[(";;@import", import)])).unwrap_err();
    assert!(error.to_string().contains("wasi:cli/environment@0.2.3"), "{error}");
    assert!(error.hint().unwrap().contains("wit/action"));
}

#[test]
fn another_component_than_the_pinned_one_is_refused() {
    let bytes = guest("echo-0.1.0");
    let error = sandbox().load(&bytes, Digest::of(b"another")).unwrap_err();
    assert_eq!(error.code(), code::sandbox::DIGEST_MISMATCH);
    assert!(error.hint().unwrap().contains(&Digest::of(&bytes).to_string()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_hostile_calls_leave_the_sandbox_healthy() {
    let sandbox = Sandbox::new(Config { slots: 4, ..Config::default() }).unwrap();
    let hostile: Vec<_> = [SPIN, BOMB, "(unreachable)", "(drop (call $run (i32.const 0) (i32.const 0)))"]
        .iter()
        .map(|body| load(&sandbox, &run_body(body)).unwrap())
        .collect();
    let limits = Limits { time: Duration::from_millis(20), memory_bytes: 4 << 20, ..Limits::default() };
    let calls: Vec<_> = (0..100)
        .map(|n| {
            let module = Arc::clone(&hostile[n % hostile.len()]);
            tokio::spawn(
                async move { module.call("1", &Grants::none(), Arc::new(NoServices), &limits).await },
            )
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap().is_err());
    }
    let echo = load(&sandbox, &guest("echo-0.1.0")).unwrap();
    let good: Vec<_> = (0..16)
        .map(|n| {
            let echo = Arc::clone(&echo);
            tokio::spawn(async move { call(&echo, &n.to_string()).await })
        })
        .collect();
    for (n, call) in good.into_iter().enumerate() {
        assert_eq!(call.await.unwrap().unwrap().value, n);
    }
}
