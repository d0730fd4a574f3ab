//! PKCS#10 CertificationRequests (RFC 2986).

use der::oid::db::rfc5912::{ID_EXTENSION_REQ, SHA_256_WITH_RSA_ENCRYPTION};
use der::oid::{AssociatedOid, ObjectIdentifier};
use der::{Decode, Tag};
use rand::CryptoRng;
use rsa::RsaPublicKey;
use rsa::pkcs1::RsaPublicKeyRef;
use spki::SubjectPublicKeyInfoOwned;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::request::attributes::ChallengePassword;
use x509_cert::request::{CertReq, ExtensionReq};

use super::error::Error;
use super::key_pair::KeyPair;
use super::signature;
use crate::element::{BIT_STRING, CONTEXT_0, Elements, NULL, OCTET_STRING, SEQUENCE, element, integer, oid, set_of};

const STRUCTURE: &str = "CertificationRequest";
/// v1 (RFC 2986, section 4.1).
const VERSION: u32 = 0;
/// The tag of rfc822Name in a GeneralName (RFC 5280, section 4.2.1.6).
const RFC822_NAME: u8 = 0x81;
/// 65537, the one public exponent that Keyside takes: what every browser, OpenSSL and this page's own generator use.
const PUBLIC_EXPONENT: [u8; 3] = [0x01, 0x00, 0x01];

/// Makes a CertificationRequest: `subject`, a Name in DER, `email_address` as rfc822Name in the subjectAltName, signed with SHA-256 and
/// RSA.
///
/// `rng` blinds the signature. Returns DER.
pub fn build(
    key_pair: &KeyPair,
    subject: &[u8],
    email_address: &str,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, Error> {
    Elements::within(Tag::Sequence, subject).map_err(Error::malformed("Name"))?;
    if !email_address.is_ascii() {
        return Err(Error::encoding(STRUCTURE)("the e-mail address is not ASCII"));
    }
    let names = element(SEQUENCE, &[&element(RFC822_NAME, &[email_address.as_bytes()])]);
    let extension = element(SEQUENCE, &[&oid(SubjectAltName::OID), &element(OCTET_STRING, &[&names])]);
    let extensions = element(SEQUENCE, &[&extension]);
    let attribute = element(SEQUENCE, &[&oid(ID_EXTENSION_REQ), &set_of(vec![extensions])]);
    let information = element(
        SEQUENCE,
        &[&integer(VERSION), subject, &key_pair.to_subject_public_key_info()?, &element(CONTEXT_0, &[&attribute])],
    );
    let signature = key_pair.sign(&information, rng)?;
    Ok(element(SEQUENCE, &[&information, &signature_algorithm(), &element(BIT_STRING, &[&[0], &signature])]))
}

/// sha256WithRSAEncryption as an AlgorithmIdentifier (RFC 4055, section 5).
pub(super) fn signature_algorithm() -> Vec<u8> {
    element(SEQUENCE, &[&oid(SHA_256_WITH_RSA_ENCRYPTION), NULL])
}

/// The public key in a CertificationRequest, DER: the SubjectPublicKeyInfo as it stands there. Nothing else of it is looked at.
pub fn subject_public_key_info(certification_request: &[u8]) -> Result<&[u8], Error> {
    let read = || {
        let mut information = Elements::within(Tag::Sequence, certification_request)?.next_sequence()?;
        information.next(Tag::Integer)?;
        information.next(Tag::Sequence)?;
        information.next_whole()
    };
    read().map_err(Error::malformed(STRUCTURE))
}

/// What there is to know of an RSA public key before it is worked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RsaParameters {
    /// The size of the modulus in bits.
    pub bits: usize,
    /// Whether the public exponent is 65537.
    pub has_usual_exponent: bool,
}

/// A CertificationRequest, with the bytes it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificationRequest {
    der: Vec<u8>,
    parsed: CertReq,
}

impl CertificationRequest {
    /// Reads DER, to the last byte.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let parsed = CertReq::from_der(der).map_err(Error::malformed(STRUCTURE))?;
        Ok(Self { der: der.to_vec(), parsed })
    }

    /// The DER it was read from.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Verifies the signature with the public key inside: proof that the sender has the private key.
    pub fn verify(&self) -> Result<(), Error> {
        signature::verify_signed(STRUCTURE, &self.der, &self.parsed.info.public_key)
    }

    /// The subject asked for.
    pub fn subject(&self) -> &Name {
        &self.parsed.info.subject
    }

    /// The algorithm of the signature.
    pub fn signature_algorithm(&self) -> ObjectIdentifier {
        self.parsed.algorithm.oid
    }

    /// The public key to be certified.
    pub fn subject_public_key_info(&self) -> &SubjectPublicKeyInfoOwned {
        &self.parsed.info.public_key
    }

    /// The public key to be certified, if it is RSA, of any size.
    pub fn rsa_public_key(&self) -> Result<RsaPublicKey, Error> {
        signature::rsa_public_key(&self.parsed.info.public_key)
    }

    /// Size and exponent of the public key, if it is RSA. Read by hand and not with `rsa`, which does not take every key, and does
    /// not say what it does not like.
    pub fn rsa_parameters(&self) -> Result<RsaParameters, Error> {
        let info = self.subject_public_key_info();
        if info.algorithm.oid != rsa::pkcs1::ALGORITHM_OID {
            return Err(Error::UnsupportedAlgorithm(info.algorithm.oid));
        }
        let key = RsaPublicKeyRef::from_der(info.subject_public_key.raw_bytes())
            .map_err(|error| Error::malformed("RSAPublicKey")(error))?;
        let modulus = key.modulus.as_bytes();
        let leading_zeros = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        Ok(RsaParameters {
            bits: (8 * modulus.len()).saturating_sub(leading_zeros),
            has_usual_exponent: key.public_exponent.as_bytes() == PUBLIC_EXPONENT,
        })
    }

    /// Whether it has a challengePassword (RFC 2985, section 5.4.1): a secret that everybody who sees the request can read.
    pub fn has_challenge_password(&self) -> bool {
        self.parsed.info.attributes.iter().any(|attribute| attribute.oid == ChallengePassword::OID)
    }

    /// The names in the subjectAltName asked for (RFC 5280, section 4.2.1.6; RFC 2985, section 5.4.2).
    pub fn subject_alt_names(&self) -> Result<Vec<GeneralName>, Error> {
        let mut names = Vec::new();
        for attribute in self.parsed.info.attributes.iter() {
            if attribute.oid != ID_EXTENSION_REQ {
                continue;
            }
            for value in attribute.values.iter() {
                let ExtensionReq(extensions) = value.decode_as().map_err(Error::malformed("ExtensionRequest"))?;
                for extension in extensions {
                    if extension.extn_id == der::oid::db::rfc5912::ID_CE_SUBJECT_ALT_NAME {
                        let SubjectAltName(found) = SubjectAltName::from_der(extension.extn_value.as_bytes())
                            .map_err(Error::malformed("SubjectAltName"))?;
                        names.extend(found);
                    }
                }
            }
        }
        Ok(names)
    }

    /// The rfc822Names in the subjectAltName asked for.
    pub fn email_addresses(&self) -> Result<Vec<String>, Error> {
        Ok(self
            .subject_alt_names()?
            .into_iter()
            .filter_map(|name| match name {
                GeneralName::Rfc822Name(address) => Some(address.to_string()),
                _ => None,
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use core::str::FromStr;

    use der::Encode;

    use super::*;
    use crate::testing::{key_pair, name};

    #[test]
    fn what_is_asked_for_is_read_back() {
        let subject = Name::from_str("CN=Ada Example,O=Example,C=US").unwrap();
        let der = build(&key_pair(), &subject.to_der().unwrap(), "ada@example.com", &mut rand::rng()).unwrap();
        let request = CertificationRequest::from_der(&der).unwrap();
        assert_eq!(request.verify(), Ok(()));
        assert_eq!(request.subject(), &subject);
        assert_eq!(request.email_addresses().unwrap(), ["ada@example.com"]);
        assert_eq!(
            request.subject_public_key_info().to_der().unwrap(),
            key_pair().to_subject_public_key_info().unwrap()
        );
    }

    #[test]
    fn the_public_key_is_taken_as_it_stands() {
        let der = build(&key_pair(), &name("CN=Ada Example"), "ada@example.com", &mut rand::rng()).unwrap();
        assert_eq!(subject_public_key_info(&der).unwrap(), key_pair().to_subject_public_key_info().unwrap());
        for length in 0..der.len() {
            assert!(subject_public_key_info(&der[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn what_is_no_name_or_no_address_is_refused() {
        for (subject, address) in [(&b"nonsense"[..], "ada@example.com"), (&name("CN=Ada"), "ädä@example.com")] {
            assert!(build(&key_pair(), subject, address, &mut rand::rng()).is_err());
        }
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let good = build(&key_pair(), &name("CN=Ada Example"), "ada@example.com", &mut rand::rng()).unwrap();
        for place in 0..good.len() {
            let mut bad = good.clone();
            bad[place] ^= 0x01;
            let verdict = CertificationRequest::from_der(&bad).and_then(|r| r.verify());
            assert!(verdict.is_err(), "byte {place}");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert!(CertificationRequest::from_der(&longer).is_err());
        assert!(CertificationRequest::from_der(&good[..good.len() - 1]).is_err());
        assert!(CertificationRequest::from_der(&[]).is_err());
    }
}
