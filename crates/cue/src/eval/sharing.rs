//! Sharing: a value in place of the conjuncts that led to it, where that says the same.

use super::Eval;
use super::node::{NIL, Shape, Status};
use crate::value::{NodeId, Value};

/// From how many references on a settled value stands for its conjuncts: short chains keep the places of all conjuncts, for
/// errors to name, and long ones do not cost the square of their length.
const FAR: u32 = 8;

impl Eval {
    /// Whether so many references were followed that a value is shared where that says the same.
    pub(super) fn is_far(&self, mut link: u32) -> bool {
        let mut links = 0;
        while link != NIL && links < FAR {
            link = self.refs[link as usize].up;
            links += 1;
        }
        links == FAR
    }

    /// The type or constraint that a node is, where nothing of it is open any more.
    pub(super) fn settled_value(&self, target: NodeId) -> Option<Value> {
        let target = self.deref(target);
        let node = self.node(target);
        let ended = matches!(node.status, Status::Expanded | Status::Done);
        let plain = node.shape == Shape::Plain && node.arcs.len() == 0;
        let value = node.value.as_ref().filter(|_| ended && plain)?;
        let whole = value.is_scalar() || matches!(value, Value::Kind(_) | Value::Bound(..) | Value::Conj(_));
        whole.then(|| value.clone())
    }
}
