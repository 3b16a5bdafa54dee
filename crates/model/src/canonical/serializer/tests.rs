use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::*;

fn text<T: Serialize>(value: &T) -> String {
    let mut out = Vec::new();
    serialize(value, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Value::from),
        "\\PC{0,8}|[\\x00-\\x1f\"\\\\]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map("\\PC{0,3}|[a-c\"\\n\u{1f600}\u{fb33}]{0,2}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_the_writer_of_trees(value in any_json()) {
        prop_assert_eq!(text(&value).into_bytes(), crate::canonical::to_vec(&value));
        prop_assert!(text(&value).len() <= crate::canonical::most_bytes(&value));
        let mut normal = value.clone();
        crate::canonical::normalize(&mut normal);
        prop_assert_eq!(crate::canonical::is_normal(&value), normal == value);
        prop_assert!(crate::canonical::is_normal(&normal));
        // it may be wary, but what it says is normal is
        let told = serialize_and_tell(&value, &mut Vec::new()).unwrap();
        prop_assert!(!told || normal == value);
    }

    #[test]
    fn members_are_put_in_order_whatever_their_names_and_however_they_come(
        names in prop::collection::hash_set("[ab\"\\\\\n\u{e9}\u{1f600}\u{fb33}]{0,3}", 0..9),
    ) {
        struct Members(Vec<String>);
        impl Serialize for Members {
            fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|name| (name, 1)))
            }
        }
        let names: Vec<String> = names.into_iter().collect();
        let object: Value = names.iter().map(|name| (name.clone(), Value::from(1))).collect::<serde_json::Map<_, _>>().into();
        prop_assert_eq!(text(&Members(names)).into_bytes(), crate::canonical::to_vec(&object));
    }
}

#[test]
fn every_shape_of_serde_has_its_json_form() {
    #[derive(Serialize)]
    enum Shape {
        Unit,
        New(u8),
        Tuple(u8, char),
        Struct { b: Option<u8>, a: () },
    }
    assert_eq!(text(&Shape::Unit), r#""Unit""#);
    assert_eq!(text(&Shape::New(1)), r#"{"New":1}"#);
    assert_eq!(text(&Shape::Tuple(1, 'x')), r#"{"Tuple":[1,"x"]}"#);
    assert_eq!(text(&Shape::Struct { b: None, a: () }), r#"{"Struct":{"a":null,"b":null}}"#);
    assert_eq!(text(&BTreeMap::from([(10, true), (9, false)])), r#"{"10":true,"9":false}"#);
    assert_eq!(text(&-9_007_199_254_740_993_i64), "-9007199254740992");
}

#[test]
fn numbers_of_arbitrary_precision_are_numbers() {
    #[derive(Serialize)]
    #[serde(rename = "$serde_json::private::Number")]
    struct Number {
        number: &'static str,
    }
    assert_eq!(text(&Number { number: "1.50" }), "1.5");
    assert_eq!(text(&[Number { number: "-3" }]), "[-3]");
}

#[test]
fn what_has_no_form_is_refused_and_leaves_no_trace() {
    #[derive(Serialize)]
    struct Twice {
        #[serde(flatten)]
        rest: BTreeMap<&'static str, u8>,
        b: u8,
        a: u8,
    }
    let mut out = b"kept".to_vec();
    assert!(serialize(&f64::NAN, &mut out).is_err());
    assert!(serialize(&Twice { rest: BTreeMap::from([("a", 1)]), b: 2, a: 3 }, &mut out).is_err());
    let mut deep = json!(1);
    for _ in 0..DEPTH_MAX {
        deep = json!([deep]);
    }
    let mut fits = Vec::new();
    serialize(&deep, &mut fits).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&fits).unwrap(), deep, "what is written can be read");
    assert_eq!(serialize(&json!([deep]), &mut out), Err(CanonicalError::TooDeep));
    assert_eq!(out, b"kept");
}
