//! The registration authority: takes requests, has them approved and issued, and answers.
//!
//! | module | contents |
//! |---|---|
//! | [`intake`], [`device_enrollment`] | taking requests and renewals, and devices' requests by EST |
//! | [`policy`], [`weak_rsa_key`], [`known_keys`], [`renewal`] | the rules for a request, its key, and a renewal |
//! | [`authorisations`], [`companies`], [`namesakes`], [`mixed_scripts`] | the people who may have a certificate, and their names |
//! | [`decision`], [`revocation`] | approving, rejecting and revoking |
//! | [`issuance`], [`crl`], [`housekeeping`], `retention` | the work that goes on without a person |
//! | [`status`], [`connection_check`], [`refusal`] | answers |

use std::sync::atomic::{AtomicI64, AtomicUsize};
use std::sync::{Arc, Mutex};

use crate::ca::CaEngine;
use crate::database::Database;
use crate::notifications::officer_mail::Digests;
use crate::officers::failed_sign_ins::FailedSignIns;

pub mod authorisations;
pub mod companies;
pub mod connection_check;
pub mod crl;
pub mod decision;
pub mod device_codes;
pub mod device_enrollment;
pub mod housekeeping;
pub mod intake;
pub mod issuance;
pub mod known_keys;
mod mail_limits;
pub mod mixed_scripts;
pub mod namesakes;
pub mod one_time_code;
pub mod policy;
pub mod refusal;
pub mod renewal;
mod retention;
pub mod revocation;
pub mod settings;
pub mod status;
pub mod weak_rsa_key;

use mail_limits::MailLimits;
use settings::Settings;

/// The registration authority.
pub struct RegistrationAuthority {
    settings: Settings,
    database: Database,
    ca: Arc<dyn CaEngine>,
    /// The number of submissions that are being worked on.
    submissions: AtomicUsize,
    digests: Digests,
    /// Those who have failed to sign in to the console.
    pub failed_sign_ins: FailedSignIns,
    mail_limits: MailLimits,
    /// The urgency of the last warning of the CA's end, and the day on which it was given.
    warned: Mutex<(usize, i64)>,
    /// The last time that old rows were deleted, in seconds since 1970-01-01T00:00:00Z.
    purged_at: AtomicI64,
}

impl RegistrationAuthority {
    /// A registration authority over these parts.
    pub fn new(settings: Settings, database: Database, ca: Arc<dyn CaEngine>) -> Self {
        let mail_limits = MailLimits::new(settings.submitted_per_hour);
        Self {
            settings,
            database,
            ca,
            submissions: AtomicUsize::new(0),
            digests: Digests::default(),
            failed_sign_ins: FailedSignIns::default(),
            mail_limits,
            warned: Mutex::default(),
            purged_at: AtomicI64::new(0),
        }
    }
}
