//! `cue`: what each command says of a small module, right and wrong.

use crate::harness::{Sandbox, trials};

trials!(
    cue_eval_export_and_def_show_a_package,
    cue_vet_points_into_schema_and_data,
    cue_fmt_changes_checks_and_shows,
    cue_import_writes_beside_the_data,
    cue_inputs_that_cannot_be_are_refused,
    cue_mistakes_have_codes_places_and_exits,
    cue_standard_library_is_listed,
    cue_answers_go_to_files_whole_or_not_at_all,
    cue_reads_nothing_outside_of_its_module,
    cue_tags_set_fields_and_choose_files,
    cue_tags_take_values_of_the_machine,
    cue_embeds_files_of_the_module,
);

fn module() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("cue.mod/module.cue", "module: \"example.com/shop\"\nlanguage: version: \"v0.9.0\"\n");
    sandbox.write(
        "shop.cue",
        "package shop\n\nimport \"example.com/shop/ports\"\n\n// A service.\n#Service: {\n\tname!: string\n\
         \tport:  int & >0 | *ports.web\n\tnote?: string\n}\n\nweb: #Service & {name: \"web\"}\n_secret: 1\n",
    );
    sandbox.write("ports/ports.cue", "package ports\n\nweb: 8080\n");
    sandbox.write("good.yaml", "name: api\nport: 90\n");
    sandbox
}

fn cue_eval_export_and_def_show_a_package() {
    let mut sandbox = module();
    for args in [
        &["cue", "eval"][..],
        &["cue", "eval", "--all"],
        &["cue", "eval", "-e", "web.port", "-e", "#Service"],
        &["cue", "eval", "./..."],
        &["cue", "export"],
        &["cue", "export", "--out", "yaml", "-e", "web"],
        &["cue", "export", "--out", "toml", "-e", "web"],
        &["cue", "export", "--out", "text", "-e", "web.name"],
        &["cue", "export", "--out", "cue"],
        &["cue", "export", "-d", "#Service", "good.yaml", "."],
        &["cue", "def", "-e", "#Service"],
    ] {
        assert_eq!(sandbox.run(args).exit, 0, "{args:?}");
    }
    let said = sandbox.run_with_input(&["cue", "export", "-"], "a: 1 + 1\n");
    assert_eq!(said.json()["a"], 2);
    sandbox.snapshot("cue-show");
}

fn cue_vet_points_into_schema_and_data() {
    let mut sandbox = module();
    sandbox.write("bad.yaml", "name: api\nport: \"x\"\nnots: y\n");
    sandbox.write("bad.json", "{\n  \"name\": \"é\",\n  \"port\": -1\n}\n");
    assert_eq!(sandbox.run(&["cue", "vet"]).exit, 0);
    assert_eq!(sandbox.run(&["cue", "vet", "-d", "#Service", "good.yaml", "."]).exit, 0);
    assert_eq!(sandbox.run(&["cue", "vet", "-d", "#Service", "bad.yaml", "."]).exit, 1);
    assert_eq!(sandbox.run(&["cue", "vet", "-d", "#Service", "bad.json", "."]).exit, 1);
    assert_eq!(sandbox.run(&["cue", "vet", "-d", "#Service", "bad.json", ".", "--json"]).exit, 1);
    assert_eq!(sandbox.run(&["cue", "vet", "-d", "#Nothing", "good.yaml", "."]).exit, 2);
    sandbox.snapshot("cue-vet");
}

fn cue_fmt_changes_checks_and_shows() {
    let mut sandbox = module();
    sandbox.write("wild.cue", "package shop\n// kept\nx:{a:1, bcd:   2} // also kept\n");
    let before = sandbox.files();
    assert_eq!(sandbox.run(&["cue", "fmt", "--check"]).exit, 1);
    assert_eq!(sandbox.run(&["cue", "fmt", "--diff"]).exit, 0);
    assert_eq!(sandbox.files(), before);
    assert_eq!(sandbox.run(&["cue", "fmt"]).exit, 0);
    assert_eq!(sandbox.run(&["cue", "fmt", "--check", "./..."]).exit, 0);
    assert_eq!(sandbox.run_with_input(&["cue", "fmt", "-"], "a:1\n").stdout, "a: 1\n");
    sandbox.write("wild.cue", "package shop\nx: {\n");
    assert_eq!(sandbox.run(&["cue", "fmt"]).exit, 2);
    sandbox.snapshot("cue-fmt");
}

fn cue_import_writes_beside_the_data() {
    let mut sandbox = Sandbox::new();
    sandbox.write("data.json", r#"{"a": {"b-c": [1, 2.5, null]}, "d": "e\nf"}"#);
    sandbox.write("two.yaml", "a: 1\n---\na: 2\n");
    assert_eq!(
        sandbox.run(&["cue", "import", "-o", "-", "-p", "shop", "-l", "x", "-l", "y z", "data.json"]).exit,
        0
    );
    assert_eq!(sandbox.run(&["cue", "import", "data.json", "two.yaml"]).exit, 0);
    let again = sandbox.run(&["cue", "import", "data.json"]);
    assert_eq!(again.exit, 1, "{again:?}");
    assert_eq!(sandbox.run(&["cue", "import", "--force", "data.json"]).exit, 0);
    assert_eq!(sandbox.run(&["cue", "export", "data.cue"]).json()["a"]["b-c"][1], 2.5);
    assert_eq!(sandbox.run(&["cue", "export", "two.cue"]).json()[1]["a"], 2);
    sandbox.snapshot("cue-import");
}

fn cue_inputs_that_cannot_be_are_refused() {
    let mut sandbox = module();
    sandbox.write("two/a.cue", "package a\n");
    sandbox.write("two/b.cue", "package b\nb: 1\n");
    sandbox.write("notes.md", "text\n");
    for args in [
        &["cue", "eval", "missing"][..],
        &["cue", "eval", "missing.cue"],
        &["cue", "eval", "notes.md"],
        &["cue", "eval", "two"],
        &["cue", "eval", "two:c"],
        &["cue", "eval", "two", "shop.cue"],
        &["cue", "export", "--out", "xml"],
    ] {
        assert_eq!(sandbox.run(args).exit, 2, "{args:?}");
    }
    assert_eq!(sandbox.run(&["cue", "export", "two:b"]).json()["b"], 1);
    assert_eq!(sandbox.run(&["cue", "export", "-p", "b", "two"]).json()["b"], 1);
    sandbox.snapshot("cue-refused");
}

fn cue_mistakes_have_codes_places_and_exits() {
    let mut sandbox = Sandbox::new();
    for (name, text, exit) in [
        ("syntax.cue", "a: {\n\tb: [1, 2\n}\n", 2),
        ("name.cue", "a: b\n", 2),
        ("import.cue", "import \"example.org/nothing\"\n\na: nothing.b\n", 2),
        ("standard.cue", "import \"strngs\"\n\na: strngs.ToUpper(\"x\")\n", 2),
        ("conflict.cue", "a: int\n\na: \"x\"\nb: 1 & 2\n", 1),
        ("closed.cue", "#A: {name: string}\na: #A & {nmae: \"x\"}\n", 1),
        ("open.cue", "a: int\nb: string\n", 1),
        ("loop.cue", "a: {b: a}\n", 1),
    ] {
        sandbox.write(name, text);
        let said = sandbox.run(&["cue", "export", name]);
        assert_eq!(said.exit, exit, "{name}: {said:?}");
    }
    sandbox.snapshot("cue-mistakes");
}

fn cue_standard_library_is_listed() {
    let mut sandbox = Sandbox::new();
    let said = sandbox.run(&["cue", "std"]);
    assert!(said.stdout.lines().any(|line| line == "encoding/json"), "{said:?}");
    let said = sandbox.run(&["cue", "std", "strings"]);
    assert!(said.stdout.lines().any(|line| line == "strings.ToUpper"), "{said:?}");
    assert_eq!(sandbox.run(&["cue", "std", "nothing"]).exit, 1);
}

fn cue_answers_go_to_files_whole_or_not_at_all() {
    let mut sandbox = module();
    assert_eq!(sandbox.run(&["cue", "export", "-o", "out.yaml"]).exit, 0);
    let written = fs_err::read_to_string(sandbox.root().join("out.yaml")).unwrap();
    assert_eq!(written, "web:\n  name: web\n  port: 8080\n");
    assert_eq!(sandbox.run(&["cue", "export", "-o", "out.yaml"]).exit, 1);
    let before = sandbox.files();
    assert_eq!(sandbox.run(&["cue", "export", "-e", "#Service", "-f", "-o", "out.yaml"]).exit, 1);
    assert_eq!(sandbox.files(), before);
    assert_eq!(sandbox.run(&["cue", "export", "-f", "-o", "out.yaml"]).exit, 0);
}

fn cue_reads_nothing_outside_of_its_module() {
    let mut sandbox = module();
    sandbox.write("bad/bad.cue", "package bad\n\nimport \"example.com/shop/out\"\n\na: out.x\n");
    std::os::unix::fs::symlink("/etc", sandbox.root().join("out")).unwrap();
    let said = sandbox.run(&["cue", "export", "./bad"]);
    assert_eq!(said.exit, 2, "{said:?}");
    assert!(said.stderr.contains("outside of the module"), "{said:?}");
}

fn cue_tags_set_fields_and_choose_files() {
    let mut sandbox = module();
    sandbox.write(
        "ports/tags.cue",
        "package ports\n\nenv:    *\"test\" | string @tag(env,short=prod|dev)\nscale?: int\nweb: int\n\
         count:  int | *1         @tag(count,type=int)\n",
    );
    sandbox.write("ports/debug.cue", "@if(debug && !(quiet || prod))\n\npackage ports\n\nverbose: true\n");
    assert_eq!(sandbox.run(&["cue", "export", "./ports"]).json()["env"], "test");
    let said = sandbox.run(&["cue", "export", "./ports", "-t", "prod", "-t", "count=3"]).json();
    assert_eq!((said["env"].as_str(), said["count"].as_i64()), (Some("prod"), Some(3)));
    assert_eq!(sandbox.run(&["cue", "export", "./ports", "-t", "debug"]).json()["verbose"], true);
    assert!(
        sandbox.run(&["cue", "export", "./ports", "-t", "debug", "-t", "quiet"]).json()["verbose"].is_null()
    );
    assert_eq!(sandbox.run(&["cue", "eval", "./...", "-t", "env=dev"]).exit, 0);
    assert_eq!(sandbox.run(&["cue", "vet", "./...", "-t", "nothing=1"]).exit, 2);
    assert_eq!(sandbox.run(&["cue", "eval", "./ports", "-t", "nothing=1"]).exit, 2);
    assert_eq!(sandbox.run(&["cue", "eval", "./ports", "-t", "staging"]).exit, 2);
    assert_eq!(sandbox.run(&["cue", "eval", "./ports", "-t", "count=many"]).exit, 2);
    sandbox.snapshot("cue-tags");
}

fn cue_tags_take_values_of_the_machine() {
    let mut sandbox = Sandbox::new();
    sandbox.write(
        "machine.cue",
        "package machine\n\nnow: string @tag(now,var=now)\nuser: *\"nobody\" | string @tag(user,var=username)\n\
         os: string @tag(os,var=os)\narch: string @tag(arch,var=arch)\ncwd: string @tag(cwd,var=cwd)\n\
         host: string @tag(host,var=hostname)\nn: int & >=0 & <1<<128 @tag(n,var=rand)\n\
         same: int @tag(m,var=rand)\n"
            .replace("1<<128", "340282366920938463463374607431768211456")
            .as_str(),
    );
    let said = sandbox.run(&["cue", "export", "--inject-vars"]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    let said = said.json();
    assert!(said["now"].as_str().unwrap().ends_with('Z'));
    assert_eq!(said["user"], "maria");
    let directory = sandbox.root().canonicalize().unwrap();
    assert_eq!((said["os"].as_str(), said["cwd"].as_str()), (Some("linux"), directory.to_str()));
    assert!(["amd64", "arm64"].contains(&said["arch"].as_str().unwrap()));
    assert_eq!(said["host"].as_str(), rustix::system::uname().nodename().to_str().ok());
    assert_eq!(said["n"], said["same"], "one evaluation has one value");
    let given = sandbox.run(&["cue", "export", "-T", "-t", "now=then", "-e", "now", "--out", "text"]);
    assert_eq!(given.stdout, "then");
    assert_eq!(sandbox.run(&["cue", "export", "-e", "user"]).json(), "nobody", "only where it is asked for");
    assert_eq!(sandbox.run(&["cue", "vet", "-c"]).exit, 1);
    assert_eq!(sandbox.run(&["cue", "vet", "-c", "-T"]).exit, 0);
    sandbox.write("machine.cue", "package machine\n\nnow: string @tag(now,var=clock)\n");
    assert_eq!(sandbox.run(&["cue", "eval"]).exit, 0);
    let unknown = sandbox.run(&["cue", "eval", "-T"]);
    assert_eq!(unknown.exit, 2);
    assert!(unknown.stderr.contains("machine.cue:3:13"), "{}", unknown.stderr);
}

fn cue_embeds_files_of_the_module() {
    let mut sandbox = module();
    sandbox.write("site/data/a.json", "{\"n\": 1}");
    sandbox.write("site/data/b.json", "{\"n\": 2}");
    sandbox.write("site/motd", "hello\n");
    sandbox.write(
        "site/site.cue",
        "@extern(embed)\n\npackage site\n\none: {n: int} @embed(file=data/a.json)\n\
         all: [string]: n: <9\nall: _ @embed(glob=data/*.json)\nmotd: string @embed(file=motd,type=text)\n",
    );
    let said = sandbox.run(&["cue", "export", "./site"]).json();
    assert_eq!(said["all"]["data/b.json"]["n"], 2);
    assert_eq!((said["one"]["n"].as_i64(), said["motd"].as_str()), (Some(1), Some("hello\n")));
    std::os::unix::fs::symlink("/etc/hostname", sandbox.root().join("site/out.txt")).unwrap();
    sandbox.write("site/site.cue", "@extern(embed)\n\npackage site\n\nout: _ @embed(file=out.txt)\n");
    let said = sandbox.run(&["cue", "export", "./site"]);
    assert_eq!(said.exit, 2, "{said:?}");
    assert!(said.stderr.contains("outside of the module"), "{said:?}");
}
