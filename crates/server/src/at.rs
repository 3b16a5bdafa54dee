//! Who asks, where, and whether they may: the only way to an environment.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use model::Permission;

use crate::Problem;
use crate::app::App;
use crate::bench::Bench;
use crate::identity::Caller;

/// What a handler is for, and so what its caller has to be permitted.
pub trait Power: Send + Sync + 'static {
    /// The permission.
    const PERMISSION: Permission;
}

macro_rules! powers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl Power for $name {
            const PERMISSION: Permission = Permission::$name;
        }
    )*};
}

powers! {
    /// Looks.
    Read;
    /// Starts and steers runs.
    Operate;
    /// Decides approvals, as far as their chains allow.
    Approve;
    /// Signs checkpoints, changes who may sign in.
    Administer;
}

/// An environment, and somebody who may do there what `P` says.
///
/// Whoever may not even read there is told that there is no such environment.
pub struct At<P> {
    /// Who asks.
    pub caller: Arc<Caller>,
    /// Where.
    pub bench: Arc<Bench>,
    power: PhantomData<P>,
}

impl<P: Power> FromRequestParts<Arc<App>> for At<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Known(caller) = Known::from_request_parts(parts, app).await?;
        let params = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|rejection| Problem::bad(format!("the path is wrong: {rejection}")))?;
        let named = |wanted: &str| {
            params.iter().find(|(name, _)| *name == wanted).map_or("", |(_, value)| value).to_owned()
        };
        let (project, environment) = (named("project"), named("environment"));
        let bench = app.bench(&project, &environment);
        if let Some(bench) = bench {
            // a role that was taken away a moment ago is gone
            bench.workshop.rules.look().await;
        }
        let bench = readable(bench, &caller, &project, &environment)?;
        bench.may(&caller, P::PERMISSION)?;
        Ok(Self { caller, bench, power: PhantomData })
    }
}

/// The environment, for somebody who may read there.
pub(crate) fn find(
    app: &App,
    caller: &Caller,
    project: &str,
    environment: &str,
) -> Result<Arc<Bench>, Problem> {
    readable(app.bench(project, environment), caller, project, environment)
}

fn readable(
    bench: Option<&Arc<Bench>>,
    caller: &Caller,
    project: &str,
    environment: &str,
) -> Result<Arc<Bench>, Problem> {
    let may = |bench: &&Arc<Bench>| bench.may(caller, Permission::Read).is_ok();
    bench.filter(may).cloned().ok_or_else(|| {
        Problem::not_found(format!(
            "there is no environment {environment} of a project {project} that you may see"
        ))
    })
}

/// Somebody who is signed in, for what is no environment's.
pub struct Known(pub Arc<Caller>);

impl FromRequestParts<Arc<App>> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        // the layer that finds out who asks is on every route of the kind; a route without it answers nobody
        parts
            .extensions
            .get::<Arc<Caller>>()
            .cloned()
            .map(Self)
            .ok_or_else(|| Problem::of(model::code::server::NOT_SIGNED_IN, "nobody is signed in"))
    }
}
