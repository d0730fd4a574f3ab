//! Backups: one text file with all that this browser holds of one enrollment.
//!
//! ```text
//! KEYSIDE BACKUP
//! …what this is and how to use it, in plain words…
//! Backup Version: 1
//! Common Name: Ada Example
//! …more headers…
//! -----BEGIN ENCRYPTED PRIVATE KEY-----
//! …, the CERTIFICATE REQUEST, for a renewal the CMS that was sent and, once collected, each CERTIFICATE, leaf first…
//! HMAC-SHA-256: …of every line above it, each ended by one line feed, in lowercase hexadecimal…
//! SHA-256: …of every line above it, in the same way…
//! ```
//!
//! OpenSSL passes over the text around PEM blocks, so it reads the file as it is. The checksum tells of damage, not of intent: anybody can
//! compute it again. The HMAC (RFC 2104) tells of intent. Its key is derived of the passphrase, beside the key that encrypts the private key
//! ([`encrypted_private_key`](keyside_pki::encrypted_private_key)). A backup from before there was one has no such line: the key in it is as
//! safe as in any other, but its certificates prove nothing until they are compared with the site's CA.
//! In every version the first line, the version's header and the checksum stay as they are.

use core::fmt::Display;
use core::str::FromStr;
use core::time::Duration;

use der::DateTime;
use hmac::{Hmac, KeyInit, Mac};
use keyside_pki::certificate::Certificate;
use keyside_pki::certification_request::CertificationRequest;
use keyside_pki::encrypted_private_key::authenticates;
use keyside_pki::error::Error;
use keyside_pki::file::from_quoted_printable;
use keyside_pki::full_pki_request::FullPkiRequest;
use keyside_pki::key_pair::key_id;
use keyside_pki::pem;
use pkcs8::EncryptedPrivateKeyInfoRef;
use sha2::{Digest, Sha256};

use crate::domain::base64_bytes::Base64Bytes;
use crate::domain::device::{Device, DeviceKind};
use crate::domain::enrollment::{Application, Enrollment, Renewal, RequestState, Submission};
use crate::domain::file_format::FileFormat;
use crate::domain::key_size::KeySize;
use crate::domain::transaction_id::TransactionId;

/// The newest version of the format that is read, and the one that is written.
pub const VERSION: u32 = 1;

/// The largest backup that is read or written, in bytes: many times what the longest chain of the largest keys takes.
pub const MAXIMUM_SIZE: usize = 1024 * 1024;

const STRUCTURE: &str = "Keyside backup";

const FIRST_LINE: &str = "KEYSIDE BACKUP";

/// What the file says to whoever finds it. No line is longer than what mail programs leave alone.
const PREAMBLE: &str = "\
This file holds a private key, the request for its certificate and, once
collected, the certificate. The private key is encrypted: it opens with
the pickup passphrase, which nobody can recover. Keep the file and the
passphrase apart.

To restore it, open Keyside in any browser, choose Restore, pick this
file and enter the pickup passphrase.

OpenSSL 1.1.0 or later reads the file without Keyside. Put its name in
place of FILE:

  Verify and show the request:
    openssl req -in FILE -verify -noout -text
  Show the certificate:
    openssl x509 -in FILE -noout -text
  Pack key and certificate into a PKCS#12 file:
    openssl pkcs12 -export -in FILE -out certificate.p12
  Take the private key out. It is NOT encrypted then:
    openssl pkcs8 -in FILE -out key.pem

Change nothing in this file: Keyside refuses a file that was changed.
";

const BACKUP_VERSION: &str = "Backup Version";
const TRANSACTION_ID: &str = "Transaction ID";
const FORMER_TRANSACTION_IDS: &str = "Former Transaction IDs";
const SUBMITTED_AT: &str = "Submitted At";
const STATE: &str = "State";
const REASON: &str = "Reason";
const CERTIFICATE_TYPE: &str = "Certificate Type";
const CERTIFICATE_TYPE_NAME: &str = "Certificate Type Name";
const COMMON_NAME: &str = "Common Name";
const EMAIL_ADDRESS: &str = "Email Address";
const KEY_SIZE: &str = "Key Size";
const REPLACES: &str = "Replaces";
const AUTHORIZATION_CODE: &str = "Authorization Code";
const DEVICE_TYPE: &str = "Device Type";
const WANTED_FILE_FORMAT: &str = "Wanted File Format";
const CREATED_AT: &str = "Created At";
const AUTHENTICATION_CODE: &str = "HMAC-SHA-256";
const CHECKSUM: &str = "SHA-256";

const PENDING: &str = "pending";
const REJECTED: &str = "rejected";
const ISSUED: &str = "issued";

/// Why a text gives no enrollment back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// It does not begin as a backup does, or is larger than [`MAXIMUM_SIZE`].
    #[error("this is not a Keyside backup")]
    NotABackup,
    /// It is whole, but of a later version than [`VERSION`]; which.
    #[error(
        "the backup was made by a newer Keyside: its version is {0}, and {VERSION} is the newest that this one reads"
    )]
    Newer(u32),
    /// There is another one behind it.
    #[error("there is more than one backup in this file")]
    Several,
    /// It was a backup once.
    #[error("the backup is damaged: {0}")]
    Damaged(Damage),
}

/// What is wrong with a damaged backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The last line is not the checksum.
    #[error("its end is missing")]
    Incomplete,
    /// Something was changed since the checksum was computed.
    #[error("its checksum does not fit")]
    Checksum,
    /// A header is missing or cannot be read; its name.
    #[error("the line “{0}” is missing or cannot be read")]
    Header(&'static str),
    /// A PEM block is missing, is there twice, or cannot be read; its label.
    #[error("the {0} is missing or cannot be read")]
    Block(&'static str),
    /// The request's signature does not fit its public key.
    #[error("the request's signature does not fit")]
    SignatureInvalid,
    /// The first certificate is not for the request's public key.
    #[error("the certificate is for another key than the request")]
    KeyMismatch,
    /// It was changed since it was saved, by intent: its checksum was computed again.
    #[error("it was changed after it had been saved")]
    NotAuthentic,
}

impl From<Damage> for BackupError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

/// Writes a backup.
///
/// A header is one line: line breaks and other control characters in a name or a reason become spaces, and white space
/// around it goes. Errors if a time is after the year 9999, or if the text would be larger than [`MAXIMUM_SIZE`].
pub fn encode(enrollment: &Enrollment) -> Result<String, Error> {
    let mut lines = vec![FIRST_LINE.to_owned(), String::new(), PREAMBLE.to_owned()];
    lines.extend(headers(enrollment)?.into_iter().map(|(name, value)| format!("{name}: {}", in_one_line(&value))));
    let certificates = enrollment.certification_path.iter().flatten().map(|der| (pem::CERTIFICATE, der));
    for (label, der) in [
        (pem::ENCRYPTED_PRIVATE_KEY, &enrollment.encrypted_private_key),
        (pem::CERTIFICATE_REQUEST, &enrollment.certification_request),
    ]
    .into_iter()
    .chain(enrollment.renewal.iter().map(|renewal| (pem::CMS, &renewal.full_pki_request)))
    .chain(certificates)
    {
        lines.push(String::new());
        lines.push(pem::encode(label, &der.0)?.trim_end().to_owned());
    }
    let mut contents = without_line_ends(&lines.join("\n")) + "\n";
    if let Some(key) = &enrollment.authentication_key {
        let code = base16ct::lower::encode_string(&hmac(&key.0, &contents)?.finalize().into_bytes());
        contents.push_str(&format!("{AUTHENTICATION_CODE}: {code}\n"));
    }
    let text = format!("{contents}{CHECKSUM}: {}\n", checksum(&contents));
    if text.len() > MAXIMUM_SIZE {
        return Err(Error::encoding(STRUCTURE)(format!("it would be {} bytes long", text.len())));
    }
    Ok(text)
}

/// The headers' names and values, in the order in which they stand.
fn headers(enrollment: &Enrollment) -> Result<Vec<(&'static str, String)>, Error> {
    let mut headers = vec![(BACKUP_VERSION, VERSION.to_string())];
    if let Some(submission) = &enrollment.submission {
        headers.push((TRANSACTION_ID, submission.transaction_id.to_string()));
        headers.push((SUBMITTED_AT, date_time(submission.submitted_at)?));
        match &submission.state {
            RequestState::Pending => headers.push((STATE, PENDING.into())),
            RequestState::Rejected { reason } => {
                headers.extend([(STATE, REJECTED.into()), (REASON, reason.clone())]);
            }
            RequestState::Issued => headers.push((STATE, ISSUED.into())),
        }
    }
    if !enrollment.former_transaction_ids.is_empty() {
        let former: Vec<String> = enrollment.former_transaction_ids.iter().map(ToString::to_string).collect();
        headers.push((FORMER_TRANSACTION_IDS, former.join(" ")));
    }
    let application = &enrollment.application;
    headers.extend([
        (CERTIFICATE_TYPE, application.certificate_type.clone()),
        (CERTIFICATE_TYPE_NAME, application.certificate_type_name.clone()),
        (COMMON_NAME, application.common_name.clone()),
        (EMAIL_ADDRESS, application.email_address.clone()),
        (KEY_SIZE, application.key_size.to_string()),
        (CREATED_AT, date_time(enrollment.created_at)?),
    ]);
    headers.extend(application.replaces.map(|id| (REPLACES, id.to_string())));
    // It works once: a request that was sent has no use for it.
    if let (Some(code), None) = (&application.authorization_code, &enrollment.submission) {
        headers.push((AUTHORIZATION_CODE, code.as_str().to_owned()));
    }
    // Its name is the Common Name, and whom to write to is the e-mail address.
    if let Some(device) = &application.device {
        headers.extend([(DEVICE_TYPE, device.kind.to_string()), (WANTED_FILE_FORMAT, device.file_format.to_string())]);
    }
    Ok(headers)
}

/// A time as RFC 3339 writes it, in UTC; `seconds` since 1970-01-01T00:00:00Z.
fn date_time(seconds: u64) -> Result<String, Error> {
    DateTime::from_unix_duration(Duration::from_secs(seconds))
        .map(|date_time| date_time.to_string())
        .map_err(Error::encoding(STRUCTURE))
}

/// `value` without what would end or begin a line.
fn in_one_line(value: &str) -> String {
    value.replace(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'), " ")
}

/// Makes sure that a backup was not changed since it was saved. One from before backups were authenticated cannot tell: it has no code, and the key
/// in it does not demand one ([`authenticates`]).
pub fn authenticate(text: &str, authentication_key: &[u8]) -> Result<(), BackupError> {
    let text = canonical(text).ok_or(BackupError::NotABackup)?;
    let mut last_lines = text.rsplitn(3, '\n').skip(1);
    let (Some(last), Some(contents)) = (last_lines.next(), last_lines.next()) else {
        return Err(Damage::Incomplete.into());
    };
    let Ok(code) = value(last, AUTHENTICATION_CODE) else {
        let key = single(contents, pem::ENCRYPTED_PRIVATE_KEY)?;
        return if authenticates(&key) { Err(Damage::NotAuthentic.into()) } else { Ok(()) };
    };
    let code = base16ct::lower::decode_vec(code).map_err(|_| Damage::NotAuthentic)?;
    let hmac = hmac(authentication_key, &format!("{contents}\n")).map_err(|_| Damage::NotAuthentic)?;
    Ok(hmac.verify_slice(&code).map_err(|_| Damage::NotAuthentic)?)
}

/// The HMAC-SHA-256 of `contents`, under a key that has been derived.
fn hmac(key: &[u8], contents: &str) -> Result<Hmac<Sha256>, Error> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).map_err(Error::encoding(STRUCTURE))?;
    hmac.update(contents.as_bytes());
    Ok(hmac)
}

/// Reads a backup.
///
/// Line ends of either kind, a byte order mark, words around the text, quotation marks before its lines and white space at their ends do
/// not matter. The key ID is computed from the request, whose signature is verified; the first certificate is for its public key.
/// [`certification_path`](keyside_pki::certification_path) tells if the certificates form a path, and [`authenticate`] if the backup was changed.
/// The authentication key itself is not in it.
pub fn decode(text: &str) -> Result<Enrollment, BackupError> {
    if text.len() > MAXIMUM_SIZE {
        return Err(BackupError::NotABackup);
    }
    let text = in_lines(text);
    let (text, rest) = split_first(&text).ok_or(BackupError::NotABackup)?;
    if split_first(rest).is_some_and(|(other, _)| other != text) {
        return Err(BackupError::Several);
    }
    // The last line feed belongs to the contents: every line of them is ended by one.
    let (contents, last_line) =
        text.rfind('\n').and_then(|end| text.split_at_checked(end + 1)).ok_or(Damage::Incomplete)?;
    if value(last_line, CHECKSUM).map_err(|_| Damage::Incomplete)? != checksum(contents) {
        return Err(Damage::Checksum.into());
    }
    // No header can begin a block, because each begins with its name.
    let (headers, blocks) = contents.split_at(contents.find("\n-----BEGIN ").unwrap_or(contents.len()));
    match parsed(headers, BACKUP_VERSION)? {
        VERSION => {}
        newer if newer > VERSION => return Err(BackupError::Newer(newer)),
        _ => return Err(Damage::Header(BACKUP_VERSION).into()),
    }
    Ok(read(headers, blocks)?)
}

/// Reads the headers and blocks of version 1.
fn read(headers: &str, blocks: &str) -> Result<Enrollment, Damage> {
    let text = |name| text(headers, name);
    let application = Application {
        certificate_type: text(CERTIFICATE_TYPE)?,
        certificate_type_name: text(CERTIFICATE_TYPE_NAME)?,
        common_name: text(COMMON_NAME)?,
        email_address: text(EMAIL_ADDRESS)?,
        key_size: KeySize::try_from(parsed::<u16>(headers, KEY_SIZE)?).map_err(|_| Damage::Header(KEY_SIZE))?,
        replaces: optional(headers, REPLACES)?,
        authorization_code: optional(headers, AUTHORIZATION_CODE)?,
        device: read_device(headers)?,
    };
    let encrypted_private_key = single(blocks, pem::ENCRYPTED_PRIVATE_KEY)?;
    EncryptedPrivateKeyInfoRef::try_from(encrypted_private_key.as_slice())
        .map_err(|_| Damage::Block(pem::ENCRYPTED_PRIVATE_KEY))?;
    let certification_request = single(blocks, pem::CERTIFICATE_REQUEST)?;
    let request = read_request(&certification_request, application.key_size)?;
    Ok(Enrollment {
        key_id: key_id(request.subject_public_key_info()),
        created_at: seconds(headers, CREATED_AT)?,
        application,
        encrypted_private_key: encrypted_private_key.into(),
        authentication_key: None,
        renewal: read_renewal(blocks, &certification_request)?,
        certification_request: certification_request.into(),
        submission: read_submission(headers)?,
        former_transaction_ids: read_former_transaction_ids(headers)?,
        certification_path: read_certificates(blocks, &request)?,
        certificate: None,
        // Files are where they were saved: a list of them says nothing elsewhere.
        downloads: Vec::new(),
    })
}

fn read_device(headers: &str) -> Result<Option<Device>, Damage> {
    if value(headers, DEVICE_TYPE).is_err() {
        return Ok(None);
    }
    Ok(Some(Device {
        kind: parsed::<DeviceKind>(headers, DEVICE_TYPE)?,
        name: text(headers, COMMON_NAME)?,
        file_format: parsed::<FileFormat>(headers, WANTED_FILE_FORMAT)?,
        email_address: text(headers, EMAIL_ADDRESS)?,
    }))
}

fn read_request(der: &[u8], key_size: KeySize) -> Result<CertificationRequest, Damage> {
    let malformed = |_| Damage::Block(pem::CERTIFICATE_REQUEST);
    let request = CertificationRequest::from_der(der).map_err(malformed)?;
    request.rsa_public_key().map_err(malformed)?;
    if request.rsa_parameters().map(|parameters| parameters.bits) != Ok(key_size.bits().into()) {
        return Err(Damage::Header(KEY_SIZE));
    }
    request.verify().map_err(|_| Damage::SignatureInvalid)?;
    Ok(request)
}

fn read_renewal(blocks: &str, certification_request: &[u8]) -> Result<Option<Renewal>, Damage> {
    if !blocks.contains("-----BEGIN CMS-----") {
        return Ok(None);
    }
    let der = single(blocks, pem::CMS)?;
    let request = FullPkiRequest::from_der(&der).map_err(|_| Damage::Block(pem::CMS))?;
    if request.certification_request() != certification_request || request.verify().is_err() {
        return Err(Damage::Block(pem::CMS));
    }
    Renewal::try_from(&request).map(Some).map_err(|_| Damage::Block(pem::CMS))
}

fn read_submission(headers: &str) -> Result<Option<Submission>, Damage> {
    if value(headers, TRANSACTION_ID).is_err() {
        return Ok(None);
    }
    let state = match value(headers, STATE)? {
        PENDING => RequestState::Pending,
        REJECTED => RequestState::Rejected { reason: text(headers, REASON)? },
        ISSUED => RequestState::Issued,
        _ => return Err(Damage::Header(STATE)),
    };
    Ok(Some(Submission {
        transaction_id: parsed(headers, TRANSACTION_ID)?,
        submitted_at: seconds(headers, SUBMITTED_AT)?,
        state,
    }))
}

fn read_former_transaction_ids(headers: &str) -> Result<Vec<TransactionId>, Damage> {
    let former = value(headers, FORMER_TRANSACTION_IDS).unwrap_or_default();
    former.split_whitespace().map(|id| id.parse().map_err(|_| Damage::Header(FORMER_TRANSACTION_IDS))).collect()
}

fn read_certificates(blocks: &str, request: &CertificationRequest) -> Result<Option<Vec<Base64Bytes>>, Damage> {
    let malformed = |_| Damage::Block(pem::CERTIFICATE);
    if !blocks.contains("-----BEGIN CERTIFICATE-----") {
        return Ok(None);
    }
    let certificates: Vec<Certificate> = pem::decode_all(pem::CERTIFICATE, blocks)
        .map_err(malformed)?
        .iter()
        .map(|der| Certificate::from_der(der).map_err(malformed))
        .collect::<Result<_, _>>()?;
    if !certificates.first().is_some_and(|leaf| leaf.certifies(request.subject_public_key_info())) {
        return Err(Damage::KeyMismatch);
    }
    Ok(Some(certificates.iter().map(|certificate| certificate.der().to_vec().into()).collect()))
}

/// The text as it was written: without what programs on the way add or change, such as the words of a mail around it, the quotation marks before
/// its lines, and the ends of lines. It ends with the first checksum, and begins with the last first line above that. None if no line is a
/// backup's first.
fn canonical(text: &str) -> Option<String> {
    Some(split_first(&in_lines(text))?.0)
}

/// The text with line feeds for all line ends, and without the escapes of quoted-printable, which mails have. Base64 has no "=3D".
fn in_lines(text: &str) -> String {
    let decoded = if text.contains("=3D") { from_quoted_printable(text).to_string() } else { text.to_owned() };
    if decoded.contains('\n') { decoded } else { decoded.replace('\r', "\n") }
}

/// See [`canonical`]; and what follows it.
fn split_first(text: &str) -> Option<(String, &str)> {
    let mut lines: Vec<String> = Vec::new();
    let mut mark = None;
    let mut rest = text;
    while let Some((line, after)) = rest.split_once('\n').or_else(|| (!rest.is_empty()).then_some((rest, ""))) {
        rest = after;
        let line = line.trim_end();
        if let Some(found) = mark_before_first_line(line) {
            mark = Some(found);
            lines.clear();
        }
        let (has_begun, mark) = (mark.is_some(), mark.unwrap_or_default());
        // A mail program may have put what follows the name of a code into a line of its own.
        let is_name = |line: &String| {
            let bare = without_mark(line, mark).unwrap_or(line);
            [AUTHENTICATION_CODE, CHECKSUM].iter().any(|name| bare.strip_suffix(':') == Some(name))
        };
        match lines.last_mut().filter(|last| is_name(last)) {
            Some(last) => {
                last.push(' ');
                last.push_str(without_mark(line, mark).unwrap_or(line).trim_start());
            }
            None => lines.push(line.to_owned()),
        }
        let is_last = |line: &String| {
            value(without_mark(line, mark).unwrap_or(line), CHECKSUM).is_ok_and(|code| !code.is_empty())
        };
        if has_begun && lines.last().is_some_and(is_last) {
            break;
        }
    }
    let mark = mark?;
    // White space before only the first line is no mark: some of the preamble's lines begin with it, too.
    let unmarked: Option<Vec<&str>> = lines.iter().map(|line| without_mark(line, mark)).collect();
    let as_they_are = || [FIRST_LINE].into_iter().chain(lines.iter().skip(1).map(String::as_str)).collect();
    let mut whole = unmarked.unwrap_or_else(as_they_are).join("\n");
    whole.truncate(whole.trim_end().len());
    Some((whole, rest))
}

/// The mark before the words of a backup's first line, if `line` is one.
fn mark_before_first_line(line: &str) -> Option<&str> {
    line.strip_suffix(FIRST_LINE).filter(|mark| is_mark(mark))
}

/// A line without the mark that is before all of them. An empty line may have another, such as one without white space.
fn without_mark<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.strip_prefix(mark).or_else(|| is_mark(line).then_some(""))
}

/// True for what mail programs and editors put before a line.
fn is_mark(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || matches!(c, '>' | '|' | '\u{feff}'))
}

/// The text without white space around it and at the ends of its lines.
fn without_line_ends(text: &str) -> String {
    text.trim().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// The SHA-256 of `contents`, in lowercase hexadecimal.
fn checksum(contents: &str) -> String {
    base16ct::lower::encode_string(&Sha256::digest(contents.as_bytes()))
}

/// The value of the header `name`.
fn value<'a>(headers: &'a str, name: &'static str) -> Result<&'a str, Damage> {
    headers
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
        .ok_or(Damage::Header(name))
}

/// The value of the header `name` as it would be written: a file from elsewhere may have control characters in it.
fn text(headers: &str, name: &'static str) -> Result<String, Damage> {
    value(headers, name).map(|text| in_one_line(text).trim().to_owned())
}

/// The value of the header `name`, read as a `T`.
fn parsed<T: FromStr<Err: Display>>(headers: &str, name: &'static str) -> Result<T, Damage> {
    value(headers, name)?.parse().map_err(|_| Damage::Header(name))
}

/// The same where the header may be missing.
fn optional<T: FromStr<Err: Display>>(headers: &str, name: &'static str) -> Result<Option<T>, Damage> {
    value(headers, name).is_ok().then(|| parsed(headers, name)).transpose()
}

/// The time in the header `name`, in seconds since 1970-01-01T00:00:00Z.
fn seconds(headers: &str, name: &'static str) -> Result<u64, Damage> {
    Ok(parsed::<DateTime>(headers, name)?.unix_duration().as_secs())
}

/// The DER of the one block with `label`.
fn single(blocks: &str, label: &'static str) -> Result<Vec<u8>, Damage> {
    let found = pem::decode_all(label, blocks).map_err(|_| Damage::Block(label))?;
    <[_; 1]>::try_from(found).map(|[der]| der).map_err(|_| Damage::Block(label))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use std::sync::OnceLock;

    use keyside_pki::testing::{NOW, YEAR, authority, key_pair, name, spki_of};
    use keyside_pki::{encrypted_private_key, full_pki_request};

    use keyside_pki::certification_request;

    use super::*;
    use crate::domain::enrollment::Standing;
    use crate::domain::passphrase::Passphrase;

    /// A backup that was made without Keyside. Users hold files like it: whoever changes the format must still read it.
    const VECTOR: &str = include_str!("../../../tests/vectors/backup/collected.txt");

    /// An enrollment that was prepared and not sent.
    fn not_sent() -> Enrollment {
        static ENROLLMENT: OnceLock<Enrollment> = OnceLock::new();
        ENROLLMENT
            .get_or_init(|| {
                let clear = key_pair().to_private_key_info().unwrap();
                let passphrase = Passphrase::new("Correct-4-horse".into());
                let subject = name("CN=Zoë Example,O=Example,C=US");
                let rng = &mut rand::rng();
                Enrollment {
                    key_id: key_id(&key_pair().to_subject_public_key_info().unwrap()),
                    created_at: NOW,
                    application: Application {
                        certificate_type: "participants".into(),
                        certificate_type_name: "Participants & External Users".into(),
                        common_name: "Zoë  Ødegård Ελένη 漢字: -----BEGIN CERTIFICATE----- Backup Version: 2".into(),
                        email_address: "zoe@example.com".into(),
                        key_size: KeySize::Rsa2048,
                        replaces: None,
                        authorization_code: None,
                        device: None,
                    },
                    encrypted_private_key: encrypted_private_key::seal_as_before(&clear, passphrase.expose(), rng)
                        .unwrap()
                        .0
                        .into(),
                    authentication_key: None,
                    certification_request: certification_request::build(&key_pair(), &subject, "zoe@example.com", rng)
                        .unwrap()
                        .into(),
                    renewal: None,
                    submission: None,
                    former_transaction_ids: Vec::new(),
                    certification_path: None,
                    certificate: None,
                    downloads: Vec::new(),
                }
            })
            .clone()
    }

    fn sent(state: RequestState) -> Enrollment {
        let transaction_id = "000-000-000-000-000-000-000-000-011".parse().unwrap();
        Enrollment {
            submission: Some(Submission { transaction_id, submitted_at: NOW + 1, state }),
            former_transaction_ids: ["022", "033"]
                .map(|end| format!("{}{end}", "000-".repeat(8)).parse().unwrap())
                .into(),
            ..not_sent()
        }
    }

    fn collected() -> Enrollment {
        static LEAF: OnceLock<Vec<u8>> = OnceLock::new();
        let leaf = LEAF.get_or_init(|| {
            let subject = "CN=Zoë Example,O=Example,C=US".parse().unwrap();
            authority().certify(subject, spki_of(&key_pair()), NOW, NOW + YEAR)
        });
        let path = [leaf, &authority().issuing, &authority().root].map(|der| Base64Bytes(der.clone()));
        Enrollment { certification_path: Some(path.into()), ..sent(RequestState::Issued) }
    }

    fn damaged(damage: Damage) -> Result<Enrollment, BackupError> {
        Err(BackupError::Damaged(damage))
    }

    /// `text` with one thing changed, under a checksum that fits.
    fn changed(text: &str, from: &str, to: &str) -> String {
        assert!(text.contains(from), "{from} is not in\n{text}");
        let changed = text.replace(from, to);
        let end = changed.trim_end().rfind('\n').unwrap() + 1;
        let contents = without_line_ends(&changed[..end]) + "\n";
        format!("{contents}SHA-256: {}\n", checksum(&contents))
    }

    #[test]
    fn what_is_written_is_read_back() {
        let rejected = |reason: &str| sent(RequestState::Rejected { reason: reason.into() });
        for enrollment in [
            not_sent(),
            sent(RequestState::Pending),
            rejected("unknown person: “Zoë”"),
            rejected(""),
            sent(RequestState::Issued),
            collected(),
        ] {
            let text = encode(&enrollment).unwrap();
            assert_eq!(decode(&text), Ok(enrollment), "{text}");
        }
    }

    #[test]
    fn a_renewal_is_written_with_what_was_sent() {
        let current = authority().certify("CN=Zoë Example".parse().unwrap(), spki_of(&key_pair()), NOW, NOW + YEAR);
        let current = Certificate::from_der(&current).unwrap();
        let sign = |request: &Base64Bytes| {
            let signed = full_pki_request::build(&request.0, current.der(), &key_pair(), &mut rand::rng()).unwrap();
            Renewal::try_from(&FullPkiRequest::from_der(&signed).unwrap()).unwrap()
        };
        let renewal = Enrollment { renewal: Some(sign(&not_sent().certification_request)), ..not_sent() };
        let text = encode(&renewal).unwrap();
        assert_eq!(decode(&text).unwrap(), renewal);
        assert_eq!(renewal.id(), format!("{}-{}", renewal.key_id, current.summary().serial_number));

        let subject = name("CN=Another");
        let other = certification_request::build(&key_pair(), &subject, "a@example.com", &mut rand::rng()).unwrap();
        let mixed = encode(&Enrollment { renewal: Some(sign(&other.into())), ..not_sent() }).unwrap();
        assert_eq!(decode(&mixed), Err(Damage::Block(pem::CMS).into()));
    }

    #[test]
    fn a_device_is_written_and_read_back() {
        let name = not_sent().application.common_name;
        let device = Device {
            kind: DeviceKind::Iccp,
            name,
            file_format: FileFormat::P7b,
            email_address: not_sent().application.email_address,
        };
        let enrollment =
            Enrollment { application: Application { device: Some(device), ..not_sent().application }, ..not_sent() };
        let text = encode(&enrollment).unwrap();
        assert_eq!(decode(&text), Ok(enrollment));
        for (from, to, header) in [
            ("Device Type: iccp", "Device Type: plc", DEVICE_TYPE),
            ("Wanted File Format: p7b", "Wanted File Format: pfx", WANTED_FILE_FORMAT),
            ("\nWanted File Format: ", "\nAnother: ", WANTED_FILE_FORMAT),
        ] {
            assert_eq!(decode(&changed(&text, from, to)), damaged(Damage::Header(header)));
        }
    }

    #[test]
    fn a_backup_made_without_keyside_is_read() {
        let enrollment = decode(VECTOR).unwrap();
        assert_eq!(enrollment.standing(), Standing::Collected);
        assert_eq!(enrollment.created_at, NOW);
        assert_eq!(enrollment.submission, sent(RequestState::Issued).submission);
        assert_eq!(enrollment.application.common_name, "Zoë Example");
        assert_eq!(enrollment.certification_path.as_ref().map(Vec::len), Some(2));
        let passphrase = Passphrase::new("Correct-4-horse".into());
        assert!(encrypted_private_key::decrypt(&enrollment.encrypted_private_key.0, passphrase.expose()).is_ok());
        assert_eq!(decode(&encode(&enrollment).unwrap()), Ok(enrollment));
    }

    #[test]
    fn a_header_stays_in_its_line() {
        let forged = "no\nTransaction ID: 1\r\n-----BEGIN CERTIFICATE-----\u{2028}\u{7} \n";
        let text = encode(&sent(RequestState::Rejected { reason: forged.into() })).unwrap();
        let read = decode(&text).unwrap();
        let reason = "no Transaction ID: 1  -----BEGIN CERTIFICATE-----".to_owned();
        assert_eq!(read.submission, sent(RequestState::Rejected { reason }).submission);
    }

    #[test]
    fn control_characters_in_a_header_are_read_as_they_would_be_written() {
        let (from, to) = ("\nCertificate Type Name: ", "\nCertificate Type Name: a\u{1}b\tc");
        let read = decode(&changed(&encode(&collected()).unwrap(), from, to)).unwrap();
        assert!(read.application.certificate_type_name.starts_with("a b c"));
        assert_eq!(decode(&encode(&read).unwrap()), Ok(read));
    }

    #[test]
    fn what_programs_on_the_way_do_to_a_text_does_not_matter() {
        let text = encode(&collected()).unwrap();
        let spaced: String = text.lines().map(|line| format!("{line} \t\r\n")).collect();
        for sent_along in [
            text.replace('\n', "\r\n"),
            format!("\u{feff}{text}"),
            format!("\u{feff}\r\n\r\n{}\r\n \r\n", text.replace('\n', "\r\n")),
            text.trim_end().to_owned(),
            spaced,
        ] {
            assert_eq!(decode(&sent_along), Ok(collected()), "{sent_along:?}");
        }
    }

    #[test]
    fn other_texts_are_no_backups() {
        let text = encode(&not_sent()).unwrap();
        let certificate = pem::encode(pem::CERTIFICATE, &authority().root).unwrap();
        let oversized = text.clone() + &" ".repeat(MAXIMUM_SIZE + 1 - text.len());
        for foreign in ["", "\n", "nonsense", "KEYSIDE BACKUPS\n", &certificate, &format!("Hello{text}"), &oversized] {
            assert_eq!(decode(foreign), Err(BackupError::NotABackup), "{foreign}");
        }
        assert_eq!(decode(&oversized[..MAXIMUM_SIZE]), Ok(not_sent()));
    }

    #[test]
    fn a_mail_around_it_and_its_quotation_marks_do_not_matter() {
        let text = encode(&collected()).unwrap();
        let quoted = |mark: &str| text.lines().map(|line| format!("{mark}{line}\n")).collect::<String>();
        for around in [
            format!("Hello,\nhere it is:\n\n{text}\nRegards\n"),
            quoted("> "),
            quoted("> > "),
            quoted("    "),
            quoted("> ").replace("> \n", ">\n"),
            quoted("> > ").replace("> > \n", ">>\n"),
            format!("\u{feff}{text}"),
            format!(" {text}"),
            format!("    {text}"),
            format!("KEYSIDE BACKUP\n\n{text}"),
            format!("KEYSIDE BACKUP\n\n{}", quoted("> ")),
            format!("{text}\n> {}", text.replace('\n', "\n> ")),
            text.replace('\n', "\r"),
            text.replace('=', "=3D").replace("-----\n", "-----=\n\n"),
            text.replace("SHA-256: ", "SHA-256:\n"),
            quoted("> ").replace("SHA-256: ", "SHA-256:\n> "),
        ] {
            assert_eq!(decode(&around), Ok(collected()), "{around}");
        }
        assert_eq!(decode(&quoted("! ")), Err(BackupError::NotABackup));
        let several = format!("{text}\n{}", encode(&not_sent()).unwrap());
        assert_eq!(decode(&several), Err(BackupError::Several));
    }

    #[test]
    fn a_backup_that_would_not_be_read_is_not_written() {
        let path = vec![Base64Bytes(vec![0; MAXIMUM_SIZE])];
        let oversized = Enrollment { certification_path: Some(path), ..not_sent() };
        let late = Enrollment { created_at: u64::MAX, ..not_sent() };
        for unwritable in [oversized, late] {
            assert!(matches!(encode(&unwritable), Err(Error::Encoding { structure: "Keyside backup", .. })));
        }
    }

    #[test]
    fn a_cut_is_noticed_at_every_line() {
        let text = encode(&collected()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for kept in 1..lines.len() {
            assert_eq!(decode(&lines[..kept].join("\n")), damaged(Damage::Incomplete), "{kept} lines");
            let without_one = [&lines[..kept - 1], &lines[kept..]].concat().join("\n");
            let expected = if kept == 1 { Err(BackupError::NotABackup) } else { damaged(Damage::Checksum) };
            assert_eq!(decode(&without_one), expected, "without {}", lines[kept - 1]);
        }
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let text = encode(&sent(RequestState::Pending)).unwrap();
        for place in 0..text.trim_end().len() {
            for bit in [0x01, 0x20, 0x80] {
                let mut bytes = text.as_bytes().to_vec();
                bytes[place] ^= bit;
                let read = decode(&String::from_utf8_lossy(&bytes));
                let noticed = match read {
                    Err(BackupError::NotABackup) => place <= FIRST_LINE.len(),
                    Err(BackupError::Damaged(Damage::Checksum | Damage::Incomplete)) => place >= FIRST_LINE.len(),
                    _ => false,
                };
                assert!(noticed, "byte {place}: {read:?}");
            }
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let text = encode(&not_sent()).unwrap();
        let version = |version| changed(&text, "\nBackup Version: 1\n", &format!("\nBackup Version: {version}\n"));
        assert_eq!(decode(&version("1")), Ok(not_sent()));
        assert_eq!(decode(&version("2")), Err(BackupError::Newer(2)));
        for bad in ["0", "-1", "one", "", "4294967296"] {
            assert_eq!(decode(&version(bad)), damaged(Damage::Header(BACKUP_VERSION)), "{bad}");
        }
        let newer = "KEYSIDE BACKUP\nBackup Version: 7\nall else is different\n";
        let newer = format!("{newer}SHA-256: {}", checksum(newer));
        assert_eq!(decode(&newer), Err(BackupError::Newer(7)));
    }

    #[test]
    fn every_header_is_needed_and_read() {
        let text = encode(&sent(RequestState::Rejected { reason: "unknown person".into() })).unwrap();
        for name in [
            BACKUP_VERSION,
            SUBMITTED_AT,
            STATE,
            REASON,
            CERTIFICATE_TYPE,
            CERTIFICATE_TYPE_NAME,
            COMMON_NAME,
            EMAIL_ADDRESS,
            KEY_SIZE,
            CREATED_AT,
        ] {
            let without = changed(&text, &format!("\n{name}: "), "\nAnother: ");
            assert_eq!(decode(&without), damaged(Damage::Header(name)));
        }
        for (name, good, bad) in [
            (TRANSACTION_ID, "000-000-000-000-000-000-000-000-011", "000-000-000-000-000-000-000-000-012"),
            (SUBMITTED_AT, "2027-01-15T08:00:01Z", "2027-02-29T08:00:01Z"),
            (STATE, "rejected", "approved"),
            (KEY_SIZE, "2048", "2047"),
            (KEY_SIZE, "2048", "3072"),
            (CREATED_AT, "2027-01-15T08:00:00Z", "15 January"),
        ] {
            let bad = changed(&text, &format!("\n{name}: {good}\n"), &format!("\n{name}: {bad}\n"));
            assert_eq!(decode(&bad), damaged(Damage::Header(name)));
        }
    }

    #[test]
    fn every_block_is_needed_and_read() {
        let text = encode(&collected()).unwrap();
        let good = collected();
        let leaf = good.certification_path.as_ref().unwrap()[0].clone();
        for (label, der) in [
            (pem::ENCRYPTED_PRIVATE_KEY, &good.encrypted_private_key),
            (pem::CERTIFICATE_REQUEST, &good.certification_request),
            (pem::CERTIFICATE, &leaf),
        ] {
            let block = pem::encode(label, &der.0).unwrap();
            let nonsense = pem::encode(label, b"nonsense").unwrap();
            assert_eq!(decode(&changed(&text, &block, &nonsense)), damaged(Damage::Block(label)));
            let without_end = changed(&text, &format!("\n-----END {label}-----"), "");
            assert_eq!(decode(&without_end), damaged(Damage::Block(label)));
            if label != pem::CERTIFICATE {
                assert_eq!(decode(&changed(&text, &block, "")), damaged(Damage::Block(label)));
                assert_eq!(decode(&changed(&text, &block, &block.repeat(2))), damaged(Damage::Block(label)));
            }
        }
    }

    #[test]
    fn what_does_not_belong_together_is_noticed() {
        let mut tampered = collected();
        *tampered.certification_request.0.last_mut().unwrap() ^= 1;
        assert_eq!(decode(&encode(&tampered).unwrap()), damaged(Damage::SignatureInvalid));

        let issuing_first = vec![authority().issuing.clone().into(), authority().root.clone().into()];
        let foreign = Enrollment { certification_path: Some(issuing_first), ..collected() };
        assert_eq!(decode(&encode(&foreign).unwrap()), damaged(Damage::KeyMismatch));
    }

    #[test]
    fn the_key_id_is_the_requests() {
        let renamed = Enrollment { key_id: "ab".repeat(32), ..not_sent() };
        assert_eq!(decode(&encode(&renamed).unwrap()), Ok(not_sent()));
    }

    #[test]
    fn the_preamble_survives_mail() {
        for line in PREAMBLE.lines() {
            assert!(line.len() <= 72 && line.is_ascii() && line.trim_end() == line, "{line}");
            assert!(!line.starts_with("From") && !line.starts_with('.'), "{line}");
        }
    }
}
