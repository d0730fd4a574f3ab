//! Signatures of certificates and requests, judged by Keyside and by OpenSSL. Keyside accepts none that OpenSSL refuses, and refuses one that
//! OpenSSL accepts only for a listed reason.
//!
//! An input is a certificate and its issuer, or a request. The number of a way to sign may follow. The structure is then signed again.
#![no_main]

use keyside_fuzz::openssl_verdict::{self, Signature};
use keyside_fuzz::signer::Kind;
use keyside_fuzz::{input, vectors};
use keyside_pki::certificate::Certificate;
use keyside_pki::certification_request::CertificationRequest;
use keyside_pki::element::{Elements, SEQUENCE};
use keyside_pki::error::Error;

/// The algorithm of a signed structure, whole, and the contents of its object identifier.
fn algorithm(der: &[u8]) -> der::Result<(&[u8], &[u8])> {
    let mut parts = Elements::within(SEQUENCE, der)?;
    parts.next_whole()?;
    let whole = parts.next_whole()?;
    Ok((whole, Elements::within(SEQUENCE, whole)?.next(keyside_pki::element::OBJECT_IDENTIFIER)?))
}

/// True if Keyside may refuse what OpenSSL accepts, with this error.
fn is_listed(error: &Error, der: &[u8]) -> bool {
    match error {
        // SHA-1, MD5 and MD2 prove nothing, and OpenSSL leaves it to its security level to say so.
        Error::WeakAlgorithm(_)
        // Curves, hash functions and kinds of keys that no CA of the field uses.
        | Error::UnsupportedAlgorithm(_)
        // The time that a large key takes.
        | Error::KeyTooLarge(_)
        // Keys of unusual numbers: an even modulus, an exponent of 1, a size that the library does not take.
        | Error::UnusableKey(_)
        // Keys, parameters and lengths that are not DER.
        | Error::Malformed { .. } => true,
        // RFC 5758 and RFC 8410 have the parameters absent, RFC 4055 has them NULL; OpenSSL does not look at them.
        Error::SignatureInvalid => algorithm(der).is_ok_and(|(whole, id)| {
            let bare = keyside_pki::element::element(SEQUENCE, &[&keyside_pki::element::element(6, &[id])]);
            let with_null = keyside_pki::element::element(
                SEQUENCE,
                &[&keyside_pki::element::element(6, &[id]), keyside_pki::element::NULL],
            );
            whole != bare && whole != with_null
        }),
        _ => false,
    }
}

fn compare(der: &[u8], key: &[u8], keyside: &Result<(), Error>, openssl: Signature) {
    match (keyside, openssl) {
        (Ok(()), Signature::Invalid) => panic!("Keyside accepts a signature that OpenSSL refuses"),
        // Keyside reads structures that OpenSSL does not, such as those with an odd version or an attribute that is not a text.
        (Ok(()), Signature::NotRead) => {
            let verdict = openssl_verdict::bytes(der, key);
            assert!(verdict != Signature::Invalid, "Keyside accepts a signature that OpenSSL refuses over the bytes");
        }
        (Err(error), Signature::Valid) => {
            assert!(is_listed(error, der), "Keyside refuses a signature that OpenSSL accepts: {error}");
        }
        _ => {}
    }
}

keyside_fuzz::der_target!(|bytes: &[u8]| {
    let parts = input::parts(bytes);
    let (Some(&subject), issuer) = (parts.first(), parts.get(1)) else { return };
    let way = parts.get(2).and_then(|way| way.first());
    let way = way.and_then(|number| Kind::ALL.get(usize::from(*number)));
    let subject = match way.map(|way| way.sign_again(subject)) {
        Some(Ok(signed)) => signed,
        _ => subject.to_vec(),
    };
    if let Ok(request) = CertificationRequest::from_der(&subject) {
        let key = request.subject_public_key_info();
        compare(&subject, key, &request.verify(), openssl_verdict::certification_request(&subject, key));
    }
    let Ok(certificate) = Certificate::from_der(&subject) else { return };
    let given = issuer.and_then(|der| Certificate::from_der(der).ok());
    for issuer in given.iter().chain(&*vectors::INTERMEDIATES).chain(&*vectors::ROOTS) {
        let key = issuer.subject_public_key_info();
        let keyside = certificate.verify_signed_by(issuer);
        compare(&subject, key, &keyside, openssl_verdict::certificate(&subject, key));
        if way.is_some() {
            break;
        }
    }
});
