//! Finds the tools, and knows those found: their paths, and the environment in which they find each other.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::error::{Error, Result};
use crate::tool::{Description, PYTHON_PACKAGES, Source, Tool};
use crate::{folders, install, process, repository, wasm_toolchain};

/// The tools that were found, and those that were not.
pub(crate) struct Toolbox {
    found: BTreeMap<Tool, PathBuf>,
    missing: Vec<Missing>,
    cache: PathBuf,
}

/// A tool that was not found, and why it could not be had, where that was tried.
#[derive(Clone)]
pub(crate) struct Missing {
    /// The tool.
    pub(crate) tool: Tool,
    /// Why installing it failed.
    pub(crate) failure: Option<Error>,
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.tool.title(), self.tool.description().purpose)?;
        write!(formatter, "\n      get it: {}", self.tool.how_to_get())?;
        match &self.failure {
            Some(failure) => write!(formatter, "\n      installing it failed: {failure}"),
            None => Ok(()),
        }
    }
}

impl Toolbox {
    /// The tools that are there already.
    ///
    /// # Errors
    /// When one is missing; all that are missing are listed.
    pub(crate) fn found(tools: &[Tool]) -> Result<Self> {
        let toolbox = Self::look_for(tools)?;
        toolbox.require(tools)?;
        Ok(toolbox)
    }

    /// The tools that are there once what was missing has been installed, as far as that was possible:
    /// [`Toolbox::require`] tells.
    pub(crate) fn installed(tools: &[Tool]) -> Result<Self> {
        let toolbox = Self::look_for(tools)?;
        if toolbox.missing.is_empty() {
            return Ok(toolbox);
        }
        let _lock = folders::lock(&toolbox.cache.join("lock"), "installing tools")?;
        // Whoever had the lock may have installed them.
        let toolbox = Self::look_for(tools)?;
        if toolbox.missing.is_empty() {
            return Ok(toolbox);
        }
        let wanted: Vec<_> = toolbox.missing.iter().map(|missing| missing.tool).collect();
        let failures = install::install(&wanted, &toolbox.cache)?;
        let mut toolbox = Self::look_for(tools)?;
        for missing in &mut toolbox.missing {
            missing.failure = failures.iter().find(|(tool, _)| *tool == missing.tool).map(|(_, error)| error.clone());
        }
        Ok(toolbox)
    }

    /// Fails unless all of `tools` are there.
    pub(crate) fn require(&self, tools: &[Tool]) -> Result<()> {
        let missing = self.missing.iter().filter(|missing| tools.contains(&missing.tool));
        let list: String = missing.map(|missing| format!("\n  {missing}")).collect();
        if list.is_empty() {
            return Ok(());
        }
        Err(Error::new(format!("missing:{list}"))
            .way_out("Get what is listed, or run the command without --no-install."))
    }

    /// The path of a tool's program.
    pub(crate) fn path(&self, tool: Tool) -> Result<&Path> {
        let path = self.found.get(&tool).map(PathBuf::as_path);
        path.ok_or_else(|| Error::new(format!("missing: {}", tool.title())).way_out(tool.how_to_get()))
    }

    /// A command to be run in the repository, that finds the tools.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Result<Command> {
        self.command_with_path(program, None)
    }

    /// The same, for commands that compile for wasm32: with the toolchain that can, and a target folder of its own, so
    /// that two toolchains do not undo each other's work.
    pub(crate) fn wasm_command(&self, program: impl AsRef<std::ffi::OsStr>) -> Result<Command> {
        let rustc = self.path(Tool::WasmToolchain)?;
        let own = rustc.starts_with(&self.cache);
        let mut command = self.command_with_path(program, rustc.parent().filter(|_| own))?;
        command.env("CARGO_TARGET_DIR", target_folder().join("wasm"));
        // No browser reads it, and wasm-bindgen would have to carry it along: tens of megabytes.
        command.env("CARGO_PROFILE_DEV_DEBUG", "false");
        if own {
            // What cargo and rustup set for this very process leads to the toolchain that cannot.
            for variable in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"] {
                command.env_remove(variable);
            }
        }
        Ok(command)
    }

    fn command_with_path(&self, program: impl AsRef<std::ffi::OsStr>, first: Option<&Path>) -> Result<Command> {
        let path = self.search_path(first)?;
        // Found here and not by `Command`, which would look along the PATH of this process.
        let program = which(program.as_ref().as_ref(), &path)
            .ok_or_else(|| Error::new(format!("there is no program {}", program.as_ref().display())))?;
        let mut command = Command::new(program);
        command.current_dir(repository()).env("PATH", path);
        Ok(command)
    }

    /// PATH with the cache's tools before everything else, after `first`.
    fn search_path(&self, first: Option<&Path>) -> Result<OsString> {
        let cached = self.found.iter().filter(|(tool, path)| {
            **tool != Tool::WasmToolchain && **tool != Tool::Python && path.starts_with(&self.cache)
        });
        let folders = first.into_iter().chain(cached.filter_map(|(_, path)| path.parent())).map(PathBuf::from);
        let inherited = env::var_os("PATH").unwrap_or_default();
        env::join_paths(folders.chain(env::split_paths(&inherited)))
            .map_err(|error| Error::new(format!("the cache's path cannot stand in PATH: {error}")))
    }

    fn look_for(tools: &[Tool]) -> Result<Self> {
        let cache = folders::cache()?;
        let mut toolbox = Self { found: BTreeMap::new(), missing: Vec::new(), cache };
        // All at once: most of the time is spent waiting for one program after another to name its version.
        let outcomes: Vec<_> = thread::scope(|scope| {
            let cache = &toolbox.cache;
            let tools: BTreeSet<_> = tools.iter().copied().collect();
            let searches: Vec<_> =
                tools.into_iter().map(|tool| (tool, scope.spawn(move || find(tool, cache)))).collect();
            searches
                .into_iter()
                .map(|(tool, search)| (tool, search.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))))
                .collect()
        });
        for (tool, outcome) in outcomes {
            match outcome? {
                Some(path) => drop(toolbox.found.insert(tool, path)),
                None => toolbox.missing.push(Missing { tool, failure: None }),
            }
        }
        Ok(toolbox)
    }
}

/// The folder that cargo builds into.
pub(crate) fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), |folder| repository().join(folder))
}

/// The folder in the cache that holds `tool` once it is installed there.
pub(crate) fn cached_folder(tool: Tool, cache: &Path) -> Result<PathBuf> {
    let version = tool.version()?;
    Ok(cache.join(match tool.description().source {
        Source::Crate { name, .. } | Source::Npm(name) | Source::Wheel { name, .. } => {
            format!("{}-{version}", name.trim_start_matches('@').replace('/', "-"))
        }
        // All that is in the environment is in its name, so that one with less is not taken for it.
        _ => format!("python-cryptography-{version}-{}", PYTHON_PACKAGES.join("-").replace("==", "-")),
    }))
}

/// Looks for `tool`, on PATH and then in the cache.
fn find(tool: Tool, cache: &Path) -> Result<Option<PathBuf>> {
    if tool == Tool::WasmToolchain {
        return Ok(wasm_toolchain::find(cache));
    }
    let Description { programs, version_arguments, source, .. } = tool.description();
    let path = env::var_os("PATH").unwrap_or_default();
    let mut candidates: Vec<_> = programs.iter().filter_map(|program| which(program.as_ref(), &path)).collect();
    let folder = match source {
        Source::Crate { .. } | Source::PythonEnvironment | Source::Wheel { .. } => Some("bin"),
        Source::Npm(_) => Some("node_modules/.bin"),
        _ => None,
    };
    if let Some(folder) = folder {
        let folder = cached_folder(tool, cache)?.join(folder);
        candidates.extend(programs.iter().map(|program| folder.join(program)).filter(|program| program.exists()));
    }
    for candidate in candidates {
        if version_arguments.is_empty() {
            return Ok(Some(candidate));
        }
        let text = process::output(Command::new(&candidate).args(version_arguments));
        if let Some(text) = text
            && tool.accepts(&text)?
        {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

/// The file that `program` is along `path`; a program named by its path is itself.
pub(crate) fn which(program: &Path, path: &OsString) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    env::split_paths(path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_what_is_missing_names_version_purpose_and_way() {
        let missing = [Tool::Trunk, Tool::OpenSsl].map(|tool| Missing { tool, failure: None });
        let toolbox = Toolbox { found: BTreeMap::new(), missing: missing.to_vec(), cache: PathBuf::new() };
        let text = toolbox.require(&[Tool::Trunk, Tool::OpenSsl]).err().map(|error| error.to_string());
        let text = text.unwrap_or_default();
        for part in ["trunk 0.21.14: builds the page", "cargo install trunk@0.21.14 --locked", "OpenSSL 3.0.0 or later"]
        {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        assert!(toolbox.require(&[Tool::Curl]).is_ok());
    }
}
