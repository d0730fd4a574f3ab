//! What the tests of several structures share: a key pair and a certification authority.
#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use core::str::FromStr;
use core::time::Duration;
use std::sync::OnceLock;

use der::asn1::{GeneralizedTime, Ia5String, UtcTime};
use der::{Decode, Encode};
use pkcs8::EncodePrivateKey;
use rsa::RsaPrivateKey;
use spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};
use zeroize::Zeroizing;

use crate::key_pair::KeyPair;
use crate::name;

/// When the tests take place: 2027-01-15T08:00:00Z.
pub const NOW: u64 = 1_800_000_000;
/// A year in seconds, to the day.
pub const YEAR: u64 = 365 * 24 * 60 * 60;

/// The e-mail address in every user's certificate.
pub const EMAIL_ADDRESS: &str = "ada@example.com";

/// The Name that RFC 4514 writes like this, DER.
pub fn name(text: &str) -> Vec<u8> {
    text.parse::<Name>().unwrap().to_der().unwrap()
}

/// A new key pair.
pub fn new_key_pair() -> KeyPair {
    let key = RsaPrivateKey::new(&mut rand::rng(), 2048).unwrap();
    KeyPair::from_private_key_info(key.to_pkcs8_der().unwrap().as_bytes()).unwrap()
}

/// A key pair, generated once for all tests of a run.
pub fn key_pair() -> KeyPair {
    static KEY: OnceLock<Zeroizing<Vec<u8>>> = OnceLock::new();
    let info = KEY.get_or_init(|| new_key_pair().to_private_key_info().unwrap());
    KeyPair::from_private_key_info(info).unwrap()
}

/// A certification authority: a root and an issuing CA below it.
pub struct CertificationAuthority {
    issuing_key: KeyPair,
    /// The root's certificate, DER.
    pub root: Vec<u8>,
    /// The issuing CA's certificate, DER.
    pub issuing: Vec<u8>,
}

/// The certification authority, made once for all tests of a run.
pub fn authority() -> &'static CertificationAuthority {
    static AUTHORITY: OnceLock<CertificationAuthority> = OnceLock::new();
    AUTHORITY.get_or_init(CertificationAuthority::new)
}

impl CertificationAuthority {
    /// A new one, with the names of [`authority`] and keys of its own.
    #[allow(clippy::new_without_default, reason = "two are never the same")]
    pub fn new() -> Self {
        let root_key = new_key_pair();
        let issuing_key = new_key_pair();
        let root_profile = Profile { subject: root_name(), issuer: root_name(), is_ca: true };
        let issuing_profile = Profile { subject: issuing_name(), issuer: root_name(), is_ca: true };
        let (from, until) = (NOW - YEAR, NOW + 20 * YEAR);
        Self {
            root: sign(root_profile, &root_key, &spki_of(&root_key), from, until),
            issuing: sign(issuing_profile, &root_key, &spki_of(&issuing_key), from, until),
            issuing_key,
        }
    }

    /// A user's certificate, DER. `spki` is a SubjectPublicKeyInfo, DER.
    pub fn certify(&self, subject: name::Name, spki: impl AsRef<[u8]>, not_before: u64, not_after: u64) -> Vec<u8> {
        let profile =
            Profile { subject: Name::from_der(&subject.to_der()).unwrap(), issuer: issuing_name(), is_ca: false };
        sign(profile, &self.issuing_key, spki.as_ref(), not_before, not_after)
    }
}

/// The Name that RFC 4514 writes like this.
impl FromStr for name::Name {
    type Err = der::Error;

    fn from_str(text: &str) -> der::Result<Self> {
        Self::from_der(&text.parse::<Name>()?.to_der()?)
    }
}

fn root_name() -> Name {
    "CN=Example Root CA,O=Example,C=US".parse().unwrap()
}

fn issuing_name() -> Name {
    "CN=Example Issuing CA,O=Example,C=US".parse().unwrap()
}

/// The SubjectPublicKeyInfo of a key pair, DER.
pub fn spki_of(key_pair: &KeyPair) -> Vec<u8> {
    key_pair.to_subject_public_key_info().unwrap()
}

struct Profile {
    subject: Name,
    issuer: Name,
    is_ca: bool,
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let usage = if self.is_ca { KeyUsages::KeyCertSign } else { KeyUsages::DigitalSignature };
        let basic_constraints = BasicConstraints { ca: self.is_ca, path_len_constraint: None };
        let mut extensions = vec![
            basic_constraints.to_extension(tbs.subject(), &[])?,
            KeyUsage(usage.into()).to_extension(tbs.subject(), &[])?,
        ];
        if !self.is_ca {
            let address = GeneralName::Rfc822Name(Ia5String::new(EMAIL_ADDRESS)?);
            extensions.push(SubjectAltName(vec![address]).to_extension(tbs.subject(), &[])?);
        }
        Ok(extensions)
    }
}

fn sign(profile: Profile, issuer_key: &KeyPair, spki: &[u8], not_before: u64, not_after: u64) -> Vec<u8> {
    let serial_number = SerialNumber::generate(&mut rand::rng());
    let spki = SubjectPublicKeyInfoOwned::from_der(spki).unwrap();
    let validity = Validity::new(time(not_before), time(not_after));
    CertificateBuilder::new(profile, serial_number, validity, spki)
        .unwrap()
        .build_with_rng::<_, rsa::pkcs1v15::Signature, _>(&issuer_key.signing_key(), &mut rand::rng())
        .unwrap()
        .to_der()
        .unwrap()
}

fn time(seconds: u64) -> Time {
    let since_1970 = Duration::from_secs(seconds);
    UtcTime::from_unix_duration(since_1970)
        .map(Time::UtcTime)
        .or_else(|_| GeneralizedTime::from_unix_duration(since_1970).map(Time::GeneralTime))
        .unwrap()
}
