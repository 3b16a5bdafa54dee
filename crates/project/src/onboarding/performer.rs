//! Carries out the steps of an onboarding.

use std::sync::Arc;

use engine::ports::{BoxFuture, Context, Failure, FailureClass, Performer};
use model::{Action, Coded, Environment, Json, Problem};
use remote::onboard::{Admin, OnboardError, SudoRule, account, prove, sshd, sudoers};
use remote::{RemoteError, Runner, Sudo};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::before::Prior;
use super::{ACTIONS, Before, Order, record};
use crate::{Project, ProjectError, StateDir};

/// How the host is reached.
pub struct Way {
    /// As who logs in first, with credentials.
    pub login: remote::Host,
    /// How who logs in first becomes root.
    pub sudo: Sudo,
    /// As the service user, with its key.
    pub account: remote::Host,
    /// The program that is brought there.
    pub runner: Runner,
}

/// Performs one order. Other orders are refused.
pub struct Steps {
    order: Order,
    rules: Vec<SudoRule>,
    way: Way,
    project: Project,
    environment: Environment,
    state: StateDir,
    variables: Vec<(String, String)>,
    admin: Mutex<Option<Arc<Admin>>>,
}

/// Why a step was not carried out.
#[derive(Debug, thiserror::Error)]
enum Why {
    #[error(transparent)]
    Host(#[from] OnboardError),
    #[error(transparent)]
    Project(#[from] ProjectError),
}

impl From<RemoteError> for Why {
    fn from(error: RemoteError) -> Self {
        Self::Host(error.into())
    }
}

impl Why {
    fn failure(self) -> Failure {
        let code = match &self {
            Self::Host(error) => error.code(),
            Self::Project(error) => error.code(),
        };
        let lost = matches!(
            &self,
            Self::Host(OnboardError::Remote(RemoteError::Cut { .. } | RemoteError::Timeout { .. }))
        );
        let mut detail = self.to_string();
        if let Self::Project(ProjectError::Bad { findings }) = &self {
            detail = findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        }
        let mut problem = Problem::runtime(detail);
        problem.code = Some(code.id.to_owned());
        Failure { problem, class: FailureClass::Permanent, maybe_happened: lost }
    }
}

impl Steps {
    /// Ready to perform. `admin` is the connection that was made to see whether the login works.
    ///
    /// # Errors
    /// The order cannot be, or the record would contradict the configuration.
    pub fn new(
        order: Order,
        way: Way,
        admin: Option<Admin>,
        (project, environment, state): (&Project, &Environment, &StateDir),
        variables: Vec<(String, String)>,
    ) -> Result<Self, ProjectError> {
        if !order.undo {
            record::check(project, environment, &variables, &order)?;
        }
        // an order that is undone was checked when it was given
        let rules = order.sudo.iter().filter_map(|text| SudoRule::parse(text).ok()).collect();
        Ok(Self {
            order,
            rules,
            way,
            project: project.clone(),
            environment: environment.clone(),
            state: state.clone(),
            variables,
            admin: Mutex::new(admin.map(Arc::new)),
        })
    }

    /// Ends the connection, so that what was brought to the host removes itself.
    pub async fn close(&self) {
        let admin = self.admin.lock().await.take();
        if let Some(admin) = admin.and_then(Arc::into_inner) {
            admin.close().await;
        }
    }

    async fn admin(&self) -> Result<Arc<Admin>, OnboardError> {
        let mut kept = self.admin.lock().await;
        if let Some(admin) = kept.as_ref().filter(|admin| !admin.is_closed()) {
            return Ok(Arc::clone(admin));
        }
        let admin = Arc::new(Admin::open(&self.way.login, &self.way.runner, &self.way.sudo).await?);
        *kept = Some(Arc::clone(&admin));
        Ok(admin)
    }

    fn before(&self) -> Result<Before, ProjectError> {
        if let Some(before) = Before::load(&self.state, &self.order.host)? {
            return Ok(before);
        }
        // under another name: what there was before is what there was before that
        let same = |one: &Before| {
            one.port == self.order.port && one.address.eq_ignore_ascii_case(&self.order.address)
        };
        let Some(other) = Before::all(&self.state)?.into_iter().find(same) else {
            return Ok(Before::new(&self.order));
        };
        let old = other.host.clone();
        // what it was called before has another record, which goes
        let before = Before { host: self.order.host.clone(), record: None, ..other };
        before.save(&self.state)?;
        Before::forget(&self.state, &old)?;
        Ok(before)
    }

    async fn step(&self, step: &str) -> Result<Value, Why> {
        match step {
            "user" => self.user().await,
            "key" => self.key().await,
            "sudo" => self.sudo().await,
            "prove" => self.prove().await,
            "lock-down" => self.lock_down().await,
            "record" => self.record(),
            "undo-lock-down" => self.undo_lock_down().await,
            "undo-sudo" => self.undo_sudo().await,
            "undo-key" => self.undo_key().await,
            "undo-user" => self.undo_user().await,
            "undo-record" => self.undo_record(),
            other => Err(ProjectError::NoWorkflow {
                name: other.to_owned(),
                known: self.order.steps().into_iter().map(str::to_owned).collect(),
                broken: Vec::new(),
            }
            .into()),
        }
    }

    async fn user(&self) -> Result<Value, Why> {
        let admin = self.admin().await?;
        let name = &self.order.account;
        let there = account::find(&admin, name).await?.is_some();
        let mut before = self.before()?;
        before.accounts.entry(name.clone()).or_insert(there);
        before.save(&self.state)?;
        let account = account::create(&admin, name).await?;
        Ok(json!({ "changed": !there, "account": name, "uid": account.uid, "home": account.home }))
    }

    async fn the_account(&self, admin: &Admin, name: &str) -> Result<account::Account, Why> {
        let missing = || OnboardError::Refused {
            host: self.way.login.endpoint(),
            why: format!("there is no user {name}"),
        };
        Ok(account::find(admin, name).await?.ok_or_else(missing)?)
    }

    async fn key(&self) -> Result<Value, Why> {
        let admin = self.admin().await?;
        let (name, key) = (&self.order.account, &self.order.public_key);
        let account = self.the_account(&admin, name).await?;
        let there = account::has_key(&admin, &account, key).await?;
        let mut before = self.before()?;
        before.keys.entry(name.clone()).or_default().entry(key.clone()).or_insert(there);
        before.save(&self.state)?;
        let changed = account::add_key(&admin, &account, key).await?;
        Ok(json!({ "changed": changed, "account": name, "publicKey": key }))
    }

    async fn sudo(&self) -> Result<Value, Why> {
        let admin = self.admin().await?;
        let name = &self.order.account;
        let there = sudoers::current(&admin, name).await?;
        let mut before = self.before()?;
        before.sudo.entry(name.clone()).or_insert(there);
        before.save(&self.state)?;
        let changed = sudoers::install(&admin, name, &self.rules).await?;
        let lines: Vec<String> = self.rules.iter().map(|rule| rule.line(name)).collect();
        Ok(json!({ "changed": changed, "file": sudoers::path(name), "rules": lines }))
    }

    /// A login with the key on a second connection, while the first is open.
    async fn prove(&self) -> Result<Value, Why> {
        let admin = self.admin().await?;
        let account = self.the_account(&admin, &self.order.account).await?;
        let uid = prove(&self.way.account, &self.way.runner).await?;
        if uid != account.uid {
            let host = self.way.account.endpoint();
            let why =
                format!("who logs in with the key is number {uid}, and {} is {}", account.name, account.uid);
            return Err(OnboardError::Refused { host, why }.into());
        }
        Ok(json!({ "changed": false, "account": account.name, "uid": uid }))
    }

    async fn lock_down(&self) -> Result<Value, Why> {
        let admin = self.admin().await?;
        self.prove().await?;
        let there = sshd::current(&admin).await?;
        let mut before = self.before()?;
        before.lock_down.get_or_insert(Prior { text: there });
        before.save(&self.state)?;
        let users = ["root", self.order.login.as_str(), self.order.account.as_str()];
        let proof = || -> BoxFuture<'_, Result<(), sshd::Unproved>> {
            Box::pin(async {
                prove(&self.way.account, &self.way.runner).await?;
                let offered = remote::login_methods(&self.way.account).await?;
                let password =
                    |method: &String| matches!(method.as_str(), "password" | "keyboard-interactive");
                match offered.iter().find(|method| password(method)) {
                    Some(method) => {
                        let why = format!("the running server still offers {method}");
                        Err(sshd::Unproved { why, answered: true })
                    }
                    None => Ok(()),
                }
            })
        };
        let changed = sshd::lock_down(&admin, &users, &proof).await?;
        Ok(json!({ "changed": changed, "passwords": false }))
    }

    fn record(&self) -> Result<Value, Why> {
        let mut before = self.before()?;
        before.record.get_or_insert(Prior { text: record::current(&self.project, &self.order.host)? });
        before.save(&self.state)?;
        let recorded = record::record(&self.project, &self.environment, &self.variables, &self.order)?;
        Ok(json!({ "changed": recorded.changed, "file": recorded.file }))
    }

    async fn undo_lock_down(&self) -> Result<Value, Why> {
        let Some(prior) = self.before()?.lock_down else { return Ok(json!({ "changed": false })) };
        let admin = self.admin().await?;
        let changed = sshd::unlock(&admin, prior.text.as_deref()).await?;
        Ok(json!({ "changed": changed }))
    }

    async fn undo_sudo(&self) -> Result<Value, Why> {
        let admin = self.admin().await?;
        let mut changed = false;
        for (name, text) in self.before()?.sudo {
            changed |= sudoers::restore(&admin, &name, text.as_deref()).await?;
        }
        Ok(json!({ "changed": changed }))
    }

    async fn undo_key(&self) -> Result<Value, Why> {
        let admin = self.admin().await?;
        let mut changed = false;
        for (name, keys) in self.before()?.keys {
            let Some(account) = account::find(&admin, &name).await? else { continue };
            for (key, _) in keys.iter().filter(|(_, there)| !**there) {
                changed |= account::remove_key(&admin, &account, key).await?;
            }
        }
        Ok(json!({ "changed": changed }))
    }

    async fn undo_user(&self) -> Result<Value, Why> {
        let admin = self.admin().await?;
        let mut homes = Vec::new();
        for (name, there) in self.before()?.accounts {
            let account = account::find(&admin, &name).await?;
            if let Some(account) = account.filter(|_| !there)
                && account::remove(&admin, &name).await?
            {
                homes.push(account.home);
            }
        }
        Ok(json!({ "changed": !homes.is_empty(), "homesKept": homes }))
    }

    fn undo_record(&self) -> Result<Value, Why> {
        let host = &self.order.host;
        let mut changed = false;
        if let Some(prior) = self.before()?.record {
            changed = record::restore(&self.project, host, prior.text.as_deref())?;
        }
        // one that was made here, and no other
        let key = self.order.key.as_ref().map(|key| self.project.root.join(key));
        if let Some(key) = key.filter(|key| key.parent() == Some(&self.state.ssh())) {
            let mut public = key.clone().into_os_string();
            public.push(".pub");
            for file in [key, public.into()] {
                changed |= file.exists();
                super::before::remove(&file)?;
            }
        }
        Before::forget(&self.state, host)?;
        Ok(json!({ "changed": changed }))
    }
}

impl Performer for Steps {
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(async move {
            let step = action.kind.strip_prefix(ACTIONS).unwrap_or_default();
            // one of another command, adopted from an engine that died
            if self.order.action(step, &context.run.to_string()) != *action {
                return Err(elsewhere(action));
            }
            self.step(step).await.map(Json::from).map_err(Why::failure)
        })
    }
}

/// Refuses every step: the connection, and who may log in, were the command's that is gone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Elsewhere;

impl Performer for Elsewhere {
    fn perform<'a>(&'a self, _: &'a Context, action: &'a Action) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(std::future::ready(Err(elsewhere(action))))
    }
}

fn elsewhere(action: &Action) -> Failure {
    let host = &action.target;
    let mut problem = Problem::runtime(format!(
        "the command that could log in to {host} has ended; every step looks before it changes anything, so type it again: \
         aedile onboard {host}"
    ));
    problem.code = Some(model::code::remote::ONBOARD.id.to_owned());
    Failure { problem, class: FailureClass::Permanent, maybe_happened: false }
}
