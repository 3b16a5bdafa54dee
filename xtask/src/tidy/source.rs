//! A Rust file, parsed, with what the checks ask of it: which lines are tests, which are data.

use std::ops::RangeInclusive;

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Meta};

/// A parsed file.
pub(crate) struct Source {
    /// The syntax tree.
    pub(crate) file: syn::File,
    /// Line ranges of `#[cfg(test)]` items and `#[test]` functions.
    pub(crate) tests: Vec<RangeInclusive<usize>>,
}

impl Source {
    /// Parses; `None` when it is not Rust that this parser knows (the compiler will say so better).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let file = syn::parse_file(text).ok()?;
        let mut tests = Tests(Vec::new());
        tests.visit_file(&file);
        Some(Self { file, tests: tests.0 })
    }

    /// Whether a line belongs to test code.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&line))
    }
}

/// Whether a path is test, benchmark or example code as a whole.
pub(crate) fn is_test_path(path: &str) -> bool {
    ["/tests/", "/benches/", "/examples/"].iter().any(|part| path.contains(part))
        || path.ends_with("/tests.rs")
        || path.ends_with("_tests.rs")
}

/// First and last line of a span.
pub(crate) fn lines(span: Span) -> RangeInclusive<usize> {
    span.start().line..=span.end().line
}

/// Whether the attribute limits the item to tests: `#[test]`, `#[tokio::test]`, `#[cfg(test)]`, `#[cfg(all(test, ..))]`.
fn marks_test(attribute: &Attribute) -> bool {
    let path = attribute.path();
    if path.segments.last().is_some_and(|segment| segment.ident == "test") {
        return true;
    }
    if !path.is_ident("cfg") {
        return false;
    }
    match &attribute.meta {
        Meta::List(list) => {
            let condition = list.tokens.to_string().replace(' ', "");
            condition == "test"
                || condition.starts_with("all(test,")
                || condition.contains("feature=\"test-util\"")
        }
        _ => false,
    }
}

struct Tests(Vec<RangeInclusive<usize>>);

impl Tests {
    fn note(&mut self, attributes: &[Attribute], span: Span) {
        if attributes.iter().any(marks_test) {
            self.0.push(lines(span));
        }
    }
}

impl<'ast> Visit<'ast> for Tests {
    fn visit_file(&mut self, file: &'ast syn::File) {
        if file.attrs.iter().any(marks_test) {
            self.0.push(1..=usize::MAX);
        }
        visit::visit_file(self, file);
    }

    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            syn::Item::Struct(item) => &item.attrs,
            syn::Item::Const(item) => &item.attrs,
            syn::Item::Macro(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        self.note(attributes, item.span());
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.note(&function.attrs, function.span());
        visit::visit_impl_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_code_is_told_from_product_code() {
        let source = Source::parse(
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n#[tokio::test]\nasync fn c() {}\nfn d() {}\n",
        )
        .unwrap();
        let tests: Vec<usize> = (1..=8).filter(|line| source.is_test(*line)).collect();
        assert_eq!(tests, [2, 3, 4, 5, 6, 7]);
        assert!(is_test_path("crates/a/tests/x.rs") && is_test_path("crates/a/src/b/tests.rs"));
        assert!(!is_test_path("crates/a/src/testing.rs"));
    }
}
