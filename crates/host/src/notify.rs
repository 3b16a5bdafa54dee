//! Telling people: channels, the action `notify.send`, and the engine's own news about approvals.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use engine::ports::{BoxFuture, Cancellation, Context, Failure, FailureClass, Notifier, Performer};
use journal::events::{Asked, DriftEvent};
use model::{Action, Json, Problem, Timestamp, code};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use workflow::action_input::Notification;
use zeroize::Zeroizing;

use crate::limits;
use crate::process::RawCommand;

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// `notification`, `approval` for something a person must decide, or `drift` for something that is not as it was applied.
    pub kind: &'static str,
    /// One line.
    pub title: String,
    /// More, in Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The run it is about, if it is about one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub run: String,
    /// What to type, if there is something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// A way to tell people that is made elsewhere: a webhook, a chat.
pub trait Deliver: Send + Sync {
    /// Delivers, or says why not (free of credentials).
    fn deliver<'a>(
        &'a self,
        context: Option<&'a Context>,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), String>>;
}

/// One way to tell people.
#[derive(Clone)]
pub enum Channel {
    /// One line for each message, to whatever the embedding program shows or logs.
    Lines(Arc<dyn Fn(&str) + Send + Sync>),
    /// JSON lines at the end of a file, made with mode 0600 if it is not there.
    File(PathBuf),
    /// A program (first) with its arguments; the message is its standard input, as JSON. Chosen by the project's owner
    /// and not by workflows.
    Command(Vec<String>),
    /// Something else.
    Other(Arc<dyn Deliver>),
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lines(_) => f.write_str("Lines"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Command(command) => f.debug_tuple("Command").field(command).finish(),
            Self::Other(_) => f.write_str("Other"),
        }
    }
}

/// The channels of a project. Performs `notify.send`, and tells the default channel about approvals.
#[derive(Debug, Clone, Default)]
pub struct Notifications {
    channels: BTreeMap<String, Channel>,
    default: Option<String>,
    /// What is being told in the background.
    telling: Arc<Mutex<JoinSet<()>>>,
}

impl Notifications {
    /// No channel.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a channel. The first one is the default.
    #[must_use]
    pub fn channel(mut self, name: impl Into<String>, channel: Channel) -> Self {
        let name = name.into();
        self.default.get_or_insert_with(|| name.clone());
        self.channels.insert(name, channel);
        self
    }

    fn find(&self, name: Option<&str>) -> Result<&Channel, String> {
        let name = name.or(self.default.as_deref()).ok_or("there is no channel")?;
        self.channels.get(name).ok_or_else(|| {
            let known = self.channels.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            format!("there is no channel `{name}`; there is: {known}")
        })
    }
}

impl Channel {
    async fn deliver(&self, context: Option<&Context>, message: &Message) -> Result<(), String> {
        let work = async {
            match self {
                Self::Lines(sink) => {
                    sink(&one_line(message));
                    Ok(())
                }
                Self::File(path) => append(path, message),
                Self::Command(command) => {
                    run(command, message, context.map(|context| &context.cancellation)).await
                }
                Self::Other(other) => other.deliver(context, message).await,
            }
        };
        tokio::time::timeout(limits::NOTIFY_TIMEOUT, work)
            .await
            .unwrap_or_else(|_| Err(format!("it took longer than {} s", limits::NOTIFY_TIMEOUT.as_secs())))
    }
}

/// A message on one line, without control characters that could rewrite a terminal.
fn one_line(message: &Message) -> String {
    let mut line = message.title.clone();
    if let Some(text) = &message.text {
        line = format!("{line}: {text}");
    }
    if let Some(command) = &message.command {
        line = format!("{line} ({command})");
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).collect()
}

fn append(path: &PathBuf, message: &Message) -> Result<(), String> {
    let mut entry = serde_json::to_value(message).map_err(|error| error.to_string())?;
    entry["at"] = Value::from(model::time::rfc3339(Timestamp::now()));
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    // one write, so that two processes do not mix their lines
    file.write_all(format!("{entry}\n").as_bytes()).map_err(|error| format!("{}: {error}", path.display()))
}

async fn run(
    command: &[String],
    message: &Message,
    cancellation: Option<&Cancellation>,
) -> Result<(), String> {
    let text = serde_json::to_string(message).map_err(|error| error.to_string())?;
    let (_canceller, never) = Cancellation::new();
    let raw = RawCommand { command, stdin: Zeroizing::new(text), timeout: limits::NOTIFY_TIMEOUT };
    raw.run(cancellation.cloned().unwrap_or(never)).await.map_err(|error| error.to_string())
}

impl Performer for Notifications {
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(async move {
            let failed = |problem: Problem, code| Failure {
                problem: problem.with_code(code),
                class: FailureClass::Permanent,
                maybe_happened: false,
            };
            let wanted = action.input.read::<Notification>().map_err(|error| {
                failed(
                    Problem::validation(format!("the input is not that of `notify.send`: {error}")),
                    code::host::BAD_CALL,
                )
            })?;
            let message = Message {
                kind: "notification",
                title: wanted.title,
                text: wanted.text,
                run: context.run.to_string(),
                command: None,
            };
            let delivered = match self.find(wanted.channel.as_deref()) {
                Ok(channel) => channel
                    .deliver(Some(context), &message)
                    .await
                    .map_err(|why| (why, FailureClass::Transient)),
                Err(why) => Err((why, FailureClass::Permanent)),
            };
            match delivered {
                Ok(()) => Ok(json!({"delivered": true}).into()),
                Err((why, class)) => Err(Failure {
                    class,
                    ..failed(
                        Problem::communication(format!("the notification was not delivered: {why}")),
                        code::host::NOT_DELIVERED,
                    )
                }),
            }
        })
    }
}

impl Notifications {
    /// Tells the default channel, in the background.
    fn tell(&self, message: Message) {
        let (Ok(channel), Ok(runtime)) = (self.find(None), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let channel = channel.clone();
        // a failure is not worth more than what it is about, which is in the journal all the same
        let mut telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        while telling.try_join_next().is_some() {}
        telling.spawn_on(async move { drop(channel.deliver(None, &message).await) }, &runtime);
    }
}

impl Notifier for Notifications {
    /// Delivers in the background, if there is a runtime and a channel. The approval itself does not depend on it.
    fn approval_requested(&self, approval: &Asked) {
        self.tell(Message {
            kind: "approval",
            title: approval.title.clone(),
            text: approval.description.clone(),
            run: approval.run.to_string(),
            command: Some(format!("aedile approve {}", approval.approval)),
        });
    }

    fn told(&self) -> BoxFuture<'_, ()> {
        let telling = std::mem::take(&mut *self.telling.lock().unwrap_or_else(PoisonError::into_inner));
        Box::pin(async move {
            // each delivery has its own limit of time
            telling.join_all().await;
        })
    }

    /// The same for what is not as it was applied: each state once, fights, what keeps changing, and that nobody could look for long.
    fn drifted(&self, event: &DriftEvent) {
        let (title, text, command) = match event {
            DriftEvent::Found(found) => {
                let fields: Vec<&str> = found.fields.iter().map(|field| field.name.as_str()).collect();
                let text = found.why.clone().or_else(|| (!fields.is_empty()).then(|| fields.join(", ")));
                (format!("{} drifted: {}", found.resource, found.class), text, "aedile drift")
            }
            DriftEvent::Fought(fought) => {
                let times = fought.mended.len();
                let title = format!("{} was put right {times} times and comes back", fought.resource);
                (title, Some(fought.who.clone()), "aedile drift")
            }
            DriftEvent::Flapped(flapped) => {
                let title = format!("{} keeps changing: {} times", flapped.resource, flapped.changes);
                (title, Some(flapped.fields.join(", ")).filter(|text| !text.is_empty()), "aedile drift")
            }
            DriftEvent::Skipped(skipped)
                if skipped.seen.duration_since(skipped.since) >= limits::DRIFT_UNSEEN_TOLD =>
            {
                let since = model::time::rfc3339(skipped.since);
                let title = format!("nobody could look for drift since {since}: {} rounds", skipped.rounds);
                (title, Some(skipped.why.clone()), "aedile status")
            }
            _ => return,
        };
        let (run, command) = (String::new(), Some(command.to_owned()));
        self.tell(Message { kind: "drift", title, text, run, command });
    }
}
