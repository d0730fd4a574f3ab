//! Telling kinds of files that are not opened here, by how they begin.

use super::ForeignKind;

/// First bytes.
const SIGNATURES: [(&[u8], ForeignKind); 14] = [
    (&[0xFE, 0xED, 0xFE, 0xED], ForeignKind::Jks),
    (&[0xCE, 0xCE, 0xCE, 0xCE], ForeignKind::Jceks),
    (&[0, 0, 0, 2, 0, 0, 0, 20], ForeignKind::Bks),
    (&[0, 0, 0, 1, 0, 0, 0, 20], ForeignKind::Bks),
    (&[0x1E, 0xF1, 0xB5, 0xB0], ForeignKind::Pvk),
    (b"SQLite format 3\0", ForeignKind::Sqlite),
    (b"PK\x03\x04", ForeignKind::Zip),
    (&[0x1F, 0x8B], ForeignKind::Gzip),
    (b"%PDF-", ForeignKind::Pdf),
    (&[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1], ForeignKind::Ole),
    (&[0x89, b'P', b'N', b'G'], ForeignKind::Image),
    (&[0xFF, 0xD8, 0xFF], ForeignKind::Image),
    // OpenPGP: a secret or public key packet of version 4 (RFC 9580, section 4.2), in the old format with a length of two octets.
    (&[0x95], ForeignKind::OpenPgp),
    (&[0x99], ForeignKind::OpenPgp),
];

/// The kind of a file that is no text of PEM, if it is known.
pub(super) fn of_bytes(bytes: &[u8]) -> Option<ForeignKind> {
    let is_version_4 = || bytes.get(3) == Some(&4);
    let known = SIGNATURES
        .iter()
        .find(|(start, kind)| bytes.starts_with(start) && (*kind != ForeignKind::OpenPgp || is_version_4()));
    known.map(|(_, kind)| *kind)
}

/// The kind of a text, if it is known.
pub(super) fn of_text(text: &str) -> Option<ForeignKind> {
    let start: String = text.trim_start().chars().take(2000).collect::<String>().to_ascii_lowercase();
    let has_header = |name: &str| start.lines().any(|line| line.starts_with(name));
    if start.starts_with("putty-user-key-file-") {
        Some(ForeignKind::Putty)
    } else if ["ssh-rsa ", "ssh-ed25519 ", "ssh-dss ", "ecdsa-sha2-", "sk-ssh-"]
        .iter()
        .any(|kind| start.starts_with(kind))
    {
        Some(ForeignKind::SshPublicKey)
    } else if start.starts_with("<!doctype html") || start.starts_with("<html") || start.contains("<head") {
        Some(ForeignKind::Html)
    } else if start.starts_with("spkac=") {
        Some(ForeignKind::Spkac)
    } else if start.starts_with('{') && start.contains("\"kty\"") {
        Some(ForeignKind::Jwk)
    } else if has_header("mime-version:")
        || (has_header("content-type:") && (start.contains("pkcs7") || start.contains("multipart/signed")))
    {
        Some(ForeignKind::SMime)
    } else {
        None
    }
}

/// The kind of a block of PEM by its label, if it is known.
pub(super) fn of_label(label: &str) -> Option<ForeignKind> {
    match label {
        "OPENSSH PRIVATE KEY" => Some(ForeignKind::OpenSshPrivateKey),
        "SSH2 PUBLIC KEY" => Some(ForeignKind::SshPublicKey),
        _ if label.starts_with("PGP ") => Some(ForeignKind::OpenPgp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_how_they_begin() {
        for (bytes, kind) in [
            (&b"PK\x03\x04\x14"[..], Some(ForeignKind::Zip)),
            (&[0x99, 0x01, 0x0D, 4], Some(ForeignKind::OpenPgp)),
            (&[0x99, 0x01, 0x0D, 9], None),
            (&[0x30, 0x82], None),
            (&[], None),
        ] {
            assert_eq!(of_bytes(bytes), kind, "{bytes:?}");
        }
        for (text, kind) in [
            ("PuTTY-User-Key-File-2: ssh-rsa\n", Some(ForeignKind::Putty)),
            ("ssh-rsa AAAA ada@example", Some(ForeignKind::SshPublicKey)),
            ("\n<!DOCTYPE html><title>", Some(ForeignKind::Html)),
            ("SPKAC=MIIC", Some(ForeignKind::Spkac)),
            ("{\"kty\":\"RSA\"}", Some(ForeignKind::Jwk)),
            ("MIME-Version: 1.0\nContent-Type: application/x-pkcs7-mime", Some(ForeignKind::SMime)),
            ("From: a@example.com\nContent-Type: multipart/signed", Some(ForeignKind::SMime)),
            ("Hello", None),
        ] {
            assert_eq!(of_text(text), kind, "{text}");
        }
        assert_eq!(of_label("OPENSSH PRIVATE KEY"), Some(ForeignKind::OpenSshPrivateKey));
        assert_eq!(of_label("PGP PRIVATE KEY BLOCK"), Some(ForeignKind::OpenPgp));
        assert_eq!(of_label("CERTIFICATE"), None);
    }
}
