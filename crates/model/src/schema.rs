//! JSON Schemas of the scalars: all of them are texts.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{
    ApprovalId, CheckpointId, Digest, Environment, Principal, Role, RunId, SessionId, StepId, TokenId,
};

macro_rules! texts {
    ($($name:ident, $pattern:literal, $description:literal;)*) => {$(
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $description })
            }
        }
    )*};
}

texts! {
    RunId, "^run_[0-9a-hjkmnp-tv-z]{26}$", "a run";
    ApprovalId, "^apr_[0-9a-hjkmnp-tv-z]{26}$", "an approval";
    CheckpointId, "^ckp_[0-9a-hjkmnp-tv-z]{26}$", "a checkpoint";
    TokenId, "^tok_[0-9a-hjkmnp-tv-z]{26}$", "a token's name, never its secret";
    SessionId, "^ses_[0-9a-hjkmnp-tv-z]{26}$", "a session";
    Digest, "^sha256:[0-9a-f]{64}$", "a SHA-256 digest";
    Principal, "^[a-z]+:[A-Za-z0-9._@+-]+$", "who acts";
    Role, "^[A-Za-z0-9._@+-]+$", "what a principal may decide";
    Environment, "^[A-Za-z0-9._@+-]+$", "an environment";
    StepId, "", "a step: the JSON pointer of its task, and a counter where it runs more than once";
}

/// Any value.
impl JsonSchema for crate::Json {
    fn inline_schema() -> bool {
        serde_json::Value::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        serde_json::Value::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        serde_json::Value::json_schema(generator)
    }
}

macro_rules! words {
    ($($name:ident, $description:literal: $($word:literal),*;)*) => {$(
        impl JsonSchema for crate::$name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "enum": [$($word),*], "description": $description })
            }
        }
    )*};
}

words! {
    Permission, "what somebody may do in an environment": "read", "operate", "approve", "administer";
    Origin, "where a definition came from": "project", "caller";
    OnDrift, "what is done about drift": "report", "propose", "repair";
    DriftClass, "in which way a resource is not as it was applied": "changed", "missing", "conflict", "unreadable";
}
