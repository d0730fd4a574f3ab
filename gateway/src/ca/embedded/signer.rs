//! Signing certificates, and the extensions that they have.

use std::time::Duration;

use der::asn1::{Ia5String, OctetString};
use der::oid::db::rfc5280::ID_AD_CA_ISSUERS;
use der::oid::{AssociatedOid, ObjectIdentifier};
use der::referenced::OwnedToRef;
use der::{DateTime, Decode, Encode};
use keyside_pki::certificate::Certificate;
use keyside_pki::key_pair::KeyPair;
use rsa::pkcs1v15::{Signature, SigningKey};
use sha2::Sha256;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints,
    KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};

use super::super::{Authority, CaError, serial_number};
use crate::clock::{self, BACKDATING};

/// A certificate with its private key.
pub(super) struct Signer {
    pub(super) certificate: Certificate,
    pub(super) key: SigningKey<Sha256>,
}

impl Signer {
    /// Signs `certificate` again, with another serial number and from now on until `not_after`. All else is as it was.
    pub(super) fn sign_again(&self, certificate: &Certificate, not_after: i64) -> Result<Vec<u8>, CaError> {
        let old = x509_cert::Certificate::from_der(certificate.der())?;
        let old = old.tbs_certificate();
        let list = old.extensions().cloned().unwrap_or_default();
        self.sign_certificate(
            &serial_number::random(&mut rand::rng()),
            clock::now() - BACKDATING,
            not_after,
            old.subject_public_key_info().clone(),
            Extensions { subject: old.subject(), list },
        )
    }

    /// Its name, as `x509-cert` has it.
    pub(super) fn name(&self) -> Result<Name, CaError> {
        Ok(Name::from_der(&self.certificate.subject().to_der())?)
    }

    /// Signs a certificate, as DER.
    pub(super) fn sign_certificate(
        &self,
        serial_number: &[u8],
        not_before: i64,
        not_after: i64,
        public_key: SubjectPublicKeyInfoOwned,
        extensions: Extensions<'_>,
    ) -> Result<Vec<u8>, CaError> {
        sign_certificate(&self.key, &self.name()?, serial_number, not_before, not_after, public_key, extensions)
    }
}

/// Signs a certificate, as DER.
pub(super) fn sign_certificate(
    key: &SigningKey<Sha256>,
    issuer: &Name,
    serial_number: &[u8],
    not_before: i64,
    not_after: i64,
    public_key: SubjectPublicKeyInfoOwned,
    extensions: Extensions<'_>,
) -> Result<Vec<u8>, CaError> {
    let profile = Profile { issuer: issuer.clone(), subject: extensions.subject.clone(), extensions: extensions.list };
    let certificate = CertificateBuilder::new(
        profile,
        SerialNumber::new(serial_number)?,
        Validity::new(time(not_before)?, time(not_after)?),
        public_key,
    )?
    .build::<_, Signature>(key)?;
    Ok(certificate.to_der()?)
}

/// The profile that `x509-cert` takes for a certificate with extensions of one's own.
struct Profile {
    issuer: Name,
    subject: Name,
    extensions: Vec<Extension>,
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _public_key: SubjectPublicKeyInfoRef<'_>,
        _issuer_public_key: SubjectPublicKeyInfoRef<'_>,
        _tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        Ok(self.extensions.clone())
    }
}

/// A certificate's extensions, in the making.
pub(super) struct Extensions<'a> {
    pub(super) subject: &'a Name,
    pub(super) list: Vec<Extension>,
}

impl<'a> Extensions<'a> {
    pub(super) fn new(subject: &'a Name) -> Self {
        Self { subject, list: Vec::new() }
    }

    pub(super) fn add(&mut self, extension: impl ToExtension<Error = der::Error>) -> Result<(), CaError> {
        let extension = extension.to_extension(self.subject, &self.list)?;
        self.list.push(extension);
        Ok(())
    }

    /// Adds the extensions with these OIDs that `certificate` has, as they are.
    pub(super) fn copy(&mut self, certificate: &Certificate, oids: &[ObjectIdentifier]) -> Result<(), CaError> {
        let certificate = x509_cert::Certificate::from_der(certificate.der())?;
        let all = certificate.tbs_certificate().extensions().into_iter().flatten();
        self.list.extend(all.filter(|extension| oids.contains(&extension.extn_id)).cloned());
        Ok(())
    }
}

/// The extensions of every authority's certificate (RFC 5280, sections 4.2.1.2, 4.2.1.3 and 4.2.1.9).
pub(super) fn authority_extensions<'a>(
    subject: &'a Name,
    public_key: &SubjectPublicKeyInfoOwned,
    path_len_constraint: Option<u8>,
) -> Result<Extensions<'a>, CaError> {
    let mut extensions = Extensions::new(subject);
    extensions.add(&SubjectKeyIdentifier::try_from(public_key.owned_to_ref())?)?;
    extensions.add(&KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign))?;
    extensions.add(&BasicConstraints { ca: true, path_len_constraint })?;
    Ok(extensions)
}

/// The authorityKeyIdentifier of what `issuer` signs: its subjectKeyIdentifier (RFC 5280, section 4.2.1.1).
pub(super) fn key_identifier_of(issuer: &Certificate) -> Result<AuthorityKeyIdentifier, CaError> {
    let identifier: OctetString = match issuer.extensions().get(SubjectKeyIdentifier::OID) {
        Some(identifier) => OctetString::from_der(identifier)?,
        None => {
            let public_key = SubjectPublicKeyInfoOwned::from_der(issuer.subject_public_key_info())?;
            SubjectKeyIdentifier::try_from(public_key.owned_to_ref())?.0
        }
    };
    Ok(AuthorityKeyIdentifier { key_identifier: Some(identifier), ..AuthorityKeyIdentifier::default() })
}

/// The cRLDistributionPoints of what `issuer` signs (RFC 5280, section 4.2.1.13).
pub(super) fn distribution_points(public_url: &str, issuer: Authority) -> Result<CrlDistributionPoints, CaError> {
    let url = url(public_url, issuer, "crl")?;
    Ok(CrlDistributionPoints(vec![DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![url])),
        reasons: None,
        crl_issuer: None,
    }]))
}

/// The authorityInfoAccess of what `issuer` signs: where its certificate is (RFC 5280, section 4.2.2.1).
pub(super) fn issuer_address(public_url: &str, issuer: Authority) -> Result<AuthorityInfoAccessSyntax, CaError> {
    Ok(AuthorityInfoAccessSyntax(vec![AccessDescription {
        access_method: ID_AD_CA_ISSUERS,
        access_location: url(public_url, issuer, "cer")?,
    }]))
}

/// The address of an authority's certificate or CRL.
pub(super) fn url(public_url: &str, authority: Authority, extension: &str) -> Result<GeneralName, CaError> {
    let url = format!("{public_url}/pki/{}.{extension}", authority.slug());
    Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(&url)?))
}

/// Seconds since 1970-01-01T00:00:00Z as a UTCTime, or as a GeneralizedTime from 2050 on (RFC 5280, section 4.1.2.5).
pub(super) fn time(seconds: i64) -> Result<Time, CaError> {
    let since = Duration::from_secs(clock::to_unsigned(seconds));
    Ok(Time::from(DateTime::from_unix_duration(since)?))
}

/// The public half of `key`.
pub(super) fn public_key_of(key: &KeyPair) -> Result<SubjectPublicKeyInfoOwned, CaError> {
    use der::Decode;
    Ok(SubjectPublicKeyInfoOwned::from_der(&key.to_subject_public_key_info()?)?)
}
