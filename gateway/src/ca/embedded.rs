//! The embedded CA: a root and an issuing authority whose keys are files.
//!
//! Made at the first start in a folder that appears as a whole or not at all; found again at every later start.

use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use der::asn1::{Ia5String, OctetString};
use der::oid::ObjectIdentifier;
use der::oid::db::rfc5280::{ID_CE_CRL_REASONS, ID_KP_CLIENT_AUTH, ID_KP_EMAIL_PROTECTION, ID_KP_SERVER_AUTH};
use der::referenced::OwnedToRef;
use der::{Decode, Encode};
use keyside_core::domain::passphrase::Passphrase;
use keyside_core::domain::revocation::RevocationReason;
use keyside_pki::certification_request::CertificationRequest;
use keyside_pki::general_name::GeneralName as RequestedName;
use keyside_pki::key_pair::KeyPair;
use keyside_pki::name;
use rsa::signature::Signer as _;
use tokio::task::spawn_blocking;
use x509_cert::certificate::Version;
use x509_cert::crl::{CertificateList, RevokedCert, TbsCertList};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    BasicConstraints, CrlNumber, CrlReason, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{DynSignatureAlgorithmIdentifier, SignatureBitStringEncoding, SubjectPublicKeyInfoOwned};

use self::signer::{Extensions, Signer, distribution_points, issuer_address, key_identifier_of, public_key_of, time};
use super::crl_lifetime::CrlLifetime;
use super::{Answer, Authority, CaEngine, CaError, CertificateOrder, CrlOrder, Holder, serial_number, settings};
use crate::clock::{self, BACKDATING, DAY};
use crate::store::revocations::RevokedCertificate;

mod files;
mod signer;

pub use files::{certificate_in, certificates_in, issuing_in, renew, rollover};

/// The subject of the gateway's own server certificates.
const SERVER_SUBJECT: &str = "CN=Keyside connection check";
/// How long these are valid, in seconds; one is issued at each start. Apple's systems take no more than 825 days.
const SERVER_VALIDITY: i64 = 820 * DAY;
/// How long a signature may take: it takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);
/// After how many seconds to sign again what could not be signed.
const RETRY_AFTER: i64 = 10;

/// The embedded CA.
#[derive(Clone)]
pub struct EmbeddedCa(Arc<Signers>);

/// The authorities, and what their certificates have in common.
struct Signers {
    root: Signer,
    /// The issuing authorities before the current one, in their order.
    former: Vec<Signer>,
    /// The current issuing authority.
    issuing: Signer,
    public_url: String,
    crl_lifetime: CrlLifetime,
}

impl EmbeddedCa {
    /// Opens the CA in the folder `directory`, or makes one there. Making one takes seconds.
    ///
    /// The keys rest encrypted under `passphrase` if there is one. `public_url` is what CRL distribution points and issuer
    /// addresses begin with.
    pub fn open_or_create(
        directory: &Path,
        config: &settings::EmbeddedCa,
        passphrase: Option<&Passphrase>,
        public_url: &str,
    ) -> Result<Self, CaError> {
        if !directory.exists() {
            tracing::info!(directory = %directory.display(), "making the certification authority");
            files::create(directory, config, passphrase, public_url)?;
        }
        let root = files::load_signer(directory, Authority::Root, passphrase)?;
        let mut former = Vec::new();
        let mut issuing = load_issuing(directory, Authority::FIRST, passphrase, &root)?;
        for authority in files::issuing_after_first(directory) {
            former.push(std::mem::replace(&mut issuing, load_issuing(directory, authority, passphrase, &root)?));
        }
        for (signer, configured) in [(&root, &config.root_subject), (&issuing, &config.issuing_subject)] {
            if signer.name()? != *configured {
                tracing::warn!(
                    is = %signer.certificate.subject(),
                    %configured,
                    "the CA was made under another name than the configuration has now, and keeps it"
                );
            }
        }
        let crl_lifetime = config.crl_validity_days;
        Ok(Self(Arc::new(Signers { root, former, issuing, public_url: public_url.into(), crl_lifetime })))
    }

    /// Issues a certificate for a server of the gateway's own, whose clients reach it at `host`, a DNS name or an IP address; DER.
    pub fn issue_for_server(&self, host: &str, key: &KeyPair) -> Result<Vec<u8>, CaError> {
        let now = clock::now();
        let issuer_end = clock::from_unsigned(self.0.issuing.certificate.validity().1);
        if now >= issuer_end {
            return Err(CaError::Expired);
        }
        // No client looks at the subject: the name is in the subjectAltName (RFC 9525, section 2).
        let subject = Name::from_str(SERVER_SUBJECT)?;
        let host = match host.parse() {
            Ok(IpAddr::V4(address)) => GeneralName::IpAddress(OctetString::new(address.octets())?),
            Ok(IpAddr::V6(address)) => GeneralName::IpAddress(OctetString::new(address.octets())?),
            Err(_) => GeneralName::DnsName(Ia5String::new(host)?),
        };
        let public_key = public_key_of(key)?;
        self.0.issuing.sign_certificate(
            &serial_number::random(&mut rand::rng()),
            now - BACKDATING,
            (now + SERVER_VALIDITY).min(issuer_end),
            public_key.clone(),
            self.leaf_extensions(&subject, &public_key, vec![ID_KP_SERVER_AUTH], vec![host])?,
        )
    }

    /// The extensions of a certificate that is no CA's, for these `purposes` and alternative `names`.
    fn leaf_extensions<'a>(
        &self,
        subject: &'a Name,
        public_key: &SubjectPublicKeyInfoOwned,
        purposes: Vec<ObjectIdentifier>,
        names: Vec<GeneralName>,
    ) -> Result<Extensions<'a>, CaError> {
        let mut extensions = Extensions::new(subject);
        extensions.add(&key_identifier_of(&self.0.issuing.certificate)?)?;
        extensions.add(&SubjectKeyIdentifier::try_from(public_key.owned_to_ref())?)?;
        extensions.add(&KeyUsage(KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment))?;
        extensions.add(&ExtendedKeyUsage(purposes))?;
        // Critical, against x509-cert's default for a leaf: whoever reads it must notice that this is no CA.
        extensions.add((true, &BasicConstraints { ca: false, path_len_constraint: None }))?;
        // A sequence of at least one name (RFC 5280, section 4.2.1.6).
        if !names.is_empty() {
            extensions.add(&SubjectAltName(names))?;
        }
        extensions.add(&distribution_points(&self.0.public_url, self.issuing())?)?;
        extensions.add(&issuer_address(&self.0.public_url, self.issuing())?)?;
        Ok(extensions)
    }

    /// Signs a certificate, as DER. The same order gives the same certificate: PKCS#1 v1.5 signatures have no random part.
    fn sign(&self, order: &CertificateOrder) -> Result<Vec<u8>, CaError> {
        let request = CertificationRequest::from_der(&order.certification_request)?;
        let issuer_end = clock::from_unsigned(self.0.issuing.certificate.validity().1);
        if order.not_before >= issuer_end {
            return Err(CaError::Expired);
        }
        let subject = Name::from_der(&name::to_standard_types(request.subject()).to_der())?;
        let public_key = SubjectPublicKeyInfoOwned::from_der(request.subject_public_key_info())?;
        let (purposes, names) = match &order.holder {
            Holder::Person { email_address } => (
                vec![ID_KP_CLIENT_AUTH, ID_KP_EMAIL_PROTECTION],
                vec![GeneralName::Rfc822Name(Ia5String::new(email_address)?)],
            ),
            Holder::Device => (vec![ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH], names_of_device(&request)?),
        };
        self.0.issuing.sign_certificate(
            &order.serial_number,
            order.not_before,
            order.not_after.min(issuer_end),
            public_key.clone(),
            self.leaf_extensions(&subject, &public_key, purposes, names)?,
        )
    }

    /// Signs a CRL, as DER.
    fn sign_crl(&self, order: &CrlOrder) -> Result<Vec<u8>, CaError> {
        let signer = self.signer(order.authority);
        let issuer = signer.name()?;
        let mut extensions = Extensions::new(&issuer);
        extensions.add(&CrlNumber::try_from(order.number)?)?;
        extensions.add(&key_identifier_of(&signer.certificate)?)?;
        // Not with x509-cert's CrlBuilder: it takes the authorityKeyIdentifier from the issuer's certificate, which names
        // the issuer's issuer, and OpenSSL then does not take the CRL for this issuer's (RFC 5280, section 5.2.1).
        let signature_algorithm = signer.key.signature_algorithm_identifier()?;
        let tbs_cert_list = TbsCertList {
            version: Version::V2,
            signature: signature_algorithm.clone(),
            issuer: extensions.subject.clone(),
            this_update: time(order.this_update)?,
            next_update: Some(time(order.next_update)?),
            revoked_certificates: revoked_certificates(&order.revoked, order.authority)?,
            crl_extensions: Some(extensions.list),
        };
        let signature = signer.key.try_sign(&tbs_cert_list.to_der()?)?;
        let crl: CertificateList =
            CertificateList { tbs_cert_list, signature_algorithm, signature: signature.to_bitstring()? };
        Ok(crl.to_der()?)
    }

    /// The certificate and key of `authority`.
    fn signer(&self, authority: Authority) -> &Signer {
        match authority {
            Authority::Root => &self.0.root,
            Authority::Issuing(number) => {
                let place = usize::try_from(number).unwrap_or(usize::MAX).wrapping_sub(1);
                self.0.former.get(place).unwrap_or(&self.0.issuing)
            }
        }
    }
}

/// Reads an issuing authority, which the root must have signed.
fn load_issuing(
    directory: &Path,
    authority: Authority,
    passphrase: Option<&Passphrase>,
    root: &Signer,
) -> Result<Signer, CaError> {
    let issuing = files::load_signer(directory, authority, passphrase)?;
    issuing.certificate.verify_signed_by(&root.certificate).map_err(|error| CaError::Contents {
        path: directory.join(authority.certificate_file()),
        fault: format!("it is not signed by the root beside it ({error})"),
    })?;
    Ok(issuing)
}

impl CaEngine for EmbeddedCa {
    fn certificate(&self, authority: Authority) -> &[u8] {
        self.signer(authority).certificate.der()
    }

    fn issuing(&self) -> Authority {
        Authority::Issuing(u32::try_from(self.0.former.len()).unwrap_or(u32::MAX).saturating_add(1))
    }

    fn issue(&self, order: CertificateOrder) -> Answer<'_, Vec<u8>> {
        let ca = self.clone();
        Box::pin(async move { spawn_blocking(move || ca.sign(&order)).await? })
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    fn retry_after(&self) -> i64 {
        RETRY_AFTER
    }

    fn crl_lifetime(&self) -> Option<CrlLifetime> {
        Some(self.0.crl_lifetime)
    }

    fn crl(&self, order: CrlOrder) -> Answer<'_, Option<Vec<u8>>> {
        let ca = self.clone();
        Box::pin(async move { spawn_blocking(move || ca.sign_crl(&order)).await?.map(Some) })
    }
}

/// The dNSNames and iPAddresses that a device's certification request asks for, in its order.
fn names_of_device(request: &CertificationRequest) -> Result<Vec<GeneralName>, CaError> {
    let names = request.subject_alt_names()?.into_iter().flatten().filter_map(|name| match name {
        RequestedName::Dns(host) => Some(Ia5String::new(&host).map(GeneralName::DnsName)),
        RequestedName::Ip(address) => Some(OctetString::new(address).map(GeneralName::IpAddress)),
        _ => None,
    });
    Ok(names.collect::<der::Result<_>>()?)
}

/// A CRL's entries; absent where there are none (RFC 5280, section 5.1.2.6).
fn revoked_certificates(
    revoked: &[RevokedCertificate],
    authority: Authority,
) -> Result<Option<Vec<RevokedCert>>, CaError> {
    if revoked.is_empty() {
        return Ok(None);
    }
    let entry = |certificate: &RevokedCertificate| {
        let reason = match certificate.reason {
            // RFC 5280, section 5.3.1: left out where nothing is said.
            RevocationReason::Unspecified => None,
            // The root's certificates are CAs'.
            RevocationReason::KeyCompromise if authority == Authority::Root => Some(CrlReason::CaCompromise),
            RevocationReason::KeyCompromise => Some(CrlReason::KeyCompromise),
            RevocationReason::AffiliationChanged => Some(CrlReason::AffiliationChanged),
            RevocationReason::Superseded => Some(CrlReason::Superseded),
            RevocationReason::CessationOfOperation => Some(CrlReason::CessationOfOperation),
            RevocationReason::PrivilegeWithdrawn => Some(CrlReason::PrivilegeWithdrawn),
        };
        let extension = |reason: CrlReason| {
            let extn_value = OctetString::new(reason.to_der()?)?;
            Ok::<_, CaError>(vec![Extension { extn_id: ID_CE_CRL_REASONS, critical: false, extn_value }])
        };
        Ok(RevokedCert {
            serial_number: SerialNumber::new(&certificate.serial_number)?,
            revocation_date: time(certificate.revoked_at)?,
            crl_entry_extensions: reason.map(extension).transpose()?,
        })
    };
    revoked.iter().map(entry).collect::<Result<Vec<_>, CaError>>().map(Some)
}
