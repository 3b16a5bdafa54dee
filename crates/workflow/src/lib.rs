//! The CNCF Serverless Workflow DSL 1.0.
//!
//! This crate never performs a step, opens a file, reads a clock or draws randomness.

pub mod action_input;
