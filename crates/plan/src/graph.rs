//! Order: what comes after what, among changes and the points between them.

use crate::change::Edge;
use crate::desired::DependencyKind;

/// A graph whose vertices are numbered; an edge says what a vertex comes after.
#[derive(Debug, Default, Clone)]
pub(crate) struct Graph {
    pub(crate) after: Vec<Vec<Edge>>,
}

/// What comes after each vertex, in one piece of memory.
#[derive(Debug, Default)]
pub(crate) struct Behind {
    starts: Vec<u32>,
    vertices: Vec<u32>,
}

impl Behind {
    /// Turns edges round; `after` gives what a vertex comes after.
    pub(crate) fn new<I: Iterator<Item = u32>>(count: usize, after: impl Fn(u32) -> I) -> Self {
        let all = || 0..u32::try_from(count).unwrap_or(u32::MAX);
        let mut starts = vec![0_u32; count + 1];
        for on in all().flat_map(&after) {
            starts[on as usize + 1] += 1;
        }
        for at in 0..count {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut vertices = vec![0; starts[count] as usize];
        for vertex in all() {
            for on in after(vertex) {
                let place = &mut next[on as usize];
                vertices[*place as usize] = vertex;
                *place += 1;
            }
        }
        Self { starts, vertices }
    }

    pub(crate) fn of(&self, vertex: u32) -> &[u32] {
        let vertex = vertex as usize;
        &self.vertices[self.starts[vertex] as usize..self.starts[vertex + 1] as usize]
    }
}

/// An order in which each vertex comes after all it comes after, first come first served; without those in or behind a
/// circle.
pub(crate) fn order<I: Iterator<Item = u32>>(count: usize, after: impl Fn(u32) -> I) -> Vec<u32> {
    let behind = Behind::new(count, &after);
    let all = 0..u32::try_from(count).unwrap_or(u32::MAX);
    let mut waiting: Vec<u32> =
        all.map(|vertex| u32::try_from(after(vertex).count()).unwrap_or(u32::MAX)).collect();
    let mut order = Vec::with_capacity(count);
    order.extend((0..).zip(&waiting).filter(|(_, waiting)| **waiting == 0).map(|(vertex, _)| vertex));
    let mut next = 0;
    while let Some(vertex) = order.get(next).copied() {
        next += 1;
        for dependent in behind.of(vertex) {
            let left = &mut waiting[*dependent as usize];
            *left -= 1;
            if *left == 0 {
                order.push(*dependent);
            }
        }
    }
    order
}

impl Graph {
    pub(crate) fn with_vertices(count: usize) -> Self {
        Self { after: vec![Vec::new(); count] }
    }

    pub(crate) fn add_vertex(&mut self) -> u32 {
        self.after.push(Vec::new());
        u32::try_from(self.after.len() - 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn add(&mut self, vertex: u32, comes_after: u32, kind: DependencyKind) {
        self.after[vertex as usize].push(Edge { step: comes_after, kind });
    }

    pub(crate) fn len(&self) -> usize {
        self.after.len()
    }

    /// What comes after each vertex.
    pub(crate) fn before(&self) -> Behind {
        Behind::new(self.len(), |vertex| self.after[vertex as usize].iter().map(|edge| edge.step))
    }

    /// An order in which each vertex comes after all it comes after. Circles, which can only be among deletions of what
    /// was applied at different times, are cut: of the edges in or behind one, only those to a lower number stay.
    pub(crate) fn sort(&mut self) -> Vec<u32> {
        let after = |graph: &Self| {
            order(graph.len(), |vertex| graph.after[vertex as usize].iter().map(|edge| edge.step))
        };
        let first = after(self);
        if first.len() == self.len() {
            return first;
        }
        let mut done = vec![false; self.len()];
        for vertex in first {
            done[vertex as usize] = true;
        }
        for (vertex, edges) in (0..).zip(&mut self.after) {
            edges.retain(|edge| done[edge.step as usize] || edge.step < vertex);
        }
        after(self)
    }

    /// The level of each vertex: 1 where nothing comes before, else one more than the highest before it.
    pub(crate) fn levels(&self, order: &[u32], counts: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut levels = vec![0; self.len()];
        for vertex in order {
            let edges = &self.after[*vertex as usize];
            let highest = edges.iter().map(|edge| levels[edge.step as usize]).max().unwrap_or(0);
            levels[*vertex as usize] = highest + u32::from(counts(*vertex));
        }
        levels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn graph(count: usize, edges: &[(u32, u32)]) -> Graph {
        let mut graph = Graph::with_vertices(count);
        for (vertex, after) in edges {
            graph.add(*vertex, *after, DependencyKind::Require);
        }
        graph
    }

    #[test]
    fn infrastructure_09_depths() {
        let depth = |count, edges: &[(u32, u32)]| {
            let mut graph = graph(count, edges);
            let order = graph.sort();
            graph.levels(&order, |_| true).into_iter().max().unwrap_or(0)
        };
        assert_eq!(depth(0, &[]), 0, "empty");
        assert_eq!(depth(1, &[]), 1, "single");
        assert_eq!(depth(3, &[(1, 0), (2, 1)]), 3, "linear");
        assert_eq!(depth(4, &[(1, 0), (2, 0), (3, 1), (3, 2)]), 3, "diamond");
        assert_eq!(depth(4, &[]), 1, "parallel");
    }

    proptest! {
        /// Whatever the edges, everything is in the order once and after what it comes after.
        #[test]
        fn every_graph_is_ordered(edges in proptest::collection::vec((0u32..20, 0u32..20), 0..60)) {
            let edges: Vec<_> = edges.into_iter().filter(|(a, b)| a != b).collect();
            let mut graph = graph(20, &edges);
            let order = graph.sort();
            let mut place = [usize::MAX; 20];
            order.iter().enumerate().for_each(|(at, vertex)| place[*vertex as usize] = at);
            prop_assert_eq!(order.len(), 20);
            for (vertex, after) in graph.after.iter().enumerate() {
                for edge in after {
                    prop_assert!(place[edge.step as usize] < place[vertex]);
                }
            }
        }
    }
}
