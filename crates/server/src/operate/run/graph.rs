//! What comes after what: read from the definition, drawn as SVG, with an equal table.

use std::collections::HashMap;

use maud::{Markup, html};
use serde_json::Value;

use super::super::frame::Frame;
use super::super::parts::{self, Empty};
use super::super::status::Tone;
use super::super::{limits, status, text};
use super::{View, layout, steps};

/// One box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vertex {
    /// The step's id without counters.
    pub step: String,
    /// Its name.
    pub name: String,
    /// What kind of task or change.
    pub kind: String,
}

/// One arrow, from what comes first to what comes after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrow {
    /// From this box.
    pub from: usize,
    /// To this one.
    pub to: usize,
    /// When it is taken; empty: always.
    pub when: String,
}

/// What comes after what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// Boxes, at most as many as are drawn.
    pub vertices: Vec<Vertex>,
    /// Arrows between them.
    pub arrows: Vec<Arrow>,
    /// Whether there are more boxes.
    pub cut: bool,
}

/// Where one comes from: a box, and when.
type From = (usize, String);

impl Graph {
    /// The graph of a workflow's document (Serverless Workflow DSL 1.0).
    pub fn of_workflow(document: &Value) -> Self {
        let mut graph = Self::default();
        if let Some(tasks) = document.get("do").and_then(Value::as_array) {
            let _ends = graph.block(tasks, "/do", Vec::new());
        }
        graph
    }

    /// The graph of a plan: its changes, the points where order meets, and the handlers that what changes sets off.
    pub fn of_plan(plan: &plan::Body) -> Self {
        let mut graph = Self::default();
        // the ids are those of the steps of the run that applies it
        for change in &plan.changes {
            let instance = change.instance.to_string();
            let disposes = change.operation == plan::Operation::Dispose;
            let step = if disposes { format!("{instance}#dispose") } else { instance.clone() };
            graph.vertex(&step, &instance, &format!("{} {}", change.operation, change.kind));
        }
        for (at, junction) in plan.junctions.iter().enumerate() {
            graph.vertex(&format!("#{at}"), &junction.label, "order");
        }
        let after = plan.changes.iter().map(|change| &change.after);
        let after = after.chain(plan.junctions.iter().map(|junction| &junction.after));
        for (to, edges) in after.enumerate() {
            for edge in edges {
                graph.arrow(&(edge.step as usize, String::new()), to);
            }
        }
        for handler in &plan.handlers {
            let step = format!("{}#{}", handler.instance, handler.name);
            let to = graph.vertex(&step, &handler.instance.to_string(), handler.name.as_str());
            for trigger in &handler.triggers {
                graph.arrow(&(*trigger as usize, "when changed".to_owned()), to);
            }
        }
        graph
    }

    fn vertex(&mut self, step: &str, name: &str, kind: &str) -> usize {
        if self.vertices.len() == limits::BOXES_MAX {
            self.cut = true;
            return usize::MAX;
        }
        self.vertices.push(Vertex { step: step.to_owned(), name: name.to_owned(), kind: kind.to_owned() });
        self.vertices.len() - 1
    }

    fn arrow(&mut self, (from, when): &From, to: usize) {
        let count = self.vertices.len();
        if *from < count && to < count {
            self.arrows.push(Arrow { from: *from, to, when: when.clone() });
        }
    }

    /// Tasks one after the other. Answers where one comes from who leaves the last.
    fn block(&mut self, tasks: &[Value], pointer: &str, mut from: Vec<From>) -> Vec<From> {
        let mut named: HashMap<&str, usize> = HashMap::new();
        let mut jumps: Vec<(From, &str)> = Vec::new();
        let mut ends = Vec::new();
        for (index, entry) in tasks.iter().enumerate() {
            let Some((name, task)) = entry.as_object().and_then(|entry| entry.iter().next()) else {
                continue;
            };
            let step = format!("{pointer}/{index}/{}", name.replace('~', "~0").replace('/', "~1"));
            let vertex = self.vertex(&step, name, kind(task));
            named.insert(name, vertex);
            for from in &from {
                self.arrow(from, vertex);
            }
            from = self.inside(task, &step, vertex, &mut jumps);
            if let Some(then) = task.get("then").and_then(Value::as_str).filter(|then| *then != "continue") {
                jumps.extend(from.drain(..).map(|from| (from, then)));
            }
        }
        for (from, then) in jumps {
            match named.get(then) {
                Some(to) => self.arrow(&from, *to),
                None if then == "exit" => ends.push(from),
                // `end` ends the run
                None => {}
            }
        }
        ends.append(&mut from);
        ends
    }

    /// What is within a task. Answers where one comes from who leaves it.
    fn inside<'t>(
        &mut self,
        task: &'t Value,
        step: &str,
        vertex: usize,
        jumps: &mut Vec<(From, &'t str)>,
    ) -> Vec<From> {
        let own = || vec![(vertex, String::new())];
        if let Some(cases) = task.get("switch").and_then(Value::as_array) {
            return switch(cases, vertex, jumps);
        }
        if let Some(tried) = task.get("try").and_then(Value::as_array) {
            let mut ends = self.block(tried, &format!("{step}/try"), own());
            let caught = vec![(vertex, "on error".to_owned())];
            match task.pointer("/catch/do").and_then(Value::as_array) {
                Some(catch) => ends.extend(self.block(catch, &format!("{step}/catch/do"), caught)),
                None => ends.extend(caught),
            }
            return ends;
        }
        if let Some(branches) = task.pointer("/fork/branches").and_then(Value::as_array) {
            let mut ends = Vec::new();
            for (index, branch) in branches.iter().enumerate() {
                let Some((name, task)) = branch.as_object().and_then(|entry| entry.iter().next()) else {
                    continue;
                };
                let step = format!("{step}/fork/branches/{index}/{name}");
                let first = self.vertex(&step, name, kind(task));
                self.arrow(&(vertex, String::new()), first);
                ends.extend(self.inside(task, &step, first, jumps));
            }
            return if ends.is_empty() { own() } else { ends };
        }
        match task.get("do").and_then(Value::as_array) {
            Some(tasks) => self.block(tasks, &format!("{step}/do"), own()),
            None => own(),
        }
    }
}

/// Where the cases of a `switch` lead; what no case takes goes on.
fn switch<'t>(cases: &'t [Value], vertex: usize, jumps: &mut Vec<(From, &'t str)>) -> Vec<From> {
    let mut otherwise = true;
    let mut ends = Vec::new();
    for case in cases {
        let Some((name, case)) = case.as_object().and_then(|case| case.iter().next()) else { continue };
        otherwise &= case.get("when").is_some();
        match case.get("then").and_then(Value::as_str) {
            Some(then) if then != "continue" => jumps.push(((vertex, name.clone()), then)),
            _ => ends.push((vertex, name.clone())),
        }
    }
    if otherwise {
        ends.push((vertex, "otherwise".to_owned()));
    }
    ends
}

/// The kind of a task: the member that says what it does.
fn kind(task: &Value) -> &str {
    const KINDS: &[&str] =
        &["call", "do", "emit", "for", "fork", "listen", "raise", "run", "set", "switch", "try", "wait"];
    let found = KINDS.iter().find(|kind| **kind != "do" && task.get(**kind).is_some());
    match found {
        Some(&"call") => task.get("call").and_then(Value::as_str).unwrap_or("call"),
        Some(kind) => kind,
        None => "do",
    }
}

/// The step's id without the counters of loops.
fn plain(step: &str) -> &str {
    match step.rsplit_once('#') {
        Some((plain, counter)) if counter.bytes().all(|byte| byte.is_ascii_digit()) => plain,
        _ => step,
    }
}

/// The state of each box: that of its last execution. A task that only holds others is entered once one of them has begun.
fn states<'v>(view: &'v View, graph: &Graph) -> Vec<Option<&'v str>> {
    let mut by_step: HashMap<&str, &str> = HashMap::new();
    for step in &view.steps {
        by_step.insert(plain(&step.step), &step.status);
    }
    let inside = |vertex: &Vertex| {
        let start = format!("{}/", vertex.step);
        by_step.keys().any(|step| step.starts_with(&start)).then_some("entered")
    };
    let state = |vertex: &Vertex| by_step.get(vertex.step.as_str()).copied().or_else(|| inside(vertex));
    graph.vertices.iter().map(state).collect()
}

pub(super) fn lens(frame: &Frame, view: &View) -> Markup {
    let Some(graph) = view.graph.as_ref().filter(|graph| !graph.vertices.is_empty()) else {
        return parts::empty(Empty::Fine { what: "The definition of this run has no steps to draw." });
    };
    let states = states(view, graph);
    html! {
        section aria-labelledby="lens-graph" {
            h2.unseen #lens-graph { "Graph" }
            @if graph.cut { p.note { "The first " (limits::BOXES_MAX) " steps; there are more." } }
            div.panel.graph tabindex="0" role="region" aria-label="Graph of the steps; the table below says the same" data-key="graph" {
                (drawing(frame, view, graph, &states))
            }
            div data-key="graph-table" { (table(frame, view, graph, &states)) }
        }
    }
}

fn drawing(frame: &Frame, view: &View, graph: &Graph, states: &[Option<&str>]) -> Markup {
    let pairs: Vec<(usize, usize)> = graph.arrows.iter().map(|arrow| (arrow.from, arrow.to)).collect();
    let placed = layout::layout(graph.vertices.len(), &pairs);
    let base = frame.path(&format!("runs/{}/steps", view.detail.run.run));
    html! {
        svg aria-hidden="true" focusable="false" width=(placed.width) height=(placed.height)
            viewBox=(format!("0 0 {} {}", placed.width, placed.height)) {
            defs { marker #head viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse" { path.head d="M0 0 8 4 0 8z" {} } }
            @for (arrow, points) in graph.arrows.iter().zip(&placed.arrows) {
                @if points.len() > 1 {
                    path.arrow d=(path(points)) marker-end="url(#head)" {}
                    @if !arrow.when.is_empty() {
                        text.when x=(points[1].0 + 6) y=(points[1].1 - 10) { (cut(&arrow.when, 22)) }
                    }
                }
            }
            @for ((vertex, state), corner) in graph.vertices.iter().zip(states).zip(&placed.boxes) {
                (shape(vertex, *state, *corner, &base))
            }
        }
    }
}

fn shape(vertex: &Vertex, state: Option<&str>, (x, y): (i32, i32), base: &str) -> Markup {
    let shown = state.map(status::of);
    let class = shown.map_or("none", |shown| shown.tone.class());
    let name = shown.map_or("dot", |shown| shown.icon);
    html! {
        a href=(format!("{base}#{}", steps::anchor(&vertex.step))) tabindex="-1" {
            g.box.(class) {
                title { (text::line(&vertex.name)) }
                rect x=(x) y=(y) width=(layout::WIDTH) height=(layout::HEIGHT) rx="8" {}
                use href=(format!("#i-{name}")) x=(x + 10) y=(y + 18) width="16" height="16" {}
                text.name x=(x + 34) y=(y + 22) { (cut(&vertex.name, 19)) }
                text.kind x=(x + 34) y=(y + 39) { (cut(&vertex.kind, 22)) }
            }
        }
    }
}

/// A text that fits in a box.
fn cut(line: &str, max: usize) -> String {
    let line = text::line(line);
    if line.chars().count() <= max {
        return line;
    }
    let mut out: String = line.chars().take(max - 1).collect();
    out.push('\u{2026}');
    out
}

/// A soft line through points: down out of a box, down into the next.
fn path(points: &[(i32, i32)]) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        // writing to a text cannot fail
        let _infallible = match index.checked_sub(1).map(|before| points[before]) {
            None => write!(out, "M{x} {y}"),
            Some((from_x, _)) if from_x == *x => write!(out, "L{x} {y}"),
            Some((from_x, from_y)) => {
                let middle = i32::midpoint(from_y, *y);
                write!(out, "C{from_x} {middle} {x} {middle} {x} {y}")
            }
        };
    }
    out
}

fn table(frame: &Frame, view: &View, graph: &Graph, states: &[Option<&str>]) -> Markup {
    let base = frame.path(&format!("runs/{}/steps", view.detail.run.run));
    let before = |index: usize| -> Vec<String> {
        let arrows = graph.arrows.iter().filter(|arrow| arrow.to == index);
        let word = |arrow: &Arrow| {
            let name = text::line(&graph.vertices[arrow.from].name);
            if arrow.when.is_empty() { name } else { format!("{name} ({})", text::line(&arrow.when)) }
        };
        arrows.map(word).collect()
    };
    html! {
        table.rows {
            caption.unseen { "Steps of the definition and what each comes after" }
            thead { tr { th scope="col" { "Status" } th scope="col" { "Step" } th scope="col" { "Kind" } th scope="col" { "Comes after" } } }
            tbody {
                @for (index, (vertex, state)) in graph.vertices.iter().zip(states).enumerate() {
                    tr {
                        td { @match state { Some(state) => (status::badge(state)), None => (status::tag(Tone::Idle, "dot", "not reached")) } }
                        th scope="row" { a.open href=(format!("{base}#{}", steps::anchor(&vertex.step))) { (text::line(&vertex.name)) } }
                        td { (text::line(&vertex.kind)) }
                        td { @let names = before(index); @if names.is_empty() { "the beginning" } @else { (names.join(", ")) } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A plan of nothing.
    fn body() -> plan::Body {
        let inventory = plan::Inventory { hosts: [].into() };
        let world = plan::World::new(inventory, plan::SealingKey::new([7; 32]));
        let nothing = model::Digest::of(b"");
        let header = plan::Header {
            id: model::PlanId::from_parts(0, 1),
            created: model::Timestamp::UNIX_EPOCH,
            environment: "dev".parse().unwrap(),
            parent: None,
            position: 0,
            configuration: nothing,
            policy: nothing,
            facts: nothing,
            variables: std::collections::BTreeMap::new(),
            focus: Vec::new(),
            only: Vec::new(),
            destroy: false,
        };
        let schemas = plan::Schemas { providers: [].into() };
        plan::plan(&plan::Desired::default(), &world, &schemas, &header).unwrap().body().clone()
    }

    fn arrows(graph: &Graph) -> Vec<String> {
        let name = |index: usize| &graph.vertices[index].name;
        graph
            .arrows
            .iter()
            .map(|arrow| format!("{} {}> {}", name(arrow.from), arrow.when, name(arrow.to)))
            .collect()
    }

    #[test]
    fn a_workflow_is_read_with_what_is_within_tasks() {
        let graph = Graph::of_workflow(&json!({"do": [
            {"stage": {"call": "http"}},
            {"decide": {"try": [{"ask": {"call": "approval"}}], "catch": {"do": [{"roll back": {"call": "http"}}, {"stop": {"raise": {}, "then": "end"}}]}}},
            {"both": {"fork": {"branches": [{"a": {"wait": {}}}, {"b": {"do": [{"c": {"set": {}}}]}}]}}},
        ]}));
        assert_eq!(
            arrows(&graph),
            [
                "stage > decide",
                "decide > ask",
                "decide on error> roll back",
                "roll back > stop",
                "ask > both",
                "both > a",
                "both > b",
                "b > c"
            ]
        );
        assert_eq!(graph.vertices[2].step, "/do/1/decide/try/0/ask");
        assert_eq!(graph.vertices[0].kind, "http");
    }

    #[test]
    fn cases_lead_where_they_say_and_loops_lead_back() {
        let graph = Graph::of_workflow(&json!({"do": [
            {"look": {"call": "http"}},
            {"is it": {"switch": [{"yes": {"when": ".x", "then": "done"}}, {"again": {"then": "look"}}]}},
            {"done": {"set": {}}},
        ]}));
        assert_eq!(arrows(&graph), ["look > is it", "is it yes> done", "is it again> look"]);
    }

    #[test]
    fn a_plan_is_read_with_its_junctions() {
        let mut plan = body();
        let change = |instance: &str, operation: &str, after: Value| {
            serde_json::from_value(json!({
                "instance": instance, "operation": operation, "type": "linux.file::file", "after": after,
                "reasons": [{"why": "new"}], "effect": "idempotent", "reversibility": "reversible",
                "basis": {"observed": "", "applied": ""},
            }))
            .unwrap()
        };
        plan.changes = vec![
            change("web1/file/pkg", "create", json!([])),
            change(
                "web1/file/conf",
                "update",
                json!([{"step": 0, "kind": "require"}, {"step": 2, "kind": "order"}, {"step": 77, "kind": "order"}]),
            ),
        ];
        let junction = json!({"label": "first batch", "after": [{"step": 0, "kind": "require"}]});
        plan.junctions = vec![serde_json::from_value(junction).unwrap()];
        let handler = json!({
            "instance": "web1/service", "type": "linux.service::service", "name": "restart", "triggers": [1],
            "effect": "idempotent", "reversibility": "reversible",
        });
        plan.handlers = vec![serde_json::from_value(handler).unwrap()];
        let graph = Graph::of_plan(&plan);
        assert_eq!(
            arrows(&graph),
            [
                "web1/file/pkg > web1/file/conf",
                "first batch > web1/file/conf",
                "web1/file/pkg > first batch",
                "web1/file/conf when changed> web1/service"
            ]
        );
    }

    #[test]
    fn a_definition_without_end_is_cut() {
        let tasks: Vec<Value> =
            (0..2 * limits::BOXES_MAX).map(|one| json!({format!("t{one}"): {"set": {}}})).collect();
        let graph = Graph::of_workflow(&json!({ "do": tasks }));
        assert!(graph.cut);
        assert_eq!(graph.vertices.len(), limits::BOXES_MAX);
    }
}
