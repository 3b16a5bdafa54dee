//! Names and numbers of users and groups, from `/etc/passwd` and `/etc/group`.
//!
//! A static program cannot load the system's name service modules, so accounts that are only in a directory service are
//! known by their numbers.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex};

use crate::control::lock;
use crate::protocol::{Fault, FaultCode};

/// A file with one account per line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Table {
    Users,
    Groups,
}

/// What tells one state of a file from another: device, inode, size, and when it was last changed.
type State = (u64, u64, u64, i64, i64);

/// What a file says. Of what is there twice, the first counts.
#[derive(Debug, Default)]
struct Accounts {
    numbers: HashMap<String, u32>,
    names: HashMap<u32, String>,
}

/// A state of a file, and what it said then.
type Read = Option<(State, Arc<Accounts>)>;

/// What was read last of each of the files: each is asked for every thing that is looked at.
static READ: [Mutex<Read>; 2] = [Mutex::new(None), Mutex::new(None)];

impl Accounts {
    fn parse(text: &str) -> Self {
        let mut accounts = Self::default();
        for line in text.lines() {
            let mut fields = line.split(':');
            let (Some(name), Some(Ok(number))) = (fields.next(), fields.nth(1).map(str::parse)) else {
                continue;
            };
            accounts.numbers.entry(name.to_owned()).or_insert(number);
            accounts.names.entry(number).or_insert_with(|| name.to_owned());
        }
        accounts
    }
}

impl Table {
    fn file(self) -> &'static str {
        match self {
            Self::Users => "/etc/passwd",
            Self::Groups => "/etc/group",
        }
    }

    /// What the file says now.
    fn accounts(self) -> Arc<Accounts> {
        // A target without the file (an empty chroot) has no names, only numbers.
        let Ok(meta) = std::fs::metadata(self.file()) else { return Arc::default() };
        let state = (meta.dev(), meta.ino(), meta.size(), meta.ctime(), meta.ctime_nsec());
        let mut read = lock(&READ[self as usize]);
        if let Some((known, accounts)) = &*read
            && *known == state
        {
            return Arc::clone(accounts);
        }
        let bytes = std::fs::read(self.file()).unwrap_or_default();
        let accounts = Arc::new(Accounts::parse(&String::from_utf8_lossy(&bytes)));
        *read = Some((state, Arc::clone(&accounts)));
        accounts
    }

    /// The number of a name, or of a number.
    pub(crate) fn number(self, name: &str) -> Result<u32, Fault> {
        if let Ok(number) = name.parse() {
            return Ok(number);
        }
        self.accounts().numbers.get(name).copied().ok_or_else(|| {
            Fault::new(FaultCode::NotFound, format!("{} has no account named {name:?}", self.file()))
        })
    }

    /// The name of a number.
    pub(crate) fn name(self, number: u32) -> Option<String> {
        self.accounts().names.get(&number).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_belong_together() {
        assert_eq!(Table::Users.number("root"), Ok(0));
        assert_eq!(Table::Groups.name(0).as_deref(), Some("root"));
        assert_eq!(Table::Users.number("4711"), Ok(4711));
        assert_eq!(Table::Users.number("nobody at all").map_err(|f| f.code), Err(FaultCode::NotFound));
    }

    #[test]
    fn of_what_is_there_twice_the_first_counts_and_what_is_no_account_is_passed_over() {
        let accounts = Accounts::parse("a:x:1:\n# c\nb:x:one:\na:x:2:\nc:x:1:\n+::::\n");
        assert_eq!(accounts.numbers.get("a"), Some(&1));
        assert_eq!(accounts.names.get(&1).map(String::as_str), Some("a"));
        assert_eq!((accounts.numbers.get("c"), accounts.numbers.get("b")), (Some(&1), None));
    }
}
