//! Order: what comes after what, among changes and the points between them.

use crate::change::Edge;
use crate::desired::DependencyKind;

/// A graph whose vertices are numbered; an edge says what a vertex comes after.
#[derive(Debug, Default, Clone)]
pub(crate) struct Graph {
    pub(crate) after: Vec<Vec<Edge>>,
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
    pub(crate) fn before(&self) -> Vec<Vec<u32>> {
        let mut before = vec![Vec::new(); self.len()];
        for (vertex, edges) in (0..).zip(&self.after) {
            for edge in edges {
                before[edge.step as usize].push(vertex);
            }
        }
        before
    }

    /// An order in which each vertex comes after all it comes after; lower numbers first where there is a choice of
    /// equals. Circles, which can only be among deletions of what was applied at different times, are cut: the edges
    /// that close one are removed.
    pub(crate) fn sort(&mut self) -> Vec<u32> {
        let before = self.before();
        let mut waiting: Vec<usize> = self.after.iter().map(Vec::len).collect();
        let mut order: Vec<u32> =
            (0..).zip(&waiting).filter(|(_, waiting)| **waiting == 0).map(|(vertex, _)| vertex).collect();
        let (mut next, mut stuck) = (0, 0);
        let mut done = vec![false; self.len()];
        loop {
            while let Some(vertex) = order.get(next).copied() {
                next += 1;
                done[vertex as usize] = true;
                for dependent in &before[vertex as usize] {
                    let left = &mut waiting[*dependent as usize];
                    *left = left.saturating_sub(1);
                    if *left == 0 && !done[*dependent as usize] {
                        order.push(*dependent);
                    }
                }
            }
            while stuck < self.len() && done[stuck] {
                stuck += 1;
            }
            if stuck == self.len() {
                return order;
            }
            self.after[stuck].retain(|edge| done[edge.step as usize]);
            waiting[stuck] = 0;
            order.push(u32::try_from(stuck).unwrap_or(u32::MAX));
            done[stuck] = true;
        }
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
