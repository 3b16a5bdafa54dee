//! Performs `wasm.*`: actions of the project's catalog in the sandbox, with what policy grants them and nothing else.

use std::sync::Arc;
use std::time::Duration;

use calls::{CallError, Client, RawRequest, Reach, Scope};
use engine::ports::{BoxFuture, Clock, Context, Entropy, Failure, FailureClass, Performer};
use model::{Action, Coded, Problem, code};
use sandbox::{
    Catalog, Grants, HttpError, HttpRequest, HttpResponse, Limits, Module, Sandbox, SandboxError,
    ServiceError, Services,
};
use serde::Deserialize;
use serde_json::Value;
use workflow::action_input::WasmCall;

/// The project's actions and what they run in.
pub(crate) struct WasmActions {
    pub(crate) sandbox: Sandbox,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl Performer for WasmActions {
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move { self.call(context, action).await.map_err(|error| failure(&error)) })
    }
}

impl WasmActions {
    async fn call(&self, context: &Context, action: &Action) -> Result<Value, SandboxError> {
        // the parser's message may quote a value
        let call = WasmCall::deserialize(&action.input).map_err(|_| SandboxError::BadInput {
            why: format!("it is not that of an action of the kind {}", action.kind),
        })?;
        let version = match &call.version {
            Some(version) => version.clone(),
            None => self.catalog.newest(&call.name).map(ToString::to_string).unwrap_or_default(),
        };
        let expected = context.actions.get(&format!("{}@{version}", call.name));
        if let (Some(expected), Some(actual)) = (expected, self.catalog.digest(&call.name, &version))
            && *expected != actual
        {
            return Err(SandboxError::DigestMismatch { expected: *expected, actual });
        }
        let module = self.module(&call.name, version).await?;
        let grants = Grants::parse(&context.granted.capabilities)?;
        let services = Arc::new(ActionServices {
            client: self.client.clone(),
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            context: context.clone(),
            idempotency_key: action.idempotency_key.clone(),
        });
        let input = call.input.to_string();
        let output = module.call(&input, &grants, services, &limits(context)).await?;
        Ok(output.value)
    }

    async fn module(&self, name: &str, version: String) -> Result<Arc<Module>, SandboxError> {
        if let Some(module) = self.catalog.loaded(name, &version) {
            return Ok(module);
        }
        let (sandbox, catalog, name) = (self.sandbox.clone(), Arc::clone(&self.catalog), name.to_owned());
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
    context: Context,
    idempotency_key: String,
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
    fn perform<'a>(&'a self, _: &'a Context, action: &'a Action) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let echo = workflow::action_input::Echo::deserialize(&action.input).map_err(|_| Failure {
                problem: Problem::validation("an echo needs a message")
                    .with_code(code::sandbox::ACTION_FAILED),
                class: FailureClass::Permanent,
                maybe_happened: false,
            })?;
            Ok(serde_json::json!({ "message": echo.message }))
        })
    }
}
