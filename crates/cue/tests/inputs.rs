//! What reaches a configuration from outside of its files: tags, and embedded files.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::case_sensitive_file_extension_comparisons, reason = "CUE file names are lower case")]

use cue::load::MemoryLoader;
use cue::tool::{Encoding, Input, export};
use cue::{Code, Data, Errors, Number, Options};

fn with_tags(files: &[(&str, &str)], tags: &[&str]) -> Result<String, Errors> {
    let files: Vec<_> = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    let loader = MemoryLoader(files.iter().cloned().collect());
    let files = files.into_iter().filter(|(name, _)| name.ends_with(".cue") && !name.contains('/')).collect();
    let input = Input { files, expr: None, options: Options { tags, ..Options::default() } };
    let json = export(&input, Encoding::Json, &loader)?;
    Ok(json.split_whitespace().collect())
}

#[test]
fn tags_put_values_into_fields() {
    let cases: &[(&str, &[&str], &str)] = &[
        ("a: string @tag(env)", &["env=prod"], r#"{"a":"prod"}"#),
        ("a: *\"x\" | string @tag(env)", &[], r#"{"a":"x"}"#),
        ("a: *\"x\" | string @tag(env)", &["env=a=b"], r#"{"a":"a=b"}"#),
        ("a: string @tag(env,short=prod|dev)", &["dev"], r#"{"a":"dev"}"#),
        ("a: string @tag(env,short=prod|dev)", &["env=other"], r#"{"a":"other"}"#),
        ("a: int @tag(n,type=int)", &["n=12"], r#"{"a":12}"#),
        ("a: int @tag(n,type=int)", &["n=-0x1f"], r#"{"a":-31}"#),
        ("a: number @tag(n, type=number)", &["n=1.5"], r#"{"a":1.5}"#),
        ("a: bool @tag(b,type=bool)", &["b=true"], r#"{"a":true}"#),
        (
            "a: b: string @tag(x)\n#D: {c: string @tag(y)}\nd: #D",
            &["x=1", "y=2"],
            r#"{"a":{"b":"1"},"d":{"c":"2"}}"#,
        ),
        (
            "a: X={b: 1, d: X.b} @other(tag)\nc: string @tag(t) @tag(u)",
            &["u=v"],
            r#"{"a":{"b":1,"d":1},"c":"v"}"#,
        ),
        ("a: string @tag(t)\nb: string @tag(t)", &["t=v"], r#"{"a":"v","b":"v"}"#),
    ];
    for (text, tags, want) in cases {
        assert_eq!(with_tags(&[("a.cue", text)], tags).unwrap(), *want, "{text} {tags:?}");
    }
}

/// What a file is as JSON with some values of a machine.
fn on_a_machine(text: &str, tags: &[&str]) -> Result<String, Errors> {
    let variables = [
        ("now", Data::String("2024-02-29T12:00:00.5Z".to_owned())),
        ("rand", Data::Number(Number::int(u128::MAX))),
    ];
    let variables = Some(variables.map(|(name, value)| (name.to_owned(), value)).into());
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    let options = Options { tags, variables, ..Options::default() };
    let input = Input { files: vec![("a.cue".to_owned(), text.to_owned())], expr: None, options };
    Ok(export(&input, Encoding::Json, &MemoryLoader::default())?.split_whitespace().collect())
}

#[test]
fn tags_take_values_of_the_machine_where_none_is_given() {
    let cases: &[(&str, &[&str], &str)] = &[
        ("a: string @tag(at,var=now)", &[], r#"{"a":"2024-02-29T12:00:00.5Z"}"#),
        ("a: string @tag(at,var=now)", &["at=later"], r#"{"a":"later"}"#),
        ("a: string @tag(at,short=early,var=now)", &["early"], r#"{"a":"early"}"#),
        ("a: int @tag(r,var=rand)", &[], r#"{"a":340282366920938463463374607431768211455}"#),
        ("a: *\"x\" | string @tag(at,var=now)", &[], r#"{"a":"2024-02-29T12:00:00.5Z"}"#),
    ];
    for (text, tags, want) in cases {
        assert_eq!(on_a_machine(text, tags).unwrap(), *want, "{text} {tags:?}");
    }
    let errors = on_a_machine("a: string @tag(at,var=clock)", &[]).unwrap_err();
    assert!(errors.0[0].message.contains("\"clock\", which is not among: now, rand"), "{errors}");
    assert_eq!(errors.0[0].positions[0].column, 11);
}

#[test]
fn a_tag_for_a_value_of_the_machine_is_left_alone_where_those_are_not_asked_for() {
    assert_eq!(with_tags(&[("a.cue", "a: *\"x\" | string @tag(at,var=now)")], &[]).unwrap(), r#"{"a":"x"}"#);
    let errors = with_tags(&[("a.cue", "a: string @tag(at,var=now)")], &[]).unwrap_err();
    assert_eq!(errors.code(), Some(Code::Incomplete));
}

#[test]
fn an_import_that_failed_is_the_only_error_of_what_uses_it() {
    let text =
        "import \"example.com/none/db\"\nimport j \"encodng/json\"\n\na: db.port\nb: [db, j.Marshal(1)]\n";
    let errors = with_tags(&[("a.cue", text)], &[]).unwrap_err();
    let said: Vec<&str> = errors.0.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("example.com/none/db") && said[1].contains("encodng/json"), "{said:?}");
    let elsewhere = with_tags(&[("a.cue", &format!("{text}c: dx.port\n"))], &[]).unwrap_err();
    assert_eq!(elsewhere.0.len(), 3, "a name that no import makes is still unknown: {elsewhere}");
}

#[test]
fn imports_that_nothing_uses_are_refused_with_their_place() {
    let cases = [
        ("import \"strings\"\na: 1", "imported and not used: \"strings\"", 1, 8),
        ("import s \"strings\"\na: 1", "imported and not used: \"strings\" as s", 1, 8),
        (
            "import (\n\t\"list\"\n\t\"strings\"\n)\na: list.Max([1])",
            "imported and not used: \"strings\"",
            3,
            2,
        ),
        // a field of that name is what is meant
        ("import \"list\"\nx: {list: Max: 1, a: list.Max}", "imported and not used: \"list\"", 1, 8),
    ];
    for (text, message, line, column) in cases {
        let errors = with_tags(&[("a.cue", text)], &[]).unwrap_err().0;
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].message, message);
        assert_eq!(errors[0].code, Code::Compile);
        assert_eq!((errors[0].positions[0].line, errors[0].positions[0].column), (line, column), "{text}");
    }
    // each file for itself, and in imported packages as well
    let two =
        [("a.cue", "package p\nimport \"list\"\na: list.Max([1])"), ("b.cue", "package p\nimport \"list\"")];
    let errors = with_tags(&two, &[]).unwrap_err().0;
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(&*errors[0].positions[0].file, "b.cue");
    let used = "import \"list\"\na: {b: [for x in [1] if list.Contains([1], x) {\"\\(list.Max([x]))\"}]}";
    assert_eq!(with_tags(&[("a.cue", used)], &[]).unwrap(), r#"{"a":{"b":["1"]}}"#);
}

#[test]
fn lets_and_aliases_that_nothing_refers_to_are_refused_with_their_place() {
    let cases = [
        ("let x = 1\na: 1", "x", 1, 1),
        ("a: {let x = 1, b: {x: 2, c: x}}", "x", 1, 5),
        ("X=a: 1", "X", 1, 1),
        ("a: X=1\nb: a", "X", 1, 4),
        ("a: X={b: 1}", "X", 1, 4),
        ("X=\"a-b\": 1", "X", 1, 1),
    ];
    for (text, name, line, column) in cases {
        let errors = with_tags(&[("a.cue", text)], &[]).unwrap_err().0;
        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
        assert_eq!(errors[0].message, format!("unreferenced alias or let clause {name}"));
        assert_eq!((errors[0].positions[0].line, errors[0].positions[0].column), (line, column), "{text}");
    }
    let fine = [
        "let x = 1\na: x",
        "let x = y\nlet y = 1\na: x",
        "X=a: {b: 1, c: X.b}",
        "a: X={b: 1, c: X.b}",
        "a: [for k, v in [1] {v}]",
        "a: {[N=string]: int, b: 1}",
        "let x = 1\na: {b: c: \"\\(x)\"}",
    ];
    for text in fine {
        with_tags(&[("a.cue", text)], &[]).unwrap();
    }
}

#[test]
fn packages_that_import_one_another_are_named_in_their_order() {
    let files = [
        ("cue.mod/module.cue", "module: \"x.org/m\""),
        ("a.cue", "package m\nimport \"x.org/m/one\"\na: one.a"),
        ("one/one.cue", "package one\nimport \"x.org/m/two\"\na: two.a"),
        ("two/two.cue", "package two\nimport \"x.org/m/one\"\na: one.a"),
    ];
    let errors = with_tags(&files, &[]).unwrap_err();
    let cycle = "import cycle not allowed: \"x.org/m/one\" imports \"x.org/m/two\" imports \"x.org/m/one\"";
    assert!(errors.0.iter().any(|error| error.message == cycle), "{errors}");
    let place =
        errors.0.iter().find(|error| error.message == cycle).and_then(|error| error.positions.first());
    assert_eq!(place.map(|place| (&*place.file, place.line)), Some(("two/two.cue", 2)));
}

#[test]
fn tags_that_cannot_be_are_refused_with_a_place_or_a_hint() {
    let cases: &[(&str, &[&str], Code, &str)] = &[
        ("a: string @tag(env)", &["evn=prod"], Code::Compile, "no field takes the tag \"evn\""),
        ("a: string @tag(env)", &["prod"], Code::Compile, "takes \"prod\""),
        ("a: int @tag(n,type=int)", &["n=1.5"], Code::Compile, "is of type int"),
        ("a: int @tag(n,type=int)", &["n=1+1"], Code::Compile, "is of type int"),
        ("a: bool @tag(n,type=bool)", &["n=yes"], Code::Compile, "is of type bool"),
        ("a: bool @tag(n,type=date)", &["n=yes"], Code::Compile, "unknown type"),
        ("a: string @tag()", &[], Code::Compile, "no name"),
        ("a?: string @tag(n)", &["n=x"], Code::Compile, "optional or required"),
        ("a: [{b: string @tag(n)}]", &["n=x"], Code::Compile, "a list"),
        ("if true {b: string @tag(n)}", &["n=x"], Code::Compile, "a comprehension"),
        ("a: \"x\" @tag(n)", &["n=y"], Code::Eval, "conflicting values"),
    ];
    for (text, tags, code, message) in cases {
        let errors = with_tags(&[("a.cue", text)], tags).unwrap_err();
        assert_eq!(errors.code(), Some(*code), "{text}: {errors}");
        assert!(errors.to_string().contains(message), "{text}: {errors}");
        assert!(errors.0.iter().any(|e| !e.positions.is_empty() || e.hint.is_some()), "{text}: {errors}");
    }
}

#[test]
fn conditions_choose_files() {
    let cases: &[(&str, &[&str], bool)] = &[
        ("a", &["a"], true),
        ("a && b || c", &["c"], true),
        ("a && (b || c)", &["c"], false),
        ("a || b && c", &["a"], true),
        ("(a || b) && c", &["a"], false),
        ("!(a && b)", &["a"], true),
        ("!a && !b", &[], true),
        ("!!a", &["a"], true),
    ];
    for (condition, tags, want) in cases {
        let chosen = format!("@if({condition})\n\npackage p\n\nx: 1\n");
        // every tag is named by a condition here, so none is unknown
        let said = with_tags(&[("p.cue", "package p\n"), ("x.cue", &chosen)], tags).unwrap();
        assert_eq!(said, if *want { "{\"x\":1}" } else { "{}" }, "{condition} {tags:?}");
    }
    for condition in ["a &&", "a == b", "1", "a & b"] {
        let text = format!("@if({condition})\n\npackage p\n");
        let errors = with_tags(&[("p.cue", &text)], &[]).unwrap_err();
        assert_eq!(errors.0[0].positions[0].line, 1, "{condition}: {errors}");
    }
    let errors = with_tags(&[("p.cue", "@if(a)\n\npackage p\n")], &[]).unwrap_err();
    assert!(errors.to_string().contains("left out"), "{errors}");
}

const FILES: [(&str, &str); 8] = [
    ("d/a.json", r#"{"n": 1}"#),
    ("d/b.yaml", "n: 2\n"),
    ("d/two.yml", "1\n---\n2\n"),
    ("d/c.toml", "n = 3\n"),
    ("d/lines.jsonl", "1\n{}\n"),
    ("d/.hidden.json", "0"),
    ("d/e/f.json", "5"),
    ("d/note", "hi \\(1) \"\n"),
];

#[test]
fn files_are_embedded_by_name_and_by_pattern() {
    let cases = [
        ("a: _ @embed(file=d/a.json)", r#"{"a":{"n":1}}"#),
        ("a: {n: int} @embed(file=\"d/b.yaml\")", r#"{"a":{"n":2}}"#),
        ("a: _ @embed(file=d/two.yml)", r#"{"a":[1,2]}"#),
        ("a: _ @embed(file=d/c.toml)", r#"{"a":{"n":3}}"#),
        ("a: _ @embed(file=d/lines.jsonl)", r#"{"a":[1,{}]}"#),
        ("a: string @embed(file=d/note,type=text)", r#"{"a":"hi\\(1)\"\n"}"#),
        ("a: bytes @embed(file=d/e/f.json,type=binary)", r#"{"a":"NQ=="}"#),
        ("a: _ @embed(glob=d/*.json)", r#"{"a":{"d/a.json":{"n":1}}}"#),
        ("a: _ @embed(glob=d/[ab].*)", r#"{"a":{"d/a.json":{"n":1},"d/b.yaml":{"n":2}}}"#),
        ("a: _ @embed(glob=d/?/*.json)", r#"{"a":{"d/e/f.json":5}}"#),
        ("a: _ @embed(glob=x/*.json,allowEmptyGlob)", r#"{"a":{}}"#),
        ("a: {@embed(file=d/a.json)}", r#"{"a":{"n":1}}"#),
    ];
    for (text, want) in cases {
        let text = format!("@extern(embed)\n\npackage p\n\n{text}\n");
        let files = [&FILES[..], &[("p.cue", &text)]].concat();
        assert_eq!(with_tags(&files, &[]).unwrap(), want, "{text}");
    }
}

#[test]
fn embedding_that_cannot_be_is_refused_with_its_place() {
    let cases = [
        ("a: _ @embed(file=d/none.json)", "no file d/none.json"),
        ("a: _ @embed(file=/etc/passwd,type=text)", "below the file's own directory"),
        ("a: _ @embed(file=d/../../x.json)", "below the file's own directory"),
        ("a: _ @embed(file=d/note)", "its type is not known"),
        ("a: _ @embed(glob=d/**/x.json)", "**"),
        ("a: _ @embed(glob=x/*.json)", "allowEmptyGlob"),
        ("a: _ @embed(file=d/a.json,glob=d/*.json)", "either file= or glob="),
        ("a: _ @embed(file=d/a.json,mode=x)", "mode"),
        ("a: _ @embed(file=d/b.yaml,type=json)", "d/b.yaml:1:1"),
    ];
    for (text, message) in cases {
        let text = format!("@extern(embed)\n\npackage p\n\n{text}\n");
        let files = [&FILES[..], &[("p.cue", &text)]].concat();
        let errors = with_tags(&files, &[]).unwrap_err();
        assert!(errors.to_string().contains(message), "{text}: {errors}");
        assert_eq!(errors.0[0].positions[0].line, 5, "{text}: {errors}");
    }
    let files = [&FILES[..], &[("p.cue", "package p\n\na: _ @embed(file=d/a.json)\n")]].concat();
    let errors = with_tags(&files, &[]).unwrap_err();
    assert!(errors.to_string().contains("@extern(embed)"), "{errors}");
}
