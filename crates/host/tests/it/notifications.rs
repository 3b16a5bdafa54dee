//! Channels.

use std::sync::{Arc, Mutex};

use engine::ports::{BoxFuture, Context, FailureClass, Performer as _};
use host::{Channel, Deliver, Message, Notifications};
use serde_json::{Value, json};

use crate::support::{action, context, until};

struct Refusing;

impl Deliver for Refusing {
    fn deliver<'a>(&'a self, _: Option<&'a Context>, _: &'a Message) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async { Err("503".to_owned()) })
    }
}

#[tokio::test]
async fn messages_reach_their_channel() {
    let directory = tempfile::tempdir().unwrap();
    let (file, by_command) = (directory.path().join("news"), directory.path().join("by-command"));
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let command = format!("cat > {0}.new; mv {0}.new {0}", by_command.display());
    let notifications = Notifications::new()
        .channel(
            "log",
            Channel::Lines(Arc::new(move |line: &str| sink.lock().unwrap().push(line.to_owned()))),
        )
        .channel("file", Channel::File(file.clone()))
        .channel("command", Channel::Command(vec!["sh".to_owned(), "-c".to_owned(), command]))
        .channel("chat", Channel::Other(Arc::new(Refusing)))
        .channel("broken", Channel::Command(vec!["false".to_owned()]));
    let (_canceller, context) = context();
    let send = |channel: Value| {
        let action =
            action("notify.send", json!({"channel": channel, "title": "Out", "text": "a\u{1b}[2J\nb"}));
        let (notifications, context) = (notifications.clone(), context.clone());
        async move { notifications.perform(&context, &action).await }
    };
    for channel in [Value::Null, json!("file"), json!("command")] {
        assert_eq!(send(channel).await.unwrap(), json!({"delivered": true}));
    }
    assert_eq!(*lines.lock().unwrap(), ["Out: a[2J b"]);
    let news: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((&news["title"], &news["kind"]), (&json!("Out"), &json!("notification")));
    until(|| by_command.exists()).await;
    let told: Value = serde_json::from_str(&std::fs::read_to_string(&by_command).unwrap()).unwrap();
    assert_eq!(told["title"], "Out");
    for (channel, class) in [
        ("chat", FailureClass::Transient),
        ("broken", FailureClass::Transient),
        ("nowhere", FailureClass::Permanent),
    ] {
        let failure = send(json!(channel)).await.unwrap_err();
        assert_eq!(failure.class, class);
        assert_eq!(failure.problem.code.as_deref(), Some("E0614"));
    }
}
