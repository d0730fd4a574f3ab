//! Public keys (RFC 5280, section 4.1.2.7) of every kind, described: what kind of key it is, and how long.

use der::oid::ObjectIdentifier;
use der::oid::db::rfc5912::{
    ID_DSA, ID_EC_PUBLIC_KEY, ID_RSASSA_PSS, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1, SECP_521_R_1,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::Error;
use super::key_pair::key_id;
use crate::element::{BIT_STRING, Elements, INTEGER, NULL, SEQUENCE, element, oid};

/// Ed25519 (RFC 8410, section 3).
pub const ED_25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// Ed448 (RFC 8410, section 3).
const ED_448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");

/// True if two SubjectPublicKeyInfos, each DER, are the same key: the same kind of key with the same numbers. Parameters that are NULL and
/// parameters that are absent mean the same (RFC 4055, section 1.2).
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    let read = |der| {
        let mut info = Elements::within(SEQUENCE, der)?;
        let mut algorithm = info.next_sequence()?;
        let oid = algorithm.next_oid()?;
        let parameters = if algorithm.is_finished() { NULL } else { algorithm.next_whole()? };
        let key = info.next(BIT_STRING)?;
        Ok::<_, der::Error>((oid, parameters, key))
    };
    matches!((read(one), read(other)), (Ok(one), Ok(other)) if one == other)
}

/// A public key, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// What kind of key it is.
    pub kind: PublicKeyKind,
    /// See [`key_id`].
    pub key_id: String,
}

/// A kind of public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PublicKeyKind {
    /// RSA; the size of its modulus in bits.
    Rsa(u32),
    /// On an elliptic curve; its name, or its object identifier where it has none here.
    EllipticCurve(String),
    /// Another kind: its object identifier.
    Other(String),
}

impl PublicKey {
    /// Describes the key in a SubjectPublicKeyInfo, DER.
    pub fn of(subject_public_key_info: &[u8]) -> der::Result<Self> {
        let mut info = Elements::within(SEQUENCE, subject_public_key_info)?;
        let algorithm = info.next_whole()?;
        let key = info.next(BIT_STRING)?;
        info.finish()?;
        let size = key.strip_prefix(&[0]).and_then(rsa_size);
        let kind = PublicKeyKind::of_algorithm(algorithm)?;
        let id = Elements::within(SEQUENCE, algorithm)?.next_oid()?;
        if id == ID_RSASSA_PSS {
            return Ok(Self { kind: size.map_or(kind, PublicKeyKind::Rsa), key_id: key_id(subject_public_key_info) });
        }
        if id != RSA_ENCRYPTION {
            return Ok(Self { kind, key_id: key_id(subject_public_key_info) });
        }
        // With the NULL, under one name with the same key in an encoding that leaves it out.
        let named =
            element(SEQUENCE, &[&element(SEQUENCE, &[&oid(RSA_ENCRYPTION), NULL]), &element(BIT_STRING, &[key])]);
        Ok(Self { kind: size.map_or(kind, PublicKeyKind::Rsa), key_id: key_id(&named) })
    }

    /// Describes a PKCS#1 RSAPublicKey, DER (RFC 8017, appendix A.1.1).
    pub fn of_rsa_public_key(der: &[u8]) -> der::Result<Self> {
        let mut numbers = Elements::within(SEQUENCE, der)?;
        numbers.next(INTEGER)?;
        numbers.next(INTEGER)?;
        numbers.finish()?;
        let algorithm = element(SEQUENCE, &[&oid(RSA_ENCRYPTION), NULL]);
        Self::of(&element(SEQUENCE, &[&algorithm, &element(BIT_STRING, &[&[0], der])]))
    }

    /// Describes a key on an elliptic curve by its AlgorithmIdentifier, DER, and its point.
    pub fn of_point(algorithm: &[u8], point: &[u8]) -> der::Result<Self> {
        Self::of(&element(SEQUENCE, &[algorithm, &element(BIT_STRING, &[&[0], point])]))
    }
}

/// Names the weakness for which a key, and a certificate for it, are not worth trusting; none for a key without a known one. The sizes
/// are those of NIST SP 800-131A, section 3: 2048 bits for RSA and DSA, and 224 for an elliptic curve.
///
/// # Errors
/// The key in the SubjectPublicKeyInfo, DER, is none of the kind that it is said to be. A size that cannot be told is no proof that it is large enough.
pub(crate) fn weakness_of(subject_public_key_info: &[u8]) -> der::Result<Option<String>> {
    let mut info = Elements::within(SEQUENCE, subject_public_key_info)?;
    let mut algorithm = info.next_sequence()?;
    let key = info.next(BIT_STRING)?;
    info.finish()?;
    let unreadable = || der::Error::from(der::ErrorKind::Value { tag: der::Tag::BitString });
    let key = key.strip_prefix(&[0]).ok_or_else(unreadable)?;
    let (kind, bits, least) = match algorithm.next_oid()? {
        RSA_ENCRYPTION | ID_RSASSA_PSS => {
            let mut numbers = Elements::within(SEQUENCE, key)?;
            let [modulus, exponent] = [numbers.next(INTEGER)?, numbers.next(INTEGER)?];
            let is_even = |number: &[u8]| number.last().is_none_or(|octet| octet & 1 == 0);
            let is_one = bits_of(exponent) == Some(1);
            if is_even(modulus) || is_even(exponent) || is_one {
                return Ok(Some("RSA protects nothing with its modulus and exponent".into()));
            }
            ("an RSA", bits_of(modulus), 2048)
        }
        ID_EC_PUBLIC_KEY => {
            let curve = algorithm.next_oid()?;
            let is_on_curve = match curve {
                SECP_256_R_1 => p256::PublicKey::from_sec1_bytes(key).is_ok(),
                SECP_384_R_1 => p384::PublicKey::from_sec1_bytes(key).is_ok(),
                SECP_521_R_1 => p521::PublicKey::from_sec1_bytes(key).is_ok(),
                _ => true,
            };
            // A point is two coordinates, or compressed one, after an octet that says which (SEC 1, section 2.3.3).
            let octets = match key.split_first().filter(|_| is_on_curve) {
                Some((4, coordinates)) => coordinates.len() / 2,
                Some((2 | 3, coordinate)) => coordinate.len(),
                _ => return Err(unreadable()),
            };
            ("an EC", u32::try_from(octets * 8).ok(), 224)
        }
        ID_DSA => ("a DSA", bits_of(algorithm.next_sequence()?.next(INTEGER)?), 2048),
        _ => return Ok(None),
    };
    let bits = bits.ok_or_else(unreadable)?;
    Ok((bits < least).then(|| format!("it is {kind} key of {bits} bits, and less than {least} are not safe")))
}

/// The public point of a private key on a curve, by its AlgorithmIdentifier, DER. `None` for a curve that is not computed with here.
///
/// # Errors
/// It is no private key on the curve, or `stated`, the point that stands beside it, is another one.
pub fn point_of(algorithm: &[u8], private_key: &[u8], stated: Option<&[u8]>) -> Result<Option<Vec<u8>>, Error> {
    macro_rules! point_on {
        ($curve:ident, $size:literal) => {{
            let unusable = || Error::UnusableKey("it does not fit its public key".into());
            // Some programs leave leading zeros out, or write one more.
            let digits = private_key.iter().position(|octet| *octet != 0).and_then(|start| private_key.get(start..));
            let digits = digits.filter(|digits| digits.len() <= $size).ok_or_else(unusable)?;
            let mut scalar = Zeroizing::new([0; $size]);
            if let Some(place) = scalar.get_mut($size - digits.len()..) {
                place.copy_from_slice(digits);
            }
            let point = $curve::SecretKey::from_slice(&*scalar).map_err(|_| unusable())?.public_key();
            match stated.map($curve::PublicKey::from_sec1_bytes) {
                Some(stated) if stated.as_ref() != Ok(&point) => Err(unusable()),
                _ => Ok(Some(point.to_sec1_bytes().into_vec())),
            }
        }};
    }
    let curve = Elements::within(SEQUENCE, algorithm).and_then(|mut algorithm| {
        algorithm.next_oid()?;
        algorithm.next_oid()
    });
    match curve {
        Ok(SECP_256_R_1) => point_on!(p256, 32),
        Ok(SECP_384_R_1) => point_on!(p384, 48),
        Ok(SECP_521_R_1) => point_on!(p521, 66),
        _ => Ok(None),
    }
}

impl PublicKeyKind {
    /// The kind of a key by its AlgorithmIdentifier, DER, without the key itself.
    pub fn of_algorithm(algorithm: &[u8]) -> der::Result<Self> {
        let mut algorithm = Elements::within(SEQUENCE, algorithm)?;
        Ok(match algorithm.next_oid()? {
            ID_EC_PUBLIC_KEY => Self::EllipticCurve(
                algorithm.next_oid().map_or_else(|_| "with parameters of its own".into(), curve_name),
            ),
            ED_25519 => Self::EllipticCurve("Ed25519".into()),
            ED_448 => Self::EllipticCurve("Ed448".into()),
            other => Self::Other(other.to_string()),
        })
    }
}

fn curve_name(curve: ObjectIdentifier) -> String {
    match curve {
        SECP_256_R_1 => "P-256".into(),
        SECP_384_R_1 => "P-384".into(),
        SECP_521_R_1 => "P-521".into(),
        other => other.to_string(),
    }
}

/// The size in bits of the modulus in an RSAPublicKey (RFC 8017, appendix A.1.1), however large or small it is.
pub(crate) fn rsa_size(key: &[u8]) -> Option<u32> {
    bits_of(Elements::within(SEQUENCE, key).ok()?.next(INTEGER).ok()?)
}

/// The size in bits of a number that is not negative, in big-endian octets; none for zero.
fn bits_of(number: &[u8]) -> Option<u32> {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    let number = number.get(zeros..)?;
    u32::try_from(number.len()).ok()?.checked_mul(8)?.checked_sub(number.first()?.leading_zeros())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;
    use crate::testing::{key_pair, spki_of};

    /// An RSA key of this many bits.
    fn rsa_public_key(bits: usize) -> Vec<u8> {
        let modulus = [&[0, 0x80][..], &vec![1; bits / 8 - 1]].concat();
        element(SEQUENCE, &[&element(INTEGER, &[&modulus]), &element(INTEGER, &[&[1, 0, 1]])])
    }

    fn kind(algorithm: ObjectIdentifier, bit_string: &[u8]) -> PublicKeyKind {
        let algorithm = element(SEQUENCE, &[&oid(algorithm)]);
        PublicKey::of(&element(SEQUENCE, &[&algorithm, bit_string])).unwrap().kind
    }

    #[test]
    fn the_size_of_an_rsa_key_is_told_however_its_lengths_are_written() {
        let key = [&[0][..], &rsa_public_key(1024)].concat();
        let length = u32::try_from(key.len()).unwrap().to_be_bytes();
        let long = [&[BIT_STRING, 0x84], &length[..], &key].concat();
        for algorithm in [RSA_ENCRYPTION, ID_RSASSA_PSS] {
            assert_eq!(kind(algorithm, &element(BIT_STRING, &[&key])), PublicKeyKind::Rsa(1024));
            assert_eq!(kind(algorithm, &long), PublicKeyKind::Rsa(1024));
        }
        let usual = PublicKey::of(&spki_of(&key_pair())).unwrap();
        assert_eq!(usual.kind, PublicKeyKind::Rsa(2048));
        assert_eq!(weakness_of(&spki_of(&key_pair())), Ok(None));
    }

    #[test]
    fn a_size_that_cannot_be_told_is_not_made_up() {
        for key in [&[0][..], &[0, 0x30, 0], &[1, 0x30, 0x80], &[]] {
            let bit_string = element(BIT_STRING, &[key]);
            assert_eq!(kind(RSA_ENCRYPTION, &bit_string), PublicKeyKind::Other(RSA_ENCRYPTION.to_string()));
            let algorithm = element(SEQUENCE, &[&oid(RSA_ENCRYPTION), NULL]);
            let info = element(SEQUENCE, &[&algorithm, &bit_string]);
            assert!(weakness_of(&info).is_err());
        }
    }

    /// A SubjectPublicKeyInfo with these parts of its AlgorithmIdentifier.
    fn info(algorithm: &[&[u8]], key: &[u8]) -> Vec<u8> {
        element(SEQUENCE, &[&element(SEQUENCE, algorithm), &element(BIT_STRING, &[&[0], key])])
    }

    #[test]
    fn an_rsa_key_is_weak_by_its_size_and_by_numbers_that_protect_nothing() {
        let rsa = |modulus: &[u8], exponent: &[u8]| {
            let key = element(SEQUENCE, &[&element(INTEGER, &[modulus]), &element(INTEGER, &[exponent])]);
            weakness_of(&info(&[&oid(RSA_ENCRYPTION), NULL], &key)).unwrap()
        };
        let modulus = |octets: usize, last: u8| [&[0, 0x80][..], &vec![1; octets - 2], &[last]].concat();
        assert_eq!(rsa(&modulus(256, 1), &[1, 0, 1]), None);
        assert_eq!(rsa(&modulus(256, 1), &[3]), None);
        let small = rsa(&modulus(255, 1), &[1, 0, 1]);
        assert_eq!(small.as_deref(), Some("it is an RSA key of 2040 bits, and less than 2048 are not safe"));
        for (last, exponent) in [(1, &[1][..]), (1, &[0, 1]), (1, &[4]), (1, &[0]), (1, &[]), (2, &[1, 0, 1])] {
            assert!(rsa(&modulus(256, last), exponent).is_some_and(|why| why.starts_with("RSA protects nothing")));
        }
    }

    #[test]
    fn a_key_on_a_curve_is_weak_by_its_size_and_must_be_a_point() {
        let on = |curve: &str, key: &[u8]| {
            weakness_of(&info(&[&oid(ID_EC_PUBLIC_KEY), &oid(ObjectIdentifier::new_unwrap(curve))], key))
        };
        let p_192 = "1.2.840.10045.3.1.1";
        let weak = Ok(Some("it is an EC key of 192 bits, and less than 224 are not safe".to_owned()));
        assert_eq!(on(p_192, &[&[4], &[1; 48][..]].concat()), weak);
        assert_eq!(on(p_192, &[&[2], &[1; 24][..]].concat()), weak);
        let p_224 = "1.3.132.0.33";
        assert_eq!(on(p_224, &[&[4], &[1; 56][..]].concat()), Ok(None));
        let point = p256::SecretKey::from_slice(&[7; 32]).unwrap().public_key().to_sec1_bytes().into_vec();
        let p_256 = SECP_256_R_1.to_string();
        assert_eq!(on(&p_256, &point), Ok(None));
        let mut other = point;
        *other.last_mut().unwrap() ^= 1;
        assert!(on(&p_256, &other).is_err(), "no point on the curve");
        for unreadable in [&[][..], &[0], &[5; 49]] {
            assert!(on(p_192, unreadable).is_err());
        }
    }

    #[test]
    fn the_point_beside_a_private_key_is_computed_and_not_believed() {
        let points =
            [7, 8].map(|number| p256::SecretKey::from_slice(&[number; 32]).unwrap().public_key().to_sec1_bytes());
        let [point, other] = points.each_ref().map(|point| &**point);
        let algorithm = element(SEQUENCE, &[&oid(ID_EC_PUBLIC_KEY), &oid(SECP_256_R_1)]);
        let of = |private_key: &[u8], stated| point_of(&algorithm, private_key, stated);
        assert_eq!(of(&[7; 32], Some(point)), Ok(Some(point.to_vec())));
        assert_eq!(of(&[7; 32], None), Ok(Some(point.to_vec())));
        assert_eq!(of(&[&[0], &[7; 32][..]].concat(), None), Ok(Some(point.to_vec())), "with a zero more");
        assert!(of(&[7; 32], Some(other)).is_err());
        assert!(of(&[7; 32], Some(&[4, 1, 2])).is_err());
        assert!(of(&[0; 32], None).is_err());
        assert!(of(&[0xFF; 32], None).is_err(), "beyond the curve's order");
        let elsewhere =
            element(SEQUENCE, &[&oid(ID_EC_PUBLIC_KEY), &oid(ObjectIdentifier::new_unwrap("1.3.132.0.10"))]);
        assert_eq!(point_of(&elsewhere, &[7; 32], Some(other)), Ok(None));
    }

    #[test]
    fn a_dsa_key_is_weak_by_the_size_of_its_prime() {
        let dsa = |parameters: &[&[u8]]| {
            let parts = [&oid(ID_DSA), &parameters.concat()[..]];
            weakness_of(&info(&parts, &element(INTEGER, &[&[5]])))
        };
        let with = |octets: usize| {
            let prime = [&[0, 0x80][..], &vec![1; octets - 1]].concat();
            element(SEQUENCE, &[&element(INTEGER, &[&prime]), &element(INTEGER, &[&[7]]), &element(INTEGER, &[&[2]])])
        };
        assert_eq!(dsa(&[&with(256)]), Ok(None));
        let weak = Ok(Some("it is a DSA key of 1024 bits, and less than 2048 are not safe".to_owned()));
        assert_eq!(dsa(&[&with(128)]), weak);
        assert!(dsa(&[]).is_err(), "the parameters are those of its CA (RFC 3279, section 2.3.2)");
    }
}
