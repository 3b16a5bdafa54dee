//! Calls described by OpenAPI documents: 2.0 (Swagger), 3.0 and 3.1.

mod document;
mod operation;
mod style;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Method;
use serde_json::json;
use tokio::time::Instant;
use workflow::action_input::{HttpCall, OpenApiCall, Resource};

use crate::client::{Client, Progress, Scope};
use crate::{CallError, limits};
use document::Document;

/// Parsed documents in memory, by where they came from and with what credentials.
#[derive(Default)]
pub(crate) struct Documents(Mutex<HashMap<model::Digest, (Arc<Document>, Instant)>>);

impl Documents {
    fn get(&self, key: &model::Digest) -> Option<Arc<Document>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(key).filter(|(_, ends)| *ends > Instant::now()).map(|(document, _)| Arc::clone(document))
    }

    fn put(&self, key: model::Digest, document: &Arc<Document>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= limits::DOCUMENTS_MAX {
            let now = Instant::now();
            held.retain(|_, (_, ends)| *ends > now);
        }
        if held.len() >= limits::DOCUMENTS_MAX {
            held.clear();
        }
        held.insert(key, (Arc::clone(document), Instant::now() + limits::DOCUMENT_LIFETIME));
    }
}

impl Client {
    /// The HTTP call that an `openapi.call` stands for. Fetches the document unless it was fetched lately.
    pub(crate) async fn operation(
        &self,
        call: &OpenApiCall,
        scope: &Scope<'_>,
        progress: &mut Progress,
    ) -> Result<HttpCall, CallError> {
        let document = self.document(&call.document, scope, progress).await?;
        document.http_call(call)
    }

    async fn document(
        &self,
        resource: &Resource,
        scope: &Scope<'_>,
        progress: &mut Progress,
    ) -> Result<Arc<Document>, CallError> {
        let uri = crate::request::uri(&resource.uri)?;
        // a document in memory is no way round the grant
        self.config().access.admit(Method::GET.as_str(), &uri, &scope.reach)?;
        let key = model::Digest::of_json(&json!([
            uri.as_str(),
            serde_json::to_value(&resource.authentication).unwrap_or_default()
        ]));
        if let Some(document) = self.documents().get(&key) {
            return Ok(document);
        }
        let bytes = self.fetch_within(resource, scope, progress).await?;
        let document = Arc::new(Document::parse(uri, &bytes)?);
        self.documents().put(key, &document);
        Ok(document)
    }
}
