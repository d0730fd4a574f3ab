//! Certs-only CMS SignedData (RFC 5652, section 5; RFC 8551, section 3.8): a chain as a `.p7c` or `.p7b` file.

use cms::content_info::ContentInfo;
use der::oid::db::rfc5911::{ID_DATA, ID_SIGNED_DATA};
use der::{AnyRef, Decode, Reader, SliceReader, Tag, TagNumber, Tagged};

use super::ber;
use super::error::Error;
use crate::certificate::Certificate;
use crate::element::{CONTEXT_0, SEQUENCE, SET, element, integer, oid};

const STRUCTURE: &str = "certs-only SignedData";

/// The version of a SignedData that holds certificates alone (RFC 5652, section 5.1).
const VERSION: u32 = 1;

/// Encodes `certificates`, each DER. They go in as the bytes that they are: encoded once more, some would no longer be what was signed. The
/// set's order is DER's, not the chain's.
pub fn encode(certificates: &[&[u8]]) -> Result<Vec<u8>, Error> {
    for der in certificates {
        Certificate::from_der(der)?;
    }
    // The order of a SET OF (X.690, section 11.6).
    let mut certificates = certificates.to_vec();
    certificates.sort_unstable();
    let empty_set = element(SET, &[]);
    let signed_data = element(
        SEQUENCE,
        &[
            &integer(VERSION),
            &empty_set,
            &element(SEQUENCE, &[&oid(ID_DATA)]),
            &element(CONTEXT_0, &certificates),
            &empty_set,
        ],
    );
    Ok(element(SEQUENCE, &[&oid(ID_SIGNED_DATA), &element(CONTEXT_0, &[&signed_data])]))
}

/// What is in a SignedData.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The certificates, each DER, in the file's order.
    pub certificates: Vec<Vec<u8>>,
    /// The CRLs, each DER, in the file's order.
    pub crls: Vec<Vec<u8>>,
}

/// Reads the certificates and CRLs of a SignedData, DER or BER. Whether something is signed by it besides does not matter.
pub fn decode(bytes: &[u8]) -> Result<Contents, Error> {
    ber::to_der(bytes).and_then(|der| read(&der)).map_err(Error::malformed(STRUCTURE))
}

fn read(der: &[u8]) -> der::Result<Contents> {
    let info = ContentInfo::from_der(der)?;
    if info.content_type != ID_SIGNED_DATA {
        return Err(der::ErrorKind::OidUnknown { oid: info.content_type }.into());
    }
    info.content.sequence(|reader| {
        let _version: u8 = reader.decode()?;
        let _digest_algorithms: AnyRef<'_> = reader.decode()?;
        let _encapsulated_content: AnyRef<'_> = reader.decode()?;
        let mut contents = Contents::default();
        while !reader.is_finished() {
            let part: AnyRef<'_> = reader.decode()?;
            match part.tag() {
                Tag::ContextSpecific { number: TagNumber(0), .. } => contents.certificates = elements(part.value())?,
                Tag::ContextSpecific { number: TagNumber(1), .. } => contents.crls = elements(part.value())?,
                _ => (),
            }
        }
        Ok(contents)
    })
}

/// The elements that stand one after the other in `der`, each with its header.
fn elements(der: &[u8]) -> der::Result<Vec<Vec<u8>>> {
    let mut reader = SliceReader::new(der)?;
    let mut elements = Vec::new();
    while !reader.is_finished() {
        elements.push(reader.tlv_bytes()?.to_vec());
    }
    Ok(elements)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use cms::cert::CertificateChoices;
    use cms::signed_data::SignedData;
    use der::Encode;

    use super::*;

    #[test]
    fn every_certificate_is_in_it_and_nothing_else() {
        let chain: [&[u8]; 3] = [
            include_bytes!("../../../tests/vectors/certification_path/leaf.der"),
            include_bytes!("../../../tests/vectors/certification_path/issuing.der"),
            include_bytes!("../../../tests/vectors/certification_path/root.der"),
        ];
        let info = ContentInfo::from_der(&encode(&chain).unwrap()).unwrap();
        assert_eq!(info.content_type, ID_SIGNED_DATA);
        let signed_data: SignedData = info.content.decode_as().unwrap();
        assert_eq!(signed_data.signer_infos.0.len(), 0);
        assert_eq!(signed_data.encap_content_info.econtent, None);
        let mut inside: Vec<Vec<u8>> = signed_data
            .certificates
            .unwrap()
            .0
            .iter()
            .map(|choice| match choice {
                CertificateChoices::Certificate(certificate) => certificate.to_der().unwrap(),
                CertificateChoices::Other(_) => Vec::new(),
            })
            .collect();
        let mut expected = chain.map(<[u8]>::to_vec);
        inside.sort();
        expected.sort();
        assert_eq!(inside, expected);
    }

    #[test]
    fn what_is_no_certificate_is_named() {
        assert!(matches!(encode(&[b"nonsense"]), Err(Error::Malformed { structure: "Certificate", .. })));
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        let leaf: &[u8] = include_bytes!("../../../tests/vectors/certification_path/leaf.der");
        let root: &[u8] = include_bytes!("../../../tests/vectors/certification_path/root.der");
        let contents = decode(&encode(&[leaf, root]).unwrap()).unwrap();
        assert_eq!(contents.certificates.len(), 2);
        assert!(contents.certificates.iter().all(|der| der == leaf || der == root));
        assert!(contents.crls.is_empty());
        assert_eq!(decode(&encode(&[]).unwrap()), Ok(Contents::default()));
        for other in [leaf, b"", include_bytes!("../../../tests/vectors/pfx/openssl.p12")] {
            assert!(matches!(decode(other), Err(Error::Malformed { structure: STRUCTURE, .. })));
        }
    }
}
