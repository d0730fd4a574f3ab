//! Certs-only CMS SignedData (RFC 5652, section 5; RFC 8551, section 3.8): a chain as a `.p7c` or `.p7b` file.

use cms::content_info::ContentInfo;
use der::{Decode, Encode};
use x509_cert::Certificate;

use super::error::Error;

const STRUCTURE: &str = "certs-only SignedData";

/// Encodes `certificates`, each DER. The set's order is DER's, not the chain's.
pub fn encode(certificates: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let certificates = certificates
        .iter()
        .map(|der| Certificate::from_der(der).map_err(Error::malformed("Certificate")))
        .collect::<Result<Vec<_>, _>>()?;
    ContentInfo::try_from(certificates).and_then(|info| info.to_der()).map_err(Error::encoding(STRUCTURE))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use cms::cert::CertificateChoices;
    use cms::signed_data::SignedData;
    use der::oid::db::rfc5911::ID_SIGNED_DATA;

    use super::*;

    #[test]
    fn every_certificate_is_in_it_and_nothing_else() {
        let chain: [&[u8]; 3] = [
            include_bytes!("../../tests/vectors/certification_path/leaf.der"),
            include_bytes!("../../tests/vectors/certification_path/issuing.der"),
            include_bytes!("../../tests/vectors/certification_path/root.der"),
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
}
