//! PEM (RFC 7468).

use base64ct::{Base64, Encoding};
use der::pem::{self, LineEnding};
use zeroize::Zeroizing;

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

/// A block of PEM, whatever its label.
pub struct Block {
    /// What its lines say that it is.
    pub label: String,
    /// The headers above the base64 (RFC 1421, section 4.6), which OpenSSL's old format of encrypted keys has.
    pub headers: String,
    /// The bytes, unless they are not base64; wiped when dropped.
    pub der: Option<Zeroizing<Vec<u8>>>,
}

/// Every block in `text`, in order, however long its lines are; what stands between the blocks is passed over.
pub fn blocks(text: &str) -> Vec<Block> {
    const DASHES: &str = "-----";
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
        rest = begun;
        let Some((label, after)) = begun.split_once(DASHES) else { break };
        // Up to the next block alone: a text of many beginnings is not searched to its end for each.
        let own = after.find("-----BEGIN ").map_or(after, |next| after.split_at(next).0);
        let Some((body, _)) = own.split_once(&format!("-----END {label}{DASHES}")) else { continue };
        let (headers, base64) = if body.contains(':') { split_headers(body) } else { ("", body) };
        blocks.push(Block { label: label.to_owned(), headers: headers.trim().to_owned(), der: decode_base64(base64) });
        rest = after.split_at(body.len()).1;
    }
    blocks
}

/// What a text of base64 alone stands for: PEM without the lines around it.
pub fn unlabelled(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    decode_base64(text).filter(|der| !der.is_empty())
}

/// Decodes base64 with whatever white space in it.
fn decode_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut base64 = Zeroizing::new(String::with_capacity(text.len()));
    base64.extend(text.chars().filter(|c| !c.is_whitespace()));
    Base64::decode_vec(&base64).ok().map(Zeroizing::new)
}

/// Parts at the empty line that ends the headers.
fn split_headers(body: &str) -> (&str, &str) {
    body.split_once("\n\n").or_else(|| body.split_once("\r\n\r\n")).unwrap_or((body, ""))
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

    #[test]
    fn blocks_of_every_label_are_found() {
        let text = format!(
            "Bag Attributes: none\n{}\r\n-----BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\n\
             DEK-Info: AES-256-CBC,00\r\n\r\nAQ\r\nIDBA==\r\n-----END RSA PRIVATE KEY-----\n\
             -----BEGIN NOTHING-----\nA*==\n-----END NOTHING-----\n-----BEGIN CUT-----\nAQ==\n{}",
            encode(CERTIFICATE, &[1; 100]).unwrap(),
            encode(CERTIFICATE_REQUEST, &[2]).unwrap()
        );
        let blocks = blocks(&text);
        let found: Vec<_> =
            blocks.iter().map(|block| (&*block.label, block.der.as_ref().map(|der| der.to_vec()))).collect();
        assert_eq!(
            found,
            [
                (CERTIFICATE, Some(vec![1; 100])),
                ("RSA PRIVATE KEY", Some(vec![1, 2, 3, 4])),
                ("NOTHING", None),
                (CERTIFICATE_REQUEST, Some(vec![2])),
            ]
        );
        let headers: Vec<_> = blocks.iter().map(|block| &*block.headers).collect();
        assert_eq!(headers, ["", "Proc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-256-CBC,00", "", ""]);
        for text in ["", "-----BEGIN ", "-----BEGIN A-----", "-----BEGIN A-----\n-----END B-----"] {
            assert!(super::blocks(text).is_empty(), "{text}");
        }
    }
}
