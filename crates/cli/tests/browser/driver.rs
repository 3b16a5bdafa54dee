//! A browser of one test's own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// How long a page may take to show what it should.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program that drives Chromium, ended with the test.
pub(crate) struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    /// Starts it on a free port. `None`: it is not installed, which is said, and an error where `scripts/test` installed it.
    pub(crate) fn start() -> Option<Self> {
        let started = Command::new("chromedriver")
            .args(["--port=0", "--log-level=SEVERE"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) if std::env::var_os("AEDILE_TEST_BROWSER").is_none() => {
                println!("skipped: chromedriver cannot be started: {error}");
                return None;
            }
            Err(error) => panic!("chromedriver cannot be started: {error}"),
        };
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines
            .find_map(|line| {
                let line = line.ok()?;
                let (_, port) = line.split_once("started successfully on port ")?;
                Some(port.trim_end_matches('.').to_owned())
            })
            .expect("chromedriver says its port");
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, url: format!("http://127.0.0.1:{port}") })
    }

    /// Opens a browser in which nobody is signed in.
    pub(crate) async fn browser(&self) -> Browser {
        let profile = tempfile::tempdir().unwrap();
        let arguments = [
            "--headless=new".to_owned(),
            // the tests run in containers, where Chromium's own sandbox cannot be made
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-background-networking".to_owned(),
            "--no-first-run".to_owned(),
            "--window-size=1440,900".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        let mut wanted = Capabilities::new();
        wanted.insert("goog:chromeOptions".to_owned(), json!({ "args": arguments }));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(wanted).connect(&self.url).await.expect("Chromium starts");
        Browser { client, _profile: profile }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A browser.
pub(crate) struct Browser {
    pub(crate) client: Client,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Opens an address.
    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Follows a link that signs in, and presses its one button.
    pub(crate) async fn sign_in(&self, link: &str) {
        self.open(link).await;
        self.press("Sign in").await;
        self.sees("Overview").await;
    }

    /// Presses what is a button, or opens what is folded, by the words on it.
    pub(crate) async fn press(&self, words: &str) {
        let path = format!(
            "//*[self::button or self::summary or @role='button'][contains(normalize-space(.), '{words}')][not(@disabled)]"
        );
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(&path)).await;
        match found {
            Ok(button) => button.click().await.unwrap(),
            Err(error) => panic!("no button `{words}` ({error}) on\n{}", self.text().await),
        }
    }

    /// Follows a link by the words on it.
    pub(crate) async fn follow(&self, words: &str) {
        let path = format!("//a[contains(normalize-space(.), '{words}')]");
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(&path)).await;
        match found {
            Ok(link) => link.click().await.unwrap(),
            Err(error) => panic!("no link `{words}` ({error}) on\n{}", self.text().await),
        }
    }

    /// Writes into the visible field of this name.
    pub(crate) async fn write(&self, name: &str, text: &str) {
        for field in self.client.find_all(Locator::Css(&format!("[name='{name}']"))).await.unwrap() {
            if field.is_displayed().await.unwrap() {
                field.send_keys(text).await.unwrap();
                return;
            }
        }
        panic!("no field `{name}` to be seen on\n{}", self.text().await);
    }

    /// What a person reads.
    pub(crate) async fn text(&self) -> String {
        let script = "return document.body ? document.body.innerText : ''";
        self.client.execute(script, Vec::new()).await.unwrap().as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page says something.
    pub(crate) async fn sees(&self, words: &str) {
        let ends = tokio::time::Instant::now() + PATIENCE;
        loop {
            let text = self.text().await;
            if text.contains(words) {
                return;
            }
            assert!(tokio::time::Instant::now() < ends, "`{words}` is not on\n{text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Presses keys as a person would, on the page and not in a field.
    pub(crate) async fn keys(&self, keys: &str) {
        self.client.find(Locator::Css("body")).await.unwrap().send_keys(keys).await.unwrap();
    }

    /// Evaluates a script in the page.
    pub(crate) async fn script(&self, text: &str) -> Value {
        self.client.execute(text, Vec::new()).await.unwrap()
    }

    /// Path of the page.
    pub(crate) async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    pub(crate) async fn close(self) {
        self.client.close().await.unwrap();
    }
}
