//! What must not be left in code: unfinished macros, silenced lints and skipped tests without a reason.

use syn::visit::{self, Visit};
use syn::{Attribute, Meta};

use super::Finding;
use super::source::Source;
use super::tree::Tree;

const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];

/// Unfinished or unexplained code.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.rust() {
        if let Some(source) = Source::parse(text) {
            let mut leftovers = Leftovers { path, found: Vec::new() };
            leftovers.visit_file(&source.file);
            found.append(&mut leftovers.found);
        }
    }
    found
}

struct Leftovers<'a> {
    path: &'a str,
    found: Vec<Finding>,
}

impl<'ast> Visit<'ast> for Leftovers<'_> {
    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        if let Some(last) = invocation.path.segments.last()
            && UNFINISHED.contains(&last.ident.to_string().as_str())
        {
            self.found.push(Finding::new(
                self.path,
                last.ident.span().start().line,
                format!("`{}!` is left in the code", last.ident),
                "finish it, or answer with a clear error",
            ));
        }
        visit::visit_macro(self, invocation);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let line = attribute.pound_token.spans[0].start().line;
        let explained = match &attribute.meta {
            Meta::List(list) => list.tokens.to_string().contains("reason ="),
            Meta::NameValue(_) => true,
            Meta::Path(_) => false,
        };
        for (name, what, fix) in [
            ("allow", "a lint is allowed without a reason", "add `reason = \"...\"`"),
            ("expect", "a lint is expected without a reason", "add `reason = \"...\"`"),
            (
                "ignore",
                "a test is ignored without a reason",
                "write `#[ignore = \"...\"]`, or better mend it",
            ),
        ] {
            if attribute.path().is_ident(name) && !explained {
                self.found.push(Finding::new(self.path, line, what, fix));
            }
        }
        visit::visit_attribute(self, attribute);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leftovers(text: &str) -> usize {
        check(&Tree::of(&[("crates/a/src/lib.rs", text)])).len()
    }

    #[test]
    fn unfinished_and_unexplained_code_is_found() {
        for text in [
            "fn f() { todo!() }",
            "fn f() { if x { std::unimplemented!(\"later\") } }",
            "fn f() { dbg!(1); }",
            "#[allow(dead_code)] fn f() {}",
            "#![allow(clippy::all)]",
            "#[expect(unused)] fn f() {}",
            "#[test] #[ignore] fn f() {}",
        ] {
            assert_eq!(leftovers(text), 1, "{text}");
        }
    }

    #[test]
    fn finished_and_explained_code_is_not() {
        for text in [
            "#[allow(dead_code, reason = \"read by the debugger\")] fn f() {}",
            "#[ignore = \"needs a machine with a battery\"] fn f() {}",
            "fn todo() { let dbg = 1; }",
        ] {
            assert_eq!(leftovers(text), 0, "{text}");
        }
    }
}
