//! Keyside's gateway: the registration authority that the page talks to.
//!
//! | module | what lives there |
//! |---|---|
//! | [`config`] | the configuration: one TOML file |
//! | [`routes`], [`page`], [`security_headers`], [`problem`], [`server`], [`tls`] | HTTP, and TLS |
//! | [`service`] | what the registration authority does |
//! | [`policy`], [`renewal`] | what a certification request must be, and a renewal |
//! | [`operations`], [`rate_limit`] | probes and metrics, and how often one may ask |
//! | [`connection_check`] | whether a client's certificate works |
//! | [`decision`] | approving, rejecting and revoking, shared by the server, the console and the command line |
//! | [`authorisations`], [`officers`], [`console`] | who may have a certificate, who decides, and the pages for that |
//! | [`audit`] | what was decided, in a chain of hashes |
//! | [`store`], [`database`], [`data`], [`private_files`] | what is kept, and where |
//! | [`ca`] | the CA engine, and the embedded one |
//! | [`serial_number`], [`clock`] | the two sources of what differs each time |
//!
//! Dependencies point one way: `routes -> service -> {policy, connection_check, decision, store, ca}`, `store -> database`. Bytes are read and made by
//! [`keyside_pki`], the API's types are [`keyside_core::api`]'s: the page uses the same code.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use keyside_pki::certificate::Certificate;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::ca::embedded::EmbeddedCa;
use crate::ca::{Authority, CaEngine, CaError, cfssl};
use crate::config::{Approval, CA_PASSPHRASE_VARIABLE, Ca, Config, ConfigError};
use crate::data::{DataDirectory, DataError, Lock};
use crate::database::{Database, DatabaseError, Location};
use crate::notifications::Composer;
use crate::notifications::delivery::{Delivery, DeliveryError};
use crate::notifications::sender::Sender;
use crate::notifications::templates::{TemplateError, Templates};
use crate::operations::Operations;
use crate::page::{EmbeddedFiles, Page, PageError};
use crate::rate_limit::RateLimits;
use crate::routes::{Around, Console};
use crate::server::Listener;
use crate::service::Service;
use crate::store::{crls, engines, requests};
use crate::tls::{ServerIdentity, TlsError};

pub mod audit;
pub mod authorisations;
pub mod backoff;
pub mod ca;
pub mod ca_end;
pub mod clock;
pub mod companies;
pub mod config;
pub mod connection_check;
pub mod console;
pub mod data;
pub mod database;
pub mod decision;
pub mod est;
pub mod journal;
pub mod known_keys;
pub mod mail_limits;
pub mod namesakes;
pub mod notifications;
pub mod officer_mail;
pub mod officers;
pub mod one_time_code;
pub mod operations;
pub mod page;
pub mod policy;
pub mod private_files;
pub mod problem;
pub mod rate_limit;
pub mod renewal;
pub mod restore;
pub mod routes;
pub mod security_headers;
pub mod serial_number;
pub mod server;
pub mod service;
pub mod store;
pub mod tls;
pub mod weak_rsa_key;

/// The names of the engines in their table.
const ENGINE_EMBEDDED: &str = "embedded";
const ENGINE_CFSSL: &str = "cfssl";
/// How long writing a notification into a file may take.
const FOLDER_LIMIT: Duration = Duration::from_secs(5);
/// How many of its time limits a mail server may take for one message: it has as many words to say, and more.
const ANSWERS_PER_MESSAGE: u32 = 4;

/// What to serve, and from where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The address of the connection check, if there is to be one; port 0 lets the system choose.
    pub tls_listen: Option<SocketAddr>,
    /// The address of the probes and the metrics, if there is to be one; port 0 lets the system choose.
    pub operations_listen: Option<SocketAddr>,
    /// The data folder.
    pub data: PathBuf,
    /// The database; if absent, the one that the configuration names, or else a file in the data folder.
    pub database: Option<Location>,
    /// The folder with the built page, if it is to be served.
    pub page: Option<PathBuf>,
    /// The page that is served without such a folder. Without one either, the gateway serves no page.
    pub embedded_page: EmbeddedFiles,
    /// The configuration file; if absent, the annotated example with manual approval.
    pub config: Option<PathBuf>,
    /// Leave approval to a person, whatever the configuration says.
    pub manual_approval: bool,
    /// Without a configuration file: approve as the annotated example has it, and say on the page that this is a demo.
    pub demo: bool,
}

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The page is not there.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The CA cannot be used.
    #[error("the certification authority: {0}")]
    Ca(#[from] CaError),
    /// Certificates would name an address that nobody can reach.
    #[error(
        "public_url is not set, and certificates would carry http://{0}, which is no address to reach: set public_url in the configuration"
    )]
    NoPublicUrl(SocketAddr),
    /// The connection check's certificate would name an address that nobody can reach.
    #[error(
        "the connection check has no name: set public_url under [connection_check] in the configuration, since clients do not reach {0}"
    )]
    NoConnectionCheckUrl(SocketAddr),
    /// The main listener cannot speak TLS.
    #[error("the configuration's tls: {0}")]
    Tls(TlsError),
    /// The connection check cannot speak TLS.
    #[error("the connection check: {0}")]
    ConnectionCheckTls(TlsError),
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
    /// Notifications cannot be delivered.
    #[error("notifications: {0}")]
    Delivery(#[from] DeliveryError),
    /// The templates of notifications cannot be used.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on: {source}; stop what listens there, or choose another port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A task did not come to its end.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// The badge of a gateway that is tried out.
const DEMO_BADGE: &str = "Demo";

/// Says what is fine for trying the gateway out, and nowhere else.
fn warn_of_demonstration(config: &Config) {
    match config.approval {
        Approval::Automatic { after_seconds } => tracing::warn!(
            after_seconds,
            "every request is approved without a person: for trying it out only; see [approval] in the configuration"
        ),
        Approval::Manual {} => tracing::info!("requests wait for `keyside-gateway requests approve` or `reject`"),
    }
}

/// A gateway that listens and is ready to serve.
pub struct Gateway {
    address: SocketAddr,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    service: Arc<Service>,
    sender: Sender,
    database: Database,
    config: Config,
    connection_check: Option<ConnectionCheck>,
    /// The certificates of those listeners that speak TLS.
    identities: Vec<Arc<ServerIdentity>>,
    operations: Option<(TcpListener, SocketAddr, Router)>,
    _lock: Lock,
}

/// The connection check, ready to be served.
struct ConnectionCheck {
    url: String,
    listener: TcpListener,
    tls: TlsAcceptor,
    router: Router,
}

/// Listens on `address`, and says on which port if the system chose it.
async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listen_error = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    Ok((listener, address))
}

/// The connection check's certificate: from the files, or else from the embedded CA where there is one.
fn connection_check_identity(
    url: &str,
    files: Option<config::ServerCertificate>,
    embedded: Option<&EmbeddedCa>,
) -> Result<ServerIdentity, TlsError> {
    match (files, embedded) {
        (Some(files), _) => ServerIdentity::open(files),
        (None, Some(embedded)) => ServerIdentity::issue(url, embedded),
        (None, None) => Err(TlsError::NoCertificate),
    }
}

/// Opens the embedded CA, or makes it at the first start.
async fn open_embedded_ca(
    data: &DataDirectory,
    config: &config::EmbeddedCa,
    database: &Database,
    public_url: &str,
) -> Result<EmbeddedCa, StartError> {
    let directory = data.ca();
    if !directory.exists() && has_ca(database).await.map_err(DatabaseError::from)? {
        return Err(StartError::CaLost(directory));
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
async fn keep_crls_by_key(database: &Database, issuers: [&[u8]; 2]) -> Result<(), StartError> {
    let mut transaction = database.transaction().await?;
    for issuer in issuers {
        let issuer = Certificate::from_der(issuer).map_err(CaError::from)?;
        crls::keep_by_key(&mut transaction, &issuer).await.map_err(DatabaseError::from)?;
    }
    transaction.commit().await.map_err(DatabaseError::from)?;
    Ok(())
}

/// Gives the embedded CA in the folder `data` new certificates for the names and keys that it has: see [`ca::embedded::renew`]. No gateway may
/// serve from the folder meanwhile. Returns the ends of the certificates of root and issuing authority, in seconds since 1970-01-01T00:00:00Z.
pub async fn renew_ca(
    data: &DataDirectory,
    config: &config::EmbeddedCa,
    database: &Database,
) -> Result<[i64; 2], StartError> {
    let _lock = data.take()?;
    let (directory, passphrase) = (data.ca(), config.passphrase()?);
    let load = |authority| EmbeddedCa::certificate_in(&directory, authority);
    let (root, issuing) = (load(Authority::Root)?, load(Authority::Issuing)?);
    keep_crls_by_key(database, [root.der(), issuing.der()]).await?;
    let (config, folder) = (config.clone(), directory.clone());
    let renew = move || ca::embedded::renew(&folder, &config, passphrase.as_ref());
    let renewed = tokio::task::spawn_blocking(renew).await??;
    Ok(renewed.map(|certificate| clock::from_unsigned(certificate.validity().1)))
}

/// Opens the database, or makes it, with all that is in it as this version expects it.
async fn open_database(location: &Location) -> Result<Database, DatabaseError> {
    let database = Database::open_or_create(location).await?;
    let mut transaction = database.transaction().await?;
    requests::write_missing(&mut transaction).await?;
    transaction.commit().await?;
    Ok(database)
}

/// Whether the database belongs to an embedded CA: one that has claimed it, or one of an earlier version that has issued.
async fn has_ca(database: &Database) -> Result<bool, sqlx::Error> {
    let claimed = engines::find(database.reader(), ENGINE_EMBEDDED).await?;
    Ok(claimed.is_some() || requests::has_approved(database.reader()).await?)
}

/// Gets to know CFSSL's CA: from CFSSL, or from the database while CFSSL is down.
async fn open_cfssl(config: &config::CfsslCa, database: &Database) -> Result<cfssl::CfsslCa, StartError> {
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
) -> Result<(), StartError> {
    let mut transaction = database.transaction().await?;
    let kept = engines::claim(&mut transaction, engine, current).await.map_err(DatabaseError::from)?;
    if kept != current {
        let [kept, renewed] = [&kept, current].map(Certificate::from_der);
        let (kept, renewed) = (kept.map_err(CaError::from)?, renewed.map_err(CaError::from)?);
        if !renewed.has_name_and_key_of(&kept) {
            let fingerprint = kept.summary().sha256_fingerprint;
            return Err(StartError::AnotherCa { place, name: kept.subject().to_string(), fingerprint, way_out });
        }
        engines::replace(&mut transaction, engine, current).await.map_err(DatabaseError::from)?;
    }
    transaction.commit().await.map_err(DatabaseError::from)?;
    Ok(())
}

/// What delivers notifications, as the configuration says.
fn sender(config: &Config, data: &DataDirectory, database: &Database, public_url: &str) -> Result<Sender, StartError> {
    let notifications = &config.notifications;
    let templates = Templates::load(notifications.templates.as_deref())?;
    let (delivery, limit) = match &notifications.smtp {
        Some(smtp) => (Delivery::smtp(smtp)?, Duration::from_secs(smtp.timeout_seconds.into()) * ANSWERS_PER_MESSAGE),
        None => {
            let folder = notifications.folder.clone().unwrap_or_else(|| data.notifications());
            (Delivery::folder(&folder)?, FOLDER_LIMIT)
        }
    };
    let composer = Composer::new(config, templates, public_url);
    Ok(Sender::new(database.clone(), composer, delivery, notifications.retry_after_seconds, limit))
}

impl Gateway {
    /// Gets everything ready; at the first start makes the database and the embedded CA.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let mut config = Config::load(options.config.as_deref())?;
        if options.demo {
            config.badge = Some(DEMO_BADGE.into());
        }
        if options.manual_approval || (options.config.is_none() && !options.demo) {
            config.approval = Approval::Manual {};
        }
        let page = match &options.page {
            Some(folder) => Some(Page::read(folder)?),
            None => Page::embedded(options.embedded_page),
        };
        let identity = config.tls.clone().map(ServerIdentity::open).transpose().map_err(StartError::Tls)?.map(Arc::new);
        let data = DataDirectory::new(&options.data);
        let lock = data.take()?;

        server::raise_file_limit(&config.limits);
        let (listener, address) = listen(options.listen).await?;
        let public_url = match &config.public_url {
            Some(url) => url.clone(),
            None if address.ip().is_unspecified() => return Err(StartError::NoPublicUrl(address)),
            None => format!("http://{address}"),
        };
        let tls_listener = match options.tls_listen {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let operations_listener = match options.operations_listen {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let check_url = match (&tls_listener, &config.connection_check.public_url) {
            (None, _) => None,
            (Some(_), Some(url)) => Some(url.clone()),
            (Some((_, address)), None) if address.ip().is_unspecified() => {
                return Err(StartError::NoConnectionCheckUrl(*address));
            }
            (Some((_, address)), None) => Some(format!("https://{address}")),
        };

        let location = options.database.or_else(|| config.database.url.clone()).unwrap_or_else(|| data.database());
        let database = open_database(&location).await?;
        warn_of_demonstration(&config);
        for (key, _) in options.config.as_deref().map(Config::remains_of_example).unwrap_or_default() {
            tracing::warn!(key, "its value is still the example's: `keyside-gateway config check` shows it");
        }
        let (ca, embedded): (Arc<dyn CaEngine>, _) = match &config.ca {
            Ca::Embedded(ca) => {
                let embedded = open_embedded_ca(&data, ca, &database, &public_url).await?;
                (Arc::new(embedded.clone()), Some(embedded))
            }
            Ca::Cfssl(ca) => (Arc::new(open_cfssl(ca, &database).await?), None),
        };
        let tls = identity.clone().map(tls::acceptor).transpose().map_err(StartError::Tls)?;
        let check_identity = match check_url.clone() {
            Some(url) => {
                let files = config.connection_check.server_certificate();
                let make = move || connection_check_identity(&url, files, embedded.as_ref());
                let identity = tokio::task::spawn_blocking(make).await?.map_err(StartError::ConnectionCheckTls)?;
                Some(Arc::new(identity))
            }
            None => None,
        };
        let asking = |identity| tls::asking_acceptor(identity, &*ca);
        let check_tls = check_identity.clone().map(asking).transpose().map_err(StartError::ConnectionCheckTls)?;
        let identities = identity.into_iter().chain(check_identity).collect();
        let sender = sender(&config, &data, &database, &public_url)?;
        let shown_url = check_url.as_ref().map(|url| format!("{url}/"));
        let operations = Arc::new(Operations::new(database.clone(), Arc::clone(&ca)));
        let around =
            Around { operations: Arc::clone(&operations), rate_limits: Arc::new(RateLimits::new(&config.limits)) };
        let service = Arc::new(Service::new(config.clone(), database.clone(), ca, shown_url.clone()));
        let console = Console::new(Arc::clone(&service), database.clone(), &config, &public_url, check_url.as_deref());
        let connection_check = shown_url.zip(tls_listener).zip(check_tls).map(|((url, (listener, _)), tls)| {
            let page_url = page.is_some().then_some(public_url.as_str());
            let console = console.with_certificates(url.trim_end_matches('/'));
            let router =
                routes::connection_check_router(Arc::clone(&service), &config, page_url, console, around.clone());
            ConnectionCheck { url, listener, tls, router }
        });
        let router = routes::router(Arc::clone(&service), &config, page, &public_url, console, around);
        let operations =
            operations_listener.map(|(listener, address)| (listener, address, operations::router(operations)));
        Ok(Self {
            address,
            listener,
            tls,
            router,
            service,
            sender,
            database,
            config,
            connection_check,
            identities,
            operations,
            _lock: lock,
        })
    }

    /// Where it listens, without a slash at the end.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Where the connection check is, if there is one.
    pub fn connection_check_url(&self) -> Option<&str> {
        self.connection_check.as_ref().map(|check| check.url.as_str())
    }

    /// Where the probes and the metrics are, if they have a listener of their own.
    pub fn operations_address(&self) -> Option<SocketAddr> {
        self.operations.as_ref().map(|(_, address, _)| *address)
    }

    /// Serves until `shutdown` is there, then lets the requests that are under way finish. Whenever `reload` is there, the files of
    /// certificates are read again.
    pub async fn run(self, shutdown: impl Future<Output = ()>, reload: impl AsyncFnMut()) {
        let (service, sender) = (self.service, self.sender);
        let work = tokio::spawn(async move {
            tokio::join!(service.keep_issuing(), service.keep_house(), sender.keep_sending());
        });
        let limits = &self.config.limits;
        let (stop, stopped) = watch::channel(());
        let stopped = || {
            let mut stopped = stopped.clone();
            // Ends when the other end of the channel is dropped.
            async move { while stopped.changed().await.is_ok() {} }
        };
        let check = async {
            if let Some(ConnectionCheck { listener: socket, tls, router, .. }) = self.connection_check {
                // A proxy there would keep the clients' certificates to itself.
                let listener = Listener { socket, limits, is_behind_proxy: false };
                listener.serve_tls(tls, router, stopped()).await;
            }
        };
        let operations = async {
            if let Some((socket, _, router)) = self.operations {
                let listener = Listener { socket, limits, is_behind_proxy: false };
                listener.serve(router, stopped()).await;
            }
        };
        let shutdown = async move {
            shutdown.await;
            drop(stop);
        };
        let main = async {
            let is_behind_proxy = limits.client_address_header.is_some();
            let listener = Listener { socket: self.listener, limits, is_behind_proxy };
            match self.tls {
                Some(tls) => listener.serve_tls(tls, self.router, shutdown).await,
                None => listener.serve(self.router, shutdown).await,
            }
        };
        tokio::select! {
            _ = async { tokio::join!(main, check, operations) } => {}
            () = tls::follow_files(self.identities, reload) => {}
        }
        // Stopping between two steps of an issuance is no worse than being killed there: the next start goes on.
        work.abort();
        let _ = work.await;
        self.database.close().await;
    }
}
