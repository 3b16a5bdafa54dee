//! How answers look. Pure: from values to text.

pub mod table;
pub mod time;
