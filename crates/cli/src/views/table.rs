//! Tables without frames: columns by width, the last one cut to the terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::ui::{DIM, is_unsafe};

/// Space between columns.
const GAP: usize = 2;

/// Rows of plain text under a header.
#[derive(Debug)]
pub struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new() }
    }

    /// Adds a row. Control characters, which could redraw the terminal, are made visible.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| plain(&cell)).collect());
    }

    /// The lines of the table for a terminal of `width` columns, header first.
    pub fn lines(&self, width: usize) -> Vec<String> {
        let widths: Vec<usize> = (0..self.header.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
                cells.chain([self.header[column].width()]).max().unwrap_or(0)
            })
            .collect();
        let mut lines = Vec::with_capacity(self.rows.len() + 1);
        let header = line(self.header.iter().copied(), &widths, width);
        lines.push(format!("{DIM}{header}{DIM:#}"));
        lines.extend(self.rows.iter().map(|row| line(row.iter().map(String::as_str), &widths, width)));
        lines
    }
}

fn line<'a>(cells: impl ExactSizeIterator<Item = &'a str>, widths: &[usize], width: usize) -> String {
    let last = cells.len().saturating_sub(1);
    let mut out = String::new();
    for (index, cell) in cells.enumerate() {
        out.push_str(cell);
        if index < last {
            let pad = widths[index].saturating_sub(cell.width()) + GAP;
            out.extend(std::iter::repeat_n(' ', pad));
        }
    }
    cut(out.trim_end(), width)
}

/// A number of things: `1 file`, `2 files`.
///
/// ```
/// assert_eq!(cli::views::table::count(1_u64, "file"), "1 file");
/// assert_eq!(cli::views::table::count(0_u64, "file"), "0 files");
/// ```
pub fn count(number: impl TryInto<u64>, thing: &str) -> String {
    // no more than u64 holds is ever counted
    let number = number.try_into().unwrap_or(u64::MAX);
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// A text that cannot move the cursor: control characters become visible.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if is_unsafe(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// A text cut to a number of columns, with an ellipsis where something is missing.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        out.push(c);
    }
    out.push('\u{2026}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_also_with_wide_characters() {
        let mut table = Table::new(&["NAME", "WHAT"]);
        table.row(["a".to_owned(), "one".to_owned()]);
        table.row(["漢字".to_owned(), "two\n\u{1b}[2Jthree".to_owned()]);
        let lines = table.lines(80);
        assert_eq!(lines[1], "a     one");
        assert_eq!(lines[2], "漢字  two \u{fffd}[2Jthree");
    }

    #[test]
    fn long_lines_are_cut_to_the_terminal() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }
}
