//! Private keys, described: what is public about them.

use der::asn1::{BitString, ContextSpecific, OctetStringRef};
use der::oid::ObjectIdentifier;
use der::oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION};
use der::{Any, AnyRef, Decode, Encode, Reader, TagNumber};
use keyside_pki::element::{SEQUENCE, element, oid};
use keyside_pki::error::Error;
use keyside_pki::key_pair::KeyPair;
use keyside_pki::public_key::{self, PublicKey, PublicKeyKind};
use pkcs8::PrivateKeyInfoRef;

use super::{InspectedPrivateKey, KeyEncoding, Lock};

/// A private key in the clear, described; `None` if it is none, or is damaged.
pub(super) fn describe(der: &[u8]) -> Option<InspectedPrivateKey> {
    describe_private_key_info(der).or_else(|| describe_rsa_private_key(der)).or_else(|| describe_ec_private_key(der))
}

/// Describes a PKCS#8 PrivateKeyInfo.
pub(super) fn describe_private_key_info(der: &[u8]) -> Option<InspectedPrivateKey> {
    let info = PrivateKeyInfoRef::try_from(der).ok()?;
    let algorithm = algorithm(info.algorithm.oid, info.algorithm.parameters.map(Any::from).as_ref()).ok()?;
    let kind = PublicKeyKind::of_algorithm(&algorithm).ok()?;
    let public_key = match info.algorithm.oid {
        RSA_ENCRYPTION => Some(public_key_of(&KeyPair::from_private_key_info(der))?),
        ID_EC_PUBLIC_KEY => read_ec_private_key(info.private_key.as_bytes()).ok()?.public_key(&algorithm)?,
        _ => None,
    };
    Some(described(KeyEncoding::Pkcs8, kind, public_key))
}

/// Describes a PKCS#1 RSAPrivateKey.
fn describe_rsa_private_key(der: &[u8]) -> Option<InspectedPrivateKey> {
    let public_key = public_key_of(&KeyPair::from_rsa_private_key(der))?;
    let kind = public_key.kind.clone();
    Some(described(KeyEncoding::Pkcs1, kind, Some(public_key)))
}

/// Describes an ECPrivateKey.
fn describe_ec_private_key(der: &[u8]) -> Option<InspectedPrivateKey> {
    let key = read_ec_private_key(der).ok()?;
    let algorithm = algorithm(ID_EC_PUBLIC_KEY, key.curve.as_ref()).ok()?;
    let kind = PublicKeyKind::of_algorithm(&algorithm).ok()?;
    Some(described(KeyEncoding::Sec1, kind, key.public_key(&algorithm)?))
}

fn described(encoding: KeyEncoding, kind: PublicKeyKind, public_key: Option<PublicKey>) -> InspectedPrivateKey {
    let kind = public_key.is_none().then_some(kind);
    InspectedPrivateKey { encoding, lock: Lock::Clear, encryption: None, friendly_name: None, public_key, kind }
}

fn public_key_of(key_pair: &Result<KeyPair, Error>) -> Option<PublicKey> {
    PublicKey::of(&key_pair.as_ref().ok()?.to_subject_public_key_info().ok()?).ok()
}

/// An AlgorithmIdentifier, DER.
fn algorithm(id: ObjectIdentifier, parameters: Option<&Any>) -> der::Result<Vec<u8>> {
    let parameters = parameters.map(Any::to_der).transpose()?.unwrap_or_default();
    Ok(element(SEQUENCE, &[&oid(id), &parameters]))
}

/// An ECPrivateKey (RFC 5915, section 3), as far as it has all parts.
struct EcPrivateKey<'a> {
    private_key: &'a [u8],
    curve: Option<Any>,
    /// The public key's point.
    point: Option<BitString>,
}

impl EcPrivateKey<'_> {
    /// The public key, computed from the private one; `None` within if this curve is not computed with. `None` if the point in the file is
    /// another one.
    fn public_key(&self, algorithm: &[u8]) -> Option<Option<PublicKey>> {
        let stated = self.point.as_ref().and_then(BitString::as_bytes);
        let point = public_key::point_of(algorithm, self.private_key, stated).ok()?;
        Some(point.and_then(|point| PublicKey::of_point(algorithm, &point).ok()))
    }
}

fn read_ec_private_key(der: &[u8]) -> der::Result<EcPrivateKey<'_>> {
    AnyRef::from_der(der)?.sequence(|reader| {
        let version: u8 = reader.decode()?;
        if version != 1 {
            return Err(der::ErrorKind::Value { tag: der::Tag::Integer }.into());
        }
        let private_key: &OctetStringRef = reader.decode()?;
        let curve = ContextSpecific::<Any>::decode_explicit(reader, TagNumber(0))?;
        let point = ContextSpecific::<BitString>::decode_explicit(reader, TagNumber(1))?;
        Ok(EcPrivateKey {
            private_key: private_key.as_bytes(),
            curve: curve.map(|curve| curve.value),
            point: point.map(|point| point.value),
        })
    })
}
