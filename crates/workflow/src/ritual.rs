//! The older dialect of the DSL, with `states` instead of `do`, translated at load.
//!
//! A ritual is recognised by `states` without `do`. Every state becomes a task of the same name, and the result
//! an ordinary document of the DSL, in which every value keeps the place it had in the ritual's text. Nothing else in
//! this crate knows about rituals but the function `echo`, which they have built in.
//!
//! | state | task |
//! |---|---|
//! | `task`, `operation` with `functionRef` | `call`; `echo` shows its message; `compensate` does nothing |
//! | `task` with `scheduleTimer` | notes when the timer is due and goes on |
//! | `event` on `timer.fired:v1` | waits until then, and publishes that event |
//! | `event` on other types | `listen` |
//! | `switch` | `switch` |
//! | `sleep`, `inject` | `wait`, `set` |
//!
//! The output of the run is the ritual's `ritual.completed:v1` event, whose `outputs` are a result envelope around the
//! data of the last state.

use model::Code;
use model::code::workflow as code;
use serde_json::{Value, json};

use crate::document::source::{Data, Key, Mark, Node, from_value};

/// The type of event that a timer of the dialect fires.
const TIMER_FIRED: &str = "timer.fired:v1";

/// Why a ritual cannot be translated.
pub(crate) struct Refused {
    pub(crate) code: &'static Code,
    pub(crate) at: Mark,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// The ritual as a document of the DSL; `None` when it is none.
pub(crate) fn translate(root: &Node) -> Option<Result<Node, Box<Refused>>> {
    let is_ritual = member(root, "states").is_some() && member(root, "do").is_none();
    is_ritual.then(|| document(root))
}

type Translated<T> = Result<T, Box<Refused>>;

fn refuse<T>(code: &'static Code, node: &Node, path: &str, message: impl Into<String>) -> Translated<T> {
    let refused = Refused { code, at: node.at, path: path.to_owned(), message: message.into(), hint: None };
    Err(Box::new(refused))
}

fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match &node.data {
        Data::Map(members) => members.iter().find(|(key, _)| key.text == name).map(|(_, node)| node),
        _ => None,
    }
}

fn text(node: &Node) -> Option<String> {
    match &node.data {
        Data::Text(text) => Some(text.clone()),
        Data::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn map(at: Mark, members: Vec<(&str, Node)>) -> Node {
    let members = members.into_iter().map(|(name, node)| (Key { text: name.to_owned(), at }, node)).collect();
    Node { at, data: Data::Map(members) }
}

fn list(at: Mark, items: Vec<Node>) -> Node {
    Node { at, data: Data::List(items) }
}

fn string(at: Mark, text: impl Into<String>) -> Node {
    Node { at, data: Data::Text(text.into()) }
}

fn document(root: &Node) -> Translated<Node> {
    let at = root.at;
    let Some(id) = member(root, "id").and_then(text) else {
        return refuse(code::MISSING_FIELD, root, "", "a ritual needs `id`");
    };
    let version = member(root, "version").and_then(text).unwrap_or_else(|| "1.0.0".to_owned());
    let name: String = id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let mut header = vec![
        ("dsl", string(at, "1.0.3")),
        ("namespace", string(at, "ritual")),
        ("name", string(at, name.trim_matches('-'))),
        ("version", string(at, three_parts(&version))),
    ];
    header.extend(member(root, "name").map(|name| ("title", name.clone())));
    header.extend(member(root, "description").map(|summary| ("summary", summary.clone())));
    let completed = format!(
        "{{event: \"ritual.completed:v1\", ritualId: {}, runId: $workflow.id, ts: (now | floor | todate), \
         outputs: {{result: {{success: true, data: .}}}}}}",
        Value::String(id),
    );
    Ok(map(
        at,
        vec![
            ("document", map(at, header)),
            ("output", map(at, vec![("as", string(at, completed))])),
            ("do", states(root)?),
        ],
    ))
}

/// The dialect allows versions of one or two numbers.
fn three_parts(version: &str) -> String {
    match version.split('.').count() {
        1 => format!("{version}.0.0"),
        2 => format!("{version}.0"),
        _ => version.to_owned(),
    }
}

fn states(root: &Node) -> Translated<Node> {
    let states = member(root, "states").unwrap_or(root);
    let Data::List(items) = &states.data else {
        return refuse(code::WRONG_TYPE, states, "/states", "`states` must be a list");
    };
    let mut tasks = Vec::new();
    for (index, state) in items.iter().enumerate() {
        let path = format!("/states/{index}");
        let Some(name) = member(state, "name").and_then(text) else {
            return refuse(code::MISSING_FIELD, state, &path, "a state needs `name`");
        };
        for (suffix, task) in translate_state(state, &path, &name)? {
            tasks.push(map(state.at, vec![(format!("{}{suffix}", task_name(&name)).as_str(), task)]));
        }
    }
    Ok(list(states.at, tasks))
}

/// A state may be called what the DSL has as a directive.
fn task_name(name: &str) -> String {
    if matches!(name, "continue" | "exit" | "end") { format!("{name}-state") } else { name.to_owned() }
}

/// The tasks for a state, with what their names end in.
fn translate_state(state: &Node, path: &str, name: &str) -> Translated<Vec<(&'static str, Node)>> {
    let Some(kind) = member(state, "type").and_then(text) else {
        return refuse(code::MISSING_FIELD, state, path, format!("the state `{name}` needs `type`"));
    };
    let at = state.at;
    let mut then: Vec<(&str, Node)> = next(state).map(|then| ("then", then)).into_iter().collect();
    let mut body = match kind.as_str() {
        "task" | "operation" => action(state, path)?,
        "event" => return event(state, path, name),
        "switch" => return Ok(vec![("", switch(state, path)?)]),
        "sleep" | "delay" => {
            let Some(duration) = member(state, "duration").or_else(|| member(state, "timeDelay")) else {
                return refuse(code::MISSING_FIELD, state, path, "a sleep state needs `duration`");
            };
            vec![("wait", duration.clone())]
        }
        "inject" => {
            let Some(data) = member(state, "data") else {
                return refuse(code::MISSING_FIELD, state, path, "an inject state needs `data`");
            };
            vec![("set", data.clone()), ("output", as_expression(at, "$input + ."))]
        }
        other => {
            let message = format!("states of type `{other}` are not supported yet");
            return refuse(
                code::UNSUPPORTED,
                member(state, "type").unwrap_or(state),
                &format!("{path}/type"),
                message,
            );
        }
    };
    body.append(&mut then);
    Ok(vec![("", map(at, body))])
}

fn as_expression(at: Mark, expression: &str) -> Node {
    map(at, vec![("as", string(at, expression))])
}

/// Where the flow goes after a state: `end: true`, `transition`, or on.
fn next(state: &Node) -> Option<Node> {
    let ends = member(state, "end").is_some_and(|end| !matches!(end.data, Data::Bool(false) | Data::Null));
    if ends {
        return Some(string(state.at, "end"));
    }
    member(state, "transition").and_then(target)
}

/// The name in `transition: X` or `transition: {nextState: X}`.
fn target(transition: &Node) -> Option<Node> {
    let named = member(transition, "nextState").unwrap_or(transition);
    text(named).map(|name| string(named.at, task_name(&name)))
}

fn action(state: &Node, path: &str) -> Translated<Vec<(&'static str, Node)>> {
    let at = state.at;
    let first = member(state, "actions").and_then(|actions| match &actions.data {
        Data::List(items) if items.len() == 1 => items.first(),
        _ => None,
    });
    let Some(function) = member(state, "action").or(first).and_then(|action| member(action, "functionRef"))
    else {
        let message = "a task state needs one `action` with a `functionRef`";
        return refuse(code::MISSING_FIELD, state, path, message);
    };
    let path = format!("{path}/action/functionRef");
    let Some(reference) = member(function, "refName").or(Some(function)).filter(|node| text(node).is_some())
    else {
        return refuse(code::MISSING_FIELD, function, &path, "a function reference needs `refName`");
    };
    let name = text(reference).unwrap_or_default();
    let arguments = member(function, "arguments").cloned();
    match name.as_str() {
        "compensate" => Ok(vec![("set", string(at, "${ . }"))]),
        "scheduleTimer" => schedule_timer(at, arguments.as_ref(), function, &path),
        _ => {
            let with = arguments.unwrap_or_else(|| map(at, Vec::new()));
            Ok(vec![("call", string(reference.at, name)), ("with", with)])
        }
    }
}

/// Notes in the context when the timer is due, so that waiting for it later waits for the rest only.
fn schedule_timer(
    at: Mark,
    arguments: Option<&Node>,
    function: &Node,
    path: &str,
) -> Translated<Vec<(&'static str, Node)>> {
    let Some(delay) = arguments.and_then(|arguments| member(arguments, "delaySeconds")) else {
        return refuse(code::MISSING_FIELD, function, path, "`scheduleTimer` needs `delaySeconds`");
    };
    let seconds = match &delay.data {
        Data::Number(number) if number.as_f64().is_some_and(|seconds| seconds >= 0.0) => number.to_string(),
        Data::Text(text) => match crate::expression::expression_in(text) {
            Some(expression) => format!("({expression})"),
            None => return refuse(code::WRONG_TYPE, delay, path, "`delaySeconds` must be a number"),
        },
        _ => {
            return refuse(code::WRONG_TYPE, delay, path, "`delaySeconds` must be a number of at least zero");
        }
    };
    let due = format!("($context // {{}}) + {{timerDue: (now + {seconds})}}");
    Ok(vec![("set", string(at, "${ . }")), ("export", as_expression(at, &due))])
}

fn event(state: &Node, path: &str, name: &str) -> Translated<Vec<(&'static str, Node)>> {
    let entries = match member(state, "on").or_else(|| member(state, "onEvents")).map(|on| &on.data) {
        Some(Data::List(items)) if !items.is_empty() => items,
        _ => return refuse(code::MISSING_FIELD, state, path, format!("the state `{name}` needs `on`")),
    };
    let mut types = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let Some(reference) = member(entry, "eventRef").filter(|node| text(node).is_some()) else {
            return refuse(
                code::MISSING_FIELD,
                entry,
                &format!("{path}/on/{index}"),
                "an event needs `eventRef`",
            );
        };
        let then = member(entry, "transition").and_then(target).or_else(|| next(state));
        types.push((reference, then));
    }
    let timed = types.iter().any(|(reference, _)| text(reference).as_deref() == Some(TIMER_FIRED));
    match (types.as_slice(), timed) {
        ([(_, then)], true) => Ok(vec![("", timer(state.at, then.clone()))]),
        (_, true) => refuse(
            code::UNSUPPORTED,
            state,
            path,
            "a state that waits for a timer and for other events at once is not supported yet",
        ),
        (_, false) => Ok(listen(state.at, &types)),
    }
}

/// Waits for the rest of the time, publishes that the timer fired, keeps the data.
fn timer(at: Mark, then: Option<Node>) -> Node {
    let rest = "${ {milliseconds: (([($context.timerDue // now) - now, 0] | max) * 1000 | round)} }";
    let fired = json!({"emit": {"event": {"with": {
        "source": "${ \"aedile:run/\" + $workflow.id }",
        "type": TIMER_FIRED,
        "data": {"runId": "${ $workflow.id }"},
    }}}});
    let body = list(
        at,
        vec![
            map(at, vec![("timer", map(at, vec![("wait", string(at, rest))]))]),
            map(at, vec![("fired", from_value(&fired, at))]),
        ],
    );
    let mut task = vec![("do", body), ("output", as_expression(at, "$input"))];
    task.extend(then.map(|then| ("then", then)));
    map(at, task)
}

/// Listens for one of the events; with several, another task routes by the type that came.
fn listen(at: Mark, types: &[(&Node, Option<Node>)]) -> Vec<(&'static str, Node)> {
    let filters = types
        .iter()
        .map(|(reference, _)| map(at, vec![("with", map(at, vec![("type", (*reference).clone())]))]))
        .collect();
    let merged = "$input + ((.[0].data // {}) | if type == \"object\" then . else {event: .} end)";
    let read =
        map(at, vec![("to", map(at, vec![("any", list(at, filters))])), ("read", string(at, "envelope"))]);
    let mut task = vec![("listen", read), ("output", as_expression(at, merged))];
    if let [(_, then)] = types {
        task.extend(then.clone().map(|then| ("then", then)));
        return vec![("", map(at, task))];
    }
    let note = "($context // {}) + {eventType: $output.eventType}";
    let typed = "$input + ((.[0].data // {}) | if type == \"object\" then . else {event: .} end) + {eventType: .[0].type}";
    task[1] = ("output", as_expression(at, typed));
    task.push(("export", as_expression(at, note)));
    let cases = types
        .iter()
        .enumerate()
        .map(|(index, (reference, then))| {
            let kind = Value::String(text(reference).unwrap_or_default());
            let when = string(at, format!("$context.eventType == {kind}"));
            let then = then.clone().unwrap_or_else(|| string(at, "continue"));
            map(at, vec![(format!("event-{index}").as_str(), map(at, vec![("when", when), ("then", then)]))])
        })
        .collect();
    vec![("", map(at, task)), ("-route", map(at, vec![("switch", list(at, cases))]))]
}

fn switch(state: &Node, path: &str) -> Translated<Node> {
    let at = state.at;
    let conditions = match member(state, "dataConditions").map(|conditions| &conditions.data) {
        Some(Data::List(items)) => items.as_slice(),
        _ => &[],
    };
    let mut cases = Vec::new();
    for (index, entry) in conditions.iter().enumerate() {
        let Some(condition) = member(entry, "condition") else {
            let path = format!("{path}/dataConditions/{index}");
            return refuse(code::MISSING_FIELD, entry, &path, "a condition needs `condition`");
        };
        let then = next(entry).unwrap_or_else(|| string(at, "continue"));
        let case = map(entry.at, vec![("when", condition.clone()), ("then", then)]);
        cases.push(map(entry.at, vec![(format!("condition-{index}").as_str(), case)]));
    }
    if let Some(default) = member(state, "defaultCondition") {
        let then = next(default).unwrap_or_else(|| string(at, "continue"));
        cases.push(map(default.at, vec![("default", map(default.at, vec![("then", then)]))]));
    }
    if cases.is_empty() {
        return refuse(
            code::MISSING_FIELD,
            state,
            path,
            "a switch state needs `dataConditions` or `defaultCondition`",
        );
    }
    Ok(map(at, vec![("switch", list(at, cases))]))
}
