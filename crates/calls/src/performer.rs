//! The actions `http.call` and `openapi.call`.

use std::sync::Arc;
use std::time::Duration;

use engine::ports::{BoxFuture, Context, Failure, Performer};
use model::program::SECRET_OPEN;
use model::{Action, EffectClass, Json};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;
use workflow::action_input::{HttpCall, OpenApiCall, Resource};

use crate::access::Reach;
use crate::client::{Client, Progress, Request, Scope};
use crate::{CallError, limits};

/// Performs `http.call`. Secrets in the input must be in place already; a reference is refused rather than sent.
#[derive(Debug, Clone)]
pub struct HttpCalls(pub Client);

/// Performs `openapi.call`. Secrets in the input must be in place already; a reference is refused rather than sent.
#[derive(Debug, Clone)]
pub struct OpenApiCalls(pub Client);

impl Performer for HttpCalls {
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(async move {
            let call: HttpCall = input(action)?;
            Ok(self.0.http(&call, &scope(context, action)).await?.into())
        })
    }
}

impl Performer for OpenApiCalls {
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(async move {
            let call: OpenApiCall = input(action)?;
            Ok(self.0.openapi(&call, &scope(context, action)).await?.into())
        })
    }
}

fn scope<'a>(context: &'a Context, action: &Action) -> Scope<'a> {
    Scope {
        reach: Reach::Granted(Arc::clone(&context.granted)),
        idempotency_key: (action.effect != EffectClass::Read).then(|| action.idempotency_key.clone()),
        secrets: context.secrets.as_ref(),
        cancellation: context.cancellation.clone(),
    }
}

fn input<T: DeserializeOwned>(action: &Action) -> Result<T, CallError> {
    if holds_reference(&action.input) {
        return Err(CallError::BadCall("the input still holds a reference to a secret".to_owned()));
    }
    // the parser's message may quote a value
    action.input.read().map_err(|_| {
        CallError::BadCall(format!("the input is not that of an action of the kind {}", action.kind))
    })
}

fn holds_reference(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(SECRET_OPEN),
        Value::Array(items) => items.iter().any(holds_reference),
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains(SECRET_OPEN) || holds_reference(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl Client {
    /// Makes an HTTP call and returns its output in the form the call asks for.
    pub async fn http(&self, call: &HttpCall, scope: &Scope<'_>) -> Result<Value, CallError> {
        let mut progress = self.progress(call.timeout_ms)?;
        self.http_within(call, scope, &mut progress).await
    }

    /// Finds an operation in its OpenAPI document and calls it.
    pub async fn openapi(&self, call: &OpenApiCall, scope: &Scope<'_>) -> Result<Value, CallError> {
        let mut progress = self.progress(call.timeout_ms)?;
        let http = self.operation(call, scope, &mut progress).await?;
        self.http_within(&http, scope, &mut progress).await
    }

    /// Fetches a resource (a script, a document), following redirects to granted hosts.
    pub async fn fetch(&self, resource: &Resource, scope: &Scope<'_>) -> Result<Vec<u8>, CallError> {
        let mut progress = self.progress(None)?;
        self.fetch_within(resource, scope, &mut progress).await
    }

    pub(crate) async fn fetch_within(
        &self,
        resource: &Resource,
        scope: &Scope<'_>,
        progress: &mut Progress,
    ) -> Result<Vec<u8>, CallError> {
        let call = HttpCall {
            method: Method::GET.to_string(),
            uri: resource.uri.clone(),
            headers: serde_json::Map::new(),
            query: serde_json::Map::new(),
            body: None,
            output: workflow::action_input::HttpOutput::Raw,
            redirect: true,
            authentication: resource.authentication.clone(),
            timeout_ms: None,
        };
        let request: Request = self.request(&call, scope)?;
        let response = self.send(request, scope, progress).await?;
        if (200..300).contains(&response.status) {
            return Ok(response.body);
        }
        response.into_output(call.output, false).map(|_| Vec::new())
    }

    async fn http_within(
        &self,
        call: &HttpCall,
        scope: &Scope<'_>,
        progress: &mut Progress,
    ) -> Result<Value, CallError> {
        let request = self.request(call, scope)?;
        let response = self.send(request, scope, progress).await?;
        response.into_output(call.output, call.redirect)
    }

    fn progress(&self, timeout_ms: Option<u64>) -> Result<Progress, CallError> {
        let timeout = timeout_ms.map_or_else(|| self.config().call_timeout, Duration::from_millis);
        if timeout.is_zero() || timeout > limits::CALL_TIMEOUT_MAX {
            return Err(CallError::BadCall(format!(
                "a call's timeout must be above 0 and at most {} seconds",
                limits::CALL_TIMEOUT_MAX.as_secs()
            )));
        }
        Ok(Progress::new(timeout))
    }
}
