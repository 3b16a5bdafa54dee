//! What a type needs to be let do: declared as patterns, filled in from a resource, checked against what is asked.
//!
//! The capability texts of a schema, which plans show to whoever approves:
//!
//! | text | lets |
//! |---|---|
//! | `read:PATH` | look at what is at the path or below it |
//! | `write:PATH` | the same, and change it |
//! | `parents:PATH` | create the directories that lead there |
//! | `query:PROGRAM WORDS` | run the program while looking, if its arguments begin with the words |
//! | `exec:PROGRAM WORDS` | the same while applying |
//! | `facts` | read the target's facts |
//! | `tcp:HOST:PORT`, `http:URL` | probe this |
//!
//! `{attribute}` stands for an attribute's value, a list for each of its items (in a program, for all of them as words); a
//! text whose attribute is not declared lets nothing. ` if ATTRIBUTE` at the end makes it depend on one that is declared
//! and not false.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde_json::Value;

use crate::description::TypeDescription;
use crate::exchange::{Attributes, Effect, Op, Query, Run};
use crate::limits::{PROBE_TIMEOUT_MS_MAX, RUN_TIMEOUT_S_MAX};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Read,
    Write,
    Parents,
    Query,
    Exec,
    Facts,
    Tcp,
    Http,
}

/// A capability text, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    verb: Verb,
    words: Vec<String>,
    condition: Option<String>,
}

/// Whether `text` is a capability that a type of a provider can declare.
///
/// # Errors
/// Why it is none.
pub fn check_capability(text: &str) -> Result<(), String> {
    text.parse::<Pattern>().map(drop)
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (body, condition) = match text.rsplit_once(" if ") {
            Some((body, condition)) => (body, Some(condition.to_owned())),
            None => (text, None),
        };
        let (verb, rest) = body.split_once(':').unwrap_or((body, ""));
        let verb = match verb {
            "read" => Verb::Read,
            "write" => Verb::Write,
            "parents" => Verb::Parents,
            "query" => Verb::Query,
            "exec" => Verb::Exec,
            "facts" => Verb::Facts,
            "tcp" => Verb::Tcp,
            "http" => Verb::Http,
            _ => return Err(format!("`{text}` is not a capability")),
        };
        let words: Vec<String> = match verb {
            Verb::Query | Verb::Exec => rest.split_whitespace().map(str::to_owned).collect(),
            _ => vec![rest.to_owned()],
        };
        if words.is_empty() || (rest.is_empty() && verb != Verb::Facts) {
            return Err(format!("`{text}` does not say what"));
        }
        if words.iter().any(|word| word.matches('{').count() != word.matches('}').count()) {
            return Err(format!("`{text}` has an unpaired brace"));
        }
        Ok(Self { verb, words, condition })
    }
}

impl Pattern {
    /// The attributes it depends on.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &str> {
        let placeholders = self.words.iter().flat_map(|word| {
            word.split('{').skip(1).filter_map(|piece| piece.split_once('}')).map(|(name, _)| name)
        });
        placeholders.chain(self.condition.as_deref())
    }

    /// The words with values in place of attributes; several where a list stands. `None` where one is not declared.
    fn filled(&self, values: &Attributes) -> Option<Vec<Vec<String>>> {
        if let Some(condition) = &self.condition {
            match values.get(condition) {
                None | Some(Value::Null | Value::Bool(false)) => return None,
                Some(_) => {}
            }
        }
        self.words.iter().map(|word| fill(word, values)).collect()
    }
}

/// What one word stands for.
fn fill(word: &str, values: &Attributes) -> Option<Vec<String>> {
    let Some((before, rest)) = word.split_once('{') else { return Some(vec![word.to_owned()]) };
    let (name, after) = rest.split_once('}')?;
    let own = match values.get(name)? {
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>()?
        }
        // a project's file is not on the target
        _ => return None,
    };
    let tails = fill(after, values)?;
    Some(own.iter().flat_map(|own| tails.iter().map(move |tail| format!("{before}{own}{tail}"))).collect())
}

/// The programs that looking at a resource runs because its configuration names them, as plans disclose them: what is named
/// by a type is known to look and nothing else, and of these nobody knows.
pub fn chosen_programs(kind: &TypeDescription, values: &Attributes) -> Vec<String> {
    let chosen = kind.patterns.iter().filter(|pattern| {
        pattern.verb == Verb::Query && pattern.words.first().is_some_and(|word| word.contains('{'))
    });
    chosen
        .filter_map(|pattern| Some(format!("query:{}", pattern.filled(values)?.concat().join(" "))))
        .collect()
}

/// What a session on a target has to be let do, in the runner's terms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// Programs.
    pub exec: BTreeSet<String>,
    /// Directories and files that may be looked at.
    pub read: BTreeSet<String>,
    /// Directories below which things may be changed.
    pub write: BTreeSet<String>,
}

impl Rights {
    /// Both.
    pub fn add(&mut self, other: Self) {
        self.exec.extend(other.exec);
        self.read.extend(other.read);
        self.write.extend(other.write);
    }
}

/// What one resource needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    read: Vec<String>,
    write: Vec<String>,
    parents: Vec<String>,
    queries: Vec<Vec<String>>,
    programs: Vec<Vec<String>>,
    facts: bool,
    tcp: Vec<String>,
    http: Vec<String>,
}

/// Whether `path` is absolute and plain, and is `root` or below it.
fn is_below(path: &str, root: &str) -> bool {
    let root = root.trim_end_matches('/');
    let plain = path.starts_with('/') && !path.split('/').any(|name| matches!(name, "." | ".."));
    plain && path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn parent(path: &str) -> String {
    match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) | None => "/".to_owned(),
        Some((parent, _)) => parent.to_owned(),
    }
}

/// The directory of the root directory that `path` is in.
fn top(path: &str) -> String {
    let mut names = path.split('/').filter(|name| !name.is_empty());
    match (names.next(), names.next()) {
        (Some(first), Some(_)) => format!("/{first}"),
        _ => "/".to_owned(),
    }
}

impl Needs {
    /// What a resource of a type needs.
    pub fn of(kind: &TypeDescription, values: &Attributes) -> Self {
        let mut needs = Self::default();
        for pattern in &kind.patterns {
            let Some(words) = pattern.filled(values) else { continue };
            match pattern.verb {
                Verb::Query => needs.queries.push(words.concat()),
                Verb::Exec => needs.programs.push(words.concat()),
                Verb::Facts => needs.facts = true,
                Verb::Read => needs.read.extend(words.concat()),
                Verb::Write => needs.write.extend(words.concat()),
                Verb::Parents => needs.parents.extend(words.concat()),
                Verb::Tcp => needs.tcp.extend(words.concat()),
                Verb::Http => needs.http.extend(words.concat()),
            }
        }
        needs
    }

    /// What texts as plans disclose them let; a text that is no capability lets nothing.
    pub fn from_texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut needs = Self::default();
        for text in texts {
            let Some((verb, rest)) = text.split_once(':') else {
                needs.facts |= text == "facts";
                continue;
            };
            let words = || rest.split(' ').map(str::to_owned).collect();
            match verb {
                "read" => needs.read.push(rest.to_owned()),
                "write" => needs.write.push(rest.to_owned()),
                "parents" => needs.parents.push(rest.to_owned()),
                "query" => needs.queries.push(words()),
                "exec" => needs.programs.push(words()),
                "tcp" => needs.tcp.push(rest.to_owned()),
                "http" => needs.http.push(rest.to_owned()),
                _ => {}
            }
        }
        needs
    }

    /// Everything, as plans disclose it and policy grants it: `write:/etc/motd`, `exec:/usr/bin/apt-get install nginx`.
    pub fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        let mut each = |verb: &str, all: &[String]| {
            texts.extend(all.iter().map(|one| format!("{verb}:{one}")));
        };
        each("read", &self.read);
        each("write", &self.write);
        each("parents", &self.parents);
        each("tcp", &self.tcp);
        each("http", &self.http);
        let programs = |verb: &'static str, all: &[Vec<String>]| -> Vec<String> {
            all.iter().map(|words| format!("{verb}:{}", words.join(" "))).collect()
        };
        texts.extend(programs("query", &self.queries));
        texts.extend(programs("exec", &self.programs));
        texts.extend(self.facts.then(|| "facts".to_owned()));
        texts.sort();
        texts.dedup();
        texts
    }

    /// What a session that only looks has to be let do.
    pub fn looking(&self) -> Rights {
        Rights {
            exec: self.queries.iter().filter_map(|words| words.first().cloned()).collect(),
            read: self.read.iter().chain(&self.write).cloned().collect(),
            write: BTreeSet::new(),
        }
    }

    /// What a session that changes has to be let do. A file is changed through its directory.
    pub fn changing(&self) -> Rights {
        let mut rights = self.looking();
        rights.exec.extend(self.programs.iter().filter_map(|words| words.first().cloned()));
        rights.write.extend(self.write.iter().map(|path| parent(path)));
        rights.write.extend(self.parents.iter().map(|path| top(path)));
        rights.read.extend(rights.write.iter().cloned());
        rights
    }

    /// Checks a query.
    ///
    /// # Errors
    /// What it would do that is not declared, to be read after `wants to`.
    pub fn allow_query(&self, query: &Query) -> Result<(), String> {
        match query {
            Query::Stat { path, .. } | Query::Read { path, .. } => self.reads(path),
            Query::Exec(run) if run.effect != Effect::Read => {
                Err(format!("run `{}` while looking, and it changes things", run.program))
            }
            Query::Exec(run) => runs(run, &self.queries),
            Query::Facts { .. } if self.facts => Ok(()),
            Query::Facts { .. } => Err("read facts".to_owned()),
            Query::Tcp { host, port, timeout_ms } => {
                let place = format!("{host}:{port}");
                timed(*timeout_ms)?;
                if self.tcp.contains(&place) { Ok(()) } else { Err(format!("connect to {place}")) }
            }
            Query::Http { url, timeout_ms, .. } => {
                timed(*timeout_ms)?;
                if self.http.contains(url) { Ok(()) } else { Err("send a request elsewhere".to_owned()) }
            }
        }
    }

    /// Checks an operation. What is queried while applying may also use what applying may.
    ///
    /// # Errors
    /// What it would do that is not declared, to be read after `wants to`.
    pub fn allow(&self, op: &Op) -> Result<(), String> {
        match op {
            Op::Query { query } => self.allow_query(query),
            Op::Write { path, parents, .. } | Op::Directory { path, parents, .. } => {
                self.writes(path)?;
                if *parents && !self.parents.iter().any(|root| is_below(path, root)) {
                    return Err(format!("create the directories that lead to {path}"));
                }
                Ok(())
            }
            Op::Set { path, .. } | Op::Remove { path, .. } | Op::Symlink { path, .. } => self.writes(path),
            Op::Exec(run) => runs(run, &self.programs),
        }
    }

    fn reads(&self, path: &str) -> Result<(), String> {
        let mut roots = self.read.iter().chain(&self.write);
        if roots.any(|root| is_below(path, root)) { Ok(()) } else { Err(format!("look at {path:?}")) }
    }

    fn writes(&self, path: &str) -> Result<(), String> {
        let allowed = self.write.iter().any(|root| is_below(path, root));
        if allowed { Ok(()) } else { Err(format!("change {path:?}")) }
    }
}

fn runs(run: &Run, declared: &[Vec<String>]) -> Result<(), String> {
    if run.timeout_s == 0 || run.timeout_s > RUN_TIMEOUT_S_MAX {
        return Err(format!("run `{}` for {} seconds", run.program, run.timeout_s));
    }
    let words = || std::iter::once(&run.program).chain(&run.args);
    let allowed = declared.iter().any(|declared| {
        words().count() >= declared.len() && words().zip(declared).all(|(word, declared)| word == declared)
    });
    // arguments are not repeated: a provider under suspicion may have put anything there
    if allowed { Ok(()) } else { Err(format!("run `{}` this way", run.program)) }
}

fn timed(timeout_ms: u32) -> Result<(), String> {
    if (1..=PROBE_TIMEOUT_MS_MAX).contains(&timeout_ms) {
        Ok(())
    } else {
        Err(format!("probe for {timeout_ms} milliseconds"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Ownership;
    use serde_json::json;

    fn needs(texts: &[&str], values: &Value) -> Needs {
        let attributes: Attributes = values.as_object().unwrap().clone();
        let names: Vec<_> = ["path", "parents", "program", "unless", "host", "port"].into_iter().collect();
        let mut document = json!({"name": "x", "version": "1", "types": {"x::y": {"attributes": {}, "capabilities": texts}}});
        for name in names {
            document["types"]["x::y"]["attributes"][name] = json!({"type": "any"});
        }
        let description = crate::Description::parse("x", &document.to_string()).unwrap();
        Needs::of(description.types.values().next().unwrap(), &attributes)
    }

    fn look(path: &str) -> Query {
        Query::Stat { path: path.into(), digest: false, follow: false }
    }

    fn run(words: &[&str], effect: Effect) -> Run {
        Run {
            program: words[0].into(),
            args: words[1..].iter().map(|&word| word.into()).collect(),
            env: Vec::new(),
            cwd: None,
            input: None,
            output_max: 0,
            effect,
            timeout_s: 1,
        }
    }

    #[test]
    fn infrastructure_31_what_is_not_declared_is_refused() {
        let needs = needs(
            &["write:{path}", "parents:{path} if parents"],
            &json!({"path": "/srv/app/x", "parents": false}),
        );
        assert_eq!(needs.allow_query(&look("/srv/app/x")), Ok(()));
        for path in [
            "/srv/app",
            "/srv/app/x-evil",
            "/srv/app/../app/x",
            "srv/app/x",
            "/etc/shadow",
            "/srv/app/x/../../y",
        ] {
            assert!(needs.allow_query(&look(path)).is_err(), "{path}");
            let op = Op::Remove { path: path.into(), recursive: true };
            assert!(needs.allow(&op).is_err(), "{path}");
        }
        let directory =
            |parents| Op::Directory { path: "/srv/app/x".into(), parents, attributes: Ownership::default() };
        assert_eq!(needs.allow(&directory(false)), Ok(()));
        assert!(needs.allow(&directory(true)).is_err(), "parents are conditional");
        assert!(needs.allow_query(&Query::Facts { parts: vec![] }).is_err());
    }

    #[test]
    fn programs_are_bound_to_their_leading_words_and_looking_does_not_change() {
        let needs = needs(
            &["query:systemctl show", "exec:systemctl", "query:{unless}"],
            &json!({"unless": ["test", "-e", "/x"]}),
        );
        let query = |words: &[&str], effect| needs.allow_query(&Query::Exec(run(words, effect)));
        assert_eq!(query(&["systemctl", "show", "nginx"], Effect::Read), Ok(()));
        assert_eq!(query(&["test", "-e", "/x"], Effect::Read), Ok(()));
        assert!(query(&["test", "-e"], Effect::Read).is_err());
        assert!(query(&["systemctl", "stop", "nginx"], Effect::Read).is_err());
        assert!(query(&["systemctl", "show"], Effect::Idempotent).is_err());
        assert_eq!(needs.allow(&Op::Exec(run(&["systemctl", "stop"], Effect::Idempotent))), Ok(()));
        assert!(needs.allow(&Op::Exec(run(&["sh"], Effect::Idempotent))).is_err());
        assert_eq!(needs.looking().exec.into_iter().collect::<Vec<_>>(), ["systemctl", "test"]);
    }

    #[test]
    fn a_session_gets_no_more_than_the_directory() {
        let one = needs(&["write:{path}"], &json!({"path": "/etc/app/x.conf"}));
        assert!(one.looking().write.is_empty(), "who looks changes nothing");
        assert_eq!(one.changing().write.into_iter().collect::<Vec<_>>(), ["/etc/app"]);
        let deep = needs(
            &["write:{path}", "parents:{path} if parents"],
            &json!({"path": "/srv/a/b/c", "parents": true}),
        );
        assert_eq!(deep.changing().write.into_iter().collect::<Vec<_>>(), ["/srv", "/srv/a/b"]);
        let probe = needs(&["tcp:{host}:{port}"], &json!({"host": "db", "port": 5432}));
        let tcp = |port| Query::Tcp { host: "db".into(), port, timeout_ms: 10 };
        assert_eq!(probe.allow_query(&tcp(5432)), Ok(()));
        assert!(probe.allow_query(&tcp(22)).is_err());
    }

    #[test]
    fn what_is_disclosed_lets_what_was_needed_and_nothing_else() {
        let all = [
            "write:{path}",
            "parents:{path} if parents",
            "query:{unless}",
            "exec:{program} -q",
            "facts",
            "tcp:{host}:1",
        ];
        let values = json!({
            "path": "/srv/a b", "parents": true, "unless": ["test", "-e", "/x"], "program": "apt", "host": "db"
        });
        let needs = needs(&all, &values);
        let texts = needs.texts();
        assert_eq!(Needs::from_texts(texts.iter().map(String::as_str)), needs);
        assert_eq!(Needs::from_texts(["fly:/", "exec", "write"]), Needs::default());
    }

    #[test]
    fn texts_that_are_no_capability_are_refused() {
        for text in ["", "read", "read:", "fly:/", "exec:", "write:{path"] {
            assert!(text.parse::<Pattern>().is_err(), "{text:?}");
        }
    }
}
