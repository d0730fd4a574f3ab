//! A Rust toolchain that compiles for wasm32-unknown-unknown: rustup's, or, where rustup cannot download the standard
//! library, Debian's compiler with a standard library compiled from Debian's sources.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};
use crate::install::{self, Installer};
use crate::toolbox::which;
use crate::{folders, process, repository};

/// How to get it by hand.
pub(crate) const HOW_TO_GET: &str = "rustup target add wasm32-unknown-unknown";

const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's packages: compiler, cargo, the standard library's source, clippy, the linker for WebAssembly of the same LLVM as the compiler,
/// and the allocator that rustup's compiler has in it. Without it Debian's compiler takes a tenth longer.
const PACKAGES: [&str; 6] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy", "lld-22", "libjemalloc2"];
const ALLOCATOR: &str = "libjemalloc.so.2";

/// Debian's programs are named by path: beside them rustup's stand first in PATH.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_WASM_LD: &str = "/usr/bin/wasm-ld-22";

/// The `rustc` that compiles for wasm32: the one in PATH where it can, else the one in the cache.
pub(crate) fn find(cache: &Path) -> Option<PathBuf> {
    let mut query = Command::new("rustc");
    query.args(["--print", "target-libdir", "--target", TARGET]).current_dir(repository());
    let libraries = process::output(&mut query).map(|folder| PathBuf::from(folder.trim()));
    if libraries.is_some_and(|folder| has_standard_library(&folder)) {
        return which(Path::new("rustc"), &env::var_os("PATH")?);
    }
    let rustc = folder(cache, &debian_rustc()?).join("bin/rustc");
    rustc.exists().then_some(rustc)
}

/// Installs it: with rustup where that can download, else from Debian's packages.
pub(crate) fn install(installer: &Installer<'_>, cache: &Path) -> Result<()> {
    let by_rustup = if install::registries_only() {
        Err(Error::new("rustup's server is no package registry"))
    } else {
        installer.step(HOW_TO_GET, Command::new("rustup").args(["target", "add", TARGET]))
    };
    let Err(refusal) = by_rustup else { return Ok(()) };
    println!("  Not by rustup: taking Debian's compiler, and compiling the standard library.");
    installer.apt_get(&PACKAGES, &format!("run `{HOW_TO_GET}` with access to rustup's server ({refusal})"))?;
    let rustc = debian_rustc().ok_or_else(|| Error::new(format!("{DEBIAN_RUSTC} does not run")))?;
    let sysroot = folder(cache, &rustc);
    folders::fill_whole(&sysroot, |unfinished| {
        let scratch = unfinished.join("scratch");
        let libraries = compile_standard_library(installer, &scratch)?;
        assemble(unfinished, &sysroot, &rustc.host, &libraries)?;
        folders::remove(&scratch)
    })
}

/// Debian's compiler.
struct DebianRustc {
    release: String,
    host: String,
}

fn debian_rustc() -> Option<DebianRustc> {
    let text = process::output(Command::new(DEBIAN_RUSTC).arg("-vV"))?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned());
    Some(DebianRustc { release: field("release:")?, host: field("host:")? })
}

fn folder(cache: &Path, rustc: &DebianRustc) -> PathBuf {
    cache.join(format!("wasm-toolchain-{}", rustc.release))
}

fn has_standard_library(folder: &Path) -> bool {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.map(|file| file.file_name()).any(|name| {
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

/// Compiles the standard library as a side effect of compiling an empty crate; answers with the folder it is in.
fn compile_standard_library(installer: &Installer<'_>, scratch: &Path) -> Result<PathBuf> {
    let manifest = "[package]\nname = \"scratch\"\nedition = \"2024\"\n\n[workspace]\n";
    folders::create(&scratch.join("src"))?;
    write(&scratch.join("Cargo.toml"), manifest)?;
    write(&scratch.join("src/lib.rs"), "")?;
    let mut cargo = Command::new(DEBIAN_CARGO);
    // With `test`, or test harnesses do not link.
    cargo.args([
        "build",
        "--release",
        "-Z",
        "build-std=std,panic_abort,test",
        "-Z",
        "build-std-features=",
        "--target",
        TARGET,
    ]);
    cargo.current_dir(scratch).env("RUSTC", DEBIAN_RUSTC).env("CARGO_TARGET_DIR", scratch.join("target"));
    // build-std is for nightly compilers; the variable lets a stable one do it.
    cargo.env("RUSTC_BOOTSTRAP", "1");
    cargo.env("LD_PRELOAD", ALLOCATOR);
    // Without bitcode a build with link-time optimization stops for want of the section .llvmbc.
    cargo.env("RUSTFLAGS", "-C embed-bitcode=yes");
    for variable in ["CARGO", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH", "RUSTC_WRAPPER"] {
        cargo.env_remove(variable);
    }
    installer.step("compiling the standard library for wasm32", &mut cargo)?;
    Ok(scratch.join("target").join(TARGET).join("release/deps"))
}

/// Lays out the sysroot in `unfinished`, to work once it is named `sysroot`.
fn assemble(unfinished: &Path, sysroot: &Path, host: &str, libraries: &Path) -> Result<()> {
    let rustlib = unfinished.join("lib/rustlib");
    let for_wasm = rustlib.join(TARGET).join("lib");
    let for_host = rustlib.join(host);
    let bin = unfinished.join("bin");
    for folder in [&for_wasm, &for_host.join("bin"), &bin] {
        folders::create(folder)?;
    }
    for file in fs::read_dir(libraries).map_err(|error| Error::file("read", libraries, &error))?.flatten() {
        let path = file.path();
        if path.extension().is_some_and(|extension| extension == "rlib") {
            fs::copy(&path, for_wasm.join(file.file_name())).map_err(|error| Error::file("copy", &path, &error))?;
        }
    }
    if !has_standard_library(&for_wasm) {
        return Err(Error::new("the standard library was compiled, but its files are not where they should be"));
    }
    link(&format!("/usr/lib/rustlib/{host}/lib"), &for_host.join("lib"))?;
    link(DEBIAN_WASM_LD, &for_host.join("bin/rust-lld"))?;
    link(DEBIAN_CARGO, &bin.join("cargo"))?;
    let sysroot = sysroot.display();
    for program in ["rustc", "rustdoc", "clippy-driver"] {
        let line = format!("LD_PRELOAD={ALLOCATOR} exec /usr/bin/{program} --sysroot '{sysroot}' \"$@\"");
        script(&bin.join(program), &line)?;
    }
    // cargo-clippy calls the clippy-driver beside itself, which takes the sysroot from this variable.
    script(&bin.join("cargo-clippy"), &format!("SYSROOT='{sysroot}' exec /usr/bin/cargo-clippy \"$@\""))
}

fn script(path: &Path, line: &str) -> Result<()> {
    write(path, &format!("#!/bin/sh\n{line}\n"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .map_err(|error| Error::file("make executable", path, &error))
}

fn link(target: &str, path: &Path) -> Result<()> {
    symlink(target, path).map_err(|error| Error::file("link", path, &error))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| Error::file("write", path, &error))
}
