//! What users need to trust the CA, besides its certificates.

use std::fs;

use keyside_core::api::{CA_PATH, CaCertificates, DocumentKind};
use keyside_pki::pem;
use serde_json::Value;

use crate::harness::Site;

/// The certificate of another CA.
const RETIRED: &[u8] = include_bytes!("../../../tests/vectors/certification_path/root.der");

#[tokio::test]
async fn documents_and_retired_cas_stand_beside_the_certificates() {
    let site = Site::new();
    let path = site.path("retired.pem");
    fs::write(&path, pem::encode(pem::CERTIFICATE, RETIRED).unwrap()).unwrap();
    let site = site.edit(|config| {
        let retired = config["trust"]["retired"][0].as_table_mut().unwrap();
        retired.insert("certificate_file".into(), path.display().to_string().into());
    });
    let gateway = site.start(&[]);

    let json: Value = gateway.get(CA_PATH).await.json().await.unwrap();
    assert_eq!(json["documents"][1]["kind"], "practice-statement");
    let ca: CaCertificates = serde_json::from_value(json).unwrap();
    let kinds: Vec<_> = ca.documents.iter().map(|document| document.kind).collect();
    let statement = Some(DocumentKind::PracticeStatement);
    assert_eq!(kinds, [Some(DocumentKind::Policy), statement, statement, Some(DocumentKind::Agreement)]);
    assert_eq!(ca.documents[0].title, "Certificate Policy");
    assert_eq!(ca.documents[0].url, "https://www.example.com/pki/certificate-policy.pdf");

    assert_eq!(ca.retired.len(), 1);
    assert_eq!(ca.retired[0].name, "Example Grid Operator Issuing CA (SHA-1)");
    assert_eq!(ca.retired[0].ended, "November 2024");
    assert!(ca.retired[0].note.contains("no longer accepted"));
    let certificate = ca.retired[0].certificate.clone().unwrap();
    assert_eq!(certificate.0, RETIRED);
    assert!(![ca.trust_anchors, ca.intermediates].concat().contains(&certificate), "it is trusted no longer");
}
