//! Files of certificates alone, without a key.

use crate::domain::base64_bytes::Base64Bytes;
use crate::domain::device::FileFormat;
use crate::pki::error::Error;
use crate::pki::{certs_only, pem};

/// The contents of a file of this certification path, leaf first. DER holds the leaf alone.
pub fn encode(format: FileFormat, certification_path: &[Base64Bytes]) -> Result<Vec<u8>, Error> {
    let chain: Vec<&[u8]> = certification_path.iter().map(|der| der.0.as_slice()).collect();
    match format {
        FileFormat::Pem => {
            let blocks: Result<String, Error> = chain.iter().map(|der| pem::encode(pem::CERTIFICATE, der)).collect();
            blocks.map(String::into_bytes)
        }
        FileFormat::Der => Ok(chain.first().map(|leaf| leaf.to_vec()).unwrap_or_default()),
        FileFormat::P7b => certs_only::encode(&chain),
    }
}

/// The file's media type, by which browsers know what to do with it.
pub fn media_type(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Pem => "application/x-pem-file",
        FileFormat::Der => "application/pkix-cert",
        FileFormat::P7b => "application/x-pkcs7-certificates",
    }
}

/// The file's extension, by which systems know what to do with it.
pub fn extension(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Pem => "pem",
        FileFormat::Der => "cer",
        FileFormat::P7b => "p7b",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use super::*;
    use crate::service::testing::collected;

    #[test]
    fn each_format_holds_what_it_should() {
        let path = collected().certification_path.unwrap();
        let text = String::from_utf8(encode(FileFormat::Pem, &path).unwrap()).unwrap();
        let blocks: Vec<Base64Bytes> =
            pem::decode_all(pem::CERTIFICATE, &text).unwrap().into_iter().map(Base64Bytes).collect();
        assert_eq!(blocks, path);
        assert_eq!(encode(FileFormat::Der, &path).unwrap(), path[0].0);
        let ders: Vec<&[u8]> = path.iter().map(|der| der.0.as_slice()).collect();
        assert_eq!(encode(FileFormat::P7b, &path).unwrap(), certs_only::encode(&ders).unwrap());
        assert!(encode(FileFormat::P7b, &[Base64Bytes(b"nonsense".to_vec())]).is_err());
    }
}
