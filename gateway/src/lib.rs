//! Keyside's gateway: the registration authority that the page talks to.
//!
//! | module | what lives there |
//! |---|---|
//! | [`config`] | the configuration: one TOML file |
//! | [`routes`], [`page`], [`security_headers`], [`problem`], [`server`] | HTTP |
//! | [`service`] | what the registration authority does |
//! | [`policy`], [`renewal`] | what a certification request must be, and a renewal |
//! | [`decision`] | approving, rejecting and revoking, shared by the server and the command line |
//! | [`store`], [`data`], [`private_files`] | what is kept, and where |
//! | [`ca`] | the CA engine, and the embedded one |
//! | [`serial_number`], [`clock`] | the two sources of what differs each time |
//!
//! Dependencies point one way: `routes -> service -> {policy, decision, store, ca}`. Bytes are read and made by
//! [`keyside::pki`], the API's types are [`keyside::api`]'s: the page uses the same code.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;

use crate::ca::CaError;
use crate::ca::embedded::EmbeddedCa;
use crate::config::{Approval, CA_PASSPHRASE_VARIABLE, Config, ConfigError};
use crate::data::{DataDirectory, DataError, Lock};
use crate::page::{NoPage, Page};
use crate::service::Service;
use crate::store::{Store, StoreError};

pub mod ca;
pub mod clock;
pub mod config;
pub mod data;
pub mod decision;
pub mod page;
pub mod policy;
pub mod private_files;
pub mod problem;
pub mod renewal;
pub mod routes;
pub mod security_headers;
pub mod serial_number;
pub mod server;
pub mod service;
pub mod store;

/// What to serve, and from where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The data folder.
    pub data: PathBuf,
    /// The folder with the built page, if it is to be served.
    pub page: Option<PathBuf>,
    /// The configuration file; the annotated example if absent.
    pub config: Option<PathBuf>,
    /// Leave approval to a person, whatever the configuration says.
    pub manual_approval: bool,
}

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The page is not there.
    #[error(transparent)]
    Page(#[from] NoPage),
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The CA cannot be used.
    #[error("the certification authority: {0}")]
    Ca(#[from] CaError),
    /// Certificates would name an address that nobody can reach.
    #[error(
        "public_url is not set, and certificates would carry http://{0}, which is no address to reach: set public_url in the configuration"
    )]
    NoPublicUrl(SocketAddr),
    /// The CA is gone, but not what it issued.
    #[error(
        "{0} is missing, but the database has certificates that the CA there issued: restore it from a backup, or name an empty data folder for a new start"
    )]
    CaLost(PathBuf),
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on: {source}")]
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

/// Says what is fine for trying the gateway out, and nowhere else.
fn warn_of_demonstration(config: &Config, ca_keys_are_encrypted: bool) {
    match config.approval {
        Approval::Automatic { after_seconds } => tracing::warn!(
            after_seconds,
            "every request is approved without a person: for trying it out only; see [approval] in the configuration"
        ),
        Approval::Manual {} => tracing::info!("requests wait for `keyside-gateway requests approve` or `reject`"),
    }
    if !ca_keys_are_encrypted {
        tracing::warn!(
            "the CA's private keys are not encrypted: set {CA_PASSPHRASE_VARIABLE} or ca.passphrase_file before the first start"
        );
    }
}

/// A gateway that listens and is ready to serve.
pub struct Gateway {
    address: SocketAddr,
    listener: TcpListener,
    router: Router,
    service: Arc<Service>,
    store: Store,
    config: Config,
    _lock: Lock,
}

impl Gateway {
    /// Gets everything ready; at the first start makes the database and the embedded CA.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let mut config = Config::load(options.config.as_deref())?;
        if options.manual_approval {
            config.approval = Approval::Manual {};
        }
        let page = options.page.as_deref().map(Page::open).transpose()?;
        let data = DataDirectory::new(&options.data);
        let lock = data.take()?;

        let listen_error = |source| StartError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let public_url = match &config.public_url {
            Some(url) => url.clone(),
            None if address.ip().is_unspecified() => return Err(StartError::NoPublicUrl(address)),
            None => format!("http://{address}"),
        };

        let store = Store::open_or_create(&data.database()).await?;
        if !data.ca().exists() && store.has_approved().await? {
            return Err(StartError::CaLost(data.ca()));
        }
        let passphrase = config.ca.passphrase()?;
        warn_of_demonstration(&config, passphrase.is_some());
        let ca = {
            let (ca, public_url) = (config.ca.clone(), public_url.clone());
            tokio::task::spawn_blocking(move || {
                EmbeddedCa::open_or_create(&data.ca(), &ca, passphrase.as_ref(), &public_url)
            })
            .await??
        };
        let service = Arc::new(Service::new(config.clone(), store.clone(), Arc::new(ca)));
        let router = routes::router(Arc::clone(&service), &config, page, &public_url);
        Ok(Self { address, listener, router, service, store, config, _lock: lock })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is there, then lets the requests that are under way finish.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let issuing = tokio::spawn(async move { self.service.keep_issuing().await });
        server::serve(self.listener, self.router, &self.config.limits, shutdown).await;
        // Stopping between two steps of an issuance is no worse than being killed there: the next start goes on.
        issuing.abort();
        let _ = issuing.await;
        self.store.close().await;
    }
}
