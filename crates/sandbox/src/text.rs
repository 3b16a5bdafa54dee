//! Guest text made fit for logs and records.

/// At most `limit` bytes of `text`, cut at a character.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// `text` on one line: control characters are escaped (a log line cannot fake another line or steer a terminal), and
/// what is longer than `limit` bytes is cut.
pub(crate) fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::with_capacity(text.len().min(limit));
    for c in text.chars() {
        let before = line.len();
        if c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
        if line.len() > limit {
            line.truncate(before);
            break;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_single_and_bounded() {
        assert_eq!(one_line("a\nb\u{1b}[2J\u{202e}c", 100), "a\\nb\\u{1b}[2J\\u{202e}c");
        assert_eq!(one_line("ééé", 5), "éé");
        assert_eq!(cut("ééé", 3), "é");
    }
}
