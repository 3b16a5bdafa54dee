//! Who may sign in, over the server's journal as it is on disk.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "every line of this program is a test")]

mod accounts;
mod links;
mod oidc;
mod provider;
mod sessions;
mod support;
mod tokens;
