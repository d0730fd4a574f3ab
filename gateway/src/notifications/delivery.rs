//! Where notifications go: a mail server, or a folder.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyside_pki::file;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::settings::{Security, Smtp};
use crate::private_files;

/// Why notifications cannot be delivered at all.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// A file or folder cannot be used.
    #[error("{path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file has the wrong contents.
    #[error("{path}: {fault}")]
    Contents {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        fault: String,
    },
    /// TLS cannot be set up.
    #[error("TLS for the mail server: {0}")]
    Tls(lettre::transport::smtp::Error),
}

/// Why one message was not delivered.
#[derive(Debug)]
pub struct Failure {
    /// What was said, in one line.
    pub reason: String,
    /// Whether trying again is of no use.
    pub is_final: bool,
}

/// Where notifications go.
#[derive(Clone)]
pub enum Delivery {
    /// To a mail server.
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    /// Into a folder, one file each.
    Folder(PathBuf),
}

impl Delivery {
    /// By SMTP, as `config` says. Does not call the server yet.
    pub fn smtp(config: &Smtp) -> Result<Self, DeliveryError> {
        let tls = match config.security {
            Security::None => Tls::None,
            Security::Starttls => Tls::Required(tls(config)?),
            Security::Tls => Tls::Wrapper(tls(config)?),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port)
            .tls(tls)
            .timeout(Some(Duration::from_secs(config.timeout_seconds.into())));
        if let (Some(user), Some(path)) = (&config.username, &config.password_file) {
            let is_private = private_files::is_private(path).map_err(file_error(path))?;
            if !is_private {
                let fault = "others can read this password: take their permissions away, as with “chmod 640”".into();
                return Err(DeliveryError::Contents { path: path.clone(), fault });
            }
            let text = Zeroizing::new(fs::read_to_string(path).map_err(file_error(path))?);
            let password = text.lines().next().unwrap_or_default().to_owned();
            transport = transport.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self::Smtp(transport.build()))
    }

    /// Into `folder`, which is made if it is missing.
    pub fn folder(folder: &Path) -> Result<Self, DeliveryError> {
        private_files::create_directory(folder).map_err(file_error(folder))?;
        Ok(Self::Folder(folder.to_owned()))
    }

    /// Delivers `message`; `name` is that of its file, if it becomes one.
    pub async fn deliver(&self, message: Message, name: String) -> Result<(), Failure> {
        match self {
            Self::Smtp(transport) => match transport.send(message).await {
                Ok(_) => Ok(()),
                Err(error) => Err(Failure { is_final: error.is_permanent(), reason: one_line(&with_causes(&error)) }),
            },
            Self::Folder(folder) => {
                let folder = folder.clone();
                let written = spawn_blocking(move || write(&folder, &name, &message.formatted())).await;
                let written = written.map_err(io::Error::other).and_then(|written| written);
                written.map_err(|error| Failure { is_final: false, reason: one_line(&error.to_string()) })
            }
        }
    }
}

/// Whom to believe that it is the mail server: the system's CAs, or those of the file alone.
fn tls(config: &Smtp) -> Result<TlsParameters, DeliveryError> {
    let mut parameters = TlsParameters::builder(config.host.clone());
    if let Some(path) = &config.ca_file {
        let bytes = fs::read(path).map_err(file_error(path))?;
        let fault = || DeliveryError::Contents {
            path: path.clone(),
            fault: "it must hold the CA of the mail server's certificate, as a PEM block CERTIFICATE".into(),
        };
        let certificates = file::certificates(&bytes).map_err(|_| fault())?;
        let certificate = certificates.first().ok_or_else(fault)?;
        let certificate = Certificate::from_der(certificate.der().to_vec()).map_err(|_| fault())?;
        parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    parameters.build().map_err(DeliveryError::Tls)
}

/// Writes the file `name` in `folder`, as a whole or not at all. One that is there already is the same.
fn write(folder: &Path, name: &str, contents: &[u8]) -> io::Result<()> {
    let path = folder.join(name);
    if path.exists() {
        return Ok(());
    }
    // Of this process alone: another gateway may be writing the same one after a lease has ended.
    let unfinished = folder.join(format!(".{name}.{}", std::process::id()));
    let _ = fs::remove_file(&unfinished);
    let mut file = private_files::create(&unfinished)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&unfinished, &path)?;
    private_files::sync_directory(folder)
}

/// An error with what lies below it.
fn with_causes(error: &dyn std::error::Error) -> String {
    let below = std::iter::successors(error.source(), |error| error.source());
    below.fold(error.to_string(), |text, error| format!("{text}: {error}"))
}

/// What somebody else has said, in one line that is not too long.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

/// For `map_err` where the file or folder `path` is worked on.
fn file_error(path: &Path) -> impl Fn(io::Error) -> DeliveryError {
    let path = path.to_owned();
    move |source| DeliveryError::File { path: path.clone(), source }
}
