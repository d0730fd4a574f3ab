//! What is in a file: certificates, requests, keys, CRLs, PKCS#7 and PKCS#12, DER or PEM, one or many, and what belongs together.
//!
//! It opens private keys, so it runs in the worker, in custody's hands; what it tells of them is public.

use keyside_pki::certificate::Certificate;
use keyside_pki::certificate::CertificateSummary;
use keyside_pki::certification_path::{PathError, Purpose, Search};
use keyside_pki::certification_request::Oddity;
use keyside_pki::password_based_encryption::Encryption;
use keyside_pki::pfx::Protection;
use keyside_pki::public_key::PublicKey;
use serde::{Deserialize, Serialize};

use crate::domain::passphrase::Passphrase;

mod certificate;
mod contents;
mod foreign_kind;
mod private_key;
mod request;

/// The largest file that is looked into, in bytes.
pub const MAXIMUM_SIZE: usize = keyside_pki::pfx::MAXIMUM_SIZE;
/// How many things in a file are looked at.
const MAXIMUM_FOUND: usize = 100;
/// The smallest RSA key that is not called small, in bits.
const SMALLEST_KEY: u32 = 2048;

/// What is known besides the file.
pub struct Surroundings<'a> {
    /// The configured CA's trust anchors.
    pub trust_anchors: &'a [Certificate],
    /// The configured CA's other certificates.
    pub intermediates: &'a [Certificate],
    /// The time, in seconds since 1970-01-01T00:00:00Z.
    pub at: u64,
}

/// What is in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// Everything found, in the file's order; a container stands before what is in it.
    pub found: Vec<Found>,
    /// What is to be said of it.
    pub findings: Vec<Finding>,
    /// Whether there was more, which was not looked at.
    pub is_cut: bool,
}

impl Inspection {
    /// Whether a passphrase would open more.
    pub fn is_locked(&self) -> bool {
        self.found.iter().any(|found| match found {
            Found::PrivateKey(key) => key.lock == Lock::Locked,
            Found::Pfx(pfx) => pfx.lock == Lock::Locked,
            _ => false,
        })
    }
}

/// Something in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Found {
    /// A certificate (RFC 5280).
    Certificate(Box<InspectedCertificate>),
    /// A CertificationRequest (RFC 2986).
    Request(InspectedRequest),
    /// A private key.
    PrivateKey(InspectedPrivateKey),
    /// A public key alone.
    PublicKey(PublicKey),
    /// A list of revoked certificates (RFC 5280, section 5).
    Crl(InspectedCrl),
    /// A PKCS#7 SignedData; how many certificates it holds, which come next.
    Pkcs7(usize),
    /// A PKCS#12 file; what could be opened of it comes next.
    Pfx(InspectedPfx),
    /// Secrets of other kinds, or CRLs, in a PKCS#12 file; how many.
    Others(usize),
    /// A backup of Keyside, of this person's request; absent if it is damaged or of a newer version.
    Backup(Option<String>),
    /// A block of PEM that cannot be read: its label.
    Unreadable(String),
    /// Something that is known, and not opened here.
    Foreign(ForeignKind),
}

/// A kind of file that is known, and that other programs have to convert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ForeignKind {
    /// Java's old keystore, JKS.
    Jks,
    /// Java's old keystore, JCEKS.
    Jceks,
    /// A keystore of Bouncy Castle, BKS or UBER.
    Bks,
    /// A private key of OpenSSH.
    OpenSshPrivateKey,
    /// A public key of OpenSSH, or as RFC 4716 has it.
    SshPublicKey,
    /// A private key of PuTTY.
    Putty,
    /// A private key of Microsoft, PVK.
    Pvk,
    /// A signed or encrypted mail, S/MIME (RFC 8551).
    SMime,
    /// A SignedPublicKeyAndChallenge, which old browsers made.
    Spkac,
    /// A key or a message of OpenPGP (RFC 9580).
    OpenPgp,
    /// A database of NSS or another one of SQLite.
    Sqlite,
    /// A key set as JSON (RFC 7517).
    Jwk,
    /// An archive, or a document of Word, which is one.
    Zip,
    /// Compressed with gzip.
    Gzip,
    /// A page of a web site.
    Html,
    /// A document.
    Pdf,
    /// A mail of Outlook, or an old document of Word.
    Ole,
    /// A picture.
    Image,
}

/// A certificate that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InspectedCertificate {
    /// What people compare.
    pub summary: CertificateSummary,
    /// The name that keystores show, in PKCS#12.
    pub friendly_name: Option<String>,
    /// The certified key.
    pub public_key: PublicKey,
    /// The signature's algorithm, for people.
    pub signature_algorithm: String,
    /// Whether it may issue certificates.
    pub is_ca: bool,
    /// What the key may be used for: the names of RFC 5280, section 4.2.1.3, such as `digitalSignature`.
    pub key_usages: Vec<String>,
    /// What the certificate may be used for: the names of RFC 5280, section 4.2.1.12, such as `clientAuth`, or object identifiers.
    pub extended_key_usages: Vec<String>,
    /// The subjectAltName: each e-mail address, host name, and so on.
    pub alternative_names: Vec<String>,
}

/// A CertificationRequest that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InspectedRequest {
    /// The subject asked for, as RFC 4514 writes it.
    pub subject: String,
    /// The key to be certified.
    pub public_key: PublicKey,
    /// The signature's algorithm, for people.
    pub signature_algorithm: String,
    /// Whether the signature is the key's; absent where the algorithm is not known here.
    pub signature_fits: Option<bool>,
    /// The subjectAltName asked for.
    pub alternative_names: Vec<String>,
    /// Whether there is a challengePassword in it (RFC 2985, section 5.4.1), which is readable for everybody.
    pub has_challenge_password: bool,
    /// In what it is not as RFC 2986 has it.
    pub oddities: Vec<Oddity>,
}

/// A private key that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InspectedPrivateKey {
    /// How it is written.
    pub encoding: KeyEncoding,
    /// Whether it is encrypted, and was opened.
    pub lock: Lock,
    /// How it is encrypted, if it is and if that is known.
    pub encryption: Option<Encryption>,
    /// The name that keystores show, in PKCS#12.
    pub friendly_name: Option<String>,
    /// Its public half, once it is open and as far as it tells.
    pub public_key: Option<PublicKey>,
    /// The kind of key, where its public half cannot be told from it.
    pub kind: Option<keyside_pki::public_key::PublicKeyKind>,
}

/// How a private key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyEncoding {
    /// PKCS#8 (RFC 5208).
    Pkcs8,
    /// PKCS#1 RSAPrivateKey (RFC 8017, appendix A.1.2).
    Pkcs1,
    /// ECPrivateKey (RFC 5915).
    Sec1,
    /// One of the above, encrypted in the way of OpenSSL's old PEM format.
    OldPem,
    /// In a PKCS#12 file.
    Pfx,
}

/// Whether something is encrypted, and was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lock {
    /// It is not encrypted.
    Clear,
    /// The passphrase opened it.
    Opened,
    /// It wants a passphrase, or another one.
    Locked,
    /// It is encrypted in a way that is not read here.
    Unsupported,
}

/// A CRL that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InspectedCrl {
    /// The issuer as RFC 4514 writes it.
    pub issuer: String,
    /// When it was made, in seconds since 1970-01-01T00:00:00Z.
    pub this_update: i64,
    /// When the next one comes at the latest, in seconds since 1970-01-01T00:00:00Z.
    pub next_update: Option<i64>,
    /// How many certificates are revoked by it.
    pub revoked: usize,
}

/// A PKCS#12 file that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InspectedPfx {
    /// How it is protected.
    pub protection: Protection,
    /// Whether it was opened.
    pub lock: Lock,
}

/// What is to be said of something: `item` and the like are places in [`Inspection::found`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finding {
    /// The private key is the one of the certificate or request.
    KeyFits {
        /// The private key.
        key: usize,
        /// The certificate or request.
        item: usize,
    },
    /// No certificate or request in the file, of which there are some, is of this private key.
    KeyFitsNothing {
        /// The private key.
        key: usize,
    },
    /// The certificate leads to the configured CA; the trust anchor's subject.
    LeadsToCa {
        /// The certificate.
        item: usize,
        /// The trust anchor.
        trust_anchor: String,
    },
    /// The certificate leads to a root that comes in the same file, and that is not the configured CA's; the root's subject.
    LeadsToRootInFile {
        /// The certificate.
        item: usize,
        /// The root.
        root: String,
    },
    /// The certificate leads nowhere.
    LeadsNowhere {
        /// The certificate.
        item: usize,
    },
    /// The certificate leads to the configured CA by its signatures, but breaks a rule of RFC 5280.
    PathRefused {
        /// The certificate.
        item: usize,
        /// The rule, as a clause.
        why: String,
    },
    /// The certificate may lead somewhere or not: that cannot be told here.
    PathNotChecked {
        /// The certificate.
        item: usize,
        /// The reason, as a clause.
        why: String,
    },
    /// The certificate has signed itself, and is not the configured CA's.
    SelfSigned {
        /// The certificate.
        item: usize,
    },
    /// The certificate is not valid yet.
    NotYetValid {
        /// The certificate.
        item: usize,
    },
    /// The certificate has expired.
    Expired {
        /// The certificate.
        item: usize,
    },
    /// The signature uses a hash function for which two texts with the same hash can be made.
    BrokenHash {
        /// The certificate or request.
        item: usize,
    },
    /// The RSA key is shorter than what is taken today.
    SmallKey {
        /// What has the key.
        item: usize,
        /// Its size in bits.
        bits: u32,
    },
    /// The signature of the request is not its key's.
    SignatureInvalid {
        /// The request.
        item: usize,
    },
    /// The private key is not encrypted.
    KeyInTheClear {
        /// The private key.
        item: usize,
    },
    /// Bytes follow the structure; how many.
    BytesFollow {
        /// The structure that they follow.
        item: usize,
        /// Their number.
        count: usize,
    },
    /// The request is not as its standard has it.
    NotStandard {
        /// The request.
        item: usize,
        /// In what.
        oddity: Oddity,
    },
}

impl Finding {
    /// Whether it concerns the thing at this place.
    pub fn concerns(&self, place: usize) -> bool {
        match self {
            Self::KeyFits { key, item } => *key == place || *item == place,
            Self::KeyFitsNothing { key: item }
            | Self::LeadsToCa { item, .. }
            | Self::LeadsToRootInFile { item, .. }
            | Self::LeadsNowhere { item }
            | Self::PathRefused { item, .. }
            | Self::PathNotChecked { item, .. }
            | Self::SelfSigned { item }
            | Self::NotYetValid { item }
            | Self::Expired { item }
            | Self::BrokenHash { item }
            | Self::SmallKey { item, .. }
            | Self::SignatureInvalid { item }
            | Self::KeyInTheClear { item }
            | Self::BytesFollow { item, .. }
            | Self::NotStandard { item, .. } => *item == place,
        }
    }
}

/// Why nothing can be told of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// It is nothing of what is known here.
    #[error("the file is none of the kinds that can be inspected")]
    NotRecognized,
    /// It is longer than [`MAXIMUM_SIZE`].
    #[error("the file is too large to be inspected")]
    TooLarge,
    /// The passphrase opens nothing in it.
    #[error("the passphrase opens nothing in the file")]
    WrongPassphrase,
}

/// Tells what is in a file, and opens what `passphrase` opens.
pub fn inspect(
    bytes: &[u8],
    passphrase: Option<&Passphrase>,
    surroundings: &Surroundings<'_>,
) -> Result<Inspection, InspectError> {
    if bytes.len() > MAXIMUM_SIZE {
        return Err(InspectError::TooLarge);
    }
    let contents = contents::read(bytes, passphrase)?;
    let findings = findings(&contents, surroundings);
    Ok(Inspection { found: contents.found, findings, is_cut: contents.is_cut })
}

fn findings(contents: &contents::Contents, surroundings: &Surroundings<'_>) -> Vec<Finding> {
    let mut findings = keys_and_what_they_fit(&contents.found);
    findings.extend(contents.trailing.iter().map(|(item, count)| Finding::BytesFollow { item: *item, count: *count }));
    let others: Vec<Certificate> = contents.certificates.iter().map(|(_, other)| other.clone()).collect();
    let intermediates = [&others, surroundings.intermediates].concat();
    let mut search = Search::new(&intermediates);
    for (item, certificate) in &contents.certificates {
        findings.extend(certificate_findings(*item, certificate, &others, surroundings, &mut search));
    }
    for (item, found) in contents.found.iter().enumerate() {
        let (public_key, has_broken_hash) = match found {
            Found::Certificate(certificate) => {
                // A root's own signature proves nothing, whatever its hash.
                let is_root = certificate.summary.subject == certificate.summary.issuer;
                let has_broken_hash = !is_root && certificate::has_broken_hash(&certificate.signature_algorithm);
                (Some(&certificate.public_key), has_broken_hash)
            }
            Found::Request(request) => {
                if request.signature_fits == Some(false) {
                    findings.push(Finding::SignatureInvalid { item });
                }
                findings.extend(request.oddities.iter().map(|oddity| Finding::NotStandard { item, oddity: *oddity }));
                (Some(&request.public_key), certificate::has_broken_hash(&request.signature_algorithm))
            }
            Found::PrivateKey(key) => {
                if key.lock == Lock::Clear {
                    findings.push(Finding::KeyInTheClear { item });
                }
                (key.public_key.as_ref(), false)
            }
            Found::PublicKey(key) => (Some(key), false),
            _ => (None, false),
        };
        if has_broken_hash {
            findings.push(Finding::BrokenHash { item });
        }
        if let Some(PublicKey { kind: keyside_pki::public_key::PublicKeyKind::Rsa(bits), .. }) = public_key
            && *bits < SMALLEST_KEY
        {
            findings.push(Finding::SmallKey { item, bits: *bits });
        }
    }
    findings
}

fn keys_and_what_they_fit(found: &[Found]) -> Vec<Finding> {
    let certified: Vec<(usize, &str)> = found
        .iter()
        .enumerate()
        .filter_map(|(item, found)| match found {
            Found::Certificate(certificate) => Some((item, &*certificate.public_key.key_id)),
            Found::Request(request) => Some((item, &*request.public_key.key_id)),
            _ => None,
        })
        .collect();
    let mut findings = Vec::new();
    for (key, found) in found.iter().enumerate() {
        let Found::PrivateKey(InspectedPrivateKey { public_key: Some(public_key), .. }) = found else { continue };
        let fitting = certified.iter().filter(|(_, key_id)| *key_id == public_key.key_id);
        let before = findings.len();
        findings.extend(fitting.map(|(item, _)| Finding::KeyFits { key, item: *item }));
        if findings.len() == before && !certified.is_empty() {
            findings.push(Finding::KeyFitsNothing { key });
        }
    }
    findings
}

fn certificate_findings(
    item: usize,
    certificate: &Certificate,
    others: &[Certificate],
    surroundings: &Surroundings<'_>,
    search: &mut Search<'_>,
) -> Vec<Finding> {
    let (not_before, not_after) = certificate.validity();
    let mut findings = Vec::new();
    if surroundings.at < not_before {
        findings.push(Finding::NotYetValid { item });
    } else if surroundings.at > not_after {
        findings.push(Finding::Expired { item });
    }
    // A certificate that is not valid now led somewhere while it was.
    let at = surroundings.at.clamp(not_before, not_after.max(not_before));
    let mut build = |anchors: &[Certificate]| search.build(certificate, anchors, at, Purpose::Any);
    let end = |path: Vec<Certificate>| path.last().map(|last| last.subject().to_string()).unwrap_or_default();
    if surroundings.trust_anchors.contains(certificate) {
        findings.push(Finding::LeadsToCa { item, trust_anchor: certificate.subject().to_string() });
        return findings;
    }
    let to_ca = match build(surroundings.trust_anchors) {
        Ok(path) => Ok(Finding::LeadsToCa { item, trust_anchor: end(path) }),
        Err(PathError::Refused(why)) => Ok(Finding::PathRefused { item, why }),
        Err(error) => Err(error),
    };
    findings.push(to_ca.unwrap_or_else(|to_ca| {
        if certificate.names_as_issuer(certificate) && certificate.verify_signed_by(certificate).is_ok() {
            return Finding::SelfSigned { item };
        }
        let roots: Vec<_> = others.iter().filter(|other| other.names_as_issuer(other)).cloned().collect();
        match (build(&roots), to_ca) {
            (Ok(path), _) => Finding::LeadsToRootInFile { item, root: end(path) },
            (_, PathError::NotChecked(why)) | (Err(PathError::NotChecked(why)), _) => {
                Finding::PathNotChecked { item, why }
            }
            _ => Finding::LeadsNowhere { item },
        }
    }));
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use der::oid::db::rfc5911::{ID_DATA, ID_SIGNED_DATA};
    use keyside_pki::element::{CONTEXT_0, SEQUENCE, SET, element, integer, oid};
    use keyside_pki::pem;
    use keyside_pki::public_key::PublicKeyKind;
    use keyside_pki::testing::{NOW, YEAR};

    use super::*;

    const CORRECT: &str = "Correct-4-horse";

    macro_rules! vector {
        ($name:literal) => {
            include_bytes!(concat!("../../../tests/vectors/inspection/", $name)).as_slice()
        };
    }

    fn root() -> Certificate {
        let text = core::str::from_utf8(vector!("root.pem")).unwrap();
        Certificate::from_der(&pem::decode_all(pem::CERTIFICATE, text).unwrap()[0]).unwrap()
    }

    fn inspect_at(
        bytes: &[u8],
        passphrase: Option<&str>,
        anchors: &[Certificate],
        at: u64,
    ) -> Result<Inspection, InspectError> {
        let passphrase = passphrase.map(|text| Passphrase::new(text.into()));
        let surroundings = Surroundings { trust_anchors: anchors, intermediates: &[], at };
        inspect(bytes, passphrase.as_ref(), &surroundings)
    }

    /// Ten years from [`NOW`], when all vectors are valid.
    const THEN: u64 = NOW + 10 * YEAR;

    fn inspected(bytes: &[u8], passphrase: Option<&str>) -> Inspection {
        inspect_at(bytes, passphrase, &[], THEN).unwrap()
    }

    fn the_one(bytes: &[u8]) -> Found {
        let inspection = inspected(bytes, None);
        let [found] = &inspection.found[..] else { panic!("{inspection:?}") };
        found.clone()
    }

    fn certificate(found: &Found) -> &InspectedCertificate {
        match found {
            Found::Certificate(certificate) => certificate,
            other => panic!("{other:?}"),
        }
    }

    fn private_key(found: &Found) -> &InspectedPrivateKey {
        match found {
            Found::PrivateKey(key) => key,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_certificate_is_described() {
        for bytes in [vector!("leaf.cer"), vector!("unlabelled.txt")] {
            let found = the_one(bytes);
            let certificate = certificate(&found);
            assert_eq!(certificate.summary.subject, "CN=Ada Example,O=Example,C=US");
            assert_eq!(certificate.summary.issuer, "CN=Example Root CA,O=Example,C=US");
            assert_eq!(certificate.public_key.kind, PublicKeyKind::Rsa(2048));
            assert_eq!(certificate.signature_algorithm, "RSA with SHA-256");
            assert_eq!(certificate.key_usages, ["digitalSignature", "keyEncipherment"]);
            assert_eq!(certificate.extended_key_usages, ["clientAuth", "emailProtection", "1.3.6.1.4.1.311.20.2.2"]);
            assert_eq!(certificate.alternative_names, ["ada@example.com", "ada.example.com", "192.0.2.1"]);
            assert!(!certificate.is_ca);
        }
    }

    #[test]
    fn everything_in_a_file_is_found_and_joined() {
        let inspection = inspected(vector!("bundle.pem"), None);
        let [leaf, key, root, request] = &inspection.found[..] else { panic!("{inspection:?}") };
        let key_id = &certificate(leaf).public_key.key_id;
        assert_eq!(private_key(key).public_key.as_ref().map(|key| &key.key_id), Some(key_id));
        assert!(certificate(root).is_ca);
        assert!(matches!(request, Found::Request(request) if request.public_key.key_id == *key_id));
        assert_eq!(
            inspection.findings,
            [
                Finding::KeyFits { key: 1, item: 0 },
                Finding::KeyFits { key: 1, item: 3 },
                Finding::LeadsToRootInFile { item: 0, root: "CN=Example Root CA,O=Example,C=US".into() },
                Finding::SelfSigned { item: 2 },
                Finding::KeyInTheClear { item: 1 },
            ]
        );
        assert!(!inspection.is_locked());
        for (place, concerned) in [(0, 2), (1, 3), (2, 1), (3, 1), (4, 0)] {
            assert_eq!(inspection.findings.iter().filter(|finding| finding.concerns(place)).count(), concerned);
        }
    }

    #[test]
    fn a_chain_is_told_by_what_is_known() {
        let chain = |anchors: &[Certificate], at| inspect_at(vector!("leaf.cer"), None, anchors, at).unwrap().findings;
        let leads = Finding::LeadsToCa { item: 0, trust_anchor: "CN=Example Root CA,O=Example,C=US".into() };
        let anchors = [root()];
        assert_eq!(chain(&anchors, THEN), core::slice::from_ref(&leads));
        assert_eq!(chain(&[], THEN), [Finding::LeadsNowhere { item: 0 }]);
        assert_eq!(chain(&anchors, 0), [Finding::NotYetValid { item: 0 }, leads.clone()]);
        let end = root().validity().1;
        assert_eq!(chain(&anchors, end + YEAR)[0], Finding::Expired { item: 0 });
        let of_root = inspect_at(vector!("root.pem"), None, &[root()], THEN).unwrap();
        assert_eq!(of_root.findings, [leads]);
    }

    #[test]
    fn every_way_to_write_a_key_is_read() {
        let Found::PublicKey(expected) = the_one(vector!("public_key.pem")) else { panic!("no public key") };
        for (bytes, encoding) in [
            (vector!("pkcs8.key"), KeyEncoding::Pkcs8),
            (vector!("pkcs1.pem"), KeyEncoding::Pkcs1),
            (vector!("pkcs1.key"), KeyEncoding::Pkcs1),
        ] {
            let inspection = inspected(bytes, None);
            let key = private_key(&inspection.found[0]);
            assert_eq!((key.encoding, key.lock), (encoding, Lock::Clear));
            assert_eq!(key.public_key, Some(expected.clone()));
            assert_eq!(inspection.findings, [Finding::KeyInTheClear { item: 0 }]);
        }
        let inspection = inspected(vector!("triple_des.key"), Some(CORRECT));
        let key = private_key(&inspection.found[0]);
        assert_eq!((key.lock, key.public_key.clone()), (Lock::Opened, Some(expected)));
        assert!(inspection.findings.is_empty());
    }

    #[test]
    fn what_is_locked_is_opened_by_its_passphrase_alone() {
        for (bytes, place) in [
            (vector!("locked.pem"), 0),
            (vector!("triple_des.key"), 0),
            (include_bytes!("../../../tests/vectors/pfx/openssl.p12"), 1),
            (include_bytes!("../../../tests/vectors/pfx/openssl_legacy.p12"), 1),
        ] {
            assert!(inspected(bytes, None).is_locked());
            assert_eq!(inspect_at(bytes, Some("wrong"), &[], THEN), Err(InspectError::WrongPassphrase));
            let opened = inspected(bytes, Some(CORRECT));
            assert!(!opened.is_locked());
            let key = private_key(&opened.found[place]);
            assert_eq!(key.lock, Lock::Opened);
            assert!(key.public_key.is_some());
        }
    }

    #[test]
    fn a_pfx_stands_before_what_is_in_it() {
        let inspection = inspected(include_bytes!("../../../tests/vectors/pfx/nss.p12"), Some(CORRECT));
        let [Found::Pfx(pfx), key, root, leaf] = &inspection.found[..] else { panic!("{inspection:?}") };
        assert_eq!(pfx.lock, Lock::Opened);
        assert_eq!(private_key(key).friendly_name.as_deref(), Some("Ada Example"));
        assert_eq!(private_key(key).encoding, KeyEncoding::Pfx);
        assert_eq!(certificate(leaf).friendly_name.as_deref(), Some("Ada Example"));
        assert!(certificate(root).is_ca);
        assert!(inspection.findings.contains(&Finding::KeyFits { key: 1, item: 3 }));

        let clear = inspected(include_bytes!("../../../tests/vectors/pfx/openssl_clear_no_mac.p12"), None);
        assert!(!clear.is_locked());
        assert!(clear.findings.iter().any(|finding| matches!(finding, Finding::KeyInTheClear { .. })));

        let rc4 = inspected(include_bytes!("../../../tests/vectors/pfx/openssl_rc4.p12"), Some(CORRECT));
        let [Found::Pfx(pfx)] = &rc4.found[..] else { panic!("{rc4:?}") };
        assert_eq!(pfx.lock, Lock::Unsupported);
    }

    #[test]
    fn what_is_not_opened_here_is_named() {
        let old = the_one(vector!("old.pem"));
        assert_eq!((private_key(&old).encoding, private_key(&old).lock), (KeyEncoding::OldPem, Lock::Unsupported));
        let md5 = inspected(vector!("md5_des.pem"), Some(CORRECT));
        let key = private_key(&md5.found[0]);
        assert_eq!(key.lock, Lock::Unsupported);
        assert_eq!(key.encryption, Some(Encryption::Other("1.2.840.113549.1.5.3".into())));
    }

    #[test]
    fn what_is_weak_is_told() {
        let sha_1 = inspect_at(vector!("sha_1.pem"), None, &[root()], THEN).unwrap();
        assert_eq!(certificate(&sha_1.found[0]).signature_algorithm, "RSA with SHA-1");
        let [Finding::PathRefused { item: 0, why }, Finding::BrokenHash { item: 0 }] = &sha_1.findings[..] else {
            panic!("{sha_1:?}")
        };
        assert!(why.contains("SHA-1"), "{why}");

        let small = inspected(vector!("small.csr"), None);
        assert_eq!(small.findings, [Finding::SmallKey { item: 0, bits: 1024 }]);
        let Found::Request(request) = &small.found[0] else { panic!("{small:?}") };
        assert_eq!((request.signature_fits, request.has_challenge_password), (Some(true), true));

        let changed = inspected(vector!("changed.csr"), None);
        assert!(changed.findings.contains(&Finding::SignatureInvalid { item: 0 }));
        let Found::Request(request) = &changed.found[0] else { panic!("{changed:?}") };
        assert_eq!(request.subject, "CN=Eve Example");
        assert_eq!(request.signature_fits, Some(false));
    }

    #[test]
    fn a_request_is_described() {
        let Found::Request(request) = the_one(vector!("request.csr")) else { panic!("no request") };
        assert_eq!(request.subject, "CN=Ada Example,O=Example,C=US");
        assert_eq!(request.alternative_names, ["ada@example.com", "ada.example.com", "192.0.2.1"]);
        assert_eq!((request.signature_fits, request.has_challenge_password), (Some(true), false));
    }

    #[test]
    fn a_chain_in_pkcs_7_is_unpacked() {
        for bytes in [vector!("chain.p7b"), vector!("chain.der.p7b")] {
            let inspection = inspected(bytes, None);
            let [Found::Pkcs7(2), leaf, root] = &inspection.found[..] else { panic!("{inspection:?}") };
            assert!(!certificate(leaf).is_ca && certificate(root).is_ca);
        }
    }

    #[test]
    fn a_pkcs_7_within_a_pkcs_7_is_not_unpacked() {
        let layers = |count| {
            let innermost = vector!("chain.der.p7b").to_vec();
            (0..count).fold(innermost, |inner, _| {
                let set = element(SET, &[]);
                let data = element(SEQUENCE, &[&oid(ID_DATA)]);
                let signed_data = element(SEQUENCE, &[&integer(1), &set, &data, &element(CONTEXT_0, &[&inner]), &set]);
                element(SEQUENCE, &[&oid(ID_SIGNED_DATA), &element(CONTEXT_0, &[&signed_data])])
            })
        };
        for count in [1, 2, 10_000] {
            let inspection = inspected(&layers(count), None);
            let [Found::Pkcs7(1), Found::Unreadable(label)] = &inspection.found[..] else { panic!("{inspection:?}") };
            assert_eq!(label, "CERTIFICATE");
        }
    }

    #[test]
    fn a_crl_is_described() {
        let Found::Crl(crl) = the_one(vector!("revoked.crl")) else { panic!("no CRL") };
        assert_eq!(crl.issuer, "CN=Example Root CA,O=Example,C=US");
        assert_eq!(crl.revoked, 1);
        assert!(crl.next_update.unwrap() > crl.this_update);
    }

    #[test]
    fn elliptic_curves_are_described_and_not_refused() {
        let inspection = inspected(vector!("elliptic_curve.pem"), None);
        let [key, leaf, request, root] = &inspection.found[..] else { panic!("{inspection:?}") };
        assert_eq!(private_key(key).encoding, KeyEncoding::Sec1);
        assert_eq!(certificate(leaf).public_key.kind, PublicKeyKind::EllipticCurve("P-384".into()));
        assert_eq!(certificate(leaf).signature_algorithm, "ECDSA with SHA-256");
        assert_eq!(certificate(root).public_key.kind, PublicKeyKind::EllipticCurve("P-256".into()));
        assert!(matches!(request, Found::Request(request) if request.signature_fits == Some(true)));
        assert!(inspection.findings.contains(&Finding::KeyFits { key: 0, item: 1 }));
        assert!(inspection.findings.contains(&Finding::KeyFits { key: 0, item: 2 }));
        let root = "CN=Curved Root".to_owned();
        assert!(inspection.findings.contains(&Finding::LeadsToRootInFile { item: 1, root }), "{inspection:?}");
        let pkcs8 = the_one(vector!("elliptic_curve.key"));
        assert_eq!(private_key(&pkcs8).public_key, Some(certificate(leaf).public_key.clone()));
        let ed25519 = the_one(vector!("ed25519.pem"));
        assert_eq!(private_key(&ed25519).kind, Some(PublicKeyKind::EllipticCurve("Ed25519".into())));
    }

    #[test]
    fn a_key_that_fits_nothing_is_told() {
        let key = core::str::from_utf8(vector!("pkcs1.pem")).unwrap();
        let root = core::str::from_utf8(vector!("root.pem")).unwrap();
        let inspection = inspected([key, root].concat().as_bytes(), None);
        assert!(inspection.findings.contains(&Finding::KeyFitsNothing { key: 0 }));
        let alone = inspected(key.as_bytes(), None);
        assert!(!alone.findings.contains(&Finding::KeyFitsNothing { key: 0 }));
    }

    #[test]
    fn a_backup_is_recognised() {
        let backup = include_str!("../../../tests/vectors/backup/collected.txt");
        assert_eq!(the_one(backup.as_bytes()), Found::Backup(Some("Zoë Example".into())));
        assert_eq!(the_one(backup.replace("Zoë", "Zoe").as_bytes()), Found::Backup(None));
    }

    #[test]
    fn rubbish_is_told_from_damage() {
        for rubbish in
            [&b""[..], b"Dear reader,", b"\xff\x00\xff\xe0", &[0x30; 500], &vector!("leaf.cer")[..300], b"QUJD"]
        {
            assert_eq!(inspect_at(rubbish, None, &[], THEN), Err(InspectError::NotRecognized));
        }
        assert_eq!(the_one(b"\xff\xd8\xff\xe0"), Found::Foreign(ForeignKind::Image));
        let large = vec![b'A'; MAXIMUM_SIZE + 1];
        assert_eq!(inspect_at(&large, None, &[], THEN), Err(InspectError::TooLarge));
        let damaged = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        assert_eq!(the_one(damaged.as_bytes()), Found::Unreadable("CERTIFICATE".into()));
    }

    #[test]
    fn there_is_an_end_to_what_is_looked_at() {
        let many = vector!("root.pem").repeat(MAXIMUM_FOUND + 1);
        let inspection = inspected(&many, None);
        assert_eq!(inspection.found.len(), MAXIMUM_FOUND);
        assert!(inspection.is_cut);
    }
}
