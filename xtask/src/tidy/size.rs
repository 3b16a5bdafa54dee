//! Files of at most 600 lines, functions of at most 70. Data does not count towards a function: literal tables, embedded
//! documents, and a `match` that is a table of one-line arms.

use std::collections::BTreeSet;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Block, Expr, Signature};

use super::Finding;
use super::allowed::{Allowed, settle};
use super::source::{Source, lines};
use super::tree::Tree;

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
/// From this many one-line arms on a `match` is a table.
const TABLE_ARMS_MIN: usize = 10;
/// An arm of a table takes at most this many lines.
const TABLE_ARM_LINES_MAX: usize = 2;
/// Macros whose arguments are data.
const DATA_MACROS: &[&str] = &["json", "vec", "concat", "hex"];
/// Files that a program wrote say so in their first lines.
const GENERATED: &str = "@generated";

/// Over-long files and functions.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let allowed = Allowed::load(tree);
    let mut long_files = Vec::new();
    let mut long_functions = Vec::new();
    for (path, text) in tree.rust() {
        if text.lines().take(5).any(|line| line.contains(GENERATED)) {
            continue;
        }
        let count = text.lines().count();
        if count > FILE_LINES_MAX {
            let what = format!("{count} lines, more than {FILE_LINES_MAX}");
            let finding = Finding::new(path, 0, what, "find the second thing in it and give it a file");
            long_files.push((path.to_owned(), String::new(), count, finding));
        }
        if let Some(source) = Source::parse(text) {
            let mut functions = Functions::default();
            functions.visit_file(&source.file);
            for (name, line, length) in functions.long {
                let what = format!("`{name}` has {length} lines, more than {FUNCTION_LINES_MAX}");
                let finding = Finding::new(path, line, what, "keep the control flow and move the leaves out");
                long_functions.push((path.to_owned(), name, length, finding));
            }
        }
    }
    let mut found = settle(&allowed.file, long_files);
    found.append(&mut settle(&allowed.function, long_functions));
    found
}

#[derive(Default)]
struct Functions {
    long: Vec<(String, usize, usize)>,
}

impl Functions {
    fn measure(&mut self, signature: &Signature, block: &Block) {
        let first = signature.span().start().line;
        let last = block.brace_token.span.close().end().line;
        let mut data = Data(BTreeSet::new());
        data.visit_block(block);
        let length = (first..=last).filter(|line| !data.0.contains(line)).count();
        if length > FUNCTION_LINES_MAX {
            self.long.push((signature.ident.to_string(), first, length));
        }
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

/// Lines that hold data, all but the first of each piece.
struct Data(BTreeSet<usize>);

impl Data {
    fn note(&mut self, span: Span) {
        self.0.extend(lines(span).skip(1));
    }

    fn note_literals(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Literal(literal) => self.note(literal.span()),
                TokenTree::Group(group) => self.note_literals(group.stream()),
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Data {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        match expression {
            Expr::Array(array) if array.elems.iter().all(is_data) => self.note(array.span()),
            Expr::Lit(literal) => self.note(literal.span()),
            Expr::Match(table) => {
                let short = |arm: &syn::Arm| lines(arm.span()).count() <= TABLE_ARM_LINES_MAX;
                if table.arms.len() >= TABLE_ARMS_MIN && table.arms.iter().all(short) {
                    table.arms.iter().for_each(|arm| self.0.extend(lines(arm.span())));
                }
            }
            _ => {}
        }
        visit::visit_expr(self, expression);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        let name = invocation.path.segments.last().map(|segment| segment.ident.to_string());
        if name.is_some_and(|name| DATA_MACROS.contains(&name.as_str())) {
            self.note(invocation.span());
        } else {
            self.note_literals(invocation.tokens.clone());
        }
    }
}

/// Whether an element of an array is a value written down, as against code that happens to stand in an array.
fn is_data(expression: &Expr) -> bool {
    match expression {
        Expr::Lit(_) | Expr::Path(_) | Expr::Macro(_) | Expr::Range(_) => true,
        Expr::Unary(unary) => is_data(&unary.expr),
        Expr::Reference(reference) => is_data(&reference.expr),
        Expr::Tuple(tuple) => tuple.elems.iter().all(is_data),
        Expr::Array(array) => array.elems.iter().all(is_data),
        Expr::Struct(value) => value.fields.iter().all(|field| is_data(&field.expr)),
        Expr::Call(call) => is_data(&call.func) && call.args.iter().all(is_data),
        Expr::MethodCall(call) => is_data(&call.receiver) && call.args.iter().all(is_data),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(text: &str) -> Vec<Finding> {
        check(&Tree::of(&[("crates/a/src/lib.rs", text)]))
    }

    fn function(body: &str) -> String {
        format!("impl A {{\n    fn f() {{\n{body}    }}\n}}\n")
    }

    #[test]
    fn a_long_function_is_found_and_one_of_the_limit_is_not() {
        let found = long(&function(&"        step();\n".repeat(69)));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].line, found[0].what.as_str()), (2, "`f` has 71 lines, more than 70"));
        assert!(long(&function(&"        step();\n".repeat(68))).is_empty());
    }

    #[test]
    fn data_does_not_count() {
        let rows = "            (\"a\", 1),\n".repeat(100);
        assert!(long(&function(&format!("        let table = [\n{rows}        ];\n"))).is_empty());
        let text = "line\n".repeat(100);
        assert!(long(&function(&format!("        let text = \"{text}\";\n"))).is_empty());
        assert!(long(&function(&format!("        check(text!(r#\"{text}\"#));\n"))).is_empty());
        let arms = "            1 => 1,\n".repeat(100);
        assert!(
            long(&function(&format!("        match x {{\n{arms}            _ => 0,\n        }}\n")))
                .is_empty()
        );
        let code = "            { f(); 1 },\n".repeat(100);
        assert_eq!(long(&function(&format!("        let table = [\n{code}        ];\n"))).len(), 1);
    }

    #[test]
    fn a_long_file_is_found_and_a_generated_one_is_not() {
        let text = "const A: u8 = 1;\n".repeat(601);
        assert!(long(&text)[0].what.starts_with("601 lines"));
        assert!(long(&format!("// @generated by a tool\n{text}")).is_empty());
    }

    #[test]
    fn the_list_of_exceptions_only_shrinks() {
        let text = "const A: u8 = 1;\n".repeat(610);
        let entry = |lines: usize| {
            format!(
                "[[file]]\npath = \"crates/a/src/lib.rs\"\nlines = {lines}\nreason = \"a table that reads best whole\"\n"
            )
        };
        let with = |text: &str, list: &str| {
            check(&Tree::of(&[("crates/a/src/lib.rs", text), ("xtask/allowed.toml", list)]))
        };
        assert!(with(&text, &entry(610)).is_empty());
        assert!(with(&text, &entry(609))[0].what.starts_with("610 lines"), "growth is refused");
        assert!(with(&text, &entry(611))[0].fix.contains("lower"), "shrinking must be written down");
        assert!(with("", &entry(610))[0].fix.contains("remove"), "and so must being done");
    }
}
