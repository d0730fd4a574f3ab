//! The certificates of `tests/vectors/certification_path`, around an input or to be compared with it.

use std::sync::LazyLock;

use keyside_pki::certificate::Certificate;
use keyside_pki::element::{Elements, SEQUENCE};

/// A time at which the vectors are valid: 2027-01-15T08:00:00Z.
pub const AT: u64 = 1_800_000_000;

/// The passphrase of the vectors.
pub const PASSPHRASE: &str = "Correct-4-horse";

/// The DER files with these names.
macro_rules! vectors {
    ($($name:literal),* $(,)?) => {
        [$(include_bytes!(concat!("../../tests/vectors/certification_path/", $name, ".der"))),*]
    };
}

/// Every certificate of the folder.
pub static ALL: [&[u8]; 22] = vectors![
    "below_limited",
    "cross_a_by_b",
    "cross_a_by_root",
    "cross_b_by_a",
    "ecdsa_root",
    "issuing",
    "issuing_expired",
    "issuing_not_a_ca",
    "issuing_of_another_name",
    "issuing_with_unknown_critical_extension",
    "issuing_without_basic_constraints",
    "issuing_without_key_cert_sign",
    "leaf",
    "leaf_below_limited",
    "leaf_by_cross_a",
    "leaf_by_ecdsa",
    "leaf_with_unknown_critical_extension",
    "limited",
    "namesake_root",
    "root",
    "self_signed_leaf",
    "unrelated_root",
];

fn read<const N: usize>(vectors: [&[u8]; N]) -> [Certificate; N] {
    vectors.map(|der| Certificate::from_der(der).expect("a vector is a certificate"))
}

/// A certificate with a path to [`ROOTS`] by way of [`INTERMEDIATES`].
pub static LEAF: LazyLock<Certificate> = LazyLock::new(|| read(vectors!["leaf"])[0].clone());
/// CAs below [`ROOTS`].
pub static INTERMEDIATES: LazyLock<[Certificate; 4]> =
    LazyLock::new(|| read(vectors!["issuing", "cross_a_by_b", "cross_b_by_a", "cross_a_by_root"]));
/// Trust anchors.
pub static ROOTS: LazyLock<[Certificate; 2]> = LazyLock::new(|| read(vectors!["root", "ecdsa_root"]));

/// The part of a signed structure that is signed, whole.
pub fn signed_part(der: &[u8]) -> der::Result<&[u8]> {
    Elements::within(SEQUENCE, der)?.next_whole()
}

/// True if this is the signed part of one of [`ALL`]: nothing else has a signature of their keys.
#[must_use]
pub fn is_signed_part_of_a_vector(signed: &[u8]) -> bool {
    ALL.iter().any(|der| signed_part(der) == Ok(signed))
}

/// A private RSA key in the clear, a PrivateKeyInfo.
pub static RSA_KEY: &[u8] = include_bytes!("../../tests/vectors/inspection/pkcs8.key");
