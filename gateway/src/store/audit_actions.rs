//! The actions that the audit log has entries of, and the actors.

use std::fmt;
use std::fs;
use std::sync::OnceLock;

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An officer, by id.
    Officer(String),
    /// A user of the system who runs the command line.
    CommandLine,
    /// The configuration: nobody was asked.
    Policy,
    /// Whoever has the transaction ID.
    Applicant,
    /// The gateway, in the course of its work.
    Gateway,
    /// A stranger.
    Unknown,
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Officer(id) => write!(formatter, "officer:{id}"),
            Self::CommandLine => write!(formatter, "command line: {}", system_user()),
            Self::Policy => formatter.write_str("policy"),
            Self::Applicant => formatter.write_str("applicant"),
            Self::Gateway => formatter.write_str("gateway"),
            Self::Unknown => formatter.write_str("unknown"),
        }
    }
}

/// The system's user who runs this program, as in `alice (uid 1000)`; with sudo also the one who has called it.
fn system_user() -> &'static str {
    static USER: OnceLock<String> = OnceLock::new();
    USER.get_or_init(|| {
        let uid = rustix::process::getuid().as_raw();
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let named = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
        };
        let name = users.lines().find_map(named).unwrap_or_else(|| "unnamed".into());
        // Only root can have set it.
        let caller = std::env::var("SUDO_USER").ok().filter(|_| uid == 0);
        let caller: String = caller.iter().flat_map(|name| name.chars()).filter(|c| !c.is_control()).take(64).collect();
        if caller.is_empty() { format!("{name} (uid {uid})") } else { format!("{name} (uid {uid}) for {caller}") }
    })
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A gateway was started.
    Started,
    /// A request was submitted.
    Submitted,
    /// A request that waits was corrected by its applicant.
    Corrected,
    /// A CRL was signed.
    CrlSigned,
    /// Signing in has failed.
    SignInFailed,
    /// A person was authorised.
    Authorised,
    /// An authorisation got another code.
    CodeReplaced,
    /// An authorisation was withdrawn.
    Withdrawn,
    /// A request was approved.
    Approved,
    /// A request was rejected.
    Rejected,
    /// A certificate was issued.
    Issued,
    /// The revocation of a certificate was asked for.
    RevocationRequested,
    /// A certificate was revoked.
    Revoked,
    /// The certificate of an issuing CA was revoked.
    AuthorityRevoked,
    /// An officer was invited.
    OfficerInvited,
    /// A further way to sign in was given to an officer.
    OfficerLinked,
    /// An officer's certificate signs in no more.
    OfficerUnlinked,
    /// An officer has signed in.
    SignedIn,
    /// An officer may not sign in any more.
    OfficerRevoked,
    /// A one-time code was made, with which a device enrolls.
    DeviceCodeMade,
    /// The database was restored from a backup.
    Restored,
    /// Rows were deleted because of their age.
    Purged,
}

impl Action {
    /// Its name, as the log has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Submitted => "submitted",
            Self::Corrected => "corrected",
            Self::CrlSigned => "CRL signed",
            Self::SignInFailed => "sign-in failed",
            Self::Authorised => "authorised",
            Self::CodeReplaced => "code replaced",
            Self::Withdrawn => "authorisation withdrawn",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Issued => "issued",
            Self::RevocationRequested => "revocation asked for",
            Self::Revoked => "revoked",
            Self::AuthorityRevoked => "CA revoked",
            Self::OfficerInvited => "officer invited",
            Self::OfficerLinked => "sign-in given",
            Self::OfficerUnlinked => "sign-in taken",
            Self::SignedIn => "signed in",
            Self::OfficerRevoked => "officer revoked",
            Self::DeviceCodeMade => "device code made",
            Self::Restored => "restored",
            Self::Purged => "purged",
        }
    }
}
