//! Pieces that more than one screen is made of.

use maud::{Markup, html};

use super::icons::icon;
use super::text;

/// The beginning of a page: where it is below, its one heading, and what stands to the right of it.
pub(super) fn heading(trail: &[(&str, &str)], title: &Markup, aside: &Markup) -> Markup {
    html! {
        header.heading {
            div {
                @if !trail.is_empty() {
                    nav.trail aria-label="Breadcrumb" {
                        ol { @for (word, href) in trail { li { a href=(href) { (word) } } } }
                    }
                }
                h1 { (title) }
            }
            div.aside { (aside) }
        }
    }
}

/// The command that does or shows the same, to be copied.
pub(super) fn command(command: &str) -> Markup {
    html! {
        p.command {
            span.label { "Same on the command line" }
            code data-copy { (text::line(command)) }
            button.quiet.copy type="button" hidden { (icon("copy")) span { "Copy" } }
        }
    }
}

/// Facts in two columns.
pub(super) fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in facts { div { dt { (name) } dd { (value) } } }
        }
    }
}

/// What there is to see where nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty<'a> {
    /// Nothing has ever been here: what it is, and the one command that begins.
    First {
        /// What will be here.
        what: &'a str,
        /// How it begins.
        command: &'a str,
    },
    /// The filter leaves nothing.
    Filtered {
        /// What is filtered.
        what: &'a str,
        /// The page without the filter.
        clear: &'a str,
    },
    /// Nothing is here, and that is good.
    Fine {
        /// What is good.
        what: &'a str,
    },
    /// It is not for the viewer.
    Forbidden {
        /// What they would need.
        what: &'a str,
        /// Who gives it.
        who: &'a str,
    },
}

/// Says why nothing is here.
pub(super) fn empty(empty: Empty<'_>) -> Markup {
    html! {
        @match empty {
            Empty::First { what, command } => div.empty {
                svg.mark aria-hidden="true" { use href="#i-mark" {} }
                p { (what) }
                p.command { code data-copy { (command) } button.quiet.copy type="button" hidden { (icon("copy")) span { "Copy" } } }
            },
            Empty::Filtered { what, clear } => div.empty {
                (icon("search"))
                p { "No " (what) " match this filter." }
                p { a.button href=(clear) { "Clear the filter" } }
            },
            Empty::Fine { what } => div.empty.fine { (icon("check")) p { (what) } },
            Empty::Forbidden { what, who } => div.empty {
                (icon("stop"))
                p { "You are not permitted to " (what) "." }
                p.note { (who) }
            },
        }
    }
}

/// One of several filters that are links.
#[derive(Debug, Clone)]
pub(super) struct Chip {
    /// Its word.
    pub(super) word: String,
    /// Where it leads.
    pub(super) href: String,
    /// How many there are.
    pub(super) count: Option<u64>,
    /// Whether it is chosen.
    pub(super) on: bool,
}

/// Filters in a row.
pub(super) fn chips(label: &str, chips: &[Chip]) -> Markup {
    html! {
        nav.chips aria-label=(label) {
            ul {
                @for chip in chips {
                    li {
                        a.chip href=(chip.href) aria-current=[chip.on.then_some("true")] {
                            (chip.word)
                            @if let Some(count) = chip.count { " " span.count data-key=(format!("chip-{}", chip.word)) { (text::grouped(count)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Views of the same thing, each with its own address.
pub(super) fn tabs(label: &str, tabs: &[(&str, String, bool)]) -> Markup {
    html! {
        nav.tabs aria-label=(label) {
            ul {
                @for (word, href, on) in tabs {
                    li { a href=(href) aria-current=[on.then_some("page")] { (word) } }
                }
            }
        }
    }
}

/// How a message is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
}

/// A message at the top of a page.
pub(super) fn notice(weight: Weight, content: &Markup) -> Markup {
    let (class, name, role) = match weight {
        Weight::Good => ("good", "check", "status"),
        Weight::Bad => ("bad", "warn", "alert"),
    };
    html! { div.notice.(class) role=(role) { (icon(name)) div { (content) } } }
}

/// What went wrong with a form, in the words of the problem.
pub(super) fn problem(problem: &api::Problem) -> Markup {
    let content = html! {
        p { strong { (text::line(problem.detail.as_deref().unwrap_or(&problem.title))) } }
        @for cause in &problem.causes { p { "caused by: " (text::line(cause)) } }
        @if let Some(hint) = &problem.hint { p { "hint: " code { (text::line(hint)) } } }
        @if let Some(code) = &problem.code { p.note { "error " (text::line(code)) } }
    };
    notice(Weight::Bad, &content)
}

/// A table that can be scrolled by itself where it is wider than the window.
pub(super) fn scrolled(label: &str, table: &Markup) -> Markup {
    html! { div.scrolled tabindex="0" role="region" aria-label=(label) { (table) } }
}

/// Names and values of an address's query; values that are empty are left out.
pub(super) fn query(base: &str, pairs: &[(&str, &str)]) -> String {
    let mut out = base.to_owned();
    let mut mark = if base.contains('?') { '&' } else { '?' };
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        out.push(mark);
        out.push_str(name);
        out.push('=');
        out.push_str(&text::encoded(value));
        mark = '&';
    }
    out
}

/// Links to newer and older pages.
pub(super) fn pager(first: Option<&str>, next: Option<&str>) -> Markup {
    html! {
        @if first.is_some() || next.is_some() {
            nav.pager aria-label="Pages" {
                @if let Some(first) = first { a.button href=(first) { "Newest" } }
                @if let Some(next) = next { a.button rel="next" href=(next) { "Older" } }
            }
        }
    }
}

/// What stands where new rows are counted; the script shows it.
pub(super) fn news() -> Markup {
    html! { button #news .news type="button" hidden { (icon("up")) span {} } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_encoded_and_have_no_empty_values() {
        assert_eq!(
            query("/p/dev/runs", &[("status", "failed"), ("workflow", ""), ("id", "a&b c")]),
            "/p/dev/runs?status=failed&id=a%26b%20c"
        );
        assert_eq!(query("/x?a=1", &[("b", "2")]), "/x?a=1&b=2");
    }

    #[test]
    fn the_four_kinds_of_nothing_have_four_texts() {
        let texts: Vec<String> = [
            Empty::First { what: "Runs are here.", command: "aedile run" },
            Empty::Filtered { what: "runs", clear: "/" },
            Empty::Fine { what: "Nothing is broken." },
            Empty::Forbidden { what: "look", who: "Somebody." },
        ]
        .into_iter()
        .map(|kind| empty(kind).into_string())
        .collect();
        for (one, text) in texts.iter().enumerate() {
            assert!(texts[..one].iter().all(|other| other != text));
        }
    }
}
