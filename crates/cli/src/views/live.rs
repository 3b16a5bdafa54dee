//! The live view of a run: lines as they come, and on a terminal one line that says what is being done and for how long.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::ui::Ui;

/// Until then no line is drawn that is drawn again: what is done by then would only flicker.
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
        Self { bar, started: now, step: now, doing: String::new() }
    }

    /// Begins to draw, once there is something to wait for.
    fn appear(&self) {
        if let Some(bar) = &self.bar
            && bar.is_hidden()
            && self.started.elapsed() >= SILENCE
        {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(REDRAW);
        }
    }

    /// One line of what happened.
    pub fn line(&self, ui: &mut Ui, text: &str) {
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
        self.appear();
    }

    /// The last line.
    pub fn end(&mut self, ui: &mut Ui, text: &str) {
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
