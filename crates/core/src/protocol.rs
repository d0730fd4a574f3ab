//! The messages between the page and its workers.
//!
//! There are three programs for a worker to run, so that none is loaded where it is not used: the one that makes and opens keys takes an
//! [`Job`], the one that checks certificates a [`CertificateJob`], and the inspector, which reads files from elsewhere and writes those that few
//! need, a [`FileJob`]. A worker lives for one
//! job: it says [`Ready`], takes the job, reports progress, answers once, and is terminated, which discards its memory. Messages travel as
//! bytes (JSON), so that the sender can hand over the only copy. The page gets ciphertext, the request and the finished file; never a private key.

use keyside_pki::certificate::CertificateSummary;
use keyside_pki::error::Error;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use zeroize::Zeroizing;

use crate::domain::base64_bytes::Base64Bytes;
use crate::domain::enrollment::Enrollment;
use crate::domain::file_format::ExportFormat;
use crate::domain::key_size::KeySize;
use crate::domain::passphrase::{MAXIMUM_LENGTH, Passphrase};

/// The build that page and worker must share: a hash of the sources of all that they exchange. They are built together, so a mismatch means that one of them is a
/// stale copy.
pub const BUILD: &str = env!("KEYSIDE_BUILD");

/// The name of a worker that will be asked for a new key.
pub const KEY_MAKER: &str = "key maker";
/// The name of a worker that will open or seal a key, and was started before it is needed.
pub const WARM: &str = "warm";
/// The name of a worker that searches for primes.
pub const PRIME_SEARCH: &str = "prime search";
/// The name of one that does so in integers, whatever the processor can: what benchmarks compare with.
pub const PRIME_SEARCH_IN_INTEGERS: &str = "prime search in integers";

/// The first that a worker says: it has started, and is of this build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Its [`BUILD`].
    pub build: String,
}

/// The work that can be done ahead of a job, by what is known of it so far. Work for anything else is forgotten; so is all of it
/// when ten minutes have passed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Ahead {
    /// Primes for a key of this size are searched for, until they are there.
    pub key_size: Option<KeySize>,
    /// The key that the private key will be sealed under is derived from this passphrase.
    pub passphrase: Option<Passphrase>,
    /// This key is unsealed for [`Export`], which cannot do without.
    pub export: Option<ExportKey>,
}

/// The page's messages to the main job's worker: one job with an answer, and before it, while the user still types, work that can be done ahead.
#[derive(Debug, Serialize, Deserialize)]
pub enum Job {
    /// Make a key pair and a request.
    Generate(Generate),
    /// Make a file of key and certificate, for other programs.
    Export(Export),
    /// Seal a key anew, under another passphrase.
    ChangePassphrase(ChangePassphrase),
    /// Make a request for a renewal.
    Renew(Renew),
    /// Do this ahead. There is no answer.
    Ahead(Ahead),
}

/// What the page asks of the inspector.
#[derive(Debug, Serialize, Deserialize)]
pub enum FileJob {
    /// Take keys and certificates out of a file: [`Unpacked`], what ends last first; at least one.
    Unpack(Unpack),
    /// Tell what is public about a file: [`Inspection`](crate::inspection::Inspection).
    Inspect(Inspect),
    /// Make a certs-only SignedData (RFC 8551, section 3.8) of these certificates, each DER: its DER, [`Base64Bytes`].
    CertsOnly(Vec<Base64Bytes>),
    /// Read a [`backup`](crate::backup): the [`Enrollment`]. Nothing is proved of it yet.
    ReadBackup(Base64Bytes),
    /// Open the key in a backup, which proves the passphrase, and authenticate the rest: the [`Enrollment`].
    OpenBackup(OpenBackup),
    /// Write a backup of an enrollment, and see that it can be read: the text, a [`String`].
    WriteBackup(Box<Enrollment>),
}

/// What the page asks of the worker for certificates.
#[derive(Debug, Serialize, Deserialize)]
pub enum CertificateJob {
    /// Check a certificate that was issued: [`Checked`], or a [`PathError`](keyside_pki::certification_path::PathError) where it is the one
    /// that was asked for, but there is no path from it; a [`Result`].
    Check(Check),
    /// Tell the particulars of a certificate, DER: [`CertificateSummary`].
    Summarize(Base64Bytes),
}

/// Make a key pair, seal it under the passphrase, and make the CertificationRequest.
#[derive(Debug, Serialize, Deserialize)]
pub struct Generate {
    /// The size of the RSA key.
    pub key_size: KeySize,
    /// The subject, a Name (RFC 5280, section 4.1.2.4), DER. Whoever asks makes it of the certificate type's template: the table of the
    /// attributes' names is large, and the page has it anyway.
    pub subject: Base64Bytes,
    /// The e-mail address for the subjectAltName.
    pub email_address: String,
    /// What to seal the private key under.
    pub passphrase: Passphrase,
}

/// Make a file of the key that was [unsealed](Ahead::export) and its certification path.
#[derive(Debug, Serialize, Deserialize)]
pub struct Export {
    /// The certification path, leaf first, DER.
    pub certification_path: Vec<Base64Bytes>,
    /// The name that keystores show; PEM has no place for one.
    pub friendly_name: String,
}

/// A private key for a file.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExportKey {
    /// The kind of file.
    pub format: ExportFormat,
    /// The sealed private key, DER.
    pub encrypted_private_key: Base64Bytes,
    /// What the key is sealed under.
    pub passphrase: Passphrase,
    /// What the file will open with; [`Self::passphrase`] if absent.
    pub export_passphrase: Option<Passphrase>,
}

/// Unseal the private key and seal it anew, under another passphrase.
#[derive(Debug, Serialize, Deserialize)]
pub struct ChangePassphrase {
    /// Whose key it must be: see [`Enrollment::key_id`](crate::domain::enrollment::Enrollment::key_id).
    pub key_id: String,
    /// The sealed private key, DER.
    pub encrypted_private_key: Base64Bytes,
    /// What it is sealed under.
    pub passphrase: Passphrase,
    /// What it will be sealed under.
    pub new_passphrase: Passphrase,
}

/// Make a request for a renewal: for a new key pair or the same one, signed by the holder of the current certificate.
#[derive(Debug, Serialize, Deserialize)]
pub struct Renew {
    /// The current certificate, DER.
    pub certificate: Base64Bytes,
    /// Its subject, a Name, DER.
    pub subject: Base64Bytes,
    /// Its e-mail address.
    pub email_address: String,
    /// Its sealed private key, DER.
    pub encrypted_private_key: Base64Bytes,
    /// What that is sealed under.
    pub passphrase: Passphrase,
    /// The size of the new RSA key; absent for the same key.
    pub new_key: Option<KeySize>,
    /// What the request's key will be sealed under; [`Self::passphrase`] if absent.
    pub new_passphrase: Option<Passphrase>,
}

/// Take the private key and its certificate out of a PKCS#12 file, and seal the key as if it had been made here.
#[derive(Debug, Serialize, Deserialize)]
pub struct Unpack {
    /// The PFX, DER or BER; there may be a private key in the clear in it.
    pub file: Zeroizing<Base64Bytes>,
    /// The passphrase that the file opens with, and that the keys will be sealed under.
    pub passphrase: Passphrase,
    /// The passphrase of the keys in it, where that is another one.
    pub key_passphrase: Option<Passphrase>,
}

/// Unseal the private key in a backup, and make sure that it is the request's and that the backup is as it was saved.
#[derive(Debug, Serialize, Deserialize)]
pub struct OpenBackup {
    /// The backup.
    pub file: Base64Bytes,
    /// The passphrase that the key should be sealed under.
    pub passphrase: Passphrase,
}

/// Tell what is in a file, and open what the passphrase opens.
#[derive(Debug, Serialize, Deserialize)]
pub struct Inspect {
    /// The file; there may be a private key in the clear in it.
    pub file: Zeroizing<Base64Bytes>,
    /// What to open with, once something turned out to be locked.
    pub passphrase: Option<Passphrase>,
    /// The configured trust anchors, DER, as far as they are known.
    pub trust_anchors: Vec<Base64Bytes>,
    /// The configured CA's other certificates, DER, as far as they are known.
    pub intermediates: Vec<Base64Bytes>,
    /// The time to check at, in seconds since 1970-01-01T00:00:00Z.
    pub at: u64,
}

/// See that a certificate is the one that was asked for, and that it leads to a trust anchor.
#[derive(Debug, Serialize, Deserialize)]
pub struct Check {
    /// The certificate, then others that may lead on from it in any order; each DER.
    pub certificates: Vec<Base64Bytes>,
    /// The trust anchors, each DER.
    pub trust_anchors: Vec<Base64Bytes>,
    /// What the certificate has to be for.
    pub asked_for: AskedFor,
    /// The time to check at, in seconds since 1970-01-01T00:00:00Z.
    pub at: u64,
}

/// What tells whether a certificate is the one that was asked for.
#[derive(Debug, Serialize, Deserialize)]
pub enum AskedFor {
    /// It is for the public key of this CertificationRequest, DER.
    Request(Base64Bytes),
    /// Its subject has this Common Name: all that is known of a request that was made elsewhere.
    CommonName(String),
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Prime numbers are being looked for: the long part.
    GeneratingKeyPair(Searching),
    /// The request is being signed.
    SigningRequest,
    /// The private key is being encrypted.
    EncryptingKey,
}

/// How far the search for the two primes of a key has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Searching {
    /// How many of the two are there.
    pub primes: u8,
    /// How many numbers were tested since the last was found.
    pub tested: u32,
    /// How many it takes on average to find one.
    pub expected: u32,
}

impl Searching {
    /// From 0 to 1: how likely it was to have come this far by now, for each of the two primes. A search has no memory, so what was tested in vain
    /// brings the end no nearer; but it does tell how usual the waiting is.
    pub fn share(self) -> f64 {
        let mean = f64::from(self.expected.max(1));
        (f64::from(self.primes) + 1.0 - (-f64::from(self.tested) / mean).exp()) / 2.0
    }
}

/// What a worker says to a [`Job`].
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// The job goes on.
    Progress(Stage),
    /// [`Job::Generate`] is done.
    Generated(Generated),
    /// [`Job::Export`] is done: the file's bytes.
    Exported(Base64Bytes),
    /// [`Job::ChangePassphrase`] is done: the key under the new passphrase.
    PassphraseChanged(Sealed),
    /// [`Job::Renew`] is done.
    Renewed(Renewed),
    /// The job cannot be done.
    Failed(Failure),
}

/// What is said to a [`FileJob`] or a [`CertificateJob`].
#[derive(Debug, Serialize, Deserialize)]
pub enum FileAnswer {
    /// The job is done: what there is to say, as JSON; the job tells of what type. It is left to whoever asked to read it, so that nobody
    /// else has to bring the code for it.
    Done(Box<RawValue>),
    /// The job cannot be done.
    Failed(Failure),
}

impl FileAnswer {
    /// The answer with this outcome.
    pub(crate) fn of(outcome: Result<impl Serialize, Failure>) -> Self {
        let done = outcome.and_then(|done| to_raw_value(&done).map_err(|error| Failure::Unusable(error.to_string())));
        done.map_or_else(Self::Failed, Self::Done)
    }
}

/// A certificate that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Leaf first and trust anchor last, each DER.
    pub certification_path: Vec<Base64Bytes>,
    /// The leaf's particulars.
    pub certificate: CertificateSummary,
    /// The SHA-256 of the trust anchor, in lowercase hexadecimal.
    pub trust_anchor_fingerprint: String,
}

/// A sealed private key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// PKCS#8 EncryptedPrivateKeyInfo, DER.
    pub encrypted_private_key: Base64Bytes,
    /// See [`Enrollment::authentication_key`](crate::domain::enrollment::Enrollment::authentication_key).
    pub authentication_key: Base64Bytes,
}

/// A sealed key pair and its request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// See [`Enrollment::key_id`](crate::domain::enrollment::Enrollment::key_id).
    pub key_id: String,
    /// The private half.
    pub sealed: Sealed,
    /// PKCS#10 CertificationRequest, DER.
    pub certification_request: Base64Bytes,
}

/// A request for a renewal, and the sealed key pair that it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// The key pair and the bare request.
    pub generated: Generated,
    /// The request, signed by the holder of the current certificate: a full PKI request, DER.
    pub full_pki_request: Base64Bytes,
}

/// A certificate that came in a file, and its sealed key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// The certificate, DER.
    pub certificate: Base64Bytes,
    /// PKCS#8 EncryptedPrivateKeyInfo, DER. The key moves on at once, into a record of its own.
    pub encrypted_private_key: Base64Bytes,
}

/// Why a job cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Failure {
    /// The passphrase does not open the key.
    #[error("the passphrase does not open this key")]
    WrongPassphrase,
    /// The passphrase opens the file, and its keys have another one.
    #[error("the key in the file has a passphrase of its own")]
    KeyLocked,
    /// Other programs would refuse to open what is sealed under the new passphrase.
    #[error("a passphrase has 1 to {MAXIMUM_LENGTH} characters, all of them printable ASCII")]
    PassphraseNotPortable,
    /// The certificate, the request or the name is another public key's.
    #[error("this is another key's")]
    KeyMismatch,
    /// The certificate has another subject than the one that was asked for; which, as a sentence.
    #[error("{0}")]
    SubjectMismatch(String),
    /// The file is of no kind that can be inspected.
    #[error("the file is none of the kinds that can be inspected")]
    NotRecognized,
    /// The file is too large to be inspected.
    #[error("the file is too large to be inspected")]
    TooLarge,
    /// The text is not a backup.
    #[error("this is not a Keyside backup")]
    NotABackup,
    /// There is more than one backup in the text.
    #[error("there is more than one backup in this file")]
    SeveralBackups,
    /// The backup was made by a newer version of this page.
    #[error("the backup was made by a newer Keyside")]
    BackupTooNew,
    /// The backup is damaged; how.
    #[error("the backup is damaged: {0}")]
    BackupDamaged(String),
    /// Something that was given cannot be read or worked with.
    #[error("{0}")]
    Unusable(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::WrongPassphrase => Self::WrongPassphrase,
            other => Self::Unusable(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_a_search_grows_with_each_test_and_each_prime() {
        let share = |primes, tested| Searching { primes, tested, expected: 32 }.share();
        let course = [share(0, 0), share(0, 1), share(0, 500), share(1, 0), share(1, 64), share(2, 0)];
        assert!(course.is_sorted_by(|a, b| a < b), "{course:?}");
        assert_eq!([share(0, 0), share(1, 0), share(2, 0)], [0.0, 0.5, 1.0]);
        assert!(Searching::default().share().is_finite());
    }
}
