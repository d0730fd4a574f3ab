//! Public keys (RFC 5280, section 4.1.2.7) of every kind, described: what kind of key it is, and how long.

use der::asn1::{Any, BitString};
use der::oid::ObjectIdentifier;
use der::oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1, SECP_521_R_1};
use der::{Decode, Encode, Tag};
use serde::{Deserialize, Serialize};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::key_pair::key_id;
use crate::element::{Elements, NULL};

/// Ed25519 (RFC 8410, section 3).
pub const ED_25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// Ed448 (RFC 8410, section 3).
const ED_448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");

/// True if two SubjectPublicKeyInfos, each DER, are the same key: the same kind of key with the same numbers. Parameters that are NULL and
/// parameters that are absent mean the same (RFC 4055, section 1.2).
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    let read = |der| {
        let mut info = Elements::within(Tag::Sequence, der)?;
        let mut algorithm = info.next_sequence()?;
        let oid = algorithm.next_oid()?;
        let parameters = if algorithm.is_finished() { NULL } else { algorithm.next_whole()? };
        let key = info.next(Tag::BitString)?;
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
    /// Describes a key.
    pub fn of(info: &SubjectPublicKeyInfoOwned) -> der::Result<Self> {
        let mut named = info.clone();
        if named.algorithm.oid == RSA_ENCRYPTION {
            // Under one name with the same key in an encoding that leaves them out.
            named.algorithm.parameters.get_or_insert_with(Any::null);
        }
        Ok(Self { kind: PublicKeyKind::of(info), key_id: key_id(&named.to_der()?) })
    }

    /// Describes a key on an elliptic curve by its point.
    pub fn of_point(algorithm: AlgorithmIdentifierOwned, point: BitString) -> der::Result<Self> {
        Self::of(&SubjectPublicKeyInfoOwned { algorithm, subject_public_key: point })
    }
}

impl PublicKeyKind {
    fn of(info: &SubjectPublicKeyInfoOwned) -> Self {
        match info.algorithm.oid {
            RSA_ENCRYPTION => {
                rsa_size(&info.subject_public_key).map_or_else(|| Self::Other(RSA_ENCRYPTION.to_string()), Self::Rsa)
            }
            _ => Self::of_algorithm(&info.algorithm),
        }
    }

    /// What an algorithm alone tells of a key.
    pub fn of_algorithm(algorithm: &AlgorithmIdentifierOwned) -> Self {
        match algorithm.oid {
            ID_EC_PUBLIC_KEY => {
                let curve = algorithm.parameters.as_ref().and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
                Self::EllipticCurve(curve.map_or_else(|| "with parameters of its own".into(), curve_name))
            }
            ED_25519 => Self::EllipticCurve("Ed25519".into()),
            ED_448 => Self::EllipticCurve("Ed448".into()),
            other => Self::Other(other.to_string()),
        }
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

/// The size of the modulus in bits, however large or small it is.
fn rsa_size(key: &BitString) -> Option<u32> {
    let key = rsa::pkcs1::RsaPublicKeyRef::from_der(key.as_bytes()?).ok()?;
    let modulus = key.modulus.as_bytes();
    let first = modulus.first()?;
    u32::try_from(modulus.len()).ok()?.checked_mul(8)?.checked_sub(first.leading_zeros())
}
