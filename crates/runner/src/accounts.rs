//! Names and numbers of users and groups, from `/etc/passwd` and `/etc/group`.
//!
//! A static program cannot load the system's name service modules, so accounts that are only in a directory service are
//! known by their numbers.

use crate::protocol::{Fault, FaultCode};

/// A file with one account per line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Table {
    Users,
    Groups,
}

impl Table {
    fn file(self) -> &'static str {
        match self {
            Self::Users => "/etc/passwd",
            Self::Groups => "/etc/group",
        }
    }

    fn text(self) -> String {
        // A target without the file (an empty chroot) has no names, only numbers.
        std::fs::read(self.file())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The number of a name, or of a number.
    pub(crate) fn number(self, name: &str) -> Result<u32, Fault> {
        if let Ok(number) = name.parse() {
            return Ok(number);
        }
        self.text()
            .lines()
            .find_map(|line| {
                let mut fields = line.split(':');
                (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
            })
            .ok_or_else(|| {
                Fault::new(FaultCode::NotFound, format!("{} has no account named {name:?}", self.file()))
            })
    }

    /// The name of a number.
    pub(crate) fn name(self, number: u32) -> Option<String> {
        let number = number.to_string();
        self.text().lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1) == Some(&number)).then(|| name.to_owned())
        })
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
}
