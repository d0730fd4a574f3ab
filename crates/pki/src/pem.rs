//! PEM (RFC 7468).

use der::pem::{self, LineEnding};

use super::error::Error;

/// The label of a certificate (RFC 7468, section 5).
pub const CERTIFICATE: &str = "CERTIFICATE";
/// The label of a PKCS#10 CertificationRequest (RFC 7468, section 7).
pub const CERTIFICATE_REQUEST: &str = "CERTIFICATE REQUEST";
/// What older programs, keytool among them, label a CertificationRequest with (RFC 7468, section 7).
pub const NEW_CERTIFICATE_REQUEST: &str = "NEW CERTIFICATE REQUEST";
/// The label of a CMS structure (RFC 7468, section 9).
pub const CMS: &str = "CMS";
/// The label of a PKCS#8 EncryptedPrivateKeyInfo (RFC 7468, section 11).
pub const ENCRYPTED_PRIVATE_KEY: &str = "ENCRYPTED PRIVATE KEY";

/// Encodes `der` under `label`, with a newline at the end.
pub fn encode(label: &'static str, der: &[u8]) -> Result<String, Error> {
    pem::encode_string(label, LineEnding::LF, der).map_err(Error::encoding(label))
}

/// Decodes every block with `label` in `text`, in order; what stands between the blocks is passed over.
///
/// Text without such a block is an error.
pub fn decode_all(label: &'static str, text: &str) -> Result<Vec<Vec<u8>>, Error> {
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, from_begin)) = rest.split_once(&begin) {
        let (body, after) = from_begin.split_once(&end).ok_or(Error::MalformedPem(label))?;
        let block = format!("{begin}{body}{end}\n");
        let (_, der) = pem::decode_vec(block.as_bytes()).map_err(|_| Error::MalformedPem(label))?;
        blocks.push(der);
        rest = after;
    }
    if blocks.is_empty() {
        return Err(Error::MalformedPem(label));
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    #[test]
    fn blocks_are_read_in_order() {
        let text = format!(
            "leaf\n{}\r\nissuer\n{}",
            encode(CERTIFICATE, &[1; 100]).unwrap(),
            encode(CERTIFICATE, &[2; 3]).unwrap()
        );
        assert_eq!(decode_all(CERTIFICATE, &text).unwrap(), [vec![1; 100], vec![2; 3]]);
    }

    #[test]
    fn other_texts_are_refused() {
        let good = encode(CERTIFICATE, &[1; 100]).unwrap();
        for bad in [
            String::new(),
            encode(CERTIFICATE_REQUEST, &[1]).unwrap(),
            good.replace("-----END CERTIFICATE-----", ""),
            good.replace("AQEB", "A*EB"),
        ] {
            assert_eq!(decode_all(CERTIFICATE, &bad), Err(Error::MalformedPem(CERTIFICATE)));
        }
    }
}
