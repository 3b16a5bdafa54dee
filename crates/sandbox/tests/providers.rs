//! Providers that misbehave: each is stopped with its own error, and nothing it should not have reaches a target.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy.toml does not see as tests")]

mod common;

use std::sync::Mutex;
use std::time::Duration;

use common::{guest, sandbox};
use model::{Coded, Digest, code};
use provider::exchange::{Answer, Application, Change, Inspection, Op, Operation, Query, Question};
use provider::{Attributes, BoxFuture, Description, Group, Inspected, Provider as _, ProviderError, Target};
use sandbox::{Limits, ProviderModule, SHIPPED, SandboxError};

fn probe() -> ProviderModule {
    let bytes =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guests/provider-probe.wasm")).unwrap();
    sandbox().load_provider("probe", &bytes, Digest::of(&bytes)).unwrap()
}

fn question() -> Question {
    let config = serde_json::json!({"path": "/srv/x"});
    Question { config: config.as_object().unwrap().clone(), asked: Vec::new() }
}

async fn asked(kind: &str, limits: Limits) -> ProviderError {
    let module = probe().with_limits(limits).unwrap();
    let answer = module.inspect(&format!("probe::{kind}"), &[question()], &[]).await.unwrap_err();
    let fine = module.inspect("probe::echo", &[question()], &[]).await.unwrap();
    assert!(matches!(fine.as_slice(), [Inspection::More(_)]), "the provider works as before");
    answer
}

#[tokio::test]
async fn infrastructure_33_loops_and_memory_end_at_their_limits() {
    let short = Limits { time: Duration::from_millis(300), ..Limits::PROVIDER };
    assert_eq!(asked("spin", short).await.code(), code::sandbox::OUT_OF_TIME);
    assert_eq!(asked("grow", Limits::PROVIDER).await.code(), code::sandbox::OUT_OF_MEMORY);
    assert_eq!(asked("panic", Limits::PROVIDER).await.code(), code::sandbox::TRAPPED);
}

#[tokio::test]
async fn answers_that_are_too_large_or_no_json_are_refused() {
    assert_eq!(asked("huge", Limits::PROVIDER).await.code(), code::sandbox::OUTPUT_TOO_LARGE);
    assert_eq!(asked("garbage", Limits::PROVIDER).await.code(), code::provider::BAD_ANSWER);
    let small = Limits { input_bytes: 5, ..Limits::PROVIDER };
    let module = probe().with_limits(small).unwrap();
    let error = module.inspect("probe::echo", &[question()], &[]).await.unwrap_err();
    assert_eq!(error.code(), code::sandbox::BAD_INPUT);
}

#[test]
fn a_provider_that_imports_anything_is_refused() {
    let bytes = guest("http-fetch-0.1.0");
    let error = sandbox().load_provider("evil", &bytes, Digest::of(&bytes)).unwrap_err();
    assert!(
        matches!(&error, SandboxError::ProviderImports { import, .. } if import.starts_with("aedile:action/"))
    );
    assert!(error.hint().unwrap().contains("wit/provider"), "{error}");
    let bytes = common::run_body("");
    let error = sandbox().load_provider("other", &bytes, Digest::of(&bytes)).unwrap_err();
    assert_eq!(error.code(), code::sandbox::BAD_COMPONENT, "{error}");
    let error = sandbox().load_provider("swapped", &bytes, Digest::of(b"other")).unwrap_err();
    assert_eq!(error.code(), code::sandbox::DIGEST_MISMATCH);
}

/// Remembers what reaches it.
#[derive(Default)]
struct Watched {
    reached: Mutex<Vec<String>>,
}

impl Target for Watched {
    fn ask<'a>(&'a self, queries: &'a [Query]) -> BoxFuture<'a, Result<Vec<Answer>, ProviderError>> {
        self.reached.lock().unwrap().extend(queries.iter().map(|query| format!("{query:?}")));
        Box::pin(async { Ok(vec![Answer::File(None); queries.len()]) })
    }

    fn carry_out<'a>(
        &'a self,
        lists: &'a [Vec<Op>],
    ) -> BoxFuture<'a, Result<Vec<Vec<Answer>>, ProviderError>> {
        self.reached.lock().unwrap().extend(lists.iter().flatten().map(|op| format!("{op:?}")));
        Box::pin(async { Ok(lists.iter().map(|ops| vec![Answer::File(None); ops.len()]).collect()) })
    }
}

#[tokio::test]
async fn infrastructure_31_what_is_not_declared_never_reaches_the_target() {
    let module = probe();
    let description = Description::parse("probe", &module.schema().await.unwrap()).unwrap();
    let target = Watched::default();
    for (kind, wanted) in [
        ("probe::curious", code::provider::NOT_DECLARED),
        ("probe::empty", code::provider::BAD_ANSWER),
        ("probe::many", code::provider::BAD_ANSWER),
    ] {
        let group =
            Group { provider: &module, kind: &description.types[kind], configs: vec![question().config] };
        let seen = provider::inspect(&[group], &target).await.pop().unwrap().pop().unwrap();
        assert!(matches!(&seen, Inspected::Unreadable(error) if error.code() == wanted), "{kind}: {seen}");
    }
    let change = Change {
        operation: Operation::Create,
        desired: question().config,
        prior: Attributes::new(),
        fields: Vec::new(),
        asked: Vec::new(),
    };
    for (kind, wanted) in
        [("probe::greedy", code::provider::NOT_DECLARED), ("probe::join-nobody", code::provider::BAD_ANSWER)]
    {
        let made = provider::apply(&module, &description.types[kind], &target, vec![change.clone()]).await;
        assert_eq!(made[0].as_ref().unwrap_err().code(), wanted, "{kind}");
    }
    assert_eq!(*target.reached.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_provider_that_never_knows_is_given_up_on() {
    let module = probe();
    let description = Description::parse("probe", &module.schema().await.unwrap()).unwrap();
    let target = Watched::default();
    let kind = &description.types["probe::endless"];
    let group = Group { provider: &module, kind, configs: vec![question().config; 2] };
    let seen = provider::inspect(&[group], &target).await.pop().unwrap();
    assert!(seen.iter().all(|one| one.to_string().contains("still asks after 8 rounds")), "{}", seen[0]);
    // two resources asked the same, and the target was asked once a round
    assert_eq!(target.reached.lock().unwrap().len(), 8);
}

#[tokio::test]
async fn every_shipped_provider_says_what_it_is() {
    let digests =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../guests/components/DIGESTS"))
            .unwrap();
    for shipped in SHIPPED {
        let digest = Digest::of(shipped.component);
        assert!(digests.contains(&digest.to_string()), "{} is not what was built", shipped.name);
        let module = sandbox().load_provider(shipped.name, shipped.component, digest).unwrap();
        let description = Description::parse(shipped.name, &module.schema().await.unwrap()).unwrap();
        assert_eq!(
            (description.name.as_str(), description.version.as_str()),
            (shipped.name, shipped.version())
        );
        let mut schemas = plan::Schemas::default();
        description.add_to(&mut schemas, &digest);
        for (name, kind) in &description.types {
            assert!(!kind.summary.is_empty(), "{name} says nothing");
            assert!(schemas.find(name).is_some_and(|(version, _)| version.ends_with(&digest.to_string())));
            for attribute in kind.schema.attributes.keys() {
                assert!(
                    kind.notes.contains_key(attribute) || attribute.as_str() == "method",
                    "{name} {attribute}"
                );
            }
        }
        // a call with nothing in it is no mistake
        let first = description.types.keys().next().unwrap().as_str();
        assert_eq!(module.apply(first, &[], &[]).await.unwrap(), Vec::<Application>::new());
    }
}
