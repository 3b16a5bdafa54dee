//! The decorator around every performer that acts outside.

use engine::ports::{BoxFuture, Context, Failure, FailureClass, Performer};
use host::WithSecrets;
use model::program::secret_reference;
use model::{Action, Json, Problem};
use serde_json::json;

use crate::support::{action, context};

/// Gives back what it got, and what it revealed itself.
struct Mirror;

impl Performer for Mirror {
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(async move {
            if action.input["fail"] == true {
                return Err(Failure {
                    problem: Problem::communication(format!("{} was not accepted", action.input["key"])),
                    class: FailureClass::Permanent,
                    maybe_happened: true,
                });
            }
            assert_eq!(action.input["key"], "s3cr3t-t0ken-value", "the performer has the value");
            let own = context.secrets.reveal("pin").unwrap();
            Ok(json!({"echo": action.input, "length": 18, "pin": own.expose(), "digit": "17"}).into())
        })
    }
}

#[tokio::test]
async fn secrets_are_in_place_inside_and_references_outside() {
    let (_canceller, context) = context();
    let token = secret_reference("token");
    let with = WithSecrets::new(Mirror);
    let output = with.perform(&context, &action("x", json!({"key": token}))).await.unwrap();
    assert_eq!(
        output,
        json!({"echo": {"key": token}, "length": 18, "pin": secret_reference("pin"), "digit": "17"})
    );
    let failure =
        with.perform(&context, &action("x", json!({"key": token, "fail": true}))).await.unwrap_err();
    assert!(failure.maybe_happened);
    assert_eq!(failure.problem.detail.unwrap(), format!("\"{token}\" was not accepted"));
    let unknown = action("x", json!({"key": secret_reference("unknown")}));
    let failure = with.perform(&context, &unknown).await.unwrap_err();
    assert_eq!(failure.problem.code.as_deref(), Some("E0607"));
    assert!(!failure.maybe_happened);
}
