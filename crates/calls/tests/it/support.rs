//! A real server on a loopback port, and what calls need around them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::serve::ListenerExt as _;
use calls::{Access, CallError, Client, Config, HttpCalls, OpenApiCalls, Scope};
use engine::ports::{
    Cancellation, Canceller, Context, Failure, Performer as _, Secret, SecretError, Secrets,
};
use model::{Action, Capability, EffectClass, Principal, Reversibility, RunId, StepId};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use workflow::action_input::{HttpCall, OpenApiCall};

/// Serves `routes` until the test ends.
pub(crate) async fn serve(routes: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

/// A server that counts who comes.
pub(crate) struct Counted {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Counted {
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

/// Serves `routes` until the test ends, and counts connections.
pub(crate) async fn serve_counted(routes: Router) -> Counted {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let listener = listener.tap_io(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Counted { address, connections }
}

/// Performs an action as the engine does, with exactly these grants.
pub(crate) async fn perform(
    client: &Client,
    grants: &[&str],
    kind: &str,
    input: Value,
) -> Result<Value, Failure> {
    let (_canceller, cancellation) = Cancellation::new();
    let capabilities = grants.iter().map(|&grant| grant.to_owned()).collect();
    let context = Context {
        run: RunId::from_parts(1_700_000_000_000, 7),
        step: StepId::new("/do/0/step"),
        attempt: 1,
        principal: Principal::system(),
        actions: Arc::default(),
        granted: Arc::new(policy::Granted { capabilities, ..policy::Granted::default() }),
        secrets: Arc::new(Known(Vec::new())),
        cancellation,
    };
    let action = Action {
        kind: kind.to_owned(),
        target: "the test".to_owned(),
        input: input.into(),
        effect: EffectClass::Once,
        reversibility: Reversibility::Irreversible,
        // what an action declares is a wish, and must not count here
        wants: vec![Capability("http:*".to_owned()), Capability("http:localhost:*".to_owned())],
        idempotency_key: "key-7".to_owned(),
    };
    let done = match kind {
        "http.call" => HttpCalls(client.clone()).perform(&context, &action).await,
        _ => OpenApiCalls(client.clone()).perform(&context, &action).await,
    };
    done.map(|output| Value::clone(&output))
}

/// Answers every connection with these bytes after the request's head, then closes (or, if `hang`, does not).
pub(crate) async fn serve_bytes(answer: &'static [u8], hang: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0_u8; 4096];
                drop(stream.read(&mut head).await);
                drop(stream.write_all(answer).await);
                if hang {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    address
}

/// Secrets of the test.
pub(crate) struct Known(pub(crate) Vec<(&'static str, String)>);

impl Secrets for Known {
    fn reveal(&self, name: &str) -> Result<Secret, SecretError> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, value)| Secret::new(value.clone()))
            .ok_or_else(|| SecretError { name: name.to_owned(), why: "the test has none".to_owned() })
    }
}

/// One test's calls.
pub(crate) struct Caller {
    pub(crate) client: Client,
    pub(crate) secrets: Known,
    pub(crate) granted: Vec<String>,
    pub(crate) canceller: Canceller,
    cancellation: Cancellation,
}

impl Caller {
    pub(crate) fn new(config: Config) -> Self {
        let (canceller, cancellation) = Cancellation::new();
        Self {
            client: Client::new(config),
            secrets: Known(Vec::new()),
            granted: Vec::new(),
            canceller,
            cancellation,
        }
    }

    /// May go to every host.
    pub(crate) fn free() -> Self {
        Self::new(Config { access: Access::any(), ..Config::default() })
    }

    pub(crate) fn secret(mut self, name: &'static str, value: &str) -> Self {
        self.secrets.0.push((name, value.to_owned()));
        self
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            reach: calls::Reach::Hosts(self.granted.clone()),
            idempotency_key: Some("key-1".to_owned()),
            secrets: &self.secrets,
            cancellation: self.cancellation.clone(),
        }
    }

    pub(crate) async fn http(&self, call: Value) -> Result<Value, CallError> {
        let call: HttpCall = serde_json::from_value(call).unwrap();
        self.client.http(&call, &self.scope()).await
    }

    pub(crate) async fn openapi(&self, call: Value) -> Result<Value, CallError> {
        let call: OpenApiCall = serde_json::from_value(call).unwrap();
        self.client.openapi(&call, &self.scope()).await
    }

    pub(crate) async fn get(&self, uri: &str) -> Result<Value, CallError> {
        self.http(serde_json::json!({"method": "GET", "uri": uri})).await
    }
}
