//! Performs `wasm.*`: actions of the project's catalog in the sandbox, with what policy grants them and nothing else.

use std::sync::Arc;
use std::time::Duration;

use calls::{CallError, Client, RawRequest, Reach, Scope};
use engine::ports::{BoxFuture, Clock, Context, Entropy, Failure, FailureClass, Performer};
use journal::JournalError;
use model::{Action, Coded, Json, Problem, code};
use sandbox::{
    Catalog, Grants, HttpError, HttpRequest, HttpResponse, Limits, Module, Sandbox, SandboxError,
    ServiceError, Services,
};
use serde_json::Value;
use store::KeyValues;
use tokio::sync::OnceCell;
use workflow::action_input::WasmCall;

use crate::rules::InForce;

/// The project's actions and what they run in.
pub(crate) struct WasmActions {
    pub(crate) sandbox: OnceCell<Sandbox>,
    pub(crate) config: sandbox::Config,
    pub(crate) rules: Arc<InForce>,
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) values: Arc<KeyValues>,
}

impl Performer for WasmActions {
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(
            async move { self.call(context, action).await.map(Json::from).map_err(|error| failure(&error)) },
        )
    }
}

impl WasmActions {
    async fn call(&self, context: &Context, action: &Action) -> Result<Value, SandboxError> {
        // the parser's message may quote a value
        let call = action.input.read::<WasmCall>().map_err(|_| SandboxError::BadInput {
            why: format!("it is not that of an action of the kind {}", action.kind),
        })?;
        let version = match &call.version {
            Some(version) => version.clone(),
            None => self.rules.now().catalog.newest(&call.name).map(ToString::to_string).unwrap_or_default(),
        };
        let expected = context.actions.get(&format!("{}@{version}", call.name));
        let catalog = self.rules.catalog_with(&call.name, &version, expected);
        if let (Some(expected), Some(actual)) = (expected, catalog.digest(&call.name, &version))
            && *expected != actual
        {
            return Err(SandboxError::DigestMismatch { expected: *expected, actual });
        }
        let module = self.module(catalog, &call.name, version).await?;
        let grants = Grants::parse(&context.granted.capabilities)?;
        let services = Arc::new(ActionServices {
            client: self.client.clone(),
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            values: Arc::clone(&self.values),
            context: context.clone(),
            idempotency_key: action.idempotency_key.clone(),
        });
        let input = call.input.to_string();
        let output = module.call(&input, &grants, services, &limits(context)).await?;
        Ok(output.value)
    }

    async fn module(
        &self,
        catalog: Arc<Catalog>,
        name: &str,
        version: String,
    ) -> Result<Arc<Module>, SandboxError> {
        if let Some(module) = catalog.loaded(name, &version) {
            return Ok(module);
        }
        let make = || async { Sandbox::new(self.config.clone()) };
        let (sandbox, name) = (self.sandbox.get_or_try_init(make).await?.clone(), name.to_owned());
        // the first use of an action compiles it, which blocks
        tokio::task::spawn_blocking(move || catalog.module(&sandbox, &name, &version))
            .await
            .map_err(|error| SandboxError::Setup { why: error.to_string() })?
    }
}

/// What policy says over the sandbox's defaults.
fn limits(context: &Context) -> Limits {
    let wanted = &context.granted.limits;
    let mut limits = Limits::default();
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    if let Some(bytes) = wanted.memory_bytes {
        limits.memory_bytes = size(bytes);
    }
    if let Some(time) = wanted.time {
        limits.time = time.unsigned_abs();
    }
    if let Some(bytes) = wanted.output_bytes {
        limits.output_bytes = size(bytes);
    }
    if let Some(requests) = wanted.http_requests {
        limits.http_requests = requests;
    }
    limits.fuel = wanted.fuel;
    limits
}

fn failure(error: &SandboxError) -> Failure {
    let class = match error.retry() {
        sandbox::Retry::Never => FailureClass::Permanent,
        sandbox::Retry::Later => FailureClass::Transient,
        sandbox::Retry::After(wait) => FailureClass::Throttled { retry_after: Some(wait) },
    };
    // an action that began may have sent a request before it failed
    let maybe_happened = matches!(
        error,
        SandboxError::Failed(_)
            | SandboxError::OutOfTime { .. }
            | SandboxError::OutOfMemory { .. }
            | SandboxError::OutOfBudget { .. }
            | SandboxError::Trapped { .. }
            | SandboxError::OutputTooLarge { .. }
            | SandboxError::BadOutput { .. }
            | SandboxError::HostNotGranted { .. }
            | SandboxError::Service { .. }
    );
    let problem = error.problem();
    let problem = if problem.code.is_some() { problem } else { problem.with_code(error.code()) };
    Failure { problem, class, maybe_happened }
}

/// What an action can ask of us during one call.
struct ActionServices {
    client: Client,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    values: Arc<KeyValues>,
    context: Context,
    idempotency_key: String,
}

impl ActionServices {
    /// Works on the values where blocking does no harm. What has begun is finished also when nobody waits any more.
    fn with_values<T: Send + 'static>(
        &self,
        work: impl FnOnce(&KeyValues) -> Result<T, JournalError> + Send + 'static,
    ) -> sandbox::BoxFuture<'_, Result<T, ServiceError>> {
        let values = Arc::clone(&self.values);
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || work(&values)).await;
            match done {
                Ok(done) => done.map_err(|error| ServiceError(error.to_string())),
                Err(error) => Err(ServiceError(error.to_string())),
            }
        })
    }
}

impl Services for ActionServices {
    fn http(&self, request: HttpRequest) -> sandbox::BoxFuture<'_, Result<HttpResponse, HttpError>> {
        Box::pin(async move {
            let host = request.url.host_str().unwrap_or_default();
            let granted = match request.url.port_or_known_default() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            };
            let scope = Scope {
                // the sandbox has checked the URL against the grants; this very URL is what is sent
                reach: Reach::Hosts(vec![granted]),
                idempotency_key: Some(self.idempotency_key.clone()),
                secrets: self.context.secrets.as_ref(),
                cancellation: self.context.cancellation.clone(),
            };
            let raw = RawRequest {
                method: request.method,
                url: request.url,
                headers: request.headers,
                body: request.body,
                timeout: request.timeout.max(Duration::from_millis(1)),
                bytes_max: request.max_body_bytes,
            };
            match self.client.raw(raw, &scope).await {
                Ok(response) => Ok(HttpResponse {
                    status: response.status,
                    headers: response.headers,
                    body: response.body,
                    url: response.url,
                }),
                Err(CallError::Timeout { .. }) => Err(HttpError::Timeout),
                Err(CallError::TooLarge { .. }) => Err(HttpError::TooLarge),
                Err(error) => Err(HttpError::Connection(error.to_string())),
            }
        })
    }

    fn kv_get<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
    ) -> sandbox::BoxFuture<'a, Result<Option<Vec<u8>>, ServiceError>> {
        let (namespace, key) = (namespace.to_owned(), key.to_owned());
        self.with_values(move |values| values.get(&namespace, &key))
    }

    fn kv_set<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        value: Vec<u8>,
    ) -> sandbox::BoxFuture<'a, Result<(), ServiceError>> {
        let (namespace, key) = (namespace.to_owned(), key.to_owned());
        self.with_values(move |values| values.set(&namespace, &key, &value))
    }

    fn kv_delete<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
    ) -> sandbox::BoxFuture<'a, Result<(), ServiceError>> {
        let (namespace, key) = (namespace.to_owned(), key.to_owned());
        self.with_values(move |values| values.delete(&namespace, &key))
    }

    fn kv_keys<'a>(
        &'a self,
        namespace: &'a str,
        prefix: &'a str,
        limit: usize,
    ) -> sandbox::BoxFuture<'a, Result<Vec<String>, ServiceError>> {
        let (namespace, prefix) = (namespace.to_owned(), prefix.to_owned());
        self.with_values(move |values| values.keys(&namespace, &prefix, limit))
    }

    fn now(&self) -> Result<u64, ServiceError> {
        u64::try_from(self.clock.now().as_millisecond())
            .map_err(|_| ServiceError("the clock is before 1970".to_owned()))
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), ServiceError> {
        for chunk in bytes.chunks_mut(16) {
            let drawn = self.entropy.draw().to_le_bytes();
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
        Ok(())
    }
}

/// Performs `echo`: says what it was asked to say, in its output.
pub(crate) struct Echoing;

impl Performer for Echoing {
    fn perform<'a>(&'a self, _: &'a Context, action: &'a Action) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(async move {
            let echo = action.input.read::<workflow::action_input::Echo>().map_err(|_| Failure {
                problem: Problem::validation("an echo needs a message")
                    .with_code(code::sandbox::ACTION_FAILED),
                class: FailureClass::Permanent,
                maybe_happened: false,
            })?;
            Ok(serde_json::json!({ "message": echo.message }).into())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use engine::ports::{Cancellation, Secret, SecretError, Secrets};
    use model::{Digest, EffectClass, Reversibility, RunId, StepId};
    use serde_json::json;

    use super::*;
    use crate::machine::{SystemClock, SystemEntropy};

    struct None;

    impl Secrets for None {
        fn reveal(&self, name: &str) -> Result<Secret, SecretError> {
            Err(SecretError { name: name.to_owned(), why: "the test has none".to_owned() })
        }
    }

    /// The sandbox's own test guest, which does what its input says, with its values in `directory`.
    fn probe(directory: &Path) -> WasmActions {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sandbox/tests/guests/probe.wasm");
        let mut catalog = Catalog::new();
        catalog.add("probe", "1.0.0", Digest::of(&fs_err::read(&path).unwrap()), path).unwrap();
        let place = crate::Place::outside(directory, Option::None).unwrap();
        let rules = crate::Rules { catalog: Arc::new(catalog), ..crate::Rules::read(&place).unwrap() };
        WasmActions {
            sandbox: OnceCell::new(),
            config: sandbox::Config::default(),
            rules: Arc::new(InForce::fixed(rules)),
            client: Client::new(calls::Config::default()),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            values: Arc::new(KeyValues::at(directory.join("values.db"))),
        }
    }

    async fn ask(actions: &WasmActions, kv: &str, words: &str) -> Result<Json, Failure> {
        let (_canceller, cancellation) = Cancellation::new();
        let others = ["log", "clock", "random", "http:api.example"];
        let capabilities = others.into_iter().chain((!kv.is_empty()).then_some(kv)).map(str::to_owned);
        let granted = policy::Granted { capabilities: capabilities.collect(), ..policy::Granted::default() };
        let context = Context {
            run: RunId::from_parts(1_700_000_000_000, 7),
            step: StepId::new("/do/0/probe"),
            attempt: 1,
            principal: model::Principal::system(),
            actions: Arc::default(),
            granted: Arc::new(granted),
            secrets: Arc::new(None),
            cancellation,
        };
        let action = Action {
            kind: "wasm.probe".to_owned(),
            target: "probe".to_owned(),
            input: json!({"name": "probe", "version": "1.0.0", "input": words}).into(),
            effect: EffectClass::Idempotent,
            reversibility: Reversibility::Irreversible,
            wants: Vec::new(),
            idempotency_key: "key-7".to_owned(),
        };
        actions.perform(&context, &action).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_an_action_keeps_is_there_for_the_next_process_and_for_nobody_else() {
        let directory = tempfile::tempdir().unwrap();
        let first = probe(directory.path());
        assert_eq!(ask(&first, "kv:a", "kv-get colour").await.unwrap(), Value::Null);
        assert!(!directory.path().join("values.db").exists());
        ask(&first, "kv:a", "kv-set colour green").await.unwrap();
        ask(&first, "kv:a", "kv-set count 1").await.unwrap();
        drop(first);
        let second = probe(directory.path());
        for (kv, words, expected) in [
            ("kv:a", "kv-get colour", json!("green")),
            ("kv:b", "kv-get colour", Value::Null),
            ("kv:b", "kv-delete colour", Value::Null),
            ("kv:a read", "kv-keys co", json!(["colour", "count"])),
            ("kv:a", "kv-delete count", Value::Null),
            ("kv:a read", "kv-keys co", json!(["colour"])),
        ] {
            assert_eq!(ask(&second, kv, words).await.unwrap(), expected, "{kv} {words}");
        }
        let failure = ask(&second, "kv:a read", "kv-set colour red").await.unwrap_err();
        assert!(failure.problem.to_string().contains("read-only"), "{:?}", failure.problem);
        assert_eq!(*ask(&second, "kv:a", "kv-get colour").await.unwrap(), "green");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn without_the_grant_the_action_does_not_start_and_keeps_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let failure = ask(&probe(directory.path()), "", "kv-set colour green").await.unwrap_err();
        assert_eq!(failure.problem.code, Some("E0503".to_owned()), "{:?}", failure.problem);
        assert!(!failure.maybe_happened);
        assert!(!directory.path().join("values.db").exists());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_store_that_does_not_answer_is_the_actions_to_handle() {
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("values.db"), "no database, and long enough to be looked at")
            .unwrap();
        let failure = ask(&probe(directory.path()), "kv:a", "kv-get colour").await.unwrap_err();
        assert!(failure.problem.to_string().contains("unavailable"), "{:?}", failure.problem);
    }
}
