//! What Keyside makes for a user, from the key pair to the files for other programs, by the same code that runs in the browser's worker.

use std::sync::OnceLock;

use keyside_core::custody::{self, ahead::Ahead, prime_source::LocalSearch};
use keyside_core::domain::base64_bytes::Base64Bytes;
use keyside_core::domain::distinguished_name::SubjectTemplate;
use keyside_core::domain::enrollment::{Application, Enrollment, RequestState, Submission};
use keyside_core::domain::file_format::ExportFormat;
use keyside_core::domain::key_size::KeySize;
use keyside_core::domain::passphrase::Passphrase;
use keyside_core::domain::transaction_id::TransactionId;
use keyside_core::protocol::{self, Answer, Export, ExportKey, Generate, Job};
use keyside_pki::key_derivation::OnThisThread;
use keyside_pki::pfx::Profile;

use crate::authority::authority;

/// The e-mail address in every request.
pub(crate) const EMAIL_ADDRESS: &str = "ada@example.com";
/// A passphrase that opens nothing.
pub(crate) const WRONG_PASSPHRASE: &str = "correct-4-horse";

/// One user's material; DER throughout.
pub(crate) struct Bundle {
    pub(crate) common_name: String,
    pub(crate) passphrase: String,
    pub(crate) key_id: String,
    pub(crate) encrypted_private_key: Vec<u8>,
    pub(crate) authentication_key: Vec<u8>,
    pub(crate) certification_request: Vec<u8>,
    /// Leaf, issuing CA, root.
    pub(crate) certification_path: Vec<Vec<u8>>,
    /// The PKCS#12 file with today's cryptography.
    pub(crate) modern: Exported,
    /// The PKCS#12 file for old readers; it has a passphrase of its own.
    pub(crate) compatible: Exported,
    /// Key and certificates as one PEM text.
    pub(crate) pem: Exported,
}

/// A file, and what it opens with.
pub(crate) struct Exported {
    pub(crate) bytes: Vec<u8>,
    pub(crate) passphrase: String,
}

/// Users with plain and with awkward names and passphrases, made once a run.
pub(crate) fn bundles() -> &'static [Bundle] {
    static BUNDLES: OnceLock<Vec<Bundle>> = OnceLock::new();
    BUNDLES.get_or_init(|| {
        let printable_ascii: String = (' '..='~').collect();
        let longest = "aB3$".repeat(32);
        [
            ("Ada Example", "Correct-4-horse", &*longest),
            (r#"O'Brien, "Bo" \ <b> #1; A+B=C / x:y"#, &printable_ascii, "Correct-4-horse"),
            ("Zoë Ødegård Ελένη 漢字", "Correct 4 horse,  twice", &printable_ascii),
            ("Maximiliane Annemarie Featherstonehaugh-Cholmondeley 1234567890A", &longest, "Correct 4 horse,  twice"),
        ]
        .map(|(common_name, passphrase, other_passphrase)| Bundle::make(common_name, passphrase, other_passphrase))
        .into()
    })
}

impl Bundle {
    fn make(common_name: &str, passphrase: &str, other_passphrase: &str) -> Self {
        let template: SubjectTemplate =
            "CN={common_name},OU=Participants & External Users,O=Example,C=US".parse().unwrap();
        let job = Generate {
            key_size: KeySize::Rsa2048,
            subject: template.subject(common_name).to_der().into(),
            email_address: EMAIL_ADDRESS.into(),
            passphrase: Passphrase::new(passphrase.into()),
        };
        let Answer::Generated(generated) = handle(protocol::Ahead::default(), Job::Generate(job)) else {
            panic!("no key pair for {common_name}");
        };
        let leaf = authority().issue(&generated.certification_request.0);
        let path: Vec<Base64Bytes> =
            [leaf, authority().issuing.clone(), authority().root.clone()].map(Base64Bytes::from).into();
        let export = |format, export_passphrase: Option<&str>| {
            let key = ExportKey {
                format,
                encrypted_private_key: generated.sealed.encrypted_private_key.clone(),
                passphrase: Passphrase::new(passphrase.into()),
                export_passphrase: export_passphrase.map(|text| Passphrase::new(text.into())),
            };
            let order = protocol::Ahead { export: Some(key), ..protocol::Ahead::default() };
            let job = Export { certification_path: path.clone(), friendly_name: common_name.into() };
            let Answer::Exported(file) = handle(order, Job::Export(job)) else {
                panic!("no {format:?} for {common_name}");
            };
            Exported { bytes: file.0, passphrase: export_passphrase.unwrap_or(passphrase).into() }
        };
        Self {
            common_name: common_name.into(),
            passphrase: passphrase.into(),
            key_id: generated.key_id.clone(),
            encrypted_private_key: generated.sealed.encrypted_private_key.0.clone(),
            authentication_key: generated.sealed.authentication_key.0.clone(),
            certification_request: generated.certification_request.0.clone(),
            certification_path: path.iter().map(|der| der.0.clone()).collect(),
            modern: export(ExportFormat::Pkcs12(Profile::Modern), None),
            compatible: export(ExportFormat::Pkcs12(Profile::Compatible), Some(other_passphrase)),
            pem: export(ExportFormat::Pem, None),
        }
    }

    /// The PKCS#12 files.
    pub(crate) fn pkcs12(&self) -> [&Exported; 2] {
        [&self.modern, &self.compatible]
    }

    /// What the user's browser holds, once the certificate was collected.
    pub(crate) fn enrollment(&self) -> Enrollment {
        Enrollment {
            key_id: self.key_id.clone(),
            created_at: 1_800_000_000,
            application: Application {
                certificate_type: "participants".into(),
                // Longer than what OpenSSL reads of a line at once.
                certificate_type_name: "Participants & External Users ".repeat(20),
                common_name: self.common_name.clone(),
                email_address: EMAIL_ADDRESS.into(),
                key_size: KeySize::Rsa2048,
                replaces: None,
                authorization_code: None,
                device: None,
            },
            encrypted_private_key: self.encrypted_private_key.clone().into(),
            authentication_key: Some(self.authentication_key.clone().into()),
            certification_request: self.certification_request.clone().into(),
            renewal: None,
            submission: Some(Submission {
                transaction_id: TransactionId::random(&mut rand::rng()),
                submitted_at: 1_800_000_001,
                state: RequestState::Issued,
            }),
            former_transaction_ids: Vec::new(),
            certification_path: Some(self.certification_path.iter().cloned().map(Into::into).collect()),
            certificate: None,
            downloads: Vec::new(),
        }
    }

    /// The user's certificate.
    pub(crate) fn leaf(&self) -> &[u8] {
        &self.certification_path[0]
    }
}

/// Has custody do what can be done ahead, and then the job.
fn handle(order: protocol::Ahead, job: Job) -> Answer {
    let (mut ahead, rng) = (Ahead::default(), &mut rand::rng());
    let mut primes = LocalSearch::new(rand::rng());
    let [_, answer] = [Job::Ahead(order), job]
        .map(|job| pollster::block_on(custody::handle(job, &mut ahead, rng, &mut primes, &OnThisThread, |_| ())));
    answer.unwrap()
}
