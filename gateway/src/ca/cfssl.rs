//! A CFSSL server as the CA engine: it signs, and the gateway believes nothing that it can check.
//!
//! Requests go to `authsign`, authenticated by an HMAC. The gateway sends the serial number that the approval has fixed; a signing
//! profile with `"ClientProvidesSerialNumbers": true` uses it, so that asking twice cannot make two serial numbers. With another profile
//! CFSSL draws its own, and the one in the certificate that is kept counts. `docs/ca-engines.md` says what follows from that.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use der::oid::ObjectIdentifier;
use der::oid::db::rfc4519::{C, CN, L, O, OU, ST};
use der::oid::db::rfc5280::{ID_KP_CLIENT_AUTH, ID_KP_EMAIL_PROTECTION, ID_KP_SERVER_AUTH};
use der::{Decode, Encode};
use hmac::{Hmac, KeyInit, Mac};
use keyside_pki::certificate::Certificate;
use keyside_pki::certification_request::{CertificationRequest, subject_public_key_info};
use keyside_pki::general_name::GeneralName;
use keyside_pki::{file, name, pem};
use reqwest::header::CONTENT_TYPE;
use rsa::BoxedUint;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::Sha256;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use x509_cert::crl::CertificateList;
use x509_cert::name::Name;
use zeroize::Zeroizing;

use super::crl_lifetime::CrlLifetime;
use super::{Answer, Authority, CaEngine, CaError, CertificateOrder, CrlOrder, Holder, settings};
use crate::clock::{self, DAY};
use crate::private_files;

/// The largest answer that is read, in bytes: ten times a certificate with a long subject.
const ANSWER_LIMIT: usize = 64 * 1024;
/// How much longer than asked a certificate may be valid, in seconds: CFSSL counts in hours, and begins early.
const VALIDITY_TOLERANCE: i64 = DAY;
/// CFSSL's codes for what is wrong with a certification request begin here (its package `errors`, category CSRError) …
const CSR_ERRORS: std::ops::Range<u32> = 9000..10_000;
/// … and this is its code for a name that the profile's whitelist does not have (PolicyError, UnmatchedWhitelist).
const UNMATCHED_WHITELIST: u32 = 5500;
/// The attributes of a subject that CFSSL keeps, in the order in which it writes them.
const SUBJECT_ORDER: [ObjectIdentifier; 6] = [C, ST, L, O, OU, CN];

/// Whether CFSSL keeps subjects of this template (RFC 4514) as they are: it takes them apart and writes them anew.
pub fn keeps_subject(template: &str) -> bool {
    let Ok(name) = Name::from_str(&template.replace("{common_name}", "x")) else { return false };
    let mut order = SUBJECT_ORDER.iter();
    name.as_ref()
        .iter()
        .all(|rdn| rdn.len() == 1 && rdn.iter().all(|attribute| order.any(|next| *next == attribute.oid)))
}

/// The way to a CFSSL server.
pub struct Client {
    http: reqwest::Client,
    url: String,
    key: Zeroizing<Vec<u8>>,
    profile: String,
    device_profile: Option<String>,
}

impl Client {
    /// A client for the server that `config` names. Does not call it yet.
    pub fn new(config: &settings::CfsslCa) -> Result<Self, CaError> {
        let roots = match &config.tls_ca_file {
            Some(path) => trusted(path)?,
            None => RootCertStore::empty(),
        };
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| CaError::Unavailable(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(config.timeout_seconds.into()))
            .build()
            .map_err(|error| CaError::Unavailable(format!("no HTTP client can be made: {}", chain(&error))))?;
        Ok(Self {
            http,
            url: config.url.clone(),
            key: read_key(&config.key_file)?,
            profile: config.profile.clone(),
            device_profile: config.device_profile.clone(),
        })
    }

    /// The certificate of the server's CA.
    pub async fn info(&self) -> Result<Certificate, CaError> {
        let body = serde_json::json!({ "label": "" }).to_string();
        let der = one_certificate(&self.post("info", body).await?)?;
        Certificate::from_der(&der).map_err(|error| self.odd(&format!("its CA's certificate is none: {error}")))
    }

    /// Has a certification request signed; gives the PEM that comes back.
    async fn sign(&self, order: &CertificateOrder) -> Result<String, CaError> {
        let profile = match order.holder {
            Holder::Person { .. } => Some(&self.profile),
            Holder::Device => self.device_profile.as_ref(),
        };
        let request = AuthsignRequest {
            certificate_request: &pem::encode(pem::CERTIFICATE_REQUEST, &order.certification_request)?,
            profile: profile.ok_or_else(|| CaError::Unavailable("ca.device_profile is not configured".into()))?,
            serial: decimal(&order.serial_number)?,
        };
        let request = serde_json::to_vec(&request).map_err(|error| self.odd(&error.to_string()))?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).map_err(|error| self.odd(&error.to_string()))?;
        mac.update(&request);
        let token = Base64::encode_string(&mac.finalize().into_bytes());
        let body = serde_json::json!({ "token": token, "request": Base64::encode_string(&request) }).to_string();
        self.post("authsign", body).await
    }

    /// Posts `body` to the endpoint `name`; gives the certificate in the answer, PEM.
    async fn post(&self, name: &str, body: String) -> Result<String, CaError> {
        let silent = |error: reqwest::Error| {
            CaError::Unavailable(format!("CFSSL at {} does not answer: {}", self.url, chain(&error.without_url())))
        };
        let request = self.http.post(format!("{}/api/v1/cfssl/{name}", self.url));
        let mut response = request.header(CONTENT_TYPE, "application/json").body(body).send().await.map_err(silent)?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(silent)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ANSWER_LIMIT {
                return Err(self.odd("its answer is far longer than a certificate"));
            }
        }
        let answer: ServerAnswer = serde_json::from_slice(&bytes)
            .map_err(|_| self.odd(&format!("status {} with something that is not its JSON", status.as_u16())))?;
        match answer {
            ServerAnswer { success: true, result: Some(result), .. } if status.is_success() => Ok(result.certificate),
            ServerAnswer { errors, .. } => Err(match errors.into_iter().next() {
                Some(ServerError { code, message }) if CSR_ERRORS.contains(&code) || code == UNMATCHED_WHITELIST => {
                    CaError::Refused(format!("{} ({code})", printable(&message)))
                }
                Some(ServerError { code, message }) => {
                    CaError::Unavailable(format!("CFSSL refuses: {} ({code})", printable(&message)))
                }
                None => self.odd(&format!("status {} without a certificate and without an error", status.as_u16())),
            }),
        }
    }

    /// For an answer that cannot be used.
    fn odd(&self, fault: &str) -> CaError {
        CaError::Unavailable(format!("CFSSL at {} does not answer as it should: {fault}", self.url))
    }
}

/// What `authsign` authenticates.
#[derive(Serialize)]
struct AuthsignRequest<'a> {
    certificate_request: &'a str,
    profile: &'a str,
    serial: Box<RawValue>,
}

/// What CFSSL answers.
#[derive(Deserialize)]
struct ServerAnswer {
    success: bool,
    result: Option<ServerResult>,
    #[serde(default)]
    errors: Vec<ServerError>,
}

#[derive(Deserialize)]
struct ServerResult {
    certificate: String,
}

#[derive(Deserialize)]
struct ServerError {
    code: u32,
    message: String,
}

/// A CA that a CFSSL server keeps.
pub struct CfsslCa {
    client: Client,
    root: Certificate,
    issuing: Certificate,
    crl_file: Option<PathBuf>,
    patience: Duration,
    retry_after: i64,
}

impl CfsslCa {
    /// The CA with the certificate `issuing`, below the root that `config` names if it names one.
    pub fn new(client: Client, config: &settings::CfsslCa, issuing: Certificate) -> Result<Self, CaError> {
        let root = config.root_certificate.clone().unwrap_or_else(|| issuing.clone());
        let unfit =
            |fault: &str| CaError::Unavailable(format!("CFSSL's CA “{}” cannot be used: {fault}", issuing.subject()));
        if !issuing.may_issue() {
            return Err(unfit("its certificate is no CA's"));
        }
        issuing.verify_signed_by(&root).map_err(|error| match config.root_certificate {
            Some(_) => unfit(&format!("the root in ca.root_certificate_file has not signed it ({error})")),
            None => unfit(&format!("it is no root ({error}): name the root above it as ca.root_certificate_file")),
        })?;
        Ok(Self {
            client,
            root,
            issuing,
            crl_file: config.crl_file.clone(),
            patience: Duration::from_secs(config.timeout_seconds.into()),
            retry_after: config.retry_after_seconds.into(),
        })
    }

    /// Checks that the certificate in `pem` is what was ordered; gives it as DER. It is CFSSL's word against the gateway's: a profile that
    /// does not exist is silently another one there.
    fn check(&self, order: &CertificateOrder, pem: &str) -> Result<Vec<u8>, CaError> {
        let der = one_certificate(pem)?;
        let certificate = Certificate::from_der(&der)?;
        let request = CertificationRequest::from_der(&order.certification_request)?;
        let refuse = |fault: &str| {
            Err(CaError::Unavailable(format!("CFSSL has answered with a certificate that is not used: {fault}")))
        };
        let extensions = certificate.extensions();
        if !certificate.names_as_issuer(&self.issuing) || certificate.verify_signed_by(&self.issuing).is_err() {
            return refuse("another CA has issued it");
        }
        if !certificate.certifies(subject_public_key_info(request.der())?) {
            return refuse("it is for another key");
        }
        // CFSSL writes PrintableStrings where the request has UTF8Strings.
        if certificate.subject().to_string() != request.subject().to_string() {
            return refuse("it has another subject");
        }
        let asked = match &order.holder {
            Holder::Person { email_address } => vec![Some(GeneralName::Rfc822(email_address.clone().into_bytes()))],
            Holder::Device => request.subject_alt_names()?,
        };
        let given = extensions.subject_alt_names()?.unwrap_or_default();
        // As many, and each of them, in whatever order.
        if given.len() != asked.len() || !given.iter().all(|name| name.is_some() && asked.contains(name)) {
            return refuse("its subjectAltName has other names than the request");
        }
        let purposes = match order.holder {
            Holder::Person { .. } => [ID_KP_CLIENT_AUTH, ID_KP_EMAIL_PROTECTION],
            Holder::Device => [ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH],
        };
        let given: BTreeSet<&[u8]> = extensions.extended_key_usages()?.unwrap_or_default().into_iter().collect();
        if given != purposes.iter().map(ObjectIdentifier::as_bytes).collect() {
            return refuse(
                "its extendedKeyUsage is not the one for this type: compare the usages of CFSSL's signing profile",
            );
        }
        let usages = extensions.key_usage()?;
        let allows = |usage| usages.is_some_and(|usages| usages.allows(usage));
        if certificate.is_ca() || !allows("digitalSignature") || allows("keyCertSign") || allows("cRLSign") {
            return refuse("its keyUsage is not a user's: compare the usages of CFSSL's signing profile");
        }
        let (not_before, not_after) = certificate.validity();
        let (not_before, not_after) = (clock::from_unsigned(not_before), clock::from_unsigned(not_after));
        if !(not_before..=not_after).contains(&clock::now()) {
            return refuse("it is not valid now: compare the clocks");
        }
        if not_after.saturating_sub(not_before) > order.not_after - order.not_before + VALIDITY_TOLERANCE {
            return refuse(
                "it is valid for longer than the type allows: compare validity_days with the profile's expiry",
            );
        }
        if certificate.serial_number() != order.serial_number {
            tracing::warn!(
                "CFSSL has drawn a serial number of its own; set \"ClientProvidesSerialNumbers\" in its signing profile, so that an \
                 answer that was lost leaves no certificate that nobody knows"
            );
        }
        Ok(der)
    }

    /// The CRL in the file that the configuration names.
    fn read_crl(&self, order: &CrlOrder) -> Result<Option<Vec<u8>>, CaError> {
        let Some(path) = self.crl_file.as_deref().filter(|_| order.authority == Authority::FIRST) else {
            return Ok(None);
        };
        let bytes = fs::read(path).map_err(file_error(path))?;
        let fault = |fault: String| CaError::Contents { path: path.to_owned(), fault };
        let parts = file::read(&bytes).parts;
        let der = parts.into_iter().find_map(|part| part.der).ok_or_else(|| fault("it is not a CRL".into()))?.to_vec();
        let crl: CertificateList =
            Decode::from_der(&der).map_err(|error| fault(format!("it is not a CRL: {error}")))?;
        // CFSSL encodes names in its own way.
        let issuer = name::Name::from_der(&crl.tbs_cert_list.issuer.to_der()?)?;
        if !name::is_match(&issuer, self.issuing.subject()) || !self.issuing.has_signed_crl(&der)? {
            return Err(fault("this CRL is not of CFSSL's CA".into()));
        }
        let listed: BTreeSet<&[u8]> = crl
            .tbs_cert_list
            .revoked_certificates
            .iter()
            .flatten()
            .map(|entry| unsigned(entry.serial_number.as_bytes()))
            .collect();
        let missing = order.revoked.iter().filter(|revoked| !listed.contains(revoked.serial_number.as_slice())).count();
        if missing > 0 {
            tracing::warn!(path = %path.display(), missing, "the CRL lacks certificates that were revoked here: make it anew");
        }
        let next_update = crl.tbs_cert_list.next_update.map(|time| time.to_unix_duration().as_secs());
        if next_update.is_some_and(|end| clock::from_unsigned(end) < clock::now()) {
            tracing::error!(path = %path.display(), "the CRL has ended: make it anew");
        }
        Ok(Some(der))
    }
}

impl CaEngine for CfsslCa {
    fn certificate(&self, authority: Authority) -> &[u8] {
        match authority {
            Authority::Root => self.root.der(),
            Authority::Issuing(_) => self.issuing.der(),
        }
    }

    fn ready(&self) -> Answer<'_, ()> {
        Box::pin(async move { self.client.info().await.map(drop) })
    }

    fn issue(&self, order: CertificateOrder) -> Answer<'_, Vec<u8>> {
        Box::pin(async move {
            let pem = self.client.sign(&order).await?;
            self.check(&order, &pem)
        })
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    fn retry_after(&self) -> i64 {
        self.retry_after
    }

    fn crl_lifetime(&self) -> Option<CrlLifetime> {
        None
    }

    fn crl(&self, order: CrlOrder) -> Answer<'_, Option<Vec<u8>>> {
        Box::pin(async move { self.read_crl(&order) })
    }
}

/// The key that authenticates requests, from its file, which only its owner and the owner's group may read.
fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, CaError> {
    let fault = |fault: &str| CaError::Contents { path: path.to_owned(), fault: fault.into() };
    if !private_files::is_private(path).map_err(file_error(path))? {
        return Err(fault("others can read this key: take their permissions away, as with “chmod 640”"));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(file_error(path))?);
    let digits = text.lines().next().unwrap_or_default().trim();
    let key = base16ct::mixed::decode_vec(digits).map(Zeroizing::new).unwrap_or_default();
    if key.len() < 16 {
        return Err(fault("the first line must be CFSSL's key in hexadecimal, 32 digits or more"));
    }
    Ok(key)
}

/// The certificates in a file, to be trusted.
fn trusted(path: &Path) -> Result<RootCertStore, CaError> {
    let bytes = fs::read(path).map_err(file_error(path))?;
    let mut roots = RootCertStore::empty();
    for der in file::read(&bytes).parts.into_iter().filter_map(|part| part.der) {
        // One that cannot be used is missed below, or when CFSSL is called.
        let _ = roots.add(CertificateDer::from(der.to_vec()));
    }
    if roots.is_empty() {
        let fault = "it must hold the CA of CFSSL's TLS certificate, as a PEM block CERTIFICATE".into();
        return Err(CaError::Contents { path: path.to_owned(), fault });
    }
    Ok(roots)
}

/// The one certificate in `pem`, as DER.
fn one_certificate(pem: &str) -> Result<Vec<u8>, CaError> {
    let mut blocks = pem::decode_all(pem::CERTIFICATE, pem).unwrap_or_default();
    match blocks.pop() {
        Some(der) if blocks.is_empty() => Ok(der),
        _ => Err(CaError::Unavailable("CFSSL has answered with something that is not one certificate in PEM".into())),
    }
}

/// A serial number as a JSON number, which has no bounds.
fn decimal(serial_number: &[u8]) -> Result<Box<RawValue>, CaError> {
    let digits = BoxedUint::from_be_slice_vartime(serial_number).to_string_radix_vartime(10);
    RawValue::from_string(digits).map_err(|error| CaError::Unavailable(error.to_string()))
}

/// A serial number without the zero byte that DER puts before a set first bit.
fn unsigned(serial_number: &[u8]) -> &[u8] {
    serial_number.strip_prefix(&[0]).unwrap_or(serial_number)
}

/// A message from elsewhere, fit for one line of a log, a table or a mail.
fn printable(message: &str) -> String {
    message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

/// An error with what lies below it.
fn chain(error: &dyn std::error::Error) -> String {
    let below = std::iter::successors(error.source(), |error| error.source());
    below.fold(error.to_string(), |text, error| format!("{text}: {error}"))
}

/// For `map_err` where the file `path` is worked on.
fn file_error(path: &Path) -> impl Fn(std::io::Error) -> CaError {
    let path = path.to_owned();
    move |source| CaError::File { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_that_cfssl_writes_differently_are_told() {
        for kept in ["CN={common_name}", "CN={common_name},OU=A,O=B,C=US", "CN={common_name},OU=A,O=B,L=C,ST=D,C=US"] {
            assert!(keeps_subject(kept), "{kept}");
        }
        for changed in [
            "C=US,CN={common_name}",
            "CN={common_name},OU=A,OU=B,C=US",
            "CN={common_name},DC=example",
            "CN={common_name}+OU=A",
        ] {
            assert!(!keeps_subject(changed), "{changed}");
        }
    }
}
