//! One way to lay a workflow's text out, so that changes show what changed.
//!
//! YAML keeps its words, quotes, comments and the order of its members. What changes is the indentation (two columns a
//! level, lists indented under their key), blank lines (one at most), trailing spaces, line ends and the space after a
//! dash. JSON is printed with two columns a level. Formatting never changes what a document says: the result is
//! read again and compared, and a text whose layout is too unusual to be sure of comes back as it was.

use model::{Diagnostic, Location, code};
use serde_json::Value;

use crate::document::source::{self, Data, Node};

/// The canonical layout of a document; idempotent. The error says where the text is malformed.
///
/// ```
/// let text = "do:\n- a:\n     set:   # why\n        x: 1\n\n\n\n- b:\n     wait: PT1S   \n";
/// let formatted = workflow::format("w.yaml", text).unwrap();
/// assert_eq!(formatted, "do:\n  - a:\n      set:   # why\n        x: 1\n\n  - b:\n      wait: PT1S\n");
/// ```
pub fn format(file: &str, text: &str) -> Result<String, Box<Diagnostic>> {
    let before = source::parse(text).map_err(|malformed| {
        let location = Location {
            file: file.to_owned(),
            line: malformed.at.line,
            column: malformed.at.column,
            path: String::new(),
        };
        Box::new(Diagnostic::error(code::workflow::MALFORMED, malformed.message, location))
    })?;
    if serde_json::from_str::<Value>(text).is_ok() {
        let mut out = String::new();
        json(&before, 0, &mut out);
        out.push('\n');
        return Ok(out);
    }
    let formatted = Layout::default().lines(text);
    let value = before.to_value();
    let same = |text: &str| source::parse(text).is_ok_and(|after| after.to_value() == value);
    let stable = || Layout::default().lines(&formatted) == formatted;
    Ok(if same(&formatted) && stable() { formatted } else { text.to_owned() })
}

fn json(node: &Node, depth: usize, out: &mut String) {
    let indent = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', depth * 2));
    };
    match &node.data {
        Data::List(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                indent(out, depth + 1);
                json(item, depth + 1, out);
            }
            indent(out, depth);
            out.push(']');
        }
        Data::Map(members) if !members.is_empty() => {
            out.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                indent(out, depth + 1);
                out.push_str(&Value::from(key.text.as_str()).to_string());
                out.push_str(": ");
                json(member, depth + 1, out);
            }
            indent(out, depth);
            out.push('}');
        }
        _ => out.push_str(&node.to_value().to_string()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Dash,
    Content,
}

/// A column of the original that is a column of the result.
#[derive(Debug, Clone, Copy)]
struct Column {
    mark: Mark,
    old: usize,
    new: usize,
}

#[derive(Default)]
struct Layout {
    out: Vec<String>,
    columns: Vec<Column>,
    /// Comments wait for the line they stand before.
    comments: Vec<String>,
    blank: bool,
}

impl Layout {
    fn lines(mut self, text: &str) -> String {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
        let lines: Vec<&str> = text.lines().collect();
        let mut next = 0;
        while let Some(line) = lines.get(next) {
            next += 1;
            let trimmed = line.trim();
            if trimmed.is_empty() {
                self.blank = true;
                self.comments_break();
            } else if trimmed.starts_with('#') {
                self.comment(trimmed);
            } else {
                next += self.content(line, &lines[next..]);
            }
        }
        self.flush_comments(0);
        let mut result = self.out.join("\n");
        result.push('\n');
        result
    }

    fn comments_break(&mut self) {
        if self.comments.last().is_some_and(|last| !last.is_empty()) {
            self.comments.push(String::new());
            self.blank = false;
        }
    }

    fn comment(&mut self, text: &str) {
        if self.blank && self.comments.is_empty() && !self.out.is_empty() {
            self.comments.push(String::new());
        }
        self.blank = false;
        self.comments.push(text.to_owned());
    }

    fn flush_comments(&mut self, column: usize) {
        let mut comments = std::mem::take(&mut self.comments);
        if comments.last().is_some_and(String::is_empty) {
            comments.pop();
            self.blank = true;
        }
        for comment in comments {
            let padded = format!("{}{comment}", " ".repeat(column));
            self.out.push(padded.trim_end().to_owned());
        }
    }

    /// A line that begins a value, and how many of the lines after it belong to it.
    fn content(&mut self, line: &str, rest: &[&str]) -> usize {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let mut column = indent;
        let mut body = line.trim();
        let mut marks = Vec::new();
        while let Some(after) = body.strip_prefix("- ") {
            marks.push(self.place(Mark::Dash, column));
            column += 2 + (after.len() - after.trim_start().len());
            body = after.trim_start();
        }
        let first = if body == "-" {
            let dash = self.place(Mark::Dash, column);
            marks.first().copied().unwrap_or(dash)
        } else {
            let content = self.place(Mark::Content, column);
            marks.first().copied().unwrap_or(content)
        };
        self.flush_comments(first);
        if std::mem::take(&mut self.blank) && !self.out.is_empty() {
            self.out.push(String::new());
        }
        let dashes = "- ".repeat(marks.len());
        self.out.push(format!("{}{dashes}{body}", " ".repeat(first)));
        if is_block_header(body) {
            return self.block(rest);
        }
        self.continuation(line, first, indent, rest)
    }

    /// The column of the result for a column of the original.
    fn place(&mut self, mark: Mark, old: usize) -> usize {
        while let Some(top) = self.columns.last() {
            let inside = top.old < old || (top.old == old && (top.mark == mark || top.mark == Mark::Content));
            if inside {
                break;
            }
            self.columns.pop();
        }
        if let Some(top) = self.columns.last().filter(|top| top.old == old && top.mark == mark) {
            return top.new;
        }
        let new = self.columns.last().map_or(0, |top| top.new + 2);
        self.columns.push(Column { mark, old, new });
        new
    }

    /// The lines of a block text keep their indentation to one another and everything else about them.
    fn block(&mut self, rest: &[&str]) -> usize {
        let Some(owner) = self.columns.last().copied() else { return 0 };
        // In `- |` the header itself is the content, and the text belongs to the dash before it.
        let item = match self.columns.iter().rev().nth(1) {
            Some(dash) if dash.mark == Mark::Dash && is_bare_header(self.out.last()) => Some(*dash),
            _ => None,
        };
        let floor = item.map_or(owner.old, |dash| dash.old);
        let width = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let taken = rest.iter().take_while(|line| line.trim().is_empty() || width(line) > floor).count();
        let taken = rest[..taken].iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
        let lines = &rest[..taken];
        let Some(base) = lines.iter().find(|line| !line.trim().is_empty()).map(|line| width(line)) else {
            return 0;
        };
        let new = item.map_or(owner.new, |dash| dash.new) + 2;
        for line in lines {
            if line.trim().is_empty() {
                self.out.push(String::new());
            } else {
                let cut = base.min(width(line));
                self.out.push(format!("{}{}", " ".repeat(new), &line[cut..]));
            }
        }
        taken
    }

    /// The further lines of a bracket or a quote that is not closed on its line: they move with it.
    fn continuation(&mut self, line: &str, first: usize, indent: usize, rest: &[&str]) -> usize {
        let mut state = Open::default();
        state.scan(line);
        let mut taken = 0;
        while state.is_open() {
            let Some(next) = rest.get(taken) else { break };
            taken += 1;
            let width = next.len() - next.trim_start_matches(' ').len();
            let column = (width + first).saturating_sub(indent).max(first);
            let text = next.trim();
            self.out.push(if text.is_empty() {
                String::new()
            } else {
                format!("{}{text}", " ".repeat(column))
            });
            state.scan(next);
        }
        taken
    }
}

/// Whether a line ends in the header of a block text: `|`, `>-`, ...
fn is_block_header(body: &str) -> bool {
    let body = body.split(" #").next().unwrap_or(body).trim_end();
    let Some(last) = body.rsplit(' ').next() else { return false };
    let mut characters = last.chars();
    matches!(characters.next(), Some('|' | '>'))
        && characters.all(|c| matches!(c, '+' | '-'))
        && (body == last || body[..body.len() - last.len()].trim_end().ends_with([':', '-']))
}

/// Whether a line is nothing but dashes and the header of a block text.
fn is_bare_header(line: Option<&String>) -> bool {
    line.is_some_and(|line| line.trim_start_matches([' ', '-']).starts_with(['|', '>']))
}

/// Brackets and quotes that are open at the end of a line.
#[derive(Default)]
struct Open {
    brackets: usize,
    quote: Option<char>,
}

impl Open {
    const fn is_open(&self) -> bool {
        self.brackets > 0 || self.quote.is_some()
    }

    fn scan(&mut self, line: &str) {
        let mut before = ' ';
        let mut characters = line.chars().peekable();
        // A quote or bracket inside of a plain text is just a character.
        let mut plain = false;
        while let Some(character) = characters.next() {
            match (self.quote, character) {
                (Some('"'), '\\') => {
                    characters.next();
                }
                (Some(quote), c) if c == quote => self.quote = None,
                (None, '#') if before == ' ' => return,
                (None, '\'' | '"') if !plain => self.quote = Some(character),
                (None, '[' | '{') if !plain || self.brackets > 0 => self.brackets += 1,
                (None, ']' | '}') if self.brackets > 0 => self.brackets -= 1,
                _ => {}
            }
            plain = match character {
                ' ' => plain && !matches!(before, ':' | '-' | ','),
                '[' | '{' | ',' if self.brackets > 0 => false,
                ':' | '-' if characters.peek().is_none_or(|next| *next == ' ') => false,
                _ => self.quote.is_none(),
            };
            before = character;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_become_one() {
        let table = [
            ("a: 1\r\nb:   2  \n\n\n\nc: 3", "a: 1\nb:   2\n\nc: 3\n"),
            (
                "do:\n- a:\n    set:\n      x: 1\n- b:\n    wait: PT1S\n",
                "do:\n  - a:\n      set:\n        x: 1\n  - b:\n      wait: PT1S\n",
            ),
            ("do:\n    -   a:\n            wait: PT1S\n", "do:\n  - a:\n      wait: PT1S\n"),
            (
                "a:\n    b: |\n          one\n            two\n\n          three\n    c: 1\n",
                "a:\n  b: |\n    one\n      two\n\n    three\n  c: 1\n",
            ),
            (
                "# top\n\na:\n    # inner\n    b: 1\n    # end\nc: 2\n# last\n",
                "# top\n\na:\n  # inner\n  b: 1\n# end\nc: 2\n# last\n",
            ),
            (
                "a:\n    b: [1,\n        2,\n        3]\n    c: {x: 1,\n        y: 2}\n",
                "a:\n  b: [1,\n      2,\n      3]\n  c: {x: 1,\n      y: 2}\n",
            ),
            (
                "a:\n    b: \"one\n        two\"\n    c: it's [fine\n",
                "a:\n  b: \"one\n      two\"\n  c: it's [fine\n",
            ),
            (
                "a:\n   - - 1\n     - 2\n   - |\n      text\n   - x\n",
                "a:\n  - - 1\n    - 2\n  - |\n    text\n  - x\n",
            ),
            (
                "{\"b\":1,\n\"a\":[1,{\"c\":[]}]}",
                "{\n  \"b\": 1,\n  \"a\": [\n    1,\n    {\n      \"c\": []\n    }\n  ]\n}\n",
            ),
        ];
        for (text, expected) in table {
            let formatted = format("w.yaml", text).unwrap();
            assert_eq!(formatted, expected, "{text}");
            assert_eq!(format("w.yaml", &formatted).unwrap(), formatted, "twice: {text}");
        }
    }

    #[test]
    fn malformed_texts_are_named() {
        let diagnostic = format("w.yaml", "a: [1").unwrap_err();
        assert_eq!(diagnostic.code.id, "E0301");
    }

    #[test]
    fn every_example_keeps_its_meaning_and_is_stable() {
        let folder = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/conformance/serverless-workflow/examples");
        let Ok(entries) = std::fs::read_dir(&folder) else {
            println!("skipped: {} is not there", folder.display());
            return;
        };
        let (mut changed, mut all) = (0, 0);
        for entry in entries {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let Ok(before) = source::parse(&text) else { continue };
            let formatted = format("w.yaml", &text).unwrap();
            assert_eq!(source::parse(&formatted).unwrap().to_value(), before.to_value());
            assert_eq!(format("w.yaml", &formatted).unwrap(), formatted);
            let laid_out = Layout::default().lines(&text) == formatted;
            all += 1;
            changed += usize::from(laid_out);
        }
        assert!(changed * 100 >= all * 95, "{changed} of {all} could be laid out");
    }
}
