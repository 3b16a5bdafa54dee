//! How deep a script nests, before anything that recurses looks at it.

use crate::limits;

/// Why a script nests too deep, and at which byte; `None` when it does not.
///
/// An upper bound: of every bracket that is open, each word and operator in its current item counts, whether or not it
/// nests. No parser can build a deeper tree than that.
pub(crate) fn too_deep(source: &str) -> Option<(usize, String)> {
    let mut scanner =
        Scanner { bytes: source.as_bytes(), at: 0, open: Vec::new(), here: 0, below: 0, elifs: 0 };
    while scanner.at < scanner.bytes.len() {
        let begin = scanner.at;
        scanner.token();
        if scanner.here + scanner.below > limits::SCRIPT_NESTING_MAX {
            let message = format!("an expression nests more than {} words deep", limits::SCRIPT_NESTING_MAX);
            return Some((begin, message));
        }
        if scanner.elifs > limits::SCRIPT_ELIF_MAX {
            return Some((begin, format!("there are more than {} elif", limits::SCRIPT_ELIF_MAX)));
        }
    }
    None
}

struct Scanner<'s> {
    bytes: &'s [u8],
    at: usize,
    /// Tokens of the items that the open brackets stand in.
    open: Vec<usize>,
    /// Tokens of the current item.
    here: usize,
    /// Sum of `open`.
    below: usize,
    elifs: usize,
}

impl Scanner<'_> {
    fn token(&mut self) {
        let byte = self.bytes[self.at];
        match byte {
            b'\'' | b'"' => return self.text(byte),
            b'#' => return self.skip(|byte| byte != b'\n'),
            b'(' | b'[' | b'{' => {
                self.below += self.here + 1;
                self.open.push(self.here + 1);
                self.here = 0;
            }
            b')' | b']' | b'}' => {
                // a call or index behind it nests on what was there
                if let Some(outer) = self.open.pop() {
                    self.below -= outer;
                    self.here = outer;
                }
            }
            b',' => self.here = 0,
            b'\n' if self.open.is_empty() => self.here = 0,
            _ if byte.is_ascii_whitespace() => {}
            _ if is_word(byte) => {
                let begin = self.at;
                self.skip(is_word);
                self.here += 1;
                self.elifs += usize::from(&self.bytes[begin..self.at] == b"elif");
                return;
            }
            _ => self.here += 1,
        }
        self.at += 1;
    }

    fn skip(&mut self, while_it: impl Fn(u8) -> bool) {
        while self.bytes.get(self.at).is_some_and(|byte| while_it(*byte)) {
            self.at += 1;
        }
    }

    /// A text, in one pair of quotes or three. One that does not end, ends with its line: the parser will say so.
    fn text(&mut self, quote: u8) {
        let long = self.bytes[self.at..].starts_with(&[quote; 3]);
        let end: &[u8] = if long { &[quote, quote, quote] } else { &[quote] };
        self.at += end.len();
        self.here += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'\n' if !long => return,
                _ if self.bytes[self.at..].starts_with(end) => {
                    self.at += end.len();
                    return;
                }
                _ => self.at += 1,
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nests_is_counted_and_what_stands_side_by_side_is_not() {
        let flat = format!("x = [{}]\n", "{'a': 1 + 2, 'b': f(3)}, ".repeat(5_000));
        assert_eq!(too_deep(&flat), None);
        assert_eq!(too_deep(&"x = 1\n".repeat(10_000)), None);
        assert_eq!(too_deep(&format!("x = '{}' # {}", "((".repeat(5_000), "[".repeat(5_000))), None);
        assert_eq!(
            too_deep(&format!("x = \"\"\"{}\n{}\"\"\"", "(\\\"".repeat(5_000), "-".repeat(5_000))),
            None
        );
        for unit in ["(", "[", "-", "not ", "1+", "{1:", "f(", "a.b", "f()", "x if y else ", "lambda: "] {
            assert!(too_deep(&unit.repeat(2_000)).is_some(), "{unit}");
        }
        assert!(too_deep(&"elif x:\n  y\n".repeat(501)).is_some());
        let (at, _) = too_deep(&format!("x = 1\ny = {}", "(".repeat(2_000))).unwrap();
        assert!(at > 900, "{at}");
    }
}
