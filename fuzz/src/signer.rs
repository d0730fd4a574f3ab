//! Keys that the fuzzer has, so that a changed structure can be signed again: the faults behind a signature are out of reach otherwise.
//!
//! They are the same in every run, so that an input means the same in every run.

use std::sync::LazyLock;

use der::oid::ObjectIdentifier;
use keyside_pki::element::{BIT_STRING, CONTEXT_0, Elements, NULL, OBJECT_IDENTIFIER, SEQUENCE, element};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Signer};

use crate::vectors;

/// The number of keys for Ed25519.
pub const ED_25519_KEYS: u8 = 16;

/// The tag of the `[3]` around the extensions, constructed.
const CONTEXT_3: u8 = 0xA3;
/// Ed25519 as an AlgorithmIdentifier (RFC 8410, section 3).
const ED_25519: &[u8] = &[0x30, 5, 6, 3, 0x2B, 0x65, 0x70];
/// sha256WithRSAEncryption as an AlgorithmIdentifier (RFC 4055, section 5).
const SHA_256_WITH_RSA: &[u8] = &[0x30, 13, 6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 11, 5, 0];
/// ecdsa-with-SHA256, ecdsa-with-SHA384 and ecdsa-with-SHA512 as AlgorithmIdentifiers (RFC 5758, section 3.2).
const ECDSA: [&[u8]; 3] = [
    &[0x30, 10, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2],
    &[0x30, 10, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 3],
    &[0x30, 10, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 4],
];
/// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 octets, as an AlgorithmIdentifier (RFC 4055, section 3.1).
const PSS: &[u8] = &[
    0x30, 0x41, 6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 10, 0x30, 0x34, 0xA0, 0x0F, 0x30, 0x0D, 6, 9, 0x60,
    0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 0xA1, 0x1C, 0x30, 0x1A, 6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 8,
    0x30, 0x0D, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 0xA2, 3, 2, 1, 32,
];

/// A way to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Pkcs1,
    /// RSASSA-PSS with SHA-256.
    Pss,
    /// ECDSA with SHA-256 on P-256.
    P256,
    /// ECDSA with SHA-384 on P-384.
    P384,
    /// ECDSA with SHA-512 on P-521.
    P521,
    /// Ed25519, with the key of this number.
    Ed25519(u8),
}

impl Kind {
    /// Each of them.
    pub const ALL: [Self; 6] = [Self::Pkcs1, Self::Pss, Self::P256, Self::P384, Self::P521, Self::Ed25519(0)];

    /// The AlgorithmIdentifier of its signatures, DER.
    #[must_use]
    pub fn algorithm(self) -> &'static [u8] {
        match self {
            Self::Pkcs1 => SHA_256_WITH_RSA,
            Self::Pss => PSS,
            Self::P256 => ECDSA[0],
            Self::P384 => ECDSA[1],
            Self::P521 => ECDSA[2],
            Self::Ed25519(_) => ED_25519,
        }
    }

    fn key(self) -> &'static PKey<Private> {
        static RSA: LazyLock<PKey<Private>> = LazyLock::new(rsa);
        static CURVES: LazyLock<[PKey<Private>; 3]> =
            LazyLock::new(|| [Nid::X9_62_PRIME256V1, Nid::SECP384R1, Nid::SECP521R1].map(on_curve));
        static ED_25519: LazyLock<Vec<PKey<Private>>> = LazyLock::new(|| {
            let key = |number| PKey::private_key_from_raw_bytes(&[number + 1; 32], Id::ED25519);
            (0..ED_25519_KEYS).map(|number| key(number).expect("32 bytes are a key")).collect()
        });
        match self {
            Self::Pkcs1 | Self::Pss => &RSA,
            Self::P256 => &CURVES[0],
            Self::P384 => &CURVES[1],
            Self::P521 => &CURVES[2],
            Self::Ed25519(number) => &ED_25519[usize::from(number % ED_25519_KEYS)],
        }
    }

    /// The SubjectPublicKeyInfo of its key, DER.
    #[must_use]
    pub fn subject_public_key_info(self) -> Vec<u8> {
        self.key().public_key_to_der().expect("a key has a public half")
    }

    /// Signs.
    #[must_use]
    pub fn sign(self, message: &[u8]) -> Vec<u8> {
        let sign = || {
            let mut signer = match self {
                Self::Pkcs1 | Self::Pss | Self::P256 => Signer::new(MessageDigest::sha256(), self.key())?,
                Self::P384 => Signer::new(MessageDigest::sha384(), self.key())?,
                Self::P521 => Signer::new(MessageDigest::sha512(), self.key())?,
                Self::Ed25519(_) => Signer::new_without_digest(self.key())?,
            };
            if self == Self::Pss {
                signer.set_rsa_padding(Padding::PKCS1_PSS)?;
                signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
            }
            signer.sign_oneshot_to_vec(message)
        };
        sign().expect("the key can sign")
    }

    /// A structure with the signed part and the algorithm of `der`, and a signature that was made now.
    ///
    /// # Errors
    /// It is not a signed structure.
    pub fn sign_again(self, der: &[u8]) -> der::Result<Vec<u8>> {
        let mut parts = Elements::within(SEQUENCE, der)?;
        let (signed, algorithm) = (parts.next_whole()?, parts.next_whole()?);
        Ok(signed_structure(signed, algorithm, &self.sign(signed)))
    }
}

fn signed_structure(signed: &[u8], algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[signed, algorithm, &element(BIT_STRING, &[&[0], signature])])
}

fn rsa() -> PKey<Private> {
    PKey::private_key_from_der(vectors::RSA_KEY).expect("the vector is a key")
}

/// The key on a curve with the private number 7.
fn on_curve(curve: Nid) -> PKey<Private> {
    let key = || {
        let (group, mut context) = (EcGroup::from_curve_name(curve)?, BigNumContext::new()?);
        let number = BigNum::from_u32(7)?;
        let mut point = EcPoint::new(&group)?;
        point.mul_generator2(&group, &number, &mut context)?;
        PKey::from_ec_key(EcKey::from_private_components(&group, &number, &point)?)
    };
    key().expect("7 is a key on every curve")
}

/// A certificate with the names, dates and extensions of `der` for the key of `subject`, signed with the key of `signer`, and with this issuer, a
/// Name in DER, if one is given.
///
/// # Errors
/// It is not a certificate.
pub fn certify_again(der: &[u8], subject: Kind, signer: Kind, issuer: Option<&[u8]>) -> der::Result<Vec<u8>> {
    certify_with_algorithms(der, subject, signer, issuer, [signer.algorithm(); 2])
}

/// The same with these AlgorithmIdentifiers: the one in the signed part, and the one beside it.
///
/// # Errors
/// It is not a certificate.
pub fn certify_with_algorithms(
    der: &[u8],
    subject: Kind,
    signer: Kind,
    issuer: Option<&[u8]>,
    [inside, outside]: [&[u8]; 2],
) -> der::Result<Vec<u8>> {
    let mut tbs = Elements::within(SEQUENCE, der)?.next_sequence()?;
    let version = tbs.next_if(CONTEXT_0)?.map_or(&[][..], |version| version.whole);
    let serial_number = tbs.next_whole()?;
    tbs.next(SEQUENCE)?;
    let own_issuer = tbs.next_whole()?;
    let (validity, name) = (tbs.next_whole()?, tbs.next_whole()?);
    tbs.next(SEQUENCE)?;
    let key = subject.subject_public_key_info();
    let mut parts = vec![version, serial_number, inside, issuer.unwrap_or(own_issuer), validity, name, key.as_slice()];
    while !tbs.is_finished() {
        parts.push(tbs.next_whole()?);
    }
    let signed = element(SEQUENCE, &parts);
    Ok(signed_structure(&signed, outside, &signer.sign(&signed)))
}

/// An AlgorithmIdentifier with NULL as its parameters where it has none, and without parameters where it has them.
///
/// # Errors
/// It is not an AlgorithmIdentifier.
pub fn with_other_parameters(algorithm: &[u8]) -> der::Result<Vec<u8>> {
    let mut parts = Elements::within(SEQUENCE, algorithm)?;
    let id = parts.next_whole()?;
    Ok(if parts.is_finished() { element(SEQUENCE, &[id, NULL]) } else { element(SEQUENCE, &[id]) })
}

/// The same certificate signed with the key of `signer`, without the extensions with these object identifiers.
///
/// # Errors
/// It is not a certificate.
pub fn without_extensions(der: &[u8], signer: Kind, ids: &[ObjectIdentifier]) -> der::Result<Vec<u8>> {
    let mut tbs = Elements::within(SEQUENCE, der)?.next_sequence()?;
    let mut parts = Vec::new();
    while !tbs.is_finished() {
        let part = tbs.next_element()?;
        if part.tag != CONTEXT_3 {
            parts.push(part.whole.to_vec());
            continue;
        }
        let mut kept = Vec::new();
        for extension in Elements::within(SEQUENCE, part.contents)? {
            let extension = extension?.whole;
            let id = Elements::within(SEQUENCE, extension)?.next(OBJECT_IDENTIFIER)?;
            if !ids.iter().any(|other| other.as_bytes() == id) {
                kept.push(extension);
            }
        }
        if !kept.is_empty() {
            parts.push(element(CONTEXT_3, &[&element(SEQUENCE, &kept)]));
        }
    }
    let signed = element(SEQUENCE, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
    Ok(signed_structure(&signed, signer.algorithm(), &signer.sign(&signed)))
}

/// The subject of a certificate, a Name in DER.
///
/// # Errors
/// It is not a certificate.
pub fn subject(der: &[u8]) -> der::Result<&[u8]> {
    let mut tbs = Elements::within(SEQUENCE, der)?.next_sequence()?;
    tbs.next_if(CONTEXT_0)?;
    for _ in 0..4 {
        tbs.next_whole()?;
    }
    tbs.next_whole()
}
