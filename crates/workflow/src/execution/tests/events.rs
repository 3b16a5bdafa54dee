//! `listen`, `emit`, signals.
#![allow(clippy::needless_pass_by_value, reason = "tables read better with values than with references")]

use super::*;
use serde_json::json;

fn event(kind: &str, data: Value) -> CloudEvent {
    serde_json::from_value(json!({
        "specversion": "1.0", "id": "1", "source": "https://x.org", "type": kind, "data": data,
    }))
    .unwrap()
}

fn listening(tasks: &str, bus: &[CloudEvent]) -> Driver {
    let mut driver = Driver::new(workflow(tasks), json!({"room": "r1"}));
    driver.bus = bus.iter().cloned().collect();
    driver.go();
    driver
}

#[test]
fn strategies() {
    let a = |n: i64| event("a", json!({"n": n}));
    let b = |n: i64| event("b", json!({"n": n}));
    let table = [
        ("{to: {one: {with: {type: a}}}}", vec![b(1), a(2), a(3)], json!([{"n": 2}])),
        ("{to: {one: {with: {type: a, data: '${ .n > 2 }'}}}}", vec![a(1), a(3)], json!([{"n": 3}])),
        ("{to: {any: [{with: {type: b}}, {with: {type: a}}]}}", vec![a(1), b(2)], json!([{"n": 1}])),
        (
            "{to: {all: [{with: {type: a}}, {with: {type: b}}]}}",
            vec![a(1), a(9), b(2)],
            json!([{"n": 1}, {"n": 2}]),
        ),
        (
            "{to: {any: [], until: '( . | length ) > 2'}}",
            vec![a(1), b(2), a(3), a(4)],
            json!([{"n": 1}, {"n": 2}, {"n": 3}]),
        ),
        (
            "{to: {any: [{with: {type: a}}], until: {one: {with: {type: b}}}}}",
            vec![a(1), a(2), b(3), a(4)],
            json!([{"n": 1}, {"n": 2}]),
        ),
        (
            "{to: {all: [{with: {type: a}, correlate: {n: {from: .data.n}}}, {with: {type: b}, correlate: {n: {from: .data.n}}}]}}",
            vec![a(1), b(2), b(1)],
            json!([{"n": 1}, {"n": 1}]),
        ),
        (
            "{to: {one: {with: {type: a}, correlate: {n: {from: .data.n, expect: '2'}}}}}",
            vec![a(1), a(2)],
            json!([{"n": 2}]),
        ),
        (
            "{to: {one: {with: {source: 'https://x.org', subject: '${ .room }'}}}}",
            vec![a(1), CloudEvent { subject: Some("r1".to_owned()), ..a(2) }],
            json!([{"n": 2}]),
        ),
    ];
    for (listen, bus, expected) in table {
        let driver = listening(&format!("do:\n- l: {{listen: {listen}}}"), &bus);
        assert_eq!(driver.output(), expected, "{listen}");
    }
}

#[test]
fn reading_the_envelope() {
    let driver = listening(
        "do:\n- l: {listen: {to: {one: {with: {type: a}}}, read: envelope}}",
        &[event("a", json!(1))],
    );
    assert_eq!(driver.output()[0]["source"], json!("https://x.org"));
}

#[test]
fn foreach_handles_events_one_after_the_other() {
    let tasks = "do:\n- l:\n    listen: {to: {any: [], until: '( . | length ) >= 3'}}\n    foreach:\n      item: e\n      at: i\n      do:\n      - w: {wait: PT1S}\n      - s: {set: {v: '${ $e + $i }', room: '${ .room }'}}\n      output: {as: .v}\n      export: {as: '($context // 0) + .'}\n- c: {set: {list: '${ . }', sum: '${ $context }'}}";
    let bus: Vec<_> = (1..=4).map(|n| event("a", json!(n * 10))).collect();
    let driver = listening(tasks, &bus);
    assert_eq!(driver.output(), json!({"list": [10, 21, 32], "sum": 63}));
}

#[test]
fn listening_ends_with_its_timeout() {
    let driver = listening("do:\n- l: {listen: {to: {one: {with: {type: a}}}}, timeout: {after: PT1M}}", &[]);
    assert!(driver.problem().is_standard("timeout"));
    assert!(driver.events.iter().any(|event| matches!(event.happening, Happening::Unlistened { .. })));
}

#[test]
fn signals_are_events_whether_they_come_before_or_after_the_listening() {
    let tasks = "do:\n- w: {wait: PT1S}\n- l: {listen: {to: {one: {with: {type: io.aedile.signal.go}}}}}";
    for early in [true, false] {
        let mut driver = Driver::new(workflow(tasks), json!({}));
        driver.tell(Happening::Started);
        let signal = Happening::Signalled { name: "go".to_owned(), data: json!({"by": "ann"}) };
        if early {
            driver.tell(signal.clone());
        }
        driver.go();
        if !early {
            assert!(driver.outcome.is_none());
            driver.later(10);
            driver.tell(signal);
            driver.go();
        }
        assert_eq!(driver.output(), json!([{"by": "ann"}]), "early: {early}");
    }
}

#[test]
fn odd_events_do_not_fail_a_run() {
    let driver = listening(
        "do:\n- l: {listen: {to: {one: {with: {type: a, data: '${ .n | error }'}}}}}",
        &[event("a", json!("text"))],
    );
    assert!(driver.outcome.is_none());
}
