//! `cargo xtask test`: every suite, one after another, and a summary.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::error::{Error, Result};
use crate::process::{self, Tally};
use crate::progress::elapsed;
use crate::tool::Tool;
use crate::toolbox::{Toolbox, target_folder};
use crate::{Installing, bench, folders, lint, node_modules, page, repository};

/// The programs that judge what Keyside writes.
const JUDGES: &[Tool] = &[Tool::OpenSsl, Tool::NssTools, Tool::GnuTls, Tool::Java, Tool::Curl, Tool::Python];

/// The programs that the gateway's tests put around it, and that judge what it does.
const NEIGHBOURS: &[Tool] = &[Tool::OpenSsl, Tool::Curl, Tool::Python, Tool::Cfssl, Tool::Pki, Tool::PostgreSql];

/// The root package's test targets that are suites of their own.
const OWN_SUITES: [&str; 2] = ["interop", "browser"];

/// What the browsers are asked to do in the wasm-bindgen tests. As root Chromium runs only without its sandbox; the other
/// switches keep it from calling its maker.
const WEBDRIVER_CAPABILITIES: &str = r#"{
  "goog:chromeOptions": {
    "args": [
      "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"
    ]
  },
  "moz:firefoxOptions": { "prefs": { "app.update.disabledForTesting": true } }
}
"#;

/// How long all tests of a browser run may take, in seconds: RSA keys are made by unoptimized WebAssembly.
const BROWSER_TIMEOUT: &str = "600";

/// How long one end-to-end test may take, in milliseconds.
const END_TO_END_TIMEOUT: &str = "300000";

/// A part of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Suite {
    /// Formatting, clippy, dependencies.
    Lint,
    /// Unit, integration and documentation tests on this machine; those of the gateway on SQLite and on PostgreSQL.
    Native,
    /// What Keyside writes, read by OpenSSL, NSS, GnuTLS, Java, Python and curl.
    Interop,
    /// wasm-bindgen tests inside Chromium and Firefox.
    Browser,
    /// The whole job on the release build, in Chromium and Firefox.
    E2e,
    /// The delivered files' sizes, and the time a key pair takes beside others, against tests/bench/budget.json.
    Budget,
}

impl Suite {
    fn tools(self) -> Vec<Tool> {
        let browsers = [Tool::Chromium, Tool::Firefox];
        match self {
            Self::Lint => lint::TOOLS.to_vec(),
            Self::Native => NEIGHBOURS.to_vec(),
            Self::Interop => JUDGES.to_vec(),
            Self::Browser => {
                let tools = [Tool::WasmToolchain, Tool::WasmBindgen, Tool::WasmPack];
                [&tools[..], &browsers, &[Tool::ChromeDriver, Tool::GeckoDriver]].concat()
            }
            Self::E2e => [page::TOOLS, &browsers, JUDGES, &[Tool::Cfssl]].concat(),
            Self::Budget => bench::TOOLS.to_vec(),
        }
    }

    fn run(self, toolbox: &Toolbox, tally: &mut Tally) -> Result<Option<String>> {
        toolbox.require(&self.tools())?;
        match self {
            Self::Lint => return lint::run(toolbox),
            Self::Native => native(toolbox, tally)?,
            Self::Interop => {
                let mut cargo = toolbox.command("cargo")?;
                cargo.args(["test", "--test", "interop"]).env("KEYSIDE_PYTHON", toolbox.path(Tool::Python)?);
                process::run_tests(&mut cargo, tally)?;
            }
            Self::Browser => browser(toolbox, tally)?,
            Self::E2e => end_to_end(toolbox, tally)?,
            Self::Budget => {
                let mut node = bench::node(toolbox)?;
                node.args(["--test", "--test-reporter", "spec", "--test-timeout", END_TO_END_TIMEOUT]);
                // One after another: what is measured shall have the machine for itself.
                process::run_tests(node.args(["--test-concurrency", "1"]), tally)?;
            }
        }
        Ok(None)
    }
}

/// One line of the summary.
struct Report {
    suite: Suite,
    tally: Tally,
    duration: Duration,
    outcome: Result<Option<String>>,
}

/// Runs the suites `only`, or all when it is empty, and sums up.
pub(crate) fn run(only: &[Suite], installing: Installing) -> Result<()> {
    let all = || Suite::value_variants().iter().copied().collect();
    let suites: BTreeSet<Suite> = if only.is_empty() { all() } else { only.iter().copied().collect() };
    let started = Instant::now();
    let tools: Vec<_> = suites.iter().flat_map(|suite| suite.tools()).collect();
    let toolbox = installing.toolbox(&tools)?;
    let installed = started.elapsed();
    let reports: Vec<_> = suites
        .into_iter()
        .map(|suite| {
            println!("\n=== {} ===", name(suite));
            let (started, mut tally) = (Instant::now(), Tally::default());
            let outcome = suite.run(&toolbox, &mut tally);
            if let Err(error) = &outcome {
                eprintln!("error: {error}");
            }
            Report { suite, tally, duration: started.elapsed(), outcome }
        })
        .collect();
    println!("\n=== Summary ===\ntools      ready in {}", elapsed(installed));
    for report in &reports {
        println!("{}", summary(report));
    }
    println!("all        {}", elapsed(started.elapsed()));
    let failed: Vec<_> =
        reports.iter().filter(|report| report.outcome.is_err()).map(|report| name(report.suite)).collect();
    if failed.is_empty() { Ok(()) } else { Err(Error::new(format!("failed: {}", failed.join(", ")))) }
}

fn summary(Report { suite, tally, duration, outcome }: &Report) -> String {
    let Tally { passed, failed, ignored } = tally;
    let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
    let counts = match suite {
        Suite::Lint => String::new(),
        _ => format!(", {passed} passed, {failed} failed, {ignored} ignored"),
    };
    let remark = match outcome {
        Ok(None) => String::new(),
        Ok(Some(remark)) => format!("\n           {remark}"),
        Err(error) => format!("\n           {}", error.to_string().replace('\n', "\n           ")),
    };
    format!("{:10} {verdict} in {}{counts}{remark}", name(*suite), elapsed(*duration))
}

fn name(suite: Suite) -> String {
    suite.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// All tests of all packages but the suites of their own, compiled in one go; those of the gateway once more on the other database;
/// then the documentation's examples.
fn native(toolbox: &Toolbox, tally: &mut Tally) -> Result<()> {
    let mut cargo = toolbox.command("cargo")?;
    cargo.args(["test", "--no-fail-fast", "--workspace", "--lib", "--bins"]);
    for package in [".", "gateway", "xtask"] {
        for target in test_targets(&repository().join(package).join("tests"))? {
            if !OWN_SUITES.contains(&target.as_str()) {
                cargo.args(["--test", &target]);
            }
        }
    }
    let units = process::run_tests(with_neighbours(&mut cargo, toolbox)?, tally);
    let mut gateway = toolbox.command("cargo")?;
    gateway.env("KEYSIDE_PYTHON", toolbox.path(Tool::Python)?);
    gateway.args(["test", "--no-fail-fast", "--package", "keyside-gateway", "--test", "gateway"]);
    println!("\nThe gateway on PostgreSQL:");
    let on_postgresql =
        process::run_tests(with_neighbours(&mut gateway, toolbox)?.env("KEYSIDE_TEST_DATABASE", "postgresql"), tally);
    let mut documentation = toolbox.command("cargo")?;
    let examples = process::run(documentation.args(["test", "--workspace", "--doc"]));
    units.and(on_postgresql).and(examples)
}

/// Tells the gateway's tests where those of its neighbours are that are not in PATH.
fn with_neighbours<'command>(command: &'command mut Command, toolbox: &Toolbox) -> Result<&'command mut Command> {
    let initdb = toolbox.path(Tool::PostgreSql)?;
    command.env("KEYSIDE_PYTHON", toolbox.path(Tool::Python)?);
    Ok(command.env("KEYSIDE_POSTGRESQL", initdb.parent().unwrap_or(initdb)))
}

/// The names of the test targets in a package's folder `tests`, as cargo finds them.
fn test_targets(folder: &Path) -> Result<Vec<String>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(|error| Error::file("read", folder, &error))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let targets = paths.filter(|path| path.extension().is_some_and(|end| end == "rs") || path.join("main.rs").exists());
    let mut names: Vec<_> = targets.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort();
    Ok(names)
}

fn browser(toolbox: &Toolbox, tally: &mut Tally) -> Result<()> {
    let capabilities = target_folder().join("webdriver.json");
    folders::create(&target_folder())?;
    fs::write(&capabilities, WEBDRIVER_CAPABILITIES).map_err(|error| Error::file("write", &capabilities, &error))?;
    let run = |browser: &str, variable: &str, driver: Tool, tally: &mut Tally| {
        let mut wasm_pack = toolbox.wasm_command("wasm-pack")?;
        wasm_pack.args(["test", "--headless", browser, "--mode", "no-install", "--", "--test", "browser"]);
        wasm_pack.env(variable, toolbox.path(driver)?).env("WASM_BINDGEN_TEST_TIMEOUT", BROWSER_TIMEOUT);
        wasm_pack.env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", &capabilities);
        process::run_tests(&mut wasm_pack, tally)
    };
    let chromium = run("--chrome", "CHROMEDRIVER", Tool::ChromeDriver, tally);
    let firefox = run("--firefox", "GECKODRIVER", Tool::GeckoDriver, tally);
    chromium.and(firefox)
}

fn end_to_end(toolbox: &Toolbox, tally: &mut Tally) -> Result<()> {
    let built = page::build(toolbox, page::ROOT)?;
    let folder = repository().join("tests/e2e");
    node_modules::install(toolbox, &folder)?;
    let run = |browser: &str, tally: &mut Tally| {
        let mut node = toolbox.command("node")?;
        node.args(["--test", "--test-reporter", "spec", "--test-timeout", END_TO_END_TIMEOUT]).current_dir(&folder);
        node.env("BROWSER", browser).env("KEYSIDE_GATEWAY", &built.gateway).env("KEYSIDE_PAGE", &built.page);
        node.env("KEYSIDE_CHROMIUM", toolbox.path(Tool::Chromium)?);
        node.env("KEYSIDE_FIREFOX", toolbox.path(Tool::Firefox)?);
        node.env("KEYSIDE_PYTHON", toolbox.path(Tool::Python)?);
        println!("\nEnd-to-end in {browser}:");
        process::run_tests(&mut node, tally)
    };
    let chromium = run("chromium", tally);
    let firefox = run("firefox", tally);
    chromium.and(firefox)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_suite_is_loud() {
        let report = Report {
            suite: Suite::Browser,
            tally: Tally { passed: 3, failed: 1, ignored: 0 },
            duration: Duration::from_secs(65),
            outcome: Err(Error::new("`wasm-pack test` failed")),
        };
        let text = summary(&report);
        assert!(text.starts_with("browser    FAILED in 1 min 05 s, 3 passed, 1 failed"), "{text}");
        assert!(text.contains("`wasm-pack test` failed"));
    }

    #[test]
    fn each_suite_has_a_line_for_what_was_not_run() {
        let report = Report {
            suite: Suite::Lint,
            tally: Tally::default(),
            duration: Duration::from_secs(5),
            outcome: Ok(Some("NOT RUN: advisories".to_owned())),
        };
        assert_eq!(summary(&report), "lint       ok in 5 s\n           NOT RUN: advisories");
    }
}
