//! Full PKI Requests (RFC 5272, section 3.2.1.2): a CertificationRequest that the holder of another certificate has signed.
//!
//! SignedData (RFC 5652, section 5) around PKIData (RFC 5272, section 3.2.1). A renewal is asked for in this way: whoever
//! holds the current certificate vouches for the new request. No controls are written, and none are understood.

use cms::cert::IssuerAndSerialNumber;
use cms::content_info::ContentInfo;
use cms::signed_data::{EncapsulatedContentInfo, SignedAttributes, SignedData, SignerIdentifier, SignerInfo};
use der::asn1::{Any, ObjectIdentifier, OctetString, OctetStringRef};
use der::oid::db::rfc5911::{ID_CONTENT_TYPE, ID_MESSAGE_DIGEST, ID_SIGNED_DATA};
use der::oid::db::rfc5912::{
    ID_SHA_256, ID_SHA_384, ID_SHA_512, RSA_ENCRYPTION, SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION,
    SHA_512_WITH_RSA_ENCRYPTION,
};
use der::{Choice, Decode, Encode, Sequence};
use rand::CryptoRng;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::certificate::{Certificate, TbsCertificate};
use super::error::Error;
use super::key_pair::KeyPair;
use super::name::{self, Name};
use super::{certification_request, certs_only, signature};
use crate::element::{CONTEXT_0, Elements, OCTET_STRING, SEQUENCE, SET, element, integer, oid, set_of};

const STRUCTURE: &str = "full PKI request";

/// id-cct-PKIData (RFC 5272, section 3.2.1).
const PKI_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.12.2");

/// PKIData (RFC 5272, section 3.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct PkiData {
    control_sequence: Vec<Any>,
    req_sequence: Vec<TaggedRequest>,
    cms_sequence: Vec<Any>,
    other_msg_sequence: Vec<Any>,
}

/// TaggedRequest (RFC 5272, section 3.2.1.2), as far as PKCS#10 goes.
#[derive(Clone, Debug, PartialEq, Eq, Choice)]
enum TaggedRequest {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true")]
    Tcr(TaggedCertificationRequest),
}

/// TaggedCertificationRequest (RFC 5272, section 3.2.1.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct TaggedCertificationRequest {
    body_part_id: u32,
    certification_request: Any,
}

/// Signs `certification_request`, DER, with the key of `certificate`, DER, which goes along. `rng` blinds the signature. Returns DER.
pub fn build(
    certification_request: &[u8],
    certificate: &[u8],
    key_pair: &KeyPair,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, Error> {
    let certificate_parts = TbsCertificate::of(certificate)?;
    let none = element(SEQUENCE, &[]);
    // The request has the body part ID 1.
    let tagged_request = element(CONTEXT_0, &[&integer(1), certification_request]);
    let pki_data = element(SEQUENCE, &[&none, &element(SEQUENCE, &[&tagged_request]), &none, &none]);
    let signed_attributes = signed_attributes(&Sha256::digest(&pki_data));
    let signature = key_pair.sign(&signed_attributes, rng)?;
    let digest_algorithm = element(SEQUENCE, &[&oid(ID_SHA_256)]);
    // IMPLICIT: another tag in the place of SET.
    let attributes = Elements::of(&signed_attributes).next(SET).map(<[u8]>::to_vec);
    let signer_info = element(
        SEQUENCE,
        &[
            &integer(1),
            &element(SEQUENCE, &[certificate_parts.issuer, certificate_parts.serial_number]),
            &digest_algorithm,
            &element(CONTEXT_0, &[&attributes.map_err(Error::encoding(STRUCTURE))?]),
            &certification_request::signature_algorithm(),
            &element(OCTET_STRING, &[&signature]),
        ],
    );
    let content = element(CONTEXT_0, &[&element(OCTET_STRING, &[&pki_data])]);
    let signed_data = element(
        SEQUENCE,
        &[
            // RFC 5652, section 5.1: 3 wherever the content is not of type Data.
            &integer(3),
            &set_of(vec![digest_algorithm.clone()]),
            &element(SEQUENCE, &[&oid(PKI_DATA), &content]),
            &element(CONTEXT_0, &[certificate]),
            &set_of(vec![signer_info]),
        ],
    );
    Ok(element(SEQUENCE, &[&oid(ID_SIGNED_DATA), &element(CONTEXT_0, &[&signed_data])]))
}

/// What is signed: the content's type, and its digest (RFC 5652, sections 11.1 and 11.2).
fn signed_attributes(digest: &[u8]) -> Vec<u8> {
    let attribute = |name, value| element(SEQUENCE, &[&oid(name), &set_of(vec![value])]);
    set_of(vec![
        attribute(ID_CONTENT_TYPE, oid(PKI_DATA)),
        attribute(ID_MESSAGE_DIGEST, element(OCTET_STRING, &[digest])),
    ])
}

/// True if `wanted` names this certificate (RFC 5652, section 10.2.4).
fn is_named_by(certificate: &Certificate, wanted: &IssuerAndSerialNumber) -> bool {
    let serial_number = wanted.serial_number.as_bytes();
    let serial_number = serial_number.strip_prefix(&[0]).unwrap_or(serial_number);
    let issuer = wanted.issuer.to_der().and_then(|der| Name::from_der(&der));
    issuer.is_ok_and(|issuer| name::is_match(certificate.issuer(), &issuer))
        && certificate.serial_number() == serial_number
}

/// A full PKI request that was read: one CertificationRequest, signed by the holder of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullPkiRequest {
    der: Vec<u8>,
    content: Vec<u8>,
    signer_info: SignerInfo,
    signer: Certificate,
    certification_request: Vec<u8>,
}

impl FullPkiRequest {
    /// Its DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Reads DER, to the last byte. What it says is not verified.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let malformed = Error::malformed(STRUCTURE);
        let info = ContentInfo::from_der(der).map_err(&malformed)?;
        if info.content_type != ID_SIGNED_DATA {
            return Err(Error::Unexpected { structure: STRUCTURE, what: "it is no SignedData" });
        }
        let signed_data: SignedData = info.content.decode_as().map_err(&malformed)?;
        let EncapsulatedContentInfo { econtent_type: PKI_DATA, econtent: Some(content) } =
            &signed_data.encap_content_info
        else {
            return Err(Error::Unexpected { structure: STRUCTURE, what: "its content is no PKIData" });
        };
        let content = content.decode_as::<&OctetStringRef>().map_err(&malformed)?.as_bytes().to_vec();
        let [signer_info] = signed_data.signer_infos.0.as_slice() else {
            return Err(Error::Unexpected { structure: STRUCTURE, what: "it has not exactly one signer" });
        };
        // As they came, and not as `signed_data` would encode them.
        let signer = signer(&certs_only::decode(der)?.certificates, signer_info)?;
        let PkiData { control_sequence, req_sequence, cms_sequence, other_msg_sequence } =
            PkiData::from_der(&content).map_err(&malformed)?;
        if !(control_sequence.is_empty() && cms_sequence.is_empty() && other_msg_sequence.is_empty()) {
            return Err(Error::Unexpected { structure: STRUCTURE, what: "it has controls, which are not understood" });
        }
        let [TaggedRequest::Tcr(request)] = req_sequence.as_slice() else {
            return Err(Error::Unexpected { structure: STRUCTURE, what: "it has not exactly one request" });
        };
        let certification_request = request.certification_request.to_der().map_err(&malformed)?;
        Ok(Self { der: der.to_vec(), content, signer_info: signer_info.clone(), signer, certification_request })
    }

    /// The certificate whose holder has signed.
    pub fn signer(&self) -> &Certificate {
        &self.signer
    }

    /// The PKCS#10 CertificationRequest, DER.
    pub fn certification_request(&self) -> &[u8] {
        &self.certification_request
    }

    /// Verifies the signature with the signer's public key (RFC 5652, section 5.6).
    pub fn verify(&self) -> Result<(), Error> {
        let attributes = self.signer_info.signed_attrs.as_ref().ok_or(Error::SignatureInvalid)?;
        if attribute::<ObjectIdentifier>(attributes, ID_CONTENT_TYPE)? != PKI_DATA {
            return Err(Error::SignatureInvalid);
        }
        let (digest, with_rsa) = match self.signer_info.digest_alg.oid {
            ID_SHA_256 => (Sha256::digest(&self.content).to_vec(), SHA_256_WITH_RSA_ENCRYPTION),
            ID_SHA_384 => (Sha384::digest(&self.content).to_vec(), SHA_384_WITH_RSA_ENCRYPTION),
            ID_SHA_512 => (Sha512::digest(&self.content).to_vec(), SHA_512_WITH_RSA_ENCRYPTION),
            other => return Err(Error::UnsupportedAlgorithm(other)),
        };
        if attribute::<OctetString>(attributes, ID_MESSAGE_DIGEST)?.as_bytes() != digest {
            return Err(Error::SignatureInvalid);
        }
        let mut algorithm = self.signer_info.signature_algorithm.clone();
        // RFC 3370, section 3.2: the algorithm may leave the digest to the field beside it.
        if algorithm.oid == RSA_ENCRYPTION {
            algorithm.oid = with_rsa;
        }
        if algorithm.oid != with_rsa {
            return Err(Error::SignatureInvalid);
        }
        // RFC 5652, section 5.4: what is signed is their DER under the tag of a SET OF, however they were sent.
        let signed = attributes.to_der().map_err(Error::malformed(STRUCTURE))?;
        let algorithm = algorithm.to_der().map_err(Error::malformed(STRUCTURE))?;
        let public_key = self.signer.subject_public_key_info();
        signature::verify(public_key, &algorithm, &signed, self.signer_info.signature.as_bytes())
    }
}

/// The signer's certificate among those that came along, each DER.
fn signer(certificates: &[Vec<u8>], signer_info: &SignerInfo) -> Result<Certificate, Error> {
    let missing = Error::Unexpected { structure: STRUCTURE, what: "the signer's certificate is missing" };
    let SignerIdentifier::IssuerAndSerialNumber(wanted) = &signer_info.sid else {
        return Err(missing);
    };
    let certificates = certificates.iter().filter_map(|der| Certificate::from_der(der).ok());
    certificates.into_iter().find(|certificate| is_named_by(certificate, wanted)).ok_or(missing)
}

/// The value of the attribute `oid`, which stands there once with one value (RFC 5652, section 11).
fn attribute<'a, T: der::DecodeValue<'a> + der::FixedTag + 'a>(
    attributes: &'a SignedAttributes,
    oid: ObjectIdentifier,
) -> Result<T, Error>
where
    <T as der::DecodeValue<'a>>::Error: Into<der::Error>,
{
    let mut found = attributes.iter().filter(|attribute| attribute.oid == oid);
    match (found.next().map(|attribute| attribute.values.as_slice()), found.next()) {
        (Some([value]), None) => value
            .decode_as()
            .map_err(|error: <T as der::DecodeValue<'a>>::Error| Error::malformed(STRUCTURE)(error.into())),
        _ => Err(Error::SignatureInvalid),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use super::*;
    use crate::testing::{self, NOW, YEAR, authority, key_pair, spki_of};

    /// A request for a new key, and the certificate of the old one.
    fn request_and_certificate() -> (Vec<u8>, Certificate) {
        let name = "CN=Ada Example,O=Example,C=US";
        let new = testing::new_key_pair();
        let request =
            certification_request::build(&new, &testing::name(name), "ada@example.com", &mut rand::rng()).unwrap();
        let certificate = authority().certify(name.parse().unwrap(), spki_of(&key_pair()), NOW, NOW + YEAR);
        (request, Certificate::from_der(&certificate).unwrap())
    }

    #[test]
    fn what_is_signed_comes_back_and_verifies() {
        let (request, certificate) = request_and_certificate();
        let der = build(&request, certificate.der(), &key_pair(), &mut rand::rng()).unwrap();
        let read = FullPkiRequest::from_der(&der).unwrap();
        assert_eq!(read.certification_request(), request);
        assert_eq!(read.signer(), &certificate);
        assert_eq!(read.verify(), Ok(()));
    }

    #[test]
    fn the_signature_of_another_key_does_not_verify() {
        let (request, certificate) = request_and_certificate();
        let other = testing::new_key_pair();
        let der = build(&request, certificate.der(), &other, &mut rand::rng()).unwrap();
        assert_eq!(FullPkiRequest::from_der(&der).unwrap().verify(), Err(Error::SignatureInvalid));
    }

    #[test]
    fn nothing_that_counts_can_be_changed() {
        let (request, certificate) = request_and_certificate();
        let der = build(&request, certificate.der(), &key_pair(), &mut rand::rng()).unwrap();
        let mut refused = 0;
        for at in 0..der.len() {
            let mut changed = der.clone();
            changed[at] ^= 1;
            match FullPkiRequest::from_der(&changed).and_then(|read| read.verify().map(|()| read)) {
                Ok(read) => assert!(
                    read.certification_request() == request || read.signer() != &certificate,
                    "byte {at} of {}",
                    der.len()
                ),
                Err(_) => refused += 1,
            }
        }
        // What may change without notice: the signer's certificate, which its issuer vouches for, and version numbers.
        assert!(refused + certificate.der().len() + 40 > der.len(), "{refused} of {} refused", der.len());
    }

    #[test]
    fn other_structures_are_refused() {
        let (request, certificate) = request_and_certificate();
        let der = build(&request, certificate.der(), &key_pair(), &mut rand::rng()).unwrap();
        for bad in [&[][..], &request, certificate.der(), &der[..der.len() - 1], &[&der[..], &[0]].concat()] {
            assert!(FullPkiRequest::from_der(bad).is_err());
        }
        let certs_only = super::super::certs_only::encode(&[certificate.der()]).unwrap();
        assert!(matches!(FullPkiRequest::from_der(&certs_only), Err(Error::Unexpected { .. })));
    }
}
