//! `cargo xtask serve`: the page and the gateway, built and running.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::toolbox::Toolbox;
use crate::{folders, page, repository};

/// The options of `cargo xtask serve`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The port on 127.0.0.1.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The port of the connection check on 127.0.0.1; with 0 the system chooses.
    #[arg(long, default_value_t = 8443)]
    tls_port: u16,
    /// Leave requests waiting until `keyside-gateway requests approve` or `reject` decides.
    #[arg(long)]
    manual_approval: bool,
    /// The gateway's configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Installs what is missing, builds, and becomes the gateway, which then gets Ctrl-C itself.
pub(crate) fn run(options: &Options) -> Result<()> {
    let config = options.config.as_deref().map(|path| {
        path.canonicalize().map_err(|error| {
            Error::file("read the configuration", path, &error).way_out("Name a file that is there after --config.")
        })
    });
    let config = config.transpose()?;
    let toolbox = Toolbox::installed(page::TOOLS)?;
    toolbox.require(page::TOOLS)?;
    let built = page::build_to_try(&toolbox)?;
    let data = repository().join("data");
    folders::create(&data)?;
    let mut gateway = toolbox.command(&built.gateway)?;
    gateway.arg("serve").arg("--listen").arg(format!("127.0.0.1:{}", options.port));
    gateway.arg("--tls-listen").arg(format!("127.0.0.1:{}", options.tls_port));
    gateway.args(["--data", "data"]).arg("--page").arg(&built.page);
    gateway.args(options.manual_approval.then_some("--manual-approval"));
    match &config {
        Some(config) => gateway.arg("--config").arg(config),
        None => gateway.arg("--demo"),
    };
    println!("\nStarting the gateway on http://127.0.0.1:{}/ (Ctrl-C ends it).", options.port);
    Err(Error::new(format!("cannot start {}: {}", built.gateway.display(), gateway.exec())))
}
