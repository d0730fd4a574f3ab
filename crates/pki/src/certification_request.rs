//! PKCS#10 CertificationRequests (RFC 2986).

use core::ops::Range;

use der::asn1::BitStringRef;
use der::oid::ObjectIdentifier;
use der::oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME;
use der::oid::db::rfc5912::{ID_EXTENSION_REQ, SHA_256_WITH_RSA_ENCRYPTION};
use der::{Decode, ErrorKind, Tag};
use rand::CryptoRng;
use rsa::RsaPublicKey;
use rsa::pkcs1::RsaPublicKeyRef;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::extensions::Extensions;
use super::general_name::GeneralName;
use super::key_pair::KeyPair;
use super::name::Name;
use super::signature;
use crate::element::{
    BIT_STRING, CONTEXT_0, Element, Elements, INTEGER, NULL, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, element,
    integer, oid, set_of,
};

const STRUCTURE: &str = "CertificationRequest";
/// v1 (RFC 2986, section 4.1).
const VERSION: u32 = 0;
/// challengePassword (RFC 2985, section 5.4.1).
const CHALLENGE_PASSWORD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");
/// The attribute in which Windows asked for extensions before it knew RFC 2985, and some software still does: szOID_CERT_EXTENSIONS
/// ([MS-WCCE], section 2.2.2.7.7). Its value is that of extensionRequest.
const MICROSOFT_EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.14");
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
    Elements::within(SEQUENCE, subject).map_err(Error::malformed("Name"))?;
    if !email_address.is_ascii() {
        return Err(Error::encoding(STRUCTURE)("the e-mail address is not ASCII"));
    }
    let names = element(SEQUENCE, &[&element(RFC822_NAME, &[email_address.as_bytes()])]);
    let extension = element(SEQUENCE, &[&oid(ID_CE_SUBJECT_ALT_NAME), &element(OCTET_STRING, &[&names])]);
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
        let mut information = Elements::within(SEQUENCE, certification_request)?.next_sequence()?;
        information.next(INTEGER)?;
        information.next(SEQUENCE)?;
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

/// A deviation from RFC 2986 that is read all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Oddity {
    /// Its version is not 0, the only one there is.
    Version,
    /// The attributes are left out; they may be none, but not absent.
    NoAttributes,
}

/// A CertificationRequest, with the bytes it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificationRequest {
    der: Vec<u8>,
    subject: Name,
    subject_public_key_info: Range<usize>,
    signature_algorithm: ObjectIdentifier,
    /// All that is asked for, whatever attribute does.
    extensions: Vec<Extensions>,
    has_challenge_password: bool,
    oddities: Vec<Oddity>,
}

impl CertificationRequest {
    /// Reads DER, to the last byte.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let signature_algorithm = signature::algorithm(STRUCTURE, der)?;
        Self::read(der, signature_algorithm).map_err(Error::malformed(STRUCTURE))
    }

    fn read(der: &[u8], signature_algorithm: ObjectIdentifier) -> der::Result<Self> {
        let mut whole = Elements::within(SEQUENCE, der)?;
        let mut information = whole.next_sequence()?;
        whole.next(SEQUENCE)?;
        whole.next(BIT_STRING)?;
        whole.finish()?;
        let mut oddities = Vec::new();
        if information.next_u32()? != VERSION {
            oddities.push(Oddity::Version);
        }
        let subject = Name::from_der(information.next_whole()?)?;
        let key = information.next_whole()?;
        let start = key.as_ptr() as usize - der.as_ptr() as usize;
        let mut request = Self {
            der: der.to_vec(),
            subject,
            subject_public_key_info: start..start + key.len(),
            signature_algorithm,
            extensions: Vec::new(),
            has_challenge_password: false,
            oddities,
        };
        match information.next_if(CONTEXT_0)? {
            None => request.oddities.push(Oddity::NoAttributes),
            Some(attributes) => {
                for attribute in Elements::of(attributes.contents) {
                    request.read_attribute(&attribute?)?;
                }
            }
        }
        information.finish()?;
        Ok(request)
    }

    fn read_attribute(&mut self, attribute: &Element<'_>) -> der::Result<()> {
        let mut attribute = Elements::within(SEQUENCE, attribute.whole)?;
        let kind = attribute.next(OBJECT_IDENTIFIER)?;
        let values = Elements::within(SET, attribute.next_whole()?)?;
        attribute.finish()?;
        self.has_challenge_password |= kind == CHALLENGE_PASSWORD.as_bytes();
        if [ID_EXTENSION_REQ, MICROSOFT_EXTENSION_REQUEST].iter().any(|known| known.as_bytes() == kind) {
            for value in values {
                self.extensions.push(Extensions::read(value?.whole)?);
            }
        }
        Ok(())
    }

    /// The DER it was read from.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Verifies the signature with the public key inside: proof that the sender has the private key.
    pub fn verify(&self) -> Result<(), Error> {
        signature::verify_signed(STRUCTURE, &self.der, self.subject_public_key_info())
    }

    /// The same for RSA keys only; with another it is [`Error::UnsupportedAlgorithm`].
    pub fn verify_with_rsa(&self) -> Result<(), Error> {
        signature::verify_signed_with_rsa(STRUCTURE, &self.der, self.subject_public_key_info())
    }

    /// The subject asked for.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// The algorithm of the signature.
    pub fn signature_algorithm(&self) -> ObjectIdentifier {
        self.signature_algorithm
    }

    /// The public key to be certified: a SubjectPublicKeyInfo, DER, as it stands there.
    pub fn subject_public_key_info(&self) -> &[u8] {
        self.der.get(self.subject_public_key_info.clone()).unwrap_or_default()
    }

    /// The public key to be certified, if it is RSA, of any size.
    pub fn rsa_public_key(&self) -> Result<RsaPublicKey, Error> {
        signature::rsa_public_key(self.subject_public_key_info())
    }

    /// Size and exponent of the public key, if it is RSA. Read by hand and not with `rsa`, which does not take every key, and does
    /// not say what it does not like.
    pub fn rsa_parameters(&self) -> Result<RsaParameters, Error> {
        let read = || {
            let mut info = Elements::within(SEQUENCE, self.subject_public_key_info())?;
            Ok((info.next_sequence()?.next_oid()?, info.next_whole()?))
        };
        let (algorithm, key) = read().map_err(Error::malformed("SubjectPublicKeyInfo"))?;
        if algorithm != rsa::pkcs1::ALGORITHM_OID {
            return Err(Error::UnsupportedAlgorithm(algorithm));
        }
        let malformed = Error::malformed("RSAPublicKey");
        let key = BitStringRef::from_der(key).map_err(&malformed)?;
        let key = key.as_bytes().ok_or_else(|| malformed(ErrorKind::Value { tag: Tag::BitString }.into()))?;
        let key = RsaPublicKeyRef::from_der(key).map_err(&malformed)?;
        let modulus = key.modulus.as_bytes();
        let leading_zeros = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        Ok(RsaParameters {
            bits: (8 * modulus.len()).saturating_sub(leading_zeros),
            has_usual_exponent: key.public_exponent.as_bytes() == PUBLIC_EXPONENT,
        })
    }

    /// Whether it has a challengePassword (RFC 2985, section 5.4.1): a secret that everybody who sees the request can read.
    pub fn has_challenge_password(&self) -> bool {
        self.has_challenge_password
    }

    /// Its deviations from RFC 2986.
    pub fn oddities(&self) -> &[Oddity] {
        &self.oddities
    }

    /// The names in the subjectAltName asked for (RFC 5280, section 4.2.1.6; RFC 2985, section 5.4.2), in an extensionRequest or in
    /// Microsoft's attribute for it; `None` for each that cannot be read.
    ///
    /// # Errors
    /// A subjectAltName is no list of names.
    pub fn subject_alt_names(&self) -> Result<Vec<Option<GeneralName>>, Error> {
        let names = self.extensions.iter().map(|extensions| Ok(extensions.subject_alt_names()?.unwrap_or_default()));
        let names: der::Result<Vec<_>> = names.collect();
        Ok(names.map_err(Error::malformed("SubjectAltName"))?.concat())
    }

    /// The rfc822Names in the subjectAltName asked for.
    pub fn email_addresses(&self) -> Result<Vec<String>, Error> {
        let addresses = self.subject_alt_names()?.into_iter().flatten().filter_map(|name| match name {
            GeneralName::Rfc822(address) => String::from_utf8(address).ok(),
            _ => None,
        });
        Ok(addresses.collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use core::str::FromStr;

    use super::*;
    use crate::testing::{key_pair, name};

    #[test]
    fn what_is_asked_for_is_read_back() {
        let subject = Name::from_str("CN=Ada Example,O=Example,C=US").unwrap();
        let der = build(&key_pair(), &subject.to_der(), "ada@example.com", &mut rand::rng()).unwrap();
        let request = CertificationRequest::from_der(&der).unwrap();
        assert_eq!(request.verify(), Ok(()));
        assert_eq!(request.subject(), &subject);
        assert_eq!(request.email_addresses().unwrap(), ["ada@example.com"]);
        assert_eq!(request.subject_public_key_info(), key_pair().to_subject_public_key_info().unwrap());
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
    fn a_key_that_is_not_whole_octets_has_no_parameters() {
        let mut der = build(&key_pair(), &name("CN=Ada Example"), "ada@example.com", &mut rand::rng()).unwrap();
        let read = |der: &[u8]| CertificationRequest::from_der(der).unwrap().rsa_parameters();
        assert_eq!(read(&der), Ok(RsaParameters { bits: 2048, has_usual_exponent: true }));
        // The BIT STRING of a key of 2048 bits, up to its number of unused bits.
        let place = der.windows(5).position(|window| window == [BIT_STRING, 0x82, 1, 15, 0]).unwrap();
        der[place + 4] = 1;
        assert!(matches!(read(&der), Err(Error::Malformed { structure: "RSAPublicKey", .. })));
    }

    #[test]
    fn what_is_no_name_or_no_address_is_refused() {
        for (subject, address) in [(&b"nonsense"[..], "ada@example.com"), (&name("CN=Ada"), "ädä@example.com")] {
            assert!(build(&key_pair(), subject, address, &mut rand::rng()).is_err());
        }
    }

    #[test]
    fn names_in_the_attribute_of_microsoft_are_read() {
        let der = build(&key_pair(), &name("CN=Ada Example"), "ada@example.com", &mut rand::rng()).unwrap();
        let standard = oid(ID_EXTENSION_REQ);
        let place = der.windows(standard.len()).position(|window| window == standard).unwrap();
        let mut changed = der.clone();
        let microsoft = oid(MICROSOFT_EXTENSION_REQUEST);
        changed.splice(place..place + standard.len(), microsoft.iter().copied());
        // The lengths around it: the attribute, the attributes, the CertificationRequestInfo and the whole.
        let growth = microsoft.len() - standard.len();
        for length in [place - 1, place - 3] {
            changed[length] += growth as u8;
        }
        for length in [2, 6] {
            let old = u16::from_be_bytes([changed[length], changed[length + 1]]);
            changed[length..length + 2].copy_from_slice(&(old + growth as u16).to_be_bytes());
        }
        let request = CertificationRequest::from_der(&changed).unwrap();
        assert_eq!(request.email_addresses().unwrap(), ["ada@example.com"]);
        assert_eq!(request.verify(), Err(Error::SignatureInvalid), "it was made for the other attribute");
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
