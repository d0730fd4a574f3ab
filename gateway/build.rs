//! Builds again when a migration changes: `sqlx::migrate!` embeds the folder, which cargo does not see. Puts the built page into the gateway's program: the folder that the variable `KEYSIDE_PAGE` names, as `cargo xtask build` sets it.

use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=migrations");
    println!("cargo::rerun-if-env-changed=KEYSIDE_PAGE");
    let mut table = String::from("[");
    match env::var_os("KEYSIDE_PAGE") {
        Some(folder) => {
            println!("cargo::rerun-if-changed={}", folder.display());
            let mut files: Vec<_> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
            files.sort_by_key(fs::DirEntry::file_name);
            for file in files {
                let (name, path) = (file.file_name(), file.path());
                let _ = write!(table, "({:?}, include_bytes!({path:?})),", name.to_string_lossy());
            }
        }
        None => println!("cargo::warning=This gateway gets no page: `cargo xtask build` builds both."),
    }
    table.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("page.rs"), table)
}
