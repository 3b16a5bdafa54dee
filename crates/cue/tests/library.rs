//! The standard library, function by function: what its public documentation says, as tables.
#![allow(clippy::unwrap_used, reason = "a test")]

/// What an expression of a package is as JSON, or the first error.
fn made(package: &str, expression: &str) -> Result<String, String> {
    let text = format!("import \"{package}\"\n\nout: {expression}\n");
    let value = cue::compile("t.cue", &text).map_err(|errors| errors.0[0].message.clone())?;
    value.lookup("out").unwrap().to_json().map_err(|errors| errors.0[0].message.clone())
}

fn hold(package: &str, table: &[(&str, &str)]) {
    for (expression, wanted) in table {
        assert_eq!(made(package, expression).as_deref(), Ok(*wanted), "{expression}");
    }
}

fn fail(package: &str, table: &[(&str, &str)]) {
    for (expression, part) in table {
        let message = made(package, expression).unwrap_err();
        assert!(message.contains(part), "{expression}: {message}");
    }
}

#[test]
fn paths_are_those_of_unix_unless_said_otherwise() {
    hold(
        "path",
        &[
            (r#"path.Base("a/b.c")"#, r#""b.c""#),
            (r#"path.Dir("a/b.c")"#, r#""a""#),
            (r#"path.Ext("a/b.c")"#, r#"".c""#),
            (r#"path.Clean("/a/../b//c")"#, r#""/b/c""#),
            (r#"path.Join(["a", "", "../b"])"#, r#""b""#),
            (r#"path.Join(["a", "b"], path.Unix)"#, r#""a/b""#),
            (r#"path.Join(["a", "b"], "linux")"#, r#""a/b""#),
            (r#"path.IsAbs("/a")"#, "true"),
            (r#"path.Split("a/b/c")"#, r#"["a/b/","c"]"#),
            (r#"path.SplitList("a:b", path.Unix)"#, r#"["a","b"]"#),
            (r#"path.Rel("/a/b", "/a/c/d")"#, r#""../c/d""#),
            (r#"path.Match("*.go", "x.go")"#, "true"),
            (r#"path.Match("*.go", "a/x.go")"#, "false"),
            (r#"path.Resolve("/a", "b/../c")"#, r#""/a/c""#),
            (r#"path.Resolve("/a", "/c")"#, r#""/c""#),
            (r#"path.ToSlash("a/b", path.Unix)"#, r#""a/b""#),
        ],
    );
    fail(
        "path",
        &[
            (r#"path.Base("a", path.Windows)"#, "paths of windows are not supported"),
            (r#"path.Base("a", "beos")"#, "unknown operating system"),
            (r#"path.SplitList("a")"#, "not enough arguments"),
        ],
    );
}

#[test]
fn functions_of_mathematics_have_their_values() {
    hold(
        "math",
        &[
            ("math.Remainder(5, 3)", "-1.0"),
            ("math.Mod(5, 3)", "2.0"),
            ("math.Dim(5, 3)", "2"),
            ("math.Dim(3, 5)", "0"),
            ("math.Erf(0)", "0.0"),
            ("math.Erfc(0)", "1.0"),
            ("math.Gamma(5)", "24.0"),
            ("math.J0(0)", "1.0"),
            ("math.J1(0)", "0.0"),
            ("math.Jn(2, 0)", "0.0"),
            ("math.Ldexp(0.5, 4)", "8.0"),
            ("math.Ilogb(8)", "3"),
            ("math.Logb(8)", "3.0"),
            ("math.Pow10(3) == 1000", "true"),
            ("math.Pow10(-2) == 0.01", "true"),
            ("math.Log2E * math.Ln2 - 1 < 1e-30", "true"),
            ("math.Log10E * math.Ln10 - 1 < 1e-30", "true"),
            ("math.SqrtPhi * math.SqrtPhi - math.Phi < 1e-30", "true"),
            ("math.ToZero", "2"),
        ],
    );
    fail("math", &[("math.Ilogb(0)", "not a finite number"), ("math.Y0(0)", "not a finite number")]);
}

#[test]
fn addresses_are_text_or_bytes() {
    hold(
        "net",
        &[
            (r#"net.ParseIP("1.2.3.4")"#, "[1,2,3,4]"),
            (r#"net.ParseIP("::1")"#, "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1]"),
            (r#"net.ToIP4("::ffff:1.2.3.4")"#, "[1,2,3,4]"),
            ("net.ToIP16([1, 2, 3, 4])", "[0,0,0,0,0,0,0,0,0,0,255,255,1,2,3,4]"),
            ("net.IPString([10, 0, 0, 1])", r#""10.0.0.1""#),
            ("net.IP & [1, 2, 3, 4]", "[1,2,3,4]"),
            (r#"net.IPv6 & "::1""#, r#""::1""#),
            ("net.IP([1, 2, 3])", "false"),
            (r#"net.GlobalUnicastIP("10.1.2.3")"#, "true"),
            (r#"net.GlobalUnicastIP("255.255.255.255")"#, "false"),
            (r#"net.LinkLocalUnicastIP("169.254.0.1")"#, "true"),
            (r#"net.LinkLocalMulticastIP("224.0.0.1")"#, "true"),
            (r#"net.InterfaceLocalMulticastIP("ff01::1")"#, "true"),
            (r#"net.InterfaceLocalMulticastIP("ff02::1")"#, "false"),
            (r#"net.InCIDR("10.1.2.3", "10.0.0.0/8")"#, "true"),
            (r#"net.InCIDR([11, 1, 2, 3], "10.0.0.0/8")"#, "false"),
            (r#"net.IPCIDR & "10.0.0.0/8""#, r#""10.0.0.0/8""#),
            (r#"net.FQDN("a-b.example.")"#, "true"),
            (r#"net.FQDN("a_b.example")"#, "false"),
            ("net.IPv6len", "16"),
        ],
    );
    fail(
        "net",
        &[
            (r#"net.ParseIP("1.2.3")"#, "invalid IP address"),
            (r#"net.ToIP4("::1")"#, "not an IPv4 address"),
            (r#"net.IPCIDR & "10.0.0.0/+8""#, "invalid CIDR"),
        ],
    );
}

#[test]
fn uuids_are_read_in_all_their_forms_and_made_from_names() {
    let dns = r#""6ba7b810-9dad-11d1-80b4-00c04fd430c8""#;
    for form in [
        "6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
        "6ba7b8109dad11d180b400c04fd430c8",
        "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
    ] {
        assert_eq!(made("uuid", &format!("uuid.Parse({form:?})")).as_deref(), Ok(dns), "{form}");
    }
    // The identifiers of "www.example.com" are those of RFC 9562, appendices A.2 and A.4.
    hold(
        "uuid",
        &[
            (r#"uuid.MD5(uuid.ns.DNS, "www.example.com")"#, r#""5df41881-3aed-3515-88a7-2f4a814cf09e""#),
            (r#"uuid.SHA1(uuid.ns.DNS, "www.example.com")"#, r#""2ed6657d-e927-568b-95e1-2665a8aea6a2""#),
            ("uuid.FromInt(0x6ba7b810_9dad_11d1_80b4_00c04fd430c8)", dns),
            ("uuid.ToInt(uuid.ns.DNS) == 0x6ba7b810_9dad_11d1_80b4_00c04fd430c8", "true"),
            ("uuid.URN(uuid.ns.DNS)", r#""urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8""#),
            ("uuid.Version(uuid.ns.DNS)", "1"),
            ("uuid.Variant(uuid.ns.DNS)", "1"),
            ("uuid.Version(uuid.MD5(uuid.ns.Nil, 'x'))", "3"),
        ],
    );
    fail(
        "uuid",
        &[
            (r#"uuid.Parse("6ba7b810-9dad-11d1-80b4")"#, "invalid UUID"),
            (r#"uuid.Parse("{6ba7b8109dad11d180b400c04fd430c8}")"#, "invalid UUID"),
            ("uuid.FromInt(-1)", "128 bits"),
        ],
    );
}

#[test]
fn numbers_and_text_convert() {
    hold(
        "strconv",
        &[
            ("strconv.FormatFloat(1234567.5, 103, 3, 64)", r#""1.23e+06""#),
            ("strconv.FormatFloat(1234567, 0x67, -1, 64)", r#""1.234567e+06""#),
            ("strconv.FormatFloat(0.1, 0x66, -1, 32)", r#""0.1""#),
            ("strconv.FormatFloat(1.5, 0x45, 2, 64)", r#""1.50E+00""#),
            (r#"strconv.ParseUint("ff", 16, 8)"#, "255"),
            (r#"strconv.ParseInt("-128", 10, 8)"#, "-128"),
            (r#"strconv.Quote("é\u0001\u200b\n")"#, r#""\"é\\x01\\u200b\\n\"""#),
            (r#"strconv.QuoteToASCII("é☺😀")"#, r#""\"\\u00e9\\u263a\\U0001f600\"""#),
            (r#"strconv.QuoteToGraphic("\u00a0")"#, "\"\\\"\u{a0}\\\"\""),
            ("strconv.QuoteRune(0x263a)", r#""'☺'""#),
            ("strconv.QuoteRuneToASCII(0x27)", r#""'\\''""#),
            ("strconv.IsPrint(0xa0)", "false"),
            ("strconv.IsGraphic(0xa0)", "true"),
            ("strconv.IntSize", "64"),
        ],
    );
    fail(
        "strconv",
        &[
            (r#"strconv.ParseUint("-0", 10, 8)"#, "invalid syntax"),
            (r#"strconv.ParseInt("1", 10, -5)"#, "invalid bit size"),
            (r#"strconv.ParseInt("128", 10, 8)"#, "out of range"),
            ("strconv.FormatUint(-1, 10)", "unsigned"),
            ("strconv.FormatFloat(1, 0x67, 1, 16)", "invalid bit size"),
        ],
    );
    hold("strings", &[(r#"strings.Compare("a", "b")"#, "-1"), (r#"strings.Compare("a", "a")"#, "0")]);
}

#[test]
fn durations_are_exact_and_layouts_whole() {
    hold(
        "time",
        &[
            (r#"time.ParseDuration("1h0.000000001s")"#, "3600000000001"),
            (r#"time.ParseDuration("2540400h10m10.000000001s")"#, "9145440610000000001"),
            (r#"time.ParseDuration("-1.5h")"#, "-5400000000000"),
            (r#"time.ParseDuration(".5us")"#, "500"),
            (r#"time.FormatString("3:04PM", "2020-02-03T15:04:05Z")"#, r#""3:04PM""#),
            (r#"time.FormatString("15:04:05.000", "2020-02-03T15:04:05.5Z")"#, r#""15:04:05.500""#),
            (
                r#"time.FormatString(time.RFC850, "2020-02-03T15:04:05Z")"#,
                r#""Monday, 03-Feb-20 15:04:05 UTC""#,
            ),
            ("time.Kitchen24", r#""15:04""#),
        ],
    );
    fail(
        "time",
        &[
            (r#"time.ParseDuration("1.2.3s")"#, "invalid duration"),
            (r#"time.ParseDuration("1")"#, "invalid duration"),
        ],
    );
}

#[test]
fn encodings_are_strict() {
    hold(
        "encoding/csv",
        &[
            (r#"csv.Decode("a,\"b \"\"c\"\"\"\r\n\n1,\"x\ny\"\n")"#, r#"[["a","b \"c\""],["1","x\ny"]]"#),
            (r#"csv.Decode("a,\n")"#, r#"[["a",""]]"#),
            (r#"csv.Decode("")"#, "[]"),
        ],
    );
    fail(
        "encoding/csv",
        &[
            (r#"csv.Decode("a,b\nc\n")"#, "record 2: wrong number of fields"),
            (r#"csv.Decode("a,b\"c\n")"#, "bare \" in non-quoted field"),
            (r#"csv.Decode("a,\"b\"c\n")"#, "quoted-field"),
            (r#"csv.Decode("a,\"b")"#, "quoted-field"),
        ],
    );
    hold(
        "encoding/json",
        &[
            (r#"json.UnmarshalStream("{\"a\":1}\n2 3")"#, r#"[{"a":1},2,3]"#),
            (r#"json.HTMLEscape("\"<a&b>\"")"#, r#""\"\\u003ca\\u0026b\\u003e\"""#),
            (r#"json.Validate("{\"a\":1}", {a: int})"#, "true"),
        ],
    );
    fail("encoding/json", &[(r#"json.Validate("{\"a\":1}", {a: int, b: int})"#, "does not satisfy")]);
    hold(
        "encoding/yaml",
        &[
            (r#"yaml.UnmarshalStream("a: 1")"#, r#"[{"a":1}]"#),
            (r#"yaml.Validate("a: 1\n---\na: 2", {a: int})"#, "true"),
            (r#"yaml.ValidatePartial("a: 1", {a: int, b: int})"#, "true"),
            (r#"yaml.ValidatePartial("a: 1", {a: int, b!: int})"#, "true"),
        ],
    );
    fail(
        "encoding/yaml",
        &[
            (r#"yaml.Validate("a: 1", {a: int, b: int})"#, "does not satisfy"),
            (r#"yaml.Validate("a: 1\n---\na: x", {a: int})"#, "does not satisfy"),
            (r#"yaml.ValidatePartial("a: x", {a: int})"#, "does not satisfy"),
        ],
    );
    hold("encoding/hex", &[("hex.EncodedLen(3)", "6"), ("hex.DecodedLen(6)", "3")]);
    hold(
        "html",
        &[
            (r#"html.Unescape("&#233;&#xe9;&amp;lt;&quot;&unknown;&")"#, r#""éé&lt;\"&unknown;&""#),
            (r#"html.Unescape(html.Escape("<a href='x'>"))"#, r#""<a href='x'>""#),
        ],
    );
}

#[test]
fn what_is_not_there_is_named_with_what_is_like_it() {
    fail(
        "strings",
        &[
            (
                r#"strings.ToUper("a")"#,
                "cannot find ToUper in package strings; did you mean strings.ToUpper?",
            ),
            (r#"strings.Frobnicate("a")"#, "cannot find Frobnicate in package strings"),
        ],
    );
    let errors = cue::compile("t.cue", "import \"encodng/json\"\n\na: json.Marshal(1)\n").unwrap_err();
    assert!(errors.0[0].message.contains("did you mean \"encoding/json\"?"), "{errors}");
    assert_eq!(errors.0[0].positions.len(), 1, "{errors}");
}

#[test]
fn a_value_goes_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<cue::Value>();
    let value = cue::compile("t.cue", "a: 1\nb: a + 1\n").unwrap();
    let seen: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| value.to_json().unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(seen.iter().all(|json| json == r#"{"a":1,"b":2}"#), "{seen:?}");
}
