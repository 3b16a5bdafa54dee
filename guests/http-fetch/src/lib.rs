//! One HTTP request described by the input, its answer as the output.
//!
//! ```json
//! { "url": "https://status.example.com/health", "method": "GET", "headers": { "accept": "application/json" } }
//! ```
//! answers `{ "status": 200, "headers": { .. }, "body": "..", "json": .. }`.

mod json;

wit_bindgen::generate!({ path: "../../wit/action", world: "described-action" });

use aedile::action::http::{self, Header, Request, Response};
use aedile::action::types::{Effect, FailureKind};

struct HttpFetch;

impl Guest for HttpFetch {
    fn run(input: String) -> Result<String, Failure> {
        let request = request(&input)?;
        let response = http::send(&request).map_err(unanswered)?;
        match failure(&response) {
            Some(failure) => Err(failure),
            None => Ok(answer(&response)),
        }
    }

    fn describe() -> Description {
        Description {
            summary: "Sends one HTTP request and answers its status, headers and body".into(),
            // It can be any method, and nobody here knows what the other side does with it.
            effect: Effect::Once,
            input_schema: Some(include_str!("input.schema.json").into()),
            output_schema: Some(include_str!("output.schema.json").into()),
        }
    }
}

export!(HttpFetch);

fn bad_input(detail: &str) -> Failure {
    Failure { kind: FailureKind::Permanent, title: "the input is not a request".into(), detail: detail.into() }
}

fn request(input: &str) -> Result<Request, Failure> {
    let text = |raw: &str| json::string(raw).ok_or_else(|| bad_input("expected a string"));
    let mut request =
        Request { method: "GET".into(), url: String::new(), headers: Vec::new(), body: None, timeout: None };
    for (name, raw) in json::members(input).ok_or_else(|| bad_input("expected a JSON object"))? {
        match name.as_str() {
            "url" => request.url = text(raw)?,
            "method" => request.method = text(raw)?,
            "body" => request.body = Some(json::string(raw).unwrap_or_else(|| raw.into()).into_bytes()),
            "timeout" => {
                let timeout = raw.parse().map_err(|_| bad_input("`timeout` is not a number of milliseconds"))?;
                request.timeout = Some(timeout);
            }
            "headers" => {
                let headers = json::members(raw).ok_or_else(|| bad_input("`headers` is not an object"))?;
                for (name, raw) in headers {
                    request.headers.push(Header { name, value: text(raw)? });
                }
            }
            _ => return Err(bad_input(&["unknown member: ", &name].concat())),
        }
    }
    if request.url.is_empty() { Err(bad_input("`url` is missing")) } else { Ok(request) }
}

fn unanswered(error: http::Error) -> Failure {
    let (kind, title, detail) = match error {
        http::Error::InvalidRequest(why) => (FailureKind::Permanent, "the request is malformed", why),
        http::Error::Timeout => (FailureKind::Transient, "no answer in time", String::new()),
        http::Error::Connection(why) => (FailureKind::Transient, "no connection", why),
        http::Error::ResponseTooLarge(_) => (FailureKind::Permanent, "the answer is too large", String::new()),
    };
    Failure { kind, title: title.into(), detail }
}

/// Statuses that are worth another try, as a failure; every other status is an answer for the workflow to judge.
fn failure(response: &Response) -> Option<Failure> {
    let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("retry-after"));
    let wait = header.and_then(|header| header.value.trim().parse::<u32>().ok()).map(|s| u64::from(s) * 1000);
    let (kind, title) = match response.status {
        429 => (FailureKind::Throttled(wait), "the server asks for patience"),
        503 if wait.is_some() => (FailureKind::Throttled(wait), "the server asks for patience"),
        502..=504 => (FailureKind::Transient, "the server is not available"),
        _ => return None,
    };
    Some(Failure { kind, title: title.into(), detail: String::new() })
}

fn answer(response: &Response) -> String {
    let body = String::from_utf8_lossy(&response.body);
    let mut out = String::from("{\"status\":");
    out.push_str(&response.status.to_string());
    out.push_str(",\"headers\":{");
    let mut is_json = false;
    for (index, Header { name, value }) in response.headers.iter().enumerate() {
        is_json |= name.eq_ignore_ascii_case("content-type") && value.as_bytes().windows(4).any(|w| w == b"json");
        if index > 0 {
            out.push(',');
        }
        json::write_string(&mut out, name);
        out.push(':');
        json::write_string(&mut out, value);
    }
    out.push_str("},\"body\":");
    json::write_string(&mut out, &body);
    if is_json && json::is_json(&body) {
        out.push_str(",\"json\":");
        out.push_str(&body);
    }
    out.push('}');
    out
}
