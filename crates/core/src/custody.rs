//! The one room where secrets live: all that touches the clear private key or the passphrase.
//!
//! It runs inside a worker and is tested natively. What leaves this room is sealed or public. Here is the main job, which works with what
//! Keyside itself has made; [`foreign_files`] works with what anybody may have made, in a program of its own.

use keyside_pki::certificate::TbsCertificate;
use keyside_pki::encrypted_private_key::{AuthenticationKey, SealingKey};
use keyside_pki::error::Error;
use keyside_pki::key_derivation::Pbkdf2;
use keyside_pki::key_pair::{KeyPair, key_id};
use keyside_pki::public_key::is_same;
use keyside_pki::{certification_request, encrypted_private_key, full_pki_request, pem, pfx};
use keyside_primes::Integers;
use rand::CryptoRng;

use crate::domain::base64_bytes::Base64Bytes;
use crate::domain::file_format::ExportFormat;
use crate::domain::key_size::KeySize;
use crate::domain::passphrase::Passphrase;
use crate::key_generation::KeyPairInTheMaking;
use crate::key_generation::prime::{PUBLIC_PRIMES, Prime, prime_size};
use crate::protocol::{
    Answer, ChangePassphrase, Export, ExportKey, Failure, Generate, Generated, Job, Renew, Renewed, Sealed, Searching,
    Stage,
};

pub mod ahead;
pub mod foreign_files;
pub mod prime_source;

use ahead::Ahead;
use prime_source::PrimeSource;

/// Does a job and gives the final answer, which [`Job::Ahead`] alone has none of. `ahead` is what was done before: it is used once. `primes` are where
/// a new key's come from, `pbkdf2` derives the keys of files, `progress` hears of each stage as it begins.
pub async fn handle(
    job: Job,
    ahead: &mut Ahead,
    rng: &mut impl CryptoRng,
    primes: &mut impl PrimeSource,
    pbkdf2: &impl Pbkdf2,
    progress: impl FnMut(Stage),
) -> Option<Answer> {
    let outcome = match job {
        Job::Ahead(order) => {
            ahead.take(order, rng, primes, pbkdf2).await;
            return None;
        }
        Job::Generate(generate_job) => {
            generate(&generate_job, core::mem::take(ahead), rng, primes, progress).await.map(Answer::Generated)
        }
        Job::Export(export_job) => export(&export_job, core::mem::take(ahead), rng).await.map(Answer::Exported),
        Job::ChangePassphrase(change_job) => change_passphrase(&change_job, rng).map(Answer::PassphraseChanged),
        Job::Renew(renew_job) => {
            renew(&renew_job, core::mem::take(ahead), rng, primes, progress).await.map(Answer::Renewed)
        }
    };
    Some(outcome.unwrap_or_else(Answer::Failed))
}

/// Derives keys of nothing that is secret: the browser has compiled well what takes long by the time a key is opened or sealed.
pub fn warm_up_opening() {
    encrypted_private_key::warm_up();
    pfx::warm_up();
}

/// The same, and puts a key pair together of primes that are no secret.
pub fn warm_up(rng: &mut impl CryptoRng) {
    warm_up_opening();
    let mut making = KeyPairInTheMaking::new(KeySize::Rsa2048);
    for prime in PUBLIC_PRIMES.iter().filter_map(|prime| Prime::decide(prime, KeySize::Rsa2048, &mut Integers, rng)) {
        core::hint::black_box(making.offer(prime).is_ok());
    }
}

/// Makes a key pair, signs the request, seals the key.
async fn generate(
    job: &Generate,
    mut ahead: Ahead,
    rng: &mut impl CryptoRng,
    primes: &mut impl PrimeSource,
    mut progress: impl FnMut(Stage),
) -> Result<Generated, Failure> {
    check_portable(&job.passphrase)?;
    // The one takes place elsewhere while the other does here.
    primes.begin(job.key_size);
    let sealing_key = ahead.sealing_key(&job.passphrase, rng)?;
    let key_pair = make_key_pair(job.key_size, primes, &mut progress).await?;
    request_and_seal(&key_pair, &job.subject.0, &job.email_address, sealing_key, rng, progress)
}

/// Makes a key pair of primes that others look for.
async fn make_key_pair(
    size: KeySize,
    primes: &mut impl PrimeSource,
    progress: &mut impl FnMut(Stage),
) -> Result<KeyPair, Failure> {
    let expected = prime_size(size).expected_tests().round() as u32;
    let mut making = KeyPairInTheMaking::new(size);
    loop {
        let mut searching = Searching { primes: making.primes(), tested: 0, expected };
        progress(Stage::GeneratingKeyPair(searching));
        let mut tested = |tested| {
            searching.tested = searching.tested.saturating_add(tested);
            progress(Stage::GeneratingKeyPair(searching));
        };
        if let Some(key_pair) = making.offer(primes.next(size, &mut tested).await)? {
            primes.end();
            return Ok(key_pair);
        }
    }
}

/// Signs the request for a key pair, and seals its private half.
fn request_and_seal(
    key_pair: &KeyPair,
    subject: &[u8],
    email_address: &str,
    sealing_key: SealingKey,
    rng: &mut impl CryptoRng,
    mut progress: impl FnMut(Stage),
) -> Result<Generated, Failure> {
    progress(Stage::SigningRequest);
    let request = certification_request::build(key_pair, subject, email_address, rng)?;
    progress(Stage::EncryptingKey);
    Ok(Generated {
        key_id: key_id(&key_pair.to_subject_public_key_info()?),
        sealed: seal(key_pair, sealing_key)?,
        certification_request: request.into(),
    })
}

/// Seals a key.
fn seal(key_pair: &KeyPair, sealing_key: SealingKey) -> Result<Sealed, Failure> {
    let (sealed, authentication_key) = sealing_key.seal(&key_pair.to_private_key_info()?);
    Ok(Sealed { encrypted_private_key: sealed.into(), authentication_key: authentication_key.to_vec().into() })
}

/// Unseals the current key, makes a new one unless the same is wanted, requests and seals it, and signs the request as the
/// holder of the current certificate.
async fn renew(
    job: &Renew,
    mut ahead: Ahead,
    rng: &mut impl CryptoRng,
    primes: &mut impl PrimeSource,
    mut progress: impl FnMut(Stage),
) -> Result<Renewed, Failure> {
    if let Some(size) = job.new_key {
        primes.begin(size);
    }
    let (current, _) = unseal(&job.encrypted_private_key, &job.passphrase)?;
    check_certified(&job.certificate, &current)?;
    let passphrase = job.new_passphrase.as_ref().unwrap_or(&job.passphrase);
    check_portable(passphrase)?;
    let sealing_key = ahead.sealing_key(passphrase, rng)?;
    let new = match job.new_key {
        Some(size) => Some(make_key_pair(size, primes, &mut progress).await?),
        None => None,
    };
    let key_pair = new.as_ref().unwrap_or(&current);
    let generated = request_and_seal(key_pair, &job.subject.0, &job.email_address, sealing_key, rng, progress)?;
    let signed = full_pki_request::build(&generated.certification_request.0, &job.certificate.0, &current, rng)?;
    Ok(Renewed { generated, full_pki_request: signed.into() })
}

/// Unseals a key that was sealed here, and makes sure that nothing of it was changed: encryption in CBC mode does not notice that. A file
/// is made of the key pair, and not of the decrypted bytes.
fn unseal(sealed: &Base64Bytes, passphrase: &Passphrase) -> Result<(KeyPair, AuthenticationKey), Failure> {
    let (decrypted, authentication_key) = encrypted_private_key::open(&sealed.0, passphrase.expose())?;
    let key_pair = KeyPair::from_private_key_info(&decrypted)?;
    if *key_pair.to_private_key_info()? == *decrypted {
        Ok((key_pair, authentication_key))
    } else {
        Err(unusable("the private key was changed"))
    }
}

/// Makes sure that `certificate` is this key's.
fn check_certified(certificate: &Base64Bytes, key_pair: &KeyPair) -> Result<(), Failure> {
    let certified = TbsCertificate::of(&certificate.0)?.subject_public_key_info;
    if is_same(&key_pair.to_subject_public_key_info()?, certified) { Ok(()) } else { Err(Failure::KeyMismatch) }
}

/// Makes a file of the key and its certification path.
async fn export(job: &Export, ahead: Ahead, rng: &mut impl CryptoRng) -> Result<Base64Bytes, Failure> {
    let leaf = job.certification_path.first().ok_or_else(|| unusable("there is no certificate"))?;
    let Exporting { key_pair, protection } = ahead.exporting()?;
    check_certified(leaf, &key_pair)?;
    let certificates: Vec<&[u8]> = job.certification_path.iter().map(|bytes| bytes.0.as_slice()).collect();
    let private_key_info = key_pair.to_private_key_info()?;
    match protection {
        FileProtection::Pkcs12(builder) => {
            let contents = pfx::Contents {
                private_key_info: &private_key_info,
                certificates: &certificates,
                friendly_name: &job.friendly_name,
            };
            Ok(builder.build(&contents, rng).await?.into())
        }
        FileProtection::Pem(encryption) => {
            let encrypted = encryption.encrypt(&private_key_info).await;
            Ok(pem_text(&encrypted, &certificates)?.into_bytes().into())
        }
    }
}

/// A private key that was unsealed for a file.
struct Exporting {
    key_pair: KeyPair,
    protection: FileProtection,
}

/// The protection of the key in the file.
enum FileProtection {
    Pkcs12(pfx::Builder),
    Pem(encrypted_private_key::Export),
}

impl Exporting {
    /// Begins to derive the keys that protect the file, and unseals the private key.
    async fn begin(key: &ExportKey, pbkdf2: &impl Pbkdf2, rng: &mut impl CryptoRng) -> Result<Self, Failure> {
        let passphrase = key.export_passphrase.as_ref().unwrap_or(&key.passphrase);
        if !passphrase.is_portable() {
            // One that opens nothing is a wrong one in the first place.
            unseal(&key.encrypted_private_key, &key.passphrase)?;
            return Err(Failure::PassphraseNotPortable);
        }
        let passphrase = passphrase.expose();
        let protection = match key.format {
            ExportFormat::Pkcs12(profile) => FileProtection::Pkcs12(pfx::begin(profile, passphrase, pbkdf2, rng).await),
            ExportFormat::Pem => {
                FileProtection::Pem(encrypted_private_key::begin_export(passphrase, pbkdf2, rng).await)
            }
        };
        let (key_pair, _) = unseal(&key.encrypted_private_key, &key.passphrase)?;
        Ok(Self { key_pair, protection })
    }
}

/// The encrypted key and the certificates, one PEM block after the other. Servers and curl read as far as they need.
fn pem_text(encrypted_private_key: &[u8], certificates: &[&[u8]]) -> Result<String, Error> {
    let mut text = pem::encode(pem::ENCRYPTED_PRIVATE_KEY, encrypted_private_key)?;
    for certificate in certificates {
        text.push_str(&pem::encode(pem::CERTIFICATE, certificate)?);
    }
    Ok(text)
}

/// Unseals the key and seals it anew, under another passphrase.
fn change_passphrase(job: &ChangePassphrase, rng: &mut impl CryptoRng) -> Result<Sealed, Failure> {
    // The result takes the place of the only copy: better to keep the old one than to seal a key that is damaged or another's.
    let (key_pair, _) = unseal(&job.encrypted_private_key, &job.passphrase)?;
    if key_id(&key_pair.to_subject_public_key_info()?) != job.key_id {
        return Err(Failure::KeyMismatch);
    }
    check_portable(&job.new_passphrase)?;
    seal(&key_pair, SealingKey::derive(job.new_passphrase.expose(), rng)?)
}

fn check_portable(passphrase: &Passphrase) -> Result<(), Failure> {
    if passphrase.is_portable() { Ok(()) } else { Err(Failure::PassphraseNotPortable) }
}

fn unusable(reason: impl ToString) -> Failure {
    Failure::Unusable(reason.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use std::collections::HashSet;
    use std::sync::OnceLock;

    use keyside_pki::certification_request::CertificationRequest;
    use keyside_pki::key_derivation::OnThisThread;
    use keyside_pki::testing::{NOW, YEAR, authority, key_pair, name, spki_of};
    use pkcs8::DecodePrivateKey;
    use pollster::block_on;
    use prime_source::LocalSearch;
    use rsa::RsaPrivateKey;
    use rsa::pkcs1::EncodeRsaPrivateKey;
    use rsa::traits::{PrivateKeyParts, PublicKeyParts};
    use serde::Serialize;

    use super::foreign_files::tests::{inspect_job, open_backup_job, opened, unpack_job};
    use super::*;
    use crate::protocol::{self, FileJob, OpenBackup, Unpack};

    const PASSPHRASE: &str = "Correct-4-horse";
    const NEW_PASSPHRASE: &str = "Battery=staple 9";
    /// As many bytes of a secret in a row are no coincidence.
    const WINDOW: usize = 12;

    pub(super) fn passphrase() -> Passphrase {
        Passphrase::new(PASSPHRASE.into())
    }

    pub(super) fn new_passphrase() -> Passphrase {
        Passphrase::new(NEW_PASSPHRASE.into())
    }

    fn generate_job() -> Generate {
        Generate {
            key_size: KeySize::Rsa2048,
            subject: name("CN=Ada Example,O=Example,C=US").into(),
            email_address: "ada@example.com".into(),
            passphrase: passphrase(),
        }
    }

    /// A job, after the work that can be done ahead of it.
    pub(super) struct Work([Job; 2]);

    impl From<Job> for Work {
        fn from(job: Job) -> Self {
            Self([Job::Ahead(protocol::Ahead::default()), job])
        }
    }

    impl From<(ExportKey, Export)> for Work {
        fn from((key, job): (ExportKey, Export)) -> Self {
            Self([Job::Ahead(protocol::Ahead { export: Some(key), ..protocol::Ahead::default() }), Job::Export(job)])
        }
    }

    pub(super) fn handled(work: impl Into<Work>) -> Answer {
        let (mut ahead, rng, mut primes) = (Ahead::default(), &mut rand::rng(), LocalSearch::new(rand::rng()));
        let Work(jobs) = work.into();
        let [none, answer] = jobs.map(|job| block_on(handle(job, &mut ahead, rng, &mut primes, &OnThisThread, |_| ())));
        assert!(none.is_none());
        answer.unwrap()
    }

    /// A sealed key pair and its request, made once for all tests of a run.
    pub(super) fn generated() -> Generated {
        static GENERATED: OnceLock<Generated> = OnceLock::new();
        GENERATED
            .get_or_init(|| match handled(Job::Generate(generate_job())) {
                Answer::Generated(generated) => generated,
                other => panic!("{other:?}"),
            })
            .clone()
    }

    /// The certificate that was asked for, and the issuing CA's.
    fn issued() -> Vec<Base64Bytes> {
        let request = CertificationRequest::from_der(&generated().certification_request.0).unwrap();
        let spki = request.subject_public_key_info();
        let leaf = authority().certify(request.subject().clone(), spki, NOW, NOW + YEAR);
        vec![leaf.into(), authority().issuing.clone().into()]
    }

    pub(super) fn export_job(format: ExportFormat) -> (ExportKey, Export) {
        let certification_path = [issued(), vec![authority().root.clone().into()]].concat();
        let key = ExportKey {
            format,
            encrypted_private_key: generated().sealed.encrypted_private_key,
            passphrase: passphrase(),
            export_passphrase: None,
        };
        (key, Export { certification_path, friendly_name: "Ada Example".into() })
    }

    /// The same with something else about the key.
    fn export_job_with(format: ExportFormat, change: impl FnOnce(&mut ExportKey)) -> (ExportKey, Export) {
        let (mut key, job) = export_job(format);
        change(&mut key);
        (key, job)
    }

    fn change_job() -> ChangePassphrase {
        ChangePassphrase {
            key_id: generated().key_id,
            encrypted_private_key: generated().sealed.encrypted_private_key,
            passphrase: passphrase(),
            new_passphrase: new_passphrase(),
        }
    }

    fn renew_job(new_key: Option<KeySize>) -> Renew {
        Renew {
            certificate: issued().remove(0),
            subject: name("CN=Ada Example,O=Example,C=US").into(),
            email_address: "ada@example.com".into(),
            encrypted_private_key: generated().sealed.encrypted_private_key,
            passphrase: passphrase(),
            new_key,
            new_passphrase: Some(new_passphrase()),
        }
    }

    /// Files with the generated key, each way in which it can be written.
    pub(super) fn files_with_the_key() -> Vec<Vec<u8>> {
        let sealed = generated().sealed.encrypted_private_key.0;
        let clear = encrypted_private_key::decrypt(&sealed, passphrase().expose()).unwrap();
        let pkcs1 = RsaPrivateKey::from_pkcs8_der(&clear).unwrap().to_pkcs1_der().unwrap();
        let mut files = vec![
            pem::encode("PRIVATE KEY", &clear).unwrap().into_bytes(),
            pem::encode("RSA PRIVATE KEY", pkcs1.as_bytes()).unwrap().into_bytes(),
            clear.to_vec(),
            pkcs1.as_bytes().to_vec(),
            sealed,
        ];
        for format in ExportFormat::ALL {
            let Answer::Exported(file) = handled(export_job(format)) else {
                panic!("there is no file");
            };
            files.push(file.0);
        }
        files
    }

    fn failure(work: impl Into<Work>) -> Failure {
        match handled(work) {
            Answer::Failed(failure) => failure,
            other => panic!("{other:?}"),
        }
    }

    /// Every number that gives the private key away, and the private key itself.
    fn secrets() -> Vec<Vec<u8>> {
        let clear =
            encrypted_private_key::decrypt(&generated().sealed.encrypted_private_key.0, passphrase().expose()).unwrap();
        let key = RsaPrivateKey::from_pkcs8_der(&clear).unwrap();
        let mut secrets = vec![key.d().to_be_bytes().to_vec()];
        secrets.extend(key.primes().iter().map(|prime| prime.to_be_bytes().to_vec()));
        secrets.extend([key.dp(), key.dq()].map(|exponent| exponent.unwrap().to_be_bytes().to_vec()));
        // The public modulus stands in the request as well; what is left is secret.
        let modulus = windows(&key.n().to_be_bytes());
        let public: HashSet<_> = windows(&generated().certification_request.0).union(&modulus).cloned().collect();
        // Before the RSAPrivateKey stands what every PrivateKeyInfo has, and now and then a certificate too.
        let rsa_private_key = &clear[clear.len() - key.to_pkcs1_der().unwrap().as_bytes().len()..];
        secrets.extend(windows(rsa_private_key).difference(&public).cloned());
        secrets
    }

    fn windows(bytes: &[u8]) -> HashSet<Vec<u8>> {
        bytes.windows(WINDOW).map(<[u8]>::to_vec).collect()
    }

    /// What the words of a text are as base64 or hexadecimal.
    fn decoded_words(text: &[u8]) -> Vec<Vec<u8>> {
        let text = String::from_utf8_lossy(text);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"+/=".contains(c));
        words
            .flat_map(|word| {
                let base64 = Base64Bytes::try_from(word.to_owned()).map(|bytes| bytes.0).ok();
                base64.into_iter().chain(base16ct::mixed::decode_vec(word))
            })
            .collect()
    }

    /// Whether a message gives away a part of a secret or the passphrase: as it stands, as base64 or hexadecimal, in
    /// either byte order.
    fn gives_away(answer: &impl Serialize, secrets: &[Vec<u8>]) -> bool {
        let text = serde_json::to_vec(answer).unwrap();
        let decoded = decoded_words(&text);
        // PEM is base64 within the message's base64.
        let decoded_twice: Vec<_> = decoded.iter().flat_map(|bytes| decoded_words(bytes)).collect();
        let carried = [vec![text], decoded, decoded_twice].concat();
        let passphrases = [PASSPHRASE, NEW_PASSPHRASE]
            .map(|text| [text.as_bytes().to_vec(), text.encode_utf16().flat_map(u16::to_be_bytes).collect()])
            .concat();
        let seen: HashSet<Vec<u8>> = carried.iter().flat_map(|bytes| windows(bytes)).collect();
        let reversed = |secret: &[u8]| secret.iter().rev().copied().collect::<Vec<_>>();
        secrets
            .iter()
            .any(|secret| [secret.clone(), reversed(secret)].iter().any(|secret| !seen.is_disjoint(&windows(secret))))
            || passphrases.iter().any(|secret| !seen.is_disjoint(&windows(secret)))
    }

    #[test]
    fn the_warm_up_makes_a_key_pair() {
        let mut making = KeyPairInTheMaking::new(KeySize::Rsa2048);
        let primes = PUBLIC_PRIMES.map(|prime| Prime::decided(&prime, KeySize::Rsa2048).unwrap());
        let [first, second] = primes.map(|prime| making.offer(prime).unwrap());
        assert!(first.is_none() && second.is_some());
    }

    #[test]
    fn no_secret_leaves_the_room() {
        let secrets = secrets();
        let wrong = || Passphrase::new("wrong".into());
        let not_portable = || Passphrase::new(format!("{NEW_PASSPHRASE}\u{7}"));
        let mut answers = vec![
            Answer::Generated(generated()),
            handled(Job::Generate(Generate { subject: b"nonsense".to_vec().into(), ..generate_job() })),
            handled(Job::Renew(renew_job(None))),
            handled(Job::Renew(Renew { passphrase: wrong(), ..renew_job(None) })),
            handled(Job::Renew(Renew { new_passphrase: Some(not_portable()), ..renew_job(None) })),
            handled(Job::ChangePassphrase(change_job())),
            handled(Job::ChangePassphrase(ChangePassphrase { passphrase: wrong(), ..change_job() })),
            handled(Job::ChangePassphrase(ChangePassphrase { new_passphrase: not_portable(), ..change_job() })),
        ];
        for format in ExportFormat::ALL {
            answers.push(handled(export_job(format)));
            answers.push(handled(export_job_with(format, |key| key.passphrase = wrong())));
            for export_passphrase in [new_passphrase(), not_portable()] {
                answers.push(handled(export_job_with(format, |key| key.export_passphrase = Some(export_passphrase))));
            }
        }
        let mut file_answers = vec![
            opened(FileJob::Unpack(unpack_job())),
            opened(FileJob::Unpack(Unpack { passphrase: wrong(), ..unpack_job() })),
            opened(FileJob::OpenBackup(open_backup_job())),
            opened(FileJob::OpenBackup(OpenBackup { passphrase: wrong(), ..open_backup_job() })),
        ];
        for file in files_with_the_key() {
            // Damage, so that errors have something to quote.
            let cut = &file[..file.len() - 7];
            for (file, passphrase) in [(&*file, None), (&file, Some(passphrase())), (&file, Some(wrong())), (cut, None)]
            {
                file_answers.push(opened(FileJob::Inspect(inspect_job(file, passphrase))));
            }
        }
        for answer in answers {
            assert!(!gives_away(&answer, &secrets), "{answer:?}");
        }
        for answer in file_answers {
            assert!(!gives_away(&answer, &secrets), "{answer:?}");
        }
    }

    #[test]
    fn a_leak_would_be_noticed() {
        let secrets = secrets();
        let clear =
            encrypted_private_key::decrypt(&generated().sealed.encrypted_private_key.0, passphrase().expose()).unwrap();
        let backwards = secrets[1].iter().rev().copied().collect::<Vec<_>>();
        let pem = pem::encode("PRIVATE KEY", &clear).unwrap().into_bytes();
        for leak in [clear.to_vec(), pem, secrets[1].clone(), backwards, PASSPHRASE.into(), NEW_PASSPHRASE.into()] {
            assert!(gives_away(&Answer::Exported(leak.into()), &secrets));
        }
        for leak in [PASSPHRASE.to_owned(), base16ct::lower::encode_string(&secrets[2])] {
            assert!(gives_away(&Answer::Failed(Failure::Unusable(leak)), &secrets));
        }
    }

    #[test]
    fn a_job_does_not_print_its_passphrase() {
        let export = export_job_with(ExportFormat::Pem, |key| key.export_passphrase = Some(new_passphrase()));
        for printed in [
            format!("{:?}", Job::Generate(generate_job())),
            format!("{export:?}"),
            format!("{:?}", Job::ChangePassphrase(change_job())),
            format!("{:?}", Job::Renew(renew_job(None))),
            format!("{:?}", FileJob::OpenBackup(open_backup_job())),
            format!("{:?}", FileJob::Unpack(unpack_job())),
            format!("{:?}", FileJob::Inspect(inspect_job(b"nonsense", Some(passphrase())))),
        ] {
            assert!(!printed.contains(PASSPHRASE) && !printed.contains(NEW_PASSPHRASE), "{printed}");
        }
    }

    #[test]
    fn what_is_generated_belongs_together() {
        let generated = generated();
        let request = CertificationRequest::from_der(&generated.certification_request.0).unwrap();
        assert_eq!(request.verify(), Ok(()));
        assert_eq!(request.email_addresses().unwrap(), ["ada@example.com"]);
        assert_eq!(request.subject().to_string(), "CN=Ada Example,O=Example,C=US");
        let clear =
            encrypted_private_key::decrypt(&generated.sealed.encrypted_private_key.0, passphrase().expose()).unwrap();
        let public = KeyPair::from_private_key_info(&clear).unwrap().to_subject_public_key_info().unwrap();
        assert_eq!(request.subject_public_key_info(), public);
        assert_eq!(generated.key_id, key_id(&public));
    }

    #[test]
    fn a_key_is_exported_with_its_passphrase_alone() {
        for (format, wrong) in ExportFormat::ALL.into_iter().zip(["correct-4-horse", "Correct-4-horse ", ""]) {
            assert!(matches!(handled(export_job(format)), Answer::Exported(_)));
            let job = export_job_with(format, |key| {
                key.passphrase = Passphrase::new(wrong.into());
                key.export_passphrase = Some(passphrase());
            });
            assert_eq!(failure(job), Failure::WrongPassphrase);
        }
    }

    #[test]
    fn nothing_is_exported_unless_a_key_was_unsealed() {
        let (_, job) = export_job(ExportFormat::Pem);
        let failure = failure(Job::Export(job));
        assert!(matches!(failure, Failure::Unusable(_)), "{failure:?}");
    }

    #[test]
    fn a_key_is_exported_with_its_own_certificate_alone() {
        let subject = "CN=Ada Example,O=Example,C=US".parse().unwrap();
        let other = authority().certify(subject, spki_of(&key_pair()), NOW, NOW + YEAR);
        for format in ExportFormat::ALL {
            let certification_path = vec![other.clone().into(), authority().issuing.clone().into()];
            let (key, job) = export_job(format);
            assert_eq!(failure((key, Export { certification_path, ..job })), Failure::KeyMismatch);
        }
    }

    #[test]
    fn what_cannot_be_exported_is_named() {
        let cut = Base64Bytes(generated().sealed.encrypted_private_key.0[..20].to_vec());
        let with_path = |certification_path| {
            let (key, job) = export_job(ExportFormat::Pem);
            (key, Export { certification_path, ..job })
        };
        for job in [
            with_path(Vec::new()),
            with_path(vec![Base64Bytes(b"nonsense".to_vec())]),
            export_job_with(ExportFormat::Pem, |key| key.encrypted_private_key = cut),
        ] {
            let failure = failure(job);
            assert!(matches!(failure, Failure::Unusable(_)), "{failure:?}");
        }
    }

    #[test]
    fn a_bit_that_was_flipped_in_a_sealed_key_leads_to_no_file() {
        let sealed = generated().sealed.encrypted_private_key.0;
        // Every block of the ciphertext, and the last bytes of what stands before it: the initialization vector.
        for place in (sealed.len() - 1300..sealed.len()).step_by(16) {
            let mut flipped = sealed.clone();
            flipped[place] ^= 1;
            let job = export_job_with(ExportFormat::Pem, |key| key.encrypted_private_key = flipped.into());
            assert!(matches!(handled(job), Answer::Failed(_)), "byte {place}");
        }
    }

    #[test]
    fn the_pem_text_is_the_key_and_its_certification_path() {
        let clear =
            encrypted_private_key::decrypt(&generated().sealed.encrypted_private_key.0, passphrase().expose()).unwrap();
        for (export_passphrase, opens) in [(None, passphrase()), (Some(new_passphrase()), new_passphrase())] {
            let (key, job) = export_job(ExportFormat::Pem);
            let path: Vec<Vec<u8>> = job.certification_path.iter().map(|der| der.0.clone()).collect();
            let Answer::Exported(file) = handled((ExportKey { export_passphrase, ..key }, job)) else {
                panic!("there is no file");
            };
            let text = String::from_utf8(file.0).unwrap();
            assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{text}");
            assert_eq!(text.matches("-----BEGIN ").count(), 4, "{text}");
            let [key] = &pem::decode_all(pem::ENCRYPTED_PRIVATE_KEY, &text).unwrap()[..] else {
                panic!("there is more than one key");
            };
            assert_eq!(encrypted_private_key::decrypt(key, opens.expose()).unwrap(), clear);
            assert_eq!(pem::decode_all(pem::CERTIFICATE, &text).unwrap(), path);
        }
    }

    #[test]
    fn nothing_is_sealed_under_a_passphrase_that_other_programs_refuse() {
        for text in ["", "Correct-4-hörse"] {
            let refused = || Passphrase::new(text.into());
            let jobs = [
                Job::Generate(Generate { passphrase: refused(), ..generate_job() }),
                Job::ChangePassphrase(ChangePassphrase { new_passphrase: refused(), ..change_job() }),
            ];
            let export = |format| export_job_with(format, |key| key.export_passphrase = Some(refused()));
            let failures = jobs.map(failure).into_iter().chain(ExportFormat::ALL.map(export).map(failure));
            assert!(failures.into_iter().all(|failure| failure == Failure::PassphraseNotPortable), "{text}");
        }
    }

    #[test]
    fn a_key_under_a_new_passphrase_is_the_same_key() {
        let Answer::PassphraseChanged(changed) = handled(Job::ChangePassphrase(change_job())) else {
            panic!("the passphrase was not changed");
        };
        let clear =
            encrypted_private_key::decrypt(&generated().sealed.encrypted_private_key.0, passphrase().expose()).unwrap();
        assert_eq!(
            encrypted_private_key::decrypt(&changed.encrypted_private_key.0, new_passphrase().expose()).unwrap(),
            clear
        );
        assert_eq!(
            encrypted_private_key::decrypt(&changed.encrypted_private_key.0, passphrase().expose()),
            Err(Error::WrongPassphrase)
        );
    }

    #[test]
    fn a_passphrase_is_changed_by_whoever_knows_it_alone() {
        for wrong in ["correct-4-horse", "Correct-4-horse ", ""] {
            let job = ChangePassphrase { passphrase: Passphrase::new(wrong.into()), ..change_job() };
            assert_eq!(failure(Job::ChangePassphrase(job)), Failure::WrongPassphrase);
        }
    }

    #[test]
    fn another_key_is_not_sealed_in_its_place() {
        let other = key_pair().to_private_key_info().unwrap();
        let sealed = encrypted_private_key::seal(&other, passphrase().expose(), &mut rand::rng()).unwrap().0;
        let job = ChangePassphrase { encrypted_private_key: sealed.into(), ..change_job() };
        assert_eq!(failure(Job::ChangePassphrase(job)), Failure::KeyMismatch);
        let cut = Base64Bytes(generated().sealed.encrypted_private_key.0[..20].to_vec());
        let failure = failure(Job::ChangePassphrase(ChangePassphrase { encrypted_private_key: cut, ..change_job() }));
        assert!(matches!(failure, Failure::Unusable(_)), "{failure:?}");
    }
}
