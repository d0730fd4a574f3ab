//! The connection check's judgement: whether a client's certificate works here, and if not, what is wrong with it.

use keyside_core::api::{ConnectionCheck, ConnectionVerdict, ShownCertificate};
use keyside_pki::certificate::Certificate;
use keyside_pki::certification_path::{self, PathError, Purpose};

/// A TLS client, once the handshake is done.
#[derive(Clone, Debug)]
pub struct Client {
    /// The certificate that it showed, DER; it has the private key.
    pub certificate: Option<Vec<u8>>,
    /// The version of TLS that was agreed on.
    pub version: &'static str,
}

/// Judges the certificate that a client showed (DER), at the time `at` (seconds since 1970-01-01T00:00:00Z), by what is in it alone;
/// gives it too, if it can be read. The issuing CAs are known here, so that a client may leave its own out of its chain.
pub fn judge(
    shown: Option<&[u8]>,
    root: &Certificate,
    issuing: &[Certificate],
    at: u64,
) -> (ConnectionVerdict, Option<Certificate>) {
    match shown.map(Certificate::from_der) {
        None => (ConnectionVerdict::NoCertificate, None),
        Some(Err(_)) => (ConnectionVerdict::Unreadable, None),
        Some(Ok(certificate)) => (verdict(&certificate, root, issuing, at), Some(certificate)),
    }
}

/// The answer to `client`, once it is judged.
pub fn answer(client: &Client, verdict: ConnectionVerdict, certificate: Option<&Certificate>) -> ConnectionCheck {
    let (title, detail) = words(verdict);
    ConnectionCheck {
        certificate_shown: client.certificate.is_some(),
        verdict,
        title: title.into(),
        detail: detail.into(),
        tls_version: client.version.into(),
        certificate: certificate.map(shown),
    }
}

/// Whose it is counts first: the dates of another CA's certificate say nothing that helps.
fn verdict(certificate: &Certificate, root: &Certificate, issuing: &[Certificate], at: u64) -> ConnectionVerdict {
    let root = std::slice::from_ref(root);
    let path_at = |at| certification_path::build(certificate, issuing, root, at, Purpose::Any);
    let (not_before, not_after) = certificate.validity();
    // While it was, or will be, valid. One that never is has no such time, and no path.
    if path_at(at.max(not_before).min(not_after)).is_err() {
        let is_self_signed =
            certificate.names_as_issuer(certificate) && certificate.verify_signed_by(certificate).is_ok();
        return if is_self_signed { ConnectionVerdict::SelfSigned } else { ConnectionVerdict::AnotherAuthority };
    }
    match path_at(at) {
        Err(PathError::NotYetValid(_)) => ConnectionVerdict::NotYetValid,
        Err(PathError::Expired(_)) => ConnectionVerdict::Expired,
        Err(_) => ConnectionVerdict::AnotherAuthority,
        Ok(_) if !certificate.may_authenticate_client() => ConnectionVerdict::NotForClientAuthentication,
        Ok(_) => ConnectionVerdict::Works,
    }
}

/// What to say, and the way out.
fn words(verdict: ConnectionVerdict) -> (&'static str, &'static str) {
    match verdict {
        ConnectionVerdict::Works => (
            "This certificate works",
            "It is from this site's certification authority, it is valid now, and this program has its private key.",
        ),
        ConnectionVerdict::NoCertificate => (
            "No certificate was shown",
            "This program has none of this site's certification authority, or was told not to show it.",
        ),
        ConnectionVerdict::SelfSigned => (
            "This certificate is signed by itself",
            "No certification authority vouches for it. Choose the certificate that this site's certification authority issued to you.",
        ),
        ConnectionVerdict::AnotherAuthority => (
            "This certificate is from another certification authority",
            "It does not lead to this site's certification authority. Compare the issuer below, and choose the certificate that was issued to you here.",
        ),
        ConnectionVerdict::NotYetValid => (
            "This certificate is not valid yet",
            "Its first day is still to come: use it from then on. The times below are in UTC.",
        ),
        ConnectionVerdict::Expired => (
            "This certificate has expired",
            "If you have a newer one, choose that; the serial number tells them apart. Otherwise register for a new one.",
        ),
        ConnectionVerdict::Revoked => (
            "This certificate was revoked",
            "It is not accepted any more, and that cannot be undone. If you have another one, choose that; otherwise register for a new one.",
        ),
        ConnectionVerdict::NotForClientAuthentication => (
            "This certificate is not for logging in",
            "It was issued for another purpose: its key usage does not have client authentication. Choose another certificate, or register for one.",
        ),
        ConnectionVerdict::Unreadable => (
            "This certificate cannot be read",
            "It is not an X.509 certificate as RFC 5280 has it. Choose the certificate that was issued to you here.",
        ),
    }
}

/// What tells the certificate from all others.
fn shown(certificate: &Certificate) -> ShownCertificate {
    let summary = certificate.summary();
    ShownCertificate {
        subject: summary.subject,
        issuer: summary.issuer,
        serial_number: summary.serial_number,
        not_before: summary.not_before,
        not_after: summary.not_after,
        email_addresses: certificate.email_addresses(),
        sha256_fingerprint: summary.sha256_fingerprint,
        sha1_fingerprint: summary.sha1_fingerprint,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    /// 2027-01-15T08:00:00Z: every vector but the expired one is valid then.
    const AT: u64 = 1_800_000_000;
    const LEAF: &[u8] = include_bytes!("../../../tests/vectors/certification_path/leaf.der");
    const ISSUING: &[u8] = include_bytes!("../../../tests/vectors/certification_path/issuing.der");
    const ROOT: &[u8] = include_bytes!("../../../tests/vectors/certification_path/root.der");
    const SELF_SIGNED: &[u8] = include_bytes!("../../../tests/vectors/certification_path/self_signed_leaf.der");
    const BY_ANOTHER: &[u8] = include_bytes!("../../../tests/vectors/certification_path/leaf_by_ecdsa.der");

    fn check_at(certificate: Option<&[u8]>, at: u64) -> ConnectionCheck {
        let client = Client { certificate: certificate.map(<[u8]>::to_vec), version: "TLS 1.3" };
        let [root, issuing] = [ROOT, ISSUING].map(|der| Certificate::from_der(der).unwrap());
        let (verdict, certificate) = judge(certificate, &root, &[issuing], at);
        answer(&client, verdict, certificate.as_ref())
    }

    #[test]
    fn each_fault_is_told_apart() {
        let (not_before, not_after) = Certificate::from_der(LEAF).unwrap().validity();
        for (certificate, at, verdict) in [
            (None, AT, ConnectionVerdict::NoCertificate),
            (Some(LEAF), AT, ConnectionVerdict::Works),
            (Some(LEAF), not_before, ConnectionVerdict::Works),
            (Some(LEAF), not_before - 1, ConnectionVerdict::NotYetValid),
            (Some(LEAF), not_after, ConnectionVerdict::Works),
            (Some(LEAF), not_after + 1, ConnectionVerdict::Expired),
            (Some(SELF_SIGNED), AT, ConnectionVerdict::SelfSigned),
            (Some(SELF_SIGNED), u64::MAX, ConnectionVerdict::SelfSigned),
            (Some(BY_ANOTHER), AT, ConnectionVerdict::AnotherAuthority),
            (Some(BY_ANOTHER), u64::MAX, ConnectionVerdict::AnotherAuthority),
            (Some(b"nonsense"), AT, ConnectionVerdict::Unreadable),
        ] {
            let check = check_at(certificate, at);
            assert_eq!(check.verdict, verdict);
            assert_eq!(check.certificate_shown, certificate.is_some());
            let is_readable = !matches!(verdict, ConnectionVerdict::NoCertificate | ConnectionVerdict::Unreadable);
            assert_eq!(check.certificate.is_some(), is_readable);
        }
    }

    #[test]
    fn a_certificate_is_shown_as_it_is() {
        let shown = check_at(Some(LEAF), AT).certificate.unwrap();
        assert_eq!(shown.subject, "CN=Ada Example,O=Example,C=US");
        assert_eq!(shown.sha1_fingerprint, "84b42f11db90eb78206672daa2c86cd00056f30b");
    }
}
