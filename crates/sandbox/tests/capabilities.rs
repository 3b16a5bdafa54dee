//! What a guest can reach: exactly what is granted, within its budgets.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy.toml does not see as tests")]

mod common;

use std::sync::Arc;

use common::{ALL, Fake, Http, call, grants, guest, load, probe, probe_with, sandbox};
use model::{Coded, EffectClass, code};
use sandbox::{
    Capability, FailureKind, Grants, HttpError, Level, Limits, NoServices, Retry, SandboxError, Services,
};
use serde_json::json;

#[tokio::test]
async fn nothing_is_granted_by_default() {
    let module = load(&sandbox(), &guest("http-fetch-0.1.0")).unwrap();
    assert_eq!(module.wants().iter().copied().collect::<Vec<_>>(), [Capability::Http]);
    let error = call(&module, r#"{"url":"https://api.example/"}"#).await.unwrap_err();
    assert_eq!(error.code(), code::sandbox::MISSING_CAPABILITY);
    assert!(error.to_string().contains("aedile:action/http"), "{error}");
    assert!(error.hint().unwrap().contains("`http:HOST`"));
    assert!(error.problem().is_standard("authorization"));
}

#[tokio::test]
async fn each_missing_capability_is_named() {
    for missing in Capability::ALL {
        let given: Vec<_> = ALL.into_iter().filter(|grant| !grant.starts_with(missing.as_str())).collect();
        let error =
            probe_with(&grants(&given), "now", &Arc::default(), &Limits::default()).await.unwrap_err();
        assert!(
            matches!(error, SandboxError::MissingCapability { capability } if capability == missing),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_host_that_is_not_granted_ends_the_call() {
    let fake = Arc::<Fake>::default();
    for url in [
        "https://evil.example/?token=hunter2",
        "https://api.example:444/",
        "http://api.example.evil.example/",
    ] {
        let error = probe(&format!("http 1 GET {url}"), &fake, &Limits::default()).await.unwrap_err();
        assert_eq!(error.code(), code::sandbox::HOST_NOT_GRANTED, "{error}");
        assert!(error.hint().unwrap().contains("http:"), "{error:?}");
        assert!(!error.to_string().contains("hunter2"));
    }
    assert!(fake.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn malformed_requests_are_answered_to_the_guest() {
    let fake = Arc::<Fake>::default();
    for request in [
        "GET https://api.example@evil.example/",
        "GET https://@api.example/",
        "GET file:///etc/passwd",
        "TRACE https://api.example/",
        "GET https://api.example/ host evil.example",
        "GET https://api.example/ transfer-encoding chunked",
        "POST https://api.example/ body 1048577",
    ] {
        let error = probe(&format!("http 1 {request}"), &fake, &Limits::default()).await.unwrap_err();
        let SandboxError::Failed(failure) = error else { panic!("{request}: {error}") };
        assert_eq!(failure.title, "invalid-request", "{request}");
    }
    assert!(fake.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_request_arrives_parsed_and_bounded() {
    let fake = Arc::<Fake>::default();
    let words = "http 1 POST https://API.example:443/a/../b#c x-a 1";
    assert_eq!(probe(words, &fake, &Limits::default()).await.unwrap().value, 200);
    let requests = fake.requests.lock().unwrap();
    let request = &requests[0];
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "https://api.example/b"));
    assert_eq!(request.headers, [("x-a".to_owned(), "1".to_owned())]);
    assert!(request.timeout <= Limits::default().time);
    assert_eq!(request.max_body_bytes, 1 << 20);
}

#[tokio::test]
async fn requests_have_a_budget() {
    let fake = Arc::<Fake>::default();
    let limits = Limits { http_requests: 3, ..Limits::default() };
    let output = probe("http 3 GET https://api.example/", &fake, &limits).await.unwrap();
    assert_eq!(output.usage.http_requests, 3);
    let error = probe("http 4 GET https://api.example/", &fake, &limits).await.unwrap_err();
    assert!(matches!(error, SandboxError::OutOfBudget { what: "HTTP requests", limit: 3 }), "{error}");
}

#[tokio::test]
async fn answers_that_break_the_rules_are_refused() {
    let large = Http::Status(200, Vec::new(), "x".repeat(2 << 20));
    for (http, title) in [
        (Http::Redirected, "connection"),
        (large, "response-too-large"),
        (Http::Error(HttpError::TooLarge), "response-too-large"),
        (Http::Error(HttpError::Timeout), "timeout"),
    ] {
        let fake = Arc::new(Fake { http, ..Fake::default() });
        let error = probe("http 1 GET https://api.example/", &fake, &Limits::default()).await.unwrap_err();
        assert!(matches!(&error, SandboxError::Failed(failure) if failure.title == title), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn time_spent_waiting_for_an_answer_counts() {
    let fake = Arc::new(Fake { http: Http::Never, ..Fake::default() });
    let error = probe("http 1 GET https://api.example/", &fake, &Limits::default()).await.unwrap_err();
    assert_eq!(error.code(), code::sandbox::OUT_OF_TIME);
}

#[tokio::test]
async fn keys_stay_in_their_namespace() {
    let fake = Arc::<Fake>::default();
    let limits = Limits::default();
    for (space, words, value) in [
        ("kv:a", "kv-set colour green", json!(null)),
        ("kv:a", "kv-get colour", json!("green")),
        ("kv:b", "kv-get colour", json!(null)),
        ("kv:a read", "kv-keys col", json!(["colour"])),
        ("kv:b", "kv-delete colour", json!(null)),
        ("kv:a read", "kv-get colour", json!("green")),
    ] {
        let mut given = vec![space];
        given.extend(ALL.iter().filter(|grant| !grant.starts_with("kv")));
        let output = probe_with(&grants(&given), words, &fake, &limits).await.unwrap();
        assert_eq!(output.value, value, "{space} {words}");
    }
    let given: Vec<_> =
        ALL.into_iter().map(|grant| if grant == "kv:tests" { "kv:a read" } else { grant }).collect();
    for words in ["kv-set colour red", "kv-delete colour"] {
        let error = probe_with(&grants(&given), words, &fake, &limits).await.unwrap_err();
        assert!(matches!(&error, SandboxError::Failed(failure) if failure.title == "read-only"), "{error}");
    }
}

#[tokio::test]
async fn keys_and_values_are_bounded() {
    let fake = Arc::<Fake>::default();
    let long = format!("kv-get {}", "k".repeat(257));
    for words in ["kv-get ", long.as_str(), "kv-fill k 262145"] {
        let error = probe(words, &fake, &Limits::default()).await.unwrap_err();
        assert!(
            matches!(&error, SandboxError::Failed(failure) if failure.title == "invalid"),
            "{words}: {error}"
        );
    }
    assert!(probe("kv-fill k 262144", &fake, &Limits::default()).await.is_ok());
    let limits = Limits { kv_operations: 0, ..Limits::default() };
    assert_eq!(probe("kv-get k", &fake, &limits).await.unwrap_err().code(), code::sandbox::OUT_OF_BUDGET);
}

#[tokio::test]
async fn what_a_guest_hands_over_in_one_call_is_bounded() {
    let error = probe("kv-fill k 30000000", &Arc::default(), &Limits::default()).await.unwrap_err();
    assert!(matches!(error, SandboxError::OutOfBudget { what: "bytes in one host call", .. }), "{error}");
}

#[tokio::test]
async fn log_lines_are_escaped_counted_and_dropped_beyond_the_budget() {
    let fake = Arc::<Fake>::default();
    let limits = Limits { log_lines: 5, ..Limits::default() };
    let output = probe("log 8 a\\\\nb", &fake, &limits).await.unwrap();
    assert_eq!((output.usage.log_lines, output.usage.log_lines_dropped), (5, 3));
    {
        let lines = fake.lines.lock().unwrap();
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[0].0, Level::Info);
        assert!(!lines[0].1.contains('\n'), "{:?}", lines[0]);
    }
    let limits = Limits { log_bytes: 10, ..Limits::default() };
    let output = probe("log 8 abcd", &fake, &limits).await.unwrap();
    assert_eq!((output.usage.log_lines, output.usage.log_bytes), (2, 8));
}

#[tokio::test]
async fn clock_and_randomness_come_from_the_services() {
    let fake = Arc::<Fake>::default();
    let limits = Limits { random_bytes: 100, ..Limits::default() };
    assert_eq!(probe("now", &fake, &limits).await.unwrap().value, 1_700_000_000_000_u64);
    assert_eq!(probe("random 50 2", &fake, &limits).await.unwrap().value, 100);
    for words in ["random 101 1", "random 50 3"] {
        assert_eq!(probe(words, &fake, &limits).await.unwrap_err().code(), code::sandbox::OUT_OF_BUDGET);
    }
    let module = load(&sandbox(), &guest("probe")).unwrap();
    let services: Arc<dyn Services> = Arc::new(NoServices);
    let error = module.call("\"now\"", &grants(&ALL), services, &limits).await.unwrap_err();
    assert_eq!(error.code(), code::sandbox::SERVICE_FAILED, "{error}");
}

#[tokio::test]
async fn failures_keep_their_kind() {
    let second_and_a_half = std::time::Duration::from_millis(1500);
    for (word, kind, retry, status) in [
        ("transient", FailureKind::Transient, Retry::Later, 503),
        ("throttled", FailureKind::Throttled(Some(second_and_a_half)), Retry::After(second_and_a_half), 429),
        ("conflict", FailureKind::Conflict, Retry::Never, 409),
        ("permanent", FailureKind::Permanent, Retry::Never, 500),
    ] {
        let error = probe(&format!("fail {word}"), &Arc::default(), &Limits::default()).await.unwrap_err();
        assert_eq!((error.retry(), error.problem().status), (retry, status));
        assert_eq!(error.code(), code::sandbox::ACTION_FAILED);
        let SandboxError::Failed(failure) = error else { panic!("{error}") };
        assert_eq!(
            (failure.kind, failure.title.as_str(), failure.detail.as_str()),
            (kind, "as asked", "a detail")
        );
    }
}

#[tokio::test]
async fn shipped_actions_describe_themselves() {
    let echo = load(&sandbox(), &guest("echo-0.1.0")).unwrap();
    assert_eq!(echo.describe().await.unwrap().unwrap().effect, EffectClass::Read);
    assert!(echo.wants().is_empty());
    let fetch = load(&sandbox(), &guest("http-fetch-0.1.0")).unwrap();
    let description = fetch.describe().await.unwrap().unwrap();
    assert_eq!(description.effect, EffectClass::Once);
    assert_eq!(description.input_schema.as_ref().unwrap()["required"], json!(["url"]));
    let probe = load(&sandbox(), &guest("probe")).unwrap();
    assert_eq!(probe.describe().await.unwrap(), None);
}

#[tokio::test]
async fn echo_answers_its_input() {
    let echo = load(&sandbox(), &guest("echo-0.1.0")).unwrap();
    for value in [json!(null), json!({"a": [1, "é😀", {"b": 1.5}]}), json!("x".repeat(500_000))] {
        assert_eq!(call(&echo, &value.to_string()).await.unwrap().value, value);
    }
}

async fn fetch(http: Http, input: serde_json::Value) -> Result<serde_json::Value, SandboxError> {
    let module = load(&sandbox(), &guest("http-fetch-0.1.0")).unwrap();
    let fake: Arc<dyn Services> = Arc::new(Fake { http, ..Fake::default() });
    let grants = Grants::parse(["http:api.example"]).unwrap();
    Ok(module.call(&input.to_string(), &grants, fake, &Limits::default()).await?.value)
}

#[tokio::test]
async fn http_fetch_answers_status_headers_and_body() {
    let header = ("content-type".to_owned(), "application/json".to_owned());
    let http = Http::Status(404, vec![header], r#"{"a":[1.5,"\n"]}"#.to_owned());
    let input =
        json!({"url": "https://api.example/x", "method": "PUT", "headers": {"a": "b"}, "body": {"n": [1]}});
    let output = fetch(http, input).await.unwrap();
    assert_eq!(
        output,
        json!({"status": 404, "headers": {"content-type": "application/json"},
               "body": "{\"a\":[1.5,\"\\n\"]}", "json": {"a": [1.5, "\n"]}})
    );
    let bad = fetch(Http::Ok, json!({"uri": "https://api.example/"})).await.unwrap_err();
    assert_eq!(bad.to_string(), "the input is not a request: unknown member: uri");
}

#[tokio::test]
async fn http_fetch_says_when_another_try_is_worth_it() {
    let header = ("Retry-After".to_owned(), "2".to_owned());
    let input = json!({"url": "https://api.example/"});
    let throttled = fetch(Http::Status(429, vec![header], String::new()), input.clone()).await.unwrap_err();
    assert_eq!(throttled.retry(), Retry::After(std::time::Duration::from_secs(2)));
    let away = fetch(Http::Status(502, Vec::new(), String::new()), input.clone()).await.unwrap_err();
    assert_eq!(away.retry(), Retry::Later);
    let broken = fetch(Http::Error(HttpError::Connection("refused".to_owned())), input).await.unwrap_err();
    assert_eq!(broken.retry(), Retry::Later);
}
