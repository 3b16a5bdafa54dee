//! The older dialect, from its own files.

use super::*;
use serde_json::json;

fn ritual(name: &str) -> Option<Arc<Workflow>> {
    let path = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance/seed-inputs/demon")
        .join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return None;
    };
    let (workflow, found) = crate::load(name, &text);
    Some(Arc::new(workflow.unwrap_or_else(|| panic!("{found:#?}"))))
}

fn echoing(workflow: Arc<Workflow>, input: Value) -> Driver {
    let mut driver =
        Driver::new(workflow, input).performing(|action, _| Some(Ok(Value::clone(&action.input))));
    driver.go();
    driver
}

#[test]
fn workflows_01_echo_says_hello_and_completes_with_a_result_envelope() {
    let Some(workflow) = ritual("echo.yaml") else { return };
    let driver = echoing(workflow, json!({}));
    assert_eq!(driver.actions[0].2.kind, "echo");
    assert_eq!(*driver.actions[0].2.input, json!({"message": "Hello from Demon!"}));
    let output = driver.output();
    assert_eq!(output["event"], "ritual.completed:v1");
    assert_eq!(output["ritualId"], "echo-ritual");
    assert_eq!(output["runId"], driver.run.facts.run.to_string());
    assert_eq!(output["ts"], "2023-11-14T22:13:20Z");
    let envelope = json!({"result": {"success": true, "data": {"message": "Hello from Demon!"}}});
    assert_eq!(output["outputs"], envelope);
}

#[test]
fn workflows_03_timer_waits_five_seconds_fires_once_and_takes_the_default() {
    let Some(workflow) = ritual("timer.yaml") else { return };
    let driver = echoing(workflow.clone(), json!({}));
    let began = driver.events[0].at;
    assert_eq!(driver.now.duration_since(began).as_millis(), 5000);
    let fired: Vec<_> = driver.actions.iter().filter(|(_, _, action)| action.kind == "event.emit").collect();
    let [(_, _, event)] = fired.as_slice() else { panic!("{fired:?}") };
    assert_eq!(event.input["type"], "timer.fired:v1");
    assert_eq!(driver.steps, ["Schedule", "fired", "MaybeCompensate", "End"]);
    assert_eq!(driver.output()["outputs"]["result"]["data"], json!({"message": "Timer finished."}));

    let compensating = echoing(workflow, json!({"needCompensation": true}));
    assert_eq!(compensating.steps, ["Schedule", "fired", "MaybeCompensate", "Compensate", "End"]);
}

#[test]
fn workflows_07_an_unknown_function_is_named() {
    let text = "id: r\nstates:\n- name: S\n  type: task\n  action:\n    functionRef:\n      refName: nope\n  end: true\n";
    let (workflow, found) = crate::load("r.yaml", text);
    assert!(workflow.is_none());
    assert_eq!((found[0].code.id, found[0].location.line), ("E0307", 7));
    assert!(found[0].message.contains("`nope`"));
}

#[test]
fn events_route_by_type_and_other_states_translate() {
    let text = "id: r\nversion: 1\nstates:\n\
        - {name: I, type: inject, data: {a: 1}}\n- {name: Z, type: sleep, duration: PT2S}\n\
        - name: E\n  type: event\n  on: [{eventRef: x, transition: X}, {eventRef: y, transition: {nextState: Y}}]\n\
        - {name: X, type: task, action: {functionRef: {refName: echo, arguments: {message: x}}}, end: true}\n\
        - {name: Y, type: task, action: {functionRef: {refName: echo, arguments: {message: '${ .n }'}}}, end: true}\n";
    let (workflow, found) = crate::load("r.yaml", text);
    let workflow = workflow.unwrap_or_else(|| panic!("{found:#?}"));
    let mut driver = Driver::new(Arc::new(workflow), json!({}))
        .performing(|action, _| Some(Ok(Value::clone(&action.input))));
    let event = json!({"specversion": "1.0", "id": "1", "source": "s", "type": "y", "data": {"n": 7}});
    driver.bus.push_back(serde_json::from_value(event).unwrap());
    driver.go();
    assert_eq!(driver.steps, ["I", "E-route", "Y"]);
    assert_eq!(driver.output()["outputs"]["result"]["data"], json!({"message": 7}));
}

#[test]
fn what_cannot_be_translated_is_refused_at_its_place() {
    let table = [
        ("states: []", "E0304", ""),
        ("id: r\nstates: 5", "E0303", "/states"),
        ("id: r\nstates: [{type: task}]", "E0304", "/states/0"),
        ("id: r\nstates: [{name: a, type: parallel}]", "E0309", "/states/0/type"),
        ("id: r\nstates: [{name: a, type: task}]", "E0304", "/states/0"),
        ("id: r\nstates: [{name: a, type: switch}]", "E0304", "/states/0"),
    ];
    for (text, code, path) in table {
        let (workflow, found) = crate::load("r.yaml", text);
        assert!(workflow.is_none(), "{text}");
        assert_eq!((found[0].code.id, found[0].location.path.as_str()), (code, path), "{text}");
    }
}
