//! Builds what is delivered: the page, compressed ahead of time, and the gateway with the page in it.

mod compressed;
mod document;
mod files;
mod programs;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use programs::bind;

use crate::error::{Error, Result};
use crate::tool::Tool;
use crate::toolbox::{Toolbox, target_folder};
use crate::{folders, process, repository};

/// The tools that building needs.
pub(crate) const TOOLS: &[Tool] = &[Tool::WasmToolchain, Tool::Node, Tool::WasmOpt, Tool::Esbuild];

/// The place of the page, and the gateway that it talks to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'a> {
    /// The path that the page has, which begins and ends with a slash.
    pub(crate) public_url: &'a str,
    /// The gateway's origin; empty for the page's own.
    pub(crate) gateway: &'a str,
}

impl Site<'_> {
    /// At the root of the gateway's own origin.
    pub(crate) const DEFAULT: Self = Self { public_url: "/", gateway: "" };

    /// Fails when the origin is not one that a policy and a URL can be made of.
    pub(crate) fn check(&self) -> Result<()> {
        let host = self.gateway.strip_prefix("https://").or_else(|| self.gateway.strip_prefix("http://"));
        let is_host = |host: &str| {
            !host.is_empty()
                && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'))
        };
        if self.gateway.is_empty() || host.is_some_and(is_host) {
            return Ok(());
        }
        Err(Error::new(format!("{} is not an origin", self.gateway))
            .way_out("Give the scheme, the host and, if it is not the usual one, the port: https://ra.example.org."))
    }
}

/// Where the built parts are.
pub(crate) struct Built {
    /// The folder with the page.
    pub(crate) page: PathBuf,
    /// The gateway's program.
    pub(crate) gateway: PathBuf,
}

/// Builds the page and the gateway with the page in it, both in release mode.
pub(crate) fn build(toolbox: &Toolbox, site: Site<'_>) -> Result<Built> {
    let page = build_page(toolbox, site)?;
    let list = target_folder().join("embedded-page.rs");
    list_files(&page, &list)?;
    let mut cargo = toolbox.command("cargo")?;
    cargo.env("KEYSIDE_EMBEDDED_PAGE", &list).args(["build", "--release", "--package", "keyside-gateway"]);
    process::run(&mut cargo)?;
    Ok(Built { page, gateway: target_folder().join("release/keyside-gateway") })
}

/// Builds the page in release mode, and the gateway for trying it out: without optimization it is there in little more than half the time.
pub(crate) fn build_to_try(toolbox: &Toolbox) -> Result<Built> {
    let page = build_page(toolbox, Site::DEFAULT)?;
    process::run(toolbox.command("cargo")?.args(["build", "--package", "keyside-gateway"]))?;
    Ok(Built { page, gateway: target_folder().join("debug/keyside-gateway") })
}

/// Builds the page in release mode, and the gateway as its own tests have it: the same code, which need not be compiled once more.
pub(crate) fn build_for_tests(toolbox: &Toolbox) -> Result<Built> {
    let page = build_page(toolbox, Site::DEFAULT)?;
    process::run(toolbox.command("cargo")?.args(["test", "--no-run", "--workspace", "--test", "gateway"]))?;
    Ok(Built { page, gateway: target_folder().join("debug/keyside-gateway") })
}

/// Writes the files in `page` into `list`, as Rust that includes their contents, unless that is what it says.
fn list_files(page: &Path, list: &Path) -> Result<()> {
    let entries: io::Result<Vec<_>> = fs::read_dir(page).and_then(Iterator::collect);
    let mut files = entries.map_err(|error| Error::file("read", page, &error))?;
    files.sort_by_key(fs::DirEntry::file_name);
    let included =
        |file: &fs::DirEntry| format!("({:?}, include_bytes!({:?})),", file.file_name().to_string_lossy(), file.path());
    let text = format!("[{}]", files.iter().map(included).collect::<String>());
    if fs::read_to_string(list).is_ok_and(|present| present == text) {
        return Ok(());
    }
    files::write(list, text.as_bytes())
}

/// Builds the page in release mode into `dist`, unless the one that is there was built from the same. Gives the folder.
fn build_page(toolbox: &Toolbox, site: Site<'_>) -> Result<PathBuf> {
    let page = repository().join("dist");
    let _lock = folders::lock(&target_folder().join("page.lock"), "building the page")?;
    let compiled = programs::compile(toolbox)?;
    let work = target_folder().join("page");
    let inputs = files::digest(
        compiled
            .iter()
            .map(PathBuf::as_path)
            .chain(document::SOURCES.map(Path::new))
            .chain([this_program()?.as_path()]),
    )?;
    let record = work.join("built");
    let is_built = |inputs: &str| Ok::<_, Error>(format!("{site:?} {inputs} {}", files::digest([page.as_path()])?));
    if page.exists() && fs::read_to_string(&record).is_ok_and(|built| is_built(&inputs).is_ok_and(|now| now == built)) {
        println!("The page in {} is up to date.", page.display());
        return Ok(page);
    }
    folders::remove(&work)?;
    // A build that was killed leaves its folder beside the page.
    folders::remove_unfinished(&repository())?;
    let programs = programs::finish(toolbox, &compiled, &work)?;
    folders::fill_whole(&page, |unfinished| {
        document::assemble(toolbox, site, programs, &work, unfinished)?;
        compressed::add_all(unfinished)
    })?;
    files::write(&record, is_built(&inputs)?.as_bytes())?;
    Ok(page)
}

/// The program that is running: another one may build otherwise.
fn this_program() -> Result<PathBuf> {
    std::env::current_exe().map_err(|error| Error::new(format!("the running program cannot be found: {error}")))
}
