//! Texts of several lines, compared line by line for people: what changes in a file is its lines.
//!
//! Nothing that differs may look alike: what does not print is written as `‹U+000D›`, and where lines differ in nothing but white
//! space, so is that.

use std::collections::BTreeSet;
use std::fmt;

use similar::{ChangeTag, DiffOp, TextDiff};

use crate::limits;
use crate::value::{MARKS, Term};

/// Lines that stay the same and are shown before and after those that do not.
const AROUND: usize = 3;

/// What a line costs beyond its bytes.
const LINE_COST: usize = 64;

/// One line of a comparison. Its text is safe to show: what does not print is written by its number, a reference in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Stays.
    Same(String),
    /// Goes.
    Gone(String),
    /// Comes.
    New(String),
    /// So many lines stay, and are not shown.
    Alike(usize),
    /// So many more lines differ, and are not shown: [`limits::COMPARED_SHOWN_MAX`].
    More(usize),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same(text) if text.is_empty() => Ok(()),
            Self::Gone(text) if text.is_empty() => f.write_str("-"),
            Self::New(text) if text.is_empty() => f.write_str("+"),
            Self::Same(text) => write!(f, "  {text}"),
            Self::Gone(text) => write!(f, "- {text}"),
            Self::New(text) => write!(f, "+ {text}"),
            Self::Alike(1) => f.write_str("… 1 line the same"),
            Self::Alike(count) => write!(f, "… {count} lines the same"),
            Self::More(1) => f.write_str("… 1 more line differs"),
            Self::More(count) => write!(f, "… {count} more lines differ"),
        }
    }
}

/// How much is compared for one reader: a plan, a page. Comparing takes time, and what comes of it space.
#[derive(Debug)]
pub struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(limits::COMPARED_COST_MAX)
    }
}

impl Budget {
    fn pays(&mut self, cost: usize) -> bool {
        let left = self.0.checked_sub(cost);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// What differs between two known texts of which one has several lines. `None` where a value is not known for certain or is no text,
/// and where they are too large: [`limits::COMPARED_LINES_MAX`], [`limits::COMPARED_BYTES_MAX`], the budget.
pub(crate) fn between(before: &Term, after: &Term, budget: &mut Budget) -> Option<Vec<Line>> {
    let (before, after) = (text(before)?, text(after)?);
    let bytes = before.len() + after.len();
    if (!before.contains('\n') && !after.contains('\n')) || bytes > limits::COMPARED_BYTES_MAX {
        return None;
    }
    let (before, after): (Vec<&str>, Vec<&str>) =
        (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
    let lines = before.len() + after.len();
    if lines > limits::COMPARED_LINES_MAX || !budget.pays(bytes + lines * LINE_COST) {
        return None;
    }
    Some(compared(&before, &after))
}

fn text(term: &Term) -> Option<&str> {
    match term {
        Term::Known { value } => value.as_str(),
        Term::Absent | Term::Predicted { .. } | Term::Unknown { .. } | Term::Secret { .. } => None,
    }
}

fn compared(before: &[&str], after: &[&str]) -> Vec<Line> {
    let diff = TextDiff::configure().diff_slices(before, after);
    let (mut lines, mut told, mut shown, mut more) = (Vec::new(), 0, 0, 0);
    for group in diff.grouped_ops(AROUND) {
        // what comes may stand before what stays and be listed after it
        let begins = group.iter().map(|op| op.old_range().start).min().unwrap_or(told);
        if begins > told && more == 0 {
            lines.push(Line::Alike(begins - told));
        }
        let way = Way::of(&group, before, after);
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let differs = change.tag() != ChangeTag::Equal;
            if more > 0 || (differs && shown >= limits::COMPARED_SHOWN_MAX) {
                more += usize::from(differs);
                continue;
            }
            shown += usize::from(differs);
            lines.push(match change.tag() {
                ChangeTag::Equal => Line::Same(visible(change.value().trim_end_matches('\n'), false)),
                ChangeTag::Delete => Line::Gone(way.exactly(change.value())),
                ChangeTag::Insert => Line::New(way.exactly(change.value())),
            });
        }
        told = group.iter().map(|op| op.old_range().end).max().unwrap_or(told);
    }
    if more > 0 {
        lines.push(Line::More(more));
    } else if before.len() > told {
        lines.push(Line::Alike(before.len() - told));
    }
    lines
}

/// How the lines of a group are written.
struct Way {
    /// Lines without their white space that both go and come: there, white space is what differs.
    spaced: BTreeSet<String>,
    /// Whether the texts end differently, so that it counts which line has no end.
    ends: bool,
}

impl Way {
    fn of(group: &[DiffOp], before: &[&str], after: &[&str]) -> Self {
        let bare = |op: &DiffOp, lines: &[&str], range: std::ops::Range<usize>| -> Vec<String> {
            let differs = !matches!(op, DiffOp::Equal { .. });
            let lines = if differs { lines.get(range).unwrap_or_default() } else { &[] };
            lines.iter().map(|line| bare(line)).collect()
        };
        let gone: BTreeSet<String> = group.iter().flat_map(|op| bare(op, before, op.old_range())).collect();
        let new = group.iter().flat_map(|op| bare(op, after, op.new_range()));
        let whole = |text: &[&str]| text.last().is_some_and(|line| line.ends_with('\n'));
        let empty = before.is_empty() || after.is_empty();
        Self {
            spaced: new.filter(|line| gone.contains(line)).collect(),
            ends: empty || whole(before) != whole(after),
        }
    }

    /// A line that goes or comes.
    fn exactly(&self, line: &str) -> String {
        let spaced = self.spaced.contains(&bare(line));
        let Some(text) = line.strip_suffix('\n') else {
            let mut text = visible(line, spaced);
            if self.ends {
                text.push_str(" (no end of line)");
            }
            return text;
        };
        visible(text, spaced)
    }
}

/// A line without its white space.
fn bare(line: &str) -> String {
    line.split_whitespace().collect()
}

/// A line as it is shown; with its tabs and the spaces at its end if `spaced`. What would move a cursor, hide what follows or turn it
/// around is written by its number.
fn visible(line: &str, spaced: bool) -> String {
    let mut out = String::with_capacity(line.len());
    let end = if spaced { line.trim_end_matches([' ', '\t']).len() } else { line.len() };
    for (at, letter) in line.char_indices() {
        if at >= limits::COMPARED_LINE_BYTES_MAX {
            let _written = fmt::Write::write_fmt(&mut out, format_args!("… ({} bytes)", line.len()));
            break;
        }
        if let Some((_, _, words)) = MARKS.iter().find(|(_, mark, _)| *mark == letter) {
            out.push_str(words);
            continue;
        }
        match letter {
            '\t' if !spaced => out.push(letter),
            ' ' if at < end => out.push(letter),
            '\t' | ' ' => number(&mut out, letter),
            '"' | '\'' | '\\' => out.push(letter),
            // what looks like a number is not one
            '‹' if line[at..].starts_with("‹U+") => number(&mut out, letter),
            _ if letter.escape_debug().len() > 1 => number(&mut out, letter),
            _ => out.push(letter),
        }
    }
    out
}

fn number(out: &mut String, letter: char) {
    // writing to a text does not fail
    let _written = fmt::Write::write_fmt(out, format_args!("‹U+{:04X}›", u32::from(letter)));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::program::{SECRET_CLOSE, SECRET_OPEN};
    use proptest::prelude::*;

    use serde_json::Value;

    use super::*;

    fn known(text: &str) -> Term {
        Term::Known { value: Arc::new(Value::from(text)) }
    }

    /// A number on each line.
    fn numbers(range: std::ops::Range<usize>) -> String {
        range.map(|number| number.to_string() + "\n").collect::<Vec<_>>().concat()
    }

    fn compare(before: &str, after: &str) -> Option<Vec<Line>> {
        between(&known(before), &known(after), &mut Budget::default())
    }

    fn shown(before: &str, after: &str) -> Vec<String> {
        compare(before, after).expect("lines").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_changes_is_shown_with_what_is_around_it() {
        let before = numbers(1..21);
        let after = before.replace("\n10\n", "\nten\n");
        assert_eq!(
            shown(&before, &after),
            [
                "… 6 lines the same",
                "  7",
                "  8",
                "  9",
                "- 10",
                "+ ten",
                "  11",
                "  12",
                "  13",
                "… 7 lines the same"
            ]
        );
    }

    #[test]
    fn one_line_and_what_is_no_certain_text_are_not_compared() {
        let several = known("a\nb");
        assert_eq!(compare("a", "b"), None);
        for other in [
            Term::Absent,
            Term::Unknown { on: Vec::new() },
            Term::Predicted { value: Arc::new(Value::from("a\n")) },
            Term::Known { value: Arc::new(Value::from(7)) },
        ] {
            assert_eq!(between(&other, &several, &mut Budget::default()), None, "{other:?}");
            assert_eq!(between(&several, &other, &mut Budget::default()), None, "{other:?}");
        }
    }

    #[test]
    fn how_texts_end_is_said_where_that_differs() {
        assert_eq!(shown("a\nb\n", "a\nb"), ["  a", "- b", "+ b (no end of line)"]);
        assert_eq!(shown("a\nb", "a\nc"), ["  a", "- b", "+ c"]);
        assert_eq!(shown("", "a\nb\n"), ["+ a", "+ b"]);
        assert_eq!(shown("", "a\nb"), ["+ a", "+ b (no end of line)"]);
    }

    #[test]
    fn nothing_that_differs_looks_alike() {
        // what does not print
        assert_eq!(shown("a\n", "a\u{1b}[2J\u{202e}\n"), ["- a", "+ a‹U+001B›[2J‹U+202E›"]);
        assert_eq!(shown("a\r\nb\n", "a\nb\n"), ["- a‹U+000D›", "+ a", "  b"]);
        assert_eq!(shown("# x\r\nyes\n", "# x\ryes\n"), ["- # x‹U+000D›", "- yes", "+ # x‹U+000D›yes"]);
        // and what looks like that
        assert_eq!(shown("a\r\n", "a‹U+000D›\n"), ["- a‹U+000D›", "+ a‹U+2039›U+000D›"]);
        assert_eq!(shown("a\\r\n", "über \"all\" 'of' ‹it›\n"), ["- a\\r", "+ über \"all\" 'of' ‹it›"]);
        // white space, where that is all
        assert_eq!(shown("a \n", "a\n"), ["- a‹U+0020›", "+ a"]);
        assert_eq!(shown("\tx y\n", " x y\n"), ["- ‹U+0009›x y", "+  x y"]);
        assert_eq!(shown("a\n\nb\n", "a\n  \nb\n"), ["  a", "-", "+ ‹U+0020›‹U+0020›", "  b"]);
        assert_eq!(shown("\tx\n", "\tz \n"), ["- \tx", "+ \tz "]);
        // a reference is told by its mark, and not by how a mark is written
        let marked = format!("a={SECRET_OPEN}db{SECRET_CLOSE} \\u{{f8f0}}\n");
        assert_eq!(shown("a=\n", &marked), ["- a=", "+ a=(secret db) \\u{f8f0}"]);
    }

    #[test]
    fn a_long_comparison_says_how_much_is_left_out() {
        let most = limits::COMPARED_SHOWN_MAX;
        let lines = |count: usize| numbers(0..count);
        let all = shown("", &lines(most + 7));
        assert_eq!((all.len(), all.last().map(String::as_str)), (most + 1, Some("… 7 more lines differ")));
        let all = shown("same\n", &format!("{}same\n", lines(most)));
        assert_eq!(all.last().map(String::as_str), Some("  same"));
        let long = "x".repeat(limits::COMPARED_LINE_BYTES_MAX + 9);
        assert!(shown("\n", &format!("{long}\n"))[1].ends_with(&format!("x… ({} bytes)", long.len())));
    }

    #[test]
    fn what_is_too_large_is_not_compared() {
        assert_eq!(compare(&"x\n".repeat(limits::COMPARED_LINES_MAX), "x\n"), None);
        assert_eq!(compare(&"x".repeat(limits::COMPARED_BYTES_MAX), "x\n"), None);
        let mut budget = Budget(200);
        let mut again = || between(&known("a\n"), &known("b\n"), &mut budget);
        assert!(again().is_some(), "two lines and four bytes");
        assert_eq!(again(), None);
    }

    proptest! {
        /// What is shown, put together again, is both texts.
        #[test]
        fn no_line_is_lost(before in "([ab]\n){1,12}", after in "([ab]\n){1,12}") {
            let lines = compare(&before, &after).expect("lines");
            let count = |wanted: fn(&Line) -> usize| lines.iter().map(wanted).sum::<usize>();
            let gone = count(|line| match line { Line::Same(_) | Line::Gone(_) => 1, Line::Alike(n) => *n, _ => 0 });
            let new = count(|line| match line { Line::Same(_) | Line::New(_) => 1, Line::Alike(n) => *n, _ => 0 });
            prop_assert_eq!((gone, new), (before.lines().count(), after.lines().count()));
        }
    }
}
