//! Whatever the standard's own JSON Schema refuses, the loader refuses.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::load;
use super::source;

/// A place in a document: what to change there.
type Place = Vec<String>;

fn places(value: &Value, here: &mut Place, all: &mut Vec<Place>) {
    all.push(here.clone());
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(key, child)| (key.clone(), child)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, child)| (index.to_string(), child)).collect()
        }
        _ => Vec::new(),
    };
    for (key, child) in children {
        here.push(key);
        places(child, here, all);
        here.pop();
    }
}

fn pointer(place: &[String]) -> String {
    place.iter().fold(String::new(), |path, part| path + "/" + &part.replace('~', "~0").replace('/', "~1"))
}

/// The document with something wrong at a place, in several ways.
fn mutations(document: &Value, place: &Place) -> Vec<(String, Value)> {
    let at = pointer(place);
    let mut all = Vec::new();
    let mut changed = |what: &str, change: &dyn Fn(&mut Value)| {
        let mut copy = document.clone();
        change(&mut copy);
        all.push((format!("{what} at {at}"), copy));
    };
    for wrong in [json!(4711), json!("zzz"), json!([]), json!({}), json!(true)] {
        changed(&format!("{wrong}"), &|copy| {
            if let Some(value) = copy.pointer_mut(&at) {
                *value = wrong.clone();
            }
        });
    }
    changed("unknown member", &|copy| {
        if let Some(Value::Object(members)) = copy.pointer_mut(&at) {
            members.insert("zzz".to_owned(), json!("zzz"));
        }
    });
    if let Some((last, parent)) = place.split_last() {
        changed("nothing", &|copy| {
            if let Some(Value::Object(members)) = copy.pointer_mut(&pointer(parent)) {
                members.remove(last);
            }
        });
    }
    all
}

#[test]
fn what_the_schema_of_the_standard_refuses_is_refused() {
    let root =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/serverless-workflow");
    let Ok(schema) = std::fs::read_to_string(root.join("schema/workflow.yaml")) else {
        println!("skipped: {} is not there", root.display());
        return;
    };
    let schema = jsonschema::validator_for(&source::parse(&schema).unwrap().to_value()).unwrap();
    let mut lenient = Vec::new();
    let mut tried = 0;
    for entry in std::fs::read_dir(root.join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let Ok(node) = source::parse(&std::fs::read_to_string(&path).unwrap()) else { continue };
        let document = node.to_value();
        if !schema.is_valid(&document) || load(&name, &document.to_string()).0.is_none() {
            continue;
        }
        let mut all = Vec::new();
        places(&document, &mut Vec::new(), &mut all);
        for place in all.iter().filter(|place| place.first().is_none_or(|first| first != "document")) {
            for (what, mutated) in mutations(&document, place) {
                tried += 1;
                if !schema.is_valid(&mutated) && load(&name, &mutated.to_string()).0.is_some() {
                    lenient.push(format!("{name}: {what}"));
                }
            }
        }
    }
    assert!(tried > 5_000, "{tried} mutations");
    assert!(lenient.is_empty(), "{} of {tried} are accepted:\n{}", lenient.len(), lenient.join("\n"));
}
