//! `serve`.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use keyside_gateway::gateway::{self, Gateway};
use keyside_gateway::web::page::EmbeddedFiles;
use tokio::signal::unix::{SignalKind, signal};

use super::{DEFAULT_ADDRESS, Data, Error};

/// The page: `KEYSIDE_EMBEDDED_PAGE` names a list of its files that `cargo xtask build` has written. They are in the program and not in the library,
/// so that a new page costs no more than a link.
#[cfg(has_page)]
const EMBEDDED_PAGE: EmbeddedFiles = &include!(env!("KEYSIDE_EMBEDDED_PAGE"));
#[cfg(not(has_page))]
const EMBEDDED_PAGE: EmbeddedFiles = &[];

#[derive(clap::Args)]
pub(super) struct Options {
    /// The address to listen on, by TLS where the configuration has a certificate for it; with port 0 the system chooses.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = DEFAULT_ADDRESS)]
    listen: SocketAddr,
    /// The address of the connection check, which speaks TLS and shows users whether their certificate works; with port 0 the
    /// system chooses. Without it there is no connection check.
    #[arg(long, value_name = "ADDRESS:PORT")]
    tls_listen: Option<SocketAddr>,
    /// The address of the probes and the Prometheus metrics, for those who run the gateway alone; with port 0 the system chooses.
    /// Without it there are no metrics, and the probes are with the rest.
    #[arg(long, value_name = "ADDRESS:PORT")]
    operations_listen: Option<SocketAddr>,
    #[command(flatten)]
    data: Data,
    /// A folder with a built page, to be served in place of the one that is in the program. It is read once, at the start.
    #[arg(long, value_name = "FOLDER")]
    page: Option<PathBuf>,
    /// Leave approval to `keyside-gateway requests`, whatever the configuration says. So it is without a configuration and without `--demo`, too.
    #[arg(long)]
    manual_approval: bool,
    /// Try it out with the annotated example as the configuration: each request is approved by itself, and the page says that it is a demo.
    #[arg(long, conflicts_with = "config")]
    demo: bool,
}

/// Serves until the signal to stop.
pub(super) async fn run(options: Options) -> Result<(), Error> {
    let Options { listen, tls_listen, operations_listen, data, page, manual_approval, demo } = options;
    let database = data.given_location()?;
    let Data { directory: data, config, .. } = data;
    let embedded_page = EMBEDDED_PAGE;
    let options = gateway::Options {
        listen,
        tls_listen,
        operations_listen,
        data,
        database,
        page,
        embedded_page,
        config,
        manual_approval,
        demo,
    };
    let (shutdown, reload) = (shutdown_signal()?, reload_signal()?);
    let gateway = Gateway::start(options).await?;
    let mut stdout = io::stdout();
    writeln!(stdout, "Keyside is at {}/", gateway.url())?;
    if let Some(url) = gateway.connection_check_url() {
        writeln!(stdout, "The connection check is at {url}")?;
    }
    if let Some(address) = gateway.operations_address() {
        writeln!(stdout, "The operations are at http://{address}/")?;
    }
    stdout.flush()?;
    gateway.run(shutdown, reload).await;
    Ok(())
}

/// Waits for the signal to stop: Ctrl-C or SIGTERM.
fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Waits for the next signal to read the files of certificates again: SIGHUP.
fn reload_signal() -> io::Result<impl AsyncFnMut()> {
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move || {
        hangup.recv().await;
    })
}
