//! Taking devices' requests by EST: for a one-time code, or for the certificate of before.

use keyside_core::api::ProblemKind;
use keyside_pki::certificate::Certificate;
use sha2::{Digest, Sha256};

use super::device_codes::Credentials;
use super::intake::{Origin, Submission, came_otherwise};
use super::refusal::Refusal;
use super::{RegistrationAuthority, device_codes, policy, renewal};
use crate::clock;
use crate::store::{est_codes, requests};

/// Why a device gets no certificate.
#[derive(Clone, Debug)]
pub enum EnrollmentRefusal {
    /// It has not shown that it may have one. Says what it may show.
    Unauthorized(&'static str),
    /// Its request is refused.
    Refusal(Refusal),
}

impl EnrollmentRefusal {
    /// There is no code.
    pub const NO_CODE: Self =
        Self::Unauthorized("Show the device's name as the user and its one-time code as the password (HTTP Basic).");
    /// There is no certificate.
    pub const NO_CERTIFICATE: Self =
        Self::Unauthorized("Show the device's current certificate (TLS); without one, enroll with a one-time code.");
    /// There is no such code for this device.
    const WRONG_CODE: Self =
        Self::Unauthorized("This code is not for this device, or not valid any more: ask for a new one.");
    /// The code was used for another request.
    const USED_CODE: Self = Self::Unauthorized(
        "This code was used for another certification request: send that one again, or ask for a new code.",
    );
}

impl From<Refusal> for EnrollmentRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl RegistrationAuthority {
    /// Takes a device's request by EST, DER, for the one-time code that it shows; or finds the transaction of the one that the code was used
    /// for.
    pub async fn enroll_device(
        &self,
        credentials: &Credentials,
        der: Vec<u8>,
    ) -> Result<Submission, EnrollmentRefusal> {
        let counted = self.count();
        let code_sha256 = credentials.code_sha256();
        let code = est_codes::find(self.database.reader(), &code_sha256).await.map_err(Refusal::from)?;
        let code = code.filter(|code| code.common_name == credentials.user).ok_or(EnrollmentRefusal::WRONG_CODE)?;
        let submission_sha256 = Sha256::digest(&der).to_vec();
        let known = self.known(&submission_sha256).await?;
        match (&code.submission_sha256, known) {
            (Some(used_for), Some(known)) if *used_for == submission_sha256 => return Ok(known),
            (Some(_), _) => return Err(EnrollmentRefusal::USED_CODE),
            (None, _) if code.valid_until <= clock::now() => return Err(EnrollmentRefusal::WRONG_CODE),
            (None, Some(_)) => return Err(EnrollmentRefusal::Refusal(came_otherwise())),
            (None, None) => {}
        }
        let device =
            device_codes::device_of(&code).ok_or_else(|| Refusal::internal(&"a code for a device that is none"))?;
        let kind = self.certificate_type(&code.certificate_type)?;
        policy::check_device_is_named(kind.for_devices, Some(&device))?;
        let checked = self.check(der, kind, Some(device.clone()), &counted).await?;
        let (device, est_code) = (Some(device), Some(code_sha256));
        Ok(self.take(kind, checked, Origin { submission_sha256, device, est_code, ..Origin::default() }).await?)
    }

    /// Takes a device's request by EST, DER, for the next certificate after the one that it shows, DER; or finds the transaction of one that
    /// came before.
    pub async fn reenroll_device(&self, current: &[u8], der: Vec<u8>) -> Result<Submission, Refusal> {
        let counted = self.count();
        let now = clock::now();
        let current = Certificate::from_der(current).map_err(|error| {
            Refusal::new(ProblemKind::CertificateNotAccepted, format!("It cannot be read: {error}."))
        })?;
        // With the certificate, as for any renewal.
        let submission_sha256 = Sha256::new().chain_update(&der).chain_update(current.der()).finalize().to_vec();
        if let Some(known) = self.known(&submission_sha256).await? {
            return Ok(known);
        }
        let issued = self.renewable(&current, now).await?;
        let kind = self.certificate_type(&issued.certificate_type)?;
        renewal::check_window(&current, kind.renewal, now)?;
        let renewed = requests::find(self.database.reader(), issued.transaction_id).await?;
        let Some(device) = renewed.and_then(|request| request.device()).filter(|_| kind.for_devices) else {
            return Err(Refusal::new(
                ProblemKind::RenewalNotAllowed,
                "This certificate is not a device's: renew it on the page, or with a full PKI request.",
            ));
        };
        let checked = self.check(der, kind, Some(device.clone()), &counted).await?;
        renewal::check_same(&current, &issued.email_address, &checked)?;
        renewal::check_same_names(&current, &checked)?;
        let (renews, device) = (Some(current.serial_number().to_vec()), Some(device));
        self.take(kind, checked, Origin { submission_sha256, renews, device, ..Origin::default() }).await
    }
}
