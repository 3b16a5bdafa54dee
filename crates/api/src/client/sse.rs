//! Streams of events, as the HTML Living Standard (section 9.2.6) says they are read.
//!
//! By hand: the crates for it either keep an event of any size in memory, or have not been maintained for years.

use super::limits::EVENT_BYTES_MAX;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// The id of the last event that had one.
    pub(super) id: String,
    /// Its type; `message` where it has none.
    pub(super) kind: String,
    /// Its data, lines joined.
    pub(super) data: String,
}

/// An event is larger than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Reads a stream piece by piece, wherever it is cut.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    /// Whether the last byte was a carriage return, so that a line feed belongs to it.
    returned: bool,
    begun: bool,
    id: String,
    kind: String,
    data: String,
    has_data: bool,
}

impl Parser {
    /// Takes bytes, and gives the events that they complete.
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), TooLarge> {
        for &byte in bytes {
            let after_return = std::mem::replace(&mut self.returned, byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => self.end_of_line(out),
                _ if self.line.len() + self.data.len() >= EVENT_BYTES_MAX => return Err(TooLarge),
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    fn end_of_line(&mut self, out: &mut Vec<Event>) {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let first = !std::mem::replace(&mut self.begun, true);
        let line = if first { text.strip_prefix('\u{feff}').unwrap_or(&text) } else { &text };
        if line.is_empty() {
            self.dispatch(out);
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.kind),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            // `retry` is the server's wish; pauses here have limits of their own. An empty name begins a comment.
            _ => {}
        }
    }

    fn dispatch(&mut self, out: &mut Vec<Event>) {
        let data = std::mem::take(&mut self.data);
        let kind = std::mem::take(&mut self.kind);
        if std::mem::take(&mut self.has_data) {
            let kind = if kind.is_empty() { "message".to_owned() } else { kind };
            out.push(Event { id: self.id.clone(), kind, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, kind: &str, data: &str) -> Event {
        Event { id: id.to_owned(), kind: kind.to_owned(), data: data.to_owned() }
    }

    /// The examples of the standard, and its corners.
    fn cases() -> Vec<(&'static str, Vec<Event>)> {
        vec![
            ("data: YHOO\ndata: +2\ndata: 10\n\n", vec![event("", "message", "YHOO\n+2\n10")]),
            (
                ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
                vec![
                    event("1", "message", "first event"),
                    event("", "message", "second event"),
                    event("", "message", " third event"),
                ],
            ),
            ("data\n\ndata\ndata\n\ndata:", vec![event("", "message", ""), event("", "message", "\n")]),
            ("data:test\n\ndata: test\n\n", vec![event("", "message", "test"), event("", "message", "test")]),
            (
                "\u{feff}event: add\r\ndata: a\r\n\r\ndata: b\r\rdata: c\n\n",
                vec![event("", "add", "a"), event("", "message", "b"), event("", "message", "c")],
            ),
            ("event: nothing\n\nid: 7\n\ndata: x\n\n", vec![event("7", "message", "x")]),
            ("id: 7\0\ndata: x\nretry: 10\nunknown: y\n\n", vec![event("", "message", "x")]),
            ("data: grüße \u{1f600}\n\n", vec![event("", "message", "grüße \u{1f600}")]),
            ("data: not dispatched\n", vec![]),
        ]
    }

    #[test]
    fn streams_are_read_as_the_standard_says_wherever_they_are_cut() {
        for (text, events) in cases() {
            for piece in 1..=text.len() {
                let (mut parser, mut out) = (Parser::default(), Vec::new());
                for bytes in text.as_bytes().chunks(piece) {
                    parser.feed(bytes, &mut out).unwrap();
                }
                assert_eq!(out, events, "{text:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn an_event_has_a_largest_size() {
        let (mut parser, mut out) = (Parser::default(), Vec::new());
        let line = [b"data: ".to_vec(), vec![b'x'; 1 << 20], b"\n".to_vec()].concat();
        let outcome = (0..20).try_for_each(|_| parser.feed(&line, &mut out));
        assert_eq!(outcome, Err(TooLarge));
        assert!(out.is_empty());
    }
}
