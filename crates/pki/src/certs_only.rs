//! Certs-only CMS SignedData (RFC 5652, section 5; RFC 8551, section 3.8): a chain as a `.p7c` or `.p7b` file.

use der::oid::db::rfc5911::{ID_DATA, ID_SIGNED_DATA};

use super::ber;
use super::error::Error;
use crate::certificate::Certificate;
use crate::element::{CONTEXT_0, Elements, INTEGER, SEQUENCE, SET, element, integer, oid};

const STRUCTURE: &str = "certs-only SignedData";

/// The version of a SignedData that holds certificates alone (RFC 5652, section 5.1).
const VERSION: u32 = 1;
/// The tag of a constructed `[1]`: the CRLs.
const CONTEXT_1: u8 = 0xA1;

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
///
/// They come out as the bytes that they are, unless a length around them is indefinite: only then is the file made DER.
pub fn decode(bytes: &[u8]) -> Result<Contents, Error> {
    let made_der = |_| ber::to_der(bytes).and_then(|der| read(&der));
    read(bytes).or_else(made_der).map_err(Error::malformed(STRUCTURE))
}

fn read(bytes: &[u8]) -> der::Result<Contents> {
    let mut info = Elements::within(SEQUENCE, bytes)?;
    let content_type = info.next_oid()?;
    if content_type != ID_SIGNED_DATA {
        return Err(der::ErrorKind::OidUnknown { oid: content_type }.into());
    }
    let mut signed_data = Elements::within(SEQUENCE, info.next(CONTEXT_0)?)?;
    info.finish()?;
    // version, digestAlgorithms, encapContentInfo
    signed_data.next(INTEGER)?;
    signed_data.next(SET)?;
    signed_data.next(SEQUENCE)?;
    let mut contents = Contents::default();
    for part in signed_data {
        let part = part?;
        match part.tag {
            CONTEXT_0 => contents.certificates = each(part.contents)?,
            CONTEXT_1 => contents.crls = each(part.contents)?,
            // signerInfos
            _ => {}
        }
    }
    Ok(contents)
}

/// The elements that `contents` are, each whole.
fn each(contents: &[u8]) -> der::Result<Vec<Vec<u8>>> {
    Elements::of(contents).map(|element| Ok(element?.whole.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use cms::cert::CertificateChoices;
    use cms::content_info::ContentInfo;
    use cms::signed_data::SignedData;
    use der::{Decode, Encode};

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
    /// A signature is over the bytes that came: a certificate that was changed on the way would pass for a forged one.
    #[test]
    fn a_certificate_with_a_length_that_is_not_der_comes_out_as_it_went_in() {
        let leaf = include_bytes!("../../../tests/vectors/certification_path/leaf.der");
        let mut parts = Elements::within(SEQUENCE, leaf).unwrap();
        let signed = parts.next(SEQUENCE).unwrap();
        let length = u32::try_from(signed.len()).unwrap().to_be_bytes();
        let signed = [&[SEQUENCE, 0x84], &length[..], signed].concat();
        let odd = element(SEQUENCE, &[&signed, parts.next_whole().unwrap(), parts.next_whole().unwrap()]);
        assert_eq!(decode(&encode(&[&odd]).unwrap()).unwrap().certificates, [odd]);
    }
}
