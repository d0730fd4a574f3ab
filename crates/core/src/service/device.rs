//! Certificates for devices: the certification request comes from the device, is checked here, committed, and only then sent;
//! the certificate is collected by whoever has the transaction ID, since no key is needed for that.

use core::str::FromStr;

use der::oid::ObjectIdentifier;
use keyside_pki::certificate::Certificate;
use keyside_pki::certificate::CertificateSummary;
use keyside_pki::certification_request::{CertificationRequest, RsaParameters};
use keyside_pki::error::Error;
use keyside_pki::general_name::GeneralName;
use keyside_pki::{file, pem};
use sha2::{Digest, Sha256};

use crate::api::{CertificateType, MAXIMUM_CERTIFICATION_REQUEST_SIZE, NewRequest, ProblemKind, RequestStatus};
use crate::device_names::{self, NamesFault};
use crate::domain::authorization_code::AuthorizationCode;
use crate::domain::base64_bytes::Base64Bytes;
use crate::domain::device::Device;
use crate::domain::device_request::DeviceRequest;
use crate::domain::distinguished_name::{SubjectDifference, SubjectTemplate, common_name_of};
use crate::domain::enrollment::Standing;
use crate::domain::file_format::FileFormat;
use crate::domain::file_name::FileName;
use crate::domain::key_size::KeySize;
use crate::domain::transaction_id::TransactionId;
use crate::ports::{Clock, DeviceRequestStore, KeyWorker, RaError, RegistrationAuthority, StoreError};
use crate::protocol::{AskedFor, Check, Checked};
use crate::service::certificate_file;
use crate::service::collect::{CollectError, checked, fetch_issued};
use crate::service::enroll::{EnrollError, note_answer};

/// The largest file or text that a certification request is looked for in, in bytes. PEM and words around it take little.
pub const MAXIMUM_INPUT_SIZE: usize = 64 * 1024;

/// Why a file or a text is not a certification request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is nothing.
    #[error("there is no certification request")]
    Empty,
    /// It is larger than any certification request.
    #[error("a certification request takes less space")]
    TooLarge,
    /// It has a private key, which must not leave the device.
    #[error("this has a private key")]
    PrivateKey,
    /// It is PEM of another kind; its label.
    #[error("this is PEM with the label {0}")]
    OtherPem(String),
    /// There are several certification requests; how many.
    #[error("there are {0} certification requests")]
    Several(usize),
    /// It cannot be read; the reader's words.
    #[error("{0}")]
    Malformed(String),
}

/// Finds the certification request in a file or a text, whatever stands around it. Returns DER.
pub fn read(input: &[u8]) -> Result<Vec<u8>, ReadError> {
    if input.trim_ascii().is_empty() {
        return Err(ReadError::Empty);
    }
    if input.len() > MAXIMUM_INPUT_SIZE {
        return Err(ReadError::TooLarge);
    }
    let parts = file::read(input).parts;
    let labels = || parts.iter().filter_map(|part| part.label.as_deref());
    if labels().any(|label| label.ends_with("PRIVATE KEY")) {
        return Err(ReadError::PrivateKey);
    }
    let ders: Vec<&[u8]> = parts.iter().filter_map(|part| Some(part.der.as_ref()?.as_slice())).collect();
    let (found, faults): (Vec<_>, Vec<_>) =
        ders.iter().map(|der| CertificationRequest::from_der(der)).partition(Result::is_ok);
    let mut requests: Vec<Vec<u8>> = found.into_iter().flatten().map(|request| request.der().to_vec()).collect();
    requests.dedup();
    match (requests.len(), requests.pop()) {
        (1, Some(der)) if der.len() > MAXIMUM_CERTIFICATION_REQUEST_SIZE => Err(ReadError::TooLarge),
        (1, Some(der)) => Ok(der),
        (0, _) if ders.iter().any(|der| der.len() > MAXIMUM_CERTIFICATION_REQUEST_SIZE) => Err(ReadError::TooLarge),
        (0, _) => Err(match labels().find(|label| !label.ends_with("CERTIFICATE REQUEST")) {
            Some(other) => ReadError::OtherPem(other.to_owned()),
            None => ReadError::Malformed(
                faults.into_iter().find_map(Result::err).map(|error| error.to_string()).unwrap_or_default(),
            ),
        }),
        (several, _) => Err(ReadError::Several(several)),
    }
}

/// Shows a certification request as PEM.
pub fn to_pem(der: &[u8]) -> Result<String, Error> {
    pem::encode(pem::CERTIFICATE_REQUEST, der)
}

/// A public key that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFound {
    /// RSA, with a modulus of so many bits.
    Rsa(usize),
    /// Another algorithm.
    Other(ObjectIdentifier),
}

/// What was found in a certification request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// Whether the signature fits the public key: proof that whoever made it has the private key.
    pub is_signed: bool,
    /// The public key, if it can be read.
    pub key: Option<KeyFound>,
    /// The subject as RFC 4514 writes it.
    pub subject: String,
    /// What it should be, once the device has a name.
    pub wanted_subject: Option<String>,
    /// The Common Name in it.
    pub common_name: Option<String>,
    /// The names that others reach the device by, as text.
    pub names: Vec<String>,
    /// Whether an e-mail address is asked for, which a device's certificate does not get.
    pub has_email_address: bool,
    /// Whether there is a challengePassword (RFC 2985, section 5.4.1), which travels in the clear.
    pub has_challenge_password: bool,
    /// What stands in the way.
    pub faults: Vec<RequestFault>,
}

/// Why the registration authority would not take a certification request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestFault {
    /// The signature does not fit the public key.
    Signature,
    /// The signature's algorithm is not RSA with SHA-2.
    SignatureAlgorithm(ObjectIdentifier),
    /// The key is not RSA.
    KeyAlgorithm(ObjectIdentifier),
    /// The key has a size that is not on offer.
    KeySize {
        /// The bits that it has.
        bits: usize,
        /// What is on offer.
        offered: Vec<KeySize>,
    },
    /// The key's public exponent is not 65537.
    PublicExponent,
    /// The subject is not the one that the certificate type has for a device of this name.
    Subject(Vec<SubjectDifference>),
    /// The subjectAltName has names that a device's certificate does not get.
    Names(NamesFault),
    /// A part of it cannot be read; the reader's words.
    Unreadable(String),
}

/// Checks a certification request as the registration authority will. The subject is left alone while `device_name` is empty.
pub fn check(
    der: &[u8],
    subject_template: &str,
    key_sizes: &[KeySize],
    device_name: &str,
) -> Result<Findings, ReadError> {
    let request = CertificationRequest::from_der(der).map_err(|error| ReadError::Malformed(error.to_string()))?;
    let mut faults = Vec::new();
    let key = match request.rsa_parameters() {
        Ok(parameters) => {
            faults.extend(key_faults(parameters, key_sizes));
            Some(KeyFound::Rsa(parameters.bits))
        }
        Err(Error::UnsupportedAlgorithm(oid)) => {
            faults.push(RequestFault::KeyAlgorithm(oid));
            Some(KeyFound::Other(oid))
        }
        Err(error) => {
            faults.push(RequestFault::Unreadable(error.to_string()));
            None
        }
    };
    // Of a key that is not RSA only that is said.
    let verified = request.verify_with_rsa();
    match &verified {
        Err(Error::SignatureInvalid) => faults.push(RequestFault::Signature),
        Err(Error::UnsupportedAlgorithm(_) | Error::WeakAlgorithm(_)) if matches!(key, Some(KeyFound::Rsa(_))) => {
            faults.push(RequestFault::SignatureAlgorithm(request.signature_algorithm()));
        }
        // With a key that cannot be worked with there is nothing to verify.
        _ => {}
    }
    let template = SubjectTemplate::from_str(subject_template).ok().filter(|_| !device_name.is_empty());
    if let Some(template) = &template
        && let differences = template.differences(device_name, request.subject())
        && !differences.is_empty()
    {
        faults.push(RequestFault::Subject(differences));
    }
    let (mut names, mut has_email_address) = (Vec::new(), false);
    match request.subject_alt_names() {
        Ok(found) => {
            has_email_address = found.iter().any(|name| matches!(name, Some(GeneralName::Rfc822(_))));
            let common_name = common_name_of(request.subject()).unwrap_or_default();
            match device_names::of(&common_name, &found) {
                Ok(found) => names = found.iter().map(ToString::to_string).collect(),
                Err(fault) => faults.push(RequestFault::Names(fault)),
            }
        }
        Err(error) => faults.push(RequestFault::Unreadable(error.to_string())),
    }
    Ok(Findings {
        is_signed: verified.is_ok(),
        key,
        subject: request.subject().to_string(),
        wanted_subject: template.map(|template| template.subject(device_name).to_string()),
        common_name: common_name_of(request.subject()),
        names,
        has_email_address,
        has_challenge_password: request.has_challenge_password(),
        faults,
    })
}

fn key_faults(parameters: RsaParameters, key_sizes: &[KeySize]) -> Vec<RequestFault> {
    let RsaParameters { bits, has_usual_exponent } = parameters;
    let mut faults = Vec::new();
    if !key_sizes.iter().any(|size| usize::from(size.bits()) == bits) {
        faults.push(RequestFault::KeySize { bits, offered: key_sizes.to_vec() });
    }
    if !has_usual_exponent {
        faults.push(RequestFault::PublicExponent);
    }
    faults
}

/// Commits a certification request with what goes along with it. Nothing is sent. One that is here already is the same request;
/// what goes along with it is replaced while the registration authority does not have it.
pub async fn save(
    store: &impl DeviceRequestStore,
    clock: &impl Clock,
    certificate_type: &CertificateType,
    device: Device,
    authorization_code: Option<AuthorizationCode>,
    certification_request: Vec<u8>,
) -> Result<DeviceRequest, StoreError> {
    let request = DeviceRequest {
        id: base16ct::lower::encode_string(&Sha256::digest(&certification_request)),
        created_at: clock.now(),
        certificate_type: certificate_type.id.clone(),
        certificate_type_name: certificate_type.name.clone(),
        device,
        authorization_code,
        certification_request: certification_request.into(),
        submission: None,
        former_transaction_ids: Vec::new(),
        certification_path: None,
    };
    match store.insert(&request).await {
        Ok(()) => Ok(request),
        Err(StoreError::AlreadyThere) => {
            store
                .update(&request.id, |kept| {
                    if kept.standing() == Standing::NotSent {
                        *kept = request.clone();
                    }
                })
                .await
        }
        Err(error) => Err(error),
    }
}

/// Corrects a request that waits for approval: sends it again with these details, and keeps them once the registration authority has accepted them.
///
/// # Errors
/// The registration authority refuses the details, or has decided meanwhile. Nothing has changed then.
pub async fn correct(
    store: &impl DeviceRequestStore,
    authority: &impl RegistrationAuthority,
    waiting: &DeviceRequest,
    certificate_type: &CertificateType,
    device: Device,
    authorization_code: Option<AuthorizationCode>,
) -> Result<DeviceRequest, EnrollError> {
    let new = NewRequest {
        certificate_type: certificate_type.id.clone(),
        certification_request: waiting.certification_request.clone().into(),
        replaces: None,
        authorization_code,
        device: Some(device.clone()),
    };
    let id = waiting.transaction_id().ok_or(StoreError::NotThere)?;
    let answer = authority.correct(&id, &new).await?;
    let update = |kept: &mut DeviceRequest| {
        kept.certificate_type.clone_from(&certificate_type.id);
        kept.certificate_type_name.clone_from(&certificate_type.name);
        kept.device = device.clone();
        note_answer(&mut kept.submission, &mut kept.former_transaction_ids, answer.clone());
    };
    Ok(store.update(&waiting.id, update).await?)
}

/// Asks how a request stands and notes the answer; sends it first where it was never confirmed, or is not known any more. Sending
/// it again gives the same transaction, so a lost answer costs nothing.
pub async fn refresh(
    store: &impl DeviceRequestStore,
    authority: &impl RegistrationAuthority,
    id: &str,
) -> Result<DeviceRequest, EnrollError> {
    let request = store.get(id).await?.ok_or(StoreError::NotThere)?;
    if !matches!(request.standing(), Standing::NotSent | Standing::Pending) {
        return Ok(request);
    }
    ask(store, authority, &request).await?;
    Ok(store.get(id).await?.ok_or(StoreError::NotThere)?)
}

/// Asks how a request stands, whatever is known of it, and notes the answer; gives the answer.
async fn ask(
    store: &impl DeviceRequestStore,
    authority: &impl RegistrationAuthority,
    request: &DeviceRequest,
) -> Result<RequestStatus, EnrollError> {
    let known = match request.transaction_id() {
        Some(id) => match authority.status(&id).await {
            // A gateway that was set back to an older state takes the request anew, under a new transaction ID.
            Err(RaError::Problem(problem)) if problem.kind == ProblemKind::UnknownTransactionId => None,
            answer => Some(answer?),
        },
        None => None,
    };
    let status = match known {
        Some(status) => status,
        None => {
            let new = NewRequest {
                certificate_type: request.certificate_type.clone(),
                certification_request: request.certification_request.clone().into(),
                replaces: None,
                authorization_code: request.authorization_code.clone(),
                device: Some(request.device.clone()),
            };
            authority.submit(&new).await?
        }
    };
    let answer = status.clone();
    store
        .update(&request.id, |kept| note_answer(&mut kept.submission, &mut kept.former_transaction_ids, answer))
        .await?;
    Ok(status)
}

/// Why there is no certificate of a device (yet).
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DeviceCollectError {
    /// The transaction ID is a person's: the certificate is of use with its key alone.
    #[error("this is not the request of a device")]
    NotADevice,
    /// As for any other request.
    #[error(transparent)]
    Collect(#[from] CollectError),
}

impl From<StoreError> for DeviceCollectError {
    fn from(error: StoreError) -> Self {
        Self::Collect(error.into())
    }
}

impl From<EnrollError> for DeviceCollectError {
    fn from(error: EnrollError) -> Self {
        Self::Collect(error.into())
    }
}

impl From<RaError> for DeviceCollectError {
    fn from(error: RaError) -> Self {
        Self::Collect(error.into())
    }
}

/// A device's certificate, ready to be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCertificate {
    /// The device.
    pub device: Device,
    /// The certificate's particulars.
    pub certificate: CertificateSummary,
    /// Leaf first and trust anchor last, each DER.
    pub certification_path: Vec<Base64Bytes>,
}

impl DeviceCertificate {
    /// What a request that was collected holds.
    pub fn of(request: &DeviceRequest) -> Option<Self> {
        let certification_path = request.certification_path.clone()?;
        let certificate = Certificate::from_der(&certification_path.first()?.0).ok()?.summary();
        Some(Self { device: request.device.clone(), certificate, certification_path })
    }

    /// The contents of a file of it.
    pub fn file(&self, format: FileFormat) -> Result<Vec<u8>, Error> {
        certificate_file::encode(format, &self.certification_path)
    }

    /// The name to save that file under; `badge` marks an environment which is not production.
    pub fn file_name(&self, format: FileFormat, badge: Option<&str>) -> String {
        let CertificateSummary { serial_number, not_after, .. } = &self.certificate;
        FileName { common_name: &self.device.name, serial_number, not_after: *not_after, badge }
            .with_extension(format.extension())
    }
}

/// Collects the certificate of a request that this browser holds: fetches it, checks that it is for the request's key and leads to
/// the configured CA, and keeps it. Where it was fetched before, no network is needed.
pub async fn collect(
    worker: &impl KeyWorker,
    store: &impl DeviceRequestStore,
    authority: &impl RegistrationAuthority,
    clock: &impl Clock,
    id: &str,
) -> Result<DeviceCertificate, DeviceCollectError> {
    let request = store.get(id).await?.ok_or(StoreError::NotThere)?;
    if let Some(held) = DeviceCertificate::of(&request) {
        return Ok(held);
    }
    let status = ask(store, authority, &request).await?;
    let (certificates, trust_anchors) = fetch_issued(authority, status).await?;
    let asked_for = AskedFor::Request(request.certification_request);
    let Checked { certification_path, certificate, .. } =
        checked(worker, Check { certificates, trust_anchors, asked_for, at: clock.now() }).await?;
    let path = certification_path.clone();
    let kept = store.update(id, |kept| kept.certification_path = Some(path)).await?;
    Ok(DeviceCertificate { device: kept.device, certificate, certification_path })
}

/// Collects the certificate of any device's request, wherever it was sent from: `transaction_id` is what a person typed. It is
/// checked as far as that can be done without the request: it has the device's name and leads to the configured CA.
pub async fn collect_by_transaction_id(
    worker: &impl KeyWorker,
    store: &impl DeviceRequestStore,
    authority: &impl RegistrationAuthority,
    clock: &impl Clock,
    transaction_id: &str,
) -> Result<DeviceCertificate, DeviceCollectError> {
    let id: TransactionId = transaction_id.parse().map_err(CollectError::from)?;
    let held = store.list().await?.requests.into_iter().find(|request| request.has_transaction_id(id));
    if let Some(held) = held {
        return collect(worker, store, authority, clock, &held.id).await;
    }
    let status = authority.status(&id).await?;
    let device = status.device.clone().ok_or(DeviceCollectError::NotADevice)?;
    let (certificates, trust_anchors) = fetch_issued(authority, status).await?;
    let asked_for = AskedFor::CommonName(device.name.clone());
    let Checked { certification_path, certificate, .. } =
        checked(worker, Check { certificates, trust_anchors, asked_for, at: clock.now() }).await?;
    Ok(DeviceCertificate { device, certificate, certification_path })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use der::Encode;
    use der::asn1::Ia5String;
    use keyside_pki::testing::{NOW, YEAR, authority as ca, key_pair, new_key_pair, spki_of};
    use pollster::block_on;
    use rsa::pkcs1v15::Signature;
    use x509_cert::builder::Builder;
    use x509_cert::ext::pkix::SubjectAltName;
    use x509_cert::ext::pkix::name::DirectoryString;
    use x509_cert::request::RequestBuilder;
    use x509_cert::request::attributes::ChallengePassword;

    use super::*;
    use crate::domain::device::DeviceKind;
    use crate::ports::memory::{
        Call, Fault, MemoryAuthority, MemoryClock, MemoryDeviceRequestStore, MemoryWorker, device_type,
    };

    const SUBJECT: &str = "CN=rig-1,OU=Devices,O=Example,C=US";

    fn device(name: &str) -> Device {
        Device {
            kind: DeviceKind::Rig,
            name: name.into(),
            file_format: FileFormat::P7b,
            email_address: "ops@example.com".into(),
        }
    }

    /// A request as a device would make it.
    fn made(subject: &str, names: &[&str]) -> Vec<u8> {
        let mut builder = RequestBuilder::new(subject.parse().unwrap()).unwrap();
        if !names.is_empty() {
            let names = names
                .iter()
                .map(|name| x509_cert::ext::pkix::name::GeneralName::DnsName(Ia5String::new(name).unwrap()))
                .collect();
            builder.add_extension(&SubjectAltName(names)).unwrap();
        }
        builder.build::<_, Signature>(&key_pair().signing_key()).unwrap().to_der().unwrap()
    }

    fn checked(der: &[u8], device_name: &str) -> Findings {
        check(der, &device_type().subject_template, &KeySize::ALL, device_name).unwrap()
    }

    #[test]
    fn pem_and_der_are_read_whatever_stands_around_them() {
        let der = made(SUBJECT, &[]);
        let text = to_pem(&der).unwrap();
        let new = text.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
        let spaced: String = text.lines().map(|line| format!("  {line} \r\n")).collect();
        for input in
            [&der, text.as_bytes(), new.as_bytes(), spaced.as_bytes(), format!("Hello\n{text}\nBye").as_bytes()]
        {
            assert_eq!(read(input), Ok(der.clone()));
        }
    }

    #[test]
    fn what_is_no_request_is_told_apart() {
        let der = made(SUBJECT, &[]);
        let text = to_pem(&der).unwrap();
        let certificate = pem::encode(pem::CERTIFICATE, &ca().root).unwrap();
        let key = text.replace("CERTIFICATE REQUEST", "RSA PRIVATE KEY");
        let other = |label: &str| Err(ReadError::OtherPem(label.into()));
        assert_eq!(read(b" \n"), Err(ReadError::Empty));
        assert_eq!(read(&vec![b'a'; MAXIMUM_INPUT_SIZE + 1]), Err(ReadError::TooLarge));
        let large = pem::encode(pem::CERTIFICATE_REQUEST, &vec![0x31; MAXIMUM_CERTIFICATION_REQUEST_SIZE + 1]).unwrap();
        assert_eq!(read(large.as_bytes()), Err(ReadError::TooLarge));
        assert_eq!(read(certificate.as_bytes()), other("CERTIFICATE"));
        assert_eq!(read(format!("{text}{key}").as_bytes()), Err(ReadError::PrivateKey));
        let another = to_pem(&made("CN=rig-2", &[])).unwrap();
        assert_eq!(read(format!("{text}{another}").as_bytes()), Err(ReadError::Several(2)));
        assert_eq!(read(text.repeat(2).as_bytes()), Ok(der.clone()), "the same one, twice");
        for bad in [
            b"-----BEGIN ".to_vec(),
            b"nonsense".to_vec(),
            der[1..].to_vec(),
            text.replace("MII", "M*I").into_bytes(),
            vec![0xff, 0xfe],
        ] {
            assert!(matches!(read(&bad), Err(ReadError::Malformed(_))), "{bad:?}");
        }
        let without_end = text.replace("-----END CERTIFICATE REQUEST-----", "");
        assert_eq!(read(without_end.as_bytes()), Ok(der));
    }

    #[test]
    fn a_good_request_has_no_faults() {
        let findings = checked(&made(SUBJECT, &["rig-1.example.com"]), "rig-1");
        assert_eq!(findings.faults, []);
        assert!(findings.is_signed && !findings.has_challenge_password && !findings.has_email_address);
        assert_eq!(findings.key, Some(KeyFound::Rsa(2048)));
        assert_eq!(findings.subject, SUBJECT);
        assert_eq!(findings.wanted_subject.as_deref(), Some(SUBJECT));
        assert_eq!(findings.common_name.as_deref(), Some("rig-1"));
        assert_eq!(findings.names, ["DNS:rig-1.example.com"]);
        let nameless = checked(&made("CN=whatever", &[]), "");
        assert_eq!((nameless.faults, nameless.wanted_subject), (vec![], None), "no name was typed yet");
    }

    #[test]
    fn every_fault_is_found() {
        let der = made(SUBJECT, &[]);
        let mut wrong_signature = der.clone();
        *wrong_signature.last_mut().unwrap() ^= 1;
        let findings = checked(&wrong_signature, "rig-1");
        assert!(!findings.is_signed);
        assert_eq!(findings.faults, [RequestFault::Signature]);

        let other_name = SubjectDifference::Other { wanted: "CN=rig-2".into(), found: "CN=rig-1".into() };
        assert_eq!(checked(&der, "rig-2").faults, [RequestFault::Subject(vec![other_name])]);
        let names = checked(&made(SUBJECT, &["*.example.com"]), "rig-1");
        assert_eq!(names.faults, [RequestFault::Names(NamesFault::DnsName("*.example.com".into()))]);

        let small = check(&der, &device_type().subject_template, &[KeySize::Rsa4096], "rig-1").unwrap();
        assert_eq!(small.faults, [RequestFault::KeySize { bits: 2048, offered: vec![KeySize::Rsa4096] }]);
        let vector = |text: &str| pem::decode_all(pem::CERTIFICATE_REQUEST, text).unwrap().remove(0);
        let large = checked(&vector(include_str!("../../../../gateway/tests/vectors/rsa-8192.csr.pem")), "");
        assert_eq!(large.key, Some(KeyFound::Rsa(8192)));
        assert!(matches!(*large.faults, [RequestFault::KeySize { bits: 8192, .. }]), "{:?}", large.faults);
        let curve = checked(&vector(include_str!("../../../../gateway/tests/vectors/p-256.csr.pem")), "");
        assert!(matches!(*curve.faults, [RequestFault::KeyAlgorithm(_)]), "{:?}", curve.faults);
        let sha_1 = checked(&vector(include_str!("../../../../gateway/tests/vectors/sha-1.csr.pem")), "");
        assert!(matches!(*sha_1.faults, [RequestFault::SignatureAlgorithm(_)]), "{:?}", sha_1.faults);
    }

    #[test]
    fn a_challenge_password_is_noticed() {
        let mut builder = RequestBuilder::new(SUBJECT.parse().unwrap()).unwrap();
        builder.add_attribute(&ChallengePassword(DirectoryString::Utf8String("secret".into()))).unwrap();
        let der = builder.build::<_, Signature>(&key_pair().signing_key()).unwrap().to_der().unwrap();
        let findings = checked(&der, "rig-1");
        assert!(findings.has_challenge_password);
        assert_eq!(findings.faults, [], "it is a warning, no fault");
    }

    /// A browser that has saved a request, and a registration authority.
    #[derive(Default)]
    struct Site {
        worker: MemoryWorker,
        store: MemoryDeviceRequestStore,
        authority: MemoryAuthority,
        clock: MemoryClock,
    }

    impl Site {
        fn save(&self, device: Device) -> DeviceRequest {
            block_on(save(&self.store, &self.clock, &device_type(), device, None, made(SUBJECT, &[]))).unwrap()
        }

        fn refresh(&self, id: &str) -> Result<DeviceRequest, EnrollError> {
            block_on(refresh(&self.store, &self.authority, id))
        }

        fn collect(&self, id: &str) -> Result<DeviceCertificate, DeviceCollectError> {
            block_on(collect(&self.worker, &self.store, &self.authority, &self.clock, id))
        }

        fn collect_elsewhere(&self, transaction_id: &str) -> Result<DeviceCertificate, DeviceCollectError> {
            let elsewhere = MemoryDeviceRequestStore::default();
            block_on(collect_by_transaction_id(&self.worker, &elsewhere, &self.authority, &self.clock, transaction_id))
        }
    }

    #[test]
    fn a_request_is_saved_before_it_is_sent_and_a_lost_answer_costs_nothing() {
        let site = Site::default();
        let saved = site.save(device("rig-1"));
        assert_eq!(saved.id, base16ct::lower::encode_string(&Sha256::digest(made(SUBJECT, &[]))));
        assert_eq!(site.authority.held(), 0);
        site.authority.fail(Call::Submit, Fault::AnswerLost);
        assert!(site.refresh(&saved.id).is_err());
        assert_eq!(site.authority.held(), 1);
        let kept = block_on(site.store.get(&saved.id)).unwrap().unwrap();
        assert_eq!(kept.standing(), Standing::NotSent);
        site.authority.recover();
        let sent = site.refresh(&saved.id).unwrap();
        assert_eq!((sent.standing(), site.authority.held()), (Standing::Pending, 1));
        let status = block_on(site.authority.status(&sent.transaction_id().unwrap())).unwrap();
        assert_eq!(status.device, Some(device("rig-1")));
    }

    #[test]
    fn what_goes_along_can_be_mended_until_it_is_sent() {
        let site = Site::default();
        let saved = site.save(device("rig-one"));
        assert_eq!(site.save(device("rig-1")).device.name, "rig-1");
        let sent = site.refresh(&saved.id).unwrap();
        assert_eq!(site.save(device("rig-2")), sent, "now the registration authority has it");
        *site.store.write_fault.borrow_mut() = Some(StoreError::Full);
        let full = block_on(save(&site.store, &site.clock, &device_type(), device("a"), None, made("CN=a", &[])));
        assert_eq!(full, Err(StoreError::Full));
    }

    #[test]
    fn a_request_that_waits_is_corrected_and_a_refusal_changes_nothing() {
        let site = Site::default();
        let saved = site.save(device("rig-1"));
        let sent = site.refresh(&saved.id).unwrap();
        let other = Device { email_address: "others@example.com".into(), ..device("rig-1") };
        let correct =
            |device: Device| block_on(correct(&site.store, &site.authority, &sent, &device_type(), device, None));
        let corrected = correct(other.clone()).unwrap();
        assert_eq!((corrected.device.clone(), corrected.transaction_id()), (other.clone(), sent.transaction_id()));
        let id = sent.transaction_id().unwrap();
        assert_eq!(block_on(site.authority.status(&id)).unwrap().device, Some(other));
        site.authority.issue(id, NOW, NOW + YEAR);
        assert!(correct(device("rig-1")).is_err_and(|error| error.is_refusal()));
        assert_eq!(block_on(site.store.get(&saved.id)).unwrap(), Some(corrected));
    }

    #[test]
    fn a_gateway_that_was_set_back_takes_the_request_anew() {
        let mut site = Site::default();
        let saved = site.save(device("rig-1"));
        let first = site.refresh(&saved.id).unwrap().transaction_id().unwrap();
        site.authority = MemoryAuthority::default();
        let again = site.refresh(&saved.id).unwrap();
        assert_ne!(again.transaction_id(), Some(first));
        assert!(again.has_transaction_id(first));
    }

    #[test]
    fn a_certificate_is_checked_kept_and_named() {
        let site = Site::default();
        let saved = site.save(device("rig-1"));
        assert_eq!(site.collect(&saved.id), Err(CollectError::Pending.into()), "which sends it, too");
        let id = site.refresh(&saved.id).unwrap().transaction_id().unwrap();
        site.authority.issue(id, NOW, NOW + YEAR);
        let collected = site.collect(&saved.id).unwrap();
        assert_eq!(collected.certification_path.len(), 3);
        site.authority.take_calls();
        assert_eq!(site.collect(&saved.id), Ok(collected.clone()));
        assert_eq!(site.authority.take_calls(), [], "no network is needed again");
        assert_eq!(collected.file(FileFormat::Der).unwrap(), collected.certification_path.first().unwrap().0);
        let name = collected.file_name(FileFormat::Der, Some("Test"));
        assert!(name.starts_with("rig-1 ") && name.ends_with(" 2028-01-15 Test.cer"), "{name}");
        assert_eq!(site.collect_elsewhere(&id.to_string()), Ok(collected));
    }

    #[test]
    fn a_certificate_for_another_key_or_name_is_not_taken() {
        let site = Site::default();
        let saved = site.save(device("rig-1"));
        let id = site.refresh(&saved.id).unwrap().transaction_id().unwrap();
        let other_key = new_key_pair();
        let other = "CN=rig-2,OU=Devices,O=Example,C=US".parse().unwrap();
        site.authority.issue_this(id, ca().certify(other, spki_of(&other_key), NOW, NOW + YEAR));
        assert_eq!(site.collect(&saved.id), Err(CollectError::KeyMismatch.into()));
        assert_eq!(site.collect_elsewhere(&id.to_string()), Err(CollectError::KeyMismatch.into()));
        assert_eq!(block_on(site.store.get(&saved.id)).unwrap().unwrap().certification_path, None);
    }

    #[test]
    fn a_certificate_that_leads_nowhere_or_has_ended_is_not_taken() {
        let site = Site::default();
        let saved = site.save(device("rig-1"));
        let id = site.refresh(&saved.id).unwrap().transaction_id().unwrap();
        site.authority.issue(id, NOW - 2, NOW - 1);
        assert_eq!(site.collect(&saved.id), Err(CollectError::Expired(NOW - 1).into()));
        site.authority.ca_certificates.borrow_mut().trust_anchors.clear();
        site.authority.issue(id, NOW, NOW + YEAR);
        assert_eq!(site.collect(&saved.id), Err(CollectError::NoTrustAnchor.into()));
    }

    #[test]
    fn other_transaction_ids_are_told_apart() {
        let site = Site::default();
        let malformed = site.collect_elsewhere("nonsense");
        assert!(matches!(malformed, Err(DeviceCollectError::Collect(CollectError::MalformedTransactionId(_)))));
        let unknown = site.collect_elsewhere("000-000-000-000-000-000-000-000-011");
        assert_eq!(unknown, Err(CollectError::UnknownTransactionId.into()));
        let persons = NewRequest {
            certificate_type: "participants".into(),
            certification_request: Base64Bytes(made("CN=Ada Example", &[])).into(),
            replaces: None,
            authorization_code: None,
            device: None,
        };
        let id = block_on(site.authority.submit(&persons)).unwrap().transaction_id;
        assert_eq!(site.collect_elsewhere(&id.to_string()), Err(DeviceCollectError::NotADevice));

        let saved = site.save(device("rig-1"));
        let id = site.refresh(&saved.id).unwrap().transaction_id().unwrap();
        assert_eq!(site.collect_elsewhere(&id.to_string()), Err(CollectError::Pending.into()));
        site.authority.reject(id, "unknown device");
        let rejected = CollectError::Rejected { reason: "unknown device".into() };
        assert_eq!(site.collect_elsewhere(&id.to_string()), Err(rejected.into()));
        site.authority.fail(Call::Status, Fault::Unreachable);
        let unreachable = site.collect_elsewhere(&id.to_string());
        assert!(matches!(unreachable, Err(DeviceCollectError::Collect(CollectError::Unreachable(_)))));
    }
}
