//! The live view of a run: lines as they come, and on a terminal one line that says what is being done and for how long.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::ui::Ui;

/// Until then a terminal stays silent: what is done by then needs no narration.
const SILENCE: Duration = Duration::from_millis(250);
/// From then on the time that has passed is shown.
const ELAPSED_FROM: Duration = Duration::from_secs(3);
/// How often the line is drawn again.
const REDRAW: Duration = Duration::from_millis(100);

/// A live view on standard error.
pub struct Live {
    bar: Option<ProgressBar>,
    started: Instant,
    step: Instant,
    doing: String,
    held: Vec<String>,
}

impl Live {
    /// A view for this terminal; lines only, where it is none.
    pub fn new(ui: &Ui) -> Self {
        let bar = (ui.live && !ui.quiet && !ui.json).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
            bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").unwrap_or_else(|_| {
                // the template is a constant that a test renders
                ProgressStyle::default_spinner()
            }));
            bar
        });
        let now = Instant::now();
        Self { bar, started: now, step: now, doing: String::new(), held: Vec::new() }
    }

    /// Whether it is still too early to say anything.
    fn silent(&self) -> bool {
        self.bar.is_some() && self.started.elapsed() < SILENCE
    }

    /// One line of what happened. On a terminal it is held back for the first moments.
    pub fn line(&mut self, ui: &mut Ui, text: &str) {
        if self.silent() {
            self.held.push(text.to_owned());
            return;
        }
        self.show_held(ui);
        self.write(ui, text);
    }

    fn show_held(&mut self, ui: &mut Ui) {
        for text in std::mem::take(&mut self.held) {
            self.write(ui, &text);
        }
        if let Some(bar) = &self.bar
            && bar.is_hidden()
        {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(REDRAW);
        }
    }

    fn write(&self, ui: &mut Ui, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| ui.note(text)),
            None => ui.note(text),
        }
    }

    /// Runs something that writes to the terminal itself.
    pub fn pause(&mut self, write: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// What is being done from here on.
    pub fn doing(&mut self, what: &str) {
        what.clone_into(&mut self.doing);
        self.step = Instant::now();
        self.tick();
    }

    /// Draws again.
    pub fn tick(&mut self) {
        let Some(bar) = &self.bar else { return };
        let took = self.step.elapsed();
        let text = if took >= ELAPSED_FROM {
            format!("{}  {} s", self.doing, took.as_secs())
        } else {
            self.doing.clone()
        };
        bar.set_message(text);
    }

    /// The last line. If all was done before anything was said, only this is.
    pub fn end(&mut self, ui: &mut Ui, text: &str) {
        if self.silent() && ui.verbose == 0 {
            self.held.clear();
        }
        self.show_held(ui);
        self.finish();
        ui.note(text);
    }

    /// Takes the line away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
