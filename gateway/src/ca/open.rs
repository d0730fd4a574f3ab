//! Opening the CA engine that the configuration names, and renewing the embedded CA. A database belongs to one CA.

use std::path::PathBuf;
use std::sync::Arc;

use keyside_pki::certificate::Certificate;

use super::embedded::{self, EmbeddedCa};
use super::settings::{self, CA_PASSPHRASE_VARIABLE, Ca};
use super::{Authority, CaEngine, CaError, cfssl};
use crate::clock;
use crate::data::{DataDirectory, DataError};
use crate::database::{Database, DatabaseError};
use crate::settings::faults::ConfigError;
use crate::store::{crls, engines, requests};

/// The names of the engines in their table.
const ENGINE_EMBEDDED: &str = "embedded";

const ENGINE_CFSSL: &str = "cfssl";

/// Why the CA cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The engine cannot be used.
    #[error("the certification authority: {0}")]
    Ca(#[from] CaError),
    /// The passphrase of its keys cannot be taken.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A task did not come to its end.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// The CA is gone, but not what it issued.
    #[error(
        "{0} is missing, but the database belongs to the CA there: restore it from a backup, or copy it from the data folder of the gateway that was started first; for a new CA, begin with an empty database"
    )]
    CaLost(PathBuf),
    /// The database has the certificates of another CA.
    #[error(
        "another CA is {place} than “{name}”, which the database belongs to (the SHA-256 fingerprint of its certificate is {fingerprint}): {way_out}, or begin with an empty database"
    )]
    AnotherCa {
        /// Where the CA is that cannot be used.
        place: String,
        /// The subject of the CA that the database belongs to.
        name: String,
        /// The SHA-256 of its certificate, in hexadecimal.
        fingerprint: String,
        /// How to use that one.
        way_out: &'static str,
    },
}

/// A CA engine.
pub struct Opened {
    /// The engine.
    pub engine: Arc<dyn CaEngine>,
    /// The same, if it is the embedded one.
    pub embedded: Option<EmbeddedCa>,
}

/// Opens the engine that `settings` name. At the first start makes the embedded CA in the folder `data`. `public_url` is the address that
/// certificates will name.
pub async fn open(
    settings: &Ca,
    database: &Database,
    data: &DataDirectory,
    public_url: &str,
) -> Result<Opened, OpenError> {
    Ok(match settings {
        Ca::Embedded(ca) => {
            let embedded = open_embedded_ca(data, ca, database, public_url).await?;
            Opened { engine: Arc::new(embedded.clone()), embedded: Some(embedded) }
        }
        Ca::Cfssl(ca) => Opened { engine: Arc::new(open_cfssl(ca, database).await?), embedded: None },
    })
}

/// Opens the embedded CA, or makes it at the first start.
async fn open_embedded_ca(
    data: &DataDirectory,
    config: &settings::EmbeddedCa,
    database: &Database,
    public_url: &str,
) -> Result<EmbeddedCa, OpenError> {
    let directory = data.ca();
    if !directory.exists() && has_ca(database).await.map_err(DatabaseError::from)? {
        return Err(OpenError::CaLost(directory));
    }
    let passphrase = config.passphrase()?;
    if passphrase.is_none() {
        tracing::warn!(
            "the CA's private keys are not encrypted: set {CA_PASSPHRASE_VARIABLE} or ca.passphrase_file before the first start"
        );
    }
    let place = format!("in {}", directory.display());
    let (config, public_url) = (config.clone(), public_url.to_owned());
    let open = move || EmbeddedCa::open_or_create(&directory, &config, passphrase.as_ref(), &public_url);
    let ca = tokio::task::spawn_blocking(open).await??;
    let way_out = "put ca/ from the data folder of the gateway that was started first in its place";
    claim_database(database, ENGINE_EMBEDDED, ca.certificate(Authority::Issuing), place, way_out).await?;
    keep_crls_by_key(database, [Authority::Root, Authority::Issuing].map(|one| ca.certificate(one))).await?;
    Ok(ca)
}

/// Has the CRLs of these issuers, each a certificate in DER, kept by name and key: a version before kept them by certificate.
async fn keep_crls_by_key(database: &Database, issuers: [&[u8]; 2]) -> Result<(), OpenError> {
    let mut transaction = database.transaction().await?;
    for issuer in issuers {
        let issuer = Certificate::from_der(issuer).map_err(CaError::from)?;
        crls::keep_by_key(&mut transaction, &issuer).await.map_err(DatabaseError::from)?;
    }
    transaction.commit().await.map_err(DatabaseError::from)?;
    Ok(())
}

/// Gives the embedded CA in the folder `data` new certificates for the names and keys that it has: see [`embedded::renew`]. No gateway may
/// serve from the folder meanwhile. Returns the ends of the certificates of root and issuing authority, in seconds since 1970-01-01T00:00:00Z.
pub async fn renew(
    data: &DataDirectory,
    config: &settings::EmbeddedCa,
    database: &Database,
) -> Result<[i64; 2], OpenError> {
    let _lock = data.take()?;
    let (directory, passphrase) = (data.ca(), config.passphrase()?);
    let load = |authority| embedded::certificate_in(&directory, authority);
    let (root, issuing) = (load(Authority::Root)?, load(Authority::Issuing)?);
    keep_crls_by_key(database, [root.der(), issuing.der()]).await?;
    let (config, folder) = (config.clone(), directory.clone());
    let renew = move || embedded::renew(&folder, &config, passphrase.as_ref());
    let renewed = tokio::task::spawn_blocking(renew).await??;
    Ok(renewed.map(|certificate| clock::from_unsigned(certificate.validity().1)))
}

/// Whether the database belongs to an embedded CA: one that has claimed it, or one of an earlier version that has issued.
async fn has_ca(database: &Database) -> Result<bool, sqlx::Error> {
    let claimed = engines::find(database.reader(), ENGINE_EMBEDDED).await?;
    Ok(claimed.is_some() || requests::has_approved(database.reader()).await?)
}

/// Gets to know CFSSL's CA: from CFSSL, or from the database while CFSSL is down.
async fn open_cfssl(config: &settings::CfsslCa, database: &Database) -> Result<cfssl::CfsslCa, OpenError> {
    let client = cfssl::Client::new(config)?;
    let known = engines::find(database.reader(), ENGINE_CFSSL).await.map_err(DatabaseError::from)?;
    let issuing = match (client.info().await, known) {
        (Ok(current), _) => current,
        (Err(error), Some(known)) => {
            tracing::warn!(%error, "certificates wait until CFSSL answers");
            Certificate::from_der(&known).map_err(CaError::from)?
        }
        (Err(error), None) => return Err(error.into()),
    };
    let ca = cfssl::CfsslCa::new(client, config, issuing)?;
    let (place, way_out) = ("at ca.url".into(), "start CFSSL with that CA");
    claim_database(database, ENGINE_CFSSL, ca.certificate(Authority::Issuing), place, way_out).await?;
    Ok(ca)
}

/// Has the database belong to the engine's CA, whose certificate is `current`, unless it belongs to another one already. A CA may be
/// renewed, with its name and its key.
async fn claim_database(
    database: &Database,
    engine: &str,
    current: &[u8],
    place: String,
    way_out: &'static str,
) -> Result<(), OpenError> {
    let mut transaction = database.transaction().await?;
    let kept = engines::claim(&mut transaction, engine, current).await.map_err(DatabaseError::from)?;
    if kept != current {
        let [kept, renewed] = [&kept, current].map(Certificate::from_der);
        let (kept, renewed) = (kept.map_err(CaError::from)?, renewed.map_err(CaError::from)?);
        if !renewed.has_name_and_key_of(&kept) {
            let fingerprint = kept.summary().sha256_fingerprint;
            return Err(OpenError::AnotherCa { place, name: kept.subject().to_string(), fingerprint, way_out });
        }
        engines::replace(&mut transaction, engine, current).await.map_err(DatabaseError::from)?;
    }
    transaction.commit().await.map_err(DatabaseError::from)?;
    Ok(())
}
