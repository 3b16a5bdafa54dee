//! The provider of `tests/oidc/`, started on this machine, and a browser that signs people in there.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, Response};
use server::identity::oidc::Callback;
use url::Url;

/// Where the client is sent back to. Nobody listens there: the browser stops before it.
pub(crate) const PUBLIC: &str = "http://127.0.0.1:9";

/// A provider that lives as long as this.
pub(crate) struct Provider {
    process: Child,
    pub(crate) issuer: String,
}

impl Provider {
    /// Starts it. `None`: `scripts/test` has not installed it here, and this test says that it was not made.
    pub(crate) fn start() -> Option<Self> {
        let home = installed()?;
        let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc/provider.mjs");
        // modules are looked for beside the script
        let script = tempfile::Builder::new().suffix(".mjs").tempfile_in(&home).unwrap();
        std::fs::copy(driver, script.path()).unwrap();
        let mut process = Command::new(home.join("python/bin/node"))
            .arg(script.path())
            .arg(format!("{PUBLIC}/login/oidc/callback"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let told = lines.map_while(Result::ok).find(|line| line.starts_with('{')).expect("it starts");
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        Some(Self { process, issuer: told["issuer"].as_str().unwrap().to_owned() })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn installed() -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?.join("oidc");
    if home.join("installed").is_file() {
        return Some(home);
    }
    let wanted = std::env::var_os("AEDILE_TEST_OIDC").is_some();
    assert!(!wanted, "{} is not there, although scripts/test installs it", home.display());
    println!("skipped: the provider of identities is not installed here; scripts/test does that");
    None
}

/// A browser with cookies of one site.
pub(crate) struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { client, cookies: BTreeMap::new() }
    }

    async fn ask(&mut self, method: Method, url: &Url, form: Option<&str>) -> Response {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.client.request(method, url.clone()).header(COOKIE, cookies.join("; "));
        if let Some(form) = form {
            request =
                request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
        }
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        response
    }

    /// Goes to the provider, says who somebody is and agrees to everything, until it sends back to the client.
    pub(crate) async fn sign_in(&mut self, begin: &Url, name: &str) -> Callback {
        let mut url = begin.clone();
        let mut form: Option<String> = None;
        for _ in 0..20 {
            let method = if form.is_some() { Method::POST } else { Method::GET };
            let response = self.ask(method, &url, form.take().as_deref()).await;
            if let Some(location) = response.headers().get(LOCATION) {
                url = url.join(location.to_str().unwrap()).unwrap();
                if url.as_str().starts_with(PUBLIC) {
                    return callback(&url);
                }
                continue;
            }
            let page = response.text().await.unwrap();
            form = Some(if page.contains("value=\"login\"") {
                format!("prompt=login&login={name}&password=any")
            } else {
                assert!(page.contains("value=\"consent\""), "{page}");
                "prompt=consent".to_owned()
            });
        }
        panic!("the provider sends in circles, last to {url}");
    }
}

pub(crate) fn callback(url: &Url) -> Callback {
    let part = |wanted: &str| {
        url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    Callback { code: part("code"), state: part("state"), error: part("error"), iss: part("iss") }
}
