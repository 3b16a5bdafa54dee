//! A server that says what is not so: each command that can find it out does, and fails.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

use super::bench::{Person, Served};
use crate::terminal::Said;

/// What is made of an answer: of which path, and its body.
type Lie = fn(&str, String) -> String;

/// Stands for a server and changes what it says.
fn lying(to: &str, lie: Lie) -> String {
    let to = to.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let to = to.clone();
            std::thread::spawn(move || drop(answer(stream, &to, lie)));
        }
    });
    url
}

/// One request and its answer. Asked in the version of HTTP that has no chunks, so that a body ends where the connection does.
fn answer(mut asked: TcpStream, to: &str, lie: Lie) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        asked.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().replacen("HTTP/1.1", "HTTP/1.0", 1);
    let length = |head: &str| {
        let lower = head.to_ascii_lowercase();
        lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())
    };
    let mut body = vec![0; length(&head).unwrap_or(0)];
    asked.read_exact(&mut body)?;
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let mut server = TcpStream::connect(to)?;
    server.write_all(head.as_bytes())?;
    server.write_all(&body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let body = lie(&path, String::from_utf8(answer.split_off(end + 4)).unwrap());
    let head = String::from_utf8(answer).unwrap().replacen("HTTP/1.0", "HTTP/1.1", 1);
    let kept = |line: &&str| {
        let line = line.to_ascii_lowercase();
        !line.is_empty() && !line.starts_with("content-length:") && !line.starts_with("connection:")
    };
    let head: Vec<&str> = head.split("\r\n").filter(kept).collect();
    let more = format!("connection: close\r\ncontent-length: {}", body.len());
    write!(asked, "{}\r\n{more}\r\n\r\n{body}", head.join("\r\n"))
}

/// Somebody who asks the liar, and what they know from before.
struct Bench<'a> {
    person: Person<'a>,
    /// Size of a checkpoint that is not the newest.
    old: String,
}

impl<'a> Bench<'a> {
    /// A journal with two checkpoints, and the key that signed them in `good.key`, the older one in `old.note`.
    fn of(served: &'a Served) -> Self {
        let person = served.me();
        person.run(&["run", "plain"]).good();
        let signed = person.run(&["journal", "checkpoint", "--json", "--out", "old.note"]).good().json();
        person.run(&["run", "plain"]).good();
        person.run(&["journal", "checkpoint"]).good();
        let keys = person.run(&["journal", "keys", "list", "--json"]).good().json();
        let verifier = keys["keys"][0]["verifier"].as_str().unwrap();
        fs_err::write(person.home.path().join("good.key"), verifier).unwrap();
        Self { person, old: signed["size"].to_string() }
    }

    /// Has somebody else's word stand for the server's.
    fn told(&self, served: &Served, lie: Lie, args: &[&str]) -> Said {
        let (url, token) = (lying(&served.url, lie), served.token(&::project::machine::user_name()));
        self.person.remember(&url, &token, None);
        let said = self.person.command(args).env("AEDILE_SERVER", url).output().unwrap().into();
        self.person.remember(&served.url, &token, None);
        said
    }
}

fn edited(body: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(body).unwrap();
    change(&mut value);
    value.to_string()
}

/// Another digest of the same length.
fn other(digest: &Value) -> Value {
    let text = digest.as_str().unwrap();
    let first = if text.starts_with('0') { "1" } else { "0" };
    format!("{first}{}", &text[1..]).into()
}

#[test]
fn an_export_that_was_changed_on_the_way_fails_and_leaves_no_file() {
    let served = Served::start();
    let bench = Bench::of(&served);
    let file = bench.person.home.path().join("export.jsonl");
    fs_err::write(&file, "of before").unwrap();
    let export = ["journal", "export", "--out", "export.jsonl"];
    let changed: Lie = |path, body| {
        if path.ends_with("/journal/export") { body.replacen("shop/plain", "shop/plaim", 1) } else { body }
    };
    let cut: Lie = |path, body| {
        if !path.ends_with("/journal/export") {
            return body;
        }
        let lines: Vec<&str> = body.lines().collect();
        lines[..lines.len() - 1].join("\n") + "\n"
    };
    for (lie, code) in [(changed, "E0101"), (cut, "E0103")] {
        let said = bench.told(&served, lie, &export);
        assert!(said.exit == Some(6) && said.stderr.contains(&format!("error[{code}]")), "{said:?}");
        assert_eq!(fs_err::read_to_string(&file).unwrap(), "of before");
        let piped = bench.told(&served, lie, &["journal", "export"]);
        assert_eq!(piped.exit, Some(6), "{piped:?}");
    }
    let left = fs_err::read_dir(bench.person.home.path()).unwrap().filter_map(Result::ok);
    assert!(!left.into_iter().any(|entry| entry.file_name().to_string_lossy().contains("aedile-export")));
    // whoever says the truth is believed
    bench.told(&served, |_, body| body, &export).good();
    assert!(fs_err::read_to_string(&file).unwrap().lines().count() > 4);
    bench.person.run(&["journal", "export", "--out", "export.jsonl", "--key", "good.key"]).good();
    let verified = bench.person.run(&["journal", "export", "--key", "old.note"]);
    assert_eq!(verified.exit, Some(2), "a checkpoint is no key: {verified:?}");
}

#[test]
fn a_proof_that_one_checkpoint_continues_another_is_checked_here() {
    let served = Served::start();
    let bench = Bench::of(&served);
    let plain = ["journal", "prove", "--from", &bench.old];
    let with_key = [&plain[..], &["--key", "good.key"]].concat();
    let with_all = [&with_key[..], &["--checkpoint", "old.note"]].concat();
    for args in [&plain[..], &with_key, &with_all] {
        bench.told(&served, |_, body| body, args).good();
    }
    let path: Lie = |path, body| {
        if !path.contains("/consistency") {
            return body;
        }
        edited(&body, |proof| proof["path"][0] = other(&proof["path"][0]))
    };
    let shorter: Lie = |path, body| {
        if path.contains("/consistency") {
            edited(&body, |proof| proof["path"] = Value::Array(vec![]))
        } else {
            body
        }
    };
    let root: Lie = |path, body| {
        if !path.contains("/consistency") {
            return body;
        }
        edited(&body, |proof| proof["checkpoint"]["root"] = other(&proof["checkpoint"]["root"]))
    };
    for lie in [path, shorter, root] {
        let said = bench.told(&served, lie, &plain);
        assert!(said.exit == Some(6) && said.stderr.contains("error[E0113]"), "{said:?}");
        assert!(said.stdout.is_empty(), "{said:?}");
    }
    // another name over what was signed: without a key nobody notices, with one everybody does
    let renamed: Lie = |path, body| {
        if path.contains("/consistency") || path.ends_with("/checkpoints") {
            body.replace("shop/dev", "shoq/dev")
        } else {
            body
        }
    };
    let said = bench.told(&served, renamed, &with_key);
    assert!(said.exit == Some(6) && said.stderr.contains("error[E0111]"), "{said:?}");
    // a checkpoint that somebody kept is what counts, not the one that the server remembers
    let kept = fs_err::read_to_string(bench.person.home.path().join("old.note")).unwrap();
    let mut lines: Vec<&str> = kept.lines().collect();
    lines[2] = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    fs_err::write(bench.person.home.path().join("other.note"), lines.join("\n") + "\n").unwrap();
    let said = bench.person.run(&[&plain[..], &["--checkpoint", "other.note"]].concat());
    assert!(said.exit == Some(6) && said.stderr.contains("error[E0113]"), "{said:?}");
}

#[test]
fn a_proof_of_a_record_is_checked_with_a_key_where_there_is_one() {
    let served = Served::start();
    let bench = Bench::of(&served);
    let prove = ["journal", "prove", "1", "--key", "good.key"];
    bench.told(&served, |_, body| body, &prove).good();
    let unsigned: Lie = |path, body| {
        if !path.ends_with("/proof") {
            return body;
        }
        // the last line of the file is the signature
        edited(&body, |proof| {
            let file = proof["file"].as_str().unwrap().trim_end();
            let (before, signature) = file.rsplit_once(' ').unwrap();
            let swapped: String = signature.chars().rev().collect();
            let swapped = swapped.trim_start_matches('=');
            proof["file"] =
                format!("{before} {swapped}{}\n", "=".repeat(signature.len() - swapped.len())).into();
        })
    };
    let said = bench.told(&served, unsigned, &prove);
    assert_eq!(said.exit, Some(6), "{said:?}");
}
