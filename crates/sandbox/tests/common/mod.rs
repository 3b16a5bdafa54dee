//! What the tests share: guests, and services that are made of memory.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test binary uses a part, and none of it is an API"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use model::Digest;
use sandbox::{
    BoxFuture, Config, Grants, HttpError, HttpRequest, HttpResponse, Level, Limits, Module, NoServices,
    Output, Sandbox, SandboxError, ServiceError, Services,
};

pub fn guest(name: &str) -> Vec<u8> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = match name {
        "probe" => root.join("tests/guests/probe.wasm"),
        name => root.join("../../guests/components").join(format!("{name}.wasm")),
    };
    std::fs::read(path).unwrap()
}

/// `tests/guests/action.wat` with its marked places filled in.
pub fn wat(marks: &[(&str, &str)]) -> Vec<u8> {
    let mut text = include_str!("../guests/action.wat").to_owned();
    for (mark, filling) in marks {
        assert!(text.contains(mark), "{mark}");
        text = text.replace(mark, filling);
    }
    wat::parse_str(text).unwrap()
}

/// A component whose `run` begins with `body`.
pub fn run_body(body: &str) -> Vec<u8> {
    wat(&[(";;@run", body)])
}

pub fn sandbox() -> Sandbox {
    Sandbox::new(Config { slots: 8, ..Config::default() }).unwrap()
}

pub fn load(sandbox: &Sandbox, bytes: &[u8]) -> Result<Arc<Module>, SandboxError> {
    sandbox.load(bytes, Digest::of(bytes))
}

pub fn grants(texts: &[&str]) -> Grants {
    Grants::parse(texts).unwrap()
}

/// Every capability the probe imports.
pub const ALL: [&str; 5] = ["log", "clock", "random", "kv:tests", "http:api.example"];

pub async fn call(module: &Module, input: &str) -> Result<Output, SandboxError> {
    module.call(input, &Grants::none(), Arc::new(NoServices), &Limits::default()).await
}

/// The probe with every capability and `services`.
pub async fn probe(words: &str, services: &Arc<Fake>, limits: &Limits) -> Result<Output, SandboxError> {
    probe_with(&grants(&ALL), words, services, limits).await
}

pub async fn probe_with(
    grants: &Grants,
    words: &str,
    services: &Arc<Fake>,
    limits: &Limits,
) -> Result<Output, SandboxError> {
    let module = load(&sandbox(), &guest("probe")).unwrap();
    let services: Arc<dyn Services> = Arc::<Fake>::clone(services);
    module.call(&format!("\"{words}\""), grants, services, limits).await
}

/// How the fake answers HTTP.
#[derive(Default, Clone)]
pub enum Http {
    #[default]
    Ok,
    Status(u16, Vec<(String, String)>, String),
    Error(HttpError),
    Redirected,
    Never,
}

#[derive(Default)]
pub struct Fake {
    pub http: Http,
    pub requests: Mutex<Vec<HttpRequest>>,
    pub lines: Mutex<Vec<(Level, String)>>,
    pub kv: Mutex<BTreeMap<(String, String), Vec<u8>>>,
}

impl Services for Fake {
    fn http(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        let answer = |status, headers, body: &str| {
            Ok(HttpResponse { status, headers, body: body.as_bytes().to_vec(), url: request.url.clone() })
        };
        let result = match &self.http {
            Http::Ok => answer(200, Vec::new(), "{}"),
            Http::Status(status, headers, body) => answer(*status, headers.clone(), body),
            Http::Error(error) => Err(error.clone()),
            Http::Redirected => answer(200, Vec::new(), "").map(|response| HttpResponse {
                url: "https://elsewhere.example/".parse().unwrap(),
                ..response
            }),
            Http::Never => {
                self.requests.lock().unwrap().push(request);
                return Box::pin(std::future::pending());
            }
        };
        self.requests.lock().unwrap().push(request);
        Box::pin(async move { result })
    }

    fn kv_get<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, ServiceError>> {
        let value = self.kv.lock().unwrap().get(&(namespace.to_owned(), key.to_owned())).cloned();
        Box::pin(async { Ok(value) })
    }

    fn kv_set<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        value: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), ServiceError>> {
        self.kv.lock().unwrap().insert((namespace.to_owned(), key.to_owned()), value);
        Box::pin(async { Ok(()) })
    }

    fn kv_delete<'a>(&'a self, namespace: &'a str, key: &'a str) -> BoxFuture<'a, Result<(), ServiceError>> {
        self.kv.lock().unwrap().remove(&(namespace.to_owned(), key.to_owned()));
        Box::pin(async { Ok(()) })
    }

    fn kv_keys<'a>(
        &'a self,
        namespace: &'a str,
        prefix: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, ServiceError>> {
        let kv = self.kv.lock().unwrap();
        let keys = kv.keys().filter(|(space, key)| space == namespace && key.starts_with(prefix));
        let keys = keys.map(|(_, key)| key.clone()).take(limit).collect();
        Box::pin(async { Ok(keys) })
    }

    fn log(&self, level: Level, line: &str) {
        self.lines.lock().unwrap().push((level, line.to_owned()));
    }

    fn now(&self) -> Result<u64, ServiceError> {
        Ok(1_700_000_000_000)
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), ServiceError> {
        bytes.fill(7);
        Ok(())
    }
}
