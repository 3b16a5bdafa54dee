//! Commands against a server: the same words, the same exit codes; and what happens when the server does not behave.

mod bench;
mod between;
mod lying;
mod same;
mod trouble;
mod typed;
