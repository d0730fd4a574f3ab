//! Trust: the CA's certificates to compare and to hand on, the documents that say how it works, and the CAs before it.

use keyside_pki::certificate::Certificate;
use keyside_pki::certificate::CertificateSummary;
use keyside_pki::error::Error;
use keyside_pki::{certs_only, pem};

use crate::api::{CaCertificates, Document};
use crate::domain::base64_bytes::Base64Bytes;
use crate::domain::distinguished_name::common_name_of;
use crate::domain::file_name::FileName;
use crate::ports::{RaError, RegistrationAuthority};

/// What there is to trust.
#[derive(Clone, Debug, PartialEq)]
pub struct Trust {
    /// The CA's certificates, each after its issuer: the root first.
    pub chain: Vec<CaCertificate>,
    /// The same as PEM, the root last, which is the order that servers want (RFC 8446, section 4.4.2).
    pub chain_pem: String,
    /// The same as a certs-only CMS SignedData, DER.
    pub chain_p7b: Vec<u8>,
    /// The documents that say how the CA works.
    pub documents: Vec<Document>,
    /// The CAs that are no longer used.
    pub retired: Vec<RetiredCa>,
}

/// A certificate of the CA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaCertificate {
    /// Its subject's Common Name, or else the whole subject.
    pub name: String,
    /// What people compare.
    pub summary: CertificateSummary,
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// The certificate, PEM.
    pub pem: String,
}

/// A CA that is no longer used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetiredCa {
    /// What people call it.
    pub name: String,
    /// When it ended, for people to read.
    pub ended: String,
    /// What that means for those who still meet its certificates.
    pub note: String,
    /// What its certificate is recognised by.
    pub certificate: Option<CertificateSummary>,
}

impl CaCertificate {
    fn new(certificate: &Certificate) -> Result<Self, Error> {
        let summary = certificate.summary();
        Ok(Self {
            name: common_name_of(certificate.subject()).unwrap_or_else(|| summary.subject.clone()),
            summary,
            der: certificate.der().to_vec(),
            pem: pem::encode(pem::CERTIFICATE, certificate.der())?,
        })
    }

    /// The name of a file with this certificate alone; `badge` marks an environment which is not production.
    pub fn file_name(&self, extension: &str, badge: Option<&str>) -> String {
        self.named(&self.name, extension, badge)
    }

    /// The name of a file with this certificate and those above it.
    pub fn chain_file_name(&self, extension: &str, badge: Option<&str>) -> String {
        self.named(&format!("{} chain", self.name), extension, badge)
    }

    fn named(&self, common_name: &str, extension: &str, badge: Option<&str>) -> String {
        let CertificateSummary { serial_number, not_after, .. } = &self.summary;
        FileName { common_name, serial_number, not_after: *not_after, badge }.with_extension(extension)
    }
}

/// Asks the registration authority for all of it.
pub async fn read(authority: &impl RegistrationAuthority) -> Result<Trust, RaError> {
    prepare(authority.ca_certificates().await?).map_err(|error| RaError::Unexpected(error.to_string()))
}

fn prepare(ca: CaCertificates) -> Result<Trust, Error> {
    let ordered = root_first(parse(&ca.trust_anchors)?, parse(&ca.intermediates)?);
    let chain = ordered.iter().map(CaCertificate::new).collect::<Result<Vec<_>, _>>()?;
    let ders: Vec<_> = ordered.iter().map(Certificate::der).collect();
    let retired = ca.retired.into_iter().map(|retired| {
        let certificate = retired.certificate.map(|certificate| Certificate::from_der(&certificate.0)).transpose()?;
        Ok(RetiredCa {
            name: retired.name,
            ended: retired.ended,
            note: retired.note,
            certificate: certificate.map(|certificate| certificate.summary()),
        })
    });
    Ok(Trust {
        chain_pem: chain.iter().rev().map(|certificate| certificate.pem.as_str()).collect(),
        chain_p7b: certs_only::encode(&ders)?,
        chain,
        documents: ca.documents,
        retired: retired.collect::<Result<_, Error>>()?,
    })
}

fn parse(certificates: &[Base64Bytes]) -> Result<Vec<Certificate>, Error> {
    certificates.iter().map(|certificate| Certificate::from_der(&certificate.0)).collect()
}

/// Orders `intermediates`, which may come in any order, so that each stands after its issuer; those without one stand last.
fn root_first(trust_anchors: Vec<Certificate>, mut intermediates: Vec<Certificate>) -> Vec<Certificate> {
    let mut ordered = trust_anchors;
    while !intermediates.is_empty() {
        let is_next = |candidate: &Certificate| ordered.iter().any(|issuer| candidate.names_as_issuer(issuer));
        let next = intermediates.iter().position(is_next).unwrap_or_default();
        ordered.push(intermediates.remove(next));
    }
    ordered
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use pollster::block_on;

    use super::*;
    use crate::api::{self, DocumentKind};
    use crate::ports::memory::{Call, Fault, MemoryAuthority};

    const ROOT: &[u8] = include_bytes!("../../../../tests/vectors/certification_path/root.der");
    const LIMITED: &[u8] = include_bytes!("../../../../tests/vectors/certification_path/limited.der");
    const BELOW_LIMITED: &[u8] = include_bytes!("../../../../tests/vectors/certification_path/below_limited.der");

    /// A registration authority whose intermediates come in the wrong order.
    fn site() -> MemoryAuthority {
        let authority = MemoryAuthority::default();
        *authority.ca_certificates.borrow_mut() = CaCertificates {
            trust_anchors: vec![ROOT.to_vec().into()],
            intermediates: vec![BELOW_LIMITED.to_vec().into(), LIMITED.to_vec().into()],
            documents: vec![Document {
                title: "Certificate Policy".into(),
                url: "https://www.example.com/policy.pdf".into(),
                kind: Some(DocumentKind::Policy),
            }],
            retired: vec![api::RetiredCa {
                name: "Old CA".into(),
                ended: "2024-11-30".into(),
                note: "It was replaced.".into(),
                certificate: None,
            }],
        };
        authority
    }

    #[test]
    fn the_chain_begins_with_the_root_whatever_order_it_came_in() {
        let trust = block_on(read(&site())).unwrap();
        let ders: Vec<_> = trust.chain.iter().map(|certificate| certificate.der.as_slice()).collect();
        assert_eq!(ders, [ROOT, LIMITED, BELOW_LIMITED]);
        assert_eq!(trust.chain[0].name, "Example Root CA");
        assert_eq!(trust.chain[0].summary, Certificate::from_der(ROOT).unwrap().summary());
        assert_eq!(pem::decode_all(pem::CERTIFICATE, &trust.chain[0].pem).unwrap(), [ROOT]);
        assert_eq!(pem::decode_all(pem::CERTIFICATE, &trust.chain_pem).unwrap(), [BELOW_LIMITED, LIMITED, ROOT]);
        assert_eq!(trust.chain_p7b, certs_only::encode(&ders).unwrap());
        assert_eq!(trust.documents[0].title, "Certificate Policy");
    }

    #[test]
    fn a_certificate_whose_issuer_is_missing_is_shown_too() {
        let authority = site();
        authority.ca_certificates.borrow_mut().trust_anchors.clear();
        let trust = block_on(read(&authority)).unwrap();
        assert_eq!(trust.chain.len(), 2);
    }

    #[test]
    fn a_retired_ca_is_recognised_and_not_trusted() {
        let authority = site();
        let unrelated = include_bytes!("../../../../tests/vectors/certification_path/unrelated_root.der");
        authority.ca_certificates.borrow_mut().retired[0].certificate = Some(unrelated.to_vec().into());
        let trust = block_on(read(&authority)).unwrap();
        let summary = Certificate::from_der(unrelated).unwrap().summary();
        assert_eq!(trust.retired[0].certificate.as_ref(), Some(&summary));
        assert!(trust.chain.iter().all(|certificate| certificate.summary != summary));
        assert_eq!(trust.chain_pem.matches("BEGIN").count(), 3);
    }

    #[test]
    fn a_file_tells_what_is_in_it() {
        let trust = block_on(read(&site())).unwrap();
        let root = &trust.chain[0];
        let end = format!("{} 2126-01-01 Test", root.summary.serial_number);
        assert_eq!(root.file_name("cer", Some("Test")), format!("Example Root CA {end}.cer"));
        assert_eq!(root.chain_file_name("p7b", Some("Test")), format!("Example Root CA chain {end}.p7b"));
    }

    #[test]
    fn what_is_no_certificate_is_an_answer_not_understood() {
        let authority = site();
        authority.ca_certificates.borrow_mut().retired[0].certificate = Some(b"nonsense".to_vec().into());
        assert!(matches!(block_on(read(&authority)), Err(RaError::Unexpected(_))));
        authority.fail(Call::CaCertificates, Fault::Unreachable);
        assert!(matches!(block_on(read(&authority)), Err(RaError::Unreachable(_))));
    }
}
