//! From the operating system's errors to ours.

use rustix::io::Errno;

use crate::protocol::{Fault, FaultCode};

impl Fault {
    /// A fault with a message for people.
    pub fn new(code: FaultCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// What the operating system said when asked to do `what`.
    pub(crate) fn os(what: impl std::fmt::Display, errno: Errno) -> Self {
        let code = match errno {
            Errno::NOENT => FaultCode::NotFound,
            Errno::ACCESS | Errno::PERM => FaultCode::Denied,
            Errno::NOSPC | Errno::DQUOT | Errno::FBIG => FaultCode::NoSpace,
            Errno::ROFS => FaultCode::ReadOnly,
            Errno::LOOP => FaultCode::Symlink,
            Errno::NOTDIR | Errno::ISDIR | Errno::EXIST | Errno::NOTEMPTY => FaultCode::WrongKind,
            _ => FaultCode::Io,
        };
        Self::new(code, format!("{what}: {}", std::io::Error::from(errno)))
    }

    /// The same for an error of the standard library.
    pub(crate) fn io(what: impl std::fmt::Display, why: &std::io::Error) -> Self {
        match Errno::from_io_error(why) {
            Some(errno) => Self::os(what, errno),
            None => Self::new(FaultCode::Io, format!("{what}: {why}")),
        }
    }
}
