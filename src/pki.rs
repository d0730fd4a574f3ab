//! Bytes in, bytes out: the structures of a public key infrastructure, one file each, named as its standard names it.

pub mod backup;
mod ber;
pub mod certificate;
pub mod certification_path;
pub mod certification_request;
pub mod certs_only;
pub mod device_names;
pub mod encrypted_private_key;
pub mod error;
pub mod full_pki_request;
pub mod inspection;
pub mod key_pair;
pub mod password_based_encryption;
mod pbes2;
pub mod pem;
pub mod pfx;
pub mod pkcs12_pbe;
pub mod prime;
pub mod public_key;
mod signature;

#[cfg(test)]
pub(crate) mod testing;
