//! How answers look. Pure: from values to text.

pub mod approvals;
pub mod events;
pub mod live;
pub mod runs;
pub mod table;
pub mod time;
