//! The channels of an environment, put together from what `aedile.yaml` says.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use calls::{Client, RawRequest, Reach, Scope};
use engine::ports::{BoxFuture, Cancellation, Context, Secrets};
use host::{Channel, Deliver, Message, Notifications};
use url::Url;

use crate::manifest::Channel as Written;
use crate::{Place, ProjectError};

/// Where lines for people at the terminal go.
pub type Lines = Arc<dyn Fn(&str) + Send + Sync>;

/// Name of the channel there is when a project has none.
const TERMINAL: &str = "log";
/// How long a webhook may take to answer.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a webhook's answer that are read.
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// The channels of an environment. A project without any has one that writes to the terminal.
pub(crate) fn channels(
    place: &Place,
    lines: &Lines,
    client: &Client,
    secrets: &Arc<dyn Secrets>,
) -> Result<Notifications, ProjectError> {
    let mut notifications = Notifications::new();
    let Some(project) = &place.project else {
        return Ok(notifications.channel(TERMINAL, Channel::Lines(Arc::clone(lines))));
    };
    let written = project.manifest.channels(&place.environment);
    if written.is_empty() {
        return Ok(notifications.channel(TERMINAL, Channel::Lines(Arc::clone(lines))));
    }
    for (name, channel) in written {
        let channel = match channel {
            Written::Log {} => Channel::Lines(Arc::clone(lines)),
            Written::File { path } => Channel::File(below(&project.root, &path)?),
            Written::Webhook { url } => Channel::Other(Arc::new(Webhook {
                url: address(&name, &url)?,
                client: client.clone(),
                secrets: Arc::clone(secrets),
            })),
        };
        notifications = notifications.channel(name, channel);
    }
    Ok(notifications)
}

/// A path that stays below the project's directory.
fn below(root: &Path, path: &str) -> Result<PathBuf, ProjectError> {
    let plain =
        Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if path.is_empty() || !plain {
        return Err(ProjectError::Outside { path: path.into() });
    }
    Ok(root.join(path))
}

fn address(name: &str, url: &str) -> Result<Url, ProjectError> {
    Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()).ok_or_else(
        || ProjectError::BadChannel {
            name: name.to_owned(),
            why: "its url is not that of a web server".to_owned(),
        },
    )
}

/// Posts each message as JSON. The address is the project owner's, so no grant is asked for.
struct Webhook {
    url: Url,
    client: Client,
    secrets: Arc<dyn Secrets>,
}

impl Deliver for Webhook {
    fn deliver<'a>(
        &'a self,
        context: Option<&'a Context>,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let request = RawRequest {
                method: "POST".to_owned(),
                url: self.url.clone(),
                headers: vec![("content-type".to_owned(), "application/json".to_owned())],
                body: Some(serde_json::to_vec(message).map_err(|error| error.to_string())?),
                timeout: WEBHOOK_TIMEOUT,
                bytes_max: ANSWER_BYTES_MAX,
            };
            let (_canceller, never) = Cancellation::new();
            let scope = Scope {
                reach: Reach::Hosts(vec![self.url.host_str().unwrap_or_default().to_owned()]),
                idempotency_key: None,
                secrets: self.secrets.as_ref(),
                cancellation: context.map_or(never, |context| context.cancellation.clone()),
            };
            let response = self.client.raw(request, &scope).await.map_err(|error| error.to_string())?;
            match response.status {
                200..300 => Ok(()),
                status => Err(format!("the channel's server answered {status}")),
            }
        })
    }
}
