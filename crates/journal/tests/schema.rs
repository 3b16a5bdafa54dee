//! The schema that is checked in is the one that follows from the code.

use std::path::Path;

/// Writes the file instead of comparing it.
const UPDATE: &str = "AEDILE_UPDATE_SCHEMAS";

#[test]
fn the_schema_of_records_is_the_one_checked_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/events.schema.json");
    let mut wanted = serde_json::to_string_pretty(&journal::schema::records()).unwrap();
    wanted.push('\n');
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "schemas/events.schema.json is not up to date: {UPDATE}=1 cargo nextest run -p journal"
    );
}

#[test]
fn the_schema_names_every_type() {
    let schema = journal::schema::records();
    let named: Vec<_> = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["properties"]["type"]["const"].as_str().unwrap())
        .collect();
    assert_eq!(named, journal::Event::kinds().collect::<Vec<_>>());
}
