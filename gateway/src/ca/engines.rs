//! Opening the CA engine that the configuration names, and renewing the embedded CA. A database belongs to one CA.

use std::path::PathBuf;
use std::sync::Arc;

use keyside_core::domain::revocation::RevocationReason;
use keyside_pki::certificate::Certificate;

use super::embedded::{self, EmbeddedCa};
use super::settings::{self, CA_PASSPHRASE_VARIABLE, Ca};
use super::{Authority, CaEngine, CaError, cfssl};
use crate::clock;
use crate::data_directory::{DataDirectory, DataError};
use crate::database::{Database, DatabaseError};
use crate::hexadecimal::hexadecimal;
use crate::officers::sign_in;
use crate::settings::faults::ConfigError;
use crate::store::audit::{self, NewEntry};
use crate::store::audit_actions::{Action, Actor};
use crate::store::{crls, engines, issuance, journal, requests, revocations};

/// The names of the engines in their table.
const ENGINE_EMBEDDED: &str = "embedded";

const ENGINE_CFSSL: &str = "cfssl";

/// A fault for which the CA cannot be used.
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
        /// The step that makes the gateway use the CA of the database.
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
    claim_database(database, ENGINE_EMBEDDED, &ca.intermediates(), place, way_out).await?;
    let certificates: Vec<&[u8]> = ca.authorities().into_iter().map(|authority| ca.certificate(authority)).collect();
    keep_crls_by_key(database, &certificates).await?;
    note_first_issuer(database, ca.certificate(Authority::FIRST)).await?;
    Ok(ca)
}

/// Has the CRLs of these issuers, each a certificate in DER, kept by name and key: a version before kept them by certificate.
async fn keep_crls_by_key(database: &Database, issuers: &[&[u8]]) -> Result<(), OpenError> {
    let mut transaction = database.transaction().await?;
    for issuer in issuers {
        let issuer = Certificate::from_der(issuer).map_err(CaError::from)?;
        crls::keep_by_key(&mut transaction, &issuer).await.map_err(DatabaseError::from)?;
    }
    transaction.commit().await.map_err(DatabaseError::from)?;
    Ok(())
}

/// Has the certificates whose issuer is not noted belong to the first one, DER: a version before had no other.
async fn note_first_issuer(database: &Database, first: &[u8]) -> Result<(), OpenError> {
    let first = Certificate::from_der(first).map_err(CaError::from)?;
    let mut transaction = database.transaction().await?;
    issuance::note_first_issuer(&mut transaction, &crls::issuer_of(&first)).await.map_err(DatabaseError::from)?;
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
    let root = embedded::certificate_in(&directory, Authority::Root)?;
    let issuing = embedded::issuing_in(&directory)?;
    let all: Vec<&[u8]> = [&root].into_iter().chain(&issuing).map(Certificate::der).collect();
    keep_crls_by_key(database, &all).await?;
    let (config, folder) = (config.clone(), directory.clone());
    let renew = move || embedded::renew(&folder, &config, passphrase.as_ref());
    let renewed = tokio::task::spawn_blocking(renew).await??;
    Ok(renewed.map(|certificate| clock::from_unsigned(certificate.validity().1)))
}

/// Returns true if an embedded CA has claimed the database, or if one of an earlier version has issued.
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
    claim_database(database, ENGINE_CFSSL, &[ca.certificate(Authority::FIRST)], place, way_out).await?;
    note_first_issuer(database, ca.certificate(Authority::FIRST)).await?;
    Ok(ca)
}

/// Has the database belong to the engine's CA, unless it belongs to another one already. `issuing` are the certificates of its issuing authorities,
/// DER, the current one first. A CA may be renewed, with its name and its key, and another issuing authority may take the place of one that is
/// kept beside it.
async fn claim_database(
    database: &Database,
    engine: &str,
    issuing: &[&[u8]],
    place: String,
    way_out: &'static str,
) -> Result<(), OpenError> {
    let Some(current) = issuing.first().copied() else { return Ok(()) };
    let mut transaction = database.transaction().await?;
    let kept = engines::claim(&mut transaction, engine, current).await.map_err(DatabaseError::from)?;
    if kept != current {
        let kept = Certificate::from_der(&kept).map_err(CaError::from)?;
        let is_kept = |der: &&[u8]| Certificate::from_der(der).is_ok_and(|one| one.has_name_and_key_of(&kept));
        if !issuing.iter().any(is_kept) {
            let fingerprint = kept.summary().sha256_fingerprint;
            return Err(OpenError::AnotherCa { place, name: kept.subject().to_string(), fingerprint, way_out });
        }
        engines::replace(&mut transaction, engine, current).await.map_err(DatabaseError::from)?;
    }
    transaction.commit().await.map_err(DatabaseError::from)?;
    Ok(())
}

/// Has a further issuing authority take the place of the current one of the embedded CA in the folder `data`: see [`embedded::rollover`]. No
/// gateway may serve from the folder meanwhile. Returns its certificate.
pub async fn rollover(data: &DataDirectory, config: &settings::EmbeddedCa) -> Result<Certificate, OpenError> {
    let _lock = data.take()?;
    let (config, folder, passphrase) = (config.clone(), data.ca(), config.passphrase()?);
    Ok(tokio::task::spawn_blocking(move || embedded::rollover(&folder, &config, passphrase.as_ref())).await??)
}

/// Revokes a former issuing authority of the embedded CA in the folder `data`, the one with a certificate of this serial number (unsigned, most
/// significant byte first), with all certificates that its key has. The root's next CRL has them. Returns its name.
pub async fn revoke_authority(
    data: &DataDirectory,
    database: &Database,
    serial_number: &[u8],
    reason: RevocationReason,
    actor: Actor,
) -> Result<String, OpenError> {
    let (issuing, all) = (embedded::issuing_in(&data.ca())?, embedded::certificates_in(&data.ca())?);
    let is_issuing = |one: &&Certificate| issuing.iter().any(|other| other.has_name_and_key_of(one));
    let found = all.iter().filter(is_issuing).find(|one| one.serial_number() == serial_number);
    let found = found.ok_or_else(|| CaError::UnknownAuthority(hexadecimal(serial_number)))?;
    let name = found.subject().to_string();
    if issuing.last().is_some_and(|current| current.has_name_and_key_of(found)) {
        return Err(CaError::InUse(name).into());
    }
    let revoked_at = clock::now();
    let mut transaction = database.transaction().await?;
    let mut lines = Vec::new();
    for certificate in all.iter().filter(|one| one.has_name_and_key_of(found)) {
        let serial_number = certificate.serial_number();
        let is_new = revocations::revoke_authority(&mut transaction, serial_number, reason, revoked_at);
        if is_new.await.map_err(DatabaseError::from)? {
            let serial_number = hexadecimal(serial_number);
            lines.push(journal::Entry::AuthorityRevoked { serial_number, revoked_at, reason });
        }
    }
    if !lines.is_empty() {
        let (action, subject, detail) = (Action::AuthorityRevoked, name.clone(), reason.to_string());
        audit::lock(&mut transaction).await.map_err(DatabaseError::from)?;
        sign_in::issuer_revoked(&mut transaction, &crls::issuer_of(found), &actor).await?;
        let entry = NewEntry { at: revoked_at, actor, action, subject, detail };
        audit::append(&mut transaction, entry).await.map_err(DatabaseError::from)?;
        journal::append(database, lines).await?;
    }
    transaction.commit().await.map_err(DatabaseError::from)?;
    Ok(name)
}
