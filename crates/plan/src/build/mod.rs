//! From drafts to a plan: the graph, what is left out of it, and the sums.

pub(crate) mod assemble;
pub(crate) mod sums;

use std::collections::{BTreeMap, HashMap};

use model::{Diagnostic, Environment, PlanId, Timestamp, code::plan as code};

use self::sums::{changed_hosts, checks, count, reach, types};
use crate::change::{Change, Edge, Fingerprint, Junction, Operation};
use crate::desired::{DependencyKind, Desired};
use crate::diff::{Differ, Draft};
use crate::document::{Basis, Body, Counts};
use crate::expand::{Expanded, cut};
use crate::file::Plan;
use crate::graph::Graph;
use crate::inventory::Inventory;
use crate::limits;
use crate::name::{Instance, ResourceId};
use crate::observed::{Applied, World};
use crate::schema::Schemas;

/// What the caller knows that a plan is to say.
#[derive(Debug, Clone)]
pub struct Header {
    /// The plan's id.
    pub id: PlanId,
    /// When it is made.
    pub created: Timestamp,
    /// What for.
    pub environment: Environment,
    /// Digest of the plan it follows.
    pub parent: Option<model::Digest>,
    /// Position in the journal that the state was read at.
    pub position: u64,
    /// Digest of the configuration.
    pub configuration: model::Digest,
    /// Digest of the policy.
    pub policy: model::Digest,
    /// Digest of the facts that the configuration used.
    pub facts: model::Digest,
    /// The variables that the configuration was read with.
    pub variables: BTreeMap<String, String>,
    /// Only these resources and what they depend on; everything when empty.
    pub focus: Vec<ResourceId>,
    /// Only these resources on hosts are changed, whatever else differs; all that differ when empty.
    pub only: Vec<Instance>,
    /// Nothing of what is declared is wanted: the caller passes an empty configuration, and the plan says so.
    pub destroy: bool,
}

/// Compares `desired` with `world` and plans what makes them equal.
///
/// Deterministic: the same arguments give the same plan, in whatever order resources are listed. Work is proportional to
/// instances and dependencies. Errors are all there are, up to [`limits::DIAGNOSTICS_MAX`].
pub fn plan(
    desired: &Desired,
    world: &World,
    schemas: &Schemas,
    header: &Header,
) -> Result<Plan, Vec<Diagnostic>> {
    compare(desired, world, schemas, header, false)
}

/// The same, but what the header's focus names goes on record where it is there as it is declared. Without this it stays off the record, so
/// that nothing deletes what was never made here: to adopt is for people to decide.
pub fn adopt(
    desired: &Desired,
    world: &World,
    schemas: &Schemas,
    header: &Header,
) -> Result<Plan, Vec<Diagnostic>> {
    compare(desired, world, schemas, header, true)
}

fn compare(
    desired: &Desired,
    world: &World,
    schemas: &Schemas,
    header: &Header,
    adopts: bool,
) -> Result<Plan, Vec<Diagnostic>> {
    let expanded = Expanded::new(desired, &world.inventory, schemas, &header.focus)?;
    let mut differ = Differ::new(&expanded, world, schemas);
    if adopts {
        differ.adopts.extend(header.focus.iter().cloned());
    }
    differ.declared(&header.only);
    let removed = if header.only.is_empty() { differ.removed(&header.focus) } else { Vec::new() };
    if !differ.found.is_empty() {
        return Err(cut(differ.found));
    }
    let mut builder = Builder::new(&expanded, differ, removed, schemas);
    builder.connect();
    if builder.edges() > limits::DEPENDENCIES_MAX {
        let message = format!("more than {} dependencies", limits::DEPENDENCIES_MAX);
        return Err(vec![Diagnostic::error(code::LIMIT, message, model::Location::default())]);
    }
    let body = builder.finish(desired, header);
    Ok(Plan::seal(body))
}

/// What is wrong with a configuration by itself, before anything is compared with it: unknown types, attributes, hosts and
/// dependencies, circles, targets that match nothing. Empty when a plan can be made of it.
pub fn check(desired: &Desired, inventory: &Inventory, schemas: &Schemas) -> Vec<Diagnostic> {
    Expanded::new(desired, inventory, schemas, &[]).err().unwrap_or_default()
}

/// What a vertex of the whole graph stands for.
#[derive(Clone, Copy)]
enum Vertex {
    Declared(u32),
    Removed(u32),
    /// All instances of a resource.
    Group(u32),
    /// The old one of a replacement that creates first.
    Dispose(u32),
}

struct Builder<'a> {
    expanded: &'a Expanded<'a>,
    differ: Differ<'a>,
    removed: Vec<(Instance, &'a Applied, Draft)>,
    schemas: &'a Schemas,
    graph: Graph,
    vertices: Vec<Vertex>,
    groups: HashMap<u32, u32>,
    /// Declared instances that watch others, with what they watch.
    handled: Vec<(u32, Vec<u32>)>,
}

impl<'a> Builder<'a> {
    fn new(
        expanded: &'a Expanded<'a>,
        differ: Differ<'a>,
        removed: Vec<(Instance, &'a Applied, Draft)>,
        schemas: &'a Schemas,
    ) -> Self {
        let declared = u32::try_from(expanded.instances.len()).unwrap_or(u32::MAX);
        let gone = u32::try_from(removed.len()).unwrap_or(u32::MAX);
        let vertices: Vec<Vertex> =
            (0..declared).map(Vertex::Declared).chain((0..gone).map(Vertex::Removed)).collect();
        let graph = Graph::with_vertices(vertices.len());
        let (groups, handled) = (HashMap::new(), Vec::new());
        Self { expanded, differ, removed, schemas, graph, vertices, groups, handled }
    }

    fn edges(&self) -> usize {
        self.graph.after.iter().map(Vec::len).sum()
    }

    fn operation(&self, vertex: Vertex) -> Option<Operation> {
        match vertex {
            Vertex::Declared(at) => self.differ.drafts[at as usize].operation,
            Vertex::Removed(at) => self.removed[at as usize].2.operation,
            Vertex::Group(_) => None,
            Vertex::Dispose(_) => Some(Operation::Dispose),
        }
    }

    /// Draws every edge.
    fn connect(&mut self) {
        let declared = u32::try_from(self.expanded.instances.len()).unwrap_or(u32::MAX);
        for at in 0..declared {
            self.connect_declared(at);
        }
        self.connect_removed(declared);
        self.connect_disposals(declared);
    }

    fn connect_declared(&mut self, at: u32) {
        let expanded = self.expanded;
        let host = expanded.instances[at as usize].host;
        let one = expanded.resource_of(at);
        let mut watches = Vec::new();
        for needs in &one.needs {
            let other = &expanded.declared[needs.on as usize];
            let target = match (expanded.on_host(needs.on, host), other.count) {
                (Some(same_host), _) => same_host,
                (None, 0) => continue,
                (None, 1) => other.first,
                (None, _) => self.group(needs.on),
            };
            self.graph.add(at, target, needs.kind);
            if needs.kind == DependencyKind::Notify {
                watches.push(target);
            }
        }
        if !watches.is_empty() {
            self.handled.push((at, watches));
        }
    }

    fn group(&mut self, resource: u32) -> u32 {
        if let Some(known) = self.groups.get(&resource) {
            return *known;
        }
        let vertex = self.graph.add_vertex();
        self.vertices.push(Vertex::Group(resource));
        self.groups.insert(resource, vertex);
        let one = &self.expanded.declared[resource as usize];
        for member in one.first..one.first + one.count {
            self.graph.add(vertex, member, DependencyKind::Require);
        }
        vertex
    }

    /// What is deleted goes after everything that depended on it when it was applied.
    fn connect_removed(&mut self, declared: u32) {
        if self.removed.is_empty() {
            return;
        }
        let index: HashMap<Instance, u32> = (declared..)
            .zip(&self.removed)
            .map(|(vertex, (instance, ..))| (instance.clone(), vertex))
            .collect();
        let mut edges = Vec::new();
        for (vertex, (_, applied, _)) in (declared..).zip(&self.removed) {
            let targets = applied.depends.iter().filter_map(|on| index.get(on));
            edges.extend(targets.filter(|target| **target != vertex).map(|target| (*target, vertex)));
        }
        for at in 0..declared {
            let draft = &self.differ.drafts[at as usize];
            let name = self.expanded.name_of(at);
            let record = draft.moved_from.as_ref().unwrap_or(&name);
            let Some(applied) = self.differ.world.applied.get(record) else { continue };
            edges.extend(applied.depends.iter().filter_map(|on| index.get(on)).map(|target| (*target, at)));
        }
        edges.sort_unstable();
        edges.dedup();
        for (target, dependent) in edges {
            self.graph.add(target, dependent, DependencyKind::Require);
        }
    }

    /// The old one of a replacement that creates first goes after the new one and after everything that depends on it.
    fn connect_disposals(&mut self, declared: u32) {
        let replaced: Vec<u32> =
            (0..declared).filter(|at| self.differ.drafts[*at as usize].create_first).collect();
        if replaced.is_empty() {
            return;
        }
        let before = self.graph.before();
        for at in replaced {
            let vertex = self.graph.add_vertex();
            self.vertices.push(Vertex::Dispose(at));
            self.graph.add(vertex, at, DependencyKind::Require);
            for dependent in before.of(at) {
                match self.vertices[*dependent as usize] {
                    Vertex::Group(_) => {
                        for behind in before.of(*dependent) {
                            self.graph.add(vertex, *behind, DependencyKind::Require);
                        }
                    }
                    _ => self.graph.add(vertex, *dependent, DependencyKind::Require),
                }
            }
        }
    }

    /// Which vertices are in the plan: changes, and what lies between changes.
    fn kept(&self, order: &[u32]) -> Vec<bool> {
        let count = self.graph.len();
        let changes: Vec<bool> =
            self.vertices.iter().map(|vertex| self.operation(*vertex).is_some()).collect();
        // after a change, and before one
        let (mut after, mut before) = (changes.clone(), changes.clone());
        for vertex in order {
            let edges = &self.graph.after[*vertex as usize];
            after[*vertex as usize] |= edges.iter().any(|edge| after[edge.step as usize]);
        }
        for (_, watches) in &self.handled {
            for watched in watches {
                before[*watched as usize] = true;
            }
        }
        for vertex in order.iter().rev() {
            if before[*vertex as usize] {
                self.graph.after[*vertex as usize].iter().for_each(|edge| before[edge.step as usize] = true);
            }
        }
        (0..count).map(|at| after[at] && before[at]).collect()
    }

    fn finish(mut self, desired: &Desired, header: &Header) -> Body {
        let order = self.graph.sort();
        let kept = self.kept(&order);
        let is_change =
            |builder: &Self, vertex: u32| builder.operation(builder.vertices[vertex as usize]).is_some();
        let changes: Vec<u32> = order.iter().copied().filter(|vertex| is_change(&self, *vertex)).collect();
        let junctions: Vec<u32> = order
            .iter()
            .copied()
            .filter(|vertex| kept[*vertex as usize] && !is_change(&self, *vertex))
            .collect();
        let mut numbers = vec![u32::MAX; self.graph.len()];
        for (number, vertex) in (0..).zip(changes.iter().chain(&junctions)) {
            numbers[*vertex as usize] = number;
        }
        let after = |vertex: u32| -> Vec<Edge> {
            let edges = self.graph.after[vertex as usize].iter();
            edges
                .filter(|edge| numbers[edge.step as usize] != u32::MAX)
                .map(|edge| Edge { step: numbers[edge.step as usize], kind: edge.kind })
                .collect()
        };
        let edges: Vec<Vec<Edge>> = changes.iter().map(|vertex| after(*vertex)).collect();
        let junctions: Vec<Junction> = junctions
            .iter()
            .map(|vertex| Junction {
                label: self.label(self.vertices[*vertex as usize]),
                after: after(*vertex),
            })
            .collect();
        let handlers = self.handlers(&numbers);
        let changes: Vec<Change> = changes
            .iter()
            .zip(edges)
            .map(|(vertex, after)| self.change(self.vertices[*vertex as usize], after))
            .collect();
        let checks = checks(desired, self.differ.world, &changed_hosts(&changes));
        let mut counts = Counts::default();
        let unchanged = self.unchanged();
        for change in &changes {
            count(&mut counts, change.operation);
        }
        counts.unchanged = unchanged.len() as u64;
        let known = self.expanded.instances.len() + self.removed.len();
        let hosts_known = self.differ.world.inventory.hosts.len();
        let reach = reach(&changes, known as u64, hosts_known as u64);
        let types = types(&changes, &handlers, &checks, self.schemas);
        Body {
            id: header.id,
            created: model::time::rfc3339(header.created),
            environment: header.environment.clone(),
            variables: header.variables.clone(),
            focus: header.focus.clone(),
            only: header.only.clone(),
            destroy: header.destroy,
            parent: header.parent,
            basis: self.basis(header),
            counts,
            reach,
            types,
            changes,
            junctions,
            handlers,
            checks,
            unchanged,
        }
    }

    fn basis(&self, header: &Header) -> Basis {
        let (observed, applied) = self.differ.prints.digests();
        Basis {
            position: header.position,
            configuration: header.configuration,
            policy: header.policy,
            facts: header.facts,
            observed,
            applied,
        }
    }

    fn label(&self, vertex: Vertex) -> String {
        match vertex {
            Vertex::Group(resource) => {
                format!("every {}", self.expanded.declared[resource as usize].resource.id)
            }
            Vertex::Declared(at) => format!("{}, unchanged", self.expanded.name_of(at)),
            Vertex::Removed(at) | Vertex::Dispose(at) => format!("{at}"),
        }
    }

    fn unchanged(&mut self) -> BTreeMap<Instance, Fingerprint> {
        let mut unchanged = BTreeMap::new();
        for (at, draft) in (0..).zip(&mut self.differ.drafts) {
            if draft.operation.is_none()
                && let Some(basis) = draft.basis.take()
            {
                unchanged.insert(self.expanded.name_of(at), basis);
            }
        }
        unchanged
    }
}
