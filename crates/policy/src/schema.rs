//! JSON Schemas (draft 2020-12) of the files this crate reads and of the document policies see, made from the types
//! that read them.

use schemars::schema_for;
use serde_json::Value;

/// File names under `schemas/` and their contents.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("policy.schema.json", schema_for!(crate::file::PolicyFile).into()),
        ("policy-input.schema.json", schema_for!(crate::document::InputDocument).into()),
        ("policy-test.schema.json", schema_for!(crate::testing::CasesFile).into()),
        ("access.schema.json", schema_for!(crate::access::AccessFile).into()),
    ]
}
