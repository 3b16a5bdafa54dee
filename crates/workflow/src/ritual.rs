//! The older dialect.
use model::Code;

use crate::document::source::{Mark, Node};

pub(crate) struct Refused {
    pub(crate) code: &'static Code,
    pub(crate) at: Mark,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

pub(crate) fn translate(_node: &Node) -> Option<Result<Node, Refused>> {
    None
}
