//! Package `text/tabwriter`: text in columns.

use super::{Call, Outcome};
use crate::data::Data;
use crate::limits::STRING_BYTES;
use crate::value::Value;

/// Space between two columns.
const PADDING: usize = 1;

/// A list of lines, or a text; cells end with a tab.
pub(super) fn write(c: &mut Call<'_>) -> Outcome {
    let text = match super::encoding::data_of(c, 0)? {
        Data::String(text) => text,
        Data::Bytes(bytes) => String::from_utf8(bytes).map_err(|_| "the text is not UTF-8".to_owned())?,
        Data::List(lines) => {
            let mut text = String::new();
            for line in lines {
                let Data::String(line) = line else { return Err("every line is a string".into()) };
                text.push_str(&line);
                text.push('\n');
            }
            text
        }
        _ => return Err("unsupported type: a string or a list of strings is needed".into()),
    };
    Ok(Value::string(columns(&text)?))
}

/// A column is as wide as its widest cell, in the lines next to each other that have it. What stands behind the last tab of
/// a line is in no column.
fn columns(text: &str) -> Result<String, String> {
    let lines: Vec<Vec<&str>> = text.split('\n').map(|line| line.split('\t').collect()).collect();
    let mut widths: Vec<Vec<usize>> = lines.iter().map(|cells| vec![0; cells.len() - 1]).collect();
    let most = widths.iter().map(Vec::len).max().unwrap_or(0);
    if most.saturating_mul(lines.len()) > STRING_BYTES {
        return Err("too many columns".to_owned());
    }
    for column in 0..most {
        let mut start = 0;
        while start < lines.len() {
            let run = widths[start..].iter().take_while(|line| line.len() > column).count();
            let block = start..start + run;
            let width =
                lines[block.clone()].iter().map(|cells| cells[column].chars().count() + PADDING).max();
            for line in &mut widths[block] {
                line[column] = width.unwrap_or(0);
            }
            start += run.max(1);
        }
    }
    let mut out = String::new();
    for (i, cells) in lines.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        for (column, cell) in cells.iter().enumerate() {
            out.push_str(cell);
            if let Some(width) = widths[i].get(column) {
                out.push_str(&" ".repeat(width - cell.chars().count()));
            }
        }
        if out.len() > STRING_BYTES {
            return Err("the text is too long".to_owned());
        }
    }
    Ok(out)
}
