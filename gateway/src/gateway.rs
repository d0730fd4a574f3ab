//! The whole gateway: started from its options, and served until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::ca::embedded::EmbeddedCa;
use crate::ca::engines::{OpenError, Opened};
use crate::configuration::Config;
use crate::data_directory::{DataDirectory, DataError, Lock};
use crate::database::{Database, DatabaseError, Location};
use crate::notifications::Composer;
use crate::notifications::delivery::{Delivery, DeliveryError};
use crate::notifications::sender::Sender;
use crate::notifications::templates::{TemplateError, Templates};
use crate::ra::RegistrationAuthority;
use crate::ra::settings::Approval;
use crate::settings::faults::ConfigError;
use crate::store;
use crate::store::audit::NewEntry;
use crate::store::audit_actions::{Action, Actor};
use crate::web::console::Console;
use crate::web::listener::{self, Listener};
use crate::web::operations::{self, Operations};
use crate::web::page::{EmbeddedFiles, Page, PageError};
use crate::web::rate_limit::RateLimits;
use crate::web::settings::ServerCertificate;
use crate::web::tls::{self, ServerIdentity, TlsError};
use crate::web::{self, Around};
use crate::{audit, ca, clock};

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
    #[error(transparent)]
    Ca(#[from] OpenError),
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

/// How long writing a notification into a file may take.
const FOLDER_LIMIT: Duration = Duration::from_secs(5);

/// How many of its time limits a mail server may take for one message: it has as many words to say, and more.
const ANSWERS_PER_MESSAGE: u32 = 4;

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

/// Writes the start down.
async fn note_start(database: &Database, address: SocketAddr) -> Result<(), DatabaseError> {
    let mut transaction = database.transaction().await?;
    let (at, actor, action) = (clock::now(), Actor::Gateway, Action::Started);
    let detail = format!("version {}, at {address}", env!("CARGO_PKG_VERSION"));
    store::audit::append(&mut transaction, NewEntry { at, actor, action, subject: "gateway".into(), detail }).await?;
    Ok(transaction.commit().await?)
}

/// A gateway that listens and is ready to serve.
pub struct Gateway {
    address: SocketAddr,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    ra: Arc<RegistrationAuthority>,
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
    files: Option<ServerCertificate>,
    embedded: Option<&EmbeddedCa>,
) -> Result<ServerIdentity, TlsError> {
    match (files, embedded) {
        (Some(files), _) => ServerIdentity::open(files),
        (None, Some(embedded)) => ServerIdentity::issue(url, embedded),
        (None, None) => Err(TlsError::NoCertificate),
    }
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
    let types = config.certificate_types.iter().map(|kind| (kind.id.clone(), kind.name.clone())).collect();
    let site = [("site_name", &*config.site_name), ("contact", &config.contact), ("page_url", public_url)];
    let composer = Composer::new(notifications.sender(), site, types, templates);
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

        listener::raise_file_limit(&config.limits);
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
        let database = store::open(&location).await?;
        warn_of_demonstration(&config);
        for (key, _) in options.config.as_deref().map(Config::remains_of_example).unwrap_or_default() {
            tracing::warn!(key, "its value is still the example's: `keyside-gateway config check` shows it");
        }
        let Opened { engine: ca, embedded } = ca::engines::open(&config.ca, &database, &data, &public_url).await?;
        note_start(&database, address).await?;
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
        let ra_settings = config.registration_authority(shown_url.clone());
        let ra = Arc::new(RegistrationAuthority::new(ra_settings, database.clone(), ca));
        let settings = config.web();
        let console =
            Console::new(Arc::clone(&ra), database.clone(), &settings.site, &public_url, check_url.as_deref());
        let connection_check = shown_url.zip(tls_listener).zip(check_tls).map(|((url, (listener, _)), tls)| {
            let page_url = page.is_some().then_some(public_url.as_str());
            let console = console.with_certificates(url.trim_end_matches('/'));
            let router = web::connection_check_router(Arc::clone(&ra), &settings, page_url, console, around.clone());
            ConnectionCheck { url, listener, tls, router }
        });
        let router = web::router(Arc::clone(&ra), &settings, page, &public_url, console, around);
        let operations =
            operations_listener.map(|(listener, address)| (listener, address, operations::router(operations)));
        Ok(Self {
            address,
            listener,
            tls,
            router,
            ra,
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
        let (ra, sender) = (self.ra, self.sender);
        let (database, server) = (self.database.clone(), self.config.audit.syslog.clone());
        let stream = async move {
            if let Some(server) = server {
                audit::syslog::keep_sending(&database, &server).await;
            }
        };
        let work = tokio::spawn(async move {
            tokio::join!(ra.keep_issuing(), ra.keep_house(), sender.keep_sending(), stream);
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
