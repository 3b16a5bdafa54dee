//! Limits of the server. `server.yaml` may lower and raise some of them; these are the defaults.

use std::time::Duration;

/// Most bytes of a request's body.
pub const BODY_BYTES_MAX: usize = 2 << 20;
/// Most bytes of a form, which only people fill in.
pub const FORM_BYTES_MAX: usize = 64 << 10;
/// Most bytes of a request's head.
pub const HEAD_BYTES_MAX: usize = 32 << 10;
/// Most header lines of a request.
pub const HEADERS_MAX: usize = 64;
/// How long a client may take to send a request's head.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a TLS handshake may take.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long an answer that is not a stream may take to be made, with the request's body, which is read for it.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a connection may be silent before its other end is asked whether it is there.
pub const SILENT_TIME_MAX: Duration = Duration::from_secs(30);
/// How often it is asked after that.
pub const PROBE_INTERVAL: Duration = Duration::from_secs(10);
/// How often it may leave that unanswered.
pub const PROBES_MAX: u32 = 3;
/// How long what was sent may go unconfirmed by the system at the other end.
pub const UNHEARD_TIME_MAX: Duration = Duration::from_mins(1);
/// Bytes of room on a journal's disk below which the server is not ready: less than the longest record takes.
pub const ROOM_MIN: u64 = 2 << 20;
/// Most connections at a time; more wait in the listener's queue.
pub const CONNECTIONS_MAX: usize = 8_192;
/// Most requests that are answered at a time; more are told to come back.
pub const REQUESTS_MAX: usize = 512;
/// Most of them on pages that sign in: people who are not known cannot take up all the room with bodies that they never send.
pub const SIGNING_IN_MAX: usize = 64;
/// Most requests of one caller within a second, on average.
pub const REQUESTS_PER_SECOND: u32 = 1_000;
/// Most that `server.yaml` can set it to.
pub const REQUESTS_PER_SECOND_MAX: u32 = 1_000_000;
/// Most requests from one address within a second, on average, before it is known who asks.
pub const STRANGERS_PER_SECOND: u32 = 50;
/// Most callers whose rate is remembered.
pub const CALLERS_MAX: usize = 65_536;
/// Most streams of events at a time.
pub const STREAMS_MAX: usize = 4_096;
/// Most streams of events of one caller at a time, unless `server.yaml` says otherwise.
pub const STREAMS_PER_CALLER_MAX: usize = 64;
/// Events that a stream may be behind before it reads the journal itself.
pub const STREAM_BEHIND_MAX: usize = 1_024;
/// How often a stream says that it is alive, and looks whether its caller still may hear.
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long requests may go on when the server stops.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);
/// Items of a page when nobody says how many.
pub const PAGE_DEFAULT: u32 = 50;
/// Records of a page when nobody says how many.
pub const RECORDS_DEFAULT: u32 = 200;
/// Most items of a page.
pub const PAGE_MAX: u32 = 1_000;
/// Most records of one run that are folded into steps.
pub const RUN_RECORDS_MAX: usize = 100_000;
/// Most bytes of an answer that gets an entity tag.
pub const TAGGED_BYTES_MAX: usize = 4 << 20;
/// Items of each kind at a glance.
pub const GLANCE: usize = 5;
/// Journals that are verified or folded again at a time, of all environments together: each costs a processor for as long as
/// it takes.
pub const WHOLE_JOURNALS_MAX: usize = 1;
/// Seconds after which to ask again where another journal is being read from its beginning.
pub const WHOLE_JOURNAL_PAUSE: u64 = 2;
/// Most bytes of a definition that comes with a request.
pub const DEFINITION_BYTES_MAX: usize = 1 << 20;
/// Most bytes of its name.
pub const DEFINITION_NAME_MAX: usize = 1_024;
/// Items that a shortened id may mean before the rest is left out.
pub const FOUND_MAX: usize = 100;
/// Projects that one server serves.
pub const PROJECTS_MAX: usize = 64;
/// Texts of a policy that is tried.
pub const SOURCES_MAX: usize = 64;
