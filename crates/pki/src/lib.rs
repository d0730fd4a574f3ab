//! The structures of a public key infrastructure, one file each, named as its standard names it: bytes in, bytes out.
//!
//! This crate depends on nothing of Keyside. It knows no user, no request's state and no network.

mod ber;
pub mod certificate;
pub mod certificate_list;
pub mod certification_path;
pub mod certification_request;
pub mod certs_only;
pub mod element;
pub mod encrypted_private_key;
pub mod error;
pub mod extensions;
pub mod file;
pub mod full_pki_request;
pub mod general_name;
pub mod key_derivation;
pub mod key_pair;
pub mod name;
pub mod password_based_encryption;
mod pbes2;
pub mod pem;
pub mod pfx;
mod pkcs12_kdf;
pub mod pkcs12_pbe;
pub mod public_key;
pub mod signature;
mod time;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
