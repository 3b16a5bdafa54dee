//! Where the definition of a run came from: [`Origin`].

/// Where the definition of a run came from. What rules give by the name of a workflow is meant for the one that the project has,
/// so that nobody gets it who only calls a text of theirs by that name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The project has it, or whoever may change the project brought it.
    #[default]
    Project,
    /// Whoever asked for the run sent it along.
    Caller,
}

impl Origin {
    /// Whether it is the project's, which goes without saying.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it may skip by reference")]
    pub const fn is_project(&self) -> bool {
        matches!(self, Self::Project)
    }
}

crate::action::words!(Origin { Project = "project", Caller = "caller" });
crate::action::serde_as_word!(Origin);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_there_and_back() {
        for one in [Origin::Project, Origin::Caller] {
            let value = serde_json::to_value(one).unwrap();
            assert_eq!(serde_json::from_value::<Origin>(value).unwrap(), one);
            assert_eq!(one.is_project(), one == Origin::default());
        }
    }
}
