//! Layers 0 to 2 give the same answer for the same input on every machine, so they name no clock, file, network,
//! environment, process, entropy or runtime.

use proc_macro2::{TokenStream, TokenTree};
use syn::UseTree;
use syn::visit::{self, Visit};

use super::Finding;
use super::layers::{PURE_LAYER_MAX, layer};
use super::source::{Source, is_test_path};
use super::tree::Tree;

/// Paths, each with what to do instead. A path is banned wherever its segments follow each other.
const BANNED: &[(&[&str], &str)] = &[
    (&["SystemTime", "now"], "take the time as an argument"),
    (&["Instant", "now"], "take the time as an argument"),
    (&["Timestamp", "now"], "take the time as an argument"),
    (&["Zoned", "now"], "take the time as an argument"),
    (&["std", "fs"], "take the text or bytes as an argument"),
    (&["fs_err"], "take the text or bytes as an argument"),
    (&["std", "net"], "return what is wanted and let a performer do it"),
    (&["std", "env"], "take the value as an argument"),
    (&["std", "process"], "return what is wanted and let a performer do it"),
    (&["rand"], "take the entropy as an argument"),
    (&["getrandom"], "take the entropy as an argument"),
    (&["tokio"], "keep the crate synchronous; the engine is the one that waits"),
];

/// Types of `std::net` that are values and touch no network.
const NET_VALUES: &[&str] = &["IpAddr", "Ipv4Addr", "Ipv6Addr", "SocketAddr"];

/// Banned names in the pure crates' product code.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.rust() {
        let name = path.strip_prefix("crates/").and_then(|rest| rest.split('/').next());
        let pure = name.and_then(layer).is_some_and(|layer| layer <= PURE_LAYER_MAX);
        if !pure || is_test_path(path) || !path.contains("/src/") {
            continue;
        }
        let (Some(source), Ok(tokens)) = (Source::parse(text), text.parse::<TokenStream>()) else {
            continue;
        };
        let mut paths = Vec::new();
        let mut uses = Uses(Vec::new());
        uses.visit_file(&source.file);
        paths.append(&mut uses.0);
        spelled(tokens, &mut paths);
        for (segments, line) in paths {
            if source.is_test(line) {
                continue;
            }
            if let Some((banned, instead)) = BANNED.iter().find(|(banned, _)| names(&segments, banned)) {
                let what = format!("`{}` in a pure crate", banned.join("::"));
                found.push(Finding::new(path, line, what, *instead));
            }
        }
    }
    found
}

fn names(segments: &[String], banned: &[&str]) -> bool {
    let value =
        banned == ["std", "net"] && segments.get(2).is_some_and(|last| NET_VALUES.contains(&last.as_str()));
    if value {
        return false;
    }
    match banned {
        // a lone word is a crate's name, so it starts the path
        [root] => segments.first().is_some_and(|first| first == root) && segments.len() > 1,
        _ => segments.windows(banned.len()).any(|window| window == banned),
    }
}

/// The full paths of `use` declarations, groups unfolded.
struct Uses(Vec<(Vec<String>, usize)>);

impl<'ast> Visit<'ast> for Uses {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        unfold(&item.tree, &mut Vec::new(), &mut self.0);
        visit::visit_item_use(self, item);
    }
}

fn unfold(tree: &UseTree, prefix: &mut Vec<String>, out: &mut Vec<(Vec<String>, usize)>) {
    let mut leaf = |ident: &syn::Ident| {
        let mut path = prefix.clone();
        path.push(ident.to_string());
        out.push((path, ident.span().start().line));
    };
    match tree {
        UseTree::Name(name) => leaf(&name.ident),
        UseTree::Rename(rename) => leaf(&rename.ident),
        UseTree::Glob(glob) => {
            let mut path = prefix.clone();
            path.push("*".to_owned());
            out.push((path, glob.star_token.spans[0].start().line));
        }
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            unfold(&path.tree, prefix, out);
            prefix.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|item| unfold(item, prefix, out)),
    }
}

/// Every run of `a::b::c` in the tokens, macros' arguments included.
fn spelled(tokens: TokenStream, out: &mut Vec<(Vec<String>, usize)>) {
    let mut path: Vec<String> = Vec::new();
    let mut line = 0;
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                if colons != 2 && !path.is_empty() {
                    out.push((std::mem::take(&mut path), line));
                }
                if path.is_empty() {
                    line = ident.span().start().line;
                }
                path.push(ident.to_string());
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            other => {
                // `a::b::{c, d}` is a declaration, which is unfolded elsewhere
                let group = colons == 2 && matches!(other, TokenTree::Group(_));
                if group {
                    path.clear();
                }
                if !path.is_empty() {
                    out.push((std::mem::take(&mut path), line));
                }
                colons = 0;
                if let TokenTree::Group(group) = other {
                    spelled(group.stream(), out);
                }
            }
        }
    }
    if !path.is_empty() {
        out.push((path, line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banned(crate_name: &str, text: &str) -> Vec<usize> {
        let path = format!("crates/{crate_name}/src/lib.rs");
        let mut lines: Vec<usize> =
            check(&Tree::of(&[(&path, text)])).into_iter().map(|finding| finding.line).collect();
        lines.dedup();
        lines
    }

    #[test]
    fn each_banned_name_is_found_however_it_is_spelled() {
        for line in [
            "fn f() { std::time::SystemTime::now(); }",
            "fn f() { let t = Instant::now(); }",
            "fn f() { jiff::Timestamp::now(); }",
            "use std::fs;",
            "use std::{collections::BTreeMap, fs::{self, File}};",
            "use std::net::*;",
            "use std::net::TcpStream;",
            "fn f() { std::env::var(\"HOME\"); }",
            "fn f() { assert!(std::process::id() > 0); }",
            "use rand::Rng;",
            "fn f() { getrandom::fill(&mut []); }",
            "use tokio as runtime_less::x;",
            "async fn f() { tokio::spawn(async {}); }",
        ] {
            if syn::parse_file(line).is_ok() {
                assert_eq!(banned("workflow", line), [1], "{line}");
            }
        }
    }

    #[test]
    fn values_tests_words_and_upper_layers_are_left_alone() {
        assert!(
            banned("model", "use std::net::{IpAddr, Ipv4Addr}; fn f(rand: u8) -> u8 { rand }").is_empty()
        );
        assert!(banned("model", "// std::fs\nconst HELP: &str = \"std::fs\";").is_empty());
        assert!(banned("model", "#[cfg(test)]\nmod tests { use std::fs; }").is_empty());
        assert!(banned("store", "use std::fs;").is_empty());
    }
}
