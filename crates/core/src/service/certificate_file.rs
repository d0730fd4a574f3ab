//! Files of certificates alone, without a key.

use keyside_pki::error::Error;
use keyside_pki::{certs_only, pem};

use crate::domain::base64_bytes::Base64Bytes;
use crate::domain::device::FileFormat;
use crate::ports::{KeyWorker, WorkerError};

/// The contents of a file of this certification path, leaf first. DER holds the leaf alone.
pub fn encode(format: FileFormat, certification_path: &[Base64Bytes]) -> Result<Vec<u8>, Error> {
    match format {
        FileFormat::Pem => pem_text(certification_path),
        FileFormat::Der => Ok(leaf(certification_path)),
        FileFormat::P7b => {
            let chain: Vec<&[u8]> = certification_path.iter().map(|der| der.0.as_slice()).collect();
            certs_only::encode(&chain)
        }
    }
}

/// The same, with P7B made by the worker: the code for it is large, and the page has no other use for it.
pub async fn encode_by(
    worker: &impl KeyWorker,
    format: FileFormat,
    certification_path: &[Base64Bytes],
) -> Result<Vec<u8>, WorkerError> {
    match format {
        FileFormat::Pem => pem_text(certification_path).map_err(|error| WorkerError::Failed(error.into())),
        FileFormat::Der => Ok(leaf(certification_path)),
        FileFormat::P7b => worker.certs_only(certification_path.to_vec()).await,
    }
}

/// PEM blocks, one after the other.
fn pem_text(certification_path: &[Base64Bytes]) -> Result<Vec<u8>, Error> {
    let blocks: Result<String, Error> =
        certification_path.iter().map(|der| pem::encode(pem::CERTIFICATE, &der.0)).collect();
    blocks.map(String::into_bytes)
}

fn leaf(certification_path: &[Base64Bytes]) -> Vec<u8> {
    certification_path.first().map(|leaf| leaf.0.clone()).unwrap_or_default()
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

    use pollster::block_on;

    use super::*;
    use crate::ports::memory::MemoryWorker;
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
        let worker = MemoryWorker::default();
        for format in [FileFormat::Pem, FileFormat::Der, FileFormat::P7b] {
            assert_eq!(block_on(encode_by(&worker, format, &path)), Ok(encode(format, &path).unwrap()));
        }
        let nonsense = [Base64Bytes(b"nonsense".to_vec())];
        assert!(matches!(block_on(encode_by(&worker, FileFormat::P7b, &nonsense)), Err(WorkerError::Failed(_))));
    }
}
