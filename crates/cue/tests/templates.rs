//! Templates, columns and signatures of the standard library.
#![allow(clippy::unwrap_used, reason = "a test")]

/// The text that a template makes.
fn made(template: &str, data: &str) -> Result<String, cue::Errors> {
    let quoted = serde_json::to_string(template).unwrap();
    let text = format!("import \"text/template\"\n\nd: {data}\nout: template.Execute({quoted}, d)\n");
    let out = cue::compile("t.cue", &text)?.lookup("out").unwrap();
    out.decode::<String>()
}

#[test]
fn templates_make_text() {
    let cases = [
        ("plain {{/* not this */}}text", "{}", "plain text"),
        (
            "{{.a.b}} {{.n}} {{.f}} {{.t}} {{.z}}",
            "{a: b: \"x\", n: 12, f: 1.50, t: true, z: null}",
            "x 12 1.5 true <nil>",
        ),
        ("{{.none}}|{{.l}}|{{.m}}", "{l: [1, \"a\"], m: {b: 1, a: 2}}", "<no value>|[1 a]|map[a:2 b:1]"),
        ("{{if .a}}A{{else if .b}}B{{else}}C{{end}}", "{a: \"\", b: 1}", "B"),
        ("{{if and .a (not .b)}}yes{{else}}no{{end}}", "{a: 1, b: 0}", "yes"),
        ("{{with .a}}{{.b}}{{$.c}}{{else}}none{{end}}", "{a: {b: 1}, c: 2}", "12"),
        ("{{with .none}}x{{else with .a}}{{.}}{{end}}", "{a: 3}", "3"),
        ("{{range .l}}[{{.}}]{{else}}empty{{end}}", "{l: [1, 2]}", "[1][2]"),
        ("{{range .l}}x{{else}}empty{{end}}", "{l: []}", "empty"),
        ("{{range $i, $v := .l}}{{if $i}}, {{end}}{{$i}}={{$v}}{{end}}", "{l: [\"a\", \"b\"]}", "0=a, 1=b"),
        ("{{range $k, $v := .m}}{{$k}}{{$v}} {{end}}", "{m: {z: 1, a: 2}}", "a2 z1 "),
        (
            "{{range .l}}{{if eq . 2}}{{continue}}{{end}}{{if gt . 3}}{{break}}{{end}}{{.}}{{end}}",
            "{l: [1, 2, 3, 4]}",
            "13",
        ),
        ("{{range 3}}{{.}}{{end}}", "{}", "012"),
        ("{{$x := 1}}{{range .l}}{{$x = .}}{{end}}{{$x}}", "{l: [5, 6]}", "6"),
        ("a  {{- .n -}}  b\n{{- /* c */ -}}\n d", "{n: 1}", "a1bd"),
        (
            "{{define \"t\"}}<{{.}}{{$}}>{{end}}{{template \"t\" .n}}{{template \"t\" 7}}",
            "{n: 1}",
            "<11><77>",
        ),
        ("{{block \"b\" .n}}({{.}}){{end}}", "{n: 1}", "(1)"),
        (
            "{{.s | len | printf \"%03d\"}} {{printf \"%q %v %-4s| %5.2f %x %T\" \"a\" .n .s 1.5 255 .n}}",
            "{n: 1, s: \"abc\"}",
            "003 \"a\" 1 abc |  1.50 ff int",
        ),
        (
            "{{index .l 1}} {{index .m \"k\" 0}} {{slice .s 1 3}}",
            "{l: [1, 2], m: k: [9], s: \"abcd\"}",
            "2 9 bc",
        ),
        (
            "{{eq .n 1 2}} {{ne .n 1}} {{lt 1 2}} {{le 2 2}} {{ge \"b\" \"a\"}}",
            "{n: 2}",
            "true true true true true",
        ),
        (
            "{{html .s}} {{.s | js}} {{urlquery .s}}",
            "{s: \"<a b='c'>\"}",
            "&lt;a b=&#39;c&#39;&gt; \\u003Ca b\\u003D\\'c\\'\\u003E %3Ca+b%3D%27c%27%3E",
        ),
        ("{{or .none \"\" 0 \"x\"}} {{and 1 0 2}}", "{}", "x 0"),
        ("{{print 1 2 \"a\" 3}}|{{println \"a\" 1}}", "{}", "1 2a3|a 1\n"),
        ("{{`raw \"}}`}} {{'a'}} {{\"\\t}}\"}}", "{}", "raw \"}} 97 \t}}"),
        ("{{(index .l 0).a}} {{len (slice .s 1)}}", "{l: [{a: 4}], s: \"xyz\"}", "4 2"),
        (
            "{{printf \"%d\" \"x\"}} {{printf \"%d\"}} {{printf \"a\" 1}}",
            "{}",
            "%!d(string=x) %!d(MISSING) a%!(EXTRA int=1)",
        ),
        ("{{1e21}} {{0.000001}}", "{}", "1e+21 1e-06"),
    ];
    for (template, data, want) in cases {
        let said = made(template, data);
        assert_eq!(said.as_deref(), Ok(want), "{template}");
    }
}

#[test]
fn templates_that_cannot_be_say_why() {
    let cases = [
        ("{{.a", "{}", "unclosed action"),
        ("\n{{if .a}}", "{}", "line 2: {{end}} of {{if}} is missing"),
        ("{{end}}", "{}", "unexpected {{end}}"),
        ("{{else}}", "{}", "unexpected {{else}}"),
        ("{{nothing .a}}", "{}", "function \"nothing\" not defined"),
        ("{{template \"x\"}}", "{}", "template \"x\" not defined"),
        ("{{define \"r\"}}{{template \"r\"}}{{end}}{{template \"r\"}}", "{}", "calls itself"),
        ("{{$x}}", "{}", "undefined variable \"$x\""),
        ("{{.a.b}}", "{a: 1}", "can't evaluate field b in 1"),
        ("{{.a.b.c}}", "{a: {}}", "no entry for key \"b\""),
        ("{{index .l 5}}", "{l: []}", "index out of range: 5"),
        ("{{lt 1 \"a\"}}", "{}", "incompatible types"),
        ("{{eq .l .l}}", "{l: []}", "non-comparable"),
        ("{{range .n}}{{end}}", "{n: \"abc\"}", "can't iterate"),
        ("{{range 1000000}}{{range 1000000}}x{{end}}{{end}}", "{}", "steps"),
        ("{{break}}", "{}", "outside {{range}}"),
        ("{{call .a}}", "{a: 1}", "call is not supported"),
        ("{{printf \"%9999999d\" 1}}", "{}", "widths end at"),
        ("{{1 2}}", "{}", "only a function takes arguments"),
        ("{{.a | }}", "{}", "missing value for command"),
    ];
    for (template, data, want) in cases {
        let errors = made(template, data).unwrap_err().to_string();
        assert!(errors.contains(want), "{template}: {errors}");
    }
    let deep = "{{if 1}}".repeat(100_000);
    assert!(made(&deep, "{}").unwrap_err().to_string().contains("nested too deep"));
    let deep = format!("{{{{{}1", "(".repeat(100_000)) + "}}";
    assert!(made(&deep, "{}").is_err());
    let open = made("{{.s}}", "{s: string}").unwrap_err();
    assert_eq!(open.code(), Some(cue::Code::Incomplete), "{open}");
}

fn value(expr: &str) -> Result<serde_json::Value, cue::Errors> {
    let imports =
        "import (\n\t\"crypto/ed25519\"\n\t\"encoding/hex\"\n\t\"text/tabwriter\"\n\t\"text/template\"\n)\n";
    let text = format!(
        "{imports}\nout: {expr}\n_ed: ed25519.Valid\n_h: hex.Encode\n_t: tabwriter.Write\n_x: template.HTMLEscape\n"
    );
    cue::compile("t.cue", &text)?.lookup("out").unwrap().decode()
}

#[test]
fn columns_are_as_wide_as_their_widest_cell() {
    let cases = [
        ("tabwriter.Write([\"a\\tb\\tc\", \"aaa\\tbb\\tc\"])", "a   b  c\naaa bb c\n"),
        ("tabwriter.Write(\"a\\tb\\nlong line\\nccc\\td\")", "a b\nlong line\nccc d"),
        ("tabwriter.Write([\"é\\tx\", \"zz\\tx\"])", "é  x\nzz x\n"),
        ("tabwriter.Write([])", ""),
        ("template.HTMLEscape(\"<&>\")", "&lt;&amp;&gt;"),
        ("template.JSEscape(\"'a'\")", "\\'a\\'"),
    ];
    for (expr, want) in cases {
        assert_eq!(value(expr).unwrap(), want, "{expr}");
    }
    assert!(value("tabwriter.Write(1)").unwrap_err().to_string().contains("unsupported type"));
}

#[test]
fn signatures_are_checked() {
    // RFC 8032, section 7.1, test 2
    let key = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                     085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    let check = |message: &str| {
        value(&format!("ed25519.Valid(hex.Decode({key:?}), {message}, hex.Decode({signature:?}))")).unwrap()
    };
    assert_eq!(check("'\\x72'"), true);
    assert_eq!(check("'\\x73'"), false);
    let errors = value("ed25519.Valid('short', 'x', 'y')").unwrap_err();
    assert!(errors.to_string().contains("32 bytes"), "{errors}");
}
