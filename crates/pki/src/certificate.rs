//! X.509 certificates (RFC 5280) that were read.

use core::ops::Range;

use der::oid::ObjectIdentifier;
use der::oid::db::rfc5280::{ANY_EXTENDED_KEY_USAGE, ID_KP_CLIENT_AUTH};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::error::Error;
use super::key_pair::hex;
use super::name::{self, Name};
use super::{public_key, signature, time};
use crate::element::{BIT_STRING, CONTEXT_0, Elements, INTEGER, SEQUENCE, unexpected};
use crate::extensions::Extensions;
use crate::general_name::GeneralName;

const STRUCTURE: &str = "Certificate";
/// The tag of the `[3]` around the extensions, constructed.
const CONTEXT_3: u8 = 0xA3;

/// A Version as it is encoded: 2 is version 3.
type Version = u32;

const VERSION_3: Version = 2;

/// A certificate, with the bytes it was read from.
///
/// It reads what the programs of the field write: versions and default values written out, dates before 1970, SETs in any order, object identifiers of any
/// size. A signature is over the bytes that came, so that reading loosely changes no verdict on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    subject: Name,
    issuer: Name,
    not_before: i64,
    not_after: i64,
    subject_public_key_info: Range<usize>,
    serial_number: Range<usize>,
    extensions: Extensions,
    version: Version,
}

impl Certificate {
    /// Reads DER, to the last byte.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        Self::read(der).map_err(Error::malformed(STRUCTURE))
    }

    fn read(der: &[u8]) -> der::Result<Self> {
        let mut whole = Elements::within(SEQUENCE, der)?;
        let mut tbs = TbsCertificate::read(whole.next_sequence()?)?;
        // signatureAlgorithm, signatureValue
        whole.next(SEQUENCE)?;
        whole.next(BIT_STRING)?;
        whole.finish()?;
        let mut validity = Elements::within(SEQUENCE, tbs.validity)?;
        let (not_before, not_after) = (time::read(&validity.next_element()?)?, time::read(&validity.next_element()?)?);
        validity.finish()?;
        // issuerUniqueID, subjectUniqueID
        for tag in [0x81, 0x82] {
            tbs.rest.next_if(tag)?;
        }
        let extensions = tbs.rest.next_if(CONTEXT_3)?.map(|element| Extensions::read(element.contents)).transpose()?;
        tbs.rest.finish()?;
        let serial_number = Elements::of(tbs.serial_number).next(INTEGER)?;
        if serial_number.is_empty() {
            return Err(unexpected(INTEGER));
        }
        let range_of = |part: &[u8]| {
            let start = part.as_ptr() as usize - der.as_ptr() as usize;
            start..start + part.len()
        };
        Ok(Self {
            der: der.to_vec(),
            subject: Name::from_der(tbs.subject)?,
            issuer: Name::from_der(tbs.issuer)?,
            not_before,
            not_after,
            subject_public_key_info: range_of(tbs.subject_public_key_info),
            serial_number: range_of(serial_number),
            extensions: extensions.unwrap_or_default(),
            version: tbs.version,
        })
    }

    /// The DER it was read from.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whose certificate it is.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// Who issued it.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Its extensions.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The SubjectPublicKeyInfo, DER, as the certificate has it.
    pub fn subject_public_key_info(&self) -> &[u8] {
        self.der.get(self.subject_public_key_info.clone()).unwrap_or_default()
    }

    /// True if it certifies this public key, a SubjectPublicKeyInfo in DER.
    pub fn certifies(&self, subject_public_key_info: &[u8]) -> bool {
        public_key::is_same(self.subject_public_key_info(), subject_public_key_info)
    }

    /// The first and the last second in which it is valid, since 1970-01-01T00:00:00Z; 0 for one before.
    pub fn validity(&self) -> (u64, u64) {
        (self.not_before.try_into().unwrap_or_default(), self.not_after.try_into().unwrap_or_default())
    }

    /// The serial number, unsigned, most significant byte first: without the zero byte that DER puts before a set first bit.
    pub fn serial_number(&self) -> &[u8] {
        let bytes = self.signed_serial_number();
        match bytes {
            [0, rest @ ..] if !rest.is_empty() => rest,
            _ => bytes,
        }
    }

    fn signed_serial_number(&self) -> &[u8] {
        self.der.get(self.serial_number.clone()).unwrap_or_default()
    }

    /// The algorithm of its signature.
    pub fn signature_algorithm(&self) -> Result<ObjectIdentifier, Error> {
        signature::algorithm(STRUCTURE, &self.der)
    }

    /// True if it is of a version before 3, which cannot say that it is a CA's.
    pub(crate) fn has_no_extensions_by_version(&self) -> bool {
        self.version < VERSION_3
    }

    /// True if it is of version 3.
    pub(crate) fn is_version_3(&self) -> bool {
        self.version == VERSION_3
    }

    /// True if it says that it is a CA's (RFC 5280, section 4.2.1.9).
    pub fn is_ca(&self) -> bool {
        matches!(self.extensions.basic_constraints(), Ok(Some(constraints)) if constraints.is_ca)
    }

    /// True if it may sign certificates (RFC 5280, sections 4.2.1.3 and 4.2.1.9).
    pub fn may_issue(&self) -> bool {
        self.is_ca() && self.allows_key_usage("keyCertSign")
    }

    /// True if the key may be used for this, a name of [`KEY_USAGES`](crate::extensions::KEY_USAGES): keyUsage says so, or is absent.
    pub fn allows_key_usage(&self, usage: &str) -> bool {
        self.extensions.key_usage().is_ok_and(|usages| usages.is_none_or(|usages| usages.allows(usage)))
    }

    /// True if extKeyUsage does not speak against client authentication (RFC 5280, section 4.2.1.12).
    pub(crate) fn has_purpose_of_client(&self) -> bool {
        let good = [ID_KP_CLIENT_AUTH, ANY_EXTENDED_KEY_USAGE];
        self.extensions.extended_key_usages().is_ok_and(|purposes| {
            purposes.is_none_or(|purposes| {
                purposes.iter().any(|purpose| good.iter().any(|good| good.as_bytes() == *purpose))
            })
        })
    }

    /// Whether it may authenticate a TLS client: nothing in keyUsage and extKeyUsage speaks against it
    /// (RFC 5280, sections 4.2.1.3 and 4.2.1.12).
    pub fn may_authenticate_client(&self) -> bool {
        self.allows_key_usage("digitalSignature") && self.has_purpose_of_client()
    }

    /// The rfc822Names in the subjectAltName (RFC 5280, section 4.2.1.6); none where it cannot be read.
    pub fn email_addresses(&self) -> Vec<String> {
        let names = self.extensions.subject_alt_names().ok().flatten().unwrap_or_default();
        let texts = names.into_iter().flatten().filter_map(|name| match name {
            GeneralName::Rfc822(address) => String::from_utf8(address).ok(),
            _ => None,
        });
        texts.collect()
    }

    /// True if `issuer` has the name that this certificate gives its issuer.
    pub fn names_as_issuer(&self, issuer: &Self) -> bool {
        name::is_match(self.issuer(), issuer.subject())
    }

    /// True if both certify the same public key for the same subject.
    pub fn has_name_and_key_of(&self, other: &Self) -> bool {
        self.certifies(other.subject_public_key_info()) && name::is_match(self.subject(), other.subject())
    }

    /// Verifies that `issuer`'s key signed this certificate.
    pub fn verify_signed_by(&self, issuer: &Self) -> Result<(), Error> {
        let algorithms = || {
            let mut whole = Elements::within(SEQUENCE, &self.der)?;
            let inside = TbsCertificate::read(whole.next_sequence()?)?.signature;
            Ok((inside, whole.next_whole()?))
        };
        let (inside, outside) = algorithms().map_err(Error::malformed(STRUCTURE))?;
        // RFC 5280, section 4.1.1.2: the algorithm inside the signed part is the one outside.
        if !signature::is_same_algorithm(inside, outside) {
            return Err(Error::SignatureInvalid);
        }
        signature::verify_signed(STRUCTURE, &self.der, issuer.subject_public_key_info())
    }

    /// True if this certificate's key signed `crl`, a CertificateList in DER.
    pub fn has_signed_crl(&self, crl: &[u8]) -> Result<bool, Error> {
        match signature::verify_signed("CertificateList", crl, self.subject_public_key_info()) {
            Ok(()) => Ok(true),
            Err(Error::SignatureInvalid) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What people compare when they ask "which certificate is this?".
    pub fn summary(&self) -> CertificateSummary {
        CertificateSummary {
            subject: self.subject().to_string(),
            issuer: self.issuer().to_string(),
            serial_number: signed_hex(self.signed_serial_number()),
            not_before: self.not_before,
            not_after: self.validity().1,
            sha256_fingerprint: hex(&Sha256::digest(&self.der)),
            sha1_fingerprint: hex(&Sha1::digest(&self.der)),
        }
    }
}

/// What people compare when they ask "which certificate is this?".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateSummary {
    /// The subject as RFC 4514 writes it.
    pub subject: String,
    /// The issuer as RFC 4514 writes it.
    pub issuer: String,
    /// The serial number in lowercase hexadecimal, with a minus sign if it is negative, which RFC 5280 forbids.
    pub serial_number: String,
    /// The first second of its validity, since 1970-01-01T00:00:00Z; negative before.
    pub not_before: i64,
    /// The last second of its validity, since 1970-01-01T00:00:00Z; 0 for one before.
    pub not_after: u64,
    /// The SHA-256 of its DER in lowercase hexadecimal.
    pub sha256_fingerprint: String,
    /// The SHA-1 of its DER in lowercase hexadecimal, which Windows shows as the thumbprint. Good for finding a certificate in a list;
    /// two with the same can be made.
    pub sha1_fingerprint: String,
}

/// An INTEGER's contents in hexadecimal.
fn signed_hex(contents: &[u8]) -> String {
    match contents {
        [0, rest @ ..] if !rest.is_empty() => hex(rest),
        [0x80..=0xFF, ..] => {
            // Two's complement: each bit the other way, and one more.
            let mut magnitude: Vec<u8> = contents.iter().map(|byte| !byte).collect();
            for byte in magnitude.iter_mut().rev() {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
            format!("-{}", hex(&magnitude))
        }
        _ => hex(contents),
    }
}

/// The parts of a TBSCertificate (RFC 5280, section 4.1.2), each an element of DER as it stands there.
///
/// It keeps apart what is read of a certificate in the main job's worker, which has no use for names, dates and extensions.
#[derive(Clone)]
pub struct TbsCertificate<'a> {
    version: Version,
    /// The serial number, an INTEGER.
    pub serial_number: &'a [u8],
    signature: &'a [u8],
    /// Who issued it, a Name.
    pub issuer: &'a [u8],
    validity: &'a [u8],
    subject: &'a [u8],
    /// The certified public key, a SubjectPublicKeyInfo.
    pub subject_public_key_info: &'a [u8],
    rest: Elements<'a>,
}

impl<'a> TbsCertificate<'a> {
    /// Reads the one in a Certificate, DER.
    pub fn of(certificate: &'a [u8]) -> Result<Self, Error> {
        let read = || Self::read(Elements::within(SEQUENCE, certificate)?.next_sequence()?);
        read().map_err(Error::malformed(STRUCTURE))
    }

    fn read(mut tbs_certificate: Elements<'a>) -> der::Result<Self> {
        // The default, version 1, may be written out.
        let version = tbs_certificate.next_if(CONTEXT_0)?;
        let version = version.map_or(Ok(0), |version| Elements::whole_u32(version.contents))?;
        let serial_number = tbs_certificate.next_whole()?;
        let mut sequence = || {
            let element = tbs_certificate.next_element()?;
            Elements::within(SEQUENCE, element.whole).map(|_| element.whole)
        };
        Ok(Self {
            version,
            serial_number,
            signature: sequence()?,
            issuer: sequence()?,
            validity: sequence()?,
            subject: sequence()?,
            subject_public_key_info: sequence()?,
            rest: tbs_certificate,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use ::signature::{SignatureEncoding, Signer};
    use der::Decode;
    use der::Encode;

    use super::*;
    use crate::testing::{NOW, YEAR, authority, key_pair, spki_of};

    const LEAF: &[u8] = include_bytes!("../../../tests/vectors/certification_path/leaf.der");
    const ISSUING: &[u8] = include_bytes!("../../../tests/vectors/certification_path/issuing.der");
    const ROOT: &[u8] = include_bytes!("../../../tests/vectors/certification_path/root.der");

    fn read(der: &[u8]) -> Certificate {
        Certificate::from_der(der).unwrap()
    }

    #[test]
    fn what_is_read_is_what_another_reader_reads() {
        let der = authority().certify("CN=Ada".parse().unwrap(), spki_of(&key_pair()), NOW, NOW + YEAR);
        let other = x509_cert::Certificate::from_der(&der).unwrap();
        let other = other.tbs_certificate();
        let parts = TbsCertificate::of(&der).unwrap();
        assert_eq!(parts.subject_public_key_info, other.subject_public_key_info().to_der().unwrap());
        assert_eq!(parts.issuer, other.issuer().to_der().unwrap());
        assert_eq!(parts.serial_number, other.serial_number().to_der().unwrap());
        let certificate = read(&der);
        assert_eq!(certificate.subject_public_key_info(), parts.subject_public_key_info);
        assert_eq!(certificate.subject().to_der(), other.subject().to_der().unwrap());
        assert_eq!(certificate.issuer().to_der(), other.issuer().to_der().unwrap());
        assert_eq!(certificate.validity(), (NOW, NOW + YEAR));
        let read: Vec<_> = certificate.extensions().iter().collect();
        let expected = other.extensions().unwrap();
        assert_eq!(read.len(), expected.len());
        for (extension, expected) in read.iter().zip(expected) {
            assert_eq!(extension.id, expected.extn_id.as_bytes());
            assert_eq!(extension.is_critical, expected.critical);
            assert_eq!(extension.value, expected.extn_value.as_bytes());
        }
        for length in 0..der.len() {
            assert!(TbsCertificate::of(&der[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_serial_number_is_a_number() {
        for (contents, text) in [
            (&[0][..], "00"),
            (&[1], "01"),
            (&[0, 0x80], "80"),
            (&[0xFF], "-01"),
            (&[0x80], "-80"),
            (&[0xFE, 0], "-0200"),
            (&[0x80, 0, 0], "-800000"),
        ] {
            assert_eq!(signed_hex(contents), text);
        }
    }

    #[test]
    fn a_certificate_is_summed_up() {
        let summary = read(LEAF).summary();
        assert_eq!(summary.subject, "CN=Ada Example,O=Example,C=US");
        assert_eq!(summary.issuer, "CN=Example Issuing CA,O=Example,C=US");
        assert_eq!(summary.not_before, 1_767_225_600, "2026-01-01T00:00:00Z");
        assert_eq!(summary.not_after, 4_922_899_200, "2126-01-01T00:00:00Z");
        assert_eq!(summary.sha256_fingerprint, hex(&Sha256::digest(LEAF)));
        assert_eq!(summary.sha1_fingerprint, "84b42f11db90eb78206672daa2c86cd00056f30b");
        assert!(summary.serial_number.len() > 32, "{}", summary.serial_number);
    }

    #[test]
    fn what_was_read_is_what_is_kept() {
        assert_eq!(read(LEAF).der(), LEAF);
        let longer = [LEAF, &[0]].concat();
        for other in [&longer, &LEAF[..LEAF.len() - 1], &[][..]] {
            assert!(matches!(Certificate::from_der(other), Err(Error::Malformed { structure: "Certificate", .. })));
        }
    }

    #[test]
    fn only_the_issuer_signed_it() {
        assert_eq!(read(LEAF).verify_signed_by(&read(ISSUING)), Ok(()));
        assert_eq!(read(ROOT).verify_signed_by(&read(ROOT)), Ok(()));
        assert_eq!(read(LEAF).verify_signed_by(&read(ROOT)), Err(Error::SignatureInvalid));
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let issuing = read(ISSUING);
        for place in 0..LEAF.len() {
            let mut bad = LEAF.to_vec();
            bad[place] ^= 0x01;
            let verdict = Certificate::from_der(&bad).and_then(|leaf| leaf.verify_signed_by(&issuing));
            assert!(verdict.is_err(), "byte {place}");
        }
    }

    #[test]
    fn a_ca_is_no_client() {
        assert!(read(LEAF).may_authenticate_client());
        assert!(!read(ROOT).may_authenticate_client(), "its keyUsage is for certificates");
        assert!(read(ROOT).is_ca() && !read(LEAF).is_ca());
        assert_eq!(read(ROOT).email_addresses(), [""; 0]);
    }

    #[test]
    fn the_algorithm_named_inside_is_the_one_outside() {
        const SHA_256_WITH_RSA_ENCRYPTION: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
        /// The AlgorithmIdentifier and the BIT STRING after the signed part.
        const AFTER_SIGNED_PART: usize = 15 + 5 + 256;
        let issuer = authority().certify("CN=Issuer".parse().unwrap(), spki_of(&key_pair()), NOW, NOW + YEAR);
        let signed_with = |algorithm_inside: u8| {
            let mut der = issuer.clone();
            let oid = SHA_256_WITH_RSA_ENCRYPTION;
            let place = der.windows(oid.len()).position(|window| window == oid).unwrap();
            der[place + oid.len() - 1] = algorithm_inside;
            let end = der.len() - AFTER_SIGNED_PART;
            let signature = key_pair().signing_key().sign(&der[4..end]).to_vec();
            let start = der.len() - signature.len();
            der[start..].copy_from_slice(&signature);
            read(&der).verify_signed_by(&read(&issuer))
        };
        assert_eq!(signed_with(0x0b), Ok(()));
        assert_eq!(signed_with(0x0c), Err(Error::SignatureInvalid), "sha384WithRSAEncryption");
    }
}
