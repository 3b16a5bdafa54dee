//! Every limit of the client, in one place.

use std::time::Duration;

/// Time to connect, with the handshake.
pub const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Time for one answer that is no stream; the server gives itself less.
pub const ANSWER_TIME_MAX: Duration = Duration::from_mins(1);
/// Largest answer that is no stream.
pub const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Largest answer that says why a request was refused.
pub const PROBLEM_BYTES_MAX: usize = 1 << 20;
/// Header lines of an answer.
pub const HEADERS_MAX: usize = 64;
/// Largest event of a stream, and largest record of an export: a record has 4 MiB at most.
pub const EVENT_BYTES_MAX: usize = 8 << 20;
/// Events that are read ahead.
pub const EVENTS_AHEAD: usize = 64;
/// Silence after which a stream is taken for dead. A living one says something every quarter of a minute.
pub const SILENCE_MAX: Duration = Duration::from_secs(45);
/// How often one request is sent, at most.
pub const TRIES_MAX: u32 = 5;
/// The first pause before a request is sent again is up to this long, each further one up to twice the one before.
pub const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// No pause is longer.
pub const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long a stream that broke is asked for again, before that is an error.
pub const RECONNECT_TIME_MAX: Duration = Duration::from_secs(30);
/// Streams that end at once, one after the other, before no more is expected of them.
pub const EMPTY_STREAMS_MAX: u32 = 3;
/// Longest token.
pub const TOKEN_BYTES_MAX: usize = 512;
/// Codes of a newer server that are kept as they are; more are named in the text only.
pub const FOREIGN_CODES_MAX: usize = 64;
/// Causes and findings that are taken from one problem.
pub const CAUSES_MAX: usize = 100;
