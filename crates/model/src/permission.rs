//! What somebody may do in an environment: [`Permission`].

/// What somebody may do in an environment by way of the server. `access.yaml` says which role gives which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// See everything there but secrets.
    Read,
    /// Start, cancel, pause, resume, retry and signal runs.
    Operate,
    /// Decide approvals, as far as one's roles are those that are asked.
    Approve,
    /// Everything else: checkpoints, keys, settings.
    Administer,
}

impl Permission {
    /// Every permission, in the order in which they are shown.
    pub const ALL: &[Self] = &[Self::Read, Self::Operate, Self::Approve, Self::Administer];
}

crate::action::words!(Permission {
    Read = "read",
    Operate = "operate",
    Approve = "approve",
    Administer = "administer",
});
crate::action::serde_as_word!(Permission);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_there_and_back() {
        assert_eq!(Permission::ALL.len(), Permission::WORDS.len());
        for one in Permission::ALL {
            let value = serde_json::to_value(one).unwrap();
            assert_eq!(serde_json::from_value::<Permission>(value).unwrap(), *one);
        }
        let error = serde_json::from_str::<Permission>("\"write\"").unwrap_err();
        assert!(error.to_string().contains("`write` is none of read, operate, approve, administer"));
    }
}
