//! `cargo xtask fuzz` and the suite `fuzz`: builds the fuzz targets with coverage, and runs them with libFuzzer.
//!
//! The flags are those of cargo-fuzz that the stable compiler has, without a sanitizer for addresses, which it does not have. No code of Keyside
//! is unsafe. A run that fails leaves its input in `target/fuzz/artifacts`.

use std::collections::VecDeque;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::process::{self, Filter, Tally};
use crate::progress::elapsed;
use crate::tool::Tool;
use crate::toolbox::{Toolbox, target_folder};
use crate::{Installing, folders, repository};

/// The tools that the fuzz targets are built with.
pub(crate) const TOOLS: &[Tool] = &[Tool::CxxCompiler, Tool::OpenSslLibrary];

/// The package's manifest.
const MANIFEST: &str = "fuzz/Cargo.toml";

/// The flags of cargo-fuzz. Without `fuzzing`, derivations of keys would take seconds for one input.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "--cfg=fuzzing",
];

/// The limits of a target in the suite.
const OF_SUITE: Limits = Limits { runs: 10_000, seconds: 6 };

/// The longest time for one input, in seconds. A slower one is a fault.
const LONGEST_INPUT: u32 = 30;

/// The number of lines that are shown of a failed run's log.
const LOG_LINES_SHOWN: usize = 40;

/// The options of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The targets to run: all if none is named.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// The executions of each target.
    #[arg(long, default_value_t = 1_000_000)]
    runs: u64,
    /// The longest time for each target, in seconds. 0 is no limit.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    time: u64,
    /// Run the target with this input only, such as one of target/fuzz/artifacts.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
}

/// When a run ends.
#[derive(Debug, Clone, Copy)]
struct Limits {
    runs: u64,
    /// 0 is no limit.
    seconds: u64,
}

/// The fuzz targets that were built, with their seeds.
struct Built {
    programs: PathBuf,
    seeds: PathBuf,
}

/// The folder of everything about fuzzing.
pub(crate) fn folder() -> PathBuf {
    target_folder().join("fuzz")
}

/// The names of the targets, sorted.
fn targets() -> Result<Vec<String>> {
    let folder = repository().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|error| Error::file("read", &folder, &error))?;
    let names = entries.flatten().filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned()));
    let mut names: Vec<_> = names.collect();
    names.sort();
    Ok(names)
}

/// Builds all targets, and makes their seeds.
fn build(toolbox: &Toolbox) -> Result<Built> {
    let version = process::output(toolbox.command("rustc")?.arg("-vV")).unwrap_or_default();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Error::new("rustc does not name its host"))?;
    let mut cargo = toolbox.command("cargo")?;
    // With a target, the flags are not those of build scripts and procedural macros, which libFuzzer is not linked into.
    cargo.args(["build", "--locked", "--release", "--manifest-path", MANIFEST, "--target", host]);
    cargo.env("CARGO_TARGET_DIR", folder()).env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f")).env_remove("RUSTFLAGS");
    process::run(&mut cargo)?;
    let built = Built { programs: folder().join(host).join("release"), seeds: folder().join("seeds") };
    folders::remove(&built.seeds)?;
    process::run(Command::new(built.programs.join("seeds")).arg(repository().join("tests/vectors")).arg(&built.seeds))?;
    Ok(built)
}

/// Runs one target on what is in `corpus` and its seeds. Returns what to tell of the run.
fn run_target(built: &Built, target: &str, corpus: &Path, limits: Limits) -> Result<String> {
    let (artifacts, log) =
        (folder().join("artifacts").join(target), folder().join("log").join(format!("{target}.log")));
    let seeds = built.seeds.join(target);
    for folder in [corpus, &artifacts, &folder().join("log")] {
        folders::create(folder)?;
    }
    let failed = |error| Error::file("write", &log, &error);
    let output = fs::File::create(&log).map_err(failed)?;
    let mut program = Command::new(built.programs.join(target));
    program.args(["-seed=1", "-print_final_stats=1", "-rss_limit_mb=4096"]);
    program.arg(format!("-runs={}", limits.runs)).arg(format!("-max_total_time={}", limits.seconds));
    program.arg(format!("-timeout={LONGEST_INPUT}")).arg(format!("-artifact_prefix={}/", artifacts.display()));
    program.arg(corpus).args(seeds.exists().then_some(&seeds));
    program.stdout(output.try_clone().map_err(failed)?).stderr(output);
    let started = Instant::now();
    let status =
        program.status().map_err(|error| Error::new(format!("cannot run the fuzz target {target}: {error}")))?;
    let text =
        String::from_utf8_lossy(&fs::read(&log).map_err(|error| Error::file("read", &log, &error))?).into_owned();
    match executions(&text) {
        0 if status.success() => return Err(Error::new(format!("the fuzz target {target} ran without an execution"))),
        executions if status.success() => return Ok(told(executions, started.elapsed())),
        _ => {}
    }
    let mut end: VecDeque<&str> = text.lines().collect();
    end.drain(..end.len().saturating_sub(LOG_LINES_SHOWN));
    let end: String = end.iter().map(|line| format!("    | {line}\n")).collect();
    let error =
        Error::new(format!("the fuzz target {target} failed: {status}\n{end}    The whole log is {}.", log.display()));
    Err(match artifact(&text) {
        Some(input) => error.way_out(format!("Run it with the same input: cargo xtask fuzz {target} --input {input}")),
        None => error,
    })
}

fn told(executions: u64, duration: Duration) -> String {
    let per_second = executions as f64 / duration.as_secs_f64().max(0.001);
    format!("{executions} executions in {}, {per_second:.0} a second", elapsed(duration))
}

/// The number of executions in libFuzzer's output.
fn executions(log: &str) -> u64 {
    let number = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
}

/// The file that libFuzzer says it has kept the input of a failure in.
fn artifact(log: &str) -> Option<&str> {
    log.lines().find_map(|line| Some(line.split_once("Test unit written to ")?.1.trim()))
}

/// The suite: each target for a short time, as many at once as there are processors, the same executions in every run.
pub(crate) fn suite(toolbox: &Toolbox, filter: &Filter, tally: &mut Tally) -> Result<()> {
    let chosen: Vec<String> =
        targets()?.into_iter().filter(|target| filter.0.as_ref().is_none_or(|part| target.contains(part))).collect();
    if chosen.is_empty() {
        return Ok(());
    }
    let built = build(toolbox)?;
    let corpora = folder().join("corpus-of-suite");
    folders::remove(&corpora)?;
    let (waiting, outcomes) = (Mutex::new(VecDeque::from(chosen)), Mutex::new(Vec::new()));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    thread::scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                while let Some(target) = next() {
                    let outcome = run_target(&built, &target, &corpora.join(&target), OF_SUITE);
                    match &outcome {
                        Ok(told) => println!("{target}: {told}"),
                        Err(error) => eprintln!("{target}: {error}"),
                    }
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((target, outcome));
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failed: Vec<_> = outcomes.iter().filter(|(_, outcome)| outcome.is_err()).map(|(target, _)| &**target).collect();
    tally.failed += failed.len() as u64;
    tally.passed += (outcomes.len() - failed.len()) as u64;
    if failed.is_empty() { Ok(()) } else { Err(Error::new(format!("fuzz targets that failed: {}", failed.join(", ")))) }
}

/// The long run: one target after another, each with all that earlier runs found.
pub(crate) fn run(options: &Options, installing: Installing) -> Result<()> {
    let known = targets()?;
    if let Some(unknown) = options.targets.iter().find(|target| !known.contains(target)) {
        let way_out = format!("The fuzz targets are: {}.", known.join(", "));
        return Err(Error::new(format!("there is no fuzz target {unknown}")).way_out(way_out));
    }
    let toolbox = installing.toolbox(TOOLS)?;
    toolbox.require(TOOLS)?;
    let chosen = if options.targets.is_empty() { &known } else { &options.targets };
    let built = build(&toolbox)?;
    if let Some(input) = &options.input {
        let [target] = chosen.as_slice() else { return Err(Error::new("--input is for one fuzz target")) };
        return process::run(Command::new(built.programs.join(target)).arg(input));
    }
    let limits = Limits { runs: options.runs, seconds: options.time };
    let mut failed = Vec::new();
    for target in chosen {
        match run_target(&built, target, &folder().join("corpus").join(target), limits) {
            Ok(told) => println!("{target}: {told}"),
            Err(error) => {
                eprintln!("{target}: {error}");
                failed.push(target.as_str());
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Error::new(format!("fuzz targets that failed: {}", failed.join(", ")))) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const LOG: &str = "#20000\tDONE   cov: 1\nartifact_prefix='/t/'; Test unit written to /t/crash-1\n\
                       stat::number_of_executed_units: 20000\nstat::average_exec_per_sec:     10\n";

    #[test]
    fn the_output_of_libfuzzer_is_read() {
        assert_eq!(executions(LOG), 20_000);
        assert_eq!(artifact(LOG), Some("/t/crash-1"));
        assert_eq!((executions(""), artifact("")), (0, None));
        assert_eq!(told(20_000, Duration::from_secs(4)), "20000 executions in 4 s, 5000 a second");
    }

    fn read(file: &str) -> Result<String> {
        let path = repository().join(file);
        fs::read_to_string(&path).map_err(|error| Error::file("read", &path, &error))
    }

    #[test]
    fn every_target_is_in_the_manifest() -> Result<()> {
        let manifest = read(MANIFEST)?;
        for target in targets()? {
            let entry = format!("name = \"{target}\"\npath = \"fuzz_targets/{target}.rs\"");
            assert!(manifest.contains(&entry), "{MANIFEST} does not have {target}");
        }
        Ok(())
    }

    /// Each package's name and version.
    fn locked(lock: &str) -> BTreeSet<(&str, &str)> {
        let lines: Vec<_> = lock.lines().collect();
        lines
            .windows(2)
            .filter_map(|pair| match pair {
                [name, version] => Some((name.strip_prefix("name = ")?, version.strip_prefix("version = ")?)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_targets_are_built_with_the_versions_of_the_product() -> Result<()> {
        let (product, fuzz) = (read("Cargo.lock")?, read("fuzz/Cargo.lock")?);
        let product = locked(&product);
        let is_known = |name: &str| product.iter().any(|(known, _)| *known == name);
        let other: Vec<_> = locked(&fuzz)
            .into_iter()
            .filter(|(name, version)| is_known(name) && !product.contains(&(*name, *version)))
            .collect();
        assert!(other.is_empty(), "run `cp Cargo.lock fuzz/ && cargo metadata --manifest-path {MANIFEST}`: {other:?}");
        Ok(())
    }
}
