//! Tests from outside: does a port take connections, does a URL answer as it should.

use provider_kit::{
    Answer, Application, Ask, FailureClass, Finding, HttpProbe, Inspection, Object, Query, Resources,
    TcpProbe, Value, failed, finding, json, present, text,
};

struct ProbeNet;

impl Resources for ProbeNet {
    fn schema() -> Value {
        let timeout = json!({"type": "integer", "default": 10, "summary": "Seconds."});
        let nothing = json!({"effect": "read", "reversibility": "no-change"});
        json!({
            "name": "probe.net",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Tests of ports and URLs, from where Aedile runs",
            "types": {
                "probe.tcp": {
                    "summary": "A port that takes connections.",
                    "attributes": {
                        "host": {"type": "text", "required": true, "summary": "Name or address."},
                        "port": {"type": "integer", "required": true, "summary": "1 to 65535."},
                        "timeout": timeout,
                    },
                    "capabilities": ["tcp:{host}:{port}"],
                    "create": nothing, "update": nothing, "delete": nothing,
                },
                "probe.http": {
                    "summary": "A URL that answers as it should. Redirects are not followed.",
                    "attributes": {
                        "url": {"type": "text", "required": true, "summary": "http or https."},
                        "method": {"type": {"words": ["GET", "HEAD"]}, "default": "GET"},
                        "status": {"type": "any", "default": 200, "summary": "The status, or a list of them."},
                        "contains": {"type": "text", "summary": "A text the first 64 KiB of the body must contain."},
                        "headers": {"type": {"map": "text"}, "summary": "Header fields to send."},
                        "timeout": timeout,
                    },
                    "capabilities": ["http:{url}"],
                    "create": nothing, "update": nothing, "delete": nothing,
                },
            },
        })
    }

    fn validate(kind: &str, config: &Object) -> Vec<Finding> {
        let mut found = Vec::new();
        if !(1..=300).contains(&seconds(config)) {
            found.push(finding("timeout", "is from 1 to 300 seconds", None));
        }
        if kind == "probe.tcp" && port(config).is_none() {
            found.push(finding("port", "is from 1 to 65535", None));
        }
        let web = |url: &str| url.starts_with("http://") || url.starts_with("https://");
        if kind == "probe.http" && !text(config, "url").is_some_and(web) {
            found.push(finding("url", "must begin with http:// or https://", None));
        }
        if kind == "probe.http" && statuses(config).is_empty() {
            found.push(finding("status", "is a number from 100 to 599, or a list of them", None));
        }
        found
    }

    fn inspect(kind: &str, config: &Object, answers: &[&Answer]) -> Inspection {
        let timeout = u32::try_from(seconds(config).saturating_mul(1000)).unwrap_or(10_000);
        let Some(answer) = answers.first() else {
            return Inspection::More(vec![if kind == "probe.tcp" {
                let host = text(config, "host").unwrap_or_default().into();
                Query::Tcp(TcpProbe { host, port: port(config).unwrap_or_default(), timeout })
            } else {
                http(config, timeout)
            }]);
        };
        match judge(config, answer) {
            Ok(()) => present(config.clone()),
            Err(why) => Inspection::Unreadable(why),
        }
    }

    fn apply(_: &str, _: &Ask, _: &[&Answer]) -> Application {
        failed(FailureClass::Permanent, "a probe changes nothing; declare it as a check")
    }

    fn import(_: &str, _: &str) -> Result<Value, String> {
        Err("a probe is not a thing that could be imported".into())
    }
}

fn seconds(config: &Object) -> u64 {
    config.get("timeout").and_then(Value::as_u64).unwrap_or(10)
}

fn port(config: &Object) -> Option<u16> {
    config
        .get("port")
        .and_then(Value::as_u64)
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| *port > 0)
}

fn statuses(config: &Object) -> Vec<u16> {
    let one =
        |value: &Value| value.as_u64().and_then(|n| u16::try_from(n).ok()).filter(|n| (100..600).contains(n));
    match config.get("status") {
        None => vec![200],
        Some(Value::Array(items)) => items.iter().map(one).collect::<Option<_>>().unwrap_or_default(),
        Some(value) => one(value).into_iter().collect(),
    }
}

fn http(config: &Object, timeout: u32) -> Query {
    let headers = config.get("headers").and_then(Value::as_object);
    Query::Http(HttpProbe {
        method: text(config, "method").unwrap_or("GET").into(),
        url: text(config, "url").unwrap_or_default().into(),
        headers: headers
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect(),
        timeout,
        body_max: 64 << 10,
    })
}

fn judge(config: &Object, answer: &Answer) -> Result<(), String> {
    match answer {
        Answer::Connected(_) => Ok(()),
        Answer::Responded(response) => {
            let wanted = statuses(config);
            if !wanted.contains(&response.status) {
                return Err(["it answered with status ", &response.status.to_string()].concat());
            }
            match text(config, "contains") {
                Some(part) if !String::from_utf8_lossy(&response.body).contains(part) => {
                    Err("the body does not contain the text it should".into())
                }
                _ => Ok(()),
            }
        }
        Answer::Fault(fault) => Err(fault.message.clone()),
        _ => Err("the host answered something else".into()),
    }
}

provider_kit::provider!(ProbeNet);
