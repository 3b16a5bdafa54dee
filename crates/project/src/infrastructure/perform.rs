//! Performs the changes of plans: the engine's side of a site.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use calls::ClientProbes;
use engine::ports::{BoxFuture, Checked, Context, Failure, FailureClass, Performer};
use host::WithSecrets;
use model::{Action, Coded as _, Digest, Json, Problem};
use plan::apply::{KIND_CHECK, KIND_HANDLE, KIND_PREFIX, ResourceInput};
use plan::{Held, Name, Operation, Plan, Seals, Term, Values};
use provider::exchange::{self, Change};
use provider::{Group, Inspected, Needs, ProviderError, Rights, TypeDescription, step};
use remote::Carrier;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::batch::{Answer, Batches};
use super::secrets::seals;
use super::site::Site;

/// Performs `resource.*`: with the secrets that the configuration declares, whose values are kept out of what comes back.
pub(crate) struct Resources {
    site: Arc<Site>,
    changing: WithSecrets<Changing>,
}

impl Resources {
    pub(crate) fn new(site: Arc<Site>) -> Self {
        let changing = Changing { site: Arc::clone(&site), batches: Arc::default() };
        Self { site, changing: WithSecrets::scrubbing(changing) }
    }
}

/// The part of every input that says which plan it belongs to.
#[derive(Deserialize)]
struct Of {
    plan: Digest,
}

impl Resources {
    /// The context with the secrets that the configuration declares.
    fn with_secrets(&self, context: &Context, action: &Action) -> Result<Context, Failure> {
        let of = action.input.read::<Of>().ok();
        let plan = of.and_then(|of| self.site.plan_of(&of.plan));
        let plan = plan.ok_or_else(|| broken("the plan is not known here"))?;
        // a process that did not make the plan has not read the configuration yet
        if self.site.secrets().is_none() {
            let read = self.site.configuration(&plan.variables);
            read.map_err(|error| {
                permanent(Problem::configuration(error.to_string()).with_code(error.code()))
            })?;
        }
        let secrets = self.site.secrets().ok_or_else(|| broken("the configuration was not read"))?;
        Ok(Context { secrets, ..context.clone() })
    }
}

impl Performer for Resources {
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(async move {
            // the record of it is the step itself, whatever the configuration says by now
            if matches!(operation(action), Ok(Operation::Move | Operation::Forget)) {
                return Ok(json!({"changed": true}).into());
            }
            let context = self.with_secrets(context, action)?;
            self.changing.perform(&context, action).await
        })
    }

    fn check<'a>(&'a self, context: &'a Context, action: &'a Action) -> BoxFuture<'a, Checked> {
        Box::pin(async move {
            match self.with_secrets(context, action) {
                Ok(context) => self.changing.check(&context, action).await,
                Err(_) => Checked::Unknown,
            }
        })
    }
}

fn input(action: &Action) -> Result<ResourceInput, Failure> {
    let input = action.input.read();
    input.map_err(|error| broken(format!("the input of {} cannot be read: {error}", action.target)))
}

/// What the journal keeps of a change that was made.
#[derive(Serialize)]
struct Output<'a> {
    applied: BTreeMap<&'a Name, Held>,
    attributes: provider::Attributes,
    changed: bool,
}

/// Makes changes with the secrets of its context.
struct Changing {
    site: Arc<Site>,
    batches: Arc<Batches>,
}

pub(super) fn permanent(problem: Problem) -> Failure {
    Failure { problem, class: FailureClass::Permanent, maybe_happened: false }
}

pub(super) fn broken(detail: impl Into<String>) -> Failure {
    permanent(Problem::runtime(detail.into()))
}

fn failed(error: &ProviderError) -> Failure {
    let class = if error.is_transient() { FailureClass::Transient } else { FailureClass::Permanent };
    let maybe_happened = matches!(error, ProviderError::Target { uncertain: true, .. });
    Failure { problem: error.problem(), class, maybe_happened }
}

impl Performer for Changing {
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(async move {
            let input = input(action)?;
            match action.kind.as_str() {
                KIND_CHECK => self.test(context, action, &input).await,
                KIND_HANDLE => self.handle(context, action, &input).await,
                _ => match operation(action)? {
                    Operation::Adopt => self.adopt(context, &input).await,
                    Operation::Move | Operation::Forget | Operation::Blocked => {
                        Err(broken("there is nothing to do on the host"))
                    }
                    operation => self.change(context, action, &input, operation).await,
                },
            }
        })
    }

    /// Whether what was interrupted happened: whether the resource is as it was to be.
    fn check<'a>(&'a self, context: &'a Context, action: &'a Action) -> BoxFuture<'a, Checked> {
        Box::pin(async move { self.happened(context, action).await.unwrap_or(Checked::Unknown) })
    }
}

fn operation(action: &Action) -> Result<Operation, Failure> {
    let word = action.kind.strip_prefix(KIND_PREFIX).unwrap_or_default();
    serde_json::from_value(Value::from(word))
        .map_err(|_| broken(format!("{} is not an operation of resources", action.kind)))
}

impl Changing {
    async fn described(
        &self,
        input: &ResourceInput,
    ) -> Result<(&dyn provider::Provider, &TypeDescription), Failure> {
        let providers =
            self.site.providers().await.map_err(|error| {
                permanent(Problem::configuration(error.to_string()).with_code(error.code()))
            })?;
        let version = providers.schemas().find(&input.kind).map(|(version, _)| version);
        if version != Some(input.provider.as_str()) {
            let detail = format!(
                "the plan was approved for {} {}, and here is {}",
                input.kind,
                input.provider,
                version.unwrap_or("none")
            );
            return Err(permanent(Problem::configuration(detail).with_code(model::code::plan::STALE)));
        }
        providers.find(&input.kind).ok_or_else(|| broken(format!("there is no provider for {}", input.kind)))
    }

    /// Declared values with their secrets, and the secrets' keyed digests.
    async fn revealed(
        &self,
        context: &Context,
        desired: &Values,
    ) -> Result<(Values, BTreeMap<String, plan::Seal>), Failure> {
        let no_secret = |error: engine::ports::SecretError| {
            permanent(Problem::configuration(error.to_string()).with_code(model::code::host::NO_SECRET))
        };
        let key = self.site.key().await.map_err(|error| broken(error.to_string()))?;
        let mut names = BTreeSet::new();
        for value in desired.values() {
            self.site.files.learn(value);
            plan::secrets_in(value, &mut |secret| {
                names.insert(secret.to_owned());
            });
        }
        let seals = seals(names.iter().map(String::as_str), &*context.secrets, key)
            .map_err(|mut missing| no_secret(missing.remove(0)))?;
        let mut revealed = desired.clone();
        for value in revealed.values_mut().filter(|value| plan::refers_to_secret(value)) {
            *value = Arc::new(host::reveal(value, &*context.secrets).map_err(no_secret)?);
        }
        Ok((revealed, seals))
    }

    async fn change(
        &self,
        context: &Context,
        action: &Action,
        input: &ResourceInput,
        operation: Operation,
    ) -> Result<Json, Failure> {
        let (_, kind) = self.described(input).await?;
        all_disclosed(kind, input, action)?;
        let (desired, seals) = self.revealed(context, &input.desired).await?;
        let changes = step::changes(operation, &desired, &input.prior, &input.fields, input.create_first);
        let (mut changed, mut attributes) = (false, provider::Attributes::new());
        for change in changes {
            let outcome = self.make(context, input, change).await?.map_err(|error| failed(&error))?;
            changed |= outcome.changed;
            attributes = outcome.attributes;
        }
        if matches!(operation, Operation::Delete | Operation::Dispose) {
            return Ok(json!({ "changed": changed }).into());
        }
        self.output(input, kind, (&seals, attributes), changed).await
    }

    /// Puts on record what the run's first step found to be as declared.
    async fn adopt(&self, context: &Context, input: &ResourceInput) -> Result<Json, Failure> {
        let (_, kind) = self.described(input).await?;
        let (_, seals) = self.revealed(context, &input.desired).await?;
        self.output(input, kind, (&seals, provider::Attributes::new()), true).await
    }

    /// What the journal keeps of a change that was made: nothing that is secret.
    async fn output(
        &self,
        input: &ResourceInput,
        kind: &TypeDescription,
        (seals, mut attributes): (&BTreeMap<String, plan::Seal>, provider::Attributes),
        changed: bool,
    ) -> Result<Json, Failure> {
        let key = self.site.key().await.map_err(|error| broken(error.to_string()))?;
        let seals = Seals { secrets: seals, key };
        let sensitive =
            |name: &Name| kind.schema.attributes.get(name).is_some_and(|attribute| attribute.sensitive);
        let applied: BTreeMap<&Name, Held> =
            input.desired.iter().map(|(name, value)| (name, seals.applied(value, sensitive(name)))).collect();
        attributes.retain(|name, _| {
            let name = name.parse::<Name>();
            name.is_ok_and(|name| match applied.get(&name) {
                Some(held) => !sensitive(&name) && held.value().is_some(),
                // what is computed of a resource with secrets (a checksum) can tell what they are
                None => !sensitive(&name) && seals.secrets.is_empty(),
            })
        });
        let output = Json::of(&Output { applied, attributes, changed });
        output.map_err(|error| broken(format!("what came of it cannot be kept: {error}")))
    }

    /// What a change that was interrupted came to; nothing when that cannot be told.
    async fn happened(&self, context: &Context, action: &Action) -> Option<Checked> {
        let (input, operation) = (input(action).ok()?, operation(action).ok()?);
        let (_, kind) = self.described(&input).await.ok()?;
        let (desired, seals) = self.revealed(context, &input.desired).await.ok()?;
        let gone = matches!(operation, Operation::Delete | Operation::Dispose);
        let config = if gone { known(&input.prior) } else { step::attributes(&desired) };
        let seen = self.look(action, &input, config.clone()).await.ok()?;
        Some(match (seen, gone) {
            (Inspected::Absent, true) => Checked::Happened(json!({ "changed": true }).into()),
            (Inspected::Absent, false) | (Inspected::Present(_), true) => Checked::NotHappened,
            (Inspected::Present(found), false) => {
                let as_declared = |(name, wanted): (&String, &Value)| {
                    let attribute = kind.schema.attributes.get(name.as_str());
                    found
                        .get(name)
                        .is_none_or(|found| attribute.is_none_or(|attribute| attribute.same(found, wanted)))
                };
                // what the provider does not tell was perhaps not changed
                if input.fields.iter().any(|field| !found.contains_key(field.as_str())) {
                    return Some(Checked::Unknown);
                }
                if !config.iter().all(as_declared) {
                    return Some(Checked::NotHappened);
                }
                Checked::Happened(self.output(&input, kind, (&seals, found), true).await.ok()?)
            }
            (Inspected::Unreadable(_), _) => Checked::Unknown,
        })
    }

    /// Makes one change, together with others of its type on its host.
    async fn make(
        &self,
        context: &Context,
        input: &ResourceInput,
        change: Change,
    ) -> Result<Answer, Failure> {
        // what comes back of changes that are made together is told to each of them, so one with secrets is made alone
        let secretive = input.desired.values().any(|value| plan::refers_to_secret(value));
        let alone = secretive.then(|| context.step.clone());
        let lane = (context.run, input.host.clone(), input.kind.clone(), alone);
        let (site, run, digest) = (Arc::clone(&self.site), context.run, input.plan);
        let (host, kind) = (input.host.clone(), input.kind.clone());
        let this = Self { site, batches: Arc::clone(&self.batches) };
        let made = self.batches.join(lane, change, move |changes| async move {
            let count = changes.len();
            let all = |error: ProviderError| vec![Err(error); count];
            match this.make_all((run, digest), (&host, &kind), changes).await {
                Ok(made) => made,
                Err(error) => all(error),
            }
        });
        made.await.ok_or_else(|| broken("the change was given up"))
    }

    async fn make_all(
        &self,
        (run, plan): (model::RunId, Digest),
        (host, kind): (&plan::Host, &plan::TypeName),
        changes: Vec<Change>,
    ) -> Result<Vec<Answer>, ProviderError> {
        let stopped = |why: String| ProviderError::BadAnswer { provider: kind.provider().to_owned(), why };
        let plan = self.site.plan_of(&plan).ok_or_else(|| stopped("the plan is not known".to_owned()))?;
        let providers = self.site.providers().await.map_err(|error| stopped(error.to_string()))?;
        let (provider, kind) = providers.find(kind).ok_or_else(|| stopped("it is gone".to_owned()))?;
        let mut wanted = Rights::default();
        for change in &changes {
            let completed = match change.operation {
                exchange::Operation::Delete => change.clone(),
                _ => Change { desired: kind.complete(change.desired.clone()), ..change.clone() },
            };
            wanted.add(provider::needs_of(kind, &completed).changing());
        }
        let site = &self.site;
        let shared = site.sessions.of((run, host), &site.fleet, || disclosed_rights(&plan, host)).await;
        let shared = shared.map_err(|error| unreachable(&error))?;
        // what depends on outputs of other changes is only known now, and gets a session of its own
        if !covers(&shared.rights, &wanted) {
            let session = site.fleet.open(host, wanted).await.map_err(|error| unreachable(&error))?;
            let carrier = Carrier::new(&session, &site.files, &provider::Nothing);
            let made = provider::apply(provider, kind, &carrier, changes).await;
            session.close().await;
            return Ok(made);
        }
        let carrier = Carrier::new(&shared.session, &site.files, &provider::Nothing);
        let made = provider::apply(provider, kind, &carrier, changes).await;
        Ok(made)
    }

    async fn handle(
        &self,
        context: &Context,
        action: &Action,
        input: &ResourceInput,
    ) -> Result<Json, Failure> {
        let name = input.handler.as_ref().ok_or_else(|| broken("no handler is named"))?;
        let (_, kind) = self.described(input).await?;
        all_disclosed(kind, input, action)?;
        let (desired, _) = self.revealed(context, &input.desired).await?;
        let outcome = self.make(context, input, step::handler(name, &desired)).await?;
        Ok(json!({ "changed": outcome.map_err(|error| failed(&error))?.changed }).into())
    }

    /// A test passes when what it is about is as declared.
    async fn test(&self, context: &Context, action: &Action, input: &ResourceInput) -> Result<Json, Failure> {
        let (desired, _) = self.revealed(context, &input.desired).await?;
        match self.look(action, input, step::attributes(&desired)).await? {
            Inspected::Present(_) => Ok(json!({ "changed": false }).into()),
            Inspected::Unreadable(error) => Err(failed(&error)),
            Inspected::Absent => Err(broken("what is tested is not there")),
        }
    }

    /// Looks at one resource, by a session that can do nothing else.
    async fn look(
        &self,
        action: &Action,
        input: &ResourceInput,
        config: provider::Attributes,
    ) -> Result<Inspected, Failure> {
        let (provider, kind) = self.described(input).await?;
        let rights = Needs::of(kind, &kind.complete(config.clone())).looking();
        let session = self.site.fleet.open(&input.host, rights).await;
        let session = session.map_err(|error| failed(&unreachable(&error)))?;
        // what policy let this action reach, and nothing else
        let places = action.wants.iter().map(|want| want.0.as_str());
        let probes = ClientProbes::new(self.site.parts.client.clone(), places);
        let carrier = Carrier::new(&session, &self.site.files, &probes);
        let group = Group { provider, kind, configs: vec![config] };
        let mut seen = provider::inspect(std::slice::from_ref(&group), &carrier).await;
        session.close().await;
        seen.pop().and_then(|mut all| all.pop()).ok_or_else(|| broken("nothing was looked at"))
    }
}

/// Refuses what the plan did not disclose, and so nobody judged.
fn all_disclosed(kind: &TypeDescription, input: &ResourceInput, action: &Action) -> Result<(), Failure> {
    let texts = |values: provider::Attributes| Needs::of(kind, &kind.complete(values)).texts();
    let mut needed =
        if input.desired.is_empty() { Vec::new() } else { texts(step::attributes(&input.desired)) };
    let prior = known(&input.prior);
    // of what is only updated, the identity is that of the declaration
    if input.fields.is_empty() || input.desired.is_empty() {
        needed.extend(if prior.is_empty() { Vec::new() } else { texts(prior) });
    }
    match needed.into_iter().find(|text| action.wants.iter().all(|want| want.0 != *text)) {
        None => Ok(()),
        Some(text) => {
            let detail = format!("{} needs {text}, which the plan does not say", action.target);
            Err(permanent(Problem::authorization(detail).with_code(model::code::provider::NOT_DECLARED)))
        }
    }
}

/// The rights of a run's session with a host: what the plan discloses for that host. What depends on outputs of other
/// changes is not known yet, and gives none.
fn disclosed_rights(plan: &Plan, host: &plan::Host) -> Rights {
    let changes = plan.changes.iter().map(|change| (&change.instance, &change.uses));
    let handlers = plan.handlers.iter().map(|handler| (&handler.instance, &handler.uses));
    let uses = changes.chain(handlers).filter(|(instance, _)| instance.host == *host);
    let known = uses.flat_map(|(_, uses)| uses).filter(|text| !plan::refers_to_output(text));
    Needs::from_texts(known.map(String::as_str)).changing()
}

fn unreachable(error: &remote::RemoteError) -> ProviderError {
    ProviderError::Target { why: error.to_string(), code: error.code(), uncertain: false }
}

/// What is known of what was there.
fn known(prior: &BTreeMap<Name, Term>) -> provider::Attributes {
    prior
        .iter()
        .filter_map(|(name, term)| match term {
            Term::Known { value } | Term::Predicted { value } => {
                Some((name.as_str().to_owned(), Value::clone(value)))
            }
            _ => None,
        })
        .collect()
}

fn covers(all: &Rights, wanted: &Rights) -> bool {
    wanted.exec.is_subset(&all.exec) && wanted.read.is_subset(&all.read) && wanted.write.is_subset(&all.write)
}
