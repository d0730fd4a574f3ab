//! The roles of officers, and their permissions. Each permission names every role: a new one is decided about everywhere.

use std::str::FromStr;

/// What an officer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A User Access Administrator: authorises the people of one company, and sees them and their requests.
    Uaa,
    /// Sees everything; approves, rejects and revokes. Does not authorise, so that there are always two.
    Approver,
    /// Sees everything, and changes nothing.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Uaa, Self::Approver, Self::Auditor];

    /// Its name, as the command line and the database have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uaa => "uaa",
            Self::Approver => "approver",
            Self::Auditor => "auditor",
        }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Uaa => "User Access Administrator",
            Self::Approver => "Approver",
            Self::Auditor => "Auditor",
        }
    }

    /// Whether officers in this role authorise people, and withdraw that.
    pub fn may_authorise(self) -> bool {
        match self {
            Self::Uaa => true,
            Self::Approver | Self::Auditor => false,
        }
    }

    /// Whether officers in this role approve, reject and revoke.
    pub fn may_decide(self) -> bool {
        match self {
            Self::Approver => true,
            Self::Uaa | Self::Auditor => false,
        }
    }

    /// Whether officers in this role see other officers and the audit log.
    pub fn may_oversee(self) -> bool {
        match self {
            Self::Approver | Self::Auditor => true,
            Self::Uaa => false,
        }
    }

    /// True for officers in this role who see one company's people and requests only.
    pub fn is_of_company(self) -> bool {
        match self {
            Self::Uaa => true,
            Self::Approver | Self::Auditor => false,
        }
    }
}

/// The text is not the name of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is one of: uaa, approver, auditor")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(UnknownRole)
    }
}

impl TryFrom<String> for Role {
    type Error = UnknownRole;

    fn try_from(text: String) -> Result<Self, UnknownRole> {
        text.parse()
    }
}
