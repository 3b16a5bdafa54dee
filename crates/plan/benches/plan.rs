//! The cost of a plan.

fn main() {}
