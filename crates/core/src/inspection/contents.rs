//! Telling what a file consists of.

use der::oid::db::rfc5911::ID_ENVELOPED_DATA;
use keyside_pki::certificate::Certificate;
use keyside_pki::certificate_list::CertificateList;
use keyside_pki::certification_request::CertificationRequest;
use keyside_pki::element::{Elements, IA5_STRING, SEQUENCE};
use keyside_pki::error::Error;
use keyside_pki::full_pki_request::FullPkiRequest;
use keyside_pki::password_based_encryption::{Budget, Encryption, Secret};
use keyside_pki::public_key::PublicKey;
use keyside_pki::{certs_only, encrypted_private_key, file, pfx};
use zeroize::Zeroizing;

use super::{
    ForeignKind, Found, InspectError, InspectedPfx, InspectedPrivateKey, KeyEncoding, Lock, MAXIMUM_FOUND, certificate,
    foreign_kind, private_key, request,
};
use crate::backup::{self, BackupError};
use crate::domain::passphrase::Passphrase;

/// What a file consists of.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) found: Vec<Found>,
    /// The certificates among them, each with its place.
    pub(super) certificates: Vec<(usize, Certificate)>,
    /// The things that bytes follow, each with how many.
    pub(super) trailing: Vec<(usize, usize)>,
    pub(super) is_cut: bool,
    /// Whether the passphrase opened something.
    has_opened: bool,
    /// Whether the passphrase did not open something.
    has_failed: bool,
}

/// Reads all there is, and opens what `passphrase` opens.
pub(super) fn read(bytes: &[u8], passphrase: Option<&Passphrase>) -> Result<Contents, InspectError> {
    let mut reader = Reader {
        passphrase: passphrase.map(Passphrase::expose),
        budget: Budget::default(),
        contents: Contents::default(),
    };
    reader.read(bytes);
    let contents = reader.contents;
    if contents.found.is_empty() {
        Err(InspectError::NotRecognized)
    } else if contents.has_failed && !contents.has_opened {
        Err(InspectError::WrongPassphrase)
    } else {
        Ok(contents)
    }
}

struct Reader<'a> {
    passphrase: Option<&'a str>,
    budget: Budget,
    contents: Contents,
}

impl Reader<'_> {
    fn read(&mut self, bytes: &[u8]) {
        let file = file::read(bytes);
        if let Some(text) = &file.text {
            match backup::decode(text) {
                Ok(enrollment) => return self.push(Found::Backup(Some(enrollment.application.common_name))),
                // The keys and certificates in several are shown as those of any text.
                Err(BackupError::NotABackup | BackupError::Several) => (),
                Err(_) => return self.push(Found::Backup(None)),
            }
        }
        for part in &file.parts {
            self.read_part(part);
        }
        let kind = foreign_kind::of_bytes(bytes).or_else(|| foreign_kind::of_text(file.text.as_deref()?));
        match kind {
            // A signed mail has certificates in it, which were read.
            Some(kind) if self.contents.found.is_empty() || kind == ForeignKind::SMime => {
                self.push(Found::Foreign(kind));
            }
            _ => (),
        }
    }

    fn read_part(&mut self, part: &file::Part) {
        if self.contents.found.len() >= MAXIMUM_FOUND {
            self.contents.is_cut = true;
            return;
        }
        if part.headers.contains("ENCRYPTED") {
            return self.push(Found::PrivateKey(InspectedPrivateKey {
                encoding: KeyEncoding::OldPem,
                lock: Lock::Unsupported,
                encryption: None,
                friendly_name: None,
                public_key: None,
                kind: None,
            }));
        }
        if let Some(kind) = part.label.as_deref().and_then(foreign_kind::of_label) {
            return self.push(Found::Foreign(kind));
        }
        let place = self.contents.found.len();
        if part.der.as_ref().is_some_and(|der| self.read_der(der)) {
            // OpenSSL puts what a certificate is trusted for behind it.
            let is_trusted = part.label.as_deref() == Some("TRUSTED CERTIFICATE");
            if part.trailing > 0 && !is_trusted && place < self.contents.found.len() {
                self.contents.trailing.push((place, part.trailing));
            }
            return;
        }
        // Parameters stand before a key on an elliptic curve, and say nothing that the key does not.
        if let Some(label) = part.label.as_ref().filter(|label| !label.ends_with("PARAMETERS")) {
            // A label may be as long as the file.
            self.push(Found::Unreadable(label.chars().take(40).collect()));
        }
    }

    /// Whether it is something known.
    fn read_der(&mut self, der: &[u8]) -> bool {
        // Each has another shape, so the order does not matter but for speed.
        if let Ok(certificate) = Certificate::from_der(der) {
            return self.add_certificate(certificate, None);
        }
        if let Ok(request) = CertificationRequest::from_der(der) {
            return self.add(request::describe(&request).map(Found::Request));
        }
        if let Some(key) = private_key::describe(der) {
            return self.add(Some(Found::PrivateKey(key)));
        }
        if let Ok(encryption) = encrypted_private_key::encryption(der) {
            let key = self.open_private_key(der, encryption);
            return self.add(Some(Found::PrivateKey(key)));
        }
        if let Ok(key) = PublicKey::of(der).or_else(|_| PublicKey::of_rsa_public_key(der)) {
            return self.add(Some(Found::PublicKey(key)));
        }
        if is_spkac(der) {
            return self.add(Some(Found::Foreign(ForeignKind::Spkac)));
        }
        if let Ok(crl) = CertificateList::from_der(der) {
            return self.add(Some(Found::Crl(certificate::describe_crl(&crl))));
        }
        if let Ok(full) = FullPkiRequest::from_der(der)
            && let Ok(request) = CertificationRequest::from_der(full.certification_request())
        {
            return self.add(request::describe(&request).map(Found::Request));
        }
        if is_enveloped(der) {
            return self.add(Some(Found::Foreign(ForeignKind::SMime)));
        }
        if let Ok(signed_data) = certs_only::decode(der) {
            return self.add_signed_data(&signed_data);
        }
        if let Ok(protection) = pfx::protection(der) {
            return self.add_pfx(der, protection);
        }
        false
    }

    fn push(&mut self, found: Found) {
        if self.contents.found.len() < MAXIMUM_FOUND {
            self.contents.found.push(found);
        } else {
            self.contents.is_cut = true;
        }
    }

    fn add(&mut self, found: Option<Found>) -> bool {
        found.map(|found| self.push(found)).is_some()
    }

    fn add_certificate(&mut self, certificate: Certificate, friendly_name: Option<String>) -> bool {
        let described = certificate::describe(&certificate, friendly_name);
        let place = self.contents.found.len();
        if described.is_some() && place < MAXIMUM_FOUND {
            self.contents.certificates.push((place, certificate));
        }
        self.add(described.map(|described| Found::Certificate(Box::new(described))))
    }

    fn add_signed_data(&mut self, signed_data: &certs_only::Contents) -> bool {
        // Signed, and not to carry certificates.
        if signed_data.certificates.is_empty() && signed_data.crls.is_empty() {
            return self.add(Some(Found::Foreign(ForeignKind::SMime)));
        }
        self.push(Found::Pkcs7(signed_data.certificates.len()));
        for der in &signed_data.certificates {
            match Certificate::from_der(der) {
                Ok(certificate) => drop(self.add_certificate(certificate, None)),
                Err(_) => self.push(Found::Unreadable("CERTIFICATE".into())),
            }
        }
        for der in &signed_data.crls {
            match CertificateList::from_der(der) {
                Ok(crl) => self.push(Found::Crl(certificate::describe_crl(&crl))),
                Err(_) => self.push(Found::Unreadable("X509 CRL".into())),
            }
        }
        true
    }

    fn add_pfx(&mut self, bytes: &[u8], protection: pfx::Protection) -> bool {
        let passphrase = if protection.takes_passphrase() { self.passphrase } else { Some("") };
        let opened = passphrase.map(|passphrase| pfx::open_with(bytes, passphrase, None, &mut self.budget));
        let lock = match &opened {
            Some(Ok(_)) if !protection.takes_passphrase() => Lock::Clear,
            Some(outcome) => self.lock_after(outcome.as_ref().err()),
            None => Lock::Locked,
        };
        let has_clear_key = protection.clear_private_keys > 0;
        self.push(Found::Pfx(InspectedPfx { protection, lock }));
        let Some(Ok(opened)) = opened else { return true };
        for key in opened.private_keys {
            let described = private_key::describe_private_key_info(&key.private_key_info).map(|described| {
                let lock = if has_clear_key { Lock::Clear } else { Lock::Opened };
                let encoding = KeyEncoding::Pfx;
                Found::PrivateKey(InspectedPrivateKey { encoding, lock, friendly_name: key.friendly_name, ..described })
            });
            self.push(described.unwrap_or_else(|| Found::Unreadable("PRIVATE KEY".into())));
        }
        for _ in 0..opened.locked_private_keys {
            self.push(Found::PrivateKey(InspectedPrivateKey {
                encoding: KeyEncoding::Pfx,
                lock: Lock::Locked,
                encryption: None,
                friendly_name: None,
                public_key: None,
                kind: None,
            }));
        }
        if opened.others > 0 {
            self.push(Found::Others(opened.others));
        }
        for found in opened.certificates {
            match Certificate::from_der(&found.der) {
                Ok(certificate) => {
                    self.add_certificate(certificate, found.friendly_name);
                }
                Err(_) => self.push(Found::Unreadable("CERTIFICATE".into())),
            }
        }
        true
    }

    fn open_private_key(&mut self, der: &[u8], encryption: Encryption) -> InspectedPrivateKey {
        let opened: Option<Result<Zeroizing<Vec<u8>>, Error>> = self
            .passphrase
            .map(|passphrase| encrypted_private_key::decrypt_with(der, &Secret::new(passphrase), &mut self.budget));
        let lock = match &opened {
            Some(outcome) => self.lock_after(outcome.as_ref().err()),
            None => Lock::Locked,
        };
        let described = opened.and_then(Result::ok).and_then(|clear| private_key::describe_private_key_info(&clear));
        let (public_key, kind) = described.map_or((None, None), |described| (described.public_key, described.kind));
        InspectedPrivateKey {
            encoding: KeyEncoding::Pkcs8,
            lock,
            encryption: Some(encryption),
            friendly_name: None,
            public_key,
            kind,
        }
    }

    /// How something is after the passphrase was tried on it.
    fn lock_after(&mut self, error: Option<&Error>) -> Lock {
        match error {
            None => {
                self.contents.has_opened = true;
                Lock::Opened
            }
            Some(Error::WrongPassphrase) => {
                self.contents.has_failed = true;
                Lock::Locked
            }
            Some(_) => Lock::Unsupported,
        }
    }
}

/// True if it is CMS that is encrypted (RFC 5652, section 6).
fn is_enveloped(der: &[u8]) -> bool {
    let kind = Elements::within(SEQUENCE, der).and_then(|mut info| info.next_oid());
    kind.is_ok_and(|kind| kind == ID_ENVELOPED_DATA)
}

/// True if it is a SignedPublicKeyAndChallenge: a public key and a text, signed.
fn is_spkac(der: &[u8]) -> bool {
    let read = || {
        let mut signed = Elements::within(SEQUENCE, der)?;
        let mut challenge = signed.next_sequence()?;
        let key = challenge.next_whole()?;
        challenge.next(IA5_STRING)?;
        challenge.finish()?;
        PublicKey::of(key)
    };
    read().is_ok()
}
