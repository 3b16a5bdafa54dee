//! Questions, at a terminal: `script` (util-linux) gives the program a real one.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::bench::{Person, Served};

const SCRIPT: &str = "/usr/bin/script";

/// A program at a terminal, and what it has shown.
struct AtTerminal {
    child: Child,
    keys: ChildStdin,
    chunks: Receiver<String>,
    shown: String,
}

/// Types a line of the shell, where there is a terminal to be had.
fn typed(person: &Person<'_>, args: &[&str], and_then: &str) -> Option<AtTerminal> {
    if !Path::new(SCRIPT).exists() {
        println!("skipped: there is no {SCRIPT} to make a terminal with");
        return None;
    }
    let program = person.command(args);
    let words = std::iter::once(program.get_program()).chain(program.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let mut command = Command::new(SCRIPT);
    command.args(["-qfec", &format!("{}{and_then}", words.join(" ")), "/dev/null"]).env_clear();
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(program.get_current_dir().unwrap()).env_remove("AEDILE_SERVER");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (sender, chunks) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(read @ 1..) = screen.read(&mut buffer) {
            drop(sender.send(String::from_utf8_lossy(&buffer[..read]).into_owned()));
        }
    });
    Some(AtTerminal { child, keys, chunks, shown: String::new() })
}

impl AtTerminal {
    /// Waits until a text was shown since the last one that was waited for.
    fn until(&mut self, text: &str) {
        let from = self.shown.len();
        while !self.shown[from..].contains(text) {
            match self.chunks.recv_timeout(Duration::from_mins(1)) {
                Ok(chunk) => self.shown.push_str(&chunk),
                Err(error) => panic!("{text} was not shown: {error}: {}", self.shown),
            }
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// How it ended, and all that was shown.
    fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        self.shown.extend(self.chunks.iter());
        (status.code(), self.shown)
    }
}

#[test]
fn login_asks_for_the_token_and_shows_nothing_of_it() {
    let served = Served::start();
    let me = served.stranger();
    let token = served.token("lea");
    let Some(mut terminal) = typed(&me, &["login", &served.url], "") else { return };
    terminal.until("it is not shown");
    terminal.press(&format!("wrong\u{15}{token}\n"));
    let (exit, shown) = terminal.end();
    assert!(exit == Some(0) && shown.contains("logged in") && shown.contains("user:lea"), "{shown}");
    assert!(!shown.contains(&token[..12]) && !shown.contains("wrong"), "{shown}");
    assert!(fs_err::read_to_string(me.file()).unwrap().contains(&token));
}

#[test]
fn login_that_is_broken_off_keeps_nothing_and_leaves_the_terminal_as_it_was() {
    let served = Served::start();
    let me = served.stranger();
    let and_then = "; echo ended with $?; stty -a";
    let Some(mut terminal) = typed(&me, &["login", &served.url], and_then) else { return };
    terminal.until("it is not shown");
    terminal.press("\u{3}");
    terminal.until("ended with");
    let (_, shown) = terminal.end();
    assert!(shown.contains("ended with 130"), "{shown}");
    let modes: Vec<&str> = shown.split_whitespace().collect();
    for mode in ["echo", "icanon", "isig"] {
        assert!(modes.contains(&mode), "{mode}: {shown}");
    }
    assert!(!me.file().exists(), "{shown}");
}

#[test]
fn login_shows_a_fingerprint_to_be_compared_before_anything_is_sent() {
    let served = Served::with(&["--listen", "127.0.0.1:0", "--tls", "self"]);
    let me = served.stranger();
    let token = served.token("lea");
    let Some(mut terminal) = typed(&me, &["login", &served.url], "") else { return };
    terminal.until("[y/N]");
    terminal.press("\n");
    let (exit, shown) = terminal.end();
    let found = served.fingerprint.as_deref().unwrap();
    assert!(exit != Some(0) && shown.contains(found) && shown.contains("nothing was sent"), "{shown}");
    assert!(!me.file().exists(), "{shown}");
    let Some(mut terminal) = typed(&me, &["login", &served.url], "") else { return };
    terminal.until("[y/N]");
    terminal.press("y\n");
    terminal.until("it is not shown");
    terminal.press(&format!("{token}\n"));
    let (exit, shown) = terminal.end();
    assert!(exit == Some(0) && shown.contains("logged in"), "{shown}");
    me.run(&["status"]).good();
}

#[test]
fn what_a_script_types_is_asked_nothing_even_at_a_terminal() {
    let served = Served::start();
    let me = served.stranger();
    let Some(terminal) = typed(&me, &["login", &served.url, "--no-input"], "") else { return };
    let (exit, shown) = terminal.end();
    assert!(exit == Some(2) && shown.contains("nobody can be asked for the token"), "{shown}");
}
