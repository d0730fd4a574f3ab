//! What a renewal must be before anybody is asked to approve it: signed by the holder of a certificate that was issued here,
//! is valid, and is about to end; for the same names.

use keyside_core::api::{ProblemKind, RenewalPolicy};
use keyside_pki::certificate::Certificate;
use keyside_pki::certification_path::{self, PathError, Purpose};
use keyside_pki::error::Error;
use keyside_pki::full_pki_request::FullPkiRequest;

use super::policy::CheckedRequest;
use super::refusal::Refusal;
use crate::clock::{self, date_and_time};
use crate::store::requests::{Request, State};

/// Reads a full PKI request and verifies its signature with the key of the certificate that came along.
pub fn read(der: &[u8]) -> Result<FullPkiRequest, Refusal> {
    let request = FullPkiRequest::from_der(der)
        .map_err(|error| Refusal::new(ProblemKind::RenewalMalformed, format!("{error}.")))?;
    request.verify().map_err(|error| {
        Refusal::new(
            ProblemKind::RenewalSignatureInvalid,
            match error {
                Error::UnsupportedAlgorithm(_) | Error::WeakAlgorithm(_) => {
                    format!("{error}: sign with RSA and SHA-256, SHA-384 or SHA-512.")
                }
                _ => "It must be made with the private key of the current certificate.".into(),
            },
        )
    })?;
    Ok(request)
}

/// Checks that the current certificate is one of `root` and of one of `issuing`, each DER, and valid. `now` is in seconds since 1970-01-01T00:00:00Z.
pub fn check_path(current: &Certificate, root: &[u8], issuing: &[&[u8]], now: i64) -> Result<(), Refusal> {
    let authority = |der| Certificate::from_der(der).map_err(|error| Refusal::internal(&error));
    let issuing: Vec<Certificate> = issuing.iter().map(|der| authority(der)).collect::<Result<_, _>>()?;
    let root = [authority(root)?];
    certification_path::build(current, &issuing, &root, clock::to_unsigned(now), Purpose::ClientAuthentication)
        .map(|_| ())
        .map_err(|fault| {
            Refusal::new(
                ProblemKind::CertificateNotAccepted,
                match fault {
                    PathError::Expired(_) => "It has ended: register for a new one.",
                    PathError::NotYetValid(_) => "It is not valid yet.",
                    _ => "It was not issued here: register for a new one.",
                },
            )
        })
}

/// Checks that the time for a renewal has come.
pub fn check_window(current: &Certificate, policy: Option<RenewalPolicy>, now: i64) -> Result<(), Refusal> {
    let refuse = |detail: String| Refusal::new(ProblemKind::RenewalNotAllowed, detail);
    let Some(policy) = policy else {
        return Err(refuse("Certificates of this type are not renewed: register for a new one.".into()));
    };
    let opens_at = policy.opens_at(current.validity().1);
    if clock::to_unsigned(now) < opens_at {
        let days = (opens_at - clock::to_unsigned(now)).div_ceil(clock::to_unsigned(clock::DAY));
        return Err(refuse(format!(
            "It can be renewed in the last {} days before it ends: come back in {days} days.",
            policy.window_days
        )));
    }
    Ok(())
}

/// Checks that the certificate was not renewed, and that no renewal of it waits: `renewals` are those that were asked for. `now` is in seconds
/// since 1970-01-01T00:00:00Z.
pub fn check_only(renewals: &[Request], now: i64) -> Result<(), Refusal> {
    let refuse = |detail: String| Refusal::new(ProblemKind::AlreadyRenewed, detail);
    if let Some(renewal) = renewals.iter().find(|renewal| renewal.lives(now)) {
        return Err(refuse(format!(
            "That was asked for on {}: use the new certificate, or register if its key is lost. If it was not you, a stranger has your key: \
             ask for the revocation of this certificate at once.",
            date_and_time(renewal.submitted_at)
        )));
    }
    if let Some(renewal) = renewals.iter().find(|renewal| renewal.state == State::Pending) {
        return Err(refuse(format!(
            "A renewal of it has been waiting for approval since {}. If it was not you, a stranger has your key: ask for the revocation of \
             this certificate at once. If its key is lost, have it rejected, and renew again.",
            date_and_time(renewal.submitted_at)
        )));
    }
    Ok(())
}

/// Checks that what is asked for is the same again: names, and e-mail address.
pub fn check_same(current: &Certificate, current_email_address: &str, checked: &CheckedRequest) -> Result<(), Refusal> {
    let request = checked.decoded()?;
    // To the letter, in any string type: a renewal that approves itself must not change a name.
    if request.subject().to_string() != current.subject().to_string() {
        return Err(Refusal::new(
            ProblemKind::SubjectNotAllowed,
            format!(
                "The subject must be the current certificate's: “{}”. For another one, register.",
                current.subject()
            ),
        ));
    }
    if checked.email_address != current_email_address {
        return Err(Refusal::new(
            ProblemKind::EmailAddressNotAllowed,
            format!(
                "The e-mail address must be the current certificate's: “{current_email_address}”. For another one, register."
            ),
        ));
    }
    Ok(())
}

/// Checks that a device asks for the very names that its current certificate has.
pub fn check_same_names(current: &Certificate, checked: &CheckedRequest) -> Result<(), Refusal> {
    let of_current = current.extensions().subject_alt_names();
    let of_current = of_current.map_err(|error| Refusal::internal(&error))?.unwrap_or_default();
    let of_request = checked.decoded()?.subject_alt_names().map_err(|error| Refusal::internal(&error))?;
    // As many, and each of them, in whatever order.
    if of_current.len() != of_request.len() || !of_current.iter().all(|name| of_request.contains(name)) {
        return Err(Refusal::new(
            ProblemKind::SubjectAltNameNotAllowed,
            "The names in the subjectAltName must be the current certificate's. For others, enroll with a new code.",
        ));
    }
    Ok(())
}
