//! `cargo xtask test`: the suites, one after another, and a summary.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::browser::Browser;
use crate::display::Display;
use crate::error::{Error, Result};
use crate::page::Built;
use crate::process::{self, Filter, Tally};
use crate::progress::elapsed;
use crate::tool::Tool;
use crate::toolbox::{Toolbox, target_folder};
use crate::{Installing, bench, folders, fuzz, lint, node_modules, page, repository};

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

/// The native tests that run at once for each processor: those of the gateway wait for it, for the disk and for its neighbours
/// half of the time.
const TESTS_AT_ONCE: usize = 4;

/// How long one file of tests for Node may take, in milliseconds.
const FILE_TIMEOUT: &str = "1800000";

/// A part of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Suite {
    /// Formatting, clippy, dependencies.
    Lint,
    /// Unit and integration tests on this machine; those of the gateway on SQLite and on PostgreSQL.
    Native,
    /// Every fuzz target for a short time.
    Fuzz,
    /// What Keyside writes, read by OpenSSL, NSS, GnuTLS, Java, Python and curl.
    Interop,
    /// wasm-bindgen tests inside the browsers.
    Browser,
    /// The whole job on the page's release build, in the browsers.
    E2e,
    /// The delivered files' sizes, and the time a key pair takes beside others, against tests/bench/budget.json.
    Budget,
    /// The page as Trunk builds it for development, in one piece: a walk through its pages, in Chromium.
    Trunk,
}

impl Suite {
    const fn runs_in_browsers(self) -> bool {
        matches!(self, Self::Browser | Self::E2e)
    }
}

/// What `cargo xtask test` takes as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// Run this suite.
    Suite(Suite),
    /// Run in this browser.
    Browser(Browser),
}

impl ValueEnum for Word {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::Suite(Suite::Lint),
            Self::Suite(Suite::Native),
            Self::Suite(Suite::Fuzz),
            Self::Suite(Suite::Interop),
            Self::Suite(Suite::Browser),
            Self::Suite(Suite::E2e),
            Self::Suite(Suite::Budget),
            Self::Suite(Suite::Trunk),
            Self::Browser(Browser::Chromium),
            Self::Browser(Browser::Firefox),
            Self::Browser(Browser::Webkit),
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Suite(suite) => suite.to_possible_value(),
            Self::Browser(browser) => browser.to_possible_value(),
        }
    }
}

/// What has a line in the summary: a suite, or a suite in one browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    suite: Suite,
    browser: Option<Browser>,
}

impl Part {
    /// The parts that `words` name. Browsers without a suite mean the suites that run in browsers. What has no tests to choose from is
    /// left out when there is a filter.
    fn named(words: &[Word], filter: &Filter) -> Vec<Self> {
        let mut suites = BTreeSet::new();
        let mut browsers = BTreeSet::new();
        for word in words {
            match word {
                Word::Suite(suite) => drop(suites.insert(*suite)),
                Word::Browser(browser) => drop(browsers.insert(*browser)),
            }
        }
        if suites.is_empty() {
            let meant = |suite: &Suite| {
                (browsers.is_empty() || suite.runs_in_browsers())
                    && (filter.0.is_none() || !matches!(suite, Suite::Lint | Suite::Trunk))
            };
            suites = Suite::value_variants().iter().copied().filter(meant).collect();
        }
        if browsers.is_empty() {
            browsers = Browser::value_variants().iter().copied().collect();
        }
        let mut parts = Vec::new();
        for suite in suites {
            if suite.runs_in_browsers() {
                parts.extend(browsers.iter().map(|browser| Self { suite, browser: Some(*browser) }));
            } else {
                parts.push(Self { suite, browser: None });
            }
        }
        parts
    }

    fn tools(self) -> Vec<Tool> {
        let browser = self.browser.map(Browser::program);
        let driver = self.browser.map(Browser::driver);
        let display = self.browser.filter(|browser| browser.needs_display()).map(|_| Tool::Xvfb);
        match self.suite {
            Suite::Lint => lint::TOOLS.to_vec(),
            Suite::Native => NEIGHBOURS.to_vec(),
            Suite::Fuzz => fuzz::TOOLS.to_vec(),
            Suite::Interop => JUDGES.to_vec(),
            Suite::Browser => [Tool::WasmToolchain, Tool::WasmBindgen]
                .into_iter()
                .chain(browser)
                .chain(driver)
                .chain(display)
                .collect(),
            Suite::E2e => {
                // A backup is carried from one browser to another.
                let other = self
                    .browser
                    .map(|browser| if browser == Browser::Chromium { Tool::Firefox } else { Tool::Chromium });
                let driver = driver.filter(|driver| *driver == Tool::WebKitDriver);
                let build = if prebuilt().is_some() { &[Tool::Node] } else { page::TOOLS };
                let tools = [build, JUDGES, &[Tool::Cfssl]].concat().into_iter();
                tools.chain(browser).chain(other).chain(driver).chain(display).collect()
            }
            Suite::Budget => bench::TOOLS.to_vec(),
            Suite::Trunk => [page::TOOLS, &[Tool::WasmBindgen, Tool::Trunk, Tool::Chromium]].concat(),
        }
    }

    fn run(self, shared: &Shared, tally: &mut Tally) -> Result<Option<String>> {
        let Shared { toolbox, filter, .. } = shared;
        toolbox.require(&self.tools())?;
        let display = match self.browser {
            Some(browser) if browser.needs_display() => Some(Display::start(toolbox.path(Tool::Xvfb)?)?),
            _ => None,
        };
        match (self.suite, self.browser) {
            (Suite::Browser, Some(browser)) => in_browser(shared, browser, display.as_ref(), tally)?,
            (Suite::E2e, Some(browser)) => end_to_end(shared, browser, display.as_ref(), tally)?,
            (Suite::Trunk, _) => built_by_trunk(shared, tally)?,
            (Suite::Browser | Suite::E2e, None) => return Err(Error::new("no browser is named")),
            (Suite::Lint, _) => return lint::run(toolbox),
            (Suite::Native, _) => native(toolbox, filter, tally)?,
            (Suite::Fuzz, _) => fuzz::suite(toolbox, filter, tally)?,
            (Suite::Interop, _) => {
                let mut cargo = toolbox.command("cargo")?;
                cargo
                    .args(["test", "--workspace", "--test", "interop"])
                    .env("KEYSIDE_PYTHON", toolbox.path(Tool::Python)?);
                filter.pass_to_cargo(&mut cargo);
                process::run_tests(&mut cargo, filter, tally)?;
            }
            (Suite::Budget, _) => {
                let mut node = bench::node(toolbox, shared.built()?)?;
                node.args(["--test", "--test-reporter", "spec", "--test-timeout", FILE_TIMEOUT]);
                // One after another: what is measured shall have the machine for itself.
                node.args(["--test-concurrency", "1"]);
                filter.pass_to_node(&mut node);
                process::run_tests(&mut node, filter, tally)?;
            }
        }
        Ok(None)
    }

    /// Its name in the summary.
    fn name(self) -> String {
        let words = [Some(Word::Suite(self.suite)), self.browser.map(Word::Browser)].into_iter().flatten();
        let names: Vec<_> = words.filter_map(|word| Some(word.to_possible_value()?.get_name().to_owned())).collect();
        names.join(" ")
    }
}

/// What the parts have in common.
struct Shared {
    toolbox: Toolbox,
    filter: Filter,
    built: OnceCell<Built>,
    /// The time that building has taken.
    building: Cell<Duration>,
}

impl Shared {
    /// The page and the gateway: those that the environment names, or what is built from this checkout, once in a run.
    fn built(&self) -> Result<&Built> {
        if let Some(built) = self.built.get() {
            return Ok(built);
        }
        let started = Instant::now();
        let built = prebuilt().map_or_else(|| page::build_for_tests(&self.toolbox), Ok);
        self.building.set(self.building.get() + started.elapsed());
        let built = built?;
        Ok(self.built.get_or_init(|| built))
    }
}

/// A page and a gateway that were built before, possibly on another machine.
fn prebuilt() -> Option<Built> {
    let path = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    Some(Built { page: path("KEYSIDE_PAGE")?, gateway: path("KEYSIDE_GATEWAY")? })
}

/// One line of the summary.
struct Report {
    part: Part,
    tally: Tally,
    duration: Duration,
    outcome: Result<Option<String>>,
}

/// Runs what `words` name, or everything, as far as `filter` does not leave it out, and sums up.
pub(crate) fn run(words: &[Word], filter: Filter, installing: Installing) -> Result<()> {
    let parts = Part::named(words, &filter);
    let started = Instant::now();
    let tools: Vec<_> = parts.iter().flat_map(|part| part.tools()).collect();
    let shared =
        Shared { toolbox: installing.toolbox(&tools)?, filter, built: OnceCell::new(), building: Cell::default() };
    let installed = started.elapsed();
    let reports: Vec<_> = parts
        .into_iter()
        .map(|part| {
            println!("\n=== {} ===", part.name());
            let mut tally = Tally::default();
            let (started, built_before) = (Instant::now(), shared.building.get());
            let outcome = part.run(&shared, &mut tally);
            let duration = started.elapsed() - (shared.building.get() - built_before);
            if let Err(error) = &outcome {
                eprintln!("error: {error}");
            }
            Report { part, tally, duration, outcome }
        })
        .collect();
    println!("\n=== Summary ===\ntools            ready in {}", elapsed(installed));
    if shared.building.get() > Duration::ZERO {
        println!("page and gateway built in {}", elapsed(shared.building.get()));
    }
    for report in &reports {
        println!("{}", summary(report));
    }
    println!("all              {}", elapsed(started.elapsed()));
    conclusion(&reports, &shared.filter)
}

/// Whether all went well.
fn conclusion(reports: &[Report], filter: &Filter) -> Result<()> {
    let failed: Vec<_> =
        reports.iter().filter(|report| report.outcome.is_err()).map(|report| report.part.name()).collect();
    if !failed.is_empty() {
        return Err(Error::new(format!("failed: {}", failed.join(", "))));
    }
    match &filter.0 {
        Some(part) if reports.iter().all(|report| report.tally.passed == 0) => {
            let asked: Vec<_> = reports.iter().map(|report| report.part.name()).collect();
            Err(Error::new(format!("ran no test: none in {} has “{part}” in its name", asked.join(", ")))
                .way_out("Names are compared letter by letter. A run without a filter prints them all."))
        }
        _ => Ok(()),
    }
}

fn summary(Report { part, tally, duration, outcome }: &Report) -> String {
    let Tally { passed, failed, not_run } = tally;
    let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
    let left_out: usize = not_run.values().map(Vec::len).sum();
    let counts = match part.suite {
        Suite::Lint => String::new(),
        _ => format!(", {passed} passed, {failed} failed, {left_out} not run"),
    };
    let mut remarks = Vec::new();
    match outcome {
        Ok(None) => {}
        Ok(Some(remark)) => remarks.push(remark.clone()),
        Err(error) => remarks.push(error.to_string()),
    }
    for (reason, names) in not_run {
        remarks.push(format!("NOT RUN: {reason}"));
        remarks.extend(names.iter().map(|name| format!("  {name}")));
    }
    let indented: String =
        remarks.iter().flat_map(|remark| remark.lines()).map(|line| format!("\n    {line}")).collect();
    format!("{:16} {verdict} in {}{counts}{indented}", part.name(), elapsed(*duration))
}

/// All tests of all packages but the suites of their own, compiled in one go; those of the gateway once more on the other database.
fn native(toolbox: &Toolbox, filter: &Filter, tally: &mut Tally) -> Result<()> {
    let mut cargo = toolbox.command("cargo")?;
    cargo.args(["test", "--no-fail-fast", "--workspace", "--lib", "--bins"]);
    for package in [".", "gateway", "xtask"] {
        for target in test_targets(&repository().join(package).join("tests"))? {
            if !OWN_SUITES.contains(&target.as_str()) {
                cargo.args(["--test", &target]);
            }
        }
    }
    filter.pass_to_cargo(&mut cargo);
    let units = process::run_tests(with_neighbours(&mut cargo, toolbox)?, filter, tally);
    let mut gateway = toolbox.command("cargo")?;
    // As part of the workspace, or cargo chooses other features and compiles all once more.
    gateway.args(["test", "--no-fail-fast", "--workspace", "--test", "gateway"]);
    filter.pass_to_cargo(&mut gateway);
    println!("\nThe gateway on PostgreSQL:");
    with_neighbours(&mut gateway, toolbox)?.env("KEYSIDE_TEST_DATABASE", "postgresql");
    let on_postgresql = process::run_tests(&mut gateway, filter, tally);
    units.and(on_postgresql)
}

/// Gives the native tests their number at once, and tells those of the gateway where those of its neighbours are that are not in PATH.
fn with_neighbours<'command>(command: &'command mut Command, toolbox: &Toolbox) -> Result<&'command mut Command> {
    let initdb = toolbox.path(Tool::PostgreSql)?;
    let processors = available_parallelism().map_or(1, NonZero::get);
    command.env("RUST_TEST_THREADS", (processors * TESTS_AT_ONCE).to_string());
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

/// The tests in tests/browser.rs, and those of the crate whose arithmetic the browser does.
fn in_browser(shared: &Shared, browser: Browser, display: Option<&Display>, tally: &mut Tally) -> Result<()> {
    let mut page = tests_in_browser(shared, browser, display)?;
    page.args(["--package", "keyside", "--test", "browser"]);
    shared.filter.pass_to_cargo(&mut page);
    let outcome = process::run_tests(&mut page, &shared.filter, tally);
    if browser == Browser::Webkit {
        let names = tally.not_run.entry("WebKitGTK refuses relaxed SIMD".into()).or_default();
        names.push("the tests of keyside-montgomery".into());
        return outcome;
    }
    let mut montgomery = tests_in_browser(shared, browser, display)?;
    montgomery.args(["--package", "keyside-montgomery", "--lib"]);
    montgomery.args(["--config", "target.wasm32-unknown-unknown.rustflags=['-C', 'target-feature=+relaxed-simd']"]);
    shared.filter.pass_to_cargo(&mut montgomery);
    outcome.and(process::run_tests(&mut montgomery, &shared.filter, tally))
}

/// `cargo test`, which hands what it has compiled for wasm32 to wasm-bindgen's runner, which opens the browser.
fn tests_in_browser(shared: &Shared, browser: Browser, display: Option<&Display>) -> Result<Command> {
    let toolbox = &shared.toolbox;
    let capabilities = target_folder().join("webdriver.json");
    folders::create(&target_folder())?;
    fs::write(&capabilities, WEBDRIVER_CAPABILITIES).map_err(|error| Error::file("write", &capabilities, &error))?;
    let runner = toolbox.path(Tool::WasmBindgen)?.with_file_name("wasm-bindgen-test-runner");
    let mut cargo = toolbox.wasm_command("cargo")?;
    cargo.args(["test", "--target", "wasm32-unknown-unknown"]);
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner);
    cargo.env(browser.driver_variable(), toolbox.path(browser.driver())?);
    cargo.env("WASM_BINDGEN_TEST_TIMEOUT", BROWSER_TIMEOUT).env("WASM_BINDGEN_TEST_ONLY_WEB", "1");
    cargo.env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", &capabilities);
    cargo.envs(display.map(|display| ("DISPLAY", display.name())));
    Ok(cargo)
}

/// The tests in tests/e2e, on the page's release build.
fn end_to_end(shared: &Shared, browser: Browser, display: Option<&Display>, tally: &mut Tally) -> Result<()> {
    let built = shared.built()?;
    let mut node = in_pages(shared, built, &built.page, browser)?;
    shared.filter.pass_to_node(&mut node);
    node.envs(display.map(|display| ("DISPLAY", display.name())));
    process::run_tests(&mut node, &shared.filter, tally)
}

/// The test that the walk through the pages is.
const WALK: &str = "a walk over every page";

/// Has Trunk build the page as it does for development, unoptimized and in one piece, and walks through it.
fn built_by_trunk(shared: &Shared, tally: &mut Tally) -> Result<()> {
    let built = shared.built()?;
    let page = target_folder().join("trunk");
    let mut trunk = shared.toolbox.wasm_command("trunk")?;
    trunk.args(["build", "--offline", "--skip-version-check", "--dist"]).arg(&page);
    // Trunk takes NO_COLOR for a switch and wants it to be true or false, not set to whatever.
    process::run(trunk.env_remove("NO_COLOR"))?;
    let walk = Filter(Some(WALK.to_owned()));
    let mut node = in_pages(shared, built, &page, Browser::Chromium)?;
    walk.pass_to_node(&mut node);
    process::run_tests(&mut node, &walk, tally)
}

/// A command that runs the tests in tests/e2e on the page in `page`, in `browser`.
fn in_pages(shared: &Shared, built: &Built, page: &Path, browser: Browser) -> Result<Command> {
    let toolbox = &shared.toolbox;
    let folder = repository().join("tests/e2e");
    node_modules::install(toolbox, &folder)?;
    let common_ca = target_folder().join("e2e-ca");
    folders::remove(&common_ca)?;
    let mut node = toolbox.command("node")?;
    node.args(["--test", "--test-reporter", "spec", "--test-timeout", FILE_TIMEOUT]).current_dir(&folder);
    // Two files at a time: much of a test is waiting.
    node.args(["--test-concurrency", "3"]);
    let name = Word::Browser(browser).to_possible_value();
    node.env("BROWSER", name.as_ref().map_or("", PossibleValue::get_name));
    node.env("KEYSIDE_GATEWAY", &built.gateway).env("KEYSIDE_PAGE", page).env("KEYSIDE_COMMON_CA", common_ca);
    for (variable, tool) in [
        ("KEYSIDE_CHROMIUM", Tool::Chromium),
        ("KEYSIDE_FIREFOX", Tool::Firefox),
        ("KEYSIDE_MINIBROWSER", Tool::MiniBrowser),
        ("KEYSIDE_WEBKIT_DRIVER", Tool::WebKitDriver),
        ("KEYSIDE_PYTHON", Tool::Python),
    ] {
        node.envs(toolbox.path(tool).ok().map(|path| (variable, path)));
    }
    Ok(node)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn report(part: Part, tally: Tally, outcome: Result<Option<String>>) -> Report {
        Report { part, tally, duration: Duration::from_secs(65), outcome }
    }

    const IN_WEBKIT: Part = Part { suite: Suite::E2e, browser: Some(Browser::Webkit) };
    const LINT: Part = Part { suite: Suite::Lint, browser: None };

    #[test]
    fn a_failed_suite_is_loud() {
        let tally = Tally { passed: 3, failed: 1, ..Tally::default() };
        let text = summary(&report(IN_WEBKIT, tally, Err(Error::new("`node --test` failed"))));
        assert!(text.starts_with("e2e webkit       FAILED in 1 min 05 s, 3 passed, 1 failed"), "{text}");
        assert!(text.contains("`node --test` failed"));
    }

    #[test]
    fn what_was_not_run_is_listed_with_the_reason() {
        let remark = Ok(Some("NOT RUN: advisories".to_owned()));
        assert_eq!(
            summary(&report(LINT, Tally::default(), remark)),
            "lint             ok in 1 min 05 s\n    NOT RUN: advisories"
        );
        let not_run = BTreeMap::from([("no crash".to_owned(), vec!["one".to_owned(), "two".to_owned()])]);
        assert_eq!(
            summary(&report(IN_WEBKIT, Tally { passed: 1, failed: 0, not_run }, Ok(None))),
            "e2e webkit       ok in 1 min 05 s, 1 passed, 0 failed, 2 not run\n    NOT RUN: no crash\n      one\n      two"
        );
    }

    #[test]
    fn suites_and_browsers_are_named_in_any_order() {
        let named = |words: &[Word], filter: Option<&str>| -> Vec<_> {
            Part::named(words, &Filter(filter.map(str::to_owned))).into_iter().map(Part::name).collect()
        };
        let firefox = Word::Browser(Browser::Firefox);
        assert_eq!(named(&[firefox, Word::Suite(Suite::E2e)], None), ["e2e firefox"]);
        assert_eq!(named(&[firefox], None), ["browser firefox", "e2e firefox"]);
        assert_eq!(named(&[firefox, Word::Suite(Suite::Native)], None), ["native"]);
        assert_eq!(named(&[Word::Suite(Suite::Fuzz), firefox], None), ["fuzz"]);
        assert_eq!(named(&[], None).len(), 6 + 2 * 3);
        assert!(!named(&[], Some("wrong passphrase")).contains(&"lint".to_owned()));
    }

    #[test]
    fn a_filter_that_no_test_passes_is_an_error() {
        let conclude = |passed, filter: Option<&str>| {
            let reports = [report(IN_WEBKIT, Tally { passed, ..Tally::default() }, Ok(None))];
            conclusion(&reports, &Filter(filter.map(str::to_owned))).map_err(|error| error.to_string())
        };
        assert!(conclude(1, Some("wrong")).is_ok());
        assert!(conclude(0, None).is_ok());
        assert!(
            conclude(0, Some("wrong")).is_err_and(|text| text.contains("ran no test: none in e2e webkit has “wrong”"))
        );
    }
}
