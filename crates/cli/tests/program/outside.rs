//! The world that runs change: an HTTP listener that counts what was done, by path and idempotency key.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Path that answers at once and counts nothing: a request to it comes after every request sent before.
const BARRIER: &str = "/barrier";

/// What was done, and what is on its way.
pub struct Outside {
    port: u16,
    inner: Arc<Inner>,
}

struct Inner {
    done: Mutex<BTreeMap<String, Vec<String>>>,
    under_way: AtomicU64,
    random: Mutex<fastrand::Rng>,
    /// Longest pause before and after an effect, so that kills land on both sides of it.
    pause: Duration,
}

impl Outside {
    /// Listens on a free port of this machine. Effects take up to twice `pause`, drawn from `seed`.
    pub fn listen(seed: u64, pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let inner = Arc::new(Inner {
            done: Mutex::default(),
            under_way: AtomicU64::new(0),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            pause,
        });
        let shared = Arc::clone(&inner);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.under_way.fetch_add(1, Ordering::SeqCst);
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // a client that was killed in the middle is no failure of the listener
                    drop(shared.serve(stream));
                    shared.under_way.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, inner }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The idempotency keys that a path was called with, in order, once everything on its way has arrived.
    pub fn done(&self, path: &str) -> Vec<String> {
        self.settle();
        self.inner.done.lock().unwrap().get(path).cloned().unwrap_or_default()
    }

    /// Waits until everything that was sent before has been done.
    fn settle(&self) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET {BARRIER} HTTP/1.1\r\nconnection: close\r\n\r\n").unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
        while self.inner.under_way.load(Ordering::SeqCst) > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Inner {
    /// Answers one request and closes.
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let path = line.split_whitespace().nth(1).unwrap_or_default().to_owned();
        let (mut length, mut key) = (0, String::new());
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "idempotency-key" => value.trim().clone_into(&mut key),
                _ => {}
            }
        }
        // a request that was cut off has done nothing
        reader.read_exact(&mut vec![0; length])?;
        let status = if path == BARRIER { "200 OK" } else { self.perform(&path, key) };
        let body = format!("{{\"did\": \"{path}\"}}");
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    }

    /// Does what a path stands for. `/unsteady` works from the third call on.
    fn perform(&self, path: &str, key: String) -> &'static str {
        self.rest();
        let calls = {
            let mut done = self.done.lock().unwrap();
            let keys = done.entry(path.to_owned()).or_default();
            keys.push(key);
            keys.len()
        };
        self.rest();
        if path == "/unsteady" && calls < 3 { "503 Service Unavailable" } else { "200 OK" }
    }

    fn rest(&self) {
        let most = u64::try_from(self.pause.as_millis()).unwrap();
        let millis = self.random.lock().unwrap().u64(0..=most);
        std::thread::sleep(Duration::from_millis(millis));
    }
}
