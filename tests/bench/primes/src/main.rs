//! The long run: generates many key pairs of 2048 bits as the page does, has OpenSSL check each one, and compares their primes with
//! others', as docs/benchmarks.md tells.

mod fused;
mod gap;
mod openssl;
mod sample;
mod verdict;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use clap::Parser;
use keyside_core::domain::key_size::KeySize;
use keyside_core::key_generation;

use crate::fused::Fused;
use crate::openssl::OpenSsl;
use crate::sample::{Measured, Sample};

/// A failure, in words.
type Result<T> = std::result::Result<T, String>;

#[derive(Parser)]
struct Options {
    /// How many key pairs.
    #[arg(long)]
    keys: u32,
    /// OpenSSL's program.
    #[arg(long, default_value = "openssl")]
    openssl: PathBuf,
    /// Write the comparisons to this file, too, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("error: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    if !keyside_montgomery::is_fused() {
        return Err("multiply-add is not fused here".into());
    }
    let openssl = OpenSsl::new(&options.openssl)?;
    println!("{}; {} threads", openssl.version(), threads());
    let keyside = Sample::from(in_parallel("keys made and checked", options.keys, || checked_key(&openssl))?);
    println!("\n{} keys of 2048 bits: `openssl pkey -check` found every one valid.\n", options.keys);
    let library = Sample::from(in_parallel("keys of the crate rsa", options.keys, sample::key_of_the_library)?);
    let uniform = Sample::from(in_parallel("uniform pairs of primes", options.keys, sample::uniform_pair)?);
    let comparisons = verdict::compare(&keyside, &library, &uniform)?;
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&comparisons).map_err(|error| error.to_string())?;
        fs::write(path, text + "\n").map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    verdict::judge(&comparisons)
}

/// Makes a key as the page does and has OpenSSL check it.
fn checked_key(openssl: &OpenSsl) -> Result<[Measured; 2]> {
    let key_pair = key_generation::generate_with(KeySize::Rsa2048, &mut Fused, &mut rand::rng())
        .map_err(|error| error.to_string())?;
    let private_key_info = key_pair.to_private_key_info().map_err(|error| error.to_string())?;
    openssl.check(&private_key_info)?;
    sample::primes_of(&private_key_info)
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Does `work` so many times, on all cores; the first failure ends it.
fn in_parallel<T: Send>(what: &str, times: u32, work: impl Fn() -> Result<[T; 2]> + Sync) -> Result<Vec<T>> {
    let left = AtomicU32::new(times);
    let one_thread = || -> Result<Vec<T>> {
        let mut results = Vec::new();
        while let Ok(before) = left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
            let done = times - before;
            if done > 0 && done.is_multiple_of(500) {
                eprintln!("{done} of {times} {what}");
            }
            results.extend(work().inspect_err(|_| left.store(0, Ordering::Relaxed))?);
        }
        Ok(results)
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads()).map(|_| scope.spawn(one_thread)).collect();
        let mut results = Vec::new();
        for thread in running {
            results.extend(thread.join().map_err(|_| "a thread has panicked".to_owned())??);
        }
        Ok(results)
    })
}
