//! The page's programs: compiled, the page's own one split, joined to JavaScript, and made smaller.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rayon::prelude::*;
use wasm_bindgen_cli_support::Bindgen;

use super::files;
use crate::error::{Error, Result};
use crate::toolbox::{Toolbox, target_folder};
use crate::{folders, process};

/// The page's own program.
const APP: &str = "app";

/// A program that runs in a worker.
pub(super) struct Worker {
    /// Its name.
    pub(super) name: &'static str,
    /// The passes of wasm-opt.
    optimization: &'static [&'static str],
}

/// wasm-opt's passes for speed.
const SPEED: &[&str] = &["-O3"];
/// Its passes for size.
const SIZE: &[&str] = &["-Oz"];
/// Its passes for the least size. Building each function's control flow again saves one in two hundred bytes, a second -Oz one in four hundred, and
/// each needs half the time more.
const LEAST_SIZE: &[&str] = &["--flatten", "--rereloop", "-Oz", "-Oz"];

/// The programs that run in workers.
pub(super) const WORKERS: [Worker; 3] = [
    Worker { name: "worker", optimization: SPEED },
    Worker { name: "certificates", optimization: SIZE },
    Worker { name: "inspector", optimization: SIZE },
];

/// The features of WebAssembly that the programs use beyond its first version, by `.cargo/config.toml` and by rustc's defaults.
const FEATURES: [&str; 9] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-call-indirect-overlong",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];

/// A part of the names that `wasm-streams` exports. It comes with Leptos, and the page does not use it. wasm-opt removes all that only these
/// exports reach.
const UNUSED: &str = "intounderlying";

/// The script that loads the parts of the page's program. The program imports it by this name.
const PARTS_LOADER: &str = "app-parts.js";

/// The exports of the page's program that start.js uses. esbuild leaves out the others.
const ENTRY: &str = "export { default, fetch_ahead, load, mount } from './app.js';\n";

/// Compiles all programs in one go; gives their linked WebAssembly, the page's own first, then the workers'.
pub(super) fn compile(toolbox: &Toolbox) -> Result<Vec<PathBuf>> {
    let montgomery = compile_montgomery(toolbox)?;
    let mut cargo = cargo(toolbox, "build")?;
    cargo.args(["--package", "keyside", "--package", "keyside-worker", "--features", "keyside/split", "--bin", APP]);
    for worker in WORKERS {
        cargo.args(["--bin", worker.name]);
    }
    process::run(cargo.env("KEYSIDE_EMBEDDED_MONTGOMERY", montgomery))?;
    let names = std::iter::once(APP).chain(WORKERS.map(|worker| worker.name));
    Ok(names.map(compiled).collect())
}

/// Compiles the module that the worker embeds for browsers with relaxed SIMD; gives its file.
fn compile_montgomery(toolbox: &Toolbox) -> Result<PathBuf> {
    let mut cargo = cargo(toolbox, "rustc")?;
    cargo.args(["--package", "keyside-montgomery", "--lib", "--crate-type", "cdylib"]);
    // Of this crate alone: what it depends on is the same as elsewhere.
    process::run(cargo.args(["--", "-C", "target-feature=+relaxed-simd"]))?;
    let [new, module] = ["montgomery-new.wasm", "montgomery.wasm"].map(|name| target_folder().join(name));
    let mut wasm_opt = toolbox.command("wasm-opt")?;
    wasm_opt.args(SPEED).args(FEATURES).arg("--enable-relaxed-simd").arg(compiled("keyside_montgomery"));
    process::run(wasm_opt.arg("--output").arg(&new))?;
    // One that is as before stays, or cargo would build the worker again.
    if !module.exists() || files::read(&module)? != files::read(&new)? {
        fs::rename(&new, &module).map_err(|error| Error::file("rename", &new, &error))?;
    }
    Ok(module)
}

/// Cargo, to compile what browsers run.
fn cargo(toolbox: &Toolbox, command: &str) -> Result<Command> {
    let mut cargo = toolbox.wasm_command("cargo")?;
    cargo.args([command, "--profile", "page", "--target", "wasm32-unknown-unknown"]);
    cargo.arg("--config").arg(format!("target.wasm32-unknown-unknown.rustflags={:?}", short_paths()?));
    Ok(cargo)
}

/// The file that was compiled by this name.
fn compiled(name: &str) -> PathBuf {
    target_folder().join("wasm/wasm32-unknown-unknown/page").join(name).with_extension("wasm")
}

/// The flags by which rustc names the sources of dependencies without the folders of this machine: where a program stops, it tells the file. The
/// programs are smaller by it, and the same on each machine.
fn short_paths() -> Result<Vec<String>> {
    let home = match std::env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => std::env::home_dir().ok_or_else(|| Error::new("there is no home folder"))?.join(".cargo"),
    };
    let sources = home.join("registry/src");
    let entries = fs::read_dir(&sources).map_err(|error| Error::file("read", &sources, &error))?;
    let mut folders: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.sort();
    Ok(folders.iter().map(|folder| format!("--remap-path-prefix={}/=", folder.display())).collect())
}

/// The finished programs' files.
pub(super) struct Programs {
    /// The script that exports what start.js uses of the page's program.
    pub(super) app: PathBuf,
    /// Its WebAssembly.
    pub(super) app_wasm: PathBuf,
    /// The script that loads its parts. The program's script imports it.
    pub(super) parts_loader: PathBuf,
    /// The WebAssembly of its parts, each named in the loader.
    pub(super) parts: Vec<PathBuf>,
    /// For each of [`WORKERS`], its script and its WebAssembly.
    pub(super) workers: Vec<(PathBuf, PathBuf)>,
}

/// Makes what browsers run of what was compiled, in a folder of `work` for each program.
pub(super) fn finish(toolbox: &Toolbox, compiled: &[PathBuf], work: &Path) -> Result<Programs> {
    let [app, workers @ ..] = compiled else { return Err(Error::new("no program was compiled")) };
    let folder = work.join(APP);
    let parts = split(app, &folder)?;
    let (_, wasm) = bind(APP, &folder.join("main.wasm"), &folder, true)?;
    let mut to_optimize: Vec<_> = parts.iter().chain([&wasm]).map(|file| (file.clone(), LEAST_SIZE)).collect();
    let mut bound = Vec::new();
    for (worker, compiled) in WORKERS.iter().zip(workers) {
        let (script, wasm) = bind(worker.name, compiled, &work.join(worker.name), false)?;
        to_optimize.push((wasm.clone(), worker.optimization));
        bound.push((script, wasm));
    }
    optimize(toolbox, &to_optimize)?;
    let parts_loader = folder.join(PARTS_LOADER);
    let entry = folder.join("entry.js");
    files::write(&entry, ENTRY.as_bytes())?;
    Ok(Programs { app: entry, app_wasm: wasm, parts_loader, parts, workers: bound })
}

/// Splits the page's program into `main.wasm` and its parts, with the script that loads them, in `folder`.
fn split(app: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    folders::create(folder)?;
    let linked = files::read(app)?;
    let main = folder.join("main.wasm");
    let mut options = wasm_split_cli_support::Options::new(&linked);
    options.output_dir = folder;
    options.main_out_path = &main;
    options.main_module = "./app.js";
    let link_name = format!("./{PARTS_LOADER}");
    options.link_name = &link_name;
    println!("Splitting the page's program.");
    let split = wasm_split_cli_support::transform(options)
        .map_err(|error| Error::new(format!("cannot split {}: {error:#}", app.display())))?;
    let mut parts = split.split_modules;
    parts.sort();
    Ok(parts)
}

/// Joins a program to JavaScript, in `folder`; gives its script and its WebAssembly.
///
/// The parts of a program that was split are linked to its functions by the names that the linker gave them: it keeps those.
pub(crate) fn bind(name: &str, wasm: &Path, folder: &Path, is_split: bool) -> Result<(PathBuf, PathBuf)> {
    println!("Joining {name} to JavaScript.");
    let mut bindgen = Bindgen::new();
    bindgen.input_bytes(name, files::read(wasm)?).typescript(false).omit_default_module_path(true);
    bindgen.keep_lld_exports(is_split).demangle(!is_split);
    let bound = bindgen.web(true).and_then(|bindgen| {
        let mut output = bindgen.generate_output()?;
        let exports = &mut output.wasm_mut().exports;
        let unused: Vec<_> =
            exports.iter().filter(|export| export.name.contains(UNUSED)).map(|export| export.id()).collect();
        unused.into_iter().for_each(|export| exports.delete(export));
        output.emit(folder)
    });
    bound.map_err(|error| Error::new(format!("cannot join {} to JavaScript: {error:#}", wasm.display())))?;
    Ok((folder.join(format!("{name}.js")), folder.join(format!("{name}_bg.wasm"))))
}

/// Has wasm-opt make each file smaller or faster, in its place.
fn optimize(toolbox: &Toolbox, programs: &[(PathBuf, &[&str])]) -> Result<()> {
    // wasm-opt from npm uses one processor.
    programs.iter().par_bridge().try_for_each(|(file, optimization)| {
        let mut wasm_opt = toolbox.command("wasm-opt")?;
        wasm_opt.args(*optimization).args(FEATURES).arg(file).arg("--output").arg(file);
        process::run(&mut wasm_opt)
    })
}
