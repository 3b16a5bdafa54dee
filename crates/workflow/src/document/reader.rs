//! What all readers of parts of the document share: places, diagnostics, fields, expressions.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::{Code, Diagnostic, Location, code};
use serde_json::{Map, Value};

use super::source::{Data, Key, Mark, Node};
use crate::catalog::Resolver;
use crate::expression::{Expression, Mode, Template, expression_in};
use crate::limits;

/// The variables every expression may use (DSL, "Runtime expression arguments").
pub(super) const VARIABLES: &[&str] =
    &["context", "input", "output", "secrets", "task", "workflow", "runtime", "authorization"];

/// A node and its JSON pointer.
#[derive(Clone)]
pub(super) struct Spot<'n> {
    pub(super) node: &'n Node,
    pub(super) path: String,
}

impl<'n> Spot<'n> {
    pub(super) fn child(&self, name: &str, node: &'n Node) -> Self {
        Self { node, path: format!("{}/{}", self.path, escape(name)) }
    }

    pub(super) fn item(&self, index: usize, node: &'n Node) -> Self {
        Self { node, path: format!("{}/{index}", self.path) }
    }
}

/// RFC 6901.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The members of an object, known ones by name.
pub(super) struct Fields<'n> {
    pub(super) spot: Spot<'n>,
    members: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    pub(super) fn get(&self, name: &str) -> Option<Spot<'n>> {
        self.members.iter().find(|(key, _)| key.text == name).map(|(_, node)| self.spot.child(name, node))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(key, _)| key.text == name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&'n Key, Spot<'n>)> + '_ {
        self.members.iter().map(|(key, node)| (key, self.spot.child(&key.text, node)))
    }
}

/// Names declared in `use`, known before any task is read.
#[derive(Default)]
pub(super) struct Known {
    pub(super) functions: HashSet<String>,
    pub(super) errors: HashMap<String, Template>,
    pub(super) retries: HashMap<String, Arc<super::model::Retry>>,
    pub(super) timeouts: HashMap<String, super::model::Span>,
    pub(super) authentications: HashMap<String, Template>,
    pub(super) secrets: HashSet<String>,
    pub(super) catalogs: HashSet<String>,
}

/// Reads one document and gathers everything wrong with it.
pub(super) struct Reader<'r> {
    file: &'r str,
    pub(super) found: Vec<Diagnostic>,
    pub(super) resolver: &'r dyn Resolver,
    pub(super) mode: Mode,
    /// The document was written in the older dialect, which has functions of its own.
    pub(super) ritual: bool,
    pub(super) known: Known,
    /// Catalog functions that are tasks, read once each.
    pub(super) fragments: HashMap<Arc<str>, Arc<super::model::Task>>,
    /// Variables of loops, handlers and listeners in scope.
    pub(super) scope: Vec<String>,
    pub(super) tasks: usize,
    cache: HashMap<String, Arc<Expression>>,
}

impl<'r> Reader<'r> {
    pub(super) fn new(file: &'r str, resolver: &'r dyn Resolver) -> Self {
        Self {
            file,
            found: Vec::new(),
            resolver,
            mode: Mode::Strict,
            ritual: false,
            known: Known::default(),
            fragments: HashMap::new(),
            scope: Vec::new(),
            tasks: 0,
            cache: HashMap::new(),
        }
    }

    pub(super) fn location(&self, at: Mark, path: &str) -> Location {
        Location { file: self.file.to_owned(), line: at.line, column: at.column, path: path.to_owned() }
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        if self.found.len() < limits::DIAGNOSTICS {
            self.found.push(diagnostic);
        }
    }

    pub(super) fn error(&mut self, code: &'static Code, spot: &Spot<'_>, message: impl Into<String>) {
        let location = self.location(spot.node.at, &spot.path);
        self.push(Diagnostic::error(code, message, location));
    }

    pub(super) fn error_hint(
        &mut self,
        code: &'static Code,
        spot: &Spot<'_>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let location = self.location(spot.node.at, &spot.path);
        self.push(Diagnostic::error(code, message, location).with_hint(hint));
    }

    pub(super) fn warning(&mut self, code: &'static Code, spot: &Spot<'_>, message: impl Into<String>) {
        let location = self.location(spot.node.at, &spot.path);
        self.push(Diagnostic::warning(code, message, location));
    }

    pub(super) fn error_at(
        &mut self,
        code: &'static Code,
        at: Mark,
        path: &str,
        message: String,
        hint: Option<String>,
    ) {
        let diagnostic = Diagnostic::error(code, message, self.location(at, path));
        self.push(Diagnostic { hint, ..diagnostic });
    }

    /// The members of an object; unknown ones are errors.
    pub(super) fn fields<'n>(&mut self, spot: &Spot<'n>, what: &str, allowed: &[&str]) -> Option<Fields<'n>> {
        let fields = self.object(spot, what)?;
        for (key, child) in fields.all() {
            if !allowed.contains(&key.text.as_str()) {
                let message = format!("unknown property `{}` of {what}", key.text);
                let hint = closest(&key.text, allowed.iter().copied()).map_or_else(
                    || format!("known are: {}", allowed.join(", ")),
                    |name| format!("did you mean `{name}`?"),
                );
                self.error_at(code::workflow::UNKNOWN_FIELD, key.at, &child.path, message, Some(hint));
            }
        }
        Some(fields)
    }

    /// The members of an object, whatever they are called.
    pub(super) fn object<'n>(&mut self, spot: &Spot<'n>, what: &str) -> Option<Fields<'n>> {
        if let Data::Map(members) = &spot.node.data {
            return Some(Fields { spot: spot.clone(), members });
        }
        self.wrong_type(spot, what, "an object");
        None
    }

    pub(super) fn list<'n>(&mut self, spot: &Spot<'n>, what: &str) -> Option<Vec<Spot<'n>>> {
        if let Data::List(items) = &spot.node.data {
            return Some(items.iter().enumerate().map(|(index, item)| spot.item(index, item)).collect());
        }
        self.wrong_type(spot, what, "a list");
        None
    }

    pub(super) fn wrong_type(&mut self, spot: &Spot<'_>, what: &str, wanted: &str) {
        let message = format!("{what} must be {wanted}, this is {}", spot.node.kind());
        self.error(code::workflow::WRONG_TYPE, spot, message);
    }

    pub(super) fn required<'n>(&mut self, fields: &Fields<'n>, name: &str, what: &str) -> Option<Spot<'n>> {
        let field = fields.get(name);
        if field.is_none() {
            self.error(code::workflow::MISSING_FIELD, &fields.spot, format!("{what} needs `{name}`"));
        }
        field
    }

    pub(super) fn text(&mut self, spot: &Spot<'_>, what: &str) -> Option<String> {
        if let Data::Text(text) = &spot.node.data {
            return Some(text.clone());
        }
        let message = format!("{what} must be a text, this is {}", spot.node.kind());
        match &spot.node.data {
            Data::Number(_) | Data::Bool(_) | Data::Null => {
                let shown = spot.node.to_value();
                self.error_hint(
                    code::workflow::WRONG_TYPE,
                    spot,
                    message,
                    format!("put it in quotes: '{shown}'"),
                );
            }
            _ => self.error(code::workflow::WRONG_TYPE, spot, message),
        }
        None
    }

    pub(super) fn text_field(&mut self, fields: &Fields<'_>, name: &str, what: &str) -> Option<String> {
        let spot = fields.get(name)?;
        self.text(&spot, &format!("`{name}` of {what}"))
    }

    pub(super) fn required_text(&mut self, fields: &Fields<'_>, name: &str, what: &str) -> Option<String> {
        let spot = self.required(fields, name, what)?;
        self.text(&spot, &format!("`{name}` of {what}"))
    }

    /// Checks that members are texts, where they are given.
    pub(super) fn texts(&mut self, fields: &Fields<'_>, names: &[&str], what: &str) {
        for name in names {
            let _text = self.text_field(fields, name, what);
        }
    }

    /// Checks that a member is a list of texts, if it is given.
    pub(super) fn text_list(&mut self, fields: &Fields<'_>, name: &str) {
        let Some(spot) = fields.get(name) else { return };
        for item in self.list(&spot, &format!("`{name}`")).unwrap_or_default() {
            let _text = self.text(&item, &format!("an item of `{name}`"));
        }
    }

    /// Checks that members are objects, where they are given.
    pub(super) fn objects(&mut self, fields: &Fields<'_>, names: &[&str]) {
        for name in names {
            if let Some(spot) = fields.get(name) {
                let _object = self.object(&spot, &format!("`{name}`"));
            }
        }
    }

    pub(super) fn boolean(&mut self, fields: &Fields<'_>, name: &str) -> Option<bool> {
        let spot = fields.get(name)?;
        if let Data::Bool(bool) = spot.node.data {
            return Some(bool);
        }
        self.wrong_type(&spot, &format!("`{name}`"), "true or false");
        None
    }

    pub(super) fn integer(&mut self, fields: &Fields<'_>, name: &str) -> Option<i64> {
        let spot = fields.get(name)?;
        let integer = match &spot.node.data {
            Data::Number(number) => number.as_i64(),
            _ => None,
        };
        if integer.is_none() {
            self.wrong_type(&spot, &format!("`{name}`"), "a whole number");
        }
        integer
    }

    /// A text out of a closed set.
    pub(super) fn choice(&mut self, fields: &Fields<'_>, name: &str, words: &[&str]) -> Option<String> {
        let spot = fields.get(name)?;
        let text = self.text(&spot, &format!("`{name}`"))?;
        if words.contains(&text.as_str()) {
            return Some(text);
        }
        let hint = closest(&text, words.iter().copied()).map_or_else(
            || format!("one of: {}", words.join(", ")),
            |word| format!("did you mean `{word}`?"),
        );
        self.error_hint(code::workflow::WRONG_TYPE, &spot, format!("`{text}` is no value of `{name}`"), hint);
        None
    }

    pub(super) fn free(&mut self, fields: &Fields<'_>, name: &str) -> Map<String, Value> {
        let Some(spot) = fields.get(name) else {
            return Map::new();
        };
        if let Value::Object(object) = spot.node.to_value() {
            object
        } else {
            self.wrong_type(&spot, &format!("`{name}`"), "an object");
            Map::new()
        }
    }

    /// Compiles jq where a runtime expression is expected: with or without `${ }`.
    pub(super) fn expression(&mut self, spot: &Spot<'_>, what: &str) -> Option<Arc<Expression>> {
        let source = self.text(spot, what)?;
        let source = source.as_str();
        self.compile(spot, expression_in(source).unwrap_or(source))
    }

    pub(super) fn expression_field(&mut self, fields: &Fields<'_>, name: &str) -> Option<Arc<Expression>> {
        let spot = fields.get(name)?;
        self.expression(&spot, &format!("`{name}`"))
    }

    fn compile(&mut self, spot: &Spot<'_>, source: &str) -> Option<Arc<Expression>> {
        // The same text means the same wherever the same variables are in scope.
        let key = format!("{}\u{0}{source}", self.scope.join(","));
        if let Some(compiled) = self.cache.get(&key) {
            return Some(compiled.clone());
        }
        let names: Vec<&str> =
            VARIABLES.iter().copied().chain(self.scope.iter().map(String::as_str)).collect();
        match Expression::compile(source, &names) {
            Ok(expression) => {
                let expression = Arc::new(expression);
                self.cache.insert(key, expression.clone());
                Some(expression)
            }
            Err(invalid) => {
                let character = source.get(..invalid.offset).map_or(0, |before| before.chars().count()) + 1;
                let message =
                    format!("`{}` does not compile at character {character}: {invalid}", summary(source));
                self.error(code::workflow::BAD_EXPRESSION, spot, message);
                None
            }
        }
    }

    /// A value with expressions in it. `None` only when something in it is wrong.
    pub(super) fn template(&mut self, spot: &Spot<'_>) -> Option<Template> {
        match &spot.node.data {
            Data::Text(text) => self.template_text(spot, text),
            Data::List(items) => {
                let items: Vec<Option<Template>> = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.template(&spot.item(index, item)))
                    .collect();
                items.into_iter().collect::<Option<Vec<_>>>().map(Template::list)
            }
            Data::Map(members) => {
                let members: Vec<Option<(Arc<str>, Template)>> = members
                    .iter()
                    .map(|(key, node)| {
                        let template = self.template(&spot.child(&key.text, node))?;
                        Some((Arc::from(key.text.as_str()), template))
                    })
                    .collect();
                members.into_iter().collect::<Option<Vec<_>>>().map(Template::object)
            }
            _ => Some(Template::Literal(Arc::new(spot.node.to_value()))),
        }
    }

    fn template_text(&mut self, spot: &Spot<'_>, text: &str) -> Option<Template> {
        if let Some(source) = expression_in(text) {
            return self.compile(spot, source).map(Template::Expression);
        }
        if self.mode == Mode::Loose {
            let names: Vec<&str> =
                VARIABLES.iter().copied().chain(self.scope.iter().map(String::as_str)).collect();
            if let Ok(expression) = Expression::compile(text, &names) {
                return Some(Template::Expression(Arc::new(expression)));
            }
        } else if text.contains("${") {
            let message =
                "`${` inside of a longer text is not evaluated; only a text that is wholly `${ ... }` is";
            self.warning(code::workflow::BAD_EXPRESSION, spot, message);
        }
        Some(Template::Literal(Arc::new(Value::String(text.to_owned()))))
    }

    pub(super) fn template_field(&mut self, fields: &Fields<'_>, name: &str) -> Option<Template> {
        let spot = fields.get(name)?;
        self.template(&spot)
    }

    /// Reads with more variables in scope.
    pub(super) fn with_scope<T>(&mut self, names: &[&str], read: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.scope.len();
        self.scope.extend(names.iter().map(|name| (*name).to_owned()));
        let result = read(self);
        self.scope.truncate(before);
        result
    }
}

fn summary(source: &str) -> String {
    let line = source.trim().replace('\n', " ");
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// The word that was probably meant.
pub(super) fn closest<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let limit = (word.chars().count() / 3).clamp(1, 2);
    words
        .map(|known| (distance(&word.to_lowercase(), &known.to_lowercase()), known))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, known)| known)
}

/// Edits between two words, a swap of neighbours being one.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().take(40).collect(), right.chars().collect());
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=left.len() {
        for j in 1..=right.len() {
            let replace = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_mistakes_are_guessed() {
        assert_eq!(closest("ouput", ["input", "output"].into_iter()), Some("output"));
        assert_eq!(closest("swtich", ["switch", "set"].into_iter()), Some("switch"));
        assert_eq!(closest("metadata", ["do", "set"].into_iter()), None);
    }
}
