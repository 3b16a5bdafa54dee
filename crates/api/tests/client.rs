//! The client against servers that misbehave: each test scripts the bytes that come over the wire.

#![allow(clippy::unwrap_used, reason = "every line of this program is a test")]

use std::sync::{Arc, Mutex};

use api::client::{Client, ClientError, Login, Token};
use api::{Reason, SubmitRun};
use model::Coded as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// What a server of the script was asked, request by request, and what it answers in turn.
struct Script {
    url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Script {
    /// Each connection gets the next answer and is closed.
    async fn plain(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&heard);
        tokio::spawn(async move {
            for answer in answers {
                let (stream, _) = listener.accept().await.unwrap();
                exchange(stream, &answer, &noted).await;
            }
        });
        Self { url, heard }
    }

    fn client(&self) -> Client {
        let token = Token::new("aedile_secret".to_owned().into()).unwrap();
        Client::new(Login::at(&self.url).unwrap().with_token(token)).unwrap()
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// Reads one request with its body, and answers it.
async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &[u8],
    heard: &Mutex<Vec<String>>,
) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let length = text
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
            .unwrap_or(0);
        let whole = text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length);
        if whole || read == 0 {
            heard.lock().unwrap().push(text);
            break;
        }
    }
    drop(stream.write_all(answer).await);
    drop(stream.shutdown().await);
}

fn answer(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\naedile-api-version: 1\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

fn json(body: &str) -> Vec<u8> {
    answer("200 OK", "application/json", body)
}

fn problem(status: &str, body: &str) -> Vec<u8> {
    answer(status, "application/problem+json", body)
}

fn codes(error: &ClientError) -> (&'static str, u8) {
    (error.code().id, error.code().exit.code())
}

const NOBODY: &str = r#"{"principal": "user:maria", "groups": [], "means": "token", "id": "tok_1", "administrator": false,
    "expiresAt": "2027-01-01T00:00:00.000Z", "scope": {}, "projects": []}"#;

#[tokio::test]
async fn a_problem_reads_as_the_error_does_here() {
    let body = r#"{"type": "urn:aedile:error:E0206", "title": "t", "status": 409, "code": "E0206", "detail": "it is granted",
        "causes": ["by lea", "at noon"], "hint": "aedile approvals list", "state": "granted",
        "findings": [{"severity": "warning", "code": "E9999", "message": "m", "file": "f", "line": 1, "column": 2, "path": "/a"}]}"#;
    let script = Script::plain(vec![problem("409 Conflict", body)]).await;
    let error = script.client().me().await.unwrap_err();
    assert_eq!(error.to_string(), "it is granted");
    assert_eq!((error.code().id, error.status()), ("E0206", Some(409)));
    assert_eq!(error.whole(), "it is granted: by lea: at noon");
    assert_eq!(error.hint().as_deref(), Some("aedile approvals list"));
    assert_eq!(error.findings()[0].code.id, "E9999", "what only a newer server knows stays as it is");
    assert_eq!(error.findings()[0].location.to_string(), "f:1:2 (/a)");
}

#[tokio::test]
async fn what_is_no_aedile_server_is_told_from_one_and_nothing_is_followed() {
    let redirect =
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec();
    for (what, bytes) in [
        ("garbage", b"\x00\xffSSH-2.0-OpenSSH\r\n\r\n".to_vec()),
        ("a page", b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<ok>".to_vec()),
        ("another kind of JSON", json("[1, 2]")),
        ("broken JSON", json(r#"{"principal": "#)),
        ("a redirect", redirect),
        (
            "an error page",
            b"HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n".to_vec(),
        ),
    ] {
        // what is no HTTP may be a connection that broke, and is asked again
        let times = if what == "garbage" { 5 } else { 1 };
        let script = Script::plain(vec![bytes; times]).await;
        let error = script.client().me().await.unwrap_err();
        assert_eq!(codes(&error), ("E1229", 1), "{what}: {}", error.whole());
        assert_eq!(script.heard().len(), times, "{what}");
    }
}

#[tokio::test]
async fn what_was_no_answer_is_told_though_later_connections_only_broke() {
    let garbage = b"SSH-2.0-OpenSSH\r\n".to_vec();
    let script = Script::plain(vec![Vec::new(), garbage.clone(), Vec::new(), Vec::new(), Vec::new()]).await;
    let error = script.client().me().await.unwrap_err();
    assert_eq!(codes(&error), ("E1229", 1), "{}", error.whole());
    assert_eq!(script.heard().len(), 5);

    // an answer in between was one of a server
    let busy = problem("503 Service Unavailable", r#"{"type": "t", "title": "busy", "status": 503}"#);
    let script = Script::plain(vec![garbage.clone(), busy, Vec::new(), Vec::new(), Vec::new()]).await;
    let error = script.client().me().await.unwrap_err();
    assert_eq!(codes(&error), ("E1228", 1), "{}", error.whole());

    // what is not there any more is not judged by what it said when it was
    let script = Script::plain(vec![garbage]).await;
    let error = script.client().me().await.unwrap_err();
    assert_eq!(codes(&error), ("E1228", 1), "{}", error.whole());
}

#[tokio::test]
async fn what_may_be_sent_twice_is_sent_again_and_nothing_else_is() {
    let busy = problem(
        "503 Service Unavailable",
        r#"{"type": "t", "title": "busy", "status": 503, "code": "E1221"}"#,
    );
    let cut = b"HTTP/1.1 200 OK\r\naedile-api-version: 1\r\ncontent-length: 100\r\n\r\n{".to_vec();
    let script = Script::plain(vec![busy, cut.clone(), json(NOBODY)]).await;
    assert_eq!(script.client().me().await.unwrap().principal, "user:maria");
    assert_eq!(script.heard().len(), 3);
    assert!(script.heard()[0].contains("authorization: Bearer aedile_secret"));

    let submitted = answer("202 Accepted", "application/json", r#"{"run": "run_1", "links": null}"#);
    let script = Script::plain(vec![Vec::new(), submitted]).await;
    let wanted = SubmitRun { workflow: Some("a/b".to_owned()), ..SubmitRun::default() };
    let at = script.client().environment("shop", "dev");
    assert_eq!(at.submit(&wanted, "key-1").await.unwrap().run.as_deref(), Some("run_1"));
    assert!(script.heard().iter().all(|request| request.contains("idempotency-key: key-1")));
    assert_eq!(script.heard().len(), 2);

    let script = Script::plain(vec![cut, json(NOBODY)]).await;
    let error =
        script.client().environment("shop", "dev").cancel("run_1", &Reason::default()).await.unwrap_err();
    assert_eq!(script.heard().len(), 1, "whether it was done is not known: {}", error.whole());
    assert!(!error.whole().contains("secret") && !format!("{error:?}").contains("secret"));
}

#[tokio::test]
async fn a_server_that_is_gone_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::new(Login::at(&format!("http://{address}")).unwrap()).unwrap();
    let error = client.me().await.unwrap_err();
    assert_eq!(codes(&error), ("E1228", 1), "{}", error.whole());
}

fn event(position: u64) -> String {
    let record = format!(
        r#"{{"position": {position}, "stream": "run_1", "sequence": {position}, "type": "run.started", "at": "t",
        "actor": "user:a", "record": {{}}, "digest": "d"}}"#
    );
    format!("id: {position}\nevent: run.started\ndata: {}\n\n", record.replace('\n', ""))
}

fn stream(body: &str) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\naedile-api-version: 1\r\ncontent-type: text/event-stream\r\n\r\n";
    format!("{head}{body}").into_bytes()
}

#[tokio::test]
async fn a_stream_that_breaks_goes_on_where_it_broke() {
    let torn = event(3);
    let script = Script::plain(vec![
        stream(&format!(": listening\n\n{}{}{}", event(1), event(2), &torn[..torn.len() / 2])),
        problem("503 Service Unavailable", r#"{"type": "t", "title": "busy", "status": 503}"#),
        stream(&format!("{}{}{}", event(2), event(3), event(4))),
        stream(""),
        stream(""),
        stream(""),
    ])
    .await;
    let mut events = script.client().environment("shop", "dev").run_events("run_1");
    let mut positions = Vec::new();
    while let Some(record) = events.next().await.unwrap() {
        positions.push(record.position);
    }
    assert_eq!(positions, [1, 2, 3, 4], "none is missed and none comes twice");
    let heard = script.heard();
    assert!(!heard[0].contains("last-event-id"), "{}", heard[0]);
    assert!(heard[2].contains("last-event-id: 2\r\n"), "{}", heard[2]);
    assert!(heard[3].contains("last-event-id: 4\r\n"), "{}", heard[3]);
}

#[tokio::test]
async fn a_stream_says_when_it_may_not_be_heard_any_more() {
    let revoked = r#"{"type": "t", "title": "you are not signed in", "status": 401, "code": "E1202"}"#;
    let script = Script::plain(vec![stream(&event(1)), problem("401 Unauthorized", revoked)]).await;
    let mut events = script.client().environment("shop", "dev").run_events("run_1");
    assert_eq!(events.next().await.unwrap().unwrap().position, 1);
    let error = events.next().await.unwrap_err();
    assert_eq!(error.code().id, "E1202");
    assert_eq!(error.hint(), Some(format!("aedile login {}", script.url)));
}

#[tokio::test]
async fn an_export_that_is_cut_off_is_not_taken_for_whole() {
    let head = "HTTP/1.1 200 OK\r\naedile-api-version: 1\r\ncontent-type: application/jsonl\r\ntransfer-encoding: chunked\r\n\r\n";
    let script = Script::plain(vec![format!("{head}6\r\n{{}}\n{{\"a\r\n").into_bytes()]).await;
    let mut export = script.client().environment("shop", "dev").export().await.unwrap();
    assert_eq!(export.line().await.unwrap().as_deref(), Some(b"{}".as_slice()));
    assert_eq!(export.line().await.unwrap_err().code().id, "E1228");
}

/// A server with a certificate that nobody vouches for; answers every connection that comes through its handshake.
async fn encrypted() -> (String, Arc<Mutex<Vec<String>>>) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&heard);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                exchange(stream, &json(NOBODY), &noted).await;
            }
        }
    });
    (url, heard)
}

#[tokio::test]
async fn a_certificate_is_believed_once_somebody_has_compared_it() {
    let (url, heard) = encrypted().await;
    let token = || Token::new("aedile_secret".to_owned().into()).unwrap();
    let login = || Login::at(&url).unwrap().with_token(token());
    let error = Client::new(login()).unwrap().me().await.unwrap_err();
    assert_eq!(codes(&error), ("E1242", 1), "{}", error.whole());
    let found = error.untrusted().unwrap();
    let other = found.to_string().chars().rev().collect::<String>().parse().unwrap();
    let error = Client::new(login().with_pin(other)).unwrap().me().await.unwrap_err();
    assert_eq!(codes(&error), ("E1243", 1), "{}", error.whole());
    assert!(error.whole().contains(&found.to_string()), "{}", error.whole());
    assert!(heard.lock().unwrap().iter().all(|bytes| !bytes.contains("secret")), "nothing was sent");
    let me = Client::new(login().with_pin(found)).unwrap().me().await.unwrap();
    assert_eq!(me.principal, "user:maria");
}
