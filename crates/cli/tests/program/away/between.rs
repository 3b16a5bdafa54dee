//! What stands between a command and its server, and does it no good.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};

use super::bench::{Person, Served};
use crate::terminal::Said;

/// What one connection with a stream of events may carry. Less than a run says, more than a head and the longest of its events.
const CUT: usize = 4_000;

/// Forwards to a server, and cuts every stream of events in the middle.
fn cutting(to: &str) -> String {
    let to = to.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for down in listener.incoming().map_while(Result::ok) {
            let up = TcpStream::connect(&to).unwrap();
            let (mut from, mut into) = (down.try_clone().unwrap(), up.try_clone().unwrap());
            std::thread::spawn(move || drop(std::io::copy(&mut from, &mut into)));
            std::thread::spawn(move || forward(up, down));
        }
    });
    url
}

fn forward(mut up: TcpStream, mut down: TcpStream) {
    let mut buffer = [0; 512];
    let (mut carried, mut streams) = (0, false);
    while let Ok(read @ 1..) = up.read(&mut buffer) {
        carried += read;
        streams |= buffer[..read].windows(17).any(|word| word == b"text/event-stream");
        if down.write_all(&buffer[..read]).is_err() || streams && carried >= CUT {
            break;
        }
    }
    drop(down.shutdown(Shutdown::Both));
    drop(up.shutdown(Shutdown::Both));
}

/// A command on what stands between.
fn through(person: &Person<'_>, url: &str, args: &[&str]) -> Said {
    person.command(args).env("AEDILE_SERVER", url).output().unwrap().into()
}

#[test]
fn a_stream_that_is_cut_again_and_again_loses_and_repeats_no_line() {
    let served = Served::start();
    let me = served.me();
    let url = cutting(&served.url);
    let through_it = served.stranger();
    through_it.remember(&url, &served.token(&::project::machine::user_name()), None);
    let said = through(&through_it, &url, &["run", "long"]).good();
    let direct = me.run(&["run", "long"]).good();
    let steps = |said: &Said| {
        let lines = said.stderr.lines().filter(|line| !line.contains("run_"));
        lines.filter_map(|line| line.get(8..)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(steps(&direct).len() > 20, "{direct:?}");
    assert_eq!(steps(&said), steps(&direct));
    let logs = through(&through_it, &url, &["runs", "logs", "-f", "latest"]).good();
    assert_eq!(logs.stdout, me.run(&["runs", "logs", "latest"]).good().stdout);
}

#[test]
fn what_is_no_server_is_told_from_one() {
    let served = Served::start();
    let me = served.stranger();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            drop(stream.write_all(b"SSH-2.0-OpenSSH_10.0\r\n"));
            drop(stream.read(&mut [0; 4096]));
        }
    });
    me.remember(&url, "aedile_secret", None);
    for args in [&["status"][..], &["run", "plain"], &["journal", "log", "-f"], &["whoami"]] {
        let said = through(&me, &url, args);
        assert!(said.exit == Some(1) && said.stderr.contains("error[E1229]"), "{args:?}: {said:?}");
        assert!(!format!("{said:?}").contains("secret"), "{said:?}");
    }
}
