//! Drift: what somebody else did to a resource, and what is to be done about it.

/// What is done about a resource that is not as it was applied. Said in its declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum OnDrift {
    /// People are told.
    #[default]
    Report,
    /// People are told and asked: a plan that puts it right waits for their approval.
    Propose,
    /// It is put right, as far as policy and the limits of repairs let that happen.
    Repair,
}

impl OnDrift {
    /// Whether it is what is done where nothing is said.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// In which way a resource is not as it was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DriftClass {
    /// Somebody changed it.
    Changed,
    /// It was applied, and is gone.
    Missing,
    /// Somebody changed it, and putting that right is not all that applying would do: the configuration changed as well, or what
    /// is to be kept would be replaced.
    Conflict,
    /// It cannot be read, so nobody knows.
    Unreadable,
}

crate::action::words!(OnDrift { Report = "report", Propose = "propose", Repair = "repair" });
crate::action::words!(DriftClass {
    Changed = "changed",
    Missing = "missing",
    Conflict = "conflict",
    Unreadable = "unreadable",
});

crate::action::serde_as_word!(OnDrift, DriftClass);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_there_and_back() {
        for one in [OnDrift::Report, OnDrift::Propose, OnDrift::Repair] {
            assert_eq!(OnDrift::from_word(one.as_str()), Some(one));
            assert_eq!(serde_json::from_value::<OnDrift>(serde_json::to_value(one).unwrap()).unwrap(), one);
        }
        for one in [DriftClass::Changed, DriftClass::Missing, DriftClass::Conflict, DriftClass::Unreadable] {
            assert_eq!(DriftClass::from_word(one.as_str()), Some(one));
        }
        assert!(serde_json::from_str::<OnDrift>("\"ignore\"").is_err());
        assert!(OnDrift::default().is_default() && !OnDrift::Repair.is_default());
    }
}
