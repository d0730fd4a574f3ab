//! Keyside's developer commands: `cargo xtask serve|build|test|lint|fuzz|bench`.
//!
//! Each command first sees to it that the tools it needs are there ([`toolbox`], [`tool`]), then runs them ([`process`]).

mod bench;
mod browser;
mod display;
mod error;
mod folders;
mod fuzz;
mod install;
mod lint;
mod node_modules;
mod oldest_browsers;
mod page;
mod process;
mod progress;
mod prose;
mod serve;
mod test;
mod tool;
mod toolbox;
mod wasm_toolchain;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Result;
use crate::page::Site;
use crate::process::Filter;
use crate::test::{Suite, Word};
use crate::tool::Tool;
use crate::toolbox::Toolbox;

/// Keyside's developer commands.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the page and the gateway, and run the gateway on 127.0.0.1 until Ctrl-C.
    Serve(serve::Options),
    /// Build the page (into dist/, compressed ahead of time) and the gateway, both in release mode.
    Build {
        /// The path at which the page will be: `/`, or one that begins and ends with it.
        #[arg(long, default_value = Site::DEFAULT.public_url, value_name = "PATH")]
        public_url: String,
        /// The gateway's origin, such as `https://ra.example.org`, when the page is hosted elsewhere.
        #[arg(long, default_value = "", hide_default_value = true, value_name = "ORIGIN")]
        gateway: String,
        #[command(flatten)]
        installing: Installing,
    },
    /// Run lint and every test suite, or only what is named.
    Test {
        /// The suites to run, and the browsers to run them in.
        #[arg(value_name = "SUITE|BROWSER")]
        words: Vec<Word>,
        /// Run only tests with this text in their names.
        #[arg(last = true, value_name = "FILTER")]
        filter: Option<String>,
        #[command(flatten)]
        installing: Installing,
    },
    /// Check formatting, clippy and documentation on the native target and on wasm32, words, dependencies, and the oldest browsers.
    Lint {
        #[command(flatten)]
        installing: Installing,
    },
    /// Check the words of documents, comments and texts for users (a part of lint).
    Prose {
        /// Write each file's count into the allowance, unless the sum rises: after texts were rewritten, or files moved.
        #[arg(long)]
        lower: bool,
    },
    /// Run the fuzz targets for long, each with what earlier runs found in target/fuzz/corpus.
    Fuzz {
        #[command(flatten)]
        options: fuzz::Options,
        #[command(flatten)]
        installing: Installing,
    },
    /// Measure the release build: see docs/benchmarks.md.
    Bench {
        #[command(subcommand)]
        bench: bench::Bench,
        #[command(flatten)]
        installing: Installing,
    },
}

/// What to do about tools that are missing.
#[derive(clap::Args, Clone, Copy)]
struct Installing {
    /// Install nothing: fail with the list of what is missing.
    #[arg(long)]
    no_install: bool,
}

impl Installing {
    /// A toolbox with as many of `tools` as can be had.
    fn toolbox(self, tools: &[Tool]) -> Result<Toolbox> {
        if self.no_install { Toolbox::found(tools) } else { Toolbox::installed(tools) }
    }
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Serve(options) => serve::run(&options),
        Command::Build { public_url, gateway, installing } => {
            build(Site { public_url: &public_url, gateway: &gateway }, installing)
        }
        Command::Test { words, filter, installing } => test::run(&words, Filter(filter), installing),
        Command::Lint { installing } => test::run(&[Word::Suite(Suite::Lint)], Filter(None), installing),
        Command::Prose { lower: true } => prose::lower(),
        Command::Prose { lower: false } => prose::check(),
        Command::Fuzz { options, installing } => fuzz::run(&options, installing),
        Command::Bench { bench, installing } => bench::run(&bench, installing),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build(site: Site<'_>, installing: Installing) -> Result<()> {
    site.check()?;
    let toolbox = installing.toolbox(page::TOOLS)?;
    toolbox.require(page::TOOLS)?;
    let built = page::build(&toolbox, site)?;
    println!("The page is in {}, the gateway is {}.", built.page.display(), built.gateway.display());
    Ok(())
}

/// Where the repository is: the folder above this package.
fn repository() -> PathBuf {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    package.parent().map(PathBuf::from).unwrap_or(package)
}
