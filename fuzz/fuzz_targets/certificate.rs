//! Certificates: what is read of them agrees, a path holds together, and no change keeps a CA's signature.
#![no_main]

use keyside_core::device_names;
use keyside_core::domain::distinguished_name::common_name_of;
use keyside_fuzz::vectors::{AT, INTERMEDIATES, LEAF, ROOTS, is_signed_part_of_a_vector, signed_part};
use keyside_pki::certificate::{Certificate, TbsCertificate};
use keyside_pki::certification_path::{Purpose, build};
use keyside_pki::public_key::PublicKey;
use keyside_pki::{certs_only, file, name, pem};

/// The most bytes that a text has for each byte that it shows: an octet of Latin-1, escaped.
const EXPANSION: usize = 16;

fn check_description(certificate: &Certificate) {
    let most = EXPANSION * certificate.der().len();
    let summary = certificate.summary();
    assert!(summary.subject.len() <= most && summary.issuer.len() <= most);
    assert!(certificate.validity().0 == u64::try_from(summary.not_before).unwrap_or_default());
    let extensions = certificate.extensions();
    let names = extensions.subject_alt_names().ok().flatten().unwrap_or_default();
    let texts: usize = names.iter().flatten().map(|name| name.to_text().len()).sum();
    assert!(texts <= most + 64 * names.len());
    assert!(certificate.email_addresses().len() <= names.len());
    let _ = device_names::of(&common_name_of(certificate.subject()).unwrap_or_default(), &names);
    let _ = (extensions.key_usage(), extensions.extended_key_usages(), extensions.basic_constraints());
    let _ = (certificate.signature_algorithm(), certificate.may_authenticate_client());
    let _ = PublicKey::of(certificate.subject_public_key_info());
    assert!(!certificate.may_issue() || certificate.is_ca());
    // Two readers of one structure.
    let parts = TbsCertificate::of(certificate.der()).expect("a certificate has a TBSCertificate");
    assert_eq!(parts.subject_public_key_info, certificate.subject_public_key_info());
}

fn check_paths(certificate: &Certificate) {
    let this = std::slice::from_ref(certificate);
    for (leaf, intermediates, anchors) in [
        (certificate, &INTERMEDIATES[..], &ROOTS[..]),
        (&*LEAF, this, &ROOTS[..]),
        (&*LEAF, &INTERMEDIATES[..], this),
        (certificate, this, this),
    ] {
        for purpose in [Purpose::Any, Purpose::ClientAuthentication] {
            let Ok(path) = build(leaf, intermediates, anchors, AT, purpose) else { continue };
            assert_eq!(path.first(), Some(leaf));
            assert!(path.last().is_some_and(|last| anchors.contains(last)));
            for pair in path.windows(2) {
                assert!(name::is_match(pair[0].issuer(), pair[1].subject()));
                assert_eq!(pair[0].verify_signed_by(&pair[1]), Ok(()));
                assert!(pair[1].validity().0 <= AT && AT <= pair[1].validity().1);
            }
        }
    }
}

keyside_fuzz::der_target!(|der: &[u8]| {
    let Ok(certificate) = Certificate::from_der(der) else { return };
    assert_eq!(certificate.der(), der);
    check_description(&certificate);
    check_paths(&certificate);
    for issuer in INTERMEDIATES.iter().chain(&*ROOTS) {
        if certificate.verify_signed_by(issuer).is_ok() {
            assert!(signed_part(der).is_ok_and(is_signed_part_of_a_vector), "a signature fits a changed certificate");
        }
    }
    // Each file of it has it.
    let text = pem::encode(pem::CERTIFICATE, der).expect("certificates have a PEM");
    assert_eq!(file::certificates(text.as_bytes()).as_deref(), Ok(std::slice::from_ref(&certificate)));
    assert_eq!(file::certificates(der).as_deref(), Ok(std::slice::from_ref(&certificate)));
    let file = certs_only::encode(&[der]).expect("certificates have a certs-only SignedData");
    let decoded = certs_only::decode(&file).map(|contents| contents.certificates);
    assert_eq!(decoded.as_deref(), Ok(&[der.to_vec()][..]));
});
