//! The embedded CA: a root and an issuing authority whose keys are files.
//!
//! Made at the first start in a folder that appears as a whole or not at all; found again at every later start.

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use der::asn1::{Ia5String, OctetString};
use der::oid::db::rfc5280::{
    ID_AD_CA_ISSUERS, ID_CE_CRL_REASONS, ID_KP_CLIENT_AUTH, ID_KP_EMAIL_PROTECTION, ID_KP_SERVER_AUTH,
};
use der::oid::{AssociatedOid, ObjectIdentifier};
use der::referenced::OwnedToRef;
use der::{DateTime, Decode, Encode};
use keyside_core::domain::key_size::KeySize;
use keyside_core::domain::passphrase::Passphrase;
use keyside_core::domain::revocation::RevocationReason;
use keyside_core::key_generation;
use keyside_pki::certificate::Certificate;
use keyside_pki::certification_request::CertificationRequest;
use keyside_pki::encrypted_private_key;
use keyside_pki::general_name::GeneralName as RequestedName;
use keyside_pki::key_pair::KeyPair;
use keyside_pki::{name, pem};
use rsa::pkcs1v15::{Signature, SigningKey};
use rsa::signature::Signer as _;
use sha2::Sha256;
use tokio::task::spawn_blocking;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::certificate::{TbsCertificate, Version};
use x509_cert::crl::{CertificateList, RevokedCert, TbsCertList};
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints,
    CrlNumber, CrlReason, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{
    DynSignatureAlgorithmIdentifier, SignatureBitStringEncoding, SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef,
};
use x509_cert::time::{Time, Validity};
use zeroize::Zeroizing;

use super::{Answer, Authority, CaEngine, CaError, CertificateOrder, CrlOrder, Holder};
use crate::clock::{self, BACKDATING, DAY};
use crate::config;
use crate::private_files;
use crate::serial_number;
use crate::store::requests::RevokedCertificate;

/// The size of the authorities' keys.
const KEY_SIZE: KeySize = KeySize::Rsa3072;
/// The subject of the gateway's own server certificates.
const SERVER_SUBJECT: &str = "CN=Keyside connection check";
/// How long these are valid, in seconds; one is issued at each start. Apple's systems take no more than 825 days.
const SERVER_VALIDITY: i64 = 820 * DAY;
/// How long a signature may take: it takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);
/// After how many seconds to sign again what could not be signed.
const RETRY_AFTER: i64 = 10;
/// The PEM label of a PKCS#8 PrivateKeyInfo (RFC 7468, section 10).
const PRIVATE_KEY: &str = "PRIVATE KEY";
/// The PEM label of a PKCS#8 EncryptedPrivateKeyInfo (RFC 7468, section 11).
const ENCRYPTED_PRIVATE_KEY: &str = "ENCRYPTED PRIVATE KEY";

impl Authority {
    /// The authority's name in file names and URLs.
    fn slug(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Issuing => "issuing",
        }
    }

    /// The file of its certificate.
    fn certificate_file(self) -> String {
        format!("{}-certificate.pem", self.slug())
    }

    /// The file of its private key.
    fn key_file(self) -> String {
        format!("{}-key.pem", self.slug())
    }
}

/// The embedded CA.
#[derive(Clone)]
pub struct EmbeddedCa(Arc<Signers>);

/// The authorities, and what their certificates have in common.
struct Signers {
    root: Signer,
    issuing: Signer,
    public_url: String,
}

/// A certificate with its private key.
struct Signer {
    certificate: Certificate,
    key: SigningKey<Sha256>,
}

impl EmbeddedCa {
    /// Opens the CA in the folder `directory`, or makes one there. Making one takes seconds.
    ///
    /// The keys rest encrypted under `passphrase` if there is one. `public_url` is what CRL distribution points and issuer
    /// addresses begin with.
    pub fn open_or_create(
        directory: &Path,
        config: &config::EmbeddedCa,
        passphrase: Option<&Passphrase>,
        public_url: &str,
    ) -> Result<Self, CaError> {
        if !directory.exists() {
            tracing::info!(directory = %directory.display(), "making the certification authority");
            create(directory, config, passphrase, public_url)?;
        }
        let root = Signer::load(directory, Authority::Root, passphrase)?;
        let issuing = Signer::load(directory, Authority::Issuing, passphrase)?;
        issuing.certificate.verify_signed_by(&root.certificate).map_err(|error| CaError::Contents {
            path: directory.join(Authority::Issuing.certificate_file()),
            fault: format!("it is not signed by the root beside it ({error})"),
        })?;
        for (signer, configured) in [(&root, &config.root_subject), (&issuing, &config.issuing_subject)] {
            if signer.name()? != *configured {
                tracing::warn!(
                    is = %signer.certificate.subject(),
                    %configured,
                    "the CA was made under another name than the configuration has now, and keeps it"
                );
            }
        }
        Ok(Self(Arc::new(Signers { root, issuing, public_url: public_url.into() })))
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
        extensions.add(&distribution_points(&self.0.public_url, Authority::Issuing)?)?;
        extensions.add(&issuer_address(&self.0.public_url, Authority::Issuing)?)?;
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
            revoked_certificates: revoked_certificates(&order.revoked)?,
            crl_extensions: Some(extensions.list),
        };
        let signature = signer.key.try_sign(&tbs_cert_list.to_der()?)?;
        let crl: CertificateList =
            CertificateList { tbs_cert_list, signature_algorithm, signature: signature.to_bitstring()? };
        Ok(crl.to_der()?)
    }

    /// The certificate and key of `authority`.
    /// The certificate of `authority` in the folder `directory`.
    pub fn certificate_in(directory: &Path, authority: Authority) -> Result<Certificate, CaError> {
        let path = directory.join(authority.certificate_file());
        first_block(&path, pem::CERTIFICATE, &read(&path)?).and_then(|der| Ok(Certificate::from_der(&der)?))
    }

    fn signer(&self, authority: Authority) -> &Signer {
        match authority {
            Authority::Root => &self.0.root,
            Authority::Issuing => &self.0.issuing,
        }
    }
}

impl CaEngine for EmbeddedCa {
    fn certificate(&self, authority: Authority) -> &[u8] {
        self.signer(authority).certificate.der()
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

    fn signs_crls(&self) -> bool {
        true
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
fn revoked_certificates(revoked: &[RevokedCertificate]) -> Result<Option<Vec<RevokedCert>>, CaError> {
    if revoked.is_empty() {
        return Ok(None);
    }
    let entry = |certificate: &RevokedCertificate| {
        let reason = match certificate.reason {
            // RFC 5280, section 5.3.1: left out where nothing is said.
            RevocationReason::Unspecified => None,
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

impl Signer {
    /// Reads certificate and key from `directory`.
    fn load(directory: &Path, authority: Authority, passphrase: Option<&Passphrase>) -> Result<Self, CaError> {
        let certificate = EmbeddedCa::certificate_in(directory, authority)?;
        let path = directory.join(authority.key_file());
        let key = load_key(&path, passphrase)?;
        if !certificate.certifies(&key.to_subject_public_key_info()?) {
            return Err(CaError::Contents {
                path,
                fault: "this key does not belong to the certificate beside it; restore both from the same backup"
                    .into(),
            });
        }
        Ok(Self { certificate, key: key.signing_key() })
    }

    /// Signs `certificate` again, with another serial number and from now on until `not_after`. All else is as it was.
    fn sign_again(&self, certificate: &Certificate, not_after: i64) -> Result<Vec<u8>, CaError> {
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
    fn name(&self) -> Result<Name, CaError> {
        Ok(Name::from_der(&self.certificate.subject().to_der())?)
    }

    /// Signs a certificate, as DER.
    fn sign_certificate(
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
fn sign_certificate(
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

/// What `x509-cert` asks of whoever knows better than its own profiles.
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
struct Extensions<'a> {
    subject: &'a Name,
    list: Vec<Extension>,
}

impl<'a> Extensions<'a> {
    fn new(subject: &'a Name) -> Self {
        Self { subject, list: Vec::new() }
    }

    fn add(&mut self, extension: impl ToExtension<Error = der::Error>) -> Result<(), CaError> {
        let extension = extension.to_extension(self.subject, &self.list)?;
        self.list.push(extension);
        Ok(())
    }
}

/// What authorities' certificates have in common (RFC 5280, sections 4.2.1.2, 4.2.1.3 and 4.2.1.9).
fn authority_extensions<'a>(
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
fn key_identifier_of(issuer: &Certificate) -> Result<AuthorityKeyIdentifier, CaError> {
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
fn distribution_points(public_url: &str, issuer: Authority) -> Result<CrlDistributionPoints, CaError> {
    let url = url(public_url, issuer, "crl")?;
    Ok(CrlDistributionPoints(vec![DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![url])),
        reasons: None,
        crl_issuer: None,
    }]))
}

/// The authorityInfoAccess of what `issuer` signs: where its certificate is (RFC 5280, section 4.2.2.1).
fn issuer_address(public_url: &str, issuer: Authority) -> Result<AuthorityInfoAccessSyntax, CaError> {
    Ok(AuthorityInfoAccessSyntax(vec![AccessDescription {
        access_method: ID_AD_CA_ISSUERS,
        access_location: url(public_url, issuer, "cer")?,
    }]))
}

/// The address of an authority's certificate or CRL.
fn url(public_url: &str, authority: Authority, extension: &str) -> Result<GeneralName, CaError> {
    let url = format!("{public_url}/pki/{}.{extension}", authority.slug());
    Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(&url)?))
}

/// Seconds since 1970-01-01T00:00:00Z as a UTCTime, or as a GeneralizedTime from 2050 on (RFC 5280, section 4.1.2.5).
fn time(seconds: i64) -> Result<Time, CaError> {
    let since = Duration::from_secs(clock::to_unsigned(seconds));
    Ok(Time::from(DateTime::from_unix_duration(since)?))
}

/// Makes root and issuing authority beside `directory`, and moves them there when all is written: a crash leaves no half CA.
fn create(
    directory: &Path,
    config: &config::EmbeddedCa,
    passphrase: Option<&Passphrase>,
    public_url: &str,
) -> Result<(), CaError> {
    let now = clock::now();
    let end = |days: u32| now + i64::from(days) * DAY;
    let rng = &mut rand::rng();

    let root_key = key_generation::generate(KEY_SIZE, rng)?;
    let root_public_key = public_key_of(&root_key)?;
    let root = sign_certificate(
        &root_key.signing_key(),
        &config.root_subject,
        &serial_number::random(rng),
        now - BACKDATING,
        end(config.root_validity_days),
        root_public_key.clone(),
        authority_extensions(&config.root_subject, &root_public_key, None)?,
    )?;
    let root_signer = Signer { certificate: Certificate::from_der(&root)?, key: root_key.signing_key() };

    let issuing_key = key_generation::generate(KEY_SIZE, rng)?;
    let issuing_public_key = public_key_of(&issuing_key)?;
    let mut extensions = authority_extensions(&config.issuing_subject, &issuing_public_key, Some(0))?;
    extensions.add(&key_identifier_of(&root_signer.certificate)?)?;
    extensions.add(&distribution_points(public_url, Authority::Root)?)?;
    extensions.add(&issuer_address(public_url, Authority::Root)?)?;
    let issuing = root_signer.sign_certificate(
        &serial_number::random(rng),
        now - BACKDATING,
        end(config.issuing_validity_days.min(config.root_validity_days)),
        issuing_public_key,
        extensions,
    )?;

    let unfinished = directory.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(file_error(&unfinished))?;
    }
    private_files::create_directory(&unfinished).map_err(file_error(&unfinished))?;
    for (authority, certificate, key) in [(Authority::Root, root, root_key), (Authority::Issuing, issuing, issuing_key)]
    {
        let certificate = pem::encode(pem::CERTIFICATE, &certificate)?;
        write(&unfinished.join(authority.certificate_file()), &certificate)?;
        let key = encode_key(&key, passphrase)?;
        write(&unfinished.join(authority.key_file()), &key)?;
    }
    private_files::sync_directory(&unfinished).map_err(file_error(&unfinished))?;
    fs::rename(&unfinished, directory).map_err(file_error(directory))?;
    if let Some(parent) = directory.parent() {
        private_files::sync_directory(parent).map_err(file_error(parent))?;
    }
    Ok(())
}

/// Gives both authorities new certificates in the folder `directory`, with the names, keys and extensions that they have and the validity that
/// `config` says, beginning now. Certificates that they have signed stay good: a path is built by name and key. The certificates before stay beside the new
/// ones, with their serial numbers in their files' names.
///
/// Returns the new certificates of root and issuing authority.
///
/// # Errors
/// A file cannot be read or written. A certificate takes its place once both are written: a crash leaves files that work.
pub fn renew(
    directory: &Path,
    config: &config::EmbeddedCa,
    passphrase: Option<&Passphrase>,
) -> Result<[Certificate; 2], CaError> {
    let now = clock::now();
    let end = |days: u32| now + i64::from(days) * DAY;
    let [root, issuing] = [Authority::Root, Authority::Issuing].map(|one| Signer::load(directory, one, passphrase));
    let (root, issuing) = (root?, issuing?);
    let new_root = root.sign_again(&root.certificate, end(config.root_validity_days))?;
    let issuing_days = config.issuing_validity_days.min(config.root_validity_days);
    let new_issuing = root.sign_again(&issuing.certificate, end(issuing_days))?;
    let renewed = [
        (Authority::Root, &root.certificate, Certificate::from_der(&new_root)?),
        (Authority::Issuing, &issuing.certificate, Certificate::from_der(&new_issuing)?),
    ];
    for (authority, old, new) in &renewed {
        let file = directory.join(authority.certificate_file());
        let serial_number = base16ct::lower::encode_string(old.serial_number());
        let kept = directory.join(format!("{}-certificate-{serial_number}.pem", authority.slug()));
        if !kept.exists() {
            fs::copy(&file, &kept).map_err(file_error(&kept))?;
        }
        let unfinished = file.with_extension("unfinished");
        if unfinished.exists() {
            fs::remove_file(&unfinished).map_err(file_error(&unfinished))?;
        }
        write(&unfinished, &pem::encode(pem::CERTIFICATE, new.der())?)?;
    }
    private_files::sync_directory(directory).map_err(file_error(directory))?;
    for (authority, ..) in &renewed {
        let file = directory.join(authority.certificate_file());
        fs::rename(file.with_extension("unfinished"), &file).map_err(file_error(&file))?;
    }
    private_files::sync_directory(directory).map_err(file_error(directory))?;
    Ok(renewed.map(|(.., new)| new))
}

/// The public half of `key`.
fn public_key_of(key: &KeyPair) -> Result<SubjectPublicKeyInfoOwned, CaError> {
    use der::Decode;
    Ok(SubjectPublicKeyInfoOwned::from_der(&key.to_subject_public_key_info()?)?)
}

/// A private key as PKCS#8 PEM, encrypted if there is a passphrase.
fn encode_key(key: &KeyPair, passphrase: Option<&Passphrase>) -> Result<Zeroizing<String>, CaError> {
    let clear = key.to_private_key_info()?;
    let text = match passphrase {
        Some(passphrase) => {
            let (encrypted, _) = encrypted_private_key::seal(&clear, passphrase.expose(), &mut rand::rng())?;
            pem::encode(ENCRYPTED_PRIVATE_KEY, &encrypted)?
        }
        None => pem::encode(PRIVATE_KEY, &clear)?,
    };
    Ok(Zeroizing::new(text))
}

/// Reads a private key. Whether it is encrypted must agree with whether there is a passphrase.
fn load_key(path: &Path, passphrase: Option<&Passphrase>) -> Result<KeyPair, CaError> {
    let text = Zeroizing::new(read(path)?);
    let is_encrypted = text.contains(ENCRYPTED_PRIVATE_KEY);
    let fault = |fault: String| CaError::Contents { path: path.to_owned(), fault };
    let clear = match (is_encrypted, passphrase) {
        (true, Some(passphrase)) => {
            let encrypted = first_block(path, ENCRYPTED_PRIVATE_KEY, &text)?;
            encrypted_private_key::decrypt(&encrypted, passphrase.expose()).map_err(|error| fault(error.to_string()))?
        }
        (false, None) => Zeroizing::new(first_block(path, PRIVATE_KEY, &text)?),
        (true, None) => {
            return Err(fault(format!(
                "this private key is encrypted; give its passphrase in {} or in ca.passphrase_file",
                config::CA_PASSPHRASE_VARIABLE
            )));
        }
        (false, Some(_)) => {
            return Err(fault(
                "this private key is not encrypted although a passphrase is configured; encrypt it with \
                 “openssl pkcs8 -topk8 -scrypt”, or take the passphrase out of the configuration"
                    .into(),
            ));
        }
    };
    KeyPair::from_private_key_info(&clear).map_err(|error| fault(error.to_string()))
}

/// The first PEM block with `label` in `text`, which was read from `path`.
fn first_block(path: &Path, label: &'static str, text: &str) -> Result<Vec<u8>, CaError> {
    pem::decode_all(label, text).ok().and_then(|blocks| blocks.into_iter().next()).ok_or_else(|| CaError::Contents {
        path: path.to_owned(),
        fault: format!("there is no PEM block {label} in it; restore the file from a backup"),
    })
}

fn read(path: &Path) -> Result<String, CaError> {
    fs::read_to_string(path).map_err(file_error(path))
}

/// Writes a file that only its owner can read, down to the disk.
fn write(path: &Path, text: &str) -> Result<(), CaError> {
    private_files::create(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .map_err(file_error(path))
}

/// For `map_err` where the file or folder `path` is worked on.
fn file_error(path: &Path) -> impl Fn(std::io::Error) -> CaError {
    let path: PathBuf = path.to_owned();
    move |source| CaError::File { path: path.clone(), source }
}
