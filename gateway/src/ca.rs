//! The CA engine: what signs certificates and CRLs for the gateway.
//!
//! A trait, because a site's certification authority is its own affair: [`embedded`] is the one for trying Keyside out and
//! for small sites, [`cfssl`] asks a CFSSL server.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use self::crl_lifetime::CrlLifetime;
use crate::store::revocations::RevokedCertificate;

pub mod cfssl;
pub mod crl_lifetime;
pub mod embedded;
pub mod engines;
pub mod expiry;
pub mod serial_number;
pub mod settings;

/// What an engine gives in its own time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, CaError>> + Send + 'a>>;

/// A CA engine.
pub trait CaEngine: Send + Sync {
    /// The certificate of `authority`, as DER: the current issuing one's where there is no such one. Where one authority is both, its certificate
    /// stands for both.
    fn certificate(&self, authority: Authority) -> &[u8];

    /// The authority that issues users' certificates.
    fn issuing(&self) -> Authority {
        Authority::FIRST
    }

    /// Issues the certificate that `order` describes, as DER. An order is repeated after a crash: the embedded engine then gives the
    /// same certificate; another one gives one with the same serial number, or says in its documentation what it gives.
    fn issue(&self, order: CertificateOrder) -> Answer<'_, Vec<u8>>;

    /// How long an answer may take at the most. Whoever has asked and has none by then will not get one.
    fn patience(&self) -> Duration;

    /// After how many seconds to ask again for a certificate that did not come; twice as long each time.
    fn retry_after(&self) -> i64;

    /// Whether it would answer now.
    fn ready(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// The lifetime of a CRL that it signs; `None` where [`crl`](Self::crl) gives one that was signed elsewhere.
    fn crl_lifetime(&self) -> Option<CrlLifetime>;

    /// The CRL that `order` describes, as DER; `None` where the authority has none.
    fn crl(&self, order: CrlOrder) -> Answer<'_, Option<Vec<u8>>>;

    /// Every authority: the root, then the issuing ones, the current one first.
    fn authorities(&self) -> Vec<Authority> {
        let Authority::Issuing(current) = self.issuing() else { return vec![Authority::Root] };
        [Authority::Root].into_iter().chain((1..=current).rev().map(Authority::Issuing)).collect()
    }

    /// The certificates of issuing authorities below the root, as DER, the current one first.
    fn intermediates(&self) -> Vec<&[u8]> {
        let root = self.certificate(Authority::Root);
        let certificates = self.authorities().into_iter().map(|authority| self.certificate(authority));
        certificates.filter(|certificate| *certificate != root).collect()
    }
}

/// One of the authorities of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The trust anchor.
    Root,
    /// An authority below it that issues users' certificates, or has issued them. They are counted from 1: each takes the place of the one before.
    Issuing(u32),
}

impl Authority {
    /// The first issuing authority.
    pub const FIRST: Self = Self::Issuing(1);

    /// Its name in files' names, addresses and metrics.
    pub fn slug(self) -> String {
        match self {
            Self::Root => "root".into(),
            Self::FIRST => "issuing".into(),
            Self::Issuing(number) => format!("issuing-{number}"),
        }
    }
}

/// All that a user's certificate is made from. Times are in seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Debug)]
pub struct CertificateOrder {
    /// The checked PKCS#10 CertificationRequest, DER: subject and public key are taken from it.
    pub certification_request: Vec<u8>,
    /// Who it is for.
    pub holder: Holder,
    /// The serial number, unsigned, most significant byte first; its first byte is not zero; at most 19 bytes (RFC 5280, section 4.1.2.2).
    pub serial_number: Vec<u8>,
    /// The first second of the certificate's validity.
    pub not_before: i64,
    /// The last second of the certificate's validity; an engine ends it sooner if its own certificate does.
    pub not_after: i64,
}

/// Who a certificate is for: extendedKeyUsage and subjectAltName differ (RFC 5280, sections 4.2.1.12 and 4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A person: a TLS client that also signs and reads e-mail.
    Person {
        /// The checked e-mail address, the one name in the subjectAltName.
        email_address: String,
    },
    /// A device: TLS client and TLS server. The subjectAltName has the request's checked dNSNames and iPAddresses.
    Device,
}

/// All that a CRL is made from. Times are in seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Debug)]
pub struct CrlOrder {
    /// Who signs it.
    pub authority: Authority,
    /// Its number, greater than that of every CRL of this authority before (RFC 5280, section 5.2.3).
    pub number: u64,
    /// When it was made.
    pub this_update: i64,
    /// When the next one is there at the latest.
    pub next_update: i64,
    /// The certificates on it.
    pub revoked: Vec<RevokedCertificate>,
}

/// Why a CA engine cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A file of the CA cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the CA has the wrong contents.
    #[error("{path}: {fault}")]
    Contents {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        fault: String,
    },
    /// A structure cannot be read or made.
    #[error(transparent)]
    Pki(#[from] keyside_pki::error::Error),
    /// A certificate or CRL cannot be built.
    #[error("a certificate or CRL cannot be made: {0}")]
    Build(#[from] x509_cert::builder::Error),
    /// A value cannot be encoded.
    #[error("a certificate or CRL cannot be encoded: {0}")]
    Encode(#[from] der::Error),
    /// An algorithm cannot be encoded.
    #[error("a certificate or CRL cannot be encoded: {0}")]
    Algorithm(#[from] x509_cert::spki::Error),
    /// The key does not sign.
    #[error("a certificate or CRL cannot be signed: {0}")]
    Sign(#[from] rsa::signature::Error),
    /// A new issuing CA would have the name of one that is there.
    #[error(
        "ca.issuing_subject is still “{0}”, the name of an issuing CA that is there: give the new one another name in the configuration, as with a number in it"
    )]
    SameName(String),
    /// There is no such certificate of an issuing CA.
    #[error("no issuing CA here has a certificate with the serial number {0}")]
    UnknownAuthority(String),
    /// An issuing CA is revoked that issues now.
    #[error("the CA “{0}” issues now: have another one take its place first, with `keyside-gateway ca rollover`")]
    InUse(String),
    /// The CA's own certificate is not valid at the time asked for.
    #[error("the issuing CA's certificate has ended: it cannot issue any more")]
    Expired,
    /// The engine does not answer, or not as it must. Asking again later may help.
    #[error("{0}")]
    Unavailable(String),
    /// The engine has understood the order and will not fulfil it, now or later: for the applicant to read.
    #[error("the certification authority refuses this request: {0}")]
    Refused(String),
    /// A task did not come to its end.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}
