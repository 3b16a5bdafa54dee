//! What can be asked for.

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Client, ClientError, Events, Export};
use crate::{
    Approval, ApprovalDetail, ApprovalQuery, Checkpoint, Checkpointed, Consistency, ConsistencyQuery,
    Decided, Decision, Keys, Me, Page, Policy, Projects, Proof, Reason, Record, RecordQuery, Records, Replay,
    ResolveRun, RetryRun, Rotated, Run, RunDetail, RunQuery, Schedules, SignalRun, Status, Steered,
    SubmitRun, SubmittedRun, ValidateWorkflow, Validation, Workflows,
};

impl Client {
    /// Who the token is for.
    pub async fn me(&self) -> Result<Me, ClientError> {
        self.ask(&self.request(Method::GET, &["me"])).await
    }

    /// The projects and environments that may be seen.
    pub async fn projects(&self) -> Result<Projects, ClientError> {
        self.ask(&self.request(Method::GET, &["projects"])).await
    }

    /// One environment. Whether there is one shows when something is asked of it.
    pub fn environment(&self, project: &str, environment: &str) -> At {
        At { client: self.clone(), project: project.to_owned(), environment: environment.to_owned() }
    }
}

/// One environment of a server.
#[derive(Debug, Clone)]
pub struct At {
    client: Client,
    project: String,
    environment: String,
}

impl At {
    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The project's name.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The environment's name.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    fn request(&self, method: Method, path: &[&str]) -> super::Request {
        let place = ["projects", &self.project, "environments", &self.environment];
        let whole: Vec<&str> = place.iter().chain(path).copied().collect();
        self.client.request(method, &whole)
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, ClientError> {
        self.client.ask(&self.request(Method::GET, path)).await
    }

    async fn find<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.client.ask(&self.request(Method::GET, path).with_query(query)?).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.client.ask(&self.request(Method::POST, path).with_json(body)?).await
    }

    /// The environment at a glance.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.get(&[]).await
    }

    /// Workflows of the project.
    pub async fn workflows(&self) -> Result<Workflows, ClientError> {
        self.get(&["workflows"]).await
    }

    /// Checks a workflow; nothing is kept.
    pub async fn validate(&self, wanted: &ValidateWorkflow) -> Result<Validation, ClientError> {
        // it changes nothing
        let mut request = self.request(Method::POST, &["workflows", "validate"]).with_json(wanted)?;
        request.repeatable = true;
        self.client.ask(&request).await
    }

    /// Workflows that start by themselves.
    pub async fn schedules(&self) -> Result<Schedules, ClientError> {
        self.get(&["schedules"]).await
    }

    /// Submits a run. The same key answers the same run, so it may be sent again.
    pub async fn submit(&self, wanted: &SubmitRun, key: &str) -> Result<SubmittedRun, ClientError> {
        let request = self.request(Method::POST, &["runs"]).with_json(wanted)?.with_key(key)?;
        self.client.ask(&request).await
    }

    /// Runs, newest first.
    pub async fn runs(&self, query: &RunQuery) -> Result<Page<Run>, ClientError> {
        self.find(&["runs"], query).await
    }

    /// One run, by its whole id.
    pub async fn run(&self, run: &str) -> Result<RunDetail, ClientError> {
        self.get(&["runs", run]).await
    }

    /// Records of a run from its beginning, then as they happen; ends with the run.
    pub fn run_events(&self, run: &str) -> Events {
        Events::of(self.client.clone(), self.request(Method::GET, &["runs", run, "stream"]))
    }

    /// Stops a run.
    pub async fn cancel(&self, run: &str, reason: &Reason) -> Result<Steered, ClientError> {
        self.post(&["runs", run, "cancel"], reason).await
    }

    /// Schedules nothing new of a run.
    pub async fn pause(&self, run: &str, reason: &Reason) -> Result<Steered, ClientError> {
        self.post(&["runs", run, "pause"], reason).await
    }

    /// Lets a run that was paused go on.
    pub async fn resume(&self, run: &str) -> Result<Steered, ClientError> {
        self.post(&["runs", run, "resume"], &Reason::default()).await
    }

    /// Lets a run that failed go on.
    pub async fn retry(&self, run: &str, retry: &RetryRun) -> Result<Steered, ClientError> {
        self.post(&["runs", run, "retry"], retry).await
    }

    /// Sends data to a run.
    pub async fn signal(&self, run: &str, signal: &SignalRun) -> Result<Steered, ClientError> {
        self.post(&["runs", run, "signal"], signal).await
    }

    /// Says whether the effect of a step in doubt happened.
    pub async fn resolve(&self, run: &str, resolve: &ResolveRun) -> Result<Steered, ClientError> {
        self.post(&["runs", run, "resolve"], resolve).await
    }

    /// Approvals, newest first.
    pub async fn approvals(&self, query: &ApprovalQuery) -> Result<Page<Approval>, ClientError> {
        self.find(&["approvals"], query).await
    }

    /// One approval, by its whole id.
    pub async fn approval(&self, approval: &str) -> Result<ApprovalDetail, ClientError> {
        self.get(&["approvals", approval]).await
    }

    /// Decides an approval: `grant`, `deny`, `override` or `withdraw`.
    pub async fn decide(
        &self,
        approval: &str,
        choice: &str,
        decision: &Decision,
    ) -> Result<Decided, ClientError> {
        // the same decision again changes nothing, and says so: see `Decided::status`
        let mut request = self.request(Method::POST, &["approvals", approval, choice]).with_json(decision)?;
        request.repeatable = true;
        self.client.ask(&request).await
    }

    /// The policy in force.
    pub async fn policy(&self) -> Result<Policy, ClientError> {
        self.get(&["policy"]).await
    }

    /// Records, oldest first.
    pub async fn records(&self, query: &RecordQuery) -> Result<Records, ClientError> {
        self.find(&["journal", "records"], query).await
    }

    /// Records after a position, then as they happen.
    pub fn events(&self, after: u64) -> Result<Events, ClientError> {
        let request = self.request(Method::GET, &["journal", "stream"]);
        let request = request.with_query(&serde_json::json!({ "after": after }))?;
        Ok(Events::of(self.client.clone(), request))
    }

    /// One record.
    pub async fn record(&self, position: u64) -> Result<Record, ClientError> {
        self.get(&["journal", "records", &position.to_string()]).await
    }

    /// That a record is in the journal.
    pub async fn proof(&self, position: u64) -> Result<Proof, ClientError> {
        self.get(&["journal", "records", &position.to_string(), "proof"]).await
    }

    /// Checkpoints, newest first.
    pub async fn checkpoints(&self) -> Result<Vec<Checkpoint>, ClientError> {
        self.get(&["journal", "checkpoints"]).await
    }

    /// Signs the journal's head. Signing twice is no harm: there is nothing new the second time.
    pub async fn checkpoint(&self) -> Result<Checkpointed, ClientError> {
        self.client.ask(&self.request(Method::POST, &["journal", "checkpoints"])).await
    }

    /// The keys that sign checkpoints, or did.
    pub async fn keys(&self) -> Result<Keys, ClientError> {
        self.get(&["journal", "keys"]).await
    }

    /// Has a new key sign from now on. Asked once: twice would make two.
    pub async fn rotate_keys(&self) -> Result<Rotated, ClientError> {
        self.client.ask(&self.request(Method::POST, &["journal", "keys"])).await
    }

    /// Folds the journal again and compares with the views.
    pub async fn replay(&self) -> Result<Replay, ClientError> {
        self.get(&["journal", "replay"]).await
    }

    /// That the newest checkpoint continues an older one.
    pub async fn consistency(&self, old: u64) -> Result<Consistency, ClientError> {
        self.find(&["journal", "consistency"], &ConsistencyQuery { old }).await
    }

    /// Every record, exactly.
    pub async fn export(&self) -> Result<Export, ClientError> {
        let request = self.request(Method::GET, &["journal", "export"]);
        Ok(Export::of(self.client.clone(), self.client.open(&request).await?))
    }
}
