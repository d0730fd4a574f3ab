//! Certificates, checked and read for the page, which has not the code for it. Nothing here is secret.

use keyside_pki::certificate::Certificate;
use keyside_pki::certificate::CertificateSummary;
use keyside_pki::certification_path::{self, PathError, Purpose};
use keyside_pki::certification_request::CertificationRequest;
use keyside_pki::name;

use crate::domain::base64_bytes::Base64Bytes;
use crate::domain::distinguished_name::common_name_of;
use crate::protocol::{AskedFor, CertificateJob, Check, Checked, Failure, FileAnswer};

/// Does a job and gives the answer.
pub fn handle(job: CertificateJob) -> FileAnswer {
    match job {
        CertificateJob::Check(job) => FileAnswer::of(check(&job)),
        CertificateJob::Summarize(certificate) => FileAnswer::of(summarize(&certificate)),
    }
}

/// Checks a certificate that was issued.
fn check(job: &Check) -> Result<Result<Checked, PathError>, Failure> {
    let (certificates, trust_anchors) = (read_all(&job.certificates)?, read_all(&job.trust_anchors)?);
    let Some((leaf, others)) = certificates.split_first() else {
        return Err(Failure::Unusable("there is no certificate".into()));
    };
    match &job.asked_for {
        AskedFor::Request(request) => {
            let request = CertificationRequest::from_der(&request.0)?;
            if !leaf.certifies(request.subject_public_key_info()) {
                return Err(Failure::KeyMismatch);
            }
            if !name::is_match(leaf.subject(), request.subject()) {
                let subject = leaf.subject().to_string();
                return Err(Failure::SubjectMismatch(format!(
                    "It was issued for {subject}, which is not the name in the request"
                )));
            }
        }
        AskedFor::CommonName(name) if common_name_of(leaf.subject()).as_ref() != Some(name) => {
            return Err(Failure::KeyMismatch);
        }
        AskedFor::CommonName(_) => (),
    }
    let path = certification_path::build(leaf, others, &trust_anchors, job.at, Purpose::ClientAuthentication);
    let path = path.map(|path| Checked {
        certification_path: path.iter().map(|certificate| certificate.der().to_vec().into()).collect(),
        certificate: leaf.summary(),
        trust_anchor_fingerprint: path.last().map(|root| root.summary().sha256_fingerprint).unwrap_or_default(),
    });
    // Sentences, so that the page does not load the words around them.
    Ok(path.map_err(|error| match error {
        PathError::Refused(why) => {
            PathError::Refused(format!("It comes from the expected certification authority, but {why}"))
        }
        PathError::NotChecked(why) => PathError::NotChecked(format!(
            "This does not mean that something is wrong with it, but it cannot be checked here: {why}"
        )),
        other => other,
    }))
}

fn summarize(certificate: &Base64Bytes) -> Result<CertificateSummary, Failure> {
    Ok(Certificate::from_der(&certificate.0)?.summary())
}

pub(crate) fn read_all(certificates: &[Base64Bytes]) -> Result<Vec<Certificate>, Failure> {
    certificates.iter().map(|der| Ok(Certificate::from_der(&der.0)?)).collect()
}
