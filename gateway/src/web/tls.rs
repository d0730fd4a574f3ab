//! TLS: for the main listener where the configuration says so, and for the connection check, where every client certificate is let
//! through, once the client has proved that it has the key.
//!
//! So the check can say what is wrong with a certificate, where an ordinary server would break off without a word.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::Uri;
use keyside_core::domain::key_size::KeySize;
use keyside_core::key_generation;
use keyside_pki::certificate::Certificate;
use keyside_pki::file;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{
    self, DigitallySignedStruct, DistinguishedName, ProtocolVersion, ServerConfig, ServerConnection, SignatureScheme,
};

use super::settings::ServerCertificate;
use crate::ca::embedded::EmbeddedCa;
use crate::ca::{CaEngine, CaError};
use crate::ra::connection_check::Client;

/// The size of the key that is made for the server's certificate.
const KEY_SIZE: KeySize = KeySize::Rsa2048;
/// How often the files of certificates are looked at without being told to.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// Why a listener cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file has the wrong contents.
    #[error("{path}: {fault}")]
    Contents {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what it should be.
        fault: String,
    },
    /// The CA issues no certificate for the server.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// There is no certificate for the server.
    #[error(
        "its server has no certificate, and this CA engine issues none for it: name certificate_file and key_file under [connection_check]"
    )]
    NoCertificate,
    /// The certificate and its key cannot be used.
    #[error("{certificate} cannot be used with {key} ({source}): name the files of a certificate and of its own key")]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// TLS itself.
    #[error("TLS: {0}")]
    Rustls(#[from] rustls::Error),
}

/// The client at the other end of `connection`.
pub(super) fn client_of(connection: &ServerConnection) -> Client {
    Client {
        certificate: connection.peer_certificates().and_then(<[_]>::first).map(|der| der.to_vec()),
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS",
        },
    }
}

/// A server's certificate with its key, as handshakes show it. From files, it is read anew when they have changed: connections that
/// begin from then on see the new one, those that are open stay.
#[derive(Debug)]
pub struct ServerIdentity {
    files: Option<ServerCertificate>,
    current: watch::Sender<Arc<CertifiedKey>>,
}

impl ServerIdentity {
    /// The certificate in `files`, with its chain and its key.
    pub fn open(files: ServerCertificate) -> Result<Self, TlsError> {
        let current = watch::Sender::new(read(&files)?);
        Ok(Self { files: Some(files), current })
    }

    /// A certificate that the embedded CA issues to the server at `url` for a new key, which is nowhere but in memory.
    pub fn issue(url: &str, ca: &EmbeddedCa) -> Result<Self, TlsError> {
        let host = url.parse::<Uri>().ok().and_then(|uri| Some(uri.host()?.trim_matches(['[', ']']).to_owned()));
        let key = key_generation::generate(KEY_SIZE, &mut rand::rng()).map_err(CaError::from)?;
        let leaf = ca.issue_for_server(&host.unwrap_or_default(), &key)?;
        let chain = [leaf, ca.certificate(ca.issuing()).to_vec()].map(CertificateDer::from);
        let key = key.to_private_key_info().map_err(CaError::from)?;
        let key = PrivatePkcs8KeyDer::from(key.to_vec()).into();
        let identity = CertifiedKey::from_der(chain.into(), key, &ring::default_provider())?;
        Ok(Self { files: None, current: watch::Sender::new(identity.into()) })
    }

    /// When its files were last changed, as far as that can be seen.
    fn modified(&self) -> Option<[Option<SystemTime>; 2]> {
        let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        self.files.as_ref().map(|files| [modified(&files.certificate), modified(&files.key)])
    }

    /// Reads its files again. Where they cannot be used, what was before stays.
    fn read_again(&self) {
        let Some(files) = &self.files else { return };
        let certificate = files.certificate.display();
        match read(files) {
            Ok(identity) if identity.cert == self.current.borrow().cert => {}
            Ok(identity) => {
                self.current.send_replace(identity);
                tracing::info!(%certificate, "new connections see the new certificate");
            }
            Err(error) => tracing::error!(%error, "TLS goes on with the certificate of before"),
        }
    }
}

impl ResolvesServerCert for ServerIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.borrow()))
    }
}

/// Has `identities` follow their files, for ever: reads these whenever `told` to, and when they have changed.
pub async fn follow_files(identities: Vec<Arc<ServerIdentity>>, mut told: impl AsyncFnMut()) {
    let identities: Arc<[_]> = identities.into();
    let mut interval = tokio::time::interval(LOOK_INTERVAL);
    let mut seen = Vec::new();
    loop {
        let is_told = tokio::select! {
            () = told() => true,
            _ = interval.tick() => false,
        };
        let (identities, before) = (Arc::clone(&identities), seen.clone());
        let look = move || {
            let now: Vec<_> = identities.iter().map(|identity| identity.modified()).collect();
            if is_told || now != before {
                identities.iter().for_each(|identity| identity.read_again());
            }
            now
        };
        seen = tokio::task::spawn_blocking(look).await.unwrap_or_default();
    }
}

/// Accepts TLS connections as the server `identity`.
pub fn acceptor(identity: Arc<ServerIdentity>) -> Result<TlsAcceptor, TlsError> {
    Ok(TlsAcceptor::from(Arc::new(server_config(identity, WebPkiClientVerifier::no_client_auth())?)))
}

/// The same, and asks clients for a certificate of `ca`.
pub fn asking_acceptor(identity: Arc<ServerIdentity>, ca: &dyn CaEngine) -> Result<TlsAcceptor, TlsError> {
    let algorithms = ring::default_provider().signature_verification_algorithms;
    let mut config = server_config(identity, Arc::new(AnyCertificate::of(ca, algorithms)?))?;
    // A resumed session would show the certificate of the time before, or none although there is one now.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// TLS 1.2 and 1.3 for HTTP/1.
fn server_config(
    identity: Arc<ServerIdentity>,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(identity);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificate with its chain, and the private key, from their files.
pub fn read(files: &ServerCertificate) -> Result<Arc<CertifiedKey>, TlsError> {
    let read = |path: &Path| fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source });
    let contents = |path: &Path, fault: &str| TlsError::Contents { path: path.to_owned(), fault: fault.into() };
    let (certificate, key) = (files.certificate.as_path(), files.key.as_path());
    let chain = file::certificates(&read(certificate)?).map_err(|_| {
        contents(certificate, "it must hold the server's certificate and then its chain, as PEM blocks CERTIFICATE")
    })?;
    let chain: Vec<_> = chain.iter().map(|certificate| CertificateDer::from(certificate.der().to_vec())).collect();
    let text = zeroize::Zeroizing::new(read(key)?);
    let private_key = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| contents(key, "it must hold the private key, not encrypted, as a PEM block PRIVATE KEY"))?;
    CertifiedKey::from_der(chain, private_key, &ring::default_provider()).map(Arc::new).map_err(|source| {
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        TlsError::Pair { certificate, key, source }
    })
}

/// Lets every certificate through, and none at all. What it does see to is that the client has the private key.
#[derive(Debug)]
struct AnyCertificate {
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyCertificate {
    /// Asks for certificates of `ca`: browsers offer no others.
    fn of(ca: &dyn CaEngine, algorithms: WebPkiSupportedAlgorithms) -> Result<Self, CaError> {
        let hint = |authority| -> Result<_, CaError> {
            let certificate = Certificate::from_der(ca.certificate(authority))?;
            Ok(DistinguishedName::from(certificate.subject().to_der()))
        };
        let hints = ca.authorities().into_iter().map(hint).collect::<Result<_, _>>()?;
        Ok(Self { hints, algorithms })
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
