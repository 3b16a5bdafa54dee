//! The program under measurement, and what the kernel says of it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::redirect::Policy;
use serde_json::json;

/// The program under measurement.
pub(crate) fn aedile() -> Command {
    Command::new(std::env::var_os("AEDILE").expect("AEDILE names the program"))
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) {
    assert!(command.stdout(Stdio::null()).status().unwrap().success(), "{command:?}");
}

/// A server that is ended when it is dropped.
pub(crate) struct Served {
    child: Child,
    url: String,
    link: String,
    project: String,
}

/// Somebody's browser.
pub(crate) struct Session {
    client: reqwest::Client,
    cookie: String,
}

impl Served {
    /// Starts it in a project's directory.
    pub(crate) fn start(directory: &Path) -> Self {
        let mut child = aedile()
            .args(["ui", "--print", "--as", "bench", "--listen", "127.0.0.1:0", "--quiet"])
            .current_dir(directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let link = lines.next().expect("it prints a link").unwrap();
        // what it says later is for nobody
        std::thread::spawn(move || lines.for_each(drop));
        let url = link.split("/login/").next().unwrap().to_owned();
        let manifest = std::fs::read_to_string(directory.join("aedile.yaml")).unwrap();
        let named = manifest.lines().find_map(|line| line.strip_prefix("name: "));
        let project = named.expect("a project has a name").to_owned();
        Self { child, url, link, project }
    }

    /// Where its interface has the environment.
    pub(crate) fn environment(&self) -> String {
        format!("{}/api/v1/projects/{}/environments/dev", self.url, self.project)
    }

    /// Follows the link it printed.
    pub(crate) async fn sign_in(&self) -> Session {
        let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        let secret = self.link.rsplit('/').next().unwrap();
        let form = [("link", secret)];
        let answer = client.post(format!("{}/login", self.url)).form(&form).send().await.unwrap();
        let cookie = answer.headers().get("set-cookie").expect("it signs in").to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Session { client, cookie }
    }

    /// Makes a token.
    pub(crate) async fn token(&self, session: &Session) -> String {
        let me = session.client.get(format!("{}/api/v1/me", self.url)).header("cookie", &session.cookie);
        let me: serde_json::Value = me.send().await.unwrap().json().await.unwrap();
        let asked = session
            .client
            .post(format!("{}/api/v1/tokens", self.url))
            .header("cookie", &session.cookie)
            .header("x-csrf-token", me["csrf"].as_str().expect("pages get a token against forgery"))
            .json(&json!({ "name": "bench" }));
        let made: serde_json::Value = asked.send().await.unwrap().json().await.unwrap();
        made["secret"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    }

    /// Resident memory.
    pub(crate) fn resident_mib(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    fn ticks(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
        // utime and stime, proc(5)
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// The part of one processor that it uses.
    pub(crate) async fn busy(&self, time: Duration) -> f64 {
        let before = self.ticks();
        tokio::time::sleep(time).await;
        let seconds = f64::from(u32::try_from(self.ticks() - before).unwrap()) / 100.0;
        seconds / time.as_secs_f64()
    }

    /// How many listen, by the server's own count.
    pub(crate) async fn listeners(&self, client: &reqwest::Client) -> usize {
        let text = client.get(format!("{}/metrics", self.url)).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| {
            line.starts_with("aedile_stream_listeners{") && line.contains("environment=\"dev\"")
        });
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
    }
}

impl Session {
    /// The median time of a page of the environment.
    pub(crate) async fn get(&self, served: &Served, path: &str) -> Duration {
        let url = format!("{}/{}/dev{path}", served.url, served.project);
        let mut times = Vec::new();
        for _ in 0..super::ROUNDS {
            let begun = Instant::now();
            let answer = self.client.get(&url).header("cookie", &self.cookie).header("accept", "text/html");
            let answer = answer.send().await.unwrap();
            assert_eq!(answer.status(), 200, "{url}");
            answer.bytes().await.unwrap();
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        times[super::ROUNDS / 2]
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
