//! Does what the input says, good or bad: the guest of the sandbox's own tests. The input is a JSON string of words,
//! such as `"kv-set colour green"`.

wit_bindgen::generate!({ path: "../../wit/action", world: "action" });

use aedile::action::{clock, http, kv, log, random, types::FailureKind};

struct Probe;

impl Guest for Probe {
    fn run(input: String) -> Result<String, Failure> {
        let words: Vec<&str> = input.trim_matches('"').split(' ').collect();
        match words.as_slice() {
            ["log", count, text] => {
                (0..number(count)).for_each(|_| log::write(log::Level::Info, &text.replace("\\n", "\n")));
                done()
            }
            ["now"] => Ok(clock::now().to_string()),
            ["random", len, times] => {
                let drawn: usize = (0..number(times)).map(|_| random::bytes(number(len)).len()).sum();
                Ok(drawn.to_string())
            }
            ["kv-get", key] => match kv::get(key).map_err(kv_error)? {
                Some(value) => Ok(quoted(&String::from_utf8_lossy(&value))),
                None => done(),
            },
            ["kv-set", key, value] => kv::set(key, value.as_bytes()).map_err(kv_error).and_then(|()| done()),
            ["kv-fill", key, len] => kv::set(key, &vec![b'x'; number(len) as usize]).map_err(kv_error).and_then(|()| done()),
            ["kv-delete", key] => kv::delete(key).map_err(kv_error).and_then(|()| done()),
            ["kv-keys", prefix] => {
                let keys: Vec<_> = kv::keys(prefix).map_err(kv_error)?.iter().map(|key| quoted(key)).collect();
                Ok(["[", &keys.join(","), "]"].concat())
            }
            ["http", count, method, url, rest @ ..] => {
                let mut request = request(method, url);
                match rest {
                    ["body", len] => request.body = Some(vec![b'x'; number(len) as usize]),
                    [name, value] => {
                        request.headers.push(http::Header { name: (*name).into(), value: (*value).into() });
                    }
                    _ => {}
                }
                let mut status = 0;
                for _ in 0..number(count) {
                    status = http::send(&request).map_err(http_error)?.status;
                }
                Ok(status.to_string())
            }
            ["fail", kind] => Err(failure(kind)),
            ["output", len] => Ok(quoted(&"x".repeat(number(len) as usize))),
            ["garbage"] => Ok("{\"half\":".into()),
            ["panic"] => panic!("as asked"),
            ["spin"] => loop {
                std::hint::black_box(());
            },
            ["grow"] => {
                let mut hoard: Vec<Vec<u8>> = Vec::new();
                loop {
                    hoard.push(std::hint::black_box(vec![1; 1 << 20]));
                }
            }
            ["recurse"] => Ok(recurse(1).to_string()),
            _ => Err(failure("permanent")),
        }
    }
}

export!(Probe);

fn done() -> Result<String, Failure> {
    Ok("null".into())
}

fn quoted(text: &str) -> String {
    ["\"", text, "\""].concat()
}

fn number(word: &str) -> u32 {
    word.parse().unwrap_or(0)
}

#[allow(unconditional_recursion, reason = "that is what it is for")]
fn recurse(n: u64) -> u64 {
    std::hint::black_box(recurse(std::hint::black_box(n + 1)) + n)
}

fn request(method: &str, url: &str) -> http::Request {
    http::Request { method: method.into(), url: url.into(), headers: Vec::new(), body: None, timeout: None }
}

fn failure(kind: &str) -> Failure {
    let kind = match kind {
        "transient" => FailureKind::Transient,
        "throttled" => FailureKind::Throttled(Some(1500)),
        "conflict" => FailureKind::Conflict,
        _ => FailureKind::Permanent,
    };
    Failure { kind, title: "as asked".into(), detail: "a detail".into() }
}

fn named(title: &str, detail: String) -> Failure {
    Failure { kind: FailureKind::Permanent, title: title.into(), detail }
}

fn kv_error(error: kv::Error) -> Failure {
    match error {
        kv::Error::Invalid(why) => named("invalid", why),
        kv::Error::ReadOnly => named("read-only", String::new()),
        kv::Error::Unavailable(why) => named("unavailable", why),
    }
}

fn http_error(error: http::Error) -> Failure {
    match error {
        http::Error::InvalidRequest(why) => named("invalid-request", why),
        http::Error::Timeout => named("timeout", String::new()),
        http::Error::Connection(why) => named("connection", why),
        http::Error::ResponseTooLarge(limit) => named("response-too-large", limit.to_string()),
    }
}
