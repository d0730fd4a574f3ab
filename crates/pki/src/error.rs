//! What can be wrong with bytes.

use der::oid::ObjectIdentifier;

/// Why a structure cannot be read, checked or made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not the DER of the structure expected.
    #[error("this is not the DER of a {structure} ({source})")]
    Malformed {
        /// The structure's name in its standard.
        structure: &'static str,
        /// Where and how it fails.
        source: der::Error,
    },
    /// The structure is whole, but not of the kind that is worked with.
    #[error("this {structure} cannot be used: {what}")]
    Unexpected {
        /// The structure's name in its standard.
        structure: &'static str,
        /// What is the matter with it.
        what: &'static str,
    },
    /// The text is not PEM (RFC 7468) with the label expected.
    #[error("this is not PEM with the label {0}")]
    MalformedPem(&'static str),
    /// The algorithm is not one that Keyside works with.
    #[error("the algorithm {0} is not supported")]
    UnsupportedAlgorithm(ObjectIdentifier),
    /// The algorithm's hash function is one for which two texts with the same hash can be made; its name.
    #[error("signatures with {0} prove nothing")]
    WeakAlgorithm(&'static str),
    /// The RSA key is larger than signatures are verified with; its size in bits.
    #[error("an RSA key of {0} bits is larger than what is checked here")]
    KeyTooLarge(u32),
    /// The key cannot be worked with.
    #[error("the key is not usable: {0}")]
    UnusableKey(String),
    /// A signature does not fit the public key and the bytes signed.
    #[error("the signature does not fit")]
    SignatureInvalid,
    /// The passphrase is not the one the bytes were encrypted under, or the bytes are damaged: the two cannot be told apart.
    #[error("the passphrase does not open this key")]
    WrongPassphrase,
    /// The key derivation would take more memory or time than a browser should give.
    #[error("the key derivation's parameters are beyond what a browser should work through")]
    DerivationTooCostly,
    /// A structure could not be encoded.
    #[error("a {structure} could not be encoded ({reason})")]
    Encoding {
        /// The structure's name in its standard.
        structure: &'static str,
        /// What the encoder said.
        reason: String,
    },
}

impl Error {
    /// For `map_err` where `structure` is read.
    pub fn malformed(structure: &'static str) -> impl Fn(der::Error) -> Self {
        move |source| Self::Malformed { structure, source }
    }

    /// For `map_err` where `structure` is made.
    pub fn encoding<E: ToString>(structure: &'static str) -> impl Fn(E) -> Self {
        move |reason| Self::Encoding { structure, reason: reason.to_string() }
    }
}
