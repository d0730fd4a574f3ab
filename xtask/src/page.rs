//! Builds what is delivered: the page, compressed ahead of time, and the gateway.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding};
use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha384};

use crate::error::{Error, Result};
use crate::tool::Tool;
use crate::toolbox::{Toolbox, target_folder};
use crate::{folders, process, repository};

/// The tools that building takes.
pub(crate) const TOOLS: &[Tool] =
    &[Tool::WasmToolchain, Tool::WasmBindgen, Tool::Trunk, Tool::Node, Tool::WasmOpt, Tool::Esbuild];

/// Files with these endings are compressed ahead of time; all others are compressed already, or tiny.
const COMPRESSIBLE: [&str; 8] = ["css", "html", "ico", "js", "json", "svg", "txt", "wasm"];

/// Brotli's strongest setting and largest window: this is done once, and each visitor gains.
const BROTLI_QUALITY: u32 = 11;
const BROTLI_WINDOW: u32 = 24;

/// Where the page is when nothing else is asked for.
pub(crate) const ROOT: &str = "/";

/// Where the built parts are.
pub(crate) struct Built {
    /// The folder with the page.
    pub(crate) page: PathBuf,
    /// The gateway's program.
    pub(crate) gateway: PathBuf,
}

/// Builds the page, for a site where it has the path `public_url`, and the gateway, both in release mode.
pub(crate) fn build(toolbox: &Toolbox, public_url: &str) -> Result<Built> {
    let page = repository().join("dist");
    {
        let _lock = folders::lock(&target_folder().join("page.lock"), "building the page")?;
        let mut trunk = toolbox.wasm_command("trunk")?;
        trunk
            .args(["build", "--release", "--offline", "--skip-version-check", "--public-url", public_url, "--dist"])
            .arg(&page);
        // Trunk takes NO_COLOR for a switch and wants it to be true or false, not set to whatever.
        trunk.env_remove("NO_COLOR");
        process::run(&mut trunk)?;
        minify(toolbox, &page)?;
        name_files(&page)?;
        compress(&page)?;
    }
    let mut cargo = toolbox.command("cargo")?;
    process::run(cargo.args(["build", "--release", "--package", "keyside-gateway"]))?;
    Ok(Built { page, gateway: target_folder().join("release/keyside-gateway") })
}

/// The oldest JavaScript that browsers with all that the page needs understand: with `await` outside of functions.
const JAVASCRIPT: &str = "--target=es2022";

/// Minifies the scripts in `page`, each for itself.
fn minify(toolbox: &Toolbox, page: &Path) -> Result<()> {
    let unreadable = |error| Error::file("read", page, &error);
    let entries: Vec<_> = fs::read_dir(page).and_then(Iterator::collect).map_err(unreadable)?;
    let scripts = entries
        .iter()
        .map(fs::DirEntry::path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "js"));
    let mut esbuild = toolbox.command("esbuild")?;
    esbuild.args(["--minify", JAVASCRIPT, "--charset=utf8", "--log-level=warning", "--allow-overwrite"]);
    esbuild.arg(format!("--outdir={}", page.display()));
    process::run(esbuild.args(scripts))
}

/// The files that `index.html` names. The workers' are not among them: their names stay as the page's programs know them.
const NAMED: [&str; 9] = [
    "icon.svg",
    "main.css",
    "start.js",
    "app.js",
    "app_bg.wasm",
    "register.js",
    "register_bg.wasm",
    "more.js",
    "more_bg.wasm",
];

/// Gives the files that `index.html` in `page` names a hash of their contents in their names, and has `index.html` say what integrity
/// they must have.
fn name_files(page: &Path) -> Result<()> {
    let document = page.join("index.html");
    let mut html = fs::read_to_string(&document).map_err(|error| Error::file("read", &document, &error))?;
    for file in NAMED {
        let path = page.join(file);
        let contents = fs::read(&path).map_err(|error| Error::file("read", &path, &error))?;
        let digest = Sha384::digest(&contents);
        let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let end = file.find(['_', '.']).unwrap_or(file.len());
        let named = format!("{}-{hash}{}", &file[..end], &file[end..]);
        fs::rename(&path, page.join(&named)).map_err(|error| Error::file("rename", &path, &error))?;
        html = with_integrity(&html, file, &named, &Base64::encode_string(&digest))?;
    }
    fs::write(&document, html).map_err(|error| Error::file("write", &document, &error))
}

/// `html` with the name `named` for `file`, which must be an attribute's value once, and with the integrity that it must have.
fn with_integrity(html: &str, file: &str, named: &str, digest: &str) -> Result<String> {
    let places: Vec<_> = html
        .match_indices(&format!("{file}\""))
        .map(|(start, _)| start)
        .filter(|start| html[..*start].ends_with(['"', '/']))
        .collect();
    let [start] = places[..] else {
        return Err(Error::new(format!("Trunk's index.html names {file} {} times, not once", places.len())));
    };
    let (before, after) = (&html[..start], &html[start + file.len() + 1..]);
    Ok(format!("{before}{named}\" integrity=\"sha384-{digest}\"{after}"))
}

/// Puts a .br and a .gz beside each file in `folder` and below that gets smaller by it.
fn compress(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(|error| Error::file("read", folder, &error))? {
        let path = entry.map_err(|error| Error::file("read", folder, &error))?.path();
        if path.is_dir() {
            compress(&path)?;
        } else if path.extension().is_some_and(|extension| COMPRESSIBLE.iter().any(|known| extension == *known)) {
            let plain = fs::read(&path).map_err(|error| Error::file("read", &path, &error))?;
            let sizes = [("br", brotli(&plain)), ("gz", gzip(&plain))].map(|(extension, packed)| {
                let beside = path.with_added_extension(extension);
                let packed = packed.map_err(|error| Error::file("compress", &path, &error))?;
                if packed.len() < plain.len() {
                    fs::write(&beside, &packed).map_err(|error| Error::file("write", &beside, &error))?;
                }
                Ok(packed.len())
            });
            let [brotli, gzip] = sizes;
            println!("  {}: {} bytes, br {}, gz {}", path.display(), plain.len(), brotli?, gzip?);
        }
    }
    Ok(())
}

fn brotli(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut writer = CompressorWriter::new(Vec::new(), plain.len().max(1), BROTLI_QUALITY, BROTLI_WINDOW);
    writer.write_all(plain)?;
    writer.flush()?;
    Ok(writer.into_inner())
}

fn gzip(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::best());
    writer.write_all(plain)?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_file_gets_its_hash_and_integrity_where_it_is_named() {
        let named = |html| with_integrity(html, "app.js", "app-01.js", "AB==").ok();
        for (html, expected) in [
            ("<link href=\"app.js\">", Some("<link href=\"app-01.js\" integrity=\"sha384-AB==\">")),
            ("<link href=\"/at/app.js\" rel=x>", Some("<link href=\"/at/app-01.js\" integrity=\"sha384-AB==\" rel=x>")),
            ("<link href=\"myapp.js\"><link href=\"app.js.map\">", None),
            ("<link href=\"app.js\"><link href=\"/app.js\">", None),
        ] {
            assert_eq!(named(html).as_deref(), expected, "{html}");
        }
    }

    #[test]
    fn what_is_compressed_comes_out_as_it_was() -> std::io::Result<()> {
        let plain: Vec<u8> = (0..5_000_u32).flat_map(|number| number.to_string().into_bytes()).collect();
        let (brotli, gzip) = (brotli(&plain)?, gzip(&plain)?);
        assert!(brotli.len() < gzip.len() && gzip.len() < plain.len());
        let mut unpacked = Vec::new();
        brotli::Decompressor::new(brotli.as_slice(), 4096).read_to_end(&mut unpacked)?;
        assert_eq!(unpacked, plain);
        unpacked.clear();
        flate2::read::GzDecoder::new(gzip.as_slice()).read_to_end(&mut unpacked)?;
        assert_eq!(unpacked, plain);
        Ok(())
    }
}
