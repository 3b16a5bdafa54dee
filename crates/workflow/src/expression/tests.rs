#![allow(clippy::needless_pass_by_value, reason = "tables read better with values than with references")]

use super::*;
use serde_json::json;

struct Given(Value);

impl Variables for Given {
    fn value(&self, name: &str) -> Option<Arc<Value>> {
        self.0.get(name).cloned().map(Arc::new)
    }
}

fn run(source: &str, input: Value) -> Result<Value, Failure> {
    let expression =
        Expression::compile(source, &["context", "item"]).unwrap_or_else(|e| panic!("{source}: {e}"));
    expression.evaluate(&input, &Given(json!({"context": {"n": 3}, "item": "x"})), Timestamp::UNIX_EPOCH)
}

#[test]
fn jq_gives_what_jq_gives() {
    let table = [
        (".a", json!({"a": 1}), json!(1)),
        (".a?.b?", json!([1]), json!(null)),
        (".colors + [\"red\"]", json!(null), json!(["red"])),
        ("\"Hi \\(.name)!\"", json!({"name": "Ann"}), json!("Hi Ann!")),
        ("[.[] | select(. > 1)] | length", json!([1, 2, 3]), json!(2)),
        ("10 / 4", json!(null), json!(2.5)),
        ("10 / 2", json!(null), json!(5)),
        ("$context.n * 2", json!(null), json!(6)),
        ("{a: 1, ($item): 2}", json!(null), json!({"a": 1, "x": 2})),
        ("{$item}", json!(null), json!({"item": "x"})),
        ("empty", json!(1), json!(null)),
        ("now", json!(1), json!(0)),
        ("[limit(3; repeat(1))]", json!(null), json!([1, 1, 1])),
        ("reduce range(5) as $i (0; . + $i)", json!(null), json!(10)),
        (".a += 1 | .b *= 2", json!({"a": 1, "b": 2}), json!({"a": 2, "b": 4})),
        (".[] |= . + 1", json!([1, 2]), json!([2, 3])),
        ("[paths]", json!({"a": [1]}), json!([["a"], ["a", 0]])),
        ("test(\"^a+$\")", json!("aaa"), json!(true)),
        ("to_entries | map(.key) | join(\",\")", json!({"a": 1, "b": 2}), json!("a,b")),
        ("\"a\" * 3", json!(null), json!("aaa")),
        ("first(range(10; 0; -3))", json!(null), json!(10)),
        ("[range(0; 10; 4)]", json!(null), json!([0, 4, 8])),
        ("@base64", json!("hi"), json!("aGk=")),
        ("walk(if type == \"number\" then . + 1 else . end)", json!([1, [2]]), json!([2, [3]])),
        ("def f($x): $x + 1; f(1)", json!(null), json!(2)),
        (
            "label $out | foreach .[] as $i (0; . + $i; if . > 2 then ., break $out else empty end)",
            json!([1, 2, 3]),
            json!(3),
        ),
    ];
    for (source, input, expected) in table {
        assert_eq!(run(source, input).unwrap_or_else(|e| panic!("{source}: {e}")), expected, "{source}");
    }
}

#[test]
fn the_world_is_out_of_reach() {
    for source in ["env", "$ENV", "input", "[inputs]", "debug", "halt", "stderr", "localtime", "$__prog_args"]
    {
        assert!(Expression::compile(source, &[]).is_err(), "{source} compiles");
    }
}

#[test]
fn mistakes_have_a_place() {
    let table = [
        (".a |", 4, "expected"),
        ("1 + nope(2)", 4, "unknown filter `nope` with 1"),
        (".a + $nope", 5, "unknown variable `$nope`"),
        ("\"abc", 0, "expected"),
        ("{a: }", 4, "expected"),
    ];
    for (source, offset, message) in table {
        let invalid = Expression::compile(source, &["context"]).unwrap_err();
        assert!(invalid.message.contains(message), "{source}: {invalid}");
        assert!(
            invalid.offset >= offset.min(source.len()) || offset == 0,
            "{source}: {} < {offset}",
            invalid.offset
        );
    }
}

#[test]
fn nothing_runs_for_ever() {
    let bombs = [
        "last(range(1e12))",
        "[range(1e12)] | length",
        "def f: f; f",
        "def f: 1 + f; f",
        "def f: [f]; f",
        "last(repeat(1))",
        "until(false; .)",
        "[.[] as $a | .[] as $b | .[] as $c | .[] as $d | 1] | length",
        "reduce range(100) as $i (\"aaaaaaaaaa\"; . + .)",
        "\"a\" * 1e12",
        "reduce range(60) as $i (1; [., .])",
        "reduce range(60) as $i (1; [., .]) | tojson | length",
        "reduce range(60) as $i (1; [., .]) | \"\\(.)\" | length",
        "reduce range(60) as $i (1; [., .]) | . == 1 | tojson",
        "reduce range(60) as $i (1; [., .]) | [..] | length",
        "try last(range(1e12)) catch 1",
        "def f: try f catch f; f",
        "[limit(1e9; repeat(1))]",
        "last(range(0; 1; 0))",
        "[recurse(.)]",
    ];
    let input = Value::Array((0..200).map(Value::from).collect());
    for bomb in bombs {
        let outcome = run(bomb, input.clone());
        assert!(matches!(outcome, Err(Failure::Limit(_))), "{bomb}: {outcome:?}");
    }
}

#[test]
fn brackets_and_length_are_limited() {
    assert!(Expression::compile(&"(".repeat(10_000), &[]).is_err());
    assert!(Expression::compile(&"-".repeat(10_000), &[]).is_err());
    assert!(Expression::compile(&format!(".{}", " | .".repeat(4_000)), &[]).is_err());
    assert!(Expression::compile(&" ".repeat(100_000), &[]).is_err());
}

#[test]
fn uri_templates_follow_rfc_6570() {
    let data = json!({
        "var": "value", "hello": "Hello World!", "path": "/foo/bar", "empty": "", "x": 1024, "y": 768,
        "list": ["red", "green", "blue"], "keys": {"semi": ";", "dot": ".", "comma": ","}, "a": {"b": "c"},
    });
    let table = [
        ("{var}", "value"),
        ("{hello}", "Hello%20World%21"),
        ("{+hello}", "Hello%20World!"),
        ("{+path}/here", "/foo/bar/here"),
        ("X{#var}", "X#value"),
        ("{x,y}", "1024,768"),
        ("{.x,y}", ".1024.768"),
        ("{/var,x}/here", "/value/1024/here"),
        ("{;x,y,empty}", ";x=1024;y=768;empty"),
        ("{?x,y,empty}", "?x=1024&y=768&empty="),
        ("?fixed=yes{&x}", "?fixed=yes&x=1024"),
        ("{var:3}", "val"),
        ("{list}", "red,green,blue"),
        ("{list*}", "red,green,blue"),
        ("{?list*}", "?list=red&list=green&list=blue"),
        ("{keys}", "comma,%2C,dot,.,semi,%3B"),
        ("{?keys*}", "?comma=%2C&dot=.&semi=%3B"),
        ("{a.b}", "c"),
        ("{undefined}", ""),
        ("{?undefined,x}", "?x=1024"),
    ];
    for (template, expected) in table {
        assert_eq!(UriTemplate::parse(template).unwrap().expand(&data), expected, "{template}");
    }
    for wrong in ["{", "}", "{}", "{a b}", "{a:x}"] {
        assert!(UriTemplate::parse(wrong).is_err(), "{wrong}");
    }
}

/// What random expressions are made of.
const PIECES: &[&str] = &[
    ".",
    ".a",
    ".[]",
    ".[0]",
    ".[1:]",
    "..",
    "|",
    ",",
    "+",
    "*",
    "-",
    "/",
    "%",
    "==",
    "//",
    "and",
    "not",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"x\"",
    "\"\\(.)\"",
    "1",
    "1e18",
    "-1",
    "null",
    "$item",
    "as $x |",
    "$x",
    "map(",
    "select(",
    "length",
    "keys",
    "add",
    "sort",
    "tojson",
    "fromjson",
    "range(5)",
    "limit(2;",
    "first(",
    "reduce .[] as $i (0;",
    ";",
    "def f:",
    "f",
    "try",
    "?",
    "if . then",
    "else",
    "end",
    "+=",
    "|=",
    "path(",
    "paths",
    "to_entries",
    "split(\",\")",
    "test(\"(\")",
    "todate",
    "strftime(\"%\")",
    "mktime",
    "implode",
    "explode",
    "@uri",
    "@base64d",
    "ltrimstr(1)",
    "splits(\"\")",
    "é",
    "\"",
    "infinite",
    "nan",
    "combinations",
    "walk(",
    "recurse",
    "error",
    "ascii",
    "getpath([\"a\"])",
    "del(",
    "flatten",
    "group_by(",
    "tostring",
    "tonumber",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 400, ..Default::default() })]

    /// Whatever is written, it compiles or is refused, and gives a value or a failure.
    #[test]
    fn random_expressions_never_panic(picks in proptest::collection::vec(0..PIECES.len(), 0..14), spaced: bool) {
        let source: Vec<&str> = picks.iter().map(|pick| PIECES[*pick]).collect();
        let source = source.join(if spaced { " " } else { "" });
        if let Ok(expression) = Expression::compile(&source, &["context", "item"]) {
            for input in [json!(null), json!({"a": [1, "x", {"b": null}]}), json!([3, 1, 2]), json!("a,b")] {
                let given = Given(json!({"item": "x"}));
                let _outcome = expression.evaluate(&input, &given, Timestamp::UNIX_EPOCH);
            }
        }
    }
}
