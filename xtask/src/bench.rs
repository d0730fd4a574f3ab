//! `cargo xtask bench`: measures the release build; docs/benchmarks.md says what each one measures.

mod gateway;
mod in_browser;
mod primes;

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Subcommand;

pub(crate) use in_browser::{TOOLS, node};

use crate::error::{Error, Result};
use crate::{Installing, page, process};

/// What to measure.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// How long a key pair takes: Keyside, WebCrypto, the plain crate rsa and node-forge, in turns in one page.
    Keygen {
        #[command(flatten)]
        output: Output,
        /// How many keys of each size Keyside and WebCrypto make; the crate rsa and node-forge make fewer.
        #[arg(long, default_value_t = 30)]
        keys: u32,
        /// Only this size, in bits; may be given several times.
        #[arg(long, value_parser = ["2048", "3072", "4096"])]
        bits: Vec<String>,
        /// Only this browser.
        #[arg(long, value_parser = ["chromium", "firefox"])]
        browser: Option<String>,
    },
    /// The page's bytes on the wire, its time until it is there, what blocks it, and what it takes, in Chromium; and the waits of a person, in
    /// Chromium and Firefox.
    Page {
        #[command(flatten)]
        output: Output,
        /// How many times each time is taken.
        #[arg(long, default_value_t = 5)]
        runs: u32,
        /// The folder of another built page, such as that of the version before, to compare the waits with.
        #[arg(long, value_name = "FOLDER")]
        against: Option<PathBuf>,
    },
    /// Requests, sealed keys and PKCS#12 files, beside node-forge and @peculiar/x509, in turns in one page.
    Crypto {
        #[command(flatten)]
        output: Output,
        /// How many times each operation is measured; node-forge's slowest ones fewer times.
        #[arg(long, default_value_t = 20)]
        runs: u32,
        /// Only this browser.
        #[arg(long, value_parser = ["chromium", "firefox"])]
        browser: Option<String>,
    },
    /// The long run: has OpenSSL check each of many keys, and compares their primes with the library's own.
    Primes(primes::Options),
    /// Submissions and status queries a second, with 1,000 and with 1,000,000 requests stored, on SQLite and on PostgreSQL.
    Gateway(gateway::Options),
}

/// Where the results go.
#[derive(clap::Args)]
pub(crate) struct Output {
    /// Write the results to this file, too, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Put the tables into this file, too, between its marks for this benchmark (docs/benchmarks.md has them).
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

impl Output {
    /// Tells `program`, which runs in another folder, where the results go.
    fn pass_to(&self, program: &mut Command) -> Result<()> {
        for (name, file) in [("--json", &self.json), ("--markdown", &self.markdown)] {
            if let Some(file) = file {
                program.arg(name).arg(absolute(file)?);
            }
        }
        Ok(())
    }
}

/// The same path wherever a program runs.
fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| Error::file("resolve", path, &error))
}

/// Installs what is missing, builds what is delivered, and measures it.
pub(crate) fn run(bench: &Bench, installing: Installing) -> Result<()> {
    let in_browser = |program: &str, output: &Output, options: &[(&str, Option<&str>)]| {
        let toolbox = installing.toolbox(TOOLS)?;
        toolbox.require(TOOLS)?;
        let mut node = node(&toolbox, &page::build(&toolbox, page::Site::DEFAULT)?)?;
        node.arg(program);
        output.pass_to(&mut node)?;
        for (name, value) in options {
            if let Some(value) = value {
                node.args([name, value]);
            }
        }
        process::run(&mut node)
    };
    match bench {
        Bench::Keygen { output, keys, bits, browser } => {
            let keys = keys.to_string();
            let mut options = vec![("--keys", Some(keys.as_str())), ("--browser", browser.as_deref())];
            options.extend(bits.iter().map(|bits| ("--bits", Some(bits.as_str()))));
            in_browser("keygen.js", output, &options)
        }
        Bench::Page { output, runs, against } => {
            let against = against.as_deref().map(absolute).transpose()?;
            let against = against.as_ref().map(|folder| folder.to_string_lossy());
            in_browser("page.js", output, &[("--runs", Some(&runs.to_string())), ("--against", against.as_deref())])
        }
        Bench::Crypto { output, runs, browser } => {
            in_browser("crypto.js", output, &[("--runs", Some(&runs.to_string())), ("--browser", browser.as_deref())])
        }
        Bench::Primes(options) => primes::run(options, installing),
        Bench::Gateway(options) => gateway::run(options, installing),
    }
}
