//! `do`, `set`, `switch`, `for`, `fork`, `raise`, `wait`, data flow, timeouts.

use super::*;
use model::Outcome;
use serde_json::json;

#[test]
fn tasks_and_their_output() {
    let table = [
        ("do:\n- a: {set: {x: '${ .y }'}}", json!({"y": 2}), json!({"x": 2})),
        ("do:\n- a: {set: '${ .y }'}", json!({"y": {"z": 1}}), json!({"z": 1})),
        ("do: []", json!({"y": 2}), json!({"y": 2})),
        (
            "do:\n- a: {do: [{b: {set: {x: '${ .n + 1 }'}}}, {c: {set: {x: '${ .x + 1 }'}}}]}",
            json!({"n": 1}),
            json!({"x": 3}),
        ),
        // if
        ("do:\n- a: {if: .go, set: {x: 1}}", json!({"go": false}), json!({"go": false})),
        (
            "do:\n- a: {if: '${ .go }', set: {x: 1}, then: end}\n- b: {set: {y: 1}}",
            json!({"go": false}),
            json!({"y": 1}),
        ),
        // input, output, export
        (
            "input: {from: .inner}\ndo:\n- a: {set: {x: '${ .v }'}}",
            json!({"inner": {"v": 1}}),
            json!({"x": 1}),
        ),
        ("output: {as: .x}\ndo:\n- a: {set: {x: 1}}", json!({}), json!(1)),
        (
            "do:\n- a: {input: {from: '${ {q: .v} }'}, set: {x: '${ .q }', i: '${ $input.q }'}}",
            json!({"v": 1}),
            json!({"x": 1, "i": 1}),
        ),
        (
            "do:\n- a: {set: {x: 1}, output: {as: '{y: .x, o: $output.x}'}}",
            json!({}),
            json!({"y": 1, "o": 1}),
        ),
        (
            "do:\n- a: {set: {x: 1}, export: {as: '$context + {seen: .x}'}}\n- b: {set: {c: '${ $context.seen }'}}",
            json!({}),
            json!({"c": 1}),
        ),
        ("do:\n- a: {set: {x: 1}, output: {as: {deep: ['${ .x }']}}}", json!({}), json!({"deep": [1]})),
        // variables
        (
            "do:\n- a: {set: {n: '${ $task.name }', r: '${ $task.reference }', w: '${ $workflow.definition.document.name }', rt: '${ $runtime.name }', at: '${ $workflow.startedAt.epoch.seconds }'}}",
            json!({}),
            json!({"n": "a", "r": "/do/0/a", "w": "test", "rt": "aedile", "at": 1_700_000_000}),
        ),
        // switch
        (
            "do:\n- s: {switch: [{a: {when: '.x == 1', then: one}}, {d: {then: other}}]}\n- one: {set: {r: 1}, then: end}\n- other: {set: {r: 2}}",
            json!({"x": 1}),
            json!({"r": 1}),
        ),
        (
            "do:\n- s: {switch: [{a: {when: '.x == 1', then: one}}, {d: {then: other}}]}\n- one: {set: {r: 1}, then: end}\n- other: {set: {r: 2}}",
            json!({"x": 5}),
            json!({"r": 2}),
        ),
        (
            "do:\n- s: {switch: [{a: {when: '.x == 1', then: end}}]}\n- one: {set: {r: 1}}",
            json!({"x": 5}),
            json!({"r": 1}),
        ),
        // for
        (
            "do:\n- f: {for: {each: n, in: .list}, do: [{a: {set: {sum: '${ (.sum // 0) + $n * $index }'}}}]}",
            json!({"list": [5, 6, 7]}),
            json!({"sum": 20}),
        ),
        (
            "do:\n- f: {for: {each: n, in: .list, at: i}, while: '(.sum // 0) < 6', do: [{a: {set: {sum: '${ (.sum // 0) + $n }'}}}]}",
            json!({"list": [5, 6, 7]}),
            json!({"sum": 11}),
        ),
        (
            "do:\n- f: {for: {in: .list}, do: [{a: {set: {last: '${ $item }'}, then: exit}}]}",
            json!({"list": [5, 6]}),
            json!({"last": 5}),
        ),
        (
            "do:\n- f: {for: {in: .list}, do: [{a: {set: {last: '${ $item }'}}}]}",
            json!({"list": []}),
            json!({"list": []}),
        ),
        (
            "do:\n- f: {for: {each: x, in: .list}, do: [{g: {for: {each: y, in: $x}, do: [{a: {set: {all: '${ (.all // []) + [$y] }'}}}]}}]}",
            json!({"list": [[1, 2], [3]]}),
            json!({"all": [1, 2, 3]}),
        ),
        // fork
        (
            "do:\n- f: {fork: {branches: [{a: {set: {x: 1}}}, {b: {set: {x: '${ .v }'}}}]}}",
            json!({"v": 2}),
            json!([{"x": 1}, {"x": 2}]),
        ),
        (
            "do:\n- f: {fork: {compete: true, branches: [{a: {do: [{w: {wait: PT5S}}, {s: {set: {x: 1}}}]}}, {b: {do: [{w: {wait: PT1S}}, {s: {set: {x: 2}}}]}}]}}",
            json!({}),
            json!({"x": 2}),
        ),
        // flow directives
        (
            "do:\n- a: {set: {n: '${ (.n // 0) + 1 }'}}\n- s: {switch: [{again: {when: .n < 3, then: a}}]}",
            json!({}),
            json!({"n": 3}),
        ),
        (
            "do:\n- o: {do: [{a: {set: {x: 1}, then: exit}}, {b: {set: {x: 2}}}]}\n- c: {set: {y: '${ .x }'}}",
            json!({}),
            json!({"y": 1}),
        ),
        (
            "do:\n- o: {do: [{a: {set: {x: 1}, then: end}}]}\n- c: {set: {y: '${ .x }'}}",
            json!({}),
            json!({"x": 1}),
        ),
        // wait
        ("do:\n- a: {wait: {seconds: 5}}\n- b: {set: {x: '${ .x + 1 }'}}", json!({"x": 1}), json!({"x": 2})),
        ("do:\n- a: {wait: '${ \"PT\" + .s + \"S\" }'}", json!({"s": "3"}), json!({"s": "3"})),
        // functions
        (
            "use: {functions: {twice: {set: {r: '${ .n * 2 }'}}}}\ndo:\n- a: {call: twice, with: {n: '${ .x }'}}",
            json!({"x": 4}),
            json!({"r": 8}),
        ),
        (
            "use: {functions: {f: {do: [{a: {call: g, with: {v: '${ .v + 1 }'}}}]}, g: {set: {v: '${ .v * 10 }'}}}}\ndo:\n- a: {call: f, with: {v: 1}}",
            json!({}),
            json!({"v": 20}),
        ),
    ];
    for (tasks, input, expected) in table {
        let driver = run(tasks, input);
        assert!(matches!(driver.outcome, Some(Outcome::Completed { .. })), "{tasks}: {:?}", driver.outcome);
        assert_eq!(driver.output(), expected, "{tasks}");
    }
}

#[test]
fn tasks_and_their_problems() {
    let table = [
        ("do:\n- a: {set: {x: '${ .y.z | error }'}}", "expression", "/do/0/a"),
        ("do:\n- a: {set: {x: 1}, output: {as: '.x | error'}}", "expression", "/do/0/a"),
        ("do:\n- a: {set: {x: '${ last(range(1e12)) }'}}", "expression", "/do/0/a"),
        ("input: {schema: {document: {required: [n]}}}\ndo: []", "validation", "/do"),
        ("do:\n- a: {set: {x: 1}, input: {schema: {document: {required: [n]}}}}", "validation", "/do/0/a"),
        ("do:\n- a: {set: {x: 1}, output: {schema: {document: {required: [n]}}}}", "validation", "/do/0/a"),
        (
            "do:\n- a: {set: {x: 1}, export: {as: ., schema: {document: {required: [n]}}}}",
            "validation",
            "/do/0/a",
        ),
        ("do:\n- a: {for: {in: '5'}, do: [{b: {set: {x: 1}}}]}", "expression", "/do/0/a"),
        ("do:\n- a: {wait: '${ \"soon\" }'}", "expression", "/do/0/a"),
        ("do:\n- a: {timeout: {after: PT1S}, do: [{b: {wait: PT5S}}]}", "timeout", "/do/0/a"),
        ("timeout: {after: PT1S}\ndo:\n- a: {wait: PT5S}", "timeout", "/do"),
        (
            "do:\n- a: {do: [{b: {raise: {error: {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/runtime', status: 500}}}}]}",
            "runtime",
            "/do/0/a/do/0/b",
        ),
    ];
    for (tasks, kind, instance) in table {
        let problem = run(tasks, json!({})).problem();
        assert!(problem.is_standard(kind), "{tasks}: {problem:?}");
        assert_eq!(problem.instance.as_deref(), Some(instance), "{tasks}");
    }
}

#[test]
fn raise_evaluates_its_members() {
    let problem = run(
        "use: {errors: {gone: {type: 'https://x.org/gone', status: 410, title: Gone, detail: '${ \"no \\(.what)\" }'}}}\n\
         do:\n- a: {raise: {error: gone}}",
        json!({"what": "luck"}),
    )
    .problem();
    assert_eq!((problem.kind.as_str(), problem.status), ("https://x.org/gone", 410));
    assert_eq!(problem.detail.as_deref(), Some("no luck"));
}

#[test]
fn every_entry_into_a_task_has_its_own_id() {
    let driver = run("do:\n- f: {for: {in: '[1,2,3]'}, do: [{a: {set: {x: '${ $item }'}}}]}", json!({}));
    let ids: Vec<String> = driver
        .events
        .iter()
        .filter_map(|event| match &event.happening {
            Happening::Completed { step, .. } => Some(step.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(ids, ["/do/0/f/do/0/a", "/do/0/f/do/0/a#2", "/do/0/f/do/0/a#3"]);
}

#[test]
fn waiting_takes_as_long_as_it_says_and_timers_are_cancelled_when_not_needed() {
    let mut driver = Driver::new(workflow("do:\n- a: {wait: PT5S, timeout: {after: PT9S}}"), json!({}));
    let begin = driver.now;
    driver.go();
    assert_eq!(driver.now.duration_since(begin).as_secs(), 5);
    assert!(driver.timers.is_empty(), "the timeout is cancelled");
}

#[test]
fn a_fork_that_fails_gives_up_its_other_branches() {
    let tasks = "do:\n- f: {fork: {branches: [{a: {do: [{w: {wait: PT1S}}, {e: {raise: {error: {type: 'https://x.org/e', status: 500}}}}]}}, {b: {call: http, with: {method: post, endpoint: 'https://x.org/'}}}]}}";
    let mut driver = Driver::new(workflow(tasks), json!({})).performing(|_, _| None);
    driver.go();
    assert_eq!(driver.problem().kind, "https://x.org/e");
    assert_eq!(driver.abandoned, ["/do/0/f/fork/branches/1/b"]);
}

#[test]
fn functions_see_their_arguments_only() {
    let tasks = "use: {functions: {f: {set: {ctx: '${ $context.c }', args: '${ . }'}}}}\ndo:\n\
                 - l: {for: {each: secret, in: '[1]'}, do: [{a: {call: f, with: {v: '${ $secret }'}}}]}";
    assert_eq!(run(tasks, json!({"hidden": 1})).output(), json!({"ctx": null, "args": {"v": 1}}));
}

#[test]
fn endless_recursion_and_endless_loops_end() {
    let recursion = run("use: {functions: {f: {call: f}}}\ndo:\n- a: {call: f}", json!({}));
    assert_eq!(recursion.problem().code.as_deref(), Some("E0407"));
}

#[test]
fn secrets_are_references() {
    let driver =
        run("use: {secrets: [token]}\ndo:\n- a: {set: {h: '${ \"Bearer \" + $secrets.token }'}}", json!({}));
    let text = driver.output()["h"].as_str().unwrap().to_owned();
    assert_eq!(model::program::secret_names(&text), ["token"]);
}

#[test]
fn workflows_07_an_event_that_belongs_to_no_step_is_a_divergence() {
    let mut driver = Driver::new(workflow("do:\n- a: {wait: PT5S}"), json!({}));
    let event = |happening| Event { at: Timestamp::UNIX_EPOCH, happening };
    let stray = Happening::Completed { step: StepId::new("/do/9/x"), output: json!(1).into() };
    assert!(driver.run.apply(&event(stray.clone())).is_err());
    driver.run.apply(&event(Happening::Started)).unwrap();
    assert!(driver.run.apply(&event(stray)).is_err());
    assert!(driver.run.apply(&event(Happening::Started)).is_err());
    let wrong = Happening::Completed { step: StepId::new("/do/0/a"), output: json!(1).into() };
    assert!(driver.run.apply(&event(wrong)).is_err());
}

#[test]
fn extensions_surround_the_tasks_they_are_for() {
    let extended = |more: &str, tasks: &str| {
        format!("use:\n  extensions:\n  - e:\n      extend: set\n{more}\ndo:\n{tasks}")
    };
    let around =
        "      before: [{b: {set: {n: '${ .n + 1 }'}}}]\n      after: [{c: {set: {n: '${ .n * 10 }'}}}]";
    let table = [
        (extended(around, "- a: {set: {n: '${ .n + 5 }'}}"), json!({"n": 70}), "b a c"),
        (
            extended(&format!("      when: .n > 5\n{around}"), "- a: {set: {n: '${ .n + 5 }'}}"),
            json!({"n": 6}),
            "a",
        ),
        (extended(around, "- w: {wait: PT1S}"), json!({"n": 1}), ""),
        (
            extended(
                "      before: [{b: {set: {mocked: true}, then: exit}}]",
                "- a: {set: {n: 1}}\n- w: {wait: PT1S}",
            ),
            json!({"mocked": true}),
            "b",
        ),
        (extended(around, "- a: {set: {n: 1}, if: .n > 1}"), json!({"n": 1}), ""),
        (
            extended(
                "      after: [{c: {set: {n: '${ .n * 10 }'}}}]\n  - f:\n      extend: all\n      after: [{d: {set: {n: '${ .n + 1 }'}}}]",
                "- a: {set: {n: '${ .n }'}, then: z}\n- y: {set: {n: 0}}\n- z: {wait: PT1S}",
            ),
            json!({"n": 21}),
            "a d c d",
        ),
    ];
    for (tasks, output, steps) in table {
        let driver = run(&tasks, json!({"n": 1}));
        assert_eq!(driver.output(), output, "{tasks}");
        assert_eq!(driver.steps.join(" "), steps, "{tasks}");
    }
}
