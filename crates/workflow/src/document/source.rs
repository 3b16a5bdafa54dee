//! YAML and JSON text to a tree that knows where everything stands.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

use crate::limits;

/// A place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    /// Line, from 1.
    pub(crate) line: u32,
    /// Column in characters, from 1.
    pub(crate) column: u32,
}

impl From<&Marker> for Mark {
    fn from(marker: &Marker) -> Self {
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self { line: narrow(marker.line()), column: narrow(marker.col()).saturating_add(1) }
    }
}

/// A value and where it begins.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Mark,
    pub(crate) data: Data,
}

/// A JSON value whose parts know where they are.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) at: Mark,
}

impl Node {
    /// The value without places.
    pub(crate) fn to_value(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(bool) => Value::Bool(*bool),
            Data::Number(number) => Value::Number(number.clone()),
            Data::Text(text) => Value::String(text.clone()),
            Data::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Data::Map(members) => Value::Object(
                members.iter().map(|(key, node)| (key.text.clone(), node.to_value())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// What kind of value it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.data {
            Data::Null => "null",
            Data::Bool(_) => "a boolean",
            Data::Number(_) => "a number",
            Data::Text(_) => "a text",
            Data::List(_) => "a list",
            Data::Map(_) => "an object",
        }
    }
}

/// Why a text is no tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) at: Mark,
    pub(crate) message: String,
    pub(crate) kind: Wrong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Syntax,
    Duplicate,
    Limit,
}

/// Parses one YAML or JSON document.
pub(crate) fn parse(text: &str) -> Result<Node, Malformed> {
    if text.len() > limits::DOCUMENT_BYTES {
        let message =
            format!("the document has {} bytes, the limit is {}", text.len(), limits::DOCUMENT_BYTES);
        return Err(Malformed { at: Mark::default(), message, kind: Wrong::Limit });
    }
    // JSON may be indented with tabs, YAML may not. Inside JSON's texts a bare tab is not allowed, so nothing is lost.
    let json = text.trim_start().starts_with(['{', '[']) && text.contains('\t');
    let replaced = json.then(|| text.replace('\t', " "));
    Builder::default().build(replaced.as_deref().unwrap_or(text))
}

enum Open {
    List(Vec<Node>),
    Map(Vec<(Key, Node)>, Option<Key>),
}

struct Level {
    at: Mark,
    anchor: usize,
    open: Open,
}

#[derive(Default)]
struct Builder {
    stack: Vec<Level>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    root: Option<Node>,
}

fn wrong(at: Mark, kind: Wrong, message: impl Into<String>) -> Malformed {
    Malformed { at, message: message.into(), kind }
}

impl Builder {
    fn build(mut self, text: &str) -> Result<Node, Malformed> {
        let mut parser = Parser::new_from_str(text);
        let mut documents = 0;
        while let Some(next) = parser.next_event() {
            let (event, span) = next.map_err(|error| {
                // The scanner has a limit of its own on nesting, which it can reach before we see the levels.
                let deep = error.info().contains("recursion limit");
                let kind = if deep { Wrong::Limit } else { Wrong::Syntax };
                wrong(error.marker().into(), kind, error.info().to_owned())
            })?;
            let at = Mark::from(&span.start);
            match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(wrong(
                            at,
                            Wrong::Syntax,
                            "a file holds one workflow, this is a second document",
                        ));
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let data = scalar(&text, style, tag.as_deref(), at)?;
                    self.add(Node { at, data }, anchor, 1)?;
                }
                Event::SequenceStart(anchor, _) => self.open(at, anchor, Open::List(Vec::new()))?,
                Event::MappingStart(anchor, _) => self.open(at, anchor, Open::Map(Vec::new(), None))?,
                Event::SequenceEnd | Event::MappingEnd => self.close()?,
                Event::Alias(anchor) => self.alias(at, anchor)?,
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
            }
        }
        self.root.ok_or_else(|| wrong(Mark { line: 1, column: 1 }, Wrong::Syntax, "the document is empty"))
    }

    fn open(&mut self, at: Mark, anchor: usize, open: Open) -> Result<(), Malformed> {
        if self.stack.len() >= limits::DOCUMENT_DEPTH {
            let message = format!("nested deeper than {} levels", limits::DOCUMENT_DEPTH);
            return Err(wrong(at, Wrong::Limit, message));
        }
        if let Some(Level { open: Open::Map(_, None), .. }) = self.stack.last() {
            return Err(wrong(at, Wrong::Syntax, "a key must be a text"));
        }
        self.stack.push(Level { at, anchor, open });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Malformed> {
        let Some(Level { at, anchor, open }) = self.stack.pop() else {
            return Ok(());
        };
        let (data, size) = match open {
            Open::List(items) => (Data::List(items), 1),
            Open::Map(members, _) => (Data::Map(members), 1),
        };
        self.add(Node { at, data }, anchor, size)
    }

    fn alias(&mut self, at: Mark, anchor: usize) -> Result<(), Malformed> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return Err(wrong(at, Wrong::Syntax, "an alias inside of what it stands for"));
        };
        let (node, size) = (node.clone(), *size);
        let depth = self.stack.len() + depth(&node);
        if depth > limits::DOCUMENT_DEPTH {
            return Err(wrong(at, Wrong::Limit, "an alias nests the document too deep"));
        }
        self.add(Node { at, data: node.data }, 0, size)
    }

    fn add(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Malformed> {
        self.nodes += size;
        if self.nodes > limits::DOCUMENT_NODES {
            let message = format!("more than {} values once aliases are expanded", limits::DOCUMENT_NODES);
            return Err(wrong(node.at, Wrong::Limit, message));
        }
        if anchor > 0 {
            let size = count(&node);
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.stack.last_mut().map(|level| &mut level.open) {
            None => self.root = Some(node),
            Some(Open::List(items)) => items.push(node),
            Some(Open::Map(members, pending)) => match pending.take() {
                Some(key) => members.push((key, node)),
                None => *pending = Some(as_key(node, members)?),
            },
        }
        Ok(())
    }
}

fn as_key(node: Node, members: &[(Key, Node)]) -> Result<Key, Malformed> {
    let at = node.at;
    let text = match node.data {
        Data::Text(text) => text,
        Data::Bool(bool) => bool.to_string(),
        Data::Number(number) => number.to_string(),
        Data::Null => "null".to_owned(),
        Data::List(_) | Data::Map(_) => return Err(wrong(at, Wrong::Syntax, "a key must be a text")),
    };
    if members.iter().any(|(key, _)| key.text == text) {
        return Err(wrong(at, Wrong::Duplicate, format!("the key `{text}` appears twice in one object")));
    }
    Ok(Key { text, at })
}

fn depth(node: &Node) -> usize {
    match &node.data {
        Data::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Data::Map(members) => 1 + members.iter().map(|(_, node)| depth(node)).max().unwrap_or(0),
        _ => 0,
    }
}

fn count(node: &Node) -> usize {
    match &node.data {
        Data::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Data::Map(members) => 1 + members.iter().map(|(_, node)| 1 + count(node)).sum::<usize>(),
        _ => 1,
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Mark) -> Result<Data, Malformed> {
    match tag.map(|tag| (tag.is_yaml_core_schema(), tag.suffix.as_str())) {
        Some((true, "str")) => return Ok(Data::Text(text.to_owned())),
        Some((true, "null" | "bool" | "int" | "float")) | None => {}
        Some((_, suffix)) => {
            return Err(wrong(at, Wrong::Syntax, format!("the tag `{suffix}` has no meaning here")));
        }
    }
    if style != ScalarStyle::Plain {
        return Ok(Data::Text(text.to_owned()));
    }
    Ok(plain(text))
}

/// The core schema of YAML 1.2 (section 10.3.2), without what JSON cannot hold.
fn plain(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "true" | "True" | "TRUE" => return Data::Bool(true),
        "false" | "False" | "FALSE" => return Data::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Data::Text(text.to_owned()), Data::Number)
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let first = unsigned.chars().next()?;
    if !(first.is_ascii_digit() || first == '.') {
        return None;
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(Number::from);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let plain = text.strip_prefix('+').unwrap_or(text);
        let small =
            plain.parse::<i64>().map(Number::from).or_else(|_| plain.parse::<u64>().map(Number::from));
        return small.ok().or_else(|| Number::from_f64(plain.parse().ok()?));
    }
    let shaped = unsigned
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
        && unsigned.bytes().any(|byte| byte.is_ascii_digit());
    shaped.then(|| text.parse::<f64>().ok()).flatten().and_then(Number::from_f64)
}

/// JSON as a tree, all of it at one place.
pub(crate) fn from_value(value: &Value, at: Mark) -> Node {
    let data = match value {
        Value::Null => Data::Null,
        Value::Bool(bool) => Data::Bool(*bool),
        Value::Number(number) => Data::Number(number.clone()),
        Value::String(text) => Data::Text(text.clone()),
        Value::Array(items) => Data::List(items.iter().map(|item| from_value(item, at)).collect()),
        Value::Object(members) => Data::Map(
            members
                .iter()
                .map(|(key, member)| (Key { text: key.clone(), at }, from_value(member, at)))
                .collect(),
        ),
    };
    Node { at, data }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yaml_and_json_give_the_same_tree() {
        let yaml = "a: 1\nb: [x, 'true', true, ~, 1.5, 0x1f]\nc:\n  - d: |\n      text\n";
        let json = "{\n\t\"a\": 1,\n\t\"b\": [\"x\", \"true\", true, null, 1.5, 31],\n\t\"c\": [{\"d\": \"text\\n\"}]\n}";
        assert_eq!(parse(yaml).unwrap().to_value(), parse(json).unwrap().to_value());
        assert_eq!(parse("2.0.0").unwrap().to_value(), json!("2.0.0"));
        assert_eq!(parse("2024-01-01").unwrap().to_value(), json!("2024-01-01"));
    }

    #[test]
    fn every_value_knows_its_place() {
        let node = parse("a: 1\nbb:\n  - x\n  - y: z\n").unwrap();
        let Data::Map(members) = node.data else { panic!("an object") };
        assert_eq!(members[1].0.at, Mark { line: 2, column: 1 });
        let Data::List(items) = &members[1].1.data else { panic!("a list") };
        assert_eq!(items[1].at, Mark { line: 4, column: 5 });
    }

    #[test]
    fn hostile_texts_are_refused() {
        let deep = "[".repeat(100_000);
        assert_eq!(parse(&deep).unwrap_err().kind, Wrong::Limit);
        let laughs = (1..9).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, n| {
            let alias = format!("*a{}", n - 1);
            format!("{text}a{n}: &a{n} [{}]\n", [alias.as_str(); 9].join(","))
        });
        assert_eq!(parse(&laughs).unwrap_err().kind, Wrong::Limit);
        assert_eq!(parse("a: 1\na: 2").unwrap_err().kind, Wrong::Duplicate);
        assert_eq!(parse("a: &x [*x]").unwrap_err().kind, Wrong::Syntax);
        assert_eq!(parse("a: 1\n---\nb: 2").unwrap_err().kind, Wrong::Syntax);
        assert_eq!(parse("").unwrap_err().kind, Wrong::Syntax);
        assert_eq!(parse(&" ".repeat(2 * 1024 * 1024)).unwrap_err().kind, Wrong::Limit);
        assert!(parse("a: [1, 2").is_err());
        assert!(parse("? [a]\n: 1").is_err());
    }
}
