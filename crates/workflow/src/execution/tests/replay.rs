//! The same events give the same run, cut wherever.

use std::path::PathBuf;
use std::sync::OnceLock;

use super::*;
use proptest::prelude::*;
use serde_json::json;

/// Workflows that use everything.
fn corpus() -> Vec<(String, Arc<Workflow>)> {
    let mut all = vec![(
        "mixed".to_owned(),
        workflow(
            "use: {functions: {f: {do: [{x: {call: 'f:1.0.0', with: {n: '${ .n }'}}}]}}}\ntimeout: {after: PT10H}\n\
                 do:\n- a: {set: {list: [1, 2, 3]}, export: {as: .}}\n\
                 - f: {for: {in: .list}, do: [{c: {call: f, with: {n: '${ $item }'}}}, {s: {set: {n: '${ $item }'}, metadata: {compensate: [{u: {set: {undone: 1}}}]}}}]}\n\
                 - t: {try: [{c: {call: 'flaky:1.0.0', timeout: {after: PT1M}}}, {w: {wait: PT2S}}], catch: {retry: {delay: PT1S, jitter: {from: PT0S, to: PT2S}, backoff: {exponential: {}}, limit: {attempt: {count: 4}}}}}\n\
                 - p: {fork: {branches: [{a: {wait: PT1S}}, {b: {call: 'g:1.0.0'}}, {c: {do: [{d: {set: {x: 1}}}]}}]}}\n\
                 - q: {fork: {compete: true, branches: [{a: {wait: PT1S}}, {b: {wait: PT9S}}]}}\n\
                 - e: {emit: {event: {with: {source: 'https://x.org', type: t}}}}\n\
                 - l: {listen: {to: {any: [], until: '(. | length) > 1'}}, timeout: {after: PT1H}, foreach: {do: [{s: {set: {e: '${ $item }'}}}]}}\n\
                 - g: {call: approval, with: {title: x}}\n",
        ),
    )];
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance/serverless-workflow/examples");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("only the built-in corpus: {} is not there", folder.display());
        return all;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if let (Some(workflow), _) = crate::load("example", &text) {
            all.push((path.file_stem().unwrap().to_string_lossy().into_owned(), Arc::new(workflow)));
        }
    }
    all
}

fn drive(workflow: &Arc<Workflow>) -> Driver {
    let input = json!({"searchQuery": "x", "id": 1, "petId": 1, "token": "t", "pets": [{"id": 1}], "vet": 1, "user": {}});
    let mut calls = 0;
    let mut driver = Driver::new(workflow.clone(), input).performing(move |action, attempt| {
        calls += 1;
        if action.kind == "wasm.flaky" && attempt < 3 {
            return Some(Err(Problem::communication("down").with_status(503)));
        }
        if action.kind == "event.emit" {
            return Some(Ok(Value::clone(&action.input)));
        }
        Some(Ok(json!({"call": calls, "homeworld": "https://x.org/"})))
    });
    for n in 0..6 {
        let event = json!({"specversion": "1.0", "id": "1", "source": "https://x.org", "type": "t", "data": {"n": n}});
        driver.bus.push_back(serde_json::from_value(event).unwrap());
    }
    driver.answers.push_back(model::ApprovalOutcome::Granted { by: Vec::new(), overridden: false });
    driver.go();
    driver
}

#[test]
fn every_example_runs_to_an_end_or_to_a_wait() {
    for (name, workflow) in corpus() {
        let mut driver = drive(&workflow);
        let waits = driver.run.ready().is_empty();
        assert!(driver.outcome.is_some() || waits, "{name}");
        if name == "mixed" {
            assert_eq!(driver.output()["outcome"], "granted");
        }
    }
}

/// What happened to a workflow of the corpus.
struct Story {
    name: String,
    workflow: Arc<Workflow>,
    facts: RunFacts,
    events: Vec<Event>,
}

fn stories() -> &'static [Story] {
    static STORIES: OnceLock<Vec<Story>> = OnceLock::new();
    STORIES.get_or_init(|| {
        let told = corpus().into_iter().map(|(name, workflow)| {
            let driver = drive(&workflow);
            Story { name, workflow, facts: driver.run.facts.clone(), events: driver.events }
        });
        told.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// A run folded again from any prefix of its journal stands where the first one stood, whether or not anybody
    /// asked it for its steps in between.
    #[test]
    fn workflows_06_any_prefix_replays_to_the_same_state(cut in 0.0..1.0_f64) {
        for story in stories() {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let at = (story.events.len() as f64 * cut) as usize;
            let mut asked = Execution::new(story.workflow.clone(), story.facts.clone());
            let mut folded = Execution::new(story.workflow.clone(), story.facts.clone());
            for event in &story.events[..at] {
                asked.apply(event).unwrap();
                let _steps = asked.ready();
                folded.apply(event).unwrap();
            }
            prop_assert_eq!(asked.ready(), folded.ready(), "{}", story.name);
            for event in &story.events[at..] {
                asked.apply(event).unwrap();
                folded.apply(event).unwrap();
                prop_assert_eq!(asked.ready(), folded.ready(), "{}", story.name);
            }
        }
    }
}
