//! Operate in a real browser: Debian's Chromium, driven over `WebDriver`, against the real program.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "every line of this program is a test")]

mod approving;
mod driver;
mod looking;
mod place;
mod screens;
