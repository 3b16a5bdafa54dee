//! Secrets: where they come from, how they get into an action at the last moment, and how they are kept out of
//! everything that comes back.

pub mod age;
mod placed;
mod private;
mod scrub;
mod sources;
mod substitute;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use engine::ports::{
    BoxFuture, Checked, Context, Failure, FailureClass, Performer, Secret, SecretError, Secrets,
};
use model::{Action, Json, Problem, code};
use serde_json::Value;

pub use placed::PlacedSecrets;
pub use scrub::Scrubber;
pub use sources::{EnvSecrets, FileSecrets, LayeredSecrets, SecretSource};
pub use substitute::{holds_reference, reveal};
pub(crate) use substitute::{is_reference_in, reveal_text};

/// Performs what another performer performs, with the secrets in place: references in the input are replaced by the
/// values right before, and every value that was revealed is replaced by its reference in whatever comes back, output
/// or problem, also in its encoded forms (see [`Scrubber`]).
///
/// This goes around every performer that acts outside of this process. [`crate::Processes`] needs it no less: it
/// replaces references itself, because it must know where they are, and reveals through the context it is given.
#[derive(Debug, Clone)]
pub struct WithSecrets<P> {
    inner: P,
    substitute: bool,
}

impl<P> WithSecrets<P> {
    /// Replaces references in the input, and values in what comes back.
    pub fn new(inner: P) -> Self {
        Self { inner, substitute: true }
    }

    /// Replaces values in what comes back only; the inner performer reveals what it needs.
    pub fn scrubbing(inner: P) -> Self {
        Self { inner, substitute: false }
    }
}

/// Remembers what was revealed, so that it can be found again in the output.
struct Recorder {
    source: Arc<dyn Secrets>,
    revealed: Mutex<Scrubber>,
}

impl Secrets for Recorder {
    fn reveal(&self, name: &str) -> Result<Secret, SecretError> {
        let secret = self.source.reveal(name)?;
        self.revealed.lock().unwrap_or_else(PoisonError::into_inner).add(name, secret.expose());
        Ok(secret)
    }
}

impl Recorder {
    fn clean(&self, mut result: Result<Json, Failure>) -> Result<Json, Failure> {
        let scrubber = self.revealed.lock().unwrap_or_else(PoisonError::into_inner);
        if scrubber.is_empty() {
            return result;
        }
        match &mut result {
            Ok(output) => {
                let mut scrubbed = Value::clone(output);
                scrubber.scrub(&mut scrubbed);
                *output = scrubbed.into();
            }
            Err(failure) => {
                let problem = &mut failure.problem;
                for text in
                    [&mut problem.detail, &mut problem.title, &mut problem.instance].into_iter().flatten()
                {
                    *text = scrubber.scrub_text(text);
                }
                problem.kind = scrubber.scrub_text(&problem.kind);
            }
        }
        result
    }
}

/// The failure of an action whose secret cannot be had.
pub(crate) fn no_secret(error: &SecretError) -> Failure {
    Failure {
        problem: Problem::configuration(error.to_string()).with_code(code::host::NO_SECRET),
        class: FailureClass::Permanent,
        maybe_happened: false,
    }
}

impl<P: Performer> WithSecrets<P> {
    fn recorded(context: &Context) -> (Arc<Recorder>, Context) {
        let recorder = Arc::new(Recorder {
            source: Arc::clone(&context.secrets),
            revealed: Mutex::new(Scrubber::default()),
        });
        let context = Context { secrets: Arc::clone(&recorder) as Arc<dyn Secrets>, ..context.clone() };
        (recorder, context)
    }

    fn revealed<'a>(&self, context: &Context, action: &'a Action) -> Result<Cow<'a, Action>, Failure> {
        if !self.substitute {
            return Ok(Cow::Borrowed(action));
        }
        let input = reveal(&action.input, context.secrets.as_ref()).map_err(|error| no_secret(&error))?;
        Ok(Cow::Owned(Action { input: input.into(), ..action.clone() }))
    }
}

impl<P: Performer> Performer for WithSecrets<P> {
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(async move {
            let (recorder, context) = Self::recorded(context);
            let action = self.revealed(&context, action)?;
            let result = self.inner.perform(&context, &action).await;
            recorder.clean(result)
        })
    }

    fn check<'a>(&'a self, context: &'a Context, action: &'a Action) -> BoxFuture<'a, Checked> {
        Box::pin(async move {
            let (recorder, context) = Self::recorded(context);
            let Ok(action) = self.revealed(&context, action) else { return Checked::Unknown };
            match self.inner.check(&context, &action).await {
                Checked::Happened(output) => match recorder.clean(Ok(output)) {
                    Ok(output) => Checked::Happened(output),
                    Err(_) => Checked::Unknown,
                },
                other => other,
            }
        })
    }
}
