//! A server on a free port of this machine, with projects of its own and people to ask it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use server::identity::{Scope, TokenWish};
use server::{App, Options, Server};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A workflow that asks for an approval, and one that does not.
pub(crate) const GATED: &str = "
document: {dsl: '1.0.0', namespace: test, name: gated, version: '1.0.0'}
do:
  - before: {set: {seen: true}}
  - ask: {call: approval, with: {title: Go on, chain: lead}}
  - after: {set: {done: true}}
";
const PLAIN: &str = "
document: {dsl: '1.0.0', namespace: test, name: plain, version: '1.0.0'}
input: {schema: {document: {type: object, properties: {n: {type: integer}}}}}
do:
  - only: {set: {answer: '${ .n // 42 }'}}
";
const WAITING: &str = "
document: {dsl: '1.0.0', namespace: test, name: waiting, version: '1.0.0'}
do:
  - long: {wait: {hours: 1}}
";
pub(crate) const POLICY: &str = "
chains:
  lead: {levels: [{roles: [team-lead], within: 2h}]}
  two:
    levels:
      - {roles: [team-lead], within: 2h, onTimeout: escalate}
      - {roles: [release-manager], within: 2h, emergencyOverride: true}
";
/// `ann` reads, `olga` operates, `lea` approves as team lead, `omar` as release manager, `ada` administers; `nobody` has no
/// role.
pub(crate) const ACCESS: &str = "
roles:
  viewer: [user:ann]
  operator: [user:olga]
  approver: [user:lea, user:omar]
  admin: [user:ada]
  team-lead: [user:lea, user:olga]
  release-manager: [user:omar]
";

/// A project's directory.
pub(crate) fn project(root: &Path, name: &str, access: &str) -> project::Project {
    let directory = root.join(name);
    fs_err::create_dir_all(directory.join("workflows")).unwrap();
    fs_err::create_dir_all(directory.join("policy")).unwrap();
    let manifest =
        format!("name: {name}\ndefaultEnvironment: dev\nenvironments: {{dev: {{}}, prod: {{}}}}\n");
    let files = [
        ("aedile.yaml", manifest.as_str()),
        ("access.yaml", access),
        ("policy/policy.yaml", POLICY),
        ("workflows/gated.yaml", GATED),
        ("workflows/plain.yaml", PLAIN),
        ("workflows/waiting.yaml", WAITING),
    ];
    for (file, text) in files {
        fs_err::write(directory.join(file), text).unwrap();
    }
    project::Project::open(&directory).unwrap()
}

pub(crate) fn machine() -> project::Machine {
    project::Machine {
        clock: Arc::new(project::machine::SystemClock),
        entropy: Arc::new(project::machine::SystemEntropy),
        lines: Arc::new(|_| {}),
        login: project::infrastructure::Login {
            user: "tester".to_owned(),
            home: None,
            agent: None,
            project: PathBuf::new(),
        },
        identities: project::infrastructure::Identities::new(None, None, None),
    }
}

/// A server that runs until it is dropped.
pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) app: Arc<App>,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

impl World {
    /// One project, `shop`.
    pub(crate) async fn new() -> Self {
        Self::with(&[("shop", ACCESS)]).await
    }

    /// Projects with their access rules.
    pub(crate) async fn with(projects: &[(&str, &str)]) -> Self {
        Self::set_up(projects, |_| ()).await
    }

    /// The same with options of the test's own.
    pub(crate) async fn set_up(projects: &[(&str, &str)], change: impl FnOnce(&mut Options)) -> Self {
        Self::below(tempfile::tempdir().unwrap(), projects, change).await
    }

    /// The same in a directory that is there.
    pub(crate) async fn below(
        directory: tempfile::TempDir,
        projects: &[(&str, &str)],
        change: impl FnOnce(&mut Options),
    ) -> Self {
        let projects =
            projects.iter().map(|(name, access)| project(directory.path(), name, access)).collect();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let mut options = Options::new(projects, machine());
        options.settings.requests_per_second = 100_000;
        options.log = Arc::new(move |line| lines.lock().unwrap().push(line.to_owned()));
        options.machine.lines = Arc::clone(&options.log);
        change(&mut options);
        let server = Server::open(options, "127.0.0.1:0".parse().unwrap()).unwrap();
        let listening = server.listen().await.unwrap();
        let (url, app) = (listening.url().to_owned(), Arc::clone(listening.app()));
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            listening.serve(stopped).await.unwrap();
        });
        // who comes second finds it done
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { url, app, directory, log, client, stop: Some(stop), serving: Some(serving) }
    }

    /// Replaces a file of `shop`, as editors do.
    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.directory.path().join("shop").join(file);
        let new = path.with_extension("new");
        fs_err::write(&new, text).unwrap();
        fs_err::rename(new, path).unwrap();
    }

    /// Waits until a line of the log has these words.
    pub(crate) async fn logged(&self, words: &str) -> String {
        for _ in 0..2_000 {
            if let Some(line) = self.log.lock().unwrap().iter().find(|line| line.contains(words)) {
                return line.clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("`{words}` is in no line of {:?}", self.log.lock().unwrap());
    }

    /// Stops it as Ctrl-C would.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        self.serving.take().unwrap().await.unwrap();
    }

    /// Path of an environment of `shop`.
    pub(crate) fn dev(path: &str) -> String {
        format!("/api/v1/projects/shop/environments/dev{path}")
    }

    /// A token of somebody, limited to nothing.
    pub(crate) async fn token(&self, user: &str) -> String {
        self.token_for(user, Scope::default()).await
    }

    /// A limited token of somebody.
    pub(crate) async fn token_for(&self, user: &str, scope: Scope) -> String {
        let account = model::Principal::user(user).unwrap();
        let wish = TokenWish { name: "test".to_owned(), scope, ..TokenWish::default() };
        // the first account that is admitted is the server's administrator: that is nobody whom a test asks
        let identity = &self.app.identity;
        identity.admit_local(&model::Principal::user("root").unwrap(), None).await.unwrap();
        identity.admit_local(&account, None).await.unwrap();
        let token = identity.issue_token_as(&account, &account, None, wish).await.unwrap();
        token.secret.expose().to_owned()
    }

    /// Somebody with a token.
    pub(crate) async fn user(&self, user: &str) -> User<'_> {
        User { world: self, token: Some(self.token(user).await) }
    }

    /// Somebody of whom nothing is known.
    pub(crate) fn stranger(&self) -> User<'_> {
        User { world: self, token: None }
    }
}

/// Somebody who asks.
pub(crate) struct User<'w> {
    pub(crate) world: &'w World,
    pub(crate) token: Option<String>,
}

/// An answer, read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl User<'_> {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.world.client.request(method, format!("{}{path}", self.world.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        read(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        read(self.request(Method::POST, path).json(body).send().await.unwrap()).await
    }

    /// Submits a run in `dev` and answers its id.
    pub(crate) async fn run(&self, workflow: &str) -> String {
        let answer = self.post(&World::dev("/runs"), &json!({ "workflow": workflow })).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.body["run"].as_str().unwrap().to_owned()
    }

    /// Waits until a run has a status.
    pub(crate) async fn until(&self, run: &str, status: &str) -> Value {
        for _ in 0..2_000 {
            let answer = self.get(&World::dev(&format!("/runs/{run}"))).await;
            if answer.body["status"] == status {
                return answer.body;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{run} never was {status}: {:?}", self.get(&World::dev(&format!("/runs/{run}"))).await);
    }

    /// The approval that a run waits for.
    pub(crate) async fn approval(&self, run: &str) -> String {
        let waiting = self.until(run, "waiting").await;
        assert_eq!(waiting["waitingOn"]["kind"], "approval");
        waiting["waitingOn"]["what"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn read(response: Response) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, headers, body }
}
