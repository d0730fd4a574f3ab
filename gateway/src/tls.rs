//! TLS for the connection check: every client certificate is let through, once the client has proved that it has the key.
//!
//! So the check can say what is wrong with a certificate, where an ordinary server would break off without a word.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::Uri;
use keyside::domain::key_size::KeySize;
use keyside::pki::certificate::Certificate;
use keyside::pki::key_pair::KeyPair;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use tokio_rustls::rustls::server::NoServerSessionStorage;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    self, DigitallySignedStruct, DistinguishedName, ProtocolVersion, ServerConfig, ServerConnection, SignatureScheme,
};

use crate::ca::embedded::EmbeddedCa;
use crate::ca::{Authority, CaEngine, CaError};
use crate::config::ServerCertificate;

/// The size of the key that is made for the server's certificate.
const KEY_SIZE: KeySize = KeySize::Rsa2048;

/// Why the connection check cannot speak TLS.
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
    #[error("its certificate cannot be used with its key ({0}): name the files of a certificate and of its own key")]
    Rustls(#[from] rustls::Error),
}

/// What is known of a client, once the handshake is done.
#[derive(Clone, Debug)]
pub struct Client {
    /// The certificate that it showed, DER; it has the private key.
    pub certificate: Option<Vec<u8>>,
    /// The version of TLS that was agreed on.
    pub version: &'static str,
}

impl Client {
    /// The client at the other end of `connection`.
    pub fn of(connection: &ServerConnection) -> Self {
        Self {
            certificate: connection.peer_certificates().and_then(<[_]>::first).map(|der| der.to_vec()),
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
                Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
                _ => "TLS",
            },
        }
    }
}

/// Accepts TLS connections as the server at `url`, with its certificate from the files, or else from the embedded CA where there is
/// one. Clients are asked for a certificate of `ca`.
pub fn acceptor(
    url: &str,
    files: Option<&ServerCertificate>,
    ca: &dyn CaEngine,
    embedded: Option<&EmbeddedCa>,
) -> Result<TlsAcceptor, TlsError> {
    let (chain, key) = match (files, embedded) {
        (Some(files), _) => read(files)?,
        (None, Some(embedded)) => issue(url, embedded)?,
        (None, None) => return Err(TlsError::NoCertificate),
    };
    let provider = Arc::new(ring::default_provider());
    let verifier = AnyCertificate::of(ca, provider.signature_verification_algorithms)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A resumed session would show the certificate of the time before, or none although there is one now.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

type Credentials = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The certificate with its chain, and the private key, from their files.
fn read(files: &ServerCertificate) -> Result<Credentials, TlsError> {
    let read = |path: &Path| fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source });
    let contents = |path: &Path, fault: &str| TlsError::Contents { path: path.to_owned(), fault: fault.into() };
    let (certificate, key) = (files.certificate.as_path(), files.key.as_path());
    let text = read(certificate)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().unwrap_or_default();
    if chain.is_empty() {
        return Err(contents(
            certificate,
            "it must hold the server's certificate and then its chain, as PEM blocks CERTIFICATE",
        ));
    }
    let text = zeroize::Zeroizing::new(read(key)?);
    let key = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| contents(key, "it must hold the private key, not encrypted, as a PEM block PRIVATE KEY"))?;
    Ok((chain, key))
}

/// A certificate that the embedded CA issues for a new key, which is nowhere but in memory.
fn issue(url: &str, ca: &EmbeddedCa) -> Result<Credentials, TlsError> {
    let host = url.parse::<Uri>().ok().and_then(|uri| Some(uri.host()?.trim_matches(['[', ']']).to_owned()));
    let key = KeyPair::generate(KEY_SIZE, &mut rand::rng()).map_err(CaError::from)?;
    let leaf = ca.issue_for_server(&host.unwrap_or_default(), &key)?;
    let chain = [leaf, ca.certificate(Authority::Issuing).to_vec()].map(CertificateDer::from);
    let key = key.to_private_key_info().map_err(CaError::from)?;
    Ok((chain.into(), PrivatePkcs8KeyDer::from(key.to_vec()).into()))
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
            Ok(DistinguishedName::from(der::Encode::to_der(certificate.subject())?))
        };
        Ok(Self { hints: vec![hint(Authority::Issuing)?, hint(Authority::Root)?], algorithms })
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
