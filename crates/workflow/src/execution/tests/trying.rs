//! `try`, `catch`, `retry`.

use super::*;
use serde_json::json;

fn failing(times: u32, tasks: &str) -> Driver {
    let mut left = times;
    Driver::new(workflow(tasks), json!({"in": 1})).performing(move |_, attempt| {
        if left == 0 {
            return Some(Ok(json!({"attempt": attempt})));
        }
        left -= 1;
        Some(Err(Problem::communication("down").with_status(503)))
    })
}

fn tasks(catch: &str) -> String {
    format!(
        "do:\n- t:\n    try:\n    - s: {{set: {{n: '${{ .in }}'}}}}\n    - c: {{call: 'x:1.0.0'}}\n    catch:\n{catch}"
    )
}

#[test]
fn catching() {
    let table = [
        ("      do: [{h: {set: {e: '${ $error.status }'}}}]", Ok(json!({"e": 503}))),
        (
            "      as: oops\n      do: [{h: {set: {e: '${ $oops.status }', i: '${ .in }'}}}]",
            Ok(json!({"e": 503, "i": 1})),
        ),
        (
            "      errors: {with: {status: 503}}\n      do: [{h: {set: {e: 1}}}, {i: {set: {e: '${ $error.status }'}}}]",
            Ok(json!({"e": 503})),
        ),
        ("      errors: {with: {status: 404}}\n      do: [{h: {set: {e: 1}}}]", Err(503)),
        ("      when: $error.status == 503\n      do: [{h: {set: {e: 1}}}]", Ok(json!({"e": 1}))),
        ("      when: $error.status == 1\n      do: [{h: {set: {e: 1}}}]", Err(503)),
        ("      exceptWhen: $error.status == 503\n      do: [{h: {set: {e: 1}}}]", Err(503)),
        ("      errors: {}", Ok(json!({"in": 1}))),
        ("      do: [{h: {raise: {error: {type: 'https://x.org/e', status: 418}}}}]", Err(418)),
    ];
    for (catch, expected) in table {
        let mut driver = failing(100, &tasks(catch));
        driver.go();
        match expected {
            Ok(output) => assert_eq!(driver.output(), output, "{catch}"),
            Err(status) => assert_eq!(driver.problem().status, status, "{catch}"),
        }
    }
}

#[test]
fn retrying_waits_as_the_policy_says() {
    let table = [
        ("constant: {}", 2, "[0, 10, 20]"),
        ("linear: {}", 3, "[0, 10, 30, 60]"),
        ("exponential: {}", 4, "[0, 10, 30, 70, 150]"),
    ];
    for (backoff, failures, expected) in table {
        let catch = format!(
            "      retry: {{delay: PT10S, backoff: {{{backoff}}}, limit: {{attempt: {{count: 5}}}}}}"
        );
        let mut driver = failing(failures, &tasks(&catch));
        let begin = driver.now;
        driver.go();
        let times: Vec<i64> = driver
            .events
            .iter()
            .filter(|event| matches!(event.happening, Happening::Scheduled { .. }))
            .map(|event| event.at.duration_since(begin).as_secs())
            .collect();
        assert_eq!(format!("{times:?}"), expected, "{backoff}");
        assert_eq!(driver.output(), json!({"attempt": failures + 1}));
    }
}

#[test]
fn attempts_of_a_step_share_its_id_and_key() {
    let mut driver = failing(2, &tasks("      retry: {delay: PT1S, limit: {attempt: {count: 5}}}"));
    driver.go();
    let ids: Vec<&str> = driver.actions.iter().map(|(step, _, _)| step.id.as_str()).collect();
    assert_eq!(ids, ["/do/0/t/try/1/c"; 3]);
    assert_eq!(driver.actions.iter().map(|(_, attempt, _)| *attempt).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(driver.actions[0].2.idempotency_key, driver.actions[2].2.idempotency_key);
}

#[test]
fn retries_end() {
    let table = [
        ("      retry: {delay: PT1S, limit: {attempt: {count: 2}}}", 3),
        ("      retry: {delay: PT10S, limit: {duration: PT25S}}", 3),
        ("      retry: {delay: PT1S, when: $error.status == 1, limit: {attempt: {count: 2}}}", 1),
        ("      retry: {delay: PT1S, exceptWhen: $error.status == 503, limit: {attempt: {count: 2}}}", 1),
    ];
    for (catch, calls) in table {
        let mut driver = failing(100, &tasks(catch));
        driver.go();
        assert_eq!(driver.problem().status, 503, "{catch}");
        assert_eq!(driver.actions.len(), calls, "{catch}");
        let mut handled = failing(100, &tasks(&format!("{catch}\n      do: [{{h: {{set: {{gave: up}}}}}}]")));
        handled.go();
        assert_eq!(handled.output(), json!({"gave": "up"}), "{catch}");
    }
}

#[test]
fn reusable_policies_and_jitter() {
    let text =
        "use: {retries: {r: {delay: PT1S, jitter: {from: PT1S, to: PT3S}, limit: {attempt: {count: 3}}}}}\n";
    let text = format!("{text}{}", tasks("      retry: r"));
    let mut driver = failing(1, &text);
    let begin = driver.now;
    driver.go();
    let millis = driver.now.duration_since(begin).as_millis();
    assert!((2000..=4000).contains(&millis), "{millis}");
    let mut again = failing(1, &text);
    again.go();
    assert_eq!(again.now, driver.now, "the same on replay");
}

#[test]
fn an_attempt_that_takes_too_long_is_given_up_and_tried_again() {
    let mut first = true;
    let catch = "      retry: {delay: PT1S, limit: {attempt: {count: 2, duration: PT5S}}}";
    let mut driver = Driver::new(workflow(&tasks(catch)), json!({"in": 1})).performing(move |_, attempt| {
        let answer = if first { None } else { Some(Ok(json!({"attempt": attempt}))) };
        first = false;
        answer
    });
    driver.go();
    assert_eq!(driver.output(), json!({"attempt": 2}));
    assert_eq!(driver.abandoned, ["/do/0/t/try/1/c"]);
    assert!(driver.timers.is_empty());
}

#[test]
fn a_task_that_times_out_can_be_caught() {
    let text = "do:\n- t: {try: [{w: {wait: PT1H, timeout: {after: PT1S}}}], catch: {errors: {with: {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/timeout'}}, do: [{h: {set: {late: true}}}]}}";
    let driver = run(text, json!({}));
    assert_eq!(driver.output(), json!({"late": true}));
    assert!(driver.timers.is_empty(), "{:?}", driver.timers);
}

#[test]
fn retries_inside_of_loops_name_their_steps_apart() {
    let text = "do:\n- f: {for: {in: '[1,2]'}, do: [{t: {try: [{c: {call: 'x:1.0.0'}}], catch: {retry: {delay: PT1S, limit: {attempt: {count: 3}}}}}}]}";
    let mut failures = [true, false, true, false].into_iter();
    let mut driver = Driver::new(workflow(text), json!({})).performing(move |_, _| {
        Some(if failures.next().unwrap() { Err(Problem::communication("down")) } else { Ok(json!({})) })
    });
    driver.go();
    let all: Vec<String> =
        driver.actions.iter().map(|(step, attempt, _)| format!("{} {attempt}", step.id)).collect();
    let step = "/do/0/f/do/0/t/try/0/c";
    assert_eq!(all, [format!("{step} 1"), format!("{step} 2"), format!("{step}#2 1"), format!("{step}#2 2")]);
}
