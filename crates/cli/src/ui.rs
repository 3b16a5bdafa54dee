//! The terminal: answers on standard output, narration on standard error, colour and width.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};

use crate::args::{Color, Global};

/// Something good.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Something bad.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something that waits or deserves a look.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// A command that can be pasted.
pub const COMMAND: Style = AnsiColor::Cyan.on_default();
/// What is less important.
pub const DIM: Style = Style::new().dimmed();
/// What is more important.
pub const STRONG: Style = Style::new().bold();

/// Width assumed of a terminal that does not say.
const WIDTH_DEFAULT: usize = 80;
/// Narrower terminals are written to as if they were this wide; they wrap.
const WIDTH_MIN: usize = 40;
/// Lines for another program are cut only where no reader could want more.
const WIDTH_PIPED: usize = 10_000;
/// Wider lines are harder to read, not more informative.
const WIDTH_MAX: usize = 120;

/// Where a command writes, and how.
pub struct Ui {
    out: AutoStream<std::io::Stdout>,
    err: AutoStream<std::io::Stderr>,
    /// Whether answers are JSON.
    pub json: bool,
    /// Whether narration is left out.
    pub quiet: bool,
    /// How much more is wanted.
    pub verbose: u8,
    /// Columns of the terminal.
    pub width: usize,
    /// Whether standard error is a terminal, so that lines on it can be redrawn.
    pub live: bool,
    /// Whether questions can be asked.
    pub interactive: bool,
    /// What commands that are suggested have to end with, so that they go to the same server.
    pub away: String,
    /// Whether nothing more can be written to standard output.
    closed: bool,
    /// Why, unless its reader just had seen enough.
    broken: Option<std::io::Error>,
}

/// The options that name a server, as they have to be typed again; none where variables say it all.
fn away(global: &Global) -> String {
    let Some(server) = &global.server else { return String::new() };
    let variable = |name: &str, value: &str| std::env::var(name).is_ok_and(|set| set == value);
    let mut options = String::new();
    if !variable("AEDILE_SERVER", server) {
        options.extend([" --server ", server]);
    }
    if let Some(project) = global.project.as_ref().and_then(|name| name.to_str())
        && !variable("AEDILE_PROJECT", project)
    {
        options.extend([" --project ", project]);
    }
    if let Some(environment) = &global.env
        && !variable("AEDILE_ENV", environment)
    {
        options.extend([" --env ", environment]);
    }
    options
}

/// Whether a terminal takes a character for an order, or shows what follows it in another order than it is written in.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A JSON text that means the same and cannot play with the terminal it is shown in. Only strings can hold such characters,
/// so each can be written as an escape (RFC 8259, section 7).
pub fn escaped(json: &str) -> Cow<'_, str> {
    let plays = |c: char| !matches!(c, '\n' | '\t') && is_unsafe(c);
    if !json.contains(plays) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 32);
    for c in json.chars() {
        if plays(c) {
            _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Lines of text from elsewhere that cannot play with the terminal.
pub fn shown(text: &str) -> String {
    text.chars().map(|c| if c != '\n' && is_unsafe(c) { '\u{fffd}' } else { c }).collect()
}

impl Ui {
    /// The terminal of this process.
    pub fn new(global: &Global) -> Self {
        let choice = match global.color {
            Color::Auto => None,
            Color::Always => Some(anstream::ColorChoice::Always),
            Color::Never => Some(anstream::ColorChoice::Never),
        };
        let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
        let live = stderr.is_terminal();
        let width = if stdout.is_terminal() {
            let size = terminal_size::terminal_size_of(&stdout);
            size.map_or(WIDTH_DEFAULT, |(width, _)| usize::from(width.0)).clamp(WIDTH_MIN, WIDTH_MAX)
        } else {
            WIDTH_PIPED
        };
        let interactive = !global.no_input && live && std::io::stdin().is_terminal();
        Self {
            out: choice.map_or_else(
                || AutoStream::auto(std::io::stdout()),
                |choice| AutoStream::new(stdout, choice),
            ),
            err: choice.map_or_else(
                || AutoStream::auto(std::io::stderr()),
                |choice| AutoStream::new(stderr, choice),
            ),
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            width,
            live,
            interactive,
            away: away(global),
            closed: false,
            broken: None,
        }
    }

    /// One line (or several) of the answer.
    pub fn answer(&mut self, text: impl std::fmt::Display) {
        let written = writeln!(self.out, "{text}");
        self.wrote(written);
    }

    /// Bytes of the answer, exactly.
    pub fn answer_bytes(&mut self, bytes: &[u8]) {
        let written = self.out.write_all(bytes);
        self.wrote(written);
    }

    /// The answer as one JSON document, indented.
    pub fn answer_json(&mut self, value: &serde_json::Value) {
        self.answer(escaped(&format!("{value:#}")));
    }

    /// One JSON document on a line of its own, as streaming commands answer.
    pub fn answer_json_line(&mut self, value: &serde_json::Value) {
        self.answer(escaped(&value.to_string()));
    }

    /// A line of narration: left out when quiet or when the answer is JSON.
    pub fn note(&mut self, text: impl std::fmt::Display) {
        if !self.quiet && !self.json {
            self.complain(text);
        }
    }

    /// The next likely command, after a blank line.
    pub fn next(&mut self, command: impl std::fmt::Display, why: &str) {
        let away = &self.away;
        let text = format!("\nnext: {COMMAND}{command}{away}{COMMAND:#}  {DIM}{why}{DIM:#}");
        self.note(text);
    }

    /// A line on standard error that is always written: errors and warnings.
    pub fn complain(&mut self, text: impl std::fmt::Display) {
        // at once, so that nobody else's line comes between its parts
        let mut line = AutoStream::new(Vec::new(), self.err.current_choice());
        drop(writeln!(line, "{text}"));
        // when standard error is gone there is nobody left to tell
        drop(self.err.write_all(&line.into_inner()));
    }

    /// A question on standard error, the answer to which is typed behind it.
    pub fn prompt(&mut self, question: &str) {
        // when standard error is gone there is nobody who could answer
        drop(write!(self.err, "{question} "));
        drop(self.err.flush());
    }

    /// Whether the reader of the answer went away, so that there is no point in going on.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// What kept the answer from being written whole, once. A reader that went away is no such thing.
    pub fn take_broken(&mut self) -> Option<std::io::Error> {
        self.broken.take()
    }

    fn wrote(&mut self, written: std::io::Result<()>) {
        let Err(error) = written else { return };
        if !self.closed && error.kind() != std::io::ErrorKind::BrokenPipe {
            self.broken = Some(error);
        }
        self.closed = true;
    }

    /// Hands everything written so far to the operating system.
    pub fn flush(&mut self) {
        let written = self.out.flush();
        self.wrote(written);
        drop(self.err.flush());
    }
}
