//! X.509 certificates (RFC 5280) that were read.

use der::oid::db::rfc5280::{ANY_EXTENDED_KEY_USAGE, ID_KP_CLIENT_AUTH};
use der::{Decode, Tag};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::name::Name;

use super::error::Error;
use super::key_pair::hex;
use super::{name, public_key, signature};
use crate::element::{CONTEXT_0, Elements};

const STRUCTURE: &str = "Certificate";

/// A certificate, with the bytes it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    parsed: x509_cert::Certificate,
}

impl Certificate {
    /// Reads DER, to the last byte.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        Ok(Self {
            der: der.to_vec(),
            parsed: x509_cert::Certificate::from_der(der).map_err(Error::malformed(STRUCTURE))?,
        })
    }

    /// The DER it was read from.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The structure as the crate `x509-cert` has it.
    pub fn parsed(&self) -> &x509_cert::Certificate {
        &self.parsed
    }

    /// Whose certificate it is.
    pub fn subject(&self) -> &Name {
        self.parsed.tbs_certificate().subject()
    }

    /// Who issued it.
    pub fn issuer(&self) -> &Name {
        self.parsed.tbs_certificate().issuer()
    }

    /// The SubjectPublicKeyInfo, DER, as the certificate has it.
    pub fn subject_public_key_info(&self) -> Result<&[u8], Error> {
        Ok(parts(&self.der)?.subject_public_key_info)
    }

    /// True if it certifies this public key, a SubjectPublicKeyInfo in DER.
    pub fn certifies(&self, subject_public_key_info: &[u8]) -> bool {
        self.subject_public_key_info().is_ok_and(|own| public_key::is_same(own, subject_public_key_info))
    }

    /// The first and the last second in which it is valid, since 1970-01-01T00:00:00Z.
    pub fn validity(&self) -> (u64, u64) {
        let validity = self.parsed.tbs_certificate().validity();
        (validity.not_before.to_unix_duration().as_secs(), validity.not_after.to_unix_duration().as_secs())
    }

    /// The serial number, unsigned, most significant byte first: without the zero byte that DER puts before a set first bit.
    pub fn serial_number(&self) -> &[u8] {
        let bytes = self.parsed.tbs_certificate().serial_number().as_bytes();
        bytes.strip_prefix(&[0]).unwrap_or(bytes)
    }

    /// Whether it may sign certificates with `below` further CA certificates between it and the leaf
    /// (RFC 5280, sections 4.2.1.3 and 4.2.1.9).
    pub fn may_issue(&self, below: usize) -> bool {
        let tbs = self.parsed.tbs_certificate();
        let is_ca = matches!(
            tbs.get_extension::<BasicConstraints>(),
            Ok(Some((_, BasicConstraints { ca: true, path_len_constraint })))
                if path_len_constraint.is_none_or(|most| below <= usize::from(most))
        );
        let may_sign = match tbs.get_extension::<KeyUsage>() {
            Ok(Some((_, KeyUsage(usages)))) => usages.contains(KeyUsages::KeyCertSign),
            Ok(None) => true,
            Err(_) => false,
        };
        is_ca && may_sign
    }

    /// Whether it may authenticate a TLS client: nothing in keyUsage and extKeyUsage speaks against it
    /// (RFC 5280, sections 4.2.1.3 and 4.2.1.12).
    pub fn may_authenticate_client(&self) -> bool {
        let tbs = self.parsed.tbs_certificate();
        let may_sign = match tbs.get_extension::<KeyUsage>() {
            Ok(Some((_, KeyUsage(usages)))) => usages.contains(KeyUsages::DigitalSignature),
            Ok(None) => true,
            Err(_) => false,
        };
        let has_purpose = match tbs.get_extension::<ExtendedKeyUsage>() {
            Ok(Some((_, ExtendedKeyUsage(purposes)))) => {
                purposes.iter().any(|purpose| [ID_KP_CLIENT_AUTH, ANY_EXTENDED_KEY_USAGE].contains(purpose))
            }
            Ok(None) => true,
            Err(_) => false,
        };
        may_sign && has_purpose
    }

    /// The rfc822Names in the subjectAltName (RFC 5280, section 4.2.1.6); none where it cannot be read.
    pub fn email_addresses(&self) -> Vec<String> {
        let Ok(Some((_, SubjectAltName(names)))) = self.parsed.tbs_certificate().get_extension() else {
            return Vec::new();
        };
        names
            .into_iter()
            .filter_map(|name| match name {
                GeneralName::Rfc822Name(address) => Some(address.to_string()),
                _ => None,
            })
            .collect()
    }

    /// True if `issuer` has the name that this certificate gives its issuer.
    pub fn names_as_issuer(&self, issuer: &Self) -> bool {
        name::is_match(self.issuer(), issuer.subject())
    }

    /// True if both certify the same public key for the same subject.
    pub fn has_name_and_key_of(&self, other: &Self) -> bool {
        name::is_match(self.subject(), other.subject())
            && other.subject_public_key_info().is_ok_and(|key| self.certifies(key))
    }

    /// Verifies that `issuer`'s key signed this certificate.
    pub fn verify_signed_by(&self, issuer: &Self) -> Result<(), Error> {
        // RFC 5280, section 4.1.1.2: the algorithm inside the signed part is the one outside.
        if self.parsed.tbs_certificate().signature() != self.parsed.signature_algorithm() {
            return Err(Error::SignatureInvalid);
        }
        signature::verify_signed(STRUCTURE, &self.der, issuer.parsed.tbs_certificate().subject_public_key_info())
    }

    /// True if this certificate's key signed `crl`, a CertificateList in DER.
    pub fn has_signed_crl(&self, crl: &[u8]) -> Result<bool, Error> {
        match signature::verify_signed("CertificateList", crl, self.parsed.tbs_certificate().subject_public_key_info())
        {
            Ok(()) => Ok(true),
            Err(Error::SignatureInvalid) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What people compare when they ask "which certificate is this?".
    pub fn summary(&self) -> CertificateSummary {
        let (not_before, not_after) = self.validity();
        CertificateSummary {
            subject: name::to_text(self.subject()),
            issuer: name::to_text(self.issuer()),
            serial_number: hex(self.serial_number()),
            not_before,
            not_after,
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
    /// The serial number in lowercase hexadecimal.
    pub serial_number: String,
    /// The first second of its validity, since 1970-01-01T00:00:00Z.
    pub not_before: u64,
    /// The last second of its validity, since 1970-01-01T00:00:00Z.
    pub not_after: u64,
    /// The SHA-256 of its DER in lowercase hexadecimal.
    pub sha256_fingerprint: String,
    /// The SHA-1 of its DER in lowercase hexadecimal, which Windows shows as the thumbprint. Good for finding a certificate in a list;
    /// two with the same can be made.
    pub sha1_fingerprint: String,
}

/// What the holder of a certificate needs of it, each part an element of DER as it stands in the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The serial number, an INTEGER.
    pub serial_number: &'a [u8],
    /// Who issued it, a Name.
    pub issuer: &'a [u8],
    /// The certified public key, a SubjectPublicKeyInfo.
    pub subject_public_key_info: &'a [u8],
}

/// The parts of a Certificate, DER. Nothing else of it is looked at.
///
/// This second reader beside [`Certificate::from_der`] keeps the decoders of the whole structure out of the main job's worker: with structures
/// put together of elements it went from 214,908 to 151,440 bytes (`docs/worker-size.md`).
pub fn parts(certificate: &[u8]) -> Result<Parts<'_>, Error> {
    read_parts(certificate).map_err(Error::malformed(STRUCTURE))
}

fn read_parts(certificate: &[u8]) -> der::Result<Parts<'_>> {
    let mut tbs_certificate = Elements::within(Tag::Sequence, certificate)?.next_sequence()?;
    // version
    tbs_certificate.skip(CONTEXT_0)?;
    let serial_number = tbs_certificate.next_whole()?;
    tbs_certificate.next(Tag::Sequence)?;
    let issuer = tbs_certificate.next_whole()?;
    // validity, subject
    tbs_certificate.next(Tag::Sequence)?;
    tbs_certificate.next(Tag::Sequence)?;
    let subject_public_key_info = tbs_certificate.next_whole()?;
    Ok(Parts { serial_number, issuer, subject_public_key_info })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use ::signature::{SignatureEncoding, Signer};
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
    fn the_parts_are_those_that_the_whole_has() {
        let der = authority().certify("CN=Ada".parse().unwrap(), spki_of(&key_pair()), NOW, NOW + YEAR);
        let whole = Certificate::from_der(&der).unwrap();
        let parts = parts(&der).unwrap();
        assert_eq!(parts.subject_public_key_info, whole.subject_public_key_info().unwrap());
        assert_eq!(parts.issuer, whole.issuer().to_der().unwrap());
        assert_eq!(parts.serial_number, whole.parsed().tbs_certificate().serial_number().to_der().unwrap());
        for length in 0..der.len() {
            assert!(super::parts(&der[..length]).is_err(), "{length}");
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
        assert_eq!(read(ROOT).email_addresses(), [""; 0]);
    }

    #[test]
    fn a_path_length_counts_the_cas_below() {
        assert!(read(ISSUING).may_issue(0));
        assert!(!read(ISSUING).may_issue(1), "its path length is 0");
        assert!(read(ROOT).may_issue(5), "its path length is not limited");
        assert!(!read(LEAF).may_issue(0));
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
