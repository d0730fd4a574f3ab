//! Files from elsewhere: what the inspector does with what anybody may have made.
//!
//! What is learnt of a key in such a file is public; the key itself leaves sealed.

use keyside_pki::password_based_encryption::Budget;
use keyside_pki::pfx::{Identity, IdentityError};
use keyside_pki::public_key::is_same;
use keyside_pki::{certification_request, certs_only, encrypted_private_key, file, pfx};
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::{unseal, unusable};
use crate::backup::{self, BackupError};
use crate::certificates::read_all;
use crate::domain::base64_bytes::Base64Bytes;
use crate::domain::enrollment::Enrollment;
use crate::domain::passphrase::Passphrase;
use crate::inspection::{self, InspectError, Inspection, Surroundings};
use crate::protocol::{Failure, FileAnswer, FileJob, Inspect, OpenBackup, Unpack, Unpacked};

/// Does a job and gives the answer.
pub fn handle(job: FileJob, rng: &mut impl CryptoRng) -> FileAnswer {
    match job {
        FileJob::Unpack(job) => FileAnswer::of(unpack(&job, rng)),
        FileJob::Inspect(job) => FileAnswer::of(inspect(&job)),
        FileJob::CertsOnly(certificates) => FileAnswer::of(certs_only(&certificates)),
        FileJob::ReadBackup(file) => FileAnswer::of(read_backup(&file).map(|(_, enrollment)| enrollment)),
        FileJob::OpenBackup(job) => FileAnswer::of(open_backup(&job)),
        FileJob::WriteBackup(enrollment) => FileAnswer::of(write_backup(&enrollment)),
    }
}

/// The most keys that are taken out of one file.
const MAXIMUM_UNPACKED: usize = 20;

/// Opens a PKCS#12 file and seals the keys that are in it, each encoded again from its numbers.
fn unpack(job: &Unpack, rng: &mut impl CryptoRng) -> Result<Vec<Unpacked>, Failure> {
    let parts = file::read(&job.file.0).parts;
    let mut ders = parts.iter().filter_map(|part| part.der.as_ref());
    let pfx = ders.find(|der| pfx::protection(der).is_ok());
    let key_passphrase = job.key_passphrase.as_ref().map(Passphrase::expose);
    let bytes = pfx.map_or(&job.file.0, |pfx| pfx);
    let opened = pfx::open_with(bytes, job.passphrase.expose(), key_passphrase, &mut Budget::default())?;
    let identities = opened.identities().map_err(|error| match error {
        IdentityError::KeyLocked => Failure::KeyLocked,
        other => unusable(other),
    })?;
    let seal = |identity: &Identity<'_>| {
        let private_key_info = identity.key_pair.to_private_key_info()?;
        let (sealed, _) = encrypted_private_key::seal(&private_key_info, job.passphrase.expose(), rng)?;
        Ok(Unpacked { certificate: identity.leaf.der().to_vec().into(), encrypted_private_key: sealed.into() })
    };
    identities.iter().take(MAXIMUM_UNPACKED).map(seal).collect()
}

/// Tells what is in a file: what is public about it, whatever the passphrase opens.
fn inspect(job: &Inspect) -> Result<Inspection, Failure> {
    let surroundings = Surroundings {
        trust_anchors: &read_all(&job.trust_anchors)?,
        intermediates: &read_all(&job.intermediates)?,
        at: job.at,
    };
    let Base64Bytes(file) = &*job.file;
    Ok(inspection::inspect(file, job.passphrase.as_ref(), &surroundings)?)
}

/// Makes one file of certificates.
fn certs_only(certificates: &[Base64Bytes]) -> Result<Base64Bytes, Failure> {
    let certificates: Vec<&[u8]> = certificates.iter().map(|der| der.0.as_slice()).collect();
    Ok(certs_only::encode(&certificates)?.into())
}

/// Reads a backup, in whatever encoding of text; gives the text as well.
fn read_backup(Base64Bytes(file): &Base64Bytes) -> Result<(Zeroizing<String>, Enrollment), Failure> {
    let text = file::text_of(file).ok_or(Failure::NotABackup)?;
    let enrollment = backup::decode(&text)?;
    Ok((text, enrollment))
}

/// Unseals the key in a backup, compares it with the request, and authenticates the whole.
fn open_backup(job: &OpenBackup) -> Result<Enrollment, Failure> {
    let (text, mut enrollment) = read_backup(&job.file)?;
    let (key_pair, authentication_key) = unseal(&enrollment.encrypted_private_key, &job.passphrase)?;
    let requested = certification_request::subject_public_key_info(&enrollment.certification_request.0)?;
    if !is_same(&key_pair.to_subject_public_key_info()?, requested) {
        return Err(Failure::KeyMismatch);
    }
    backup::authenticate(&text, &*authentication_key)?;
    enrollment.authentication_key = Some(authentication_key.to_vec().into());
    Ok(enrollment)
}

/// Writes a backup. One that cannot be restored is worse than none, and this is the last moment to notice.
fn write_backup(enrollment: &Enrollment) -> Result<String, Failure> {
    let text = backup::encode(enrollment)?;
    backup::decode(&text)?;
    Ok(text)
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::NotABackup => Self::NotABackup,
            BackupError::Several => Self::SeveralBackups,
            BackupError::Newer(_) => Self::BackupTooNew,
            BackupError::Damaged(damage) => Self::BackupDamaged(damage.to_string()),
        }
    }
}

impl From<InspectError> for Failure {
    fn from(error: InspectError) -> Self {
        match error {
            InspectError::NotRecognized => Self::NotRecognized,
            InspectError::TooLarge => Self::TooLarge,
            InspectError::WrongPassphrase => Self::WrongPassphrase,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop where it fails")]

    use keyside_pki::certificate::Certificate;
    use keyside_pki::key_pair::key_id;
    use keyside_pki::pfx::Profile;
    use keyside_pki::testing::{NOW, authority};
    use zeroize::Zeroizing;

    use super::*;
    use crate::custody::tests::{export_job, files_with_the_key, generated, handled, new_passphrase, passphrase};
    use crate::domain::file_format::ExportFormat;
    use crate::domain::passphrase::Passphrase;
    use crate::protocol::{Answer, Generated};
    use crate::service::testing::application;

    pub(in crate::custody) fn unpack_job() -> Unpack {
        let Answer::Exported(file) = handled(export_job(ExportFormat::Pkcs12(Profile::Modern))) else {
            panic!("there is no file");
        };
        Unpack { file: Zeroizing::new(file), passphrase: passphrase(), key_passphrase: None }
    }

    pub(in crate::custody) fn open_backup_job() -> OpenBackup {
        let Generated { key_id, sealed, certification_request } = generated();
        let enrollment = Enrollment {
            key_id,
            created_at: NOW,
            application: application(),
            encrypted_private_key: sealed.encrypted_private_key,
            authentication_key: Some(sealed.authentication_key),
            certification_request,
            renewal: None,
            submission: None,
            former_transaction_ids: Vec::new(),
            certification_path: None,
            certificate: None,
            downloads: Vec::new(),
        };
        OpenBackup { file: backup::encode(&enrollment).unwrap().into_bytes().into(), passphrase: passphrase() }
    }

    pub(in crate::custody) fn inspect_job(file: &[u8], passphrase: Option<Passphrase>) -> Inspect {
        Inspect {
            file: Zeroizing::new(file.to_vec().into()),
            passphrase,
            trust_anchors: vec![authority().root.clone().into()],
            intermediates: vec![authority().issuing.clone().into()],
            at: NOW,
        }
    }

    pub(in crate::custody) fn opened(job: FileJob) -> FileAnswer {
        handle(job, &mut rand::rng())
    }

    fn failure(job: FileJob) -> Failure {
        match opened(job) {
            FileAnswer::Failed(failure) => failure,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_inspected_is_opened_and_recognised_as_this_browsers_key() {
        for file in files_with_the_key() {
            let FileAnswer::Done(inspection) = opened(FileJob::Inspect(inspect_job(&file, Some(passphrase())))) else {
                panic!("nothing was found");
            };
            let inspection: Inspection = serde_json::from_str(inspection.get()).unwrap();
            let key_ids = inspection.found.iter().filter_map(|found| match found {
                inspection::Found::PrivateKey(key) => key.public_key.as_ref().map(|key| &*key.key_id),
                _ => None,
            });
            assert_eq!(key_ids.collect::<Vec<_>>(), [generated().key_id]);
        }
    }

    #[test]
    fn what_cannot_be_inspected_is_told_apart() {
        let inspect = |file: &[u8], passphrase| failure(FileJob::Inspect(inspect_job(file, passphrase)));
        assert_eq!(inspect(b"nonsense", None), Failure::NotRecognized);
        assert_eq!(inspect(&vec![b'A'; inspection::MAXIMUM_SIZE + 1], None), Failure::TooLarge);
        let sealed = generated().sealed.encrypted_private_key.0;
        assert_eq!(inspect(&sealed, Some(new_passphrase())), Failure::WrongPassphrase);
    }

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        let FileAnswer::Done(unpacked) = opened(FileJob::Unpack(unpack_job())) else {
            panic!("the file was not opened");
        };
        let [unpacked]: [Unpacked; 1] = serde_json::from_str(unpacked.get()).unwrap();
        let leaf = Certificate::from_der(&unpacked.certificate.0).unwrap();
        assert_eq!(key_id(leaf.subject_public_key_info()), generated().key_id);
        let clear = encrypted_private_key::decrypt(&unpacked.encrypted_private_key.0, passphrase().expose()).unwrap();
        let packed =
            encrypted_private_key::decrypt(&generated().sealed.encrypted_private_key.0, passphrase().expose()).unwrap();
        assert_eq!(clear, packed);
        let wrong = Unpack { passphrase: new_passphrase(), ..unpack_job() };
        assert_eq!(failure(FileJob::Unpack(wrong)), Failure::WrongPassphrase);
        let no_file = Unpack { file: Zeroizing::new(vec![1].into()), ..unpack_job() };
        assert!(matches!(failure(FileJob::Unpack(no_file)), Failure::Unusable(_)));
    }

    #[test]
    fn a_bit_that_was_flipped_in_the_key_of_a_backup_is_noticed() {
        let enrollment = |key: Vec<u8>| {
            let text = String::from_utf8(open_backup_job().file.0).unwrap();
            // As from before backups were authenticated: only the key itself can tell.
            Enrollment { encrypted_private_key: key.into(), ..backup::decode(&text).unwrap() }
        };
        let generated = generated().sealed.encrypted_private_key.0;
        let clear = encrypted_private_key::decrypt(&generated, passphrase().expose()).unwrap();
        let before = encrypted_private_key::seal_as_before(&clear, passphrase().expose(), &mut rand::rng());
        let (sealed, _) = before.unwrap();
        let open = |key: Vec<u8>| {
            let file = backup::encode(&enrollment(key)).unwrap().into_bytes().into();
            opened(FileJob::OpenBackup(OpenBackup { file, ..open_backup_job() }))
        };
        assert!(matches!(open(sealed.clone()), FileAnswer::Done(_)));
        // Every block of the ciphertext.
        for place in (sealed.len() - 1200..sealed.len()).step_by(16) {
            let mut flipped = sealed.clone();
            *flipped.get_mut(place).unwrap() ^= 1;
            assert!(matches!(open(flipped), FileAnswer::Failed(_)), "byte {place}");
        }
    }
}
