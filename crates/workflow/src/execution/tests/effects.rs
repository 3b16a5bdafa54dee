//! `call`, `run`, approvals, cancel and compensation, retry from a step.

use super::*;
use crate::action_input as kinds;
use model::{ApprovalOutcome, EffectClass, Outcome, Reversibility};
use serde_json::json;

fn first_action(tasks: &str, input: Value) -> model::Action {
    let driver = run(tasks, input);
    driver.actions.first().unwrap_or_else(|| panic!("{:?}", driver.outcome)).2.clone()
}

#[test]
fn http_calls_are_fully_evaluated() {
    let action = first_action(
        "use: {secrets: [pass], authentications: {me: {basic: {username: '${ .user }', password: '${ $secrets.pass }'}}}}\n\
         do:\n- a:\n    call: http\n    timeout: {after: PT3S}\n    with:\n      method: post\n\
         \x20     endpoint: {uri: 'https://x.org:81/pet/{id}', authentication: {use: me}}\n\
         \x20     headers: {accept: '${ .accept }'}\n      query: {q: '${ .q }'}\n      body: {n: '${ .id }'}\n      output: response\n      redirect: true",
        json!({"id": 7, "user": "ann", "accept": "text/plain", "q": "x y"}),
    );
    assert_eq!((action.kind.as_str(), action.target.as_str()), ("http.call", "x.org:81"));
    assert_eq!(action.wants[0].0, "http:x.org:81");
    assert_eq!((action.effect, action.reversibility), (EffectClass::Once, Reversibility::Irreversible));
    let call: kinds::HttpCall = serde_json::from_value(Value::clone(&action.input)).unwrap();
    assert_eq!(call.uri, "https://x.org:81/pet/7");
    assert_eq!(call.method, "POST");
    assert_eq!(call.body, Some(json!({"n": 7})));
    assert_eq!(call.timeout_ms, Some(3000));
    assert_eq!(call.output, kinds::HttpOutput::Response);
    let Some(kinds::Authentication::Basic(kinds::Settings::Inline(login))) = call.authentication else {
        panic!()
    };
    assert_eq!(login.username, "ann");
    assert_eq!(model::program::secret_names(&login.password), ["pass"]);
}

#[test]
fn a_call_that_authenticates_says_how_and_never_with_what() {
    for (way, scheme) in [
        ("basic: {username: a, password: b}", json!("Basic")),
        ("bearer: {token: '${ .t }'}", json!("Bearer")),
        ("digest: {username: a, password: b}", json!("Digest")),
        (
            "oauth2: {authority: 'https://x.org', grant: client_credentials, client: {id: a, secret: b}}",
            json!("Bearer"),
        ),
    ] {
        let tasks = format!(
            "do:\n- a:\n    call: http\n    with: {{method: get, endpoint: {{uri: 'https://x.org/', authentication: {{{way}}}}}}}\n\
             \x20   output: {{as: '${{ $authorization }}'}}"
        );
        let output = run(&tasks, json!({"t": "x"})).output();
        assert_eq!(output, json!({"scheme": scheme, "parameter": null}), "{way}");
    }
    let plain = "do:\n- a:\n    call: http\n    with: {method: get, endpoint: 'https://x.org/'}\n    output: {as: '${ $authorization }'}";
    assert_eq!(run(plain, json!({})).output(), json!(null));
}

#[test]
fn effect_classes_follow_the_method_unless_told() {
    let class = |method: &str, more: &str| {
        let tasks =
            format!("do:\n- a: {{call: http, with: {{method: {method}, endpoint: 'https://x.org/'}}{more}}}");
        first_action(&tasks, json!({})).effect
    };
    assert_eq!(class("get", ""), EffectClass::Read);
    assert_eq!(class("put", ""), EffectClass::Idempotent);
    assert_eq!(class("patch", ""), EffectClass::Once);
    assert_eq!(class("post", ", metadata: {effect: idempotent}"), EffectClass::Idempotent);
}

#[test]
fn every_kind_of_action_has_its_input() {
    let wasm = first_action("do:\n- a: {call: 'echo:1.0.0', with: {x: '${ .v }'}}", json!({"v": 1}));
    assert_eq!(
        (wasm.kind.as_str(), wasm.target.as_str(), wasm.effect),
        ("wasm.echo", "echo@1.0.0", EffectClass::Idempotent)
    );
    assert_eq!(*wasm.input, json!({"name": "echo", "version": "1.0.0", "input": {"x": 1}}));

    let shell = first_action(
        "do:\n- a: {run: {shell: {command: 'ls -l', arguments: ['${ .v }']}, return: all}}",
        json!({"v": 1}),
    );
    let input: kinds::RunShell = serde_json::from_value(Value::clone(&shell.input)).unwrap();
    assert_eq!(
        (input.process.arguments, input.process.returns),
        (vec!["1".to_owned()], kinds::ProcessReturn::All)
    );
    assert_eq!((shell.target.as_str(), shell.wants[0].0.as_str()), ("ls", "run:shell"));

    let script = first_action("do:\n- a: {run: {script: {language: python, code: 'print(1)'}}}", json!({}));
    let input: kinds::RunScript = serde_json::from_value(Value::clone(&script.input)).unwrap();
    assert_eq!(input.code.as_deref(), Some("print(1)"));

    let container = first_action(
        "do:\n- a: {run: {container: {image: 'x:1', lifetime: {cleanup: eventually, after: PT1M}}}}",
        json!({}),
    );
    let input: kinds::RunContainer = serde_json::from_value(Value::clone(&container.input)).unwrap();
    assert_eq!(input.lifetime, kinds::Lifetime { cleanup: "eventually".to_owned(), after_ms: Some(60_000) });

    let openapi = first_action(
        "do:\n- a: {call: openapi, with: {document: {endpoint: 'https://x.org/o.json'}, operationId: get, parameters: {id: '${ .v }'}}}",
        json!({"v": 1}),
    );
    let input: kinds::OpenApiCall = serde_json::from_value(Value::clone(&openapi.input)).unwrap();
    assert_eq!((input.document.uri.as_str(), &input.parameters["id"]), ("https://x.org/o.json", &json!(1)));

    let notify = first_action("do:\n- a: {call: notify, with: {channel: ops, title: T, body: B}}", json!({}));
    let input: kinds::Notification = serde_json::from_value(Value::clone(&notify.input)).unwrap();
    assert_eq!(input.text.as_deref(), Some("B"));

    let emit = first_action(
        "do:\n- a: {emit: {event: {with: {source: 'https://x.org', type: t.v1, data: {n: '${ .v }'}}}}}",
        json!({"v": 1}),
    );
    let event = kinds::emitted_event(&emit.input).unwrap();
    assert_eq!(
        (event.kind.as_str(), event.specversion.as_str(), event.data),
        ("t.v1", "1.0", Some(json!({"n": 1})))
    );
    assert!(event.time.is_some() && !event.id.is_empty());
}

#[test]
fn child_workflows_are_started() {
    let tasks =
        "do:\n- a: {run: {workflow: {namespace: n, name: w, version: latest, input: {x: '${ .v }'}}}}";
    assert_eq!(run(tasks, json!({"v": 1})).output(), json!({"workflow": "n/w", "input": {"x": 1}}));
    let detached = tasks.replace("run: {workflow", "run: {await: false, workflow");
    assert_eq!(run(&detached, json!({"v": 1})).output(), json!({"v": 1}));
}

const APPROVAL: &str = "do:\n- ask:\n    call: approval\n    with:\n      title: '${ \"Release \\(.v)?\" }'\n\
    \x20     levels:\n      - {roles: [lead], within: PT1H, onTimeout: escalate}\n      - {level: 2, roles: [head], quorum: 2, within: {minutes: 30}, emergencyOverride: true}\n\
    - go: {set: {released: true}}";

#[test]
fn approvals_ask_and_go_on_when_granted() {
    let mut driver = Driver::new(workflow(APPROVAL), json!({"v": 3}));
    let by = vec!["user:maria".parse().unwrap()];
    driver.answers.push_back(ApprovalOutcome::Granted { by, overridden: false });
    driver.go();
    assert_eq!(driver.output(), json!({"released": true}));
    let request = &driver.asked[0];
    assert_eq!((request.title.as_str(), &request.asked), ("Release 3?", &json!({"v": 3})));
    assert_eq!(request.levels.len(), 2);
    assert_eq!(request.levels[0].within.unwrap().as_secs(), 3600);
    assert!(request.levels[1].emergency_override && request.levels[1].quorum == 2);
}

#[test]
fn workflows_12_a_denied_approval_halts_unless_it_is_caught() {
    let denied =
        || ApprovalOutcome::Denied { by: "user:ann".parse().unwrap(), reason: Some("no".to_owned()) };
    let mut driver = Driver::new(workflow(APPROVAL), json!({"v": 3}));
    driver.answers.push_back(denied());
    driver.go();
    let problem = driver.problem();
    assert_eq!((problem.kind.as_str(), problem.status), ("https://aedile.io/errors/approval-denied", 403));

    let caught = "do:\n- t:\n    try:\n    - ask: {call: approval, with: {title: x}}\n    catch:\n      errors: {with: {type: 'https://aedile.io/errors/approval-denied'}}\n      do: [{no: {set: {why: '${ $error.detail }'}}}]";
    let mut driver = Driver::new(workflow(caught), json!({}));
    driver.answers.push_back(denied());
    driver.go();
    assert_eq!(driver.output(), json!({"why": "denied by user:ann: no"}));

    let mut driver = Driver::new(workflow(APPROVAL), json!({"v": 3}));
    driver.answers.push_back(ApprovalOutcome::Expired);
    driver.go();
    assert_eq!(driver.problem().status, 408);
}

#[test]
fn cancel_gives_up_what_runs_and_compensates_in_reverse() {
    let undo = |name: &str| {
        format!(
            "- {name}:\n    call: 'do-{name}:1.0.0'\n    with: {{n: 1}}\n    metadata:\n      compensate:\n      - undo-{name}: {{call: 'undo-{name}:1.0.0', with: {{was: '${{ . }}'}}}}\n"
        )
    };
    let tasks = format!("do:\n{}{}- slow: {{call: 'slow:1.0.0'}}", undo("a"), undo("b"));
    let mut driver = Driver::new(workflow(&tasks), json!({}))
        .performing(|action, _| (action.kind != "wasm.slow").then(|| Ok(json!({"from": action.kind}))));
    driver.go();
    assert!(driver.outcome.is_none());
    driver.tell(Happening::CancelRequested { reason: None });
    driver.go();
    assert_eq!(driver.outcome, Some(Outcome::Cancelled));
    assert_eq!(driver.abandoned, ["/do/2/slow"]);
    let names: Vec<&str> = driver.steps.iter().map(String::as_str).collect();
    assert_eq!(names, ["a", "b", "slow", "undo-b", "undo-a"]);
    let undo_b = &driver.actions[3].2;
    assert_eq!(undo_b.input["input"], json!({"was": {"from": "wasm.do-b"}}));
    assert_eq!(driver.actions[0].2.reversibility, Reversibility::Reversible);
}

#[test]
fn a_compensation_that_fails_does_not_stop_the_others() {
    let tasks = "do:\n- a: {set: {x: 1}, metadata: {compensate: [{ua: {call: 'ua:1.0.0'}}]}}\n\
                 - b: {set: {x: 1}, metadata: {compensate: [{ub: {call: 'ub:1.0.0'}}]}}\n- w: {wait: PT1H}";
    let mut driver = Driver::new(workflow(tasks), json!({})).performing(|action, _| {
        Some(if action.kind == "wasm.ub" { Err(Problem::communication("down")) } else { Ok(json!(1)) })
    });
    driver.tell(Happening::Started);
    for _ in 0..3 {
        let step = driver.run.ready().remove(0);
        match step {
            Step::Record { step, result } => {
                driver.tell(Happening::Completed { step: step.id, output: result.unwrap().into() });
            }
            Step::Timer { step, name, .. } => {
                let due = driver.now;
                driver.tell(Happening::TimerSet { step: step.id, name, due });
            }
            other => panic!("{other:?}"),
        }
    }
    driver.tell(Happening::CancelRequested { reason: None });
    driver.go();
    assert_eq!(driver.steps, ["ub", "ua"]);
    assert!(driver.problem().detail.unwrap().contains("`b`"));
}

#[test]
fn a_failed_run_goes_on_from_the_step_that_failed() {
    let tasks = "do:\n- a: {set: {n: '${ .n + 1 }'}}\n- o: {do: [{b: {call: 'b:1.0.0', with: {n: '${ .n }'}}}, {c: {set: {done: '${ .ok }'}}}]}";
    let mut fail = true;
    let mut driver = Driver::new(workflow(tasks), json!({"n": 1})).performing(move |_, _| {
        let outcome = if fail { Err(Problem::communication("down")) } else { Ok(json!({"ok": true})) };
        fail = false;
        Some(outcome)
    });
    driver.go();
    assert_eq!(driver.problem().status, 500);
    driver.outcome = None;
    driver.tell(Happening::RetryRequested { from: None });
    driver.go();
    assert_eq!(driver.output(), json!({"done": true}));
    let [(first, 1, one), (second, 2, two)] = driver.actions.as_slice() else {
        panic!("{:?}", driver.actions)
    };
    assert_eq!((&first.id, &one.idempotency_key), (&second.id, &two.idempotency_key));
    assert_eq!(driver.steps, ["a", "b", "b", "c"]);
}

#[test]
fn a_failed_run_goes_on_from_an_earlier_step() {
    let tasks = "do:\n- a: {set: {n: '${ .n + 1 }'}}\n- b: {call: 'b:1.0.0', with: {n: '${ .n }'}}";
    let mut fail = true;
    let mut driver = Driver::new(workflow(tasks), json!({"n": 1})).performing(move |action, _| {
        let outcome =
            if fail { Err(Problem::communication("down")) } else { Ok(action.input["input"].clone()) };
        fail = false;
        Some(outcome)
    });
    driver.go();
    driver.outcome = None;
    driver.tell(Happening::RetryRequested { from: Some(StepId::new("/do/0/a")) });
    driver.go();
    assert_eq!(driver.output(), json!({"n": 2}));
    assert_eq!(driver.steps, ["a", "b", "a", "b"]);
}
