//! What the older dialect of workflows prints at the end of a run: the event that its tools wait for.

use model::time::rfc3339;
use model::{RunId, Timestamp};
use serde_json::{Value, json};

/// The `ritual.completed:v1` event, whose outputs are a result envelope.
///
/// ```
/// use model::{RunId, Timestamp};
/// let run = RunId::from_parts(1, 1);
/// let event = cli::views::dialect::envelope("echo-ritual", run, Timestamp::UNIX_EPOCH, &serde_json::json!(1));
/// assert_eq!(event["event"], "ritual.completed:v1");
/// assert_eq!(event["outputs"]["result"]["data"], 1);
/// ```
pub fn envelope(name: &str, run: RunId, at: Timestamp, output: &Value) -> Value {
    json!({
        "event": "ritual.completed:v1",
        "ritualId": name,
        "runId": run,
        "ts": rfc3339(at),
        "outputs": { "result": { "success": true, "data": output } },
    })
}
