//! The text form of selectors: `role=web, env in (prod, stage), zone!=b`.

use plan::Selector;

use crate::limits;

/// Reads a selector: conditions separated by commas, all of which must hold.
///
/// # Errors
/// What is wrong with it, and at which byte.
pub(crate) fn parse(text: &str) -> Result<Selector, String> {
    if text.len() > limits::SELECTOR_BYTES_MAX {
        return Err(format!("a selector is longer than {} bytes", limits::SELECTOR_BYTES_MAX));
    }
    let mut parser = Parser { text, at: 0 };
    let mut parts = vec![parser.condition()?];
    while parser.eat(",") {
        parts.push(parser.condition()?);
    }
    parser.space();
    if parser.at < text.len() {
        return Err(parser.expected("a comma"));
    }
    Ok(all_of(parts))
}

/// Every one of these; one alone is itself.
pub(crate) fn all_of(mut parts: Vec<Selector>) -> Selector {
    match (parts.pop(), parts.is_empty()) {
        (None, _) => Selector::All,
        (Some(only), true) => only,
        (Some(last), false) => {
            parts.push(last);
            Selector::AllOf(parts)
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, word: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn expected(&self, what: &str) -> String {
        format!("`{}` is not a selector: {what} is expected at byte {}", self.text, self.at + 1)
    }

    fn word(&mut self, what: &str) -> Result<&'t str, String> {
        self.space();
        let ends = |c: char| c.is_whitespace() || "=!,()".contains(c);
        let word = &self.rest()[..self.rest().find(ends).unwrap_or_else(|| self.rest().len())];
        if word.is_empty() {
            return Err(self.expected(what));
        }
        self.at += word.len();
        Ok(word)
    }

    fn condition(&mut self) -> Result<Selector, String> {
        let label = self.word("a label")?;
        let is = |value: &str| Selector::Label(label.to_owned(), value.to_owned());
        if self.eat("!=") {
            return Ok(Selector::Not(Box::new(is(self.word("a value")?))));
        }
        if self.eat("==") || self.eat("=") {
            return Ok(is(self.word("a value")?));
        }
        let before = self.at;
        let among = match self.word("=, !=, in or notin")? {
            "in" => true,
            "notin" => false,
            _ => {
                self.at = before;
                return Err(self.expected("=, !=, in or notin"));
            }
        };
        if !self.eat("(") {
            return Err(self.expected("("));
        }
        let mut values = vec![is(self.word("a value")?)];
        while self.eat(",") {
            values.push(is(self.word("a value")?));
        }
        if !self.eat(")") {
            return Err(self.expected(")"));
        }
        let any = if values.len() == 1 { values.swap_remove(0) } else { Selector::AnyOf(values) };
        Ok(if among { any } else { Selector::Not(Box::new(any)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(name: &str, value: &str) -> Selector {
        Selector::Label(name.to_owned(), value.to_owned())
    }

    #[test]
    fn selectors_are_read() {
        let not = |one| Selector::Not(Box::new(one));
        for (text, selector) in [
            ("role=web", label("role", "web")),
            (" role == web ", label("role", "web")),
            ("role=web,env!=dev", Selector::AllOf(vec![label("role", "web"), not(label("env", "dev"))])),
            ("env in (a, b)", Selector::AnyOf(vec![label("env", "a"), label("env", "b")])),
            ("env notin (a)", not(label("env", "a"))),
        ] {
            assert_eq!(parse(text), Ok(selector), "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused_with_its_place() {
        for (text, place) in [
            ("", "a label is expected at byte 1"),
            ("role", "=, !=, in or notin is expected at byte 5"),
            ("role=", "a value is expected at byte 6"),
            ("role=a b", "a comma is expected at byte 8"),
            ("role in a", "( is expected at byte 9"),
            ("role in (a", ") is expected at byte 11"),
            ("role=a,", "a label is expected at byte 8"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(place), "{text}: {error}");
        }
        assert!(parse(&"x".repeat(5000)).is_err());
    }
}
