//! The program `keyside-gateway`.

use std::process::ExitCode;

mod cli;

#[tokio::main]
async fn main() -> ExitCode {
    cli::start_log();
    match cli::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}
