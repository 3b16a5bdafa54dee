//! Passwords: from the keyboard without an echo, from standard input, from a variable. Never from an argument.

use std::io::{BufRead as _, Read as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::report::{INTERRUPTED, Report};
use crate::ui::Ui;

/// Longest password, in bytes.
const PASSWORD_MAX: usize = 1024;

const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const KILL_LINE: u8 = 0x15;

/// A password. Wiped when dropped.
pub(super) type Password = Zeroizing<String>;

fn whole(bytes: &Zeroizing<Vec<u8>>) -> Result<Password, Report> {
    let text = std::str::from_utf8(bytes).map_err(|_| Report::usage("the password is not UTF-8 text"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Report::usage("the password is empty"));
    }
    if text.len() > PASSWORD_MAX || text.contains(char::is_control) {
        return Err(Report::usage(format!(
            "a password has at most {PASSWORD_MAX} bytes and no control characters"
        )));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// The first line of standard input.
pub(super) fn from_stdin() -> Result<Password, Report> {
    // room for all of it: a vector that grows leaves copies behind
    let mut line = Zeroizing::new(Vec::with_capacity(PASSWORD_MAX + 2));
    let read = std::io::stdin().lock().take(PASSWORD_MAX as u64 + 2).read_until(b'\n', &mut line);
    read.map_err(|error| {
        Report::usage("the password cannot be read from standard input").caused_by(error.to_string())
    })?;
    whole(&line)
}

/// A variable's value.
pub(super) fn from_env(name: &str) -> Result<Password, Report> {
    let missing = || Report::usage(format!("the variable {name} has no password in it"));
    let value = Zeroizing::new(std::env::var(name).map_err(|_| missing())?);
    whole(&Zeroizing::new(value.as_bytes().to_vec()))
}

/// Restores the terminal, whatever happens.
struct Quiet(Termios);

impl Drop for Quiet {
    fn drop(&mut self) {
        // a terminal that is gone needs no restoring
        let _gone = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}

/// Asks at the keyboard. Nothing that is typed is shown; Ctrl-C ends the command and leaves the terminal as it was.
pub(super) fn ask(ui: &mut Ui, question: &str) -> Result<Password, Report> {
    let broken = |error: rustix::io::Errno| {
        Report::usage("the terminal cannot be kept from showing a password").caused_by(error.to_string())
    };
    let before = tcgetattr(std::io::stdin()).map_err(broken)?;
    let mut silent = before.clone();
    // a signal would end the process before the terminal is restored
    silent.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
    tcsetattr(std::io::stdin(), OptionalActions::Flush, &silent).map_err(broken)?;
    let quiet = Quiet(before);
    ui.prompt(question);
    let mut typed = Zeroizing::new(Vec::with_capacity(PASSWORD_MAX + 2));
    let answer = read_typed(std::io::stdin().lock(), &mut typed);
    drop(quiet);
    ui.complain("");
    answer?;
    whole(&typed)
}

fn read_typed(from: impl std::io::BufRead, typed: &mut Vec<u8>) -> Result<(), Report> {
    let interrupted = || Report::usage("no password was given").with_exit(INTERRUPTED);
    for byte in from.bytes() {
        match byte {
            Ok(b'\n' | b'\r') => return Ok(()),
            Ok(INTERRUPT) => return Err(interrupted()),
            Ok(END) if typed.is_empty() => return Err(interrupted()),
            Ok(KILL_LINE) => typed.clear(),
            Ok(0x08 | 0x7f) => {
                // a character may be several bytes
                while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            Ok(byte) if typed.len() <= PASSWORD_MAX => typed.push(byte),
            Ok(_) => {}
            Err(error) => return Err(interrupted().caused_by(error.to_string())),
        }
    }
    Err(interrupted())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> Result<String, u8> {
        let mut typed = Zeroizing::new(Vec::new());
        read_typed(bytes, &mut typed).map_err(|report| report.exit())?;
        whole(&typed).map(|password| password.to_string()).map_err(|report| report.exit())
    }

    #[test]
    fn what_is_typed_can_be_mended() {
        assert_eq!(typed(b"secret\n").as_deref(), Ok("secret"));
        assert_eq!(typed("s\u{e9}\x7f\x08sex\x15pa\u{e9}\x7f\u{e9}\r".as_bytes()).as_deref(), Ok("pa\u{e9}"));
        assert_eq!(typed(b"sec\x03ret\n"), Err(INTERRUPTED));
        assert_eq!(typed(b"\x04"), Err(INTERRUPTED));
        assert_eq!(typed(b"sec"), Err(INTERRUPTED), "the terminal is gone");
        assert_eq!(typed(b"\n"), Err(2));
        assert_eq!(typed(&[b"x".repeat(2000), b"\n".to_vec()].concat()), Err(2));
    }
}
