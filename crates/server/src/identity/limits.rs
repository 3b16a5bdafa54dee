//! Limits of who signs in, and for how long.

use std::num::NonZeroU32;

use model::time::SignedDuration;

/// Most accounts of a server.
pub const ACCOUNTS_MAX: usize = 10_000;
/// Longest name of an account, in bytes; the streams of the journal have to have room for it.
pub const ACCOUNT_NAME_BYTES: usize = 64;
/// Most tokens of one account that have not run out.
pub const TOKENS_PER_ACCOUNT_MAX: usize = 100;
/// Longest name of a token, in characters.
pub const TOKEN_NAME_CHARS: usize = 100;
/// How long a token is good for when nobody says how long.
pub const TOKEN_LIFETIME_DEFAULT: SignedDuration = SignedDuration::from_hours(24 * 90);
/// Longest time a token is good for.
pub const TOKEN_LIFETIME_MAX: SignedDuration = SignedDuration::from_hours(24 * 366);
/// How long a token that has run out is still listed.
pub const TOKEN_LISTED: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Most entries of one list in a token's scope.
pub const SCOPE_ENTRIES_MAX: usize = 100;
/// How long a sign-in link is good for.
pub const LINK_LIFETIME: SignedDuration = SignedDuration::from_mins(15);
/// How long the link of a server without administrator is good for: a person reads a manual meanwhile.
pub const SETUP_LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// Most links of all accounts that are not used and have not run out.
pub const LINKS_MAX: usize = 1_000;
/// A session is over after this time, used or not.
pub const SESSION_LIFETIME: SignedDuration = SignedDuration::from_hours(12);
/// A session is over when nobody uses it for this time.
pub const SESSION_IDLE: SignedDuration = SignedDuration::from_hours(1);
/// Most sessions of one account at a time; the next one ends the oldest.
pub const SESSIONS_PER_ACCOUNT_MAX: usize = 50;
/// Most groups of a person that are kept; a provider that sends more is refused.
pub const GROUPS_MAX: usize = 500;
/// Longest name of a group, in bytes.
pub const GROUP_BYTES_MAX: usize = 128;
/// How long what a provider said about a person's groups counts for their tokens: who left a group keeps what it gave for this
/// long at most.
pub const GROUPS_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Longest reason in words, in bytes.
pub const REASON_BYTES_MAX: usize = 1_000;
/// Longest text that is looked at as a secret, in bytes.
pub const SECRET_BYTES_MAX: usize = 128;
/// How often one change is tried again because others write the same.
pub const CONFLICTS_MAX: u32 = 16;
/// Records read at a time.
pub const READ_MAX: usize = 10_000;
/// Failed logins from one address before it has to wait: this many at once, and one more every six seconds.
pub const FAILURES_PER_ADDRESS: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");
/// Failed logins of one account before it has to wait: this many at once, and one more every six seconds.
pub const FAILURES_PER_ACCOUNT: NonZeroU32 = NonZeroU32::new(20).expect("twenty is not zero");
/// Refused logins that are recorded in the journal within a minute; the rest is only counted.
pub const REFUSALS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(20).expect("twenty is not zero");
/// Most addresses, and most accounts, whose failures are remembered.
pub const FAILURES_REMEMBERED: usize = 65_536;
