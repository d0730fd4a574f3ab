//! The folder of the embedded CA: made, read, and given new certificates. It appears as a whole or not at all.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use der::Encode;
use der::oid::AssociatedOid;
use keyside_core::domain::key_size::KeySize;
use keyside_core::domain::passphrase::Passphrase;
use keyside_core::key_generation;
use keyside_pki::certificate::Certificate;
use keyside_pki::key_pair::KeyPair;
use keyside_pki::{encrypted_private_key, name, pem};
use x509_cert::ext::pkix::{AuthorityInfoAccessSyntax, CrlDistributionPoints};
use zeroize::Zeroizing;

use super::super::{Authority, CaError, serial_number, settings};
use super::signer::{
    Signer, authority_extensions, distribution_points, issuer_address, key_identifier_of, public_key_of,
    sign_certificate,
};
use crate::clock::{self, BACKDATING, DAY};
use crate::hexadecimal::hexadecimal;
use crate::private_files;

/// The size of the authorities' keys.
const KEY_SIZE: KeySize = KeySize::Rsa3072;
/// The PEM label of a PKCS#8 PrivateKeyInfo (RFC 7468, section 10).
const PRIVATE_KEY: &str = "PRIVATE KEY";
/// The PEM label of a PKCS#8 EncryptedPrivateKeyInfo (RFC 7468, section 11).
const ENCRYPTED_PRIVATE_KEY: &str = "ENCRYPTED PRIVATE KEY";

impl Authority {
    /// The file of its certificate.
    pub(super) fn certificate_file(self) -> String {
        format!("{}-certificate.pem", self.slug())
    }

    /// The file of its private key.
    pub(super) fn key_file(self) -> String {
        format!("{}-key.pem", self.slug())
    }
}

/// The certificate of `authority` in the folder `directory`.
pub fn certificate_in(directory: &Path, authority: Authority) -> Result<Certificate, CaError> {
    let path = directory.join(authority.certificate_file());
    first_block(&path, pem::CERTIFICATE, &read(&path)?).and_then(|der| Ok(Certificate::from_der(&der)?))
}

/// The issuing authorities in `directory` after the first one, in their order.
pub(super) fn issuing_after_first(directory: &Path) -> impl Iterator<Item = Authority> {
    (2..).map(Authority::Issuing).take_while(|authority| directory.join(authority.certificate_file()).exists())
}

/// The certificates of the issuing authorities in `directory`, in their order, the current one last.
pub fn issuing_in(directory: &Path) -> Result<Vec<Certificate>, CaError> {
    let all = [Authority::FIRST].into_iter().chain(issuing_after_first(directory));
    all.map(|authority| certificate_in(directory, authority)).collect()
}

/// Every certificate in `directory`, those of before a renewal too.
pub fn certificates_in(directory: &Path) -> Result<Vec<Certificate>, CaError> {
    let mut certificates = Vec::new();
    for entry in fs::read_dir(directory).map_err(file_error(directory))? {
        let path = entry.map_err(file_error(directory))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.contains("-certificate") && name.ends_with(".pem") {
            let der = first_block(&path, pem::CERTIFICATE, &read(&path)?)?;
            certificates.push(Certificate::from_der(&der)?);
        }
    }
    Ok(certificates)
}

/// Reads certificate and key from `directory`.
pub(super) fn load_signer(
    directory: &Path,
    authority: Authority,
    passphrase: Option<&Passphrase>,
) -> Result<Signer, CaError> {
    let certificate = certificate_in(directory, authority)?;
    let path = directory.join(authority.key_file());
    let key = load_key(&path, passphrase)?;
    if !certificate.certifies(&key.to_subject_public_key_info()?) {
        return Err(CaError::Contents {
            path,
            fault: "this key does not belong to the certificate beside it; restore both from the same backup".into(),
        });
    }
    Ok(Signer { certificate, key: key.signing_key() })
}

/// Makes root and issuing authority beside `directory`, and moves them there when all is written: a crash leaves no half CA.
pub(super) fn create(
    directory: &Path,
    config: &settings::EmbeddedCa,
    passphrase: Option<&Passphrase>,
    public_url: &str,
) -> Result<(), CaError> {
    let now = clock::now();
    let end = |days: u32| now + i64::from(days) * DAY;
    let rng = &mut rand::rng();

    let root_key = key_generation::generate(KEY_SIZE, rng)?;
    let root_public_key = public_key_of(&root_key)?;
    let root = sign_certificate(
        &root_key.signing_key(),
        &config.root_subject,
        &serial_number::random(rng),
        now - BACKDATING,
        end(config.root_validity_days),
        root_public_key.clone(),
        authority_extensions(&config.root_subject, &root_public_key, None)?,
    )?;
    let root_signer = Signer { certificate: Certificate::from_der(&root)?, key: root_key.signing_key() };

    let issuing_key = key_generation::generate(KEY_SIZE, rng)?;
    let issuing_public_key = public_key_of(&issuing_key)?;
    let mut extensions = authority_extensions(&config.issuing_subject, &issuing_public_key, Some(0))?;
    extensions.add(&key_identifier_of(&root_signer.certificate)?)?;
    extensions.add(&distribution_points(public_url, Authority::Root)?)?;
    extensions.add(&issuer_address(public_url, Authority::Root)?)?;
    let issuing = root_signer.sign_certificate(
        &serial_number::random(rng),
        now - BACKDATING,
        end(config.issuing_validity_days.min(config.root_validity_days)),
        issuing_public_key,
        extensions,
    )?;

    let unfinished = directory.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(file_error(&unfinished))?;
    }
    private_files::create_directory(&unfinished).map_err(file_error(&unfinished))?;
    for (authority, certificate, key) in [(Authority::Root, root, root_key), (Authority::FIRST, issuing, issuing_key)] {
        let certificate = pem::encode(pem::CERTIFICATE, &certificate)?;
        write(&unfinished.join(authority.certificate_file()), &certificate)?;
        let key = encode_key(&key, passphrase)?;
        write(&unfinished.join(authority.key_file()), &key)?;
    }
    private_files::sync_directory(&unfinished).map_err(file_error(&unfinished))?;
    fs::rename(&unfinished, directory).map_err(file_error(directory))?;
    if let Some(parent) = directory.parent() {
        private_files::sync_directory(parent).map_err(file_error(parent))?;
    }
    Ok(())
}

/// Gives both authorities new certificates in the folder `directory`, with the names, keys and extensions that they have and the validity that
/// `config` says, beginning now. Certificates that they have signed stay good: a path is built by name and key. The certificates before stay beside the new
/// ones, with their serial numbers in their files' names.
///
/// Returns the new certificates of root and issuing authority. Former issuing authorities keep theirs: what they have issued ends before.
///
/// # Errors
/// A file cannot be read or written. A certificate takes its place once both are written: a crash leaves files that work.
pub fn renew(
    directory: &Path,
    config: &settings::EmbeddedCa,
    passphrase: Option<&Passphrase>,
) -> Result<[Certificate; 2], CaError> {
    let now = clock::now();
    let end = |days: u32| now + i64::from(days) * DAY;
    let current = issuing_after_first(directory).last().unwrap_or(Authority::FIRST);
    let [root, issuing] = [Authority::Root, current].map(|one| load_signer(directory, one, passphrase));
    let (root, issuing) = (root?, issuing?);
    let new_root = root.sign_again(&root.certificate, end(config.root_validity_days))?;
    let issuing_days = config.issuing_validity_days.min(config.root_validity_days);
    let new_issuing = root.sign_again(&issuing.certificate, end(issuing_days))?;
    let renewed = [
        (Authority::Root, &root.certificate, Certificate::from_der(&new_root)?),
        (current, &issuing.certificate, Certificate::from_der(&new_issuing)?),
    ];
    for (authority, old, new) in &renewed {
        let file = directory.join(authority.certificate_file());
        let serial_number = hexadecimal(old.serial_number());
        let kept = directory.join(format!("{}-certificate-{serial_number}.pem", authority.slug()));
        if !kept.exists() {
            fs::copy(&file, &kept).map_err(file_error(&kept))?;
        }
        let unfinished = file.with_extension("unfinished");
        if unfinished.exists() {
            fs::remove_file(&unfinished).map_err(file_error(&unfinished))?;
        }
        write(&unfinished, &pem::encode(pem::CERTIFICATE, new.der())?)?;
    }
    private_files::sync_directory(directory).map_err(file_error(directory))?;
    for (authority, ..) in &renewed {
        let file = directory.join(authority.certificate_file());
        fs::rename(file.with_extension("unfinished"), &file).map_err(file_error(&file))?;
    }
    private_files::sync_directory(directory).map_err(file_error(directory))?;
    Ok(renewed.map(|(.., new)| new))
}

/// Makes a further issuing authority in the folder `directory`, with a new key, and with the name and the validity that `config` says. It takes the
/// place of the current one, which stays beside it.
///
/// Returns its certificate.
///
/// # Errors
/// It would have the name of one that is there; a file cannot be read or written. The certificate appears last: a crash leaves no half authority.
pub fn rollover(
    directory: &Path,
    config: &settings::EmbeddedCa,
    passphrase: Option<&Passphrase>,
) -> Result<Certificate, CaError> {
    let (now, rng) = (clock::now(), &mut rand::rng());
    let root = load_signer(directory, Authority::Root, passphrase)?;
    let existing = issuing_in(directory)?;
    let subject = config.issuing_subject.to_string();
    let name = name::Name::from_der(&config.issuing_subject.to_der()?)?;
    if existing.iter().any(|certificate| name::is_match(certificate.subject(), &name)) {
        return Err(CaError::SameName(subject));
    }
    let current =
        load_signer(directory, issuing_after_first(directory).last().unwrap_or(Authority::FIRST), passphrase)?;
    let key = key_generation::generate(KEY_SIZE, rng)?;
    let public_key = public_key_of(&key)?;
    let mut extensions = authority_extensions(&config.issuing_subject, &public_key, Some(0))?;
    extensions.add(&key_identifier_of(&root.certificate)?)?;
    // The root's addresses, as the current one has them.
    extensions.copy(&current.certificate, &[CrlDistributionPoints::OID, AuthorityInfoAccessSyntax::OID])?;
    let root_end = clock::from_unsigned(root.certificate.validity().1);
    let end = now + i64::from(config.issuing_validity_days) * DAY;
    let serial_number = serial_number::random(rng);
    let der = root.sign_certificate(&serial_number, now - BACKDATING, end.min(root_end), public_key, extensions)?;

    let authority = Authority::Issuing(u32::try_from(existing.len()).unwrap_or(u32::MAX).saturating_add(1));
    let files = [
        (authority.key_file(), encode_key(&key, passphrase)?),
        (authority.certificate_file(), Zeroizing::new(pem::encode(pem::CERTIFICATE, &der)?)),
    ];
    for (file, text) in &files {
        let unfinished = directory.join(file).with_extension("unfinished");
        if unfinished.exists() {
            fs::remove_file(&unfinished).map_err(file_error(&unfinished))?;
        }
        write(&unfinished, text)?;
    }
    for (file, _) in &files {
        let file = directory.join(file);
        fs::rename(file.with_extension("unfinished"), &file).map_err(file_error(&file))?;
        private_files::sync_directory(directory).map_err(file_error(directory))?;
    }
    Ok(Certificate::from_der(&der)?)
}

/// A private key as PKCS#8 PEM, encrypted if there is a passphrase.
fn encode_key(key: &KeyPair, passphrase: Option<&Passphrase>) -> Result<Zeroizing<String>, CaError> {
    let clear = key.to_private_key_info()?;
    let text = match passphrase {
        Some(passphrase) => {
            let (encrypted, _) = encrypted_private_key::seal(&clear, passphrase.expose(), &mut rand::rng())?;
            pem::encode(ENCRYPTED_PRIVATE_KEY, &encrypted)?
        }
        None => pem::encode(PRIVATE_KEY, &clear)?,
    };
    Ok(Zeroizing::new(text))
}

/// Reads a private key. An encrypted key needs a passphrase, and a key in the clear must come without one.
fn load_key(path: &Path, passphrase: Option<&Passphrase>) -> Result<KeyPair, CaError> {
    let text = Zeroizing::new(read(path)?);
    let is_encrypted = text.contains(ENCRYPTED_PRIVATE_KEY);
    let fault = |fault: String| CaError::Contents { path: path.to_owned(), fault };
    let clear = match (is_encrypted, passphrase) {
        (true, Some(passphrase)) => {
            let encrypted = first_block(path, ENCRYPTED_PRIVATE_KEY, &text)?;
            encrypted_private_key::decrypt(&encrypted, passphrase.expose()).map_err(|error| fault(error.to_string()))?
        }
        (false, None) => Zeroizing::new(first_block(path, PRIVATE_KEY, &text)?),
        (true, None) => {
            return Err(fault(format!(
                "this private key is encrypted; give its passphrase in {} or in ca.passphrase_file",
                settings::CA_PASSPHRASE_VARIABLE
            )));
        }
        (false, Some(_)) => {
            return Err(fault(
                "this private key is not encrypted although a passphrase is configured; encrypt it with \
                 “openssl pkcs8 -topk8 -scrypt”, or take the passphrase out of the configuration"
                    .into(),
            ));
        }
    };
    KeyPair::from_private_key_info(&clear).map_err(|error| fault(error.to_string()))
}

/// The first PEM block with `label` in `text`, which was read from `path`.
fn first_block(path: &Path, label: &'static str, text: &str) -> Result<Vec<u8>, CaError> {
    pem::decode_all(label, text).ok().and_then(|blocks| blocks.into_iter().next()).ok_or_else(|| CaError::Contents {
        path: path.to_owned(),
        fault: format!("there is no PEM block {label} in it; restore the file from a backup"),
    })
}

fn read(path: &Path) -> Result<String, CaError> {
    fs::read_to_string(path).map_err(file_error(path))
}

/// Writes a file that only its owner can read, down to the disk.
fn write(path: &Path, text: &str) -> Result<(), CaError> {
    private_files::create(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .map_err(file_error(path))
}

/// For `map_err` where the file or folder `path` is worked on.
fn file_error(path: &Path) -> impl Fn(std::io::Error) -> CaError {
    let path: PathBuf = path.to_owned();
    move |source| CaError::File { path: path.clone(), source }
}
