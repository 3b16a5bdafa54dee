//! Roots of parts of the journal's tree, remembered once they were computed: what a proof needs of records that are far from what
//! it is about.
//!
//! A cache, and never what a signature stands on: a checkpoint reads the records. What does not lead to the root that was signed is
//! not kept.

use std::sync::{Mutex, MutexGuard, PoisonError};

use journal::merkle::CompactRange;
use model::Digest;

/// Records of one part, as a power of two. 32 bytes are remembered of each part: 32 KiB of a million records.
pub(crate) const LEVEL: u32 = 10;

/// The same as a number.
pub(crate) const WIDTH: usize = 1 << LEVEL;

/// The roots, from the first record on, without a gap.
#[derive(Debug, Default)]
pub(crate) struct Tiles(Mutex<Vec<Digest>>);

impl Tiles {
    fn roots(&self) -> MutexGuard<'_, Vec<Digest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The roots of the parts that lie below `size` as a whole.
    pub(crate) fn below(&self, size: u64) -> Vec<Digest> {
        let roots = self.roots();
        let whole = usize::try_from(size / WIDTH as u64).unwrap_or(usize::MAX);
        roots[..whole.min(roots.len())].to_vec()
    }

    /// Remembers the complete parts of what was read after the first `shown` records, a multiple of a part's.
    pub(crate) fn remember(&self, shown: u64, rest: Rest) {
        let mut roots = self.roots();
        // somebody else may have come here first
        if roots.len() as u64 == shown / WIDTH as u64 {
            roots.extend(rest.roots);
        }
    }

    /// Remembers nothing any more.
    pub(crate) fn forget(&self) {
        self.roots().clear();
    }
}

/// Records that are read one after the other, by parts.
#[derive(Default)]
pub(crate) struct Rest {
    roots: Vec<Digest>,
    range: CompactRange,
}

impl Rest {
    /// The next record's digest.
    pub(crate) fn push(&mut self, leaf: Digest) {
        self.range.push(leaf);
        if self.range.size() == WIDTH as u64 {
            self.roots.push(std::mem::take(&mut self.range).root());
        }
    }
}
