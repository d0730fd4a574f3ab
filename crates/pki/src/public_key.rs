//! Public keys (RFC 5280, section 4.1.2.7) of every kind, described: what kind of key it is, and how long.

use der::Decode;
use der::asn1::BitStringRef;
use der::oid::ObjectIdentifier;
use der::oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1, SECP_521_R_1};
use serde::{Deserialize, Serialize};

use super::key_pair::key_id;
use crate::element::{BIT_STRING, Elements, NULL, SEQUENCE, element, oid};

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
        let key = info.next_whole()?;
        info.finish()?;
        let octets = BitStringRef::from_der(key)?.as_bytes();
        let kind = PublicKeyKind::of_algorithm(algorithm)?;
        if Elements::within(SEQUENCE, algorithm)?.next_oid()? != RSA_ENCRYPTION {
            return Ok(Self { kind, key_id: key_id(subject_public_key_info) });
        }
        // With the NULL, under one name with the same key in an encoding that leaves it out.
        let named = element(SEQUENCE, &[&element(SEQUENCE, &[&oid(RSA_ENCRYPTION), NULL]), key]);
        Ok(Self { kind: octets.and_then(rsa_size).map_or(kind, PublicKeyKind::Rsa), key_id: key_id(&named) })
    }

    /// Describes a key on an elliptic curve by its AlgorithmIdentifier, DER, and its point.
    pub fn of_point(algorithm: &[u8], point: &[u8]) -> der::Result<Self> {
        Self::of(&element(SEQUENCE, &[algorithm, &element(BIT_STRING, &[&[0], point])]))
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

/// The size in bits of the modulus in an RSAPublicKey (RFC 8017, appendix A.1.1), DER, however large or small it is.
pub(crate) fn rsa_size(key: &[u8]) -> Option<u32> {
    let key = rsa::pkcs1::RsaPublicKeyRef::from_der(key).ok()?;
    let modulus = key.modulus.as_bytes();
    let first = modulus.first()?;
    u32::try_from(modulus.len()).ok()?.checked_mul(8)?.checked_sub(first.leading_zeros())
}
